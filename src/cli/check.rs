//! `paribus check FILE...`: every mistake, nothing trained, nothing written.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Failure, counted, note, out};
use crate::file::Experiment;
use crate::plan::Outline;

/// Validates each file; the mistakes of all of them are shown.
pub fn check(files: &[PathBuf]) -> Result<ExitCode, Failure> {
    let mut all_well = true;
    for path in files {
        match Experiment::read(path).and_then(Outline::new) {
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
