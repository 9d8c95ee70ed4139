//! `paribus plan FILE`: what would run and why, before anything does.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;

use super::experiment::Asked;
use super::table::Table;
use super::{Failure, counted, grouped, out, results_folder, select};
use crate::file::How;
use crate::plan::{Alternative, Axis, Plan, PlannedRun, Space};
use crate::store::{Inventory, Status};

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    experiment: Asked,
    /// The folder to look for results in [default: results/NAME, with --set results/NAME@HASH]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Only the runs with this setting, such as optimizer=adam or seed=0; repeat it for more values or more settings.
    #[arg(long, value_name = "KEY=VALUE")]
    only: Vec<String>,
}

const HELP: &str = "\
Examples:
  paribus plan experiments/ch6.toml
  paribus plan experiments/ch6.toml --only optimizer=adam --only seed=0
  paribus plan experiments/ch6.toml --results elsewhere/ch6

Writes nothing, and may be used while a run is at work.

Exit codes: 0 all well, 2 a mistake in the file or in --only, 1 results that cannot be read.";

/// Lists every run of a file.
pub fn plan(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plan = arguments.experiment.read().and_then(Plan::new)?;
    let chosen = select(&plan, &arguments.only)?;
    let results = results_folder(&plan, arguments.results.clone());
    let inventory = Inventory::look(&results)?;
    out(&listing(&plan, &chosen, &inventory));
    if plan.experiment.mark.is_some() {
        out(&format!("results in {}\n", results.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything there is to say about a plan, as text.
fn listing(plan: &Plan, chosen: &[usize], inventory: &Inventory) -> String {
    let mut text = format!("{}: ", plan.experiment.name.as_str());
    let runs: Vec<&PlannedRun> = chosen.iter().map(|&index| &plan.runs[index]).collect();
    let steps: u128 = runs.iter().map(|run| u128::from(run.spec.steps())).sum();
    text += &counted(runs.len(), "run");
    if runs.len() < plan.runs.len() {
        text += &format!(" of {}", grouped(plan.runs.len() as u128));
    }
    text += &format!(", {}\n", counted(steps, "step"));
    if let Some(description) = &plan.experiment.description {
        text += &format!("{description}\n");
    }

    text += "\naxes (they multiply; the last one varies fastest, seeds innermost)\n";
    text += &axes(plan).render(2);
    text += "\nkeys as they were read\n";
    let mut keys = Table::new([("", false), ("", false), ("", false), ("", false)]);
    for reading in &plan.experiment.readings {
        let how = match reading.how {
            How::Value => "one value".to_owned(),
            How::Axis(count) => format!("an axis of {}", counted(count, "value")),
            How::Spaced(word, count) => format!("an axis of {}, {word}", counted(count, "value")),
            How::Drawn(word) => format!("drawn by each trial, {word}"),
            How::Unchanged => "changes nothing".to_owned(),
        };
        let from = reading.from.as_ref().map(|from| format!("from {from}")).unwrap_or_default();
        keys.row([reading.key.clone(), reading.written.clone(), how, from]);
    }
    text += &keys.render(2);

    let mut classes: Vec<String> = runs.iter().filter_map(|run| run.spec.data()?.1.classes_in_words()).collect();
    classes.sort();
    classes.dedup();
    for classes in classes {
        text += &format!("\nclasses\n  {classes}\n");
    }

    text += "\nruns\n";
    let mut table = Table::new([("id", false), ("label", false), ("seed", true), ("state", false), ("varies", false)]);
    let mut counts = [0u64; STATES.len()];
    for run in &runs {
        let state = state(run, inventory);
        counts[state] += 1;
        let varies = run.varies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        let seed = run.spec.seed().get().to_string();
        table.row([run.id.to_string(), run.label.clone(), seed, STATES[state].0.to_owned(), varies]);
    }
    text += &table.render(2);
    for duplicate in &plan.duplicates {
        text += &format!("  {duplicate}\n");
    }

    let counts: Vec<String> = STATES
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|((name, meaning), count)| format!("{count} {name} ({meaning})"))
        .collect();
    text += &format!("\n{}\n", counts.join(", "));
    text
}

/// What a run can be before `run`, and what `run` then does.
const STATES: [(&str, &str); 5] = [
    ("new", "to be trained"),
    ("finished", "kept"),
    ("diverged", "kept"),
    ("failed", "to be trained again"),
    ("archived", "to be taken back"),
];

fn state(run: &PlannedRun, inventory: &Inventory) -> usize {
    match inventory.runs.get(&run.id).map(|known| known.summary.status) {
        Some(Status::Finished) => 1,
        Some(Status::Diverged) => 2,
        Some(Status::Failed) => 3,
        None if inventory.archived.contains_key(&run.id) => 4,
        None => 0,
    }
}

fn axes(plan: &Plan) -> Table {
    let mut table = Table::new([("", false), ("", true), ("", false)]);
    rows(&plan.space, &[]).into_iter().for_each(|row| table.row(row));
    let seeds: Vec<String> = plan.experiment.seeds.get().iter().map(|seed| seed.get().to_string()).collect();
    table.row(["seed".to_owned(), seeds.len().to_string(), listed(&seeds)]);
    table
}

/// Name, number of values and values of each axis in `space`. Of the given axes, `told` are told of already.
fn rows(space: &Space, told: &[String]) -> Vec<[String; 3]> {
    let mut all: Vec<[String; 3]> = Vec::new();
    for axis in told_apart(space) {
        let is_trials = axis.name == "trial";
        if axis.is_given {
            let [Alternative { label, value, .. }] = axis.alternatives.as_slice() else { continue };
            if !label.is_empty() && !told.contains(&axis.name) {
                all.push([axis.name.clone(), String::new(), value.clone()]);
            }
            continue;
        }
        let values: Vec<String> = axis.alternatives.iter().map(|alternative| alternative.value.clone()).collect();
        all.push([axis.name.clone(), values.len().to_string(), listed(&values)]);
        let moving = if is_trials { Vec::new() } else { moving_with(axis) };
        let told: Vec<String> = moving.iter().map(|(name, _)| name.clone()).collect();
        all.extend(moving.iter().map(|(name, values)| [name.clone(), format!("with {}", axis.name), listed(values)]));
        let inner: Vec<Vec<[String; 3]>> =
            axis.alternatives.iter().map(|alternative| rows(&alternative.inner, &told)).collect();
        // What all alternatives have in common, or many trials, is said once.
        if is_trials || (inner.len() > 1 && inner.windows(2).all(|pair| pair[0] == pair[1])) {
            let (mut once, mut seen) = (Vec::new(), HashSet::new());
            once.extend(inner.into_iter().flatten().filter(|row| seen.insert(row.clone())));
            all.extend(once);
        } else {
            for (alternative, rows) in axis.alternatives.iter().zip(inner) {
                let under =
                    |[name, count, values]: [String; 3]| [format!("{}: {name}", alternative.value), count, values];
                all.extend(rows.into_iter().map(under));
            }
        }
    }
    all
}

/// The axes of `space`, and in the place of one optimizer alone, which is none, those within it.
fn told_apart(space: &Space) -> Vec<&Axis> {
    let mut axes = Vec::new();
    for axis in &space.axes {
        match axis.alternatives.as_slice() {
            [only] if !axis.is_declared => axes.extend(told_apart(&only.inner)),
            _ => axes.push(axis),
        }
    }
    axes
}

/// The axes that move with this one under all of its alternatives, with their values.
fn moving_with(axis: &Axis) -> Vec<(String, Vec<String>)> {
    let Some(first) = axis.alternatives.first() else { return Vec::new() };
    fn given(space: &Space) -> impl Iterator<Item = &Axis> {
        told_apart(space).into_iter().filter(|axis| axis.is_given)
    }
    let names = given(&first.inner).map(|axis| axis.name.clone());
    let with_values = |name: String| {
        let value = |alternative: &Alternative| {
            let given = given(&alternative.inner).find(|axis| axis.name == name)?;
            given.alternatives.first().map(|only| only.value.clone())
        };
        let values = axis.alternatives.iter().map(value).collect::<Option<_>>()?;
        Some((name, values))
    };
    names.filter_map(with_values).collect()
}

/// The values, or the first few and the last one of many.
fn listed(values: &[String]) -> String {
    match values {
        [head @ .., last] if head.len() >= 20 => format!("{}, …, {last}", head[..3].join(", ")),
        _ => values.join(", "),
    }
}
