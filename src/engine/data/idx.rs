//! The user's own data: IDX files, the format that MNIST was published in, gzipped or plain.
//!
//! An IDX file is two zero bytes, a byte for the type of the values (0x08: unsigned bytes, the only type that is read
//! here), a byte for the number of dimensions, each dimension's size as a big-endian `u32`, and the values, with the
//! last dimension running fastest (<https://yann.lecun.com/exdb/mnist/>, "The IDX file format"). The reader trusts
//! nothing: a malformed file is an error that names the byte, and no more is unpacked than the header declares.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    DataSource, Dataset, Error, HalfOfTestData, Info, Limits, Rows, Scalings, Task, are_too_many, counted, fingerprint,
};
use crate::number::OutOfRange;
use crate::settings::Settings;

/// The settings of `source = "idx"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "IdxKeys", into = "IdxKeys")]
pub struct Idx {
    train: ImagesAndLabels,
    test: Option<ImagesAndLabels>,
    classes: Option<ByteClasses>,
}

/// The settings as they are written.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IdxKeys {
    /// The training images: an IDX file of unsigned bytes with two dimensions or more, the first of which counts rows.
    /// A path is relative to the experiment file; gzipped files are recognized by their content.
    train_images: PathBuf,
    /// The training labels: an IDX file of unsigned bytes with one dimension.
    train_labels: PathBuf,
    /// The test images, of the same shape as the training images. Default: no test data.
    test_images: Option<PathBuf>,
    /// The test labels. Default: no test data.
    test_labels: Option<PathBuf>,
    /// The number of classes, 256 at most. Default: the largest label of the files + 1.
    classes: Option<ByteClasses>,
}

/// Images and the labels that belong to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ImagesAndLabels {
    images: PathBuf,
    labels: PathBuf,
}

/// As many classes as labels of one byte can tell apart: 1 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64")]
#[schemars(extend("minimum" = 1, "maximum" = 256))]
struct ByteClasses(u16);

impl TryFrom<i64> for ByteClasses {
    type Error = OutOfRange;

    fn try_from(value: i64) -> Result<Self, OutOfRange> {
        match u16::try_from(value) {
            Ok(classes @ 1..=256) => Ok(Self(classes)),
            _ => Err(OutOfRange::new(value, "a whole number from 1 to 256")),
        }
    }
}

impl TryFrom<IdxKeys> for Idx {
    type Error = HalfOfTestData;

    fn try_from(keys: IdxKeys) -> Result<Self, HalfOfTestData> {
        let test = match (keys.test_images, keys.test_labels) {
            (Some(images), Some(labels)) => Some(ImagesAndLabels { images, labels }),
            (None, None) => None,
            (Some(_), None) => return Err(HalfOfTestData { given: "test_images", missing: "test_labels" }),
            (None, Some(_)) => return Err(HalfOfTestData { given: "test_labels", missing: "test_images" }),
        };
        let train = ImagesAndLabels { images: keys.train_images, labels: keys.train_labels };
        Ok(Self { train, test, classes: keys.classes })
    }
}

impl From<Idx> for IdxKeys {
    fn from(Idx { train, test, classes }: Idx) -> Self {
        let (test_images, test_labels) = test.map(|test| (test.images, test.labels)).unzip();
        Self { train_images: train.images, train_labels: train.labels, test_images, test_labels, classes }
    }
}

/// An error in a file.
#[derive(Debug, thiserror::Error)]
#[error("`{}`{}: {fault}", path.display(), place(*offset, *is_gzipped))]
pub struct IdxError {
    /// The setting that names the file.
    pub key: &'static str,
    pub path: PathBuf,
    /// The position of the error, in bytes from the start of the (unpacked) content. `None` if the error has no
    /// position.
    pub offset: Option<u64>,
    pub is_gzipped: bool,
    pub fault: Box<IdxFault>,
}

fn place(offset: Option<u64>, is_gzipped: bool) -> String {
    match offset {
        Some(offset) if is_gzipped => format!(" at byte {offset} of its unpacked content"),
        Some(offset) => format!(" at byte {offset}"),
        None => String::new(),
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum IdxFault {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("this path is not a file, expected an IDX file")]
    NotAFile,
    #[error("the gzip stream is damaged ({0}); fetch or compress the file again")]
    Gzip(io::Error),
    #[error("found the bytes {:02x} {:02x}, expected 00 00, with which every IDX file begins", found[0], found[1])]
    Magic { found: [u8; 2] },
    #[error("found values of type {found:#04x}{}, expected 0x08 (unsigned bytes)", type_name(*found))]
    ValueType { found: u8 },
    #[error("the number of dimensions is {found}, expected {expected}")]
    Dimensions { found: u8, expected: &'static str },
    #[error("dimension {dimension} has size 0, expected at least 1")]
    Empty { dimension: usize },
    #[error("the header declares {} values, which do not fit into memory", shape(sizes))]
    TooLarge { sizes: Vec<u32> },
    #[error("the content ends within the header, expected {expected} bytes of header")]
    HeaderEnds { expected: u64 },
    #[error("the content ends, expected {expected} bytes: the header declares {} values", shape(sizes))]
    TooShort { expected: u64, sizes: Vec<u32> },
    #[error("found more content, expected the end: the header declares {} values", shape(sizes))]
    TooLong { sizes: Vec<u32> },
    #[error("found label {found}, expected 0 to {}: `classes` is {classes}", classes - 1)]
    Label { found: u8, classes: u16 },
    #[error(
        "found {} for the {} of `{}`: they do not belong together",
        counted(*.labels as u64, "label"), counted(*.images as u64, "image"), of.display()
    )]
    Count { labels: usize, images: usize, of: PathBuf },
    #[error("found images of {} values, expected {} as in `{}`", shape(found), shape(expected), of.display())]
    Shape { found: Vec<u32>, expected: Vec<u32>, of: PathBuf },
}

/// `28 × 28`.
fn shape(sizes: &[u32]) -> String {
    sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(" × ")
}

fn type_name(code: u8) -> &'static str {
    match code {
        0x09 => " (signed bytes)",
        0x0b => " (16-bit integers)",
        0x0c => " (32-bit integers)",
        0x0d => " (32-bit floats)",
        0x0e => " (64-bit floats)",
        _ => "",
    }
}

impl DataSource for Idx {
    const NAME: &'static str = "idx";
    const PATH_KEYS: &'static [&'static str] = &["train_images", "train_labels", "test_images", "test_labels"];
    const BYTES_PER_VALUE: u64 = 1;

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let pairs = std::iter::once(&mut self.train).chain(&mut self.test);
        pairs.flat_map(|pair| [&mut pair.images, &mut pair.labels]).collect()
    }

    fn load(&self, _: &Limits) -> Result<(Dataset, Info), Error> {
        Ok(self.read()?)
    }

    /// The number of classes is a setting because it determines the width of the output layer.
    fn settings(&self, info: &Info, settings: &mut Settings) {
        settings.set("classes", info.task.outputs() as u64);
    }
}

impl Idx {
    /// Training images, training labels, test images and test labels of ten classes.
    pub(super) fn of_ten_classes([train_images, train_labels, test_images, test_labels]: [PathBuf; 4]) -> Self {
        Self {
            train: ImagesAndLabels { images: train_images, labels: train_labels },
            test: Some(ImagesAndLabels { images: test_images, labels: test_labels }),
            classes: Some(ByteClasses(10)),
        }
    }

    /// Reads and checks all files. Returns all rows and what is known of them.
    ///
    /// # Errors
    /// The first error, in the order train before test, images before labels.
    pub fn read(&self) -> Result<(Dataset, Info), IdxError> {
        let (train, test) = rayon::join(
            || self.train.read("train_images", "train_labels"),
            || self.test.as_ref().map(|test| test.read("test_images", "test_labels")).transpose(),
        );
        let (train, test) = (train?, test?);
        if let Some(test) = &test
            && test.images.row_shape() != train.images.row_shape()
        {
            let (found, expected) = (test.images.row_shape().to_vec(), train.images.row_shape().to_vec());
            let of = train.images.path.clone();
            return Err(test.images.fault(8, IdxFault::Shape { found, expected, of }));
        }

        let labels = || std::iter::once(&train.labels).chain(test.as_ref().map(|test| &test.labels));
        let largest = labels().flat_map(|file| &file.values).max().copied().unwrap_or_default();
        let classes = self.classes.map_or(u16::from(largest) + 1, |classes| classes.0);
        for file in labels() {
            if let Some(index) = file.values.iter().position(|label| u16::from(*label) >= classes) {
                let fault = IdxFault::Label { found: file.values[index], classes };
                return Err(file.fault(file.header() + index as u64, fault));
            }
        }

        let hashes = [
            Some(train.images.hash),
            Some(train.labels.hash),
            test.as_ref().map(|test| test.images.hash),
            test.as_ref().map(|test| test.labels.hash),
        ];
        let fingerprint = fingerprint(&hashes, "");
        let features = train.images.row_shape().iter().map(|size| *size as usize).product();
        let (train, test) = (train.into_rows(), test.map(IdxFiles::into_rows).unwrap_or_default());
        let (train_rows, test_rows) = (train.len() as u64, test.len() as u64);
        let task = Task::Classification { classes: classes.into() };
        let info = Info::unsplit(train_rows, test_rows, features, task, fingerprint);
        Ok((Dataset { train, test, features, task, scalings: Scalings::default() }, info))
    }
}

impl ImagesAndLabels {
    fn read(&self, images_key: &'static str, labels_key: &'static str) -> Result<IdxFiles, IdxError> {
        let images = IdxFile::read(images_key, &self.images, IdxRole::Images)?;
        let labels = IdxFile::read(labels_key, &self.labels, IdxRole::Labels)?;
        if images.sizes[0] != labels.sizes[0] {
            let of = images.path.clone();
            return Err(
                labels.fault(4, IdxFault::Count { labels: labels.values.len(), images: images.sizes[0] as usize, of })
            );
        }
        Ok(IdxFiles { images, labels })
    }
}

struct IdxFiles {
    images: IdxFile,
    labels: IdxFile,
}

impl IdxFiles {
    fn into_rows(self) -> Rows {
        Rows::of_images(self.images.values, &self.labels.values)
    }
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdxRole {
    Images,
    Labels,
}

/// A file that was read.
#[derive(Debug)]
struct IdxFile {
    key: &'static str,
    path: PathBuf,
    is_gzipped: bool,
    /// blake3 of the bytes on disk.
    hash: blake3::Hash,
    sizes: Vec<u32>,
    values: Vec<u8>,
}

impl IdxFile {
    fn read(key: &'static str, path: &Path, role: IdxRole) -> Result<Self, IdxError> {
        let error = |offset, is_gzipped, fault| IdxError {
            key,
            path: path.to_owned(),
            offset,
            is_gzipped,
            fault: Box::new(fault),
        };
        let unreadable = |cause| error(None, false, IdxFault::Unreadable(cause));
        // A folder cannot be read, a pipe can be read only once, and a device may never end.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(error(None, false, IdxFault::NotAFile));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let is_gzipped = bytes.starts_with(&[0x1f, 0x8b]);
        let (sizes, values) = parse(&bytes, role).map_err(|(offset, fault)| error(Some(offset), is_gzipped, fault))?;
        Ok(Self { key, path: path.to_owned(), is_gzipped, hash: blake3::hash(&bytes), sizes, values })
    }

    /// The sizes of a row's dimensions.
    fn row_shape(&self) -> &[u32] {
        &self.sizes[1..]
    }

    /// The header's length in bytes.
    fn header(&self) -> u64 {
        4 + 4 * self.sizes.len() as u64
    }

    fn fault(&self, offset: u64, fault: IdxFault) -> IdxError {
        IdxError {
            key: self.key,
            path: self.path.clone(),
            offset: Some(offset),
            is_gzipped: self.is_gzipped,
            fault: Box::new(fault),
        }
    }
}

/// The sizes and values in a file's bytes, unpacked if they are gzipped; or the error and the byte of the content where
/// it is.
fn parse(file: &[u8], role: IdxRole) -> Result<(Vec<u32>, Vec<u8>), (u64, IdxFault)> {
    if file.starts_with(&[0x1f, 0x8b]) {
        // Deflate expands one byte to at most 1032 (zlib's technical details), so a header cannot demand more than
        // that.
        parse_content(MultiGzDecoder::new(file), file.len().saturating_mul(1032), role)
    } else {
        parse_content(file, file.len(), role)
    }
}

/// As [`parse`], for content of at most `most` bytes.
fn parse_content(mut content: impl Read, most: usize, role: IdxRole) -> Result<(Vec<u32>, Vec<u8>), (u64, IdxFault)> {
    let mut header = Vec::new();
    read_header(&mut content, &mut header, 4)?;
    let (magic, value_type, dimensions) = ([header[0], header[1]], header[2], header[3]);
    if magic != [0, 0] {
        return Err((0, IdxFault::Magic { found: magic }));
    }
    if value_type != 0x08 {
        return Err((2, IdxFault::ValueType { found: value_type }));
    }
    match (role, dimensions) {
        (IdxRole::Images, 2..) | (IdxRole::Labels, 1) => {}
        (IdxRole::Images, found) => {
            let expected = "at least 2, the first of which counts images";
            return Err((3, IdxFault::Dimensions { found, expected }));
        }
        (IdxRole::Labels, found) => {
            return Err((3, IdxFault::Dimensions { found, expected: "1, since labels are a plain list" }));
        }
    }
    read_header(&mut content, &mut header, 4 + 4 * usize::from(dimensions))?;
    let sizes: Vec<u32> =
        header[4..].chunks_exact(4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect();
    if let Some(dimension) = sizes.iter().position(|size| *size == 0) {
        return Err((4 + 4 * dimension as u64, IdxFault::Empty { dimension: dimension + 1 }));
    }
    let length = sizes.iter().try_fold(1_usize, |product, size| product.checked_mul(*size as usize));
    let mut values = Vec::new();
    // Bytes are stored as bytes: eight of them take the space of one number.
    let has_room = |length: usize| !are_too_many(length as u64 / 8, 1);
    let is_possible = |length: &usize| has_room(*length) && values.try_reserve_exact((*length).min(most)).is_ok();
    let Some(length) = length.filter(is_possible) else {
        return Err((4, IdxFault::TooLarge { sizes }));
    };

    let start = header.len() as u64;
    let end = start + length as u64;
    read_until(&mut content, &mut values, length).map_err(|(offset, fault)| (start + offset, fault))?;
    if values.len() < length {
        return Err((start + values.len() as u64, IdxFault::TooShort { expected: end, sizes }));
    }
    // Reading one more byte checks that the content ends here. A gzip stream also verifies its checksum at its end.
    match content.read(&mut [0]) {
        Ok(0) => Ok((sizes, values)),
        Ok(_) => Err((end, IdxFault::TooLong { sizes })),
        Err(error) => Err((end, IdxFault::Gzip(error))),
    }
}

/// Extends `header` to `end` bytes.
fn read_header(content: &mut dyn Read, header: &mut Vec<u8>, end: usize) -> Result<(), (u64, IdxFault)> {
    read_until(content, header, end)?;
    if header.len() < end {
        return Err((header.len() as u64, IdxFault::HeaderEnds { expected: end as u64 }));
    }
    Ok(())
}

/// Extends `bytes` to `length`, or to fewer if the content ends before.
fn read_until(content: &mut dyn Read, bytes: &mut Vec<u8>, length: usize) -> Result<(), (u64, IdxFault)> {
    // Reading from memory cannot fail, so an error comes from unpacking.
    let result = content.take((length - bytes.len()) as u64).read_to_end(bytes);
    result.map(|_| ()).map_err(|error| (bytes.len() as u64, IdxFault::Gzip(error)))
}

#[cfg(test)]
pub mod tests;
