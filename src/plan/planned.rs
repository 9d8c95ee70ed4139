//! A plan and its runs. A run is a cell with a seed; only its id is kept.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::content::Content;
use super::cost::Cost;
use super::lower::Known;
use super::odometer::Odometer;
use super::script::{self, Drawn};
use super::shapes::Shape;
use super::space::Space;
use super::stream::{Cell, Stream};
use crate::data::{Data, Info};
use crate::file::{Experiment, Mistakes};
use crate::seed::Seed;
use crate::settings::{RunId, Settings};
use crate::spec::RunSpec;
use crate::value::Choice;
use crate::value::problem::Problem;

/// Everything that a file declares.
#[derive(Debug)]
pub struct Plan {
    pub experiment: Experiment,
    pub space: Space,
    content: Content,
    known: Known,
    /// A cache of specifications, by cell.
    specs: Mutex<HashMap<u32, Arc<RunSpec>>>,
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

/// How many specifications the cache holds, for the other seeds of their cells.
const KEPT: usize = 1024;

impl Plan {
    /// Checks `experiment` and lists its runs.
    ///
    /// # Errors
    /// Every mistake in the file: rejected values, contradictions between accepted ones, unreadable data, too many
    /// runs.
    pub fn new(experiment: Experiment) -> Result<Self, Mistakes> {
        let known = Known::default();
        let (experiment, drawn) = match script::with_drawn_trials(&experiment, &known) {
            Ok(Some(Drawn { experiment, block })) => (experiment, Some(block)),
            Ok(None) => (experiment, None),
            Err(problems) => return Err(experiment.into_mistakes(problems)),
        };
        let planned = Space::of(&experiment).map_err(|problem| vec![problem]).and_then(|space| {
            let content = Content::of(&experiment, &space, &known, drawn.as_ref())?;
            Ok((space, content))
        });
        match planned {
            Ok((space, content)) if experiment.is_sound() => {
                Ok(Self { experiment, space, content, known, specs: Mutex::default() })
            }
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
        Odometer::at(&self.experiment, &self.space, index.into())
    }

    /// The specification of a cell's runs, with the first seed.
    fn spec(&self, position: usize) -> Arc<RunSpec> {
        let index = self.content.cells[position].index;
        let known = || self.specs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spec) = known().get(&index) {
            return Arc::clone(spec);
        }
        let mut spec = self.stream().cell(index).expect("the cell was lowered before");
        if let (RunSpec::Network(run), Some(script)) = (&mut spec, self.content.scripts.get(position)) {
            run.script = Some(script.clone());
        }
        let spec = Arc::new(spec);
        // With a single seed, each cell is needed only once.
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
        format!("{}, seed {}", self.label(), self.seed().get())
    }

    /// The declared axes, with their values in this run.
    pub fn varies(self) -> Vec<(String, String)> {
        self.address().varies()
    }

    /// The optimizer's name in the file, or its kind if it has none.
    pub fn optimizer_name(self) -> String {
        self.address().optimizer_name()
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

    /// The run's identity: a map from names to scalars.
    pub fn settings(self) -> Settings {
        self.plan.spec(self.position()).settings_with(self.seed())
    }

    /// The same for runs that differ only in their length or in what is recorded.
    pub fn trajectory_id(self) -> RunId {
        let spec = self.plan.spec(self.position());
        spec.settings_with(self.seed()).trajectory_id(spec.fingerprint())
    }

    /// The fingerprint of the data; empty if there is none.
    pub fn fingerprint(self) -> String {
        self.plan.spec(self.position()).fingerprint().to_owned()
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

impl std::fmt::Display for Duplicate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.label == self.same_as {
            true => write!(f, "`{}` is there more than once and is run once", self.label),
            false => write!(f, "`{}` has the same settings as `{}` and is run once", self.label, self.same_as),
        }
    }
}
