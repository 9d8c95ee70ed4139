//! `paribus status RESULTS`: shows the progress of an experiment, according to its results folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use serde::Serialize;

use super::run::summary;
use super::table::TextTable;
use super::units::{counts, duration, size};
use super::{Failure, counted, out, results};
use crate::store::{Context, Holder, Inventory, Provenance, Status, StoredRun, Survey, TableSize, Use};
use engine::settings::{NUMERICS_VERSION, RunId};

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    /// The results folder, such as results/ch6.
    results: PathBuf,
    /// Print one JSON object, for programs.
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
Examples:
  paribus status results/ch6
  paribus status results/ch6 --json | jq .plan.missing

Shows how many runs there are and how they ended, how many the experiment still lacks, which process is writing to the \
folder, which labels are best, how large the tables are, and which versions of paribus wrote them.

Writes nothing, and can be used during a run.

Exit codes: 0 success, 2 not a results folder, or it cannot be read.";

/// Reports the contents of a results folder. Another process may be writing to it.
pub fn status(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let root = results::folder(&arguments.results)?;
    let inventory = Inventory::look(root).map_err(Failure::input)?;
    Inventory::check_files(root).map_err(Failure::input)?;
    let survey = Survey::of(root).map_err(Failure::input)?;
    let report = StatusReport::new(root, &inventory, &survey);
    out(&if arguments.json { super::as_json(&report) } else { report.in_words(&inventory) });
    Ok(ExitCode::SUCCESS)
}

/// The report about a folder. Numbers that are not finite are null in JSON.
#[derive(Debug, Serialize)]
struct StatusReport<'a> {
    folder: PathBuf,
    experiment: String,
    description: Option<String>,
    runs: Counts,
    /// The runs that the folder's experiment declares; null if unknown, for the reason in `plan_problem`.
    plan: Option<PlanCounts>,
    plan_problem: Option<String>,
    /// Null if no process is writing to the folder, `{}` if the process has not identified itself yet.
    writer: Option<WriterProcess>,
    last_batch: Option<Age>,
    /// In ascending order of the mean final loss.
    best: Vec<summary::Best<'a>>,
    tables: &'a [TableSize],
    written_by: Vec<Program>,
    next: String,
}

#[derive(Debug, Serialize)]
struct Counts {
    finished: usize,
    diverged: usize,
    failed: usize,
    archived: usize,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct PlanCounts {
    runs: usize,
    /// Runs without a result, or with a failure only.
    missing: usize,
    /// The missing runs that are in the archive and need no training.
    in_archive: usize,
    /// Runs in the tables that it does not declare.
    others: usize,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WriterProcess {
    Known(Holder),
    Unknown {},
}

#[derive(Debug, Serialize)]
struct Age {
    /// Seconds since 1970.
    written: f64,
    seconds_ago: f64,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Program {
    version: String,
    commit: Option<String>,
    numerics_version: Option<u32>,
    format_version: u32,
    host: String,
    cpu: String,
}

/// The number of labels to list.
const BEST: usize = 5;

impl<'a> StatusReport<'a> {
    fn new(root: &Path, inventory: &'a Inventory, survey: &'a Survey) -> Self {
        let text = std::fs::read_to_string(root.join("experiment.toml")).unwrap_or_default();
        let latest = latest(survey, &text);
        let experiment = latest.map(|origin| origin.context.experiment.clone());
        let experiment = experiment.unwrap_or_else(|| {
            root.canonicalize()
                .ok()
                .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
                .unwrap_or_default()
        });
        let (description, plan) = asked(root, &text, &experiment, latest.map(|origin| &origin.context), inventory);
        let count = |status| inventory.runs.values().filter(|run| run.summary.status == status).count();
        let runs = Counts {
            finished: count(Status::Finished),
            diverged: count(Status::Diverged),
            failed: count(Status::Failed),
            archived: inventory.archived.len(),
        };
        let writer = match &survey.used {
            Use::Free(_) => None,
            Use::Busy(None) => Some(WriterProcess::Unknown {}),
            Use::Busy(Some(holder)) => Some(WriterProcess::Known(holder.clone())),
        };
        let (plan, plan_problem) = plan.map_or_else(|problem| (None, Some(problem)), |asked| (Some(asked), None));
        let next = next(root, &experiment, latest.map(|origin| &origin.context), &text, &runs, plan, &survey.used);
        let mut written_by: Vec<Program> = survey.batches.iter().map(|batch| Program::of(&batch.origin)).collect();
        written_by.sort();
        written_by.dedup();
        Self {
            folder: root.to_owned(),
            experiment,
            description,
            runs,
            plan,
            plan_problem,
            writer,
            last_batch: survey.batches.last().map(|batch| Age::of(batch.written)),
            best: summary::best(inventory.runs.values().map(|run| (run.label.as_str(), &run.summary))),
            tables: &survey.sizes,
            written_by,
            next,
        }
    }

    fn in_words(&self, inventory: &Inventory) -> String {
        let Counts { finished, diverged, failed, archived } = self.runs;
        let bytes: u64 = self.tables.iter().map(|size| size.bytes).sum();
        let mut text = self.experiment.clone();
        if let Some(description) = &self.description {
            text += &format!(": {description}");
        }
        text += &format!("\n{}, {}\n\n", self.folder.display(), size(bytes));

        let mut facts = TextTable::new([("", false), ("", false)]);
        let mut fact = |name: &str, value: String| facts.row([name.to_owned(), value]);
        let runs =
            counts(&[(finished, "finished"), (diverged, "diverged"), (failed, "failed"), (archived, "archived")]);
        fact("runs", if runs.is_empty() { "none yet".to_owned() } else { runs });
        match (self.plan, &self.plan_problem) {
            (Some(asked), _) => fact("missing", asked.in_words()),
            (None, Some(problem)) => fact("missing", format!("unknown: {problem}")),
            (None, None) => {}
        }
        match &self.writer {
            None => fact("writer", "none".to_owned()),
            Some(WriterProcess::Known(holder)) => fact("writer", holder.to_string()),
            Some(WriterProcess::Unknown {}) => fact("writer", "another process".to_owned()),
        }
        if let Some(age) = &self.last_batch {
            fact("last batch", format!("{} ago", duration(age.seconds_ago)));
        }
        for (index, program) in self.written_by.iter().enumerate() {
            fact(if index == 0 { "written by" } else { "" }, program.in_words());
        }
        text += &facts.render(0);

        let known: Vec<&StoredRun> = inventory.runs.values().collect();
        if !known.is_empty() {
            text += "\nbest by final loss\n";
            text += &summary::best_in_words(known.iter().map(|run| (run.label.as_str(), &run.summary)), BEST);
            text += "\nfiles\n";
            text += &self.sizes().render(0);
        }
        text += &format!("\nnext: {}\n", self.next);
        text
    }

    fn sizes(&self) -> TextTable {
        let mut by_table: BTreeMap<usize, (&str, [u64; 2], u64)> = BTreeMap::new();
        for (index, of) in self.tables.iter().enumerate() {
            let place = self.tables.iter().position(|other| other.table == of.table).unwrap_or(index);
            let (_, bytes, files) = by_table.entry(place).or_insert((of.table.name(), [0; 2], 0));
            bytes[usize::from(of.is_archived)] += of.bytes;
            *files += of.files;
        }
        let mut table = TextTable::new([("table", false), ("files", true), ("size", true), ("in the archive", true)]);
        for (name, [main, archive], files) in by_table.into_values() {
            let archive = if archive > 0 { size(archive) } else { String::new() };
            table.row([name.to_owned(), files.to_string(), size(main), archive]);
        }
        table
    }
}

impl PlanCounts {
    fn in_words(self) -> String {
        let Self { runs, missing, in_archive, others } = self;
        let mut text = match missing {
            0 => format!("none of {} that the experiment asks for", counted(runs, "run")),
            _ => format!("{missing} of {} that the experiment asks for", counted(runs, "run")),
        };
        if in_archive > 0 {
            text += &format!("; {in_archive} of them are in the archive");
        }
        if others > 0 {
            text += &format!("; it does not ask for {others} of the runs here");
        }
        text
    }
}

impl Age {
    fn of(time: SystemTime) -> Self {
        let since = |from| time.duration_since(from).map_or(0.0, |time| time.as_secs_f64());
        Self {
            written: since(SystemTime::UNIX_EPOCH),
            seconds_ago: SystemTime::now().duration_since(time).map_or(0.0, |age| age.as_secs_f64()),
        }
    }
}

impl Program {
    fn of(origin: &Provenance) -> Self {
        let Context { version, commit, host, cpu, .. } = origin.context.clone();
        let Provenance { numerics_version, format_version, .. } = *origin;
        Self { version, commit, numerics_version, format_version, host, cpu }
    }

    fn in_words(&self) -> String {
        let mut text = format!("{} on {}", super::program(&self.version, self.commit.as_deref()), self.host);
        if let Some(version) = self.numerics_version {
            text += &format!(", numerics version {version}");
            if version != NUMERICS_VERSION {
                text += &format!(" (this program has {NUMERICS_VERSION})");
            }
        }
        text + &format!(", format version {}", self.format_version)
    }
}

/// The origin of the latest batch of the experiment with this text, or else of the latest batch.
fn latest<'s>(survey: &'s Survey, text: &str) -> Option<&'s Provenance> {
    let origins = || survey.batches.iter().rev().map(|batch| &batch.origin);
    origins().find(|origin| origin.context.text == text).or_else(|| origins().next())
}

/// The experiment's description, and the counts of its runs, or why these are unknown.
fn asked(
    root: &Path,
    text: &str,
    experiment: &str,
    context: Option<&Context>,
    inventory: &Inventory,
) -> (Option<String>, Result<PlanCounts, String>) {
    let path = root.join("experiment.toml");
    if text.is_empty() {
        return (None, Err(format!("there is no `{}`", path.display())));
    }
    let folder = context.map(results::folder_of_the_file).unwrap_or_default();
    let shown = path.display().to_string();
    match results::plan(&shown, text.to_owned(), experiment, folder) {
        Ok(plan) => {
            let is_missing =
                |id: &RunId| inventory.runs.get(id).is_none_or(|known| known.summary.status == Status::Failed);
            let missing: Vec<_> = plan.runs().map(|run| run.id()).filter(is_missing).collect();
            let there = plan.runs().filter(|run| inventory.runs.contains_key(&run.id())).count();
            let asked = PlanCounts {
                runs: plan.len(),
                missing: missing.len(),
                in_archive: missing.iter().filter(|id| inventory.has_result_of(**id)).count(),
                others: inventory.runs.len() - there,
            };
            (plan.experiment.description, Ok(asked))
        }
        Err(mistakes) => {
            let first = mistakes.problems.first().map_or_else(String::new, |problem| problem.message.clone());
            (None, Err(format!("{shown}: {first}")))
        }
    }
}

/// What to do next.
fn next(
    root: &Path,
    experiment: &str,
    context: Option<&Context>,
    text: &str,
    runs: &Counts,
    plan: Option<PlanCounts>,
    used: &Use,
) -> String {
    let shown = root.display();
    if matches!(used, Use::Busy(_)) {
        return format!("`paribus status {shown}` shows more once the next batch is written");
    }
    let is_same = |a: &Path, b: &Path| a.canonicalize().ok().is_some_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    let is_usual = is_same(root, &Path::new(results::RESULTS).join(experiment));
    let results = if is_usual { String::new() } else { format!(" --results {shown}") };
    let file = context.and_then(|context| results::file(context, text));
    let run = |command: &str| match (&file, used) {
        (Some(file), _) => format!("`paribus {command} {}{results}`", file.display()),
        // `--set` was used, or the file has changed: the last command shows how it was run.
        (None, Use::Free(Some(last))) if command == "run" && !last.command.contains(" --only") => {
            format!("`{}`, the last command here,", last.command)
        }
        (None, Use::Free(Some(last))) => format!("`paribus {command} FILE`, with the FILE of `{}`,", last.command),
        (None, _) => format!("`paribus {command} FILE{results}`"),
    };
    match plan {
        None => format!("{} lists the missing runs", run("plan")),
        Some(PlanCounts { missing: 0, .. }) if runs.finished + runs.diverged > 0 => {
            format!(
                "the tables are complete; see `duckdb -c \"from '{shown}/runs/*.parquet'\"`, or compare two runs \
                 with `paribus diff`"
            )
        }
        Some(PlanCounts { missing, in_archive, .. }) if missing == in_archive => {
            format!("{} brings {} back from the archive", run("run"), counted(missing, "run"))
        }
        Some(PlanCounts { missing, in_archive, .. }) => {
            format!(
                "{} trains the {} that {} missing",
                run("run"),
                counted(missing - in_archive, "run"),
                if missing - in_archive == 1 { "is" } else { "are" }
            )
        }
    }
}
