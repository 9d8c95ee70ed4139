//! Data: where it comes from ([`Data`], the `[data]` section), what is known before it is read ([`Info`]), and what
//! networks train on ([`Dataset`], which each run sees through a [`Partition`] of its own).

pub mod blobs;
pub mod columns;
pub mod csv;
pub mod dataset;
mod digits;
pub mod fashion_mnist;
pub mod fetch;
pub mod holdout;
mod idx;
mod mnist;
pub mod moons;
pub mod normal;
pub mod normalize;
pub mod npy;
pub mod parquet;
pub mod rows;
pub mod sine;
pub mod spiral;
pub mod synthetic;
pub mod target;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use dataset::{Dataset, SplitView, Task};
pub use holdout::{Holdout, HoldoutError, Partition, Preparation};
pub use idx::{Idx, IdxError, IdxFault};
pub use normalize::{Normalize, Scalings};
pub use rows::{Inputs, Rows, Targets};

use self::blobs::Blobs;
use self::columns::{TableError, TableFault};
use self::csv::Csv;
use self::digits::Digits;
use self::fashion_mnist::{FashionMnist, FashionMnistError};
use self::mnist::Mnist;
use self::moons::Moons;
use self::normal::Normal;
use self::npy::{Npy, NpyError, NpyFault};
use self::parquet::Parquet;
use self::sine::Sine;
use self::spiral::Spiral;
use crate::number::Count;
use crate::one_table::one_table;
use crate::seed::Seed;
use crate::settings::Settings;

/// The `[data]` section: a source, how much of it, and what each run does with the rows before it trains on them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Data {
    pub limits: Limits,
    pub preparation: Preparation,
    pub source: Source,
}

one_table! { Data { limits: Limits, preparation: Preparation, source: Source } }

/// How much of a source is used. Limits come first: what is cut off here is as if it were not there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Use only this many training rows, the first ones. Default: all.
    pub train_rows: Option<Count>,
    /// Use only this many test rows, the first ones. Default: all.
    pub test_rows: Option<Count>,
}

/// Where data comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename = "source", rename_all = "kebab-case")]
pub enum Source {
    /// Handwritten digits, built into the program: 60,000 training and 10,000 test images of 28 × 28 pixels, in 10
    /// classes (LeCun, Cortes & Burges, "The MNIST database of handwritten digits").
    Mnist,
    /// Clothes in the format of MNIST, fetched once, 30 MB (Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST: a Novel Image
    /// Dataset for Benchmarking Machine Learning Algorithms", arXiv:1708.07747).
    FashionMnist(FashionMnist),
    /// Handwritten digits, built into the program: 1797 images of 8 × 8 pixels, in 10 classes, as scikit-learn's
    /// `load_digits` has them (Alpaydin & Kaynak 1998, "Optical Recognition of Handwritten Digits"). It has no test
    /// data of its own.
    Digits,
    /// Your own files in the IDX format, which MNIST uses.
    Idx(Idx),
    /// Your own CSV files: a line of names, then a line for each row; gzipped or not.
    Csv(Csv),
    /// Your own Parquet files, as pandas, Polars and DuckDB write them.
    Parquet(Parquet),
    /// Your own arrays, as `numpy.save` writes them, one for the inputs and one for the targets.
    Npy(Npy),
    Normal(Normal),
    Spiral(Spiral),
    Moons(Moons),
    Blobs(Blobs),
    Sine(Sine),
}

/// Evaluates `$result` with `$source` bound to the concrete source inside `$of`.
macro_rules! with_source {
    ($of:expr, $source:ident => $result:expr) => {
        with_source! { $of, $source => $result, built in: [Mnist, Digits], of settings: [
            FashionMnist, Idx, Csv, Parquet, Npy, Normal, Spiral, Moons, Blobs, Sine,
        ] }
    };
    ($of:expr, $source:ident => $result:expr, built in: [$($built_in:ident),*], of settings: [$($name:ident,)*]) => {
        match $of {
            $(Source::$built_in => {
                let $source = &mut $built_in;
                $result
            })*
            $(Source::$name($source) => $result,)*
        }
    };
}

impl Source {
    /// What is known of all rows. Nothing is unpacked, computed or fetched if the program knows it already; the user's
    /// own files are read and checked.
    ///
    /// # Errors
    /// [`enum@Error`], for invalid files.
    pub fn info(&self) -> Result<Info, Error> {
        with_source!(self, source => source.info())
    }

    /// The keys that hold paths, for the source of that name.
    pub fn path_keys(source: &str) -> &'static [&'static str] {
        const fn of<S: DataSource>() -> (&'static str, &'static [&'static str]) {
            (S::NAME, S::PATH_KEYS)
        }
        const FILES: [(&str, &[&str]); 5] =
            [of::<FashionMnist>(), of::<Idx>(), of::<Csv>(), of::<Parquet>(), of::<Npy>()];
        FILES.into_iter().find(|(name, _)| *name == source).map_or(&[], |(_, keys)| keys)
    }
}

/// The interface of a source, implemented in the source's own file. The default methods suit data that is computed.
pub trait DataSource {
    /// The source's name in the experiment file.
    const NAME: &'static str;
    /// The keys that hold paths.
    const PATH_KEYS: &'static [&'static str] = &[];
    /// How many bytes one number takes in memory.
    const BYTES_PER_VALUE: u64 = size_of::<f64>() as u64;

    /// The paths that the experiment file gives.
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }

    /// Makes relative paths relative to `folder`.
    fn resolve(&mut self, folder: &Path) {
        self.paths().into_iter().for_each(|path| *path = folder.join(&*path));
    }

    /// What the plan needs to know about all rows. Nothing is unpacked, computed or fetched if the program knows it
    /// already.
    ///
    /// # Errors
    /// If the rows are not available.
    fn info(&self) -> Result<Info, Error> {
        Ok(self.load(&Limits::default())?.1)
    }

    /// The rows, and what is known of all of them. Built-in data is unpacked only up to the limits; the caller cuts off
    /// whatever exceeds them.
    ///
    /// # Errors
    /// As [`info`](Self::info), and if files cannot be fetched.
    fn load(&self, limits: &Limits) -> Result<(Dataset, Info), Error>;

    /// How many Gaussians a NumPy script draws for the rows, once [`draw_in_script`](Self::draw_in_script) has made the
    /// rows the script's.
    fn drawn_by_scripts(&self) -> u64 {
        0
    }

    /// Makes the rows those that a NumPy script with this seed draws first, if scripts draw them.
    fn draw_in_script(&mut self, _seed: Seed) {}

    /// Writes the settings that the fingerprint does not cover.
    fn settings(&self, _info: &Info, _settings: &mut Settings) {}
}

/// What the plan needs to know about the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Rows to train on, after limits and holdout.
    pub train_rows: u64,
    /// Rows set aside for validation, possibly 0.
    pub validation_rows: u64,
    /// After limits and holdout; 0 if there is no test data.
    pub test_rows: u64,
    pub features: usize,
    pub task: Task,
    /// The names of the classes, in the order of their numbers; empty if the numbers are their only names.
    pub class_names: Vec<String>,
    /// Whether all columns of a table except the target are used, in their order; true for all other sources.
    pub has_all_columns: bool,
    /// blake3 of the files' bytes, or a constant for built-in data; 16 hexadecimal digits.
    pub fingerprint: String,
}

impl Info {
    /// A source before anything is set aside, whose classes have no names but their numbers.
    pub fn unsplit(
        train_rows: u64,
        test_rows: u64,
        features: usize,
        task: Task,
        fingerprint: impl Into<String>,
    ) -> Self {
        let fingerprint = fingerprint.into();
        let class_names = Vec::new();
        Self {
            train_rows,
            validation_rows: 0,
            test_rows,
            features,
            task,
            class_names,
            has_all_columns: true,
            fingerprint,
        }
    }

    /// `0 = setosa, 1 = versicolor`; shortened to the first names if there are many. `None` if the names are the
    /// numbers 0, 1, 2 and so on.
    pub fn classes_in_words(&self) -> Option<String> {
        const MOST: usize = 20;
        let names = &self.class_names;
        if names.iter().enumerate().all(|(class, name)| *name == class.to_string()) {
            return None;
        }
        let named = names.iter().enumerate().take(MOST).map(|(class, name)| format!("{class} = {name}"));
        let mut words = named.collect::<Vec<_>>().join(", ");
        if names.len() > MOST {
            words += &format!(" and {} more", names.len() - MOST);
        }
        Some(words)
    }
}

/// Data that is not available.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    File(#[from] IdxError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Npy(#[from] NpyError),
    #[error(transparent)]
    FashionMnist(#[from] FashionMnistError),
    #[error(transparent)]
    Holdout(#[from] HoldoutError),
    #[error("`{key}` is {asked}, but {}", there_are(*there, "row"))]
    TooFewRows { key: &'static str, asked: u64, there: u64 },
    #[error("`test_rows` is given, but there is no test data")]
    NoTestData,
    #[error("{rows} rows of {features} numbers do not fit into memory")]
    TooLarge { rows: u64, features: usize },
    #[error("the centers of {classes} classes, {features} numbers each, do not fit into memory")]
    TooManyCenters { classes: usize, features: usize },
    #[error("a data file changed after the runs were planned; run the command again")]
    Changed,
}

impl Error {
    /// The key of the `[data]` section that the error is about.
    pub fn key(&self) -> &'static str {
        match self {
            Self::File(error) => error.key,
            Self::Table(error) => error.key,
            Self::Npy(error) => error.key,
            Self::Holdout(error) => error.key(),
            Self::TooFewRows { key, .. } => key,
            Self::NoTestData => "test_rows",
            Self::TooLarge { rows, features } if *features as u64 > *rows => "features",
            Self::TooLarge { .. } => "rows",
            Self::TooManyCenters { .. } => "features",
            Self::FashionMnist(error) => error.key(),
            Self::Changed => "source",
        }
    }

    /// Whether the file that [`key`](Self::key) names is unusable, whatever else the section says.
    pub fn is_of_the_file(&self) -> bool {
        match self {
            Self::File(error) => matches!(*error.fault, IdxFault::Unreadable(_) | IdxFault::NotAFile),
            Self::Table(error) => matches!(*error.fault, TableFault::Unreadable(_) | TableFault::NotAFile),
            Self::Npy(error) => matches!(*error.fault, NpyFault::File(_)),
            Self::FashionMnist(_) => true,
            _ => false,
        }
    }

    /// What to do, if the message itself does not say it.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Holdout(error) => Some(error.help()),
            Self::NoTestData => Some("use `test_share` to set some of the rows aside as test data"),
            Self::TooLarge { .. } => Some("use fewer `rows` or `features`"),
            Self::TooManyCenters { .. } => Some("use fewer `classes` or `features`"),
            Self::TooFewRows { .. } => Some("use fewer, or leave the line out to use all"),
            Self::File(_) | Self::Table(_) | Self::Npy(_) if self.is_of_the_file() => {
                Some("a relative path starts in the folder of the file that it is written in")
            }
            _ => None,
        }
    }
}

/// One half of the test data without the other.
#[derive(Debug, Error)]
#[error("`{given}` is given without `{missing}`: test data needs both")]
struct HalfOfTestData {
    given: &'static str,
    missing: &'static str,
}

/// The most numbers that are made or read: 16 GiB.
const MOST_NUMBERS: u64 = 1 << 31;

impl From<Source> for Data {
    /// All rows of the source, as they are.
    fn from(source: Source) -> Self {
        Self { limits: Limits::default(), preparation: Preparation::default(), source }
    }
}

impl Data {
    /// Makes relative paths relative to `folder`.
    pub fn resolve(&mut self, folder: &Path) {
        with_source!(&mut self.source, source => source.resolve(folder));
    }

    /// The same data with explicit limits: missing ones are filled in from `info`, which describes the data.
    pub fn with_limits(mut self, info: &Info) -> Self {
        let made_test_rows = if self.preparation.holdout.has_test_rows() { info.test_rows } else { 0 };
        let train_rows = Count::new(info.train_rows + info.validation_rows + made_test_rows);
        let test_rows = Count::new(info.test_rows - made_test_rows);
        let Limits { train_rows: train, test_rows: test } = self.limits;
        self.limits = Limits { train_rows: train.or(train_rows.ok()), test_rows: test.or(test_rows.ok()) };
        self
    }

    /// What determines the loaded rows. Data sections that differ only in what runs do with the rows share it.
    pub fn rows(&self) -> (&Limits, &Source) {
        (&self.limits, &self.source)
    }

    /// How many bytes one number takes in memory.
    pub fn bytes_per_value(&self) -> u64 {
        fn of<S: DataSource>(_: &S) -> u64 {
            S::BYTES_PER_VALUE
        }
        with_source!(&self.source, source => of(source))
    }

    /// What the plan needs to know.
    ///
    /// # Errors
    /// As [`Source::info`] and [`info_within`](Self::info_within).
    pub fn info(&self) -> Result<Info, Error> {
        self.info_within(&self.source.info()?)
    }

    /// [`info`](Self::info), given what is known of all rows of the source.
    ///
    /// # Errors
    /// Limits and holdout that exceed the rows there are.
    pub fn info_within(&self, whole: &Info) -> Result<Info, Error> {
        let (train_rows, test_rows) = self.limits.apply(whole)?;
        Ok(self.preparation.holdout.apply(Info { train_rows, test_rows, ..whole.clone() })?)
    }

    /// The rows themselves, after limits; each run sets its own holdout aside.
    ///
    /// # Errors
    /// As [`info`](Self::info), and if files cannot be fetched.
    pub fn load(&self) -> Result<Dataset, Error> {
        self.read().map(|(dataset, _)| dataset)
    }

    /// [`load`](Self::load), if the data is still as `planned` describes it.
    ///
    /// # Errors
    /// [`Error::Changed`], and as [`load`](Self::load).
    pub fn load_as_planned(&self, planned: &Info) -> Result<Dataset, Error> {
        match self.read()? {
            (dataset, fingerprint) if fingerprint == planned.fingerprint => Ok(dataset),
            _ => Err(Error::Changed),
        }
    }

    fn read(&self) -> Result<(Dataset, String), Error> {
        let (mut dataset, whole) = with_source!(&self.source, source => source.load(&self.limits))?;
        let (train_rows, test_rows) = self.limits.apply(&whole)?;
        dataset.train.truncate(train_rows as usize);
        dataset.test.truncate(test_rows as usize);
        Ok((dataset, whole.fingerprint))
    }

    /// How many rows are shuffled to set some of them aside; 0 if none are.
    pub fn rows_in_order(&self, info: &Info) -> u64 {
        let set_aside_for_test = if self.preparation.holdout.has_test_rows() { info.test_rows } else { 0 };
        match info.validation_rows + set_aside_for_test {
            0 => 0,
            set_aside => info.train_rows + set_aside,
        }
    }

    /// How many Gaussians a NumPy script draws for the data: those of its noise, once
    /// [`draw_in_script`](Self::draw_in_script) has made the noise the script's.
    pub fn drawn_by_scripts(&self) -> u64 {
        with_source!(&self.source, source => DataSource::drawn_by_scripts(source))
    }

    /// Makes the noise what a NumPy script with this seed draws first. Data without noise does not change.
    pub fn draw_in_script(&mut self, seed: Seed) {
        with_source!(&mut self.source, source => DataSource::draw_in_script(source, seed));
    }

    /// Writes `data`, the numbers of rows after limits and holdout, `normalize`, and the settings of the source that
    /// the fingerprint does not cover.
    pub fn settings(&self, info: &Info, settings: &mut Settings) {
        fn name<S: DataSource>(_: &S) -> &'static str {
            S::NAME
        }
        settings.set("data", with_source!(&self.source, source => name(source)));
        with_source!(&self.source, source => source.settings(info, settings));
        settings.set("train_rows", info.train_rows);
        settings.set("test_rows", info.test_rows);
        if info.validation_rows > 0 {
            settings.set("validation_rows", info.validation_rows);
        }
        if self.preparation.normalize != Normalize::None {
            settings.set_written("normalize", &self.preparation.normalize, |word| word);
        }
    }
}

impl Limits {
    /// The remaining numbers of training and test rows.
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

/// `1 row`, `2 rows`.
fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `there is 1 row`, `there are 2 rows`.
fn there_are(number: u64, noun: &str) -> String {
    format!("there {} {}", if number == 1 { "is" } else { "are" }, counted(number, noun))
}

/// Whether this is more data than the program makes or reads.
fn are_too_many(rows: u64, numbers: u64) -> bool {
    rows.saturating_mul(numbers) > MOST_NUMBERS
}

/// Identifies the content of files, each given as its blake3, and how they are read if there is more than one way: the
/// first 16 hexadecimal digits of blake3 over, for each file, a 1 and its hash or a 0 if it is absent, and then the
/// way.
fn fingerprint(files: &[Option<blake3::Hash>], reading: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        match file {
            Some(hash) => hasher.update(&[1]).update(hash.as_bytes()),
            None => hasher.update(&[0]),
        };
    }
    hasher.update(reading.as_bytes()).finalize().to_hex()[..16].to_owned()
}

/// Identifies data without files: the first 16 hexadecimal digits of blake3 over a text.
fn fingerprint_of(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests;
