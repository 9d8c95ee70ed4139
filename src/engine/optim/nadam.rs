//! NAdam: Adam with Nesterov's momentum.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Adam, UpdateRule, in_range};
use crate::number::{Fraction, Positive};
use crate::real::{Real, exp, power};

/// NAdam: Adam that looks one step ahead, as Nesterov's gradient does.
///
/// m ← m + (1−β₁)(g−m), v ← v + (1−β₂)(g²−v), then w ← w − η((1−μₜ)g / (1−Πₜ) + μₜ₊₁m / (1−Πₜ₊₁)) / (√(v / (1−β₂ᵗ)) +
/// ε), t from 1, where μₜ = β₁(1 − ½ · 0.96^(0.004t)) and Πₜ = μ₁μ₂…μₜ.
///
/// Dozat 2016, "Incorporating Nesterov Momentum into Adam": the momentum of the next step is applied in this one, as in
/// Nesterov's gradient, and grows slowly from β₁/2 to β₁. The rule and its defaults η = 0.002, β₁ = 0.9, β₂ = 0.999 and
/// ε = 1e-8, added to the corrected root, are those of `torch.optim.NAdam`; its `momentum_decay` is fixed here at
/// 0.004, the default and the paper's value.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NAdam {
    /// Learning rate η, above 0. Default: 0.002.
    pub lr: Positive,
    /// Share β₁ of the mean gradient that is kept at each step, from 0 to below 1. Default: 0.9.
    pub beta1: Fraction,
    /// Share β₂ of the mean squared gradient that is kept at each step, from 0 to below 1. Default: 0.999.
    pub beta2: Fraction,
    /// Added to the root of the mean square, after its bias is corrected, to avoid division by zero; above 0. Default:
    /// 1e-8.
    pub eps: Positive,
}

/// 0.004 · ln 0.96, rounded once.
const MOMENTUM_DECAY: f64 = -1.632_879_780_810_205_2e-4;

impl NAdam {
    /// The momentum μₜ of the 1-based step t.
    fn momentum(&self, t: u64) -> f64 {
        self.beta1.get() * (1.0 - 0.5 * exp(t as f64 * MOMENTUM_DECAY))
    }

    /// The product Πₜ of the momenta of the steps 1 to t.
    ///
    /// The first 250 momenta are below 0.52, so at most 58 of them bring 1 − Πₜ to 1 after rounding, whatever follows.
    fn momenta(&self, t: u64) -> f64 {
        let mut product = 1.0;
        for step in 1..=t {
            product *= self.momentum(step);
            if product < f64::EPSILON / 4.0 {
                return 0.0;
            }
        }
        product
    }
}

impl Default for NAdam {
    fn default() -> Self {
        Self { lr: in_range(0.002), beta1: in_range(0.9), beta2: in_range(0.999), eps: in_range(1e-8) }
    }
}

impl UpdateRule for NAdam {
    const USUAL_LR: [f64; 2] = Adam::USUAL_LR;

    /// The running mean m of gradients, then the running mean v of their squares.
    fn slots(&self) -> usize {
        2
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let (beta1, beta2, t) = (self.beta1.get(), self.beta2.get(), step + 1);
        let (momentum, next, momenta) = (self.momentum(t), self.momentum(t + 1), self.momenta(t));
        let lr_gradient = R::from_f64(lr * (1.0 - momentum) / (1.0 - momenta));
        let lr_mean = R::from_f64(lr * next / (1.0 - momenta * next));
        let root = R::from_f64((1.0 - power(beta2, t)).sqrt());
        let (new1, new2) = (R::from_f64(1.0 - beta1), R::from_f64(1.0 - beta2));
        let eps = R::from_f64(self.eps.get());
        let (means, squares) = slots.split_at_mut(parameters.len());
        for (((w, &g), m), v) in parameters.iter_mut().zip(gradients).zip(means).zip(squares) {
            *m += new1 * (g - *m);
            *v += new2 * (g * g - *v);
            *w -= (lr_gradient * g + lr_mean * *m) / (v.sqrt() / root + eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instructions;
    use crate::optim::Optimizer;

    #[test]
    fn the_momentum_grows_from_half_of_beta1_to_beta1() {
        let rule = NAdam::default();
        assert!((rule.momentum(1) - 0.45).abs() < 1e-4);
        assert!((rule.momentum(250_000) - 0.9).abs() < 1e-15);
    }

    #[test]
    fn momenta_multiply_until_nothing_is_left_of_them() {
        let rule = NAdam { beta1: in_range(1.0_f64.next_down()), ..NAdam::default() };
        let product = |t: u64| (1..=t).map(|step| rule.momentum(step)).product::<f64>();
        for t in [1, 2, 10, 50] {
            assert_eq!(rule.momenta(t), product(t));
        }
        assert!(rule.momentum(250) < 0.52);
        assert!(product(58) < f64::EPSILON / 4.0);
        assert_eq!(rule.momenta(u64::MAX), 0.0);
    }

    #[test]
    fn under_equal_gradients_steps_become_as_long_as_the_learning_rate() {
        let rule = Optimizer::from(NAdam::default());
        let (mut parameter, mut slots) = ([0.0], [0.0; 2]);
        let mut length = 0.0;
        for step in 0..400 {
            let before = parameter[0];
            rule.update(Instructions::fastest(), step, &mut parameter, &[3.0], &mut slots).unwrap();
            length = before - parameter[0];
        }
        assert!((length - 0.002).abs() < 1e-6, "{length}");
    }
}
