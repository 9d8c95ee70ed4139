//! Single moments of a run at which something is looked at.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::words::once;
use crate::forms::forms;
use crate::number::{OutOfRange, Whole};
use crate::value::schema::or;

/// A moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "kebab-case")]
#[schemars(transform = or::<Whole>)]
pub enum Moment {
    /// Before training: step −1.
    Start,
    /// After the update of this step, counted from 0.
    #[serde(skip)]
    After(u64),
    /// After the last update.
    End,
}

/// One or more moments, none twice, in the order in which they come.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Vec<Moment>")]
#[schemars(extend("minItems" = 1, "uniqueItems" = true))]
pub struct Moments(Vec<Moment>);

impl Moment {
    /// The number of the update just made in a run of `steps` steps; −1 before training.
    fn step(self, steps: u64) -> i64 {
        match self {
            Self::Start => -1,
            Self::After(step) => step as i64,
            Self::End => steps as i64 - 1,
        }
    }
}

impl Moments {
    /// Before training alone.
    pub fn start() -> Self {
        Self(vec![Moment::Start])
    }

    /// Before training and at the end.
    pub fn start_and_end() -> Self {
        Self(vec![Moment::Start, Moment::End])
    }

    /// Whether `step` of `steps` is one of them; −1 is before training.
    pub fn are_at(&self, step: i64, steps: u64) -> bool {
        self.0.iter().any(|moment| moment.step(steps) == step)
    }

    /// At how many steps of `steps` they are.
    pub fn count(&self, steps: u64) -> u64 {
        let mut at: Vec<i64> = self.0.iter().map(|moment| moment.step(steps)).collect();
        at.sort_unstable();
        at.dedup();
        at.len() as u64
    }

    /// The first number of a step that a run of `steps` steps does not have.
    pub fn beyond(&self, steps: u64) -> Option<u64> {
        self.0.iter().find_map(|moment| match moment {
            Moment::After(step) if *step >= steps => Some(*step),
            _ => None,
        })
    }

    /// Whether all of them are before the first update of a run of `steps` steps.
    pub fn are_before_training(&self, steps: u64) -> bool {
        self.0.iter().all(|moment| moment.step(steps) < 0)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::After(step) => write!(f, "{step}"),
            Self::End => f.write_str("end"),
        }
    }
}

/// As settings write it: `start-100-end`.
impl fmt::Display for Moments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moments: Vec<String> = self.0.iter().map(Moment::to_string).collect();
        f.write_str(&moments.join("-"))
    }
}

impl TryFrom<Vec<Moment>> for Moments {
    type Error = String;

    fn try_from(moments: Vec<Moment>) -> Result<Self, String> {
        once(moments, Moment::to_string, "\"start\", \"end\", numbers of steps").map(Self)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Start | Self::End => Moment::serialize(self, serializer),
            Self::After(step) => step.serialize(serializer),
        }
    }
}

forms! {
    Moment[["start", "end"]], "\"start\", \"end\" or the number of a step, from 0",
    whole: |step| match step {
        0..9_007_199_254_740_992 => Ok(Moment::After(step as u64)),
        ..0 => Err(OutOfRange::new(step, "the number of a step, from 0")),
        _ => Err(OutOfRange::new(step, "the number of a step, below 9007199254740992")),
    },
    word: Moment::deserialize,
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use super::*;

    fn moments(moments: &[Moment]) -> Moments {
        Moments::try_from(moments.to_vec()).unwrap()
    }

    #[test]
    fn a_moment_is_a_word_or_a_step() {
        fn moment<'de>(value: impl IntoDeserializer<'de, Error>) -> Result<Moment, Error> {
            <Moment as Deserialize>::deserialize(value.into_deserializer())
        }
        assert_eq!(moment("start").unwrap(), Moment::Start);
        assert_eq!(moment("end").unwrap(), Moment::End);
        assert_eq!(moment(0_i64).unwrap(), Moment::After(0));
        assert!(moment(-1_i64).unwrap_err().to_string().contains("`-1` is out of range"));
        assert!(moment("begin").unwrap_err().to_string().starts_with("unknown variant `begin`"));
    }

    #[test]
    fn moments_come_in_order_and_once() {
        let all = moments(&[Moment::End, Moment::After(100), Moment::Start, Moment::After(7)]);
        assert_eq!(all.to_string(), "start-7-100-end");
        assert_eq!(all, moments(&[Moment::Start, Moment::After(7), Moment::After(100), Moment::End]));
        assert!(Moments::try_from(vec![]).unwrap_err().contains("at least one is needed of"));
        assert_eq!(Moments::try_from(vec![Moment::End; 2]).unwrap_err(), "`end` stands here twice");
    }

    #[test]
    fn the_end_can_be_a_step_that_is_named_too_and_without_steps_it_is_the_start() {
        let all = moments(&[Moment::Start, Moment::After(9), Moment::End]);
        let due = |steps: u64| (-1..steps as i64).filter(|step| all.are_at(*step, steps)).collect::<Vec<_>>();
        assert_eq!((due(20), all.count(20)), (vec![-1, 9, 19], 3));
        assert_eq!((due(10), all.count(10)), (vec![-1, 9], 2));
        assert_eq!((all.beyond(10), all.beyond(9)), (None, Some(9)));
        let ends = moments(&[Moment::Start, Moment::End]);
        assert!(ends.are_at(-1, 0) && ends.count(0) == 1 && ends.are_before_training(0));
        assert!(!ends.are_before_training(1));
    }
}
