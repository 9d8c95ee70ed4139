//! Stochastic gradient descent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{UpdateRule, in_range};
use crate::number::Positive;
use crate::real::Real;

/// Stochastic gradient descent.
///
/// w ← w − ηg.
///
/// Robbins & Monro 1951, "A Stochastic Approximation Method". Both "Deep Learning from Scratch" (chapter 6) and PyTorch
/// (`torch.optim.SGD` without momentum) compute exactly this. The default η = 0.01 is the book's; PyTorch's is 0.001.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// Learning rate η, above 0. Default: 0.01.
    pub lr: Positive,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { lr: in_range(0.01) }
    }
}

impl UpdateRule for Sgd {
    // Bengio 2012, "Practical recommendations for gradient-based training of deep architectures", section 3.1.1.
    const USUAL_LR: [f64; 2] = [1e-6, 1.0];

    fn slots(&self) -> usize {
        0
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, _step: u64, parameters: &mut [R], gradients: &[R], _slots: &mut [R]) {
        let lr = R::from_f64(lr);
        for (w, &g) in parameters.iter_mut().zip(gradients) {
            *w -= lr * g;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instructions;
    use crate::optim::Optimizer;

    #[test]
    fn a_step_goes_against_the_gradient() {
        let mut parameters = [1.0, -2.0];
        Optimizer::from(Sgd { lr: in_range(0.5) })
            .update(Instructions::fastest(), 0, &mut parameters, &[0.5, -4.0], &mut [])
            .unwrap();
        assert_eq!(parameters, [0.75, 0.0]);
    }
}
