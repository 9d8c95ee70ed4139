//! The plan: every run that a file declares, with its id, label and specification, before anything is trained.

mod cell;
mod cost;
mod findings;
mod lower;
mod script;
mod select;
mod space;
#[cfg(test)]
mod sweep_tests;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::data::{self, Data, Info};
use crate::file::{Experiment, Mistakes};
use crate::settings::{RunId, Settings};
use crate::spec::RunSpec;
use crate::value::problem::Problem;

use cell::Cell;
pub use cost::Cost;
use findings::Findings;
pub use select::{Selection, SelectionError};
pub use space::{Alternative, Axis, Space};

/// Everything that a file declares.
#[derive(Debug)]
pub struct Plan {
    pub experiment: Experiment,
    pub space: Space,
    /// In the order of the file: axes as they first appear, the last one fastest, seeds innermost. No id twice.
    pub runs: Vec<PlannedRun>,
    /// Cells that turned out to be a run that was there before.
    pub duplicates: Vec<Duplicate>,
}

/// One run, before it is trained.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    pub id: RunId,
    pub trajectory_id: RunId,
    /// Which cell of the plan's space it is of.
    pub cell: u128,
    /// Names the declared axes only; the same for all seeds.
    pub label: String,
    /// What the declared axes are here: name and value.
    pub varies: Vec<(String, String)>,
    /// The name that the file gives the optimizer; its kind where it gives none.
    pub optimizer_name: String,
    pub spec: RunSpec,
    pub settings: Settings,
    pub cost: Cost,
}

/// Two cells with the same settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    pub label: String,
    pub same_as: String,
}

/// More runs than this are refused: their list alone would take gigabytes of memory.
const MOST_RUNS: u128 = 1_000_000;

impl PlannedRun {
    /// Label and seed, as messages name a run.
    pub fn name(&self) -> String {
        format!("{}, seed {}", self.label, self.spec.seed().get())
    }
}

impl std::fmt::Display for Duplicate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` has the same settings as `{}` and is run once", self.label, self.same_as)
    }
}

impl Plan {
    /// Expands `experiment`.
    ///
    /// # Errors
    /// Every mistake in the file: values that are not accepted, contradictions between those that are, data that cannot be
    /// read.
    pub fn new(experiment: Experiment) -> Result<Self, Mistakes> {
        let experiment = match script::with_drawn_trials(&experiment) {
            Ok(drawn) => drawn.unwrap_or(experiment),
            Err(problems) => return Err(experiment.into_mistakes(problems)),
        };
        match expand(&experiment) {
            Ok((space, runs, duplicates)) if experiment.is_sound() => Ok(Self { experiment, space, runs, duplicates }),
            Ok(_) => Err(experiment.into_mistakes(Vec::new())),
            Err(problems) => Err(experiment.into_mistakes(problems)),
        }
    }

    /// Names the plan: blake3 of its ids and labels in any order, 16 hexadecimal digits.
    pub fn hash(&self) -> String {
        let mut lines: Vec<String> = self.runs.iter().map(|run| format!("{} {}\n", run.id, run.label)).collect();
        lines.sort();
        blake3::hash(lines.concat().as_bytes()).to_hex()[..16].to_owned()
    }
}

type Expansion = (Space, Vec<PlannedRun>, Vec<Duplicate>);

fn expand(experiment: &Experiment) -> Result<Expansion, Vec<Problem>> {
    let (space, mut cells) = cells(experiment)?;
    script::assign(experiment, &mut cells)?;
    let mut runs: Vec<PlannedRun> = Vec::new();
    let mut labels: HashMap<RunId, usize> = HashMap::new();
    let mut duplicates = Vec::new();
    for Cell { index, label, varies, optimizer_name, spec, .. } in cells {
        let cost = Cost::of(&spec);
        for &seed in experiment.seeds.get() {
            let spec = spec.with_seed(seed);
            let settings = spec.settings();
            let id = settings.run_id(spec.fingerprint());
            if let Some(&first) = labels.get(&id) {
                duplicates.push(Duplicate { label: label.clone(), same_as: runs[first].label.clone() });
                continue;
            }
            labels.insert(id, runs.len());
            runs.push(PlannedRun {
                id,
                trajectory_id: settings.trajectory_id(spec.fingerprint()),
                cell: index,
                label: label.clone(),
                varies: varies.clone(),
                optimizer_name: optimizer_name.clone(),
                spec,
                settings,
                cost,
            });
        }
    }
    // Once for each label, not for each seed.
    duplicates.dedup();
    Ok((space, runs, duplicates))
}

/// Every cell of the file, in its order, those of a file with mistakes as far as they can be had.
fn cells(experiment: &Experiment) -> Result<(Space, Vec<Cell>), Vec<Problem>> {
    let too_many = || vec![Problem::new(format!("the file declares more than {MOST_RUNS} runs"))];
    let space = Space::of(&experiment.tree.root).ok_or_else(too_many)?;
    let count = within_bounds(&space, experiment.seeds.get().len()).map_err(|problem| vec![problem])?;

    let mut sources: HashMap<Data, Result<Info, data::Error>> = HashMap::new();
    let mut findings = Findings::default();
    let mut cells = Vec::new();
    for index in 0..count {
        let (mut choice, mut taken) = (experiment.tree.first_choice(), Vec::new());
        space.decode(index, &mut choice, &mut taken);
        let mut findings = findings.cell(&taken);
        let file = match experiment.file_under(&choice) {
            Ok(file) => file,
            // In a file with mistakes this may come of what was left out.
            Err(_) if !experiment.is_sound() => continue,
            Err(problem) => {
                findings.report(problem);
                continue;
            }
        };
        let info = file.data.clone().filter(|_| file.function.is_none()).map(|data| {
            let known = sources.entry(data);
            &*known.or_insert_with_key(Data::info)
        });
        let lowered = match info.map(Result::as_ref).transpose() {
            Ok(info) => lower::lower(file, info),
            Err(error) => Err(lower::without_data(file, error)),
        };
        match lowered {
            Ok(spec) => {
                cells.push(Cell::new(index, spec, &taken, space.places(index)));
            }
            Err(contradictions) => contradictions
                .into_iter()
                .filter_map(|contradiction| contradiction.into_problem(experiment, &choice))
                .for_each(|problem| findings.report(problem)),
        }
    }
    let mut problems = findings.into_problems();
    let seeds = experiment.seeds.get().len();
    if seeds > 1 && !cells.is_empty() && cells.iter().all(|cell: &Cell| matches!(cell.spec, RunSpec::Function(_))) {
        let message = format!(
            "the path over a function draws no random numbers: with {seeds} seeds it is the same {seeds} times"
        );
        let origin = experiment.tree.root.entry("seeds").map(|entry| entry.value.origin.clone());
        problems.push(Problem { origin, ..Problem::new(message) }.help("leave `seeds` out"));
    }
    if problems.is_empty() { Ok((space, cells)) } else { Err(problems) }
}

/// The number of cells, where the runs are not too many.
fn within_bounds(space: &Space, seeds: usize) -> Result<u128, Problem> {
    let runs = space.size().and_then(|cells| cells.checked_mul(seeds as u128));
    match (space.size(), runs) {
        (Some(cells), Some(runs)) if runs <= MOST_RUNS => Ok(cells),
        (_, runs) => {
            let mut factors: Vec<String> =
                space.axes.iter().map(|axis| format!("{} {}", axis.size().unwrap_or(u128::MAX), axis.name)).collect();
            factors.push(format!("{seeds} seeds"));
            let count = runs.map_or("more than 2^128".to_owned(), |runs| runs.to_string());
            Err(Problem::new(format!("the file declares {count} runs, more than {MOST_RUNS}"))
                .help(format!("they are {}", factors.join(" × "))))
        }
    }
}
