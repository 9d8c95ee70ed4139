//! Lowers the sections of a file to the specification of a run: epochs to steps, limits to counts. When some sections
//! change, only the parts that depend on them are lowered again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::contradiction::{Contradiction, DATA, TRAIN};
use super::rules;
use super::shapes::rate;
use crate::file::{Section, SectionSet, Sections};
use engine::batches::Sampling;
use engine::data::{self, Data, Info, Source, Task};
use engine::kernel::Precision;
use engine::nn::loss::Objective;
use engine::nn::{self, Init, Model, Regularization};
use engine::optim::Optimizer;
use engine::record::Record;
use engine::seed::Seed;
use engine::settings::{RunId, Scalar, Settings, run_id};
use engine::spec::{FunctionRun, NetworkRun, RunSpec, SettingsPart};
use engine::train::{self, StepsError};

/// What is known about all rows of each source, before limits and splits; looked up once.
#[derive(Debug, Default)]
pub struct Known(Mutex<HashMap<Source, Arc<Result<Info, data::Error>>>>);

impl Known {
    /// What is known about `data`. The source is looked up on the first call.
    pub fn of(&self, data: &Data) -> Arc<Result<Info, data::Error>> {
        let whole = self.source(&data.source);
        match &*whole {
            Ok(whole) => Arc::new(data.info_within(whole)),
            Err(_) => whole,
        }
    }

    fn source(&self, source: &Source) -> Arc<Result<Info, data::Error>> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(info) = known().get(source) {
            return Arc::clone(info);
        }
        // Read without the lock: reading may wait for other threads, and those may wait for the lock.
        let info = Arc::new(source.info());
        Arc::clone(known().entry(source.clone()).or_insert(info))
    }
}

/// The sections of a file, lowered.
#[derive(Debug, Default)]
pub struct Lowered {
    /// The run with the first seed. `None` if a required section is rejected or missing, or its data unavailable.
    spec: Option<RunSpec>,
    info: Option<Arc<Result<Info, data::Error>>>,
    /// The settings of each part of a network's run. All settings of a function's run are in the first part. The seed
    /// is in none.
    settings: [Settings; SettingsPart::ALL.len()],
    /// What the time of an operation depends on.
    rate: u64,
    /// Contradictions found while parts were lowered.
    of_steps: Vec<Contradiction>,
    of_model: Vec<Contradiction>,
    of_optimizer: Vec<Contradiction>,
    of_data: Vec<Contradiction>,
}

impl Lowered {
    /// Lowers again everything that depends on a section in `changed`.
    pub fn update(&mut self, sections: &Sections, changed: SectionSet, known: &Known) {
        self.of_data.clear();
        let (Some(optimizer), Some(train)) = (&sections.optimizer, &sections.train) else { return self.clear() };
        if let Some(function) = &sections.function {
            self.clear();
            let steps = steps(train, 1, &mut self.of_steps);
            let run = FunctionRun {
                seed: Seed::default(),
                function: function.clone(),
                optimizer: fitted(optimizer, steps, &mut self.of_optimizer),
                steps,
                precision: train.precision,
            };
            self.settings[0] = run.settings();
            self.settings[0].remove_seed();
            let spec = RunSpec::Function(Box::new(run));
            self.rate = rate(&spec);
            self.spec = Some(spec);
            return;
        }
        let (Some(data), Some(network)) = (&sections.data, &sections.network) else { return self.clear() };
        if changed.has(Section::Data) || self.info.is_none() {
            self.info = Some(known.of(data));
        }
        let Some(info) = self.info.clone() else { return };
        match &*info {
            Ok(info) => self.network(sections, Needed { data, network, optimizer, train, info }, changed),
            Err(error) => {
                self.clear();
                self.info = Some(Arc::clone(&info));
                self.of_data =
                    without_data(sections, Needed { data, network, optimizer, train, info: &plenty() }, error);
            }
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    /// Lowers the training of a network.
    fn network(&mut self, sections: &Sections, needed: Needed, changed: SectionSet) {
        const DATA: SectionSet = SectionSet::of(&[Section::Data]);
        const MODEL: SectionSet = SectionSet::of(&[Section::Data, Section::Network]);
        const TRAINING: SectionSet = SectionSet::of(&[Section::Data, Section::Train]);
        const OPTIMIZER: SectionSet = SectionSet::of(&[Section::Data, Section::Train, Section::Optimizer]);
        const RATE: SectionSet = SectionSet::of(&[Section::Data, Section::Network, Section::Train, Section::Record]);
        let Needed { data, network, optimizer, train, info } = needed;
        let (mut run, changed) = match self.spec.take() {
            Some(RunSpec::Network(run)) => (run, changed),
            _ => (Box::new(blank(needed)), SectionSet::ALL),
        };
        let mut relowered = |part: SettingsPart, run: &NetworkRun| {
            self.settings[part as usize] = Settings::default();
            run.settings_of(part, &mut self.settings[part as usize]);
        };
        if changed.meets(DATA) {
            (run.data, run.info) = (data.clone(), info.clone());
            relowered(SettingsPart::Data, &run);
        }
        if changed.meets(MODEL) {
            self.of_model.clear();
            run.model = model(network, info, &mut self.of_model);
            relowered(SettingsPart::Model, &run);
        }
        if changed.meets(TRAINING) {
            self.of_steps.clear();
            run.steps = steps(train, info.train_rows, &mut self.of_steps);
            run.batch_size = train.batch_size();
            run.sampling = train.sampling.unwrap_or_default();
            run.objective = train.objective.unwrap_or_default();
            run.precision = train.precision;
            relowered(SettingsPart::Training, &run);
        }
        if changed.meets(OPTIMIZER) {
            self.of_optimizer.clear();
            run.optimizer = fitted(optimizer, run.steps, &mut self.of_optimizer);
            relowered(SettingsPart::Optimizer, &run);
        }
        if changed.has(Section::Init) {
            run.init = sections.init.unwrap_or_default();
            relowered(SettingsPart::Init, &run);
        }
        if changed.has(Section::Regularization) {
            run.regularization = sections.regularization.unwrap_or_default();
            relowered(SettingsPart::Regularization, &run);
        }
        if changed.has(Section::Record) {
            run.record = sections.record.clone().unwrap_or_default();
            relowered(SettingsPart::Record, &run);
        }
        let spec = RunSpec::Network(run);
        if changed.meets(RATE) {
            self.rate = rate(&spec);
        }
        self.spec = Some(spec);
    }

    /// The run with the first seed. `None` if a required section is rejected or missing, or its data unavailable.
    pub fn spec(&self) -> Option<&RunSpec> {
        self.spec.as_ref()
    }

    /// As [`spec`](Self::spec), by value.
    pub fn into_spec(self) -> Option<RunSpec> {
        self.spec
    }

    /// What the time of an operation depends on.
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// The run's settings except the seed, in no particular order.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, &Scalar)> {
        self.settings.iter().flat_map(Settings::iter)
    }

    /// The ids of the runs with these seeds.
    pub fn run_ids(&self, seeds: &[Seed]) -> Vec<RunId> {
        let none = Scalar::Bool(false);
        let mut all: Vec<(&'static str, &Scalar)> = Vec::with_capacity(64);
        all.push((Settings::SEED, &none));
        all.extend(self.settings());
        all.sort_unstable_by_key(|(name, _)| *name);
        debug_assert!(all.windows(2).all(|pair| pair[0].0 != pair[1].0), "a setting is written twice");
        let fingerprint = self.spec.as_ref().map_or("", RunSpec::fingerprint);
        let id = |seed: &Seed| {
            let seed = Scalar::from(seed.get());
            let with_seed = |&(name, value)| (name, if name == Settings::SEED { &seed } else { value });
            run_id(all.iter().map(with_seed), fingerprint)
        };
        match seeds {
            [only] => vec![id(only)],
            _ => seeds.par_iter().with_min_len(64).map(id).collect(),
        }
    }

    /// Every contradiction between the sections. If there are any, the specification cannot be run.
    pub fn contradictions(&self, sections: &Sections) -> Vec<Contradiction> {
        let mut contradictions = Vec::new();
        if sections.function.is_some() {
            contradictions.extend(rules::beside_a_function(sections));
        }
        let of_parts = self.of_steps.iter().chain(&self.of_model).chain(&self.of_optimizer).chain(&self.of_data);
        contradictions.extend(of_parts.cloned());
        match &self.spec {
            Some(RunSpec::Network(run)) => contradictions.extend(rules::within_a_network(run)),
            Some(RunSpec::Function(_)) => {}
            None => return contradictions,
        }
        if self.spec.as_ref().is_some_and(|spec| spec.precision() == Precision::F32) {
            let floats = self.settings().filter_map(|(name, value)| match value {
                Scalar::Float(value) => Some((name, *value)),
                _ => None,
            });
            let in_pairs = sections.function.iter().flat_map(|function| function.pairs());
            let in_pairs = in_pairs.flat_map(|(name, pair)| pair.get().map(|number| (name, number)));
            contradictions.extend(rules::beyond_single_precision(floats.chain(in_pairs)));
        }
        let has_no_steps = sections.train.as_ref().is_some_and(|train| train.steps.is_some() == train.epochs.is_some());
        if has_no_steps {
            // A contradiction with the number of steps is spurious: the file does not give this number.
            contradictions.retain(|contradiction| !contradiction.reads_any(TRAIN));
        }
        contradictions
    }
}

/// What the training of a network requires.
#[derive(Clone, Copy)]
struct Needed<'s> {
    data: &'s Data,
    network: &'s nn::NetworkSection,
    optimizer: &'s Optimizer,
    train: &'s train::TrainSection,
    info: &'s Info,
}

/// A run, before anything is lowered.
fn blank(needed: Needed) -> NetworkRun {
    let Needed { data, optimizer, train, info, .. } = needed;
    NetworkRun {
        seed: Seed::default(),
        script: None,
        data: data.clone(),
        info: info.clone(),
        model: Model::linear(),
        init: Init::default(),
        regularization: Regularization::default(),
        optimizer: optimizer.clone(),
        batch_size: train.batch_size(),
        steps: 0,
        sampling: Sampling::default(),
        objective: Objective::default(),
        precision: Precision::default(),
        record: Record::default(),
    }
}

fn model(network: &nn::NetworkSection, info: &Info, contradictions: &mut Vec<Contradiction>) -> Model {
    // Data that could not be read requires no number of outputs.
    let outputs = (!info.fingerprint.is_empty()).then(|| info.task.outputs());
    network.model(outputs).unwrap_or_else(|mistakes| {
        contradictions.extend(mistakes.into_iter().map(|mistake| {
            let path: Vec<_> = std::iter::once("network").chain(mistake.key).collect();
            Contradiction::new(path, mistake.message).help(mistake.help).same_as(mistake.same_as)
        }));
        Model::linear()
    })
}

fn steps(train: &train::TrainSection, rows: u64, contradictions: &mut Vec<Contradiction>) -> u64 {
    train.steps(rows).unwrap_or_else(|error| {
        contradictions.push(match error {
            StepsError::Neither => Contradiction::new(TRAIN, error.to_string()),
            StepsError::Both => Contradiction::new(["train", "epochs"], error.to_string()).same_as(Some("steps")),
            StepsError::TooMany(..) => Contradiction::new(["train", "epochs"], error.to_string()).reads(&[DATA]),
        });
        1
    })
}

/// The optimizer for a run of `steps`: a schedule without a length gets the run's.
fn fitted(optimizer: &Optimizer, steps: u64, contradictions: &mut Vec<Contradiction>) -> Optimizer {
    let mut optimizer = optimizer.clone();
    contradictions.extend(optimizer.fit(steps).err().as_ref().map(Contradiction::of_schedule));
    optimizer
}

/// More rows than any setting requires.
fn plenty() -> Info {
    let task = Task::Classification { classes: 1 };
    Info { validation_rows: 1 << 40, ..Info::unsplit(1 << 40, 1 << 40, 1, task, "") }
}

/// The contradictions if the data is unavailable: the data itself, and everything that does not depend on it.
fn without_data(sections: &Sections, needed: Needed, error: &data::Error) -> Vec<Contradiction> {
    let mut lowered = Lowered::default();
    // Contradictions that depend on the number of rows are spurious: there are no rows.
    lowered.network(sections, needed, SectionSet::ALL);
    let says_steps = needed.train.steps.is_some();
    let is_apart = |found: &Contradiction| !found.reads_any(DATA) || says_steps && found.reads_any(TRAIN);
    let mut contradictions = vec![Contradiction::of_data(error)];
    contradictions.extend(lowered.contradictions(sections).into_iter().filter(is_apart));
    contradictions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_once_whatever_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, "x,y\n1,2\n3,4\n5,6\n7,8\n").unwrap();
        let csv = format!("path = '{}'\ntarget = 'y'", path.display());
        let source = Source::Csv(toml::from_str(&csv).unwrap());
        let known = Known::default();
        let rows = |limits: &str, preparation: &str| {
            let (limits, preparation) = (toml::from_str(limits).unwrap(), toml::from_str(preparation).unwrap());
            let info = known.of(&Data { limits, preparation, source: source.clone() });
            info.as_ref().as_ref().map(|info| [info.train_rows, info.validation_rows, info.test_rows]).ok()
        };
        assert_eq!(rows("", ""), Some([4, 0, 0]));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(rows("", "validation_rows = 1"), Some([3, 1, 0]));
        assert_eq!(rows("train_rows = 3", "test_share = 0.3"), Some([2, 0, 1]));
        assert_eq!(rows("train_rows = 5", ""), None);
    }
}
