//! The two precisions behind one trait, and elementary functions that give the same bits everywhere.
//!
//! The standard library's `exp`, `ln`, `tanh` and `powf` call the platform's C library and differ between platforms, so
//! this crate never uses them. The functions here use only additions, multiplications, divisions and bit patterns,
//! whose results IEEE 754 fixes, and no fused operations, tables or branches, so a loop over a slice compiles to vector
//! code. The functions that are called less often, [`power`], [`exp10`], [`log10`] and [`cos_pi`], are slower and exact
//! but for one rounding.
//!
//! Errors are in units in the last place of an `f64` (ulp): the largest at a million points spread over the stated
//! range, against 150-bit arithmetic. An `f32` is computed in `f64` and rounded once.

mod circle;
mod wide;

use std::fmt::Debug;
use std::ops::{AddAssign, MulAssign, Neg, SubAssign};

use ndarray::LinalgScalar;

pub use self::circle::sin_cos;
pub use self::wide::{cos_pi, exp10, log10, power};

/// A floating-point type that networks train in: `f32` or `f64`.
pub trait Real:
    LinalgScalar + PartialOrd + Default + Debug + Send + Sync + Neg<Output = Self> + AddAssign + SubAssign + MulAssign
{
    /// The name in the experiment file: `"f32"` or `"f64"`.
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
    /// `value` / `full`, computed in `f32` and then widened, as the book scales the brightness of pixels.
    fn from_byte(value: u8, full: u8) -> Self;

    /// e^`self` − 1, accurate near 0 too.
    fn exp_m1(self) -> Self;
    /// ln(1 + `self`), accurate near 0 too.
    fn ln_1p(self) -> Self;
    /// Φ(`self`): the probability that a standard Gaussian is at most `self`.
    fn normal_cdf(self) -> Self;
}

macro_rules! real {
    ($type:ty, $name:literal) => {
        impl Real for $type {
            const NAME: &'static str = $name;
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            #[inline(always)]
            fn exp(self) -> Self {
                exp(self as f64) as Self
            }
            #[inline(always)]
            fn ln(self) -> Self {
                ln(self as f64) as Self
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                tanh(self as f64) as Self
            }
            #[inline(always)]
            fn from_byte(value: u8, full: u8) -> Self {
                (value as f32 / full as f32) as Self
            }

            #[inline(always)]
            fn exp_m1(self) -> Self {
                exp_m1(self as f64) as Self
            }
            #[inline(always)]
            fn ln_1p(self) -> Self {
                ln_1p(self as f64) as Self
            }
            #[inline(always)]
            fn normal_cdf(self) -> Self {
                normal_cdf(self as f64) as Self
            }
        }
    };
}
real!(f32, "f32");
real!(f64, "f64");

/// 1 above zero, −1 below, 0 at zero; NaN stays NaN.
pub fn sign<R: Real>(x: R) -> R {
    if x > R::zero() {
        R::one()
    } else if x < R::zero() {
        -R::one()
    } else {
        x
    }
}

/// 1.5 · 2^52. Adding it to a number below 2^51 rounds that number to a whole one, which the low bits of the sum then
/// hold; subtracting it again gives the whole number as a float.
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// ln 2 in two parts (Cody & Waite 1980). The first has 32 significant bits, so that its product with an exponent is
/// exact.
const LN_2: [f64; 2] = [f64::from_bits(0x3fe6_2e42_fee0_0000), f64::from_bits(0x3dea_39ef_3579_3c76)];

/// e^x. At most 0.89 ulp off over the whole range; exactly 1 at 0.
///
/// x = k ln 2 + r with whole k and |r| ≤ ln 2 / 2; e^r is its Taylor series to r^13 / 13!, whose next term is below
/// 2^−57; e^x = 2^k e^r.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    // Beyond these bounds the result is infinite or 0. Both comparisons are false for NaN, which passes.
    let x = if x > 710.0 { 710.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let (k, p) = reduced_exp(x);

    // 2^k in two factors: k reaches 1024 and −1076, and 2^k itself is no number there.
    let half = k * 0.5 + WHOLE;
    let rest = (k - (half - WHOLE)) + WHOLE;
    (1.0 + p) * two_to(half) * two_to(rest)
}

/// k and e^r − 1, where x = k ln 2 + r.
#[inline(always)]
fn reduced_exp(x: f64) -> (f64, f64) {
    let k = (x * std::f64::consts::LOG2_E + WHOLE) - WHOLE;
    let high = x - k * LN_2[0];
    let low = k * LN_2[1];
    let r = high - low;
    let lost = (high - r) - low;

    // (e^r − 1 − r) / r², in independent groups of four terms (Estrin 1960).
    let (r2, r4) = (r * r, (r * r) * (r * r));
    let first = (1.0 / 2.0 + 1.0 / 6.0 * r) + (1.0 / 24.0 + 1.0 / 120.0 * r) * r2;
    let second = (1.0 / 720.0 + 1.0 / 5040.0 * r) + (1.0 / 40320.0 + 1.0 / 362_880.0 * r) * r2;
    let third = (1.0 / 3_628_800.0 + 1.0 / 39_916_800.0 * r) + (1.0 / 479_001_600.0 + 1.0 / 6_227_020_800.0 * r) * r2;
    let series = first + (second + third * r4) * r4;
    (k, r + (r2 * series + lost))
}

/// 2^n, where `shifted` is n + [`WHOLE`] and 2^n is a normal number.
#[inline(always)]
fn two_to(shifted: f64) -> f64 {
    // The low bits of `shifted` are n; the shift moves n + 1023 into the exponent and drops all other bits.
    f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

/// The natural logarithm of x. At most 0.84 ulp off; exactly 0 at 1, −∞ at ±0, NaN below.
///
/// x = 2^k (1 + f) with √½ ≤ 1 + f < √2. With s = f / (2 + f), ln(1 + f) = 2 artanh s = 2s + 2s³/3 + ..., here up to
/// 2s^21 / 21; the next term is below 2^−60 of the sum. Since 2s = f − s f, it is summed as
/// f − (f²/2 − s (f²/2 + 2s²/3 + ...)), so that only small terms are rounded (as in fdlibm's `e_log.c`, Sun
/// Microsystems 1993, which has other coefficients).
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    const ABOVE: u64 = 1 << 10;
    // A subnormal number is scaled by 2^54.
    let (scaled, scale) = if x < f64::MIN_POSITIVE { (x * 18_014_398_509_481_984.0, 54.0) } else { (x, 0.0) };
    // k: how far the bits lie above those of √½, in whole exponents, plus `ABOVE` to keep it positive.
    let bits = scaled.to_bits();
    let raised = bits.wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits()).wrapping_add(ABOVE << 52) >> 52;
    // In the low bits of 2^52, a whole number below 2^52 becomes a float without a conversion.
    const EXPONENT: f64 = 4_503_599_627_370_496.0;
    let k = f64::from_bits(raised | EXPONENT.to_bits()) - (EXPONENT + ABOVE as f64) - scale;
    let f = f64::from_bits(bits.wrapping_sub(raised.wrapping_sub(ABOVE) << 52)) - 1.0;

    let s = f / (2.0 + f);
    let (s2, s4) = (s * s, (s * s) * (s * s));
    let s8 = s4 * s4;
    let first = (2.0 / 3.0 + 2.0 / 5.0 * s2) + (2.0 / 7.0 + 2.0 / 9.0 * s2) * s4;
    let second = (2.0 / 11.0 + 2.0 / 13.0 * s2) + (2.0 / 15.0 + 2.0 / 17.0 * s2) * s4;
    let third = 2.0 / 19.0 + 2.0 / 21.0 * s2;
    let series = s2 * (first + (second + third * s8) * s8);
    let half_square = 0.5 * f * f;
    let y = k * LN_2[0] + (f - (half_square - (s * (half_square + series) + k * LN_2[1])));

    // Infinity and NaN pass through.
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    if x < 0.0 { f64::NAN } else { y }
}

/// The hyperbolic tangent of x. At most 1.43 ulp off, and odd to the bit.
///
/// Below 9/16, Lambert's continued fraction x / (1 + x² / (3 + x² / (5 + ...))) up to 15, written as x minus a quotient
/// of polynomials; the rest is below 2^−59 of the result. Beyond, 1 − 2 / (e^2x + 1).
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    let a = x.abs();
    let z = a * a;
    let near = a < 0.5625;
    let above = a * z * (675_675.0 + z * (45_045.0 + z * (594.0 + z)));
    let below = 2_027_025.0 + z * (945_945.0 + z * (51_975.0 + z * (630.0 + z)));
    let far = exp(2.0 * a) + 1.0;
    // One division serves both cases: both are computed and one is selected, without a branch.
    let (base, above, below) = if near { (a, above, below) } else { (1.0, 2.0, far) };
    (base - above / below).copysign(x)
}

/// e^x − 1. At most 1.57 ulp off over the whole range; ±0 at ±0.
///
/// With k and r as in [`exp`], it is 2^k ((1 − 2^−k) + (e^r − 1)); both terms of the sum are accurate to the last
/// digit.
#[inline(always)]
pub fn exp_m1(x: f64) -> f64 {
    let x = if x > 710.0 { 710.0 } else { x };
    let sign = x;
    // Below this the result is −1.
    let x = if x < -40.0 { -40.0 } else { x };
    let (k, p) = reduced_exp(x);
    // For large k, 2^−k is negligible beside 1.
    let shift = if k > 1000.0 { 1000.0 } else { k };
    let sum = (1.0 - two_to(WHOLE - shift)) + p;
    let half = k * 0.5 + WHOLE;
    let rest = (k - (half - WHOLE)) + WHOLE;
    (sum * two_to(half) * two_to(rest)).copysign(sign)
}

/// ln(1 + x). At most 1.21 ulp off; ±0 at ±0, −∞ at −1, NaN below.
///
/// ln u + (1 + x − u) / u, where u is 1 + x rounded.
#[inline(always)]
pub fn ln_1p(x: f64) -> f64 {
    let u = 1.0 + x;
    let lost = x - (u - 1.0);
    let y = ln(u);
    let y = if u > 0.0 && u < f64::INFINITY { y + lost / u } else { y };
    y.copysign(x)
}

/// Φ(x), the integral of the standard normal density up to x. At most 7.3 ulp off, far out in the lower tail too;
/// exactly ½ at 0.
///
/// With a = |x|, Φ(−a) e^(a²/2) is approximated by a quotient of polynomials of degrees 10 and 11, with a relative
/// error below 2^−53 for all a. The quotient was found by interpolation at the Chebyshev points of (a − 4) / (a + 4),
/// in 200-bit arithmetic. All coefficients are positive, so the sums lose no digits.
#[inline(always)]
pub fn normal_cdf(x: f64) -> f64 {
    let a = x.abs();
    // Beyond this the tail is below the smallest number.
    let a = if a > 39.0 { 39.0 } else { a };
    let z = a * a;
    let even = 911_995.063_297_708_9
        + z * (1_258_782.864_658_926_4
            + z * (246_724.629_890_629_8
                + z * (13_339.465_698_386_09 + z * (197.668_431_436_990_7 + z * 0.398_942_280_401_432_7))));
    let odd = 1_523_593.525_783_593_5
        + z * (665_224.064_211_987_5
            + z * (66_787.981_131_694_72 + z * (1_941.906_991_850_590_4 + z * 12.759_548_316_883_615)));
    let above = even + a * odd;
    let even = 1_823_990.126_595_417_7
        + z * (5_198_062.347_538_128
            + z * (1_825_466.722_078_679_6
                + z * (172_216.314_057_157_52 + z * (4_899.622_417_068_595_5 + z * 31.983_444_582_620_947))));
    let odd = 4_502_520.612_634_527_5
        + z * (3_711_752.702_317_442_7
            + z * (650_903.050_047_379_2 + z * (33_930.563_166_271_12 + z * (496.481_279_241_873_44 + z))));
    let below = even + a * odd;

    // The rounding error of a², which e^x would magnify a thousandfold. `head` has half of a's digits, so its square is
    // exact.
    let head = f64::from_bits(a.to_bits() & !0x7ff_ffff);
    let lost = (head * head - z) + (a - head) * (a + head);
    let density = exp(-0.5 * z);
    let tail = (density - density * (0.5 * lost)) * (above / below);
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of `y` in ulp. `nearest` is the exact value rounded, `rest` what the rounding took off;
    /// `smallest_normal` and `epsilon` are those of the type.
    fn error(y: f64, nearest: f64, rest: f64, smallest_normal: f64, epsilon: f64) -> f64 {
        if y.to_bits() == nearest.to_bits() || (y.is_nan() && nearest.is_nan()) {
            return rest.abs();
        }
        let binade = f64::from_bits(nearest.abs().max(smallest_normal).to_bits() & !((1 << 52) - 1));
        ((y - nearest) / (binade * epsilon) - rest).abs()
    }

    /// The rows of tests/goldens/real.csv whose numbers have `digits` hexadecimal digits.
    fn goldens(digits: usize) -> impl Iterator<Item = (&'static str, u64, u64, f64)> {
        include_str!("../../tests/goldens/real.csv").lines().skip(1).filter_map(move |line| {
            let fields: Vec<_> = line.split(',').collect();
            let bits = |text: &str| u64::from_str_radix(text, 16).unwrap();
            (fields[1].len() == digits)
                .then(|| (fields[0], bits(fields[1]), bits(fields[2]), fields[3].parse().unwrap()))
        })
    }

    #[test]
    fn f64_is_within_the_documented_error_of_the_exact_value() {
        for (name, x, nearest, rest) in goldens(16) {
            let (x, nearest) = (f64::from_bits(x), f64::from_bits(nearest));
            let (y, bound) = match name {
                "exp" => (exp(x), 0.89),
                "ln" => (ln(x), 0.84),
                "tanh" => (tanh(x), 1.43),
                "exp10" => (exp10(x), if x < -307.0 { 0.75 } else { 0.501 }),
                "log10" => (log10(x), 0.501),
                "cos_pi" => (cos_pi(x), 0.501),
                "exp_m1" => (exp_m1(x), 1.57),
                "ln_1p" => (ln_1p(x), 1.21),
                "normal_cdf" => (normal_cdf(x), 7.3),
                "sin" => (sin_cos(x).0, if x.abs() <= 100.0 { 0.77 } else { 1.54 }),
                "cos" => (sin_cos(x).1, if x.abs() <= 100.0 { 0.77 } else { 1.54 }),
                _ => panic!("no function `{name}`"),
            };
            assert!(y.is_nan() || y.is_sign_negative() == nearest.is_sign_negative(), "{name}({x:e}) is {y:e}");
            let error = error(y, nearest, rest, f64::MIN_POSITIVE, f64::EPSILON);
            assert!(error <= bound, "{name}({x:e}) is {y:e}, {error} ulp off");
        }
        assert_eq!(goldens(16).count(), 4945);
    }

    #[test]
    fn f32_is_the_exact_value_rounded_once() {
        for (name, x, nearest, rest) in goldens(8) {
            let (x, nearest) = (f32::from_bits(x as u32), f32::from_bits(nearest as u32));
            let y = match name {
                "exp" => Real::exp(x),
                "ln" => Real::ln(x),
                "tanh" => Real::tanh(x),
                "exp_m1" => Real::exp_m1(x),
                "ln_1p" => Real::ln_1p(x),
                "normal_cdf" => Real::normal_cdf(x),
                _ => panic!("no function `{name}`"),
            };
            let error = error(y.into(), nearest.into(), rest, f32::MIN_POSITIVE.into(), f32::EPSILON.into());
            assert!(error <= 0.500_001, "{name}({x:e}) is {y:e}, {error} ulp off");
        }
        assert_eq!(goldens(8).count(), 234);
    }

    #[test]
    fn exp_never_falls_around_zero() {
        let mut before = exp(-1e-9);
        for step in -20_000..=20_000 {
            let next = exp(f64::from(step) * 5e-14);
            assert!(before <= next, "{step}");
            before = next;
        }
        let (mut x, mut before) = (0.25_f64, exp(0.25));
        for _ in 0..100_000 {
            x = x.next_up();
            let next = exp(x);
            assert!(before <= next, "{x:e}");
            before = next;
        }
    }

    #[test]
    fn tanh_is_odd_and_at_most_one() {
        for step in 0..100_000 {
            let x = f64::from(step) * 3e-4;
            assert_eq!((-tanh(x)).to_bits(), tanh(-x).to_bits(), "{x}");
            assert!(tanh(x) <= 1.0, "{x}");
        }
    }

    /// A hash of many results. If it changes, recorded values may change too, so the numerics version must change with
    /// it.
    #[test]
    fn the_bits_are_what_they_were() {
        let hash = |f: fn(f64) -> f64, x: fn(u64) -> f64| {
            let mut hasher = blake3::Hasher::new();
            for i in 0..=65_503 {
                hasher.update(&f(x(i)).to_bits().to_le_bytes());
            }
            hasher.finalize().to_hex()[..16].to_owned()
        };
        assert_eq!(hash(exp, |i| (i as f64 - 32_768.0) / 43.7), "e83575b3234fad0b");
        assert_eq!(hash(exp, |i| (i as f64 - 32_768.0) / 32_768.1), "eb680ab2a991c6df");
        // Every exponent, 32 numbers in each.
        assert_eq!(hash(ln, |i| f64::from_bits((i << 47) | (i * 1_234_567_891))), "960f5212959f9c39");
        assert_eq!(hash(ln, |i| 0.5 + i as f64 / 43_210.9), "ac48ed9082333654");
        assert_eq!(hash(tanh, |i| (i as f64 - 32_768.0) / 4_321.1), "3c23877c4ed9d585");
        assert_eq!(hash(tanh, |i| (i as f64 - 32_768.0) / 43_210.9), "82517faa2ba0c7a8");
        assert_eq!(hash(exp10, |i| (i as f64 - 32_768.0) / 106.3), "5b1a8e1448241578");
        assert_eq!(hash(log10, |i| f64::from_bits((i << 47) | (i * 1_234_567_891))), "fc8bdb06d4502823");
        assert_eq!(hash(cos_pi, |i| (i as f64 - 32_768.0) / 16_384.1), "64d99ebde552c3c5");
        assert_eq!(hash(exp_m1, |i| (i as f64 - 32_768.0) / 432.1), "751440031b122a34");
        assert_eq!(hash(ln_1p, |i| i as f64 / 65_432.1), "7fdda49985d644b0");
        assert_eq!(hash(normal_cdf, |i| (i as f64 - 50_000.0) / 1234.5), "b25b8b322579846e");
    }
}
