//! Orthogonal matrices (Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
//! networks").

/// Turns Gaussian `values: [inputs, outputs]` into a matrix with orthonormal columns, or orthonormal rows if there are
/// fewer rows than columns, uniformly distributed among all such matrices. PyTorch's `orthogonal_` has the same
/// distribution.
///
/// It is the Q of A = QR with a positive diagonal of R, by the modified Gram-Schmidt process, done twice, which leaves
/// Q as orthogonal as rounding allows (Giraud et al. 2005, "The loss of orthogonality in the Gram-Schmidt
/// orthogonalization process"). Sums run over rows, ascending.
pub fn orthogonalize(values: &mut [f64], inputs: usize, outputs: usize) {
    if inputs >= outputs {
        orthogonalize_columns(values, outputs);
        orthogonalize_columns(values, outputs);
    } else {
        let mut transposed = transpose(values, inputs, outputs);
        orthogonalize(&mut transposed, outputs, inputs);
        values.copy_from_slice(&transpose(&transposed, outputs, inputs));
    }
}

/// `values: [rows, columns]`, no fewer rows than columns.
fn orthogonalize_columns(values: &mut [f64], columns: usize) {
    let mut projections = vec![0.0; columns];
    for column in 0..columns {
        let length = values.chunks_exact(columns).map(|row| row[column] * row[column]).sum::<f64>().sqrt();
        values.chunks_exact_mut(columns).for_each(|row| row[column] /= length);
        let projections = &mut projections[column + 1..];
        projections.fill(0.0);
        for row in values.chunks_exact(columns) {
            let (done, rest) = row.split_at(column + 1);
            projections.iter_mut().zip(rest).for_each(|(projection, value)| *projection += done[column] * value);
        }
        for row in values.chunks_exact_mut(columns) {
            let (done, rest) = row.split_at_mut(column + 1);
            rest.iter_mut().zip(&*projections).for_each(|(value, projection)| *value -= done[column] * projection);
        }
    }
}

fn transpose(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Purpose, Seed};

    fn drawn(inputs: usize, outputs: usize) -> Vec<f64> {
        let mut generator = Seed::try_from(3).unwrap().stream(Purpose::Init(0)).at(0);
        (0..inputs * outputs).map(|_| generator.gaussian()).collect()
    }

    #[test]
    fn lengths_are_one_and_angles_are_right() {
        for (inputs, outputs) in [(1, 1), (40, 1), (1, 40), (30, 30), (70, 20), (20, 70)] {
            let mut w = drawn(inputs, outputs);
            orthogonalize(&mut w, inputs, outputs);
            let vectors: Vec<Vec<f64>> = match inputs >= outputs {
                true => transpose(&w, inputs, outputs).chunks(inputs).map(<[f64]>::to_vec).collect(),
                false => w.chunks(outputs).map(<[f64]>::to_vec).collect(),
            };
            assert_eq!(vectors.len(), inputs.min(outputs));
            for (i, a) in vectors.iter().enumerate() {
                for (j, b) in vectors.iter().enumerate() {
                    let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    assert!((product - f64::from(i == j)).abs() < 1e-14, "{inputs} × {outputs}: {i}, {j}: {product}");
                }
            }
        }
    }

    /// Q's first k columns span the same space as A's, for every k, and R's diagonal is positive: no other Q has both.
    #[test]
    fn it_is_the_q_of_a_qr_decomposition() {
        let a = drawn(6, 4);
        let mut q = a.clone();
        orthogonalize(&mut q, 6, 4);
        for i in 0..4 {
            for j in 0..4 {
                let r: f64 = (0..6).map(|row| q[row * 4 + i] * a[row * 4 + j]).sum();
                assert!(if i == j { r > 0.1 } else { i < j || r.abs() < 1e-14 }, "R[{i}, {j}] = {r}");
            }
        }
    }

    #[test]
    fn a_wide_matrix_is_a_tall_one_on_its_side() {
        let (mut wide, mut tall) = (drawn(3, 8), transpose(&drawn(3, 8), 3, 8));
        orthogonalize(&mut wide, 3, 8);
        orthogonalize(&mut tall, 8, 3);
        assert_eq!(transpose(&wide, 3, 8), tall);
    }
}
