//! Distributions: each turns one uniform number into one value.
//!
//! Where the uniform number comes from is the caller's business.

use super::{Kind, Number};
use crate::real;

/// What a setting is drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// One of the alternatives, each as likely as the others.
    Choice,
    /// A number from an interval.
    Number(Interval),
}

/// How a number is drawn from the interval between two ends, the first below the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Interval {
    /// Every number is as likely as the others.
    Uniform { from: f64, to: f64 },
    /// Its decimal logarithm is uniform between these two.
    LogUniform { from: f64, to: f64 },
    /// A whole number, both ends included, each as likely as the others. The ends have at most 53 bits.
    IntUniform { from: i64, to: i64 },
}

impl Distribution {
    /// The word that the file has for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Choice => "choice",
            Self::Number(Interval::Uniform { .. }) => "uniform",
            Self::Number(Interval::LogUniform { .. }) => "log_uniform",
            Self::Number(Interval::IntUniform { .. }) => "int_uniform",
        }
    }

    /// Whether a whole number comes out by accident only.
    pub const fn draws_fractions(self) -> bool {
        matches!(self, Self::Number(Interval::Uniform { .. } | Interval::LogUniform { .. }))
    }
}

impl Interval {
    /// Between two numbers above 0, the first below the second, of which the logarithm is uniform.
    pub fn log_uniform(from: f64, to: f64) -> Self {
        Self::LogUniform { from: real::log10(from), to: real::log10(to) }
    }

    /// The number that `u` in [0, 1) stands for; the larger, the larger `u` is.
    ///
    /// Uniform: from + (to − from) u, as NumPy's `uniform` has it. Log-uniform: 10 to the power of what is uniform
    /// between the decimal logarithms. Whole numbers: from + ⌊(to − from + 1) u⌋; with few more than 2^53 values of
    /// `u`, some come up more often than others by a share of at most (to − from + 1) / 2^53.
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

    /// The smallest and the largest number that can be drawn.
    pub fn extremes(self) -> [Kind; 2] {
        [self.value(0.0), self.value(LARGEST)].map(Kind::from)
    }
}

/// The largest number below 1 that a generator draws.
const LARGEST: f64 = 1.0 - f64::EPSILON / 2.0;

/// The 0-based position among `count` that `u` in [0, 1) stands for.
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
