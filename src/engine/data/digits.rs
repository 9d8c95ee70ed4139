//! Digits, built in: 1797 handwritten digits of 8 × 8 pixels, those of scikit-learn's `load_digits`; small enough to
//! train on in a fraction of a second.
//!
//! They are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak 1998, UCI Machine
//! Learning Repository, <https://doi.org/10.24432/C50P49>, CC BY 4.0): each pixel says how many of 4 × 4 points are
//! black, 0 to 16. The rows are in the order of `digits.csv` of scikit-learn 1.9, repacked as IDX files. There is no
//! test data of its own: see `test_share`.

use super::dataset::{Dataset, Task};
use super::rows::{Inputs, Rows, Targets};
use super::{DataSource, Error, Info, Limits, Scalings, mnist};

const IMAGES: &[u8] = include_bytes!("../../../data/digits/digits-images-idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("../../../data/digits/digits-labels-idx1-ubyte.gz");

const ROWS: usize = 1797;
const FEATURES: usize = 8 * 8;
const TASK: Task = Task::Classification { classes: 10 };
/// The largest value of a pixel; pixels are fed as shares of it.
const BLACK: u8 = 16;
/// The fingerprint of the two unpacked files, computed as for a user's IDX files. A test checks it.
const FINGERPRINT: &str = "e9a3fe0e8a5ea1e4";

/// The source; it has no settings.
pub struct Digits;

impl DataSource for Digits {
    const NAME: &'static str = "digits";
    const BYTES_PER_VALUE: u64 = 1;

    fn info(&self) -> Result<Info, Error> {
        Ok(Info::unsplit(ROWS as u64, 0, FEATURES, TASK, FINGERPRINT))
    }

    fn load(&self, limits: &Limits) -> Result<(Dataset, Info), Error> {
        let info = self.info()?;
        let (train_rows, _) = limits.apply(&info)?;
        Ok((load(train_rows as usize), info))
    }
}

/// The first rows, 1797 at most.
///
/// # Panics
/// If more rows are asked for than there are.
fn load(rows: usize) -> Dataset {
    let labels = mnist::unpack::<{ mnist::LABEL_HEADER }>(LABELS, rows);
    let train = Rows {
        inputs: Inputs::Bytes {
            values: mnist::unpack::<{ mnist::IMAGE_HEADER }>(IMAGES, rows * FEATURES),
            full: BLACK,
        },
        targets: Targets::Classes(labels.into_iter().map(u16::from).collect()),
    };
    Dataset { train, test: Rows::default(), features: FEATURES, task: TASK, scalings: Scalings::default() }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::bufread::GzDecoder;

    use super::*;
    use crate::data::dataset::SplitView;
    use crate::data::fingerprint;

    #[test]
    fn the_digits_are_those_of_scikit_learn() {
        let data = load(ROWS);
        let Inputs::Bytes { values, full: 16 } = &data.train.inputs else { panic!("bytes of 16") };
        assert_eq!(values.len(), ROWS * FEATURES);
        assert_eq!(values[..10], [0, 0, 5, 13, 9, 1, 0, 0, 0, 0]);
        assert_eq!(values.iter().max(), Some(&16));
        assert_eq!(values.iter().map(|&value| u32::from(value)).sum::<u32>(), 561_718);
        let Targets::Classes(classes) = &data.train.targets else { panic!("classes") };
        assert_eq!(classes[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
        let mut counts = [0; 10];
        classes.iter().for_each(|class| counts[usize::from(*class)] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);

        let mut inputs = [0.0_f64; FEATURES];
        SplitView::of(&data.train).gather_inputs(&[0], &mut inputs);
        assert_eq!(inputs[2..5], [5.0 / 16.0, 13.0 / 16.0, 9.0 / 16.0]);
    }

    #[test]
    fn the_fingerprint_is_that_of_the_files() {
        let hashes = [IMAGES, LABELS].map(|file| {
            let mut content = Vec::new();
            GzDecoder::new(file).read_to_end(&mut content).unwrap();
            Some(blake3::hash(&content))
        });
        assert_eq!(fingerprint(&[hashes[0], hashes[1], None, None], ""), FINGERPRINT);
    }
}
