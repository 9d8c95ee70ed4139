//! RMSprop: a learning rate per parameter, which decreases with its recent squared gradients.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Adam, UpdateRule, in_range};
use crate::number::{Fraction, Positive};
use crate::real::Real;

/// RMSprop: a learning rate for each parameter; the larger its recent gradients, the smaller the rate.
///
/// h ← ρh + (1−ρ)g², then w ← w − ηg / (√h + ε).
///
/// Tieleman & Hinton 2012, "Lecture 6.5: rmsprop: Divide the gradient by a running average of its recent magnitude". It
/// is AdaGrad with a running mean in place of the sum. η = 0.01, ρ = 0.99 and ε = 1e-7 are those of the repository of
/// "Deep Learning from Scratch"; the lecture has ρ = 0.9. PyTorch's `torch.optim.RMSprop` is the same rule, calls ρ
/// `alpha` (0.99) and has ε = 1e-8.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RmsProp {
    /// Learning rate η, above 0. Default: 0.01.
    pub lr: Positive,
    /// Share ρ of the mean square that is kept at each step, from 0 to below 1. Default: 0.99.
    pub decay: Fraction,
    /// Added to the root of the mean square to avoid division by zero, above 0. Default: 1e-7.
    pub eps: Positive,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self { lr: in_range(0.01), decay: in_range(0.99), eps: in_range(1e-7) }
    }
}

impl UpdateRule for RmsProp {
    const USUAL_LR: [f64; 2] = Adam::USUAL_LR;

    /// The running mean h of squared gradients.
    fn slots(&self) -> usize {
        1
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, _step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let lr = R::from_f64(lr);
        let eps = R::from_f64(self.eps.get());
        let old = R::from_f64(self.decay.get());
        let new = R::from_f64(1.0 - self.decay.get());
        for ((w, &g), h) in parameters.iter_mut().zip(gradients).zip(slots) {
            *h *= old;
            *h += new * g * g;
            *w -= lr * g / (h.sqrt() + eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instructions;
    use crate::optim::Optimizer;

    #[test]
    fn under_equal_gradients_the_mean_square_becomes_the_square() {
        let rule = Optimizer::from(RmsProp { decay: in_range(0.5), ..RmsProp::default() });
        let (mut parameter, mut square) = ([0.0], [0.0]);
        rule.update(Instructions::fastest(), 0, &mut parameter, &[2.0], &mut square).unwrap();
        assert_eq!(square, [2.0]);
        rule.update(Instructions::fastest(), 1, &mut parameter, &[2.0], &mut square).unwrap();
        assert_eq!(square, [3.0]);
        for step in 2..60 {
            rule.update(Instructions::fastest(), step, &mut parameter, &[2.0], &mut square).unwrap();
        }
        let before = parameter[0];
        rule.update(Instructions::fastest(), 60, &mut parameter, &[2.0], &mut square).unwrap();
        assert_eq!(square, [4.0]);
        assert!((before - parameter[0] - 0.01).abs() < 1e-8, "the step is as long as the learning rate");
    }
}
