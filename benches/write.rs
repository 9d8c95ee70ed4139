//! Rows to Parquet files on disk: the store's work when it is given runs.

use std::hint::black_box;
use std::time::SystemTime;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engine::record::LossRow;
use engine::settings::Settings;
use engine::train::Outcome;
use paribus::store::{Context, Results, RunResult, RunRow};

/// Runs with `losses` losses each.
fn rows(runs: u64, losses: u64) -> Vec<RunRow> {
    let row = |seed: u64| {
        let mut settings = Settings::default();
        for (name, text) in [("data", "digits"), ("hidden", "16"), ("activation", "relu"), ("optimizer", "sgd")] {
            settings.set(name, text);
        }
        settings.set("lr", 0.01);
        settings.set("seed", seed);
        settings.set("steps", losses);
        let loss = |step| LossRow { step, epoch: step as f64 / 56.0, loss: 2.3 / (step + seed + 1) as f64, ..LOSS };
        let history = (0..losses).map(loss).collect();
        RunRow {
            run_id: settings.run_id("digits"),
            trajectory_id: settings.trajectory_id("digits"),
            label: "sgd".to_owned(),
            seed,
            settings,
            data_fingerprint: "digits".to_owned(),
            parameters: 1210,
            result: RunResult::Trained(Outcome {
                history,
                parameters_hash: format!("{seed:016x}"),
                ..Outcome::default()
            }),
            seconds: 1e-4,
            finished_at: SystemTime::UNIX_EPOCH,
        }
    };
    (0..runs).map(row).collect()
}

const LOSS: LossRow = LossRow { step: 0, epoch: 0.0, loss: 0.0, penalty: 0.0, lr: 0.01 };

fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write");
    group.sample_size(20);
    for (name, runs, losses) in [("2000 runs of 20 losses", 2000, 20), ("2 runs of 100,000 losses", 2, 100_000)] {
        let rows = rows(runs, losses);
        group.throughput(Throughput::Elements(runs * (losses + 1)));
        group.bench_function(name, |bencher| {
            let folder = || tempfile::tempdir().expect("a temporary folder can be made");
            bencher.iter_batched(
                folder,
                |folder| {
                    let results = Results::open(folder.path(), Context::here("bench", "", ""));
                    let mut results = results.expect("the folder is empty");
                    rows.iter().for_each(|row| results.push(row).expect("the rows can be stored"));
                    black_box(results.finish().expect("the rows can be written"));
                    folder
                },
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, write);
criterion_main!(benches);
