//! Whole trainings against an independent implementation: tests/goldens/training.py.

use std::ops::ControlFlow;

use paribus::batches::Sampling;
use paribus::data::{Data, Limits, Source};
use paribus::kernel::Precision;
use paribus::nn::loss::Objective;
use paribus::number::{Count, Positive};
use paribus::optim::Sgd;
use paribus::seed::Seed;
use paribus::spec::NetworkRun;
use paribus::train::{self, Ending, Outcome};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    seed: i64,
    hidden: Vec<u64>,
    activation: String,
    weights: String,
    bias: bool,
    weight_decay: f64,
    l1: f64,
    sampling: Sampling,
    before_update: Vec<f64>,
    after_update: Vec<f64>,
    penalty: Vec<f64>,
    train_loss: f64,
    train_accuracy: f64,
}

impl Golden {
    fn train(&self, loss_at: &str) -> Outcome {
        fn section<T: DeserializeOwned>(toml: &str) -> T {
            toml::from_str(toml).unwrap()
        }
        let data = Data(Limits { train_rows: Some(Count::new(500).unwrap()), test_rows: None }, Source::Mnist);
        let Self { hidden, activation, bias, weights, weight_decay, l1, .. } = self;
        let spec = NetworkRun {
            seed: Seed::try_from(self.seed).unwrap(),
            info: data.info().unwrap(),
            model: section(&format!("hidden = {hidden:?}\nactivation = {activation:?}\nbias = {bias}")),
            init: section(&format!("weights = {weights:?}")),
            regularization: section(&format!("weight_decay = {weight_decay:?}\nl1 = {l1:?}")),
            optimizer: Sgd { lr: Positive::new(0.05).unwrap() }.into(),
            batch_size: Count::new(16).unwrap(),
            steps: 30,
            sampling: self.sampling,
            objective: Objective::CrossEntropy,
            precision: Precision::F64,
            record: section(&format!("loss = {loss_at:?}\nevaluate = {{ on = ['train'] }}")),
            data,
        };
        let outcome = train::network(&spec, &spec.data.load().unwrap(), &mut |_| ControlFlow::Continue(()));
        assert_eq!(outcome.ending, Ending::Finished);
        outcome
    }
}

#[test]
fn trainings_follow_an_independent_implementation() {
    #[derive(Deserialize)]
    struct Goldens {
        training: Vec<Golden>,
    }
    // Both compute in double precision; what they sum, they sum in another order.
    let near = |x: f64, y: f64| (x - y).abs() < 1e-11 * y.abs().max(1.0);
    for golden in toml::from_str::<Goldens>(include_str!("goldens/training.toml")).unwrap().training {
        let (before, after) = (golden.train("before-update"), golden.train("after-update"));
        for (history, expected) in [(&before.history, &golden.before_update), (&after.history, &golden.after_update)] {
            assert_eq!(history.len(), expected.len());
            for (row, expected) in history.iter().zip(expected) {
                assert!(near(row.loss, *expected), "seed {}: {row:?}, expected {expected}", golden.seed);
            }
        }
        for (row, expected) in after.history.iter().zip(&golden.penalty) {
            assert!(near(row.penalty, *expected), "seed {}: {row:?}, expected {expected}", golden.seed);
        }
        let last = before.evaluations.last().unwrap();
        assert!(near(last.loss, golden.train_loss), "seed {}: {last:?}, expected {}", golden.seed, golden.train_loss);
        assert!(near(last.accuracy, golden.train_accuracy), "{last:?}, expected {}", golden.train_accuracy);
    }
}
