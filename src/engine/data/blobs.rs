//! Gaussian clouds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::Task;
use super::rows::Rows;
use super::synthetic::{Classes, Synthetic, classified};
use super::{Error, are_too_many};
use crate::number::{Count, NonNegative, in_range};
use crate::seed::{Purpose, Seed};

/// Blobs: Gaussian clouds around centers, one for each class; the farther apart the centers, the easier.
///
/// As scikit-learn's `make_blobs`: centers are uniform in [−10, 10), and a point is its class's center plus Gaussian
/// noise. Row i is of class i mod `classes`; scikit-learn shuffles the rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Blobs {
    /// How many points there are. Default: 300.
    rows: Count,
    /// How many coordinates a point has. Default: 2.
    features: Count,
    /// How many clouds there are. Default: 3.
    classes: Classes,
    /// The standard deviation of a cloud. Default: 1.
    noise: NonNegative,
    /// The seed of the centers and points. Default: 0.
    seed: Seed,
}

impl Default for Blobs {
    fn default() -> Self {
        Self {
            rows: in_range(300_i64),
            features: in_range(2_i64),
            classes: in_range(3_i64),
            noise: in_range(1.0),
            seed: Seed::default(),
        }
    }
}

impl Synthetic for Blobs {
    const NAME: &'static str = "blobs";

    fn rows(&self) -> Count {
        self.rows
    }

    fn features(&self) -> usize {
        self.features.as_usize()
    }

    fn task(&self) -> Task {
        Task::Classification { classes: self.classes.get() }
    }

    fn check(&self) -> Result<(), Error> {
        let (classes, features) = (self.classes.get(), self.features());
        if are_too_many(classes as u64, features as u64) {
            return Err(Error::TooManyCenters { classes, features });
        }
        Ok(())
    }

    fn draw(&self) -> Rows {
        // Separate streams, so that more rows do not move the centers.
        let mut uniforms = self.seed.stream(Purpose::Data(1)).at(0);
        let mut gaussians = self.seed.stream(Purpose::Data(0)).at(0);
        let (rows, features, classes) = (self.rows.as_usize(), self.features.as_usize(), self.classes.get());
        let centers: Vec<f64> = (0..classes * features).map(|_| 20.0 * uniforms.uniform() - 10.0).collect();
        let class = |row| row % classes;
        let mut inputs = Vec::with_capacity(rows * features);
        for row in 0..rows {
            let center = &centers[class(row) * features..][..features];
            inputs.extend(center.iter().map(|center| center + self.noise.get() * gaussians.gaussian()));
        }
        classified(inputs, (0..rows).map(class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Inputs;

    fn draw(settings: &str) -> Vec<f64> {
        let Inputs::Numbers(inputs) = toml::from_str::<Blobs>(settings).unwrap().draw().inputs else { panic!() };
        inputs
    }

    #[test]
    fn points_lie_around_the_centers_of_their_classes() {
        let centers = draw("rows = 3\nfeatures = 4\nnoise = 0");
        assert!(centers.iter().all(|center| (-10.0..10.0).contains(center)));
        let points = draw("rows = 3000\nfeatures = 4\nnoise = 0.5");
        for (place, center) in centers.iter().enumerate() {
            let mean = points.iter().skip(place).step_by(12).sum::<f64>() / 1000.0;
            // Five standard errors.
            assert!((mean - center).abs() < 0.08, "{mean} {center}");
        }
    }

    #[test]
    fn more_rows_begin_with_the_same_ones() {
        assert_eq!(draw("rows = 10"), draw("rows = 300")[..20]);
        assert_ne!(draw("rows = 10"), draw("rows = 10\nseed = 1"));
    }
}
