//! Optimizers: one file each, with equation, paper, defaults, rule and tests.

use crate::real::Real;

/// A rule that turns gradients into new parameters. An optimizer's hyperparameter struct *is* its rule.
pub trait Rule: Send + Sync {
    /// How many zeroed accumulators the rule keeps for each parameter.
    fn slots(&self) -> usize;

    /// One update, in place.
    ///
    /// `step` is the 0-based number of this update. `parameters: [n]`, `gradients: [n]`, `slots: [slots() * n]`, one accumulator
    /// after the other.
    fn update<R: Real>(&self, step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]);
}
