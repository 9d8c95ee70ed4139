//! The list of a plan: its cells and runs, one by one.

use std::collections::{HashMap, HashSet};

use rayon::iter::Either;
use rayon::prelude::*;

use super::cell::Cell;
use super::exclude::Exclusion;
use super::lower::{self, Known, Lowered};
use super::space::Space;
use super::{Duplicate, PlannedRun};
use crate::file::Experiment;
use crate::seed::Seed;
use crate::settings::RunId;
use crate::value::problem::Problem;

/// Runs, no id twice.
#[derive(Debug, Default)]
pub struct Runs {
    pub runs: Vec<PlannedRun>,
    /// Cells that turned out to be a run that was there before: each pair of labels once, not for each seed or each time.
    pub duplicates: Vec<Duplicate>,
    known: HashMap<RunId, usize>,
    told: HashSet<Duplicate>,
}

impl Runs {
    /// The runs of `cells`, one for each seed.
    pub fn of(cells: Vec<Cell>, seeds: &[Seed]) -> Self {
        let mut runs = Self::default();
        runs.add(cells, seeds);
        runs
    }

    fn add(&mut self, cells: Vec<Cell>, seeds: &[Seed]) {
        let planned: Vec<Vec<PlannedRun>> = cells.into_par_iter().map(|cell| cell.with_seeds(seeds)).collect();
        for run in planned.into_iter().flatten() {
            if let Some(&first) = self.known.get(&run.id) {
                let duplicate = Duplicate { label: run.label.clone(), same_as: self.runs[first].label.clone() };
                if self.told.insert(duplicate.clone()) {
                    self.duplicates.push(duplicate);
                }
                continue;
            }
            self.known.insert(run.id, self.runs.len());
            self.runs.push(run);
        }
    }
}

/// The runs of a space that was surveyed. However many cells come to the same runs, few of them are in memory together.
///
/// # Errors
/// What is wrong with some cells.
pub fn runs(experiment: &Experiment, space: &Space, known: &Known) -> Result<Runs, Vec<Problem>> {
    const TOGETHER: u64 = 10_000;
    let count = size(space);
    let mut runs = Runs::default();
    for first in (0..count).step_by(TOGETHER as usize) {
        let (cells, problems) = part(experiment, space, known, first..count.min(first + TOGETHER));
        if !problems.is_empty() {
            return Err(problems);
        }
        runs.add(cells, experiment.seeds.get());
    }
    Ok(runs)
}

/// Every cell of a space that was surveyed, in its order, but for those that the file leaves out, and what is wrong with the others.
pub fn cells(experiment: &Experiment, space: &Space, known: &Known) -> (Vec<Cell>, Vec<Problem>) {
    part(experiment, space, known, 0..size(space))
}

fn size(space: &Space) -> u64 {
    space.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default()
}

fn part(
    experiment: &Experiment,
    space: &Space,
    known: &Known,
    indices: std::ops::Range<u64>,
) -> (Vec<Cell>, Vec<Problem>) {
    let Ok(exclusion) = Exclusion::of(experiment) else { return Default::default() };
    let cell = |index: u64| cell_at(experiment, space, known, &exclusion, index.into()).transpose();
    let (cells, problems): (Vec<Cell>, Vec<Vec<Problem>>) =
        indices.into_par_iter().filter_map(cell).partition_map(|cell| match cell {
            Ok(cell) => Either::Left(cell),
            Err(problems) => Either::Right(problems),
        });
    (cells, problems.into_iter().flatten().collect())
}

/// The cell of this index; nothing where the file leaves it out.
///
/// # Errors
/// What is wrong with it.
pub fn cell_at(
    experiment: &Experiment,
    space: &Space,
    known: &Known,
    exclusion: &Exclusion,
    index: u128,
) -> Result<Option<Cell>, Vec<Problem>> {
    let (mut choice, mut taken) = (experiment.tree.first_choice(), Vec::new());
    space.decode(index, &mut choice, &mut taken);
    if exclusion.holds(exclusion.of_axes(&taken)) {
        return Ok(None);
    }
    let file = experiment.file_under(&choice).map_err(|problem| vec![problem])?;
    let info = file.data.as_ref().filter(|_| file.function.is_none()).and_then(|data| known.get(data));
    let Lowered { spec, contradictions } = match info {
        Some(info) => lower::with_known_data(file, info),
        None => lower::with_data(file, &mut Known::new()),
    };
    if spec.as_ref().is_some_and(|spec| exclusion.holds(exclusion.of_cell(&taken, spec))) {
        return Ok(None);
    }
    let is_sound = contradictions.is_empty();
    let problems: Vec<Problem> =
        contradictions.into_iter().filter_map(|found| found.into_problem(experiment, &choice)).collect();
    match spec {
        Some(spec) if is_sound => Ok(Some(Cell::new(index, spec, &taken, space.places(index)))),
        _ => Err(problems),
    }
}
