//! The user's own data: Parquet files, as pandas, Polars and DuckDB write them, uncompressed or compressed with Snappy,
//! gzip or Zstandard.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_cast::display::array_value_to_string;
use arrow_schema::ArrowError;
use arrow_schema::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::{ColumnIndices, Columns, LoadedTable, Names, TableError, TableFault, TablePosition, table_source};
use super::dataset::Dataset;
use super::target::{TargetColumn, TaskKind};
use super::{Info, are_too_many};
use crate::number::shortest;

/// The settings of `source = "parquet"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(from = "ParquetKeys", into = "ParquetKeys")]
pub struct Parquet {
    path: PathBuf,
    test_path: Option<PathBuf>,
    columns: Columns,
}

/// The settings as they are written.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ParquetKeys {
    /// The training data. A path is relative to the experiment file.
    path: PathBuf,
    /// The test data, with columns of the same names. Default: no test data, except what `test_share` sets aside.
    test_path: Option<PathBuf>,
    /// The column to learn, or a list of columns in a regression.
    target: Names,
    /// The columns to learn from. Default: all columns of the training data except the target. Each must hold numbers,
    /// or true and false (1 and 0).
    features: Option<Names>,
    /// `"classification"` or `"regression"`. Default: a classification if there is one target that holds text, true
    /// and false, or whole numbers; otherwise a regression.
    task: Option<TaskKind>,
}

impl From<ParquetKeys> for Parquet {
    fn from(ParquetKeys { path, test_path, target, features, task }: ParquetKeys) -> Self {
        Self { path, test_path, columns: Columns { target, features, task } }
    }
}

impl From<Parquet> for ParquetKeys {
    fn from(Parquet { path, test_path, columns: Columns { target, features, task } }: Parquet) -> Self {
        Self { path, test_path, target, features, task }
    }
}

table_source! { Parquet "parquet" }

impl Parquet {
    /// Reads and checks the files. Returns all rows and what is known of them.
    ///
    /// # Errors
    /// The first error, in the training data before the test data.
    pub fn read(&self) -> Result<(Dataset, Info), TableError> {
        let train = self.load_table("path", &self.path, None)?;
        let test = self.test_path.as_ref().map(|path| self.load_table("test_path", path, Some(&train))).transpose()?;
        self.columns.dataset(train, test, "")
    }

    /// Reads the file that the setting `key` names: the training data, or the test data that belongs to `train`.
    fn load_table(
        &self,
        key: &'static str,
        path: &Path,
        train: Option<&LoadedTable>,
    ) -> Result<LoadedTable, TableError> {
        let error = |key, position, fault| TableError { key, path: path.to_owned(), position, fault: Box::new(fault) };
        let of_file = |fault| error(key, TablePosition::default(), fault);
        let (file, hash) = open(path).map_err(of_file)?;
        let not_parquet =
            |cause: &dyn std::fmt::Display| of_file(TableFault::Format(format!("this is not Parquet: {cause}")));
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|cause| not_parquet(&cause))?;
        let schema = builder.schema().clone();
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let ColumnIndices { features, targets } = self
            .columns
            .places(key, &names, train)
            .map_err(|(blamed, fault)| error(blamed, TablePosition::default(), fault))?;
        for &column in &features {
            let found = schema.field(column).data_type();
            if !is_number(found) {
                let fault = TableFault::ColumnType { found: type_name(found), expected: NUMBERS };
                let position = TablePosition { column: Some(names[column].clone()), ..TablePosition::default() };
                return Err(error(if self.columns.features.is_some() { "features" } else { key }, position, fault));
            }
        }
        // A few bytes can stand for any number of equal values, so the declared size is checked before the content is
        // read.
        let declared = builder.metadata().file_metadata().num_rows();
        if are_too_many(u64::try_from(declared).unwrap_or_default(), (features.len() + targets.len()) as u64) {
            return Err(of_file(TableFault::TooLarge));
        }
        let mut typed =
            targets.iter().map(|&column| column_of(&schema, column)).collect::<Result<Vec<_>, _>>().map_err(
                |(column, fault)| {
                    let position = TablePosition { column: Some(names[column].clone()), ..TablePosition::default() };
                    error("target", position, fault)
                },
            )?;

        let used: Vec<usize> = features.iter().chain(&targets).copied().collect();
        if let Some((column, found)) = unknown_compression(builder.metadata(), &used) {
            let position = TablePosition { column: Some(names[column].clone()), ..TablePosition::default() };
            return Err(error(key, position, TableFault::Compression { found }));
        }
        let mask = ProjectionMask::roots(builder.parquet_schema(), used.iter().copied());
        let reader = builder.with_projection(mask).build().map_err(|cause| not_parquet(&cause))?;
        let (mut inputs, mut rows) = (Vec::new(), 0);
        for batch in reader {
            let batch = batch.map_err(|cause| of_file(TableFault::Format(format!("the file is damaged: {cause}"))))?;
            // The reader returns columns in the order of the file, not in the order they were asked for.
            let column = |index: usize| {
                let before = used.iter().filter(|&&other| other < index).count();
                batch.column(before)
            };
            let wrong = |index: usize, row: usize, fault| {
                let position =
                    TablePosition { row: Some(rows + row as u64), column: Some(names[index].clone()), line: None };
                error(key, position, fault)
            };
            let mut numbers = Vec::with_capacity(features.len());
            for &index in &features {
                numbers.push(finite(column(index)).map_err(|(row, fault)| wrong(index, row, fault))?);
            }
            for row in 0..batch.num_rows() {
                inputs.extend(numbers.iter().map(|numbers| numbers[row]));
            }
            for (&index, typed) in targets.iter().zip(&mut typed) {
                extend(typed, column(index)).map_err(|(row, fault)| wrong(index, row, fault))?;
            }
            rows += batch.num_rows() as u64;
        }
        if rows == 0 {
            return Err(of_file(TableFault::NoRows));
        }
        Ok(LoadedTable { key, path: path.to_owned(), hash, names, inputs, targets: typed })
    }
}

const NUMBERS: &str = "numbers, or true and false; list the columns to use in `features`";

/// The file, and the hash of its bytes.
fn open(path: &Path) -> Result<(File, blake3::Hash), TableFault> {
    // A folder cannot be read, a pipe can be read only once, and a device may never end.
    if !std::fs::metadata(path).map_err(TableFault::Unreadable)?.is_file() {
        return Err(TableFault::NotAFile);
    }
    let file = File::open(path).map_err(TableFault::Unreadable)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&file).map_err(TableFault::Unreadable)?;
    Ok((file, hasher.finalize()))
}

/// The first of the `used` columns with an unsupported compression, and which one it is.
fn unknown_compression(metadata: &ParquetMetaData, used: &[usize]) -> Option<(usize, &'static str)> {
    let schema = metadata.file_metadata().schema_descr();
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns().iter().enumerate());
    let mut columns = chunks.map(|(leaf, chunk)| (schema.get_column_root_idx(leaf), chunk.compression()));
    columns.find_map(|(column, compression)| {
        let found = match compression {
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) | Compression::ZSTD(_) => {
                return None;
            }
            Compression::LZO => "LZO",
            Compression::BROTLI(_) => "Brotli",
            Compression::LZ4 | Compression::LZ4_RAW => "LZ4",
        };
        used.contains(&column).then_some((column, found))
    })
}

/// Whether values of this type are numbers or truth values.
fn is_number(of: &DataType) -> bool {
    of.is_numeric() || *of == DataType::Boolean
}

/// The type's name in the user's terms.
fn type_name(of: &DataType) -> String {
    match of {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Dictionary(_, values) => type_name(values),
        DataType::Date32 | DataType::Date64 => "dates".to_owned(),
        DataType::Timestamp(..) => "times".to_owned(),
        other => format!("values of type {other}"),
    }
}

/// An empty target for this column of `schema`; or the column, and why it cannot be a target.
fn column_of(schema: &Schema, column: usize) -> Result<TargetColumn, (usize, TableFault)> {
    fn of(data_type: &DataType) -> Option<TargetColumn> {
        match data_type {
            DataType::Boolean => Some(TargetColumn::Bools(Vec::new())),
            integer if integer.is_integer() => Some(TargetColumn::Integers(Vec::new())),
            number if number.is_numeric() => Some(TargetColumn::Floats(Vec::new())),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(TargetColumn::Texts(Vec::new())),
            DataType::Dictionary(_, values) => of(values),
            _ => None,
        }
    }
    let found = schema.field(column).data_type();
    let fault = || TableFault::ColumnType { found: type_name(found), expected: "text, numbers, or true and false" };
    of(found).ok_or_else(|| (column, fault()))
}

/// The first row without a value.
fn missing(array: &dyn Array) -> Option<usize> {
    let nulls = array.logical_nulls()?;
    (0..array.len()).find(|&row| nulls.is_null(row))
}

/// `array` converted to another type, if every value fits.
fn converted(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, (usize, TableFault)> {
    let format = |cause: ArrowError| (0, TableFault::Format(cause.to_string()));
    if let Some(row) = missing(array) {
        return Err((row, TableFault::Missing));
    }
    let converted = cast(array, to).map_err(format)?;
    // Values that do not fit become null.
    match missing(&converted) {
        Some(row) => {
            Err((row, TableFault::TooLargeValue { found: array_value_to_string(array, row).map_err(format)? }))
        }
        None => Ok(converted),
    }
}

/// The values as finite numbers; or the first row that has none, and why.
fn finite(array: &ArrayRef) -> Result<Vec<f64>, (usize, TableFault)> {
    let numbers = converted(array, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>().values();
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(row) => Err((row, TableFault::NotFinite { found: shortest(numbers[row]) })),
        None => Ok(numbers.to_vec()),
    }
}

/// Appends the values of `array` to a target of the same type.
fn extend(target: &mut TargetColumn, array: &ArrayRef) -> Result<(), (usize, TableFault)> {
    match target {
        TargetColumn::Bools(values) => {
            let array = converted(array, &DataType::Boolean)?;
            values.extend(array.as_boolean().iter().flatten());
        }
        TargetColumn::Integers(values) => {
            let array = converted(array, &DataType::Int64)?;
            values.extend(array.as_primitive::<Int64Type>().values());
        }
        TargetColumn::Floats(values) => values.extend(finite(array)?),
        TargetColumn::Texts(values) => {
            let array = converted(array, &DataType::Utf8)?;
            values.extend(array.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
