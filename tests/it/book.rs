//! The book's own numbers: every experiment of chapter 6 with `rng = "numpy"`, compared with what the book's scripts
//! plot.
//!
//! The longest experiments are compared for as many steps as take seconds; .ci/full compares them to the last step.
//!
//! tests/goldens/book holds what the scripts plot after `numpy.random.seed(0)`: series, x and y. The files of
//! experiments/ are used unchanged, except for the changes that they name themselves.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_schema::DataType;
use engine::record::{Split, Word};
use engine::spec::RunSpec;
use engine::train::{self, Ending, Outcome};
use paribus::file::Experiment;
use paribus::plan::Plan;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;

/// A run of an experiment, with its outcome.
struct Trained {
    label: String,
    spec: RunSpec,
    outcome: Outcome,
}

/// The text of a file of experiments/, with the changes that turn it into the book's script.
fn twin(text: &str) -> String {
    let text = text.replace("\n# rng = ", "\nrng = ").replace("precision = \"f32\"", "precision = \"f64\"");
    assert!(text.contains("\nrng = "), "the file has a line that turns NumPy on");
    text
}

/// Without the forward pass for losses, in experiments whose losses are not compared.
fn without_losses(text: &str) -> String {
    assert!(text.contains("\n[record]\nevaluate"), "the file says nothing of the loss");
    text.replace("\n[record]\n", "\n[record]\nloss = { at = \"before-update\", every = 1000 }\n")
}

/// The same experiment, ended after `steps` steps.
fn first_steps(text: &str, steps: usize) -> String {
    let (before, line) = text.split_once("\nsteps = ").expect("the file says how many steps");
    let (_, after) = line.split_once('\n').expect("a line ends");
    format!("{before}\nsteps = {steps}\n{after}")
}

/// Trains all runs of the text.
fn train(text: &str) -> Vec<Trained> {
    let experiment = Experiment::parse("book.toml", text.to_owned(), "book", PathBuf::new());
    let plan = experiment.and_then(Plan::new).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    let one = |index: usize| {
        let (run, mut watch) = (plan.run(index), |_| ControlFlow::Continue(()));
        let spec = run.spec();
        let outcome = match &spec {
            RunSpec::Network(spec) => train::network(spec, &spec.data.load().unwrap(), &mut watch),
            RunSpec::Function(spec) => train::function(spec, &mut watch),
        };
        Trained { label: run.label(), spec, outcome }
    };
    (0..plan.len()).into_par_iter().map(one).collect()
}

/// The y of each series of a golden file, x ascending.
fn golden(name: &str) -> BTreeMap<String, Vec<f64>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/book/{name}.parquet"));
    let file = std::fs::File::open(path).unwrap();
    let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let column = |name| arrow_cast::cast(batch.column_by_name(name).unwrap(), &DataType::Float64).unwrap();
        let names = arrow_cast::cast(batch.column_by_name("series").unwrap(), &DataType::Utf8).unwrap();
        let (names, x, y) = (names.as_string::<i32>(), column("x"), column("y"));
        let (x, y) = (x.as_primitive::<Float64Type>(), y.as_primitive::<Float64Type>());
        for row in 0..names.len() {
            series.entry(names.value(row).to_owned()).or_default().push((x.value(row), y.value(row)));
        }
    }
    let sorted = |mut points: Vec<(f64, f64)>| {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.into_iter().map(|(_, y)| y).collect()
    };
    series.into_iter().map(|(name, points)| (name, sorted(points))).collect()
}

fn of<'a>(trained: &'a [Trained], label: &str) -> &'a Trained {
    trained.iter().find(|one| one.label == label).unwrap_or_else(|| panic!("no run `{label}`"))
}

/// Checks that the recorded losses are `expected`, one per step, within the relative `tolerance`.
#[track_caller]
fn assert_losses(trained: &Trained, expected: &[f64], tolerance: f64) {
    let history = &trained.outcome.history;
    assert!(history.len() >= expected.len(), "{}: {} losses", trained.label, history.len());
    let mut worst = 0.0_f64;
    for (row, expected) in history.iter().zip(expected) {
        let error = (row.loss / expected - 1.0).abs();
        worst = worst.max(error);
        assert!(error <= tolerance, "{}, step {}: {}, the book has {expected}", trained.label, row.step, row.loss);
    }
    println!("{}: {worst:e} off at most", trained.label);
}

/// Checks that the accuracies on `split` at the steps 0, `every`, 2 · `every`, … are `expected`, except for one row in
/// a thousand, whose best outputs may differ by less than rounding. Once a network has diverged, the book classifies
/// every row as 0; `zeros` of the `rows` rows are zeros.
#[track_caller]
fn assert_accuracies(trained: &Trained, split: Split, every: u64, expected: &[f64], rows: f64, zeros: f64) {
    let mut wrong = 0.0;
    for (step, expected) in (0..).step_by(every as usize).zip(expected) {
        let row = trained.outcome.evaluations.iter().find(|row| row.split == split && row.step == step);
        let accuracy = row.map_or_else(
            || {
                // An evaluation can overflow one step before the training does.
                let ending = &trained.outcome.ending;
                let has_diverged = matches!(ending, Ending::Diverged { step: at, .. } if *at <= step + 1);
                assert!(has_diverged, "{}, step {step} is not there: {ending:?}", trained.label);
                zeros / rows
            },
            |row| row.accuracy.expect("classes have an accuracy"),
        );
        let rows_off = ((accuracy - expected) * rows).abs().round();
        assert!(
            rows_off <= (rows / 1000.0).ceil(),
            "{}, step {step}: {accuracy}, the book has {expected}",
            trained.label
        );
        wrong += rows_off;
    }
    let evaluated = rows * expected.len() as f64;
    assert!(wrong <= evaluated / 1000.0, "{}: {wrong} rows of {evaluated}", trained.label);
    println!("{}, {}: {wrong} rows of {evaluated} off", trained.label, split.name());
}

#[test]
fn optimizers_walk_down_the_parabola_as_in_the_book() {
    let (trained, golden) =
        (train(include_str!("../../experiments/optimizer_compare_naive.toml")), golden("optimizer_compare_naive"));
    for (label, name) in [("sgd", "SGD"), ("momentum", "Momentum"), ("adagrad", "AdaGrad"), ("adam", "Adam")] {
        let trajectory = &of(&trained, label).outcome.trajectory;
        let (x, y) = (&golden[&format!("{name}/x")], &golden[&format!("{name}/y")]);
        assert_eq!((trajectory.len(), x.len()), (30, 30));
        for ((row, x), y) in trajectory.iter().zip(x).zip(y) {
            assert!(
                (row.x - x).abs() < 1e-12 && (row.y - y).abs() < 1e-12,
                "{label}: {row:?}, the book has ({x}, {y})"
            );
        }
    }
}

/// How many steps of the long experiments every run of the tests compares; .ci/full compares the rest.
const FIRST_STEPS: usize = 200;

/// Trains for `steps` steps, and compares the losses of each label with the start of a series.
#[track_caller]
fn assert_first_losses(text: &str, file: &str, steps: usize, series: &[(&str, &str)]) -> Vec<Trained> {
    let (trained, golden) = (train(&first_steps(text, steps)), golden(file));
    for (label, name) in series {
        assert_losses(of(&trained, label), &golden[*name][..steps], 1e-9);
    }
    trained
}

fn four_optimizers(steps: usize) {
    let text = twin(include_str!("../../experiments/optimizer_compare_mnist.toml"));
    let series = [("sgd", "SGD"), ("momentum", "Momentum"), ("adagrad", "AdaGrad"), ("adam", "Adam")];
    assert_first_losses(&text, "optimizer_compare_mnist", steps, &series);
}

#[test]
fn four_optimizers_learn_mnist_as_in_the_book() {
    four_optimizers(FIRST_STEPS);
}

#[test]
#[ignore = "long: .ci/full runs it"]
fn four_optimizers_learn_mnist_as_in_the_book_to_the_last_step() {
    four_optimizers(2000);
}

fn six_optimizers(steps: usize) {
    let text =
        twin(include_str!("../../experiments/ch6.toml")).replace("\n[train]\n", "\n[train]\nprecision = \"f64\"\n");
    let series =
        [("sgd", "SGD"), ("momentum", "Momentum"), ("nesterov", "Nesterov"), ("adagrad", "AdaGrad"), ("adam", "Adam")];
    let trained = assert_first_losses(&text, "memo_six_optimizers", steps, &series);
    // Chaotic: after some hundred steps, rounding decides the course, even between two builds of NumPy.
    assert_losses(of(&trained, "rmsprop"), &golden("memo_six_optimizers")["RMSprop"][..100], 1e-5);
}

#[test]
fn six_optimizers_learn_mnist_as_in_the_memo() {
    six_optimizers(FIRST_STEPS);
}

#[test]
#[ignore = "long: .ci/full runs it"]
fn six_optimizers_learn_mnist_as_in_the_memo_to_the_last_step() {
    six_optimizers(2001);
}

fn three_initializations(steps: usize) {
    let text = twin(include_str!("../../experiments/weight_init_compare.toml"));
    let series = [("weights=0.01", "std=0.01"), ("xavier", "Xavier"), ("he", "He")];
    assert_first_losses(&text, "weight_init_compare", steps, &series);
}

#[test]
fn three_initializations_learn_mnist_as_in_the_book() {
    three_initializations(FIRST_STEPS);
}

#[test]
#[ignore = "long: .ci/full runs it"]
fn three_initializations_learn_mnist_as_in_the_book_to_the_last_step() {
    three_initializations(2000);
}

#[test]
fn activations_are_spread_as_in_the_book() {
    let text = twin(include_str!("../../experiments/weight_init_activation_histogram.toml"));
    let (trained, golden) = (train(&text), golden("weight_init_activation_histogram"));
    let histograms = &of(&trained, "sigmoid, weights=1").outcome.histograms;
    for layer in 1..=5 {
        let counts: Vec<f64> = histograms
            .iter()
            .filter(|row| *row.layer == *format!("sigmoid{layer}"))
            .map(|row| row.count as f64)
            .collect();
        let expected = &golden[&format!("layer{layer}")];
        assert_eq!((counts.len(), expected.len()), (30, 30));
        for (found, expected) in counts.iter().zip(expected) {
            assert!((found - expected).abs() <= 1.0, "layer {layer}: {counts:?}, the book has {expected:?}");
        }
    }
}

#[test]
fn batch_normalization_learns_from_every_scale_as_in_the_book() {
    let text = without_losses(&twin(include_str!("../../experiments/batch_norm_test.toml")));
    let (trained, golden) = (train(&text), golden("batch_norm_test"));
    assert_eq!((trained.len(), golden.len()), (32, 32));
    for (name, expected) in &golden {
        let (scale, kind) = name.strip_prefix("W:").and_then(|rest| rest.split_once('/')).unwrap();
        let scale: f64 = scale.parse().unwrap();
        let is_it = |one: &&Trained| {
            let RunSpec::Network(_) = &one.spec else { return false };
            let std = one.spec.settings().get("weight_std") == Some(&scale.into());
            std && (one.spec.settings().get("batch_norm") == Some(&true.into())) == (kind == "bn")
        };
        let one = trained.iter().find(is_it).unwrap_or_else(|| panic!("no run has the scale {scale}"));
        assert_eq!(expected.len(), 20);
        assert_accuracies(one, Split::Train, 10, expected, 1000.0, 97.0);
    }
}

#[test]
fn weight_decay_holds_back_as_in_the_book() {
    let text = without_losses(&twin(include_str!("../../experiments/overfit_weight_decay.toml")));
    let text = text.replace("[0.0, 0.1]", "[0.1]");
    let (trained, golden) = (train(&text), golden("overfit_weight_decay"));
    assert_eq!((golden["train_acc"].len(), golden["test_acc"].len()), (201, 201));
    assert_accuracies(&trained[0], Split::Train, 3, &golden["train_acc"], 300.0, f64::NAN);
    assert_accuracies(&trained[0], Split::Test, 3, &golden["test_acc"], 10_000.0, f64::NAN);
}

#[test]
fn dropout_holds_back_as_in_the_book() {
    let text = twin(include_str!("../../experiments/overfit_dropout.toml")).replace("[0.0, 0.2]", "[0.2]");
    let (trained, golden) = (train(&text), golden("overfit_dropout"));
    assert_eq!((golden["train_acc"].len(), golden["train_loss"].len()), (301, 903));
    assert_losses(&trained[0], &golden["train_loss"], 1e-9);
    assert_accuracies(&trained[0], Split::Train, 3, &golden["train_acc"], 300.0, f64::NAN);
    assert_accuracies(&trained[0], Split::Test, 3, &golden["test_acc"], 10_000.0, f64::NAN);
}

#[test]
fn a_hundred_trials_are_the_books() {
    let text = without_losses(&twin(include_str!("../../experiments/hyperparameter_optimization.toml")));
    let (trained, golden) = (train(&text), golden("hyperparameter_optimization"));
    assert_eq!((trained.len(), golden.len()), (100, 200));
    for (name, expected) in &golden {
        let numbers = name.strip_prefix("lr:").and_then(|rest| rest.split_once(", weight decay:"));
        let (lr, rest) = numbers.unwrap();
        let (weight_decay, split) = rest.split_once('/').unwrap();
        let is = |one: &Trained, setting: &str, expected: &str| {
            let found: f64 = one.spec.settings().get(setting).unwrap().to_string().parse().unwrap();
            (found / expected.parse::<f64>().unwrap() - 1.0).abs() < 1e-15
        };
        let one = trained.iter().find(|one| is(one, "lr", lr) && is(one, "weight_decay", weight_decay));
        let one = one.unwrap_or_else(|| panic!("no trial has the learning rate {lr}"));
        assert_eq!(expected.len(), 50);
        match split {
            "val" => assert_accuracies(one, Split::Validation, 4, expected, 100.0, f64::NAN),
            _ => assert_accuracies(one, Split::Train, 4, expected, 400.0, f64::NAN),
        }
    }
}

/// Other seeds, networks and orders: tests/goldens/scripts.py.
#[test]
fn scripts_that_are_not_the_books_are_reproduced_as_well() {
    #[derive(serde::Deserialize)]
    struct Script {
        experiment: String,
        /// For each run, in the order of the plan.
        losses: Vec<Vec<f64>>,
    }
    #[derive(serde::Deserialize)]
    struct Scripts {
        script: Vec<Script>,
    }
    let scripts: Scripts = toml::from_str(include_str!("../goldens/scripts.toml")).unwrap();
    for Script { experiment, losses } in scripts.script {
        let trained = train(&experiment);
        assert_eq!(trained.len(), losses.len());
        for (one, expected) in trained.iter().zip(losses) {
            assert_losses(one, &expected, 1e-11);
        }
    }
}
