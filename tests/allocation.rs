//! A training step allocates nothing, whatever the optimizer, precision and record; and a planned run takes little
//! memory.
//!
//! The allocator itself counts allocations, so this test is a separate program.

#![allow(unsafe_code, reason = "an allocator is unsafe to write")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering};

use engine::batches::Sampling;
use engine::data::{Data, Dataset, Info, Rows, Scalings, Source, Task};
use engine::kernel::Precision;
use engine::nn;
use engine::number::Count;
use engine::optim::{Algorithm, LrSchedule, Optimizer};
use engine::record::{Record, RecordedStep, RecordedSteps};
use engine::seed::Seed;
use engine::spec::NetworkRun;
use engine::train::{self, Ending};
use paribus::file::Experiment;
use paribus::plan::Plan;

struct Counting;

thread_local! {
    /// Of this thread only, as the test harness has others.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Bytes allocated by all threads together.
static HELD: AtomicIsize = AtomicIsize::new(0);

/// Held while a test measures what all threads allocate, so that no other test allocates.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every call goes to the system's allocator unchanged; counting uses a constant-initialized thread-local
// without a destructor, which allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        HELD.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        HELD.fetch_add(size as isize - layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const ROWS: usize = 50;
const FEATURES: usize = 20;

fn rows(count: usize) -> Rows {
    let pixels = (0..count * FEATURES).map(|index| (index * 37 % 256) as u8).collect();
    Rows::of_images(pixels, &(0..count).map(|row| (row % 3) as u8).collect::<Vec<_>>())
}

/// Everything that can be recorded.
fn record(loss_at: &str) -> Record {
    let json = r#"{"evaluate": {}, "histograms": {"of": ["activations", "weights", "gradients"]}, "layers": {}, "gradient_checks": {}}"#;
    let mut record: Record = serde_json::from_str(json).unwrap();
    let at = RecordedSteps::try_from(vec![RecordedStep::Start, RecordedStep::After(7), RecordedStep::End]).unwrap();
    record.loss.at = serde_json::from_str(&format!("\"{loss_at}\"")).unwrap();
    for recorded_steps in [
        record.histograms.as_mut().map(|histograms| &mut histograms.at),
        record.gradient_checks.as_mut().map(|checks| &mut checks.at),
    ] {
        *recorded_steps.unwrap() = at.clone();
    }
    record
}

/// The memory in bytes that the plan of `text` takes for each of its `runs` runs.
fn bytes_per_run(text: &str, runs: usize) -> f64 {
    let experiment = Experiment::parse("test.toml", text.to_owned(), "test", PathBuf::new());
    let experiment = experiment.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    let before = HELD.load(Ordering::Relaxed);
    let plan = Plan::new(experiment).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
    let held = HELD.load(Ordering::Relaxed) - before;
    assert_eq!(plan.len(), runs);
    held as f64 / runs as f64
}

#[test]
fn a_planned_run_takes_little_memory() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    const SMALL: &str = "data.source = 'digits'\nnetwork.hidden = [16]\ntrain = { batch_size = 32, steps = 20 }";
    // Runs that differ only in the seed share everything else.
    let seeds = bytes_per_run(&format!("{SMALL}\nseeds = 5000\noptimizer = 'sgd'"), 5000);
    assert!(seeds < 100.0, "{seeds} bytes for a seed more");
    let axes = "regularization.weight_decay = { geomspace = [1e-6, 0.1, 50] }\n\
                [optimizer.sgd]\nlr = { geomspace = [0.001, 1, 50] }";
    let cells = bytes_per_run(&format!("{SMALL}\n{axes}"), 2500);
    assert!(cells < 2500.0, "{cells} bytes for a cell more");
}

#[test]
fn a_step_allocates_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let data = Dataset {
        train: rows(ROWS),
        test: rows(30),
        features: FEATURES,
        task: Task::Classification { classes: 3 },
        scalings: Scalings::default(),
    };
    let network = |json| serde_json::from_str::<nn::NetworkSection>(json).unwrap().model(None).unwrap();
    let plain = network(r#"{"hidden": [10, 7]}"#);
    let regularized = network(r#"{"hidden": [10, 7], "activation": "gelu", "batch_norm": true, "dropout": 0.2}"#);
    let cases =
        ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "nadam", "amsgrad", "adadelta", "lion"]
            .map(|kind| (&plain, kind));
    for (network, kind) in cases.into_iter().chain([(&regularized, "sgd")]) {
        for precision in [Precision::F32, Precision::F64] {
            for sampling in [Sampling::WithReplacement, Sampling::Shuffle] {
                for moment in ["before-update", "after-update"] {
                    let algorithm: Algorithm = serde_json::from_str(&format!(r#"{{"{kind}": {{}}}}"#)).unwrap();
                    let lr_schedule = r#"{"schedule": {"one-cycle": {"over": 30}}, "warm_up": 5}"#;
                    let lr_schedule: LrSchedule = serde_json::from_str(lr_schedule).unwrap();
                    let spec = NetworkRun {
                        seed: Seed::try_from(0).unwrap(),
                        script: None,
                        data: Data::from(Source::Mnist),
                        info: Info::unsplit(ROWS as u64, 30, FEATURES, Task::Classification { classes: 3 }, ""),
                        model: network.clone(),
                        init: serde_json::from_str("{}").unwrap(),
                        regularization: serde_json::from_str(r#"{"weight_decay": 0.01, "l1": 0.01, "clip_norm": 0.1}"#)
                            .unwrap(),
                        optimizer: Optimizer { algorithm, lr_schedule },
                        batch_size: Count::new(16).unwrap(),
                        steps: 40,
                        sampling,
                        objective: serde_json::from_str("\"cross-entropy\"").unwrap(),
                        precision,
                        record: record(moment),
                    };
                    // A check of gradients reports every parameter.
                    let mut counts = Vec::with_capacity(5_000);
                    let before = ALLOCATIONS.get();
                    let outcome = train::network(&spec, &data, &mut |_| {
                        counts.push(ALLOCATIONS.get());
                        ControlFlow::Continue(())
                    });
                    assert_eq!(outcome.ending, Ending::Finished);
                    assert!(counts[0] > before, "the buffers are allocated, and counted");
                    assert!(
                        counts.iter().all(|count| *count == counts[0]),
                        "{:?} {:?} {precision:?}: {counts:?}",
                        spec.model,
                        spec.optimizer
                    );
                }
            }
        }
    }
}
