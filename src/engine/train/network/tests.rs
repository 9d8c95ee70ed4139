//! What a run of a network guarantees.

mod divergence;
mod recorded;

use super::*;
use crate::batches::Batches;
use crate::batches::Sampling;
use crate::data::{Data, Info, Normalize, Rows, Scalings, Source, Task};
use crate::kernel::Precision;
use crate::nn::init::{NormalWeights, Weights};
use crate::nn::loss::Objective;
use crate::nn::parameters::ParameterRole;
use crate::nn::{Init, Model, Phase, Regularization};
use crate::number::{Count, Finite, NonNegative, Positive};
use crate::optim::{Adam, AdamW, Momentum, Optimizer, Sgd};
use crate::random::Script;
use crate::record::{Evaluate, Every, LossRecord, Record};
use crate::seed::{Purpose, Seed};
use crate::train::{network, network_on};

const FEATURES: usize = 12;
const CLASSES: usize = 3;

fn count(value: u64) -> Count {
    Count::new(value).unwrap()
}

/// Rows whose class is the third of the features with the most light.
fn rows(count: usize, stream: u64) -> Rows {
    let mut generator = Seed::try_from(11).unwrap().stream(Purpose::Batch).at(stream);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let class = generator.below(CLASSES as u64) as usize;
        labels.push(class as u8);
        let brightest = |feature| if feature * CLASSES / FEATURES == class { 256 } else { 128 };
        pixels.extend((0..FEATURES).map(|feature| generator.below(brightest(feature)) as u8));
    }
    Rows::of_images(pixels, &labels)
}

fn dataset() -> Dataset {
    Dataset {
        train: rows(90, 0),
        test: rows(40, 1),
        features: FEATURES,
        task: Task::Classification { classes: CLASSES },
        scalings: Scalings::default(),
    }
}

/// 20 steps of SGD on [`dataset`], in `f64`.
fn spec() -> NetworkRun {
    NetworkRun {
        seed: Seed::try_from(0).unwrap(),
        script: None,
        data: Data::from(Source::Mnist),
        info: Info::unsplit(90, 40, FEATURES, Task::Classification { classes: CLASSES }, "0123456789abcdef"),
        model: Model::read("hidden = [8, 6]"),
        init: Init::default(),
        regularization: Regularization::default(),
        optimizer: sgd(0.1),
        batch_size: count(16),
        steps: 20,
        sampling: Sampling::WithReplacement,
        objective: Objective::CrossEntropy,
        precision: Precision::F64,
        record: Record::default(),
    }
}

fn sgd(lr: f64) -> Optimizer {
    Sgd { lr: Positive::new(lr).unwrap() }.into()
}

fn loss(at: LossAt, every: u64) -> Record {
    Record { loss: LossRecord { at, every: count(every) }, ..Record::default() }
}

fn outcome(spec: &NetworkRun) -> Outcome {
    network(spec, &dataset(), &mut |_| ControlFlow::Continue(()))
}

#[test]
fn a_network_learns() {
    for precision in [Precision::F32, Precision::F64] {
        for (optimizer, steps) in [(sgd(0.3), 400), (Momentum::default().into(), 800), (Adam::default().into(), 1500)] {
            let record = Record { evaluate: Some(Evaluate::default()), ..Record::default() };
            let spec = NetworkRun { optimizer, steps, precision, record, ..spec() };
            let outcome = outcome(&spec);
            assert_eq!(outcome.ending, Ending::Finished);
            assert_eq!(outcome.history.len(), steps as usize);
            assert!(outcome.history[0].loss > 0.9, "{:?}", outcome.history[0]);
            let [.., train, test] = outcome.evaluations.as_slice() else { panic!("no evaluations") };
            assert_eq!((train.split, test.split), (Split::Train, Split::Test));
            assert!(train.accuracy.unwrap() > 0.9 && train.loss < 0.4, "{:?}: {train:?}", spec.optimizer);
            assert!(test.accuracy.unwrap() > 0.8 && test.loss < 0.6, "{:?}: {test:?}", spec.optimizer);
        }
    }
}

#[test]
fn what_is_recorded_never_changes_what_is_trained() {
    // Everything that keeps state or draws numbers could be disturbed by inspection: running statistics, accumulators,
    // dropout, a script's single stream.
    let model = Model::read("hidden = [8, 6]\nactivation = 'tanh'\nbatch_norm = true\ndropout = 0.3");
    let normalized = NetworkRun { model, optimizer: Adam::default().into(), ..spec() };
    let shuffled = NetworkRun { sampling: Sampling::Shuffle, precision: Precision::F32, ..normalized.clone() };
    let script = NetworkRun { script: Some(Script::default()), ..normalized.clone() };
    let evaluate = Some(Evaluate::default());
    for spec in [spec(), normalized, shuffled, script] {
        let expected = outcome(&spec);
        for record in [
            loss(LossAt::BeforeUpdate, 7),
            loss(LossAt::AfterUpdate, 1),
            loss(LossAt::AfterUpdate, 3),
            Record { evaluate: evaluate.clone(), ..loss(LossAt::BeforeUpdate, 1) },
            Record { evaluate: evaluate.clone(), ..loss(LossAt::AfterUpdate, 5) },
            recorded::everything(),
            Record { evaluate: None, ..recorded::everything() },
            Record { layers: None, histograms: None, ..recorded::everything() },
        ] {
            let outcome = outcome(&NetworkRun { record, ..spec.clone() });
            assert_eq!(
                (outcome.ending, outcome.parameters_hash),
                (expected.ending.clone(), expected.parameters_hash.clone())
            );
        }
    }
}

#[test]
fn every_instruction_set_trains_the_same_parameters() {
    for precision in [Precision::F32, Precision::F64] {
        let spec = NetworkRun { precision, record: loss(LossAt::AfterUpdate, 1), ..spec() };
        let data = dataset();
        let expected = outcome(&spec);
        for instructions in Instructions::available() {
            let outcome = network_on(instructions, &spec, &data, &mut |_| ControlFlow::Continue(()));
            assert_eq!(outcome, expected, "{instructions}");
        }
    }
}

#[test]
fn longer_runs_begin_as_shorter_ones() {
    let (short, long) = (outcome(&spec()), outcome(&NetworkRun { steps: 33, ..spec() }));
    assert_eq!(short.history, long.history[..20]);
}

/// The loss of a batch before the update is the loss of the same batch after an update that changes nothing.
#[test]
fn both_losses_are_of_the_same_batch() {
    let tiny = NetworkRun { optimizer: sgd(1e-300), ..spec() };
    let before = outcome(&NetworkRun { record: loss(LossAt::BeforeUpdate, 1), ..tiny.clone() });
    let after = outcome(&NetworkRun { record: loss(LossAt::AfterUpdate, 1), ..tiny });
    assert_eq!(before.history, after.history);
}

/// The loss after the update of step t, recomputed with the parameters after t + 1 steps.
#[test]
fn a_loss_after_the_update_is_that_of_the_new_parameters() {
    let strength = |value| NonNegative::new(value).unwrap();
    let regularization = Regularization { weight_decay: strength(0.01), l1: strength(0.001), clip_norm: None };
    let spec = NetworkRun { regularization, record: loss(LossAt::AfterUpdate, 1), ..spec() };
    let data = dataset();
    let recorded = outcome(&spec).history;
    for step in [0, 1, 7] {
        let partition = Partition::new(&data, &spec.info, Normalize::None, |_| Vec::new());
        let mut run = Run::<f64>::new(Instructions::fastest(), &spec, &partition, Random::new(spec.seed, None));
        (0..=step).for_each(|step| run.step(step).unwrap());
        let mut rows = vec![0; 16];
        Batches::new(spec.sampling, spec.seed, 90).draw(step, &mut rows);
        let mut sum = 0.0;
        for row in rows {
            let (mut x, mut label) = ([0.0; FEATURES], [0]);
            SplitView::of(&data.train).gather_inputs(&[row], &mut x);
            SplitView::of(&data.train).gather_classes(&[row], &mut label);
            run.network.forward(Phase::Evaluation { state: &[] }, &run.parameters, x.as_slice()).unwrap();
            let exponentials: Vec<f64> = run.network.output(1).0.iter().map(|output| output.exp()).collect();
            let p = exponentials[usize::from(label[0])] / exponentials.iter().sum::<f64>();
            sum -= (p + 1e-7).ln();
        }
        let weights: Vec<f64> = run
            .network
            .layout()
            .weights()
            .flat_map(|view| run.parameters[view.range.clone()].iter().copied())
            .collect();
        let penalty = weights.iter().map(|w| 0.005 * w * w + 0.001 * w.abs()).sum::<f64>();
        let row = recorded[step as usize];
        assert_eq!((row.step, row.epoch), (step, (step + 1) as f64 * 16.0 / 90.0));
        assert!((row.penalty - penalty).abs() < 1e-13, "{row:?}, {penalty}");
        assert!((row.loss - (sum / 16.0 + penalty)).abs() < 1e-13, "{row:?}, {}", sum / 16.0 + penalty);
    }
}

#[test]
fn an_evaluation_does_not_depend_on_how_it_is_cut() {
    let evaluate = Some(Evaluate::default());
    let spec = NetworkRun { record: Record { evaluate, ..Record::default() }, ..spec() };
    let data = dataset();
    let partition = Partition::new(&data, &spec.info, Normalize::None, |_| Vec::new());
    let mut whole = Run::<f32>::new(Instructions::fastest(), &spec, &partition, Random::new(spec.seed, None));
    let mut cut = Run::<f32>::new(Instructions::fastest(), &spec, &partition, Random::new(spec.seed, None));
    cut.input.rows.truncate(17);
    for split in [Split::Train, Split::Test] {
        whole.evaluate(0, split).unwrap();
        cut.evaluate(0, split).unwrap();
    }
    assert_eq!(whole.evaluations.len(), 2);
    assert_eq!(whole.evaluations, cut.evaluations);
}

#[test]
fn evaluations_come_with_the_rows_that_are_due() {
    let evaluate = Some(serde_json::from_str(r#"{"on": ["test"]}"#).unwrap());
    let spec = NetworkRun { record: Record { evaluate, ..Record::default() }, ..spec() };
    let rows = outcome(&spec).evaluations;
    // 90 rows in batches of 16: ⌊16 · step / 90⌋ grows at 6, 12 and 17; 19 is the last step.
    assert_eq!(rows.iter().map(|row| row.step).collect::<Vec<_>>(), [0, 6, 12, 17, 19]);
    assert!(rows.iter().all(|row| row.split == Split::Test && row.epoch == (row.step + 1) as f64 * 16.0 / 90.0));
}

#[test]
fn the_first_steps_agree_in_both_precisions() {
    let double = outcome(&spec());
    let single = outcome(&NetworkRun { precision: Precision::F32, ..spec() });
    for (double, single) in double.history.iter().zip(&single.history).take(3) {
        assert!((double.loss - single.loss).abs() < 1e-6, "{double:?} {single:?}");
    }
    assert_ne!(double.parameters_hash, single.parameters_hash);
}

#[test]
fn a_run_can_be_interrupted_after_any_step_but_the_last() {
    let all = outcome(&spec());
    let stop_at = |stop| {
        let mut seen = Vec::new();
        let outcome = network(&spec(), &dataset(), &mut |done| {
            seen.push(done);
            if done == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(seen, (1..=stop).collect::<Vec<_>>());
        outcome
    };
    let early = stop_at(5);
    assert_eq!(early.ending, Ending::Interrupted);
    assert_eq!(early.history, all.history[..5]);
    assert_eq!(stop_at(20), all);
}

/// One step without and with decoupled decay, from the same initial parameters.
#[test]
fn a_decoupled_decay_shrinks_weights_and_no_biases() {
    let after_a_step = |strength| {
        let rule = AdamW { decoupled_weight_decay: NonNegative::new(strength).unwrap(), ..AdamW::default() };
        let init = Init { bias: Finite::new(1.0).unwrap(), ..Init::default() };
        let spec = NetworkRun { optimizer: rule.into(), init, ..spec() };
        let data = dataset();
        let partition = Partition::new(&data, &spec.info, Normalize::None, |_| Vec::new());
        let mut run = Run::<f64>::new(Instructions::fastest(), &spec, &partition, Random::new(spec.seed, None));
        let before = run.parameters.clone();
        run.step(0).unwrap();
        (before, run.parameters.clone(), run.network.layout().clone())
    };
    let ((before, plain, layout), (_, decayed, _)) = (after_a_step(0.0), after_a_step(100.0));
    for view in layout.views() {
        let share = if view.role == ParameterRole::Weight { 0.1 } else { 0.0 };
        for at in view.range.clone() {
            // lr · strength = 0.001 · 100
            assert!((plain[at] - decayed[at] - share * before[at]).abs() < 1e-14, "{}", view.name);
        }
    }
}

#[test]
fn clipped_gradients_make_a_step_of_their_norm() {
    let regularization = Regularization { clip_norm: Some(Positive::new(0.01).unwrap()), ..Regularization::default() };
    let spec = NetworkRun { regularization, optimizer: sgd(1.0), ..spec() };
    let data = dataset();
    let partition = Partition::new(&data, &spec.info, Normalize::None, |_| Vec::new());
    let mut run = Run::<f64>::new(Instructions::fastest(), &spec, &partition, Random::new(spec.seed, None));
    let before = run.parameters.clone();
    run.step(0).unwrap();
    let squares = before.iter().zip(&run.parameters).map(|(before, after)| (before - after) * (before - after));
    let length = squares.sum::<f64>().sqrt();
    assert!((length - 0.01).abs() < 1e-6, "{length}");
}
