//! Checks of gradients against central differences of the loss.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recorded_steps::RecordedSteps;
use crate::number::{Count, Positive};
use crate::settings::Settings;

/// Compares the gradients with the slopes of the loss: `{ at = ["start"], h = 1e-4, rows = 10, parameters = 100 }`.
///
/// In f32 a loss has about seven digits, and the difference of two losses only a few; use `precision = "f64"`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GradientChecks {
    /// When: `"start"` (the default), `"end"`, numbers of steps.
    pub at: RecordedSteps,
    /// A parameter w is moved to w + h and w − h. Default: 10⁻⁴, as in the book.
    pub h: Positive,
    /// How many of the first training rows the loss is computed on. Default: 10, or all if there are fewer.
    pub rows: Option<Count>,
    /// How many of each layer's weights, and how many of its biases, are checked, evenly spread. Default: 1000, or all
    /// if there are fewer.
    pub parameters: Count,
}

impl GradientChecks {
    /// The default number of rows in the loss.
    const ROWS: u64 = 10;

    /// How many of `train_rows` rows are in the loss.
    pub fn rows(&self, train_rows: u64) -> u64 {
        self.rows.map_or(Self::ROWS, Count::get).min(train_rows)
    }

    /// Writes `gradient_checks_at`, `gradient_checks_h`, `gradient_checks_rows` and `gradient_checks_parameters`.
    pub fn settings(&self, settings: &mut Settings) {
        settings.set("gradient_checks_at", self.at.to_string());
        settings.set("gradient_checks_h", self.h.get());
        settings.set("gradient_checks_rows", self.rows.map_or(Self::ROWS, Count::get));
        settings.set("gradient_checks_parameters", self.parameters.get());
    }
}

impl Default for GradientChecks {
    fn default() -> Self {
        Self {
            at: RecordedSteps::start(),
            h: Positive::new(1e-4).expect("this is above 0"),
            rows: None,
            parameters: Count::new(1000).expect("1000 is a count"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_say_what_they_accept() {
        let read = |json| serde_json::from_str::<GradientChecks>(json);
        let checks = read("{}").unwrap();
        assert_eq!(checks, GradientChecks::default());
        assert_eq!((checks.rows(60_000), checks.rows(3)), (10, 3));
        assert!(read(r#"{"h": 0.0}"#).unwrap_err().to_string().contains("a finite number above 0"));
        assert!(read(r#"{"at": ["middle"]}"#).unwrap_err().to_string().starts_with("unknown variant `middle`"));
        let mut settings = Settings::default();
        checks.settings(&mut settings);
        let written: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            written,
            [
                "gradient_checks_at=start",
                "gradient_checks_h=0.0001",
                "gradient_checks_parameters=1000",
                "gradient_checks_rows=10"
            ]
        );
    }
}
