//! Adadelta: steps in proportion to recent steps, divided by recent gradients.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{UpdateRule, in_range};
use crate::number::{Fraction, Positive};
use crate::real::Real;

/// Adadelta: steps in proportion to recent steps, divided by the size of recent gradients.
///
/// h ← ρh + (1−ρ)g², d = √(s + ε) / √(h + ε) · g, s ← ρs + (1−ρ)d², then w ← w − ηd.
///
/// Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method". The root of the mean squared step takes the place of the
/// learning rate, so that a step has the unit of the parameter; ε, added inside both roots, sets the size of the first
/// step. The rule and its defaults η = 1, which is the paper's rule, ρ = 0.9 and ε = 1e-6 are those of
/// `torch.optim.Adadelta`, which calls ρ `rho`; the paper's experiments have ρ = 0.95.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdaDelta {
    /// Factor η of the steps, above 0. Default: 1.
    pub lr: Positive,
    /// Share ρ of both mean squares that is kept at each step, from 0 to below 1. Default: 0.9.
    pub decay: Fraction,
    /// Added to both mean squares before their roots are taken, above 0. Default: 1e-6.
    pub eps: Positive,
}

impl Default for AdaDelta {
    fn default() -> Self {
        Self { lr: in_range(1.0), decay: in_range(0.9), eps: in_range(1e-6) }
    }
}

impl UpdateRule for AdaDelta {
    // η multiplies the rule's own step size (Zeiler 2012 has no η).
    const USUAL_LR: [f64; 2] = [1e-3, 10.0];

    /// The running mean h of squared gradients, then the running mean s of squared steps.
    fn slots(&self) -> usize {
        2
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, _step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let lr = R::from_f64(lr);
        let eps = R::from_f64(self.eps.get());
        let old = R::from_f64(self.decay.get());
        let new = R::from_f64(1.0 - self.decay.get());
        let (gradient_squares, step_squares) = slots.split_at_mut(parameters.len());
        for (((w, &g), h), s) in parameters.iter_mut().zip(gradients).zip(gradient_squares).zip(step_squares) {
            *h = old * *h + new * g * g;
            let d = (*s + eps).sqrt() / (*h + eps).sqrt() * g;
            *s = old * *s + new * d * d;
            *w -= lr * d;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instructions;
    use crate::optim::Optimizer;

    #[test]
    fn the_first_step_is_made_of_eps() {
        let rule = Optimizer::from(AdaDelta { eps: in_range(1e-4), ..AdaDelta::default() });
        let (mut parameters, mut slots) = ([0.0, 0.0], [0.0; 4]);
        rule.update(Instructions::fastest(), 0, &mut parameters, &[1000.0, -10.0], &mut slots).unwrap();
        // √ε / √(0.1 g²) · g
        let length = (1e-4_f64 / 0.1).sqrt();
        assert!((parameters[0] + length).abs() < 1e-9, "{parameters:?}");
        assert!((parameters[1] - length).abs() < 1e-6, "{parameters:?}");
    }

    #[test]
    fn the_scale_of_the_gradient_does_not_matter() {
        let end = |scale: f64| {
            let rule = Optimizer::from(AdaDelta { eps: in_range(1e-12), ..AdaDelta::default() });
            let (mut parameter, mut slots) = ([5.0], [0.0; 2]);
            for step in 0..200 {
                let gradient = [scale * parameter[0]];
                rule.update(Instructions::fastest(), step, &mut parameter, &gradient, &mut slots).unwrap();
            }
            parameter[0]
        };
        assert!(end(1.0) < 5.0);
        assert!((end(1.0) - end(1000.0)).abs() < 1e-9, "{} {}", end(1.0), end(1000.0));
    }
}
