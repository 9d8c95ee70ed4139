//! One run, fully typed: what a cell of a plan comes to. It knows nothing of files and axes.

use crate::batches::Sampling;
use crate::data::{Data, Info};
use crate::kernel::Precision;
use crate::nn::loss::Objective;
use crate::nn::{Init, Model, Regularization};
use crate::number::Count;
use crate::optim::Optimizer;
use crate::record::{Pace, Record};
use crate::seed::Seed;
use crate::settings::Settings;

/// Everything that decides what a run records.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSpec {
    pub seed: Seed,
    pub data: Data,
    /// What is known of the data that the run will be given.
    pub info: Info,
    pub model: Model,
    pub init: Init,
    pub regularization: Regularization,
    pub optimizer: Optimizer,
    pub batch_size: Count,
    /// At least 1.
    pub steps: u64,
    pub sampling: Sampling,
    pub objective: Objective,
    pub precision: Precision,
    pub record: Record,
}

impl RunSpec {
    /// The run as one map of names to scalars: its identity.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.set("seed", self.seed.get());
        self.data.settings(&self.info, &mut settings);
        self.model.settings(&mut settings);
        self.init.settings(&mut settings);
        self.regularization.settings(&mut settings);
        self.optimizer.settings(&mut settings);
        settings.set("batch_size", self.batch_size.get());
        settings.set("steps", self.steps);
        settings.set("sampling", self.sampling.name());
        settings.set("objective", self.objective.name());
        settings.set("precision", self.precision.name());
        self.record.settings(&mut settings);
        settings
    }

    /// How many parameters the network has, or `u64::MAX` where there are more.
    pub fn parameters(&self) -> u64 {
        let mut inputs = self.info.features as u64;
        let mut parameters = 0_u64;
        let widths = self.model.hidden.iter().map(|width| width.get()).chain([self.info.classes as u64]);
        for outputs in widths {
            let rows = inputs + u64::from(self.model.bias);
            parameters = parameters.saturating_add(rows.saturating_mul(outputs));
            inputs = outputs;
        }
        parameters
    }

    /// How fast the run goes through its training rows.
    pub fn pace(&self) -> Pace {
        Pace { batch_size: self.batch_size.get(), rows: self.info.train_rows.max(1) }
    }

    /// How often the network is evaluated on each of its parts.
    pub fn evaluations(&self) -> u64 {
        self.record.evaluations(self.steps, self.pace())
    }
}
