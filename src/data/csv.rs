//! The user's own data: CSV files, as RFC 4180 and most programs write them: a line of names, then a line for each row. Fields may be quoted;
//! blanks around them do not count. A file may be gzipped.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::{Columns, Fault, Names, Part, Place, Places, TableError, read_file};
use super::dataset::Dataset;
use super::target::{Column, TaskKind};
use super::{DataSource, Error, Info, Limits, are_too_many};
use crate::number::shortest;
use crate::settings::Settings;

/// The settings of `source = "csv"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(from = "Keys", into = "Keys")]
pub struct Csv {
    path: PathBuf,
    test_path: Option<PathBuf>,
    columns: Columns,
    delimiter: Delimiter,
}

/// The settings as they are written.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// The training data. A path is relative to the experiment file; whether a file is gzipped is seen from its content.
    path: PathBuf,
    /// The test data, with columns of the same names. Default: no test data but what `test_share` sets aside.
    test_path: Option<PathBuf>,
    /// The column to learn, or a list of columns in a regression.
    target: Names,
    /// The columns to learn from. Default: all of the training data but the target. Each must hold numbers, or true and false (1 and 0).
    features: Option<Names>,
    /// `"classification"` or `"regression"`. Default: a classification where there is one target of texts,
    /// of true and false, or of whole numbers; else a regression.
    task: Option<TaskKind>,
    /// What stands between two fields. Default: a comma.
    #[serde(default)]
    delimiter: Delimiter,
}

/// What stands between two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "&'static str")]
#[schemars(extend("enum" = [",", ";", "\t"]))]
enum Delimiter {
    #[default]
    Comma,
    Semicolon,
    Tab,
}

/// What stands between no fields.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no delimiter that is read, expected \",\", \";\" or \"\\t\" (a tab)")]
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

impl From<Csv> for Keys {
    fn from(csv: Csv) -> Self {
        let Csv { path, test_path, columns: Columns { target, features, task }, delimiter } = csv;
        Self { path, test_path, target, features, task, delimiter }
    }
}

impl From<Keys> for Csv {
    fn from(keys: Keys) -> Self {
        let Keys { path, test_path, target, features, task, delimiter } = keys;
        Self { path, test_path, columns: Columns { target, features, task }, delimiter }
    }
}

impl DataSource for Csv {
    const NAME: &'static str = "csv";
    const PATH_KEYS: &'static [&'static str] = &["path", "test_path"];

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        std::iter::once(&mut self.path).chain(&mut self.test_path).collect()
    }

    fn load(&self, _: &Limits) -> Result<(Dataset, Info), Error> {
        Ok(self.read()?)
    }

    fn settings(&self, info: &Info, settings: &mut Settings) {
        self.columns.settings(info, settings);
    }
}

impl Csv {
    /// Reads the files, checks them, and returns all rows and what is known of them.
    ///
    /// # Errors
    /// The first thing that is wrong, in the training data before the test data.
    pub fn read(&self) -> Result<(Dataset, Info), TableError> {
        let mut train = self.part("path", &self.path, None)?;
        let mut test =
            self.test_path.as_ref().map(|path| self.part("test_path", path, Some(&train.part))).transpose()?;
        for (target, name) in self.columns.target.get().iter().enumerate() {
            let mut parts: Vec<&mut Cells> = std::iter::once(&mut train).chain(&mut test).collect();
            type_target(&mut parts, target, name, self.columns.task)?;
        }
        let reading = if self.delimiter == Delimiter::Comma { "" } else { "another delimiter" };
        self.columns.dataset(train.part, test.map(|test| test.part), reading)
    }

    /// The file that the setting `key` names: the training data, or the test data that belong to `train`.
    fn part(&self, key: &'static str, path: &Path, train: Option<&Part>) -> Result<Cells, TableError> {
        let error = |key, place, fault| TableError { key, path: path.to_owned(), place, fault: Box::new(fault) };
        let of_file = |fault| error(key, Place::default(), fault);
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
        let Places { features, targets } = self
            .columns
            .places(key, &names, train)
            .map_err(|(blamed, fault)| error(blamed, Place::default(), fault))?;
        let mut cells = Cells {
            lines: Vec::new(),
            part: Part {
                key,
                path: path.to_owned(),
                hash,
                names,
                inputs: Vec::new(),
                targets: vec![Column::Texts(Vec::new()); targets.len()],
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
                error(blamed, at(line, Some(cells.part.names[column].clone())), fault)
            };
            for &column in &features {
                let number = number(&record[column]).map_err(|fault| wrong(column, fault))?;
                cells.part.inputs.push(number);
            }
            for (&column, texts) in targets.iter().zip(&mut cells.part.targets) {
                if record[column].is_empty() {
                    let place = at(line, Some(cells.part.names[column].clone()));
                    return Err(error(key, place, Fault::Missing));
                }
                if let Column::Texts(texts) = texts {
                    texts.push(record[column].to_owned());
                }
            }
            cells.lines.push(line);
            if are_too_many(cells.lines.len() as u64, features.len() as u64) {
                return Err(of_file(Fault::TooLarge));
            }
        }
        if cells.lines.is_empty() { Err(of_file(Fault::NoRows)) } else { Ok(cells) }
    }
}

/// A part whose targets are texts until all parts are read.
struct Cells {
    part: Part,
    /// Where each row begins.
    lines: Vec<u64>,
}

fn at(line: u64, column: Option<String>) -> Place {
    Place { line: Some(line), column, ..Place::default() }
}

/// No more is unpacked than this: a small file can hold any number of equal bytes.
const MOST_UNPACKED: u64 = 4 << 30;

/// The bytes, unpacked where they are gzipped; what comes to more than `most` bytes is not.
fn unpacked(bytes: Vec<u8>, most: u64) -> Result<Vec<u8>, Fault> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    let damaged = |cause| Fault::Format(format!("the gzip stream is damaged ({cause}); fetch or pack the file again"));
    MultiGzDecoder::new(bytes.as_slice()).take(most + 1).read_to_end(&mut text).map_err(damaged)?;
    if text.len() as u64 > most {
        return Err(Fault::Format(format!("there are more than {most} bytes packed in it; unpack it yourself")));
    }
    Ok(text)
}

/// What the reader of the format has to say, in our words.
fn in_format(
    cause: &csv::Error,
    of_file: &dyn Fn(Fault) -> TableError,
    in_line: &dyn Fn(u64, Fault) -> TableError,
) -> TableError {
    match cause.kind() {
        csv::ErrorKind::UnequalLengths { pos: Some(pos), expected_len, len } => {
            in_line(pos.line(), Fault::Ragged { found: *len, expected: *expected_len })
        }
        csv::ErrorKind::Utf8 { pos: Some(pos), err } => {
            let field = err.field() + 1;
            in_line(pos.line(), Fault::Format(format!("field {field} is not UTF-8 text; save the file as UTF-8")))
        }
        _ => of_file(Fault::Format(format!("this is not CSV: {cause}"))),
    }
}

/// A field that is a feature.
fn number(field: &str) -> Result<f64, Fault> {
    match field.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(number) => Err(not_finite(field, number)),
        Err(_) if field.is_empty() => Err(Fault::Missing),
        Err(_) => match truth(field) {
            Some(truth) => Ok(f64::from(u8::from(truth))),
            None => Err(Fault::NotANumber { found: field.to_owned() }),
        },
    }
}

/// What is wrong with a field that is read as no finite number: it says so, or its digits come to more than there is.
fn not_finite(field: &str, number: f64) -> Fault {
    if field.contains(|c: char| c.is_ascii_digit()) {
        Fault::TooLargeNumber { found: field.to_owned() }
    } else {
        Fault::NotFinite { found: shortest(number) }
    }
}

fn truth(field: &str) -> Option<bool> {
    let is = |word: &str| field.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// Turns the texts of one target, in all parts, into what they all are: whole numbers, numbers, true and false; or leaves them texts.
fn type_target(parts: &mut [&mut Cells], target: usize, name: &str, task: Option<TaskKind>) -> Result<(), TableError> {
    fn parsed<T>(texts: &[String], parse: impl Fn(&str) -> Option<T>) -> Vec<Option<T>> {
        texts.iter().map(|text| parse(text)).collect()
    }
    fn whole<T>(values: Vec<Option<T>>) -> Option<Vec<T>> {
        values.into_iter().collect()
    }
    let texts: Vec<Vec<String>> = parts
        .iter_mut()
        .map(|cells| match std::mem::replace(&mut cells.part.targets[target], Column::Texts(Vec::new())) {
            Column::Texts(texts) => texts,
            other => unreachable!("targets are texts until they are typed, not {other:?}"),
        })
        .collect();
    let typed = |make: &dyn Fn(&[String]) -> Option<Column>| -> Option<Vec<Column>> {
        texts.iter().map(|texts| make(texts)).collect()
    };
    let integers = |texts: &[String]| whole(parsed(texts, |text| text.parse::<i64>().ok())).map(Column::Integers);
    let floats = |texts: &[String]| whole(parsed(texts, |text| text.parse::<f64>().ok())).map(Column::Floats);
    let truths = |texts: &[String]| whole(parsed(texts, truth)).map(Column::Bools);
    let columns = match typed(&integers).or_else(|| typed(&truths)).or_else(|| typed(&floats)) {
        Some(columns) => columns,
        None => {
            // Names among numbers are a slip more often than they are names.
            let is_number = |text: &String| text.parse::<f64>().is_ok();
            if task != Some(TaskKind::Classification) && texts.iter().flatten().any(is_number) {
                for (cells, texts) in parts.iter().zip(&texts) {
                    if let Some(row) = texts.iter().position(|text| !is_number(text)) {
                        return Err(cells.wrong(name, row, Fault::MixedTarget { found: texts[row].clone() }));
                    }
                }
            }
            texts.iter().map(|texts| Column::Texts(texts.clone())).collect()
        }
    };
    for ((cells, column), texts) in parts.iter_mut().zip(columns).zip(&texts) {
        if let Column::Floats(values) = &column
            && let Some(row) = values.iter().position(|value| !value.is_finite())
        {
            return Err(cells.wrong(name, row, not_finite(&texts[row], values[row])));
        }
        cells.part.targets[target] = column;
    }
    Ok(())
}

impl Cells {
    /// The error of the value in `row` of the target `name`.
    fn wrong(&self, name: &str, row: usize, fault: Fault) -> TableError {
        let place = at(self.lines[row], Some(name.to_owned()));
        TableError { key: self.part.key, path: self.part.path.clone(), place, fault: Box::new(fault) }
    }
}

#[cfg(test)]
mod tests;
