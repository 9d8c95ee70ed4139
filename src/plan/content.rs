//! What a plan knows about its cells and runs, collected from the stream.

use std::collections::HashMap;

use rayon::prelude::*;

use super::lower::Known;
use super::script::{self, Assumed};
use super::shapes::{Shape, Shapes};
use super::space::Space;
use super::stream::{Cell, Stream, Streamed};
use crate::file::Experiment;
use crate::value::problem::Problem;
use engine::data::Data;
use engine::random::{Rng, Script};
use engine::settings::RunId;
use engine::spec::RunSpec;

/// What a plan knows about its cells and runs.
#[derive(Debug)]
pub struct Content {
    /// What is legal in the file but probably a mistake.
    pub warnings: Vec<Problem>,
    /// The number of excluded cells.
    pub excluded: u64,
    pub shapes: Vec<Shape>,
    /// The data that runs are trained on, without duplicates.
    pub data: Vec<Data>,
    /// In the order of the file: axes as they first appear, the last one fastest. No two of them have the same runs.
    pub cells: Vec<Cell>,
    /// The ids of all runs, without duplicates; the seeds of a cell are adjacent.
    pub ids: Vec<RunId>,
    /// Cells with the same settings as an earlier cell: both, as indices into the space.
    pub merged: Vec<[u32; 2]>,
    /// The script that each cell is a part of, if there are scripts.
    pub scripts: Vec<Script>,
}

impl Content {
    /// The content of an experiment. `assumed` describes its trials if a script has drawn them.
    ///
    /// # Errors
    /// Every mistake in the cells, and every reason why they cannot be parts of a script.
    pub fn of(
        experiment: &Experiment,
        space: &Space,
        known: &Known,
        assumed: Option<&Assumed>,
    ) -> Result<Self, Vec<Problem>> {
        let seeds = experiment.seeds.get();
        let is_script = matches!(experiment.rng, Rng::Numpy(_));
        let streamed = Stream { experiment, space, known, keeps_specs: is_script }.all()?;
        let mut problems = streamed.idle_conditions(experiment);
        problems.extend(says_too_little(experiment, &streamed).filter(|_| problems.is_empty()));
        if !problems.is_empty() {
            return Err(problems);
        }
        let Streamed { cells, mut ids, mut specs, excluded, mut shapes, warnings, .. } = streamed;
        let mut scripts = Vec::new();
        if is_script {
            script::assign(experiment, space, &cells, &mut specs, assumed)?;
        }
        let ids_of = |spec: &RunSpec| -> Vec<RunId> {
            seeds.iter().map(|seed| spec.settings_with(*seed).run_id(spec.fingerprint())).collect()
        };
        ids.par_extend(specs.par_iter().flat_map_iter(ids_of));
        scripts.extend(specs.into_iter().filter_map(|spec| match spec {
            RunSpec::Network(run) => Some(run.script.unwrap_or_default()),
            RunSpec::Function(_) => None,
        }));
        let mut content = Self {
            warnings: Vec::new(),
            excluded,
            shapes: Vec::new(),
            data: Vec::new(),
            cells,
            ids,
            merged: Vec::new(),
            scripts,
        };
        content.merge(seeds.len(), &mut shapes);
        (content.shapes, content.data) = shapes.into_parts();
        content.warnings = warnings.into_problems(space, content.cells.len() as u64);
        Ok(content)
    }

    /// Keeps the first of the cells that have the same settings.
    fn merge(&mut self, seeds: usize, shapes: &mut Shapes) {
        let mut first: HashMap<RunId, u32> = HashMap::with_capacity(self.cells.len());
        let is_kept: Vec<bool> = self
            .cells
            .iter()
            .zip(self.ids.iter().step_by(seeds))
            .map(|(cell, id)| {
                let same_as = *first.entry(*id).or_insert(cell.index);
                if same_as != cell.index {
                    self.merged.push([cell.index, same_as]);
                    shapes.remove(cell.shape);
                }
                same_as == cell.index
            })
            .collect();
        if self.merged.is_empty() {
            return;
        }
        let is_kept = |position: usize| is_kept[position];
        retain(&mut self.cells, is_kept);
        retain(&mut self.ids, |position| is_kept(position / seeds));
        retain(&mut self.scripts, is_kept);
    }
}

/// Keeps the items at these positions.
fn retain<T>(items: &mut Vec<T>, is_kept: impl Fn(usize) -> bool) {
    let mut position = 0;
    items.retain(|_| {
        position += 1;
        is_kept(position - 1)
    });
}

/// The mistake in a file that declares nothing, or the same path several times.
fn says_too_little(experiment: &Experiment, streamed: &Streamed) -> Option<Problem> {
    let Streamed { cells, excluded, shapes, .. } = streamed;
    let seeds = experiment.seeds.get().len();
    if seeds > 1 && !cells.is_empty() && shapes.are_without_data() {
        let message =
            format!("descending a function draws no random numbers: {seeds} seeds give the same path {seeds} times");
        let origin = experiment.entry(&["seeds"]).map(|entry| entry.value.origin.clone());
        return Some(Problem::new(message).at(origin).help("leave `seeds` out"));
    }
    if cells.is_empty() && *excluded > 0 {
        let origin = experiment.entry(&["sweep", "exclude"]).map(|entry| entry.key_origin.clone());
        return Some(Problem::new("`exclude` leaves nothing to run").at(origin));
    }
    None
}
