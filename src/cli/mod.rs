//! The command line: one file per subcommand, and the display of progress.

mod check;
mod completions;
mod diff;
mod experiment;
mod init;
mod list;
mod log;
mod man;
mod plan;
mod progress;
mod reproduce;
mod results;
mod run;
mod schema;
mod show;
mod status;
mod table;
mod training;
mod units;

use std::fmt;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use units::{counted, grouped};

use crate::file::Experiment;
use crate::plan::{Plan, Selection};
use crate::value::problem::render_warnings;
use engine::kernel::Instructions;

/// All other things equal: reads one TOML file, trains many small neural networks, writes their losses to Parquet.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_long_help = HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// Log more to stderr: -v what is done, -vv every detail; or set PARIBUS_LOG.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

const HELP: &str = "\
Examples:
  paribus init first                          write first.toml, an experiment to start from
  paribus check experiments/*.toml            find every mistake, train nothing
  paribus plan experiments/ch6.toml           list the runs, and which of them have results
  paribus show experiments/ch6.toml adam      print one run with every value, as an experiment file
  paribus run experiments/ch6.toml            train the missing runs, write results/ch6/
  paribus run experiments/ch6.toml --set train.steps=100
  paribus status results/ch6                  show the progress
  paribus diff results/ch6 elsewhere/ch6      show how two folders, runs or files differ
  paribus reproduce results/ch6:adam          train a run again, compare the bits

`paribus help COMMAND` shows examples of a command, what it writes, and its exit codes.

Exit codes: 0 success, 1 a run or a file operation failed, 2 a mistake in the input, 130 interrupted.

Environment:
  PARIBUS_LOG                 the log level: off, error, warn, info, debug or trace
  PARIBUS_INSTRUCTIONS        the instruction set: portable, avx2 or avx512, with the same results
  PARIBUS_CACHE               the folder for fetched data
  PARIBUS_FASHION_MNIST_URL   another address to fetch Fashion-MNIST from
  NO_COLOR                    disables colors if it is set";

#[derive(Debug, Subcommand)]
enum Command {
    /// Write an experiment file to start from.
    Init(init::Arguments),
    /// Check experiment files: report every mistake and warning, train and write nothing.
    Check(check::Arguments),
    /// List the runs of an experiment file, how each key was read, and which runs have results.
    Plan(plan::Arguments),
    /// List optimizers, layers, initializations, data and so on, with defaults, equations and sources.
    List(list::Arguments),
    /// Print the JSON Schema of experiment files, with which editors complete keys and underline mistakes.
    #[command(after_long_help = schema::HELP)]
    Schema,
    /// Print an experiment as paribus reads it, or one of its runs with every value that it uses.
    Show(show::Arguments),
    /// Train the missing runs of an experiment file, and write the results to Parquet.
    Run(run::Arguments),
    /// Show the progress of an experiment, according to its results folder.
    Status(status::Arguments),
    /// Show how two runs, results folders or experiment files differ.
    Diff(diff::Arguments),
    /// Train recorded runs again, and compare the bits.
    Reproduce(reproduce::Arguments),
    /// Print a script that lets a shell complete commands and options.
    Completions(completions::Arguments),
    /// Print or write manual pages.
    Man(man::Arguments),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let bars = indicatif::MultiProgress::new();
    log::init(arguments.verbose, &bars);
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("{panic}\nthis is a bug in paribus");
        tracing::debug!("{}", std::backtrace::Backtrace::force_capture());
    }));
    let instructions = Instructions::asked_for().map_err(Failure::input);
    let done = instructions.and_then(|_| match arguments.command {
        Command::Init(arguments) => init::init(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Plan(arguments) => plan::plan(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Schema => schema::schema(),
        Command::Show(arguments) => show::show(&arguments),
        Command::Run(arguments) => run::run(&arguments, &bars),
        Command::Status(arguments) => status::status(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Reproduce(arguments) => reproduce::reproduce(&arguments, &bars),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Man(arguments) => man::man(&arguments),
    });
    match done {
        Ok(code) => code,
        Err(failure) => {
            note(failure.to_string().trim_end());
            failure.exit_code()
        }
    }
}

/// The definition of the command line, for manual pages and completions.
fn command() -> clap::Command {
    Arguments::command()
}

/// Why a command failed.
#[derive(Debug)]
enum Failure {
    /// The input is wrong. The text is a complete message that ends with a newline.
    Input(String),
    /// An operation of the machine failed.
    Operation(String),
}

impl Failure {
    /// Wrong input. For commands that only read, unreadable results count as wrong input, too.
    fn input(error: impl fmt::Display) -> Self {
        Self::Input(format!("error: {error}\n"))
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Operation(_) => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(text) => f.write_str(text),
            Self::Operation(text) => writeln!(f, "error: {text}"),
        }
    }
}

impl From<crate::file::Mistakes> for Failure {
    fn from(mistakes: crate::file::Mistakes) -> Self {
        Self::Input(mistakes.render(is_colored()))
    }
}

impl From<crate::store::Error> for Failure {
    fn from(error: crate::store::Error) -> Self {
        Self::Operation(error.to_string())
    }
}

impl From<engine::data::Error> for Failure {
    fn from(error: engine::data::Error) -> Self {
        Self::Operation(error.to_string())
    }
}

/// Shows the warnings of an experiment, and returns their number.
fn warn(plan: &Plan) -> usize {
    if !plan.warnings().is_empty() {
        note(render_warnings(&plan.experiment.sources, plan.warnings(), is_colored()).trim_end());
    }
    plan.warnings().len()
}

/// Whether errors and warnings go to a terminal that shows colors.
fn is_colored() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Writes to stdout. Ignores a closed pipe: the reader may have seen enough.
fn out(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Writes a line to stderr, as [`out`] does.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// One JSON object over several lines.
fn as_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("maps have texts as keys") + "\n"
}

/// A version of this program, with the first digits of its commit.
fn program(version: &str, commit: Option<&str>) -> String {
    let commit = commit.map(|commit| format!(" ({})", commit.get(..10).unwrap_or(commit)));
    format!("paribus {version}{}", commit.unwrap_or_default())
}

/// The indices of the runs that `--only` selects.
fn select(plan: &Plan, only: &[String]) -> Result<Vec<usize>, Failure> {
    let conditions = only.iter().map(|text| text.parse()).collect::<Result<Selection, _>>();
    let chosen = conditions.and_then(|selection| selection.of(plan));
    chosen.map_err(Failure::input)
}

/// A line for each of the first cells that were merged with others.
fn merged(plan: &Plan) -> Vec<String> {
    const MOST: usize = 20;
    let mut merged = plan.merged();
    let mut lines: Vec<String> = merged.by_ref().take(MOST).map(|duplicate| duplicate.to_string()).collect();
    let more = merged.count();
    if more > 0 {
        lines.push(format!("and {} more that are identical to others", grouped(more as u128)));
    }
    lines
}

/// The results folder of an experiment: `asked`, or the default.
fn results_folder(experiment: &Experiment, asked: Option<PathBuf>) -> PathBuf {
    asked.unwrap_or_else(|| Path::new(results::RESULTS).join(experiment.folder_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }
}
