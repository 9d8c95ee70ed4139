//! Gradient descent with momentum.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Sgd, UpdateRule, in_range};
use crate::number::{Fraction, Positive};
use crate::real::Real;

/// Gradient descent with momentum.
///
/// v ← μv − ηg, then w ← w + v.
///
/// Polyak 1964, "Some methods of speeding up the convergence of iteration methods". This is the form of "Deep Learning
/// from Scratch" (chapter 6), with the learning rate inside the velocity, and η = 0.01, μ = 0.9 are the book's
/// defaults. PyTorch's `torch.optim.SGD(momentum=...)` keeps it outside (b ← μb + g, then w ← w − ηb, default μ = 0):
/// the same path while η stays the same. If a schedule changes η, earlier steps keep their own η in the velocity;
/// PyTorch applies the new η to the whole velocity.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Momentum {
    /// Learning rate η, above 0. Default: 0.01.
    pub lr: Positive,
    /// Share μ of the velocity that is kept at each step, from 0 to below 1. Default: 0.9.
    pub momentum: Fraction,
}

impl Default for Momentum {
    fn default() -> Self {
        Self { lr: in_range(0.01), momentum: in_range(0.9) }
    }
}

impl UpdateRule for Momentum {
    const USUAL_LR: [f64; 2] = Sgd::USUAL_LR;

    /// The velocity v.
    fn slots(&self) -> usize {
        1
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, _step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let lr = R::from_f64(lr);
        let momentum = R::from_f64(self.momentum.get());
        for ((w, &g), v) in parameters.iter_mut().zip(gradients).zip(slots) {
            *v = momentum * *v - lr * g;
            *w += *v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instructions;
    use crate::optim::Optimizer;

    #[test]
    fn the_velocity_outlives_the_gradient() {
        let rule = Optimizer::from(Momentum { lr: in_range(0.5), momentum: in_range(0.5) });
        let (mut parameter, mut velocity) = ([0.0], [0.0]);
        rule.update(Instructions::fastest(), 0, &mut parameter, &[-2.0], &mut velocity).unwrap();
        assert_eq!((parameter, velocity), ([1.0], [1.0]));
        rule.update(Instructions::fastest(), 1, &mut parameter, &[0.0], &mut velocity).unwrap();
        assert_eq!((parameter, velocity), ([1.5], [0.5]));
    }
}
