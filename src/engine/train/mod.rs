//! One run, from specification to outcome. No I/O.

mod function;
mod measure;
mod network;
mod section;

use std::ops::ControlFlow;

pub use self::section::{StepsError, TrainSection};
use crate::data::Dataset;
use crate::kernel::{Instructions, Precision};
use crate::record::{EvaluationRow, GradientCheckRow, HistogramRow, LayerRow, LossRow, TrajectoryRow};
use crate::spec::{FunctionRun, NetworkRun};

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    pub history: Vec<LossRow>,
    pub evaluations: Vec<EvaluationRow>,
    pub layers: Vec<LayerRow>,
    pub histograms: Vec<HistogramRow>,
    pub gradient_checks: Vec<GradientCheckRow>,
    /// The trajectory of a function's run.
    pub trajectory: Vec<TrajectoryRow>,
    pub ending: Ending,
    /// blake3 of the final parameters' bits, 16 hexadecimal digits.
    pub parameters_hash: String,
}

/// How a run ended. Divergence is a result, not an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ending {
    #[default]
    Finished,
    /// A value was not finite at `step`. `layer` is the first layer, in forward order, whose output or updated
    /// parameters were not finite. Otherwise it names the value: `penalty` for the sum of squared weights, `loss` for
    /// the sum of squared errors, `clip_norm` for the norm of the gradients, `lr` for the learning rate, `function` for
    /// a point or a value in the run of a function.
    Diverged { step: u64, layer: String },
    /// The caller asked to stop before the end.
    Interrupted,
}

/// Trains a network as described by `spec`. `watch` is called after every step with the number of steps done, and
/// decides whether to continue.
///
/// The outcome depends only on `spec` and `data`.
///
/// # Panics
/// If `data` has no training rows, or the network's buffers do not fit into memory.
pub fn network(spec: &NetworkRun, data: &Dataset, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Outcome {
    network_on(Instructions::in_use(), spec, data, watch)
}

/// [`network()`] with the given instruction set. It affects the speed, but not a single bit of the outcome.
pub fn network_on(
    instructions: Instructions,
    spec: &NetworkRun,
    data: &Dataset,
    watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Outcome {
    match spec.precision {
        Precision::F32 => network::train::<f32>(instructions, spec, data, watch),
        Precision::F64 => network::train::<f64>(instructions, spec, data, watch),
    }
}

/// Runs an optimizer on a function as described by `spec`. `watch` is as for [`network()`].
pub fn function(spec: &FunctionRun, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Outcome {
    match spec.precision {
        Precision::F32 => function::descend::<f32>(spec, watch),
        Precision::F64 => function::descend::<f64>(spec, watch),
    }
}
