//! A file under one choice, lowered to a specification: epochs to steps, limits to counts; and the contradictions that show
//! only where settings meet.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::cost::Cost;
use crate::batches::Sampling;
use crate::data::{self, Data, Info, Source, Task};
use crate::file::{Experiment, File, short_name};
use crate::kernel::Precision;
use crate::nn::loss::Objective;
use crate::nn::{LayerSpec, Model};
use crate::number::{Count, Whole, shortest};
use crate::optim::{Misfit, Optimizer};
use crate::record::{Moments, Part, Subject};
use crate::seed::Seed;
use crate::settings::Scalar;
use crate::spec::{FunctionRun, NetworkRun, RunSpec};
use crate::train::{self, StepsError};
use crate::value::problem::Problem;
use crate::value::{Choice, Node, Origin};

/// What there is to know of data, each source with its limits and splits once.
pub type Known = HashMap<Data, Result<Info, data::Error>>;

/// Settings that are accepted alone and not together.
#[derive(Debug, PartialEq)]
pub struct Contradiction {
    place: Place,
    message: String,
    help: Option<String>,
    /// The keys that lead to what else it comes of.
    reads: &'static [&'static [&'static str]],
}

/// What to change first.
#[derive(Debug, PartialEq)]
enum Place {
    /// The keys that lead to it.
    Path(Vec<&'static str>),
    /// The short name of a setting.
    Setting(&'static str),
}

impl Contradiction {
    pub fn new(path: impl Into<Vec<&'static str>>, message: impl Into<String>) -> Self {
        Self::at(Place::Path(path.into()), message)
    }

    pub fn of_setting(name: &'static str, message: impl Into<String>) -> Self {
        Self::at(Place::Setting(name), message)
    }

    fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), help: None, reads: &[] }
    }

    /// Says what else the contradiction comes of than what stands at its place.
    fn reads(self, reads: &'static [&'static [&'static str]]) -> Self {
        Self { reads, ..self }
    }

    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Data that cannot be had.
    pub fn of_data(error: &data::Error) -> Self {
        let contradiction = Self::new(["data", error.key()], error.to_string());
        let contradiction = if error.is_of_the_file() { contradiction } else { contradiction.reads(&[DATA]) };
        match error.help() {
            Some(help) => contradiction.help(help),
            None => contradiction,
        }
    }

    /// A schedule that does not suit its run.
    fn of_schedule(misfit: &Misfit) -> Self {
        let (setting, help) = match misfit {
            Misfit::NothingLeft { .. } => {
                ("warm_up", "take a shorter `warm_up`, more `steps`, or say `over` how many steps")
            }
            Misfit::Rises { .. } => {
                ("schedule_min_lr", "take a lower `min_lr`: a share of the lowest `lr` of the file")
            }
        };
        Self::of_setting(setting, misfit.to_string()).help(help).reads(&[OPTIMIZER, TRAIN])
    }

    /// At the place in the file; nothing where a part of what it comes of was rejected, which may be why.
    pub fn into_problem(self, experiment: &Experiment, choice: &Choice) -> Option<Problem> {
        let root = &experiment.tree.root;
        let place = match &self.place {
            Place::Path(path) => locate(root, choice, path),
            Place::Setting(name) => locate_setting(root, choice, name, &mut Vec::new()),
        };
        let read = self.reads.iter().filter_map(|path| locate(root, choice, path));
        if place.iter().cloned().chain(read).any(|(_, node)| experiment.lacks(node)) {
            return None;
        }
        let mut problem = Problem::new(self.message);
        problem.origin = place.map(|(origin, _)| origin);
        problem.help.extend(self.help);
        Some(problem)
    }
}

const DATA: &[&str] = &["data"];
const NETWORK: &[&str] = &["network"];
const OPTIMIZER: &[&str] = &["optimizer"];
const TRAIN: &[&str] = &["train"];
const PRECISION: &[&str] = &["train", "precision"];
const BATCH_SIZE: &[&str] = &["train", "batch_size"];

/// More recorded rows than this in one run are refused: they would take gigabytes of memory.
const MOST_ROWS: u64 = 50_000_000;
/// A run that needs more memory than this is refused.
const MOST_BYTES: f64 = 16.0 * (1u64 << 30) as f64;

/// What a file comes to.
#[derive(Debug)]
pub struct Lowered {
    /// Nothing where a section that is needed was rejected, is missing or cannot be had.
    pub spec: Option<RunSpec>,
    /// With any of these the specification is none that could be run.
    pub contradictions: Vec<Contradiction>,
}

/// As [`lower`], on the data that the file asks for, which is looked at where it is not in `known` yet.
pub fn with_data(file: File, known: &mut Known) -> Lowered {
    let Some(data) = file.data.clone().filter(|_| file.function.is_none()) else { return lower(file, None) };
    match known.entry(data) {
        Entry::Occupied(entry) => with_known_data(file, entry.get()),
        Entry::Vacant(entry) => {
            let info = entry.key().info();
            with_known_data(file, entry.insert(info))
        }
    }
}

/// As [`lower`], on data that was looked at.
pub fn with_known_data(file: File, info: &Result<Info, data::Error>) -> Lowered {
    match info {
        Ok(info) => lower(file, Some(info)),
        Err(error) => without_data(file, error),
    }
}

/// The specification of `file`'s runs with the first seed, on data of which `info` is known, and every contradiction in it. A
/// file without data has no `info`.
fn lower(file: File, info: Option<&Info>) -> Lowered {
    let mut contradictions = Vec::new();
    contradictions.extend(beside_a_function(&file));
    let has_no_steps = file.train.steps.is_some() == file.train.epochs.is_some();
    let spec = match file {
        File { function: Some(function), .. } => {
            let steps = steps(&file.train, 1, &mut contradictions);
            RunSpec::Function(Box::new(FunctionRun {
                seed: Seed::default(),
                function,
                optimizer: fitted(file.optimizer, steps, &mut contradictions),
                steps,
                precision: file.train.precision,
            }))
        }
        File { data: Some(data), network: Some(network), .. } => {
            let info = info.expect("what is known of the data is asked for before its runs are lowered");
            let steps = steps(&file.train, info.train_rows, &mut contradictions);
            // Data that could not be read asks for nothing.
            let outputs = (!info.fingerprint.is_empty()).then(|| info.task.outputs());
            let model = network.model(outputs).unwrap_or_else(|mistakes| {
                contradictions.extend(mistakes.into_iter().map(|mistake| {
                    let path: Vec<_> = std::iter::once("network").chain(mistake.key).collect();
                    Contradiction::new(path, mistake.message).help(mistake.help)
                }));
                Model::linear()
            });
            let spec = NetworkRun {
                seed: Seed::default(),
                script: None,
                data,
                info: info.clone(),
                model,
                init: file.init.unwrap_or_default(),
                regularization: file.regularization.unwrap_or_default(),
                optimizer: fitted(file.optimizer, steps, &mut contradictions),
                batch_size: file.train.batch_size(),
                steps,
                sampling: file.train.sampling.unwrap_or_default(),
                objective: file.train.objective.unwrap_or_default(),
                precision: file.train.precision,
                record: file.record.unwrap_or_default(),
            };
            contradictions.extend(within_a_network(&spec));
            RunSpec::Network(Box::new(spec))
        }
        // A section that is needed was rejected or is missing, which has been reported.
        _ => return Lowered { spec: None, contradictions: Vec::new() },
    };
    if spec.precision() == Precision::F32 {
        contradictions.extend(beyond_single_precision(&spec));
    }
    if has_no_steps {
        // What comes of their number comes of one that the file does not say.
        contradictions.retain(|contradiction| !contradiction.reads.contains(&TRAIN));
    }
    Lowered { spec: Some(spec), contradictions }
}

fn steps(train: &train::Section, rows: u64, contradictions: &mut Vec<Contradiction>) -> u64 {
    train.steps(rows).unwrap_or_else(|error| {
        contradictions.push(match error {
            StepsError::Neither => Contradiction::new(TRAIN, error.to_string()),
            StepsError::Both => Contradiction::new(["train", "epochs"], error.to_string()),
            StepsError::TooMany(..) => Contradiction::new(["train", "epochs"], error.to_string()).reads(&[DATA]),
        });
        1
    })
}

/// The optimizer, whose schedule lasts as long as the run of `steps` where it does not say how long.
fn fitted(mut optimizer: Optimizer, steps: u64, contradictions: &mut Vec<Contradiction>) -> Optimizer {
    contradictions.extend(optimizer.fit(steps).err().as_ref().map(Contradiction::of_schedule));
    optimizer
}

/// What a file says that means nothing where a function is descended.
fn beside_a_function(file: &File) -> Vec<Contradiction> {
    if file.function.is_none() {
        return Vec::new();
    }
    let sections = [
        ("data", file.data.is_some()),
        ("network", file.network.is_some()),
        ("init", file.init.is_some()),
        ("regularization", file.regularization.is_some()),
        ("record", file.record.is_some()),
    ];
    let keys = [
        ("batch_size", file.train.batch_size.is_some()),
        ("epochs", file.train.epochs.is_some()),
        ("sampling", file.train.sampling.is_some()),
        ("objective", file.train.objective.is_some()),
    ];
    let given = |names: &[(&'static str, bool)]| -> Vec<&'static str> {
        names.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect()
    };
    let mut contradictions: Vec<Contradiction> = given(&sections)
        .into_iter()
        .map(|section| {
            let message = format!("[{section}] belongs to a network, and this file descends a function");
            Contradiction::new([section], message).help(match section {
                "record" => {
                    "leave [record] out: the path over a function is always recorded, every step of it".to_owned()
                }
                _ => format!("leave out [{section}], or [function]"),
            })
        })
        .collect();
    contradictions.extend(given(&keys).into_iter().map(|key| {
        let message = format!("`{key}` belongs to a network, and this file descends a function");
        Contradiction::new(["train", key], message).help("a function needs `steps` alone, and perhaps `precision`")
    }));
    let rows = file.train.steps.map_or(0, Whole::get) + 1;
    if rows > MOST_ROWS {
        let message = format!("a run would record {rows} points, more than {MOST_ROWS}");
        contradictions.push(Contradiction::new(["train", "steps"], message).help("take fewer `steps`"));
    }
    contradictions
}

/// Settings of a network's run that are not accepted together.
fn within_a_network(spec: &NetworkRun) -> Vec<Contradiction> {
    let mut contradictions = Vec::new();
    let (batch_size, info) = (spec.batch_size.get(), &spec.info);
    let whole = spec.data.rows_in_order(info);
    let set_aside = whole.saturating_sub(info.train_rows);
    // Drawn with replacement, few rows can make a large batch; that most of the data is set aside for it cannot be meant.
    let is_too_little = info.train_rows < set_aside && info.train_rows < batch_size && batch_size <= whole;
    let is_drawn = spec.steps > 0 && spec.sampling == Sampling::WithReplacement;
    let key = spec.data.1.split.key(info.validation_rows, set_aside - info.validation_rows.min(set_aside));
    if let Some(key) = key.filter(|_| is_too_little && is_drawn) {
        let message = format!("`{key}` leaves {} of {whole} rows to train on, not even a batch", info.train_rows);
        contradictions.push(
            Contradiction::new(["data", key], message)
                .help(format!("set fewer rows aside, or take a `batch_size` of {} at most", info.train_rows))
                .reads(&[DATA, BATCH_SIZE]),
        );
    }
    if spec.sampling == Sampling::Shuffle && batch_size > info.train_rows {
        contradictions.push(
            Contradiction::new(
                ["train", "batch_size"],
                format!("a batch of {batch_size} rows cannot be shuffled out of {} training rows", info.train_rows),
            )
            .help("take a smaller `batch_size`, more `train_rows`, or `sampling = \"with-replacement\"`")
            .reads(&[DATA]),
        );
    }
    let beyond = |layer: &LayerSpec| match layer {
        LayerSpec::Activation(activation) => {
            activation.number().filter(|(_, number)| is_beyond_single_precision(*number))
        }
        _ => None,
    };
    // Those of a stack are settings of their own.
    if let (Precision::F32, Model::List(_)) = (spec.precision, &spec.model) {
        contradictions.extend(spec.layers().iter().filter_map(beyond).map(|(name, number)| {
            let message = format!("`{name}`: `{}` is beyond the range of f32", shortest(number));
            Contradiction::new(["network", "layers"], message).help(IN_SINGLE_PRECISION).reads(&[PRECISION])
        }));
    }
    if batch_size == 1 && spec.model.normalizes_batches() {
        contradictions.push(
            Contradiction::new(["train", "batch_size"], "batch normalization needs batches of two rows at least")
                .help("a single row is its own mean, and nothing of it would be left: take a larger `batch_size`")
                .reads(&[NETWORK]),
        );
    }
    let checked = spec.record.gradient_checks.as_ref().map(|checks| checks.rows(info.train_rows));
    if checked == Some(1) && spec.model.normalizes_batches() {
        contradictions.push(
            Contradiction::new(
                ["record", "gradient_checks", "rows"],
                "batch normalization is checked on two rows at least",
            )
            .help("a single row is its own mean, and nothing of it would be left: take more `rows`")
            .reads(&[NETWORK, DATA]),
        );
    }
    if let (Objective::CrossEntropy, Task::Regression { .. }) = (spec.objective, info.task) {
        contradictions.push(
            Contradiction::new(["train", "objective"], "cross-entropy is of classes, and the data is a regression")
                .help("take `objective = \"mse\"` in [train], or `task = \"classification\"` in [data] where the target names classes")
                .reads(&[DATA]),
        );
    }
    if info.test_rows == 0 && spec.record.evaluates(Part::Test) {
        contradictions.push(
            Contradiction::new(["record", "evaluate"], "there is no test data to evaluate on")
                .help(match spec.data.2 {
                    Source::Idx(_) => {
                        "name `test_images` and `test_labels` in [data], or evaluate on = [\"train\"] alone"
                    }
                    _ => "set rows aside with `test_share` in [data], or evaluate on = [\"train\"] alone",
                })
                .reads(&[DATA]),
        );
    }
    if info.validation_rows == 0 && spec.record.evaluates(Part::Validation) {
        contradictions.push(
            Contradiction::new(["record", "evaluate"], "there is no validation data to evaluate on")
                .help("set rows aside with `validation_rows` or `validation_share` in [data]")
                .reads(&[DATA]),
        );
    }
    let rows = spec.record.rows(spec.steps);
    if rows > MOST_ROWS {
        contradictions.push(
            Contradiction::new(["record"], format!("a run would record {rows} losses, more than {MOST_ROWS}"))
                .help("write `loss = { at = \"before-update\", every = 100 }` in [record]")
                .reads(&[DATA, TRAIN]),
        );
    }
    let recorded = recorded_apart(spec);
    let too_many = rows > MOST_ROWS || !recorded.is_empty();
    contradictions.extend(recorded);
    if !too_many && Cost::of_network(spec).bytes > MOST_BYTES {
        let message = format!(
            "a run of {} parameters and {} rows at once needs more than 16 GiB of memory",
            spec.parameters(),
            spec.rows_at_once()
        );
        contradictions.push(
            Contradiction::new(["network"], message)
                .help("take smaller `hidden` layers, a smaller `batch_size`, or fewer `rows` in `gradient_checks`")
                .reads(&[BATCH_SIZE, DATA]),
        );
    }
    contradictions
}

/// What is recorded beside losses and evaluations, and cannot be.
fn recorded_apart(spec: &NetworkRun) -> Vec<Contradiction> {
    let NetworkRun { record, steps, info, .. } = spec;
    let (steps, layers) = (*steps, spec.layer_counts());
    let mut contradictions = Vec::new();
    let mut too_many = |key, rows: u64, what: &str, help: &str| {
        if rows > MOST_ROWS {
            let message = format!("a run would record {rows} {what}, more than {MOST_ROWS}");
            contradictions.push(Contradiction::new(["record", key], message).help(help).reads(&[DATA, NETWORK, TRAIN]));
        }
    };
    let rows = record.layer_rows(steps, spec.pace(), layers.affine, layers.relu);
    too_many("layers", rows, "numbers about layers", "write `every = 100` in `layers`");
    if let Some(histograms) = &record.histograms {
        let rows = histograms.count(steps, layers.activation, layers.affine);
        too_many("histograms", rows, "bins", "take fewer `bins`, or fewer moments in `at`");
    }
    let mut apart = |key: &'static str, at: &Moments, rows: Option<Count>| {
        if let Some(step) = at.beyond(steps) {
            let message = format!("there is no step {step}: {steps} steps are made, the first one is step 0");
            let help = "take a smaller number, more `steps`, or \"end\", the last step";
            contradictions.push(Contradiction::new(["record", key, "at"], message).help(help).reads(&[DATA, TRAIN]));
        }
        if let Some(rows) = rows.filter(|rows| rows.get() > info.train_rows) {
            let message = format!("there are {} training rows, and {} are asked for", info.train_rows, rows.get());
            let contradiction = Contradiction::new(["record", key, "rows"], message).help("take fewer `rows`");
            contradictions.push(contradiction.reads(&[DATA]));
        }
    };
    if let Some(checks) = &record.gradient_checks {
        apart("gradient_checks", &checks.at, checks.rows);
    }
    let Some(histograms) = &record.histograms else { return contradictions };
    apart("histograms", &histograms.at, histograms.rows);
    if histograms.of.get() == [Subject::Gradients] && histograms.at.are_before_training(steps) {
        contradictions.push(
            Contradiction::new(["record", "histograms", "at"], "before training no batch has given any gradients")
                .help("step 0 has those of the initial weights: write `at = [0]`")
                .reads(&[TRAIN]),
        );
    }
    if !histograms.has_room() {
        let message = format!("the range is too narrow for {} bins", histograms.bins.get());
        contradictions.push(
            Contradiction::new(["record", "histograms", "bins"], message)
                .help("take fewer `bins` or a wider `range`")
                .reads(&[&["record", "histograms"]]),
        );
    }
    contradictions
}

/// What is wrong where the data cannot be had: that, and every contradiction that does not depend on it.
fn without_data(file: File, error: &data::Error) -> Lowered {
    let task = Task::Classification { classes: 1 };
    // What comes of the number of rows comes of rows that are not there.
    let plenty = Info { validation_rows: 1 << 40, ..Info::unsplit(1 << 40, 1 << 40, 1, task, "") };
    let mut contradictions = vec![Contradiction::of_data(error)];
    let says_steps = file.train.steps.is_some();
    let found = lower(file, Some(&plenty)).contradictions;
    let is_apart = |found: &Contradiction| !found.reads.contains(&DATA) || says_steps && found.reads.contains(&TRAIN);
    contradictions.extend(found.into_iter().filter(is_apart));
    Lowered { spec: None, contradictions }
}

/// Numbers that are in range as written and turn into 0, infinity or a few bits when the run computes with them.
fn beyond_single_precision(spec: &RunSpec) -> Vec<Contradiction> {
    let settings = spec.settings();
    let floats = settings.iter().filter_map(|(name, value)| match value {
        Scalar::Float(value) => Some((name, *value)),
        _ => None,
    });
    let in_pairs = match spec {
        RunSpec::Function(run) => run.function.pairs(),
        RunSpec::Network(_) => Vec::new(),
    };
    floats
        .chain(in_pairs.into_iter().flat_map(|(name, pair)| pair.get().map(|number| (name, number))))
        .filter(|(_, value)| is_beyond_single_precision(*value))
        .map(|(name, value)| {
            let message = format!("`{name}`: `{}` is beyond the range of f32", shortest(value));
            Contradiction::of_setting(name, message).help(IN_SINGLE_PRECISION).reads(&[PRECISION])
        })
        .collect()
}

fn is_beyond_single_precision(value: f64) -> bool {
    let rounded = value as f32;
    rounded.is_infinite() || (rounded.abs() < f32::MIN_POSITIVE && value != 0.0)
}

const IN_SINGLE_PRECISION: &str = "take a number from about 1e-38 to 1e38, or `precision = \"f64\"` in [train]";

/// Where `path` stands under `choice`; the closest table above it where the file does not write it.
fn locate<'t>(root: &'t Node, choice: &Choice, path: &[&str]) -> Option<(Origin, &'t Node)> {
    let mut node = root;
    let mut place = None;
    for key in path {
        let Some(entry) = node.chosen(choice).entry_under(key, choice) else { break };
        node = entry.value.chosen(choice);
        let origin = if node.entries().is_some() { entry.key_origin_under(choice) } else { &node.origin };
        place = Some((origin.clone(), node));
    }
    place
}

/// Where the setting of this short name is written under `choice`, below `node` at `path`.
fn locate_setting<'t>(
    node: &'t Node,
    choice: &Choice,
    name: &str,
    path: &mut Vec<&'t str>,
) -> Option<(Origin, &'t Node)> {
    let node = node.chosen(choice);
    if node.is_absent() {
        return None;
    }
    let Some(entries) = node.entries() else { return (short_name(path) == name).then(|| (node.origin.clone(), node)) };
    entries.iter().find_map(|entry| {
        path.push(&entry.key);
        let found = locate_setting(&entry.value, choice, name, path);
        path.pop();
        found
    })
}
