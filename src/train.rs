//! One run, from specification to outcome. No I/O.

mod section;

use std::ops::ControlFlow;

pub use self::section::{StepsError, Training};
use crate::batches::Batches;
use crate::data::{Dataset, Rows};
use crate::kernel::{Element, Instructions, Precision};
use crate::nn::loss;
use crate::nn::{Network, NotFinite, parameters};
use crate::record::{EvaluationRow, LossAt, LossRow, Part};
use crate::spec::RunSpec;

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub history: Vec<LossRow>,
    pub evaluations: Vec<EvaluationRow>,
    pub ending: Ending,
    /// blake3 of the final parameters' bits, 16 hexadecimal digits.
    pub parameters_hash: String,
}

/// How a run ended. Divergence is a result, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Finished,
    /// A value was not finite at `step`, first (in forward order) in the output of `layer` or in the parameters that the update
    /// gave it; `penalty` where that was the sum of squared weights.
    Diverged {
        step: u64,
        layer: String,
    },
    /// The caller asked to stop before the end.
    Interrupted,
}

/// Trains as `spec` says, in its precision. `watch` is told after every step how many are done, and says whether to go on.
///
/// The outcome depends on nothing but `spec` and `data`.
///
/// # Panics
/// Where `data` has no training rows, or what the network needs does not fit into memory.
pub fn run(spec: &RunSpec, data: &Dataset, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Outcome {
    match spec.precision {
        Precision::F32 => train::<f32>(spec, data, watch),
        Precision::F64 => train::<f64>(spec, data, watch),
    }
}

/// [`run`] in a precision of the caller's choice.
pub fn train<R: Element>(spec: &RunSpec, data: &Dataset, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Outcome {
    train_with::<R>(Instructions::fastest(), spec, data, watch)
}

/// [`train`] with a choice of instructions, which changes the speed and no bit of the outcome.
pub fn train_with<R: Element>(
    instructions: Instructions,
    spec: &RunSpec,
    data: &Dataset,
    watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Outcome {
    let mut run = Run::<R>::new(instructions, spec, data);
    let ending = run.all_steps(watch);
    run.history.shrink_to_fit();
    Outcome {
        history: run.history,
        evaluations: run.evaluations,
        ending,
        parameters_hash: parameters::hash(&run.parameters),
    }
}

/// Rows that go through the network at once in an evaluation, at least. More are not faster.
const EVALUATION_ROWS: usize = 256;

/// Losses that a run makes room for before its first step, at most: 32 MiB. A longer history grows as it must.
const RESERVED_LOSSES: u64 = 1 << 20;

/// A run under way. All buffers are as long as they will ever be, so a step allocates nothing.
struct Run<'a, R> {
    spec: &'a RunSpec,
    data: &'a Dataset,
    network: Network<R>,
    /// Flat, as the network's layout says; so are the gradients and each accumulator.
    parameters: Vec<R>,
    gradients: Vec<R>,
    /// The optimizer's accumulators, one after the other.
    slots: Vec<R>,
    batches: Batches,
    input: Input<R>,
    history: Vec<LossRow>,
    evaluations: Vec<EvaluationRow>,
}

/// What goes into the network.
struct Input<R> {
    features: usize,
    /// Which rows of the data: [rows].
    rows: Vec<usize>,
    /// [rows, features]
    x: Vec<R>,
    /// [rows]
    labels: Vec<u8>,
}

impl<'a, R: Element> Run<'a, R> {
    fn new(instructions: Instructions, spec: &'a RunSpec, data: &'a Dataset) -> Self {
        let batch = spec.batch_size.as_usize();
        let rows = if spec.evaluations() > 0 { batch.max(EVALUATION_ROWS) } else { batch };
        let network = Network::new(instructions, &spec.model.layers(data.classes), data.features, rows);
        let count = network.layout().len();
        let mut parameters = vec![R::zero(); count];
        spec.init.fill(spec.seed, network.layout(), &mut parameters);
        Self {
            spec,
            data,
            network,
            parameters,
            gradients: vec![R::zero(); count],
            slots: vec![R::zero(); spec.optimizer.slots() * count],
            batches: Batches::new(spec.sampling, spec.seed, data.train.len()),
            input: Input {
                features: data.features,
                rows: vec![0; rows],
                x: vec![R::zero(); rows * data.features],
                labels: vec![0; rows],
            },
            history: Vec::with_capacity(spec.record.rows(spec.steps).min(RESERVED_LOSSES) as usize),
            evaluations: Vec::with_capacity(
                spec.evaluations().min(RESERVED_LOSSES) as usize * spec.record.parts().len(),
            ),
        }
    }

    fn all_steps(&mut self, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Ending {
        let steps = self.spec.steps;
        for step in 0..steps {
            if let Err(NotFinite { layer }) = self.step(step) {
                return Ending::Diverged { step, layer };
            }
            if watch(step + 1).is_break() && step + 1 < steps {
                return Ending::Interrupted;
            }
        }
        Ending::Finished
    }

    /// One update, and what is recorded with it.
    fn step(&mut self, step: u64) -> Result<(), NotFinite> {
        let spec = self.spec;
        let batch = spec.batch_size.as_usize();
        self.batches.draw(step, &mut self.input.rows[..batch]);
        self.input.gather(&self.data.train, batch);

        let loss_is_due = spec.record.loss_is_due(step, spec.steps);
        self.predict(batch)?;
        if loss_is_due && spec.record.loss.at == LossAt::BeforeUpdate {
            self.record_loss(step)?;
        }
        self.update(step, batch)?;
        if loss_is_due && spec.record.loss.at == LossAt::AfterUpdate {
            self.predict(batch)?;
            self.record_loss(step)?;
        }
        if spec.record.evaluation_is_due(step, spec.steps, spec.pace()) {
            for part in spec.record.parts() {
                self.evaluate(step, *part)?;
            }
        }
        Ok(())
    }

    /// Computes the outputs and the probabilities of the input's first `rows` rows.
    fn predict(&mut self, rows: usize) -> Result<(), NotFinite> {
        self.network.forward(&self.parameters, self.input.x(rows))?;
        let (outputs, probabilities) = self.network.output(rows);
        loss::softmax(outputs, self.data.classes, probabilities);
        Ok(())
    }

    /// Moves the parameters against the gradients of the batch whose probabilities were computed last.
    ///
    /// No pass is made with parameters that are not finite, so a product may leave out what is multiplied by zero.
    fn update(&mut self, step: u64, batch: usize) -> Result<(), NotFinite> {
        let Self { spec, network, parameters, gradients, slots, input, .. } = self;
        let probabilities = network.output(batch).1;
        loss::cross_entropy_gradient(probabilities, self.data.classes, &input.labels[..batch]);
        network.backward(parameters, input.x(batch), gradients);
        spec.regularization.add_gradients(network.layout(), parameters, gradients);
        spec.optimizer.update(step, parameters, gradients, slots);
        // An accumulator that overflows would stop its parameter for ever, finite as that is.
        let buffers = std::iter::once(parameters.as_slice()).chain(slots.chunks(parameters.len()));
        let views = buffers.filter_map(|values| network.layout().first_not_finite(values));
        match views.min_by_key(|view| view.range.start) {
            Some(view) => Err(NotFinite { layer: view.layer().to_owned() }),
            None => Ok(()),
        }
    }

    /// Writes down the loss of the batch whose probabilities were computed last.
    fn record_loss(&mut self, step: u64) -> Result<(), NotFinite> {
        let batch = self.spec.batch_size.as_usize();
        let penalty = self.spec.regularization.penalty(self.network.layout(), &self.parameters);
        // The cross-entropy of finite outputs is finite; squares of finite weights can overflow.
        if !penalty.is_finite() {
            return Err(NotFinite { layer: "penalty".to_owned() });
        }
        let probabilities = self.network.output(batch).1;
        let sum = loss::cross_entropy(0.0, probabilities, self.data.classes, &self.input.labels[..batch]);
        let loss = sum / batch as f64 + penalty;
        self.history.push(LossRow { step, epoch: self.spec.pace().epoch(step), loss, penalty });
        Ok(())
    }

    /// Writes down loss and accuracy on all rows of `part`, where it has any.
    fn evaluate(&mut self, step: u64, part: Part) -> Result<(), NotFinite> {
        let data = self.data;
        let source = match part {
            Part::Train => &data.train,
            Part::Test => &data.test,
        };
        let total = source.len();
        if total == 0 {
            return Ok(());
        }
        let (mut sum, mut correct) = (0.0, 0);
        for first in (0..total).step_by(self.input.rows.len()) {
            let rows = self.input.rows.len().min(total - first);
            self.input.rows[..rows].iter_mut().zip(first..).for_each(|(row, index)| *row = index);
            self.input.gather(source, rows);
            self.predict(rows)?;
            let (outputs, probabilities) = self.network.output(rows);
            let labels = &self.input.labels[..rows];
            sum = loss::cross_entropy(sum, probabilities, data.classes, labels);
            correct += loss::correct(outputs, data.classes, labels);
        }
        let (loss, accuracy) = (sum / total as f64, correct as f64 / total as f64);
        self.evaluations.push(EvaluationRow { step, epoch: self.spec.pace().epoch(step), part, loss, accuracy });
        Ok(())
    }
}

impl<R: Element> Input<R> {
    /// Fetches the first `rows` of the rows that are asked for.
    fn gather(&mut self, source: &Rows, rows: usize) {
        source.gather(&self.rows[..rows], &mut self.x[..rows * self.features], &mut self.labels[..rows]);
    }

    /// The first `rows` rows.
    fn x(&self, rows: usize) -> &[R] {
        &self.x[..rows * self.features]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::Sampling;
    use crate::data::{Data, Info, Limits, Source};
    use crate::nn::activation::Activation;
    use crate::nn::init::{Normal, Weights};
    use crate::nn::loss::Objective;
    use crate::nn::{Init, Model, Regularization};
    use crate::number::{Count, NonNegative, Positive};
    use crate::optim::{Adam, Momentum, Optimizer, Sgd};
    use crate::record::{Evaluate, LossRecord, Record};
    use crate::seed::{Purpose, Seed};

    const FEATURES: usize = 12;
    const CLASSES: usize = 3;

    fn count(value: u64) -> Count {
        Count::new(value).unwrap()
    }

    /// Rows whose class is where most of their light is: a third of the features each.
    fn rows(count: usize, stream: u64) -> Rows {
        let mut generator = Seed::try_from(11).unwrap().stream(Purpose::Batch).at(stream);
        let mut rows = Rows { pixels: Vec::new(), labels: Vec::new() };
        for _ in 0..count {
            let class = generator.below(CLASSES as u64) as usize;
            rows.labels.push(class as u8);
            let brightest = |feature| if feature * CLASSES / FEATURES == class { 256 } else { 128 };
            rows.pixels.extend((0..FEATURES).map(|feature| generator.below(brightest(feature)) as u8));
        }
        rows
    }

    fn dataset() -> Dataset {
        Dataset { train: rows(90, 0), test: rows(40, 1), features: FEATURES, classes: CLASSES }
    }

    /// 20 steps of SGD on [`dataset`], in `f64`.
    fn spec() -> RunSpec {
        RunSpec {
            seed: Seed::try_from(0).unwrap(),
            data: Data(Limits::default(), Source::Mnist),
            info: Info {
                train_rows: 90,
                test_rows: 40,
                features: FEATURES,
                classes: CLASSES,
                fingerprint: "0123456789abcdef".to_owned(),
            },
            model: Model { hidden: vec![count(8), count(6)], activation: Activation::Relu, bias: true },
            init: Init::default(),
            regularization: Regularization::default(),
            optimizer: sgd(0.1),
            batch_size: count(16),
            steps: 20,
            sampling: Sampling::WithReplacement,
            objective: Objective::CrossEntropy,
            precision: Precision::F64,
            record: Record::default(),
        }
    }

    fn sgd(lr: f64) -> Optimizer {
        Optimizer::Sgd(Sgd { lr: Positive::new(lr).unwrap() })
    }

    fn loss(at: LossAt, every: u64) -> Record {
        Record { loss: LossRecord { at, every: count(every) }, evaluate: None }
    }

    fn outcome(spec: &RunSpec) -> Outcome {
        run(spec, &dataset(), &mut |_| ControlFlow::Continue(()))
    }

    #[test]
    fn a_network_learns() {
        for precision in [Precision::F32, Precision::F64] {
            for (optimizer, steps) in [
                (sgd(0.3), 400),
                (Optimizer::Momentum(Momentum::default()), 800),
                (Optimizer::Adam(Adam::default()), 1500),
            ] {
                let record = Record { evaluate: Some(Evaluate::default()), ..Record::default() };
                let spec = RunSpec { optimizer, steps, precision, record, ..spec() };
                let outcome = outcome(&spec);
                assert_eq!(outcome.ending, Ending::Finished);
                assert_eq!(outcome.history.len(), steps as usize);
                assert!(outcome.history[0].loss > 0.9, "{:?}", outcome.history[0]);
                let [.., train, test] = outcome.evaluations.as_slice() else { panic!("no evaluations") };
                assert_eq!((train.part, test.part), (Part::Train, Part::Test));
                assert!(train.accuracy > 0.9 && train.loss < 0.4, "{:?}: {train:?}", spec.optimizer);
                assert!(test.accuracy > 0.8 && test.loss < 0.6, "{:?}: {test:?}", spec.optimizer);
            }
        }
    }

    #[test]
    fn what_is_recorded_never_changes_what_is_trained() {
        let expected = outcome(&spec()).parameters_hash;
        let evaluate = Some(Evaluate::default());
        for record in [
            loss(LossAt::BeforeUpdate, 7),
            loss(LossAt::AfterUpdate, 1),
            loss(LossAt::AfterUpdate, 3),
            Record { evaluate: evaluate.clone(), ..loss(LossAt::BeforeUpdate, 1) },
            Record { evaluate, ..loss(LossAt::AfterUpdate, 5) },
        ] {
            assert_eq!(outcome(&RunSpec { record, ..spec() }).parameters_hash, expected);
        }
    }

    #[test]
    fn every_instruction_set_trains_the_same_parameters() {
        for precision in [Precision::F32, Precision::F64] {
            let spec = RunSpec { precision, record: loss(LossAt::AfterUpdate, 1), ..spec() };
            let data = dataset();
            let expected = outcome(&spec);
            for instructions in Instructions::available() {
                let mut watch = |_| ControlFlow::Continue(());
                let outcome = match precision {
                    Precision::F32 => train_with::<f32>(instructions, &spec, &data, &mut watch),
                    Precision::F64 => train_with::<f64>(instructions, &spec, &data, &mut watch),
                };
                assert_eq!(outcome, expected, "{instructions}");
            }
        }
    }

    #[test]
    fn longer_runs_begin_as_shorter_ones() {
        let (short, long) = (outcome(&spec()), outcome(&RunSpec { steps: 33, ..spec() }));
        assert_eq!(short.history, long.history[..20]);
    }

    /// The loss of a batch before the update is the loss of the same batch after an update that changes nothing.
    #[test]
    fn both_losses_are_of_the_same_batch() {
        let tiny = RunSpec { optimizer: sgd(1e-300), ..spec() };
        let before = outcome(&RunSpec { record: loss(LossAt::BeforeUpdate, 1), ..tiny.clone() });
        let after = outcome(&RunSpec { record: loss(LossAt::AfterUpdate, 1), ..tiny });
        assert_eq!(before.history, after.history);
    }

    /// The loss after the update of step t, computed anew from what t + 1 steps have left.
    #[test]
    fn a_loss_after_the_update_is_that_of_the_new_parameters() {
        let regularization =
            Regularization { weight_decay: NonNegative::new(0.01).unwrap(), l1: NonNegative::new(0.001).unwrap() };
        let spec = RunSpec { regularization, record: loss(LossAt::AfterUpdate, 1), ..spec() };
        let data = dataset();
        let recorded = outcome(&spec).history;
        for step in [0, 1, 7] {
            let mut run = Run::<f64>::new(Instructions::fastest(), &spec, &data);
            (0..=step).for_each(|step| run.step(step).unwrap());
            let mut rows = vec![0; 16];
            Batches::new(spec.sampling, spec.seed, 90).draw(step, &mut rows);
            let mut sum = 0.0;
            for row in rows {
                let x: Vec<f64> = data.train.pixels[row * FEATURES..][..FEATURES]
                    .iter()
                    .map(|pixel| f64::from(f32::from(*pixel) / 255.0))
                    .collect();
                run.network.forward(&run.parameters, &x).unwrap();
                let exponentials: Vec<f64> = run.network.output(1).0.iter().map(|output| output.exp()).collect();
                let p = exponentials[usize::from(data.train.labels[row])] / exponentials.iter().sum::<f64>();
                sum -= (p + 1e-7).ln();
            }
            let weights: Vec<f64> = run
                .network
                .layout()
                .weights()
                .flat_map(|view| run.parameters[view.range.clone()].iter().copied())
                .collect();
            let penalty = weights.iter().map(|w| 0.005 * w * w + 0.001 * w.abs()).sum::<f64>();
            let row = recorded[step as usize];
            assert_eq!((row.step, row.epoch), (step, (step + 1) as f64 * 16.0 / 90.0));
            assert!((row.penalty - penalty).abs() < 1e-13, "{row:?}, {penalty}");
            assert!((row.loss - (sum / 16.0 + penalty)).abs() < 1e-13, "{row:?}, {}", sum / 16.0 + penalty);
        }
    }

    #[test]
    fn an_evaluation_does_not_depend_on_how_it_is_cut() {
        let evaluate = Some(Evaluate::default());
        let spec = RunSpec { record: Record { evaluate, ..Record::default() }, ..spec() };
        let data = dataset();
        let mut whole = Run::<f32>::new(Instructions::fastest(), &spec, &data);
        let mut cut = Run::<f32>::new(Instructions::fastest(), &spec, &data);
        cut.input.rows.truncate(17);
        for part in [Part::Train, Part::Test] {
            whole.evaluate(0, part).unwrap();
            cut.evaluate(0, part).unwrap();
        }
        assert_eq!(whole.evaluations.len(), 2);
        assert_eq!(whole.evaluations, cut.evaluations);
    }

    #[test]
    fn evaluations_come_with_the_rows_that_are_due() {
        let evaluate = Some(serde_json::from_str(r#"{"on": ["test"]}"#).unwrap());
        let spec = RunSpec { record: Record { evaluate, ..Record::default() }, ..spec() };
        let rows = outcome(&spec).evaluations;
        // 90 rows in batches of 16: ⌊16 · step / 90⌋ grows at 6, 12 and 17; 19 is the last step.
        assert_eq!(rows.iter().map(|row| row.step).collect::<Vec<_>>(), [0, 6, 12, 17, 19]);
        assert!(rows.iter().all(|row| row.part == Part::Test && row.epoch == (row.step + 1) as f64 * 16.0 / 90.0));
    }

    #[test]
    fn the_first_steps_agree_in_both_precisions() {
        let double = outcome(&spec());
        let single = outcome(&RunSpec { precision: Precision::F32, ..spec() });
        for (double, single) in double.history.iter().zip(&single.history).take(3) {
            assert!((double.loss - single.loss).abs() < 1e-6, "{double:?} {single:?}");
        }
        assert_ne!(double.parameters_hash, single.parameters_hash);
    }

    #[test]
    fn a_run_can_be_interrupted_after_any_step_but_the_last() {
        let all = outcome(&spec());
        let stop_at = |stop| {
            let mut seen = Vec::new();
            let outcome = run(&spec(), &dataset(), &mut |done| {
                seen.push(done);
                if done == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!(seen, (1..=stop).collect::<Vec<_>>());
            outcome
        };
        let early = stop_at(5);
        assert_eq!(early.ending, Ending::Interrupted);
        assert_eq!(early.history, all.history[..5]);
        assert_eq!(stop_at(20), all);
    }

    #[test]
    fn the_first_layer_whose_output_overflows_names_the_divergence() {
        for (precision, std) in [(Precision::F32, 1e25), (Precision::F64, 1e200)] {
            for at in [LossAt::BeforeUpdate, LossAt::AfterUpdate] {
                let weights = Weights::Normal(Normal { std: Positive::new(std).unwrap() });
                let init = Init { weights, ..Init::default() };
                let outcome = outcome(&RunSpec { init, precision, record: loss(at, 1), ..spec() });
                assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "affine2".to_owned() });
                assert_eq!(outcome.history, []);
            }
        }
    }

    /// With lr · λ far above 2, every update multiplies the weights by about −lr · λ.
    #[test]
    fn the_update_that_makes_parameters_infinite_is_the_step_of_the_divergence() {
        let weight_decay = NonNegative::new(1e15).unwrap();
        let regularization = Regularization { weight_decay, ..Regularization::default() };
        let model = Model { hidden: vec![], ..spec().model };
        let spec = RunSpec { optimizer: sgd(1.0), regularization, model, precision: Precision::F32, ..spec() };
        for (at, recorded) in [(LossAt::BeforeUpdate, 3), (LossAt::AfterUpdate, 2)] {
            let outcome = outcome(&RunSpec { record: loss(at, 1), ..spec.clone() });
            assert_eq!(outcome.ending, Ending::Diverged { step: 2, layer: "affine1".to_owned() });
            assert_eq!(outcome.history.len(), recorded);
            assert!(outcome.history.iter().all(|row| row.loss.is_finite() && row.penalty.is_finite()));
        }
    }

    #[test]
    fn a_learning_rate_can_be_too_large_for_one_update() {
        for (precision, lr) in [(Precision::F32, 1e300), (Precision::F64, f64::MAX)] {
            for (at, recorded) in [(LossAt::BeforeUpdate, 1), (LossAt::AfterUpdate, 0)] {
                let init =
                    Init { weights: Weights::Normal(Normal { std: Positive::new(100.0).unwrap() }), ..Init::default() };
                let outcome = outcome(&RunSpec { optimizer: sgd(lr), init, precision, record: loss(at, 1), ..spec() });
                assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "affine1".to_owned() });
                assert_eq!(outcome.history.len(), recorded);
            }
        }
    }

    #[test]
    fn an_accumulator_that_overflows_ends_the_run() {
        // Gradients of about 1e22 are finite in f32, their squares are not.
        let regularization = Regularization { weight_decay: NonNegative::new(1e22).unwrap(), ..Default::default() };
        for optimizer in ["adagrad", "rmsprop", "adam"] {
            let optimizer = serde_json::from_value(serde_json::json!({ optimizer: {} })).unwrap();
            let outcome = outcome(&RunSpec { optimizer, regularization, precision: Precision::F32, ..spec() });
            assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "affine1".to_owned() });
        }
    }

    #[test]
    fn a_penalty_can_overflow_before_the_network_does() {
        let regularization =
            Regularization { weight_decay: NonNegative::new(1e-300).unwrap(), l1: NonNegative::new(0.0).unwrap() };
        let init = Init { weights: Weights::Normal(Normal { std: Positive::new(1e160).unwrap() }), ..Init::default() };
        let model = Model { hidden: vec![], activation: Activation::Relu, bias: false };
        let outcome = outcome(&RunSpec { regularization, init, model, ..spec() });
        assert_eq!(outcome.ending, Ending::Diverged { step: 0, layer: "penalty".to_owned() });
        assert_eq!(outcome.history, []);
    }
}
