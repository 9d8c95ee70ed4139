//! A plan and its runs. A run is a cell with a seed; only its id is kept.

use std::collections::HashSet;

use rayon::prelude::*;

use super::content::Content;
use super::cost::Cost;
use super::lower::{Known, Lowered};
use super::odometer::Odometer;
use super::script::{self, Drawn};
use super::shapes::Shape;
use super::space::Space;
use super::stream::{Cell, Stream};
use crate::file::{Experiment, Mistakes, Under};
use crate::value::Choice;
use crate::value::problem::Problem;
use engine::data::{Data, Info};
use engine::seed::Seed;
use engine::settings::{Identity, RunId, Scalar, Settings};
use engine::spec::RunSpec;

/// Everything that a file declares.
#[derive(Debug)]
pub struct Plan {
    pub experiment: Experiment,
    pub space: Space,
    content: Content,
    known: Known,
}

/// One run of a plan, before it is trained: a cell with a seed.
#[derive(Debug, Clone, Copy)]
pub struct PlannedRun<'p> {
    plan: &'p Plan,
    index: usize,
}

/// Steps through the cells of a plan. A step costs only what differs from the cell before.
#[derive(Debug)]
pub struct PlannedCell<'p> {
    plan: &'p Plan,
    /// Its index in the plan.
    position: usize,
    pub(super) odometer: Odometer<'p>,
    under: Under<'p>,
    lowered: Lowered,
    /// The settings of its part in a script.
    of_script: Settings,
}

/// Two cells with the same settings, by their labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Duplicate {
    pub label: String,
    pub same_as: String,
}

/// The number of consecutive cells that a thread takes at a time.
const ROW: usize = 2048;

impl Plan {
    /// Checks `experiment` and lists its runs.
    ///
    /// # Errors
    /// Every mistake in the file: rejected values, contradictions between accepted ones, unreadable data, too many
    /// runs.
    pub fn new(experiment: Experiment) -> Result<Self, Mistakes> {
        let known = Known::default();
        let (experiment, assumed) = match script::with_drawn_trials(&experiment, &known) {
            Ok(Some(Drawn { experiment, assumed })) => (experiment, Some(assumed)),
            Ok(None) => (experiment, None),
            Err(problems) => return Err(experiment.into_mistakes(problems)),
        };
        let planned = Space::of(&experiment).map_err(|problem| vec![problem]).and_then(|space| {
            let content = Content::of(&experiment, &space, &known, assumed.as_ref())?;
            Ok((space, content))
        });
        match planned {
            Ok((space, content)) if experiment.is_sound() => Ok(Self { experiment, space, content, known }),
            Ok(_) => Err(experiment.into_mistakes(Vec::new())),
            Err(problems) => Err(experiment.into_mistakes(problems)),
        }
    }

    /// The number of runs.
    pub fn len(&self) -> usize {
        self.content.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.content.ids.is_empty()
    }

    /// All runs: axes as they first appear in the file, the last one fastest, seeds innermost. No id occurs twice.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = PlannedRun<'_>> + ExactSizeIterator {
        (0..self.len()).map(|index| self.run(index))
    }

    /// The run with this index.
    ///
    /// # Panics
    /// If `index` is out of range.
    pub fn run(&self, index: usize) -> PlannedRun<'_> {
        assert!(index < self.len(), "the plan has no such run");
        PlannedRun { plan: self, index }
    }

    /// The result of `of_cell` for each cell, in the order of the plan. Threads share the work.
    pub fn cells<'p, T: Send>(
        &'p self,
        of_cell: impl Fn(&mut PlannedCell<'p>) -> T + Sync + Send,
    ) -> impl ParallelIterator<Item = T> {
        let count = self.content.cells.len();
        (0..count).into_par_iter().step_by(ROW).flat_map_iter(move |begin| {
            let mut cell = PlannedCell::at(self, begin);
            let of_position = |position| {
                cell.advance_to(position);
                of_cell(&mut cell)
            };
            (begin..count.min(begin + ROW)).map(of_position).collect::<Vec<T>>()
        })
    }

    /// Warnings: what is legal in the file but probably a mistake.
    pub fn warnings(&self) -> &[Problem] {
        &self.content.warnings
    }

    /// The number of excluded cells.
    pub fn excluded(&self) -> u64 {
        self.content.excluded
    }

    /// The number of cells that have the same settings as an earlier one.
    pub fn duplicates(&self) -> u64 {
        self.content.merged.len() as u64
    }

    /// The cells that have the same settings as an earlier one, each pair of labels once.
    pub fn merged(&self) -> impl Iterator<Item = Duplicate> {
        let mut told = HashSet::new();
        self.content.merged.iter().filter_map(move |&[cell, same_as]| {
            let duplicate = Duplicate { label: self.address(cell).label(), same_as: self.address(same_as).label() };
            told.insert(duplicate.clone()).then_some(duplicate)
        })
    }

    /// The shapes of these runs, with the number of runs of each shape.
    pub fn shapes<'p>(&'p self, runs: impl IntoIterator<Item = PlannedRun<'p>>) -> Vec<Shape> {
        let mut shapes: Vec<Shape> = self.content.shapes.iter().map(|shape| Shape { cells: 0, ..*shape }).collect();
        runs.into_iter().for_each(|run| shapes[run.cell().shape as usize].cells += 1);
        shapes.retain(|shape| shape.cells > 0);
        shapes
    }

    /// The data that these runs are trained on, without duplicates, and what is known about it.
    pub fn data<'p>(&'p self, runs: impl IntoIterator<Item = PlannedRun<'p>>) -> Vec<(Data, Info)> {
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for run in runs {
            let Some(index) = run.shape().data else { continue };
            let is_of_script =
                !self.content.scripts.is_empty() && self.content.data[index as usize].drawn_by_scripts() > 0;
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

    /// The data that runs of this shape are trained on, and what is known about it.
    pub fn data_of(&self, shape: &Shape) -> Option<(&Data, Info)> {
        let data = &self.content.data[shape.data? as usize];
        Some((data, self.known.of(data).as_ref().as_ref().ok()?.clone()))
    }

    /// The specification of one run of this shape, without its part in a script.
    pub fn spec_of(&self, shape: &Shape) -> Option<RunSpec> {
        self.stream().cell(shape.cell)
    }

    fn stream(&self) -> Stream<'_> {
        Stream { experiment: &self.experiment, space: &self.space, known: &self.known, keeps_specs: false }
    }

    /// Identifies the plan: blake3 of its ids and labels, independent of their order, as 16 hexadecimal digits.
    pub fn hash(&self) -> String {
        let lines = |cell: &mut PlannedCell| {
            let label = cell.label();
            cell.runs().map(|run| format!("{} {label}\n", run.id())).collect::<Vec<_>>()
        };
        let mut lines: Vec<String> = self.cells(lines).flatten_iter().collect();
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
        Odometer::at(&self.experiment, &self.space, index.into())
    }

    /// The specification of a cell's runs, with the first seed.
    fn spec(&self, position: usize) -> RunSpec {
        let index = self.content.cells[position].index;
        let mut spec = self.stream().cell(index).expect("the cell was lowered before");
        if let (RunSpec::Network(run), Some(script)) = (&mut spec, self.content.scripts.get(position)) {
            run.script = Some(script.clone());
        }
        spec
    }
}

impl<'p> PlannedRun<'p> {
    /// Its index among the plan's runs.
    pub fn index(self) -> usize {
        self.index
    }

    pub fn id(self) -> RunId {
        self.plan.content.ids[self.index]
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
        name(&self.label(), self.seed())
    }

    /// The declared axes, with their values in this run.
    pub fn varies(self) -> Vec<(String, String)> {
        self.address().varies()
    }

    pub fn cost(self) -> Cost {
        self.shape().cost
    }

    /// The number of updates.
    pub fn steps(self) -> u64 {
        self.shape().steps
    }

    /// Everything that decides what the run records.
    pub fn spec(self) -> RunSpec {
        self.plan.spec(self.position()).with_seed(self.seed())
    }

    /// Everything that its id is a hash of.
    pub fn identity(self) -> Identity {
        let spec = self.plan.spec(self.position());
        spec.settings_with(self.seed()).into_identity(spec.fingerprint())
    }

    /// The data that the run is trained on, and what is known about it.
    pub fn data(self) -> Option<(Data, Info)> {
        self.plan.data([self]).pop()
    }

    /// The index of its cell in the plan.
    fn position(self) -> usize {
        self.index / self.plan.seeds().len()
    }

    fn cell(self) -> Cell {
        self.plan.content.cells[self.position()]
    }

    fn shape(self) -> Shape {
        self.plan.content.shapes[self.cell().shape as usize]
    }

    fn address(self) -> Odometer<'p> {
        self.plan.address(self.cell().index)
    }
}

impl<'p> PlannedCell<'p> {
    fn at(plan: &'p Plan, position: usize) -> Self {
        Self {
            plan,
            position,
            odometer: plan.address(plan.content.cells[position].index),
            under: Under::new(&plan.experiment),
            lowered: Lowered::default(),
            of_script: Settings::default(),
        }
    }

    /// Goes to the cell at `position`, which is this one or a later one.
    fn advance_to(&mut self, position: usize) {
        let index = |position: usize| self.plan.content.cells[position].index;
        for _ in index(self.position)..index(position) {
            self.odometer.advance();
        }
        self.position = position;
    }

    /// Its runs, one for each seed.
    pub fn runs(&self) -> impl Iterator<Item = PlannedRun<'p>> {
        let (plan, seeds) = (self.plan, self.plan.seeds().len());
        (self.position * seeds..(self.position + 1) * seeds).map(|index| plan.run(index))
    }

    /// The label of its runs.
    pub fn label(&self) -> String {
        self.odometer.label()
    }

    /// The names of its runs.
    pub fn names(&self) -> Vec<String> {
        let label = self.label();
        self.runs().map(|run| name(&label, run.seed())).collect()
    }

    /// The settings of its runs except the seed, in no particular order.
    pub fn settings(&mut self) -> impl Iterator<Item = (&'static str, &Scalar)> {
        let moved = self.odometer.moved();
        self.under.turn(self.odometer.choice(), moved);
        let sections = self.under.sections().expect("the cell was read before");
        self.lowered.update(sections, moved, &self.plan.known);
        self.of_script = Settings::default();
        if let Some(script) = self.plan.content.scripts.get(self.position) {
            script.settings(&mut self.of_script);
        }
        self.lowered.settings().chain(self.of_script.iter())
    }
}

/// A run's name in messages.
fn name(label: &str, seed: Seed) -> String {
    format!("{label}, seed {}", seed.get())
}

impl std::fmt::Display for Duplicate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.label == self.same_as {
            true => write!(f, "`{}` appears more than once and is trained once", self.label),
            false => write!(f, "`{}` has the same settings as `{}` and is trained once", self.label, self.same_as),
        }
    }
}
