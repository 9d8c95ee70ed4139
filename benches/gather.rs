//! A batch of 128 rows of MNIST, fetched in random order: as bytes and as numbers.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::batches::{Batches, Sampling};
use engine::data::{Data, Source, SplitView};
use engine::seed::Seed;

const BATCH: usize = 128;

fn gather(criterion: &mut Criterion) {
    let data = Data::from(Source::Mnist);
    let data = data.load().expect("what is built in can be read");
    let train = SplitView::of(&data.train);
    let seed = Seed::try_from(0).expect("0 is a seed");
    let mut batches = Batches::new(Sampling::WithReplacement, seed, train.len());
    let mut group = criterion.benchmark_group("gather");
    let values = BATCH * data.features;
    let (mut rows, mut step) = ([0; BATCH], 0);
    let mut next = || {
        batches.draw(step, &mut rows);
        step += 1;
        rows
    };
    group.throughput(Throughput::Elements(values as u64));
    group.bench_function("bytes", |bencher| {
        let mut bytes = vec![0; values];
        bencher.iter_batched(&mut next, |rows| train.gather_bytes(&rows, &mut bytes), criterion::BatchSize::SmallInput);
    });
    group.bench_function("f32", |bencher| {
        let mut numbers = vec![0.0_f32; values];
        bencher.iter_batched(
            &mut next,
            |rows| train.gather_inputs(&rows, &mut numbers),
            criterion::BatchSize::SmallInput,
        );
    });
    group.bench_function("f64", |bencher| {
        let mut numbers = vec![0.0_f64; values];
        bencher.iter_batched(
            &mut next,
            |rows| train.gather_inputs(&rows, &mut numbers),
            criterion::BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, gather);
criterion_main!(benches);
