//! Functions that are called once per step or file, not for every element of a matrix: computed with twice the digits
//! of a double and rounded once. Each was correctly rounded at a million points spread over its range, against 150-bit
//! arithmetic.
//!
//! A [`Wide`] number is the unevaluated sum of a double and a much smaller one (Dekker 1971, "A floating-point
//! technique for extending the available precision"). The fused `mul_add` gives the rounding error of a product
//! exactly, by its definition, in hardware or emulated.

use std::ops::{Add, Div, Mul, Neg};

use super::ln;

/// A double and its error.
#[derive(Clone, Copy)]
struct Wide(f64, f64);

const LN_2: Wide = Wide(f64::from_bits(0x3fe6_2e42_fefa_39ef), f64::from_bits(0x3c7a_bc9e_3b39_803f));
const LN_10: Wide = Wide(f64::from_bits(0x4002_6bb1_bbb5_5516), f64::from_bits(0xbcaf_48ad_494e_a3e9));
const PI: Wide = Wide(f64::from_bits(0x4009_21fb_5444_2d18), f64::from_bits(0x3ca1_a626_3314_5c07));
const ONE: Wide = Wide(1.0, 0.0);

impl Mul for Wide {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let high = self.0 * other.0;
        if !high.is_finite() {
            return Self(high, 0.0);
        }
        let low = self.0.mul_add(other.0, -high) + (self.0 * other.1 + self.1 * other.0);
        let sum = high + low;
        Self(sum, low - (sum - high))
    }
}

impl Add for Wide {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        // The rounding error of the sum (Knuth 1969), whichever of the two is larger.
        let high = self.0 + other.0;
        let of_other = high - self.0;
        let lost = (self.0 - (high - of_other)) + (other.0 - of_other);
        let low = lost + (self.1 + other.1);
        let sum = high + low;
        Self(sum, low - (sum - high))
    }
}

impl Neg for Wide {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0, -self.1)
    }
}

impl Div<f64> for Wide {
    type Output = Self;

    fn div(self, divisor: f64) -> Self {
        let high = self.0 / divisor;
        let low = ((-high).mul_add(divisor, self.0) + self.1) / divisor;
        let sum = high + low;
        Self(sum, low - (sum - high))
    }
}

/// `base`, 0 or above, to the power of `exponent`.
///
/// Squares and multiplies, so that the result is the exact power rounded once: before the rounding, the relative error
/// is below exponent · 2^−101. NumPy's `beta**t` calls the C library's `pow`, which may be one unit in the last place
/// off but rarely is (glibc's: never in the first 2001 powers of 0.9 and 0.999, in 3 of those of 0.95). Plain squaring
/// would be off by up to `exponent` half units, and Adam's 1 − β₂ᵗ, small for many steps, would magnify that.
pub fn power(base: f64, mut exponent: u64) -> f64 {
    let mut result = ONE;
    let mut square = Wide(base, 0.0);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * square;
        }
        square = square * square;
        exponent >>= 1;
    }
    result.0
}

/// 10^x. At most 0.501 ulp off from 1e-307 up, 0.75 ulp below, where doubles have fewer digits; for a whole x, the
/// double nearest to the power of ten, as parsing `1e5` gives.
pub fn exp10(x: f64) -> f64 {
    // Beyond these bounds the result is infinite or 0. Both comparisons are false for NaN.
    if x > 309.0 {
        return f64::INFINITY;
    }
    if x < -324.0 {
        return 0.0;
    }
    if x.is_nan() {
        return x;
    }
    let (exponent, rest) = split_power_of_ten(x);
    scale((ONE + rest).0, exponent)
}

/// The decimal logarithm of x. At most 0.501 ulp off; exactly k at the double nearest to 10^k, −∞ at ±0, NaN below.
///
/// One step of Newton's method improves y = ln x / ln 10, which is off by an ulp or two: log₁₀ x = y + ln(x / 10^y) /
/// ln 10.
pub fn log10(x: f64) -> f64 {
    let y = ln(x) * std::f64::consts::LOG10_E;
    if !y.is_finite() {
        return y;
    }
    let (exponent, rest) = split_power_of_ten(y);
    // x / 2^exponent is close to 1 + rest, between 0.7 and 1.5, so subtracting 1 is exact.
    let difference = Wide(scale(x, -exponent) - 1.0, 0.0) + -rest;
    let ratio = difference.0 / (1.0 + rest.0);
    y + (ratio - 0.5 * ratio * ratio) * std::f64::consts::LOG10_E
}

/// k and p with 10^x = 2^k (1 + p) and √½ ≤ 1 + p ≤ √2, for a finite x of at most three digits before the point.
///
/// x ln 10 = k ln 2 + r with whole k and |r| ≤ ln 2 / 2; p = e^r − 1 is its Taylor series to r^20 / 20!, whose next
/// term is below 2^−95 of it.
fn split_power_of_ten(x: f64) -> (i64, Wide) {
    let k = (x * std::f64::consts::LOG2_10).round();
    let r = Wide(x, 0.0) * LN_10 + -(Wide(k, 0.0) * LN_2);
    let series = (2..=20).rev().fold(ONE, |series, n| ONE + series * r / f64::from(n));
    (k as i64, r * series)
}

/// y · 2^exponent, for exponents from −1100 to 1100; rounded once if the result has fewer digits than y.
fn scale(y: f64, exponent: i64) -> f64 {
    let power_of_two = |exponent: i64| f64::from_bits(((exponent + 1023) as u64) << 52);
    let half = exponent / 2;
    y * power_of_two(half) * power_of_two(exponent - half)
}

/// cos πx, for a finite x. At most 0.501 ulp off; exactly ±1 at whole numbers and 0 between two of them.
///
/// x is reduced, exactly, to t between 0 and ½. The result is the Taylor series of cos πt, or from ¼ on of sin π(½ −
/// t), up to the 24th power; the next term is below 2^−85 of it.
pub fn cos_pi(x: f64) -> f64 {
    let x = x.abs() % 2.0;
    let x = if x > 1.0 { 2.0 - x } else { x };
    let (t, sign) = if x > 0.5 { (1.0 - x, -1.0) } else { (x, 1.0) };
    let from_crest = t < 0.25;
    let z = Wide(if from_crest { t } else { 0.5 - t }, 0.0) * PI;
    let minus_square = -(z * z);
    let term = |series, n: i32| ONE + series * minus_square / f64::from(n * (n + 1));
    let series = if from_crest {
        (1..24).step_by(2).rev().fold(ONE, term)
    } else {
        z * (2..24).step_by(2).rev().fold(ONE, term)
    };
    sign * series.0 + 0.0
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn powers_are_rounded_once() {
        #[derive(Deserialize)]
        struct Goldens {
            powers: Vec<[f64; 3]>,
        }
        let goldens: Goldens = toml::from_str(include_str!("../../../tests/goldens/optimizers.toml")).unwrap();
        assert!(goldens.powers.len() > 30);
        for [base, exponent, expected] in goldens.powers {
            assert_eq!(power(base, exponent as u64), expected, "{base} to the power of {exponent}");
        }
    }

    #[test]
    fn powers_hold_at_their_edges() {
        assert_eq!(power(0.0, 1), 0.0);
        assert_eq!(power(0.9, 0), 1.0);
        assert_eq!(power(0.999, 1), 0.999);
        assert_eq!(power(0.999, u64::MAX), 0.0);
        assert_eq!(power(1.0, u64::MAX), 1.0);
        assert_eq!(power(2.0, 1023), f64::MAX / 2.0 + power(2.0, 969));
        assert_eq!(power(1.5, u64::MAX), f64::INFINITY);
    }

    #[test]
    fn powers_of_ten_are_those_that_a_text_is_read_as() {
        for exponent in -307..=308 {
            let read: f64 = format!("1e{exponent}").parse().unwrap();
            assert_eq!(exp10(f64::from(exponent)).to_bits(), read.to_bits(), "1e{exponent}");
            assert_eq!(log10(read).to_bits(), f64::from(exponent).to_bits(), "1e{exponent}");
        }
    }

    #[test]
    fn powers_of_ten_end_where_doubles_end() {
        assert_eq!(exp10(308.3), f64::INFINITY);
        assert_eq!(exp10(f64::INFINITY), f64::INFINITY);
        assert_eq!(exp10(-324.1), 0.0);
        assert_eq!(exp10(-323.5), 5e-324);
        assert_eq!(exp10(f64::NEG_INFINITY), 0.0);
        assert!(exp10(f64::NAN).is_nan());
    }

    #[test]
    fn cosines_mirror_and_repeat() {
        for step in 0..1000 {
            let x = f64::from(step) / 1024.0;
            let y = cos_pi(x);
            for (other, expected) in [(-x, y), (2.0 - x, y), (1.0 - x, -y), (x + 1.0, -y), (x + 64.0, y)] {
                assert_eq!(cos_pi(other), expected, "{other}");
            }
        }
        assert_eq!(cos_pi(0.5).to_bits(), 0);
        assert_eq!(cos_pi(-1.5).to_bits(), 0);
        assert_eq!(cos_pi(1e300), 1.0);
    }
}
