//! How a product is divided: panels of columns of `b`, copied to the stack, each multiplied by tiles of rows of `a`.
//!
//! None of the sizes here changes a result (see the [contract](super)); they were chosen by measurement on the shapes
//! of small networks: batches of about 100 rows, layers 10 to 784 wide.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{Element, Lanes, Matrix};

/// The most rows of `b` in a panel: three 512-bit vectors per row make 37.5 KiB.
const DEPTH: usize = 200;

/// The most numbers in a panel's row: three vectors of 16.
const LONGEST_ROW: usize = 48;

/// Runs `$body` for each `$index` from 0 up to `$count`, a constant, as if it were written out. Neither a loop nor a
/// closure will do: arrays live in registers only if indexed by literals, and intrinsics compile to single instructions
/// only in the function that is compiled for them, not in a closure within it. The largest count is 3, 6 or 13; indices
/// beyond the count generate no code, as the compiler evaluates their condition first, but compiling them takes time.
macro_rules! unroll {
    ($index:ident in $count:ident of 3 $body:block) => {
        unroll!($index in $count $body: 3: 0 1 2)
    };
    ($index:ident in $count:ident of 6 $body:block) => {
        unroll!($index in $count $body: 6: 0 1 2 3 4 5)
    };
    ($index:ident in $count:ident of 13 $body:block) => {
        unroll!($index in $count $body: 13: 0 1 2 3 4 5 6 7 8 9 10 11 12)
    };
    ($index:ident in $count:ident $body:block: $most:literal: $($literal:literal)*) => {
        const { assert!($count <= $most) };
        $(if const { $literal < $count } {
            let $index = $literal;
            $body
        })*
    };
}

/// Any processor.
pub fn portable<R: Element>(a: Matrix<R>, b: Matrix<R>, out: &mut [R]) {
    // SAFETY: arrays need no instructions beyond the baseline.
    let zero = unsafe { <[R; 4] as Lanes<R>>::zero() };
    let full = b.columns / 8 * 8;
    columns::<R, _, 2, 2>(zero, a, b, out, 0..full);
    columns::<R, _, 2, 1>(zero, a, b, out, full..b.columns);
}

/// 16 registers of 256 bits: 6 · 2 accumulators, 2 of `b`, 1 of `a`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub fn avx2<R: Element>(a: Matrix<R>, b: Matrix<R>, out: &mut [R]) {
    // SAFETY: this function is compiled for these instructions.
    let zero = unsafe { R::Vector256::zero() };
    let width = 2 * R::Vector256::LANES;
    let rest = b.columns % width;
    let wide = if rest <= R::Vector256::LANES { b.columns - rest } else { b.columns };
    columns::<R, _, 6, 2>(zero, a, b, out, 0..wide);
    columns::<R, _, 6, 1>(zero, a, b, out, wide..b.columns);
}

/// 32 registers of 512 bits: 6 · 3 accumulators, 3 of `b`, 1 of `a`. Where few columns are left, shorter vectors waste
/// less.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
pub fn avx512<R: Element>(a: Matrix<R>, b: Matrix<R>, out: &mut [R]) {
    // SAFETY: this function is compiled for these instructions.
    let (wide, narrow) = unsafe { (R::Vector512::zero(), R::Vector256::zero()) };
    let width = 3 * R::Vector512::LANES;
    let full = b.columns / width * width;
    let rest = b.columns - full;
    let few = rest % R::Vector512::LANES;
    let split = if few <= R::Vector256::LANES { b.columns - few } else { b.columns };
    columns::<R, _, 6, 3>(wide, a, b, out, 0..full);
    columns::<R, _, 6, 1>(wide, a, b, out, full..split);
    columns::<R, _, 6, 1>(narrow, a, b, out, split..b.columns);
}

/// The columns of `range`, in panels `VECTORS` vectors wide. The last panel may be narrower, but needs all its vectors.
#[inline(always)]
fn columns<R: Element, V: Lanes<R>, const ROWS: usize, const VECTORS: usize>(
    zero: V,
    a: Matrix<R>,
    b: Matrix<R>,
    out: &mut [R],
    range: Range<usize>,
) {
    if range.is_empty() {
        return;
    }
    let mut panel = [const { MaybeUninit::uninit() }; DEPTH];
    let inner = a.columns;
    let depth = inner.div_ceil(inner.div_ceil(DEPTH));
    for first in (0..inner).step_by(depth) {
        let panel = &mut panel[..depth.min(inner - first)];
        for column in range.clone().step_by(VECTORS * V::LANES) {
            let place = PanelBounds { first, column, width: (range.end - column).min(VECTORS * V::LANES) };
            let panel = pack(zero, b, place, panel);
            let mut row = 0;
            while row + ROWS <= a.rows {
                tile::<R, V, ROWS, VECTORS>(zero, a, panel, out, b.columns, place, row);
                row += ROWS;
            }
            while row + 2 <= a.rows {
                tile::<R, V, 2, VECTORS>(zero, a, panel, out, b.columns, place, row);
                row += 2;
            }
            if row < a.rows {
                tile::<R, V, 1, VECTORS>(zero, a, panel, out, b.columns, place, row);
            }
        }
    }
}

/// The position of a panel in `b`.
#[derive(Clone, Copy)]
struct PanelBounds {
    /// Its first row.
    first: usize,
    /// Its first column.
    column: usize,
    /// How many of its columns are used.
    width: usize,
}

/// Copies a panel of `b`. Lanes beyond the panel's width are arbitrary; their results are never written.
#[inline(always)]
fn pack<'p, R: Element, V: Lanes<R>, const VECTORS: usize>(
    zero: V,
    b: Matrix<R>,
    place: PanelBounds,
    panel: &'p mut [MaybeUninit<[V; VECTORS]>],
) -> &'p [[V; VECTORS]] {
    let mut buffer = [R::zero(); LONGEST_ROW];
    for (k, packed) in panel.iter_mut().enumerate() {
        let row = if b.is_transposed {
            let column = b.values[place.column * b.rows + place.first + k..].iter().step_by(b.rows);
            buffer[..place.width].iter_mut().zip(column).for_each(|(out, value)| *out = *value);
            &buffer
        } else {
            &b.values[(place.first + k) * b.columns + place.column..]
        };
        let mut vectors = [zero; VECTORS];
        unroll!(vector in VECTORS of 3 {
            vectors[vector] = zero.load(&row[vector * V::LANES..]);
        });
        packed.write(vectors);
    }
    // SAFETY: every row has been written.
    unsafe { panel.assume_init_ref() }
}

/// `ROWS` rows of the output, as wide as the panel, from `row` on: `ROWS · VECTORS` vectors of chains.
#[inline(always)]
fn tile<R: Element, V: Lanes<R>, const ROWS: usize, const VECTORS: usize>(
    zero: V,
    a: Matrix<R>,
    panel: &[[V; VECTORS]],
    out: &mut [R],
    out_columns: usize,
    place: PanelBounds,
    row: usize,
) {
    let mut sums = [[zero; VECTORS]; ROWS];
    if place.first > 0 {
        unroll!(r in ROWS of 6 {
            let before = &out[(row + r) * out_columns + place.column..];
            unroll!(vector in VECTORS of 3 {
                sums[r][vector] = zero.load(&before[vector * V::LANES..]);
            });
        });
    }
    if a.is_transposed {
        for (a, b) in a.values[place.first * a.rows + row..].chunks(a.rows).zip(panel) {
            let a = &a[..ROWS];
            unroll!(r in ROWS of 6 {
                let a = zero.splat(a[r]);
                unroll!(vector in VECTORS of 3 {
                    sums[r][vector] = a.mul_add(b[vector], sums[r][vector]);
                });
            });
        }
    } else {
        let mut rows: [&[R]; ROWS] = [&[]; ROWS];
        unroll!(r in ROWS of 6 {
            rows[r] = &a.values[(row + r) * a.columns + place.first..][..panel.len()];
        });
        for (k, b) in panel.iter().enumerate() {
            unroll!(r in ROWS of 6 {
                let a = zero.splat(rows[r][k]);
                unroll!(vector in VECTORS of 3 {
                    sums[r][vector] = a.mul_add(b[vector], sums[r][vector]);
                });
            });
        }
    }
    unroll!(r in ROWS of 6 {
        let out = &mut out[(row + r) * out_columns + place.column..][..place.width];
        unroll!(vector in VECTORS of 3 {
            if let Some(out) = out.get_mut(vector * V::LANES..) {
                sums[r][vector].add(zero).store(out);
            }
        });
    });
}
