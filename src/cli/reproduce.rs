//! `paribus reproduce FILE.parquet|RUN`: trains recorded runs again, and compares the bits.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::MultiProgress;
use serde::Serialize;

use super::progress::Reporter;
use super::training::{self, Datasets, items};
use super::units::{counts, duration};
use super::{Failure, counted, note, out, results, run, select};
use crate::plan::{Plan, PlannedRun};
use crate::runner::{self, Event, Progress};
use crate::store::{Context, Difference, Inventory, Provenance, Recorded, RecordedRun, RunResult, Survey};
use engine::settings::{NUMERICS_VERSION, RunId, Scalar};

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    /// A Parquet file of any table, a run (results/ch6:adam, a label, or the first digits of an id), or a results
    /// folder.
    #[arg(value_name = "FILE|RUN")]
    what: String,
    /// The results folder to look for the run in [default: all in results/]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Only the runs with this setting, such as optimizer=adam or seed=0; repeat it for more values or more settings.
    #[arg(long, value_name = "KEY=VALUE")]
    only: Vec<String>,
    /// The folder that relative paths to data start in [default: the folder of the experiment file]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// How many runs train at the same time [default: one for each core]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=4096))]
    jobs: Option<u32>,
    /// Print one JSON object, for programs.
    #[arg(long)]
    json: bool,
    /// Show no progress.
    #[arg(short, long)]
    quiet: bool,
}

const HELP: &str = "\
Examples:
  paribus reproduce results/ch6/history/main-0001.parquet    every run in the file
  paribus reproduce results/ch6:adam                         a label; adam/0 is its seed 0
  paribus reproduce 3f2a --results results/ch6               the first digits of an id
  paribus reproduce results/ch6 --only seed=0                the runs of a folder with seed 0

Trains each run again, using only the footer of its file, which holds the experiment's text and the folder of its \
data. Then compares, to the last bit, its rows in every table, the hash of its final parameters and its digest. For a \
file in a results folder, all tables of its batch are compared; for a copy elsewhere, only the copy itself.

Writes nothing.

Exit codes: 0 every recorded bit is the same, 1 a bit differs or a run failed, 2 a run cannot be trained again \
(another numerics version, changed data, an experiment that no longer has the run), 130 interrupted.";

/// Trains recorded runs again, and reports the differences.
pub fn reproduce(arguments: &Arguments, bars: &MultiProgress) -> Result<ExitCode, Failure> {
    let stop = run::stop_on_signals()?;
    let recorded = recorded(arguments)?;
    let plans = Plans::of(&recorded, arguments)?;
    let mut report = ReproductionReport::default();
    let mut jobs: Vec<Job> = Vec::new();
    for (recorded, plan) in recorded.iter().zip(&plans.of_each) {
        for (&run_id, run) in &recorded.runs {
            match plan.as_ref().map(|&plan| plans.all[plan].find(run_id, run)) {
                Ok(Ok(Some(planned))) => jobs.push(Job { recorded, planned }),
                // `--only` does not select it.
                Ok(Ok(None)) => {}
                Ok(Err(why)) => report.add(run_id, run, Verdict::Impossible { why }),
                Err(why) => report.add(run_id, run, Verdict::Impossible { why: why.clone() }),
            }
        }
    }
    report.train(&jobs, arguments, bars, &stop)?;
    if report.runs.is_empty() && !stop.load(Ordering::Relaxed) {
        let why = if arguments.only.is_empty() { "it holds no runs" } else { "--only matches no run in it" };
        return Err(Failure::input(format!("`{}`: {why}", arguments.what)));
    }
    out(&if arguments.json { super::as_json(&report) } else { report.in_words(&recorded) });
    let interrupted = jobs.len() + report.impossible > report.runs.len();
    if stop.load(Ordering::Relaxed) && interrupted {
        note(&format!("interrupted: {} of {} were trained again", report.trained(), counted(jobs.len(), "run")));
        return Ok(ExitCode::from(130));
    }
    Ok(ExitCode::from(match (report.different + report.failed, report.impossible) {
        (0, 0) => 0,
        (0, _) => 2,
        _ => 1,
    }))
}

/// The recorded runs that the arguments name.
fn recorded(arguments: &Arguments) -> Result<Vec<Recorded>, Failure> {
    let path = Path::new(&arguments.what);
    let is_parquet = path.extension().is_some_and(|extension| extension == "parquet");
    if path.is_file() && !is_parquet {
        return Err(Failure::input(format!(
            "`{}` is not a Parquet file\nhelp: name a .parquet file, a run or a results folder",
            path.display()
        )));
    }
    if path.is_file() {
        return Ok(vec![Recorded::of_file(path).map_err(Failure::input)?]);
    }
    let is_folder = Survey::is_of_results(path);
    if !is_folder && is_parquet {
        return Err(Failure::input(format!("there is no file `{}`", path.display())));
    }
    let (root, inventory, asked) = if is_folder {
        let inventory = Inventory::look(path).map_err(Failure::input)?;
        let asked: HashSet<RunId> = inventory.runs.keys().copied().collect();
        (path.to_owned(), inventory, asked)
    } else {
        results::runs(&arguments.what, arguments.results.as_deref())?
    };
    inventory.recorded(&root, |known| asked.contains(&known.run_id)).map_err(Failure::input)
}

/// The plans of the recorded runs' experiments, each made once.
struct Plans {
    all: Vec<Replanned>,
    /// For each recorded batch: the index of its plan, or why it has none.
    of_each: Vec<Result<usize, String>>,
}

struct Replanned {
    plan: Plan,
    /// The index in the plan of each run, by id.
    places: HashMap<RunId, usize>,
    chosen: HashSet<usize>,
    /// The index of each run, by label and seed: computed if a run is not in the plan.
    places_of_names: OnceCell<HashMap<(String, u64), usize>>,
}

impl Plans {
    fn of(recorded: &[Recorded], arguments: &Arguments) -> Result<Self, Failure> {
        let mut plans: Vec<Plan> = Vec::new();
        let mut known: HashMap<(&str, PathBuf), Result<usize, String>> = HashMap::new();
        let mut of_each = Vec::new();
        for Recorded { origin, .. } in recorded {
            if origin.numerics_version.is_some_and(|version| version != NUMERICS_VERSION) {
                of_each.push(Err(other_numerics(origin)));
                continue;
            }
            let Context { text, experiment, .. } = &origin.context;
            let folder = arguments.folder.clone().unwrap_or_else(|| results::folder_of_the_file(&origin.context));
            let plan = known.entry((text, folder.clone())).or_insert_with(|| {
                let shown = format!("the recorded text of {experiment}");
                let plan = results::plan(&shown, text.clone(), experiment, folder);
                plans.push(plan.map_err(|mistakes| mistakes.render(false).trim_end().to_owned())?);
                Ok(plans.len() - 1)
            });
            of_each.push(plan.clone());
        }
        // Experiments declare different runs, so `--only` has to match in at least one of them.
        let mut refused = None;
        let mut all = Vec::new();
        for plan in plans {
            let chosen = select(&plan, &arguments.only).map(|chosen| chosen.into_iter().collect());
            let chosen = chosen.unwrap_or_else(|failure| {
                refused.get_or_insert(failure);
                HashSet::new()
            });
            let places = plan.runs().map(|run| (run.id(), run.index())).collect();
            all.push(Replanned { plan, places, chosen, places_of_names: OnceCell::new() });
        }
        match refused {
            Some(failure) if all.iter().all(|plan| plan.chosen.is_empty()) => Err(failure),
            _ => Ok(Self { all, of_each }),
        }
    }
}

impl Replanned {
    /// The run, ready to be trained; `None` if `--only` does not select it.
    fn find(&self, run_id: RunId, run: &RecordedRun) -> Result<Option<PlannedRun<'_>>, String> {
        let place = self.places.get(&run_id).ok_or_else(|| self.explain(run))?;
        Ok(self.chosen.contains(place).then(|| self.plan.run(*place)))
    }

    /// Why a run is not in the plan of the text that it was recorded from.
    fn explain(&self, run: &RecordedRun) -> String {
        let gone = "the experiment's text, as this version reads it, does not declare this run";
        let Some(then) = &run.identity else {
            return format!("{gone}; or its data is other data by now");
        };
        let places = self.places_of_names.get_or_init(|| {
            let names = self.plan.runs().map(|run| ((run.label(), run.seed().get()), run.index()));
            // Of equal names, the first one counts.
            names.rev().collect()
        });
        let Some(place) = places.get(&(run.label.clone(), run.seed)) else { return gone.to_owned() };
        let now = self.plan.run(*place).identity();
        if then.settings == now.settings {
            let (then, now) = (&then.data_fingerprint, now.data_fingerprint);
            return format!("its data changed: the fingerprint was {then}, and is {now}");
        }
        let changes = then.differences(&now).into_iter().map(|(name, values)| {
            let [then, now] = values.map(super::diff::shown);
            format!("{name} {then} → {now}")
        });
        format!("{gone}: {}", changes.collect::<Vec<_>>().join(", "))
    }
}

fn other_numerics(origin: &Provenance) -> String {
    let Provenance { numerics_version, context: Context { version, .. }, .. } = origin;
    let recorded = numerics_version.map_or_else(String::new, |version| version.to_string());
    format!(
        "it was recorded with numerics version {recorded}, but this program has {NUMERICS_VERSION}, which gives other \
         bits; use paribus {version}"
    )
}

/// A run to be trained again.
struct Job<'a> {
    recorded: &'a Recorded,
    planned: PlannedRun<'a>,
}

/// The result of all comparisons.
#[derive(Debug, Default, Serialize)]
struct ReproductionReport {
    same: usize,
    different: usize,
    failed: usize,
    impossible: usize,
    runs: Vec<ReproducedRun>,
}

#[derive(Debug, Serialize)]
struct ReproducedRun {
    run_id: String,
    label: String,
    seed: u64,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum Verdict {
    /// Every recorded bit is the same.
    Same {
        /// The number of rows in each table.
        rows: BTreeMap<&'static str, usize>,
    },
    Different {
        differences: Vec<Difference>,
    },
    Failed {
        error: String,
    },
    Impossible {
        why: String,
    },
}

fn difference_in_words(Difference { table, step, column, recorded, again }: &Difference) -> String {
    let [recorded, again] =
        [recorded, again].map(|value| value.as_ref().map_or("nothing".to_owned(), Scalar::to_string));
    let table = table.name();
    match (column, step) {
        (None, _) => format!("{table}: {recorded} rows recorded, {again} now"),
        (Some(column), Some(step)) => format!("{table} at step {step}, {column}: {recorded} recorded, {again} now"),
        (Some(column), None) => format!("{table}, {column}: {recorded} recorded, {again} now"),
    }
}

impl ReproductionReport {
    fn add(&mut self, run_id: RunId, run: &RecordedRun, verdict: Verdict) {
        *match &verdict {
            Verdict::Same { .. } => &mut self.same,
            Verdict::Different { .. } => &mut self.different,
            Verdict::Failed { .. } => &mut self.failed,
            Verdict::Impossible { .. } => &mut self.impossible,
        } += 1;
        self.runs.push(ReproducedRun { run_id: run_id.to_string(), label: run.label.clone(), seed: run.seed, verdict });
    }

    fn trained(&self) -> usize {
        self.runs.len() - self.impossible
    }

    /// Trains the jobs' runs, and records the results.
    fn train(
        &mut self,
        jobs: &[Job],
        arguments: &Arguments,
        bars: &MultiProgress,
        stop: &AtomicBool,
    ) -> Result<(), Failure> {
        let runs: Vec<PlannedRun> = jobs.iter().map(|job| job.planned).collect();
        let mut data = Datasets::default();
        data.load(runs.iter().filter_map(|run| run.data())).map_err(Failure::input)?;
        let threads = training::jobs(arguments.jobs).min(jobs.len()).max(1);
        let costs: Vec<f64> = runs.iter().map(|run| run.cost().operations).collect();
        let progress = Progress::new(runs.len());
        let mut reporter = Reporter::new(bars, arguments.quiet, items(&runs));
        let work = |job: usize, watch: &mut dyn FnMut(u64) -> _| data.train(runs[job], watch);
        let done = runner::run(&costs, threads, stop, &progress, work, |event| {
            match event {
                Event::Started { job } => reporter.started(job),
                Event::Tick => reporter.tick(&progress),
                Event::Ended { job, ended } => {
                    let Job { recorded, planned } = jobs[job];
                    let Some(row) = training::row(planned, ended) else { return Ok(()) };
                    let verdict = match (&row.result, recorded.compare(&row)?) {
                        (RunResult::Failed { error }, _) => Verdict::Failed { error: error.clone() },
                        (RunResult::Trained(_), differences) if differences.is_empty() => {
                            let counts = recorded.counts(planned.id()).into_iter();
                            Verdict::Same { rows: counts.map(|(table, rows)| (table.name(), rows)).collect() }
                        }
                        (RunResult::Trained(_), differences) => Verdict::Different { differences },
                    };
                    reporter.ended(job, || format!("{}, {}", verdict.in_short(), duration(row.seconds)));
                    self.add(planned.id(), &recorded.runs[&planned.id()], verdict);
                }
            }
            Ok::<(), crate::store::Error>(())
        });
        reporter.finish();
        let places: HashMap<String, usize> =
            jobs.iter().enumerate().map(|(place, job)| (job.planned.id().to_string(), place)).collect();
        self.runs.sort_by_key(|line| places.get(&line.run_id).copied());
        Ok(done?)
    }

    fn in_words(&self, recorded: &[Recorded]) -> String {
        let mut text = String::new();
        for line in &self.runs {
            let ReproducedRun { run_id, label, seed, verdict } = line;
            let _ = writeln!(text, "{label}, seed {seed} ({run_id}): {}", verdict.in_words());
        }
        let counts = counts(&[
            (self.same, "the same to the last bit"),
            (self.different, "different"),
            (self.failed, "failed"),
            (self.impossible, "cannot be trained again"),
        ]);
        let _ = writeln!(text, "\n{}: {counts}", counted(self.runs.len(), "run"));
        if self.different > 0 {
            let here = Context::here("", "", "");
            let mut origins: Vec<String> = recorded.iter().map(|recorded| program(&recorded.origin.context)).collect();
            origins.sort();
            origins.dedup();
            let _ = writeln!(text, "recorded by {}; this is {}", origins.join(", "), program(&here));
        }
        text
    }
}

fn program(context: &Context) -> String {
    format!("{} on {}", super::program(&context.version, context.commit.as_deref()), context.cpu)
}

impl Verdict {
    fn in_short(&self) -> &'static str {
        match self {
            Self::Same { .. } => "the same bits",
            Self::Different { .. } => "different bits",
            Self::Failed { .. } => "failed",
            Self::Impossible { .. } => "cannot be trained again",
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Same { rows } => {
                let rows: Vec<String> = rows.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
                format!("every recorded bit is the same (rows: {})", rows.join(", "))
            }
            Self::Different { differences } => {
                let parts: Vec<String> = differences.iter().map(difference_in_words).collect();
                format!("differs\n  {}", parts.join("\n  "))
            }
            Self::Failed { error } => format!("failed: {error}"),
            Self::Impossible { why } => why.clone(),
        }
    }
}
