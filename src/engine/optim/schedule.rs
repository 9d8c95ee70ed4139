//! Schedules: the learning rate of each step.
//!
//! A schedule begins at the learning rate η of the optimizer, after a warm-up if there is one. Each is one of PyTorch's
//! (`torch.optim.lr_scheduler`), computed for each step t, from 0, by its closed form:
//!
//! | `schedule` | learning rate | PyTorch |
//! |---|---|---|
//! | `"constant"` | η | |
//! | `step` | η · factor^⌊t / every⌋ | `StepLR` |
//! | `exponential` | η · factorᵗ | `ExponentialLR` |
//! | `"cosine"` | from η to `min_lr` along half a cosine wave, over `over` steps | `CosineAnnealingLR` |
//! | `"one-cycle"` | from η / `start_divisor` up to η, then down to η / `start_divisor` / `end_divisor`, each along half a cosine wave | `OneCycleLR` |
//!
//! Differences from PyTorch: its `CosineAnnealingLR` rises again after `T_max` steps, and `OneCycleLR` stops with an
//! error after `total_steps`; here the learning rate then stays where it is. `OneCycleLR` also cycles the momentum
//! between 0.85 and 0.95 by default; here a schedule changes nothing but the learning rate. `warm_up` is a `LinearLR`
//! before the schedule, joined by `SequentialLR`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::in_range;
use crate::number::{Count, Fraction, NonNegative, Positive, Whole, shortest};
use crate::real::{cos_pi, power};
use crate::settings::Settings;

/// How the learning rate changes from step to step: the keys that every optimizer has.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LrSchedule {
    /// How the learning rate changes: a name or, with settings, `{ kind = "step", every = 500 }`. Default:
    /// `"constant"`.
    pub schedule: Schedule,
    /// For how many steps the learning rate climbs before the schedule begins: step t (from 0) has (t + 1) / (`warm_up`
    /// + 1) of the schedule's first rate. Default: 0.
    pub warm_up: Whole,
}

/// How the learning rate changes after the warm-up.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// η: it stays the same.
    #[default]
    Constant,
    /// η · factor^⌊t / every⌋: it changes every `every` steps. PyTorch's `StepLR`.
    Step(StepDecay),
    /// η · factorᵗ: it changes at every step. PyTorch's `ExponentialLR`.
    Exponential(Exponential),
    /// From η to `min_lr` along half a cosine wave, over `over` steps (Loshchilov & Hutter 2017, "SGDR: Stochastic
    /// Gradient Descent with Warm Restarts", without restarts). PyTorch's `CosineAnnealingLR`.
    Cosine(Cosine),
    /// From η / `start_divisor` up to η, then down to η / `start_divisor` / `end_divisor`, each along half a cosine
    /// wave (Smith & Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
    /// Rates"). PyTorch's `OneCycleLR`.
    OneCycle(OneCycle),
}

/// A factor every so many steps.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepDecay {
    /// Steps between two changes.
    pub every: Count,
    /// What the learning rate is multiplied by, above 0. Default: 0.1, as in PyTorch, which calls it `gamma`.
    #[serde(default = "tenth")]
    pub factor: Positive,
}

/// A factor at every step.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// What the learning rate is multiplied by, above 0; above 1 it grows, as in a search for the largest usable rate.
    pub factor: Positive,
}

/// Half a cosine wave. Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", without
/// restarts.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {
    /// After how many steps the learning rate reaches its lowest value, where it stays. Default: the run's steps after
    /// the warm-up.
    pub over: Option<Count>,
    /// The lowest learning rate, 0 or above. Default: 0, as in PyTorch, which calls it `eta_min`.
    pub min_lr: NonNegative,
}

/// One rise and one fall. Smith & Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large
/// Learning Rates". Defaults are those of PyTorch's `OneCycleLR`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OneCycle {
    /// How many steps rise and fall take together; then the learning rate stays at its lowest value. Default: the run's
    /// steps after the warm-up.
    pub over: Option<Count>,
    /// Share of these steps in which it rises, from 0 to below 1. Default: 0.3.
    pub rise: Fraction,
    /// The first learning rate is the highest divided by this, above 0. Default: 25.
    pub start_divisor: Positive,
    /// The last learning rate is the first divided by this, above 0. Default: 10,000.
    pub end_divisor: Positive,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self { over: None, rise: in_range(0.3), start_divisor: in_range(25.0), end_divisor: in_range(1e4) }
    }
}

fn tenth() -> Positive {
    in_range(0.1)
}

/// A schedule that does not suit its run.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ScheduleError {
    #[error("a warm-up of {warm_up} steps leaves none of the run's {steps} steps for the {schedule} schedule")]
    NothingLeft { warm_up: u64, steps: u64, schedule: &'static str },
    #[error("`min_lr` {min_lr} is above {lr}, the learning rate from which the schedule falls")]
    Rises { lr: String, min_lr: String },
}

impl LrSchedule {
    /// Sets the length of a schedule that lasts as long as the run to `steps` steps. `lr` is the optimizer's learning
    /// rate.
    ///
    /// # Errors
    /// If the warm-up is as long as the run, or the lowest learning rate is above the highest.
    pub fn fit(&mut self, lr: f64, steps: u64) -> Result<(), ScheduleError> {
        let (warm_up, schedule) = (self.warm_up.get(), self.schedule.name());
        if let Schedule::Cosine(Cosine { over: over @ None, .. })
        | Schedule::OneCycle(OneCycle { over: over @ None, .. }) = &mut self.schedule
        {
            let left = Count::new(steps.saturating_sub(warm_up));
            *over = Some(left.map_err(|_| ScheduleError::NothingLeft { warm_up, steps, schedule })?);
        }
        match &self.schedule {
            Schedule::Cosine(Cosine { min_lr, .. }) if min_lr.get() > lr => {
                Err(ScheduleError::Rises { lr: shortest(lr), min_lr: shortest(min_lr.get()) })
            }
            _ => Ok(()),
        }
    }

    /// The learning rate of the 0-based `step`, where `lr` is the optimizer's.
    ///
    /// # Panics
    /// If the schedule lasts as long as the run and was not [fitted](Self::fit) to it.
    pub fn lr(&self, lr: f64, step: u64) -> f64 {
        let warm_up = self.warm_up.get();
        match step.checked_sub(warm_up) {
            Some(step) => self.schedule.lr(lr, step),
            None => self.schedule.lr(lr, 0) * ((step + 1) as f64 / (warm_up + 1) as f64),
        }
    }

    /// Writes what differs from a constant learning rate.
    pub fn settings(&self, settings: &mut Settings) {
        if self.schedule != Schedule::Constant {
            settings.set_written("schedule", &self.schedule, |field| match field {
                "every" => "schedule_every",
                "factor" => "schedule_factor",
                "over" => "schedule_over",
                "min_lr" => "schedule_min_lr",
                "rise" => "schedule_rise",
                "start_divisor" => "schedule_start_divisor",
                "end_divisor" => "schedule_end_divisor",
                own => own,
            });
        }
        if self.warm_up.get() > 0 {
            settings.set("warm_up", self.warm_up.get());
        }
    }
}

impl Schedule {
    const fn name(&self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Step(_) => "step",
            Self::Exponential(_) => "exponential",
            Self::Cosine(_) => "cosine",
            Self::OneCycle(_) => "one-cycle",
        }
    }

    /// The learning rate of the 0-based `step` since the schedule began.
    fn lr(&self, lr: f64, step: u64) -> f64 {
        match self {
            Self::Constant => lr,
            Self::Step(StepDecay { every, factor }) => lr * power(factor.get(), step / every.get()),
            Self::Exponential(Exponential { factor }) => lr * power(factor.get(), step),
            Self::Cosine(Cosine { over, min_lr }) => half_wave(lr, min_lr.get(), step as f64 / length(*over)),
            Self::OneCycle(cycle) => cycle.lr(lr, step),
        }
    }
}

impl OneCycle {
    /// As in PyTorch, the highest learning rate is at step `rise` · `over` − 1, which may be fractional, the lowest at
    /// `over` − 1.
    fn lr(&self, lr: f64, step: u64) -> f64 {
        let over = length(self.over);
        let (step, top, end) = (step as f64, self.rise.get() * over - 1.0, over - 1.0);
        let first = lr / self.start_divisor.get();
        if step < top {
            half_wave(first, lr, step / top)
        } else {
            half_wave(lr, first / self.end_divisor.get(), (step - top) / (end - top))
        }
    }
}

fn length(over: Option<Count>) -> f64 {
    over.expect("a specification says how long its schedule is").get() as f64
}

/// Half a cosine wave from `from`, at `part` = 0, to `to`, at `part` = 1 and beyond.
///
/// The weight of `from` is (1 + cos π part) / 2 = cos² (π part / 2).
fn half_wave(from: f64, to: f64, part: f64) -> f64 {
    let wave = cos_pi(0.5 * part.min(1.0));
    let share = wave * wave;
    from * share + to * (1.0 - share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lr_schedule(json: &str) -> LrSchedule {
        serde_json::from_str(json).unwrap()
    }

    fn rates(json: &str, steps: u64) -> Vec<f64> {
        let mut lr_schedule = lr_schedule(json);
        lr_schedule.fit(1.0, steps).unwrap();
        (0..steps).map(|step| lr_schedule.lr(1.0, step)).collect()
    }

    #[test]
    fn by_hand() {
        assert_eq!(rates("{}", 3), [1.0; 3]);
        let halves = r#"{"schedule": {"step": {"every": 2, "factor": 0.5}}}"#;
        assert_eq!(rates(halves, 5), [1.0, 1.0, 0.5, 0.5, 0.25]);
        assert_eq!(rates(r#"{"schedule": {"exponential": {"factor": 2}}}"#, 4), [1.0, 2.0, 4.0, 8.0]);
        assert_eq!(rates(r#"{"schedule": {"cosine": {}}}"#, 2), [1.0, 0.5000000000000001]);
        assert_eq!(rates(r#"{"warm_up": 3}"#, 5), [0.25, 0.5, 0.75, 1.0, 1.0]);
    }

    #[test]
    fn a_schedule_begins_where_its_warm_up_ends() {
        let alone = rates(r#"{"schedule": {"cosine": {"over": 10}}}"#, 10);
        let warmed_up = rates(r#"{"schedule": {"cosine": {"over": 10}}, "warm_up": 4}"#, 14);
        assert_eq!(warmed_up[..4], [0.2, 0.4, 0.6, 0.8]);
        assert_eq!(warmed_up[4..], alone);
        let cycle = rates(r#"{"schedule": {"one-cycle": {}}, "warm_up": 4}"#, 104);
        assert_eq!(cycle[..5].iter().map(|lr| (lr * 125.0).round()).collect::<Vec<_>>(), [1.0, 2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn the_default_length_is_that_of_the_run_after_the_warm_up() {
        for schedule in ["cosine", "one-cycle"] {
            let said = rates(&format!(r#"{{"schedule": {{"{schedule}": {{"over": 30}}}}, "warm_up": 20}}"#), 50);
            assert_eq!(rates(&format!(r#"{{"schedule": {{"{schedule}": {{}}}}, "warm_up": 20}}"#), 50), said);
        }
    }

    #[test]
    fn a_schedule_that_is_over_stays_at_its_end() {
        let cosine = rates(r#"{"schedule": {"cosine": {"over": 4, "min_lr": 0.125}}}"#, 8);
        assert_eq!(cosine[0], 1.0);
        assert_eq!(cosine[4..], [0.125; 4]);
        let cycle = rates(r#"{"schedule": {"one-cycle": {"over": 10, "start_divisor": 2, "end_divisor": 4}}}"#, 20);
        assert_eq!((cycle[0], cycle[2]), (0.5, 1.0));
        assert_eq!(cycle[9..], [0.125; 11]);
    }

    #[test]
    fn one_cycle_needs_no_rise_and_no_second_step() {
        let falling = rates(r#"{"schedule": {"one-cycle": {"rise": 0}}}"#, 10);
        assert!(falling.is_sorted_by(|a, b| a > b), "{falling:?}");
        assert_eq!(rates(r#"{"schedule": {"one-cycle": {}}}"#, 1), [1.0 / 25.0 / 1e4]);
    }

    #[test]
    fn a_warm_up_leaves_something_of_the_run() {
        let mut whole = lr_schedule(r#"{"schedule": {"cosine": {}}, "warm_up": 50}"#);
        let message = whole.fit(1.0, 50).unwrap_err().to_string();
        assert_eq!(message, "a warm-up of 50 steps leaves none of the run's 50 steps for the cosine schedule");
        assert_eq!(whole.fit(1.0, 51), Ok(()));
        // Schedules with a length of their own, and constant ones, do not depend on the length of the run.
        assert_eq!(lr_schedule(r#"{"schedule": {"cosine": {"over": 7}}, "warm_up": 50}"#).fit(1.0, 50), Ok(()));
        assert_eq!(lr_schedule(r#"{"warm_up": 50}"#).fit(1.0, 50), Ok(()));
    }

    #[test]
    fn a_cosine_schedule_does_not_rise() {
        let mut rising = lr_schedule(r#"{"schedule": {"cosine": {"min_lr": 0.01}}}"#);
        let message = rising.fit(0.001, 50).unwrap_err().to_string();
        assert_eq!(message, "`min_lr` 0.01 is above 0.001, the learning rate from which the schedule falls");
        assert_eq!(rising.fit(0.01, 50), Ok(()));
    }

    #[test]
    fn a_constant_learning_rate_is_no_setting() {
        let settings = |json| {
            let mut settings = Settings::default();
            lr_schedule(json).settings(&mut settings);
            settings
        };
        assert_eq!(settings("{}"), Settings::default());
        assert_eq!(settings(r#"{"schedule": "constant", "warm_up": 0}"#), Settings::default());
        let json = |settings| serde_json::to_string(&settings).unwrap();
        assert_eq!(
            json(settings(r#"{"schedule": {"step": {"every": 5}}, "warm_up": 3}"#)),
            r#"{"schedule":"step","schedule_every":5,"schedule_factor":0.1,"warm_up":3}"#
        );
    }

    /// Computed by `tests/goldens/pytorch.py`. PyTorch computes each learning rate from the one before, which adds up
    /// rounding errors.
    #[test]
    fn learning_rates_are_pytorchs() {
        #[derive(Deserialize)]
        struct Goldens {
            schedule: Vec<Golden>,
        }
        #[derive(Deserialize)]
        struct Golden {
            lr: f64,
            lr_schedule: LrSchedule,
            rates: Vec<f64>,
        }
        let goldens: Goldens = toml::from_str(include_str!("../../../tests/goldens/pytorch.toml")).unwrap();
        assert_eq!(goldens.schedule.len(), 10);
        for Golden { lr, lr_schedule, rates } in goldens.schedule {
            assert_eq!(rates.len(), 60);
            for (step, theirs) in rates.into_iter().enumerate() {
                let ours = lr_schedule.lr(lr, step as u64);
                assert!((ours - theirs).abs() <= 1e-13 * theirs, "step {step} of {lr_schedule:?}: {ours} and {theirs}");
            }
        }
    }
}
