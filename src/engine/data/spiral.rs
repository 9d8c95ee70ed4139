//! Interleaving spirals.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::dataset::Task;
use super::rows::Rows;
use super::synthetic::{Classes, Synthetic, classified};
use crate::number::{Count, NonNegative, in_range};
use crate::real::sin_cos;
use crate::seed::{Purpose, Seed};

/// Spirals: the arms wind around one another, so no straight line separates them.
///
/// The data of the second volume of "Deep Learning from Scratch" (Saito 2018, `dataset/spiral.py`): point i of n on arm
/// j has the radius r = i / n and the angle θ = 4j + 4r + σ·(a standard Gaussian), and is at (r sin θ, r cos θ). The
/// book has 3 arms of 100 points and σ = 0.2, like the defaults here, and draws the Gaussians with NumPy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "SpiralKeys", into = "SpiralKeys")]
pub struct Spiral {
    rows: Count,
    classes: Classes,
    noise: NonNegative,
    seed: Seed,
}

/// The settings as they are written.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct SpiralKeys {
    /// How many points there are on all arms together: a multiple of `classes`. Default: 300.
    rows: Count,
    /// How many arms there are, each one a class. Default: 3.
    classes: Classes,
    /// The standard deviation of the angle, in radians. Default: 0.2.
    noise: NonNegative,
    /// The seed of the noise. Default: 0.
    seed: Seed,
}

impl Default for SpiralKeys {
    fn default() -> Self {
        Self { rows: in_range(300_i64), classes: in_range(3_i64), noise: in_range(0.2), seed: Seed::default() }
    }
}

/// Points that cannot be divided evenly among the arms.
#[derive(Debug, Error)]
#[error("{rows} points cannot be divided among {classes} arms: `rows` must be a multiple of `classes`")]
struct Uneven {
    rows: u64,
    classes: usize,
}

impl TryFrom<SpiralKeys> for Spiral {
    type Error = Uneven;

    fn try_from(SpiralKeys { rows, classes, noise, seed }: SpiralKeys) -> Result<Self, Uneven> {
        if !rows.get().is_multiple_of(classes.get() as u64) {
            return Err(Uneven { rows: rows.get(), classes: classes.get() });
        }
        Ok(Self { rows, classes, noise, seed })
    }
}

impl From<Spiral> for SpiralKeys {
    fn from(Spiral { rows, classes, noise, seed }: Spiral) -> Self {
        Self { rows, classes, noise, seed }
    }
}

impl Spiral {
    /// The points with the noise that `gaussian` gives, arm by arm, each from the inside out.
    pub fn from_gaussians(&self, mut gaussian: impl FnMut() -> f64) -> Rows {
        let points = self.rows.as_usize() / self.classes.get();
        let mut inputs = Vec::with_capacity(2 * self.rows.as_usize());
        for arm in 0..self.classes.get() {
            for point in 0..points {
                let radius = point as f64 / points as f64;
                let angle = arm as f64 * 4.0 + 4.0 * radius + gaussian() * self.noise.get();
                let (sine, cosine) = sin_cos(angle);
                inputs.extend([radius * sine, radius * cosine]);
            }
        }
        classified(inputs, (0..self.rows.as_usize()).map(|row| row / points))
    }
}

impl Synthetic for Spiral {
    const NAME: &'static str = "spiral";

    fn rows(&self) -> Count {
        self.rows
    }

    fn features(&self) -> usize {
        2
    }

    fn task(&self) -> Task {
        Task::Classification { classes: self.classes.get() }
    }

    fn draw(&self) -> Rows {
        let mut generator = self.seed.stream(Purpose::Data(0)).at(0);
        self.from_gaussians(|| generator.gaussian())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Inputs, Targets};

    #[test]
    fn the_points_are_those_of_the_book_given_its_noise() {
        // Made by tests/goldens/spiral.py.
        let golden: toml::Table = toml::from_str(include_str!("../../../tests/goldens/spiral.toml")).unwrap();
        let numbers = |key: &str| -> Vec<f64> {
            golden[key].as_array().unwrap().iter().map(|number| number.as_float().unwrap()).collect()
        };
        let (gaussians, expected) = (numbers("gaussians"), numbers("points"));
        let mut gaussians = gaussians.into_iter();
        let spiral: Spiral = toml::from_str("").unwrap();
        let rows = spiral.from_gaussians(|| gaussians.next().unwrap());
        let Inputs::Numbers(inputs) = rows.inputs else { panic!("numbers") };
        assert_eq!((inputs.len(), gaussians.next()), (expected.len(), None));
        for (found, expected) in inputs.iter().zip(expected) {
            // NumPy's sine and cosine differ from ours by at most 1 ulp.
            assert!((found - expected).abs() <= 4e-16, "{found} {expected}");
        }
        let Targets::Classes(classes) = rows.targets else { panic!("classes") };
        assert_eq!(classes, [[0; 100], [1; 100], [2; 100]].concat());
    }

    #[test]
    fn points_are_dealt_out_evenly() {
        let error = toml::from_str::<Spiral>("rows = 100").unwrap_err();
        assert!(error.to_string().contains("`rows` must be a multiple of `classes`"), "{error}");
        assert!(toml::from_str::<Spiral>("rows = 100\nclasses = 4").is_ok());
    }
}
