//! A single pass over all cells of a space: each is read, lowered and checked. Rules, warnings, exclusions, costs and
//! ids all come from this one stream.
//!
//! Threads take the cells in long rows. Their findings are merged in the order of the file.

use rayon::prelude::*;

use super::contradiction::Rule;
use super::exclude::Exclusion;
use super::findings::Findings;
use super::lints::Warnings;
use super::lower::{Known, Lowered};
use super::odometer::Odometer;
use super::shapes::Shapes;
use super::space::Space;
use crate::file::{Experiment, SectionSet, Under};
use crate::value::problem::Problem;
use engine::settings::RunId;
use engine::spec::RunSpec;

/// What is found in consecutive cells.
#[derive(Debug)]
pub struct Streamed<'e> {
    /// Those that are not excluded, in the order of the file.
    pub cells: Vec<Cell>,
    /// The ids of their runs, the seeds of a cell adjacent; or their [specifications](Stream::keeps_specs).
    pub ids: Vec<RunId>,
    pub specs: Vec<RunSpec>,
    /// The number of excluded cells.
    pub excluded: u64,
    pub shapes: Shapes,
    pub warnings: Warnings<'e>,
    findings: Findings,
    exclusion: Exclusion<'e>,
}

/// One combination of the values of all axes.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// Its index in the space.
    pub index: u32,
    /// The index of the shape of its runs.
    pub shape: u32,
}

/// A stream that has not been run.
#[derive(Debug, Clone, Copy)]
pub struct Stream<'p> {
    pub experiment: &'p Experiment,
    pub space: &'p Space,
    pub known: &'p Known,
    /// Whether the run with the first seed of each cell is kept instead of ids, because these depend on other cells.
    pub keeps_specs: bool,
}

/// The number of consecutive cells that a thread takes at a time.
const ROW: u64 = 2048;

/// The number of rows that are in memory before they are merged.
const TOGETHER: usize = 64;

impl<'p> Stream<'p> {
    /// Streams all cells.
    ///
    /// # Errors
    /// Every mistake in them.
    ///
    /// # Panics
    /// If the space has more cells than a `u32` can index.
    pub fn all(self) -> Result<Streamed<'p>, Vec<Problem>> {
        let size = self.space.size().and_then(|size| u32::try_from(size).ok()).expect("a plan has few enough cells");
        let size = u64::from(size);
        let conditions = Exclusion::of(self.experiment).map_err(|problem| vec![problem])?;
        let mut all = Streamed::none(self.experiment, conditions);
        let rows: Vec<u64> = (0..size.div_ceil(ROW)).collect();
        for rows in rows.chunks(TOGETHER) {
            // What earlier rows have matched need not be looked for again.
            let conditions = all.exclusion.clone();
            let one = |row: &u64| self.row(row * ROW..size.min((row + 1) * ROW), conditions.clone());
            let rows: Vec<Streamed> = rows.par_iter().map(one).collect();
            rows.into_iter().for_each(|row| all.merge(row));
        }
        let problems = std::mem::take(&mut all.findings).into_problems(&self.experiment.variants());
        if problems.is_empty() { Ok(all) } else { Err(problems) }
    }

    fn row(self, indices: std::ops::Range<u64>, conditions: Exclusion<'p>) -> Streamed<'p> {
        let Self { experiment, space, known, keeps_specs } = self;
        let mut row = Streamed::none(experiment, conditions);
        let mut odometer = Odometer::at(experiment, space, indices.start.into());
        let mut under = Under::new(experiment);
        let (mut lowered, mut unread) = (Lowered::default(), SectionSet::ALL);
        for index in indices.clone() {
            if index > indices.start {
                odometer.advance();
            }
            unread = unread.or(odometer.moved());
            // This comes first, because a cell that its axes exclude may be impossible to lower. It is lowered only to
            // find out whether its settings match another condition.
            let marks = row.exclusion.of_axes(&odometer);
            let is_out = row.exclusion.leaves_out(marks);
            row.excluded += u64::from(is_out);
            if is_out && row.exclusion.have_all_matched() {
                continue;
            }
            let changed = std::mem::replace(&mut unread, SectionSet::NONE);
            under.turn(odometer.choice(), changed);
            let sections = match under.sections() {
                Ok(sections) => sections,
                Err((section, problem)) => {
                    // In a file with mistakes, this may be caused by a value that was dropped.
                    if experiment.is_sound() && !is_out {
                        let rule = Rule::within_generated(section, experiment, odometer.choice());
                        row.findings.report(problem.clone(), rule, &odometer);
                    }
                    (lowered, unread) = (Lowered::default(), SectionSet::ALL);
                    continue;
                }
            };
            lowered.update(sections, changed, known);
            let marks = marks.and(row.exclusion.of_settings(lowered.settings()));
            if row.exclusion.leaves_out(marks) {
                row.excluded += u64::from(!is_out);
                continue;
            }
            let contradictions = lowered.contradictions(sections);
            let is_sound = contradictions.is_empty();
            for found in contradictions {
                let rule = found.rule_of_generated(experiment, odometer.choice());
                if let Some(problem) = found.into_problem(experiment, odometer.choice()) {
                    row.findings.report(problem, rule, &odometer);
                }
            }
            let Some(spec) = lowered.spec().filter(|_| is_sound) else { continue };
            row.warnings.look(spec, odometer.choice());
            match keeps_specs {
                true => row.specs.push(spec.clone()),
                false => row.ids.extend(lowered.run_ids(experiment.seeds.get())),
            }
            let index = index as u32;
            row.cells.push(Cell { index, shape: row.shapes.add(spec, lowered.rate(), index) });
        }
        row
    }

    /// The run with the first seed of the cell `index`.
    pub fn cell(self, index: u32) -> Option<RunSpec> {
        let odometer = Odometer::at(self.experiment, self.space, index.into());
        let (mut under, mut lowered) = (Under::new(self.experiment), Lowered::default());
        under.turn(odometer.choice(), SectionSet::ALL);
        lowered.update(under.sections().ok()?, SectionSet::ALL, self.known);
        lowered.into_spec()
    }
}

impl<'e> Streamed<'e> {
    /// Nothing, before any cell.
    fn none(experiment: &'e Experiment, conditions: Exclusion<'e>) -> Self {
        Self {
            cells: Vec::new(),
            ids: Vec::new(),
            specs: Vec::new(),
            excluded: 0,
            shapes: Shapes::default(),
            warnings: Warnings::of(experiment),
            findings: Findings::default(),
            exclusion: conditions,
        }
    }

    /// Adds what is found in other cells, after these.
    fn merge(&mut self, other: Self) {
        let names = self.shapes.merge(other.shapes);
        self.cells.extend(other.cells.into_iter().map(|cell| Cell { shape: names[cell.shape as usize], ..cell }));
        self.ids.extend(other.ids);
        self.specs.extend(other.specs);
        self.excluded += other.excluded;
        self.warnings.merge(other.warnings);
        self.findings.merge(other.findings);
        self.exclusion.merge(other.exclusion);
    }

    /// The conditions of `exclude` that match none of the cells, which is a mistake if these are all.
    pub fn idle_conditions(&self, experiment: &Experiment) -> Vec<Problem> {
        if experiment.is_sound() { self.exclusion.problems(experiment) } else { Vec::new() }
    }
}
