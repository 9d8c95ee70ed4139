//! Single steps of a run at which something is recorded.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::words::once;
use crate::forms::forms;
use crate::forms::or;
use crate::number::{OutOfRange, Whole};

/// A step at which something is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "kebab-case")]
#[schemars(transform = or::<Whole>)]
pub enum RecordedStep {
    /// Before training: step −1.
    Start,
    /// After the update of this step, counted from 0.
    #[serde(skip)]
    After(u64),
    /// After the last update.
    End,
}

/// One or more steps, none twice, in the order in which they come.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Vec<RecordedStep>")]
#[schemars(extend("minItems" = 1, "uniqueItems" = true))]
pub struct RecordedSteps(Vec<RecordedStep>);

impl RecordedStep {
    /// The number of the most recent update in a run of `steps` steps; −1 before training.
    fn step(self, steps: u64) -> i64 {
        match self {
            Self::Start => -1,
            Self::After(step) => step as i64,
            Self::End => steps as i64 - 1,
        }
    }
}

impl RecordedSteps {
    /// Only before training.
    pub fn start() -> Self {
        Self(vec![RecordedStep::Start])
    }

    /// Before training and at the end.
    pub fn start_and_end() -> Self {
        Self(vec![RecordedStep::Start, RecordedStep::End])
    }

    /// Whether `step` of `steps` is included; −1 is before training.
    pub fn has(&self, step: i64, steps: u64) -> bool {
        self.0.iter().any(|recorded_step| recorded_step.step(steps) == step)
    }

    /// How many of `steps` steps are included; different entries may mean the same step.
    pub fn count(&self, steps: u64) -> u64 {
        let mut at: Vec<i64> = self.0.iter().map(|recorded_step| recorded_step.step(steps)).collect();
        at.sort_unstable();
        at.dedup();
        at.len() as u64
    }

    /// The first included step that a run of `steps` steps does not have.
    pub fn beyond(&self, steps: u64) -> Option<u64> {
        self.0.iter().find_map(|recorded_step| match recorded_step {
            RecordedStep::After(step) if *step >= steps => Some(*step),
            _ => None,
        })
    }

    /// Whether all of them come before the first update of a run of `steps` steps.
    pub fn are_before_training(&self, steps: u64) -> bool {
        self.0.iter().all(|recorded_step| recorded_step.step(steps) < 0)
    }
}

impl fmt::Display for RecordedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::After(step) => write!(f, "{step}"),
            Self::End => f.write_str("end"),
        }
    }
}

/// The format of settings: `start-100-end`.
impl fmt::Display for RecordedSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recorded_steps: Vec<String> = self.0.iter().map(RecordedStep::to_string).collect();
        f.write_str(&recorded_steps.join("-"))
    }
}

impl TryFrom<Vec<RecordedStep>> for RecordedSteps {
    type Error = String;

    fn try_from(recorded_steps: Vec<RecordedStep>) -> Result<Self, String> {
        once(recorded_steps, RecordedStep::to_string, "\"start\", \"end\", numbers of steps").map(Self)
    }
}

impl Serialize for RecordedStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Start | Self::End => RecordedStep::serialize(self, serializer),
            Self::After(step) => step.serialize(serializer),
        }
    }
}

forms! {
    RecordedStep[["start", "end"]], "\"start\", \"end\" or the number of a step, from 0",
    whole: |step| match step {
        0..9_007_199_254_740_992 => Ok(RecordedStep::After(step as u64)),
        ..0 => Err(OutOfRange::new(step, "the number of a step, from 0")),
        _ => Err(OutOfRange::new(step, "the number of a step, below 9007199254740992")),
    },
    word: RecordedStep::deserialize,
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use super::*;

    fn recorded_steps(recorded_steps: &[RecordedStep]) -> RecordedSteps {
        RecordedSteps::try_from(recorded_steps.to_vec()).unwrap()
    }

    #[test]
    fn a_recorded_step_is_a_word_or_a_number() {
        fn recorded_step<'de>(value: impl IntoDeserializer<'de, Error>) -> Result<RecordedStep, Error> {
            <RecordedStep as Deserialize>::deserialize(value.into_deserializer())
        }
        assert_eq!(recorded_step("start").unwrap(), RecordedStep::Start);
        assert_eq!(recorded_step("end").unwrap(), RecordedStep::End);
        assert_eq!(recorded_step(0_i64).unwrap(), RecordedStep::After(0));
        assert!(recorded_step(-1_i64).unwrap_err().to_string().contains("`-1` is out of range"));
        assert!(recorded_step("begin").unwrap_err().to_string().starts_with("unknown variant `begin`"));
    }

    #[test]
    fn recorded_steps_come_in_order_and_once() {
        let all =
            recorded_steps(&[RecordedStep::End, RecordedStep::After(100), RecordedStep::Start, RecordedStep::After(7)]);
        assert_eq!(all.to_string(), "start-7-100-end");
        assert_eq!(
            all,
            recorded_steps(&[RecordedStep::Start, RecordedStep::After(7), RecordedStep::After(100), RecordedStep::End])
        );
        assert!(RecordedSteps::try_from(vec![]).unwrap_err().contains("expected at least one of"));
        assert_eq!(RecordedSteps::try_from(vec![RecordedStep::End; 2]).unwrap_err(), "`end` is listed twice");
    }

    #[test]
    fn the_end_can_be_a_step_that_is_named_too_and_without_steps_it_is_the_start() {
        let all = recorded_steps(&[RecordedStep::Start, RecordedStep::After(9), RecordedStep::End]);
        let due = |steps: u64| (-1..steps as i64).filter(|step| all.has(*step, steps)).collect::<Vec<_>>();
        assert_eq!((due(20), all.count(20)), (vec![-1, 9, 19], 3));
        assert_eq!((due(10), all.count(10)), (vec![-1, 9], 2));
        assert_eq!((all.beyond(10), all.beyond(9)), (None, Some(9)));
        let ends = recorded_steps(&[RecordedStep::Start, RecordedStep::End]);
        assert!(ends.has(-1, 0) && ends.count(0) == 1 && ends.are_before_training(0));
        assert!(!ends.are_before_training(1));
    }
}
