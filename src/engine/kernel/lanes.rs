//! Vectors: the few operations that a tile of a product needs, for each instruction set.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::Element;

/// A vector of numbers, computed side by side.
///
/// A value of the type is proof that the processor has its instructions: only [`zero`](Self::zero), which makes the
/// first value, is unsafe; [`splat`](Self::splat) and [`load`](Self::load) make others from it.
///
/// # Safety
/// [`LANES`](Self::LANES) is at least 1 and divides 64, and [`read`](Self::read) and [`write`](Self::write) touch
/// exactly that many numbers: positions in slices are computed from it. [`nonzeros`](Self::nonzeros) sets no bit beyond
/// the lanes and none for a zero, and [`load`](Self::load) pads with zeros only: every set bit stands for a number of
/// the slice.
pub unsafe trait Lanes<R>: Copy {
    /// How many numbers a vector holds.
    const LANES: usize;

    /// The fewest vectors in a row of a sparse product's panel: fewer chains would wait too long for each other.
    const FEWEST: usize;

    /// The most: that many accumulators leave a register for the element of `a`, and 64 such rows, 26 or 28 KiB, fit
    /// into the L1 cache.
    const MOST: usize;

    /// All zeros.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn zero() -> Self;

    /// `value` in every lane. The contents of `self` do not matter.
    fn splat(self, value: R) -> Self;

    /// The first numbers of `values`, padded with zeros if there are too few. The contents of `self` do not matter.
    fn load(self, values: &[R]) -> Self;

    /// Writes the first lanes to `out`, as many as it has room for.
    fn store(self, out: &mut [R]);

    /// The numbers at `from`. The contents of `self` do not matter.
    ///
    /// # Safety
    /// There are [`LANES`](Self::LANES) numbers at `from`.
    unsafe fn read(self, from: *const R) -> Self;

    /// Writes all lanes to `to`.
    ///
    /// # Safety
    /// There is room for [`LANES`](Self::LANES) numbers at `to`.
    unsafe fn write(self, to: *mut R);

    /// `self + b`.
    fn add(self, b: Self) -> Self;

    /// `self · b + c`, rounded once.
    fn mul_add(self, b: Self, c: Self) -> Self;

    /// One bit per lane, the first lane lowest: whether the number is neither +0 nor −0.
    fn nonzeros(self) -> u64;
}

/// Arrays, which the compiler may turn into vectors. Without a fused multiply-add instruction, each fused operation is
/// a call to the C library.
// SAFETY: an array is read and written whole, and `LANES` rejects other lengths at compile time.
unsafe impl<R: Element, const N: usize> Lanes<R> for [R; N] {
    const LANES: usize = {
        assert!(N > 0 && 64 % N == 0, "the lanes of a vector");
        N
    };
    const FEWEST: usize = if N < 16 { 4 } else { 2 };
    const MOST: usize = if N == 8 { 13 } else { 7 };

    #[inline(always)]
    unsafe fn zero() -> Self {
        [R::zero(); N]
    }

    #[inline(always)]
    fn splat(self, value: R) -> Self {
        [value; N]
    }

    #[inline(always)]
    fn load(self, values: &[R]) -> Self {
        values.first_chunk().copied().unwrap_or_else(|| padded(values, R::zero()))
    }

    #[inline(always)]
    fn store(self, out: &mut [R]) {
        out.iter_mut().zip(self).for_each(|(out, value)| *out = value);
    }

    #[inline(always)]
    unsafe fn read(self, from: *const R) -> Self {
        // SAFETY: the caller promises the numbers; an array needs no stricter alignment than they do.
        unsafe { from.cast::<Self>().read() }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut R) {
        // SAFETY: the caller promises the room; an array needs no stricter alignment than its numbers.
        unsafe { to.cast::<Self>().write(self) }
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        std::array::from_fn(|lane| self[lane] + b[lane])
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        std::array::from_fn(|lane| Element::mul_add(self[lane], b[lane], c[lane]))
    }

    #[inline(always)]
    fn nonzeros(self) -> u64 {
        (0..).zip(self).fold(0, |bits, (lane, value)| bits | u64::from(value != R::zero()) << lane)
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! lanes {
    ($(
        $vector:ident = [$real:ident; $lanes:literal] in $fewest:literal..=$most:literal,
        $zero:ident $splat:ident $add:ident $mul_add:ident |$vector_name:ident| $nonzeros:expr;
    )*) => { $(
        // SAFETY: the table states how many numbers the vector holds; `load` turns an array of that size into a vector.
        unsafe impl Lanes<$real> for $vector {
            const LANES: usize = $lanes;
            const FEWEST: usize = $fewest;
            const MOST: usize = $most;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller promises the instructions.
                unsafe { $zero() }
            }

            #[inline(always)]
            fn splat(self, value: $real) -> Self {
                // SAFETY: `self` proves that the processor has the instructions.
                unsafe { $splat(value) }
            }

            #[inline(always)]
            fn load(self, values: &[$real]) -> Self {
                let lanes: [$real; $lanes] =
                    values.first_chunk().copied().unwrap_or_else(|| padded(values, 0.0));
                // SAFETY: an array and a vector of equally many numbers have the same size, and every bit pattern is a
                // number.
                unsafe { std::mem::transmute::<[$real; $lanes], $vector>(lanes) }
            }

            #[inline(always)]
            fn store(self, out: &mut [$real]) {
                // SAFETY: as in `load`.
                let lanes = unsafe { std::mem::transmute::<$vector, [$real; $lanes]>(self) };
                match out.first_chunk_mut() {
                    Some(out) => *out = lanes,
                    None => out.iter_mut().zip(lanes).for_each(|(out, lane)| *out = lane),
                }
            }

            #[inline(always)]
            unsafe fn read(self, from: *const $real) -> Self {
                // SAFETY: the caller promises the numbers.
                unsafe { from.cast::<Self>().read_unaligned() }
            }

            #[inline(always)]
            unsafe fn write(self, to: *mut $real) {
                // SAFETY: the caller promises the room.
                unsafe { to.cast::<Self>().write_unaligned(self) }
            }

            #[inline(always)]
            fn add(self, b: Self) -> Self {
                // SAFETY: `self` proves that the processor has the instructions.
                unsafe { $add(self, b) }
            }

            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: `self` proves that the processor has the instructions.
                unsafe { $mul_add(self, b, c) }
            }

            #[inline(always)]
            fn nonzeros(self) -> u64 {
                let $vector_name = self;
                // SAFETY: `self` proves that the processor has the instructions.
                (unsafe { $nonzeros }) as u64
            }
        }
    )* };
}

#[cfg(target_arch = "x86_64")]
lanes! {
    __m512 = [f32; 16] in 2..=7, _mm512_setzero_ps _mm512_set1_ps _mm512_add_ps _mm512_fmadd_ps
        |x| _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(x, _mm512_setzero_ps());
    __m512d = [f64; 8] in 2..=7, _mm512_setzero_pd _mm512_set1_pd _mm512_add_pd _mm512_fmadd_pd
        |x| _mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(x, _mm512_setzero_pd());
    __m256 = [f32; 8] in 4..=13, _mm256_setzero_ps _mm256_set1_ps _mm256_add_ps _mm256_fmadd_ps
        |x| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(x, _mm256_setzero_ps()));
    __m256d = [f64; 4] in 4..=13, _mm256_setzero_pd _mm256_set1_pd _mm256_add_pd _mm256_fmadd_pd
        |x| _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_NEQ_UQ>(x, _mm256_setzero_pd()));
}

/// `values`, padded with zeros. Separate from [`Lanes::load`], as this is the rare case and should not be inlined with
/// it.
#[cold]
fn padded<R: Copy, const LANES: usize>(values: &[R], zero: R) -> [R; LANES] {
    let mut lanes = [zero; LANES];
    lanes[..values.len()].copy_from_slice(values);
    lanes
}
