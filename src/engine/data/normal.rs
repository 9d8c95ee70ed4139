//! Gaussian noise with unrelated classes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::Task;
use super::rows::Rows;
use super::synthetic::{Classes, Synthetic, classified};
use crate::number::{Count, in_range};
use crate::seed::{Purpose, Seed, numpy};

/// Gaussian noise with classes that have nothing to do with it, so a network can only memorize them. It shows how
/// signals and gradients flow through a network, as in the book's histograms of activations.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Normal {
    /// How many numbers make a row, each standard Gaussian.
    features: Count,
    /// How many rows there are.
    rows: Count,
    /// Row i is of class i mod `classes`. Default: 10.
    #[serde(default = "ten")]
    classes: Classes,
    /// The seed of the numbers. Default: 0.
    #[serde(default)]
    seed: Seed,
    /// The seed of the NumPy script that draws the numbers instead.
    #[serde(skip)]
    script: Option<Seed>,
}

fn ten() -> Classes {
    in_range(10_i64)
}

impl Normal {
    /// The rows with the numbers that `gaussian` gives, row by row.
    pub fn from_gaussians(&self, mut gaussian: impl FnMut() -> f64) -> Rows {
        let (rows, features) = (self.rows.as_usize(), self.features.as_usize());
        let inputs = (0..rows * features).map(|_| gaussian()).collect();
        classified(inputs, (0..rows).map(|row| row % self.classes.get()))
    }
}

impl Synthetic for Normal {
    const NAME: &'static str = "normal";

    fn rows(&self) -> Count {
        self.rows
    }

    fn features(&self) -> usize {
        self.features.as_usize()
    }

    fn task(&self) -> Task {
        Task::Classification { classes: self.classes.get() }
    }

    fn draw(&self) -> Rows {
        match self.script.and_then(numpy::seed).map(numpy::NumpyGenerator::new) {
            Some(mut generator) => self.from_gaussians(|| generator.gaussian()),
            None => {
                let mut generator = self.seed.stream(Purpose::Data(0)).at(0);
                self.from_gaussians(|| generator.gaussian())
            }
        }
    }

    fn drawn_by_scripts(&self) -> u64 {
        self.rows.get().saturating_mul(self.features.get())
    }

    fn draw_in_script(&mut self, seed: Seed) {
        self.script = Some(seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Inputs, Targets};

    #[test]
    fn the_numbers_are_one_sequence_row_after_row() {
        let normal: Normal = toml::from_str("features = 3\nrows = 12").unwrap();
        let mut next = 0.0;
        let rows = normal.from_gaussians(|| {
            next += 1.0;
            next
        });
        let Inputs::Numbers(inputs) = rows.inputs else { panic!("numbers") };
        assert_eq!(inputs, (1..=36).map(f64::from).collect::<Vec<_>>());
        assert_eq!(rows.targets, Targets::Classes(vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]));
    }

    #[test]
    fn they_are_standard_gaussians_and_depend_on_the_seed() {
        let draw = |settings: &str| {
            let normal: Normal = toml::from_str(&format!("features = 100\nrows = 500\n{settings}")).unwrap();
            let Inputs::Numbers(inputs) = normal.draw().inputs else { panic!("numbers") };
            inputs
        };
        let inputs = draw("");
        assert_eq!(inputs, draw("seed = 0"));
        assert_ne!(inputs, draw("seed = 1"));
        let mean = inputs.iter().sum::<f64>() / 5e4;
        let square = inputs.iter().map(|x| x * x).sum::<f64>() / 5e4;
        // Five standard errors of 50,000 numbers.
        assert!(mean.abs() < 0.023 && (square - 1.0).abs() < 0.032, "{mean} {square}");
    }
}
