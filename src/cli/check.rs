//! `paribus check FILE...`: every mistake, nothing trained, nothing written.

use std::path::PathBuf;
use std::process::ExitCode;

use super::experiment::Set;
use super::{Failure, counted, note, out};
use crate::plan::Outline;

pub const HELP: &str = "\
Examples:
  paribus check experiments/ch6.toml
  paribus check experiments/*.toml

Every mistake of every file is shown at once, with its line, what is accepted there, and a suggestion. Data files are looked at as \
far as the runs depend on them.

Writes nothing.

Exit codes: 0 no mistakes, 2 mistakes.";

/// Validates each file, with the same changes; the mistakes of all of them are shown.
pub fn check(files: &[PathBuf], set: &Set) -> Result<ExitCode, Failure> {
    let mut all_well = true;
    for path in files {
        match set.read(path).and_then(Outline::new) {
            Ok(outline) => {
                out(&format!("{}: {}, no mistakes\n", path.display(), counted(outline.runs(), "run")));
            }
            Err(mistakes) => {
                all_well = false;
                note(Failure::from(mistakes).to_string().trim_end());
            }
        }
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
