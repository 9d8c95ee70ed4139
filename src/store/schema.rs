//! The tables; and for `runs`, the columns and how a run becomes a row.
//!
//! The columns are fixed per [format version](super::FORMAT_VERSION), regardless of what an experiment varies, so that
//! tables of different experiments can be read together. Names contain no dots, and no column holds lists.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::UNIX_EPOCH;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Serialize;

use super::context::Context;
use super::error::Error;
use super::row::{RunResult, RunRow, Status, Summary};
use super::tables;
use engine::settings::{NUMERICS_VERSION, Scalar};

/// A table: a folder of Parquet files with one schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// A row per run.
    Runs,
    /// A row per recorded step.
    History,
    /// A row per evaluation on a split of the data.
    Evaluations,
    /// A row per layer metric.
    Layers,
    /// A row per bin of a histogram.
    Histograms,
    /// A row per point of a function's run.
    Trajectories,
    /// A row per range of parameters whose gradients were checked.
    GradientChecks,
}

impl Table {
    /// The tables in which a run may have any number of rows.
    pub const DATA: [Self; 6] =
        [Self::History, Self::Evaluations, Self::Layers, Self::Histograms, Self::Trajectories, Self::GradientChecks];

    /// The name of the folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::History => "history",
            Self::Evaluations => "evaluations",
            Self::Layers => "layers",
            Self::Histograms => "histograms",
            Self::Trajectories => "trajectories",
            Self::GradientChecks => "gradient_checks",
        }
    }

    /// All tables, in the order in which a batch's files appear: the row in `runs` makes a run count, so it comes last.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        Self::DATA.into_iter().chain([Self::Runs])
    }

    /// The columns.
    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<BTreeMap<Table, SchemaRef>> =
            LazyLock::new(|| Table::all().map(|table| (table, schema(table))).collect());
        SCHEMAS[&self].clone()
    }
}

fn schema(table: Table) -> SchemaRef {
    let columns: Vec<(&str, ColumnKind, bool)> = match table {
        Table::Runs => run_columns().collect(),
        data => tables::columns(data),
    };
    let field = |(name, kind, is_nullable): (&str, ColumnKind, bool)| Field::new(name, kind.data_type(), is_nullable);
    Arc::new(Schema::new(columns.into_iter().map(field).collect::<Vec<_>>()))
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Bool,
    Int,
    Float,
    /// Text that repeats from row to row; each file stores every value once.
    Text,
    /// Text without repetitions.
    Document,
    /// Microseconds since 1970, in UTC.
    Time,
}

impl ColumnKind {
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

    /// The values as an Arrow array; the kind must [hold](Self::holds) each of them.
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

/// A column of `runs` that is neither a setting nor a result: [`IDENTITY`] comes before the settings, [`ORIGIN`]
/// between settings and results, [`REST`] last.
struct RunsColumn {
    name: &'static str,
    kind: ColumnKind,
    is_nullable: bool,
    value: fn(&RowSource) -> Option<Scalar>,
}

/// The sources of the cells of a row of `runs`.
struct RowSource<'a> {
    run: &'a RunRow,
    summary: &'a Summary,
    context: &'a Context,
}

const fn always(name: &'static str, kind: ColumnKind, value: fn(&RowSource) -> Option<Scalar>) -> RunsColumn {
    RunsColumn { name, kind, is_nullable: false, value }
}

const fn maybe(name: &'static str, kind: ColumnKind, value: fn(&RowSource) -> Option<Scalar>) -> RunsColumn {
    RunsColumn { name, kind, is_nullable: true, value }
}

const IDENTITY: [RunsColumn; 6] = [
    always("run_id", ColumnKind::Text, |source| Some(source.run.run_id.to_string().into())),
    always("trajectory_id", ColumnKind::Text, |source| Some(source.run.trajectory_id.to_string().into())),
    always("experiment", ColumnKind::Text, |source| Some(source.context.experiment.as_str().into())),
    always("label", ColumnKind::Text, |source| Some(source.run.label.as_str().into())),
    always("seed", ColumnKind::Int, |source| Some(source.run.seed.into())),
    always("status", ColumnKind::Text, |source| Some(source.summary.status.name().into())),
];

/// The columns of `runs` that are settings, null if a run has no such setting. The setting `seed` has its own column.
pub const SETTING_COLUMNS: &[(&str, ColumnKind)] = &[
    ("data", ColumnKind::Text),
    ("train_rows", ColumnKind::Int),
    ("validation_rows", ColumnKind::Int),
    ("test_rows", ColumnKind::Int),
    ("normalize", ColumnKind::Text),
    ("task", ColumnKind::Text),
    ("target", ColumnKind::Text),
    ("columns", ColumnKind::Text),
    ("features", ColumnKind::Int),
    ("rows", ColumnKind::Int),
    ("classes", ColumnKind::Int),
    ("noise", ColumnKind::Float),
    ("data_seed", ColumnKind::Int),
    ("function", ColumnKind::Text),
    ("start", ColumnKind::Text),
    ("coefficients", ColumnKind::Text),
    ("a", ColumnKind::Float),
    ("b", ColumnKind::Float),
    ("hidden", ColumnKind::Text),
    ("activation", ColumnKind::Text),
    ("slope", ColumnKind::Float),
    ("alpha", ColumnKind::Float),
    ("batch_norm", ColumnKind::Bool),
    ("dropout", ColumnKind::Float),
    ("dropout_scaling", ColumnKind::Text),
    ("bias", ColumnKind::Bool),
    ("output", ColumnKind::Text),
    ("output_slope", ColumnKind::Float),
    ("output_alpha", ColumnKind::Float),
    ("layers", ColumnKind::Text),
    ("weights", ColumnKind::Text),
    ("weight_std", ColumnKind::Float),
    ("weight_bound", ColumnKind::Float),
    ("init_bias", ColumnKind::Float),
    ("weight_decay", ColumnKind::Float),
    ("l1", ColumnKind::Float),
    ("clip_norm", ColumnKind::Float),
    ("optimizer", ColumnKind::Text),
    ("lr", ColumnKind::Float),
    ("momentum", ColumnKind::Float),
    ("form", ColumnKind::Text),
    ("decay", ColumnKind::Float),
    ("beta1", ColumnKind::Float),
    ("beta2", ColumnKind::Float),
    ("eps", ColumnKind::Float),
    ("decoupled_weight_decay", ColumnKind::Float),
    ("schedule", ColumnKind::Text),
    ("schedule_every", ColumnKind::Int),
    ("schedule_factor", ColumnKind::Float),
    ("schedule_over", ColumnKind::Int),
    ("schedule_min_lr", ColumnKind::Float),
    ("schedule_rise", ColumnKind::Float),
    ("schedule_start_divisor", ColumnKind::Float),
    ("schedule_end_divisor", ColumnKind::Float),
    ("warm_up", ColumnKind::Int),
    ("batch_size", ColumnKind::Int),
    ("steps", ColumnKind::Int),
    ("sampling", ColumnKind::Text),
    ("objective", ColumnKind::Text),
    ("precision", ColumnKind::Text),
    ("rng", ColumnKind::Text),
    ("transcript", ColumnKind::Text),
    ("loss_at", ColumnKind::Text),
    ("loss_every", ColumnKind::Int),
    ("evaluate_on", ColumnKind::Text),
    ("evaluate_every", ColumnKind::Text),
    ("histograms_of", ColumnKind::Text),
    ("histograms_at", ColumnKind::Text),
    ("histograms_bins", ColumnKind::Int),
    ("histograms_low", ColumnKind::Float),
    ("histograms_high", ColumnKind::Float),
    ("histograms_rows", ColumnKind::Int),
    ("layers_what", ColumnKind::Text),
    ("layers_every", ColumnKind::Text),
    ("gradient_checks_at", ColumnKind::Text),
    ("gradient_checks_h", ColumnKind::Float),
    ("gradient_checks_rows", ColumnKind::Int),
    ("gradient_checks_parameters", ColumnKind::Int),
];

const ORIGIN: [RunsColumn; 5] = [
    always("settings", ColumnKind::Document, |source| Some(settings_as_json(source.run).into())),
    always("data_fingerprint", ColumnKind::Text, |source| Some(source.run.data_fingerprint.as_str().into())),
    always("numerics_version", ColumnKind::Int, |_| Some(u64::from(NUMERICS_VERSION).into())),
    always("parameters", ColumnKind::Int, |source| Some(source.run.parameters.into())),
    maybe("parameters_hash", ColumnKind::Text, |source| match &source.run.result {
        RunResult::Trained(outcome) => Some(outcome.parameters_hash.as_str().into()),
        RunResult::Failed { .. } => None,
    }),
];

/// A result; `None` if the run has none.
pub type ResultValue = fn(&Summary) -> Option<Scalar>;

/// The columns of `runs` with results, all nullable. As the status, they depend only on the settings.
pub const RESULT_COLUMNS: &[(&str, ColumnKind, ResultValue)] = &[
    ("final_loss", ColumnKind::Float, |summary| summary.final_loss.map(Scalar::from)),
    ("best_loss", ColumnKind::Float, |summary| summary.best_loss.map(Scalar::from)),
    ("best_step", ColumnKind::Int, |summary| summary.best_step.map(Scalar::from)),
    ("final_train_loss", ColumnKind::Float, |summary| summary.final_train_loss.map(Scalar::from)),
    ("train_accuracy", ColumnKind::Float, |summary| summary.train_accuracy.map(Scalar::from)),
    ("train_rmse", ColumnKind::Float, |summary| summary.train_rmse.map(Scalar::from)),
    ("final_validation_loss", ColumnKind::Float, |summary| summary.final_validation_loss.map(Scalar::from)),
    ("validation_accuracy", ColumnKind::Float, |summary| summary.validation_accuracy.map(Scalar::from)),
    ("validation_rmse", ColumnKind::Float, |summary| summary.validation_rmse.map(Scalar::from)),
    ("final_test_loss", ColumnKind::Float, |summary| summary.final_test_loss.map(Scalar::from)),
    ("test_accuracy", ColumnKind::Float, |summary| summary.test_accuracy.map(Scalar::from)),
    ("test_rmse", ColumnKind::Float, |summary| summary.test_rmse.map(Scalar::from)),
    ("steps_done", ColumnKind::Int, |summary| summary.steps_done.map(Scalar::from)),
    ("diverged_step", ColumnKind::Int, |summary| summary.diverged_step.map(Scalar::from)),
    ("diverged_layer", ColumnKind::Text, |summary| summary.diverged_layer.clone().map(Scalar::from)),
    ("error", ColumnKind::Text, |summary| summary.error.clone().map(Scalar::from)),
];

const REST: [RunsColumn; 4] = [
    always("digest", ColumnKind::Text, |source| Some(source.summary.digest.as_str().into())),
    always("seconds", ColumnKind::Float, |source| Some(source.summary.seconds.into())),
    always("finished_at", ColumnKind::Time, |source| Some(Scalar::Int(microseconds(source.run)))),
    always("host", ColumnKind::Text, |source| Some(source.context.host.as_str().into())),
];

/// Name, kind and nullability of every column of `runs`.
fn run_columns() -> impl Iterator<Item = (&'static str, ColumnKind, bool)> {
    let fixed = |column: &'static RunsColumn| (column.name, column.kind, column.is_nullable);
    let settings = SETTING_COLUMNS.iter().map(|&(name, kind)| (name, kind, true));
    let results = RESULT_COLUMNS.iter().map(|&(name, kind, _)| (name, kind, true));
    let [identity, origin, rest] = [&IDENTITY[..], &ORIGIN, &REST].map(|columns| columns.iter().map(fixed));
    identity.chain(settings).chain(origin).chain(results).chain(rest)
}

fn settings_as_json(run: &RunRow) -> String {
    serde_json::to_string(&run.settings).expect("a map from names to scalars is JSON")
}

fn microseconds(run: &RunRow) -> i64 {
    run.finished_at.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as i64)
}

/// A row of `runs`, cell by cell; a batch converts many of them into columns at once.
#[derive(Debug, Clone)]
pub struct RunCells(Vec<Option<Scalar>>);

/// The row of `runs` for `run` with this summary.
///
/// # Errors
/// If a setting has no column of its type, or a number is not finite that must be.
pub fn cells(run: &RunRow, summary: &Summary, context: &Context) -> Result<RunCells, Error> {
    static PLACES: LazyLock<HashMap<&str, usize>> =
        LazyLock::new(|| SETTING_COLUMNS.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect());
    let source = RowSource { run, summary, context };
    let fixed = |column: &RunsColumn| (column.value)(&source);
    let mut cells = Vec::with_capacity(run_columns().count());
    cells.extend(IDENTITY.iter().map(fixed));
    cells.resize(IDENTITY.len() + SETTING_COLUMNS.len(), None);
    for (name, value) in run.settings.iter().filter(|(name, _)| *name != "seed") {
        let place = PLACES.get(name).filter(|place| SETTING_COLUMNS[**place].1.holds(value));
        let place = place.ok_or_else(|| Error::NoColumn { run_id: run.run_id, name: name.to_owned() })?;
        cells[IDENTITY.len() + place] = Some(value.clone());
    }
    cells.extend(ORIGIN.iter().map(fixed));
    cells.extend(RESULT_COLUMNS.iter().map(|(.., value)| value(summary)));
    cells.extend(REST.iter().map(fixed));
    for ((column, ..), cell) in run_columns().zip(&cells) {
        match cell {
            // The only infinity in all tables: it makes a diverged run rank last in every reader.
            Some(Scalar::Float(f64::INFINITY)) if column == "final_loss" && summary.status == Status::Diverged => {}
            Some(Scalar::Float(value)) if !value.is_finite() => {
                return Err(Error::NotFinite { run_id: run.run_id, column, step: None, value: *value });
            }
            _ => {}
        }
    }
    Ok(RunCells(cells))
}

/// Converts rows of `runs` to columns.
pub fn runs(rows: &[&RunCells]) -> Result<RecordBatch, Error> {
    let columns = run_columns()
        .enumerate()
        .map(|(index, (_, kind, _))| kind.array(rows.iter().map(|RunCells(row)| row[index].as_ref())))
        .collect();
    RecordBatch::try_new(Table::Runs.schema(), columns).map_err(|problem| Error::encoding(Table::Runs, problem))
}
