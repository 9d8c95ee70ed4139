//! Penalties on large weights, and a limit to large gradients.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::NotFinite;
use super::parameters::ParameterLayout;
use crate::forms::or;
use crate::kernel::{self, Element};
use crate::number::{NonNegative, OutOfRange, Positive, shortest};
use crate::real::{Real, sign};
use crate::settings::Settings;

/// The `[regularization]` section. Penalties act on all weights, including the output layer's, and never on biases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Regularization {
    /// The strength λ of weight decay (L2): the loss grows by ½ λ Σ W², the gradient by λW.
    ///
    /// The default, 0, is off. `weight_decay` of PyTorch's SGD has the same gradient, but adds nothing to the loss.
    pub weight_decay: NonNegative,
    /// The strength λ of L1: the loss grows by λ Σ |W|, the gradient by λ sign(W), where sign(0) is 0.
    ///
    /// The default, 0, is off.
    pub l1: NonNegative,
    /// The largest norm of all gradients together, including those of biases and penalties. If the norm is larger, all
    /// gradients are scaled down to it. Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural
    /// networks".
    ///
    /// PyTorch's `torch.nn.utils.clip_grad_norm_`. The default, `inf`, is no limit.
    #[serde(deserialize_with = "limit", serialize_with = "or_infinity")]
    #[schemars(with = "Limit")]
    pub clip_norm: Option<Positive>,
}

/// A number above 0, or `inf`.
#[derive(JsonSchema)]
#[schemars(transform = or::<Infinity>)]
struct Limit(#[expect(dead_code, reason = "its schema alone is used")] Positive);

/// JSON has no other word for it than null.
#[derive(JsonSchema)]
#[schemars(extend("const" = Option::<f64>::None))]
struct Infinity;

/// A number above 0; none for infinity.
fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Positive>, D::Error> {
    match f64::deserialize(deserializer)? {
        f64::INFINITY => Ok(None),
        number => Positive::new(number).map(Some).map_err(|_| {
            D::Error::custom(OutOfRange::new(shortest(number), "a number above 0, or `inf` for no limit"))
        }),
    }
}

/// The inverse of [`limit`].
fn or_infinity<S: Serializer>(limit: &Option<Positive>, serializer: S) -> Result<S::Ok, S::Error> {
    limit.map_or(f64::INFINITY, Positive::get).serialize(serializer)
}

impl Regularization {
    /// Writes `weight_decay`, `l1` and, if it is set, `clip_norm`.
    pub fn settings(&self, settings: &mut Settings) {
        settings.set("weight_decay", self.weight_decay.get());
        settings.set("l1", self.l1.get());
        if let Some(largest) = self.clip_norm {
            settings.set("clip_norm", largest.get());
        }
    }

    /// The penalties' part of the loss.
    ///
    /// Squares and magnitudes are summed in `f64` by [`kernel::sum_by`], matrix after matrix, so the penalty of an
    /// `f32` run is as accurate as its loss.
    #[inline(always)]
    pub fn penalty<R: Real>(&self, layout: &ParameterLayout, parameters: &[R]) -> f64 {
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
    #[inline(always)]
    pub fn add_gradients<R: Real>(&self, layout: &ParameterLayout, parameters: &[R], gradients: &mut [R]) {
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

    /// Scales all gradients by `clip_norm` / (norm + 1e-6), rounded once, if that is below 1.
    ///
    /// The norm is the root of the sum of all squares, summed in `f64` by [`kernel::sum_by`], parameter after
    /// parameter. The 1e-6 is PyTorch's.
    ///
    /// # Errors
    /// If the norm is not finite, which would scale all gradients down to 0. The error names the first layer with a
    /// gradient that is not finite or, if only the squares are not finite, `clip_norm`.
    #[inline(always)]
    pub fn clip<R: Element>(&self, layout: &ParameterLayout, gradients: &mut [R]) -> Result<(), NotFinite> {
        let Some(largest) = self.clip_norm else { return Ok(()) };
        let square = |g: R| g.to_f64() * g.to_f64();
        let squares = layout.views().iter().map(|view| kernel::sum_by(&gradients[view.range.clone()], square));
        let norm = squares.sum::<f64>().sqrt();
        if !norm.is_finite() {
            let layer = layout.first_not_finite(gradients).map_or("clip_norm", |view| view.layer());
            return Err(NotFinite::of(layer));
        }
        let scale = largest.get() / (norm + 1e-6);
        if scale < 1.0 {
            let scale = R::from_f64(scale);
            for g in gradients.iter_mut() {
                *g *= scale;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::parameters::ParameterRole;

    fn layout() -> ParameterLayout {
        let mut layout = ParameterLayout::default();
        layout.add("affine1", ParameterRole::Weight, &[1, 2]);
        layout.add("affine1", ParameterRole::Bias, &[2]);
        layout.add("affine2", ParameterRole::Weight, &[2, 1]);
        layout
    }

    const PARAMETERS: [f32; 6] = [3.0, -1.0, 100.0, 100.0, 0.0, -2.0];

    fn regularization(weight_decay: f64, l1: f64) -> Regularization {
        let strength = |value| NonNegative::new(value).unwrap();
        Regularization { weight_decay: strength(weight_decay), l1: strength(l1), clip_norm: None }
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
    fn large_gradients_are_scaled_down_together() {
        let clip = |largest: f64, gradients: [f64; 6]| {
            let regularization =
                Regularization { clip_norm: Some(Positive::new(largest).unwrap()), ..Default::default() };
            let mut clipped = gradients;
            regularization.clip(&layout(), &mut clipped).unwrap();
            clipped
        };
        // 1 + 4 + 16 + 4 + 0 + 0 = 25
        let gradients = [1.0, -2.0, 4.0, 2.0, 0.0, 0.0];
        let scale = 2.5 / (5.0 + 1e-6);
        assert_eq!(clip(2.5, gradients), gradients.map(|g| g * scale));
        assert_eq!(clip(5.1, gradients), gradients);
        assert_eq!(clip(1.0, [0.0; 6]), [0.0; 6]);
    }

    /// Computed by `tests/goldens/pytorch.py`.
    #[test]
    fn gradients_are_clipped_as_pytorch_clips_them() {
        #[derive(Deserialize)]
        struct Goldens {
            clipping: Vec<Golden>,
        }
        #[derive(Deserialize)]
        struct Golden {
            clip_norm: Positive,
            gradients: Vec<f64>,
            clipped: Vec<f64>,
        }
        let goldens: Goldens = toml::from_str(include_str!("../../../tests/goldens/pytorch.toml")).unwrap();
        assert_eq!(goldens.clipping.len(), 9);
        for Golden { clip_norm, mut gradients, clipped } in goldens.clipping {
            let regularization = Regularization { clip_norm: Some(clip_norm), ..Regularization::default() };
            regularization.clip(&layout(), &mut gradients).unwrap();
            for (ours, theirs) in gradients.iter().zip(&clipped) {
                assert!((ours - theirs).abs() <= 1e-15 * theirs.abs(), "{gradients:?} {clipped:?}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_hidden_by_clipping() {
        let regularization = Regularization { clip_norm: Some(Positive::new(1.0).unwrap()), ..Default::default() };
        for bad in [f32::NAN, f32::INFINITY] {
            let mut gradients = [1.0, 2.0, bad, 4.0, 5.0, 6.0];
            assert_eq!(regularization.clip(&layout(), &mut gradients), Err(NotFinite::of("affine1")));
        }
    }

    #[test]
    fn gradients_whose_norm_overflows_are_not_scaled_to_nothing() {
        let regularization = Regularization { clip_norm: Some(Positive::new(1.0).unwrap()), ..Default::default() };
        let gradients = [1.0, 2.0, 1e160_f64, 4.0, 5.0, 6.0];
        assert_eq!(regularization.clip(&layout(), &mut gradients.clone()), Err(NotFinite::of("clip_norm")));
        // In f32, finite gradients always have a finite norm.
        let mut gradients = gradients.map(|g| g.min(3e38) as f32);
        regularization.clip(&layout(), &mut gradients).unwrap();
        assert!((gradients[2] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn all_are_off_where_the_file_is_silent() {
        assert_eq!(serde_json::from_str::<Regularization>("{}").unwrap(), Regularization::default());
        let error = serde_json::from_str::<Regularization>(r#"{"l1": -1}"#).unwrap_err().to_string();
        assert!(error.contains("0 or above"), "{error}");
    }
}
