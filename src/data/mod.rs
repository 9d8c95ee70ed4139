//! Data: where it comes from ([`Data`], the `[data]` section), what is known of it before it is read ([`Info`]), and
//! what a network is fed ([`Dataset`]).

mod idx;
mod mnist;

use std::path::Path;

use serde::Deserialize;
use thiserror::Error;

pub use idx::{Fault, FileError, Idx};

use crate::number::Count;
use crate::real::Real;
use crate::settings::Settings;

/// The `[data]` section: a source, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Data(pub Limits, pub Source);

/// How much of a source is used. Limits come first: what is cut off here is as if it were not there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Only the first so many training rows. Default: all.
    pub train_rows: Option<Count>,
    /// Only the first so many test rows. Default: all.
    pub test_rows: Option<Count>,
}

/// Where data comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename = "source", rename_all = "kebab-case")]
pub enum Source {
    /// Handwritten digits, built into the program: 60,000 training and 10,000 test images of 28 × 28 pixels.
    Mnist,
    /// Files of the user's own, in the format of the MNIST files.
    Idx(Idx),
}

/// What the plan needs to know of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// After limits.
    pub train_rows: u64,
    /// After limits; 0 where there is no test data.
    pub test_rows: u64,
    pub features: usize,
    pub task: Task,
    /// blake3 of the files' bytes, or a constant for what is built in; 16 hexadecimal digits.
    pub fingerprint: String,
}

/// The data that a run trains and is evaluated on, limits applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    pub train: Rows,
    /// No rows where there is no test data.
    pub test: Rows,
    pub features: usize,
    pub task: Task,
}

/// What a network is to say of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Which of so many classes it belongs to.
    Classification { classes: usize },
    /// So many numbers.
    Regression { targets: usize },
}

impl Task {
    /// How many numbers a network needs to say it.
    pub const fn outputs(self) -> usize {
        match self {
            Self::Classification { classes } => classes,
            Self::Regression { targets } => targets,
        }
    }
}

/// Rows of bytes with a class for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// [rows, features], row-major.
    pub pixels: Vec<u8>,
    /// [rows], each below the dataset's number of classes.
    pub labels: Vec<u16>,
}

/// Data that cannot be had.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("`{key}` is {asked}, but there are {there} rows")]
    TooFewRows { key: &'static str, asked: u64, there: u64 },
    #[error("`test_rows` is given, but there is no test data")]
    NoTestData,
    #[error("a data file changed after the runs were planned; run the command again")]
    Changed,
}

impl Error {
    /// The key of the `[data]` section that the error is about.
    pub fn key(&self) -> &'static str {
        match self {
            Self::File(error) => error.key,
            Self::TooFewRows { key, .. } => key,
            Self::NoTestData => "test_rows",
            Self::Changed => "source",
        }
    }
}

impl Data {
    /// Makes relative paths start at `folder`.
    pub fn resolve(&mut self, folder: &Path) {
        if let Source::Idx(idx) = &mut self.1 {
            idx.resolve(folder);
        }
    }

    /// What the plan needs to know. Nothing is unpacked for what is built in; files are read and checked.
    ///
    /// # Errors
    /// [`Error`], for files that are not as they should be and for limits beyond what is there.
    pub fn info(&self) -> Result<Info, Error> {
        let whole = match &self.1 {
            Source::Mnist => mnist::info(),
            Source::Idx(idx) => idx.read()?.1,
        };
        let (train_rows, test_rows) = self.0.apply(&whole)?;
        Ok(Info { train_rows, test_rows, ..whole })
    }

    /// The rows themselves, limits applied.
    ///
    /// # Errors
    /// As [`info`](Self::info).
    pub fn load(&self) -> Result<Dataset, Error> {
        self.read().map(|(dataset, _)| dataset)
    }

    /// [`load`](Self::load), where the data still is what `planned` says.
    ///
    /// # Errors
    /// [`Error::Changed`], and as [`info`](Self::info).
    pub fn load_as_planned(&self, planned: &Info) -> Result<Dataset, Error> {
        match self.read()? {
            (dataset, fingerprint) if fingerprint == planned.fingerprint => Ok(dataset),
            _ => Err(Error::Changed),
        }
    }

    fn read(&self) -> Result<(Dataset, String), Error> {
        match &self.1 {
            Source::Mnist => {
                let whole = mnist::info();
                let (train_rows, test_rows) = self.0.apply(&whole)?;
                Ok((mnist::load(train_rows as usize, test_rows as usize), whole.fingerprint))
            }
            Source::Idx(idx) => {
                let (mut dataset, whole) = idx.read()?;
                let (train_rows, test_rows) = self.0.apply(&whole)?;
                dataset.train.truncate(train_rows as usize);
                dataset.test.truncate(test_rows as usize);
                Ok((dataset, whole.fingerprint))
            }
        }
    }

    /// Writes `data`, `train_rows` and `test_rows`, limits as the counts that they come to; and `classes` for a source
    /// where that can be chosen, since it is a width of the network that the fingerprint says nothing of.
    pub fn settings(&self, info: &Info, settings: &mut Settings) {
        match self.1 {
            Source::Mnist => settings.set("data", "mnist"),
            Source::Idx(_) => {
                settings.set("data", "idx");
                settings.set("classes", info.task.outputs() as u64);
            }
        }
        settings.set("train_rows", info.train_rows);
        settings.set("test_rows", info.test_rows);
    }
}

impl Limits {
    /// The numbers of training and test rows that remain.
    fn apply(&self, whole: &Info) -> Result<(u64, u64), Error> {
        let limit = |key, limit: Option<Count>, there: u64| match limit.map(Count::get) {
            Some(asked) if asked > there => Err(Error::TooFewRows { key, asked, there }),
            asked => Ok(asked.unwrap_or(there)),
        };
        let train_rows = limit("train_rows", self.train_rows, whole.train_rows)?;
        if self.test_rows.is_some() && whole.test_rows == 0 {
            return Err(Error::NoTestData);
        }
        Ok((train_rows, limit("test_rows", self.test_rows, whole.test_rows)?))
    }
}

impl Rows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Keeps the first rows.
    fn truncate(&mut self, rows: usize) {
        if rows < self.len() {
            self.pixels.truncate(self.pixels.len() / self.len() * rows);
            self.labels.truncate(rows);
        }
    }

    /// Copies `rows`, in this order: `inputs: [rows, features]` as shares of full brightness, `labels: [rows]`. Nothing
    /// is allocated.
    ///
    /// # Panics
    /// Where a row is not there, or the outputs have no room for all.
    pub fn gather<R: Real>(&self, rows: &[usize], inputs: &mut [R], labels: &mut [u16]) {
        let Some(features) = self.pixels.len().checked_div(self.len()) else {
            assert!(rows.is_empty(), "there are no rows");
            return;
        };
        assert!(labels.len() >= rows.len() && inputs.len() >= rows.len() * features, "there is room for every row");
        for ((&row, inputs), label) in rows.iter().zip(inputs.chunks_exact_mut(features)).zip(labels) {
            *label = self.labels[row];
            let pixels = &self.pixels[row * features..][..features];
            // A division, which runs four at a time; a 256-entry table, which cannot, takes 1.4 times as long in f32.
            inputs.iter_mut().zip(pixels).for_each(|(input, pixel)| *input = R::from_pixel(*pixel));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(train_rows: Option<u64>, test_rows: Option<u64>) -> Data {
        let count = |rows: Option<u64>| rows.map(|rows| Count::new(rows).unwrap());
        Data(Limits { train_rows: count(train_rows), test_rows: count(test_rows) }, Source::Mnist)
    }

    #[test]
    fn what_is_loaded_is_what_was_planned() {
        let data = data(Some(10), Some(10));
        let info = data.info().unwrap();
        assert_eq!(data.load_as_planned(&info).unwrap().train.len(), 10);
        let other = Info { fingerprint: "0123456789abcdef".to_owned(), ..info };
        assert!(matches!(data.load_as_planned(&other), Err(Error::Changed)));
    }

    #[test]
    fn limits_are_counts_and_never_more_than_there_is() {
        let info = data(Some(300), None).info().unwrap();
        assert_eq!((info.train_rows, info.test_rows), (300, 10_000));
        let too_many = |data: Data| (data.info().unwrap_err().to_string(), data.load().unwrap_err().to_string());
        let message = "`train_rows` is 60001, but there are 60000 rows".to_owned();
        assert_eq!(too_many(data(Some(60_001), None)), (message.clone(), message));
        assert_eq!(too_many(data(None, Some(10_001))).0, "`test_rows` is 10001, but there are 10000 rows");
    }

    #[test]
    fn settings_hold_counts() {
        let data = data(None, Some(7));
        let mut settings = Settings::default();
        data.settings(&data.info().unwrap(), &mut settings);
        let written: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(written, ["data=mnist", "test_rows=7", "train_rows=60000"]);
    }

    #[test]
    fn rows_are_gathered_in_any_order_as_shares_of_full_brightness() {
        let rows = Rows { pixels: vec![0, 255, 51, 102, 1, 2], labels: vec![7, 8, 9] };
        let (mut inputs, mut labels) = ([0.0_f64; 8], [0; 4]);
        rows.gather(&[1, 0, 1, 2], &mut inputs, &mut labels);
        let share = |byte: u8| f64::from(f32::from(byte) / 255.0);
        assert_eq!(inputs, [51, 102, 0, 255, 51, 102, 1, 2].map(share));
        assert_eq!(labels, [8, 7, 8, 9]);
        Rows::default().gather(&[], &mut inputs, &mut labels);
    }

    #[test]
    #[should_panic(expected = "there is room for every row")]
    fn rows_are_not_gathered_into_less_room() {
        Rows { pixels: vec![1, 2], labels: vec![0] }.gather(&[0, 0], &mut [0.0_f32; 3], &mut [0; 2]);
    }
}
