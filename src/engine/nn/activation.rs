//! Activations: elementwise functions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::number::{Fraction, Positive};
use crate::real::Real;

/// A function that follows an affine layer. Every one of them maps finite numbers to finite numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(x, 0).
    #[default]
    Relu,
    /// 1 / (1 + e^−x).
    Sigmoid,
    /// (e^x − e^−x) / (e^x + e^−x), the hyperbolic tangent.
    Tanh,
    /// x above 0, `slope` times x below (Maas et al. 2013, "Rectifier nonlinearities improve neural network acoustic
    /// models").
    LeakyRelu(LeakyRelu),
    /// x above 0, α (e^x − 1) below (Clevert et al. 2016, "Fast and accurate deep network learning by exponential
    /// linear units").
    Elu(Elu),
    /// x Φ(x), where Φ is the distribution function of the standard Gaussian (Hendrycks & Gimpel 2016, "Gaussian error
    /// linear units"). Computed exactly, as in PyTorch by default, not with the tanh approximation.
    Gelu,
    /// ln(1 + e^x). PyTorch replaces it by x above 20, which is 2·10⁻⁹ less.
    Softplus,
    /// x itself: no activation.
    Identity,
}

/// The setting of `"leaky-relu"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LeakyRelu {
    /// What negative numbers are multiplied by. Default: 0.01, as in PyTorch (`negative_slope`).
    pub slope: Fraction,
}

/// The setting of `"elu"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Elu {
    /// α: large negative numbers become −α. Default: 1, as in PyTorch.
    pub alpha: Positive,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self { slope: Fraction::new(0.01).expect("0.01 is a fraction") }
    }
}

impl Default for Elu {
    fn default() -> Self {
        Self { alpha: Positive::new(1.0).expect("1 is positive") }
    }
}

impl Activation {
    /// The names of all activations.
    pub const NAMES: [&'static str; 8] =
        ["relu", "sigmoid", "tanh", "leaky-relu", "elu", "gelu", "softplus", "identity"];

    /// The name in the experiment file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::LeakyRelu(_) => "leaky-relu",
            Self::Elu(_) => "elu",
            Self::Gelu => "gelu",
            Self::Softplus => "softplus",
            Self::Identity => "identity",
        }
    }

    /// The activation's own number, if it has one: its name and its value.
    pub const fn number(self) -> Option<(&'static str, f64)> {
        match self {
            Self::LeakyRelu(LeakyRelu { slope }) => Some(("slope", slope.get())),
            Self::Elu(Elu { alpha }) => Some(("alpha", alpha.get())),
            _ => None,
        }
    }

    /// Whether the derivative is a function of y, so that x need not be kept: 1 where y > 0, y (1 − y), 1 − y², 1.
    pub const fn is_known_by_its_output(self) -> bool {
        matches!(self, Self::Relu | Self::Sigmoid | Self::Tanh | Self::Identity)
    }

    /// Turns every x into f(x), in place. NaN stays NaN.
    #[inline(always)]
    pub fn forward<R: Real>(self, values: &mut [R]) {
        match self {
            // Not a maximum, which would turn NaN into 0.
            Self::Relu => map(values, |x| keep_unless(x <= R::zero(), x)),
            Self::Sigmoid => map(values, sigmoid),
            Self::Tanh => map(values, R::tanh),
            Self::LeakyRelu(LeakyRelu { slope }) => {
                let slope = R::from_f64(slope.get());
                map(values, |x| if x <= R::zero() { slope * x } else { x });
            }
            Self::Elu(Elu { alpha }) => {
                let alpha = R::from_f64(alpha.get());
                map(values, |x| if x <= R::zero() { alpha * x.exp_m1() } else { x });
            }
            // Marked for inlining, as the compiler finds these closures too long to inline them by itself.
            Self::Gelu => map(
                values,
                #[inline(always)]
                |x| gelu(x),
            ),
            Self::Softplus => map(
                values,
                #[inline(always)]
                |x| softplus(x),
            ),
            Self::Identity => {}
        }
    }

    /// Turns the gradient of the loss with respect to y into that with respect to x, in place. x is ignored if y alone
    /// [is enough](Self::is_known_by_its_output). ReLU and leaky ReLU have no derivative at 0; the left-hand one is
    /// used, as in PyTorch.
    #[inline(always)]
    pub fn backward<R: Real>(self, x: &[R], y: &[R], gradient: &mut [R]) {
        match self {
            Self::Relu => map_in_place(y, gradient, |y, dy| keep_unless(y <= R::zero(), dy)),
            Self::Sigmoid => map_in_place(y, gradient, |y, dy| dy * (R::one() - y) * y),
            Self::Tanh => map_in_place(y, gradient, |y, dy| dy * (R::one() - y * y)),
            Self::LeakyRelu(LeakyRelu { slope }) => {
                let slope = R::from_f64(slope.get());
                map_in_place(x, gradient, |x, dy| if x <= R::zero() { slope * dy } else { dy });
            }
            Self::Elu(Elu { alpha }) => {
                let alpha = R::from_f64(alpha.get());
                map_in_place(x, gradient, |x, dy| if x <= R::zero() { dy * alpha * x.exp() } else { dy });
            }
            Self::Gelu => map_in_place(
                x,
                gradient,
                #[inline(always)]
                |x, dy| gelu_backward(x, dy),
            ),
            Self::Softplus => map_in_place(x, gradient, |x, dy| dy * sigmoid(x)),
            Self::Identity => {}
        }
    }
}

/// 0 if `condition` holds, otherwise `value`, with +0 for −0.
///
/// The sum makes the result a new value. Without it, a loop in place would compile to masked stores, which some
/// processors execute lane by lane.
#[inline(always)]
fn keep_unless<R: Real>(condition: bool, value: R) -> R {
    if condition { R::zero() } else { value + R::zero() }
}

#[inline(always)]
fn gelu<R: Real>(x: R) -> R {
    x * x.normal_cdf()
}

#[inline(always)]
fn gelu_backward<R: Real>(x: R, dy: R) -> R {
    // 1 / √(2π)
    let peak = R::from_f64(0.398_942_280_401_432_7);
    // Beyond this the density is 0 in either precision, and x² does not overflow below it.
    let near = if x.abs() > R::from_f64(40.0) { R::from_f64(40.0) } else { x };
    let density = peak * (-(R::from_f64(0.5) * near * near)).exp();
    dy * (x.normal_cdf() + near * density)
}

#[inline(always)]
fn softplus<R: Real>(x: R) -> R {
    let above = if x <= R::zero() { R::zero() } else { x };
    above + (-x.abs()).exp().ln_1p()
}

#[inline(always)]
fn sigmoid<R: Real>(x: R) -> R {
    R::one() / (R::one() + (-x).exp())
}

#[inline(always)]
fn map<R: Real>(values: &mut [R], f: impl Fn(R) -> R) {
    for value in values.iter_mut() {
        *value = f(*value);
    }
}

#[inline(always)]
fn map_in_place<R: Real>(values: &[R], gradient: &mut [R], f: impl Fn(R, R) -> R) {
    for (gradient, value) in gradient.iter_mut().zip(values) {
        *gradient = f(*value, *gradient);
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// One of each kind, with its defaults.
    pub fn all() -> Vec<Activation> {
        let read = |name| {
            let unit = serde_json::from_str::<Activation>(&format!("\"{name}\""));
            unit.or_else(|_| serde_json::from_str(&format!("{{\"{name}\": {{}}}}"))).unwrap()
        };
        Activation::NAMES.into_iter().map(read).collect()
    }

    #[test]
    fn the_name_is_what_the_file_says() {
        let names: Vec<_> = all().into_iter().map(Activation::name).collect();
        assert_eq!(names, Activation::NAMES);
        let error = serde_json::from_str::<Activation>("\"nothing\"").unwrap_err().to_string();
        let known: Vec<_> = Activation::NAMES.iter().map(|name| format!("`{name}`")).collect();
        assert!(error.contains(&known.join(", ")), "{error}");
    }

    #[test]
    fn values_at_known_points() {
        let x = [-2.0, -0.0, 0.0, 3_f64.ln()];
        let leaky = LeakyRelu { slope: Fraction::new(0.25).unwrap() };
        let elu = Elu { alpha: Positive::new(3.0).unwrap() };
        for (activation, expected) in [
            (Activation::Relu, [0.0, 0.0, 0.0, x[3]]),
            (Activation::Sigmoid, [1.0 / (1.0 + 2_f64.exp()), 0.5, 0.5, 0.75]),
            (Activation::Tanh, [-(1.0 - 2.0 / (4_f64.exp() + 1.0)), 0.0, 0.0, 0.8]),
            (Activation::LeakyRelu(leaky), [-0.5, 0.0, 0.0, x[3]]),
            (Activation::Elu(elu), [3.0 * (-2_f64).exp() - 3.0, 0.0, 0.0, x[3]]),
            // x Φ(x), from mpmath.
            (Activation::Gelu, [-2.0 * (1.0 - 0.977_249_868_051_820_8), 0.0, 0.0, 0.949_235_505_440_148_1]),
            (Activation::Softplus, [(-2_f64).exp().ln_1p(), 2_f64.ln(), 2_f64.ln(), 4_f64.ln()]),
            (Activation::Identity, x),
        ] {
            let mut y = x;
            activation.forward(&mut y);
            for (y, expected) in y.iter().zip(expected) {
                assert!((y - expected).abs() < 1e-15, "{activation:?} {y} {expected}");
            }
        }
    }

    #[test]
    fn nan_passes_and_relu_cuts_the_negative_infinity() {
        for activation in all() {
            let mut y = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY];
            activation.forward(&mut y);
            assert!(y[0].is_nan(), "{activation:?}");
            let ends = match activation {
                Activation::Relu | Activation::Softplus => [0.0, f32::INFINITY],
                Activation::Sigmoid => [0.0, 1.0],
                Activation::Tanh => [-1.0, 1.0],
                Activation::LeakyRelu(_) | Activation::Identity => [f32::NEG_INFINITY, f32::INFINITY],
                Activation::Elu(_) => [-1.0, f32::INFINITY],
                // −∞ · 0
                Activation::Gelu => continue,
            };
            assert_eq!(y[1..], ends, "{activation:?}");
        }
    }

    #[test]
    fn finite_numbers_stay_finite_and_so_do_their_gradients() {
        fn check<R: Real>(largest: f64) {
            let x = [largest, 1e3, 40.0, 1.0, 0.0].map(|x| [R::from_f64(x), R::from_f64(-x)]);
            for activation in all() {
                let (mut y, mut gradient) = (x, [R::one(); 10]);
                let y = y.as_flattened_mut();
                activation.forward(y);
                activation.backward(x.as_flattened(), y, &mut gradient);
                assert!(y.iter().chain(&gradient).all(|value| value.is_finite()), "{activation:?} {y:?} {gradient:?}");
                let slopes_are_small = gradient.iter().all(|slope| slope.to_f64() > -0.2 && slope.to_f64() < 1.2);
                assert!(slopes_are_small, "{activation:?} {gradient:?}");
            }
        }
        check::<f64>(f64::MAX);
        check::<f32>(f32::MAX.into());
    }
}
