//! The errors of a results folder.

use std::io;
use std::path::{Path, PathBuf};

use super::batch::BatchName;
use super::file::FORMAT_VERSION;
use super::schema::Table;
use engine::settings::RunId;

/// Why a results folder could not be read or written. Everything committed before the error is safe.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {problem}{}", path.display(), advice(problem))]
    Io { action: &'static str, path: PathBuf, problem: io::Error },

    /// Another process writes into the folder.
    #[error(
        "`{}` is in use by {holder}; wait until it has ended, or choose another folder with `--results`",
        folder.display()
    )]
    Locked { folder: PathBuf, holder: String },

    /// A foreign file where only this program's files belong.
    #[error("`{}` was not written by paribus; move it out of the results folder", path.display())]
    Foreign { path: PathBuf },

    /// A newer version of this program wrote the file.
    #[error(
        "`{}` has format version {found}, and this version of paribus reads up to {FORMAT_VERSION}; \
         use a newer paribus, or choose another folder with `--results`", path.display()
    )]
    Newer { path: PathBuf, found: u32 },

    /// One of this program's files that has changed since it was written.
    #[error("`{}` is cut off or damaged ({problem}); {}", path.display(), give_up(path))]
    Damaged { path: PathBuf, problem: String },

    /// A file outside any results folder that this program did not write, or that has changed since.
    #[error("`{}` is not an intact Parquet file of paribus: {problem}", path.display())]
    NotOurs { path: PathBuf, problem: String },

    /// A committed batch that lacks one of its files.
    #[error("`{}` is missing though its batch is committed; put it back, or {}", path.display(), give_up(path))]
    Missing { path: PathBuf },

    /// A run that is in two batches, as after copying files by hand.
    #[error(
        "run {run_id} is in both batches `{first}` and `{second}` of `{}`; delete the files of one of them",
        folder.display()
    )]
    Twice { run_id: RunId, folder: PathBuf, first: BatchName, second: BatchName },

    /// A run that was asked to stop has no result to keep.
    #[error("run {run_id} was interrupted and has nothing to store; this is a bug in paribus")]
    Interrupted { run_id: RunId },

    /// A NaN or an infinity where none is allowed.
    #[error("run {run_id} has {value} in column `{column}`{}; this is a bug in paribus", at_step(*step))]
    NotFinite { run_id: RunId, column: &'static str, step: Option<i64>, value: f64 },

    /// A setting without a column of the right type in the table `runs`.
    #[error("setting `{name}` of run {run_id} fits no column; this is a bug in paribus")]
    NoColumn { run_id: RunId, name: String },

    /// Arrow or Parquet rejected rows that were made here.
    #[error("rows for `{}` cannot be made into a table ({problem}); this is a bug in paribus", table.name())]
    Encoding { table: Table, problem: String },
}

impl Error {
    /// Whether the error concerns the rows of a single run only.
    pub fn is_of_the_run(&self) -> bool {
        matches!(
            self,
            Self::Interrupted { .. } | Self::NotFinite { .. } | Self::NoColumn { .. } | Self::Encoding { .. }
        )
    }

    pub(super) fn io(action: &'static str, path: &Path, problem: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), problem }
    }

    pub(super) fn damaged(path: &Path, problem: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(super) fn encoding(table: Table, problem: impl ToString) -> Self {
        Self::Encoding { table, problem: problem.to_string() }
    }
}

/// What to do about an error of the operating system, as the end of the sentence.
fn advice(problem: &io::Error) -> &'static str {
    match problem.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room and run again: what was written before is safe"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; make the results folder writable, or choose another one with `--results`"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "; there is a file where a folder is needed: move it away, or choose another folder with `--results`"
        }
        _ => "",
    }
}

/// How to continue without the batch of the file at `path`.
fn give_up(path: &Path) -> String {
    let area = path.ancestors().nth(2).unwrap_or(path).display();
    let name = path.file_name().unwrap_or_default().display();
    format!("delete `{name}` in all folders of `{area}`, and the next `paribus run` trains its runs again")
}

fn at_step(step: Option<i64>) -> String {
    step.map_or_else(String::new, |step| format!(" at step {step}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_locked_door_come_with_advice() {
        let message =
            |kind| Error::io("write", Path::new("ch6/runs/main-0001.parquet"), io::Error::from(kind)).to_string();
        assert_eq!(
            message(io::ErrorKind::StorageFull),
            "cannot write `ch6/runs/main-0001.parquet`: no storage space; make room and run again: what was written \
             before is safe"
        );
        assert_eq!(
            message(io::ErrorKind::PermissionDenied),
            "cannot write `ch6/runs/main-0001.parquet`: permission denied; make the results folder writable, or choose \
             another one with `--results`"
        );
    }

    #[test]
    fn a_damaged_file_says_how_to_go_on_without_it() {
        let error = Error::damaged(Path::new("results/ch6/history/main-0002.parquet"), "EOF");
        assert_eq!(
            error.to_string(),
            "`results/ch6/history/main-0002.parquet` is cut off or damaged (EOF); delete `main-0002.parquet` in all \
             folders of `results/ch6`, and the next `paribus run` trains its runs again"
        );
    }
}
