//! Adam: momentum, and a learning rate for each parameter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{UpdateRule, in_range};
use crate::number::{Fraction, Positive};
use crate::real::{Real, power};

/// Adam: momentum, and a learning rate for each parameter.
///
/// m ← m + (1−β₁)(g−m), v ← v + (1−β₂)(g²−v), then w ← w − ηₜm / (√v + ε) with ηₜ = η√(1−β₂ᵗ) / (1−β₁ᵗ), t from 1.
///
/// Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization". η = 0.001, β₁ = 0.9 and β₂ = 0.999 are the paper's
/// defaults, PyTorch's and those of "Deep Learning from Scratch" (chapter 6).
///
/// As in the book, both bias corrections are part of ηₜ (the paper offers this form at the end of its section 2), so
/// that ε is the paper's ε̂, added to the *uncorrected* root; the book has 1e-7. `torch.optim.Adam` follows the paper's
/// Algorithm 1 and adds ε = 1e-8 to the corrected root √(v / (1−β₂ᵗ)). An ε here acts like ε / √(1−β₂ᵗ) there: 32 times
/// as much at the first step, the same in the long run.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// Learning rate η, above 0. Default: 0.001.
    pub lr: Positive,
    /// Share β₁ of the mean gradient that is kept at each step, from 0 to below 1. Default: 0.9.
    pub beta1: Fraction,
    /// Share β₂ of the mean squared gradient that is kept at each step, from 0 to below 1. Default: 0.999.
    pub beta2: Fraction,
    /// Added to the root of the mean square, before its bias is corrected, to avoid division by zero; above 0. Default:
    /// 1e-7.
    pub eps: Positive,
}

impl Default for Adam {
    fn default() -> Self {
        Self { lr: in_range(0.001), beta1: in_range(0.9), beta2: in_range(0.999), eps: in_range(1e-7) }
    }
}

impl UpdateRule for Adam {
    // A parameter moves by about η in a step (Kingma & Ba 2015, section 2.1), and weights are of the size √(2 /
    // inputs).
    const USUAL_LR: [f64; 2] = [1e-6, 0.1];

    /// The running mean m of gradients, then the running mean v of their squares.
    fn slots(&self) -> usize {
        2
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let (beta1, beta2) = (self.beta1.get(), self.beta2.get());
        let corrected = lr * (1.0 - power(beta2, step + 1)).sqrt() / (1.0 - power(beta1, step + 1));
        let lr = R::from_f64(corrected);
        let (new1, new2) = (R::from_f64(1.0 - beta1), R::from_f64(1.0 - beta2));
        let eps = R::from_f64(self.eps.get());
        let (means, squares) = slots.split_at_mut(parameters.len());
        for (((w, &g), m), v) in parameters.iter_mut().zip(gradients).zip(means).zip(squares) {
            *m += new1 * (g - *m);
            *v += new2 * (g * g - *v);
            *w -= lr * *m / (v.sqrt() + eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instructions;
    use crate::optim::Optimizer;

    #[test]
    fn the_first_step_is_as_long_as_the_learning_rate() {
        let (mut parameters, mut slots) = ([0.0, 0.0], [0.0; 4]);
        Optimizer::from(Adam::default())
            .update(Instructions::fastest(), 0, &mut parameters, &[1000.0, -10.0], &mut slots)
            .unwrap();
        assert!((parameters[0] + 0.001).abs() < 1e-11);
        assert!((parameters[1] - 0.001).abs() < 1e-9);
    }

    #[test]
    fn bias_corrections_fade() {
        let rule = Adam { beta1: in_range(0.5), beta2: in_range(0.75), eps: in_range(1e-300), ..Adam::default() };
        let rule = Optimizer::from(rule);
        let (mut parameter, mut slots) = ([0.0], [3.0, 4.0]);
        // m ← 3 + 0.5 · (1 − 3) = 2, v ← 4 + 0.25 · (1 − 4) = 3.25, and both corrections are 1 by now.
        rule.update(Instructions::fastest(), 10_000, &mut parameter, &[1.0], &mut slots).unwrap();
        assert_eq!(slots, [2.0, 3.25]);
        assert_eq!(parameter, [-0.001 * 2.0 / 3.25_f64.sqrt()]);
    }
}
