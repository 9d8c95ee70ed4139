//! Recorded runs, compared with the results of training them again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::ArrowError;
use arrow_schema::{DataType, Schema};
use arrow_select::concat::concat_batches;
use serde::Serialize;

use super::batch::BatchName;
use super::buffer::Buffer;
use super::context::{Context, Provenance};
use super::error::Error;
use super::file::{self, Footer};
use super::identity;
use super::inventory::{Inventory, RowCells, StoredRun};
use super::row::RunRow;
use super::schema::Table;
use engine::settings::{Identity, RunId, Scalar};

/// The runs of one batch, with their rows in all available tables.
#[derive(Debug)]
pub struct Recorded {
    pub origin: Provenance,
    pub runs: BTreeMap<RunId, RecordedRun>,
    /// The available tables. If only one file is available, other tables may have rows too.
    pub tables: BTreeSet<Table>,
}

/// The available parts of a run.
#[derive(Debug)]
pub struct RecordedRun {
    pub label: String,
    pub seed: u64,
    /// `None` if the table of runs is not available.
    pub identity: Option<Identity>,
    /// With the columns of the files.
    rows: BTreeMap<Table, RecordBatch>,
}

/// The first difference in a table between what is recorded and what training again gives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub table: Table,
    /// `None` in the table of runs.
    pub step: Option<i64>,
    /// `None` if only the numbers of rows differ.
    pub column: Option<String>,
    /// The value, or the number of rows.
    pub recorded: Option<Scalar>,
    pub again: Option<Scalar>,
}

impl Difference {
    fn of_counts(table: Table, recorded: usize, again: usize) -> Self {
        let [recorded, again] = [recorded, again].map(|count| Some((count as u64).into()));
        Self { table, step: None, column: None, recorded, again }
    }
}

/// The columns whose values need not be reproducible.
const EXEMPT: [&str; 5] = ["experiment", "label", "seconds", "finished_at", "host"];

impl Recorded {
    /// The runs in the file at `path`, which may belong to any table. If it is in a results folder, the other tables of
    /// its batch are read too.
    ///
    /// # Errors
    /// If the file is not ours, damaged, or of a newer version.
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        let name = path.file_stem().and_then(|stem| stem.to_str()?.parse::<BatchName>().ok());
        let area = path.parent().and_then(Path::parent);
        if let (Some(name), Some(area)) = (name, area)
            && Table::all().any(|table| name.path(area, table) == path)
            && name.path(area, Table::Runs).is_file()
        {
            return Self::of_batch(area, &name);
        }
        // The usual advice about a file in a results folder does not apply here.
        let not_ours = |problem: String| Error::NotOurs { path: path.to_owned(), problem };
        let (footer, rows) = file::read(path, None).map_err(|error| match error {
            Error::Damaged { problem, .. } => not_ours(problem),
            Error::Foreign { .. } => not_ours("another program wrote it".to_owned()),
            Error::Missing { .. } => not_ours("there is no such file".to_owned()),
            error => error,
        })?;
        let table = rows.first().and_then(|rows| Table::all().find(|table| is_of_table(&rows.schema(), *table)));
        let table = table.ok_or_else(|| not_ours("its columns fit no table".to_owned()))?;
        let mut recorded = Self { origin: footer.origin(), runs: BTreeMap::new(), tables: BTreeSet::new() };
        recorded.add(table, &rows).map_err(not_ours)?;
        Ok(recorded)
    }

    /// The runs of a batch in the area at `area`. The files' hashes are not checked: the comparison finds what differs.
    fn of_batch(area: &Path, name: &BatchName) -> Result<Self, Error> {
        let origin = Footer::read(&name.path(area, Table::Runs))?.origin();
        let mut recorded = Self { origin, runs: BTreeMap::new(), tables: BTreeSet::new() };
        for table in Table::all() {
            let path = name.path(area, table);
            match file::read(&path, None) {
                // A batch has a file only in tables with rows of its runs.
                Err(Error::Missing { .. }) => recorded.tables.extend([table]),
                read => recorded.add(table, &read?.1).map_err(|problem| Error::damaged(&path, problem))?,
            }
        }
        Ok(recorded)
    }

    /// Keeps only the runs that `is_asked` picks.
    pub fn retain(&mut self, is_asked: impl Fn(RunId) -> bool) {
        self.runs.retain(|run_id, _| is_asked(*run_id));
    }

    /// Adds the rows of `table`.
    fn add(&mut self, table: Table, rows: &[RecordBatch]) -> Result<(), String> {
        self.tables.insert(table);
        let mut parts: BTreeMap<RunId, Vec<RecordBatch>> = BTreeMap::new();
        for rows in rows {
            let rows = typed(rows, table).map_err(|problem| problem.to_string())?;
            let run_ids = column_of(&rows, "run_id").map_err(|problem| problem.to_string())?;
            // Equal keys are equal ids, so that each id is parsed only once.
            let keys = run_ids.as_dictionary_opt::<Int32Type>().map(|column| column.keys().values());
            let keys = keys.filter(|_| run_ids.null_count() == 0).ok_or("a row has no `run_id`")?;
            let mut begin = 0;
            for of_one_run in keys.chunk_by(|a, b| a == b) {
                let run_id = RowCells { rows: &rows, row: begin }.id("run_id")?;
                parts.entry(run_id).or_default().push(rows.slice(begin, of_one_run.len()));
                begin += of_one_run.len();
            }
        }
        for (run_id, parts) in parts {
            let schema = parts[0].schema();
            let rows = concat_batches(&schema, &parts).map_err(|problem| problem.to_string())?;
            let cells = RowCells { rows: &rows, row: 0 };
            let (label, seed) = (cells.text("label")?.to_owned(), cells.count("seed")?);
            let run = RecordedRun { label, seed, identity: None, rows: BTreeMap::new() };
            let run = self.runs.entry(run_id).or_insert(run);
            if table == Table::Runs {
                run.identity = Some(identity::identity(&cells)?);
            }
            run.rows.insert(table, rows);
        }
        Ok(())
    }

    /// How many rows of the run each available table has; tables without any are omitted.
    pub fn counts(&self, run_id: RunId) -> Vec<(Table, usize)> {
        let rows = self.runs.get(&run_id).map(|run| &run.rows);
        rows.into_iter().flatten().map(|(table, rows)| (*table, rows.num_rows())).collect()
    }

    /// How `again`, a new training of one of the runs, differs from the recorded run: the first difference in each
    /// available table, sorted by step. Labels, times and machines may differ.
    ///
    /// # Errors
    /// If the training produced a value that no table may hold.
    pub fn compare(&self, again: &RunRow) -> Result<Vec<Difference>, Error> {
        let context = Context { text: String::new(), ..self.origin.context.clone() };
        let mut buffer = Buffer::default();
        buffer.push(again, &context)?;
        let contents = buffer.contents(Footer::new(&context))?;
        let recorded = self.runs.get(&again.run_id).map(|run| &run.rows);
        let mut differences = Vec::new();
        for &table in &self.tables {
            let recorded = recorded.and_then(|rows| rows.get(&table));
            let again = contents.tables.get(&table).and_then(|rows| rows.first());
            let difference = match (recorded, again) {
                (None, None) => None,
                (Some(recorded), Some(again)) => {
                    first_difference(table, recorded, again).map_err(|problem| Error::encoding(table, problem))?
                }
                (recorded, again) => {
                    let count = |rows: Option<&RecordBatch>| rows.map_or(0, RecordBatch::num_rows);
                    Some(Difference::of_counts(table, count(recorded), count(again)))
                }
            };
            differences.extend(difference);
        }
        // The final results of a run follow from its steps, so they come last.
        differences.sort_by_key(|difference| difference.step.unwrap_or(i64::MAX));
        Ok(differences)
    }
}

impl Inventory {
    /// The records of the runs that `is_asked` picks, batch by batch; see [`Inventory::identities`].
    ///
    /// # Errors
    /// If a file is damaged or of a newer version.
    pub fn recorded(&self, root: &Path, is_asked: impl Fn(&StoredRun) -> bool) -> Result<Vec<Recorded>, Error> {
        let mut all = Vec::new();
        for (area, batch, runs) in self.batches_of(is_asked) {
            match Recorded::of_batch(&area.folder(root), batch) {
                Err(Error::Missing { .. }) => {}
                recorded => {
                    let mut recorded = recorded?;
                    recorded.retain(|run_id| runs.contains(&run_id));
                    all.push(recorded);
                }
            }
        }
        Ok(all)
    }
}

/// Whether a file with these columns can belong to `table`; an older one may lack some.
fn is_of_table(file: &Schema, table: Table) -> bool {
    let schema = table.schema();
    file.fields().iter().all(|field| schema.field_with_name(field.name()).is_ok())
}

/// The columns of the file, converted to their types in `table`: other programs encode text differently.
fn typed(rows: &RecordBatch, table: Table) -> Result<RecordBatch, ArrowError> {
    let schema = table.schema();
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let expected = schema.field_with_name(field.name())?;
        fields.push(expected.clone().with_nullable(true));
        columns.push(cast(column, expected.data_type())?);
    }
    RecordBatch::try_new(Schema::new(fields).into(), columns)
}

fn first_difference(
    table: Table,
    recorded: &RecordBatch,
    again: &RecordBatch,
) -> Result<Option<Difference>, ArrowError> {
    let count = recorded.num_rows().min(again.num_rows());
    let mut first: Option<(usize, String)> = None;
    for (field, column) in recorded.schema().fields().iter().zip(recorded.columns()) {
        let name = field.name();
        if EXEMPT.contains(&name.as_str()) {
            continue;
        }
        let other = column_of(again, name)?;
        if column.slice(0, count) == other.slice(0, count) {
            continue;
        }
        let row = (0..count).find(|&row| !is_same(&scalar(column, row), &scalar(other, row)));
        if let Some(row) = row
            && first.as_ref().is_none_or(|(earlier, _)| row < *earlier)
        {
            first = Some((row, name.clone()));
        }
    }
    let Some((row, column)) = first else {
        let (recorded, again) = (recorded.num_rows(), again.num_rows());
        return Ok((recorded != again).then(|| Difference::of_counts(table, recorded, again)));
    };
    // If the steps differ, the new training's are the right ones.
    let step = again.column_by_name("step").and_then(|steps| match scalar(steps, row) {
        Some(Scalar::Int(step)) => Some(step),
        _ => None,
    });
    let value = |rows| Ok::<_, ArrowError>(scalar(column_of(rows, &column)?, row));
    let (recorded, again) = (value(recorded)?, value(again)?);
    Ok(Some(Difference { table, step, column: Some(column), recorded, again }))
}

fn column_of<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    rows.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("there is no column `{name}`")))
}

/// One cell, of a type that occurs in the tables; `None` if it is null.
fn scalar(column: &ArrayRef, row: usize) -> Option<Scalar> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Boolean => Some(column.as_boolean().value(row).into()),
        DataType::Int64 => Some(Scalar::Int(column.as_primitive::<Int64Type>().value(row))),
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().value(row).into()),
        DataType::Utf8 => Some(column.as_string::<i32>().value(row).into()),
        DataType::Dictionary(_, _) => {
            let dictionary = column.as_dictionary_opt::<Int32Type>()?;
            let key = usize::try_from(dictionary.keys().value(row)).ok()?;
            Some(dictionary.values().as_string_opt::<i32>()?.value(key).into())
        }
        _ => None,
    }
}

/// Equality to the last bit.
fn is_same(a: &Option<Scalar>, b: &Option<Scalar>) -> bool {
    match (a, b) {
        (Some(Scalar::Float(a)), Some(Scalar::Float(b))) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}
