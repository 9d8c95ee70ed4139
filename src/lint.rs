//! The names of warnings: what is legal in a file but probably a mistake.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A warning, by the name that a file silences it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lint {
    /// Several combinations are compared with one seed: a difference may be luck.
    OneSeed,
    /// The best of many combinations is chosen by the test data, which then overestimates it.
    TestSelection,
    /// The spread of the initial weights makes a signal explode or vanish from layer to layer.
    WeightScale,
    /// All weights of a network with hidden layers start at zero, so the units of a layer stay equal.
    ZeroWeights,
    /// An evaluation every epoch, in a run that is shorter than an epoch.
    LessThanAnEpoch,
    /// A learning rate with which the optimizer hardly moves, or overshoots.
    LrRange,
    /// A list of one value where the setting takes one value: an axis that compares nothing.
    OneValueAxis,
    /// A batch of more rows than there are: every row is drawn several times.
    BatchBeyondRows,
    /// Rows are kept for validation, but nothing is evaluated on them.
    UnusedValidation,
    /// A momentum that remembers more steps than the run makes.
    LongMemory,
    /// Weights decay twice: by the penalty and by the optimizer.
    TwoDecays,
    /// Dropout leaves fewer than two units of a layer.
    NarrowDropout,
    /// Evaluations take many times as long as the training.
    CostlyEvaluation,
}

impl Lint {
    pub const ALL: [Self; 13] = [
        Self::OneSeed,
        Self::TestSelection,
        Self::WeightScale,
        Self::ZeroWeights,
        Self::LessThanAnEpoch,
        Self::LrRange,
        Self::OneValueAxis,
        Self::BatchBeyondRows,
        Self::UnusedValidation,
        Self::LongMemory,
        Self::TwoDecays,
        Self::NarrowDropout,
        Self::CostlyEvaluation,
    ];

    /// Its name in the experiment file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneSeed => "one-seed",
            Self::TestSelection => "test-selection",
            Self::WeightScale => "weight-scale",
            Self::ZeroWeights => "zero-weights",
            Self::LessThanAnEpoch => "less-than-an-epoch",
            Self::LrRange => "lr-range",
            Self::OneValueAxis => "one-value-axis",
            Self::BatchBeyondRows => "batch-beyond-rows",
            Self::UnusedValidation => "unused-validation",
            Self::LongMemory => "long-memory",
            Self::TwoDecays => "two-decays",
            Self::NarrowDropout => "narrow-dropout",
            Self::CostlyEvaluation => "costly-evaluation",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lint_is_read_by_the_name_that_it_shows() {
        for lint in Lint::ALL {
            assert_eq!(serde_json::from_str::<Lint>(&format!("\"{}\"", lint.name())).unwrap(), lint);
        }
        let error = serde_json::from_str::<Lint>("\"none\"").unwrap_err().to_string();
        let names = Lint::ALL.map(Lint::name).join("`, `");
        assert!(error.contains(&format!("one of `{names}`")), "{error}");
    }

    #[test]
    fn every_lint_is_told_of_in_the_docs() {
        let page = include_str!("../docs/warnings.md");
        for lint in Lint::ALL {
            assert!(page.contains(&format!("`{}`", lint.name())), "{}", lint.name());
        }
    }
}
