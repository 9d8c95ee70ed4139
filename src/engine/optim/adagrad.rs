//! AdaGrad: a learning rate per parameter, which decreases as squared gradients add up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{UpdateRule, in_range};
use crate::number::Positive;
use crate::real::Real;

/// AdaGrad: a learning rate for each parameter; the larger its gradients so far, the smaller the rate.
///
/// h ← h + g², then w ← w − ηg / (√h + ε).
///
/// Duchi, Hazan & Singer 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization". A
/// parameter that has moved much moves less from then on. η = 0.01 and ε = 1e-7 are those of "Deep Learning from
/// Scratch" (chapter 6); PyTorch's `torch.optim.Adagrad` is the same rule with η = 0.01 and ε = 1e-10.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdaGrad {
    /// Learning rate η, above 0. Default: 0.01.
    pub lr: Positive,
    /// Added to the root of the summed squares to avoid division by zero, above 0. Default: 1e-7.
    pub eps: Positive,
}

impl Default for AdaGrad {
    fn default() -> Self {
        Self { lr: in_range(0.01), eps: in_range(1e-7) }
    }
}

impl UpdateRule for AdaGrad {
    // The first step is η, and later ones are shorter.
    const USUAL_LR: [f64; 2] = [1e-5, 1.0];

    /// The sum h of squared gradients.
    fn slots(&self) -> usize {
        1
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, _step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let lr = R::from_f64(lr);
        let eps = R::from_f64(self.eps.get());
        for ((w, &g), h) in parameters.iter_mut().zip(gradients).zip(slots) {
            *h += g * g;
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
    fn the_first_step_is_as_long_as_the_learning_rate() {
        let (mut parameters, mut squares) = ([0.0, 0.0], [0.0, 0.0]);
        Optimizer::from(AdaGrad::default())
            .update(Instructions::fastest(), 0, &mut parameters, &[1000.0, -0.001], &mut squares)
            .unwrap();
        assert!((parameters[0] + 0.01).abs() < 1e-11);
        assert!((parameters[1] - 0.01).abs() < 1e-5);
        assert_eq!(squares, [1e6, 1e-6]);
    }

    #[test]
    fn under_equal_gradients_steps_shrink_with_the_root_of_their_number() {
        let (mut parameter, mut square) = ([0.0], [0.0]);
        let mut steps = [0.0; 16];
        for (step, length) in steps.iter_mut().enumerate() {
            let before = parameter[0];
            Optimizer::from(AdaGrad::default())
                .update(Instructions::fastest(), step as u64, &mut parameter, &[2.0], &mut square)
                .unwrap();
            *length = before - parameter[0];
        }
        assert!((steps[0] / steps[3] - 2.0).abs() < 1e-6);
        assert!((steps[0] / steps[15] - 4.0).abs() < 1e-6);
    }
}
