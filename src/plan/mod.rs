//! The plan: every run that a file declares, with its id, label and specification, before anything is trained.
//!
//! The cells of the file's space are streamed once ([`stream`]). What stays of a run is its id; all else is found again when it is
//! asked for.

mod contradiction;
mod cost;
mod estimate;
mod exclude;
mod findings;
mod lints;
mod lower;
mod odometer;
mod outlook;
mod rules;
mod script;
mod select;
mod shapes;
mod space;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::data::{Data, Info};
use crate::file::{Experiment, Mistakes, SectionSet};
use crate::random::{Rng, Script};
use crate::seed::Seed;
use crate::settings::{RunId, Settings};
use crate::spec::RunSpec;
use crate::value::Choice;
use crate::value::problem::Problem;

pub use cost::Cost;
pub use estimate::{Estimate, estimate};
use lower::Known;
use odometer::{Odometer, Taken};
pub use outlook::{Change, Outlook, State};
use script::Drawn;
pub use select::{NotFound, Selection, SelectionError, find};
pub use shapes::Shape;
pub use space::{Item, Site, Space, Wheel};
use stream::{Found, Stream, Streamed};

/// Everything that a file declares.
#[derive(Debug)]
pub struct Plan {
    pub experiment: Experiment,
    pub space: Space,
    /// What is legal in the file and surely not meant.
    pub warnings: Vec<Problem>,
    /// Cells that were left out.
    pub excluded: u64,
    shapes: Vec<Shape>,
    data: Vec<(Data, u32)>,
    /// In the order of the file: axes as they first appear, the last one fastest. No two of them are the same run.
    cells: Vec<Cell>,
    /// The ids of all runs, the seeds of each cell in a row. None is there twice.
    ids: Vec<RunId>,
    /// Cells that turned out to be another that was there before: both, as indices into the space.
    merged: Vec<[u32; 2]>,
    /// The script that each cell is a part of, where there are scripts.
    scripts: Vec<Script>,
    sections_of_axes: Vec<SectionSet>,
    known: Known,
    /// The specifications that were asked for last.
    specs: Mutex<HashMap<u32, Arc<RunSpec>>>,
}

/// One combination of the values of all axes.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Its index into the space.
    index: u32,
    shape: u32,
}

/// One run of a plan, before it is trained: a cell with a seed.
#[derive(Debug, Clone, Copy)]
pub struct PlannedRun<'p> {
    plan: &'p Plan,
    index: usize,
}

/// Two cells with the same settings, by their labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Duplicate {
    pub label: String,
    pub same_as: String,
}

/// More runs than this are refused.
const MOST_RUNS: u128 = 1_000_000;

/// So many specifications are kept, in case that other seeds ask for them.
const KEPT: usize = 1024;

impl Plan {
    /// Checks `experiment` and lists its runs.
    ///
    /// # Errors
    /// Every mistake in the file: values that are not accepted, contradictions between those that are, data that cannot be
    /// read, more runs than can be planned.
    pub fn new(experiment: Experiment) -> Result<Self, Mistakes> {
        let known = Known::default();
        let (experiment, drawn) = match script::with_drawn_trials(&experiment, &known) {
            Ok(Some(drawn)) => {
                let block = drawn.block().clone();
                let Drawn { experiment, .. } = drawn;
                (experiment, Some(block))
            }
            Ok(None) => (experiment, None),
            Err(problems) => return Err(experiment.into_mistakes(problems)),
        };
        let parts = space(&experiment).and_then(|space| {
            let parts = Parts::of(&experiment, &space, &known, drawn.as_ref())?;
            Ok((space, parts))
        });
        match parts {
            Ok((space, parts)) if experiment.is_sound() => Ok(parts.into_plan(experiment, space, known)),
            Ok(_) => Err(experiment.into_mistakes(Vec::new())),
            Err(problems) => Err(experiment.into_mistakes(problems)),
        }
    }

    /// How many runs there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no run.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// All runs: axes as they first appear in the file, the last one fastest, seeds innermost. No id is there twice.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = PlannedRun<'_>> + ExactSizeIterator {
        (0..self.len()).map(|index| self.run(index))
    }

    /// The run of this index.
    ///
    /// # Panics
    /// Where there are not so many.
    pub fn run(&self, index: usize) -> PlannedRun<'_> {
        assert!(index < self.len(), "the plan has no such run");
        PlannedRun { plan: self, index }
    }

    /// How many cells have the settings of an earlier one.
    pub fn duplicates(&self) -> u64 {
        self.merged.len() as u64
    }

    /// The cells that have the settings of an earlier one, each pair of labels once.
    pub fn merged(&self) -> impl Iterator<Item = Duplicate> {
        let mut told = HashSet::new();
        self.merged.iter().filter_map(move |&[cell, same_as]| {
            let duplicate = Duplicate { label: self.address(cell).label(), same_as: self.address(same_as).label() };
            told.insert(duplicate.clone()).then_some(duplicate)
        })
    }

    /// The shapes of these runs, each with the number of runs that have it.
    pub fn shapes<'p>(&'p self, runs: impl IntoIterator<Item = PlannedRun<'p>>) -> Vec<Shape> {
        let mut shapes: Vec<Shape> = self.shapes.iter().map(|shape| Shape { cells: 0, ..*shape }).collect();
        runs.into_iter().for_each(|run| shapes[run.cell().shape as usize].cells += 1);
        shapes.retain(|shape| shape.cells > 0);
        shapes
    }

    /// The data that these runs are trained on, each once, and what is known of it.
    pub fn data<'p>(&'p self, runs: impl IntoIterator<Item = PlannedRun<'p>>) -> Vec<(Data, Info)> {
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for run in runs {
            let Some(index) = run.shape().data else { continue };
            let is_of_script = !self.scripts.is_empty() && self.data[index as usize].0.drawn_by_scripts() > 0;
            if seen.insert((index, is_of_script.then(|| run.seed())))
                && let Some((data, info)) = self.data_of(&run.shape())
            {
                let mut data = data.clone();
                if is_of_script {
                    data.draw_in_script(run.seed());
                }
                all.push((data, info));
            }
        }
        all
    }

    /// The data that runs of this shape are trained on, and what is known of it.
    fn data_of(&self, shape: &Shape) -> Option<(&Data, Info)> {
        let (data, _) = &self.data[shape.data? as usize];
        Some((data, self.known.of(data).as_ref().as_ref().ok()?.clone()))
    }

    /// One of the runs of this shape, outside of any script.
    fn spec_of(&self, shape: &Shape) -> Option<RunSpec> {
        self.stream().cell(&self.sections_of_axes, shape.cell)
    }

    fn stream(&self) -> Stream<'_> {
        Stream { experiment: &self.experiment, space: &self.space, known: &self.known, keeps_specs: false }
    }

    /// Names the plan: blake3 of its ids and labels in any order, 16 hexadecimal digits.
    pub fn hash(&self) -> String {
        let mut lines: Vec<String> = self.runs().map(|run| format!("{} {}\n", run.id(), run.label())).collect();
        lines.sort();
        blake3::hash(lines.concat().as_bytes()).to_hex()[..16].to_owned()
    }

    /// The choice that leads to the cell of `run`.
    pub fn choice(&self, run: PlannedRun) -> Choice {
        self.address(run.cell().index).choice().clone()
    }

    fn seeds(&self) -> &[Seed] {
        self.experiment.seeds.get()
    }

    fn address(&self, index: u32) -> Odometer<'_> {
        Odometer::at(&self.experiment, &self.sections_of_axes, &self.space, index.into())
    }

    /// The runs of a cell, with the first seed.
    fn spec(&self, position: usize) -> Arc<RunSpec> {
        let index = self.cells[position].index;
        let known = || self.specs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spec) = known().get(&index) {
            return Arc::clone(spec);
        }
        let mut spec = self.stream().cell(&self.sections_of_axes, index).expect("the cell was lowered before");
        if let (RunSpec::Network(run), Some(script)) = (&mut spec, self.scripts.get(position)) {
            run.script = Some(script.clone());
        }
        let spec = Arc::new(spec);
        // One seed alone asks once.
        if self.seeds().len() > 1 {
            let mut known = known();
            if known.len() >= KEPT {
                known.clear();
            }
            known.insert(index, Arc::clone(&spec));
        }
        spec
    }
}

impl<'p> PlannedRun<'p> {
    /// Its place among the plan's runs.
    pub fn index(self) -> usize {
        self.index
    }

    pub fn id(self) -> RunId {
        self.plan.ids[self.index]
    }

    pub fn seed(self) -> Seed {
        let seeds = self.plan.seeds();
        seeds[self.index % seeds.len()]
    }

    /// Names the declared axes only; the same for all seeds.
    pub fn label(self) -> String {
        self.address().label()
    }

    /// Label and seed, as messages name a run.
    pub fn name(self) -> String {
        format!("{}, seed {}", self.label(), self.seed().get())
    }

    /// What the declared axes are here: name and value.
    pub fn varies(self) -> Vec<(String, String)> {
        self.address().varies()
    }

    /// The name that the file gives the optimizer; its kind where it gives none.
    pub fn optimizer_name(self) -> String {
        self.address().optimizer_name()
    }

    pub fn cost(self) -> Cost {
        self.shape().cost
    }

    /// How many updates are made.
    pub fn steps(self) -> u64 {
        self.shape().steps
    }

    /// Everything that decides what the run records.
    pub fn spec(self) -> RunSpec {
        self.plan.spec(self.position()).with_seed(self.seed())
    }

    /// The run as one map of names to scalars: its identity.
    pub fn settings(self) -> Settings {
        self.plan.spec(self.position()).settings_with(self.seed())
    }

    /// The same for runs that differ only in their length or in what is recorded.
    pub fn trajectory_id(self) -> RunId {
        let spec = self.plan.spec(self.position());
        spec.settings_with(self.seed()).trajectory_id(spec.fingerprint())
    }

    /// Names the content of the data; empty where there is none.
    pub fn fingerprint(self) -> String {
        self.plan.spec(self.position()).fingerprint().to_owned()
    }

    /// The data that the run is trained on, and what is known of it.
    pub fn data(self) -> Option<(Data, Info)> {
        self.plan.data([self]).pop()
    }

    /// Which cell of the plan it is.
    fn position(self) -> usize {
        self.index / self.plan.seeds().len()
    }

    fn cell(self) -> Cell {
        self.plan.cells[self.position()]
    }

    fn shape(self) -> Shape {
        self.plan.shapes[self.cell().shape as usize]
    }

    fn address(self) -> Odometer<'p> {
        self.plan.address(self.cell().index)
    }
}

impl Odometer<'_> {
    fn declared(&self) -> impl Iterator<Item = Taken<'_>> {
        self.taken().filter(Taken::is_declared)
    }

    fn label(&self) -> String {
        let labels: Vec<String> =
            self.declared().map(|taken| taken.label(self.choice())).filter(|label| !label.is_empty()).collect();
        if labels.is_empty() { self.optimizer_name() } else { labels.join(", ") }
    }

    fn varies(&self) -> Vec<(String, String)> {
        self.declared().map(|taken| (taken.name().to_owned(), taken.value(self.choice()))).collect()
    }

    fn optimizer_name(&self) -> String {
        const OPTIMIZER: &str = "optimizer";
        match self.taken().find(|taken| taken.name() == OPTIMIZER) {
            Some(taken) => taken.value(self.choice()),
            None => self.kind_of(OPTIMIZER).unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Duplicate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.label == self.same_as {
            true => write!(f, "`{}` is there more than once and is run once", self.label),
            false => write!(f, "`{}` has the same settings as `{}` and is run once", self.label, self.same_as),
        }
    }
}

/// What a plan is made of, beside the experiment.
struct Parts {
    warnings: Vec<Problem>,
    excluded: u64,
    shapes: Vec<Shape>,
    data: Vec<(Data, u32)>,
    cells: Vec<Cell>,
    ids: Vec<RunId>,
    merged: Vec<[u32; 2]>,
    scripts: Vec<Script>,
}

impl Parts {
    /// Of an experiment, whose trials `drawn` says something of, where their script has drawn them.
    fn of(
        experiment: &Experiment,
        space: &Space,
        known: &Known,
        drawn: Option<&crate::random::Draws>,
    ) -> Result<Self, Vec<Problem>> {
        let seeds = experiment.seeds.get();
        let is_script = matches!(experiment.rng, Rng::Numpy(_));
        let streamed = Stream { experiment, space, known, keeps_specs: is_script }.all();
        let Streamed { cells, mut ids, excluded, mut shapes, warnings, problems } = streamed;
        if !problems.is_empty() {
            return Err(problems);
        }
        if let Some(problem) = says_too_little(experiment, &cells, excluded, &shapes) {
            return Err(vec![problem]);
        }
        let mut scripts = Vec::new();
        let cells: Vec<Cell> = if is_script {
            let mut places = Vec::with_capacity(cells.len());
            let mut parts: Vec<script::Cell> = Vec::with_capacity(cells.len());
            for Found { index, shape, spec } in cells {
                let Some(spec) = spec else { continue };
                places.push(Cell { index, shape });
                parts.push(script::Cell { outermost: space.outermost(index.into()), spec });
            }
            script::assign(experiment, space, &mut parts, drawn)?;
            for script::Cell { spec, .. } in parts {
                ids.extend(seeds.iter().map(|seed| spec.settings_with(*seed).run_id(spec.fingerprint())));
                if let RunSpec::Network(run) = *spec {
                    scripts.push(run.script.unwrap_or_default());
                }
            }
            places
        } else {
            cells.into_iter().map(|Found { index, shape, .. }| Cell { index, shape }).collect()
        };
        let mut parts = Self {
            warnings: Vec::new(),
            excluded,
            shapes: Vec::new(),
            data: Vec::new(),
            cells,
            ids,
            merged: Vec::new(),
            scripts,
        };
        parts.merge(seeds.len(), &mut shapes);
        (parts.shapes, parts.data) = shapes.into_parts();
        parts.warnings = warnings.into_problems(space, parts.cells.len() as u64);
        Ok(parts)
    }

    /// Keeps the first of the cells that have the same settings.
    fn merge(&mut self, seeds: usize, shapes: &mut shapes::Shapes) {
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

    fn into_plan(self, experiment: Experiment, space: Space, known: Known) -> Plan {
        let Self { warnings, excluded, shapes, data, cells, ids, merged, scripts } = self;
        let sections_of_axes = experiment.sections_of_axes();
        let specs = Mutex::default();
        Plan {
            experiment,
            space,
            warnings,
            excluded,
            shapes,
            data,
            cells,
            ids,
            merged,
            scripts,
            sections_of_axes,
            known,
            specs,
        }
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

/// What is wrong with a file that declares nothing, or the same path several times.
fn says_too_little(
    experiment: &Experiment,
    cells: &[Found],
    excluded: u64,
    shapes: &shapes::Shapes,
) -> Option<Problem> {
    let seeds = experiment.seeds.get().len();
    if seeds > 1 && !cells.is_empty() && shapes.are_without_data() {
        let message = format!(
            "the path over a function draws no random numbers: with {seeds} seeds it is the same {seeds} times"
        );
        let origin = experiment.tree.root.entry("seeds").map(|entry| entry.value.origin.clone());
        return Some(Problem { origin, ..Problem::new(message) }.help("leave `seeds` out"));
    }
    if cells.is_empty() && excluded > 0 {
        let sweep = experiment.tree.root.entry("sweep");
        let origin = sweep.and_then(|sweep| sweep.value.entry("exclude")).map(|entry| entry.key_origin.clone());
        return Some(Problem { origin, ..Problem::new("`exclude` leaves nothing to run") });
    }
    None
}

/// The space of a file, which has no more runs than can be planned.
fn space(experiment: &Experiment) -> Result<Space, Vec<Problem>> {
    let too_many = || {
        Problem::new("the axes of the file have more values than can be planned, those within others counted each time")
            .help("take fewer values, or divide the file")
    };
    let space = Space::of(experiment).ok_or_else(|| vec![too_many()])?;
    match within_bounds(&space, experiment.seeds.get().len()) {
        Ok(()) => Ok(space),
        Err(problem) => Err(vec![problem]),
    }
}

/// Refuses more runs than can be planned.
fn within_bounds(space: &Space, seeds: usize) -> Result<(), Problem> {
    let runs = space.size().and_then(|cells| cells.checked_mul(seeds as u128));
    if runs.is_some_and(|runs| runs <= MOST_RUNS) {
        return Ok(());
    }
    let wheels = space.told_apart().into_iter().filter_map(|item| match item {
        Item::Wheel(wheel) => Some(wheel),
        Item::Given(_) => None,
    });
    let mut factors: Vec<String> =
        wheels.map(|wheel| format!("{} {}", wheel.size().unwrap_or(u128::MAX), wheel.name())).collect();
    factors.push(format!("{seeds} seeds"));
    let count = runs.map_or("more than 2^128".to_owned(), |runs| runs.to_string());
    Err(Problem::new(format!("the file declares {count} runs, more than {MOST_RUNS}"))
        .help(format!("they are {}", factors.join(" × "))))
}
