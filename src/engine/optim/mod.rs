//! Optimizers: one file each, with equation, paper, defaults, rule and tests.
//!
//! An update is a loop over flat slices, with the operations in the order in which the formula is written:
//! hyperparameters and what is computed from them alone (1 − β₁, μ²) are `f64`, rounded once to the precision of the
//! training; everything else is computed in that precision. No operation is fused, so an update in `f64` has the same
//! bits as the same formula in NumPy (unless the C library's `pow` is not correctly rounded, see
//! [`power`](crate::real::power)).

mod adadelta;
mod adagrad;
mod adam;
mod adamw;
mod amsgrad;
mod lion;
mod momentum;
mod nadam;
mod nesterov;
mod rmsprop;
mod schedule;
mod sgd;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::adadelta::AdaDelta;
pub use self::adagrad::AdaGrad;
pub use self::adam::Adam;
pub use self::adamw::AdamW;
pub use self::amsgrad::AmsGrad;
pub use self::lion::Lion;
pub use self::momentum::Momentum;
pub use self::nadam::NAdam;
pub use self::nesterov::{Nesterov, NesterovForm};
pub use self::rmsprop::RmsProp;
pub use self::schedule::{Cosine, Exponential, LrSchedule, OneCycle, Schedule, ScheduleError, StepDecay};
pub use self::sgd::Sgd;
use crate::kernel::{self, Instructions};
use crate::number::in_range;
use crate::one_table::one_table;
use crate::real::Real;
use crate::settings::Settings;

/// An optimizer with its hyperparameters, and how its learning rate changes: a table of the `[optimizer]` section.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer {
    pub algorithm: Algorithm,
    pub lr_schedule: LrSchedule,
}

one_table! { Optimizer { algorithm: Algorithm, lr_schedule: LrSchedule } }

/// Generates, from the table of optimizers with their names in the experiment file, all code that enumerates them.
macro_rules! algorithms {
    ($d:tt $($kind:literal => $rule:ident,)*) => {
        /// How gradients become steps. Each one is described where it stands.
        #[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
        pub enum Algorithm {
            $(#[serde(rename = $kind)] $rule($rule),)*
        }

        impl Algorithm {
            /// The names of all optimizers in the experiment file.
            pub const KINDS: [&'static str; [$($kind),*].len()] = [$($kind),*];

            /// The optimizer's name in the experiment file: `"sgd"`, `"adam"`.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Self::$rule(_) => $kind,)*
                }
            }
        }

        /// Evaluates `$result` with `$rule` bound to the rule of `$algorithm`.
        macro_rules! with_rule {
            ($d algorithm:expr, $d rule:ident => $d result:expr) => {
                match $d algorithm {
                    $(Algorithm::$rule($d rule) => $d result,)*
                }
            };
        }

        $(impl From<$rule> for Optimizer {
            /// The optimizer with a constant learning rate.
            fn from(rule: $rule) -> Self {
                Algorithm::$rule(rule).into()
            }
        })*
    };
}

algorithms! { $
    "sgd" => Sgd,
    "momentum" => Momentum,
    "nesterov" => Nesterov,
    "adagrad" => AdaGrad,
    "rmsprop" => RmsProp,
    "adam" => Adam,
    "adamw" => AdamW,
    "nadam" => NAdam,
    "amsgrad" => AmsGrad,
    "adadelta" => AdaDelta,
    "lion" => Lion,
}

/// A rule that turns gradients into new parameters. An optimizer's hyperparameter struct *is* its rule: its fields are
/// the file's keys and a run's settings, and `lr` is the learning rate η that the file gives.
pub trait UpdateRule: Send + Sync {
    /// The range of learning rates with which the optimizer learns small networks on data of ordinary size.
    const USUAL_LR: [f64; 2];

    /// The strength λ of a decay that is not part of the gradient; 0 if the rule has none.
    fn decoupled_weight_decay(&self) -> f64 {
        0.0
    }

    /// How many zeroed accumulators the rule keeps for each parameter.
    fn slots(&self) -> usize;

    /// One update, in place.
    ///
    /// `lr` is the learning rate of this update, `step` its 0-based number. `parameters: [n]`, `gradients: [n]`,
    /// `slots: [slots() * n]`, one accumulator after the other. Each parameter depends only on its own gradient and
    /// slots.
    fn update<R: Real>(&self, lr: f64, step: u64, parameters: &mut [R], gradients: &[R], slots: &mut [R]);
}

/// How many parameters are updated together: with their gradients and accumulators they fit into the L2 cache.
pub const BLOCK: usize = 8192;

impl From<Algorithm> for Optimizer {
    /// The optimizer with a constant learning rate.
    fn from(algorithm: Algorithm) -> Self {
        Self { algorithm, lr_schedule: LrSchedule::default() }
    }
}

impl Optimizer {
    /// The optimizer's name in the experiment file: `"sgd"`, `"adam"`.
    pub fn kind(&self) -> &'static str {
        self.algorithm.kind()
    }

    /// Sets the length of a schedule that lasts as long as the run to `steps` steps.
    ///
    /// # Errors
    /// If the schedule does not suit the run or the learning rate.
    pub fn fit(&mut self, steps: u64) -> Result<(), ScheduleError> {
        self.lr_schedule.fit(self.base_lr(), steps)
    }

    /// The learning rate η that the file gives, which a schedule changes.
    pub fn base_lr(&self) -> f64 {
        with_rule!(&self.algorithm, rule => rule.lr.get())
    }

    /// The range of learning rates with which the optimizer learns small networks on data of ordinary size.
    pub fn usual_lr(&self) -> [f64; 2] {
        fn of<R: UpdateRule>(_: &R) -> [f64; 2] {
            R::USUAL_LR
        }
        with_rule!(&self.algorithm, rule => of(rule))
    }

    /// The strength λ of a decay that is not part of the gradient; 0 for optimizers without one.
    pub fn decoupled_decay_strength(&self) -> f64 {
        with_rule!(&self.algorithm, rule => rule.decoupled_weight_decay())
    }

    /// The learning rate of the 0-based `step`.
    ///
    /// # Panics
    /// If the schedule lasts as long as the run and was not [fitted](Self::fit) to it.
    pub fn lr(&self, step: u64) -> f64 {
        self.lr_schedule.lr(self.base_lr(), step)
    }

    /// The share by which weights shrink before the update of the 0-based `step`, independently of its gradients: the
    /// learning rate times the strength of the decay. 0 for optimizers without one. Biases do not shrink.
    pub fn decoupled_decay(&self, step: u64) -> f64 {
        let strength = self.decoupled_decay_strength();
        // Most optimizers have no decay, so the learning rate need not be computed.
        if strength == 0.0 { 0.0 } else { self.lr(step) * strength }
    }

    /// How many zeroed accumulators the optimizer keeps for each parameter.
    pub fn slots(&self) -> usize {
        with_rule!(&self.algorithm, rule => rule.slots())
    }

    /// One update, in place, at the learning rate of the 0-based `step`, without allocation. It leaves out the
    /// decoupled decay, which does not act on all parameters.
    ///
    /// `parameters: [n]`, `gradients: [n]`, `slots: [slots() * n]`: for every block of [`BLOCK`] parameters, one
    /// accumulator after the other.
    ///
    /// # Errors
    /// The index of the first parameter that is no longer finite, or that has an accumulator that is not. An
    /// accumulator that overflows would stop its parameter forever, even though the parameter is finite.
    ///
    /// # Panics
    /// If the lengths do not match, and as [`lr`](Self::lr).
    pub fn update<R: Real>(
        &self,
        instructions: Instructions,
        step: u64,
        parameters: &mut [R],
        gradients: &[R],
        slots: &mut [R],
    ) -> Result<(), usize> {
        assert_eq!(gradients.len(), parameters.len(), "one gradient for each parameter");
        assert_eq!(slots.len(), self.slots() * parameters.len(), "every accumulator has a value for each parameter");
        let lr = self.lr(step);
        let mut outcome = Ok(());
        let mut slots = slots;
        for (block, (parameters, gradients)) in parameters.chunks_mut(BLOCK).zip(gradients.chunks(BLOCK)).enumerate() {
            let (accumulators, rest) = slots.split_at_mut(self.slots() * parameters.len());
            slots = rest;
            let is_finite = with_rule!(&self.algorithm, rule => {
                instructions.run(#[inline(always)] || {
                    rule.update(lr, step, parameters, gradients, accumulators);
                    // While they are in the cache.
                    kernel::are_finite(parameters) & kernel::are_finite(accumulators)
                })
            });
            if !is_finite && outcome.is_ok() {
                let is_bad = |values: &[R], place: usize| {
                    values.iter().skip(place).step_by(parameters.len()).any(|x| !x.is_finite())
                };
                let first =
                    (0..parameters.len()).find(|&place| is_bad(parameters, place) || is_bad(accumulators, place));
                outcome = Err(block * BLOCK + first.expect("a number of the block is not finite"));
            }
        }
        outcome
    }

    /// Writes `optimizer`, the hyperparameters, and the schedule if there is one.
    pub fn settings(&self, settings: &mut Settings) {
        settings.set_written("optimizer", &self.algorithm, |field| field);
        self.lr_schedule.settings(settings);
    }
}

/// Multiplies every number by 1 − `share`, rounded once.
pub fn shrink<R: Real>(instructions: Instructions, parameters: &mut [R], share: f64) {
    let rest = R::from_f64(1.0 - share);
    instructions.run(
        #[inline(always)]
        || {
            for w in parameters.iter_mut() {
                *w *= rest;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every optimizer goes through every test below.
    struct Contract {
        /// Its learning rate suits x²/20 + y².
        optimizer: Optimizer,
        slots: usize,
        /// Updates after which the minimum is near.
        steps: u64,
    }

    #[rustfmt::skip]
    fn contracts() -> Vec<Contract> {
        let nesterov = |form| Nesterov { lr: in_range(0.1), form, ..Nesterov::default() }.into();
        vec![
            Contract { optimizer: Sgd { lr: in_range(0.95) }.into(), slots: 0, steps: 100 },
            Contract { optimizer: Momentum { lr: in_range(0.1), ..Momentum::default() }.into(), slots: 1, steps: 150 },
            Contract { optimizer: nesterov(NesterovForm::Lookahead), slots: 1, steps: 100 },
            Contract { optimizer: nesterov(NesterovForm::Memo), slots: 1, steps: 100 },
            Contract { optimizer: AdaGrad { lr: in_range(1.5), ..AdaGrad::default() }.into(), slots: 1, steps: 100 },
            Contract { optimizer: RmsProp { lr: in_range(0.02), ..RmsProp::default() }.into(), slots: 1, steps: 500 },
            Contract { optimizer: Adam { lr: in_range(0.3), ..Adam::default() }.into(), slots: 2, steps: 200 },
            Contract { optimizer: AdamW { lr: in_range(0.3), ..AdamW::default() }.into(), slots: 2, steps: 200 },
            Contract { optimizer: NAdam { lr: in_range(0.3), ..NAdam::default() }.into(), slots: 2, steps: 200 },
            Contract { optimizer: AmsGrad { lr: in_range(0.3), ..AmsGrad::default() }.into(), slots: 3, steps: 400 },
            Contract {
                optimizer: AdaDelta { eps: in_range(1e-3), ..AdaDelta::default() }.into(),
                slots: 2,
                steps: 500,
            },
            Contract { optimizer: Lion { lr: in_range(1.0 / 512.0), ..Lion::default() }.into(), slots: 1, steps: 5000 },
        ]
    }

    fn kinds() -> Vec<&'static str> {
        let mut kinds: Vec<_> = contracts().iter().map(|row| row.optimizer.kind()).collect();
        kinds.dedup();
        kinds
    }

    /// The point that `steps` updates reach from (−7, 2) on f = x²/20 + y², the book's parabola.
    fn descend<R: Real>(optimizer: &Optimizer, steps: u64) -> [f64; 2] {
        let mut parameters = [R::from_f64(-7.0), R::from_f64(2.0)];
        let mut slots = vec![R::default(); optimizer.slots() * 2];
        for step in 0..steps {
            let gradients = [parameters[0] * R::from_f64(0.1), parameters[1] * R::from_f64(2.0)];
            optimizer.update(Instructions::fastest(), step, &mut parameters, &gradients, &mut slots).unwrap();
        }
        parameters.map(R::to_f64)
    }

    #[test]
    fn every_optimizer_has_a_contract() {
        assert_eq!(kinds(), Algorithm::KINDS);
    }

    #[test]
    fn every_optimizer_descends_a_parabola() {
        for Contract { optimizer, steps, .. } in contracts() {
            let end = descend::<f64>(&optimizer, steps);
            assert!(end.iter().all(|x| x.abs() < 0.05), "{optimizer:?} ends at {end:?}");
        }
    }

    #[test]
    fn single_precision_stays_close_to_double() {
        for Contract { optimizer, steps, .. } in contracts() {
            let (single, double) =
                (descend::<f32>(&optimizer, steps.min(100)), descend::<f64>(&optimizer, steps.min(100)));
            for (single, double) in single.iter().zip(double) {
                assert!((single - double).abs() < 1e-5, "{optimizer:?} ends at {single} and {double}");
            }
        }
    }

    #[test]
    fn every_optimizer_says_how_many_slots_it_keeps() {
        for Contract { optimizer, slots, .. } in contracts() {
            assert_eq!(optimizer.slots(), slots, "{optimizer:?}");
            let before = vec![0.0; 3 * slots];
            let mut after = before.clone();
            optimizer.update(Instructions::fastest(), 0, &mut [1.0, 2.0, 3.0], &[0.1, -0.2, 0.3], &mut after).unwrap();
            assert!(
                before.iter().zip(&after).all(|(before, after)| before != after),
                "{optimizer:?} leaves a slot unused"
            );
        }
    }

    #[test]
    fn without_a_gradient_nothing_moves() {
        for Contract { optimizer, slots, .. } in contracts() {
            let mut parameters = [1.0, -2.0, 0.0];
            let mut accumulators = vec![0.0; 3 * slots];
            optimizer.update(Instructions::fastest(), 0, &mut parameters, &[0.0; 3], &mut accumulators).unwrap();
            assert_eq!(parameters, [1.0, -2.0, 0.0], "{optimizer:?}");
            assert!(accumulators.iter().all(|&x| x == 0.0), "{optimizer:?}");
        }
    }

    /// Three updates of each piece of `size` parameters on its own.
    fn update_in_pieces<R: Real>(optimizer: &Optimizer, mut parameters: Vec<R>, size: usize) -> Vec<R> {
        for (piece, parameters) in parameters.chunks_mut(size).enumerate() {
            let mut slots = vec![R::default(); optimizer.slots() * parameters.len()];
            for step in 0..3 {
                let gradients: Vec<_> = (0..parameters.len())
                    .map(|i| R::from_f64(((piece * size + i + 7) as f64).sqrt() - 0.8 * step as f64 - 4.0))
                    .collect();
                optimizer.update(Instructions::fastest(), step, parameters, &gradients, &mut slots).unwrap();
            }
        }
        parameters
    }

    #[test]
    fn parameters_are_updated_each_on_its_own() {
        // Two blocks and a part of one. 67 leaves a remainder for any vector width, so the vectorized loop is also
        // compared with the scalar one.
        fn check<R: Real>(optimizer: &Optimizer) {
            let count = 2 * BLOCK + 67;
            let parameters: Vec<_> = (0..count).map(|i| R::from_f64(3e-3 * i as f64 - 10.0)).collect();
            let whole = update_in_pieces(optimizer, parameters.clone(), count);
            for size in [1, 34, BLOCK] {
                assert_eq!(
                    update_in_pieces(optimizer, parameters.clone(), size),
                    whole,
                    "{optimizer:?} in pieces of {size}"
                );
            }
        }
        for Contract { optimizer, .. } in contracts() {
            check::<f32>(&optimizer);
            check::<f64>(&optimizer);
        }
    }

    #[test]
    fn the_first_parameter_that_is_not_finite_is_reported_in_any_block_and_whatever_its_value() {
        let count = 2 * BLOCK + 67;
        for Contract { optimizer, slots, .. } in contracts() {
            for place in [0, 5, BLOCK - 1, BLOCK, 2 * BLOCK + 66] {
                let mut parameters = vec![1.0_f32; count];
                let mut accumulators = vec![0.0; slots * count];
                let mut gradients = vec![0.5; count];
                // Only the first of two is reported.
                gradients[place] = f32::INFINITY;
                gradients[count - 1] = f32::INFINITY;
                let updated =
                    optimizer.update(Instructions::fastest(), 0, &mut parameters, &gradients, &mut accumulators);
                // Lion's step is a sign, but its mean is not finite.
                assert_eq!(updated, Err(place), "{optimizer:?}");
            }
        }
    }

    #[test]
    fn an_accumulator_that_overflows_is_reported_even_if_its_parameter_is_finite() {
        for Contract { optimizer, slots, .. } in contracts() {
            let (mut parameters, mut accumulators) = ([1.0_f32; 3], vec![0.0; 3 * slots]);
            let updated =
                optimizer.update(Instructions::fastest(), 0, &mut parameters, &[0.5, 1e30, 0.5], &mut accumulators);
            // Optimizers that keep squares overflow.
            let overflow = accumulators.iter().any(|x| !x.is_finite());
            assert_eq!(updated, if overflow { Err(1) } else { Ok(()) }, "{optimizer:?}");
            assert!(overflow || optimizer.kind() != "adam");
            assert!(parameters.iter().all(|w| w.is_finite()), "{optimizer:?}");
        }
    }

    #[test]
    fn settings_are_what_the_file_can_set() {
        for Contract { optimizer, .. } in contracts() {
            let mut settings = Settings::default();
            optimizer.settings(&mut settings);
            assert_eq!(settings.get("optimizer"), Some(&optimizer.kind().into()));
            // Read back as the table that a user would write, the settings give the same optimizer.
            let mut table = serde_json::to_value(&settings).unwrap();
            table.as_object_mut().unwrap().remove("optimizer");
            let read: Algorithm = serde_json::from_value(serde_json::json!({ optimizer.kind(): table })).unwrap();
            assert_eq!(Optimizer::from(read), optimizer);
        }
    }

    #[test]
    fn defaults_are_the_books_and_where_it_has_none_pytorchs() {
        let mut found = String::new();
        for kind in kinds() {
            let algorithm: Algorithm = serde_json::from_value(serde_json::json!({ kind: {} })).unwrap();
            let mut settings = Settings::default();
            Optimizer::from(algorithm).settings(&mut settings);
            let values: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
            found += &(values.join(" ") + "\n");
        }
        insta::assert_snapshot!(found, @r"
        lr=0.01 optimizer=sgd
        lr=0.01 momentum=0.9 optimizer=momentum
        form=lookahead lr=0.01 momentum=0.9 optimizer=nesterov
        eps=1e-7 lr=0.01 optimizer=adagrad
        decay=0.99 eps=1e-7 lr=0.01 optimizer=rmsprop
        beta1=0.9 beta2=0.999 eps=1e-7 lr=0.001 optimizer=adam
        beta1=0.9 beta2=0.999 decoupled_weight_decay=0.01 eps=1e-8 lr=0.001 optimizer=adamw
        beta1=0.9 beta2=0.999 eps=1e-8 lr=0.002 optimizer=nadam
        beta1=0.9 beta2=0.999 eps=1e-8 lr=0.001 optimizer=amsgrad
        decay=0.9 eps=1e-6 lr=1 optimizer=adadelta
        beta1=0.9 beta2=0.99 decoupled_weight_decay=0 lr=0.0001 optimizer=lion
        ");
    }

    /// Trajectories on ½ Σ curvatureᵢ xᵢ² + coupling · Σ xᵢ xᵢ₊₁.
    #[derive(Deserialize)]
    struct Goldens {
        curvature: Vec<f64>,
        coupling: f64,
        start: Vec<f64>,
        trajectory: Vec<Trajectory>,
    }

    #[derive(Deserialize)]
    struct Trajectory {
        algorithm: Algorithm,
        #[serde(default)]
        lr_schedule: LrSchedule,
        points: Vec<Vec<f64>>,
    }

    impl Goldens {
        /// With the operations in the script's order.
        fn gradients(&self, x: &[f64]) -> Vec<f64> {
            let at = |i: Option<usize>| i.and_then(|i| x.get(i)).copied().unwrap_or(0.0);
            (0..x.len())
                .map(|i| self.curvature[i] * x[i] + self.coupling * (at(i.checked_sub(1)) + at(Some(i + 1))))
                .collect()
        }

        /// The parameters after each step of `trajectory`, by this optimizer; a decoupled decay acts on all parameters.
        fn retrace(&self, trajectory: &Trajectory) -> Vec<Vec<f64>> {
            let optimizer =
                Optimizer { algorithm: trajectory.algorithm.clone(), lr_schedule: trajectory.lr_schedule.clone() };
            let mut parameters = self.start.clone();
            let mut slots = vec![0.0; optimizer.slots() * parameters.len()];
            let mut points = Vec::new();
            for step in 0..trajectory.points.len() as u64 {
                let gradients = self.gradients(&parameters);
                shrink(Instructions::fastest(), &mut parameters, optimizer.decoupled_decay(step));
                optimizer.update(Instructions::fastest(), step, &mut parameters, &gradients, &mut slots).unwrap();
                points.push(parameters.clone());
            }
            points
        }

        fn count(&self, kind: &str) -> usize {
            self.trajectory.iter().filter(|golden| Optimizer::from(golden.algorithm.clone()).kind() == kind).count()
        }
    }

    /// Computed by `tests/goldens/optimizers.py`.
    fn numpys() -> Goldens {
        toml::from_str(include_str!("../../../tests/goldens/optimizers.toml")).unwrap()
    }

    /// Computed by `tests/goldens/pytorch.py`.
    fn pytorchs() -> Goldens {
        toml::from_str(include_str!("../../../tests/goldens/pytorch.toml")).unwrap()
    }

    #[test]
    fn every_optimizer_has_a_golden_trajectory() {
        for kind in kinds() {
            assert!(numpys().count(kind) + pytorchs().count(kind) > 0, "{kind} has none");
        }
    }

    #[test]
    fn trajectories_have_the_bits_that_numpy_gives_them() {
        let goldens = numpys();
        for kind in ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"] {
            assert!(goldens.count(kind) >= 2, "{kind} has too few golden trajectories");
        }
        for trajectory in &goldens.trajectory {
            assert_eq!(trajectory.points.len(), 50);
            assert_eq!(goldens.retrace(trajectory), trajectory.points, "{:?}", trajectory.algorithm);
        }
    }

    /// PyTorch fuses operations that are rounded one by one here.
    #[test]
    fn trajectories_are_pytorchs() {
        let goldens = pytorchs();
        for trajectory in &goldens.trajectory {
            assert_eq!(trajectory.points.len(), 60);
            for (step, (ours, theirs)) in goldens.retrace(trajectory).iter().zip(&trajectory.points).enumerate() {
                for (ours, theirs) in ours.iter().zip(theirs) {
                    let error = (ours - theirs).abs() / theirs.abs().max(1e-2);
                    assert!(error < 1e-12, "step {step} of {:?}: {ours} and {theirs}", trajectory.algorithm);
                }
            }
        }
    }
}
