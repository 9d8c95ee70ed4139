//! What a run writes down beside losses and evaluations: a row type for each table.

use std::sync::Arc;

/// A number about one layer, after the update of `step`.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRow {
    pub step: u64,
    /// `affine1`
    pub layer: Arc<str>,
    /// Which number.
    pub what: &'static str,
    pub value: f64,
}

/// How many of a layer's values lie in one bin of a histogram. The bin's lower edge belongs to it, its upper edge to
/// the next one, or to it where it is the last.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramRow {
    /// The 0-based number of the update just made; −1 is before training.
    pub step: i64,
    /// `relu1`, `affine1`
    pub layer: Arc<str>,
    /// Whose values: `activations`, `weights`, `gradients`.
    pub what: &'static str,
    pub bin_low: f64,
    pub bin_high: f64,
    pub count: u64,
}

/// How far the gradients of one range of parameters are from central differences.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientCheckRow {
    /// The 0-based number of the update just made; −1 is before training.
    pub step: i64,
    /// `affine1.weight`
    pub parameter: Arc<str>,
    /// Of the absolute differences.
    pub mean_error: f64,
    pub max_error: f64,
}
