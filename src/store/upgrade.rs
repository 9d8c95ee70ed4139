//! What files of older format versions lack, and how it is filled in.
//!
//! | version | what it added |
//! |---|---|
//! | 1 | `runs`, `history`, `evaluations` |
//! | 2 | `lr` in `history`; the other tables; more columns of `runs` that may be empty |
//!
//! A batch with a file of an older version is rewritten at the next start (see [`recover`](super::rewrite::recover)),
//! with the same protocol as every rewrite. Until then, readers see its rows as if they were upgraded.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, new_null_array};
use arrow_schema::ArrowError;
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;

use super::schema::Table;

/// Upgrades rows of `table`, read from a file of any version, to the current one. `runs` are the rows of `runs` of the
/// same batch.
///
/// # Errors
/// If a column or a value is missing that must not be.
pub fn upgrade(table: Table, rows: Vec<RecordBatch>, runs: &[RecordBatch]) -> Result<Vec<RecordBatch>, ArrowError> {
    let has_no = |column| rows.first().is_some_and(|rows| rows.column_by_name(column).is_none());
    let rows = if table == Table::History && has_no("lr") { with_learning_rates(rows, runs)? } else { rows };
    rows.iter().map(|rows| conform(rows, &table.schema())).collect()
}

/// Converts `rows` to the columns of `schema`; a missing column becomes nulls if it is nullable.
pub fn conform(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| match rows.column_by_name(field.name()) {
        Some(column) => Ok(column.clone()),
        None if field.is_nullable() => Ok(new_null_array(field.data_type(), rows.num_rows())),
        None => Err(ArrowError::SchemaError(format!("it has no column `{}`", field.name()))),
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<ArrayRef>, ArrowError>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}

/// Adds the learning rates of their runs to rows of `history`. In version 1, a run had one for all of its steps.
fn with_learning_rates(rows: Vec<RecordBatch>, runs: &[RecordBatch]) -> Result<Vec<RecordBatch>, ArrowError> {
    let Some(first) = runs.first() else { return Ok(rows) };
    let runs = concat_batches(&first.schema(), runs)?;
    let rates = column(&runs, "lr")?.as_primitive::<Float64Type>();
    let run_ids = column(&runs, "run_id")?.as_dictionary::<Int32Type>().downcast_dict::<StringArray>();
    let run_ids = run_ids.ok_or_else(|| ArrowError::SchemaError("`run_id` is not text".to_owned()))?;
    let rates: HashMap<&str, f64> =
        run_ids.into_iter().zip(rates).filter_map(|(run_id, lr)| Some((run_id?, lr?))).collect();
    let widen = |rows: &RecordBatch| {
        let run_ids = column(rows, "run_id")?.as_dictionary::<Int32Type>();
        let names = run_ids.values().as_string::<i32>();
        let of_name: Vec<Option<f64>> = names.iter().map(|name| rates.get(name?).copied()).collect();
        let lr: Float64Array = run_ids.keys().iter().map(|key| of_name[key? as usize]).collect();
        let mut fields = rows.schema().fields().to_vec();
        fields.push(Arc::new(Field::new("lr", lr.data_type().clone(), true)));
        let columns = rows.columns().iter().cloned().chain([Arc::new(lr) as ArrayRef]).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    };
    rows.iter().map(widen).collect()
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    rows.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("it has no column `{name}`")))
}
