//! A survey: everything that can be said of a plan without making a list of its runs.
//!
//! A million cells are told by what they are combined of. Rules that hold between settings are checked once for each
//! combination of what they read ([`aspects`]), costs are counted once for each shape of a run, and equal runs are found by
//! sums of fingerprints.

use std::collections::{HashMap, HashSet};

use super::aspects::{self, ASPECTS, Aspect, Reach, States};
use super::cell::Cell;
use super::cost::Cost;
use super::exclude::{Exclusion, Marks};
use super::findings::Findings;
use super::fingerprint::Fingerprint;
use super::lower::{self, Known, Lowered};
use super::space::{Alternative, Axis, Space};
use super::walk::{Taken, Visitor, walk};
use crate::file::Experiment;
use crate::kernel::Precision;
use crate::settings::{Scalar, Settings};
use crate::spec::RunSpec;
use crate::value::AxisId;
use crate::value::problem::Problem;

/// The cells of a plan, counted.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Cells that were left out.
    pub excluded: u64,
    /// Cells that have the settings of an earlier one.
    pub duplicates: u64,
    /// The others: how many there are, by the shape of their runs.
    pub shapes: Vec<Shape>,
    /// What each of the others is, in rising order.
    pub fingerprints: Vec<Fingerprint>,
}

/// Cells whose runs cost the same.
#[derive(Debug, Clone)]
pub struct Shape {
    /// One of them.
    pub spec: RunSpec,
    pub cost: Cost,
    pub cells: u64,
}

impl Survey {
    /// Of cells that are known one by one.
    pub fn of_cells(cells: &[Cell]) -> Self {
        let mut survey = Self::default();
        let mut known: HashSet<Fingerprint> = HashSet::new();
        let of_cell = |Cell { spec, .. }: &Cell| {
            let settings = spec.settings();
            Fingerprint::of_all(settings.apart_from_seed()).and(Fingerprint::of_data(spec.fingerprint()))
        };
        let different: Vec<&Cell> = cells.iter().filter(|cell| known.insert(of_cell(cell))).collect();
        survey.duplicates = (cells.len() - different.len()) as u64;
        survey.shapes = shapes(different.into_iter().map(|cell| (&cell.spec, Cost::of(&cell.spec))));
        survey.fingerprints = known.into_iter().collect();
        survey.fingerprints.sort_unstable();
        survey
    }

    /// How many different cells are left.
    pub fn cells(&self) -> u64 {
        self.fingerprints.len() as u64
    }
}

/// The shapes of so many runs or cells, each counted once.
pub fn shapes<'a>(specs: impl IntoIterator<Item = (&'a RunSpec, Cost)>) -> Vec<Shape> {
    let mut shapes = Shapes::default();
    for (spec, cost) in specs {
        let shape = shapes.find(spec, cost);
        shapes.all[shape as usize].cells += 1;
    }
    shapes.all
}

/// Shapes that have been met.
#[derive(Debug, Default)]
struct Shapes {
    all: Vec<Shape>,
    /// By operations, memory, steps and optimizer.
    known: HashMap<(u64, u64, u64, &'static str), u32>,
}

impl Shapes {
    /// The shape of a run that costs so much.
    fn find(&mut self, spec: &RunSpec, cost: Cost) -> u32 {
        let key = (cost.operations.to_bits(), cost.bytes.to_bits(), spec.steps(), spec.optimizer().kind());
        let all = &mut self.all;
        *self.known.entry(key).or_insert_with(|| {
            all.push(Shape { spec: spec.clone(), cost, cells: 0 });
            all.len() as u32 - 1
        })
    }
}

/// Surveys every cell of `space`; what is wrong with any of them is added to `problems`. The data is looked at as far as it is
/// not in `known`.
pub fn survey(experiment: &Experiment, space: &Space, known: &mut Known, problems: &mut Vec<Problem>) -> Survey {
    let exclusion = match Exclusion::of(experiment) {
        Ok(exclusion) => exclusion,
        Err(problem) => {
            problems.push(problem);
            return Survey::default();
        }
    };
    let mut surveyor = Surveyor {
        experiment,
        known,
        findings: Findings::default(),
        exclusion,
        reaches: aspects::reaches(&experiment.tree.root),
        states: Default::default(),
        alone: HashMap::new(),
        frames: HashMap::new(),
        parts: HashMap::new(),
        shapes: Shapes::default(),
        shape_of: HashMap::new(),
        broken: HashSet::new(),
        broken_alone: HashSet::new(),
        cells: Vec::new(),
        excluded: 0,
    };
    let start = Way { states: [0; ASPECTS], alone: Part::NOTHING, has_new: false, marks: Marks::NONE };
    walk(space, &start, &mut surveyor);
    if surveyor.findings.is_empty() && experiment.is_sound() {
        problems.extend(surveyor.exclusion.problems(experiment));
    }
    problems.extend(surveyor.findings.into_problems());
    let (mut cells, mut shapes) = (surveyor.cells, surveyor.shapes.all);
    let count = cells.len();
    cells.sort_unstable();
    cells.dedup_by_key(|(fingerprint, _)| *fingerprint);
    for (_, shape) in &cells {
        shapes[*shape as usize].cells += 1;
    }
    Survey {
        excluded: surveyor.excluded,
        duplicates: (count - cells.len()) as u64,
        shapes,
        fingerprints: cells.into_iter().map(|(fingerprint, _)| fingerprint).collect(),
    }
}

struct Surveyor<'a, 'e> {
    experiment: &'e Experiment,
    known: &'a mut Known,
    findings: Findings,
    exclusion: Exclusion<'e>,
    reaches: HashMap<AxisId, Reach>,
    states: [States; ASPECTS],
    /// What the alternatives of axes decide that decide a setting alone.
    alone: HashMap<(AxisId, usize), Part>,
    frames: HashMap<u32, Frame>,
    parts: HashMap<PartKey, Part>,
    shapes: Shapes,
    /// By the frame and the optimizer.
    shape_of: HashMap<(u32, &'static str), u32>,
    /// The states of cells without a specification that have been looked at, and the alternatives in them.
    broken: HashSet<[u32; ASPECTS]>,
    broken_alone: HashSet<(AxisId, usize)>,
    /// What each cell is, and its shape.
    cells: Vec<(Fingerprint, u32)>,
    excluded: u64,
}

/// What is known on the way to a cell.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// The combination of alternatives that decide each aspect.
    states: [u32; ASPECTS],
    /// The sum of what is decided alone.
    alone: Part,
    /// Something that is decided alone has not been checked.
    has_new: bool,
    /// Those of the axes.
    marks: Marks,
}

/// What some settings come to, wherever they stand.
#[derive(Debug, Clone, Copy)]
struct Part {
    fingerprint: Fingerprint,
    marks: Marks,
    /// The optimizer, where this is it.
    kind: &'static str,
    /// Whether some cell has been checked that has it.
    is_checked: bool,
}

/// An aspect other than the frame, its state, and what else decides it: the run's number of steps and precision.
type PartKey = (u8, u32, u64, Precision);

#[derive(Debug, Clone, Copy)]
struct Frame {
    part: Part,
    steps: u64,
    precision: Precision,
}

/// A cell as the sum of its parts.
struct Whole {
    fingerprint: Fingerprint,
    marks: Marks,
    frame: u32,
    kind: &'static str,
    /// None where no such cell has been checked.
    shape: Option<u32>,
    is_checked: bool,
}

impl<'s> Visitor<'s> for Surveyor<'_, '_> {
    type Way = Way;

    fn enter(&mut self, way: &Way, axis: &'s Axis, alternative: &'s Alternative) -> Way {
        let mut way = *way;
        if !self.exclusion.is_empty() {
            self.exclusion.note(&axis.name, || alternative.value.clone());
            way.marks = way.marks.and(self.exclusion.of_axis(axis, alternative));
        }
        if axis.is_given {
            return way;
        }
        match self.reaches.get(&axis.id) {
            Some(Reach::Alone(_)) => match self.alone.get(&(axis.id, alternative.position)) {
                Some(part) if part.is_checked => way.alone = way.alone.and(*part),
                _ => way.has_new = true,
            },
            Some(Reach::Aspects(reached)) => {
                for aspect in (0..ASPECTS).filter(|&aspect| reached[aspect]) {
                    way.states[aspect] = self.states[aspect].after(way.states[aspect], axis, alternative);
                }
            }
            None => {}
        }
        way
    }

    fn visit(&mut self, way: &Way, taken: Taken<'_, 's>) {
        // What its axes leave out may be what cannot be had at all.
        if self.exclusion.leaves_out(way.marks) {
            self.excluded += 1;
            return;
        }
        let mut lowered = None;
        if self.assemble(way, taken).is_none() {
            if self.is_known_to_be_broken(way, taken) {
                return;
            }
            let new = self.lower(taken);
            if let Some(spec) = &new.spec {
                self.learn(way, taken, spec);
            }
            lowered = Some(new);
        }
        let cell = self.assemble(way, taken);
        if let Some(cell) = &cell {
            if self.exclusion.leaves_out(cell.marks) {
                self.excluded += 1;
                return;
            }
            if let (Some(shape), true) = (cell.shape, cell.is_checked) {
                self.cells.push((cell.fingerprint, shape));
                return;
            }
        }
        let Lowered { spec, contradictions } = lowered.unwrap_or_else(|| self.lower(taken));
        let is_sound = contradictions.is_empty();
        self.report(taken, contradictions);
        match (cell, spec) {
            (Some(cell), Some(spec)) => {
                let shape = self.note_checked(way, taken, &cell, spec, is_sound);
                self.cells.push((cell.fingerprint, shape));
            }
            _ => {
                self.broken.insert(way.states);
                self.broken_alone.extend(taken.iter().map(|(axis, alternative)| (axis.id, alternative.position)));
            }
        }
    }
}

impl Surveyor<'_, '_> {
    /// The cell as far as everything about it has been seen before; nothing where something has not.
    fn assemble(&self, way: &Way, taken: Taken) -> Option<Whole> {
        let state = way.states[Aspect::Frame as usize];
        let frame = self.frames.get(&state)?;
        let mut alone = way.alone;
        if way.has_new {
            alone = Part::NOTHING;
            for axis in taken.iter().filter(|(axis, _)| self.is_alone(axis)) {
                alone = alone.and(*self.alone.get(&(axis.0.id, axis.1.position))?);
            }
        }
        let mut sum = alone.and(Part { is_checked: true, ..frame.part });
        let mut kind = "";
        for key in part_keys(way, frame) {
            let part = self.parts.get(&key)?;
            kind = kind.max(part.kind);
            sum = sum.and(*part);
        }
        Some(Whole {
            fingerprint: sum.fingerprint,
            marks: sum.marks.and(way.marks),
            frame: state,
            kind,
            shape: self.shape_of.get(&(state, kind)).copied(),
            is_checked: sum.is_checked,
        })
    }

    /// Whether a cell has no specification, and nothing new that could be wrong besides.
    fn is_known_to_be_broken(&self, way: &Way, taken: Taken) -> bool {
        let is_known = |(axis, alternative): &(&Axis, &Alternative)| {
            !self.is_alone(axis) || self.broken_alone.contains(&(axis.id, alternative.position))
        };
        self.broken.contains(&way.states) && taken.iter().all(is_known)
    }

    /// Whether this axis decides settings alone, where it is taken first.
    fn is_alone(&self, axis: &Axis) -> bool {
        !axis.is_given && matches!(self.reaches.get(&axis.id), Some(Reach::Alone(_)))
    }

    /// Notes what the cell of this specification is made of, where that is new.
    fn learn(&mut self, way: &Way, taken: Taken, spec: &RunSpec) {
        let mut settings: HashMap<&'static str, Scalar> = HashMap::new();
        for (name, value) in spec.settings().iter().filter(|(name, _)| *name != "seed") {
            self.exclusion.note(name, || value.to_string());
            settings.insert(name, value.clone());
        }
        for (axis, alternative) in taken.iter().filter(|(axis, _)| !axis.is_given) {
            let Some(Reach::Alone(names)) = self.reaches.get(&axis.id) else { continue };
            let own: Vec<_> = names.iter().filter_map(|name| settings.remove_entry(name.as_str())).collect();
            let part = part(&self.exclusion, &own);
            self.alone.entry((axis.id, alternative.position)).or_insert(part);
        }
        let mut take = |own: Settings| -> Vec<(&'static str, Scalar)> {
            own.iter().filter_map(|(name, _)| settings.remove_entry(name)).collect()
        };
        let mut optimizer = Settings::default();
        spec.optimizer().settings(&mut optimizer);
        let (mut init, mut regularization) = (Settings::default(), Settings::default());
        if let RunSpec::Network(run) = spec {
            run.init.settings(&mut init);
            run.regularization.settings(&mut regularization);
        }
        let others = [take(optimizer), take(init), take(regularization)];
        let rest: Vec<_> = settings.into_iter().collect();
        // Most of what is learned is new in one part alone.
        let exclusion = &self.exclusion;
        let frame = self.frames.entry(way.states[Aspect::Frame as usize]).or_insert_with(|| {
            let mut own = part(exclusion, &rest);
            own.fingerprint = own.fingerprint.and(Fingerprint::of_data(spec.fingerprint()));
            Frame { part: own, steps: spec.steps(), precision: spec.precision() }
        });
        let keys = part_keys(way, frame);
        for (key, own) in keys.into_iter().zip(others) {
            self.parts.entry(key).or_insert_with(|| {
                let kind = if key.0 == Aspect::Optimizer as u8 { spec.optimizer().kind() } else { "" };
                Part { kind, ..part(exclusion, &own) }
            });
        }
    }

    /// Notes that the parts of a cell have been checked; its shape.
    fn note_checked(&mut self, way: &Way, taken: Taken, cell: &Whole, spec: RunSpec, is_sound: bool) -> u32 {
        if let Some(frame) = self.frames.get(&cell.frame) {
            for key in part_keys(way, frame) {
                self.parts.entry(key).and_modify(|part| part.is_checked = true);
            }
        }
        for (axis, alternative) in taken {
            self.alone.entry((axis.id, alternative.position)).and_modify(|part| part.is_checked = true);
        }
        let shapes = &mut self.shapes;
        *self.shape_of.entry((cell.frame, cell.kind)).or_insert_with(|| {
            // Of a plan that cannot be run, nothing counts.
            let cost = if is_sound { Cost::of(&spec) } else { Cost::default() };
            shapes.find(&spec, cost)
        })
    }

    fn report(&mut self, taken: Taken, contradictions: Vec<lower::Contradiction>) {
        let choice = self.experiment.choice(taken.iter().map(|(axis, alternative)| (axis.id, alternative.position)));
        let mut findings = self.findings.cell(taken);
        contradictions
            .into_iter()
            .filter_map(|contradiction| contradiction.into_problem(self.experiment, &choice))
            .for_each(|problem| findings.report(problem));
    }

    /// The specification of a cell, and what is wrong with it.
    fn lower(&mut self, taken: Taken) -> Lowered {
        let choice = self.experiment.choice(taken.iter().map(|(axis, alternative)| (axis.id, alternative.position)));
        let file = match self.experiment.file_under(&choice) {
            Ok(file) => file,
            Err(problem) => {
                // In a file with mistakes this may come of what was left out.
                if self.experiment.is_sound() {
                    self.findings.cell(taken).report(problem);
                }
                return Lowered { spec: None, contradictions: Vec::new() };
            }
        };
        lower::with_data(file, self.known)
    }
}

impl Part {
    const NOTHING: Self = Self { fingerprint: Fingerprint::NOTHING, marks: Marks::NONE, kind: "", is_checked: true };

    /// Both together, checked where both are.
    fn and(self, other: Self) -> Self {
        Self {
            fingerprint: self.fingerprint.and(other.fingerprint),
            marks: self.marks.and(other.marks),
            kind: "",
            is_checked: self.is_checked && other.is_checked,
        }
    }
}

/// What the parts of a cell other than its frame are known by.
fn part_keys(way: &Way, frame: &Frame) -> [PartKey; ASPECTS - 1] {
    [Aspect::Optimizer, Aspect::Init, Aspect::Regularization].map(|aspect| {
        let steps = if aspect == Aspect::Optimizer { frame.steps } else { 0 };
        (aspect as u8, way.states[aspect as usize], steps, frame.precision)
    })
}

fn part(exclusion: &Exclusion, settings: &[(&'static str, Scalar)]) -> Part {
    let pairs = || settings.iter().map(|(name, value)| (*name, value));
    Part {
        fingerprint: Fingerprint::of_all(pairs()),
        marks: exclusion.of_settings(pairs()),
        kind: "",
        is_checked: false,
    }
}
