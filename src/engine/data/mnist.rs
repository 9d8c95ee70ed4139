//! MNIST, built in: the four original files (LeCun, Cortes and Burges), gzipped.
//!
//! SHA-256 of the unpacked files, as they were published:
//!
//! ```text
//! ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
//! 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte
//! 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  t10k-images-idx3-ubyte
//! ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2  t10k-labels-idx1-ubyte
//! ```

use std::io::Read;

use flate2::bufread::GzDecoder;

use super::{DataSource, Dataset, Error, Info, Limits, Rows, Scalings, Task};

const TRAIN_IMAGES: &[u8] = include_bytes!("../../../data/mnist/train-images-idx3-ubyte.gz");
const TRAIN_LABELS: &[u8] = include_bytes!("../../../data/mnist/train-labels-idx1-ubyte.gz");
const TEST_IMAGES: &[u8] = include_bytes!("../../../data/mnist/t10k-images-idx3-ubyte.gz");
const TEST_LABELS: &[u8] = include_bytes!("../../../data/mnist/t10k-labels-idx1-ubyte.gz");

const FEATURES: usize = 28 * 28;
const CLASSES: usize = 10;
const TASK: Task = Task::Classification { classes: CLASSES };
/// The fingerprint of the four unpacked files, computed as for a user's IDX files. A test checks it.
const FINGERPRINT: &str = "f60d4e1a10b87fed";

/// An image file's header is its magic number, rows, height and width; a label file's has the first two. Bytes.
pub(super) const IMAGE_HEADER: usize = 16;
pub(super) const LABEL_HEADER: usize = 8;

/// The source; it has no settings.
pub struct Mnist;

impl DataSource for Mnist {
    const NAME: &'static str = "mnist";
    const BYTES_PER_VALUE: u64 = 1;

    fn info(&self) -> Result<Info, Error> {
        Ok(Info::unsplit(60_000, 10_000, FEATURES, TASK, FINGERPRINT))
    }

    fn load(&self, limits: &Limits) -> Result<(Dataset, Info), Error> {
        let info = self.info()?;
        let (train_rows, test_rows) = limits.apply(&info)?;
        Ok((load(train_rows as usize, test_rows as usize), info))
    }
}

/// The first rows of each split, at most 60,000 and 10,000. Only what is asked for is unpacked, both splits in
/// parallel.
///
/// # Panics
/// If more rows are asked for than there are.
fn load(train_rows: usize, test_rows: usize) -> Dataset {
    let rows = |images, labels, rows| {
        Rows::of_images(unpack::<IMAGE_HEADER>(images, rows * FEATURES), &unpack::<LABEL_HEADER>(labels, rows))
    };
    let (train, test) =
        rayon::join(|| rows(TRAIN_IMAGES, TRAIN_LABELS, train_rows), || rows(TEST_IMAGES, TEST_LABELS, test_rows));
    Dataset { train, test, features: FEATURES, task: TASK, scalings: Scalings::default() }
}

/// The first `length` bytes after a header of `HEADER` bytes.
pub(super) fn unpack<const HEADER: usize>(file: &[u8], length: usize) -> Vec<u8> {
    let mut content = GzDecoder::new(file);
    let mut values = vec![0; length];
    let result = content.read_exact(&mut [0; HEADER]).and_then(|()| content.read_exact(&mut values));
    result.expect("the built-in files hold all rows that `info` says: a test unpacks them");
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Inputs, Targets, fingerprint};

    #[test]
    fn the_files_are_the_published_ones() {
        // The crate has no SHA-256, only blake3. These are the blake3 hashes of files whose SHA-256 sums, by
        // `sha256sum`, are those in the module's documentation.
        let published = [
            (TRAIN_IMAGES, "c6e6fd8c67d07c8a9b7bffa7dd0413ff4b8af241607b049b7721107f379df9fd"),
            (TRAIN_LABELS, "8ebcfdf2fe191516f9cb37fceb75d2d19289d91ee92026534ed45e44144b5642"),
            (TEST_IMAGES, "f8d502322cd9f186e155a74a3dff598ed56c1a7b5a5c8d312749ac47c4a2bec7"),
            (TEST_LABELS, "6d43ea317fa8f5851bb85404bb7358defd48b0294cf31f60cdcde8106fe2c3ad"),
        ];
        let hashes = published.map(|(file, expected)| {
            let mut content = Vec::new();
            GzDecoder::new(file).read_to_end(&mut content).unwrap();
            let hash = blake3::hash(&content);
            assert_eq!(hash.to_hex().as_str(), expected);
            Some(hash)
        });
        assert_eq!(fingerprint(&hashes, ""), FINGERPRINT);
    }

    fn parts(rows: &Rows) -> (&[u8], &[u16]) {
        match (&rows.inputs, &rows.targets) {
            (Inputs::Bytes { values, full: 255 }, Targets::Classes(classes)) => (values, classes),
            other => panic!("images with classes, not {other:?}"),
        }
    }

    #[test]
    fn digits_are_where_they_should_be() {
        let dataset = load(60_000, 10_000);
        assert_eq!((dataset.train.len(), dataset.test.len()), (60_000, 10_000));
        let ((pixels, labels), (test_pixels, test_labels)) = (parts(&dataset.train), parts(&dataset.test));
        assert_eq!(pixels.len(), 60_000 * FEATURES);
        assert_eq!(test_pixels.len(), 10_000 * FEATURES);
        assert_eq!(labels[..8], [5, 0, 4, 1, 9, 2, 1, 3]);
        assert_eq!(test_labels[..8], [7, 2, 1, 0, 4, 1, 4, 9]);
        let mut counts = [0; CLASSES];
        labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
        assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
        // 0.1307 of full brightness, the mean commonly used to normalize MNIST.
        let sum: u64 = pixels.iter().map(|pixel| u64::from(*pixel)).sum();
        assert_eq!((sum as f64 / (60_000 * FEATURES) as f64 / 255.0 * 1e4).round(), 1307.0);
    }

    #[test]
    fn a_part_of_the_rows_is_the_beginning_of_all() {
        let (mut all, few) = (load(1000, 100), load(300, 7));
        all.train.truncate(300);
        all.test.truncate(7);
        assert_eq!(few, all);
    }
}
