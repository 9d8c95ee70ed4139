//! The data tables: the columns of each, after the `run_id`, `label` and `seed` of the run.
//!
//! The columns of its row type describe a table completely; schemas, files, rewrites and digests follow from them.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};

use super::error::Error;
use super::schema::{ColumnKind, Table};
use engine::record::{EvaluationRow, GradientCheckRow, HistogramRow, LayerRow, LossRow, TrajectoryRow, Word};
use engine::settings::RunId;
use engine::train::{Ending, Outcome};

/// A row of a data table.
trait TableRow: Sized + 'static {
    /// The columns after those that identify the run; every table has a `step`.
    const COLUMNS: &'static [(&'static str, ColumnValue<Self>)];

    /// The value of the column `step`.
    fn step(&self) -> i64 {
        let mut cells = Self::COLUMNS.iter().filter(|(name, _)| *name == "step");
        if let Some((_, ColumnValue::Int(step))) = cells.next() { step(self) } else { -1 }
    }
}

/// The type of a column, and how a row fills it.
enum ColumnValue<R> {
    Int(fn(&R) -> i64),
    Float(fn(&R) -> f64),
    /// Null for `None`.
    MaybeFloat(fn(&R) -> Option<f64>),
    Text(fn(&R) -> &str),
}

impl TableRow for LossRow {
    const COLUMNS: &'static [(&'static str, ColumnValue<Self>)] = &[
        ("step", ColumnValue::Int(|row| row.step as i64)),
        ("epoch", ColumnValue::Float(|row| row.epoch)),
        ("loss", ColumnValue::Float(|row| row.loss)),
        ("penalty", ColumnValue::Float(|row| row.penalty)),
        ("lr", ColumnValue::Float(|row| row.lr)),
    ];
}

impl TableRow for EvaluationRow {
    const COLUMNS: &'static [(&'static str, ColumnValue<Self>)] = &[
        ("step", ColumnValue::Int(|row| row.step as i64)),
        ("epoch", ColumnValue::Float(|row| row.epoch)),
        ("split", ColumnValue::Text(|row| row.split.name())),
        ("loss", ColumnValue::Float(|row| row.loss)),
        ("accuracy", ColumnValue::MaybeFloat(|row| row.accuracy)),
        ("rmse", ColumnValue::MaybeFloat(|row| row.rmse)),
    ];
}

impl TableRow for LayerRow {
    const COLUMNS: &'static [(&'static str, ColumnValue<Self>)] = &[
        ("step", ColumnValue::Int(|row| row.step as i64)),
        ("layer", ColumnValue::Text(|row| &row.layer)),
        ("what", ColumnValue::Text(|row| row.what)),
        ("value", ColumnValue::Float(|row| row.value)),
    ];
}

impl TableRow for HistogramRow {
    const COLUMNS: &'static [(&'static str, ColumnValue<Self>)] = &[
        ("step", ColumnValue::Int(|row| row.step)),
        ("layer", ColumnValue::Text(|row| &row.layer)),
        ("what", ColumnValue::Text(|row| row.what)),
        ("bin_low", ColumnValue::Float(|row| row.bin_low)),
        ("bin_high", ColumnValue::Float(|row| row.bin_high)),
        ("count", ColumnValue::Int(|row| row.count as i64)),
    ];
}

impl TableRow for TrajectoryRow {
    const COLUMNS: &'static [(&'static str, ColumnValue<Self>)] = &[
        ("step", ColumnValue::Int(|row| row.step)),
        ("x", ColumnValue::Float(|row| row.x)),
        ("y", ColumnValue::Float(|row| row.y)),
        ("value", ColumnValue::Float(|row| row.value)),
    ];
}

impl TableRow for GradientCheckRow {
    const COLUMNS: &'static [(&'static str, ColumnValue<Self>)] = &[
        ("step", ColumnValue::Int(|row| row.step)),
        ("parameter", ColumnValue::Text(|row| &row.parameter)),
        ("mean_error", ColumnValue::Float(|row| row.mean_error)),
        ("max_error", ColumnValue::Float(|row| row.max_error)),
    ];
}

/// Evaluates `$result` with `$rows` bound to the rows of `$outcome` in `$table`; empty if that is not a data table.
macro_rules! with_rows {
    ($all:expr, $rows:ident => $result:expr) => {{
        let $rows = $all.as_slice();
        Some($result)
    }};
    ($table:expr, $outcome:expr, $rows:ident => $result:expr) => {
        match $table {
            Table::Runs => None,
            Table::History => with_rows!($outcome.history, $rows => $result),
            Table::Evaluations => with_rows!($outcome.evaluations, $rows => $result),
            Table::Layers => with_rows!($outcome.layers, $rows => $result),
            Table::Histograms => with_rows!($outcome.histograms, $rows => $result),
            Table::Trajectories => with_rows!($outcome.trajectory, $rows => $result),
            Table::GradientChecks => with_rows!($outcome.gradient_checks, $rows => $result),
        }
    };
}

/// Only the types of its rows matter.
static NOTHING: Outcome = Outcome {
    history: Vec::new(),
    evaluations: Vec::new(),
    layers: Vec::new(),
    histograms: Vec::new(),
    trajectory: Vec::new(),
    gradient_checks: Vec::new(),
    ending: Ending::Finished,
    parameters_hash: String::new(),
};

/// Name, kind and nullability of the columns of a data table, including those that identify the run; empty for other
/// tables.
pub fn columns(table: Table) -> Vec<(&'static str, ColumnKind, bool)> {
    fn of<R: TableRow>(_: &[R]) -> Vec<(&'static str, ColumnKind, bool)> {
        R::COLUMNS.iter().map(|(name, cell)| (*name, cell.kind(), matches!(cell, ColumnValue::MaybeFloat(_)))).collect()
    }
    let own = with_rows!(table, NOTHING, rows => of(rows)).unwrap_or_default();
    if own.is_empty() { own } else { [RUN.as_slice(), &own].concat() }
}

/// A run with its outcome.
#[derive(Debug, Clone, Copy)]
pub struct Trained<'a> {
    pub run_id: RunId,
    pub label: &'a str,
    pub seed: u64,
    pub outcome: &'a Outcome,
}

/// The most rows that are converted to columns together, unless a single run has more: its rows are never split.
const AT_ONCE: usize = 1 << 16;

/// The rows of `runs` in a data table, run by run.
///
/// # Errors
/// If Arrow rejects them.
pub fn rows(table: Table, runs: &[Trained]) -> Result<Vec<RecordBatch>, Error> {
    let runs: Vec<Trained> = runs.iter().filter(|run| count(table, run.outcome) > 0).copied().collect();
    let (mut batches, mut first) = (Vec::new(), 0);
    while first < runs.len() {
        let (mut end, mut rows) = (first, 0);
        while end < runs.len() && (end == first || rows + count(table, runs[end].outcome) <= AT_ONCE) {
            rows += count(table, runs[end].outcome);
            end += 1;
        }
        batches.push(batch(table, &runs[first..end])?);
        first = end;
    }
    Ok(batches)
}

fn batch(table: Table, runs: &[Trained]) -> Result<RecordBatch, Error> {
    let columns = match table {
        Table::Runs => Vec::new(),
        Table::History => arrays(runs, |outcome| &outcome.history),
        Table::Evaluations => arrays(runs, |outcome| &outcome.evaluations),
        Table::Layers => arrays(runs, |outcome| &outcome.layers),
        Table::Histograms => arrays(runs, |outcome| &outcome.histograms),
        Table::Trajectories => arrays(runs, |outcome| &outcome.trajectory),
        Table::GradientChecks => arrays(runs, |outcome| &outcome.gradient_checks),
    };
    RecordBatch::try_new(table.schema(), columns).map_err(|problem| Error::encoding(table, problem))
}

/// Checks that every number of `run` in a data table can be stored.
///
/// # Errors
/// If a number is not finite.
pub fn check(table: Table, run: Trained) -> Result<(), Error> {
    fn all<R: TableRow>(run: Trained, rows: &[R]) -> Result<(), Error> {
        for &(column, ref cell) in R::COLUMNS {
            let not_finite = |row: &R| match cell {
                ColumnValue::Float(value) => Some(value(row)).filter(|value| !value.is_finite()),
                ColumnValue::MaybeFloat(value) => value(row).filter(|value| !value.is_finite()),
                ColumnValue::Int(_) | ColumnValue::Text(_) => None,
            };
            if let Some((row, value)) = rows.iter().find_map(|row| Some((row, not_finite(row)?))) {
                return Err(Error::NotFinite { run_id: run.run_id, column, step: Some(row.step()), value });
            }
        }
        Ok(())
    }
    with_rows!(table, run.outcome, rows => all(run, rows)).unwrap_or(Ok(()))
}

/// Feeds the hasher with the number of rows of `outcome` in a data table, and with the bits of each.
pub fn hash(table: Table, outcome: &Outcome, hasher: &mut blake3::Hasher) {
    fn all<R: TableRow>(rows: &[R], hasher: &mut blake3::Hasher) {
        hasher.update(&(rows.len() as u64).to_le_bytes());
        for row in rows {
            for (_, cell) in R::COLUMNS {
                match cell {
                    ColumnValue::Int(value) => hasher.update(&value(row).to_le_bytes()),
                    ColumnValue::Float(value) => hasher.update(&value(row).to_bits().to_le_bytes()),
                    // A missing value adds nothing to the hash, so that later versions can add columns.
                    ColumnValue::MaybeFloat(value) => match value(row) {
                        Some(value) => hasher.update(&value.to_bits().to_le_bytes()),
                        None => hasher,
                    },
                    ColumnValue::Text(value) => {
                        hasher.update(&(value(row).len() as u64).to_le_bytes()).update(value(row).as_bytes())
                    }
                };
            }
        }
    }
    with_rows!(table, outcome, rows => all(rows, hasher));
}

/// The approximate memory of the rows of `outcome` in a data table, in bytes.
pub fn bytes(table: Table, outcome: &Outcome) -> usize {
    with_rows!(table, outcome, rows => size_of_val(rows)).unwrap_or(0)
}

/// The number of rows of `outcome` in a data table.
pub fn count(table: Table, outcome: &Outcome) -> usize {
    with_rows!(table, outcome, rows => rows.len()).unwrap_or(0)
}

/// The columns that identify the run of a row.
const RUN: [(&str, ColumnKind, bool); 3] =
    [("run_id", ColumnKind::Text, false), ("label", ColumnKind::Text, false), ("seed", ColumnKind::Int, false)];

impl<R> ColumnValue<R> {
    const fn kind(&self) -> ColumnKind {
        match self {
            Self::Int(_) => ColumnKind::Int,
            Self::Float(_) | Self::MaybeFloat(_) => ColumnKind::Float,
            Self::Text(_) => ColumnKind::Text,
        }
    }
}

/// The columns of the rows that `rows_of` finds in each of `runs`.
fn arrays<'a, R: TableRow>(runs: &[Trained<'a>], rows_of: impl Fn(&'a Outcome) -> &'a [R]) -> Vec<ArrayRef> {
    let rows = || runs.iter().flat_map(|run| rows_of(run.outcome));
    let counts: Vec<usize> = runs.iter().map(|run| rows_of(run.outcome).len()).collect();
    let mut arrays: Vec<ArrayRef> = vec![
        repeated(runs.iter().map(|run| run.run_id.to_string()), &counts),
        repeated(runs.iter().map(|run| run.label), &counts),
        Arc::new(Int64Array::from_iter_values(
            runs.iter().zip(&counts).flat_map(|(run, &count)| std::iter::repeat_n(run.seed as i64, count)),
        )),
    ];
    for (_, cell) in R::COLUMNS {
        arrays.push(match cell {
            ColumnValue::Int(value) => Arc::new(Int64Array::from_iter_values(rows().map(value))),
            ColumnValue::Float(value) => Arc::new(Float64Array::from_iter_values(rows().map(value))),
            ColumnValue::MaybeFloat(value) => Arc::new(rows().map(value).collect::<Float64Array>()),
            ColumnValue::Text(value) => Arc::new(rows().map(value).collect::<DictionaryArray<Int32Type>>()),
        });
    }
    arrays
}

/// Repeats each text as often as `counts` says; consecutive equal texts share a dictionary entry.
fn repeated(texts: impl Iterator<Item = impl AsRef<str> + PartialEq>, counts: &[usize]) -> ArrayRef {
    let (mut values, mut keys) = (Vec::new(), Vec::with_capacity(counts.iter().sum()));
    for (text, &count) in texts.zip(counts) {
        if values.last() != Some(&text) {
            values.push(text);
        }
        keys.extend(std::iter::repeat_n(values.len() as i32 - 1, count));
    }
    let values = StringArray::from_iter_values(values.iter().map(AsRef::as_ref));
    Arc::new(DictionaryArray::new(Int32Array::from(keys), Arc::new(values)))
}
