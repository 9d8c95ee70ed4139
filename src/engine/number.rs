//! Numbers that carry proof: a value of one of these types is in its range, so the engine never checks again.
//!
//! Each type deserializes from a TOML number and says what it accepts when the number is out of range.

use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A number outside the range that a setting accepts.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("`{found}` is out of range, expected {accepted}{hint}")]
pub struct OutOfRange {
    found: String,
    accepted: &'static str,
    /// What was probably meant, on a line of its own; empty if there is no guess.
    hint: String,
}

impl OutOfRange {
    pub fn new(found: impl ToString, accepted: &'static str) -> Self {
        Self { found: found.to_string(), accepted, hint: String::new() }
    }

    /// For a share, which may have been given in percent.
    fn of_share(found: f64, accepted: &'static str) -> Self {
        let hint = match found {
            _ if (2.0..=100.0).contains(&found) => {
                format!("\n{found} percent is the share {}", shortest(found / 100.0))
            }
            _ => String::new(),
        };
        Self { hint, ..Self::new(shortest(found), accepted) }
    }
}

/// A finite number above zero: a learning rate, a standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(extend("exclusiveMinimum" = 0))]
pub struct Positive(f64);

/// A finite number, zero or above: the strength of a penalty.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(extend("minimum" = 0))]
pub struct NonNegative(f64);

/// A number in [0, 1): a momentum, a decay rate.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
pub struct Fraction(f64);

/// A number in [0, 1): how much of something is left out, where leaving out all of it would make no sense.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
pub struct Ratio(f64);

/// Any finite number.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "f64")]
pub struct Finite(f64);

/// A whole number from 1 to 2^53: a batch size, a number of steps, a width.
///
/// The upper bound keeps every count exact as an `f64` and as Parquet's `Int64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64")]
#[schemars(extend("minimum" = 1, "maximum" = 1_u64 << 53))]
pub struct Count(NonZeroU64);

/// A whole number from 0 to 2^53: a number of steps that may be none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64")]
#[schemars(extend("minimum" = 0, "maximum" = 1_u64 << 53))]
pub struct Whole(u64);

/// The fewest digits that read back as `value`, with an exponent instead of many zeros.
pub fn shortest(value: f64) -> String {
    if value != 0.0 && value.is_finite() && !(1e-4..1e7).contains(&value.abs()) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

/// A constant in the source code, which is known to be in range.
pub fn in_range<V, T: TryFrom<V, Error = OutOfRange>>(value: V) -> T {
    T::try_from(value).expect("numbers in the source text are in range")
}

macro_rules! float_range {
    ($name:ident, $accepted:literal, $holds:expr, $error:expr) => {
        impl $name {
            /// `value`, if it is in range.
            ///
            /// # Errors
            /// [`OutOfRange`] names the range.
            pub fn new(value: f64) -> Result<Self, OutOfRange> {
                let holds: fn(f64) -> bool = $holds;
                if value.is_finite() && holds(value) {
                    // Adding zero turns −0 into +0, so that both spellings are one setting.
                    Ok(Self(value + 0.0))
                } else {
                    let error: fn(f64, &'static str) -> OutOfRange = $error;
                    Err(error(value, $accepted))
                }
            }

            /// The number itself.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        // Values are never NaN or −0, so equal numbers have equal bits.
        impl Eq for $name {}

        impl Hash for $name {
            fn hash<H: Hasher>(&self, hasher: &mut H) {
                self.0.to_bits().hash(hasher);
            }
        }

        impl TryFrom<f64> for $name {
            type Error = OutOfRange;

            fn try_from(value: f64) -> Result<Self, OutOfRange> {
                Self::new(value)
            }
        }
    };
}

float_range!(Positive, "a finite number above 0", |x| x > 0.0, plainly);
float_range!(NonNegative, "a finite number, 0 or above", |x| x >= 0.0, plainly);
float_range!(Fraction, "a number from 0 to below 1", |x| (0.0..1.0).contains(&x), OutOfRange::of_share);
float_range!(Ratio, "a ratio from 0 to below 1", |x| (0.0..1.0).contains(&x), OutOfRange::of_share);
float_range!(Finite, "a finite number", |_| true, plainly);

fn plainly(found: f64, accepted: &'static str) -> OutOfRange {
    OutOfRange::new(shortest(found), accepted)
}

impl Count {
    /// `value`, if it is in range.
    ///
    /// # Errors
    /// [`OutOfRange`] names the range.
    pub fn new(value: u64) -> Result<Self, OutOfRange> {
        match NonZeroU64::new(value) {
            Some(count) if value <= 1 << 53 => Ok(Self(count)),
            Some(_) => Err(OutOfRange::new(value, "a whole number up to 9007199254740992")),
            None => Err(Self::too_small(value)),
        }
    }

    fn too_small(value: impl ToString) -> OutOfRange {
        OutOfRange::new(value, "a whole number, 1 or above")
    }

    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The number as a length. Nothing is lost, as the program runs on 64-bit machines.
    pub const fn as_usize(self) -> usize {
        self.0.get() as usize
    }
}

impl TryFrom<i64> for Count {
    type Error = OutOfRange;

    fn try_from(value: i64) -> Result<Self, OutOfRange> {
        u64::try_from(value).map_err(|_| Self::too_small(value)).and_then(Self::new)
    }
}

impl Whole {
    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<i64> for Whole {
    type Error = OutOfRange;

    fn try_from(value: i64) -> Result<Self, OutOfRange> {
        match u64::try_from(value) {
            Ok(whole) if whole <= 1 << 53 => Ok(Self(whole)),
            Ok(_) => Err(OutOfRange::new(value, "a whole number up to 9007199254740992")),
            Err(_) => Err(OutOfRange::new(value, "a whole number, 0 or above")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_at_their_edges() {
        assert!(Positive::new(f64::MIN_POSITIVE).is_ok());
        assert!(Positive::new(0.0).is_err());
        assert!(NonNegative::new(0.0).is_ok());
        assert!(NonNegative::new(-1e-300).is_err());
        assert!(Fraction::new(0.0).is_ok());
        assert!(Fraction::new(1.0).is_err());
        assert!(Ratio::new(0.0).is_ok());
        assert!(Ratio::new(1.0).is_err());
        assert!(Finite::new(-1e300).is_ok());
        assert!(Count::try_from(0).is_err());
        assert!(Count::try_from(-1).is_err());
        assert!(Count::try_from(1 << 53).is_ok());
        assert!(Count::try_from((1 << 53) + 1).is_err());
        assert!(Whole::try_from(0).is_ok());
        assert!(Whole::try_from(-1).is_err());
        assert!(Whole::try_from(1 << 53).is_ok());
        assert!(Whole::try_from((1 << 53) + 1).is_err());
    }

    #[test]
    fn what_is_not_finite_is_never_in_range() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Positive::new(value).is_err());
            assert!(NonNegative::new(value).is_err());
            assert!(Fraction::new(value).is_err());
            assert!(Finite::new(value).is_err());
        }
    }

    #[test]
    fn minus_zero_is_zero() {
        assert_eq!(NonNegative::new(-0.0).unwrap().get().to_bits(), 0);
        assert_eq!(Fraction::new(-0.0).unwrap().get().to_bits(), 0);
    }

    #[test]
    fn an_error_says_what_was_found_and_what_is_accepted() {
        let said = |error: OutOfRange| error.to_string();
        assert_eq!(said(Positive::new(-0.1).unwrap_err()), "`-0.1` is out of range, expected a finite number above 0");
        assert_eq!(
            said(Fraction::new(1e30).unwrap_err()),
            "`1e30` is out of range, expected a number from 0 to below 1"
        );
        assert_eq!(
            said(Ratio::new(20.0).unwrap_err()),
            "`20` is out of range, expected a ratio from 0 to below 1\n20 percent is the share 0.2"
        );
    }

    #[test]
    fn numbers_are_written_with_the_fewest_digits() {
        let texts = [0.0, 1.0, 0.1, 1e-4, 1e-5, 123.456, 1e7, -2.5e-7].map(shortest);
        assert_eq!(texts, ["0", "1", "0.1", "0.0001", "1e-5", "123.456", "1e7", "-2.5e-7"]);
    }
}
