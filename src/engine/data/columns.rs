//! The user's own tables: which columns are features, which are targets, and what can be wrong with them. The file
//! formats are read in [`csv`](super::csv) and [`parquet`](super::parquet).

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::{Error as _, SeqAccess};
use thiserror::Error;

use super::dataset::Dataset;
use super::rows::{Inputs, Rows};
use super::target::{self, Resolved, TargetColumn, TargetError, TaskKind};
use super::{Info, MOST_NUMBERS, Scalings, counted, fingerprint};
use crate::forms::forms;
use crate::forms::or;
use crate::names::{did_you_mean, listed};
use crate::settings::Settings;

/// One name, or a list of names, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[schemars(extend("minItems" = 1, "uniqueItems" = true))]
#[schemars(transform = or::<String>)]
pub struct Names(Vec<String>);

impl Names {
    /// The names, at least one.
    pub fn get(&self) -> &[String] {
        &self.0
    }

    fn read<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut names: Vec<String> = Vec::new();
        while let Some(name) = list.next_element::<String>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format!("the column `{name}` is listed twice")));
            }
            names.push(name);
        }
        if names.is_empty() { Err(A::Error::custom("at least one column is needed")) } else { Ok(Self(names)) }
    }
}

forms! {
    Names, "the name of a column in quotes, or a list of names",
    text: |name: &str| Ok(Names(vec![name.to_owned()])),
    list: Names::read,
}

/// Implements [`DataSource`](super::DataSource) for the files of tables in one format: a struct with `path`,
/// `test_path` and `columns`, and a function `read`.
macro_rules! table_source {
    ($type:ident $name:literal) => {
        impl super::DataSource for $type {
            const NAME: &'static str = $name;
            const PATH_KEYS: &'static [&'static str] = &["path", "test_path"];

            fn paths(&mut self) -> Vec<&mut PathBuf> {
                std::iter::once(&mut self.path).chain(&mut self.test_path).collect()
            }

            fn load(&self, _: &super::Limits) -> Result<(Dataset, Info), super::Error> {
                Ok(self.read()?)
            }

            fn settings(&self, info: &Info, settings: &mut crate::settings::Settings) {
                self.columns.settings(info, settings);
            }
        }
    };
}

pub(super) use table_source;

/// Which columns of a table are used, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Columns {
    pub target: Names,
    /// Default: all columns but the target.
    pub features: Option<Names>,
    /// Default: depends on the target's type, see [`target::resolve`].
    pub task: Option<TaskKind>,
}

/// The positions of the chosen columns in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnIndices {
    pub features: Vec<usize>,
    pub targets: Vec<usize>,
}

/// The contents of the chosen columns of a file.
#[derive(Debug)]
pub struct LoadedTable {
    /// The setting that names the file.
    pub key: &'static str,
    pub path: PathBuf,
    /// blake3 of the bytes on disk.
    pub hash: blake3::Hash,
    /// The names of all the file's columns.
    pub names: Vec<String>,
    /// [rows, features], row-major.
    pub inputs: Vec<f64>,
    /// One for each target, all of the same length.
    pub targets: Vec<TargetColumn>,
}

/// An error in a table.
#[derive(Debug, Error)]
#[error("`{}`{position}: {fault}", path.display())]
pub struct TableError {
    /// The setting at fault.
    pub key: &'static str,
    pub path: PathBuf,
    pub position: TablePosition,
    pub fault: Box<TableFault>,
}

/// A position in a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TablePosition {
    /// In a text file, counted from 1.
    pub line: Option<u64>,
    /// In any other file, counted from 0.
    pub row: Option<u64>,
    pub column: Option<String>,
}

impl fmt::Display for TablePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(row) = self.row {
            write!(f, ", row {row} (counted from 0)")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        Ok(())
    }
}

/// What is wrong with a table.
#[derive(Debug, Error)]
pub enum TableFault {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("this path is not a file")]
    NotAFile,
    #[error("{0}")]
    Format(String),
    #[error("there are no columns: the file is empty")]
    NoHeader,
    #[error("there are no rows")]
    NoRows,
    #[error("it holds more than {MOST_NUMBERS} numbers, which do not fit into memory; use fewer rows or columns")]
    TooLarge,
    #[error("two columns are called `{name}`")]
    SameName { name: String },
    #[error("there is no column `{name}`{}; the columns are {}", meant(name, there), shortened(there))]
    NoColumn { name: String, there: Vec<String> },
    #[error(
        "there is no column `{name}`, which the training data `{}` has; the columns are {}",
        of.display(), shortened(there)
    )]
    OnlyInTraining { name: String, of: PathBuf, there: Vec<String> },
    #[error(
        "the training data `{}` has no column `{name}`; remove it, or list the columns to use: `features = [{}]`",
        of.display(), in_quotes(used)
    )]
    OnlyInTest { name: String, of: PathBuf, used: Vec<String> },
    #[error("the column `{name}` is the target and cannot be a feature, too")]
    TargetAsFeature { name: String },
    #[error("the target leaves no column for a feature")]
    NoFeatures,
    #[error("found {}, expected {expected} as in the first line", counted(*.found, "field"))]
    Ragged { found: u64, expected: u64 },
    #[error("the value is missing; fill it in or remove the row")]
    Missing,
    #[error("found `{found}`, expected a number; to leave the column out, list the columns to use in `features`")]
    NotANumber { found: String },
    #[error("found {found}, expected a finite number")]
    NotFinite { found: String },
    #[error("found `{found}`, expected a number between -1.8e308 and 1.8e308, the range of 64-bit floats")]
    TooLargeNumber { found: String },
    #[error("found {found}, expected a number of at most {}", i64::MAX)]
    TooLargeValue { found: String },
    #[error("the compression is {found}, expected none, Snappy, gzip or Zstandard; write the file again")]
    Compression { found: &'static str },
    #[error(
        "found `{found}` among numbers; correct it, or write `task = \"classification\"` if the numbers name classes"
    )]
    MixedTarget { found: String },
    #[error("the column holds {found}, expected {expected}")]
    ColumnType { found: String, expected: &'static str },
    #[error(transparent)]
    Target(#[from] TargetError),
}

fn meant(name: &str, there: &[String]) -> String {
    did_you_mean(name, there.iter().map(String::as_str))
        .map(|name| format!(" (did you mean `{name}`?)"))
        .unwrap_or_default()
}

/// The most names that a message lists.
const MOST_LISTED: usize = 12;

/// The names, shortened to the first ones if there are many.
fn shortened(names: &[String]) -> String {
    match names {
        names if names.len() > MOST_LISTED => {
            let first = names[..MOST_LISTED].iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            format!("{first} and {} more", names.len() - MOST_LISTED)
        }
        names => listed(names.iter().map(String::as_str), " and"),
    }
}

/// The names as a TOML list, shortened with dots if there are many.
fn in_quotes(names: &[String]) -> String {
    match names {
        names if names.len() > MOST_LISTED => "...".to_owned(),
        names => names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "),
    }
}

impl Columns {
    /// The positions of the columns among `names`, which are the columns of the file that the setting `key` names; or
    /// the setting at fault, and why. Test data uses the columns of the training data `train`, in the same order.
    pub fn places(
        &self,
        key: &'static str,
        names: &[String],
        train: Option<&LoadedTable>,
    ) -> Result<ColumnIndices, (&'static str, TableFault)> {
        if names.is_empty() {
            return Err((key, TableFault::NoHeader));
        }
        let mut seen = HashSet::new();
        if let Some(name) = names.iter().find(|name| !seen.insert(*name)) {
            return Err((key, TableFault::SameName { name: name.clone() }));
        }
        let used = self.feature_names(train.map_or(names, |train| &train.names));
        let find = |setting, wanted: &[String]| {
            let place = |name: &String| match names.iter().position(|there| there == name) {
                Some(place) => Ok(place),
                None => {
                    let (name, there) = (name.clone(), names.to_vec());
                    Err(match train {
                        Some(LoadedTable { path, .. }) => {
                            (key, TableFault::OnlyInTraining { name, of: path.clone(), there })
                        }
                        None => (setting, TableFault::NoColumn { name, there }),
                    })
                }
            };
            wanted.iter().map(place).collect::<Result<Vec<usize>, _>>()
        };
        let targets = find("target", self.target.get())?;
        let features = find("features", &used)?;
        if let (Some(train), None) = (train, &self.features)
            && let Some(name) = names.iter().find(|name| !train.names.contains(name))
        {
            return Err((key, TableFault::OnlyInTest { name: name.clone(), of: train.path.clone(), used }));
        }
        if let Some(&both) = features.iter().find(|place| targets.contains(place)) {
            return Err(("features", TableFault::TargetAsFeature { name: names[both].clone() }));
        }
        if features.is_empty() {
            return Err(("target", TableFault::NoFeatures));
        }
        Ok(ColumnIndices { features, targets })
    }

    /// The names of the features, for training data with these columns.
    fn feature_names(&self, names: &[String]) -> Vec<String> {
        match &self.features {
            Some(features) => features.get().to_vec(),
            None => self.all_but_targets(names).cloned().collect(),
        }
    }

    fn all_but_targets<'a>(&self, names: &'a [String]) -> impl Iterator<Item = &'a String> {
        names.iter().filter(|name| !self.target.get().contains(name))
    }

    /// Whether `features` equals its default, for a file with these columns.
    fn are_all(&self, names: &[String]) -> bool {
        self.features.as_ref().is_none_or(|features| features.get().iter().eq(self.all_but_targets(names)))
    }

    /// Whether all columns are features and the test data has them in another order than the training data.
    fn are_put_in_order(&self, train: &LoadedTable, test: &LoadedTable) -> bool {
        self.are_all(&train.names) && !self.all_but_targets(&train.names).eq(self.all_but_targets(&test.names))
    }

    /// Turns the tables into a dataset. `reading` names how the bytes were read, if there is more than one way.
    pub fn dataset(
        &self,
        train: LoadedTable,
        test: Option<LoadedTable>,
        reading: &str,
    ) -> Result<(Dataset, Info), TableError> {
        let features = train.inputs.len() / train.rows();
        let resolved = target::resolve(&train.targets, test.as_ref().map(|test| test.targets.as_slice()), self.task);
        let Resolved { task, train: train_targets, test: test_targets, class_names } = resolved.map_err(|misfit| {
            let (key, path) = match &test {
                Some(test) if misfit.is_of_test => (test.key, &test.path),
                _ => ("target", &train.path),
            };
            let names = self.target.get();
            let target = misfit.target.or((names.len() == 1).then_some(0));
            let position =
                TablePosition { column: target.map(|target| names[target].clone()), ..TablePosition::default() };
            TableError { key, path: path.clone(), position, fault: Box::new(misfit.error.into()) }
        })?;
        // The settings record the columns in use, unless all are.
        let hashes = [Some(train.hash), test.as_ref().map(|test| test.hash)];
        // Earlier versions did not reorder such columns: their results must not pass for those of this version.
        let in_order = test.as_ref().is_some_and(|test| self.are_put_in_order(&train, test));
        let order = if in_order { "columns in the order of the training data" } else { "" };
        let fingerprint = fingerprint(&hashes, &format!("{reading}{order}"));
        let has_all_columns = self.are_all(&train.names);
        let rows = |inputs, targets| Rows { inputs: Inputs::Numbers(inputs), targets };
        let test = test.zip(test_targets).map(|(test, targets)| rows(test.inputs, targets)).unwrap_or_default();
        let train = rows(train.inputs, train_targets);
        let info = Info {
            class_names,
            has_all_columns,
            ..Info::unsplit(train.len() as u64, test.len() as u64, features, task, fingerprint)
        };
        Ok((Dataset { train, test, features, task, scalings: Scalings::default() }, info))
    }

    /// Writes `task` and `target`, and `columns` unless all columns are used.
    pub fn settings(&self, info: &Info, settings: &mut Settings) {
        settings.set("task", info.task.name());
        settings.set("target", written(self.target.get()));
        if let (Some(features), false) = (&self.features, info.has_all_columns) {
            settings.set("columns", written(features.get()));
        }
    }
}

/// `a,b`. Commas within a name are escaped, so that different lists are written differently.
fn written(names: &[String]) -> String {
    names.iter().map(|name| name.replace('\\', "\\\\").replace(',', "\\,")).collect::<Vec<_>>().join(",")
}

impl LoadedTable {
    /// How many rows the table has.
    pub fn rows(&self) -> usize {
        self.targets.first().map_or(0, TargetColumn::len)
    }
}

/// The bytes of the file at `path`, which must be a regular file: a folder cannot be read, a pipe can be read only
/// once, and a device may never end.
pub fn read_file(path: &Path) -> Result<Vec<u8>, TableFault> {
    if !std::fs::metadata(path).map_err(TableFault::Unreadable)?.is_file() {
        return Err(TableFault::NotAFile);
    }
    std::fs::read(path).map_err(TableFault::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_never_written_alike() {
        let list = |names: &[&str]| written(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(list(&["a", "b"]), "a,b");
        assert_eq!(list(&["a,b"]), "a\\,b");
        assert_ne!(list(&["a\\", "b"]), list(&["a\\,b"]));
    }
}
