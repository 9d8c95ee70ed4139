//! NumPy's legacy generator: the same numbers as after `numpy.random.seed(...)`.
//!
//! The words are those of the Mersenne Twister MT19937 (Matsumoto & Nishimura 1998), seeded with one 32-bit number. The
//! distributions follow NumPy's `_legacy` code, which NumPy promises never to change (NEP 19): `rand` and `uniform`
//! take 53 bits of two words; `randn` is the polar method, which keeps its second number for the next call; `choice`
//! and `permutation` mask a word to the bits of the largest result and redraw while it is too large.
//!
//! Gaussians need a logarithm. NumPy calls the C library's, this code calls [`real::ln`]; neither is always correctly
//! rounded, so a Gaussian may differ by one or two units in the last place.

use rand_mt::Mt;

use super::Seed;
use crate::real;

/// Draws the same numbers as `numpy.random`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumpyGenerator {
    words: Mt,
    /// The bits of the second Gaussian of a pair, until it is used.
    spare: Option<u64>,
}

impl NumpyGenerator {
    /// `numpy.random.seed(seed)`
    pub fn new(seed: u32) -> Self {
        Self { words: Mt::new(seed), spare: None }
    }

    /// `rand()`: a uniform number in [0, 1), a multiple of 2^−53. `uniform(low, high)` is low + (high − low) ·
    /// `rand()`.
    pub fn uniform(&mut self) -> f64 {
        let high = f64::from(self.words.next_u32() >> 5);
        let low = f64::from(self.words.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// `randn()`: a standard Gaussian.
    pub fn gaussian(&mut self) -> f64 {
        if let Some(second) = self.spare.take() {
            return f64::from_bits(second);
        }
        let [x, y, square] = self.point_in_the_circle();
        let scale = (-2.0 * real::ln(square) / square).sqrt();
        self.spare = Some((scale * x).to_bits());
        scale * y
    }

    /// Draws and discards `count` Gaussians. Leaves out the logarithm, which is most of the work.
    pub fn skip_gaussians(&mut self, mut count: u64) {
        if count > 0 && self.spare.take().is_some() {
            count -= 1;
        }
        for _ in 0..count / 2 {
            self.point_in_the_circle();
        }
        if count % 2 == 1 {
            self.gaussian();
        }
    }

    /// `choice(bound)` and `randint(bound)`: a whole number in [0, `bound`).
    ///
    /// # Panics
    /// If `bound` is 0 or above 2^32.
    pub fn below(&mut self, bound: u64) -> u64 {
        let largest = bound.checked_sub(1).and_then(|largest| u32::try_from(largest).ok());
        let largest = largest.expect("a bound is a number of rows");
        // NumPy draws nothing if there is only one choice.
        if largest == 0 {
            return 0;
        }
        let mask = u32::MAX >> largest.leading_zeros();
        loop {
            let word = self.words.next_u32() & mask;
            if word <= largest {
                return word.into();
            }
        }
    }

    /// `permutation(length)`
    pub fn permutation(&mut self, length: usize) -> Vec<usize> {
        let mut items: Vec<usize> = (0..length).collect();
        for last in (1..length).rev() {
            let chosen = self.below(last as u64 + 1) as usize;
            items.swap(last, chosen);
        }
        items
    }

    /// x, y and x² + y² of a random point in the unit circle, excluding its center.
    fn point_in_the_circle(&mut self) -> [f64; 3] {
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                return [x, y, square];
            }
        }
    }
}

/// The seed for `numpy.random.seed`, if it fits into 32 bits.
pub fn seed(seed: Seed) -> Option<u32> {
    u32::try_from(seed.get()).ok()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Drawn by NumPy itself: tests/goldens/legacy_numpy.py. Each list continues where the previous one ended.
    #[derive(Deserialize)]
    struct Golden {
        seed: u32,
        uniforms: Vec<f64>,
        gaussians: Vec<f64>,
        /// Bounds, each with its numbers.
        choices: Vec<(u64, Vec<u64>)>,
        permutation: Vec<usize>,
        gaussians_after: Vec<f64>,
        uniforms_after: Vec<f64>,
    }

    fn goldens() -> Vec<Golden> {
        #[derive(Deserialize)]
        struct Goldens {
            stream: Vec<Golden>,
        }
        toml::from_str::<Goldens>(include_str!("../../../tests/goldens/legacy_numpy.toml")).unwrap().stream
    }

    #[test]
    fn every_draw_is_numpys() {
        let near = |found: f64, expected: f64| (found - expected).abs() <= 2.0 * f64::EPSILON * expected.abs();
        for golden in goldens() {
            let mut generator = NumpyGenerator::new(golden.seed);
            for expected in golden.uniforms {
                assert_eq!(generator.uniform(), expected, "seed {}", golden.seed);
            }
            for expected in golden.gaussians {
                let found = generator.gaussian();
                assert!(near(found, expected), "seed {}: {found}, {expected}", golden.seed);
            }
            for (bound, expected) in golden.choices {
                let found: Vec<u64> = expected.iter().map(|_| generator.below(bound)).collect();
                assert_eq!(found, expected, "seed {}, bound {bound}", golden.seed);
            }
            assert_eq!(generator.permutation(golden.permutation.len()), golden.permutation, "seed {}", golden.seed);
            for expected in golden.gaussians_after {
                let found = generator.gaussian();
                assert!(near(found, expected), "seed {}: {found}, {expected}", golden.seed);
            }
            for expected in golden.uniforms_after {
                assert_eq!(generator.uniform(), expected, "seed {}", golden.seed);
            }
        }
        assert!(goldens().len() >= 4);
    }

    #[test]
    fn seeds_have_32_bits() {
        assert_eq!(seed(Seed::try_from(i64::from(u32::MAX)).unwrap()), Some(u32::MAX));
        assert_eq!(seed(Seed::try_from(1 << 32).unwrap()), None);
    }

    #[test]
    fn skipping_gaussians_leaves_the_generator_where_drawing_them_does() {
        for before in 0..3 {
            for count in [0, 1, 2, 7, 1000] {
                let mut drawn = NumpyGenerator::new(5);
                (0..before).for_each(|_| _ = drawn.gaussian());
                let mut skipped = drawn.clone();
                (0..count).for_each(|_| _ = drawn.gaussian());
                skipped.skip_gaussians(count);
                assert_eq!(drawn, skipped, "{count} after {before}");
            }
        }
    }
}
