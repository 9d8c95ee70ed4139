//! Scaling features to a common range. The scale is measured only on the training rows of a run, so that nothing about
//! the validation and test rows leaks into the training.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rows::{Inputs, Rows};
use crate::real::Real;

/// How each feature is scaled before it enters the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// Features are not scaled.
    #[default]
    None,
    /// To mean 0 and standard deviation 1 over the training rows, (x − mean) / deviation, with n in the deviation's
    /// denominator: scikit-learn's `StandardScaler`.
    Standard,
    /// To the range from 0 to 1 over the training rows, (x − min) / (max − min): scikit-learn's `MinMaxScaler`.
    MinMax,
}

impl Normalize {
    /// Measures the rows in `order`, or all, in sequence. A feature that is constant in these rows is only shifted: it
    /// becomes 0.
    fn measure(self, rows: &Rows, order: Option<&[usize]>) -> Scaling {
        let features = rows.features();
        let mut spread = vec![(f64::INFINITY, f64::NEG_INFINITY); features];
        each_value(rows, order, |feature, value| {
            let (min, max) = &mut spread[feature];
            *min = min.min(value);
            *max = max.max(value);
        });
        let (shift, scale) = match self {
            Self::None => unreachable!("nothing is measured"),
            Self::MinMax => spread.iter().map(|(min, max)| (*min, max - min)).unzip(),
            Self::Standard => {
                let count = order.map_or(rows.len(), <[usize]>::len) as f64;
                let (mut mean, mut deviation) = (vec![0.0; features], vec![0.0; features]);
                each_value(rows, order, |feature, value| mean[feature] += value);
                mean.iter_mut().for_each(|sum| *sum /= count);
                each_value(rows, order, |feature, value| {
                    let distance = value - mean[feature];
                    deviation[feature] += distance * distance;
                });
                deviation.iter_mut().for_each(|sum: &mut f64| *sum = (*sum / count).sqrt());
                (mean, deviation)
            }
        };
        let mut scaling = Scaling { shift, scale };
        // A constant becomes exactly 0, however its mean was rounded.
        for (feature, (min, max)) in spread.into_iter().enumerate() {
            if min == max || scaling.scale[feature] == 0.0 {
                (scaling.shift[feature], scaling.scale[feature]) = (min, 1.0);
            }
        }
        scaling
    }
}

/// Calls `visit` with every value and its feature, row by row.
fn each_value(rows: &Rows, order: Option<&[usize]>, mut visit: impl FnMut(usize, f64)) {
    let features = rows.features();
    for place in 0..order.map_or(rows.len(), <[usize]>::len) {
        let row = order.map_or(place, |order| order[place]);
        let mut feature = 0;
        rows.inputs.for_each(row * features, features, |value| {
            visit(feature, value);
            feature += 1;
        });
    }
}

/// The scalings measured on a dataset, shared by runs that train on the same rows.
#[derive(Debug, Default)]
pub struct Scalings(Mutex<HashMap<ScalingKey, Arc<OnceLock<Arc<Scaling>>>>>);

/// The normalization that was measured, and the rows: all, or those of an order with this hash.
type ScalingKey = (Normalize, Option<blake3::Hash>);

/// About how many bytes of scalings are kept; beyond that, all are dropped. A thousand splits of MNIST take 13 MB.
const MOST_KEPT: usize = 16 << 20;

/// How many scalings of this many features are kept.
fn most_kept(features: usize) -> usize {
    (MOST_KEPT / (2 * size_of::<f64>() * features.max(1))).max(1)
}

impl Scalings {
    /// The scaling for the rows in `order`, or all; `rows` must always be those of the same dataset. Blocks while
    /// another thread measures it.
    pub(super) fn measured_on(
        &self,
        normalize: Normalize,
        rows: &Rows,
        order: Option<&[usize]>,
    ) -> Option<Arc<Scaling>> {
        if normalize == Normalize::None {
            return None;
        }
        let key = (normalize, order.map(hash));
        let most = most_kept(rows.features());
        let scaling = {
            // Nothing under the lock can panic halfway.
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= most && !kept.contains_key(&key) {
                kept.clear();
            }
            kept.entry(key).or_default().clone()
        };
        Some(scaling.get_or_init(|| Arc::new(normalize.measure(rows, order))).clone())
    }
}

fn hash(order: &[usize]) -> blake3::Hash {
    const ROWS: usize = 128;
    let mut hasher = blake3::Hasher::new();
    for rows in order.chunks(ROWS) {
        let mut bytes = [0; 8 * ROWS];
        bytes.as_chunks_mut().0.iter_mut().zip(rows).for_each(|(bytes, row)| *bytes = (*row as u64).to_le_bytes());
        hasher.update(&bytes[..8 * rows.len()]);
    }
    hasher.finalize()
}

/// A copy starts empty, because its rows may change.
impl Clone for Scalings {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Measurements follow from the rows, so they never make a difference.
impl PartialEq for Scalings {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// (x − shift) / scale for each feature; scales are above 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// `[features]`
    shift: Vec<f64>,
    /// `[features]`
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
    use super::super::dataset::SplitView;
    use super::super::rows::Targets;
    use super::*;

    /// Three features: 1 to 4, a constant, and ten times the first.
    fn rows() -> Rows {
        let values = (1..=4).flat_map(|i| [f64::from(i), 0.1, 10.0 * f64::from(i)]).collect();
        Rows { inputs: Inputs::Numbers(values), targets: Targets::Classes(vec![0; 4]) }
    }

    fn normalized(normalize: Normalize, order: Option<&[usize]>, picked: &[usize]) -> Vec<f64> {
        let rows = rows();
        let scaling = Scalings::default().measured_on(normalize, &rows, order);
        let mut inputs = vec![0.0; 3 * picked.len()];
        SplitView { scaling: scaling.as_deref(), ..SplitView::of(&rows) }.gather_inputs(picked, &mut inputs);
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
    fn who_trains_on_the_same_rows_shares_what_was_measured() {
        let (rows, scalings) = (rows(), Scalings::default());
        let of = |normalize, order: Option<&'static [usize]>| {
            scalings.measured_on(normalize, &rows, order).expect("something is measured")
        };
        let all = of(Normalize::Standard, None);
        assert!(Arc::ptr_eq(&all, &of(Normalize::Standard, None)));
        assert_ne!(all, of(Normalize::MinMax, None));
        let two = of(Normalize::Standard, Some(&[0, 1]));
        assert!(Arc::ptr_eq(&two, &of(Normalize::Standard, Some(&[0, 1]))));
        assert_ne!(two, of(Normalize::Standard, Some(&[0, 2])));
        assert_ne!(two, all);
    }

    #[test]
    fn what_is_kept_is_bounded_by_its_size() {
        assert_eq!((most_kept(784), most_kept(100_000), most_kept(100_000_000)), (1337, 10, 1));
        let features = 300_000;
        let values = (0..2 * features).map(|i| i as f64).collect();
        let rows = Rows { inputs: Inputs::Numbers(values), targets: Targets::Classes(vec![0; 2]) };
        let scalings = Scalings::default();
        let on = |order| scalings.measured_on(Normalize::MinMax, &rows, Some(order));
        let first = on(&[0]);
        for order in [&[1][..], &[0, 1], &[1, 0], &[0, 0]] {
            on(order);
            assert!((1..=3).contains(&scalings.0.lock().unwrap().len()));
        }
        assert_eq!(first, on(&[0]), "what was forgotten is measured again");
    }

    #[test]
    fn orders_that_differ_anywhere_are_told_apart() {
        let order: Vec<usize> = (0..300).collect();
        for place in [0, 127, 128, 299] {
            let mut other = order.clone();
            other[place] += 1;
            assert_ne!(hash(&order), hash(&other));
        }
        assert_ne!(hash(&order), hash(&order[..299]));
    }

    #[test]
    fn only_the_training_rows_are_measured() {
        // Trained on the values 1 and 2: 3 and 4 lie outside.
        assert_eq!(
            normalized(Normalize::MinMax, Some(&[1, 0]), &[0, 1, 2, 3])[..],
            [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 2.0, 0.0, 2.0, 3.0, 0.0, 3.0]
        );
    }
}
