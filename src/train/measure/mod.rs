//! What a run measures beside losses and evaluations. Measuring reads; it changes nothing that is trained.
//!
//! A number that is not finite (a norm that overflows, a ratio to weights that are all zero) is left out: the run goes
//! on as it would without it.

mod gradient_checks;
mod histograms;
mod layers;

use std::ops::Range;
use std::sync::Arc;

pub use self::gradient_checks::GradientChecker;
pub use self::histograms::HistogramCounts;
pub use self::layers::LayerNumbers;
use crate::nn::parameters::ParameterLayout;

/// Rows of a table that a run makes room for before its first step, at most.
const RESERVED_ROWS: u64 = 1 << 20;

/// The name of every layer with weights, and where they lie.
fn weights(layout: &ParameterLayout) -> Vec<(Arc<str>, Range<usize>)> {
    layout.weights().map(|view| (view.layer().into(), view.range.clone())).collect()
}
