//! A product that skips the zeros of its left factor: row by row, over the elements that are not zero.
//!
//! A whole row of the output, or as much of it as there are registers for, stays in registers, while the matching rows
//! of `b` are read from a panel on the stack that fits into the L1 cache. If more than half of the left factor is zero,
//! this is faster than any product that multiplies everything.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::instructions::InstructionSet;
use super::nonzeros::{Nonzeros, WORD};
use super::{Element, Instructions, Lanes, Matrix};

/// The most numbers in a panel's row, for any vector length: seven vectors of 16.
const LONGEST_ROW: usize = 112;

/// The left factor: the element at (row, k) is the value at `row * across + k * along`.
#[derive(Clone, Copy)]
pub struct Left<S> {
    pub values: S,
    pub across: usize,
    pub along: usize,
}

/// Numbers by position.
pub trait ElementSource<R>: Copy {
    fn get(self, place: usize) -> R;
}

impl<R: Element> ElementSource<R> for &[R] {
    #[inline(always)]
    fn get(self, place: usize) -> R {
        self[place]
    }
}

/// Bytes that stand for the numbers of a table.
#[derive(Clone, Copy)]
pub struct Shares<'a, R> {
    pub bytes: &'a [u8],
    pub table: &'a [R; 256],
}

impl<R: Element> ElementSource<R> for Shares<'_, R> {
    #[inline(always)]
    fn get(self, place: usize) -> R {
        self.table[usize::from(self.bytes[place])]
    }
}

/// See [`super::sparse_product`], which has checked the shapes.
pub fn product<R: Element, S: ElementSource<R>>(
    instructions: Instructions,
    a: Left<S>,
    nonzeros: &Nonzeros,
    b: Matrix<R>,
    out: &mut [R],
) {
    match instructions.0 {
        // SAFETY: arrays need no instructions beyond the baseline.
        InstructionSet::Portable => columns(unsafe { <[R; 4] as Lanes<R>>::zero() }, a, nonzeros, b, out),
        // SAFETY: `Instructions` holds these sets only if the processor was found to have them.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { avx2(a, nonzeros, b, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { avx512(a, nonzeros, b, out) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2")]
fn avx2<R: Element, S: ElementSource<R>>(a: Left<S>, nonzeros: &Nonzeros, b: Matrix<R>, out: &mut [R]) {
    // SAFETY: this function is compiled for these instructions.
    columns(unsafe { R::Vector256::zero() }, a, nonzeros, b, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma,bmi1,bmi2")]
fn avx512<R: Element, S: ElementSource<R>>(a: Left<S>, nonzeros: &Nonzeros, b: Matrix<R>, out: &mut [R]) {
    // SAFETY: this function is compiled for these instructions.
    columns(unsafe { R::Vector512::zero() }, a, nonzeros, b, out);
}

/// All columns, in as few panels as possible, as equal in width as possible.
#[inline(always)]
pub fn columns<R: Element, V: Lanes<R>, S: ElementSource<R>>(
    zero: V,
    a: Left<S>,
    nonzeros: &Nonzeros,
    b: Matrix<R>,
    out: &mut [R],
) {
    // Only packed rows of a panel are read, as `Nonzeros` has no bits beyond its columns.
    assert_eq!(nonzeros.size().1, b.rows, "the bits and the right factor");
    let vectors = b.columns.div_ceil(V::LANES);
    let panels = vectors.div_ceil(V::MOST);
    let mut done = 0;
    for panel in 0..panels {
        let count = (vectors - done).div_ceil(panels - panel);
        let range = done * V::LANES..((done + count) * V::LANES).min(b.columns);
        done += count;
        macro_rules! panels {
            ($($vectors:literal)*) => {
                match count {
                    // Only the widths that the vector type uses are compiled.
                    $($vectors if const { V::FEWEST <= $vectors && $vectors <= V::MOST } => {
                        rows::<R, V, S, $vectors>(zero, a, nonzeros, b, out, range);
                    })*
                    _ => unreachable!("a panel of {} to {} vectors", V::FEWEST, V::MOST),
                }
            };
        }
        panels!(2 3 4 5 6 7 8 9 10 11 12 13);
    }
}

/// The columns of `range`: more than `VECTORS - 1` vectors, at most `VECTORS`.
///
/// The last vector ends where the range does, so it overlaps the one before if the width is not a multiple of a
/// vector's. The overlap is computed twice, with the same bits.
#[inline(always)]
fn rows<R: Element, V: Lanes<R>, S: ElementSource<R>, const VECTORS: usize>(
    zero: V,
    a: Left<S>,
    nonzeros: &Nonzeros,
    b: Matrix<R>,
    out: &mut [R],
    range: Range<usize>,
) {
    assert!(((VECTORS - 1) * V::LANES..=VECTORS * V::LANES).contains(&range.len()), "the width of a panel");
    let mut panel = [const { MaybeUninit::<[V; VECTORS]>::uninit() }; WORD];
    for first in (0..b.rows).step_by(WORD) {
        let depth = WORD.min(b.rows - first);
        pack(zero, b, first, &range, &mut panel[..depth]);
        for (row, word) in nonzeros.words(first / WORD).enumerate() {
            // Without nonzeros, the sums stay as they are; the first word writes them, even if they are zero.
            if word == 0 && first > 0 {
                continue;
            }
            let out = &mut out[row * b.columns..][range.clone()];
            let mut sums = [zero; VECTORS];
            if first > 0 {
                unroll!(vector in VECTORS of 13 {
                    // SAFETY: `out` is as long as the range, at least `VECTORS - 1` vectors, and `place` keeps every
                    // vector within it.
                    sums[vector] = unsafe { zero.read(out.as_ptr().add(place::<R, V, VECTORS>(vector, out.len()))) };
                });
            }
            let mut word = word;
            while word != 0 {
                let k = word.trailing_zeros() as usize;
                word &= word - 1;
                let a = zero.splat(a.values.get(row * a.across + (first + k) * a.along));
                // SAFETY: the bits of a word beyond the matrix are 0, so `k` is below `depth`, and that many rows are
                // packed.
                let b = unsafe { panel[k].assume_init_ref() };
                unroll!(vector in VECTORS of 13 {
                    sums[vector] = a.mul_add(b[vector], sums[vector]);
                });
            }
            unroll!(vector in VECTORS of 13 {
                let place = place::<R, V, VECTORS>(vector, out.len());
                // SAFETY: as above.
                unsafe { sums[vector].add(zero).write(out.as_mut_ptr().add(place)) };
            });
        }
    }
}

/// The column at which `vector` begins in a panel that is `width` wide.
#[inline(always)]
fn place<R, V: Lanes<R>, const VECTORS: usize>(vector: usize, width: usize) -> usize {
    if vector + 1 == VECTORS { width - V::LANES } else { vector * V::LANES }
}

/// Copies a panel of `b`: some of its rows from `first` on, the columns of `range`.
#[inline(always)]
fn pack<R: Element, V: Lanes<R>, const VECTORS: usize>(
    zero: V,
    b: Matrix<R>,
    first: usize,
    range: &Range<usize>,
    panel: &mut [MaybeUninit<[V; VECTORS]>],
) {
    let mut buffer = [R::zero(); LONGEST_ROW];
    let buffer = &mut buffer[..range.len()];
    for (k, packed) in (first..).zip(panel) {
        let row = if b.is_transposed {
            let column = b.values[range.start * b.rows + k..].iter().step_by(b.rows);
            buffer.iter_mut().zip(column).for_each(|(out, value)| *out = *value);
            &*buffer
        } else {
            &b.values[k * b.columns..][range.clone()]
        };
        let mut vectors = [zero; VECTORS];
        unroll!(vector in VECTORS of 13 {
            // SAFETY: `row` is as long as the range, at least `VECTORS - 1` vectors, and `place` keeps every vector
            // within it.
            vectors[vector] = unsafe { zero.read(row.as_ptr().add(place::<R, V, VECTORS>(vector, row.len()))) };
        });
        packed.write(vectors);
    }
}
