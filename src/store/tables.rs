//! The data tables: what a row of each holds, behind the `run_id`, `label` and `seed` of its run.
//!
//! A table is described once, by the columns of its row type; schemas, files, rewrites and digests follow from that.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int32Type;

use super::error::Error;
use super::row::RunRow;
use super::schema::{Kind, Table};
use crate::record::{EvaluationRow, GradientCheckRow, HistogramRow, LayerRow, LossRow, TrajectoryRow, Word};
use crate::train::{Ending, Outcome};

/// A row of a data table.
trait Row: Sized + 'static {
    /// The columns behind those that say whose row it is; every table has a `step`.
    const COLUMNS: &'static [(&'static str, Cell<Self>)];

    /// As its column has it.
    fn step(&self) -> i64 {
        let mut cells = Self::COLUMNS.iter().filter(|(name, _)| *name == "step");
        if let Some((_, Cell::Int(step))) = cells.next() { step(self) } else { -1 }
    }
}

/// What a column holds, and how a row fills it.
enum Cell<R> {
    Int(fn(&R) -> i64),
    Float(fn(&R) -> f64),
    /// Null where there is none.
    MaybeFloat(fn(&R) -> Option<f64>),
    Text(fn(&R) -> &str),
}

impl Row for LossRow {
    const COLUMNS: &'static [(&'static str, Cell<Self>)] = &[
        ("step", Cell::Int(|row| row.step as i64)),
        ("epoch", Cell::Float(|row| row.epoch)),
        ("loss", Cell::Float(|row| row.loss)),
        ("penalty", Cell::Float(|row| row.penalty)),
        ("lr", Cell::Float(|row| row.lr)),
    ];
}

impl Row for EvaluationRow {
    const COLUMNS: &'static [(&'static str, Cell<Self>)] = &[
        ("step", Cell::Int(|row| row.step as i64)),
        ("epoch", Cell::Float(|row| row.epoch)),
        ("split", Cell::Text(|row| row.part.name())),
        ("loss", Cell::Float(|row| row.loss)),
        ("accuracy", Cell::MaybeFloat(|row| row.accuracy)),
        ("rmse", Cell::MaybeFloat(|row| row.rmse)),
    ];
}

impl Row for LayerRow {
    const COLUMNS: &'static [(&'static str, Cell<Self>)] = &[
        ("step", Cell::Int(|row| row.step as i64)),
        ("layer", Cell::Text(|row| &row.layer)),
        ("what", Cell::Text(|row| row.what)),
        ("value", Cell::Float(|row| row.value)),
    ];
}

impl Row for HistogramRow {
    const COLUMNS: &'static [(&'static str, Cell<Self>)] = &[
        ("step", Cell::Int(|row| row.step)),
        ("layer", Cell::Text(|row| &row.layer)),
        ("what", Cell::Text(|row| row.what)),
        ("bin_low", Cell::Float(|row| row.bin_low)),
        ("bin_high", Cell::Float(|row| row.bin_high)),
        ("count", Cell::Int(|row| row.count as i64)),
    ];
}

impl Row for TrajectoryRow {
    const COLUMNS: &'static [(&'static str, Cell<Self>)] = &[
        ("step", Cell::Int(|row| row.step)),
        ("x", Cell::Float(|row| row.x)),
        ("y", Cell::Float(|row| row.y)),
        ("value", Cell::Float(|row| row.value)),
    ];
}

impl Row for GradientCheckRow {
    const COLUMNS: &'static [(&'static str, Cell<Self>)] = &[
        ("step", Cell::Int(|row| row.step)),
        ("parameter", Cell::Text(|row| &row.parameter)),
        ("mean_error", Cell::Float(|row| row.mean_error)),
        ("max_error", Cell::Float(|row| row.max_error)),
    ];
}

/// Evaluates `$result` with `$rows` bound to the rows that `$outcome` has in `$table`; none where that is no data table.
macro_rules! with_rows {
    ($table:expr, $outcome:expr, $rows:ident => $result:expr) => {
        match $table {
            Table::Runs => None,
            Table::History => Some({
                let $rows = $outcome.history.as_slice();
                $result
            }),
            Table::Evaluations => Some({
                let $rows = $outcome.evaluations.as_slice();
                $result
            }),
            Table::Layers => Some({
                let $rows = $outcome.layers.as_slice();
                $result
            }),
            Table::Histograms => Some({
                let $rows = $outcome.histograms.as_slice();
                $result
            }),
            Table::Trajectories => Some({
                let $rows = $outcome.trajectory.as_slice();
                $result
            }),
            Table::GradientChecks => Some({
                let $rows = $outcome.gradient_checks.as_slice();
                $result
            }),
        }
    };
}

/// Of which only the types of the rows matter.
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

/// Name, kind and nullability of the columns of a data table, those that say whose row it is included; none of another table.
pub fn columns(table: Table) -> Vec<(&'static str, Kind, bool)> {
    fn of<R: Row>(_: &[R]) -> Vec<(&'static str, Kind, bool)> {
        R::COLUMNS.iter().map(|(name, cell)| (*name, cell.kind(), matches!(cell, Cell::MaybeFloat(_)))).collect()
    }
    let own = with_rows!(table, NOTHING, rows => of(rows)).unwrap_or_default();
    if own.is_empty() { own } else { [RUN.as_slice(), &own].concat() }
}

/// The rows that `run`, which came to `outcome`, has in a data table; nothing where it has none.
///
/// # Errors
/// Where a number is not finite.
pub fn rows(table: Table, run: &RunRow, outcome: &Outcome) -> Result<Option<RecordBatch>, Error> {
    let Some(columns) = with_rows!(table, outcome, rows => arrays(run, rows)) else { return Ok(None) };
    let rows = RecordBatch::try_new(table.schema(), columns?).map_err(|problem| Error::encoding(table, problem))?;
    Ok((rows.num_rows() > 0).then_some(rows))
}

/// Feeds a hasher with how many rows `outcome` has in a data table, and with the bits of each.
pub fn hash(table: Table, outcome: &Outcome, hasher: &mut blake3::Hasher) {
    fn all<R: Row>(rows: &[R], hasher: &mut blake3::Hasher) {
        hasher.update(&(rows.len() as u64).to_le_bytes());
        for row in rows {
            for (_, cell) in R::COLUMNS {
                match cell {
                    Cell::Int(value) => hasher.update(&value(row).to_le_bytes()),
                    Cell::Float(value) => hasher.update(&value(row).to_bits().to_le_bytes()),
                    // What is not there leaves no trace, so that it can be a column of later versions.
                    Cell::MaybeFloat(value) => match value(row) {
                        Some(value) => hasher.update(&value.to_bits().to_le_bytes()),
                        None => hasher,
                    },
                    Cell::Text(value) => {
                        hasher.update(&(value(row).len() as u64).to_le_bytes()).update(value(row).as_bytes())
                    }
                };
            }
        }
    }
    with_rows!(table, outcome, rows => all(rows, hasher));
}

/// How many rows `outcome` has in a data table.
pub fn count(table: Table, outcome: &Outcome) -> usize {
    with_rows!(table, outcome, rows => rows.len()).unwrap_or(0)
}

/// The columns that say whose rows these are.
const RUN: [(&str, Kind, bool); 3] =
    [("run_id", Kind::Text, false), ("label", Kind::Text, false), ("seed", Kind::Int, false)];

impl<R> Cell<R> {
    const fn kind(&self) -> Kind {
        match self {
            Self::Int(_) => Kind::Int,
            Self::Float(_) | Self::MaybeFloat(_) => Kind::Float,
            Self::Text(_) => Kind::Text,
        }
    }
}

fn arrays<R: Row>(run: &RunRow, rows: &[R]) -> Result<Vec<ArrayRef>, Error> {
    let mut arrays: Vec<ArrayRef> = vec![
        repeated(&run.run_id.to_string(), rows.len()),
        repeated(&run.label, rows.len()),
        Arc::new(Int64Array::from_value(run.seed as i64, rows.len())),
    ];
    for &(column, ref cell) in R::COLUMNS {
        arrays.push(match cell {
            Cell::Int(value) => Arc::new(rows.iter().map(value).collect::<Int64Array>()),
            Cell::Float(value) => {
                let finite = rows.iter().map(|row| finite(run, column, row, value(row)));
                Arc::new(Float64Array::from(finite.collect::<Result<Vec<f64>, Error>>()?))
            }
            Cell::MaybeFloat(value) => {
                let finite = rows.iter().map(|row| value(row).map(|value| finite(run, column, row, value)).transpose());
                Arc::new(Float64Array::from(finite.collect::<Result<Vec<Option<f64>>, Error>>()?))
            }
            Cell::Text(value) => Arc::new(rows.iter().map(value).collect::<DictionaryArray<Int32Type>>()),
        });
    }
    Ok(arrays)
}

fn finite<R: Row>(run: &RunRow, column: &'static str, row: &R, value: f64) -> Result<f64, Error> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(Error::NotFinite { run_id: run.run_id, column, step: Some(row.step()), value }),
    }
}

fn repeated(text: &str, rows: usize) -> ArrayRef {
    let keys = Int32Array::from_value(0, rows);
    Arc::new(DictionaryArray::new(keys, Arc::new(StringArray::from(vec![text]))))
}
