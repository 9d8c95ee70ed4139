//! Compares gradients with central differences.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::RESERVED_ROWS;
use crate::kernel::Element;
use crate::nn::Network;
use crate::record::{self, GradientCheckRow};

/// The checked ranges of parameters, and the rows recorded so far.
#[derive(Debug)]
pub struct GradientChecker {
    what: record::GradientChecks,
    views: Vec<(Arc<str>, Range<usize>)>,
    pub rows: Vec<GradientCheckRow>,
}

impl GradientChecker {
    /// For `network` in a run of `steps` steps.
    pub fn new<R: Element>(what: &record::GradientChecks, network: &Network<R>, steps: u64) -> Self {
        let views = network.layout().views().iter();
        let views: Vec<_> = views.map(|view| (view.name.as_str().into(), view.range.clone())).collect();
        let rows = what.at.count(steps).saturating_mul(views.len() as u64);
        Self { what: what.clone(), views, rows: Vec::with_capacity(rows.min(RESERVED_ROWS) as usize) }
    }

    /// Whether gradients are checked after `step` of `steps`; −1 is before training.
    pub fn are_due(&self, step: i64, steps: u64) -> bool {
        self.what.at.has(step, steps)
    }

    /// How many of `train_rows` rows are in the loss.
    pub fn rows_needed(&self, train_rows: u64) -> u64 {
        self.what.rows(train_rows)
    }

    /// Records the mean and maximum error of every range. `error` gets the index of a parameter and the h to move it
    /// by, and returns the error of its gradient; if it breaks, the check stops.
    pub fn check(&mut self, step: i64, mut error: impl FnMut(usize, f64) -> ControlFlow<(), f64>) -> ControlFlow<()> {
        for (parameter, range) in &self.views {
            let chosen = range.len().min(self.what.parameters.as_usize());
            let (mut sum, mut max_error) = (0.0, 0.0_f64);
            for index in 0..chosen {
                let error = error(range.start + spread(index, chosen, range.len()), self.what.h.get())?;
                sum += error;
                max_error = if error > max_error { error } else { max_error };
            }
            // If a loss is not finite, there is no slope.
            if chosen > 0 && f64::is_finite(sum) {
                let mean_error = sum / chosen as f64;
                self.rows.push(GradientCheckRow { step, parameter: parameter.clone(), mean_error, max_error });
            }
        }
        ControlFlow::Continue(())
    }
}

/// The position of number `index` of `chosen` positions that are spread evenly over `length`.
fn spread(index: usize, chosen: usize, length: usize) -> usize {
    (index as u128 * length as u128 / chosen as u128) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_is_spread_evenly() {
        let places = |chosen, length| (0..chosen).map(|index| spread(index, chosen, length)).collect::<Vec<_>>();
        assert_eq!(places(4, 4), [0, 1, 2, 3]);
        assert_eq!(places(4, 10), [0, 2, 5, 7]);
        assert_eq!(places(1, 10), [0]);
    }
}
