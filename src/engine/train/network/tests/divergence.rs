//! Numbers that are not finite: which of them end a run, and which are omitted.

use super::*;
use crate::optim::{Algorithm, LrSchedule};

#[test]
fn the_first_layer_whose_output_overflows_names_the_divergence() {
    for (precision, std) in [(Precision::F32, 1e25), (Precision::F64, 1e200)] {
        for at in [LossAt::BeforeUpdate, LossAt::AfterUpdate] {
            let weights = Weights::Normal(NormalWeights { std: Positive::new(std).unwrap() });
            let init = Init { weights, ..Init::default() };
            let outcome = outcome(&NetworkRun { init, precision, record: loss(at, 1), ..spec() });
            assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "affine2".to_owned() });
            assert_eq!(outcome.history, []);
        }
    }
}

/// With lr · λ far above 2, every update multiplies the weights by about −lr · λ.
#[test]
fn the_update_that_makes_parameters_infinite_is_the_step_of_the_divergence() {
    let weight_decay = NonNegative::new(1e15).unwrap();
    let regularization = Regularization { weight_decay, ..Regularization::default() };
    let model = Model::linear();
    let spec = NetworkRun { optimizer: sgd(1.0), regularization, model, precision: Precision::F32, ..spec() };
    for (at, recorded) in [(LossAt::BeforeUpdate, 3), (LossAt::AfterUpdate, 2)] {
        let outcome = outcome(&NetworkRun { record: loss(at, 1), ..spec.clone() });
        assert_eq!(outcome.ending, Ending::Diverged { step: 2, layer: "affine1".to_owned() });
        assert_eq!(outcome.history.len(), recorded);
        assert!(outcome.history.iter().all(|row| row.loss.is_finite() && row.penalty.is_finite()));
    }
}

#[test]
fn a_learning_rate_can_be_too_large_for_one_update() {
    for (precision, lr) in [(Precision::F32, 1e300), (Precision::F64, f64::MAX)] {
        for (at, recorded) in [(LossAt::BeforeUpdate, 1), (LossAt::AfterUpdate, 0)] {
            let init = Init {
                weights: Weights::Normal(NormalWeights { std: Positive::new(100.0).unwrap() }),
                ..Init::default()
            };
            let outcome = outcome(&NetworkRun { optimizer: sgd(lr), init, precision, record: loss(at, 1), ..spec() });
            assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "affine1".to_owned() });
            assert_eq!(outcome.history.len(), recorded);
        }
    }
}

#[test]
fn an_accumulator_that_overflows_ends_the_run() {
    // Gradients of about 1e22 are finite in f32, their squares are not.
    let regularization = Regularization { weight_decay: NonNegative::new(1e22).unwrap(), ..Default::default() };
    for kind in ["adagrad", "rmsprop", "adam", "adamw", "nadam", "amsgrad", "adadelta"] {
        let algorithm: Algorithm = serde_json::from_value(serde_json::json!({ kind: {} })).unwrap();
        let optimizer = algorithm.into();
        let outcome = outcome(&NetworkRun { optimizer, regularization, precision: Precision::F32, ..spec() });
        assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "affine1".to_owned() });
    }
}

#[test]
fn a_penalty_can_overflow_before_the_network_does() {
    let weight_decay = NonNegative::new(1e-300).unwrap();
    let regularization = Regularization { weight_decay, ..Regularization::default() };
    let init =
        Init { weights: Weights::Normal(NormalWeights { std: Positive::new(1e160).unwrap() }), ..Init::default() };
    let model = Model::read("hidden = []\nbias = false");
    let outcome = outcome(&NetworkRun { regularization, init, model, ..spec() });
    assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "penalty".to_owned() });
    assert_eq!(outcome.history, []);
}

#[test]
fn a_learning_rate_that_is_not_finite_ends_the_run_before_it_is_written_down() {
    let lr_schedule: LrSchedule = serde_json::from_str(r#"{"schedule": {"exponential": {"factor": 1e100}}}"#).unwrap();
    // With zero weights, all gradients are 0, and the parameters stay the same at any learning rate.
    let init = Init { weights: Weights::Zeros, ..Init::default() };
    let model = Model::read("hidden = [8]\nbias = false");
    let spec = NetworkRun { optimizer: Optimizer { lr_schedule, ..sgd(0.1) }, init, model, ..spec() };
    for at in [LossAt::BeforeUpdate, LossAt::AfterUpdate] {
        let outcome = outcome(&NetworkRun { record: loss(at, 1), ..spec.clone() });
        assert_eq!(outcome.ending, Ending::Diverged { step: 4, layer: "lr".to_owned() });
        assert_eq!(outcome.history.len(), 4);
        assert!(outcome.history.iter().all(|row| row.lr.is_finite()));
    }
}

#[test]
fn gradients_whose_norm_overflows_cannot_be_clipped() {
    // Gradients of about 1e200 are finite, their squares are not.
    let weight_decay = NonNegative::new(1e200).unwrap();
    let clip_norm = Some(Positive::new(1.0).unwrap());
    let regularization = Regularization { weight_decay, clip_norm, ..Regularization::default() };
    let outcome = outcome(&NetworkRun { regularization, ..spec() });
    assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "clip_norm".to_owned() });
}

/// A learning rate at which the loss overflows before the outputs do.
#[test]
fn a_loss_that_overflows_ends_the_run() {
    let spec = NetworkRun { optimizer: sgd(1e200), objective: Objective::Mse, model: Model::linear(), ..spec() };
    for (at, step, recorded) in [(LossAt::BeforeUpdate, 1, 1), (LossAt::AfterUpdate, 0, 0)] {
        let outcome = outcome(&NetworkRun { record: loss(at, 1), ..spec.clone() });
        assert_eq!(outcome.ending, Ending::Diverged { step, layer: "loss".to_owned() });
        assert_eq!(outcome.history.len(), recorded);
    }
}

#[test]
fn an_evaluation_that_is_not_finite_ends_the_run_that_trains_as_without_it() {
    // The training rows are dark and give zeros; the bright test rows give values too large for f32.
    let all = |brightness, count: usize| Rows::of_images(vec![brightness; count * FEATURES], &vec![0; count]);
    let data = Dataset { train: all(0, 90), test: all(255, 40), ..dataset() };
    let std = Positive::new(1e25).unwrap();
    let init = Init { weights: Weights::Normal(NormalWeights { std }), ..Init::default() };
    let plain = NetworkRun { init, precision: Precision::F32, ..spec() };
    let train = |record, steps| {
        network(&NetworkRun { record, steps, ..plain.clone() }, &data, &mut |_| ControlFlow::Continue(()))
    };
    let evaluate = Some(Evaluate::default());
    let (without, with) = (train(Record::default(), 1), train(Record { evaluate, ..Record::default() }, 20));
    assert_eq!(with.ending, Ending::Diverged { step: 0, layer: "affine2".to_owned() });
    assert!(with.evaluations.iter().all(|row| row.split == Split::Train));
    assert_eq!((with.history, with.parameters_hash), (without.history, without.parameters_hash));
}

/// Weights are drawn in `f64`. If an infinite weight only meets zeros, a product that skips zeros would hide it.
#[test]
fn weights_that_begin_infinite_are_seen_before_anything_is_recorded() {
    let data = Dataset { train: Rows::of_images(vec![0; 90 * FEATURES], &[1; 90]), ..dataset() };
    let init =
        Init { weights: Weights::Normal(NormalWeights { std: Positive::new(1e39).unwrap() }), ..Init::default() };
    let model = Model::read("hidden = [40]");
    let spec = NetworkRun { init, model, precision: Precision::F32, record: loss(LossAt::BeforeUpdate, 1), ..spec() };
    for instructions in Instructions::available() {
        let outcome = network_on(instructions, &spec, &data, &mut |_| ControlFlow::Continue(()));
        assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "affine1".to_owned() });
        assert_eq!(outcome.history, []);
    }
}
