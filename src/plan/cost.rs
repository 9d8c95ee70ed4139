//! The cost of a run: one model for the order of the runs and the remaining time.

use engine::nn::LayerSpec;
use engine::nn::activation::Activation;
use engine::optim::LrSchedule;
use engine::record::Subject;
use engine::spec::{FunctionRun, NetworkRun, RunSpec};

/// An estimate of what a run costs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations, as if all products were dense.
    pub operations: f64,
    /// Operations of one update, including what every update records.
    pub step: f64,
    /// Bytes of memory, without the data.
    pub bytes: f64,
    /// Bytes of memory for the rows, which stay until they are written; a part of `bytes`.
    pub rows: f64,
    /// Bytes in the tables, compressed.
    pub disk: f64,
}

impl Cost {
    /// Counts the products of every pass, and `UPDATE` operations a value for the updates, which are bound by memory.
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
        // Forward, and both gradients; the gradient of the data is not needed. Elementwise, backward costs about as
        // much as forward.
        let step = 2.0 * batch * (passes * weights + 2.0 * weights - first)
            + batch * ((passes + 1.0) * elementwise + DRAW * drawn);
        let update = UPDATE * weights * (2.0 + spec.optimizer.slots() as f64);
        let evaluations = spec.evaluations() as f64;
        let values = weights * (2.0 + spec.optimizer.slots() as f64) + spec.rows_at_once() as f64 * values;
        let looks = Looks::of(spec);
        let losses = spec.record.rows(spec.steps) as f64;
        let evaluation_rows = evaluations * spec.record.splits().len() as f64;
        let recorded = losses * 40.0 + (evaluation_rows + looks.rows) * 64.0;
        // Constant columns take no space.
        let column = |varies: bool| if varies { ON_DISK.number } else { 0.0 };
        let penalty = column(spec.regularization.weight_decay.get() > 0.0 || spec.regularization.l1.get() > 0.0);
        let lr = column(spec.optimizer.lr_schedule != LrSchedule::default());
        let evaluated = evaluations * spec.evaluated_rows() as f64 + looks.evaluated;
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

/// The costs of one row, summed over all layers.
#[derive(Default)]
struct Layers {
    /// Weights in all matrices.
    weights: f64,
    /// Weights in the first matrix, if nothing before it is trained.
    first: f64,
    /// Operations outside the products, per pass.
    elementwise: f64,
    /// Numbers kept in memory.
    values: f64,
    /// Random numbers per step.
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
                // Its cost is not measurable next to the products.
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

/// What is recorded besides losses and evaluations.
struct Looks {
    /// Rows that pass through the network for it.
    evaluated: f64,
    /// Rows in the tables.
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
            // Weights and biases.
            let views = 2.0 * layers.affine as f64;
            let checked = (views * checks.parameters.get() as f64).min(spec.parameters() as f64);
            let rows = checks.rows(spec.info.train_rows) as f64;
            looks.evaluated += checks.at.count(spec.steps) as f64 * 2.0 * checked * rows;
        }
        looks
    }
}

/// An update reads and writes each value a few times; in that time a core does about this many multiply-adds.
const UPDATE: f64 = 8.0;

/// The time of e^x, of a normalized number and of a random number, in operations.
const ELEMENTARY: f64 = 60.0;
const NORMALIZATION: f64 = 40.0;
const DRAW: f64 = 60.0;

/// Bytes of a row in each table after zstd, as measured over the experiments that come with the program.
struct OnDisk {
    run: f64,
    loss: f64,
    /// A penalty or a learning rate in the row of a loss.
    number: f64,
    evaluation: f64,
    /// A bin of a histogram, or a metric of a layer.
    look: f64,
    point: f64,
}

const ON_DISK: OnDisk = OnDisk { run: 150.0, loss: 8.0, number: 7.0, evaluation: 15.0, look: 8.0, point: 30.0 };
