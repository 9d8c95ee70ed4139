//! Every setting of a run has a column in the table of runs.

use std::collections::BTreeMap;

use engine::optim::Algorithm;
use engine::settings::{Scalar, Settings};
use paribus::file::Experiment;
use paribus::plan::Plan;
use paribus::store::{ColumnKind, SETTING_COLUMNS};

use crate::common::Scratch;

const EVERYTHING: &str = r#"
[data]
source = "idx"
train_images = "images"
train_labels = "labels"
[network]
hidden = [[3], []]
activation = ["relu", "leaky-relu", "elu"]
dropout = 0.5
output = ["identity", "leaky-relu", "elu"]
[init]
weights = ["he", "xavier", "glorot", "lecun", "orthogonal", "zeros", 0.1, { kind = "uniform", bound = 0.1 }]
[regularization]
weight_decay = 0.1
l1 = 0.1
clip_norm = 0.1
[train]
batch_size = 1
steps = 1
sampling = ["with-replacement", "shuffle"]
precision = ["f32", "f64"]
[record]
evaluate = { on = ["train"], every = 3 }
histograms = { of = ["activations"], at = ["start"], bins = 3, range = [0.0, 1.0], rows = 1 }
layers = { what = ["weight-norm"], every = 3 }
gradient_checks = { at = ["start"], h = 1e-3, rows = 1, parameters = 1 }
[optimizer.nesterov]
form = ["lookahead", "memo"]
[optimizer.adam]
warm_up = [0, 1]
[optimizer.nadam]
schedule = ["cosine", "one-cycle"]
[optimizer.amsgrad]
schedule = { kind = "step", every = 2 }
"#;

const NORMALIZED: &str = r#"
data.source = "mnist"
train.steps = 1
optimizer = "sgd"
[network]
hidden = [3]
batch_norm = true
"#;

const LISTED: &str = r#"
data.source = "mnist"
train.steps = 1
optimizer = "sgd"
[network]
layers = ["batch-norm", "affine"]
"#;

const TABLE: &str = r#"
[data]
source = "csv"
path = "table.csv"
target = "class"
features = ["x"]
validation_rows = 1
normalize = "standard"
[network]
hidden = []
[train]
batch_size = 1
steps = 1
[optimizer.sgd]
"#;

const BLOBS: &str = r#"
[data]
source = "blobs"
[network]
hidden = []
[train]
steps = 1
[optimizer.sgd]
"#;

const SCRIPT: &str = r#"
rng = { kind = "numpy", group = ["optimizer"] }
data.source = "mnist"
network.hidden = []
train.steps = 1
optimizer = ["sgd", "adam"]
"#;

const QUADRATIC: &str = r#"
[function]
kind = "quadratic"
coefficients = [1.0, 2.0]
start = [0.0, 1.0]
[train]
steps = 1
[optimizer.sgd]
"#;

const ROSENBROCK: &str = r#"
[function]
kind = "rosenbrock"
start = [0.0, 1.0]
[train]
steps = 1
[optimizer.sgd]
"#;

#[test]
fn every_setting_has_a_column_of_its_type_and_every_column_a_setting() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path().join("images"), [0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7]).unwrap();
    std::fs::write(scratch.path().join("labels"), [0, 0, 8, 1, 0, 0, 0, 1, 0]).unwrap();
    scratch.write("table.csv", "x,y,class\n1,2,a\n3,4,b\n");
    let others = Algorithm::KINDS.map(|kind| format!("[optimizer.{kind}]\n"));
    let others: String = others.into_iter().filter(|table| !EVERYTHING.contains(table)).collect();
    let mut written: BTreeMap<&str, ColumnKind> = BTreeMap::new();
    let settings =
        [&*(EVERYTHING.to_owned() + &others), NORMALIZED, LISTED, TABLE, BLOBS, SCRIPT, QUADRATIC, ROSENBROCK]
            .map(|text| {
                scratch.write("experiment.toml", text);
                let experiment = Experiment::read(&scratch.path().join("experiment.toml"));
                experiment.and_then(Plan::new).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)))
            })
            .map(|plan| plan.runs().map(|run| run.spec().settings()).collect::<Vec<Settings>>())
            .concat();
    for (name, value) in settings.iter().flat_map(|settings| settings.iter()) {
        let kind = match value {
            Scalar::Bool(_) => ColumnKind::Bool,
            Scalar::Int(_) => ColumnKind::Int,
            Scalar::Float(_) => ColumnKind::Float,
            Scalar::Text(_) => ColumnKind::Text,
        };
        assert_eq!(*written.entry(name).or_insert(kind), kind, "{name} has two types");
    }
    // Every table has a column for the seed, so it is not among the settings.
    assert_eq!(written.remove("seed"), Some(ColumnKind::Int));
    assert_eq!(written, SETTING_COLUMNS.iter().copied().collect());
}
