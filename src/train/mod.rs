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

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    pub history: Vec<LossRow>,
    pub evaluations: Vec<EvaluationRow>,
    pub layers: Vec<LayerRow>,
    pub histograms: Vec<HistogramRow>,
    pub gradient_checks: Vec<GradientCheckRow>,
    /// Of a function's run: where it went.
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
    /// A value was not finite at `step`, first (in forward order) in the output of `layer` or in the parameters that
    /// the update gave it; `penalty` where that was the sum of squared weights, `loss` where it was that of squared
    /// errors, `clip_norm` the norm of the gradients, `lr` the learning rate, `function` a point or a value in the run
    /// of a function.
    Diverged { step: u64, layer: String },
    /// The caller asked to stop before the end.
    Interrupted,
}

/// Trains a network as `spec` says. `watch` is told after every step how many are done, and says whether to go on.
///
/// The outcome depends on nothing but `spec` and `data`.
///
/// # Panics
/// Where `data` has no training rows, or what the network needs does not fit into memory.
pub fn network(spec: &NetworkRun, data: &Dataset, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Outcome {
    network_on(Instructions::in_use(), spec, data, watch)
}

/// [`network()`] with instructions of the caller's choice. They change the speed and no bit of the outcome.
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

/// Lets an optimizer descend a function as `spec` says. `watch` as for [`network()`].
pub fn function(spec: &FunctionRun, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Outcome {
    match spec.precision {
        Precision::F32 => function::descend::<f32>(spec, watch),
        Precision::F64 => function::descend::<f64>(spec, watch),
    }
}
