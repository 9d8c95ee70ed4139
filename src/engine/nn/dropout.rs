//! Dropout: in every training step, each unit is dropped with a given probability (Srivastava et al. 2014, "Dropout: a
//! simple way to prevent neural networks from overfitting").

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::forms::forms;
use crate::forms::or;
use crate::number::Ratio;
use crate::real::Real;

/// What a dropout layer does. In the file a number, the ratio, or a table of both.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[schemars(transform = or::<Ratio>)]
pub struct Dropout {
    /// The probability that a unit is dropped. At 0, the default, nothing is drawn, as if the layer were not there.
    pub ratio: Ratio,
    /// How dropped units are compensated for: `"inference"` (the default) or `"inverted"`.
    pub scaling: DropoutScaling,
}

/// What makes up for the units that are dropped in training but not in an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DropoutScaling {
    /// The book's: an evaluation multiplies by 1 − ratio.
    #[default]
    Inference,
    /// PyTorch's: training divides by 1 − ratio, and an evaluation changes nothing.
    Inverted,
}

impl Dropout {
    /// Whether the layer does nothing.
    pub fn is_off(self) -> bool {
        self.ratio.get() == 0.0
    }

    /// Turns `uniforms` into each unit's factor: 0 if u ≤ ratio, otherwise 1 or, inverted, 1 / (1 − ratio).
    #[inline(always)]
    pub fn mask<R: Real>(self, uniforms: &[f64], mask: &mut [R]) {
        let kept = match self.scaling {
            DropoutScaling::Inference => R::one(),
            DropoutScaling::Inverted => R::from_f64(1.0 / (1.0 - self.ratio.get())),
        };
        let ratio = self.ratio.get();
        for (mask, u) in mask.iter_mut().zip(uniforms) {
            *mask = if *u > ratio { kept } else { R::zero() };
        }
    }

    /// The forward pass in training: y = x · mask.
    #[inline(always)]
    pub fn forward<R: Real>(mask: &[R], x: &[R], y: &mut [R]) {
        for ((y, x), mask) in y.iter_mut().zip(x).zip(mask) {
            *y = *x * *mask;
        }
    }

    /// Turns the gradient of the loss with respect to y into that with respect to x, in place: dx = dy · mask.
    #[inline(always)]
    pub fn backward<R: Real>(mask: &[R], gradient: &mut [R]) {
        for (gradient, mask) in gradient.iter_mut().zip(mask) {
            *gradient *= *mask;
        }
    }

    /// The forward pass of an evaluation: y = (1 − ratio) x, or x if training was scaled.
    #[inline(always)]
    pub fn evaluate<R: Real>(self, x: &[R], y: &mut [R]) {
        match self.scaling {
            DropoutScaling::Inference => {
                let share = R::from_f64(1.0 - self.ratio.get());
                for (y, x) in y.iter_mut().zip(x) {
                    *y = *x * share;
                }
            }
            DropoutScaling::Inverted => y.copy_from_slice(x),
        }
    }
}

impl Serialize for Dropout {
    /// The default, no dropout, as the ratio alone.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self == Self::default() {
            true => self.ratio.serialize(serializer),
            false => Dropout::serialize(self, serializer),
        }
    }
}

forms! {
    Dropout, "a ratio from 0 to below 1, or a table such as { ratio = 0.2, scaling = \"inverted\" }",
    number: |ratio| Ratio::new(ratio).map(|ratio| Dropout { ratio, ..Dropout::default() }),
    table: Dropout::deserialize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropout(ratio: f64, scaling: DropoutScaling) -> Dropout {
        Dropout { ratio: Ratio::new(ratio).unwrap(), scaling }
    }

    const UNIFORMS: [f64; 4] = [0.0, 0.2, 0.3, 0.9];

    #[test]
    fn a_unit_is_kept_where_its_uniform_number_is_above_the_ratio() {
        let mut mask = [f64::NAN; 4];
        dropout(0.2, DropoutScaling::Inference).mask(&UNIFORMS, &mut mask);
        assert_eq!(mask, [0.0, 0.0, 1.0, 1.0]);
        dropout(0.2, DropoutScaling::Inverted).mask(&UNIFORMS, &mut mask);
        assert_eq!(mask, [0.0, 0.0, 1.25, 1.25]);
    }

    #[test]
    fn what_a_ratio_keeps_a_smaller_one_keeps_too_in_either_precision() {
        let (mut wide, mut narrow) = ([0.0_f64; 4], [0.0_f32; 4]);
        dropout(0.1, DropoutScaling::Inference).mask(&UNIFORMS, &mut wide);
        dropout(0.2, DropoutScaling::Inference).mask(&UNIFORMS, &mut narrow);
        assert!(wide.iter().zip(narrow).all(|(wide, narrow)| f64::from(narrow) <= *wide));
        dropout(0.1, DropoutScaling::Inference).mask(&UNIFORMS, &mut narrow);
        assert_eq!(narrow.map(f64::from), wide);
    }

    #[test]
    fn values_and_gradients_are_masked_alike() {
        let (x, mask) = ([1.0, -2.0, 3.0], [1.25, 1.25, 0.0]);
        let mut y = [f64::NAN; 3];
        Dropout::forward(&mask, &x, &mut y);
        assert_eq!(y, [1.25, -2.5, 0.0]);
        let mut gradient = [4.0, 8.0, 2.0];
        Dropout::backward(&mask, &mut gradient);
        assert_eq!(gradient, [5.0, 10.0, 0.0]);
    }

    #[test]
    fn an_evaluation_makes_up_for_what_training_left_out() {
        let mut y = [f64::NAN; 2];
        dropout(0.25, DropoutScaling::Inference).evaluate(&[4.0, -8.0], &mut y);
        assert_eq!(y, [3.0, -6.0]);
        dropout(0.25, DropoutScaling::Inverted).evaluate(&[4.0, -8.0], &mut y);
        assert_eq!(y, [4.0, -8.0]);
    }

    #[test]
    fn a_number_is_a_ratio() {
        let read = |json| serde_json::from_str::<Dropout>(json);
        assert_eq!(read("0.5").unwrap(), dropout(0.5, DropoutScaling::Inference));
        assert_eq!(read("0").unwrap(), Dropout::default());
        assert!(Dropout::default().is_off());
        assert_eq!(read(r#"{"ratio": 0.5, "scaling": "inverted"}"#).unwrap(), dropout(0.5, DropoutScaling::Inverted));
        let said = |json| read(json).unwrap_err().to_string();
        assert!(said("1").starts_with("`1` is out of range, expected a ratio from 0 to below 1"), "{}", said("1"));
        assert!(said(r#"{"ratio": -0.1}"#).contains("a ratio from 0 to below 1"));
        assert!(said("\"half\"").contains("expected a ratio from 0 to below 1, or a table such as"));
    }
}
