//! The nonzero elements of a matrix: one bit per element.

use super::{Element, InstructionSet, Instructions, Lanes, MatrixValues};
use crate::sample;

/// Elements per word of bits.
pub const WORD: usize = u64::BITS as usize;

/// How many elements of a factor are sampled to decide whether skipping its zeros is worth it.
const SAMPLE: u32 = 128;

/// The largest share of nonzero elements at which skipping the zeros is faster.
const MOST: f64 = 0.8;

/// Which elements of a matrix are not zero: for each row, words of bits, the lowest bit first. Bits beyond the row are
/// 0.
#[derive(Debug, Clone, Default)]
pub struct Nonzeros {
    rows: usize,
    columns: usize,
    /// [rows, columns / 64 rounded up]
    words: Vec<u64>,
}

impl Nonzeros {
    /// Room for a matrix of this size, so that [`note`](Self::note) allocates only for a larger one.
    pub fn with_capacity(rows: usize, columns: usize) -> Self {
        Self { rows: 0, columns, words: Vec::with_capacity(rows * columns.div_ceil(WORD)) }
    }

    /// Notes the nonzeros of `values: [rows, columns]`, the left factor of a product that is `width` wide. Stays empty
    /// if skipping zeros is not faster: with too few zeros, or in too narrow a product.
    pub fn look<R: Element>(
        &mut self,
        instructions: Instructions,
        values: MatrixValues<R>,
        columns: usize,
        width: usize,
    ) {
        (self.rows, self.columns) = (0, 0);
        let is_sparse = || match values {
            MatrixValues::Numbers(numbers) => sample::share(numbers, SAMPLE, |value| *value != R::zero()) <= MOST,
            // Data is fed as bytes only if most of them are 0.
            MatrixValues::Bytes { .. } => true,
        };
        if instructions.is_faster_skipping_zeros::<R>(width) && is_sparse() {
            self.note(instructions, values, columns);
        }
    }

    /// Notes the nonzeros of `values: [rows, columns]`.
    pub fn note<R: Element>(&mut self, instructions: Instructions, values: MatrixValues<R>, columns: usize) {
        (self.rows, self.columns) = (values.len() / columns, columns);
        self.words.resize(self.rows * columns.div_ceil(WORD), 0);
        match (values, instructions.0) {
            (MatrixValues::Bytes { bytes, .. }, _) => note_bytes(bytes, columns, &mut self.words),
            (MatrixValues::Numbers(numbers), InstructionSet::Portable) => {
                // SAFETY: arrays need no instructions beyond the baseline.
                let zero = unsafe { <[R; 4] as Lanes<R>>::zero() };
                note(zero, numbers, columns, &mut self.words);
            }
            // SAFETY: `Instructions` holds these sets only if the processor was found to have them.
            #[cfg(target_arch = "x86_64")]
            (MatrixValues::Numbers(numbers), InstructionSet::Avx2) => unsafe {
                avx2(numbers, columns, &mut self.words)
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (MatrixValues::Numbers(numbers), InstructionSet::Avx512) => unsafe {
                avx512(numbers, columns, &mut self.words)
            },
        }
    }

    /// Sets the bits of a matrix without zeros: [rows, columns].
    pub fn fill(&mut self, rows: usize, columns: usize) {
        (self.rows, self.columns) = (rows, columns);
        let across = columns.div_ceil(WORD);
        self.words.clear();
        self.words.resize(rows * across, u64::MAX);
        let used = columns % WORD;
        if used > 0 {
            self.words.iter_mut().skip(across - 1).step_by(across).for_each(|word| *word = (1 << used) - 1);
        }
    }

    /// Sets the bits of the transpose of `other`'s matrix.
    pub fn transpose(&mut self, other: &Self) {
        (self.rows, self.columns) = (other.columns, other.rows);
        if other.is_empty() {
            self.rows = 0;
            return;
        }
        let (from, to) = (other.columns.div_ceil(WORD), other.rows.div_ceil(WORD));
        self.words.resize(self.rows * to, 0);
        for (first_row, rows) in other.words.chunks(WORD * from).enumerate() {
            for word in 0..from {
                let mut block = [0; WORD];
                rows.iter().skip(word).step_by(from).zip(&mut block).for_each(|(word, row)| *row = *word);
                transpose(&mut block);
                let columns = self.words[word * WORD * to..].iter_mut().skip(first_row).step_by(to);
                columns.zip(block).for_each(|(word, column)| *word = column);
            }
        }
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The `index`-th word of every row.
    pub(super) fn words(&self, index: usize) -> impl Iterator<Item = u64> {
        self.words.iter().skip(index).step_by(self.columns.div_ceil(WORD)).copied()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<R: Element>(values: &[R], columns: usize, words: &mut [u64]) {
    // SAFETY: this function is compiled for these instructions.
    note(unsafe { R::Vector256::zero() }, values, columns, words)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn avx512<R: Element>(values: &[R], columns: usize, words: &mut [u64]) {
    // SAFETY: this function is compiled for these instructions.
    note(unsafe { R::Vector512::zero() }, values, columns, words)
}

#[inline(always)]
fn note<R: Element, V: Lanes<R>>(zero: V, values: &[R], columns: usize, words: &mut [u64]) {
    const { assert!(WORD.is_multiple_of(V::LANES), "vectors that fill a word") };
    for (row, words) in values.chunks_exact(columns).zip(words.chunks_exact_mut(columns.div_ceil(WORD))) {
        let (full, rest) = row.as_chunks::<WORD>();
        for (values, word) in full.iter().zip(&mut *words) {
            *word = 0;
            for index in (0..WORD).step_by(V::LANES) {
                // SAFETY: vectors fill a word's numbers exactly, as `LANES` divides `WORD`.
                *word |= unsafe { zero.read(values.as_ptr().add(index)) }.nonzeros() << index;
            }
        }
        if let Some(word) = words.get_mut(full.len()) {
            *word = match row.len().checked_sub(V::LANES) {
                None => zero.load(rest).nonzeros(),
                Some(last) => {
                    // The last vector ends with the row: what it shares with the previous word or vector, it sets to
                    // the same bits. SAFETY: the row has at least that many numbers.
                    let bits = unsafe { zero.read(row.as_ptr().add(last)) }.nonzeros();
                    let ending = match rest.len().checked_sub(V::LANES) {
                        Some(place) => bits << place,
                        None => bits >> (V::LANES - rest.len()),
                    };
                    (0..rest.len() / V::LANES * V::LANES).step_by(V::LANES).fold(ending, |word, index| {
                        // SAFETY: these are whole vectors within the rest.
                        word | unsafe { zero.read(rest.as_ptr().add(index)) }.nonzeros() << index
                    })
                }
            };
        }
    }
}

fn note_bytes(bytes: &[u8], columns: usize, words: &mut [u64]) {
    for (row, words) in bytes.chunks_exact(columns).zip(words.chunks_exact_mut(columns.div_ceil(WORD))) {
        let (full, rest) = row.as_chunks();
        words.iter_mut().zip(full).for_each(|(word, bytes)| *word = bits(bytes));
        if !rest.is_empty() {
            let mut bytes = [0; WORD];
            bytes[..rest.len()].copy_from_slice(rest);
            words[full.len()] = bits(&bytes);
        }
    }
}

/// One bit per byte, the first lowest: whether it is not 0.
#[cfg(target_arch = "x86_64")]
fn bits(bytes: &[u8; WORD]) -> u64 {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_setzero_si128};
    let (vectors, _) = bytes.as_chunks::<16>();
    vectors.iter().rev().fold(0, |bits, vector| {
        // SAFETY: an array and a vector of equally many bytes have the same size, every bit pattern is a vector, and
        // the baseline has these instructions.
        let zeros = unsafe {
            let vector = std::mem::transmute::<[u8; 16], __m128i>(*vector);
            _mm_movemask_epi8(_mm_cmpeq_epi8(vector, _mm_setzero_si128()))
        };
        bits << 16 | u64::from(!zeros as u16)
    })
}

/// One bit per byte, the first lowest: whether it is not 0.
#[cfg(not(target_arch = "x86_64"))]
fn bits(bytes: &[u8; WORD]) -> u64 {
    bytes.iter().rev().fold(0, |bits, byte| bits << 1 | u64::from(*byte != 0))
}

/// Transposes a 64 × 64 square of bits: swaps halves, then their halves (Warren 2012, "Hacker's Delight", section 7-3).
fn transpose(square: &mut [u64; WORD]) {
    let mut width = WORD / 2;
    let mut low = u64::MAX >> width;
    while width > 0 {
        for pair in square.chunks_exact_mut(2 * width) {
            let (above, below) = pair.split_at_mut(width);
            for (above, below) in above.iter_mut().zip(below) {
                let swapped = (*above >> width ^ *below) & low;
                *above ^= swapped << width;
                *below ^= swapped;
            }
        }
        width /= 2;
        low ^= low << width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every bit, row after row.
    fn bits(nonzeros: &Nonzeros) -> Vec<bool> {
        let bit = |row: usize, column: usize| {
            let word = nonzeros.words(column / WORD).nth(row).unwrap();
            word >> (column % WORD) & 1 == 1
        };
        (0..nonzeros.rows).flat_map(|row| (0..nonzeros.columns).map(move |column| bit(row, column))).collect()
    }

    fn words_end_with_zeros(nonzeros: &Nonzeros) -> bool {
        let used = nonzeros.columns % WORD;
        used == 0 || nonzeros.words(nonzeros.columns / WORD).all(|word| word >> used == 0)
    }

    /// Numbers of which a third are zero, some of those −0.
    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| [0.0, 1.0, -0.0, -2.0, f32::NAN, 1e-45][i * i % 6]).collect()
    }

    #[test]
    fn every_instruction_set_sees_the_same_zeros() {
        for (rows, columns) in [(1, 1), (3, 63), (2, 64), (5, 65), (7, 200), (130, 9)] {
            let numbers = numbers(rows * columns);
            let expected: Vec<bool> = numbers.iter().map(|value| *value != 0.0).collect();
            for instructions in Instructions::available() {
                let mut nonzeros = Nonzeros::default();
                nonzeros.fill(300, 300);
                nonzeros.note(instructions, MatrixValues::Numbers(&numbers), columns);
                assert_eq!(bits(&nonzeros), expected, "{instructions}");
                assert!(words_end_with_zeros(&nonzeros));
            }
            let bytes: Vec<u8> = expected.iter().map(|bit| if *bit { 128 } else { 0 }).collect();
            let mut nonzeros = Nonzeros::default();
            nonzeros.note(
                Instructions::fastest(),
                MatrixValues::Bytes { bytes: &bytes, table: &[0.0_f32; 256] },
                columns,
            );
            assert_eq!(bits(&nonzeros), expected);
            assert!(words_end_with_zeros(&nonzeros));
        }
    }

    #[test]
    fn rows_become_columns() {
        for (rows, columns) in [(1, 1), (1, 130), (64, 64), (65, 63), (100, 784)] {
            let (mut nonzeros, mut transposed) = (Nonzeros::default(), Nonzeros::default());
            nonzeros.note(Instructions::fastest(), MatrixValues::Numbers(&numbers(rows * columns)), columns);
            transposed.fill(300, 300);
            transposed.transpose(&nonzeros);
            let (straight, across) = (bits(&nonzeros), bits(&transposed));
            for row in 0..rows {
                for column in 0..columns {
                    assert_eq!(straight[row * columns + column], across[column * rows + row]);
                }
            }
            assert_eq!(transposed.size(), (columns, rows));
            assert!(words_end_with_zeros(&transposed));
        }
    }

    #[test]
    fn few_zeros_and_narrow_products_are_not_looked_at() {
        let mut nonzeros = Nonzeros::default();
        let mut look = |values: &[f32], width| {
            nonzeros.look(Instructions::fastest(), MatrixValues::Numbers(values), 10, width);
            nonzeros.is_empty()
        };
        assert!(look(&[1.0; 100], 500));
        assert!(!look(&[0.0; 100], 500));
        assert!(look(&[0.0; 100], 10));
    }
}
