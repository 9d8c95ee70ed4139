//! What a run measures besides losses and evaluations. Measuring only reads; it changes nothing that is trained.
//!
//! A number that is not finite (an overflowing norm, a ratio to weights that are all zero) is omitted, and the run
//! continues.

mod gradient_checks;
mod histograms;
mod layers;

use std::ops::Range;
use std::sync::Arc;

pub use self::gradient_checks::GradientChecker;
pub use self::histograms::HistogramCounts;
pub use self::layers::LayerNumbers;
use crate::nn::parameters::ParameterLayout;

/// The most rows of a table to reserve memory for before the first step.
const RESERVED_ROWS: u64 = 1 << 20;

/// The name of every layer with weights, and the range of its weights.
fn weights(layout: &ParameterLayout) -> Vec<(Arc<str>, Range<usize>)> {
    layout.weights().map(|view| (view.layer().into(), view.range.clone())).collect()
}
