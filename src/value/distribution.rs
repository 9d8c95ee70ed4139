//! Distributions: each maps one uniform number to one value.
//!
//! The caller provides the uniform number.

use super::{Kind, Number};
use engine::real;

/// What a setting is drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// One of the alternatives, with equal probability.
    Choice,
    /// A number from an interval.
    Number(Interval),
}

/// How a number is drawn from the interval between two ends, the first below the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Interval {
    /// Uniform between the two.
    Uniform { from: f64, to: f64 },
    /// The decimal logarithm is uniform between the two.
    LogUniform { from: f64, to: f64 },
    /// Integers with equal probability, both ends included. The ends have at most 53 bits.
    IntUniform { from: i64, to: i64 },
}

impl Distribution {
    /// Its keyword in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Choice => "choice",
            Self::Number(Interval::Uniform { .. }) => "uniform",
            Self::Number(Interval::LogUniform { .. }) => "log_uniform",
            Self::Number(Interval::IntUniform { .. }) => "int_uniform",
        }
    }

    /// Whether it draws integers only by accident.
    pub const fn draws_fractions(self) -> bool {
        matches!(self, Self::Number(Interval::Uniform { .. } | Interval::LogUniform { .. }))
    }
}

impl Interval {
    /// Log-uniform between two numbers above 0, the first below the second.
    pub fn log_uniform(from: f64, to: f64) -> Self {
        Self::LogUniform { from: real::log10(from), to: real::log10(to) }
    }

    /// The number for `u` in [0, 1); it increases with `u`.
    ///
    /// Uniform: from + (to − from) u, as NumPy's `uniform`. Log-uniform: 10 to the power of a uniform number between
    /// the decimal logarithms. Integers: from + ⌊(to − from + 1) u⌋; since `u` has about 2^53 values, the probabilities
    /// differ by a relative error of at most (to − from + 1) / 2^53.
    pub fn value(self, u: f64) -> Number {
        match self {
            Self::Uniform { from, to } => Number::Float(from + (to - from) * u),
            Self::LogUniform { from, to } => Number::Float(real::exp10(from + (to - from) * u)),
            Self::IntUniform { from, to } => {
                let count = (to - from + 1) as f64;
                Number::Int((from + (count * u) as i64).min(to))
            }
        }
    }

    /// The smallest and the largest number that it can draw.
    pub fn extremes(self) -> [Kind; 2] {
        [self.value(0.0), self.value(LARGEST)].map(Kind::from)
    }
}

/// The largest number below 1 that a generator draws.
const LARGEST: f64 = 1.0 - f64::EPSILON / 2.0;

/// The 0-based position among `count` for `u` in [0, 1).
pub fn position(count: usize, u: f64) -> usize {
    ((count as f64 * u) as usize).min(count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_number_is_stretched_over_the_interval() {
        let interval = Interval::Uniform { from: -1.0, to: 3.0 };
        assert_eq!([0.0, 0.5].map(|u| interval.value(u)), [Number::Float(-1.0), Number::Float(1.0)]);
        assert_eq!(Interval::Uniform { from: 0.0, to: 1.0 }.extremes()[1], Kind::Float(LARGEST));
    }

    #[test]
    fn a_log_uniform_number_has_the_exponent_that_is_uniform() {
        let interval = Interval::log_uniform(1e-6, 1e-2);
        for (u, expected) in [(0.0, 1e-6), (0.25, 1e-5), (0.5, 1e-4), (0.75, 1e-3)] {
            let Number::Float(found) = interval.value(u) else { panic!("a number with a fraction") };
            assert!((found / expected - 1.0_f64).abs() < 1e-14, "{found}");
        }
    }

    #[test]
    fn whole_numbers_include_both_ends_in_equal_shares() {
        let interval = Interval::IntUniform { from: -2, to: 2 };
        let mut counts = [0; 5];
        for part in 0..100 {
            let Number::Int(found) = interval.value(f64::from(part) / 100.0) else { panic!("a whole number") };
            counts[(found + 2) as usize] += 1;
        }
        assert_eq!(counts, [20; 5]);
        assert_eq!(interval.extremes(), [Kind::Int(-2), Kind::Int(2)]);
        let widest = Interval::IntUniform { from: -(1 << 53), to: 1 << 53 };
        assert_eq!(widest.extremes()[0], Kind::Int(-(1 << 53)));
        assert!(matches!(widest.extremes()[1], Kind::Int(most) if most <= 1 << 53 && most > (1 << 53) - 4));
    }

    #[test]
    fn a_choice_gives_each_an_equal_share() {
        let mut counts = [0; 4];
        (0..100).for_each(|part| counts[position(4, f64::from(part) / 100.0)] += 1);
        assert_eq!(counts, [25; 4]);
        assert_eq!(position(3, LARGEST), 2);
        assert_eq!(position(1, LARGEST), 0);
    }
}
