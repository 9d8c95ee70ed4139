//! The `[train]` section of the experiment file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::batches::Sampling;
use crate::kernel::Precision;
use crate::nn::loss::Objective;
use crate::number::{Count, Whole};

const BATCH_SIZE: u64 = 128;

/// The `[train]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainSection {
    /// How many rows a step computes its gradients from. Default: 128.
    #[schemars(extend("default" = BATCH_SIZE))]
    pub batch_size: Option<Count>,
    /// How many updates are made; with 0, nothing is trained, only recorded. No default: this or `epochs` is required.
    pub steps: Option<Whole>,
    /// How many epochs to train, each of as many rows as there are: `epochs = 3` is ⌈3 · rows / batch_size⌉ steps. No
    /// default: this or `steps` is required.
    pub epochs: Option<Count>,
    /// How batches are drawn: `"with-replacement"` (the default, as the book does it) or `"shuffle"`.
    #[schemars(extend("default" = Sampling::default()))]
    pub sampling: Option<Sampling>,
    /// What training minimizes: `"cross-entropy"` (the default) or `"mse"`.
    #[schemars(extend("default" = Objective::default().name()))]
    pub objective: Option<Objective>,
    /// The precision of the arithmetic: `"f32"` (the default) or `"f64"`.
    #[serde(default)]
    pub precision: Precision,
}

/// A `[train]` section that does not say how long to train.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StepsError {
    #[error("the length of the training is missing: write `steps` or `epochs`")]
    Neither,
    #[error("`steps` and `epochs` both set the length of the training: keep one of them")]
    Both,
    #[error("{0} epochs of {1} rows are more steps than can be counted: use fewer `epochs`")]
    TooMany(u64, u64),
}

impl TrainSection {
    /// How many rows a step computes its gradients from.
    pub fn batch_size(&self) -> Count {
        self.batch_size.unwrap_or_else(|| Count::new(BATCH_SIZE).expect("128 is a count"))
    }

    /// The keys that only apply to networks.
    pub const OF_A_NETWORK: [&str; 4] = ["batch_size", "epochs", "sampling", "objective"];

    /// The keys of [`OF_A_NETWORK`](Self::OF_A_NETWORK) that are given.
    pub fn of_a_network(&self) -> impl Iterator<Item = &'static str> {
        let Self { batch_size, epochs, sampling, objective, .. } = self;
        let are_given = [batch_size.is_some(), epochs.is_some(), sampling.is_some(), objective.is_some()];
        Self::OF_A_NETWORK.into_iter().zip(are_given).filter(|(_, is_given)| *is_given).map(|(key, _)| key)
    }

    /// The number of updates with `rows` training rows.
    ///
    /// # Errors
    /// If not exactly one of `steps` and `epochs` is given, or the number is not a [`Count`].
    pub fn steps(&self, rows: u64) -> Result<u64, StepsError> {
        match (self.steps, self.epochs) {
            (Some(steps), None) => Ok(steps.get()),
            (None, Some(epochs)) => {
                let drawn = u128::from(epochs.get()) * u128::from(rows);
                let steps = u64::try_from(drawn.div_ceil(u128::from(self.batch_size().get())));
                let steps = steps.ok().and_then(|steps| Count::new(steps).ok());
                steps.map(Count::get).ok_or(StepsError::TooMany(epochs.get(), rows))
            }
            (None, None) => Err(StepsError::Neither),
            (Some(_), Some(_)) => Err(StepsError::Both),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_rounded_up_to_steps() {
        let read = |json: &str| serde_json::from_str::<TrainSection>(json).unwrap();
        let steps = |json| read(json).steps(1000);
        assert_eq!(steps(r#"{"steps": 7}"#), Ok(7));
        assert_eq!(steps(r#"{"steps": 0}"#), Ok(0));
        assert_eq!(steps(r#"{"epochs": 1}"#), Ok(8));
        assert_eq!(steps(r#"{"epochs": 2}"#), Ok(16));
        assert_eq!(steps(r#"{"epochs": 2, "batch_size": 100}"#), Ok(20));
        assert_eq!(steps("{}"), Err(StepsError::Neither));
        assert_eq!(steps(r#"{"steps": 7, "epochs": 1}"#), Err(StepsError::Both));
        assert_eq!(
            steps(r#"{"epochs": 9007199254740992, "batch_size": 1}"#),
            Err(StepsError::TooMany(9_007_199_254_740_992, 1000))
        );
        assert_eq!(read("{}").batch_size().get(), 128);
    }
}
