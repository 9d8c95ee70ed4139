//! Estimates from a sample of many values.

/// The share of `values` for which `holds` is true, estimated from `sample` of them; exact if there are fewer, and 0 if
/// there are none.
///
/// The sample is spread over all values, in an order unrelated to rows and columns if they are a matrix, and is the
/// same on every call.
pub fn share<T>(values: &[T], sample: u32, holds: impl Fn(&T) -> bool) -> f64 {
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX).min(sample);
    if count < sample {
        return values.iter().filter(|value| holds(value)).count() as f64 / f64::from(count.max(1));
    }
    let mut held: u32 = 0;
    for index in 0..count {
        let place = (u128::from(scrambled(index)) * values.len() as u128) >> u32::BITS;
        held += u32::from(holds(&values[place as usize]));
    }
    f64::from(held) / f64::from(count)
}

/// The finalizer of MurmurHash3 (Appleby 2011): flipping a bit of the number flips about half of the result's bits.
fn scrambled(mut number: u32) -> u32 {
    number ^= number >> 16;
    number = number.wrapping_mul(0x85EB_CA6B);
    number ^= number >> 13;
    number = number.wrapping_mul(0xC2B2_AE35);
    number ^ number >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_of_all_rows_and_all_columns() {
        for (rows, columns) in
            [(128, 100), (100, 784), (256, 64), (1000, 3), (7, 4096), (144, 100), (233, 100), (610, 100)]
        {
            // Parts of a matrix: the first row, the first and the last rows, the first and the last columns, a corner.
            let matrix: Vec<(usize, usize)> = (0..rows * columns).map(|i| (i / columns, i % columns)).collect();
            let of_matrix: [fn(f64, f64) -> bool; 6] = [
                |row, _| row == 0.0,
                |row, _| row < 0.25,
                |row, _| row >= 0.75,
                |_, column| column < 0.25,
                |_, column| column >= 0.75,
                |row, column| row < 0.5 && column < 0.5,
            ];
            for (index, holds) in of_matrix.into_iter().enumerate() {
                let holds =
                    |(row, column): &(usize, usize)| holds(*row as f64 / rows as f64, *column as f64 / columns as f64);
                let expected = matrix.iter().filter(|place| holds(place)).count() as f64 / matrix.len() as f64;
                let found = share(&matrix, 128, holds);
                assert!((found - expected).abs() < 0.12, "{rows} x {columns}, {index}: {found}, not {expected}");
            }
        }
        assert_eq!(share(&[1, 0, 0, 1], 10, |x| *x > 0), 0.5);
        assert_eq!(share(&[] as &[i32], 10, |x| *x > 0), 0.0);
    }
}
