//! Networks end with the same parameters on every instruction set, and from version to version.

use std::ops::ControlFlow;
use std::path::PathBuf;

use engine::batches::Sampling;
use engine::data::{Data, Dataset, Source};
use engine::kernel::{Instructions, Precision};
use engine::nn;
use engine::nn::loss::Objective;
use engine::number::Count;
use engine::optim::Adam;
use engine::seed::Seed;
use engine::spec::{NetworkRun, RunSpec};
use engine::train::{self, Ending};
use paribus::file::Experiment;
use paribus::plan::{Plan, PlannedRun};
use serde::de::DeserializeOwned;

use crate::common::Scratch;

/// Four steps of 784-100-100-100-100-10 on MNIST with Adam.
fn spec(data: &Data, precision: Precision) -> NetworkRun {
    fn section<T: DeserializeOwned>(json: &str) -> T {
        serde_json::from_str(json).unwrap()
    }
    NetworkRun {
        seed: Seed::try_from(0).unwrap(),
        script: None,
        data: data.clone(),
        info: data.info().unwrap(),
        model: section::<nn::NetworkSection>(r#"{"hidden": [100, 100, 100, 100]}"#).model(None).unwrap(),
        init: section("{}"),
        regularization: section("{}"),
        optimizer: Adam::default().into(),
        batch_size: Count::new(128).unwrap(),
        steps: 4,
        sampling: Sampling::WithReplacement,
        objective: Objective::CrossEntropy,
        precision,
        record: section("{}"),
    }
}

fn every_hash_is(expected: &str, spec: &NetworkRun, data: &Dataset) {
    for instructions in Instructions::available() {
        let outcome = train::network_on(instructions, spec, data, &mut |_| ControlFlow::Continue(()));
        assert_eq!(outcome.ending, Ending::Finished);
        // If this fails on purpose, the numerics version changes too.
        assert_eq!(outcome.parameters_hash, expected, "{:?} on {instructions}", spec.precision);
    }
}

#[test]
fn the_parameters_of_the_books_network_never_change() {
    let data = Data::from(Source::Mnist);
    let dataset = data.load().unwrap();
    every_hash_is("486500638993b623", &spec(&data, Precision::F32), &dataset);
    every_hash_is("20e77e0534f89080", &spec(&data, Precision::F64), &dataset);
}

/// Everything with arithmetic of its own, in f32 and f64.
const EVERYTHING: &str = r#"
[data]
source = "digits"
train_rows = 300
validation_share = 0.1
[network]
hidden = [12, 8]
[train]
batch_size = 20
steps = 12
precision = ["f32", "f64"]
[record]
evaluate = { on = ["train", "validation"], every = 5 }
[optimizer]
kind = "sgd"

[variant.plain]
[variant.sigmoid]
network.activation = "sigmoid"
[variant.tanh]
network.activation = "tanh"
[variant.leaky-relu]
network.activation = "leaky-relu"
[variant.elu]
network.activation = "elu"
[variant.gelu]
network.activation = "gelu"
[variant.softplus]
network.activation = "softplus"
[variant.identity]
network.activation = "identity"
[variant.batch_norm]
network.batch_norm = true
[variant.dropout]
network.dropout = 0.3
[variant.inverted]
network.dropout = { ratio = 0.3, scaling = "inverted" }
[variant.mse]
train.objective = "mse"
[variant.standard]
data.normalize = "standard"
[variant.min-max]
data.normalize = "min-max"
[variant.shuffle]
train.sampling = "shuffle"
[variant.xavier]
init.weights = "xavier"
[variant.glorot]
init.weights = "glorot"
[variant.lecun]
init.weights = "lecun"
[variant.orthogonal]
init.weights = "orthogonal"
[variant.uniform]
init.weights = { kind = "uniform", bound = 0.1 }
[variant.penalties]
regularization = { weight_decay = 0.01, l1 = 0.001, clip_norm = 0.5 }
[variant.momentum]
optimizer = "momentum"
[variant.nesterov]
optimizer = "nesterov"
[variant.memo]
optimizer = { kind = "nesterov", form = "memo" }
[variant.adagrad]
optimizer = "adagrad"
[variant.rmsprop]
optimizer = "rmsprop"
[variant.adam]
optimizer = "adam"
[variant.adamw]
optimizer = "adamw"
[variant.nadam]
optimizer = "nadam"
[variant.amsgrad]
optimizer = "amsgrad"
[variant.adadelta]
optimizer = "adadelta"
[variant.lion]
optimizer = "lion"
[variant.step]
optimizer = { kind = "sgd", schedule = { kind = "step", every = 3, factor = 0.3 } }
[variant.exponential]
optimizer = { kind = "sgd", schedule = { kind = "exponential", factor = 0.9 } }
[variant.cosine]
optimizer = { kind = "sgd", schedule = "cosine", warm_up = 3 }
[variant.one-cycle]
optimizer = { kind = "sgd", schedule = "one-cycle" }
"#;

/// For each run: the label, the hash of its final state, and the bits of its last loss and its last evaluation.
fn bits(experiment: &str) -> String {
    let experiment = Experiment::parse("bits.toml", experiment.to_owned(), "bits", PathBuf::new());
    let plan = experiment.and_then(Plan::new).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    let line = |run: PlannedRun| {
        let RunSpec::Network(spec) = run.spec() else { unreachable!("functions have no kernels") };
        let data = spec.data.load().unwrap();
        let on = |instructions| {
            let watch = &mut |_| ControlFlow::Continue(());
            let outcome = train::network_on(instructions, &spec, &data, watch);
            let loss = outcome.history.last().unwrap().loss.to_bits();
            let evaluated = outcome.evaluations.last().unwrap().loss.to_bits();
            format!("{}: {} {loss:016x} {evaluated:016x}\n", run.label(), outcome.parameters_hash)
        };
        let all: Vec<String> = Instructions::available().into_iter().map(on).collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
        all[0].clone()
    };
    plan.runs().map(line).collect()
}

#[test]
fn nothing_that_has_arithmetic_of_its_own_changes_its_bits() {
    // If this changes on purpose, the numerics version changes too.
    insta::assert_snapshot!(bits(EVERYTHING));
}

#[test]
fn scripts_of_numpy_keep_their_bits() {
    let script = "rng = { kind = 'numpy', chain = ['weights'], group = ['batch_norm'] }\n";
    let (plain, _) = EVERYTHING.split_once("[variant.plain]").unwrap();
    let plain = plain.replace("hidden = [12, 8]", "hidden = [12, 8]\nbatch_norm = [true, false]\ndropout = 0.2");
    insta::assert_snapshot!(bits(&format!("{script}{plain}[init]\nweights = ['he', 0.1]\n")));
}

/// The values of the environment variable, the slowest instruction set first.
const NAMES: [&str; 3] = ["portable", "avx2", "avx512"];

#[test]
fn the_environment_chooses_the_instructions_and_every_choice_gives_the_same_bits() {
    let scratch = Scratch::with(
        r#"
        data = { source = "digits", train_rows = 200, test_share = 0.2 }
        network = { hidden = [40], dropout = 0.2 }
        train = { batch_size = 20, steps = 5 }
        record.evaluate = { on = ["train", "test"], every = "epoch" }
        optimizer = "adam"
        "#,
    );
    scratch.run("run small.toml --quiet").well();
    for (name, instructions) in NAMES.into_iter().zip(Instructions::available()) {
        let variables = [("PARIBUS_INSTRUCTIONS", name), ("PARIBUS_LOG", "info")];
        let ran = scratch.run_with("run small.toml --fresh", &variables).well();
        assert!(ran.stderr.contains(&format!("instructions {instructions}")), "{}", ran.stderr);
        assert!(ran.stderr.contains("trained again: the same bits"), "{}", ran.stderr);
    }
}

#[test]
fn instructions_that_are_not_there_are_a_mistake_that_names_those_that_are() {
    let scratch = Scratch::new();
    let ran = scratch.run_with("list optimizers", &[("PARIBUS_INSTRUCTIONS", "sse9")]);
    assert_eq!(ran.code, 2);
    let names: Vec<_> = NAMES.into_iter().zip(Instructions::available()).map(|(name, _)| format!("`{name}`")).collect();
    let expected = format!(
        "error: the environment variable PARIBUS_INSTRUCTIONS is `sse9`; this processor has {}\n",
        names.join(", ")
    );
    assert_eq!(ran.stderr, expected);
}
