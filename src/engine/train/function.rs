//! The run of a function: the trajectory of an optimizer on it.

use std::ops::ControlFlow;

use super::{Ending, Outcome};
use crate::kernel::{self, Element, Instructions};
use crate::nn::parameters;
use crate::optim;
use crate::record::TrajectoryRow;
use crate::spec::FunctionRun;

/// The most points to reserve memory for before the first step: 32 MiB. A longer trajectory grows as needed.
const RESERVED_POINTS: u64 = 1 << 20;

/// Updates the point `steps` times, and records it before the first update and after each one.
pub fn descend<R: Element>(spec: &FunctionRun, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Outcome {
    let instructions = Instructions::in_use();
    let surface = &spec.function.surface;
    let mut point: [R; 2] = spec.function.start.start.get().map(R::from_f64);
    let mut slots = vec![R::zero(); spec.optimizer.slots() * point.len()];
    let mut trajectory = Vec::with_capacity((spec.steps + 1).min(RESERVED_POINTS) as usize);
    let mut record = |step: i64, point: [R; 2]| {
        let value = surface.value(point);
        let are_finite = value.is_finite() && kernel::are_finite(&point);
        if are_finite {
            let [x, y] = point.map(R::to_f64);
            trajectory.push(TrajectoryRow { step, x, y, value: value.to_f64() });
        }
        are_finite
    };
    let diverged = |step, layer: &str| Ending::Diverged { step, layer: layer.to_owned() };
    let mut all_steps = || {
        if !record(-1, point) {
            return diverged(0, "function");
        }
        for step in 0..spec.steps {
            if !spec.optimizer.lr(step).is_finite() {
                return diverged(step, "lr");
            }
            let gradient = surface.gradient(point);
            optim::shrink(instructions, &mut point, spec.optimizer.decoupled_decay(step));
            let updated = spec.optimizer.update(instructions, step, &mut point, &gradient, &mut slots);
            if !record(step as i64, point) || updated.is_err() {
                return diverged(step, "function");
            }
            if watch(step + 1).is_break() && step + 1 < spec.steps {
                return Ending::Interrupted;
            }
        }
        Ending::Finished
    };
    let ending = all_steps();
    trajectory.shrink_to_fit();
    Outcome { trajectory, ending, parameters_hash: parameters::hash(&[&point]), ..Outcome::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Precision;
    use crate::number::Positive;
    use crate::optim::{Algorithm, Optimizer, Sgd};
    use crate::seed::Seed;

    fn run(json: &str, optimizer: &str, steps: u64) -> Outcome {
        let spec = FunctionRun {
            seed: Seed::default(),
            function: crate::function::tests::read(json),
            optimizer: serde_json::from_str::<Algorithm>(optimizer).unwrap().into(),
            steps,
            precision: Precision::F64,
        };
        descend::<f64>(&spec, &mut |_| ControlFlow::Continue(()))
    }

    #[test]
    fn the_books_parabola_is_descended_from_its_start() {
        let outcome = run(r#"{"quadratic": {"coefficients": [0.05, 1.0]}}"#, r#"{"sgd": {"lr": 0.95}}"#, 29);
        assert_eq!(outcome.ending, Ending::Finished);
        let steps: Vec<i64> = outcome.trajectory.iter().map(|row| row.step).collect();
        assert_eq!(steps, (-1..29).collect::<Vec<_>>());
        let first = outcome.trajectory[0];
        assert_eq!((first.x, first.y, first.value), (-7.0, 2.0, 0.05 * 49.0 + 4.0));
        let second = outcome.trajectory[1];
        assert!((second.x + 7.0 * 0.905).abs() < 1e-15 && (second.y + 2.0 * 0.9).abs() < 1e-15, "{second:?}");
    }

    #[test]
    fn a_path_that_leaves_all_numbers_ends_there() {
        let outcome = run(r#"{"quadratic": {"coefficients": [1.0, 1.0]}}"#, r#"{"sgd": {"lr": 1e200}}"#, 10);
        assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "function".to_owned() });
        assert_eq!(outcome.trajectory.len(), 1);
    }

    #[test]
    fn a_learning_rate_that_is_not_finite_ends_the_run() {
        let lr_schedule = serde_json::from_str(r#"{"schedule": {"exponential": {"factor": 1e100}}}"#).unwrap();
        let spec = FunctionRun {
            seed: Seed::default(),
            // With a slope of zero, no learning rate moves the point.
            function: crate::function::tests::read(r#"{"quadratic": {"coefficients": [0.0, 0.0]}}"#),
            optimizer: Optimizer { lr_schedule, ..Sgd { lr: Positive::new(1.0).unwrap() }.into() },
            steps: 9,
            precision: Precision::F64,
        };
        let outcome = descend::<f64>(&spec, &mut |_| ControlFlow::Continue(()));
        assert_eq!(outcome.ending, Ending::Diverged { step: 4, layer: "lr".to_owned() });
        assert_eq!(outcome.trajectory.len(), 5);
    }

    #[test]
    fn a_run_can_be_interrupted() {
        let spec = FunctionRun {
            seed: Seed::default(),
            function: crate::function::tests::read(r#"{"rosenbrock": {}}"#),
            optimizer: Sgd { lr: Positive::new(1e-4).unwrap() }.into(),
            steps: 5,
            precision: Precision::F32,
        };
        let outcome = descend::<f32>(&spec, &mut |done| {
            if done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((outcome.ending, outcome.trajectory.len()), (Ending::Interrupted, 3));
    }
}
