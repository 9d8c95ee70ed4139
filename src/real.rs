//! The two precisions behind one trait, and elementary functions that give the same bits everywhere.
//!
//! The standard library's `exp`, `ln`, `tanh` and `powf` call the platform's C library and differ between platforms; they
//! are used nowhere in this crate.

use std::fmt::Debug;
use std::ops::{AddAssign, MulAssign, Neg, SubAssign};

use ndarray::LinalgScalar;

/// A floating-point type that networks train in: `f32` or `f64`.
pub trait Real:
    LinalgScalar + PartialOrd + Default + Debug + Send + Sync + Neg<Output = Self> + AddAssign + SubAssign + MulAssign
{
    /// As the experiment file writes it: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// `value`, rounded once, to nearest.
    fn from_f64(value: f64) -> Self;
    /// The same number as an `f64`, exactly.
    fn to_f64(self) -> f64;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// The number without its sign.
    fn abs(self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// e to the power of `self`.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// A pixel as a share of full brightness, as the book has it: `u8 / 255` in `f32`, then widened.
    fn from_pixel(value: u8) -> Self;
}

macro_rules! real {
    ($type:ty, $name:literal) => {
        impl Real for $type {
            const NAME: &'static str = $name;
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            fn abs(self) -> Self {
                self.abs()
            }
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            fn exp(self) -> Self {
                exp(self as f64) as Self
            }
            fn ln(self) -> Self {
                ln(self as f64) as Self
            }
            fn tanh(self) -> Self {
                tanh(self as f64) as Self
            }
            fn from_pixel(value: u8) -> Self {
                (value as f32 / 255.0) as Self
            }
        }
    };
}
real!(f32, "f32");
real!(f64, "f64");

pub fn exp(x: f64) -> f64 {
    x.exp()
}
pub fn ln(x: f64) -> f64 {
    x.ln()
}
pub fn tanh(x: f64) -> f64 {
    x.tanh()
}
