//! What a run costs: the one model behind the order of the runs and the time that is left.

use crate::nn::LayerSpec;
use crate::nn::activation::Activation;
use crate::optim::LrSchedule;
use crate::record::{Split, Subject};
use crate::spec::{FunctionRun, NetworkRun, RunSpec};

/// An estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations, of dense arithmetic.
    pub operations: f64,
    /// Those of one update, with what is recorded of each.
    pub step: f64,
    /// Memory, its data left out.
    pub bytes: f64,
    /// Of that, the rows, which stay until they are written.
    pub rows: f64,
    /// In the tables, compressed.
    pub disk: f64,
}

impl Cost {
    /// Counts the products of every pass, and the updates, which are bound by memory, at `UPDATE` operations a value.
    pub fn of(spec: &RunSpec) -> Self {
        match spec {
            RunSpec::Network(run) => Self::of_network(run),
            RunSpec::Function(run) => Self::of_function(run),
        }
    }

    fn of_function(run: &FunctionRun) -> Self {
        let steps = run.steps as f64;
        let disk = ON_DISK.run + steps * ON_DISK.point;
        let rows = steps * 32.0;
        Self { operations: steps * 100.0, step: 100.0, bytes: rows, rows, disk }
    }

    /// As [`of`](Self::of).
    pub fn of_network(spec: &NetworkRun) -> Self {
        let Layers { weights, first, elementwise, values, drawn } = Layers::of(spec);
        let (batch, steps) = (spec.batch_size.get() as f64, spec.steps as f64);
        let passes = if spec.record.is_loss_after_update() { 2.0 } else { 1.0 };
        // Forward, both gradients; the data's own gradient is not needed. Going back costs an element about what going
        // forward does.
        let step = 2.0 * batch * (passes * weights + 2.0 * weights - first)
            + batch * ((passes + 1.0) * elementwise + DRAW * drawn);
        let update = UPDATE * weights * (2.0 + spec.optimizer.slots() as f64);
        let rows = |split| match split {
            Split::Train => spec.info.train_rows as f64,
            Split::Validation => spec.info.validation_rows as f64,
            Split::Test => spec.info.test_rows as f64,
        };
        let evaluated: f64 = spec.record.splits().iter().map(|&split| rows(split)).sum();
        let evaluations = spec.evaluations() as f64;
        let values = weights * (2.0 + spec.optimizer.slots() as f64) + spec.rows_at_once() as f64 * values;
        let looks = Looks::of(spec);
        let losses = spec.record.rows(spec.steps) as f64;
        let evaluation_rows = evaluations * spec.record.splits().len() as f64;
        let recorded = losses * 40.0 + (evaluation_rows + looks.rows) * 64.0;
        // Columns that hold one number take no room.
        let column = |varies: bool| if varies { ON_DISK.number } else { 0.0 };
        let penalty = column(spec.regularization.weight_decay.get() > 0.0 || spec.regularization.l1.get() > 0.0);
        let lr = column(spec.optimizer.lr_schedule != LrSchedule::default());
        let evaluated = evaluations * evaluated + looks.evaluated;
        Self {
            operations: steps * (step + update) + evaluated * (2.0 * weights + elementwise),
            step: step + update,
            disk: ON_DISK.run
                + losses * (ON_DISK.loss + penalty + lr)
                + evaluation_rows * ON_DISK.evaluation
                + looks.rows * ON_DISK.look,
            bytes: values * spec.precision.bytes() as f64 + recorded,
            rows: recorded,
        }
    }
}

/// What a row costs in each layer, added up.
#[derive(Default)]
struct Layers {
    /// In the matrices.
    weights: f64,
    /// In the first matrix, if nothing in front of it is trained.
    first: f64,
    /// Operations outside the products, in a pass.
    elementwise: f64,
    /// Numbers that are kept.
    values: f64,
    /// Random numbers in a step.
    drawn: f64,
}

impl Layers {
    fn of(spec: &NetworkRun) -> Self {
        let mut width = spec.info.features as f64;
        let (mut layers, mut widest, mut is_first) = (Self { values: width, ..Self::default() }, 0.0_f64, true);
        for layer in spec.layers() {
            match layer {
                LayerSpec::Affine { outputs, .. } => {
                    let inputs = std::mem::replace(&mut width, outputs as f64);
                    layers.weights += inputs * width;
                    if std::mem::take(&mut is_first) {
                        layers.first = inputs * width;
                    }
                }
                LayerSpec::BatchNorm => {
                    is_first = false;
                    layers.elementwise += NORMALIZATION * width;
                    layers.values += width;
                }
                // Next to the products it costs nothing that could be measured.
                LayerSpec::Activation(Activation::Relu | Activation::LeakyRelu(_) | Activation::Identity) => {}
                LayerSpec::Activation(_) => layers.elementwise += ELEMENTARY * width,
                LayerSpec::Dropout(_) => {
                    layers.drawn += width;
                    layers.values += width;
                }
            }
            layers.values += width;
            widest = widest.max(width);
        }
        layers.values += 2.0 * widest;
        layers
    }
}

/// What is recorded beside losses and evaluations.
struct Looks {
    /// Rows that go through the network for it.
    evaluated: f64,
    /// Rows that it has in the tables.
    rows: f64,
}

impl Looks {
    fn of(spec: &NetworkRun) -> Self {
        let (record, layers) = (&spec.record, spec.layer_counts());
        let mut looks = Self {
            evaluated: 0.0,
            rows: record.layer_rows(spec.steps, spec.epoch_counter(), layers.affine, layers.relu) as f64,
        };
        if let Some(histograms) = &record.histograms {
            looks.rows += histograms.count(spec.steps, layers.activation, layers.affine) as f64;
            if histograms.of.has(Subject::Activations) {
                let passes = if histograms.range.is_some() { 1.0 } else { 2.0 };
                let rows = histograms.rows(spec.info.train_rows) as f64;
                looks.evaluated += histograms.at.count(spec.steps) as f64 * passes * rows;
            }
        }
        if let Some(checks) = &record.gradient_checks {
            // Of weights and biases.
            let views = 2.0 * layers.affine as f64;
            let checked = (views * checks.parameters.get() as f64).min(spec.parameters() as f64);
            let rows = checks.rows(spec.info.train_rows) as f64;
            looks.evaluated += checks.at.count(spec.steps) as f64 * 2.0 * checked * rows;
        }
        looks
    }
}

/// An update reads and writes each value a few times; in that time a core multiplies and adds about this often.
const UPDATE: f64 = 8.0;

/// Operations that fit into the time of e^x, of a normalized number and of a random number.
const ELEMENTARY: f64 = 60.0;
const NORMALIZATION: f64 = 40.0;
const DRAW: f64 = 60.0;

/// Bytes of a row in each table, zstd's, as measured over the experiments that are shipped with the program.
struct OnDisk {
    run: f64,
    loss: f64,
    /// A penalty or a learning rate in the row of a loss.
    number: f64,
    evaluation: f64,
    /// Of a histogram's bin or a number about a layer.
    look: f64,
    point: f64,
}

const ON_DISK: OnDisk = OnDisk { run: 150.0, loss: 8.0, number: 7.0, evaluation: 15.0, look: 8.0, point: 30.0 };
