//! Vectors: the few operations that a product's tile is made of, on each instruction set.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::Element;

/// A vector of numbers, computed side by side.
///
/// That a value of the type exists proves that its instructions do: only [`zero`](Self::zero), which makes the first
/// one, is unsafe; [`splat`](Self::splat) and [`load`](Self::load) make others from it.
///
/// # Safety
/// [`LANES`](Self::LANES) is at least 1 and divides 64, and [`read`](Self::read) and [`write`](Self::write) touch so
/// many numbers and no others: places in slices are reckoned with it. [`nonzeros`](Self::nonzeros) sets no bit beyond
/// the lanes and none for a zero, and [`load`](Self::load) adds nothing but zeros: a set bit stands for a number that
/// is there.
pub unsafe trait Lanes<R>: Copy {
    /// How many numbers a vector holds.
    const LANES: usize;

    /// How many vectors a row of a sparse product's panel has, at least: the chains of fewer would wait for too long
    /// for each other.
    const FEWEST: usize;

    /// And at most: as many accumulators leave a register for the element of `a`, and 64 rows of them, 26 or 28 KiB,
    /// fit into the nearest cache.
    const MOST: usize;

    /// All zeros.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn zero() -> Self;

    /// `value` in every lane. What is in `self` does not matter.
    fn splat(self, value: R) -> Self;

    /// The first numbers of `values`, followed by zeros where there are too few. What is in `self` does not matter.
    fn load(self, values: &[R]) -> Self;

    /// Writes the first lanes to `out`, as many as it has room for.
    fn store(self, out: &mut [R]);

    /// The numbers at `from`. What is in `self` does not matter.
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

    /// A bit for each lane, the first one lowest: whether it is neither +0 nor −0.
    fn nonzeros(self) -> u64;
}

/// Whatever the compiler makes of it; without a fused multiply-add in the processor, a call to the C library's.
// SAFETY: an array is read and written whole, and no other lengths are compiled.
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
        // SAFETY: the caller promises the numbers; an array is no more aligned than they are.
        unsafe { from.cast::<Self>().read() }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut R) {
        // SAFETY: the caller promises the room; an array is no more aligned than it is.
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
    ($($vector:ident = [$real:ident; $lanes:literal] in $fewest:literal..=$most:literal, $zero:ident $splat:ident $add:ident $mul_add:ident |$vector_name:ident| $nonzeros:expr;)*) => { $(
        // SAFETY: the table says how many numbers the vector holds, and so does the array that `load` turns into it.
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
                // SAFETY: that `self` exists proves the instructions.
                unsafe { $splat(value) }
            }

            #[inline(always)]
            fn load(self, values: &[$real]) -> Self {
                let lanes: [$real; $lanes] =
                    values.first_chunk().copied().unwrap_or_else(|| padded(values, 0.0));
                // SAFETY: an array and a vector of as many numbers have one size, and every bit pattern is a number.
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
                // SAFETY: that `self` exists proves the instructions.
                unsafe { $add(self, b) }
            }

            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: that `self` exists proves the instructions.
                unsafe { $mul_add(self, b, c) }
            }

            #[inline(always)]
            fn nonzeros(self) -> u64 {
                let $vector_name = self;
                // SAFETY: that `self` exists proves the instructions.
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

/// `values`, then zeros. Apart from [`Lanes::load`], because it is the rare case and should not be inlined with it.
#[cold]
fn padded<R: Copy, const LANES: usize>(values: &[R], zero: R) -> [R; LANES] {
    let mut lanes = [zero; LANES];
    lanes[..values.len()].copy_from_slice(values);
    lanes
}
