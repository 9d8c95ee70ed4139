//! Nesterov's accelerated gradient.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Sgd, UpdateRule, in_range};
use crate::number::{Fraction, Positive};
use crate::real::Real;

/// Nesterov's accelerated gradient.
///
/// Nesterov 1983, "A method for solving the convex programming problem with convergence rate O(1/k²)". The gradient is
/// taken where the momentum is about to lead, at w + μv. Bengio, Boulanger-Lewandowski & Pascanu 2013, "Advances in
/// optimizing recurrent networks", store that point in place of w, so that the gradient is taken at the parameters as
/// they are:
///
/// - `form = "lookahead"` (default), as in the repository of "Deep Learning from Scratch": w ← w + μ²v − (1+μ)ηg with
///   the old velocity, then v ← μv − ηg. PyTorch's `torch.optim.SGD(nesterov=True)` takes the same path while η stays
///   the same.
/// - `form = "memo"`: v ← μv − ηg first, then w ← w + μ²v − (1+μ)ηg with the *new* velocity. Written out, the step is
///   μ³v − (1+μ+μ²)ηg, which looks two steps ahead, to w + (μ+μ²)v.
///
/// The defaults η = 0.01 and μ = 0.9 are the book's.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Nesterov {
    /// Learning rate η, above 0. Default: 0.01.
    pub lr: Positive,
    /// Share μ of the velocity that is kept at each step, from 0 to below 1. Default: 0.9.
    pub momentum: Fraction,
    /// Whether the parameters move by the velocity from before its update, `"lookahead"`, or from after it, `"memo"`.
    /// Default: `"lookahead"`.
    pub form: NesterovForm,
}

/// Which velocity moves the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NesterovForm {
    /// The velocity from before its update: Nesterov's rule, as Bengio et al. and PyTorch have it.
    #[default]
    Lookahead,
    /// The velocity from after its update, which looks one step further ahead.
    Memo,
}

impl Default for Nesterov {
    fn default() -> Self {
        Self { lr: in_range(0.01), momentum: in_range(0.9), form: NesterovForm::default() }
    }
}

impl UpdateRule for Nesterov {
    const USUAL_LR: [f64; 2] = Sgd::USUAL_LR;

    /// The velocity v.
    fn slots(&self) -> usize {
        1
    }

    #[inline(always)]
    fn update<R: Real>(&self, lr: f64, _step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]) {
        let momentum = self.momentum.get();
        let ahead = R::from_f64(momentum * momentum);
        let lr_ahead = R::from_f64((1.0 + momentum) * lr);
        let (lr, momentum) = (R::from_f64(lr), R::from_f64(momentum));
        let elements = parameters.iter_mut().zip(gradients).zip(slots);
        match self.form {
            NesterovForm::Lookahead => {
                for ((w, &g), v) in elements {
                    *w += ahead * *v;
                    *w -= lr_ahead * g;
                    *v = momentum * *v - lr * g;
                }
            }
            NesterovForm::Memo => {
                for ((w, &g), v) in elements {
                    *v = momentum * *v - lr * g;
                    *w += ahead * *v;
                    *w -= lr_ahead * g;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Instructions;
    use crate::optim::Optimizer;

    /// The gradient of a parabola so steep that the two forms soon diverge from each other.
    fn gradient(w: f64) -> f64 {
        w - 3.0
    }

    /// Position and velocity of classical momentum, w ← w + v, after each step, where v ← μv − ηg(w + `reach` · v).
    fn classical(reach: f64, steps: usize) -> Vec<(f64, f64)> {
        let (mut w, mut v) = (0.0, 0.0);
        (0..steps)
            .map(|_| {
                v = 0.9 * v - 0.1 * gradient(w + reach * v);
                w += v;
                (w, v)
            })
            .collect()
    }

    fn assert_looks_ahead(form: NesterovForm, reach: f64) {
        let rule = Optimizer::from(Nesterov { lr: in_range(0.1), momentum: in_range(0.9), form });
        let (mut parameter, mut velocity) = ([0.0], [0.0]);
        for (step, (w, v)) in classical(reach, 40).into_iter().enumerate() {
            let gradients = parameter.map(gradient);
            rule.update(Instructions::fastest(), step as u64, &mut parameter, &gradients, &mut velocity).unwrap();
            assert!((parameter[0] - (w + reach * v)).abs() < 1e-13, "step {step} of {form:?}");
            assert!((velocity[0] - v).abs() < 1e-13, "step {step} of {form:?}");
        }
    }

    #[test]
    fn the_lookahead_form_takes_the_gradient_one_step_ahead() {
        assert_looks_ahead(NesterovForm::Lookahead, 0.9);
    }

    #[test]
    fn the_memo_form_takes_the_gradient_two_steps_ahead() {
        assert_looks_ahead(NesterovForm::Memo, 0.9 + 0.9 * 0.9);
    }
}
