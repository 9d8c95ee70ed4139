//! `paribus plan FILE`: shows what would run and why, before anything does.

mod axes;
mod json;
mod listing;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::experiment::ExperimentArguments;
use super::training::jobs;
use super::{Failure, out, results_folder, select, warn};
use crate::plan::{Change, Estimate, Outlook, Plan, PlannedRun, State, estimate};
use crate::store::{Inventory, StoredRun};

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    experiment: ExperimentArguments,
    /// The folder to look for results in [default: results/NAME, with --set results/NAME@HASH]
    #[allow(rustdoc::broken_intra_doc_links, reason = "the help says it like this")]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Only the runs with this setting, such as optimizer=adam or seed=0; repeat it for more values or more settings.
    #[arg(long, value_name = "KEY=VALUE")]
    only: Vec<String>,
    /// How many runs would train at the same time, for the estimate [default: one for each core]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=4096))]
    jobs: Option<u32>,
    /// List every run, however many there are; without it, more than 1000 runs are only counted.
    #[arg(long)]
    list: bool,
    /// Print one JSON object, for programs.
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
Examples:
  paribus plan experiments/ch6.toml
  paribus plan experiments/ch6.toml --only optimizer=adam --only seed=0
  paribus plan experiments/ch6.toml --set train.steps=4000
  paribus plan experiments/ch6.toml --json

Each run is new, failed, finished, diverged or archived, which decides what the next `run` does with it. If a run \
takes the place of another, the list says what changed. Time, memory and disk are estimated by timing some updates of \
each shape of network.

Writes nothing, and can be used during a run.

Exit codes: 0 success, 1 the results cannot be read, 2 a mistake in the file or in --only.";

/// More runs than this are listed only with `--list`.
const LISTED: usize = 1000;

/// The time spent on timing.
const TIMING: Duration = Duration::from_millis(30);

/// The contents of a plan's report.
struct PlanReport<'p> {
    plan: &'p Plan,
    results: &'p Path,
    /// The number of selected runs.
    runs: usize,
    /// The number of their updates.
    steps: u128,
    /// The number of selected runs in each state, in the order of [`State::ALL`].
    counts: [u64; State::ALL.len()],
    /// The number of stored runs that get another label.
    relabelled: u64,
    /// Runs that move to the archive.
    leaving: Vec<&'p StoredRun>,
    /// The estimate for the runs that the next `run` trains; `None` if there are none.
    estimate: Option<Estimate>,
    /// The selected runs, if they are listed.
    list: Option<Vec<(PlannedRun<'p>, State, Vec<Change>)>>,
}

/// Shows what a file would run.
pub fn plan(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plan = Plan::new(arguments.experiment.read()?)?;
    warn(&plan);
    let results = results_folder(&plan.experiment, arguments.results.clone());
    let inventory = Inventory::look(&results)?;
    Inventory::check_files(&results)?;
    let jobs = jobs(arguments.jobs);
    let runs: Vec<PlannedRun> = select(&plan, &arguments.only)?.into_iter().map(|index| plan.run(index)).collect();
    let Outlook { runs: states, relabelled, leaving } =
        Outlook::of(&runs, plan.runs(), arguments.only.is_empty(), &inventory, &results)?;
    let mut counts = [0; State::ALL.len()];
    states.iter().for_each(|(state, _)| counts[*state as usize] += 1);
    let trained = runs.iter().zip(&states).filter(|(_, (state, _))| state.is_trained());
    let shapes = plan.shapes(trained.map(|(run, _)| *run));
    let is_listed = runs.len() <= LISTED || arguments.list || !arguments.only.is_empty();
    let report = PlanReport {
        plan: &plan,
        results: &results,
        runs: runs.len(),
        steps: runs.iter().map(|run| u128::from(run.steps())).sum(),
        counts,
        relabelled,
        leaving,
        estimate: (!shapes.is_empty()).then(|| estimate(&plan, &shapes, jobs, TIMING)),
        list: is_listed
            .then(|| runs.into_iter().zip(states).map(|(run, (state, changes))| (run, state, changes)).collect()),
    };
    out(&if arguments.json { json::json(&report) } else { listing::listing(&report) });
    Ok(ExitCode::SUCCESS)
}
