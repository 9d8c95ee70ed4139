//! Penalties on large weights.

use serde::Deserialize;

use super::parameters::Layout;
use crate::kernel;
use crate::number::NonNegative;
use crate::real::Real;
use crate::settings::Settings;

/// The `[regularization]` section. Penalties act on all weights, the output layer's too, and never on biases.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Regularization {
    /// The strength λ of weight decay (L2): the loss grows by ½ λ Σ W², the gradient by λW.
    ///
    /// The default, 0, is off. PyTorch's `weight_decay` of its SGD has the same gradient and shows nothing in the loss.
    pub weight_decay: NonNegative,
    /// The strength λ of L1: the loss grows by λ Σ |W|, the gradient by λ sign(W), where sign(0) is 0.
    ///
    /// The default, 0, is off.
    pub l1: NonNegative,
}

impl Default for Regularization {
    fn default() -> Self {
        let off = NonNegative::new(0.0).expect("zero is not negative");
        Self { weight_decay: off, l1: off }
    }
}

impl Regularization {
    /// Writes `weight_decay` and `l1`.
    pub fn settings(&self, settings: &mut Settings) {
        settings.set("weight_decay", self.weight_decay.get());
        settings.set("l1", self.l1.get());
    }

    /// What the penalties add to the loss.
    ///
    /// Squares and magnitudes are summed in `f64` by [`kernel::sum_by`], matrix after matrix, so an `f32` run's penalty is as
    /// good as its loss.
    pub fn penalty<R: Real>(&self, layout: &Layout, parameters: &[R]) -> f64 {
        let sum = |strength: f64, term: fn(f64) -> f64| {
            if strength == 0.0 {
                return 0.0;
            }
            let matrices = layout.weights().map(|view| &parameters[view.range.clone()]);
            strength * matrices.map(|weights| kernel::sum_by(weights, |w| term(w.to_f64()))).sum::<f64>()
        };
        sum(0.5 * self.weight_decay.get(), |w| w * w) + sum(self.l1.get(), f64::abs)
    }

    /// Adds the penalties' gradients to those of the loss: + λW, then + λ sign(W), each λ rounded once.
    pub fn add_gradients<R: Real>(&self, layout: &Layout, parameters: &[R], gradients: &mut [R]) {
        let add = |strength: f64, gradients: &mut [R], slope: fn(R) -> R| {
            if strength == 0.0 {
                return;
            }
            let strength = R::from_f64(strength);
            for view in layout.weights() {
                let weights = &parameters[view.range.clone()];
                for (gradient, weight) in gradients[view.range.clone()].iter_mut().zip(weights) {
                    *gradient += strength * slope(*weight);
                }
            }
        };
        add(self.weight_decay.get(), gradients, |w| w);
        add(self.l1.get(), gradients, sign);
    }
}

fn sign<R: Real>(x: R) -> R {
    if x > R::zero() {
        R::one()
    } else if x < R::zero() {
        -R::one()
    } else {
        // Zero, or NaN, which stays one.
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::parameters::Role;

    fn layout() -> Layout {
        let mut layout = Layout::default();
        layout.add("affine1", Role::Weight, &[1, 2]);
        layout.add("affine1", Role::Bias, &[2]);
        layout.add("affine2", Role::Weight, &[2, 1]);
        layout
    }

    const PARAMETERS: [f32; 6] = [3.0, -1.0, 100.0, 100.0, 0.0, -2.0];

    fn regularization(weight_decay: f64, l1: f64) -> Regularization {
        Regularization { weight_decay: NonNegative::new(weight_decay).unwrap(), l1: NonNegative::new(l1).unwrap() }
    }

    #[test]
    fn penalties_by_hand() {
        assert_eq!(regularization(0.5, 0.0).penalty(&layout(), &PARAMETERS), 0.25 * 14.0);
        assert_eq!(regularization(0.0, 0.5).penalty(&layout(), &PARAMETERS), 0.5 * 6.0);
        assert_eq!(regularization(0.5, 0.5).penalty(&layout(), &PARAMETERS), 6.5);
        assert_eq!(Regularization::default().penalty(&layout(), &PARAMETERS), 0.0);
    }

    #[test]
    fn gradients_by_hand() {
        let mut gradients = [1.0; 6];
        regularization(0.5, 0.25).add_gradients(&layout(), &PARAMETERS, &mut gradients);
        assert_eq!(gradients, [2.75, 0.25, 1.0, 1.0, 1.0, -0.25]);
    }

    #[test]
    fn both_are_off_where_the_file_is_silent() {
        assert_eq!(serde_json::from_str::<Regularization>("{}").unwrap(), Regularization::default());
        let error = serde_json::from_str::<Regularization>(r#"{"l1": -1}"#).unwrap_err().to_string();
        assert!(error.contains("0 or above"), "{error}");
    }
}
