//! `rng = "numpy"`: which runs of a plan are parts of one script, and what the rest of the script draws.
//!
//! The cells that agree in all axes but those of `group` and `chain` are one script. It begins with the run's seed. The values of the
//! chained axes are its *blocks*, in the order of the plan, each going on where the one before it ended; the cells of a block
//! are trained side by side, on the same batches.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::cell::Cell;
use crate::batches::Sampling;
use crate::file::Experiment;
use crate::nn::LayerSpec;
use crate::random::{Arrangement, Draws, Earlier, Rng, Script};
use crate::seed::numpy::{self, Generator};
use crate::spec::{NetworkRun, RunSpec};
use crate::value::Origin;
use crate::value::problem::{Problem, did_you_mean, listed};

/// The axis of trials, whose values a script that chains it draws itself.
const TRIAL: &str = "trial";

/// The file with the values that its script draws for its trials; none where no script draws them.
///
/// # Errors
/// Where the script does not say in which order they are drawn, and whatever else is wrong with the file.
pub fn with_drawn_trials(experiment: &Experiment) -> Result<Option<Experiment>, Vec<Problem>> {
    let Rng::Numpy(arrangement) = &experiment.rng else { return Ok(None) };
    let keys = experiment.drawn_keys();
    if keys.is_empty() || !arrangement.chain.iter().any(|name| name == TRIAL) {
        return Ok(None);
    }
    let refuse = |message: &str, help: &str| Err(vec![Problem::new(message).at(origin(experiment, None)).help(help)]);
    if let Some(seed) = experiment.tree.root.entry("sweep").and_then(|sweep| sweep.value.entry("seed")) {
        let problem =
            Problem::new("`seed`: the trials are drawn from NumPy's stream, which begins with the seed in `seeds`");
        return Err(vec![
            problem.at(seed.value.origin.clone()).help("drop this line, or leave `\"trial\"` out of `chain`"),
        ]);
    }
    let sampler = experiment.tree.root.entry("sweep").and_then(|sweep| sweep.value.entry("sampler"));
    if let Some(sampler) = sampler.filter(|sampler| !sampler.value.is_text("random")) {
        let problem = Problem::new("`sampler`: the trials are drawn from NumPy's stream, which is random");
        return Err(vec![
            problem.at(sampler.value.origin.clone()).help("drop this line, or leave `\"trial\"` out of `chain`"),
        ]);
    }
    // How much a trial draws is needed before what it draws: any values will do to find out.
    let cells = super::cells(experiment)?;
    if cells.is_empty() {
        // What is wrong with the file is known, and what its trials draw is not.
        return Ok(None);
    }
    check_names(experiment, arrangement, &cells)?;
    let scripts = scripts(&cells, arrangement);
    let ([seed], [script]) = (experiment.seeds.get(), scripts.as_slice()) else {
        return refuse(
            "`rng`: the values of trials that are drawn from NumPy's stream belong to one script with one seed",
            "take one seed, and name every axis but the trials in `group`",
        );
    };
    // A seed that NumPy does not have is reported with the rest.
    let Some(seed) = numpy::seed(*seed) else { return Ok(None) };
    let blocks = |cells: &[Cell]| -> Vec<Draws> {
        script.iter().map(|block| block_draws(block.iter().filter_map(|&cell| cells.get(cell)))).collect()
    };
    let draws = blocks(&cells);

    let mut generator = Generator::new(seed);
    if let Some(first) = cells.first().and_then(Cell::network) {
        data_draws(first).skip(&mut generator);
        generator.permutation(first.data.rows_in_order(&first.info) as usize);
    }
    let mut drawn: HashMap<(&str, u32), f64> = HashMap::new();
    for (trial, draws) in (0..).zip(&draws) {
        for key in &keys {
            drawn.insert((key, trial), generator.uniform());
        }
        draws.skip(&mut generator);
    }
    let mut asked: HashSet<(String, u32)> = HashSet::new();
    let experiment = experiment.with_draws(&mut |key, trial| {
        asked.insert((key.to_owned(), trial));
        drawn.get(&(key, trial)).copied().unwrap_or_default()
    });
    if asked.len() != drawn.len() || asked.iter().any(|(key, trial)| !drawn.contains_key(&(key.as_str(), *trial))) {
        return refuse(
            "`rng`: not every trial draws the same settings, and NumPy's stream has no place for those that some draw",
            "give each drawn setting one distribution in all of the file, without `draw` and without a distribution in a `choice`, \
             or leave `\"trial\"` out of `chain`",
        );
    }
    if blocks(&super::cells(&experiment)?) != draws {
        return refuse(
            "`rng`: what trials draw from NumPy's stream changes how much their networks draw",
            "leave the network's shape, its dropout and the batch size out of the distributions, or `\"trial\"` out of `chain`",
        );
    }
    Ok(Some(experiment))
}

/// Makes each cell a part of its script, where the file asks for that.
///
/// # Errors
/// Axes that are not there, and runs that cannot be parts of one script.
pub fn assign(experiment: &Experiment, cells: &mut [Cell]) -> Result<(), Vec<Problem>> {
    let Rng::Numpy(arrangement) = &experiment.rng else { return Ok(()) };
    check_names(experiment, arrangement, cells)?;
    let problems = contradictions(experiment, cells);
    if !problems.is_empty() {
        return Err(problems);
    }
    let values = match arrangement.chain.iter().any(|name| name == TRIAL) {
        true => Draws::uniforms(experiment.drawn_keys().len() as u64),
        false => Draws::default(),
    };
    for script in scripts(cells, arrangement) {
        check_together(experiment, &script, cells)?;
        let blocks: Arc<[Draws]> = script
            .iter()
            .map(|block| values.clone().then(block_draws(block.iter().map(|&cell| &cells[cell]))))
            .collect();
        for (earlier, block) in script.iter().enumerate() {
            let parts: Vec<(Draws, Draws)> = block
                .iter()
                .filter_map(|&cell| cells[cell].network())
                .map(|run| (weight_draws(run), mask_draws(run)))
                .collect();
            let all = |parts: &[(Draws, Draws)], part: fn(&(Draws, Draws)) -> &Draws| {
                parts.iter().map(part).fold(Draws::default(), |all, draws| all.then(draws.clone()))
            };
            for (place, &cell) in block.iter().enumerate() {
                let (before, after) = (&parts[..place], &parts[place + 1..]);
                let RunSpec::Network(run) = &mut cells[cell].spec else { continue };
                run.script = Some(Script {
                    data: data_draws(run),
                    earlier: Earlier::of(&blocks, earlier),
                    before_weights: values.clone().then(all(before, |part| &part.0)),
                    after_weights: all(after, |part| &part.0),
                    before_masks: all(before, |part| &part.1),
                    after_masks: all(after, |part| &part.1),
                });
            }
        }
    }
    Ok(())
}

/// The cells of each script, block by block, as indices, in the order of the plan.
fn scripts(cells: &[Cell], arrangement: &Arrangement) -> Vec<Vec<Vec<usize>>> {
    type Places<'a> = Vec<(&'a str, u128)>;
    let mut scripts: Vec<Vec<Vec<usize>>> = Vec::new();
    let mut known: HashMap<Places, (usize, HashMap<Places, usize>)> = HashMap::new();
    for (index, cell) in cells.iter().enumerate() {
        let named = |names: &[String]| -> Places {
            let is_named = |place: &&(String, u128)| names.contains(&place.0);
            cell.places.iter().filter(is_named).map(|(name, position)| (name.as_str(), *position)).collect()
        };
        let is_free =
            |place: &&(String, u128)| !arrangement.group.contains(&place.0) && !arrangement.chain.contains(&place.0);
        let rest = cell.places.iter().filter(is_free).map(|(name, position)| (name.as_str(), *position)).collect();
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

/// What the networks of a block draw: all weights, then in each step a batch and all dropout.
fn block_draws<'a>(block: impl Iterator<Item = &'a Cell>) -> Draws {
    let (mut weights, mut step, mut steps) = (Draws::default(), None, 0);
    for run in block.filter_map(Cell::network) {
        weights = weights.then(weight_draws(run));
        let batch = || Draws::choice(run.info.train_rows, run.batch_size.get());
        step = Some(step.unwrap_or_else(batch).then(mask_draws(run)));
        steps = run.steps;
    }
    weights.then(step.unwrap_or_default().repeated(steps))
}

/// The data, where it is drawn by the script.
fn data_draws(run: &NetworkRun) -> Draws {
    Draws::gaussians(run.data.drawn_by_scripts())
}

/// The initial weights of a run.
fn weight_draws(run: &NetworkRun) -> Draws {
    let mut inputs = run.info.features;
    let mut draws = Draws::default();
    for layer in run.model.layers(run.info.task.outputs()) {
        if let LayerSpec::Affine { outputs, .. } = layer {
            draws = draws.then(run.init.weights.draws(inputs, outputs));
            inputs = outputs;
        }
    }
    draws
}

/// The dropout of one step of a run.
fn mask_draws(run: &NetworkRun) -> Draws {
    let mut width = run.info.features;
    let mut draws = Draws::default();
    for layer in run.model.layers(run.info.task.outputs()) {
        match layer {
            LayerSpec::Affine { outputs, .. } => width = outputs,
            LayerSpec::Dropout(_) => draws = draws.then(Draws::uniforms(run.batch_size.get() * width as u64)),
            _ => {}
        }
    }
    draws
}

/// Where `rng` is written, or `name` in it.
fn origin(experiment: &Experiment, name: Option<(&str, &str)>) -> Origin {
    let root = &experiment.tree.root;
    let rng = root.entry("rng");
    let item = name.and_then(|(key, name)| {
        let list = rng?.value.entry(key)?.value.list()?;
        list.iter().find(|item| item.is_text(name))
    });
    item.map(|item| item.origin.clone())
        .or_else(|| rng.map(|entry| entry.value.origin.clone()))
        .unwrap_or_else(|| root.origin.clone())
}

fn check_names(experiment: &Experiment, arrangement: &Arrangement, cells: &[Cell]) -> Result<(), Vec<Problem>> {
    if cells.is_empty() {
        // What is wrong with the file is known, and which axes it has is not.
        return Ok(());
    }
    let mut axes: Vec<&str> = Vec::new();
    for (name, _) in cells.iter().flat_map(|cell| &cell.places) {
        if !axes.contains(&name.as_str()) {
            axes.push(name);
        }
    }
    let mut seen = HashSet::new();
    let mut problems = Vec::new();
    for (key, names) in [("group", &arrangement.group), ("chain", &arrangement.chain)] {
        for name in names {
            let is_inner = cells.iter().flat_map(|cell| &cell.varies).any(|(inner, _)| inner == name);
            let problem = if is_inner && !axes.contains(&name.as_str()) {
                let message =
                    format!("`{key}`: `{name}` varies within another axis, and a script is made of the outermost ones");
                Problem::new(message).help(match name.as_str() {
                    TRIAL => {
                        "take one optimizer, or draw it with the rest: `draw = [\"optimizer\"]` in [sweep]".to_owned()
                    }
                    _ => format!("accepted here: {}", listed(axes.iter().copied(), ",")),
                })
            } else if !axes.contains(&name.as_str()) {
                let problem = Problem::new(format!("`{key}`: `{name}` is no axis of this file"));
                match did_you_mean(name, axes.iter().copied()) {
                    Some(meant) => problem.label(format!("did you mean `{meant}`?")),
                    None if axes.is_empty() => problem.help("no setting of this file has several values"),
                    None => problem.help(format!("accepted here: {}", listed(axes.iter().copied(), ","))),
                }
            } else if !seen.insert(name) {
                Problem::new(format!("`{key}`: `{name}` stands in `rng` twice"))
            } else {
                continue;
            };
            problems.push(problem.at(origin(experiment, Some((key, name)))));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What NumPy cannot draw as the book's scripts do.
fn contradictions(experiment: &Experiment, cells: &[Cell]) -> Vec<Problem> {
    let at = |problem: Problem| problem.at(origin(experiment, None));
    let mut problems = Vec::new();
    if cells.iter().any(|cell| matches!(cell.spec, RunSpec::Function(_))) {
        let problem = at(Problem::new("`rng`: the path over a function draws no random numbers"));
        problems.push(problem.help("leave `rng` out"));
    }
    let data_seed = experiment.tree.root.entry("data").and_then(|data| data.value.entry("seed"));
    let draws_data = |run: &NetworkRun| run.data.drawn_by_scripts() > 0;
    if let Some(seed) = data_seed.filter(|_| cells.iter().filter_map(Cell::network).any(draws_data)) {
        let problem = Problem::new(
            "`seed`: with `rng` the data is drawn from NumPy's stream, which begins with the seed in `seeds`",
        );
        problems.push(problem.at(seed.value.origin.clone()).help("drop this line, or leave `rng` out"));
    }
    if cells.iter().filter_map(Cell::network).any(|run| run.sampling == Sampling::Shuffle) {
        let problem =
            at(Problem::new("`rng`: the book's scripts draw batches with replacement, and this file shuffles"));
        problems.push(problem.help("leave `sampling` out of [train], or `rng`"));
    }
    if let Some(seed) = experiment.seeds.get().iter().find(|seed| numpy::seed(**seed).is_none()) {
        let problem =
            at(Problem::new(format!("`rng`: NumPy's seeds end at {}, and {} is one of `seeds`", u32::MAX, seed.get())));
        problems.push(problem.help("take smaller `seeds`"));
    }
    problems
}

/// The runs of a script share their data, those of a block their batches.
fn check_together(experiment: &Experiment, script: &[Vec<usize>], cells: &[Cell]) -> Result<(), Vec<Problem>> {
    let runs = |cells_of: &[usize]| -> Vec<&NetworkRun> {
        cells_of.iter().filter_map(|&cell| cells[cell].network()).collect()
    };
    let differ = |what: &str, key: &str| {
        let message = format!("`rng`: runs that are trained in one script have the same {what}, and these differ");
        let help = format!("take one {what} for all, or leave the axis out of `{key}`");
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
