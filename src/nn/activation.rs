//! Activations: functions of one number, applied to each.

use serde::Deserialize;

use crate::real::Real;

/// What follows every hidden affine layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(x, 0).
    #[default]
    Relu,
    /// 1 / (1 + e^−x).
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// As the experiment file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
        }
    }

    /// y = f(x). `x` and `y` have one shape. NaN stays NaN.
    pub fn forward<R: Real>(self, x: &[R], y: &mut [R]) {
        match self {
            // Written as "zero where x ≤ 0", not as a maximum, which would turn NaN into 0.
            Self::Relu => map(x, y, |x| if x <= R::zero() { R::zero() } else { x }),
            Self::Sigmoid => map(x, y, |x| R::one() / (R::one() + (-x).exp())),
            Self::Tanh => map(x, y, R::tanh),
        }
    }

    /// Turns the loss's gradient by y into that by x, in place. All three derivatives are functions of y: 1 where y > 0,
    /// y (1 − y), 1 − y².
    pub fn backward<R: Real>(self, y: &[R], gradient: &mut [R]) {
        match self {
            Self::Relu => map_in_place(y, gradient, |y, dy| if y <= R::zero() { R::zero() } else { dy }),
            Self::Sigmoid => map_in_place(y, gradient, |y, dy| dy * (R::one() - y) * y),
            Self::Tanh => map_in_place(y, gradient, |y, dy| dy * (R::one() - y * y)),
        }
    }
}

fn map<R: Real>(x: &[R], y: &mut [R], f: impl Fn(R) -> R) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = f(*x));
}

fn map_in_place<R: Real>(y: &[R], gradient: &mut [R], f: impl Fn(R, R) -> R) {
    gradient.iter_mut().zip(y).for_each(|(gradient, y)| *gradient = f(*y, *gradient));
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Activation; 3] = [Activation::Relu, Activation::Sigmoid, Activation::Tanh];

    #[test]
    fn the_name_is_what_the_file_says() {
        for activation in ALL {
            let text = format!("\"{}\"", activation.name());
            assert_eq!(serde_json::from_str::<Activation>(&text).unwrap(), activation);
        }
    }

    #[test]
    fn values_at_known_points() {
        let x = [-2.0, -0.0, 0.0, 3_f64.ln()];
        for (activation, expected) in [
            (Activation::Relu, [0.0, 0.0, 0.0, x[3]]),
            (Activation::Sigmoid, [1.0 / (1.0 + 2_f64.exp()), 0.5, 0.5, 0.75]),
            (Activation::Tanh, [-(1.0 - 2.0 / (4_f64.exp() + 1.0)), 0.0, 0.0, 0.8]),
        ] {
            let mut y = [f64::NAN; 4];
            activation.forward(&x, &mut y);
            for (y, expected) in y.iter().zip(expected) {
                assert!((y - expected).abs() < 1e-15, "{activation:?} {y} {expected}");
            }
        }
    }

    #[test]
    fn nan_passes_and_relu_cuts_the_negative_infinity() {
        for activation in ALL {
            let mut y = [0.0_f32; 3];
            activation.forward(&[f32::NAN, f32::NEG_INFINITY, f32::INFINITY], &mut y);
            assert!(y[0].is_nan(), "{activation:?}");
            let ends = match activation {
                Activation::Relu => [0.0, f32::INFINITY],
                Activation::Sigmoid => [0.0, 1.0],
                Activation::Tanh => [-1.0, 1.0],
            };
            assert_eq!(y[1..], ends, "{activation:?}");
        }
    }
}
