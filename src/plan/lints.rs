//! Warnings: what is legal but probably a mistake. docs/warnings.md gives the reason for each, and the source of its
//! numbers.
//!
//! A lint looks at the specification of one cell at a time. It warns once for each place in the file, so memory does
//! not grow with the number of cells. A false alarm costs more trust than a missed one: if a setting is an axis, all of
//! its values are intended, and lints about single values stay silent.

use std::collections::HashSet;

use super::contradiction::Contradiction;
use super::space::Space;
use crate::file::Experiment;
use crate::lint::Lint;
use crate::value::problem::Problem;
use crate::value::write::value;
use crate::value::{Choice, Form, Kind, Node, Origin};
use engine::nn::LayerSpec;
use engine::nn::activation::Activation;
use engine::nn::init::Weights;
use engine::number::shortest;
use engine::optim::Algorithm;
use engine::random::Rng;
use engine::record::{Every, Split};
use engine::spec::{NetworkRun, RunSpec};

/// The warnings about cells so far, and facts for warnings about the file.
#[derive(Debug, Clone)]
pub struct Warnings<'e> {
    experiment: &'e Experiment,
    known: HashSet<(Lint, Option<Origin>)>,
    problems: Vec<(Lint, Problem)>,
    facts: Facts,
}

/// Facts about some of the cells.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    /// Whether any network is trained with random numbers from streams of its own.
    is_random: bool,
    /// Whether any trained network is evaluated on test data and has no validation rows.
    is_judged_by_test: bool,
}

impl<'e> Warnings<'e> {
    /// No warnings, before any cell.
    pub fn of(experiment: &'e Experiment) -> Self {
        Self { experiment, known: HashSet::new(), problems: Vec::new(), facts: Facts::default() }
    }

    /// Checks one cell: its run, and the choice that leads to it.
    pub fn look(&mut self, spec: &RunSpec, choice: &Choice) {
        let RunSpec::Network(run) = spec else { return };
        self.facts.is_random |= run.steps > 0 && matches!(self.experiment.rng, Rng::Paribus);
        self.facts.is_judged_by_test |=
            run.steps > 0 && run.record.has_split(Split::Test) && run.info.validation_rows == 0;
        for (lint, look) in OF_A_CELL {
            if self.is_of_interest(lint)
                && let Some(found) = look(run)
                && !is_axis(&self.experiment.tree.root, &found.compared, choice)
                && let Some(problem) = found.what.into_problem(self.experiment, choice)
            {
                self.add(lint, problem);
            }
        }
    }

    /// Adds the warnings about other cells, after these.
    pub fn merge(&mut self, other: Self) {
        self.facts.is_random |= other.facts.is_random;
        self.facts.is_judged_by_test |= other.facts.is_judged_by_test;
        other.problems.into_iter().for_each(|(lint, problem)| self.add(lint, problem));
    }

    /// All warnings about a file with this number of distinct cells.
    pub fn into_problems(mut self, space: &Space, cells: u64) -> Vec<Problem> {
        let Self { experiment, facts, .. } = self;
        let file = WholeFile { experiment, cells, has_trials: has_trials(space), facts };
        for (lint, look) in OF_THE_FILE {
            if self.is_of_interest(lint) {
                look(&file).into_iter().for_each(|problem| self.add(lint, problem));
            }
        }
        self.problems.into_iter().map(|(lint, problem)| problem.warning(lint.name())).collect()
    }

    fn is_of_interest(&self, lint: Lint) -> bool {
        !self.experiment.allow_warnings.contains(&lint)
    }

    fn add(&mut self, lint: Lint, problem: Problem) {
        if self.known.insert((lint, problem.origin.clone())) {
            self.problems.push((lint, problem));
        }
    }
}

type LookAtCell = fn(&NetworkRun) -> Option<Doubt>;
type LookAtFile = fn(&WholeFile) -> Vec<Problem>;

/// The lints that look at a single cell.
const OF_A_CELL: [(Lint, LookAtCell); 10] = [
    (Lint::WeightScale, weight_scale),
    (Lint::ZeroWeights, zero_weights),
    (Lint::LessThanAnEpoch, less_than_an_epoch),
    (Lint::LrRange, lr_range),
    (Lint::BatchBeyondRows, batch_beyond_rows),
    (Lint::UnusedValidation, unused_validation),
    (Lint::LongMemory, long_memory),
    (Lint::TwoDecays, two_decays),
    (Lint::NarrowDropout, narrow_dropout),
    (Lint::CostlyEvaluation, costly_evaluation),
];

/// The lints that look at what the file compares.
const OF_THE_FILE: [(Lint, LookAtFile); 3] =
    [(Lint::OneSeed, one_seed), (Lint::TestSelection, test_selection), (Lint::OneValueAxis, one_value_axis)];

/// A warning about a cell.
struct Doubt {
    what: Contradiction,
    /// The path of a setting: if it is an axis, its values are intended, and there is no warning.
    compared: Vec<&'static str>,
}

impl Doubt {
    fn new(what: Contradiction) -> Self {
        Self { what, compared: Vec::new() }
    }

    fn unless_compared(self, path: &[&'static str]) -> Self {
        Self { compared: path.to_vec(), ..self }
    }
}

/// Whether the setting at `path` has several values, is drawn, or differs between variants.
fn is_axis(root: &Node, path: &[&str], choice: &Choice) -> bool {
    let mut node = root;
    for (depth, key) in path.iter().enumerate() {
        let Some(entry) = node.chosen(choice).entry(key) else { return false };
        node = &entry.value;
        if path[0] != "optimizer" && differs_in_variants(node, &path[depth + 1..]) {
            return true;
        }
    }
    // Optimizers with different values of a setting do not compare this setting.
    let mut value = node;
    while let Kind::Axis(axis) = &value.kind {
        if axis.form != Form::Patched && !axis.has_names() {
            return axis.alternatives.len() > 1 || axis.is_trial();
        }
        let Some(taken) = axis.taken(choice) else { return true };
        value = &axis.alternatives[taken].value;
    }
    false
}

/// Whether variants differ in what they write at `path` below `node`, or only some of them write anything.
fn differs_in_variants(node: &Node, path: &[&str]) -> bool {
    let Kind::Axis(axis) = &node.kind else { return false };
    let written = |alternative: &Node| {
        let found = path.iter().try_fold(alternative, |node, key| Some(&node.entry(key)?.value));
        found.filter(|found| !found.is_absent()).map(|found| found.origin.clone())
    };
    let mut places = axis.alternatives.iter().map(|alternative| written(&alternative.value));
    let first = places.next();
    axis.form == Form::Patched && places.any(|place| Some(&place) != first.as_ref())
}

/// The standard deviation of the weights, if all layers draw them from one distribution.
fn spread(weights: Weights) -> Option<f64> {
    match weights {
        Weights::Normal(normal) => Some(normal.std.get()),
        // A uniform number in ±b has the variance b² / 3.
        Weights::Uniform(uniform) => Some(uniform.bound.get() / 3.0_f64.sqrt()),
        _ => None,
    }
}

/// The factor by which hidden layers with such weights scale a signal; 1 if they preserve it, computed as by He et al.
/// (2015) for ReLU.
fn growth(run: &NetworkRun, std: f64) -> f64 {
    let (mut width, mut growth) = (run.info.features as f64, 1.0);
    let layers = run.layers();
    let hidden = layers.iter().filter(|layer| matches!(layer, LayerSpec::Affine { .. })).count().saturating_sub(1);
    let kept =
        |activation| if matches!(activation, Activation::Relu | Activation::LeakyRelu(_)) { 0.5_f64 } else { 1.0 };
    let share = layers
        .iter()
        .find_map(|layer| match layer {
            LayerSpec::Activation(activation) => Some(kept(*activation)),
            _ => None,
        })
        .unwrap_or(1.0);
    let widths = layers.iter().filter_map(|layer| match layer {
        LayerSpec::Affine { outputs, .. } => Some(*outputs as f64),
        _ => None,
    });
    // The first layer is left out: the scale of its inputs depends on the data.
    for (index, outputs) in widths.take(hidden).enumerate() {
        if index > 0 {
            growth *= std * (width * share).sqrt();
        }
        width = outputs;
    }
    growth
}

fn weight_scale(run: &NetworkRun) -> Option<Doubt> {
    /// A signal that grows by more than `MOST` from the first hidden layer to the last saturates the outputs; one that
    /// shrinks below `LEAST` is lost.
    const MOST: f64 = 100.0;
    const LEAST: f64 = 1e-3;
    let std = spread(run.init.weights).filter(|_| run.steps > 0 && !run.model.has_batch_norm())?;
    let growth = growth(run, std);
    let what = match growth {
        _ if growth > MOST => format!("grows {}-fold", rounded(growth)),
        _ if growth < LEAST => format!("fades to {} of its size", rounded(growth)),
        _ => return None,
    };
    let message = format!("with weights of standard deviation {}, a signal {what} in the hidden layers", rounded(std));
    let help =
        "use \"he\" for ReLU or \"xavier\" for sigmoid and tanh, which depend on the width; or set `batch_norm = true`";
    Some(Doubt::new(Contradiction::new(["init", "weights"], message).help(help)).unless_compared(&["init", "weights"]))
}

fn zero_weights(run: &NetworkRun) -> Option<Doubt> {
    let affine = run.layer_counts().affine;
    if run.init.weights != Weights::Zeros || affine < 2 || run.steps == 0 {
        return None;
    }
    let message = "with all weights zero, the units of a layer stay equal, and only the outputs' biases are learned";
    let help = "use \"he\" or \"xavier\"; zeros are fine without hidden layers";
    Some(Doubt::new(Contradiction::new(["init", "weights"], message).help(help)).unless_compared(&["init", "weights"]))
}

fn less_than_an_epoch(run: &NetworkRun) -> Option<Doubt> {
    let evaluates = run
        .record
        .evaluate
        .as_ref()
        .is_some_and(|evaluate| evaluate.every == Every::Epoch && !evaluate.on.get().is_empty());
    let looks_at_layers = run.record.layers.as_ref().is_some_and(|layers| layers.every == Every::Epoch);
    let (key, does) = match (evaluates, looks_at_layers) {
        (true, _) => ("evaluate", "evaluates"),
        (false, true) => ("layers", "measures layers"),
        (false, false) => return None,
    };
    let (drawn, rows) = (u128::from(run.steps) * u128::from(run.batch_size.get()), u128::from(run.info.train_rows));
    if run.steps < 2 || drawn >= rows {
        return None;
    }
    let message = format!(
        "{} steps of {} rows are less than an epoch of {rows}: `every = \"epoch\"` {does} only at the first and the \
         last step",
        run.steps,
        run.batch_size.get()
    );
    let help = "write `every = 10`, a number of steps, or train for more `steps` or `epochs`";
    Some(Doubt::new(Contradiction::new(["record", key], message).help(help)))
}

fn lr_range(run: &NetworkRun) -> Option<Doubt> {
    let (lr, [low, high]) = (run.optimizer.base_lr(), run.optimizer.usual_lr());
    if run.steps == 0 || (low..=high).contains(&lr) {
        return None;
    }
    let what = if lr < low { "hardly moves" } else { "overshoots" };
    let kind = run.optimizer.kind();
    let message = format!("with a learning rate of {}, `{kind}` {what}", shortest(lr));
    let help = format!("{kind} learns with rates from about {} to {}", shortest(low), shortest(high));
    Some(Doubt::new(Contradiction::of_setting("lr", message).help(help)).unless_compared(&["optimizer", "lr"]))
}

fn batch_beyond_rows(run: &NetworkRun) -> Option<Doubt> {
    let (batch_size, rows) = (run.batch_size.get(), run.info.train_rows);
    if run.steps == 0 || batch_size <= rows {
        return None;
    }
    let message = format!("a batch of {batch_size} rows is drawn from {rows} training rows: it repeats most of them");
    let help =
        format!("use a `batch_size` of at most {rows}; with `sampling = \"shuffle\"`, such a batch has every row once");
    Some(Doubt::new(Contradiction::new(["train", "batch_size"], message).help(help)))
}

fn unused_validation(run: &NetworkRun) -> Option<Doubt> {
    let rows = run.info.validation_rows;
    if rows == 0 || run.steps == 0 || run.record.has_split(Split::Validation) {
        return None;
    }
    let key = run.data.preparation.holdout.key(rows, 0)?;
    let message = format!("{rows} rows are kept for validation, but nothing is evaluated on them");
    let help = "write `evaluate = { on = [\"train\", \"validation\"] }` in [record], or train on these rows, too";
    Some(Doubt::new(Contradiction::new(["data", key], message).help(help)))
}

fn long_memory(run: &NetworkRun) -> Option<Doubt> {
    let momentum = match &run.optimizer.algorithm {
        Algorithm::Momentum(rule) => rule.momentum.get(),
        Algorithm::Nesterov(rule) => rule.momentum.get(),
        _ => return None,
    };
    // A velocity reaches its full size after about 1 / (1 − μ) steps.
    let memory = (1.0 / (1.0 - momentum)).round();
    if run.steps == 0 || memory <= run.steps as f64 {
        return None;
    }
    let message = format!(
        "a momentum of {} gathers speed over {} steps, but the run makes only {}",
        shortest(momentum),
        memory,
        run.steps
    );
    let help = "use a smaller `momentum` or more `steps`";
    let found = Doubt::new(Contradiction::of_setting("momentum", message).help(help));
    Some(found.unless_compared(&["optimizer", "momentum"]))
}

fn two_decays(run: &NetworkRun) -> Option<Doubt> {
    let (penalty, decoupled) = (run.regularization.weight_decay.get(), run.optimizer.decoupled_decay_strength());
    if penalty == 0.0 || decoupled == 0.0 || run.steps == 0 {
        return None;
    }
    let kind = run.optimizer.kind();
    let message = format!(
        "weights decay twice: by the penalty {} and by {kind}'s own decay {}",
        shortest(penalty),
        shortest(decoupled)
    );
    let help = format!("leave `weight_decay` out, or write `decoupled_weight_decay = 0` for the optimizer `{kind}`");
    Some(Doubt::new(Contradiction::new(["regularization", "weight_decay"], message).help(help)))
}

fn narrow_dropout(run: &NetworkRun) -> Option<Doubt> {
    let mut width = run.info.features;
    for layer in run.layers() {
        match layer {
            LayerSpec::Affine { outputs, .. } => width = outputs,
            LayerSpec::Dropout(dropout) if run.steps > 0 => {
                let left = width as f64 * (1.0 - dropout.ratio.get());
                if left < 2.0 {
                    let message = format!(
                        "a dropout of {} leaves {} of {width} units on average, and often none",
                        shortest(dropout.ratio.get()),
                        rounded(left)
                    );
                    let help = "use wider layers, or less dropout";
                    return Some(Doubt::new(Contradiction::of_setting("dropout", message).help(help)));
                }
            }
            _ => {}
        }
    }
    None
}

fn costly_evaluation(run: &NetworkRun) -> Option<Doubt> {
    /// The limit of the evaluations' cost, relative to the training's. The book's overfitting experiments reach 11.
    const MOST: f64 = 30.0;
    /// Forward, and both gradients.
    const PASSES: f64 = 3.0;
    let at_once = run.evaluated_rows();
    let evaluated = run.evaluations() as f64 * at_once as f64;
    let trained = run.steps as f64 * run.batch_size.get() as f64 * PASSES;
    if run.steps < 2 || evaluated <= MOST * trained {
        return None;
    }
    let message = format!(
        "evaluating {at_once} rows {} times takes about {} times as long as the training",
        run.evaluations(),
        rounded(evaluated / trained)
    );
    let help = "evaluate less often, `every = 100` or \"epoch\", or on fewer rows: `test_rows = 1000` in [data]";
    Some(Doubt::new(Contradiction::new(["record", "evaluate"], message).help(help)))
}

/// The file as a whole, and facts about its cells.
struct WholeFile<'e> {
    experiment: &'e Experiment,
    /// The number of distinct cells.
    cells: u64,
    has_trials: bool,
    facts: Facts,
}

/// Whether trials are an axis, perhaps only within one optimizer or variant.
fn has_trials(space: &Space) -> bool {
    space.wheels().any(|wheel| wheel.is_trials() || wheel.inners().iter().any(has_trials))
}

fn one_seed(file: &WholeFile) -> Vec<Problem> {
    // Trials already are many random draws.
    if file.experiment.seeds.get().len() > 1 || file.cells < 2 || file.has_trials || !file.facts.is_random {
        return Vec::new();
    }
    let message =
        format!("{} combinations are compared with one seed: a difference between two may be luck", file.cells);
    let origin = file.experiment.entry(&["seeds"]).map(|entry| entry.value.origin.clone());
    vec![Problem::new(message).at(origin).help("write `seeds = 3` or more at the top of the file")]
}

fn test_selection(file: &WholeFile) -> Vec<Problem> {
    /// With this many settings, the experiment is a search for the best one.
    const MANY: u64 = 20;
    if !file.facts.is_judged_by_test || file.cells < 2 || !(file.has_trials || file.cells >= MANY) {
        return Vec::new();
    }
    let message = format!(
        "the best of {} combinations, chosen by the test data, is partly lucky and does worse on new data",
        file.cells
    );
    let evaluate = file.experiment.entry(&["record", "evaluate"]).or_else(|| file.experiment.entry(&["record"]));
    vec![Problem::new(message).at(evaluate.map(|entry| entry.key_origin.clone())).help(
        "write `validation_share = 0.2` in [data], evaluate on \"validation\", choose by that, and use the test data \
         once",
    )]
}

fn one_value_axis(file: &WholeFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for place in file.experiment.tree.root.walk() {
        let Some(axis) = place.axis() else { continue };
        let (origin, path) = (&place.node.origin, place.path());
        let (key, [only]) = (path.last().copied().unwrap_or_default(), axis.alternatives.as_slice()) else { continue };
        // `{ values = [...] }` is deliberate, and `optimizer = ["sgd"]` is a way to name a single optimizer.
        let is_meant = match axis.form {
            Form::Spaced(_) => false,
            Form::Listed => !file.experiment.sources.excerpt(origin).starts_with('['),
            _ => true,
        };
        if !is_meant && only.name.is_none() && key != "optimizer" {
            let message = format!("`{key}` is an axis of one value, which compares nothing");
            let value = value(&only.value);
            problems.push(Problem::new(message).at(origin.clone()).help(format!(
                "write `{key} = {value}`, or add values; if this is intended, write `{{ values = [{value}] }}`"
            )));
        }
    }
    problems
}

/// Three digits of a number.
fn rounded(number: f64) -> String {
    let text = if number != 0.0 && !(1e-3..1e6).contains(&number.abs()) {
        format!("{number:.1e}")
    } else if number >= 100.0 {
        format!("{number:.0}")
    } else {
        format!("{number:.3}")
    };
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
