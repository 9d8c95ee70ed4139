//! A single pass over all cells of a space: each is read, lowered and checked. Rules, warnings, exclusions, costs and
//! ids all come from this one stream.
//!
//! Threads take the cells in long rows. Their findings are merged in the order of the file.

use rayon::prelude::*;

use super::contradiction::Rule;
use super::exclude::{Exclusion, Marks};
use super::findings::Findings;
use super::lints::Warnings;
use super::lower::{Known, Lowered};
use super::odometer::Odometer;
use super::shapes::Shapes;
use super::space::Space;
use crate::file::{Experiment, SectionSet, Under};
use crate::settings::RunId;
use crate::spec::RunSpec;
use crate::value::problem::Problem;

/// The result of a stream of cells.
#[derive(Debug)]
pub struct Streamed<'e> {
    /// The cells that are not excluded, in the order of the file.
    pub cells: Vec<Found>,
    /// The ids of their runs; the seeds of a cell are adjacent.
    pub ids: Vec<RunId>,
    /// The number of excluded cells.
    pub excluded: u64,
    pub shapes: Shapes,
    pub warnings: Warnings<'e>,
    /// Mistakes.
    pub problems: Vec<Problem>,
    /// Conditions of `exclude` that match nothing, which is a mistake in a whole plan.
    pub idle_conditions: Vec<Problem>,
}

/// A cell that is not excluded.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its index in the space.
    pub index: u32,
    /// The index of the shape of its runs.
    pub shape: u32,
    /// The run with the first seed, if it is kept.
    pub spec: Option<Box<RunSpec>>,
}

/// A stream that has not been run.
#[derive(Debug, Clone, Copy)]
pub struct Stream<'p> {
    pub experiment: &'p Experiment,
    pub space: &'p Space,
    pub known: &'p Known,
    /// Whether each cell keeps its specification instead of computing its ids, because these depend on other cells.
    pub keeps_specs: bool,
}

/// The number of consecutive cells that a thread takes at a time.
const ROW: u64 = 2048;

/// The number of rows that are in memory before they are merged.
const TOGETHER: usize = 64;

/// The findings in a row of consecutive cells.
#[derive(Debug)]
struct Row<'e> {
    cells: Vec<Found>,
    ids: Vec<RunId>,
    excluded: u64,
    shapes: Shapes,
    warnings: Warnings<'e>,
    findings: Findings,
    exclusion: Exclusion<'e>,
}

impl<'p> Stream<'p> {
    /// Streams all cells.
    ///
    /// # Panics
    /// If the space has more cells than a `u32` can index.
    pub fn all(self) -> Streamed<'p> {
        let size = self.space.size().and_then(|size| u32::try_from(size).ok()).expect("a plan has few enough cells");
        let (experiment, size) = (self.experiment, u64::from(size));
        let mut all = Streamed {
            cells: Vec::new(),
            ids: Vec::new(),
            excluded: 0,
            shapes: Shapes::default(),
            warnings: Warnings::of(experiment),
            problems: Vec::new(),
            idle_conditions: Vec::new(),
        };
        let mut exclusion = match Exclusion::of(experiment) {
            Ok(exclusion) => exclusion,
            Err(problem) => {
                all.problems.push(problem);
                return all;
            }
        };
        let (fresh, mut findings) = (exclusion.clone(), Findings::default());
        let rows: Vec<u64> = (0..size.div_ceil(ROW)).collect();
        for rows in rows.chunks(TOGETHER) {
            let one = |row: &u64| self.row(row * ROW..size.min((row + 1) * ROW), fresh.clone());
            let rows: Vec<Row> = rows.par_iter().map(one).collect();
            for row in rows {
                let names = all.shapes.merge(row.shapes);
                all.cells.extend(row.cells.into_iter().map(|cell| Found { shape: names[cell.shape as usize], ..cell }));
                all.ids.extend(row.ids);
                all.excluded += row.excluded;
                all.warnings.merge(row.warnings);
                findings.merge(row.findings);
                exclusion.merge(row.exclusion);
            }
        }
        if findings.is_empty() && experiment.is_sound() {
            all.idle_conditions = exclusion.problems(experiment);
        }
        all.problems.extend(findings.into_problems(&experiment.variants()));
        all
    }

    fn row(self, indices: std::ops::Range<u64>, exclusion: Exclusion<'p>) -> Row<'p> {
        let Self { experiment, space, known, keeps_specs } = self;
        let mut row = Row {
            cells: Vec::new(),
            ids: Vec::new(),
            excluded: 0,
            shapes: Shapes::default(),
            warnings: Warnings::of(experiment),
            findings: Findings::default(),
            exclusion,
        };
        let mut odometer = Odometer::at(experiment, space, indices.start.into());
        let mut under = Under::new(experiment);
        let (mut lowered, mut unread) = (Lowered::default(), SectionSet::ALL);
        for index in indices.clone() {
            if index > indices.start {
                odometer.advance();
            }
            unread = unread.or(odometer.moved());
            // First, since a cell that is excluded by its axes may be one that cannot be lowered. It is only lowered to
            // find out whether its settings match another condition.
            let marks = row.marks_of_axes(&odometer);
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
                        let mut findings = row.findings.cell(odometer.taken(), odometer.choice());
                        findings.report(problem.clone(), Rule::Within(section));
                    }
                    (lowered, unread) = (Lowered::default(), SectionSet::ALL);
                    continue;
                }
            };
            lowered.update(sections, changed, known);
            let marks = marks.and(row.marks_of_settings(&lowered));
            if row.exclusion.leaves_out(marks) {
                row.excluded += u64::from(!is_out);
                continue;
            }
            let contradictions = lowered.contradictions(sections);
            let is_sound = contradictions.is_empty();
            if !is_sound {
                let mut findings = row.findings.cell(odometer.taken(), odometer.choice());
                for found in contradictions {
                    let rule = found.rule();
                    if let Some(problem) = found.into_problem(experiment, odometer.choice()) {
                        findings.report(problem, rule);
                    }
                }
            }
            let Some(spec) = lowered.spec().filter(|_| is_sound) else { continue };
            row.warnings.look(spec, odometer.choice());
            if !keeps_specs {
                row.ids.extend(lowered.run_ids(experiment.seeds.get()));
            }
            row.cells.push(Found {
                index: index as u32,
                shape: row.shapes.add(spec, lowered.rate(), index as u32),
                spec: keeps_specs.then(|| Box::new(spec.clone())),
            });
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

impl Row<'_> {
    fn marks_of_axes(&mut self, odometer: &Odometer) -> Marks {
        if self.exclusion.is_empty() {
            return Marks::NONE;
        }
        let choice = odometer.choice();
        odometer.taken().for_each(|taken| self.exclusion.note(taken.name(), || taken.value(choice)));
        self.exclusion.of_axes(odometer.taken(), choice)
    }

    fn marks_of_settings(&mut self, lowered: &Lowered) -> Marks {
        if self.exclusion.is_empty() {
            return Marks::NONE;
        }
        lowered.settings().for_each(|(name, value)| self.exclusion.note(name, || value.to_string()));
        self.exclusion.of_settings(lowered.settings())
    }
}
