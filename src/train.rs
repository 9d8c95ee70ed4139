//! One run, from specification to outcome. No I/O.

use crate::record::{EvaluationRow, LossRow};

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub history: Vec<LossRow>,
    pub evaluations: Vec<EvaluationRow>,
    pub ending: Ending,
    /// blake3 of the final parameters' bits, 16 hexadecimal digits.
    pub parameters_hash: String,
}

/// How a run ended. Divergence is a result, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Finished,
    /// A value was not finite at `step`, first (in forward order) in the output of `layer`, or in the parameters of it.
    Diverged {
        step: u64,
        layer: String,
    },
    /// The caller asked to stop before the end.
    Interrupted,
}
