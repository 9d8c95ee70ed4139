//! Sine and cosine.

use super::WHOLE;

/// π / 2 in three parts (Cody & Waite 1980), the first two of 33 significant bits, so that their products with a whole
/// number below 2^20 are exact.
const HALF_PI: [f64; 3] = [
    f64::from_bits(0x3ff9_21fb_5440_0000),
    f64::from_bits(0x3dd0_b461_1a60_0000),
    f64::from_bits(0x3ba3_198a_2e03_7073),
];

/// The sine and the cosine of x: both at most 0.77 ulp off for |x| up to 100, and 1.54 ulp for |x| up to 2^20; beyond,
/// the error grows with x.
///
/// x = k π / 2 + r with whole k and |r| ≤ π / 4, where r is kept as a rounded number and its rounding error. Sine and
/// cosine of r are Taylor series up to r^17 / 17! and r^16 / 16!; the next terms are below 2^−58 of the sums.
pub fn sin_cos(x: f64) -> (f64, f64) {
    let k = (x * std::f64::consts::FRAC_2_PI + WHOLE) - WHOLE;
    let high = x - k * HALF_PI[0];
    let low = k * HALF_PI[1];
    let r = high - low;
    let lost = ((high - r) - low) - k * HALF_PI[2];

    let z = r * r;
    let series = |coefficients: &[f64]| coefficients.iter().rev().fold(0.0, |sum, c| c + z * sum);
    // sin r = r − r³ (1/3! − r² / 5! + …), cos r = 1 − r²/2 + r⁴ (1/4! − r² / 6! + …)
    let sine = series(&[
        -1.0 / 6.0,
        1.0 / 120.0,
        -1.0 / 5_040.0,
        1.0 / 362_880.0,
        -1.0 / 39_916_800.0,
        1.0 / 6_227_020_800.0,
        -1.0 / 1_307_674_368_000.0,
        1.0 / 355_687_428_096_000.0,
    ]);
    let cosine = series(&[
        1.0 / 24.0,
        -1.0 / 720.0,
        1.0 / 40_320.0,
        -1.0 / 3_628_800.0,
        1.0 / 479_001_600.0,
        -1.0 / 87_178_291_200.0,
        1.0 / 20_922_789_888_000.0,
    ]);
    // The rounding error of r is applied to first order: sin' = cos, cos' = −sin.
    let sine = r + (r * z * sine + lost * (1.0 - 0.5 * z));
    let half = 0.5 * z;
    let one = 1.0 - half;
    let cosine = one + (((1.0 - one) - half) + (z * z * cosine - r * lost));

    // A quarter turn swaps the two, a half turn flips their signs.
    let quarter = (k + WHOLE).to_bits() & 3;
    match quarter {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Accuracy is tested in `real`, with that of the other functions.

    #[test]
    fn quarter_turns_are_exact() {
        assert_eq!(sin_cos(0.0), (0.0, 1.0));
        assert_eq!(sin_cos(std::f64::consts::FRAC_PI_2).0, 1.0);
        assert_eq!(sin_cos(std::f64::consts::PI).1, -1.0);
    }

    #[test]
    fn the_bits_are_what_they_were() {
        let mut hasher = blake3::Hasher::new();
        for step in -30_000..=30_000 {
            let (sine, cosine) = sin_cos(f64::from(step) / 321.7);
            hasher.update(&sine.to_bits().to_le_bytes()).update(&cosine.to_bits().to_le_bytes());
        }
        assert_eq!(hasher.finalize().to_hex()[..16], *"f3a424fc513c5c8d");
    }
}
