//! The file of one run: everything that the run finally used, spelled out, without axes.

use std::path::Path;

use super::{Experiment, File, Name, Seeds};
use crate::value::serialize::{self, serialize};
use crate::value::write::{Layout, document};
use crate::value::{Choice, Kind, Node};
use engine::nn::model;
use engine::number::Whole;
use engine::random::Rng;
use engine::spec::{FunctionRun, NetworkRun, RunSpec};
use engine::train;

/// The text of a file whose only run is that of `spec`, with the same id. `choice` leads to the run's cell in
/// `experiment`: settings that the experiment does not write there are marked as defaults.
///
/// The file is named `name`: with the experiment's name, it would replace the experiment's results. Relative paths
/// are resolved against `here`, so that they are valid wherever the text is saved.
///
/// # Errors
/// If a path is not valid UTF-8.
pub fn single(
    spec: &RunSpec,
    name: Name,
    experiment: &Experiment,
    choice: &Choice,
    here: &Path,
) -> Result<String, serialize::Error> {
    let mut file = File { name: Some(name), description: experiment.description.clone(), ..File::of(spec) };
    if let Some(data) = &mut file.data {
        data.resolve(here);
    }
    let tree = serialize(&file)?;
    let root = &experiment.tree.root;
    let is_written = |path: &[&str]| root.along(path, choice).count() == path.len();
    // Drawn values are where the file has distributions.
    let is_trial = |node: &Node| matches!(&node.kind, Kind::Axis(axis) if axis.is_trial());
    let is_drawn = |path: &[&str]| {
        let values = root.along(path, choice).map(|entry| &entry.value);
        values.filter(|value| is_trial(value)).any(|value| value.chosen(choice).entries().is_none())
    };
    let has = |path: &[&str]| is_written(path) || is_spelled_otherwise(path, &is_written);
    let comment = |path: &[&str]| match path {
        ["name"] => Some("its own results folder".to_owned()),
        ["seeds"] => None,
        ["train", "steps"] if is_written(&["train", "epochs"]) => Some("from `epochs`".to_owned()),
        [key] if tree.entry(key).is_some_and(|entry| entry.value.entries().is_some()) => None,
        ["data", "train_rows" | "test_rows"] if !is_written(path) => Some("default: all".to_owned()),
        path if is_drawn(path) => Some("drawn".to_owned()),
        path if !has(path) => Some("default".to_owned()),
        _ => None,
    };
    Ok(document(&tree, &Layout::of_values(&comment)))
}

/// Whether the file writes the setting at `path` in another form: as a list of layers instead of `hidden` and related
/// keys.
fn is_spelled_otherwise(path: &[&str], is_written: &dyn Fn(&[&str]) -> bool) -> bool {
    matches!(path, ["network", _]) && is_written(&["network", "layers"])
}

impl File {
    /// The file with all settings of `spec` and nothing else.
    pub fn of(spec: &RunSpec) -> Self {
        let file = Self {
            name: None,
            description: None,
            seeds: Seeds(vec![spec.seed()]),
            rng: Rng::default(),
            data: None,
            network: None,
            function: None,
            init: None,
            regularization: None,
            optimizer: spec.optimizer().clone(),
            train: train::TrainSection {
                steps: Whole::try_from(spec.steps() as i64).ok(),
                ..train::TrainSection::default()
            },
            record: None,
            sweep: super::Sweep::default(),
            variant: None,
            extends: None,
            allow_warnings: Vec::new(),
        };
        match spec {
            RunSpec::Network(run) => file.with_network(run),
            RunSpec::Function(run) => file.with_function(run),
        }
    }

    fn with_network(mut self, run: &NetworkRun) -> Self {
        self.data = Some(run.data.clone().with_limits(&run.info));
        self.network = Some(model::NetworkSection::of(&run.model));
        self.init = Some(run.init);
        self.regularization = Some(run.regularization);
        self.train.batch_size = Some(run.batch_size);
        self.train.sampling = Some(run.sampling);
        self.train.objective = Some(run.objective);
        self.train.precision = run.precision;
        self.record = Some(run.record.clone());
        self
    }

    fn with_function(mut self, run: &FunctionRun) -> Self {
        self.function = Some(run.function.clone());
        self.train.precision = run.precision;
        self
    }
}
