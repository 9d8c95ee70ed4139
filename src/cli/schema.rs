//! `paribus schema`: the JSON Schema of experiment files.

use std::process::ExitCode;

use super::{Failure, out};
use crate::file;

pub const HELP: &str = "\
Examples:
  paribus schema > paribus.schema.json

Editors with a TOML language server read the schema that the first line of an experiment names: \
`#:schema ./paribus.schema.json`. They complete keys, show what they mean, and underline mistakes.

Writes only to stdout.

Exit codes: 0 printed.";

/// Prints the schema.
pub fn schema() -> Result<ExitCode, Failure> {
    out(&text());
    Ok(ExitCode::SUCCESS)
}

/// The text of the schema's file.
pub fn text() -> String {
    format!("{:#}\n", file::schema::schema())
}
