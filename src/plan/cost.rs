//! What a run costs: the one model behind the order of the runs and the time that is left.

use crate::record::Part;
use crate::spec::{FunctionRun, NetworkRun, RunSpec};

/// An estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Floating-point operations, of dense arithmetic.
    pub operations: f64,
    /// Memory, its data left out.
    pub bytes: f64,
}

impl Cost {
    /// Counts the products of every pass, and the updates, which are bound by memory, at [`UPDATE`] operations a value.
    pub fn of(spec: &RunSpec) -> Self {
        match spec {
            RunSpec::Network(run) => Self::of_network(run),
            RunSpec::Function(run) => Self::of_function(run),
        }
    }

    fn of_function(run: &FunctionRun) -> Self {
        let steps = run.steps as f64;
        Self { operations: steps * 100.0, bytes: steps * 32.0 }
    }

    /// As [`of`](Self::of).
    pub fn of_network(spec: &NetworkRun) -> Self {
        let widths: Vec<f64> = std::iter::once(spec.info.features as f64)
            .chain(spec.model.hidden.iter().map(|width| width.get() as f64))
            .chain([spec.info.task.outputs() as f64])
            .collect();
        let weights: f64 = widths.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let first = widths[0] * widths[1];
        let (batch, steps) = (spec.batch_size.get() as f64, spec.steps as f64);
        let passes = if spec.record.loss_after_update() { 2.0 } else { 1.0 };
        // Forward, both gradients; the data's own gradient is not needed.
        let step = 2.0 * batch * (passes * weights + 2.0 * weights - first);
        let update = UPDATE * weights * (2.0 + spec.optimizer.slots() as f64);
        let rows = |part| match part {
            Part::Train => spec.info.train_rows as f64,
            Part::Test => spec.info.test_rows as f64,
        };
        let evaluated: f64 = spec.record.parts().iter().map(|&part| rows(part)).sum();
        let evaluations = spec.evaluations() as f64;
        let values = weights * (2.0 + spec.optimizer.slots() as f64) + batch * 3.0 * widths.iter().sum::<f64>();
        let recorded = spec.record.rows(spec.steps) as f64 * 32.0;
        Self {
            operations: steps * (step + update) + evaluations * 2.0 * evaluated * weights,
            bytes: values * spec.precision.bytes() as f64 + recorded,
        }
    }
}

/// An update reads and writes each value a few times; in that time a core multiplies and adds about this often.
const UPDATE: f64 = 8.0;
