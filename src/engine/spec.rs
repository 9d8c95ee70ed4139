//! One run, fully typed: the result of lowering a cell of a plan. It knows nothing about files and axes.

use crate::batches::Sampling;
use crate::data::{Data, Info};
use crate::function::Function;
use crate::kernel::Precision;
use crate::nn::activation::Activation;
use crate::nn::loss::Objective;
use crate::nn::{Init, LayerSpec, Model, Regularization};
use crate::number::Count;
use crate::optim::Optimizer;
use crate::random::Script;
use crate::record::{EpochCounter, Record, Split};
use crate::seed::Seed;
use crate::settings::Settings;

/// Everything that determines what a run records.
#[derive(Debug, Clone, PartialEq)]
pub enum RunSpec {
    Network(Box<NetworkRun>),
    Function(Box<FunctionRun>),
}

/// The training of a network on data.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkRun {
    pub seed: Seed,
    /// The NumPy script that the run belongs to; `None` if it draws from its own streams.
    pub script: Option<Script>,
    pub data: Data,
    /// What is known about the run's data.
    pub info: Info,
    pub model: Model,
    pub init: Init,
    pub regularization: Regularization,
    pub optimizer: Optimizer,
    pub batch_size: Count,
    /// 0 if the network is only inspected.
    pub steps: u64,
    pub sampling: Sampling,
    pub objective: Objective,
    pub precision: Precision,
    pub record: Record,
}

/// The number of layers of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerCounts {
    pub affine: u64,
    /// Of any kind.
    pub activation: u64,
    pub relu: u64,
}

/// The descent of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionRun {
    pub seed: Seed,
    pub function: Function,
    pub optimizer: Optimizer,
    pub steps: u64,
    pub precision: Precision,
}

impl RunSpec {
    /// The seed of everything random in the run.
    pub fn seed(&self) -> Seed {
        match self {
            Self::Network(run) => run.seed,
            Self::Function(run) => run.seed,
        }
    }

    /// The same run with another seed.
    pub fn with_seed(&self, seed: Seed) -> Self {
        let mut run = self.clone();
        match &mut run {
            Self::Network(run) => {
                run.seed = seed;
                if run.script.is_some() {
                    run.data.draw_in_script(seed);
                }
            }
            Self::Function(run) => run.seed = seed,
        }
        run
    }

    /// Like [`settings`](Self::settings), with another seed.
    pub fn settings_with(&self, seed: Seed) -> Settings {
        let mut settings = self.settings();
        settings.set_seed(seed);
        settings
    }

    /// The number of updates.
    pub fn steps(&self) -> u64 {
        match self {
            Self::Network(run) => run.steps,
            Self::Function(run) => run.steps,
        }
    }

    /// The floating-point type of the computation.
    pub fn precision(&self) -> Precision {
        match self {
            Self::Network(run) => run.precision,
            Self::Function(run) => run.precision,
        }
    }

    /// The optimizer that updates the parameters.
    pub fn optimizer(&self) -> &Optimizer {
        match self {
            Self::Network(run) => &run.optimizer,
            Self::Function(run) => &run.optimizer,
        }
    }

    /// The data that the run needs, and what is known about it.
    pub fn data(&self) -> Option<(&Data, &Info)> {
        match self {
            Self::Network(run) => Some((&run.data, &run.info)),
            Self::Function(_) => None,
        }
    }

    /// The fingerprint of the data; empty if there is none.
    pub fn fingerprint(&self) -> &str {
        self.data().map_or("", |(_, info)| &info.fingerprint)
    }

    /// The number of trained parameters, or `u64::MAX` if there are more.
    pub fn parameters(&self) -> u64 {
        match self {
            Self::Network(run) => run.parameters(),
            Self::Function(_) => 2,
        }
    }

    /// The run as a map of names to scalars: its identity.
    pub fn settings(&self) -> Settings {
        match self {
            Self::Network(run) => run.settings(),
            Self::Function(run) => run.settings(),
        }
    }
}

/// A group of settings that depends on a single part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsPart {
    Data,
    Model,
    Init,
    Regularization,
    Optimizer,
    Training,
    Record,
    Script,
}

impl SettingsPart {
    pub const ALL: [Self; 8] = [
        Self::Data,
        Self::Model,
        Self::Init,
        Self::Regularization,
        Self::Optimizer,
        Self::Training,
        Self::Record,
        Self::Script,
    ];
}

impl NetworkRun {
    /// As [`RunSpec::settings`].
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.set("seed", self.seed.get());
        SettingsPart::ALL.into_iter().for_each(|part| self.settings_of(part, &mut settings));
        settings
    }

    /// Writes the settings of a part. No part contains the seed.
    pub fn settings_of(&self, part: SettingsPart, settings: &mut Settings) {
        match part {
            SettingsPart::Data => self.data.settings(&self.info, settings),
            SettingsPart::Model => self.model.settings(settings),
            SettingsPart::Init => self.init.settings(settings),
            SettingsPart::Regularization => self.regularization.settings(settings),
            SettingsPart::Optimizer => self.optimizer.settings(settings),
            SettingsPart::Training => {
                settings.set("batch_size", self.batch_size.get());
                settings.set("steps", self.steps);
                settings.set_written("sampling", &self.sampling, |word| word);
                settings.set("objective", self.objective.name());
                settings.set("precision", self.precision.name());
            }
            SettingsPart::Record => self.record.settings(settings),
            SettingsPart::Script => {
                if let Some(script) = &self.script {
                    script.settings(settings);
                }
            }
        }
    }

    /// As [`RunSpec::parameters`].
    pub fn parameters(&self) -> u64 {
        let mut width = self.info.features;
        let mut parameters = 0_u64;
        for layer in self.layers() {
            parameters = parameters.saturating_add(layer.parameters(width));
            width = layer.width(width);
        }
        parameters
    }

    /// The network's layers, in forward order.
    pub fn layers(&self) -> Vec<LayerSpec> {
        self.model.layers(self.info.task.outputs())
    }

    /// The most rows that go through the network together: a batch, rows that are evaluated, or rows of a gradient
    /// check.
    pub fn rows_at_once(&self) -> u64 {
        /// The number of rows for evaluations and histograms. More would not be faster.
        const EVALUATED: u64 = 256;
        let is_looked_at = self.evaluations() > 0 || self.record.histograms.is_some();
        let checked = self.record.gradient_checks.as_ref().map_or(0, |checks| checks.rows(self.info.train_rows));
        self.batch_size.get().max(if is_looked_at { EVALUATED } else { 0 }).max(checked)
    }

    /// How many epochs of its training rows the run has completed after each step.
    pub fn epoch_counter(&self) -> EpochCounter {
        EpochCounter { batch_size: self.batch_size.get(), rows: self.info.train_rows.max(1) }
    }

    /// How many layers of each kind the network has.
    pub fn layer_counts(&self) -> LayerCounts {
        let layers = self.layers();
        let count = |is_counted: fn(&LayerSpec) -> bool| layers.iter().filter(|layer| is_counted(layer)).count() as u64;
        LayerCounts {
            affine: count(|layer| matches!(layer, LayerSpec::Affine { .. })),
            activation: count(|layer| matches!(layer, LayerSpec::Activation(_))),
            relu: count(|layer| matches!(layer, LayerSpec::Activation(Activation::Relu))),
        }
    }

    /// The number of times that the network is evaluated on each split.
    pub fn evaluations(&self) -> u64 {
        self.record.evaluations(self.steps, self.epoch_counter())
    }

    /// The rows of the splits that it is evaluated on, together.
    pub fn evaluated_rows(&self) -> u64 {
        let rows = |split: &Split| match split {
            Split::Train => self.info.train_rows,
            Split::Validation => self.info.validation_rows,
            Split::Test => self.info.test_rows,
        };
        self.record.splits().iter().map(rows).sum()
    }
}

impl FunctionRun {
    /// As [`RunSpec::settings`].
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.set("seed", self.seed.get());
        self.function.settings(&mut settings);
        self.optimizer.settings(&mut settings);
        settings.set("steps", self.steps);
        settings.set("precision", self.precision.name());
        settings
    }
}
