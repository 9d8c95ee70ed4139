//! A noisy sine, to be learned as a regression.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::Task;
use super::rows::{Inputs, Rows, Targets};
use super::synthetic::Synthetic;
use crate::number::{Count, NonNegative, in_range};
use crate::real::sin_cos;
use crate::seed::{Purpose, Seed};

/// A sine with noise: the curve that Bishop fits polynomials to ("Pattern Recognition and Machine Learning", 2006,
/// section 1.1), and a small regression.
///
/// x is evenly spaced from 0 to 1, y = sin 2πx + Gaussian noise. Bishop has 10 points and noise of 0.3.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sine {
    /// How many points there are. Default: 100.
    rows: Count,
    /// The standard deviation of y. Default: 0.3.
    noise: NonNegative,
    /// The seed of the noise. Default: 0.
    seed: Seed,
}

impl Default for Sine {
    fn default() -> Self {
        Self { rows: in_range(100_i64), noise: in_range(0.3), seed: Seed::default() }
    }
}

impl Synthetic for Sine {
    const NAME: &'static str = "sine";

    fn rows(&self) -> Count {
        self.rows
    }

    fn features(&self) -> usize {
        1
    }

    fn task(&self) -> Task {
        Task::Regression { targets: 1 }
    }

    fn draw(&self) -> Rows {
        let mut generator = self.seed.stream(Purpose::Data(0)).at(0);
        let last = (self.rows.get().max(2) - 1) as f64;
        let inputs: Vec<f64> = (0..self.rows.get()).map(|row| row as f64 / last).collect();
        let y = |x: &f64| sin_cos(std::f64::consts::TAU * x).0 + self.noise.get() * generator.gaussian();
        let values = inputs.iter().map(y).collect();
        Rows { inputs: Inputs::Numbers(inputs), targets: Targets::Values { values, targets: 1 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_noise_it_is_the_sine() {
        let rows = toml::from_str::<Sine>("rows = 5\nnoise = 0").unwrap().draw();
        assert_eq!(rows.inputs, Inputs::Numbers(vec![0.0, 0.25, 0.5, 0.75, 1.0]));
        let Targets::Values { values, targets: 1 } = rows.targets else { panic!("one value a row") };
        for (found, expected) in values.iter().zip([0.0, 1.0, 0.0, -1.0, 0.0]) {
            assert!((found - expected).abs() < 1e-15, "{values:?}");
        }
    }

    #[test]
    fn a_single_point_is_at_0() {
        let rows = toml::from_str::<Sine>("rows = 1").unwrap().draw();
        assert_eq!(rows.inputs, Inputs::Numbers(vec![0.0]));
    }
}
