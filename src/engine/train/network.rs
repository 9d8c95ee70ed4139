//! The run of a network: its buffers, its steps, its evaluations.

use std::ops::ControlFlow;

use self::inspection::Rehearsal;
use super::measure::{GradientChecker, HistogramCounts, LayerNumbers};
use super::{Ending, Outcome};
use crate::data::{Dataset, Partition, SplitView, Task};
use crate::kernel::{Element, Instructions, MatrixValues};
use crate::nn::loss::{self, BatchTargets};
use crate::nn::{Network, NotFinite, Phase, parameters};
use crate::optim;
use crate::random::Random;
use crate::record::{EvaluationRow, LossAt, LossRow, Split};
use crate::spec::NetworkRun;

/// [`super::network_on`] for one precision.
pub(super) fn train<R: Element>(
    instructions: Instructions,
    spec: &NetworkRun,
    data: &Dataset,
    watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Outcome {
    let mut random = Random::new(spec.seed, spec.script.as_ref());
    let data = Partition::new(data, &spec.info, spec.data.preparation.normalize, |rows| random.order(rows));
    let mut run = Run::<R>::new(instructions, spec, &data, random);
    let ending = run.all_steps(watch);
    run.history.shrink_to_fit();
    Outcome {
        history: run.history,
        evaluations: run.evaluations,
        layers: run.layers.map_or_else(Vec::new, |layers| layers.rows),
        histograms: run.histograms.map_or_else(Vec::new, |histograms| histograms.rows),
        gradient_checks: run.gradient_checks.map_or_else(Vec::new, |checks| checks.rows),
        ending,
        parameters_hash: parameters::hash(&[&run.parameters, &run.state]),
        ..Outcome::default()
    }
}

/// The most losses to reserve memory for before the first step: 32 MiB. A longer history grows as needed.
const RESERVED_LOSSES: u64 = 1 << 20;

/// A run in progress. All buffers have their final length, so a step allocates nothing.
struct Run<'a, R> {
    instructions: Instructions,
    spec: &'a NetworkRun,
    /// The rows that this run trains on and is evaluated on.
    data: &'a Partition<'a>,
    /// The width of the network's output.
    outputs: usize,
    network: Network<R>,
    /// Flat, in the network's layout; so are the gradients and each accumulator.
    parameters: Vec<R>,
    /// The running statistics, in the network's layout of them.
    state: Vec<R>,
    gradients: Vec<R>,
    /// The optimizer's accumulators, in its own layout.
    slots: Vec<R>,
    random: Random<'a>,
    input: Input<R>,
    history: Vec<LossRow>,
    evaluations: Vec<EvaluationRow>,
    layers: Option<LayerNumbers>,
    histograms: Option<HistogramCounts>,
    gradient_checks: Option<GradientChecker>,
    /// Present if gradients are checked.
    rehearsal: Option<Rehearsal<R>>,
}

/// The mean loss over rows.
#[derive(Debug, Clone, Copy)]
struct Loss {
    /// Including the penalty.
    total: f64,
    penalty: f64,
}

/// The input of the network, with its targets.
struct Input<R> {
    instructions: Instructions,
    features: usize,
    /// The indices of the rows in the data: `[rows]`.
    rows: Vec<usize>,
    x: Features<R>,
    targets: TargetBuffer<R>,
}

/// [rows, features]
enum Features<R> {
    Numbers(Vec<R>),
    /// The bytes of the data, used as they are when most are 0.
    Bytes {
        bytes: Vec<u8>,
        table: Box<[R; 256]>,
    },
}

/// The targets of the rows.
enum TargetBuffer<R> {
    /// `[rows]`
    Classes(Vec<u16>),
    /// [rows, outputs]
    Values { values: Vec<R>, outputs: usize },
}

impl<'a, R: Element> Run<'a, R> {
    fn new(instructions: Instructions, spec: &'a NetworkRun, data: &'a Partition, mut random: Random<'a>) -> Self {
        let (features, outputs) = (spec.info.features, spec.info.task.outputs());
        let rows = spec.rows_at_once() as usize;
        let network = Network::new(instructions, &spec.layers(), features, rows);
        let count = network.layout().len();
        let mut parameters = vec![R::zero(); count];
        random.before_weights();
        spec.init.fill(&mut random, network.layout(), &mut parameters);
        random.after_weights(spec.sampling, data.train().len(), network.dropout_layers());
        let layers = spec.record.layers.as_ref().map(|layers| {
            let steps = layers.every.count(spec.steps, spec.epoch_counter());
            LayerNumbers::new(&layers.what, &network, steps)
        });
        let gradient_checks =
            spec.record.gradient_checks.as_ref().map(|checks| GradientChecker::new(checks, &network, spec.steps));
        let rehearsal = gradient_checks.is_some().then(|| Rehearsal::new(&network, spec.seed));
        let histograms =
            spec.record.histograms.as_ref().map(|histograms| HistogramCounts::new(histograms, &network, spec.steps));
        Self {
            instructions,
            spec,
            data,
            outputs,
            parameters,
            state: vec![R::zero(); network.state_layout().len()],
            random,
            gradients: vec![R::zero(); count],
            slots: vec![R::zero(); spec.optimizer.slots() * count],
            input: Input {
                features,
                rows: vec![0; rows],
                instructions,
                x: match data.sparse_bytes().filter(|_| network.takes_bytes()) {
                    Some(full) => Features::Bytes {
                        bytes: vec![0; rows * features],
                        table: Box::new(std::array::from_fn(|byte| R::from_byte(byte as u8, full))),
                    },
                    None => Features::Numbers(vec![R::zero(); rows * features]),
                },
                targets: match spec.info.task {
                    Task::Classification { .. } => TargetBuffer::Classes(vec![0; rows]),
                    Task::Regression { .. } => {
                        TargetBuffer::Values { values: vec![R::zero(); rows * outputs], outputs }
                    }
                },
            },
            history: Vec::with_capacity(spec.record.rows(spec.steps).min(RESERVED_LOSSES) as usize),
            evaluations: Vec::with_capacity(
                spec.evaluations().min(RESERVED_LOSSES) as usize * spec.record.splits().len(),
            ),
            layers,
            histograms,
            gradient_checks,
            rehearsal,
            network,
        }
    }

    fn all_steps(&mut self, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Ending {
        let steps = self.spec.steps;
        // They are drawn in `f64` and may be too large for `f32`.
        if let Some(view) = self.network.layout().first_not_finite(&self.parameters) {
            return Ending::Diverged { step: 0, layer: view.layer().to_owned() };
        }
        if self.look_into(-1, watch).is_break() {
            return Ending::Interrupted;
        }
        for step in 0..steps {
            if let Err(NotFinite { layer }) = self.step(step) {
                return Ending::Diverged { step, layer };
            }
            if self.look_into(step as i64, watch).is_break() {
                return Ending::Interrupted;
            }
            if watch(step + 1).is_break() && step + 1 < steps {
                return Ending::Interrupted;
            }
        }
        Ending::Finished
    }

    /// One update, with its losses and the evaluations after it.
    ///
    /// # Errors
    /// If the run meets a number that is not finite.
    fn step(&mut self, step: u64) -> Result<(), NotFinite> {
        let spec = self.spec;
        let batch = spec.batch_size.as_usize();
        NotFinite::check(spec.optimizer.lr(step), "lr")?;
        self.random.batch(step, &mut self.input.rows[..batch]);
        self.input.gather(self.data.train(), batch);

        let is_loss_due = spec.record.is_loss_due(step, spec.steps);
        self.forward(step, batch)?;
        if is_loss_due && spec.record.loss.at == LossAt::BeforeUpdate {
            self.record_loss(step)?;
        }
        self.update(step, batch)?;
        if is_loss_due && spec.record.loss.at == LossAt::AfterUpdate {
            self.predict(batch)?;
            self.record_loss(step)?;
        }
        if spec.record.is_evaluation_due(step, spec.steps, spec.epoch_counter()) {
            for split in spec.record.splits() {
                self.evaluate(step, *split)?;
            }
        }
        Ok(())
    }

    /// The forward pass for the update of `step`: computes the outputs for the batch and compares them with the
    /// targets.
    fn forward(&mut self, step: u64, batch: usize) -> Result<(), NotFinite> {
        let Self { network, parameters, state, random, input, .. } = self;
        let mut draw = |layer: u32, uniforms: &mut [f64]| random.uniforms(step, layer, uniforms);
        network.forward(Phase::Training { state, draw: &mut draw }, parameters, input.x(batch))?;
        random.after_step();
        self.compare(batch);
        Ok(())
    }

    /// Computes the outputs for the input's first `rows` rows in evaluation mode, and compares them with the targets.
    fn predict(&mut self, rows: usize) -> Result<(), NotFinite> {
        self.network.forward(Phase::Evaluation { state: &self.state }, &self.parameters, self.input.x(rows))?;
        self.compare(rows);
        Ok(())
    }

    fn compare(&mut self, rows: usize) {
        let (outputs, comparison) = self.network.output(rows);
        let (objective, targets) = (self.spec.objective, self.input.targets(rows));
        self.instructions.run(
            #[inline(always)]
            || objective.compare(outputs, self.outputs, targets, comparison),
        );
    }

    /// Computes the gradients for the input's first `rows` rows. The last comparison must be of the same rows, after a
    /// training pass.
    fn compute_gradients(&mut self, rows: usize) {
        let Self { spec, network, parameters, gradients, input, .. } = self;
        let comparison = network.output(rows).1;
        let targets = input.targets(rows);
        self.instructions.run(
            #[inline(always)]
            || spec.objective.gradient(comparison, self.outputs, targets),
        );
        network.backward(parameters, input.x(rows), gradients);
        self.instructions.run(
            #[inline(always)]
            || spec.regularization.add_gradients(network.layout(), parameters, gradients),
        );
    }

    /// Updates the parameters with the gradients of the last compared batch.
    ///
    /// Parameters that are not finite end the run before the next pass, so a product may skip factors of zero.
    fn update(&mut self, step: u64, batch: usize) -> Result<(), NotFinite> {
        self.compute_gradients(batch);
        let Self { instructions, spec, network, parameters, gradients, slots, layers, .. } = self;
        instructions.run(
            #[inline(always)]
            || spec.regularization.clip(network.layout(), gradients),
        )?;
        let mut layers = layers.as_mut().filter(|_| spec.record.are_layers_due(step, spec.steps, spec.epoch_counter()));
        if let Some(layers) = &mut layers {
            layers.before_update(network, batch, parameters);
        }
        let decay = spec.optimizer.decoupled_decay(step);
        if decay > 0.0 {
            network
                .layout()
                .weights()
                .for_each(|view| optim::shrink(*instructions, &mut parameters[view.range.clone()], decay));
        }
        let updated = spec.optimizer.update(*instructions, step, parameters, gradients, slots);
        updated.map_err(|place| NotFinite::of(network.layout().view_of(place).layer()))?;
        if let Some(layers) = layers {
            layers.after_update(step, parameters, gradients);
        }
        Ok(())
    }

    /// Records the loss of the last compared batch.
    fn record_loss(&mut self, step: u64) -> Result<(), NotFinite> {
        let Loss { total: loss, penalty } = self.loss(self.spec.batch_size.as_usize())?;
        let (epoch, lr) = (self.spec.epoch_counter().epoch(step), self.spec.optimizer.lr(step));
        self.history.push(LossRow { step, epoch, loss, penalty, lr });
        Ok(())
    }

    /// The loss of the input's first `rows` rows, which must be the last ones compared.
    ///
    /// # Errors
    /// If a sum of squares overflows, of finite weights or of finite errors. A cross-entropy of finite outputs is
    /// always finite.
    fn loss(&mut self, rows: usize) -> Result<Loss, NotFinite> {
        let Self { instructions, spec, network, parameters, .. } = self;
        let penalty = instructions.run(
            #[inline(always)]
            || spec.regularization.penalty(network.layout(), parameters),
        );
        let penalty = NotFinite::check(penalty, "penalty")?;
        let (comparison, targets) = (self.network.output(rows).1, self.input.targets(rows));
        let sum = self.spec.objective.add_losses(0.0, comparison, self.outputs, targets);
        Ok(Loss { total: NotFinite::check(sum / rows as f64 + penalty, "loss")?, penalty })
    }

    /// Records loss and accuracy on all rows of `split`, if it has any.
    fn evaluate(&mut self, step: u64, split: Split) -> Result<(), NotFinite> {
        let source = match split {
            Split::Train => self.data.train(),
            Split::Validation => self.data.validation(),
            Split::Test => self.data.test(),
        };
        let total = source.len();
        if total == 0 {
            return Ok(());
        }
        let (mut sum, mut correct) = (0.0, 0);
        for first in (0..total).step_by(self.input.rows.len()) {
            let rows = self.input.gather_from(source, first, total);
            self.predict(rows)?;
            let (outputs, comparison) = self.network.output(rows);
            let targets = self.input.targets(rows);
            sum = self.spec.objective.add_losses(sum, comparison, self.outputs, targets);
            if let BatchTargets::Classes(labels) = targets {
                correct += loss::correct(outputs, self.outputs, labels);
            }
        }
        let loss = NotFinite::check(sum / total as f64, "loss")?;
        let (accuracy, rmse) = match self.spec.info.task {
            Task::Classification { .. } => (Some(correct as f64 / total as f64), None),
            // The loss of a regression is the mean squared error.
            Task::Regression { .. } => (None, Some(loss.sqrt())),
        };
        self.evaluations.push(EvaluationRow {
            step,
            epoch: self.spec.epoch_counter().epoch(step),
            split,
            loss,
            accuracy,
            rmse,
        });
        Ok(())
    }
}

impl<R: Element> Input<R> {
    /// Fetches the rows from `first` up to `end`, as many as fit; returns their number.
    fn gather_from(&mut self, source: SplitView, first: usize, end: usize) -> usize {
        let rows = self.rows.len().min(end - first);
        self.rows[..rows].iter_mut().zip(first..).for_each(|(row, index)| *row = index);
        self.gather(source, rows);
        rows
    }

    /// Fetches the first `rows` of the selected rows.
    fn gather(&mut self, source: SplitView, rows: usize) {
        let indices = &self.rows[..rows];
        match &mut self.x {
            Features::Numbers(numbers) => self.instructions.run(
                #[inline(always)]
                || source.gather_inputs(indices, &mut numbers[..rows * self.features]),
            ),
            Features::Bytes { bytes, .. } => source.gather_bytes(indices, &mut bytes[..rows * self.features]),
        }
        match &mut self.targets {
            TargetBuffer::Classes(classes) => source.gather_classes(&self.rows[..rows], &mut classes[..rows]),
            TargetBuffer::Values { values, outputs } => {
                source.gather_values(&self.rows[..rows], &mut values[..rows * *outputs]);
            }
        }
    }

    /// The targets of the first `rows` rows.
    fn targets(&self, rows: usize) -> BatchTargets<'_, R> {
        match &self.targets {
            TargetBuffer::Classes(classes) => BatchTargets::Classes(&classes[..rows]),
            TargetBuffer::Values { values, outputs } => BatchTargets::Values(&values[..rows * outputs]),
        }
    }

    /// The inputs of the first `rows` rows.
    fn x(&self, rows: usize) -> MatrixValues<'_, R> {
        let length = rows * self.features;
        match &self.x {
            Features::Numbers(numbers) => MatrixValues::Numbers(&numbers[..length]),
            Features::Bytes { bytes, table } => MatrixValues::Bytes { bytes: &bytes[..length], table },
        }
    }
}

mod inspection;
#[cfg(test)]
mod tests;
