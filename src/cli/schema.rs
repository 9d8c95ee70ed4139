//! `paribus schema`: the JSON Schema of experiment files.

use std::process::ExitCode;

use super::{Failure, out};
use crate::file;

/// Prints the schema.
pub fn schema() -> Result<ExitCode, Failure> {
    out(&format!("{:#}\n", file::schema::schema()));
    Ok(ExitCode::SUCCESS)
}
