//! Metrics of single layers, recorded at regular intervals.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Every;
use super::words::{Word, Words};
use crate::settings::Settings;

/// Records layer metrics: `{ what = ["weight-norm", "update-ratio"], every = 10 }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LayerMetrics {
    /// Which numbers. Default: all.
    pub what: Words<LayerMetric>,
    /// How often, as for evaluations: `"epoch"` (the default) or a number of steps.
    pub every: Every,
}

/// A metric of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LayerMetric {
    /// Of an affine layer: the Euclidean norm of its weights after the update.
    WeightNorm,
    /// Of an affine layer: the norm of the gradients of its weights, from which the update was made, penalties
    /// included.
    GradientNorm,
    /// Of an affine layer: the norm of the change of its weights, divided by their norm before the update.
    UpdateRatio,
    /// Of a ReLU layer: the share of units that give 0 for every row of the batch.
    DeadShare,
}

impl Word for LayerMetric {
    const ALL: &'static [Self] = &[Self::WeightNorm, Self::GradientNorm, Self::UpdateRatio, Self::DeadShare];

    fn name(self) -> &'static str {
        match self {
            Self::WeightNorm => "weight-norm",
            Self::GradientNorm => "gradient-norm",
            Self::UpdateRatio => "update-ratio",
            Self::DeadShare => "dead-share",
        }
    }
}

impl Default for LayerMetrics {
    fn default() -> Self {
        Self { what: Words::all(), every: Every::default() }
    }
}

impl LayerMetrics {
    /// How many rows one step adds, for a network with this many affine and ReLU layers.
    pub fn rows(&self, affine: u64, relu: u64) -> u64 {
        self.what.get().iter().map(|metric| if *metric == LayerMetric::DeadShare { relu } else { affine }).sum()
    }

    /// Writes `layers_what` (`"weight-norm_update-ratio"`) and `layers_every` (`"epoch"` or a number, as text).
    pub fn settings(&self, settings: &mut Settings) {
        settings.set("layers_what", self.what.to_string());
        settings.set("layers_every", self.every.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_say_what_they_accept() {
        let read = |json| serde_json::from_str::<LayerMetrics>(json);
        assert_eq!(read("{}").unwrap(), LayerMetrics::default());
        let some = read(r#"{"what": ["dead-share", "weight-norm"]}"#).unwrap();
        assert!(some.what.has(LayerMetric::DeadShare) && !some.what.has(LayerMetric::UpdateRatio));
        assert_eq!((some.rows(3, 2), LayerMetrics::default().rows(3, 2)), (5, 11));
        let error = |json| read(json).unwrap_err().to_string();
        assert!(error(r#"{"what": []}"#).starts_with("expected at least one of \"weight-norm\","));
        assert!(error(r#"{"what": ["norm"]}"#).starts_with("unknown variant `norm`, expected one of"));

        let mut settings = Settings::default();
        some.settings(&mut settings);
        let written: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(written, ["layers_every=epoch", "layers_what=weight-norm_dead-share"]);
    }
}
