//! A whole small experiment, as the command does it: planned, trained and written, from an empty folder.

use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};

/// 40 runs of 20 steps each.
const EXPERIMENT: &str = r#"
name = "bench"
seeds = 20
data = { source = "mnist", train_rows = 1000 }
network.hidden = [16]
train = { batch_size = 32, steps = 20 }
optimizer = ["sgd", "adam"]
"#;

fn experiment(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(folder.path().join("bench.toml"), EXPERIMENT).expect("the file can be written");
    let run = |arguments: &[&str]| {
        let status = Command::new(env!("CARGO_BIN_EXE_paribus"))
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the program does its work");
    };
    criterion.bench_function("40 runs of 20 steps, written", |bencher| {
        bencher.iter_batched(
            || {
                let _ = std::fs::remove_dir_all(folder.path().join("results"));
            },
            |()| run(&["run", "bench.toml", "--quiet"]),
            criterion::BatchSize::PerIteration,
        );
    });
    criterion.bench_function("the same, all there already", |bencher| {
        bencher.iter(|| run(&["run", "bench.toml", "--quiet"]))
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = experiment
}
criterion_main!(benches);
