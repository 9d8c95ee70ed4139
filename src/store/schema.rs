//! The tables: their columns, and how a run becomes rows of them.
//!
//! The columns are fixed per [format version](super::FORMAT_VERSION), whatever an experiment varies, so that tables of different
//! experiments can be read together. Names hold no dots, and no column holds lists.

use std::sync::{Arc, LazyLock};
use std::time::UNIX_EPOCH;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};

use super::context::Context;
use super::error::Error;
use super::row::{RunResult, RunRow, Status, Summary};
use crate::record::{EvaluationRow, LossRow};
use crate::settings::{NUMERICS_VERSION, RunId, Scalar};

/// A table: a folder of Parquet files with one schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// A row per run.
    Runs,
    /// A row per recorded step.
    History,
    /// A row per evaluation of a part of the data.
    Evaluations,
}

impl Table {
    /// The tables that a run may have many rows in, or none.
    pub const DATA: [Self; 2] = [Self::History, Self::Evaluations];
    /// All tables, in the order in which a batch's files appear: the row in `runs` is what makes a run count.
    pub const ALL: [Self; 3] = [Self::History, Self::Evaluations, Self::Runs];

    /// The name of the folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::History => "history",
            Self::Evaluations => "evaluations",
        }
    }

    /// The columns.
    pub fn schema(self) -> SchemaRef {
        static RUNS: LazyLock<SchemaRef> = LazyLock::new(runs_schema);
        static HISTORY: LazyLock<SchemaRef> = LazyLock::new(|| required(&HISTORY_COLUMNS));
        static EVALUATIONS: LazyLock<SchemaRef> = LazyLock::new(|| required(&EVALUATION_COLUMNS));
        match self {
            Self::Runs => RUNS.clone(),
            Self::History => HISTORY.clone(),
            Self::Evaluations => EVALUATIONS.clone(),
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Float,
    /// Text that repeats from row to row; each file holds every value once.
    Text,
    /// Text that does not repeat.
    Document,
    /// Microseconds since 1970, in UTC.
    Time,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Self::Document => DataType::Utf8,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    fn holds(self, value: &Scalar) -> bool {
        match value {
            Scalar::Bool(_) => self == Self::Bool,
            Scalar::Int(_) => matches!(self, Self::Int | Self::Time),
            Scalar::Float(_) => self == Self::Float,
            Scalar::Text(_) => matches!(self, Self::Text | Self::Document),
        }
    }

    /// The values, each of which the kind [holds](Self::holds), as an Arrow array.
    fn array<'a>(self, values: impl Iterator<Item = Option<&'a Scalar>>) -> ArrayRef {
        let bool = |value: &Scalar| if let Scalar::Bool(value) = value { Some(*value) } else { None };
        let int = |value: &Scalar| if let Scalar::Int(value) = value { Some(*value) } else { None };
        let float = |value: &Scalar| if let Scalar::Float(value) = value { Some(*value) } else { None };
        let text = |value: &'a Scalar| if let Scalar::Text(value) = value { Some(value.as_str()) } else { None };
        match self {
            Self::Bool => Arc::new(values.map(|value| value.and_then(bool)).collect::<BooleanArray>()),
            Self::Int => Arc::new(values.map(|value| value.and_then(int)).collect::<Int64Array>()),
            Self::Float => Arc::new(values.map(|value| value.and_then(float)).collect::<Float64Array>()),
            Self::Text => Arc::new(values.map(|value| value.and_then(text)).collect::<DictionaryArray<Int32Type>>()),
            Self::Document => Arc::new(values.map(|value| value.and_then(text)).collect::<StringArray>()),
            Self::Time => {
                let times = values.map(|value| value.and_then(int)).collect::<TimestampMicrosecondArray>();
                Arc::new(times.with_timezone("UTC"))
            }
        }
    }
}

/// A column of `runs` that every program version knows: the settings stand between [`IDENTITY`] and [`RESULT`].
struct Column {
    name: &'static str,
    kind: Kind,
    nullable: bool,
    value: fn(&Source) -> Option<Scalar>,
}

/// Where the cells of a row of `runs` come from.
struct Source<'a> {
    run: &'a RunRow,
    summary: &'a Summary,
    context: &'a Context,
}

const fn always(name: &'static str, kind: Kind, value: fn(&Source) -> Option<Scalar>) -> Column {
    Column { name, kind, nullable: false, value }
}

const fn maybe(name: &'static str, kind: Kind, value: fn(&Source) -> Option<Scalar>) -> Column {
    Column { name, kind, nullable: true, value }
}

const IDENTITY: [Column; 6] = [
    always("run_id", Kind::Text, |source| Some(source.run.run_id.to_string().into())),
    always("trajectory_id", Kind::Text, |source| Some(source.run.trajectory_id.to_string().into())),
    always("experiment", Kind::Text, |source| Some(source.context.experiment.as_str().into())),
    always("label", Kind::Text, |source| Some(source.run.label.as_str().into())),
    always("seed", Kind::Int, |source| Some(source.run.seed.into())),
    always("status", Kind::Text, |source| Some(source.summary.status.name().into())),
];

/// The columns of `runs` that are settings, null where a run has no such setting. The setting `seed` has its own column.
pub const SETTING_COLUMNS: &[(&str, Kind)] = &[
    ("data", Kind::Text),
    ("train_rows", Kind::Int),
    ("test_rows", Kind::Int),
    ("classes", Kind::Int),
    ("function", Kind::Text),
    ("start", Kind::Text),
    ("coefficients", Kind::Text),
    ("a", Kind::Float),
    ("b", Kind::Float),
    ("hidden", Kind::Text),
    ("activation", Kind::Text),
    ("slope", Kind::Float),
    ("alpha", Kind::Float),
    ("batch_norm", Kind::Bool),
    ("dropout", Kind::Float),
    ("dropout_scaling", Kind::Text),
    ("bias", Kind::Bool),
    ("output", Kind::Text),
    ("output_slope", Kind::Float),
    ("output_alpha", Kind::Float),
    ("layers", Kind::Text),
    ("weights", Kind::Text),
    ("weight_std", Kind::Float),
    ("weight_bound", Kind::Float),
    ("init_bias", Kind::Float),
    ("weight_decay", Kind::Float),
    ("l1", Kind::Float),
    ("clip_norm", Kind::Float),
    ("optimizer", Kind::Text),
    ("lr", Kind::Float),
    ("momentum", Kind::Float),
    ("form", Kind::Text),
    ("decay", Kind::Float),
    ("beta1", Kind::Float),
    ("beta2", Kind::Float),
    ("eps", Kind::Float),
    ("decoupled_weight_decay", Kind::Float),
    ("schedule", Kind::Text),
    ("schedule_every", Kind::Int),
    ("schedule_factor", Kind::Float),
    ("schedule_over", Kind::Int),
    ("schedule_min_lr", Kind::Float),
    ("schedule_rise", Kind::Float),
    ("schedule_start_divisor", Kind::Float),
    ("schedule_end_divisor", Kind::Float),
    ("warm_up", Kind::Int),
    ("batch_size", Kind::Int),
    ("steps", Kind::Int),
    ("sampling", Kind::Text),
    ("objective", Kind::Text),
    ("precision", Kind::Text),
    ("loss_at", Kind::Text),
    ("loss_every", Kind::Int),
    ("evaluate_on", Kind::Text),
    ("evaluate_every", Kind::Text),
];

const RESULT: [Column; 20] = [
    always("settings", Kind::Document, |source| Some(settings_as_json(source.run).into())),
    always("data_fingerprint", Kind::Text, |source| Some(source.run.data_fingerprint.as_str().into())),
    always("numerics_version", Kind::Int, |_| Some(u64::from(NUMERICS_VERSION).into())),
    always("parameters", Kind::Int, |source| Some(source.run.parameters.into())),
    maybe("parameters_hash", Kind::Text, |source| match &source.run.result {
        RunResult::Trained(outcome) => Some(outcome.parameters_hash.as_str().into()),
        RunResult::Failed { .. } => None,
    }),
    maybe("final_loss", Kind::Float, |source| source.summary.final_loss.map(Scalar::from)),
    maybe("best_loss", Kind::Float, |source| source.summary.best_loss.map(Scalar::from)),
    maybe("best_step", Kind::Int, |source| source.summary.best_step.map(Scalar::from)),
    maybe("final_train_loss", Kind::Float, |source| source.summary.final_train_loss.map(Scalar::from)),
    maybe("train_accuracy", Kind::Float, |source| source.summary.train_accuracy.map(Scalar::from)),
    maybe("final_test_loss", Kind::Float, |source| source.summary.final_test_loss.map(Scalar::from)),
    maybe("test_accuracy", Kind::Float, |source| source.summary.test_accuracy.map(Scalar::from)),
    maybe("steps_done", Kind::Int, |source| source.summary.steps_done.map(Scalar::from)),
    maybe("diverged_step", Kind::Int, |source| source.summary.diverged_step.map(Scalar::from)),
    maybe("diverged_layer", Kind::Text, |source| source.summary.diverged_layer.clone().map(Scalar::from)),
    maybe("error", Kind::Text, |source| source.summary.error.clone().map(Scalar::from)),
    always("digest", Kind::Text, |source| Some(source.summary.digest.as_str().into())),
    always("seconds", Kind::Float, |source| Some(source.summary.seconds.into())),
    always("finished_at", Kind::Time, |source| Some(Scalar::Int(microseconds(source.run)))),
    always("host", Kind::Text, |source| Some(source.context.host.as_str().into())),
];

const HISTORY_COLUMNS: [(&str, Kind); 7] = [
    ("run_id", Kind::Text),
    ("label", Kind::Text),
    ("seed", Kind::Int),
    ("step", Kind::Int),
    ("epoch", Kind::Float),
    ("loss", Kind::Float),
    ("penalty", Kind::Float),
];

const EVALUATION_COLUMNS: [(&str, Kind); 8] = [
    ("run_id", Kind::Text),
    ("label", Kind::Text),
    ("seed", Kind::Int),
    ("step", Kind::Int),
    ("epoch", Kind::Float),
    ("split", Kind::Text),
    ("loss", Kind::Float),
    ("accuracy", Kind::Float),
];

/// Name, kind and nullability of every column of `runs`.
fn run_columns() -> impl Iterator<Item = (&'static str, Kind, bool)> {
    let fixed = |column: &'static Column| (column.name, column.kind, column.nullable);
    let settings = SETTING_COLUMNS.iter().map(|&(name, kind)| (name, kind, true));
    IDENTITY.iter().map(fixed).chain(settings).chain(RESULT.iter().map(fixed))
}

fn runs_schema() -> SchemaRef {
    let fields: Vec<Field> =
        run_columns().map(|(name, kind, nullable)| Field::new(name, kind.data_type(), nullable)).collect();
    Arc::new(Schema::new(fields))
}

fn required(columns: &[(&str, Kind)]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(|&(name, kind)| Field::new(name, kind.data_type(), false)).collect();
    Arc::new(Schema::new(fields))
}

fn settings_as_json(run: &RunRow) -> String {
    serde_json::to_string(&run.settings).expect("a map from names to scalars is JSON")
}

fn microseconds(run: &RunRow) -> i64 {
    run.finished_at.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as i64)
}

/// A row of `runs`, cell by cell; a batch turns many of them into columns at once.
#[derive(Debug, Clone)]
pub struct Cells(Vec<Option<Scalar>>);

/// The row of `runs` for `run`, which has this summary.
///
/// # Errors
/// Where a setting has no column of its type, or a number is not finite that has to be.
pub fn cells(run: &RunRow, summary: &Summary, context: &Context) -> Result<Cells, Error> {
    let homeless = run.settings.iter().find(|&(name, value)| {
        name != "seed" && !SETTING_COLUMNS.iter().any(|&(column, kind)| column == name && kind.holds(value))
    });
    if let Some((name, _)) = homeless {
        return Err(Error::NoColumn { run_id: run.run_id, name: name.to_owned() });
    }
    let source = Source { run, summary, context };
    let settings = SETTING_COLUMNS.iter().map(|(name, _)| run.settings.get(name).cloned());
    let fixed = |column: &Column| (column.value)(&source);
    let cells: Vec<_> = IDENTITY.iter().map(fixed).chain(settings).chain(RESULT.iter().map(fixed)).collect();
    for ((column, ..), cell) in run_columns().zip(&cells) {
        match cell {
            // The one infinity in all tables: a diverged run ranks last in every reader.
            Some(Scalar::Float(f64::INFINITY)) if column == "final_loss" && summary.status == Status::Diverged => {}
            Some(Scalar::Float(value)) => finite(*value, run.run_id, column, None).map(drop)?,
            _ => {}
        }
    }
    Ok(Cells(cells))
}

/// Rows of `runs` as columns.
pub fn runs(rows: &[&Cells]) -> Result<RecordBatch, Error> {
    let columns = run_columns()
        .enumerate()
        .map(|(index, (_, kind, _))| kind.array(rows.iter().map(|Cells(row)| row[index].as_ref())))
        .collect();
    record_batch(Table::Runs, columns)
}

/// The recorded losses of `run` as rows of `history`.
pub fn history(run: &RunRow, rows: &[LossRow]) -> Result<RecordBatch, Error> {
    let mut columns = run_key(run, rows.len());
    columns.extend([
        ints(rows.iter().map(|row| row.step)),
        floats(run, "epoch", rows.iter().map(|row| (row.step, row.epoch)))?,
        floats(run, "loss", rows.iter().map(|row| (row.step, row.loss)))?,
        floats(run, "penalty", rows.iter().map(|row| (row.step, row.penalty)))?,
    ]);
    record_batch(Table::History, columns)
}

/// The evaluations of `run` as rows of `evaluations`.
pub fn evaluations(run: &RunRow, rows: &[EvaluationRow]) -> Result<RecordBatch, Error> {
    let mut columns = run_key(run, rows.len());
    columns.extend([
        ints(rows.iter().map(|row| row.step)),
        floats(run, "epoch", rows.iter().map(|row| (row.step, row.epoch)))?,
        Arc::new(rows.iter().map(|row| row.part.name()).collect::<DictionaryArray<Int32Type>>()),
        floats(run, "loss", rows.iter().map(|row| (row.step, row.loss)))?,
        floats(run, "accuracy", rows.iter().map(|row| (row.step, row.accuracy)))?,
    ]);
    record_batch(Table::Evaluations, columns)
}

/// The columns that say whose rows these are: `run_id`, `label`, `seed`.
fn run_key(run: &RunRow, rows: usize) -> Vec<ArrayRef> {
    vec![
        repeated(&run.run_id.to_string(), rows),
        repeated(&run.label, rows),
        Arc::new(Int64Array::from_value(run.seed as i64, rows)),
    ]
}

fn repeated(text: &str, rows: usize) -> ArrayRef {
    let keys = Int32Array::from_value(0, rows);
    Arc::new(DictionaryArray::new(keys, Arc::new(StringArray::from(vec![text]))))
}

fn ints(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(values.map(|value| value as i64).collect::<Int64Array>())
}

/// `values`: each with its step.
fn floats(run: &RunRow, column: &'static str, values: impl Iterator<Item = (u64, f64)>) -> Result<ArrayRef, Error> {
    let finite = values.map(|(step, value)| finite(value, run.run_id, column, Some(step)));
    Ok(Arc::new(Float64Array::from(finite.collect::<Result<Vec<f64>, Error>>()?)))
}

fn finite(value: f64, run_id: RunId, column: &'static str, step: Option<u64>) -> Result<f64, Error> {
    if value.is_finite() { Ok(value) } else { Err(Error::NotFinite { run_id, column, step, value }) }
}

fn record_batch(table: Table, columns: Vec<ArrayRef>) -> Result<RecordBatch, Error> {
    RecordBatch::try_new(table.schema(), columns).map_err(|problem| Error::encoding(table, problem))
}
