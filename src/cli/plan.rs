//! `paribus plan FILE`: what would run and why, before anything does.

mod axes;
mod json;
mod listing;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::experiment::Asked;
use super::training::default_jobs;
use super::{Failure, out, results_folder, select, warn};
use crate::file::Experiment;
use crate::plan::{
    Change, Duplicate, Estimate, Outline, Outlook, PlannedRun, Space, State, Survey, count_states, estimate, shapes,
};
use crate::store::{Inventory, Known};

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    experiment: Asked,
    /// The folder to look for results in [default: results/NAME, with --set results/NAME@HASH]
    #[allow(rustdoc::broken_intra_doc_links, reason = "the help says it like this")]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Only the runs with this setting, such as optimizer=adam or seed=0; repeat it for more values or more settings.
    #[arg(long, value_name = "KEY=VALUE")]
    only: Vec<String>,
    /// How many runs would train at the same time, for the estimate [default: one for each core]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=4096))]
    jobs: Option<u32>,
    /// List every run, however many there are; without it more than 1000 are counted only.
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

Each run is new, failed, finished, diverged or archived, which decides what the next `run` does with it; for a run that takes the
place of another, what changed is told. Time, memory and disk are estimated by timing some updates of each shape of network.

Writes nothing, and may be used while a run is at work.

Exit codes: 0 all well, 2 a mistake in the file or in --only, 1 results that cannot be read.";

/// More runs than this are listed only where that is asked for.
const LISTED: u64 = 1000;

/// However many of them are the same run, it takes time to find more cells than this in a list.
const LISTED_CELLS: u128 = 100_000;

/// As long as this is spent on timing.
const TIMING: Duration = Duration::from_millis(30);

/// Everything there is to say about a plan.
struct Report<'p> {
    experiment: &'p Experiment,
    space: &'p Space,
    survey: &'p Survey,
    results: &'p Path,
    /// The runs that were asked for, and all of the plan's.
    runs: u64,
    of: u64,
    /// Of those that were asked for.
    steps: u128,
    /// By state, in the order of [`State::ALL`].
    counts: [u64; State::ALL.len()],
    /// Runs that get another label, as far as they are listed.
    relabelled: u64,
    /// Runs that move to the archive.
    leaving: u64,
    /// Of what the next `run` trains; nothing where it trains nothing.
    estimate: Option<Estimate>,
    list: Option<List<'p>>,
}

/// The runs of a plan, one by one.
struct List<'p> {
    runs: Vec<(&'p PlannedRun, State, Vec<Change>)>,
    leaving: Vec<&'p Known>,
    duplicates: &'p [Duplicate],
}

/// Tells what a file would run.
pub fn plan(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let outline = Outline::new(arguments.experiment.read()?)?;
    warn(&outline);
    let results = results_folder(&outline.experiment, arguments.results.clone());
    let inventory = Inventory::look(&results)?;
    Inventory::check_files(&results)?;
    let jobs = arguments.jobs.map_or_else(default_jobs, |jobs| jobs as usize);
    let show = |report: &Report| out(&if arguments.json { json::json(report) } else { listing::listing(report) });

    let is_large = outline.runs() > LISTED || outline.space.size().is_none_or(|cells| cells > LISTED_CELLS);
    if is_large && !arguments.list && arguments.only.is_empty() {
        let (counts, leaving) = count_states(&outline, &inventory, &results)?;
        let Outline { experiment, space, survey, .. } = &outline;
        let seeds = experiment.seeds.get().len() as u64;
        let is_trained = State::ALL.iter().zip(counts).any(|(state, count)| state.is_trained() && count > 0);
        show(&Report {
            experiment,
            space,
            survey,
            results: &results,
            runs: outline.runs(),
            of: outline.runs(),
            steps: outline.steps(),
            counts,
            relabelled: 0,
            leaving,
            estimate: is_trained.then(|| estimate(&survey.shapes, seeds, jobs, TIMING)),
            list: None,
        });
        return Ok(ExitCode::SUCCESS);
    }

    let plan = outline.list()?;
    let runs: Vec<&PlannedRun> = select(&plan, &arguments.only)?.into_iter().map(|index| &plan.runs[index]).collect();
    let Outlook { runs: states, relabelled, leaving } =
        Outlook::of(&runs, &plan.runs, arguments.only.is_empty(), &inventory, &results)?;
    let mut counts = [0; State::ALL.len()];
    states.iter().for_each(|(state, _)| counts[*state as usize] += 1);
    let trained = runs.iter().zip(&states).filter(|(_, (state, _))| state.is_trained());
    let shapes = shapes(trained.map(|(run, _)| run.shape()));
    show(&Report {
        experiment: &plan.experiment,
        space: &plan.space,
        survey: &plan.survey,
        results: &results,
        runs: runs.len() as u64,
        of: plan.runs.len() as u64,
        steps: runs.iter().map(|run| u128::from(run.steps())).sum(),
        counts,
        relabelled,
        leaving: leaving.len() as u64,
        estimate: (!shapes.is_empty()).then(|| estimate(&shapes, 1, jobs, TIMING)),
        list: Some(List {
            runs: runs.into_iter().zip(states).map(|(run, (state, changes))| (run, state, changes)).collect(),
            leaving,
            duplicates: &plan.duplicates,
        }),
    });
    Ok(ExitCode::SUCCESS)
}
