//! The products of the book's network on every instruction set: dense, skipping zeros, and by ndarray (the crate
//! `matrixmultiply`).

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::kernel::{self, Element, Instructions, MatrixValues, Nonzeros, matrix};
use ndarray::linalg::general_mat_mul;

/// The products of a step: name, whether `a` and `b` are transposed, [m, k, n], and the percentage of elements of `a`
/// that are not zero, in pixels of MNIST and after ReLU.
const PRODUCTS: [(&str, bool, bool, [usize; 3], u64); 5] = [
    ("first layer, y = xW", false, false, [128, 784, 100], 19),
    ("first layer, dW = xᵀdy", true, false, [784, 128, 100], 19),
    ("hidden layer, y = xW", false, false, [128, 100, 100], 60),
    ("hidden layer, dW = xᵀdy", true, false, [100, 128, 100], 60),
    ("hidden layer, dx = dyWᵀ", false, true, [128, 100, 100], 60),
];

/// `count` numbers, of which `percent` percent, at scattered positions, are not zero.
fn numbers<R: Element>(count: usize, percent: u64) -> Vec<R> {
    let mut state = 1_u64;
    let number = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = state >> 33;
        if drawn % 100 < percent { R::from_f64((drawn % 1009) as f64 - 504.5) } else { R::zero() }
    };
    (0..count).map(number).collect()
}

fn product_in<R: Element>(criterion: &mut Criterion) {
    for (name, a_transposed, b_transposed, [m, k, n], percent) in PRODUCTS {
        let (left, right, mut out) = (numbers::<R>(m * k, percent), numbers::<R>(k * n, 100), vec![R::zero(); m * n]);
        let mut group = criterion.benchmark_group(format!("product {}, {name}", R::NAME));
        // Elements are floating-point operations: "Gelem/s" are GFLOP/s.
        group.throughput(Throughput::Elements(2 * (m * k * n) as u64));

        let stored = |transposed, rows, columns| if transposed { (columns, rows) } else { (rows, columns) };
        let (a_shape, b_shape) = (stored(a_transposed, m, k), stored(b_transposed, k, n));
        let view = |values, (rows, columns), transposed| {
            let matrix = matrix(values, rows, columns);
            if transposed { matrix.reversed_axes() } else { matrix }
        };
        let (a, b) = (view(&left, a_shape, a_transposed), view(&right, b_shape, b_transposed));
        for instructions in Instructions::available() {
            if instructions.is_fused_multiply_add_emulated() {
                continue;
            }
            group.bench_with_input(
                BenchmarkId::from_parameter(instructions),
                &instructions,
                |bencher, instructions| {
                    bencher.iter(|| kernel::product(*instructions, a, b, &mut out));
                },
            );
            let (mut nonzeros, mut transposed) = (Nonzeros::default(), Nonzeros::default());
            nonzeros.note(instructions, MatrixValues::Numbers(&left), a_shape.1);
            if a_transposed {
                transposed.transpose(&nonzeros);
                nonzeros = transposed;
            }
            group.bench_function(format!("{instructions}, zeros skipped"), |bencher| {
                let left = MatrixValues::Numbers(&left);
                bencher.iter(|| kernel::sparse_product(instructions, left, a_transposed, &nonzeros, b, &mut out));
            });
        }

        let mut out = ndarray::Array2::zeros((m, n));
        group.bench_function("ndarray", |bencher| {
            bencher.iter(|| general_mat_mul(R::one(), &a, &b, R::zero(), &mut out));
        });
        group.finish();
    }
}

fn product(criterion: &mut Criterion) {
    product_in::<f32>(criterion);
    product_in::<f64>(criterion);
}

criterion_group!(benches, product);
criterion_main!(benches);
