//! Bringing features to a common scale. What that scale is, is measured on the training rows of a run and nowhere else,
//! so that nothing about the validation and test rows gets into the training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::{Inputs, View};
use crate::real::Real;

/// How each feature is scaled before it enters the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// Not at all.
    #[default]
    None,
    /// To mean 0 and standard deviation 1 over the training rows, (x − mean) / deviation, with n in the deviation's denominator:
    /// scikit-learn's `StandardScaler`.
    Standard,
    /// To the range from 0 to 1 over the training rows, (x − min) / (max − min): scikit-learn's `MinMaxScaler`.
    MinMax,
}

impl Normalize {
    /// As the experiment file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Standard => "standard",
            Self::MinMax => "min-max",
        }
    }

    /// Measures the rows of `train`, one after the other. A feature that is the same in all of them is only shifted: it
    /// becomes 0.
    pub(super) fn measure(self, train: View) -> Option<Scaling> {
        let features = train.rows.inputs.len() / train.rows.len();
        let each_row = |visit: &mut dyn FnMut(usize, f64)| {
            for place in 0..train.len() {
                let row = train.order.map_or(place, |order| order[place]);
                let mut feature = 0;
                train.rows.inputs.for_each(row * features, features, |value| {
                    visit(feature, value);
                    feature += 1;
                });
            }
        };
        if self == Self::None {
            return None;
        }
        let spread = spread(features, each_row);
        let (shift, scale) = match self {
            Self::None | Self::MinMax => spread.iter().map(|(min, max)| (*min, max - min)).unzip(),
            Self::Standard => {
                let count = train.len() as f64;
                let (mut mean, mut deviation) = (vec![0.0; features], vec![0.0; features]);
                each_row(&mut |feature, value| mean[feature] += value);
                mean.iter_mut().for_each(|sum| *sum /= count);
                each_row(&mut |feature, value| {
                    let distance = value - mean[feature];
                    deviation[feature] += distance * distance;
                });
                deviation.iter_mut().for_each(|sum: &mut f64| *sum = (*sum / count).sqrt());
                (mean, deviation)
            }
        };
        let mut scaling = Scaling { shift, scale };
        // What is the same in all rows becomes 0 exactly, however its mean was rounded.
        for (feature, (min, max)) in spread.into_iter().enumerate() {
            if min == max || scaling.scale[feature] == 0.0 {
                (scaling.shift[feature], scaling.scale[feature]) = (min, 1.0);
            }
        }
        Some(scaling)
    }
}

/// The smallest and the largest value of each feature.
fn spread(features: usize, each_row: impl Fn(&mut dyn FnMut(usize, f64))) -> Vec<(f64, f64)> {
    let mut spread = vec![(f64::INFINITY, f64::NEG_INFINITY); features];
    each_row(&mut |feature, value| {
        let (min, max) = &mut spread[feature];
        *min = min.min(value);
        *max = max.max(value);
    });
    spread
}

/// (x − shift) / scale for each feature; scales are above 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// [features]
    shift: Vec<f64>,
    /// [features]
    scale: Vec<f64>,
}

impl Scaling {
    /// Scales the row of `from` that begins at `first` into `to: [features]`: in `f64`, rounded once.
    pub(super) fn apply<R: Real>(&self, from: &Inputs, first: usize, to: &mut [R]) {
        let mut to = to.iter_mut().zip(self.shift.iter().zip(&self.scale));
        from.for_each(first, self.shift.len(), |value| {
            if let Some((to, (shift, scale))) = to.next() {
                *to = R::from_f64((value - shift) / scale);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::{Rows, Targets};
    use super::*;

    /// Three features: 1 to 4, a constant, and ten times the first.
    fn rows() -> Rows {
        let values = (1..=4).flat_map(|i| [f64::from(i), 0.1, 10.0 * f64::from(i)]).collect();
        Rows { inputs: Inputs::Numbers(values), targets: Targets::Classes(vec![0; 4]) }
    }

    fn normalized(normalize: Normalize, order: Option<&[usize]>, picked: &[usize]) -> Vec<f64> {
        let rows = rows();
        let train = View { order, ..View::of(&rows) };
        let scaling = normalize.measure(train);
        let mut inputs = vec![0.0; 3 * picked.len()];
        View { scaling: scaling.as_ref(), ..View::of(&rows) }.gather_inputs(picked, &mut inputs);
        inputs
    }

    #[test]
    fn standard_is_mean_0_and_deviation_1_and_a_constant_becomes_0() {
        let deviation = 1.25_f64.sqrt();
        let row = normalized(Normalize::Standard, None, &[3]);
        assert!((row[0] - 1.5 / deviation).abs() < 1e-15 && (row[2] - 1.5 / deviation).abs() < 1e-15, "{row:?}");
        assert_eq!(row[1], 0.0);
    }

    #[test]
    fn min_max_is_the_range_from_0_to_1() {
        assert_eq!(normalized(Normalize::MinMax, None, &[0, 3]), [0.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(normalized(Normalize::None, None, &[1]), [2.0, 0.1, 20.0]);
    }

    #[test]
    fn only_the_training_rows_are_measured() {
        // Trained on the values 1 and 2: 3 and 4 lie outside.
        assert_eq!(
            normalized(Normalize::MinMax, Some(&[1, 0]), &[0, 1, 2, 3])[..],
            [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 2.0, 0.0, 2.0, 3.0, 0.0, 3.0]
        );
    }

    #[test]
    fn the_name_is_what_the_file_says() {
        for normalize in [Normalize::None, Normalize::Standard, Normalize::MinMax] {
            assert_eq!(serde_json::from_str::<Normalize>(&format!("\"{}\"", normalize.name())).unwrap(), normalize);
        }
    }
}
