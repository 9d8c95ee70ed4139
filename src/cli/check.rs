//! `paribus check FILE...`: reports every mistake and every warning; trains and writes nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use super::experiment::SetArguments;
use super::{Failure, counted, note, out, warn};
use crate::plan::Plan;

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    /// Experiment files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    set: SetArguments,
    /// Exit with 2 even if there are only warnings.
    #[arg(long)]
    deny_warnings: bool,
}

const HELP: &str = "\
Examples:
  paribus check experiments/ch6.toml
  paribus check experiments/*.toml --deny-warnings

Reports every mistake in every file at once, each with its line, what is accepted there, and a suggestion. Reads \
and checks your own data files, too, but fetches nothing.

Writes nothing.

Exit codes: 0 no mistakes, 2 mistakes (or warnings, with --deny-warnings).";

/// Validates each file, with the same changes, and shows the mistakes and warnings of all of them.
pub fn check(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut is_well = true;
    for path in &arguments.files {
        match arguments.set.read(path).and_then(Plan::new) {
            Ok(plan) => {
                let warnings = warn(&plan);
                is_well &= warnings == 0 || !arguments.deny_warnings;
                let warned = if warnings == 0 { String::new() } else { format!(", {}", counted(warnings, "warning")) };
                let runs = counted(plan.len(), "run");
                out(&format!("{}: {runs}, no mistakes{warned}\n", path.display()));
            }
            Err(mistakes) => {
                is_well = false;
                note(Failure::from(mistakes).to_string().trim_end());
            }
        }
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
