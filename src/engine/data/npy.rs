//! The user's own data: arrays saved by NumPy (`numpy.save`), one for the inputs and one for the targets.
//!
//! A file is the bytes `93 NUMPY`, two bytes for the version, the header's length (16 bits in version 1, 32 bits later,
//! little-endian), the header, and the values (NumPy Enhancement Proposal 1,
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>). The header is a Python dictionary with
//! the type of the values, whether the first index runs fastest, and the shape.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::rows::{Inputs, Rows};
use super::target::{self, Resolved, TargetColumn, TargetError, TaskKind};
use super::{DataSource, Error, HalfOfTestData, Info, Limits, Scalings, are_too_many, counted, fingerprint};
use crate::number::shortest;
use crate::settings::Settings;

/// The settings of `source = "npy"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "NpyKeys", into = "NpyKeys")]
pub struct Npy {
    train: InputsAndTargets,
    test: Option<InputsAndTargets>,
    task: Option<TaskKind>,
}

/// The settings as they are written.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NpyKeys {
    /// The training inputs: an array of numbers, [rows, ...]; the numbers of a row are fed in C order. A path is
    /// relative to the experiment file.
    features: PathBuf,
    /// The training targets: an array of one dimension, or of two in a regression with several targets.
    targets: PathBuf,
    /// The test inputs, of the same shape except for the number of rows. Default: no test data, except what
    /// `test_share` sets aside.
    test_features: Option<PathBuf>,
    /// The test targets. Default: as for `test_features`.
    test_targets: Option<PathBuf>,
    /// `"classification"` or `"regression"`. Default: a classification if there is one target that holds text, true
    /// and false, or whole numbers; otherwise a regression.
    task: Option<TaskKind>,
}

/// Inputs and the targets that belong to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct InputsAndTargets {
    features: PathBuf,
    targets: PathBuf,
}

impl TryFrom<NpyKeys> for Npy {
    type Error = HalfOfTestData;

    fn try_from(keys: NpyKeys) -> Result<Self, HalfOfTestData> {
        let test = match (keys.test_features, keys.test_targets) {
            (Some(features), Some(targets)) => Some(InputsAndTargets { features, targets }),
            (None, None) => None,
            (Some(_), None) => return Err(HalfOfTestData { given: "test_features", missing: "test_targets" }),
            (None, Some(_)) => return Err(HalfOfTestData { given: "test_targets", missing: "test_features" }),
        };
        Ok(Self { train: InputsAndTargets { features: keys.features, targets: keys.targets }, test, task: keys.task })
    }
}

impl From<Npy> for NpyKeys {
    fn from(Npy { train, test, task }: Npy) -> Self {
        let (test_features, test_targets) = test.map(|test| (test.features, test.targets)).unzip();
        Self { features: train.features, targets: train.targets, test_features, test_targets, task }
    }
}

/// An error in an array.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {fault}", path.display())]
pub struct NpyError {
    /// The setting at fault.
    pub key: &'static str,
    pub path: PathBuf,
    pub fault: Box<NpyFault>,
}

/// What is wrong with an array.
#[derive(Debug, thiserror::Error)]
pub enum NpyFault {
    #[error(transparent)]
    File(super::columns::TableFault),
    #[error("this is not a .npy file: it does not begin with the bytes 93 4e 55 4d 50 59 (`numpy.save` writes them)")]
    Magic,
    #[error("the format version is {0}, expected 1 to 3")]
    Version(u8),
    #[error("the header cannot be read: {0}")]
    Header(String),
    #[error("the values are of type `{0}`, expected whole numbers, floats of 32 or 64 bits, or true and false")]
    ValueType(String),
    #[error("found an array of shape {}, expected {expected}", shape(.found))]
    Shape { found: Vec<usize>, expected: String },
    #[error("some values are above {}, the largest accepted whole number", i64::MAX)]
    Large,
    #[error(
        "the file has {found} bytes, expected {expected}: {} values after a header of {header} bytes", shape(.sizes)
    )]
    Length { found: usize, expected: u128, sizes: Vec<usize>, header: usize },
    #[error("found {found} at {}, expected a finite number", shape(.index))]
    NotFinite { found: String, index: Vec<usize> },
    #[error(
        "there are targets for {}, but `{}` has {}",
        counted(*.targets as u64, "row"), of.display(), counted(*.features as u64, "row")
    )]
    Count { targets: usize, features: usize, of: PathBuf },
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// `(28, 28)`, in Python's notation.
fn shape(sizes: &[usize]) -> String {
    match sizes {
        [only] => format!("({only},)"),
        sizes => format!("({})", sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

impl DataSource for Npy {
    const NAME: &'static str = "npy";
    const PATH_KEYS: &'static [&'static str] = &["features", "targets", "test_features", "test_targets"];

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let pairs = std::iter::once(&mut self.train).chain(&mut self.test);
        pairs.flat_map(|pair| [&mut pair.features, &mut pair.targets]).collect()
    }

    fn load(&self, _: &Limits) -> Result<(Dataset, Info), Error> {
        Ok(self.read()?)
    }

    fn settings(&self, info: &Info, settings: &mut Settings) {
        settings.set("task", info.task.name());
    }
}

impl Npy {
    /// Reads and checks the files. Returns all rows and what is known of them.
    ///
    /// # Errors
    /// The first error, in the training data before the test data, inputs before targets.
    pub fn read(&self) -> Result<(Dataset, Info), NpyError> {
        let train = self.train.read("features", "targets")?;
        let test = self.test.as_ref().map(|test| test.read("test_features", "test_targets")).transpose()?;
        if let (Some(test), Some(pair)) = (&test, &self.test)
            && test.shape[1..] != train.shape[1..]
        {
            let (of, rows_of) = (shape(&train.shape), self.train.features.display());
            let expected = format!("{of} as in `{rows_of}`, whatever the number of rows");
            let fault = Box::new(NpyFault::Shape { found: test.shape.clone(), expected });
            return Err(NpyError { key: "test_features", path: pair.features.clone(), fault });
        }
        let resolved = target::resolve(&train.targets, test.as_ref().map(|test| test.targets.as_slice()), self.task);
        let Resolved { task, train: train_targets, test: test_targets, class_names } = resolved.map_err(|misfit| {
            let (key, path) = match &self.test {
                Some(test) if misfit.is_of_test => ("test_targets", &test.targets),
                _ => ("targets", &self.train.targets),
            };
            NpyError { key, path: path.clone(), fault: Box::new(misfit.error.into()) }
        })?;
        let hashes = |arrays: Option<&LoadedArrays>| [0, 1].map(|index| arrays.map(|arrays| arrays.hashes[index]));
        let fingerprint = fingerprint([hashes(Some(&train)), hashes(test.as_ref())].as_flattened(), "");
        let features = train.features;
        let test =
            test.zip(test_targets).map(|(test, targets)| Rows { inputs: test.inputs, targets }).unwrap_or_default();
        let train = Rows { inputs: train.inputs, targets: train_targets };
        let info = Info::unsplit(train.len() as u64, test.len() as u64, features, task, fingerprint);
        Ok((Dataset { train, test, features, task, scalings: Scalings::default() }, Info { class_names, ..info }))
    }
}

/// The arrays of a split.
struct LoadedArrays {
    /// blake3 of the bytes on disk, inputs and targets.
    hashes: [blake3::Hash; 2],
    features: usize,
    shape: Vec<usize>,
    inputs: Inputs,
    targets: Vec<TargetColumn>,
}

impl InputsAndTargets {
    fn read(&self, features_key: &'static str, targets_key: &'static str) -> Result<LoadedArrays, NpyError> {
        let wrong = |key, path: &Path, fault| NpyError { key, path: path.to_owned(), fault: Box::new(fault) };
        let of_features = |fault| wrong(features_key, &self.features, fault);
        let of_targets = |fault| wrong(targets_key, &self.targets, fault);

        let (array, features_hash) = Array::read(&self.features).map_err(of_features)?;
        let shape = array.shape.clone();
        let (rows, features) = match shape.as_slice() {
            [rows, of_row @ ..] if !of_row.is_empty() && shape.iter().all(|size| *size > 0) => {
                (*rows, of_row.iter().product())
            }
            _ => {
                let expected = "two dimensions or more, rows first, and none of size 0".to_owned();
                return Err(of_features(NpyFault::Shape { found: shape, expected }));
            }
        };
        let inputs = array.into_inputs().map_err(of_features)?;

        let (array, targets_hash) = Array::read(&self.targets).map_err(of_targets)?;
        if !matches!(array.shape.as_slice(), [_] | [_, _]) || array.shape.contains(&0) {
            let expected = "one dimension, or two (rows and targets), and none of size 0".to_owned();
            return Err(of_targets(NpyFault::Shape { found: array.shape, expected }));
        }
        if array.shape[0] != rows {
            let (targets, of) = (array.shape[0], self.features.clone());
            return Err(of_targets(NpyFault::Count { targets, features: rows, of }));
        }
        let targets = array.into_columns().map_err(of_targets)?;
        Ok(LoadedArrays { hashes: [features_hash, targets_hash], features, shape, inputs, targets })
    }
}

/// The checked content of a file, its values in C order.
#[derive(Debug, PartialEq)]
struct Array {
    shape: Vec<usize>,
    values: ArrayValues,
}

#[derive(Debug, PartialEq)]
enum ArrayValues {
    Bools(Vec<bool>),
    Bytes(Vec<u8>),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
}

/// The content of a header.
#[derive(Debug, PartialEq)]
struct Header {
    descr: String,
    is_fortran_order: bool,
    shape: Vec<usize>,
}

impl Array {
    fn read(path: &Path) -> Result<(Self, blake3::Hash), NpyFault> {
        let bytes = super::columns::read_file(path).map_err(NpyFault::File)?;
        Ok((Self::parse(&bytes)?, blake3::hash(&bytes)))
    }

    fn parse(bytes: &[u8]) -> Result<Self, NpyFault> {
        let (header, begin) = header(bytes)?;
        let Header { descr, is_fortran_order, shape } = header;
        let (order, code) = descr.split_at_checked(1).unwrap_or_default();
        let is_big = match order {
            "<" | "|" => false,
            ">" => true,
            _ => return Err(NpyFault::ValueType(descr)),
        };
        let width = match code {
            "b1" | "i1" | "u1" => 1,
            "i2" | "u2" => 2,
            "i4" | "u4" | "f4" => 4,
            "i8" | "u8" | "f8" => 8,
            _ => return Err(NpyFault::ValueType(descr)),
        };
        let values = shape.iter().try_fold(width as u128, |product, &size| product.checked_mul(size as u128));
        let content = &bytes[begin..];
        match values {
            Some(length) if length == content.len() as u128 => {}
            length => {
                let expected = length.unwrap_or(u128::MAX).saturating_add(begin as u128);
                return Err(NpyFault::Length { found: bytes.len(), expected, sizes: shape, header: begin });
            }
        }
        if are_too_many((content.len() / width) as u64, 1) {
            return Err(NpyFault::File(super::columns::TableFault::TooLarge));
        }
        // The bytes of a value, least significant first.
        let each = |visit: &mut dyn FnMut([u8; 8])| {
            for place in ValueOffsets::new(&shape, is_fortran_order) {
                let mut word = [0; 8];
                word[..width].copy_from_slice(&content[place * width..][..width]);
                if is_big {
                    word[..width].reverse();
                }
                visit(word);
            }
        };
        let count = content.len() / width;
        let values = match code {
            "b1" => {
                let mut values = Vec::with_capacity(count);
                each(&mut |word| values.push(word[0] != 0));
                ArrayValues::Bools(values)
            }
            "u1" => {
                let mut values = Vec::with_capacity(count);
                each(&mut |word| values.push(word[0]));
                ArrayValues::Bytes(values)
            }
            "f4" | "f8" => {
                let mut values = Vec::with_capacity(count);
                each(&mut |word| {
                    let bits = u64::from_le_bytes(word);
                    values.push(if width == 4 { f64::from(f32::from_bits(bits as u32)) } else { f64::from_bits(bits) });
                });
                ArrayValues::Floats(values)
            }
            _ => {
                let (unused, signed) = (64 - 8 * width as u32, code.starts_with('i'));
                let (mut values, mut too_large) = (Vec::with_capacity(count), false);
                each(&mut |word| {
                    let bits = u64::from_le_bytes(word);
                    too_large |= !signed && bits > i64::MAX as u64;
                    values.push(if signed { (bits << unused) as i64 >> unused } else { bits as i64 });
                });
                if too_large {
                    return Err(NpyFault::Large);
                }
                ArrayValues::Integers(values)
            }
        };
        Ok(Self { shape, values })
    }

    /// As inputs. Bytes stay bytes; whole numbers beyond 2^53 are rounded.
    fn into_inputs(self) -> Result<Inputs, NpyFault> {
        Ok(match self.values {
            ArrayValues::Bytes(values) => Inputs::Bytes { values, full: 1 },
            ArrayValues::Bools(values) => Inputs::Bytes { values: values.into_iter().map(u8::from).collect(), full: 1 },
            ArrayValues::Integers(values) => Inputs::Numbers(values.into_iter().map(|value| value as f64).collect()),
            ArrayValues::Floats(values) => Inputs::Numbers(finite(values, &self.shape)?),
        })
    }

    /// As targets, one column each: `[rows]` or `[rows, targets]`.
    fn into_columns(self) -> Result<Vec<TargetColumn>, NpyFault> {
        fn columns<T: Clone>(values: &[T], targets: usize) -> impl Iterator<Item = Vec<T>> {
            (0..targets).map(move |target| values.iter().skip(target).step_by(targets).cloned().collect())
        }
        let targets = self.shape.get(1).copied().unwrap_or(1);
        Ok(match self.values {
            ArrayValues::Bools(values) => columns(&values, targets).map(TargetColumn::Bools).collect(),
            ArrayValues::Bytes(values) => {
                let values: Vec<i64> = values.into_iter().map(i64::from).collect();
                columns(&values, targets).map(TargetColumn::Integers).collect()
            }
            ArrayValues::Integers(values) => columns(&values, targets).map(TargetColumn::Integers).collect(),
            ArrayValues::Floats(values) => {
                columns(&finite(values, &self.shape)?, targets).map(TargetColumn::Floats).collect()
            }
        })
    }
}

/// The values, if all are finite; otherwise the first that is not, and its index.
fn finite(values: Vec<f64>, shape: &[usize]) -> Result<Vec<f64>, NpyFault> {
    let Some(mut place) = values.iter().position(|value| !value.is_finite()) else { return Ok(values) };
    let found = shortest(values[place]);
    let mut index = vec![0; shape.len()];
    for (index, size) in index.iter_mut().zip(shape).rev() {
        *index = place % size;
        place /= size;
    }
    Err(NpyFault::NotFinite { found, index })
}

/// The positions of an array's values in the file, in C order: the last index runs fastest.
struct ValueOffsets<'a> {
    shape: &'a [usize],
    /// The distance between two values whose indices differ by one, per dimension.
    strides: Vec<usize>,
    index: Vec<usize>,
    next: Option<usize>,
}

impl<'a> ValueOffsets<'a> {
    fn new(shape: &'a [usize], is_fortran_order: bool) -> Self {
        let mut strides = vec![1; shape.len()];
        let mut stride = 1;
        let mut set = |(size, of): (&usize, &mut usize)| {
            *of = stride;
            // The product of the sizes can overflow only for an array without values.
            stride = stride.wrapping_mul(*size);
        };
        if is_fortran_order {
            shape.iter().zip(&mut strides).for_each(&mut set);
        } else {
            shape.iter().zip(&mut strides).rev().for_each(&mut set);
        }
        let next = shape.iter().all(|size| *size > 0).then_some(0);
        Self { shape, strides, index: vec![0; shape.len()], next }
    }
}

impl Iterator for ValueOffsets<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = self.next?;
        let mut following = place;
        self.next = None;
        for dimension in (0..self.shape.len()).rev() {
            self.index[dimension] += 1;
            following += self.strides[dimension];
            if self.index[dimension] < self.shape[dimension] {
                self.next = Some(following);
                break;
            }
            following -= self.strides[dimension] * self.shape[dimension];
            self.index[dimension] = 0;
        }
        Some(place)
    }
}

/// The header, and the position of the first value.
fn header(bytes: &[u8]) -> Result<(Header, usize), NpyFault> {
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(NpyFault::Magic);
    }
    let ends = || NpyFault::Header("the file ends within it".to_owned());
    let (length, begin) = match *bytes.get(6).ok_or_else(ends)? {
        1 => {
            let length = bytes.get(8..10).ok_or_else(ends)?;
            (u32::from(length[0]) | u32::from(length[1]) << 8, 10)
        }
        2 | 3 => {
            let length = bytes.get(8..12).ok_or_else(ends)?;
            (u32::from_le_bytes([length[0], length[1], length[2], length[3]]), 12)
        }
        version => return Err(NpyFault::Version(version)),
    };
    let end = begin + length as usize;
    let text = std::str::from_utf8(bytes.get(begin..end).ok_or_else(ends)?);
    let text = text.map_err(|_| NpyFault::Header("it is not text".to_owned()))?;
    Ok((dictionary(text).map_err(NpyFault::Header)?, end))
}

/// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`, with the keys in any order.
fn dictionary(text: &str) -> Result<Header, String> {
    let (mut descr, mut is_fortran_order, mut shape) = (None, None, None);
    let mut rest = text.trim().strip_prefix('{').ok_or("it does not begin with `{`")?.trim_start();
    while !rest.starts_with('}') {
        let (key, after) = quoted(rest).ok_or_else(|| format!("expected a key at `{rest}`"))?;
        rest = after.trim_start().strip_prefix(':').ok_or_else(|| format!("expected `:` at `{after}`"))?.trim_start();
        let unknown = |rest: &str| format!("`{key}` has the value `{rest}`, which is not understood");
        match key {
            "descr" => {
                let (text, after) = quoted(rest).ok_or_else(|| unknown(rest))?;
                (descr, rest) = (Some(text.to_owned()), after);
            }
            "fortran_order" => {
                let truth = [("True", true), ("False", false)]
                    .into_iter()
                    .find_map(|(word, truth)| rest.strip_prefix(word).map(|after| (truth, after)));
                let (truth, after) = truth.ok_or_else(|| unknown(rest))?;
                (is_fortran_order, rest) = (Some(truth), after);
            }
            "shape" => {
                let (sizes, after) =
                    rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(|| unknown(rest))?;
                let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
                let sizes = sizes.map(|size| size.parse().map_err(|_| unknown(rest))).collect::<Result<_, _>>()?;
                (shape, rest) = (Some(sizes), after);
            }
            _ => return Err(format!("the key `{key}` is not known")),
        }
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    let lacks = |key: &str| format!("it lacks the key `{key}`");
    Ok(Header {
        descr: descr.ok_or_else(|| lacks("descr"))?,
        is_fortran_order: is_fortran_order.ok_or_else(|| lacks("fortran_order"))?,
        shape: shape.ok_or_else(|| lacks("shape"))?,
    })
}

/// The quoted text at the start, and the rest.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests;
