//! Evenly spaced numbers, as in NumPy.
//!
//! The operations and their order are those of `linspace` and `geomspace` in NumPy 2.4. Powers and logarithms are from
//! [`real`], so that the numbers are the same on every machine.

use engine::real;

/// `count` numbers from `from` to `to`, with equal differences: `numpy.linspace(from, to, count)`.
///
/// A single number is `from`.
pub fn linspace(from: f64, to: f64, count: usize) -> Vec<f64> {
    let intervals = count.saturating_sub(1).max(1) as f64;
    let whole = to - from;
    let step = whole / intervals;
    // If the step underflows to 0, divide first.
    let at = |index: usize| if step == 0.0 { index as f64 / intervals * whole } else { index as f64 * step };
    let mut numbers: Vec<f64> = (0..count).map(|index| at(index) + from).collect();
    if let [_, .., last] = numbers.as_mut_slice() {
        *last = to;
    }
    numbers
}

/// `count` numbers from `from` to `to`, with equal ratios: `numpy.geomspace(from, to, count)`. Both ends are nonzero
/// and have the same sign.
pub fn geomspace(from: f64, to: f64, count: usize) -> Vec<f64> {
    let sign = from.signum();
    let (from, to) = (from * sign, to * sign);
    let exponents = linspace(real::log10(from), real::log10(to), count);
    let mut numbers: Vec<f64> = exponents.into_iter().map(real::exp10).collect();
    if let [_, .., last] = numbers.as_mut_slice() {
        *last = to;
    }
    if let [first, ..] = numbers.as_mut_slice() {
        *first = from;
    }
    numbers.into_iter().map(|number| number * sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Function, ends, and NumPy's numbers. Made by `tests/goldens/spacing.py`.
    fn goldens() -> Vec<(&'static str, [f64; 2], Vec<f64>)> {
        let read = |line: &'static str| {
            let fields: Vec<&str> = line.split(',').collect();
            let bits = |digits| f64::from_bits(u64::from_str_radix(digits, 16).unwrap());
            let numbers: Vec<f64> = fields[4].split(' ').map(bits).collect();
            assert_eq!(fields[3].parse(), Ok(numbers.len()));
            (fields[0], [fields[1], fields[2]].map(|end| end.parse().unwrap()), numbers)
        };
        include_str!("../../tests/goldens/spacing.csv").lines().skip(1).map(read).collect()
    }

    #[test]
    fn equal_distances_are_numpys_to_the_bit() {
        for (_, [from, to], expected) in goldens().into_iter().filter(|golden| golden.0 == "linspace") {
            let found = linspace(from, to, expected.len());
            assert_eq!(
                found.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
                expected.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            );
        }
    }

    /// The C library's power is not always the nearest number; ours is.
    #[test]
    fn equal_ratios_are_numpys_but_for_its_power() {
        let (mut count, mut off) = (0, 0);
        for (_, [from, to], expected) in goldens().into_iter().filter(|golden| golden.0 == "geomspace") {
            for (found, expected) in geomspace(from, to, expected.len()).into_iter().zip(expected) {
                assert!(found.to_bits().abs_diff(expected.to_bits()) <= 1, "{found} is not {expected}");
                count += 1;
                off += u32::from(found != expected);
            }
        }
        assert!(count > 500 && off * 200 < count, "{off} of {count} differ");
    }

    #[test]
    fn the_scales_of_the_batch_norm_experiment_are_numpys_to_the_bit() {
        let expected = goldens().into_iter().find(|golden| golden.1 == [1.0, 1e-4] && golden.2.len() == 16).unwrap().2;
        assert_eq!(geomspace(1.0, 1e-4, 16), expected);
    }
}
