//! Matrix products, with one arithmetic contract on every machine.
//!
//! Each element of a product is one chain of fused multiply-adds, `k` ascending from +0, then `+ 0.0`, which turns −0
//! into +0. Blocks over `k` reload the accumulator. Tiles and vector widths only decide how many chains run side by
//! side, so every instruction set, any number of rows at once and a plain loop agree to the last bit. A product
//! allocates nothing.
//!
//! A product with zero adds ±0, which changes no chain that ends with `+ 0.0`: zeros of the left factor may be skipped
//! if the right factor is finite ([`sparse_product`]).
//!
//! This is the only module with `unsafe`: it calls functions that are compiled for instructions beyond the baseline,
//! after asking the processor whether it has them; `walk` and `nonzeros` read and write vectors at positions that were
//! checked once for a whole row; and panels of the right factor are in memory that is not zeroed first.

use ndarray::ArrayView2;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::real::Real;

mod instructions;
mod lanes;
mod nonzeros;
mod slices;
#[macro_use]
mod tile;
mod walk;

use instructions::InstructionSet;
pub use instructions::{Instructions, NotAvailable, VARIABLE};
use lanes::Lanes;
pub use nonzeros::Nonzeros;
pub use slices::{add_bias, are_finite, column_sums, sum_by};
use walk::{Left, Shares};

/// The numbers that a training computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, as PyTorch's default.
    #[default]
    F32,
    /// Double precision, as NumPy's default and therefore the book's; half as fast.
    F64,
}

impl Precision {
    /// The name in the experiment file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => f32::NAME,
            Self::F64 => f64::NAME,
        }
    }

    /// The size of a number in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => size_of::<f32>(),
            Self::F64 => size_of::<f64>(),
        }
    }
}

/// A type that products are computed in: [`Real`] plus the vectors of each instruction set.
pub trait Element: Real {
    /// 512 bits of numbers.
    #[cfg(target_arch = "x86_64")]
    type Vector512: Lanes<Self>;
    /// 256 bits of numbers.
    #[cfg(target_arch = "x86_64")]
    type Vector256: Lanes<Self>;

    /// `self · b + c`, rounded once.
    fn mul_add(self, b: Self, c: Self) -> Self;

    /// The number's bits, the lowest byte first.
    fn to_le_bytes(self) -> impl AsRef<[u8]>;
}

impl Element for f32 {
    #[cfg(target_arch = "x86_64")]
    type Vector512 = std::arch::x86_64::__m512;
    #[cfg(target_arch = "x86_64")]
    type Vector256 = std::arch::x86_64::__m256;

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self.mul_add(b, c)
    }

    fn to_le_bytes(self) -> impl AsRef<[u8]> {
        self.to_le_bytes()
    }
}

impl Element for f64 {
    #[cfg(target_arch = "x86_64")]
    type Vector512 = std::arch::x86_64::__m512d;
    #[cfg(target_arch = "x86_64")]
    type Vector256 = std::arch::x86_64::__m256d;

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self.mul_add(b, c)
    }

    fn to_le_bytes(self) -> impl AsRef<[u8]> {
        self.to_le_bytes()
    }
}

/// `values`, row-major, as a matrix: [rows, columns].
///
/// # Panics
/// If the length of `values` is not rows · columns.
pub fn matrix<R>(values: &[R], rows: usize, columns: usize) -> ArrayView2<'_, R> {
    ArrayView2::from_shape((rows, columns), values).expect("a matrix has rows times columns values")
}

/// A factor of a product: a slice that holds a matrix or its transpose, row-major.
#[derive(Debug, Clone, Copy)]
struct Matrix<'a, R> {
    values: &'a [R],
    rows: usize,
    columns: usize,
    is_transposed: bool,
}

impl<'a, R> Matrix<'a, R> {
    fn new(view: ArrayView2<'a, R>) -> Self {
        let (rows, columns) = view.dim();
        let straight = view.to_slice().map(|values| (values, false));
        let (values, is_transposed) = straight
            .or_else(|| view.reversed_axes().to_slice().map(|values| (values, true)))
            .expect("the rows of a matrix, or its columns, lie one after the other");
        Self { values, rows, columns, is_transposed }
    }
}

/// The elements of a matrix, row-major.
#[derive(Debug, Clone, Copy)]
pub enum MatrixValues<'a, R> {
    Numbers(&'a [R]),
    /// Bytes that stand for the numbers of a table; the byte 0 stands for 0.
    Bytes {
        bytes: &'a [u8],
        table: &'a [R; 256],
    },
}

impl<'a, R> MatrixValues<'a, R> {
    /// The number of elements.
    pub fn len(self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Bytes { bytes, .. } => bytes.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// # Panics
    /// If the elements are bytes.
    pub fn numbers(self) -> &'a [R] {
        match self {
            Self::Numbers(numbers) => numbers,
            Self::Bytes { .. } => panic!("numbers are needed, not bytes"),
        }
    }
}

impl<'a, R> From<&'a [R]> for MatrixValues<'a, R> {
    fn from(numbers: &'a [R]) -> Self {
        Self::Numbers(numbers)
    }
}

/// `out = a · b`. `a: [m, k]`, `b: [k, n]`, each a [`matrix`] or the transpose of one; `out: [m, n]`, row-major, whose
/// previous contents do not matter.
///
/// # Panics
/// If the shapes do not match.
pub fn product<R: Element>(instructions: Instructions, a: ArrayView2<R>, b: ArrayView2<R>, out: &mut [R]) {
    let (a, b) = (Matrix::new(a), Matrix::new(b));
    assert_eq!(a.columns, b.rows, "the inner dimensions of a product");
    assert_eq!(out.len(), a.rows * b.columns, "the output of a product of {} by {}", a.rows, b.columns);
    if a.columns == 0 {
        return out.fill(R::zero());
    }
    match instructions.0 {
        InstructionSet::Portable => tile::portable(a, b, out),
        // SAFETY: `Instructions` holds these sets only if the processor was found to have them.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { tile::avx2(a, b, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { tile::avx512(a, b, out) },
    }
}

/// [`product`], but only the `nonzeros` of `a` are multiplied. `values` are those of `a: [m, k]`, or of its transpose
/// if `is_transposed`.
///
/// The bits are those of the whole product if `b` is finite: products with zero then add nothing.
///
/// # Panics
/// If the shapes do not match, or the product is too narrow ([`Instructions::is_faster_skipping_zeros`]).
pub fn sparse_product<R: Element>(
    instructions: Instructions,
    values: MatrixValues<R>,
    is_transposed: bool,
    nonzeros: &Nonzeros,
    b: ArrayView2<R>,
    out: &mut [R],
) {
    let ((rows, columns), b) = (nonzeros.size(), Matrix::new(b));
    assert_eq!(values.len(), rows * columns, "the left factor and its bits");
    assert_eq!(columns, b.rows, "the inner dimensions of a product");
    assert_eq!(out.len(), rows * b.columns, "the output of a product of {rows} by {}", b.columns);
    assert!(instructions.is_faster_skipping_zeros::<R>(b.columns), "a product that is wide enough");
    if columns == 0 {
        return out.fill(R::zero());
    }
    let (across, along) = if is_transposed { (1, rows) } else { (columns, 1) };
    match values {
        MatrixValues::Numbers(numbers) => {
            walk::product(instructions, Left { values: numbers, across, along }, nonzeros, b, out)
        }
        MatrixValues::Bytes { bytes, table } => {
            walk::product(instructions, Left { values: Shares { bytes, table }, across, along }, nonzeros, b, out)
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::linalg::general_mat_mul;

    use super::*;

    /// The contract itself: three loops.
    fn reference<R: Element>(a: ArrayView2<R>, b: ArrayView2<R>) -> Vec<R> {
        let mut out = Vec::new();
        for row in a.rows() {
            for column in b.columns() {
                let chain = row.iter().zip(column).fold(R::zero(), |sum, (&a, &b)| Element::mul_add(a, b, sum));
                out.push(chain + R::zero());
            }
        }
        out
    }

    /// Numbers of mixed size and sign, a fifth of them zero, the same on every call.
    fn numbers<R: Real>(count: usize, start: u64) -> Vec<R> {
        let mut generator = crate::seed::Seed::try_from(7).unwrap().stream(crate::seed::Purpose::Batch).at(start);
        (0..count).map(|_| R::from_f64((generator.uniform() - 0.4).max(-0.2) * generator.gaussian())).collect()
    }

    const SHAPES: [(usize, usize, usize); 16] = [
        (1, 1, 1),
        (1, 300, 1),
        (2, 3, 5),
        (3, 784, 4),
        (5, 7, 8),
        (6, 196, 16),
        (7, 257, 17),
        (9, 513, 33),
        (11, 2, 47),
        (12, 100, 48),
        (13, 31, 49),
        (20, 10, 64),
        (50, 100, 10),
        (100, 64, 100),
        (64, 784, 100),
        (37, 41, 131),
    ];

    fn all_instructions_agree<R: Element>() {
        for (m, k, n) in SHAPES {
            let (left, right) = (numbers::<R>(m * k, 1), numbers::<R>(k * n, 2));
            for (a, b) in [
                (matrix(&left, m, k), matrix(&right, k, n)),
                (matrix(&left, k, m).reversed_axes(), matrix(&right, k, n)),
                (matrix(&left, m, k), matrix(&right, n, k).reversed_axes()),
                (matrix(&left, k, m).reversed_axes(), matrix(&right, n, k).reversed_axes()),
            ] {
                let expected = reference(a, b);
                for instructions in Instructions::available() {
                    let mut out = vec![R::from_f64(f64::NAN); m * n];
                    product(instructions, a, b, &mut out);
                    let is_same = out.iter().zip(&expected).all(|(x, y)| x.to_f64().to_bits() == y.to_f64().to_bits());
                    assert!(
                        is_same,
                        "{instructions}: [{m}, {k}] · [{k}, {n}], strides {:?} {:?}",
                        a.strides(),
                        b.strides()
                    );
                }
            }
        }
    }

    /// Widths from the smallest that skips zeros up to several panels, with every number of vectors in between.
    fn sparse_shapes(lanes: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let widths = (3..14).flat_map(move |vectors| [vectors * lanes + 1, (vectors + 1) * lanes]);
        let panels = [20 * lanes + 3, 27 * lanes];
        (0..).zip(widths.chain(panels)).map(|(i, n)| (1 + i % 5, [1, 63, 64, 65, 130][i % 5], n))
    }

    fn skipping_zeros_changes_no_bit<R: Element>() {
        let table: [R; 256] = std::array::from_fn(|byte| R::from_byte(byte as u8, 255));
        for (m, k, n) in sparse_shapes(4).chain(sparse_shapes(8)).chain(sparse_shapes(16)).chain([(128, 784, 100)]) {
            let right = numbers::<R>(k * n, 2);
            // Rows with no nonzero numbers, a few, many; −0 is skipped too.
            let mut left = numbers::<R>(m * k, 1);
            let mut bytes = vec![0; m * k];
            for (place, (value, byte)) in left.iter_mut().zip(&mut bytes).enumerate() {
                if place % 7 < 4 || place / k % 3 == 2 {
                    *value = if place % 2 == 0 { R::zero() } else { -R::zero() };
                } else {
                    *byte = (place * 37 % 256) as u8;
                }
            }
            let shares: Vec<R> = bytes.iter().map(|byte| table[usize::from(*byte)]).collect();
            for (values, left) in
                [(MatrixValues::Numbers(&left), &left), (MatrixValues::Bytes { bytes: &bytes, table: &table }, &shares)]
            {
                for instructions in
                    Instructions::available().into_iter().filter(|set| set.is_faster_skipping_zeros::<R>(n))
                {
                    let check = |is_transposed: bool, nonzeros: &Nonzeros| {
                        let a = match is_transposed {
                            false => matrix(left, m, k),
                            true => matrix(left, k, m).reversed_axes(),
                        };
                        for (b, order) in
                            [(matrix(&right, k, n), "as it is"), (matrix(&right, n, k).reversed_axes(), "transposed")]
                        {
                            let mut out = vec![R::from_f64(f64::NAN); m * n];
                            sparse_product(instructions, values, is_transposed, nonzeros, b, &mut out);
                            let expected = reference(a, b);
                            let is_same =
                                out.iter().zip(&expected).all(|(x, y)| x.to_f64().to_bits() == y.to_f64().to_bits());
                            assert!(is_same, "{instructions}: [{m}, {k}] · [{k}, {n}], {is_transposed}, b {order}");
                        }
                    };
                    let (mut stored, mut other) = (Nonzeros::default(), Nonzeros::default());
                    stored.note(instructions, values, k);
                    check(false, &stored);
                    stored.note(instructions, values, m);
                    other.transpose(&stored);
                    check(true, &other);
                    other.fill(m, k);
                    check(false, &other);
                }
            }
        }
    }

    /// Arrays stand in for the vectors of other processors.
    fn arrays_of<const N: usize>() {
        // SAFETY: arrays need no instructions.
        let zero = unsafe { <[f32; N] as Lanes<f32>>::zero() };
        for (m, k, n) in sparse_shapes(N) {
            let (left, right) = (numbers::<f32>(m * k, 1), numbers::<f32>(k * n, 2));
            let mut nonzeros = Nonzeros::default();
            nonzeros.note(Instructions::fastest(), MatrixValues::Numbers(&left), k);
            for b in [matrix(&right, k, n), matrix(&right, n, k).reversed_axes()] {
                let expected = reference(matrix(&left, m, k), b);
                let mut out = vec![f32::NAN; m * n];
                let a = Left { values: left.as_slice(), across: k, along: 1 };
                walk::columns(zero, a, &nonzeros, Matrix::new(b), &mut out);
                assert_eq!(out, expected, "{N} lanes: [{m}, {k}] · [{k}, {n}]");
            }
        }
    }

    #[test]
    fn vectors_of_every_length_skip_zeros_alike() {
        arrays_of::<4>();
        arrays_of::<8>();
        arrays_of::<16>();
    }

    #[test]
    fn skipping_zeros_changes_no_bit_in_f32() {
        skipping_zeros_changes_no_bit::<f32>();
    }

    #[test]
    fn skipping_zeros_changes_no_bit_in_f64() {
        skipping_zeros_changes_no_bit::<f64>();
    }

    #[test]
    fn every_instruction_set_gives_the_bits_of_three_loops_in_f32() {
        all_instructions_agree::<f32>();
    }

    #[test]
    fn every_instruction_set_gives_the_bits_of_three_loops_in_f64() {
        all_instructions_agree::<f64>();
    }

    #[test]
    fn a_product_is_near_the_one_of_another_library() {
        let (m, k, n) = (50, 784, 37);
        let (left, right) = (numbers::<f64>(m * k, 1), numbers::<f64>(k * n, 2));
        let mut expected = ndarray::Array2::zeros((m, n));
        general_mat_mul(1.0, &matrix(&left, m, k), &matrix(&right, k, n), 0.0, &mut expected);
        let narrow = |values: &[f64]| values.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let (left32, right32) = (narrow(&left), narrow(&right));
        for instructions in Instructions::available() {
            let mut out = vec![0.0; m * n];
            product(instructions, matrix(&left, m, k), matrix(&right, k, n), &mut out);
            let mut out32 = vec![0.0; m * n];
            product(instructions, matrix(&left32, m, k), matrix(&right32, k, n), &mut out32);
            for ((x, x32), y) in out.iter().zip(&out32).zip(&expected) {
                assert!((x - y).abs() < 1e-13, "{x} {y}");
                assert!((f64::from(*x32) - y).abs() < 1e-5, "{x32} {y}");
            }
        }
    }

    #[test]
    fn rows_do_not_know_how_many_are_computed_at_once() {
        let (m, k, n) = (23, 784, 100);
        let (left, right) = (numbers::<f32>(m * k, 3), numbers::<f32>(k * n, 4));
        for instructions in Instructions::available() {
            let mut whole = vec![0.0; m * n];
            product(instructions, matrix(&left, m, k), matrix(&right, k, n), &mut whole);
            for (row, expected) in left.chunks(k).zip(whole.chunks(n)) {
                let mut out = vec![0.0; n];
                product(instructions, matrix(row, 1, k), matrix(&right, k, n), &mut out);
                assert_eq!(out, expected);
            }
        }
    }

    #[test]
    fn minus_zero_becomes_zero_and_what_is_not_finite_stays_visible() {
        for instructions in Instructions::available() {
            // The product of the smallest numbers rounds to −0.
            let mut out = [1.0];
            product(instructions, matrix(&[-1e-300], 1, 1), matrix(&[1e-300], 1, 1), &mut out);
            assert_eq!(f64::to_bits(out[0]), 0);
            product(instructions, matrix(&[0.0, 1.0], 1, 2), matrix(&[f64::INFINITY, 1.0], 2, 1), &mut out);
            assert!(out[0].is_nan());
        }
    }

    #[test]
    fn an_empty_sum_is_zero() {
        let mut out = [f32::NAN; 6];
        product(Instructions::fastest(), matrix(&[], 2, 0), matrix(&[], 0, 3), &mut out);
        assert_eq!(out, [0.0; 6]);
    }

    #[test]
    #[should_panic(expected = "the inner dimensions of a product")]
    fn shapes_that_do_not_fit_are_refused() {
        product(Instructions::fastest(), matrix(&[1.0, 2.0], 1, 2), matrix(&[1.0, 2.0, 3.0], 3, 1), &mut [0.0]);
    }
}
