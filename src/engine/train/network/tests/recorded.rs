//! What is recorded besides losses and evaluations.

use super::*;
use crate::nn::init::NormalWeights;
use crate::number::Finite;
use crate::record::{
    GradientChecks, HistogramRow, Histograms, LayerMetrics, LayerRow, Range, RecordedStep, RecordedSteps, Words,
};

fn at(recorded_steps: &[RecordedStep]) -> RecordedSteps {
    RecordedSteps::try_from(recorded_steps.to_vec()).unwrap()
}

/// Histograms of everything.
fn histograms() -> Histograms {
    let recorded_steps = at(&[RecordedStep::Start, RecordedStep::After(4), RecordedStep::End]);
    Histograms { of: Words::all(), at: recorded_steps, ..Histograms::default() }
}

/// Everything that can be recorded.
pub fn everything() -> Record {
    Record {
        evaluate: Some(Evaluate::default()),
        histograms: Some(histograms()),
        layers: Some(every_step()),
        gradient_checks: Some(GradientChecks {
            at: at(&[RecordedStep::Start, RecordedStep::After(5), RecordedStep::End]),
            ..GradientChecks::default()
        }),
        ..loss(LossAt::AfterUpdate, 1)
    }
}

fn every_step() -> LayerMetrics {
    serde_json::from_str::<LayerMetrics>("{}")
        .map(|layers| LayerMetrics { every: Every::Steps(count(1)), ..layers })
        .unwrap()
}

fn numbers<'a>(outcome: &'a Outcome, layer: &'a str, what: &'a str) -> impl Iterator<Item = (u64, f64)> + 'a {
    let of_layer = move |row: &&LayerRow| &*row.layer == layer && row.what == what;
    outcome.layers.iter().filter(of_layer).map(|row| (row.step, row.value))
}

#[test]
fn the_update_of_gradient_descent_is_the_gradient_times_the_rate() {
    let outcome = outcome(&NetworkRun { record: Record { layers: Some(every_step()), ..Record::default() }, ..spec() });
    for layer in ["affine1", "affine2", "affine3"] {
        let [weights, gradients, ratios] = ["weight-norm", "gradient-norm", "update-ratio"]
            .map(|what| numbers(&outcome, layer, what).collect::<Vec<_>>());
        assert_eq!(weights.iter().map(|(step, _)| *step).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
        for step in 1..20 {
            let expected = 0.1 * gradients[step].1 / weights[step - 1].1;
            assert!((ratios[step].1 - expected).abs() < 1e-12 * expected, "{layer} step {step}");
        }
    }
    assert_eq!(outcome.layers.len(), 20 * (3 * 3 + 2), "three numbers of affine layers, one of ReLU layers");
}

#[test]
fn a_unit_is_dead_where_no_row_of_the_batch_wakes_it() {
    let shares = |bias| {
        // With zero weights, every unit outputs its bias.
        let init = Init { bias: Finite::new(bias).unwrap(), weights: Weights::Zeros };
        let record = Record { layers: Some(every_step()), ..Record::default() };
        let outcome = outcome(&NetworkRun { init, record, steps: 1, ..spec() });
        ["relu1", "relu2"].map(|layer| numbers(&outcome, layer, "dead-share").next().unwrap().1)
    };
    assert_eq!(shares(-1.0), [1.0, 1.0]);
    assert_eq!(shares(1.0), [0.0, 0.0]);
}

#[test]
fn a_ratio_to_weights_that_are_zero_is_left_out() {
    let init = Init { weights: Weights::Zeros, ..Init::default() };
    let record = Record { layers: Some(every_step()), ..Record::default() };
    let outcome = outcome(&NetworkRun { init, record, ..spec() });
    assert_eq!(outcome.ending, Ending::Finished);
    assert_eq!(numbers(&outcome, "affine1", "weight-norm").count(), 20);
    assert_eq!(numbers(&outcome, "affine1", "update-ratio").count(), 0);
}

/// The histogram of a layer at a step.
fn bins<'a>(rows: &'a [HistogramRow], step: i64, layer: &str, what: &str) -> Vec<&'a HistogramRow> {
    rows.iter().filter(|row| row.step == step && &*row.layer == layer && row.what == what).collect()
}

#[test]
fn histograms_count_every_value_once() {
    let rows = outcome(&NetworkRun { record: everything(), ..spec() }).histograms;
    let total = |step, layer, what| bins(&rows, step, layer, what).iter().map(|row| row.count).sum::<u64>();
    for step in [-1, 4, 19] {
        assert_eq!((total(step, "relu1", "activations"), total(step, "relu2", "activations")), (90 * 8, 90 * 6));
        assert_eq!(total(step, "affine1", "weights"), (FEATURES * 8) as u64);
        assert_eq!(total(step, "affine3", "gradients"), if step < 0 { 0 } else { 6 * CLASSES as u64 });
    }
    assert_eq!(rows.len(), 30 * (3 * (2 + 3) + 2 * 3));
    let first = bins(&rows, 19, "relu1", "activations");
    assert!(first.windows(2).all(|pair| pair[0].bin_high == pair[1].bin_low));
    assert_eq!(first[0].bin_low, 0.0, "a ReLU's smallest value");
}

#[test]
fn histograms_are_of_the_first_rows_in_a_given_range() {
    let range = Some(Range { low: 0.0, high: 1.0 });
    let histograms =
        Histograms { at: at(&[RecordedStep::Start]), rows: Some(count(7)), range, ..Histograms::default() };
    let spec = NetworkRun { record: Record { histograms: Some(histograms), ..Record::default() }, ..spec() };
    let rows = outcome(&spec).histograms;
    let data = dataset();
    let partition = Partition::new(&data, &spec.info, Normalize::None, |_| Vec::new());
    let mut run = Run::<f64>::new(Instructions::fastest(), &spec, &partition, Random::new(spec.seed, None));
    run.show(7, |_, _| ()).unwrap();
    for (layer, _, values) in run.network.activations(7) {
        let bins = bins(&rows, -1, layer, "activations");
        assert_eq!((bins[0].bin_low, bins[29].bin_high), (0.0, 1.0));
        assert_eq!(
            bins.iter().map(|row| row.count).sum::<u64>(),
            values.iter().filter(|value| (0.0..=1.0).contains(*value)).count() as u64
        );
        let zeros = values.iter().filter(|value| **value == 0.0).count() as u64;
        assert!(bins[0].count >= zeros && zeros > 0);
    }
}

#[test]
fn histograms_do_not_depend_on_how_the_rows_are_cut() {
    let spec = NetworkRun { record: everything(), ..spec() };
    let data = dataset();
    let partition = Partition::new(&data, &spec.info, Normalize::None, |_| Vec::new());
    let counted = |rows| {
        let mut run = Run::<f32>::new(Instructions::fastest(), &spec, &partition, Random::new(spec.seed, None));
        run.input.rows.truncate(rows);
        run.look_into(-1, &mut |_| ControlFlow::Continue(())).continue_value().unwrap();
        run.histograms.unwrap().rows
    };
    assert_eq!(counted(17), counted(90));
}

#[test]
fn gradients_are_checked_against_slopes() {
    let regularization = Regularization { weight_decay: NonNegative::new(0.1).unwrap(), ..Regularization::default() };
    for (model, parameters) in [("", 3), ("", 1000), ("batch_norm = true\ndropout = 0.3", 1000)] {
        let has_norms = !model.is_empty();
        let model = Model::read(&format!("hidden = [8, 6]\nactivation = 'tanh'\n{model}"));
        let at = at(&[RecordedStep::Start, RecordedStep::After(5)]);
        let checks = GradientChecks { at, parameters: count(parameters), ..GradientChecks::default() };
        let record = Record { gradient_checks: Some(checks), ..Record::default() };
        let rows = outcome(&NetworkRun { regularization, model: model.clone(), record, ..spec() }).gradient_checks;
        let names: Vec<_> = rows.iter().map(|row| (row.step, &*row.parameter)).collect();
        let views = [
            "affine1.weight",
            "affine1.bias",
            "batch_norm1.gamma",
            "batch_norm1.beta",
            "affine2.weight",
            "affine2.bias",
            "batch_norm2.gamma",
            "batch_norm2.beta",
            "affine3.weight",
            "affine3.bias",
        ];
        let views = views.into_iter().filter(|view| has_norms || view.starts_with("affine"));
        assert_eq!(names, [-1, 5].map(|step| views.clone().map(|view| (step, view)).collect::<Vec<_>>()).concat());
        for row in rows {
            assert!(row.mean_error > 0.0 && row.mean_error <= row.max_error && row.max_error < 1e-6, "{row:?}");
        }
    }
}

#[test]
fn a_network_can_be_looked_at_without_a_step() {
    let outcome = outcome(&NetworkRun { record: everything(), steps: 0, ..spec() });
    assert_eq!(outcome.ending, Ending::Finished);
    assert!(outcome.history.is_empty() && outcome.layers.is_empty());
    assert_eq!(outcome.histograms.len(), 30 * (2 + 3));
    assert!(outcome.histograms.iter().all(|row| row.step == -1));
    assert_eq!(outcome.gradient_checks.len(), 6);
}

#[test]
fn what_is_not_finite_is_left_out_and_the_run_ends_as_it_would() {
    let std = Positive::new(1e25).unwrap();
    let init = Init { weights: Weights::Normal(NormalWeights { std }), ..Init::default() };
    let plain = NetworkRun { init, precision: Precision::F32, ..spec() };
    let outcome = outcome(&NetworkRun { record: everything(), ..plain });
    assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "affine2".to_owned() });
    assert!(outcome.histograms.iter().all(|row| row.what == "weights" && row.step == -1));
    assert_eq!(outcome.histograms.len(), 30 * 3);
    assert!(outcome.layers.is_empty() && outcome.gradient_checks.is_empty());
}

#[test]
fn a_look_that_failed_leaves_no_range_to_the_next() {
    // One bright row, the last, among dark ones.
    let mut pixels = vec![1; 40 * FEATURES];
    pixels[39 * FEATURES..].fill(255);
    let train = Rows::of_images(pixels, &[0; 40]);
    let info = Info::unsplit(40, 40, FEATURES, Task::Classification { classes: CLASSES }, "0123456789abcdef");
    let data = Dataset { train, ..dataset() };
    let record = Record { histograms: Some(histograms()), ..Record::default() };
    let spec = NetworkRun { record, info, ..spec() };
    let partition = Partition::new(&data, &spec.info, Normalize::None, |_| Vec::new());
    let activations_after = |first_weight| {
        let mut run = Run::<f32>::new(Instructions::fastest(), &spec, &partition, Random::new(spec.seed, None));
        run.input.rows.truncate(16);
        for (step, weight) in [(-1, first_weight), (4, 1.0)] {
            run.parameters.fill(weight);
            run.look_into(step, &mut |_| ControlFlow::Continue(())).continue_value().unwrap();
        }
        let rows = run.histograms.unwrap().rows.into_iter();
        rows.filter(|row| row.what == "activations").collect::<Vec<_>>()
    };
    let (failed, done) = (activations_after(1.4e12), activations_after(0.5));
    assert!(failed.iter().all(|row| row.step == 4), "the look before training fails at the bright row");
    assert_eq!(failed, done.into_iter().filter(|row| row.step == 4).collect::<Vec<_>>());
}

#[test]
fn a_check_of_gradients_can_be_interrupted() {
    for stop in [0, 6, 20] {
        let mut calls = 0;
        let outcome = network(&NetworkRun { record: everything(), ..spec() }, &dataset(), &mut |done| {
            calls += u64::from(done == stop);
            if done == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((outcome.ending, calls), (Ending::Interrupted, 1), "at {stop}");
    }
}

#[test]
fn bins_that_no_layer_fills_take_no_memory() {
    let histograms = Histograms { bins: count(1 << 52), ..Histograms::default() };
    let record = Record { histograms: Some(histograms), ..Record::default() };
    let outcome = outcome(&NetworkRun { model: Model::linear(), record, ..spec() });
    assert_eq!((outcome.ending, outcome.histograms), (Ending::Finished, vec![]));
}
