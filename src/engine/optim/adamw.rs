//! AdamW: Adam with decoupled weight decay.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Adam, UpdateRule, in_range};
use crate::number::{Fraction, NonNegative, Positive};
use crate::real::{Real, power};

/// AdamW: Adam, with a weight decay that is separate from the gradient.
///
/// w ← (1 − ηλ)w, then m ← m + (1−β₁)(g−m), v ← v + (1−β₂)(g²−v) and w ← w − η/(1−β₁ᵗ) · m / (√(v / (1−β₂ᵗ)) + ε),
/// t from 1.
///
/// Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization". Adam divides the gradient of an L2 penalty by √v
/// like any other, so that weights with large gradients decay less; here all weights decay by the same share, and the
/// loss does not include the decay. The rule and its defaults η = 0.001, β₁ = 0.9, β₂ = 0.999, ε = 1e-8, λ = 0.01 are
/// those of `torch.optim.AdamW`, whose `weight_decay` is λ; PyTorch decays biases, too, but here only weights decay.
///
/// ε is added to the corrected root, as in the paper's algorithm. With λ = 0 this is PyTorch's Adam;
/// [`"adam"`](super::Adam) here adds ε to the uncorrected root instead.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    /// Learning rate η, above 0. Default: 0.001.
    pub lr: Positive,
    /// Share β₁ of the mean gradient that is kept at each step, from 0 to below 1. Default: 0.9.
    pub beta1: Fraction,
    /// Share β₂ of the mean squared gradient that is kept at each step, from 0 to below 1. Default: 0.999.
    pub beta2: Fraction,
    /// Added to the root of the mean square, after its bias is corrected, to avoid division by zero; above 0. Default:
    /// 1e-8.
    pub eps: Positive,
    /// Strength λ: weights shrink by the share ηλ before each update, 0 or above. Default: 0.01.
    pub decoupled_weight_decay: NonNegative,
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            lr: in_range(0.001),
            beta1: in_range(0.9),
            beta2: in_range(0.999),
            eps: in_range(1e-8),
            decoupled_weight_decay: in_range(0.01),
        }
    }
}

impl UpdateRule for AdamW {
    const USUAL_LR: [f64; 2] = Adam::USUAL_LR;

    fn decoupled_weight_decay(&self) -> f64 {
        self.decoupled_weight_decay.get()
    }

    /// The running mean m of gradients, then the running mean v of their squares.
    fn slots(&self) -> usize {
        2
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let (beta1, beta2) = (self.beta1.get(), self.beta2.get());
        let lr = R::from_f64(lr / (1.0 - power(beta1, step + 1)));
        let root = R::from_f64((1.0 - power(beta2, step + 1)).sqrt());
        let (new1, new2) = (R::from_f64(1.0 - beta1), R::from_f64(1.0 - beta2));
        let eps = R::from_f64(self.eps.get());
        let (means, squares) = slots.split_at_mut(parameters.len());
        for (((w, &g), m), v) in parameters.iter_mut().zip(gradients).zip(means).zip(squares) {
            *m += new1 * (g - *m);
            *v += new2 * (g * g - *v);
            *w -= lr * *m / (v.sqrt() / root + eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instructions;
    use crate::optim::{Adam, Optimizer};

    #[test]
    fn the_first_step_is_as_long_as_the_learning_rate() {
        let (mut parameters, mut slots) = ([0.0, 0.0], [0.0; 4]);
        Optimizer::from(AdamW::default())
            .update(Instructions::fastest(), 0, &mut parameters, &[1000.0, -0.001], &mut slots)
            .unwrap();
        assert!((parameters[0] + 0.001).abs() < 1e-13);
        assert!((parameters[1] - 0.001).abs() < 2e-8);
    }

    #[test]
    fn the_rule_is_adams_where_eps_does_not_matter() {
        let eps = in_range(1e-200);
        let ours = Optimizer::from(AdamW { eps, ..AdamW::default() });
        let adam = Optimizer::from(Adam { eps, ..Adam::default() });
        let (mut left, mut right) = ([1.0, -2.0], [1.0, -2.0]);
        let (mut left_slots, mut right_slots) = ([0.0; 4], [0.0; 4]);
        for step in 0..100 {
            let gradients = [(step as f64).sqrt() - 3.0, 0.3];
            ours.update(Instructions::fastest(), step, &mut left, &gradients, &mut left_slots).unwrap();
            adam.update(Instructions::fastest(), step, &mut right, &gradients, &mut right_slots).unwrap();
        }
        assert!(left.iter().zip(right).all(|(left, right)| (left - right).abs() < 1e-14), "{left:?} {right:?}");
    }
}
