//! Random streams: keyed by (seed, purpose), never by the run, so that runs with one seed share what they can.
//!
//! A stream's key is blake3(seed, purpose, index); its words are ChaCha8's, which has 2^64 independent sequences under
//! one key, here one for each *position* (a step, an epoch). To come back to step 1000 is to ask for position 1000, so a
//! checkpoint needs no generator state. Uniforms, bounded integers, Gaussians and shuffles are made here, in `f64`, so
//! that `f32` and `f64` runs draw the same numbers.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde::Deserialize;

use crate::number::OutOfRange;
use crate::real;

/// A run's seed: 0 to 2^63 − 1, so that it fits a TOML integer and Parquet's `Int64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "i64")]
pub struct Seed(u64);

impl Seed {
    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The stream that serves `purpose` in every run with this seed.
    pub fn stream(self, purpose: Purpose) -> Stream {
        let (name, index) = match purpose {
            Purpose::Init(layer) => ("init", u64::from(layer)),
            Purpose::Batch => ("batch", 0),
        };
        let mut hasher = blake3::Hasher::new_derive_key("paribus 2026-11 random stream");
        hasher.update(&self.0.to_le_bytes()).update(&index.to_le_bytes()).update(name.as_bytes());
        Stream { key: *hasher.finalize().as_bytes() }
    }
}

impl TryFrom<i64> for Seed {
    type Error = OutOfRange;

    fn try_from(value: i64) -> Result<Self, OutOfRange> {
        u64::try_from(value)
            .map(Self)
            .map_err(|_| OutOfRange::new(value, "a whole number from 0 to 9223372036854775807"))
    }
}

/// What random numbers are drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The initial weights of the k-th affine layer (0-based, counting affine layers only).
    Init(u32),
    /// Which rows make a batch.
    Batch,
}

/// A family of independent generators, one for each position.
#[derive(Debug, Clone)]
pub struct Stream {
    key: [u8; 32],
}

impl Stream {
    /// The generator at the start of `position`.
    pub fn at(&self, position: u64) -> Generator {
        let mut words = ChaCha8Rng::from_seed(self.key);
        words.set_stream(position);
        Generator { words, spare: None }
    }
}

/// Draws numbers, one after the other.
#[derive(Debug, Clone)]
pub struct Generator {
    words: ChaCha8Rng,
    /// The second Gaussian of a pair, until it is asked for.
    spare: Option<f64>,
}

impl Generator {
    /// A uniform number in [0, 1), a multiple of 2^−53.
    pub fn uniform(&mut self) -> f64 {
        (self.words.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A uniform whole number in [0, `bound`), unbiased (Lemire 2019, "Fast random integer generation in an interval").
    ///
    /// # Panics
    /// Where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no whole number lies below 0");
        loop {
            let product = u128::from(self.words.next_u64()) * u128::from(bound);
            let low = product as u64;
            // Of the 2^64 words, the first 2^64 mod bound in each residue would make some results likelier than others.
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 64) as u64;
            }
        }
    }

    /// A standard Gaussian (Marsaglia & Bray 1964, the polar method).
    pub fn gaussian(&mut self) -> f64 {
        if let Some(second) = self.spare.take() {
            return second;
        }
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let square = x * x + y * y;
            if square < 1.0 && square > 0.0 {
                let scale = (-2.0 * real::ln(square) / square).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }

    /// Puts `items` in a uniformly random order (Fisher & Yates, from the last place to the first).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last as u64 + 1) as usize;
            items.swap(last, chosen);
        }
    }
}
