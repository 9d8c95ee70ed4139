//! `paribus run FILE`: trains the missing runs and writes their results.

pub mod summary;

use std::cell::LazyCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::MultiProgress;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::experiment::ExperimentArguments;
use super::progress::Reporter;
use super::training::{self, Datasets, TrainedRun, items};
use super::units::duration;
use super::{Failure, counted, note, out, results_folder, select, warn};
use crate::plan::{Plan, PlannedRun};
use crate::runner::{self, Ended, Event, Progress};
use crate::store::{self, Context, Inventory, Reconciled, Results, RunResult, RunRow, StoredRun, Summary};
use engine::kernel::Instructions;

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    experiment: ExperimentArguments,
    /// How many runs train at the same time [default: one for each core]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=4096))]
    jobs: Option<u32>,
    /// The folder to write to [default: results/NAME, with --set results/NAME@HASH]
    #[allow(rustdoc::broken_intra_doc_links, reason = "the help says it like this")]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Only the runs with this setting, such as optimizer=adam or seed=0; repeat it for more values or more settings.
    #[arg(long, value_name = "KEY=VALUE")]
    only: Vec<String>,
    /// Train runs again even if they have results, and say whether any bit changed.
    #[arg(long)]
    fresh: bool,
    /// Print only errors.
    #[arg(short, long)]
    quiet: bool,
}

const HELP: &str = "\
Examples:
  paribus run experiments/ch6.toml                          train the missing runs
  paribus run experiments/ch6.toml --only optimizer=adam --only seed=0
  paribus run experiments/ch6.toml --only lr=0.1 --only lr=0.01    runs with either rate
  paribus run experiments/ch6.toml --fresh                  train again, say whether any bit changed

Runs that have results are not trained again. Runs that the file no longer asks for move to the archive of the results \
folder, and come back when it asks for them again; with --only, nothing moves. Ctrl-C saves the finished runs and \
stops; the same command then trains the rest.

Writes results/NAME/, or the folder that --results names: experiment.toml and a folder of Parquet files for each table.

Exit codes: 0 success, 1 a run or a file operation failed, 2 a mistake in the file or in --only, 130 interrupted.";

/// Trains the runs of a file that are missing.
pub fn run(arguments: &Arguments, bars: &MultiProgress) -> Result<ExitCode, Failure> {
    let begin = Instant::now();
    let plan = Plan::new(arguments.experiment.read()?)?;
    if !arguments.quiet {
        warn(&plan);
    }
    let chosen = select(&plan, &arguments.only)?;
    let folder = results_folder(&plan.experiment, arguments.results.clone());
    let stop = stop_on_signals()?;

    let runs: Vec<PlannedRun> = chosen.iter().map(|&index| plan.run(index)).collect();
    // Reads the data first: if it is unavailable, the results are unchanged.
    let there = Inventory::look(&folder)?;
    let is_kept = |run: &&PlannedRun| !arguments.fresh && there.has_result_of(run.id());
    let mut data = Datasets::default();
    data.load(plan.data(runs.iter().filter(|run| !is_kept(run)).copied()))?;

    let name = plan.experiment.name.as_str();
    let other = if there.runs.is_empty() { None } else { other_experiment(&folder, name)? };
    let mut results = Results::open(&folder, context(&plan))?;
    let wanted = runs.iter().map(|run| (run.id(), run.label())).collect();
    let reconciled = results.reconcile(&wanted, arguments.only.is_empty())?;
    let (kept, missing): (Vec<PlannedRun>, Vec<PlannedRun>) =
        runs.iter().partition(|run| !arguments.fresh && results.inventory().runs.contains_key(&run.id()));
    // Reads more only if another process has removed results in the meantime.
    data.load(plan.data(missing.iter().copied()))?;
    let say = |text: String| {
        if !arguments.quiet {
            note(&text);
        }
    };
    if let Some(other) = other.filter(|_| reconciled.archived > 0) {
        tracing::warn!(
            "{} held runs of `{other}`: those that `{name}` does not ask for are now in its archive",
            folder.display()
        );
    }
    if let Some(sentence) = moved(reconciled) {
        say(sentence);
    }
    if !arguments.quiet {
        super::merged(&plan).iter().for_each(|line| note(line));
    }

    let mut trained = Ok(());
    let mut session = Session {
        runs: &missing,
        results,
        reporter: None,
        fresh: arguments.fresh,
        comparison: Comparison::default(),
        failures: Vec::new(),
    };
    if Instructions::in_use().is_fused_multiply_add_emulated() {
        tracing::warn!(
            "the instruction set in use has no fused multiply-add; emulating it gives the same results, but takes \
             about 100 times as long"
        );
    }
    tracing::info!(
        "{}: {} with results, {} to train, instructions {}",
        folder.display(),
        counted(kept.len(), "run"),
        missing.len(),
        Instructions::in_use()
    );
    if missing.is_empty() {
        say(format!("{} already; nothing to train", have_results(kept.len())));
    } else {
        let jobs = training::jobs(arguments.jobs).min(missing.len());
        say(format!(
            "{}: training {}, {}, {} at a time{}",
            plan.experiment.name.as_str(),
            counted(missing.len(), "run"),
            counted(missing.iter().map(|run| u128::from(run.steps())).sum::<u128>(), "step"),
            jobs,
            if kept.is_empty() { String::new() } else { format!("; {} already", have_results(kept.len())) },
        ));
        let reporter = Reporter::new(bars, arguments.quiet, items(&missing));
        trained = session.execute(jobs, &stop, reporter, |run, watch| data.train(run, watch));
    }
    let Session { results, comparison, failures, .. } = session;
    // Writes the completed runs first, even after an error.
    let inventory = results.finish()?;
    trained?;

    if !arguments.quiet {
        out(&summary::table(&runs, &inventory));
        out(&format!("\nresults in {} ({})\n", folder.display(), duration(begin.elapsed().as_secs_f64())));
    }
    if arguments.fresh {
        say(comparison.to_string());
    }
    if let [first, others @ ..] = failures.as_slice() {
        let more =
            if others.is_empty() { String::new() } else { format!(" ({} more)", counted(others.len(), "failed run")) };
        note(&format!("error: {first}{more}"));
        note("everything else is saved; the same command tries the failed runs again");
        return Ok(ExitCode::from(1));
    }
    let saved = runs.iter().filter(|run| inventory.runs.contains_key(&run.id())).count();
    if stop.load(Ordering::Relaxed) && arguments.fresh && comparison.count() < missing.len() as u64 {
        let (done, all) = (comparison.count(), counted(missing.len(), "run"));
        note(&format!("interrupted: {done} of {all} were trained again"));
        return Ok(ExitCode::from(130));
    }
    if stop.load(Ordering::Relaxed) && saved < runs.len() {
        note(&format!(
            "interrupted: {saved} of {} are saved; the same command trains the rest",
            counted(runs.len(), "run")
        ));
        return Ok(ExitCode::from(130));
    }
    Ok(ExitCode::SUCCESS)
}

/// The name of another experiment with runs in the folder's tables.
fn other_experiment(folder: &Path, name: &str) -> Result<Option<String>, Failure> {
    let batches = store::Survey::of(folder)?.batches;
    let shown = batches.into_iter().filter(|batch| !batch.is_archived).map(|batch| batch.origin.context.experiment);
    Ok(shown.into_iter().find(|other| other != name))
}

/// `1 run has results`, `2 runs have results`.
fn have_results(count: usize) -> String {
    format!("{} {} results", counted(count, "run"), if count == 1 { "has" } else { "have" })
}

/// Trains, records and reports, while the runner runs.
struct Session<'a> {
    /// The runs to be trained.
    runs: &'a [PlannedRun<'a>],
    results: Results,
    reporter: Option<Reporter>,
    fresh: bool,
    comparison: Comparison,
    /// Which runs failed, and why.
    failures: Vec<String>,
}

impl Session<'_> {
    /// Does `work` for each of the runs, `jobs` at a time, and records the results.
    fn execute(
        &mut self,
        jobs: usize,
        stop: &AtomicBool,
        reporter: Reporter,
        work: impl Fn(PlannedRun, &mut dyn FnMut(u64) -> ControlFlow<()>) -> TrainedRun + Sync,
    ) -> Result<(), Failure> {
        let runs = self.runs;
        let costs: Vec<f64> = runs.iter().map(|run| run.cost().operations).collect();
        let progress = Progress::new(runs.len());
        self.reporter = Some(reporter);
        let work = |job: usize, watch: &mut dyn FnMut(u64) -> ControlFlow<()>| work(runs[job], watch);
        let done = runner::run(&costs, jobs, stop, &progress, work, |event| self.handle(event, &progress));
        if let Some(reporter) = self.reporter.take() {
            reporter.finish();
        }
        done
    }

    fn handle(&mut self, event: Event<TrainedRun>, progress: &Progress) -> Result<(), Failure> {
        match event {
            Event::Started { job } => {
                tracing::debug!("{} ({}) begins", self.runs[job].name(), self.runs[job].id());
                if let Some(reporter) = &mut self.reporter {
                    reporter.started(job);
                }
                Ok(())
            }
            Event::Ended { job, ended } => self.record(job, ended),
            Event::Tick => {
                self.results.flush_if_due()?;
                if let Some(reporter) = &mut self.reporter {
                    reporter.tick(progress);
                }
                Ok(())
            }
        }
    }

    fn record(&mut self, job: usize, ended: Ended<TrainedRun>) -> Result<(), Failure> {
        let run = self.runs[job];
        let Some(row) = training::row(run, ended) else { return Ok(()) };
        // Computed only if needed: of thousands of small runs, few are named, and most are new.
        let summary = LazyCell::new(|| Summary::of(&row));
        if let Some(reporter) = &mut self.reporter {
            reporter.ended(job, || format!("{}, {}", summary::in_words(&summary), duration(row.seconds)));
        }
        tracing::debug!("{} ({}) ended: {}", run.name(), run.id(), summary::in_words(&summary));
        let known = self.results.inventory().runs.get(&row.run_id);
        if let RunResult::Failed { error } = &row.result {
            self.failures.push(format!("{} failed: {error}", run.name()));
            // A stored result is worth more than the failure to reproduce it.
            if known.is_some() {
                return Ok(());
            }
        } else if self.fresh && self.comparison.is_repetition(run, &summary, known) {
            return Ok(());
        }
        drop(summary);
        match self.results.push(&row) {
            Err(error) if error.is_of_the_run() => {
                self.failures.push(format!("{} failed: {error}", run.name()));
                Ok(self.results.push(&RunRow { result: RunResult::Failed { error: error.to_string() }, ..row })?)
            }
            pushed => Ok(pushed?),
        }
    }
}

/// The result of `--fresh`.
#[derive(Debug, Default)]
struct Comparison {
    same: u64,
    changed: Vec<String>,
    new: u64,
}

impl Comparison {
    /// The number of runs that were trained.
    fn count(&self) -> u64 {
        self.same + self.changed.len() as u64 + self.new
    }

    /// Compares the run with the stored one, if any, and counts the outcome; true if all bits are the same.
    fn is_repetition(&mut self, run: PlannedRun, summary: &Summary, known: Option<&StoredRun>) -> bool {
        let Some(known) = known else {
            self.new += 1;
            return false;
        };
        let is_same = known.summary.digest == summary.digest;
        if is_same {
            self.same += 1;
        } else {
            self.changed.push(format!("{} ({})", run.name(), run.id()));
        }
        is_same
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let compared = self.same + self.changed.len() as u64;
        match (compared, self.changed.as_slice()) {
            (0, _) => write!(f, "there were no earlier results to compare with")?,
            (_, []) => write!(f, "{} trained again: the same bits", counted(compared, "run"))?,
            (_, changed) => {
                write!(
                    f,
                    "{} trained again; bits changed in {} (results replaced):",
                    counted(compared, "run"),
                    changed.len()
                )?;
                changed.iter().try_for_each(|run| write!(f, "\n  {run}"))?;
            }
        }
        if self.new > 0 && compared > 0 {
            write!(f, "; {} trained for the first time", counted(self.new, "run"))
        } else {
            Ok(())
        }
    }
}

/// A flag that Ctrl-C or a termination signal sets; a second signal ends the process at once.
pub fn stop_on_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let watch = |signal| {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))
    };
    let watched = [SIGINT, SIGTERM, SIGHUP].into_iter().try_for_each(|signal| watch(signal).map(drop));
    watched.map_err(|error| Failure::Operation(format!("cannot watch for Ctrl-C: {error}")))?;
    Ok(stop)
}

fn context(plan: &Plan) -> Context {
    Context::here(plan.experiment.name.as_str(), plan.experiment.text.as_str(), plan.hash())
        .in_folder(&plan.experiment.folder)
}

/// What happened to the stored runs, if anything did.
fn moved(reconciled: Reconciled) -> Option<String> {
    let Reconciled { archived, returned, relabelled, retry } = reconciled;
    let parts: Vec<String> = [
        (archived, "moved to the archive"),
        (returned, "brought back from the archive"),
        (relabelled, "given a new label"),
        (retry, "failed earlier and will be tried again"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{} {what}", counted(count, "run")))
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Experiment;
    use crate::store::Status;
    use engine::record::LossRow;
    use engine::train::Outcome;

    const FILE: &str =
        "data.source = 'mnist'\nnetwork.hidden = []\ntrain.steps = 3\noptimizer = ['sgd', 'adam', 'rmsprop']";

    /// The inventory of the results folder, and the failures, after `work` was done for the missing runs (or for all,
    /// if `fresh`).
    fn execute(
        folder: &std::path::Path,
        fresh: bool,
        work: impl Fn(PlannedRun) -> Outcome + Sync,
    ) -> (Inventory, Vec<String>, Comparison) {
        let experiment = Experiment::parse("test.toml", FILE.to_owned(), "test", PathBuf::new()).unwrap();
        let plan = Plan::new(experiment).unwrap();
        let mut results = Results::open(folder, context(&plan)).unwrap();
        let wanted = plan.runs().map(|run| (run.id(), run.label())).collect();
        results.reconcile(&wanted, true).unwrap();
        let there = |run: &PlannedRun| results.inventory().runs.contains_key(&run.id());
        let missing: Vec<PlannedRun> = plan.runs().filter(|run| fresh || !there(run)).collect();
        let comparison = Comparison::default();
        let mut session = Session { runs: &missing, results, reporter: None, fresh, comparison, failures: Vec::new() };
        let reporter = Reporter::new(&MultiProgress::new(), true, items(&missing));
        session
            .execute(2, &AtomicBool::new(false), reporter, |run, _| TrainedRun { spec: run.spec(), outcome: work(run) })
            .unwrap();
        (session.results.finish().unwrap(), session.failures, session.comparison)
    }

    /// An outcome with one loss.
    fn outcome(loss: f64) -> Outcome {
        Outcome {
            history: vec![LossRow { step: 0, epoch: 0.1, loss, penalty: 0.0, lr: 0.1 }],
            parameters_hash: "0123456789abcdef".to_owned(),
            ..Outcome::default()
        }
    }

    fn summary<'a>(inventory: &'a Inventory, label: &str) -> &'a Summary {
        &inventory.runs.values().find(|run| run.label == label).unwrap().summary
    }

    #[test]
    fn a_panic_makes_its_run_failed_and_the_next_command_tries_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let (first, failures, _) = execute(folder.path(), false, |run| {
            assert_ne!(run.label(), "adam", "a bug in Adam");
            outcome(1.0)
        });
        assert_eq!(summary(&first, "sgd").status, Status::Finished);
        assert_eq!(summary(&first, "rmsprop").status, Status::Finished);
        assert_eq!(summary(&first, "adam").status, Status::Failed);
        assert!(summary(&first, "adam").error.as_ref().unwrap().contains("a bug in Adam"));
        assert_eq!(failures.len(), 1);
        assert!(failures[0].starts_with("adam, seed 0 failed: "), "{failures:?}");

        let (second, failures, _) = execute(folder.path(), false, |run| {
            assert_eq!(run.label(), "adam", "only what failed is tried again");
            outcome(1.0)
        });
        assert_eq!(second.runs.len(), 3);
        assert!(second.runs.values().all(|run| run.summary.status == Status::Finished));
        assert_eq!(failures, [] as [String; 0]);
    }

    #[test]
    fn a_loss_that_cannot_be_stored_fails_its_own_run_only() {
        let folder = tempfile::tempdir().unwrap();
        let (inventory, failures, _) =
            execute(folder.path(), false, |run| outcome(if run.label() == "adam" { f64::NAN } else { 1.0 }));
        assert_eq!(summary(&inventory, "adam").status, Status::Failed);
        assert_eq!(summary(&inventory, "sgd").status, Status::Finished);
        assert_eq!(failures.len(), 1);
    }

    #[test]
    fn fresh_reports_changed_bits_and_replaces_them() {
        let folder = tempfile::tempdir().unwrap();
        execute(folder.path(), false, |_| outcome(1.0));
        let (inventory, _, comparison) =
            execute(folder.path(), true, |run| outcome(if run.label() == "adam" { 2.0 } else { 1.0 }));
        assert_eq!((comparison.same, comparison.changed.len()), (2, 1));
        assert!(
            comparison.to_string().contains("bits changed in 1 (results replaced):\n  adam, seed 0"),
            "{comparison}"
        );
        assert_eq!(summary(&inventory, "adam").final_loss, Some(2.0));
        assert_eq!(inventory.runs.len(), 3);
        assert!(inventory.archived.is_empty());
    }

    #[test]
    fn a_failure_of_fresh_keeps_the_existing_result() {
        let folder = tempfile::tempdir().unwrap();
        execute(folder.path(), false, |_| outcome(1.0));
        let (inventory, failures, _) = execute(folder.path(), true, |run| {
            assert_ne!(run.label(), "adam");
            outcome(1.0)
        });
        assert_eq!(failures.len(), 1);
        assert!(inventory.runs.values().all(|run| run.summary.status == Status::Finished));
    }
}
