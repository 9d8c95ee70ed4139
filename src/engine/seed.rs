//! Random streams, keyed by (seed, purpose) and never by the run, so that runs with the same seed share what they can.
//!
//! A stream's key is blake3(seed, purpose, index). Its words come from ChaCha8, which has 2^64 independent sequences
//! per key, here one for each *position* (a step, an epoch). Returning to step 1000 only means asking for position
//! 1000, so a checkpoint needs no generator state. Uniforms, bounded integers, Gaussians and shuffles are computed
//! here, in `f64`, so that `f32` and `f64` runs draw the same numbers.

pub mod numpy;
pub mod sobol;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::number::OutOfRange;
use crate::real;

/// A run's seed: 0 to 2^63 − 1, so that it fits a TOML integer and Parquet's `Int64`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64")]
#[schemars(extend("minimum" = 0))]
pub struct Seed(u64);

impl Seed {
    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The stream for `purpose` in every run with this seed.
    pub fn stream(self, purpose: Purpose<'_>) -> RandomStream {
        let (name, index) = match purpose {
            Purpose::Init(layer) => ("init".to_owned(), u64::from(layer)),
            Purpose::Batch => ("batch".to_owned(), 0),
            Purpose::Sweep(key) => (format!("sweep {key}"), 0),
            Purpose::Dropout(layer) => ("dropout".to_owned(), u64::from(layer)),
            Purpose::Holdout => ("split".to_owned(), 0),
            Purpose::Data(part) => ("data".to_owned(), u64::from(part)),
        };
        let mut hasher = blake3::Hasher::new_derive_key("paribus 2026-11 random stream");
        hasher.update(&self.0.to_le_bytes()).update(&index.to_le_bytes()).update(name.as_bytes());
        RandomStream { key: *hasher.finalize().as_bytes() }
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

/// What random numbers are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// The initial weights of the k-th affine layer (0-based, counting affine layers only).
    Init(u32),
    /// The rows of each batch.
    Batch,
    /// The values that trials draw for the key of this name: `optimizer.lr`.
    Sweep(&'a str),
    /// The units that the k-th dropout layer drops (0-based, counting dropout layers only).
    Dropout(u32),
    /// The rows that are set aside for validation and test.
    Holdout,
    /// The k-th part of synthetic data. The seed is the data's own, not a run's.
    Data(u32),
}

/// A family of independent generators, one for each position.
#[derive(Debug, Clone)]
pub struct RandomStream {
    key: [u8; 32],
}

impl RandomStream {
    /// The generator at the start of `position`.
    pub fn at(&self, position: u64) -> Generator {
        let mut words = ChaCha8Rng::from_seed(self.key);
        words.set_stream(position);
        Generator { words, spare: None }
    }
}

/// Draws numbers in sequence.
#[derive(Debug, Clone)]
pub struct Generator {
    words: ChaCha8Rng,
    /// The second Gaussian of a pair, until it is used.
    spare: Option<f64>,
}

/// The upper bits of a word as a multiple of 2^−53.
fn uniform_of(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

impl Generator {
    /// A uniform number in [0, 1), a multiple of 2^−53.
    pub fn uniform(&mut self) -> f64 {
        uniform_of(self.words.next_u64())
    }

    /// Fills the slice with [uniform](Self::uniform) numbers.
    pub fn fill(&mut self, uniforms: &mut [f64]) {
        let mut words = [0; 512 * size_of::<u64>()];
        for uniforms in uniforms.chunks_mut(512) {
            let words = &mut words[..size_of_val(uniforms)];
            self.words.fill_bytes(words);
            for (uniform, word) in uniforms.iter_mut().zip(words.as_chunks().0) {
                *uniform = uniform_of(u64::from_le_bytes(*word));
            }
        }
    }

    /// A uniform whole number in [0, `bound`), unbiased (Lemire 2019, "Fast random integer generation in an interval").
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no whole number lies below 0");
        loop {
            let product = u128::from(self.words.next_u64()) * u128::from(bound);
            let low = product as u64;
            // The result r belongs to the words from r · 2^64 / bound on: ⌊2^64 / bound⌋ of them with `low` at or above
            // 2^64 mod bound, and sometimes one more with `low` below it. That one is redrawn, so that all results are
            // equally likely. The first comparison only avoids the division.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seed(value: i64) -> Seed {
        Seed::try_from(value).unwrap()
    }

    /// Drawn by `tests/goldens/streams.py`; each list from the start of the stream.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Golden {
        seed: Seed,
        purpose: String,
        index: u32,
        position: u64,
        words: Vec<String>,
        uniforms: Vec<f64>,
        below_10: Vec<u64>,
        below_60000: Vec<u64>,
        below_6148914691236517206: Vec<u64>,
        gaussians: Vec<f64>,
        shuffled: Vec<usize>,
    }

    impl Golden {
        fn start(&self) -> Generator {
            let purpose = match self.purpose.as_str() {
                "init" => Purpose::Init(self.index),
                "batch" => Purpose::Batch,
                other if other.starts_with("sweep ") => Purpose::Sweep(&other[6..]),
                "dropout" => Purpose::Dropout(self.index),
                "split" => Purpose::Holdout,
                "data" => Purpose::Data(self.index),
                other => panic!("unknown purpose {other}"),
            };
            self.seed.stream(purpose).at(self.position)
        }
    }

    fn goldens() -> Vec<Golden> {
        #[derive(Deserialize)]
        struct Goldens {
            stream: Vec<Golden>,
        }
        toml::from_str::<Goldens>(include_str!("../../tests/goldens/streams.toml")).unwrap().stream
    }

    #[test]
    fn words_are_chacha8_under_a_blake3_key() {
        for golden in goldens() {
            let mut generator = golden.start();
            for expected in &golden.words {
                assert_eq!(format!("{:016x}", generator.words.next_u64()), *expected);
            }
        }
    }

    #[test]
    fn uniforms_and_whole_numbers_and_orders_are_those_of_the_script() {
        fn draw<T>(golden: &Golden, like: &[T], mut one: impl FnMut(&mut Generator) -> T) -> Vec<T> {
            let mut generator = golden.start();
            like.iter().map(|_| one(&mut generator)).collect()
        }
        for golden in &goldens() {
            assert_eq!(draw(golden, &golden.uniforms, Generator::uniform), golden.uniforms);
            assert_eq!(draw(golden, &golden.below_10, |g| g.below(10)), golden.below_10);
            assert_eq!(draw(golden, &golden.below_60000, |g| g.below(60_000)), golden.below_60000);
            let mut filled = vec![0.0; golden.uniforms.len()];
            golden.start().fill(&mut filled);
            assert_eq!(filled, golden.uniforms);
            let rejecting = &golden.below_6148914691236517206;
            assert_eq!(draw(golden, rejecting, |g| g.below(6_148_914_691_236_517_206)), *rejecting);
            let mut items: Vec<_> = (0..golden.shuffled.len()).collect();
            golden.start().shuffle(&mut items);
            assert_eq!(items, golden.shuffled);
        }
    }

    #[test]
    fn gaussians_are_those_of_the_script_but_for_its_logarithm() {
        for golden in &goldens() {
            let mut generator = golden.start();
            for &expected in &golden.gaussians {
                let found = generator.gaussian();
                assert!((found - expected).abs() <= 1e-15 * expected.abs(), "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn the_second_gaussian_of_a_pair_waits_while_other_numbers_are_drawn() {
        let stream = seed(5).stream(Purpose::Batch);
        let (mut plain, mut mixed) = (stream.at(0), stream.at(0));
        let pair = [plain.gaussian(), plain.gaussian()];
        assert_eq!(mixed.gaussian(), pair[0]);
        assert_eq!(mixed.uniform(), plain.uniform());
        assert_eq!(mixed.gaussian(), pair[1]);
    }

    #[test]
    fn every_seed_purpose_index_and_position_has_words_of_its_own() {
        let mut first_words = std::collections::HashSet::new();
        let mut streams = 0;
        for seed in [0, 1, 2, 256, i64::MAX].map(seed) {
            for purpose in [
                Purpose::Batch,
                Purpose::Init(0),
                Purpose::Init(1),
                Purpose::Init(256),
                Purpose::Init(u32::MAX),
                Purpose::Sweep("lr"),
                Purpose::Sweep("lr2"),
                Purpose::Dropout(0),
                Purpose::Dropout(1),
                Purpose::Holdout,
                Purpose::Data(0),
                Purpose::Data(1),
            ] {
                for position in [0, 1, 256, 1 << 32, u64::MAX] {
                    first_words.insert(seed.stream(purpose).at(position).words.next_u64());
                    streams += 1;
                }
            }
        }
        assert_eq!(first_words.len(), streams);
    }

    #[test]
    fn seeds_fit_a_toml_integer() {
        assert!(Seed::try_from(0).is_ok());
        assert!(Seed::try_from(i64::MAX).is_ok());
        assert_eq!(
            Seed::try_from(-1).unwrap_err().to_string(),
            OutOfRange::new(-1, "a whole number from 0 to 9223372036854775807").to_string()
        );
    }

    #[test]
    fn gaussians_have_the_moments_of_the_normal_distribution() {
        const COUNT: usize = 100_000;
        let mut generator = seed(0).stream(Purpose::Init(0)).at(0);
        let drawn: Vec<_> = (0..COUNT).map(|_| generator.gaussian()).collect();
        let moment = |power| drawn.iter().map(|x: &f64| x.powi(power)).sum::<f64>() / COUNT as f64;
        // Five standard errors of each: the variances of x, x², x³, x⁴ are 1, 2, 15, 96.
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let error = 5.0 * (variance / COUNT as f64).sqrt();
            assert!((moment(power) - expected).abs() < error, "moment {power} is {}", moment(power));
        }
        // A pair shares its radius, and must share nothing else.
        let covariance = drawn.chunks_exact(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / (COUNT / 2) as f64;
        assert!(covariance.abs() < 5.0 * (2.0 / COUNT as f64).sqrt(), "pairs have covariance {covariance}");
    }

    #[test]
    fn whole_numbers_are_equally_frequent() {
        let mut generator = seed(0).stream(Purpose::Batch).at(0);
        let mut counts = [0u32; 10];
        for _ in 0..100_000 {
            counts[generator.below(10) as usize] += 1;
        }
        let chi_square: f64 = counts.iter().map(|&count| (f64::from(count) - 1e4).powi(2) / 1e4).sum();
        // With 9 degrees of freedom, 99.9% of samples lie below 27.9, and 0.1% below 1.15.
        assert!((1.15..27.9).contains(&chi_square), "{counts:?}");
    }

    #[test]
    fn every_order_of_four_items_is_equally_frequent() {
        let mut generator = seed(0).stream(Purpose::Batch).at(0);
        let mut counts = std::collections::HashMap::new();
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            generator.shuffle(&mut items);
            *counts.entry(items).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        let chi_square: f64 = counts.values().map(|&count| (f64::from(count) - 1e3).powi(2) / 1e3).sum();
        // With 23 degrees of freedom, 99.9% of samples lie below 49.7, and 0.1% below 7.53.
        assert!((7.53..49.7).contains(&chi_square), "{counts:?}");
    }

    proptest! {
        #[test]
        fn whole_numbers_are_below_their_bound(value in 0..i64::MAX, bound in 1u64..) {
            let mut generator = seed(value).stream(Purpose::Batch).at(0);
            for _ in 0..8 {
                prop_assert!(generator.below(bound) < bound);
            }
        }

        #[test]
        fn uniforms_are_below_one(value in 0..i64::MAX) {
            let mut generator = seed(value).stream(Purpose::Init(0)).at(0);
            for _ in 0..8 {
                prop_assert!((0.0..1.0).contains(&generator.uniform()));
            }
        }

        #[test]
        fn a_shuffle_keeps_every_item(value in 0..i64::MAX, mut items in prop::collection::vec(0u8..20, 0..50)) {
            let mut shuffled = items.clone();
            seed(value).stream(Purpose::Batch).at(0).shuffle(&mut shuffled);
            shuffled.sort_unstable();
            items.sort_unstable();
            prop_assert_eq!(shuffled, items);
        }

        #[test]
        fn a_position_is_the_same_whatever_was_drawn_before(
            value in 0..i64::MAX, position: u64, before in 0usize..100,
        ) {
            let stream = seed(value).stream(Purpose::Batch);
            let mut other = stream.at(position.wrapping_sub(1));
            for _ in 0..before {
                other.gaussian();
            }
            let again = seed(value).stream(Purpose::Batch);
            let (mut first, mut second) = (stream.at(position), again.at(position));
            for _ in 0..40 {
                prop_assert_eq!(first.gaussian(), second.gaussian());
            }
        }
    }
}
