//! A batch: complete runs, stored as one file of the same name in each table that has rows of them; and how a batch is
//! added and changed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{BooleanArray, DictionaryArray, RecordBatch, StringArray};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;

use super::disk;
use super::error::Error;
use super::file::{self, Footer};
use super::schema::Table;
use super::upgrade;
use engine::settings::RunId;

/// The name of a batch and of its files: `main-0001`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchName {
    /// The writer of batches with this name.
    writer: String,
    /// From 1.
    number: u32,
}

impl BatchName {
    /// The first name of `writer` after all of `taken`.
    pub fn next(writer: &str, taken: impl IntoIterator<Item = BatchName>) -> Self {
        let numbers = taken.into_iter().filter(|name| name.writer == writer).map(|name| name.number);
        Self { writer: writer.to_owned(), number: numbers.max().unwrap_or(0) + 1 }
    }

    /// The batch's file in `table`, in the area at `area`.
    pub fn path(&self, area: &Path, table: Table) -> PathBuf {
        area.join(table.name()).join(format!("{self}.parquet"))
    }

    /// The path where the next content of that file is drafted.
    fn draft(&self, area: &Path, table: Table) -> PathBuf {
        area.join(DRAFTS).join(format!("{}-{self}", table.name()))
    }
}

impl fmt::Display for BatchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:04}", self.writer, self.number)
    }
}

impl FromStr for BatchName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (writer, number) = text.rsplit_once('-').ok_or(())?;
        let name = Self { writer: writer.to_owned(), number: number.parse().map_err(|_| ())? };
        if name.to_string() == text && !writer.is_empty() { Ok(name) } else { Err(()) }
    }
}

/// The folder, in each area, of files that are being written. It is outside the tables' folders, because Polars refuses
/// to read a folder with files that do not end in `.parquet`.
pub const DRAFTS: &str = ".drafts";

/// The batches that have a file in `table`, in the area at `area`, sorted.
///
/// # Errors
/// If a Parquet file's name is not that of a batch.
pub fn list(area: &Path, table: Table) -> Result<Vec<BatchName>, Error> {
    let folder = area.join(table.name());
    let files = disk::names(&folder)?.into_iter().filter(|name| !name.starts_with('.'));
    let mut batches = files
        .filter_map(|name| Some((name.strip_suffix(".parquet")?.parse(), folder.join(&name))))
        .map(|(batch, path)| batch.map_err(|()| Error::Foreign { path }))
        .collect::<Result<Vec<BatchName>, Error>>()?;
    batches.sort_unstable();
    Ok(batches)
}

/// The rows of a batch, by table; tables without rows are omitted.
#[derive(Debug, Clone)]
pub struct Contents {
    pub footer: Footer,
    pub tables: BTreeMap<Table, Vec<RecordBatch>>,
}

impl Contents {
    /// Rows that belong together. Data tables may also contain rows of runs that are missing from `runs`.
    pub fn new(footer: Footer, rows: impl IntoIterator<Item = (Table, Vec<RecordBatch>)>) -> Self {
        let filled = rows.into_iter().map(|(table, mut rows)| {
            rows.retain(|batch| batch.num_rows() > 0);
            (table, rows)
        });
        Self { footer, tables: filled.filter(|(_, rows)| !rows.is_empty()).collect() }
    }

    /// Reads a committed batch of any format version, upgraded to the current one.
    ///
    /// # Errors
    /// Also if a file is not the one that was committed, so that damage is never copied.
    pub fn read(area: &Path, name: &BatchName) -> Result<Self, Error> {
        let upgraded = |table, path: &Path, rows, runs: &[RecordBatch]| {
            upgrade::upgrade(table, rows, runs).map_err(|problem| Error::damaged(path, problem))
        };
        let path = name.path(area, Table::Runs);
        let (footer, runs) = file::read(&path, None)?;
        let runs = upgraded(Table::Runs, &path, runs, &[])?;
        let mut tables = vec![(Table::Runs, runs.clone())];
        for table in Table::DATA {
            let Some(hash) = footer.hash(table) else { continue };
            let path = name.path(area, table);
            let (data_footer, rows) = file::read(&path, None)?;
            // At another revision, this is a file that an interrupted rewrite has not replaced yet.
            if data_footer.revision() == footer.revision() && file::hash(&path)? != hash {
                return Err(Error::damaged(&path, "its hash is not the recorded one"));
            }
            tables.push((table, upgraded(table, &path, rows, &runs)?));
        }
        Ok(Self::new(footer, tables))
    }

    /// The rows of the runs in `labels`, relabelled accordingly.
    pub fn select(&self, labels: &BTreeMap<RunId, String>) -> Result<Self, Error> {
        let mut tables = Vec::new();
        for (&table, rows) in &self.tables {
            let selected = rows.iter().map(|batch| select(batch, labels)).collect::<Result<_, ArrowError>>();
            tables.push((table, selected.map_err(|problem| Error::encoding(table, problem))?));
        }
        Ok(Self::new(self.footer.clone(), tables))
    }

    /// Whether there are no runs.
    pub fn is_empty(&self) -> bool {
        !self.tables.contains_key(&Table::Runs)
    }
}

/// Adds a batch to the area at `area`. Its file in `runs` comes last and makes all of its runs count at once; before
/// that, the batch is a leftover that the next start deletes.
pub fn commit(area: &Path, name: &BatchName, contents: &Contents) -> Result<(), Error> {
    draft(area, name, contents, 0)?;
    for table in Table::all().filter(|table| contents.tables.contains_key(table)) {
        disk::replace(&name.draft(area, table), &name.path(area, table))?;
    }
    Ok(())
}

/// Replaces a committed batch by `contents`, which must not add runs. The file in `runs` comes first, so that a run
/// without its rows never counts; until the other files are replaced, they carry an older revision.
pub fn rewrite(area: &Path, name: &BatchName, contents: &Contents) -> Result<(), Error> {
    if contents.is_empty() {
        return Table::all().rev().try_for_each(|table| disk::remove(&name.path(area, table)));
    }
    draft(area, name, contents, contents.footer.revision() + 1)?;
    for table in Table::all().rev() {
        if contents.tables.contains_key(&table) {
            disk::replace(&name.draft(area, table), &name.path(area, table))?;
        } else {
            disk::remove(&name.path(area, table))?;
        }
    }
    Ok(())
}

/// Writes drafts of the batch's files.
fn draft(area: &Path, name: &BatchName, contents: &Contents, revision: u64) -> Result<(), Error> {
    let footer = contents.footer.at_revision(revision);
    let mut runs_footer = footer.clone();
    for table in Table::DATA {
        if let Some(rows) = contents.tables.get(&table) {
            runs_footer.set_hash(table, draft_file(area, name, table, rows, &footer)?);
        }
    }
    draft_file(area, name, Table::Runs, &contents.tables[&Table::Runs], &runs_footer)?;
    Ok(())
}

fn draft_file(
    area: &Path,
    name: &BatchName,
    table: Table,
    rows: &[RecordBatch],
    footer: &Footer,
) -> Result<blake3::Hash, Error> {
    let bytes = file::encode(table, rows, footer)?;
    disk::make_folder(&area.join(table.name()))?;
    disk::make_folder(&area.join(DRAFTS))?;
    disk::write(&name.draft(area, table), &bytes)?;
    Ok(blake3::hash(&bytes))
}

/// The rows of the runs in `labels`, relabelled accordingly. `run_id` is a dictionary, so a label is looked up only
/// once per run.
fn select(rows: &RecordBatch, labels: &BTreeMap<RunId, String>) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let (run_id, label) = (schema.index_of("run_id")?, schema.index_of("label")?);
    let run_ids = rows.column(run_id).as_dictionary::<Int32Type>();
    let label_of = |run_id: Option<&str>| labels.get(&run_id?.parse().ok()?);
    let new_labels: Vec<Option<&String>> = run_ids.values().as_string::<i32>().iter().map(label_of).collect();
    let keep: BooleanArray =
        run_ids.keys().values().iter().map(|&key| Some(new_labels[key as usize].is_some())).collect();

    let kept = filter_record_batch(rows, &keep)?;
    let keys = kept.column(run_id).as_dictionary::<Int32Type>().keys().clone();
    let values = StringArray::from_iter_values(new_labels.into_iter().map(|label| label.map_or("", String::as_str)));
    let mut columns = kept.columns().to_vec();
    columns[label] = Arc::new(DictionaryArray::try_new(keys, Arc::new(values))?);
    RecordBatch::try_new(schema, columns)
}
