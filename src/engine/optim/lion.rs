//! Lion: steps of constant size, against the sign of a mean gradient.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{UpdateRule, in_range};
use crate::number::{Fraction, NonNegative, Positive};
use crate::real::{Real, sign};

/// Lion: steps of constant size, against the sign of a mean gradient.
///
/// w ← (1 − ηλ)w, then w ← w − η sign(β₁m + (1−β₁)g) and m ← β₂m + (1−β₂)g, where sign(0) is 0.
///
/// Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms" (its algorithm 2). Every parameter moves by η,
/// against a mean of gradients that gives the current one more weight than the stored mean does. The defaults are those
/// of the authors' code, η = 1e-4, β₁ = 0.9, β₂ = 0.99, λ = 0; the paper has an η three to ten times smaller than
/// for AdamW, and a λ larger by the same factor. PyTorch has no Lion; the authors' `lion_pytorch.py` decays biases,
/// too, but here only weights decay.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lion {
    /// Learning rate η, above 0: how far every parameter moves. Default: 0.0001.
    pub lr: Positive,
    /// Share β₁ of the stored mean in the mean whose sign is taken, from 0 to below 1. Default: 0.9.
    pub beta1: Fraction,
    /// Share β₂ of the mean gradient that is kept at each step, from 0 to below 1. Default: 0.99.
    pub beta2: Fraction,
    /// Strength λ: weights shrink by the share ηλ before each update, 0 or above. Default: 0.
    pub decoupled_weight_decay: NonNegative,
}

impl Default for Lion {
    fn default() -> Self {
        Self {
            lr: in_range(1e-4),
            beta1: in_range(0.9),
            beta2: in_range(0.99),
            decoupled_weight_decay: NonNegative::default(),
        }
    }
}

impl UpdateRule for Lion {
    // Every step is η long; 3 to 10 times smaller than Adam's (Chen et al. 2023, section 5).
    const USUAL_LR: [f64; 2] = [1e-7, 0.01];

    fn decoupled_weight_decay(&self) -> f64 {
        self.decoupled_weight_decay.get()
    }

    /// The running mean m of gradients.
    fn slots(&self) -> usize {
        1
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, _step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let (beta1, beta2) = (self.beta1.get(), self.beta2.get());
        let lr = R::from_f64(lr);
        let (old1, new1) = (R::from_f64(beta1), R::from_f64(1.0 - beta1));
        let (old2, new2) = (R::from_f64(beta2), R::from_f64(1.0 - beta2));
        for ((w, &g), m) in parameters.iter_mut().zip(gradients).zip(slots) {
            *w -= lr * sign(old1 * *m + new1 * g);
            *m = old2 * *m + new2 * g;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instructions;
    use crate::optim::Optimizer;

    #[test]
    fn every_step_is_as_long_as_the_learning_rate() {
        let rule = Optimizer::from(Lion { lr: in_range(0.5), ..Lion::default() });
        let (mut parameters, mut means) = ([1.0, 1.0, 1.0], [0.0; 3]);
        rule.update(Instructions::fastest(), 0, &mut parameters, &[1e6, -1e-9, 0.0], &mut means).unwrap();
        assert_eq!(parameters, [0.5, 1.5, 1.0]);
    }

    #[test]
    fn the_present_gradient_counts_more_than_it_is_remembered() {
        let rule =
            Optimizer::from(Lion { lr: in_range(1.0), beta1: in_range(0.5), beta2: in_range(0.75), ..Lion::default() });
        let (mut parameter, mut mean) = ([0.0], [3.0]);
        // ½ · 3 − ½ · 2 is above 0, ½ · 1.75 − ½ · 2 below.
        rule.update(Instructions::fastest(), 0, &mut parameter, &[-2.0], &mut mean).unwrap();
        assert_eq!((parameter, mean), ([-1.0], [1.75]));
        rule.update(Instructions::fastest(), 1, &mut parameter, &[-2.0], &mut mean).unwrap();
        assert_eq!(parameter, [0.0]);
    }
}
