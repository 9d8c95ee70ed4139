//! What a run measures, and at which steps.
//!
//! `step` is the 0-based number of the update just made. What is recorded never changes what is trained.

/// The loss of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossRow {
    pub step: u64,
    /// (step + 1) · batch_size / rows
    pub epoch: f64,
    /// With the penalty.
    pub loss: f64,
    /// How much of the loss is weight decay and L1.
    pub penalty: f64,
}

/// A part of the data that a network is evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Train,
    Test,
}

/// The network's quality on a whole part of the data, after the update of `step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvaluationRow {
    pub step: u64,
    pub epoch: f64,
    pub part: Part,
    /// Without the penalty.
    pub loss: f64,
    /// The share of rows whose largest output is the label's, the first one where several are equal.
    pub accuracy: f64,
}
