//! `rng = "numpy"`: which runs of a plan are parts of one script, and what the rest of the script draws.
//!
//! Cells that agree in all axes except those of `group` and `chain` form one script. It begins with the run's seed. The
//! values of the chained axes are its *blocks*, in the order of the plan; each block continues the stream where the one
//! before it ended. The cells of a block are trained side by side, on the same batches.

use std::collections::{HashMap, HashSet};

use super::lower::Known;
use super::space::{Item, Space, TRIAL};
use super::stream::{Cell, Stream, Streamed};
use crate::file::Experiment;
use crate::value::Origin;
use crate::value::problem::Problem;
use engine::batches::Sampling;
use engine::names::{did_you_mean, listed};
use engine::nn::LayerSpec;
use engine::random::{Arrangement, Chain, Others, Rng, ScriptDraws};
use engine::seed::numpy::{self, NumpyGenerator};
use engine::spec::{NetworkRun, RunSpec};

/// A file whose trials have the values that their script draws.
#[derive(Debug)]
pub struct Drawn {
    pub experiment: Experiment,
    pub assumed: Assumed,
}

/// What each trial is assumed to be, before its values are drawn.
#[derive(Debug)]
pub struct Assumed {
    /// Its cells, by the digits of the outermost axes except the trials'.
    cells: Vec<Vec<u128>>,
    /// What its networks draw.
    draws: ScriptDraws,
}

/// The file with the values that its script draws for its trials; `None` if no script draws them.
///
/// # Errors
/// If the script does not define their order, or the file has other mistakes.
pub fn with_drawn_trials(experiment: &Experiment, known: &Known) -> Result<Option<Drawn>, Vec<Problem>> {
    let Rng::Numpy(arrangement) = &experiment.rng else { return Ok(None) };
    let Some(draws) = experiment.draws.as_ref().filter(|_| chains_trials(arrangement)) else { return Ok(None) };
    if let Some(seed) = experiment.entry(&["sweep", "seed"]) {
        let problem =
            Problem::new("`seed`: the trials are drawn from NumPy's stream, which begins with the seed in `seeds`");
        return Err(vec![
            problem.at(seed.value.origin.clone()).help("remove this line, or leave `\"trial\"` out of `chain`"),
        ]);
    }
    if let Some(sampler) = experiment.entry(&["sweep", "sampler"]).filter(|sampler| !sampler.value.is_text("random")) {
        let problem = Problem::new("`sampler`: the trials are drawn from NumPy's stream, which is random");
        return Err(vec![
            problem.at(sampler.value.origin.clone()).help("remove this line, or leave `\"trial\"` out of `chain`"),
        ]);
    }
    // How many numbers a trial draws must be known first. One trial with arbitrary values shows it.
    let any = draws.clone().with_numbers(1, vec![0.0; draws.keys().len()]);
    let one = experiment.with_draws(any);
    let Ok(space) = Space::of(&one) else { return Ok(None) };
    let Streamed { cells, specs, .. } = Stream { experiment: &one, space: &space, known, keeps_specs: true }.all()?;
    if cells.is_empty() {
        // The mistakes of the file are known already, and its trials cannot be drawn.
        return if experiment.is_sound() { excludes_trials(experiment, "may leave out") } else { Ok(None) };
    }
    check_names(&one, arrangement, &space)?;
    let scripts = scripts(&space, &cells, arrangement);
    let ([seed], [script]) = (experiment.seeds.get(), scripts.as_slice()) else {
        return refuse(
            experiment,
            "`rng`: trials that are drawn from NumPy's stream need a single script with a single seed",
            "use one seed, and list every axis but the trials in `group`",
        );
    };
    // A seed that NumPy does not accept is reported later, with the other mistakes.
    let Some(seed) = numpy::seed(*seed) else { return Ok(None) };
    let not_the_same = || {
        refuse(
            experiment,
            "`rng`: trials that are drawn from NumPy's stream must all draw the same settings",
            "give each drawn setting one distribution in the whole file, without `draw` and without a distribution in \
             a `choice`, or leave `\"trial\"` out of `chain`",
        )
    };
    let [block] = script.as_slice() else { return not_the_same() };
    if !draws.are_all_drawn(&experiment.tree.root) {
        return not_the_same();
    }
    let assumed = Assumed { cells: digits(&space, &cells, block), draws: block_draws(&specs, block) };

    let mut generator = NumpyGenerator::new(seed);
    if let Some(first) = networks(&specs).next() {
        data_draws(first).skip(&mut generator);
        generator.permutation(first.data.rows_in_order(&first.info) as usize);
    }
    let mut numbers = Vec::new();
    for _ in 0..draws.trials() {
        numbers.extend(draws.keys().iter().map(|_| generator.uniform()));
        assumed.draws.skip(&mut generator);
    }
    let drawn = draws.clone().with_numbers(draws.trials(), numbers);
    Ok(Some(Drawn { experiment: experiment.with_draws(drawn), assumed }))
}

/// The runs of networks.
fn networks<'s>(specs: impl IntoIterator<Item = &'s RunSpec>) -> impl Iterator<Item = &'s NetworkRun> {
    specs.into_iter().filter_map(|spec| match spec {
        RunSpec::Network(run) => Some(&**run),
        RunSpec::Function(_) => None,
    })
}

fn refuse<T>(experiment: &Experiment, message: &str, help: &str) -> Result<T, Vec<Problem>> {
    Err(vec![Problem::new(message).at(origin(experiment, None)).help(help)])
}

/// Refuses a script if runs of some of its trials are excluded: the others would then draw different numbers.
fn excludes_trials<T>(experiment: &Experiment, leaves_out: &str) -> Result<T, Vec<Problem>> {
    refuse(
        experiment,
        &format!("`rng`: `exclude` {leaves_out} some of the trials, but each of them draws from NumPy's stream"),
        "leave `exclude` out of [sweep], or `\"trial\"` out of `chain`",
    )
}

fn chains_trials(arrangement: &Arrangement) -> bool {
    arrangement.chain.iter().any(|name| name == TRIAL)
}

/// Makes the runs with the first seed of these cells parts of their scripts, if the file has scripts. `assumed` is what
/// each trial was assumed to be.
///
/// # Errors
/// Axes that do not exist, and runs that cannot be parts of one script.
pub fn assign(
    experiment: &Experiment,
    space: &Space,
    cells: &[Cell],
    specs: &mut [RunSpec],
    assumed: Option<&Assumed>,
) -> Result<(), Vec<Problem>> {
    let Rng::Numpy(arrangement) = &experiment.rng else { return Ok(()) };
    if cells.is_empty() {
        // The mistakes of the file are known already, and its axes are unknown.
        return Ok(());
    }
    check_names(experiment, arrangement, space)?;
    let problems = contradictions(experiment, specs);
    if !problems.is_empty() {
        return Err(problems);
    }
    let values = match &experiment.draws {
        Some(draws) if chains_trials(arrangement) => ScriptDraws::uniforms(draws.keys().len() as u64),
        _ => ScriptDraws::default(),
    };
    for script in scripts(space, cells, arrangement) {
        check_together(experiment, &script, specs)?;
        if let Some(assumed) = assumed {
            let lacks_trials = experiment.draws.as_ref().is_some_and(|draws| draws.trials() as usize != script.len());
            let blocks: Vec<_> = script.iter().map(|block| digits(space, cells, block)).collect();
            if lacks_trials || blocks.iter().any(|block| assumed.cells.iter().any(|cell| !block.contains(cell))) {
                return excludes_trials(experiment, "leaves out");
            }
            // The values were drawn for too few cells, so it is unknown what `exclude` would leave out.
            if blocks.iter().any(|block| block.len() > assumed.cells.len()) {
                return excludes_trials(experiment, "may leave out");
            }
        }
        let blocks: Vec<ScriptDraws> = script.iter().map(|block| block_draws(specs, block)).collect();
        if assumed.is_some_and(|assumed| blocks.iter().any(|block| *block != assumed.draws)) {
            return refuse(
                experiment,
                "`rng`: the values of the trials change how much their networks draw from NumPy's stream",
                "leave the network's shape, its dropout and the batch size out of the distributions, or `\"trial\"` \
                 out of `chain`",
            );
        }
        let blocks = blocks.into_iter().map(|block| values.clone().then(block)).collect();
        let first = networks(script.iter().flatten().map(|&cell| &specs[cell])).next();
        let mut chain = Chain::new(first.map(data_draws).unwrap_or_default(), blocks);
        for block in &script {
            let runs = || networks(block.iter().map(|&cell| &specs[cell]));
            let (weights, masks) = (beside(runs().map(weight_draws)), beside(runs().map(mask_draws)));
            let others = weights.into_iter().zip(masks).map(|(weights, masks)| Others {
                before_weights: values.clone().then(weights.before),
                after_weights: weights.after,
                before_masks: masks.before,
                after_masks: masks.after,
            });
            for (&cell, others) in block.iter().zip(others) {
                if let RunSpec::Network(run) = &mut specs[cell] {
                    run.script = Some(chain.script(others));
                }
            }
            chain.advance();
        }
    }
    Ok(())
}

/// The draws before and after those of one run in a block.
#[derive(Debug, Clone, Default)]
struct Beside {
    before: ScriptDraws,
    after: ScriptDraws,
}

/// For each of these draws, those before it and those after it.
fn beside(draws: impl Iterator<Item = ScriptDraws>) -> Vec<Beside> {
    let draws: Vec<ScriptDraws> = draws.collect();
    let mut all = vec![Beside::default(); draws.len()];
    for next in 1..draws.len() {
        all[next].before = all[next - 1].before.clone().then(draws[next - 1].clone());
    }
    for next in (1..draws.len()).rev() {
        all[next - 1].after = draws[next].clone().then(all[next].after.clone());
    }
    all
}

/// The cells of each script, block by block, as indices, in the order of the plan.
fn scripts(space: &Space, cells: &[Cell], arrangement: &Arrangement) -> Vec<Vec<Vec<usize>>> {
    type Places<'a> = Vec<(&'a str, u128)>;
    let mut scripts: Vec<Vec<Vec<usize>>> = Vec::new();
    let mut known: HashMap<Places, (usize, HashMap<Places, usize>)> = HashMap::new();
    for (index, cell) in cells.iter().enumerate() {
        let outermost = space.outermost(cell.index.into());
        let named = |names: &[String]| -> Places {
            outermost.iter().copied().filter(|(name, _)| names.iter().any(|named| named == name)).collect()
        };
        let is_named = |name: &str| arrangement.group.iter().chain(&arrangement.chain).any(|named| named == name);
        let rest = outermost.iter().copied().filter(|(name, _)| !is_named(name)).collect();
        let (script, blocks) = known.entry(rest).or_insert_with(|| {
            scripts.push(Vec::new());
            (scripts.len() - 1, HashMap::new())
        });
        let script = &mut scripts[*script];
        let block = *blocks.entry(named(&arrangement.chain)).or_insert_with(|| {
            script.push(Vec::new());
            script.len() - 1
        });
        script[block].push(index);
    }
    scripts
}

/// The digits of the outermost axes of a block's cells, except the trials'.
fn digits(space: &Space, cells: &[Cell], block: &[usize]) -> Vec<Vec<u128>> {
    let of = |&index: &usize| {
        let outermost = space.outermost(cells[index].index.into());
        outermost.into_iter().filter(|(name, _)| *name != TRIAL).map(|(_, digit)| digit).collect()
    };
    block.iter().map(of).collect()
}

/// What the networks of a block draw: all weights, then in each step a batch and all dropout.
fn block_draws(specs: &[RunSpec], block: &[usize]) -> ScriptDraws {
    let (mut weights, mut step, mut steps) = (ScriptDraws::default(), None, 0);
    for run in networks(block.iter().map(|&cell| &specs[cell])) {
        weights = weights.then(weight_draws(run));
        let batch = || ScriptDraws::choice(run.info.train_rows, run.batch_size.get());
        step = Some(step.unwrap_or_else(batch).then(mask_draws(run)));
        steps = run.steps;
    }
    weights.then(step.unwrap_or_default().repeated(steps))
}

/// The draws of the data, if the script draws it.
fn data_draws(run: &NetworkRun) -> ScriptDraws {
    ScriptDraws::gaussians(run.data.drawn_by_scripts())
}

/// The draws of a run's initial weights.
fn weight_draws(run: &NetworkRun) -> ScriptDraws {
    let mut inputs = run.info.features;
    let mut draws = ScriptDraws::default();
    for layer in run.model.layers(run.info.task.outputs()) {
        if let LayerSpec::Affine { outputs, .. } = layer {
            draws = draws.then(run.init.weights.draws(inputs, outputs));
            inputs = outputs;
        }
    }
    draws
}

/// The draws of a run's dropout in one step.
fn mask_draws(run: &NetworkRun) -> ScriptDraws {
    let mut width = run.info.features;
    let mut draws = ScriptDraws::default();
    for layer in run.model.layers(run.info.task.outputs()) {
        match layer {
            LayerSpec::Affine { outputs, .. } => width = outputs,
            LayerSpec::Dropout(_) => draws = draws.then(ScriptDraws::uniforms(run.batch_size.get() * width as u64)),
            _ => {}
        }
    }
    draws
}

/// The place of `rng`, or of `name` in it.
fn origin(experiment: &Experiment, name: Option<(&str, &str)>) -> Origin {
    let item = name.and_then(|(key, name)| {
        let list = experiment.entry(&["rng", key])?.value.list()?;
        list.iter().find(|item| item.is_text(name))
    });
    let rng = || experiment.entry(&["rng"]).map(|entry| &entry.value);
    item.or_else(rng).unwrap_or(&experiment.tree.root).origin.clone()
}

fn check_names(experiment: &Experiment, arrangement: &Arrangement, space: &Space) -> Result<(), Vec<Problem>> {
    let mut axes: Vec<&str> = Vec::new();
    for item in space.declared() {
        if !axes.contains(&item.name()) {
            axes.push(item.name());
        }
    }
    let mut inner = HashSet::new();
    names(space, &mut inner);
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for (key, names) in [("group", &arrangement.group), ("chain", &arrangement.chain)] {
        for name in names {
            let problem = if inner.contains(name.as_str()) && !axes.contains(&name.as_str()) {
                let message =
                    format!("`{key}`: `{name}` varies within another axis, but only outermost axes can form a script");
                Problem::new(message).help(match name.as_str() {
                    TRIAL => {
                        "use one optimizer, or draw it with the rest: `draw = [\"optimizer\"]` in [sweep]".to_owned()
                    }
                    _ => format!("accepted here: {}", listed(axes.iter().copied(), ",")),
                })
            } else if !axes.contains(&name.as_str()) {
                let problem = Problem::new(format!("`{key}`: `{name}` is not an axis of this file"));
                match did_you_mean(name, axes.iter().copied()) {
                    Some(meant) => problem.meaning(meant),
                    None if axes.is_empty() => problem.help("no setting of this file has several values"),
                    None => problem.help(format!("accepted here: {}", listed(axes.iter().copied(), ","))),
                }
            } else if !seen.insert(name) {
                Problem::new(format!("`{key}`: `{name}` is listed twice in `rng`"))
            } else {
                continue;
            };
            problems.push(problem.at(origin(experiment, Some((key, name)))));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The names of all declared axes in `space`, including those within others.
fn names<'p>(space: &'p Space, all: &mut HashSet<&'p str>) {
    for item in space.declared() {
        all.insert(item.name());
        if let Item::Wheel(wheel) = item {
            wheel.inners().iter().for_each(|space| names(space, all));
        }
    }
}

/// What NumPy cannot draw as the book's scripts do.
fn contradictions(experiment: &Experiment, specs: &[RunSpec]) -> Vec<Problem> {
    let at = |problem: Problem| problem.at(origin(experiment, None));
    let mut problems = Vec::new();
    if specs.iter().any(|spec| matches!(spec, RunSpec::Function(_))) {
        let problem = at(Problem::new("`rng`: descending a function draws no random numbers"));
        problems.push(problem.help("leave `rng` out"));
    }
    let draws_data = |run: &NetworkRun| run.data.drawn_by_scripts() > 0;
    if let Some(seed) = experiment.entry(&["data", "seed"]).filter(|_| networks(specs).any(draws_data)) {
        let problem = Problem::new(
            "`seed`: with `rng`, the data is drawn from NumPy's stream, which begins with the seed in `seeds`",
        );
        problems.push(problem.at(seed.value.origin.clone()).help("remove this line, or leave `rng` out"));
    }
    if networks(specs).any(|run| run.sampling == Sampling::Shuffle) {
        let problem =
            at(Problem::new("`rng`: the book's scripts draw batches with replacement, but this file shuffles"));
        problems.push(problem.help("leave out `sampling` in [train], or leave out `rng`"));
    }
    if let Some(seed) = experiment.seeds.get().iter().find(|seed| numpy::seed(**seed).is_none()) {
        let problem =
            at(Problem::new(format!("`rng`: NumPy's seeds end at {}, but {} is one of `seeds`", u32::MAX, seed.get())));
        problems.push(problem.help("use smaller `seeds`"));
    }
    problems
}

/// The runs of a script share their data, those of a block their batches.
fn check_together(experiment: &Experiment, script: &[Vec<usize>], specs: &[RunSpec]) -> Result<(), Vec<Problem>> {
    let runs = |block: &[usize]| -> Vec<&NetworkRun> { networks(block.iter().map(|&cell| &specs[cell])).collect() };
    let differ = |what: &str, key: &str| {
        let message = format!("`rng`: runs that are trained in one script need the same {what}, but these differ");
        let help = format!("use one {what} for all, or leave the axis out of `{key}`");
        Err(vec![Problem::new(message).at(origin(experiment, None)).help(help)])
    };
    let all: Vec<&NetworkRun> = script.iter().flat_map(|block| runs(block)).collect();
    if all.windows(2).any(|pair| pair[0].data != pair[1].data) {
        return differ("data", "group` or `chain");
    }
    for block in script {
        let block = runs(block);
        if block.windows(2).any(|pair| pair[0].batch_size != pair[1].batch_size) {
            return differ("batch size", "group");
        }
        if block.windows(2).any(|pair| pair[0].steps != pair[1].steps) {
            return differ("number of steps", "group");
        }
    }
    Ok(())
}
