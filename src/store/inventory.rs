//! The content of a results folder, read without a lock while others may write.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arrow_array::ArrowPrimitiveType;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayAccessor, ArrayRef, RecordBatch, StringArray};
use arrow_schema::Schema;

use super::batch::{self, BatchName};
use super::error::Error;
use super::file::{self, Footer};
use super::row::{Status, Summary};
use super::schema::{RESULT_COLUMNS, Table};
use super::upgrade;
use engine::settings::{InvalidRunId, RunId};

/// The runs that a results folder holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// The runs in the tables.
    pub runs: BTreeMap<RunId, StoredRun>,
    /// The runs in the archive, without those that are also in [`runs`](Self::runs).
    pub archived: BTreeMap<RunId, StoredRun>,
}

/// A stored run.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    pub run_id: RunId,
    pub label: String,
    pub seed: u64,
    pub summary: Summary,
    /// The batch with its rows.
    pub batch: BatchName,
}

/// The two parts of a results folder, with the same tables in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// The tables: runs that the experiment asks for.
    Main,
    /// The archive: runs that it no longer asks for.
    Archive,
}

impl Area {
    pub const ALL: [Self; 2] = [Self::Main, Self::Archive];

    /// The area's folder in the results folder at `root`.
    pub fn folder(self, root: &Path) -> PathBuf {
        match self {
            Self::Main => root.to_owned(),
            Self::Archive => root.join("archive"),
        }
    }

    /// The area that runs move to when they leave this one.
    pub fn other(self) -> Self {
        match self {
            Self::Main => Self::Archive,
            Self::Archive => Self::Main,
        }
    }
}

/// How often a folder is read again because it changed in between. A writer changes it at most once a second.
const ATTEMPTS: usize = 5;

impl Inventory {
    /// The content of the results folder at `root`; empty if there is none. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// If a file of `runs` is unreadable, damaged, of a newer version or not ours, or if a run is in two batches.
    pub fn look(root: &Path) -> Result<Self, Error> {
        let mut attempts = 0;
        loop {
            let before = stamps(root)?;
            let mut inventory = Self::read(root)?;
            attempts += 1;
            // A run that moves between the areas while they are read may be seen in neither.
            if attempts == ATTEMPTS || stamps(root)? == before {
                inventory.archived.retain(|run_id, _| !inventory.runs.contains_key(run_id));
                return Ok(inventory);
            }
        }
    }

    /// Checks that every committed batch in the results folder at `root` has all of its files, even while others write.
    ///
    /// # Errors
    /// Names a file that is missing, or whose footer is unreadable.
    pub fn check_files(root: &Path) -> Result<(), Error> {
        for folder in Area::ALL.map(|area| area.folder(root)) {
            for name in batch::list(&folder, Table::Runs)? {
                let runs = name.path(&folder, Table::Runs);
                let footer = match Footer::read(&runs) {
                    Err(_) if !runs.exists() => continue,
                    footer => footer?,
                };
                let is_lost = |table: &Table| footer.hash(*table).is_some() && !name.path(&folder, *table).exists();
                // A batch that loses its last run first loses its file in `runs`.
                if let Some(lost) = Table::DATA.into_iter().find(is_lost).filter(|_| runs.exists()) {
                    return Err(Error::Missing { path: name.path(&folder, lost) });
                }
            }
        }
        Ok(())
    }

    /// Whether either area has a result of the run, so that the next `run` does not train it again.
    pub fn has_result_of(&self, run_id: RunId) -> bool {
        let known = self.runs.get(&run_id).or_else(|| self.archived.get(&run_id));
        known.is_some_and(|known| known.summary.status != Status::Failed)
    }

    /// The content of both areas; after an interrupted move, a run is in both.
    pub(super) fn read(root: &Path) -> Result<Self, Error> {
        Ok(Self { runs: read_area(root, Area::Main)?, archived: read_area(root, Area::Archive)? })
    }
}

/// What distinguishes the versions of a file of `runs`.
fn stamps(root: &Path) -> Result<Vec<(PathBuf, SystemTime, u64)>, Error> {
    let mut stamps = Vec::new();
    for area in Area::ALL {
        let area = area.folder(root);
        let paths = batch::list(&area, Table::Runs)?.into_iter().map(|name| name.path(&area, Table::Runs));
        stamps.extend(paths.filter_map(|path| {
            let metadata = fs::metadata(&path).ok()?;
            Some((path, metadata.modified().ok()?, metadata.len()))
        }));
    }
    Ok(stamps)
}

fn read_area(root: &Path, area: Area) -> Result<BTreeMap<RunId, StoredRun>, Error> {
    let folder = area.folder(root);
    let mut runs = BTreeMap::new();
    for name in batch::list(&folder, Table::Runs)? {
        let known = match read_batch(&folder, &name) {
            // A rewrite has removed its last run since the folder was listed.
            Err(Error::Missing { .. }) => continue,
            known => known?,
        };
        for run in known {
            match runs.entry(run.run_id) {
                Entry::Vacant(entry) => entry.insert(run),
                Entry::Occupied(entry) => {
                    let first: &StoredRun = entry.get();
                    return Err(Error::Twice { run_id: run.run_id, folder, first: first.batch.clone(), second: name });
                }
            };
        }
    }
    Ok(runs)
}

/// The runs of a batch, in row order.
pub fn read_batch(area: &Path, name: &BatchName) -> Result<Vec<StoredRun>, Error> {
    let mut columns = vec!["run_id", "label", "seed", "status", "digest", "seconds"];
    columns.extend(RESULT_COLUMNS.iter().map(|(column, ..)| *column));
    read_rows(&name.path(area, Table::Runs), &columns, |cells| known(&cells, name.clone()))
}

/// What `of_row` makes of the named columns of each row, in a file of `runs` of any version.
pub(super) fn read_rows<T>(
    path: &Path,
    columns: &[&str],
    of_row: impl Fn(RowCells) -> Result<T, String>,
) -> Result<Vec<T>, Error> {
    let all = Table::Runs.schema();
    let fields = all.fields().iter().filter(|field| columns.contains(&field.name().as_str())).cloned();
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let (_, rows) = file::read(path, Some(columns))?;
    let rows = rows.iter().map(|rows| upgrade::conform(rows, &schema)).collect::<Result<Vec<_>, _>>();
    let rows = rows.map_err(|problem| Error::damaged(path, problem))?;
    let cells = rows.iter().flat_map(|rows| (0..rows.num_rows()).map(move |row| RowCells { rows, row }));
    cells.map(of_row).collect::<Result<_, _>>().map_err(|problem| Error::damaged(path, problem))
}

fn known(cells: &RowCells, batch: BatchName) -> Result<StoredRun, String> {
    let summary = Summary {
        status: cells.text("status")?.parse()?,
        final_loss: cells.maybe_float("final_loss")?,
        best_loss: cells.maybe_float("best_loss")?,
        best_step: cells.maybe_count("best_step")?,
        final_train_loss: cells.maybe_float("final_train_loss")?,
        train_accuracy: cells.maybe_float("train_accuracy")?,
        train_rmse: cells.maybe_float("train_rmse")?,
        final_validation_loss: cells.maybe_float("final_validation_loss")?,
        validation_accuracy: cells.maybe_float("validation_accuracy")?,
        validation_rmse: cells.maybe_float("validation_rmse")?,
        final_test_loss: cells.maybe_float("final_test_loss")?,
        test_accuracy: cells.maybe_float("test_accuracy")?,
        test_rmse: cells.maybe_float("test_rmse")?,
        steps_done: cells.maybe_count("steps_done")?,
        diverged_step: cells.maybe_count("diverged_step")?,
        diverged_layer: cells.maybe_text("diverged_layer")?.map(str::to_owned),
        error: cells.maybe_text("error")?.map(str::to_owned),
        digest: cells.text("digest")?.to_owned(),
        seconds: required("seconds", cells.maybe_float("seconds")?)?,
    };
    Ok(StoredRun {
        run_id: cells.id("run_id")?,
        label: cells.text("label")?.to_owned(),
        seed: cells.count("seed")?,
        summary,
        batch,
    })
}

/// The cells of one row, by column.
pub(super) struct RowCells<'a> {
    pub rows: &'a RecordBatch,
    pub row: usize,
}

impl<'a> RowCells<'a> {
    pub fn text(&self, name: &str) -> Result<&'a str, String> {
        required(name, self.maybe_text(name)?)
    }

    pub fn id(&self, name: &str) -> Result<RunId, String> {
        self.text(name)?.parse().map_err(|problem: InvalidRunId| problem.to_string())
    }

    /// Text without repetitions.
    pub fn document(&self, name: &str) -> Result<&'a str, String> {
        let column = self.column(name)?.as_string_opt::<i32>().ok_or_else(|| wrong(name))?;
        required(name, column.is_valid(self.row).then(|| column.value(self.row)))
    }

    pub fn count(&self, name: &str) -> Result<u64, String> {
        required(name, self.maybe_count(name)?)
    }

    fn maybe_text(&self, name: &str) -> Result<Option<&'a str>, String> {
        let dictionary = self.column(name)?.as_dictionary_opt::<Int32Type>();
        let column = dictionary.and_then(|column| column.downcast_dict::<StringArray>()).ok_or_else(|| wrong(name))?;
        Ok(column.is_valid(self.row).then(|| column.value(self.row)))
    }

    fn maybe_float(&self, name: &str) -> Result<Option<f64>, String> {
        self.maybe::<Float64Type>(name)
    }

    fn maybe_count(&self, name: &str) -> Result<Option<u64>, String> {
        Ok(self.maybe::<Int64Type>(name)?.map(|value| value as u64))
    }

    fn maybe<T: ArrowPrimitiveType>(&self, name: &str) -> Result<Option<T::Native>, String> {
        let column = self.column(name)?.as_primitive_opt::<T>().ok_or_else(|| wrong(name))?;
        Ok(column.is_valid(self.row).then(|| column.value(self.row)))
    }

    fn column(&self, name: &str) -> Result<&'a ArrayRef, String> {
        self.rows.column_by_name(name).ok_or_else(|| wrong(name))
    }
}

fn required<T>(column: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("column `{column}` has no value"))
}

fn wrong(column: &str) -> String {
    format!("it has no column `{column}` of the right type")
}
