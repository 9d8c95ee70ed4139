//! The products of the book's network, on every instruction set, against those of ndarray (the crate `matrixmultiply`).

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::linalg::general_mat_mul;
use paribus::kernel::{self, Element, Instructions, matrix};

/// What is multiplied in a step: name, whether `a` and `b` are transposed, and [m, k, n].
const PRODUCTS: [(&str, bool, bool, [usize; 3]); 5] = [
    ("first layer, y = xW", false, false, [128, 784, 100]),
    ("first layer, dW = xᵀdy", true, false, [784, 128, 100]),
    ("hidden layer, y = xW", false, false, [128, 100, 100]),
    ("hidden layer, dW = xᵀdy", true, false, [100, 128, 100]),
    ("hidden layer, dx = dyWᵀ", false, true, [128, 100, 100]),
];

fn product_in<R: Element>(criterion: &mut Criterion) {
    for (name, a_transposed, b_transposed, [m, k, n]) in PRODUCTS {
        let numbers = |count: usize| (0..count).map(|i| R::from_f64((i * 7 % 11) as f64 - 5.0)).collect::<Vec<R>>();
        let (left, right, mut out) = (numbers(m * k), numbers(k * n), vec![R::zero(); m * n]);
        let mut group = criterion.benchmark_group(format!("product {}, {name}", R::NAME));
        // Floating-point operations: "Gelem/s" are GFLOP/s.
        group.throughput(Throughput::Elements(2 * (m * k * n) as u64));

        let stored = |transposed, rows, columns| if transposed { (columns, rows) } else { (rows, columns) };
        let (a_shape, b_shape) = (stored(a_transposed, m, k), stored(b_transposed, k, n));
        let view = |values, (rows, columns), transposed| {
            let matrix = matrix(values, rows, columns);
            if transposed { matrix.reversed_axes() } else { matrix }
        };
        let (a, b) = (view(&left, a_shape, a_transposed), view(&right, b_shape, b_transposed));
        for instructions in Instructions::available() {
            if instructions.emulates_fused_multiply_add() {
                continue;
            }
            group.bench_with_input(
                BenchmarkId::from_parameter(instructions),
                &instructions,
                |bencher, instructions| {
                    bencher.iter(|| kernel::product(*instructions, a, b, &mut out));
                },
            );
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
