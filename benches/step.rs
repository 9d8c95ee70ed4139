//! A training step of the book's network, 784-100-100-100-100-10 with batches of 128, on MNIST, and of similar
//! networks.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use engine::batches::Sampling;
use engine::data::{Data, Dataset, Source};
use engine::kernel::{Instructions, Precision};
use engine::nn;
use engine::nn::loss::Objective;
use engine::number::Count;
use engine::optim::Sgd;
use engine::seed::Seed;
use engine::spec::NetworkRun;
use engine::train;
use serde::de::DeserializeOwned;

/// The lines after the widths of the layers in `[network]`.
const RELATIVES: [(&str, &str); 6] = [
    ("ReLU", ""),
    ("sigmoid", r#", "activation": "sigmoid""#),
    ("tanh", r#", "activation": "tanh""#),
    ("GELU", r#", "activation": "gelu""#),
    ("batch norm", r#", "batch_norm": true"#),
    ("dropout", r#", "dropout": 0.2"#),
];

fn spec(data: &Data, precision: Precision, loss: &str, relative: &str) -> NetworkRun {
    fn section<T: DeserializeOwned>(json: &str) -> T {
        serde_json::from_str(json).expect("a section of the experiment file")
    }
    NetworkRun {
        seed: Seed::try_from(0).expect("0 is a seed"),
        script: None,
        data: data.clone(),
        info: data.info().expect("what is built in can be read"),
        model: section::<nn::NetworkSection>(&format!(r#"{{"hidden": [100, 100, 100, 100]{relative}}}"#))
            .model(None)
            .expect("layers"),
        init: section("{}"),
        regularization: section("{}"),
        optimizer: Sgd::default().into(),
        batch_size: Count::new(128).expect("128 is a count"),
        steps: 0,
        sampling: Sampling::WithReplacement,
        objective: Objective::CrossEntropy,
        precision,
        record: section(&format!(r#"{{"loss": "{loss}"}}"#)),
    }
}

/// The time of `steps` steps, without what is built before the first step.
fn time(instructions: Instructions, mut spec: NetworkRun, data: &Dataset, steps: u64) -> Duration {
    spec.steps = steps + 1;
    let mut begin = Instant::now();
    let mut elapsed = Duration::ZERO;
    let mut watch = |done| {
        if done == 1 {
            begin = Instant::now();
        }
        elapsed = begin.elapsed();
        ControlFlow::Continue(())
    };
    black_box(train::network_on(instructions, &spec, data, &mut watch));
    elapsed
}

fn step(criterion: &mut Criterion) {
    let data = Data::from(Source::Mnist);
    let dataset = data.load().expect("what is built in can be read");
    let mut group = criterion.benchmark_group("step");
    for instructions in Instructions::available() {
        if instructions.is_fused_multiply_add_emulated() {
            continue;
        }
        for precision in [Precision::F32, Precision::F64] {
            let mut bench = |name: &str, relative: &str, loss: &str| {
                let spec = spec(&data, precision, loss, relative);
                group.bench_function(format!("{name}, {}, {loss}, {instructions}", precision.name()), |bencher| {
                    bencher.iter_custom(|steps| time(instructions, spec.clone(), &dataset, steps));
                });
            };
            bench("ReLU", "", "after-update");
            for (name, relative) in RELATIVES {
                bench(name, relative, "before-update");
            }
        }
    }
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
