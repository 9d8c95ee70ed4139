//! What a run records besides losses and evaluations: a row type for each table.

use std::sync::Arc;

/// A metric of one layer, after the update of `step`.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRow {
    pub step: u64,
    /// `affine1`
    pub layer: Arc<str>,
    /// The name of the metric.
    pub what: &'static str,
    pub value: f64,
}

/// How many of a layer's values are in one bin of a histogram. The bin includes its lower edge, but not its upper edge
/// unless it is the last bin.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramRow {
    /// The 0-based number of the most recent update; −1 is before training.
    pub step: i64,
    /// `relu1`, `affine1`
    pub layer: Arc<str>,
    /// Which values: `activations`, `weights`, `gradients`.
    pub what: &'static str,
    pub bin_low: f64,
    pub bin_high: f64,
    pub count: u64,
}

/// How far the gradients of one range of parameters deviate from central differences.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientCheckRow {
    /// The 0-based number of the most recent update; −1 is before training.
    pub step: i64,
    /// `affine1.weight`
    pub parameter: Arc<str>,
    /// The mean of the absolute differences.
    pub mean_error: f64,
    pub max_error: f64,
}
