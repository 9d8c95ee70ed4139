//! One update of each optimizer, with as many parameters as the book's network has.

use criterion::{Criterion, criterion_group, criterion_main};
use engine::kernel::Instructions;
use engine::optim::{Algorithm, Optimizer};
use engine::real::Real;

/// 784-100-100-100-100-10, weights and biases.
const PARAMETERS: usize = 784 * 100 + 100 + 3 * (100 * 100 + 100) + 100 * 10 + 10;

fn update_in<R: Real>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("update {}", R::NAME));
    for kind in
        ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "nadam", "amsgrad", "adadelta", "lion"]
    {
        let algorithm: Algorithm =
            serde_json::from_str(&format!(r#"{{"{kind}": {{}}}}"#)).expect("every optimizer has defaults");
        let optimizer = Optimizer::from(algorithm);
        let mut parameters = vec![R::one(); PARAMETERS];
        let gradients = vec![R::from_f64(1e-3); PARAMETERS];
        let mut slots = vec![R::zero(); optimizer.slots() * PARAMETERS];
        let mut step = 0;
        group.bench_function(kind, |bencher| {
            bencher.iter(|| {
                optimizer
                    .update(Instructions::fastest(), step, &mut parameters, &gradients, &mut slots)
                    .expect("all stays finite");
                step += 1;
            });
        });
    }
    group.finish();
}

fn update(criterion: &mut Criterion) {
    update_in::<f32>(criterion);
    update_in::<f64>(criterion);
}

criterion_group!(benches, update);
criterion_main!(benches);
