//! The book's network ends with the same parameters on every instruction set, and always has.

use std::ops::ControlFlow;

use paribus::batches::Sampling;
use paribus::data::{Data, Dataset, Limits, Preparation, Source};
use paribus::kernel::{Element, Instructions, Precision};
use paribus::nn;
use paribus::nn::loss::Objective;
use paribus::number::Count;
use paribus::optim::Adam;
use paribus::seed::Seed;
use paribus::spec::NetworkRun;
use paribus::train::{self, Ending};
use serde::de::DeserializeOwned;

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
        model: section::<nn::Section>(r#"{"hidden": [100, 100, 100, 100]}"#).model(None).unwrap(),
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

fn every_hash_is<R: Element>(expected: &str, spec: &NetworkRun, data: &Dataset) {
    for instructions in Instructions::available() {
        let outcome = train::train_with::<R>(instructions, spec, data, &mut |_| ControlFlow::Continue(()));
        assert_eq!(outcome.ending, Ending::Finished);
        // Where this fails on purpose, the numerics version changes too.
        assert_eq!(outcome.parameters_hash, expected, "{} on {instructions}", R::NAME);
    }
}

#[test]
fn the_parameters_of_the_books_network_never_change() {
    let data = Data(Limits::default(), Preparation::default(), Source::Mnist);
    let dataset = data.load().unwrap();
    every_hash_is::<f32>("486500638993b623", &spec(&data, Precision::F32), &dataset);
    every_hash_is::<f64>("20e77e0534f89080", &spec(&data, Precision::F64), &dataset);
}
