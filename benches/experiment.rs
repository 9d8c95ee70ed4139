//! A whole small experiment as the command runs it: planned, trained and written, from an empty folder.

use std::path::PathBuf;
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

/// 10,000 runs of 20 steps each, of a network that trains in less time than creating a file takes.
const SMALL: &str = r#"
name = "small"
seeds = 10000
data.source = "digits"
network.hidden = [16]
train = { batch_size = 32, steps = 20 }
optimizer = "sgd"
"#;

/// The program, which Cargo builds two folders above the benchmarks.
fn program() -> PathBuf {
    let benchmark = std::env::current_exe().expect("the benchmark has a path");
    let program = benchmark.with_file_name("../paribus").with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.is_file(), "run `cargo build --release` first");
    program
}

fn experiment(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(folder.path().join("bench.toml"), EXPERIMENT).expect("the file can be written");
    let run = |arguments: &[&str]| {
        let status = Command::new(program())
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the program does its work");
    };
    let clear = || {
        let _ = std::fs::remove_dir_all(folder.path().join("results"));
    };
    criterion.bench_function("40 runs of 20 steps, written", |bencher| {
        let run = |()| run(&["run", "bench.toml", "--quiet"]);
        bencher.iter_batched(clear, run, criterion::BatchSize::PerIteration);
    });
    criterion.bench_function("the same, all there already", |bencher| {
        bencher.iter(|| run(&["run", "bench.toml", "--quiet"]))
    });
    std::fs::write(folder.path().join("small.toml"), SMALL).expect("the file can be written");
    let mut small = criterion.benchmark_group("10,000 small runs");
    small.sample_size(10);
    small.bench_function("planned", |bencher| bencher.iter(|| run(&["plan", "small.toml", "--json"])));
    small.bench_function("planned, trained and written", |bencher| {
        let run = |()| run(&["run", "small.toml", "--quiet"]);
        bencher.iter_batched(clear, run, criterion::BatchSize::PerIteration);
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = experiment
}
criterion_main!(benches);
