//! Loops over slices of numbers, for use between products: sums in an order that does not depend on the machine,
//! biases, and checks for numbers that are not finite.

use crate::real::Real;

/// Σ `term(x)`: 16 strided lanes (the i-th term goes to lane i mod 16), folded 8-4-2-1 at the end.
#[inline(always)]
pub fn sum_by<R: Real, S: Real>(values: &[R], term: impl Fn(R) -> S) -> S {
    let mut lanes = [S::zero(); 16];
    let (full, rest) = values.as_chunks::<16>();
    for values in full {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane += term(*value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += term(*value);
    }
    for half in [8, 4, 2, 1] {
        let (low, high) = lanes.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            *low += *high;
        }
    }
    lanes[0]
}

/// The sum of each column, rows ascending from +0. `values: [rows, columns]`, `sums: [columns]`.
#[inline(always)]
pub fn column_sums<R: Real>(values: &[R], sums: &mut [R]) {
    sums.fill(R::zero());
    for row in values.chunks_exact(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += *value;
        }
    }
}

/// row ← row + bias + 0.0. Returns whether all results are finite.
#[inline(always)]
pub fn add_bias<R: Real>(row: &mut [R], bias: &[R]) -> bool {
    let mut finite = true;
    for (value, bias) in row.iter_mut().zip(bias) {
        *value = *value + *bias + R::zero();
        finite &= value.is_finite();
    }
    finite
}

/// Whether no number is infinite or NaN.
#[inline(always)]
pub fn are_finite<R: Real>(values: &[R]) -> bool {
    // No early exit, which would prevent vectorization: nearly always all numbers are finite.
    let mut finite = true;
    for value in values {
        finite &= value.is_finite();
    }
    finite
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_sixteen_lanes_folded_in_halves() {
        // 2^24 + 1 is no f32, so the ones that survive show the order of the additions.
        let big = 16_777_216.0_f32;
        let mut values = vec![1.0; 33];
        values[0] = big;
        // Lane 0 holds big + 1 + 1 (each rounded away); lanes 1 to 15 hold 2 each. 8-4-2-1: lane 0 takes 2, 4, 8, 16.
        assert_eq!(sum_by(&values, |x| x), big + 30.0);
        assert_eq!(sum_by(&values, f64::from), f64::from(big) + 32.0);
        assert_eq!(sum_by(&[] as &[f64], |x| x), 0.0);
    }

    #[test]
    fn columns_are_summed_in_row_order() {
        let mut sums = [f32::NAN; 2];
        column_sums(&[16_777_216.0, 1.0, 1.0, 1.0, 1.0, 16_777_216.0], &mut sums);
        assert_eq!(sums, [16_777_216.0, 16_777_218.0]);
    }

    #[test]
    fn a_bias_leaves_no_minus_zero() {
        let mut row = [1.0, -0.0];
        assert!(add_bias(&mut row, &[0.5, -0.0]));
        assert_eq!(row.map(f64::to_bits), [1.5, 0.0].map(f64::to_bits));
        assert!(!add_bias(&mut [f32::MAX, 0.0], &[f32::MAX, 0.0]));
    }

    #[test]
    fn one_number_that_is_not_finite_is_found_anywhere() {
        for place in [0, 7, 99] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut values = [1.0; 100];
                values[place] = bad;
                assert!(!are_finite(&values));
            }
        }
        assert!(are_finite(&[f32::MAX, -f32::MAX, 0.0]));
    }
}
