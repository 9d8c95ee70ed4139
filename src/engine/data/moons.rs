//! Two interleaving half moons.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::Task;
use super::rows::Rows;
use super::synthetic::{Synthetic, classified};
use crate::number::{Count, NonNegative, in_range};
use crate::real::sin_cos;
use crate::seed::{Purpose, Seed};

/// Two interlocking half moons: a small classification that no straight line solves.
///
/// As scikit-learn's `make_moons`: the points are evenly spaced in the angle θ from 0 to π, on the upper moon at (cos
/// θ, sin θ), on the lower one at (1 − cos θ, ½ − sin θ). Gaussian noise is added to both coordinates. scikit-learn
/// then shuffles the rows and has no noise by default.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Moons {
    /// How many points there are on both moons together; the lower one gets an odd point. Default: 200.
    rows: Count,
    /// The standard deviation of the noise. Default: 0.1.
    noise: NonNegative,
    /// The seed of the noise. Default: 0.
    seed: Seed,
}

impl Default for Moons {
    fn default() -> Self {
        Self { rows: in_range(200_i64), noise: in_range(0.1), seed: Seed::default() }
    }
}

impl Synthetic for Moons {
    const NAME: &'static str = "moons";

    fn rows(&self) -> Count {
        self.rows
    }

    fn features(&self) -> usize {
        2
    }

    fn task(&self) -> Task {
        Task::Classification { classes: 2 }
    }

    fn draw(&self) -> Rows {
        let mut generator = self.seed.stream(Purpose::Data(0)).at(0);
        let upper = self.rows.as_usize() / 2;
        let lower = self.rows.as_usize() - upper;
        let mut inputs = Vec::with_capacity(2 * self.rows.as_usize());
        for (moon, points) in [upper, lower].into_iter().enumerate() {
            for point in 0..points {
                let angle = std::f64::consts::PI * point as f64 / (points.max(2) - 1) as f64;
                let (sine, cosine) = sin_cos(angle);
                let [x, y] = if moon == 0 { [cosine, sine] } else { [1.0 - cosine, 0.5 - sine] };
                inputs.extend([x, y].map(|coordinate| coordinate + self.noise.get() * generator.gaussian()));
            }
        }
        classified(inputs, (0..self.rows.as_usize()).map(|row| usize::from(row >= upper)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Inputs, Targets};

    #[test]
    fn without_noise_the_points_are_those_of_scikit_learn() {
        let moons: Moons = toml::from_str("rows = 7\nnoise = 0").unwrap();
        let rows = moons.draw();
        let Inputs::Numbers(inputs) = rows.inputs else { panic!("numbers") };
        // make_moons(7, shuffle=False), scikit-learn 1.7
        let sixty_degrees = 0.75_f64.sqrt();
        let expected = [
            [1.0, 0.0],
            [0.0, 1.0],
            [-1.0, 0.0],
            [0.0, 0.5],
            [0.5, 0.5 - sixty_degrees],
            [1.5, 0.5 - sixty_degrees],
            [2.0, 0.5],
        ];
        for (found, expected) in inputs.iter().zip(expected.as_flattened()) {
            assert!((found - expected).abs() < 1e-15, "{inputs:?}");
        }
        assert_eq!(inputs.len(), 14);
        assert_eq!(rows.targets, Targets::Classes(vec![0, 0, 0, 1, 1, 1, 1]));
    }

    #[test]
    fn noise_moves_every_point_a_little() {
        let draw = |settings: &str| {
            let Inputs::Numbers(inputs) = toml::from_str::<Moons>(settings).unwrap().draw().inputs else { panic!() };
            inputs
        };
        let (bare, noisy) = (draw("rows = 2000\nnoise = 0"), draw("rows = 2000\nnoise = 0.1"));
        let square = bare.iter().zip(&noisy).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / 4000.0;
        assert!((square - 0.01).abs() < 0.0012, "{square}");
        assert_ne!(noisy, draw("rows = 2000\nnoise = 0.1\nseed = 1"));
    }
}
