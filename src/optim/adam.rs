//! Adam: m ← m + (1−β₁)(g−m), v ← v + (1−β₂)(g²−v), then w ← w − ηₜm / (√v + ε) with ηₜ = η√(1−β₂ᵗ) / (1−β₁ᵗ), t from 1.
//!
//! Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization". η = 0.001, β₁ = 0.9 and β₂ = 0.999 are the paper's
//! defaults, PyTorch's and those of "Deep Learning from Scratch" (chapter 6).
//!
//! As in the book, both bias corrections are part of ηₜ (the paper offers this form at the end of its section 2), so that ε is
//! the paper's ε̂, added to the *uncorrected* root; the book has 1e-7. `torch.optim.Adam` follows the paper's Algorithm 1 and
//! adds ε = 1e-8 to the corrected root √(v / (1−β₂ᵗ)). An ε here acts like ε / √(1−β₂ᵗ) there: 32 times as much at the first
//! step, the same in the long run.

use serde::Deserialize;

use super::{Rule, in_range};
use crate::number::{Fraction, Positive};
use crate::real::Real;
use crate::settings::Settings;

/// Adam: momentum, and a learning rate for each parameter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// Learning rate η, above 0. Default: 0.001.
    pub lr: Positive,
    /// Share β₁ of the mean gradient that is kept at each step, from 0 to below 1. Default: 0.9.
    pub beta1: Fraction,
    /// Share β₂ of the mean squared gradient that is kept at each step, from 0 to below 1. Default: 0.999.
    pub beta2: Fraction,
    /// Added to the root of the mean square, before its bias is corrected, so that nothing is divided by zero; above 0.
    /// Default: 1e-7.
    pub eps: Positive,
}

impl Default for Adam {
    fn default() -> Self {
        Self { lr: in_range(0.001), beta1: in_range(0.9), beta2: in_range(0.999), eps: in_range(1e-7) }
    }
}

impl Rule for Adam {
    fn kind(&self) -> &'static str {
        "adam"
    }

    /// The running mean m of gradients, then the running mean v of their squares.
    fn slots(&self) -> usize {
        2
    }

    fn update<R: Real>(&self, step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let (beta1, beta2) = (self.beta1.get(), self.beta2.get());
        let corrected = self.lr.get() * (1.0 - power(beta2, step + 1)).sqrt() / (1.0 - power(beta1, step + 1));
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

    fn settings(&self, settings: &mut Settings) {
        settings.set("lr", self.lr.get());
        settings.set("beta1", self.beta1.get());
        settings.set("beta2", self.beta2.get());
        settings.set("eps", self.eps.get());
    }
}

/// `base`, from 0 to 1, to the power of `exponent`, the same bits on every machine, which the standard library's `powf` and
/// `powi` do not promise.
///
/// Squares and multiplies with twice the digits of a double, so that the result is the exact power rounded once: before the
/// rounding it is off by less than exponent · 2^−101, relatively. NumPy's `beta**t` calls the C library's `pow`, which may be
/// one unit in the last place off and rarely is (glibc's: never in the first 2001 powers of 0.9 and 0.999, in 3 of those of
/// 0.95). Plain squaring would be off by up to `exponent` halves of a unit, and 1 − β₂ᵗ, small for many steps, would make much
/// more of that.
fn power(base: f64, mut exponent: u64) -> f64 {
    let mut result = (1.0, 0.0);
    let mut square = (base, 0.0);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = product(result, square);
        }
        square = product(square, square);
        exponent >>= 1;
    }
    result.0
}

/// The product of two numbers, each the unevaluated sum of a double and a much smaller one (Dekker 1971, "A floating-point
/// technique for extending the available precision").
///
/// The fused `mul_add` gives the rounding error of a · b exactly, by its definition, in hardware or emulated.
fn product((a, a_rest): (f64, f64), (b, b_rest): (f64, f64)) -> (f64, f64) {
    let high = a * b;
    let low = a.mul_add(b, -high) + (a * b_rest + a_rest * b);
    let sum = high + low;
    (sum, low - (sum - high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_as_long_as_the_learning_rate() {
        let (mut parameters, mut slots) = ([0.0, 0.0], [0.0; 4]);
        Adam::default().update(0, &mut parameters, &[1000.0, -10.0], &mut slots);
        assert!((parameters[0] + 0.001).abs() < 1e-11);
        assert!((parameters[1] - 0.001).abs() < 1e-9);
    }

    #[test]
    fn bias_corrections_fade() {
        let rule = Adam { beta1: in_range(0.5), beta2: in_range(0.75), eps: in_range(1e-300), ..Adam::default() };
        let (mut parameter, mut slots) = ([0.0], [3.0, 4.0]);
        // m ← 3 + 0.5 · (1 − 3) = 2, v ← 4 + 0.25 · (1 − 4) = 3.25, and both corrections are 1 by now.
        rule.update(10_000, &mut parameter, &[1.0], &mut slots);
        assert_eq!(slots, [2.0, 3.25]);
        assert_eq!(parameter, [-0.001 * 2.0 / 3.25_f64.sqrt()]);
    }

    #[test]
    fn powers_are_rounded_once() {
        #[derive(Deserialize)]
        struct Goldens {
            powers: Vec<[f64; 3]>,
        }
        let goldens: Goldens = toml::from_str(include_str!("../../tests/goldens/optimizers.toml")).unwrap();
        assert!(goldens.powers.len() > 30);
        for [base, exponent, expected] in goldens.powers {
            assert_eq!(power(base, exponent as u64), expected, "{base} to the power of {exponent}");
        }
    }

    #[test]
    fn powers_hold_at_their_edges() {
        assert_eq!(power(0.0, 1), 0.0);
        assert_eq!(power(0.9, 0), 1.0);
        assert_eq!(power(0.999, 1), 0.999);
        assert_eq!(power(0.999, u64::MAX), 0.0);
    }
}
