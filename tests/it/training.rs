//! Whole trainings, compared with an independent implementation: tests/goldens/training.py.

use std::ops::ControlFlow;
use std::path::PathBuf;

use engine::spec::{NetworkRun, RunSpec};
use engine::train::{self, Ending, Outcome};
use paribus::file::Experiment;
use paribus::plan::Plan;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    seed: u64,
    /// The keys of `[network]`.
    network: String,
    weights: String,
    weight_decay: f64,
    l1: f64,
    sampling: String,
    objective: String,
    before_update: Vec<f64>,
    after_update: Vec<f64>,
    penalty: Vec<f64>,
    train_loss: f64,
    train_accuracy: f64,
}

impl Golden {
    /// The run of an experiment file that describes what the script did.
    fn run(&self, loss_at: &str) -> NetworkRun {
        let Self { seed, network, weights, weight_decay, l1, sampling, objective, .. } = self;
        let text = format!(
            "seeds = [{seed}]\n[data]\nsource = 'mnist'\ntrain_rows = 500\n[network]\n{network}\n[init]\n\
             weights = '{weights}'\n\
             [regularization]\nweight_decay = {weight_decay:?}\nl1 = {l1:?}\n[optimizer.sgd]\nlr = 0.05\n\
             [train]\nbatch_size = 16\nsteps = 30\nprecision = 'f64'\nsampling = '{sampling}'\n\
             objective = '{objective}'\n\
             [record]\nloss = '{loss_at}'\nevaluate = {{ on = ['train'] }}\n"
        );
        let plan = Experiment::parse("golden.toml", text, "golden", PathBuf::new()).and_then(Plan::new);
        let plan = plan.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
        match plan.run(0).spec() {
            RunSpec::Network(run) => run.as_ref().clone(),
            RunSpec::Function(_) => panic!("a network was asked for"),
        }
    }

    fn train(&self, loss_at: &str) -> Outcome {
        let run = self.run(loss_at);
        let outcome = train::network(&run, &run.data.load().unwrap(), &mut |_| ControlFlow::Continue(()));
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
    // Both compute in double precision, but sum in different orders.
    let near = |x: f64, y: f64| (x - y).abs() < 1e-11 * y.abs().max(1.0);
    for golden in toml::from_str::<Goldens>(include_str!("../goldens/training.toml")).unwrap().training {
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
        assert!(near(last.accuracy.unwrap(), golden.train_accuracy), "{last:?}, expected {}", golden.train_accuracy);
    }
}
