//! The user's own data: CSV files, as described in RFC 4180 and written by most programs: a line of names, then one
//! line per row. Fields may be quoted; blanks around them are ignored. A file may be gzipped.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::{
    ColumnIndices, Columns, LoadedTable, Names, TableError, TableFault, TablePosition, read_file, table_source,
};
use super::dataset::Dataset;
use super::target::{TargetColumn, TaskKind};
use super::{Info, are_too_many};
use crate::number::shortest;

/// The settings of `source = "csv"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(from = "CsvKeys", into = "CsvKeys")]
pub struct Csv {
    path: PathBuf,
    test_path: Option<PathBuf>,
    columns: Columns,
    delimiter: Delimiter,
}

/// The settings as they are written.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CsvKeys {
    /// The training data. A path is relative to the experiment file; gzipped files are recognized by their content.
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
    /// The character between two fields. Default: a comma.
    #[serde(default)]
    delimiter: Delimiter,
}

/// The character between two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "&'static str")]
#[schemars(extend("enum" = [",", ";", "\t"]))]
enum Delimiter {
    #[default]
    Comma,
    Semicolon,
    Tab,
}

/// An unknown delimiter.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an accepted delimiter, expected \",\", \";\" or \"\\t\" (a tab)")]
struct UnknownDelimiter(String);

impl TryFrom<String> for Delimiter {
    type Error = UnknownDelimiter;

    fn try_from(text: String) -> Result<Self, UnknownDelimiter> {
        match text.as_str() {
            "," => Ok(Self::Comma),
            ";" => Ok(Self::Semicolon),
            "\t" => Ok(Self::Tab),
            _ => Err(UnknownDelimiter(text)),
        }
    }
}

impl Delimiter {
    const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }
}

impl From<Delimiter> for &'static str {
    fn from(delimiter: Delimiter) -> Self {
        match delimiter {
            Delimiter::Comma => ",",
            Delimiter::Semicolon => ";",
            Delimiter::Tab => "\t",
        }
    }
}

impl From<Csv> for CsvKeys {
    fn from(csv: Csv) -> Self {
        let Csv { path, test_path, columns: Columns { target, features, task }, delimiter } = csv;
        Self { path, test_path, target, features, task, delimiter }
    }
}

impl From<CsvKeys> for Csv {
    fn from(keys: CsvKeys) -> Self {
        let CsvKeys { path, test_path, target, features, task, delimiter } = keys;
        Self { path, test_path, columns: Columns { target, features, task }, delimiter }
    }
}

table_source! { Csv "csv" }

impl Csv {
    /// Reads and checks the files. Returns all rows and what is known of them.
    ///
    /// # Errors
    /// The first error, in the training data before the test data.
    pub fn read(&self) -> Result<(Dataset, Info), TableError> {
        let mut train = self.load_table("path", &self.path, None)?;
        let mut test =
            self.test_path.as_ref().map(|path| self.load_table("test_path", path, Some(&train.table))).transpose()?;
        for (target, name) in self.columns.target.get().iter().enumerate() {
            let mut tables: Vec<&mut CsvTable> = std::iter::once(&mut train).chain(&mut test).collect();
            type_target(&mut tables, target, name, self.columns.task)?;
        }
        let reading = if self.delimiter == Delimiter::Comma { "" } else { "another delimiter" };
        self.columns.dataset(train.table, test.map(|test| test.table), reading)
    }

    /// Reads the file that the setting `key` names: the training data, or the test data that belongs to `train`.
    fn load_table(&self, key: &'static str, path: &Path, train: Option<&LoadedTable>) -> Result<CsvTable, TableError> {
        let error = |key, position, fault| TableError { key, path: path.to_owned(), position, fault: Box::new(fault) };
        let of_file = |fault| error(key, TablePosition::default(), fault);
        let bytes = read_file(path).map_err(of_file)?;
        let hash = blake3::hash(&bytes);
        let text = unpacked(bytes, MOST_UNPACKED).map_err(of_file)?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(self.delimiter.byte())
            .trim(csv::Trim::All)
            .from_reader(text.as_slice());

        let names: Vec<String> = match reader.headers() {
            Ok(names) => names.iter().map(str::to_owned).collect(),
            Err(cause) => return Err(in_format(&cause, &of_file, &|line, fault| error(key, at(line, None), fault))),
        };
        let ColumnIndices { features, targets } = self
            .columns
            .places(key, &names, train)
            .map_err(|(blamed, fault)| error(blamed, TablePosition::default(), fault))?;
        let mut csv_table = CsvTable {
            lines: Vec::new(),
            table: LoadedTable {
                key,
                path: path.to_owned(),
                hash,
                names,
                inputs: Vec::new(),
                targets: vec![TargetColumn::Texts(Vec::new()); targets.len()],
            },
        };
        let mut record = csv::StringRecord::new();
        loop {
            match reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(cause) => {
                    return Err(in_format(&cause, &of_file, &|line, fault| error(key, at(line, None), fault)));
                }
            }
            let line = record.position().map_or(0, csv::Position::line);
            let wrong = |column: usize, fault| {
                let blamed =
                    if features.contains(&column) && self.columns.features.is_some() { "features" } else { key };
                error(blamed, at(line, Some(csv_table.table.names[column].clone())), fault)
            };
            for &column in &features {
                let number = number(&record[column]).map_err(|fault| wrong(column, fault))?;
                csv_table.table.inputs.push(number);
            }
            for (&column, texts) in targets.iter().zip(&mut csv_table.table.targets) {
                if record[column].is_empty() {
                    let position = at(line, Some(csv_table.table.names[column].clone()));
                    return Err(error(key, position, TableFault::Missing));
                }
                if let TargetColumn::Texts(texts) = texts {
                    texts.push(record[column].to_owned());
                }
            }
            csv_table.lines.push(line);
            if are_too_many(csv_table.lines.len() as u64, features.len() as u64) {
                return Err(of_file(TableFault::TooLarge));
            }
        }
        if csv_table.lines.is_empty() { Err(of_file(TableFault::NoRows)) } else { Ok(csv_table) }
    }
}

/// A table whose targets stay text until all tables are read.
struct CsvTable {
    table: LoadedTable,
    /// The line where each row begins.
    lines: Vec<u64>,
}

fn at(line: u64, column: Option<String>) -> TablePosition {
    TablePosition { line: Some(line), column, ..TablePosition::default() }
}

/// The most bytes that are unpacked: a small file can expand to any size.
const MOST_UNPACKED: u64 = 4 << 30;

/// The bytes, unpacked if they are gzipped. More than `most` unpacked bytes are an error.
fn unpacked(bytes: Vec<u8>, most: u64) -> Result<Vec<u8>, TableFault> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    let damaged =
        |cause| TableFault::Format(format!("the gzip stream is damaged ({cause}); fetch or compress the file again"));
    MultiGzDecoder::new(bytes.as_slice()).take(most + 1).read_to_end(&mut text).map_err(damaged)?;
    if text.len() as u64 > most {
        return Err(TableFault::Format(format!("it unpacks to more than {most} bytes; unpack it yourself")));
    }
    Ok(text)
}

/// Rewords an error of the CSV reader.
fn in_format(
    cause: &csv::Error,
    of_file: &dyn Fn(TableFault) -> TableError,
    in_line: &dyn Fn(u64, TableFault) -> TableError,
) -> TableError {
    match cause.kind() {
        csv::ErrorKind::UnequalLengths { pos: Some(pos), expected_len, len } => {
            in_line(pos.line(), TableFault::Ragged { found: *len, expected: *expected_len })
        }
        csv::ErrorKind::Utf8 { pos: Some(pos), err } => {
            let field = err.field() + 1;
            in_line(pos.line(), TableFault::Format(format!("field {field} is not UTF-8 text; save the file as UTF-8")))
        }
        _ => of_file(TableFault::Format(format!("this is not CSV: {cause}"))),
    }
}

/// Parses a field of a feature.
fn number(field: &str) -> Result<f64, TableFault> {
    match field.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(number) => Err(not_finite(field, number)),
        Err(_) if field.is_empty() => Err(TableFault::Missing),
        Err(_) => match truth(field) {
            Some(truth) => Ok(f64::from(u8::from(truth))),
            None => Err(TableFault::NotANumber { found: field.to_owned() }),
        },
    }
}

/// The fault of a field that does not parse as a finite number: it names a NaN or an infinity, or its digits overflow.
fn not_finite(field: &str, number: f64) -> TableFault {
    if field.contains(|c: char| c.is_ascii_digit()) {
        TableFault::TooLargeNumber { found: field.to_owned() }
    } else {
        TableFault::NotFinite { found: shortest(number) }
    }
}

fn truth(field: &str) -> Option<bool> {
    let is = |word: &str| field.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// Converts the texts of one target, in all tables alike, into whole numbers, truth values or numbers, if every text is
/// one; else leaves them texts.
fn type_target(
    tables: &mut [&mut CsvTable],
    target: usize,
    name: &str,
    task: Option<TaskKind>,
) -> Result<(), TableError> {
    fn parsed<T>(texts: &[String], parse: impl Fn(&str) -> Option<T>) -> Vec<Option<T>> {
        texts.iter().map(|text| parse(text)).collect()
    }
    fn whole<T>(values: Vec<Option<T>>) -> Option<Vec<T>> {
        values.into_iter().collect()
    }
    let texts: Vec<Vec<String>> = tables
        .iter_mut()
        .map(|csv_table| {
            match std::mem::replace(&mut csv_table.table.targets[target], TargetColumn::Texts(Vec::new())) {
                TargetColumn::Texts(texts) => texts,
                other => unreachable!("targets are texts until they are typed, not {other:?}"),
            }
        })
        .collect();
    let typed = |make: &dyn Fn(&[String]) -> Option<TargetColumn>| -> Option<Vec<TargetColumn>> {
        texts.iter().map(|texts| make(texts)).collect()
    };
    let integers = |texts: &[String]| whole(parsed(texts, |text| text.parse::<i64>().ok())).map(TargetColumn::Integers);
    let floats = |texts: &[String]| whole(parsed(texts, |text| text.parse::<f64>().ok())).map(TargetColumn::Floats);
    let truths = |texts: &[String]| whole(parsed(texts, truth)).map(TargetColumn::Bools);
    let columns = match typed(&integers).or_else(|| typed(&truths)).or_else(|| typed(&floats)) {
        Some(columns) => columns,
        None => {
            // A text among numbers is more often a typo than a class name.
            let is_number = |text: &String| text.parse::<f64>().is_ok();
            if task != Some(TaskKind::Classification) && texts.iter().flatten().any(is_number) {
                for (csv_table, texts) in tables.iter().zip(&texts) {
                    if let Some(row) = texts.iter().position(|text| !is_number(text)) {
                        return Err(csv_table.wrong(name, row, TableFault::MixedTarget { found: texts[row].clone() }));
                    }
                }
            }
            texts.iter().map(|texts| TargetColumn::Texts(texts.clone())).collect()
        }
    };
    for ((csv_table, column), texts) in tables.iter_mut().zip(columns).zip(&texts) {
        if let TargetColumn::Floats(values) = &column
            && let Some(row) = values.iter().position(|value| !value.is_finite())
        {
            return Err(csv_table.wrong(name, row, not_finite(&texts[row], values[row])));
        }
        csv_table.table.targets[target] = column;
    }
    Ok(())
}

impl CsvTable {
    /// The error for the value in `row` of the target `name`.
    fn wrong(&self, name: &str, row: usize, fault: TableFault) -> TableError {
        let position = at(self.lines[row], Some(name.to_owned()));
        TableError { key: self.table.key, path: self.table.path.clone(), position, fault: Box::new(fault) }
    }
}

#[cfg(test)]
mod tests;
