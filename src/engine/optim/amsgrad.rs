//! AMSGrad: Adam with steps divided by the largest mean square so far.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Adam, UpdateRule, in_range};
use crate::number::{Fraction, Positive};
use crate::real::{Real, power};

/// AMSGrad: Adam that does not forget its largest gradients.
///
/// m ← m + (1−β₁)(g−m), v ← v + (1−β₂)(g²−v), u ← max(u, v), then w ← w − η/(1−β₁ᵗ) · m / (√(u / (1−β₂ᵗ)) + ε),
/// t from 1.
///
/// Reddi, Kale & Kumar 2018, "On the Convergence of Adam and Beyond". Adam forgets large gradients and then takes long
/// steps, which can keep it from converging; here steps are divided by the largest mean square so far. The paper leaves
/// the bias corrections out; this is `torch.optim.Adam(amsgrad=True)`, with its defaults η = 0.001, β₁ = 0.9, β₂ =
/// 0.999 and ε = 1e-8, added to the corrected root. The largest v is taken before the correction, and the correction is
/// that of the current step.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AmsGrad {
    /// Learning rate η, above 0. Default: 0.001.
    pub lr: Positive,
    /// Share β₁ of the mean gradient that is kept at each step, from 0 to below 1. Default: 0.9.
    pub beta1: Fraction,
    /// Share β₂ of the mean squared gradient that is kept at each step, from 0 to below 1. Default: 0.999.
    pub beta2: Fraction,
    /// Added to the root of the largest mean square, after its bias is corrected, to avoid division by zero; above 0.
    /// Default: 1e-8.
    pub eps: Positive,
}

impl Default for AmsGrad {
    fn default() -> Self {
        Self { lr: in_range(0.001), beta1: in_range(0.9), beta2: in_range(0.999), eps: in_range(1e-8) }
    }
}

impl UpdateRule for AmsGrad {
    const USUAL_LR: [f64; 2] = Adam::USUAL_LR;

    /// The running mean m of gradients, the running mean v of their squares, then the largest u that v has been.
    fn slots(&self) -> usize {
        3
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let (beta1, beta2) = (self.beta1.get(), self.beta2.get());
        let lr = R::from_f64(lr / (1.0 - power(beta1, step + 1)));
        let root = R::from_f64((1.0 - power(beta2, step + 1)).sqrt());
        let (new1, new2) = (R::from_f64(1.0 - beta1), R::from_f64(1.0 - beta2));
        let eps = R::from_f64(self.eps.get());
        let (means, rest) = slots.split_at_mut(parameters.len());
        let (squares, largest) = rest.split_at_mut(parameters.len());
        for ((((w, &g), m), v), u) in parameters.iter_mut().zip(gradients).zip(means).zip(squares).zip(largest) {
            *m += new1 * (g - *m);
            *v += new2 * (g * g - *v);
            *u = if *u >= *v { *u } else { *v };
            *w -= lr * *m / (u.sqrt() / root + eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instructions;
    use crate::optim::{AdamW, Optimizer};

    /// The lengths of the steps after one steep gradient and many flat ones.
    fn steps_after_a_cliff(optimizer: &Optimizer) -> Vec<f64> {
        let (mut parameter, mut slots) = ([0.0], vec![0.0; optimizer.slots()]);
        let mut lengths = Vec::new();
        for step in 0..3000 {
            let before = parameter[0];
            let gradient = if step == 0 { 100.0 } else { 1.0 };
            optimizer.update(Instructions::fastest(), step, &mut parameter, &[gradient], &mut slots).unwrap();
            lengths.push(before - parameter[0]);
        }
        lengths
    }

    #[test]
    fn steps_stay_short_after_a_cliff_that_adam_forgets() {
        let (ours, adams) = (
            steps_after_a_cliff(&AmsGrad { beta2: in_range(0.99), ..AmsGrad::default() }.into()),
            steps_after_a_cliff(&AdamW { beta2: in_range(0.99), ..AdamW::default() }.into()),
        );
        assert!((adams[2999] - 0.001).abs() < 1e-8, "{}", adams[2999]);
        // √u stays √(0.01 · 100²) = 10, where the gradient is 1.
        assert!((ours[2999] - 0.0001).abs() < 1e-8, "{}", ours[2999]);
    }
}
