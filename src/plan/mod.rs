//! The plan: every run that a file declares, with its id, label and specification, before anything is trained.

mod aspects;
mod cell;
mod cost;
mod estimate;
mod exclude;
mod findings;
mod fingerprint;
mod lints;
mod list;
mod lower;
mod outlook;
#[cfg(test)]
mod round_trip_tests;
#[cfg(test)]
mod schema_tests;
mod script;
mod select;
mod space;
mod survey;
#[cfg(test)]
mod survey_tests;
#[cfg(test)]
mod sweep_tests;
#[cfg(test)]
mod tests;
mod walk;

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use crate::data::{Data, Info};
use crate::file::{Experiment, Mistakes};
use crate::random::Rng;
use crate::seed::Seed;
use crate::settings::{RunId, Settings};
use crate::spec::RunSpec;
use crate::value::problem::Problem;

use cell::Cell;
pub use cost::Cost;
pub use estimate::{Estimate, estimate};
use exclude::Exclusion;
use list::Runs;
use lower::Known;
pub use outlook::{Change, Outlook, State, count_states};
pub use select::{NotFound, Selection, SelectionError, find};
pub use space::{Alternative, Axis, Space};
pub use survey::{Shape, Survey, shapes};

/// Everything that a file declares, counted but not listed.
#[derive(Debug)]
pub struct Outline {
    pub experiment: Experiment,
    pub space: Space,
    pub survey: Survey,
    known: Known,
}

/// Everything that a file declares.
#[derive(Debug)]
pub struct Plan {
    pub experiment: Experiment,
    pub space: Space,
    pub survey: Survey,
    /// In the order of the file: axes as they first appear, the last one fastest, seeds innermost. No id twice.
    pub runs: Vec<PlannedRun>,
    /// Cells that turned out to be a run that was there before.
    pub duplicates: Vec<Duplicate>,
}

/// One run, before it is trained: a cell with a seed. There may be a million of them, so what the runs of a cell have in common
/// is there once.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    pub id: RunId,
    pub trajectory_id: RunId,
    pub seed: Seed,
    of: Arc<Common>,
}

/// What the runs of a cell have in common, whatever their seeds.
#[derive(Debug)]
pub struct Common {
    /// Which cell of the plan's space it is.
    pub cell: u128,
    /// Names the declared axes only; the same for all seeds.
    pub label: String,
    /// What the declared axes are here: name and value.
    pub varies: Vec<(String, String)>,
    /// The name that the file gives the optimizer; its kind where it gives none.
    pub optimizer_name: String,
    pub cost: Cost,
    /// With the first seed.
    spec: RunSpec,
}

/// Two cells with the same settings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Duplicate {
    pub label: String,
    pub same_as: String,
}

/// More runs than this are refused.
const MOST_RUNS: u128 = 10_000_000;

/// So many cells are looked at for what is surely not meant.
const LOOKED_AT: u128 = 2000;

/// A list of more runs than this would take gigabytes of memory.
const MOST_LISTED: u64 = 1_000_000;

impl PlannedRun {
    /// Label and seed, as messages name a run.
    pub fn name(&self) -> String {
        format!("{}, seed {}", self.label, self.seed.get())
    }

    /// Everything that decides what the run records.
    pub fn spec(&self) -> RunSpec {
        self.of.spec.with_seed(self.seed)
    }

    /// The run as one map of names to scalars: its identity.
    pub fn settings(&self) -> Settings {
        self.of.spec.settings_with(self.seed)
    }

    /// The data that the run needs, and what is known of it.
    pub fn data(&self) -> Option<(Cow<'_, Data>, &Info)> {
        self.of.spec.data_with(self.seed)
    }
}

impl Common {
    /// What the runs are, but for their seeds, and what one of them costs.
    pub fn shape(&self) -> (&RunSpec, Cost) {
        (&self.spec, self.cost)
    }

    /// How many updates are made.
    pub fn steps(&self) -> u64 {
        self.spec.steps()
    }

    /// How many numbers are trained, or `u64::MAX` where there are more.
    pub fn parameters(&self) -> u64 {
        self.spec.parameters()
    }

    /// Names the content of the data; empty where there is none.
    pub fn fingerprint(&self) -> &str {
        self.spec.fingerprint()
    }
}

impl Deref for PlannedRun {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.of
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

impl Outline {
    /// Checks `experiment` and counts what it declares, without making a list of it.
    ///
    /// # Errors
    /// Every mistake in the file: values that are not accepted, contradictions between those that are, data that cannot be
    /// read, more runs than can be planned.
    pub fn new(experiment: Experiment) -> Result<Self, Mistakes> {
        let experiment = match script::with_drawn_trials(&experiment) {
            Ok(drawn) => drawn.unwrap_or(experiment),
            Err(problems) => return Err(experiment.into_mistakes(problems)),
        };
        let mut known = Known::new();
        let outlined = outline(&experiment, &mut known).and_then(|(space, survey)| {
            if matches!(experiment.rng, Rng::Paribus) {
                return Ok((space, survey));
            }
            // What a run of a script is depends on the runs before it.
            if survey.cells() > MOST_LISTED {
                let message =
                    format!("`rng`: {} combinations are more than a script can have: {MOST_LISTED}", survey.cells());
                return Err(vec![Problem::new(message).help("take fewer values, or leave `rng` out")]);
            }
            let mut cells = list::cells(&experiment, &space, &known).0;
            script::assign(&experiment, &mut cells)?;
            let excluded = survey.excluded;
            Ok((space, Survey { excluded, ..Survey::of_cells(&cells) }))
        });
        match outlined {
            Ok((space, survey)) if experiment.is_sound() => Ok(Self { experiment, space, survey, known }),
            Ok(_) => Err(experiment.into_mistakes(Vec::new())),
            Err(problems) => Err(experiment.into_mistakes(problems)),
        }
    }

    /// How many different runs there are.
    pub fn runs(&self) -> u64 {
        self.survey.cells() * self.experiment.seeds.get().len() as u64
    }

    /// What is legal in the file and surely not meant. Of very many cells, `LOOKED_AT` are looked at, spread over the plan.
    pub fn warnings(&self) -> Vec<Problem> {
        let Ok(exclusion) = Exclusion::of(&self.experiment) else { return Vec::new() };
        let count = self.space.size().unwrap_or_default();
        // The stride has no factor in common with the number of cells, so that no value of an axis is left out by a rhythm.
        let mut stride = count / LOOKED_AT.min(count).max(1);
        while stride > 1 && has_common_factor(stride, count) {
            stride += 1;
        }
        let indices = (0..count.min(LOOKED_AT)).map(|step| step * stride % count);
        let cells: Vec<Cell> = indices
            .filter_map(|index| list::cell_at(&self.experiment, &self.space, &self.known, &exclusion, index).ok()?)
            .collect();
        lints::warnings(
            &self.experiment,
            &self.space,
            self.survey.cells(),
            cells.iter().map(|cell| (cell.index, &cell.spec)),
        )
    }

    /// How many updates they make together.
    pub fn steps(&self) -> u128 {
        let of_shape = |shape: &Shape| u128::from(shape.cells) * u128::from(shape.spec.steps());
        self.survey.shapes.iter().map(of_shape).sum::<u128>() * self.experiment.seeds.get().len() as u128
    }
}

impl Plan {
    /// Checks `experiment` and lists its runs.
    ///
    /// # Errors
    /// As [`Outline::new`], and where there are more runs than can be listed.
    pub fn new(experiment: Experiment) -> Result<Self, Mistakes> {
        Outline::new(experiment)?.list()
    }

    /// Names the plan: blake3 of its ids and labels in any order, 16 hexadecimal digits.
    pub fn hash(&self) -> String {
        let mut lines: Vec<String> = self.runs.iter().map(|run| format!("{} {}\n", run.id, run.label)).collect();
        lines.sort();
        blake3::hash(lines.concat().as_bytes()).to_hex()[..16].to_owned()
    }
}

impl Outline {
    /// The list of its runs.
    ///
    /// # Errors
    /// Where they are more than can be listed.
    pub fn list(self) -> Result<Plan, Mistakes> {
        if self.runs() > MOST_LISTED {
            let problem =
                Problem::new(format!("{} runs are more than can be run together: {MOST_LISTED}", self.runs()));
            return Err(self.experiment.into_mistakes(vec![problem.help("divide the file, for example by `seeds`")]));
        }
        let seeds = self.experiment.seeds.get();
        let listed = match self.experiment.rng {
            Rng::Paribus => list::runs(&self.experiment, &self.space, &self.known),
            // What a run of a script is depends on all the others.
            Rng::Numpy(_) => {
                let mut cells = list::cells(&self.experiment, &self.space, &self.known).0;
                script::assign(&self.experiment, &mut cells).map(|()| Runs::of(cells, seeds))
            }
        };
        let Runs { runs, duplicates, .. } = match listed {
            Ok(listed) => listed,
            Err(problems) => return Err(self.experiment.into_mistakes(problems)),
        };
        if runs.len() as u64 != self.runs() {
            let message =
                format!("the plan counts {} runs and lists {}: this is a bug in paribus", self.runs(), runs.len());
            return Err(self.experiment.into_mistakes(vec![Problem::new(message)]));
        }
        let Self { experiment, space, survey, .. } = self;
        Ok(Plan { experiment, space, survey, runs, duplicates })
    }
}

/// The space of a file, and what a survey of it finds.
fn outline(experiment: &Experiment, known: &mut Known) -> Result<(Space, Survey), Vec<Problem>> {
    let too_many = || {
        let problem = Problem::new(
            "the axes of the file have more values than can be planned, those within others counted each time",
        );
        vec![problem.help("take fewer values, or divide the file")]
    };
    let space = Space::of(&experiment.tree.root).ok_or_else(too_many)?;
    within_bounds(&space, experiment.seeds.get().len()).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let survey = survey::survey(experiment, &space, known, &mut problems);
    let seeds = experiment.seeds.get().len();
    let is_function = |shape: &Shape| matches!(shape.spec, RunSpec::Function(_));
    if problems.is_empty() && seeds > 1 && survey.cells() > 0 && survey.shapes.iter().all(is_function) {
        let message = format!(
            "the path over a function draws no random numbers: with {seeds} seeds it is the same {seeds} times"
        );
        let origin = experiment.tree.root.entry("seeds").map(|entry| entry.value.origin.clone());
        problems.push(Problem { origin, ..Problem::new(message) }.help("leave `seeds` out"));
    }
    if problems.is_empty() && survey.cells() == 0 && survey.excluded > 0 {
        let sweep = experiment.tree.root.entry("sweep");
        let origin = sweep.and_then(|sweep| sweep.value.entry("exclude")).map(|entry| entry.key_origin.clone());
        problems.push(Problem { origin, ..Problem::new("`exclude` leaves nothing to run") });
    }
    if problems.is_empty() { Ok((space, survey)) } else { Err(problems) }
}

/// Every cell of the file, in its order.
///
/// # Errors
/// As [`outline`].
fn cells(experiment: &Experiment) -> Result<Vec<Cell>, Vec<Problem>> {
    let mut known = Known::new();
    let (space, _) = outline(experiment, &mut known)?;
    Ok(list::cells(experiment, &space, &known).0)
}

fn has_common_factor(a: u128, b: u128) -> bool {
    let (mut a, mut b) = (a, b);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a > 1
}

/// The number of cells, where the runs are not too many.
fn within_bounds(space: &Space, seeds: usize) -> Result<u128, Problem> {
    let runs = space.size().and_then(|cells| cells.checked_mul(seeds as u128));
    match (space.size(), runs) {
        (Some(cells), Some(runs)) if runs <= MOST_RUNS => Ok(cells),
        (_, runs) => {
            let mut factors: Vec<String> = told_apart(space)
                .into_iter()
                .map(|axis| format!("{} {}", axis.size().unwrap_or(u128::MAX), axis.name))
                .collect();
            factors.push(format!("{seeds} seeds"));
            let count = runs.map_or("more than 2^128".to_owned(), |runs| runs.to_string());
            Err(Problem::new(format!("the file declares {count} runs, more than {MOST_RUNS}"))
                .help(format!("they are {}", factors.join(" × "))))
        }
    }
}

/// The axes of `space`, and in the place of one optimizer alone, which is none, those within it.
pub fn told_apart(space: &Space) -> Vec<&Axis> {
    let mut axes = Vec::new();
    for axis in &space.axes {
        match axis.alternatives.as_slice() {
            [only] if !axis.is_declared => axes.extend(told_apart(&only.inner)),
            _ => axes.push(axis),
        }
    }
    axes
}
