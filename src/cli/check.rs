//! `paribus check FILE...`: every mistake, nothing trained, nothing written.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Failure, counted};
use crate::file::Experiment;
use crate::plan::Plan;

/// Validates each file; the mistakes of all of them are shown.
pub fn check(files: &[PathBuf]) -> Result<ExitCode, Failure> {
    let mut all_well = true;
    for path in files {
        match Experiment::read(path).and_then(Plan::new) {
            Ok(plan) => println!("{}: {}, no mistakes", path.display(), counted(plan.runs.len() as u64, "run")),
            Err(mistakes) => {
                all_well = false;
                eprint!("{}", Failure::from(mistakes));
            }
        }
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
