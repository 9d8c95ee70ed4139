//! The time, memory and disk space that a plan takes: the cost model, with its unit measured on this machine.
//!
//! The model counts operations. How many of them fit into a second depends on the shape of the network and on the
//! processor. So some updates of each distinct shape are timed, the costliest shapes first, until the budget is spent.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::planned::Plan;
use super::shapes::Shape;
use crate::store::{self, FlushTimer};
use engine::data::{Dataset, Inputs, Rows, Scalings, Targets, Task};
use engine::nn::Init;
use engine::nn::init::{UniformWeights, Weights};
use engine::number::Positive;
use engine::spec::{FunctionRun, NetworkRun, RunSpec};
use engine::train;

/// The expected costs of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Runs that train at the same time.
    pub jobs: usize,
    /// Seconds until the last run ends.
    pub seconds: f64,
    /// Bytes of memory, the data included.
    pub memory: f64,
    /// Bytes on disk.
    pub disk: f64,
    /// How many of the distinct shapes were timed.
    pub timed: usize,
    pub shapes: usize,
}

/// Estimates the costs of training the runs of `shapes`, some or all of the plan's, `jobs` at a time. Timing takes
/// about `budget`.
pub fn estimate(plan: &Plan, shapes: &[Shape], jobs: usize, budget: Duration) -> Estimate {
    let rates = Rates::measured(plan, shapes, budget);
    let runs: Vec<(f64, u64)> = shapes.iter().map(|shape| (rates.seconds(shape), shape.cells)).collect();
    let count: u64 = runs.iter().map(|(_, count)| count).sum();
    let jobs = jobs.min(usize::try_from(count).unwrap_or(usize::MAX)).max(1);
    // More jobs than cores save no time.
    let cores = std::thread::available_parallelism().map_or(jobs, usize::from);
    let seconds = makespan(&runs, jobs.min(cores));
    let (mut waiting, mut disk) = (0.0, 0.0);
    for Shape { cost, cells, .. } in shapes {
        waiting += *cells as f64 * (cost.rows + store::CELLS_BYTES as f64);
        disk += *cells as f64 * cost.disk;
    }
    // The share of all rows between two flushes.
    let wait = if seconds > 0.0 { FlushTimer::longest(seconds) / seconds } else { 1.0 };
    let planned = count as f64 * BYTES_PER_RUN;
    Estimate {
        jobs,
        seconds,
        memory: memory(plan, shapes, jobs) + planned + WRITING * (waiting * wait).min(store::FULL as f64),
        // There are no more flushes than runs.
        disk: disk + FILES * FlushTimer::flushes(seconds).min(count) as f64,
        timed: rates.timed,
        shapes: rates.distinct,
    }
}

/// Bytes of the files of one flush, without their rows.
const FILES: f64 = 40_000.0;

/// Bytes of memory of the idle program.
const PROGRAM: f64 = 20e6;

/// Seconds that a run takes besides its training: planning, starting, writing. Measured over 30,000 runs of one step.
const PER_RUN: f64 = 0.07e-3;

/// Bytes of memory for each run of a plan.
const BYTES_PER_RUN: f64 = 0.4e3;

/// Memory of waiting rows while they are written (as rows, columns and pages), relative to their memory while they
/// wait. Measured over 1000 to 100,000 runs of 1 to 1000 losses.
const WRITING: f64 = 2.5;

/// The time until the last run ends, given pairs of (seconds, number of runs). Towards the end, more runs than `jobs`
/// take turns so that all end together, except a run that takes longer than that alone.
fn makespan(runs: &[(f64, u64)], jobs: usize) -> f64 {
    let longest = runs.iter().map(|(seconds, _)| *seconds).fold(0.0, f64::max);
    let all: f64 = runs.iter().map(|(seconds, count)| seconds * *count as f64).sum();
    longest.max(all / jobs as f64)
}

/// Bytes of the data, and of the largest runs that can be in memory together.
fn memory(plan: &Plan, shapes: &[Shape], jobs: usize) -> f64 {
    let mut data: HashMap<_, f64> = HashMap::new();
    for (source, info) in shapes.iter().filter_map(|shape| plan.data_of(shape)) {
        let rows = info.train_rows + info.validation_rows + info.test_rows;
        let (limits, rows_of) = source.rows();
        let bytes = (rows * source.bytes_per_value()) as f64 * info.features as f64;
        data.insert((limits.clone(), rows_of.clone()), bytes);
    }
    let mut sizes: Vec<(f64, u64)> = shapes.iter().map(|shape| (shape.cost.bytes, shape.cells)).collect();
    sizes.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Towards the end, twice as many runs are in memory as are computing.
    let mut left = if jobs == 1 { 1 } else { 2 * jobs as u64 };
    let mut runs = 0.0;
    for (bytes, count) in sizes {
        let taken = count.min(left);
        left -= taken;
        runs += bytes * taken as f64;
    }
    PROGRAM + data.values().sum::<f64>() + runs
}

/// Seconds for an operation, by [`Shape::rate`].
struct Rates {
    of_shape: HashMap<u64, f64>,
    /// For shapes that were not timed.
    mean: f64,
    timed: usize,
    distinct: usize,
}

/// Seconds for an operation on a core of an ordinary machine, if nothing could be timed.
const USUAL: f64 = 1.0 / 50e9;

impl Rates {
    fn measured(plan: &Plan, shapes: &[Shape], budget: Duration) -> Self {
        let mut distinct: HashMap<u64, (f64, &Shape)> = HashMap::new();
        for shape in shapes {
            let weight = shape.cost.operations * shape.cells as f64;
            distinct.entry(shape.rate).or_insert((0.0, shape)).0 += weight;
        }
        let mut waiting: Vec<(f64, &Shape)> = distinct.into_values().collect();
        waiting.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cell.cmp(&b.1.cell)));
        let begin = Instant::now();
        let count = waiting.len();
        let (mut of_shape, mut seconds, mut operations) = (HashMap::new(), 0.0, 0.0);
        for (index, (weight, shape)) in waiting.into_iter().enumerate() {
            let Some(left) = budget.checked_sub(begin.elapsed()) else { break };
            // Skips networks that cannot be created and updated twice in the remaining time.
            let drawn = (shape.cost.bytes - shape.cost.rows) / size_of::<f32>() as f64 * DRAWN;
            if 2.0 * shape.cost.step * USUAL + drawn > left.as_secs_f64() {
                continue;
            }
            // Each shape gets an equal share of the remaining time, but enough to be meaningful.
            let share = (left / (count - index) as u32).max(SHORTEST).min(left);
            if let Some(step) = plan.spec_of(shape).and_then(|spec| time(&spec, share)) {
                let rate = step / shape.cost.step;
                seconds += rate * weight;
                operations += weight;
                of_shape.insert(shape.rate, rate);
            }
        }
        let mean = if operations > 0.0 { seconds / operations } else { USUAL };
        Self { timed: of_shape.len(), of_shape, mean, distinct: count }
    }

    fn seconds(&self, shape: &Shape) -> f64 {
        PER_RUN + shape.cost.operations * self.of_shape.get(&shape.rate).copied().unwrap_or(self.mean)
    }
}

/// Seconds to draw a weight.
const DRAWN: f64 = 3e-9;

/// The shortest time for timing a shape, if that much is left.
const SHORTEST: Duration = Duration::from_millis(2);

/// Seconds of an update, the fastest of those that fit into `budget`; `None` if none does.
fn time(spec: &RunSpec, budget: Duration) -> Option<f64> {
    match spec {
        RunSpec::Network(run) => time_network(run, budget),
        RunSpec::Function(run) => Some(time_function(run, budget)),
    }
}

fn time_network(run: &NetworkRun, budget: Duration) -> Option<f64> {
    const STEPS: u64 = 1000;
    let begin = Instant::now();
    let rows = run.batch_size.get().min(256);
    let mut run = run.clone();
    run.script = None;
    // Leaves out everything but the updates, which are timed.
    run.record.evaluate = None;
    run.record.histograms = None;
    run.record.layers = None;
    run.record.gradient_checks = None;
    run.steps = STEPS;
    // Weights around zero, so that about half of the units are zero and products skip them, as usual.
    let bound = Positive::new(0.1).expect("0.1 is positive");
    run.init = Init { weights: Weights::Uniform(UniformWeights { bound }), ..Init::default() };
    run.data.preparation = Default::default();
    run.info.train_rows = rows;
    (run.info.validation_rows, run.info.test_rows) = (0, 0);
    let data = blank(&run, rows as usize);
    let (mut last, mut fastest) = (None, None::<f64>);
    train::network(&run, &data, &mut |_| {
        let now = Instant::now();
        if let Some(last) = last.replace(now) {
            let seconds = now.duration_since(last).as_secs_f64();
            fastest = Some(fastest.map_or(seconds, |fastest| fastest.min(seconds)));
        }
        if fastest.is_some() && begin.elapsed() >= budget { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    fastest
}

fn time_function(run: &FunctionRun, budget: Duration) -> f64 {
    const STEPS: u64 = 1000;
    let mut run = run.clone();
    run.steps = STEPS;
    let begin = Instant::now();
    let mut done = 0;
    train::function(&run, &mut |steps| {
        done = steps;
        if begin.elapsed() >= budget { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    begin.elapsed().as_secs_f64() / done.max(1) as f64
}

/// Rows like those of the run; four out of five numbers are 0.
fn blank(run: &NetworkRun, rows: usize) -> Dataset {
    let features = run.info.features;
    let count = rows * features;
    let inputs = match run.data.bytes_per_value() {
        1 => Inputs::Bytes { values: (0..count).map(|i| if i % 5 == 0 { 200 } else { 0 }).collect(), full: 255 },
        _ => Inputs::Numbers((0..count).map(|i| if i % 5 == 0 { 0.8 } else { 0.0 }).collect()),
    };
    let targets = match run.info.task {
        Task::Classification { .. } => Targets::Classes(vec![0; rows]),
        Task::Regression { targets } => Targets::Values { values: vec![0.0; rows * targets], targets },
    };
    Dataset {
        train: Rows { inputs, targets },
        test: Rows::default(),
        features,
        task: run.info.task,
        scalings: Scalings::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;
    use crate::plan::Plan;
    use crate::plan::tests::plan;
    use crate::runner::longest_first;

    #[test]
    fn the_last_runs_take_turns_and_one_cannot_be_shared() {
        assert_eq!(makespan(&[(1.0, 4)], 2), 2.0);
        assert_eq!(makespan(&[(1.0, 3)], 2), 1.5);
        assert_eq!(makespan(&[(1.0, 1)], 2), 1.0);
        assert_eq!(makespan(&[(1.0, 3), (4.0, 1)], 2), 4.0);
        assert_eq!(makespan(&[(2.0, 3), (3.0, 2)], 2), 6.0);
        assert_eq!(makespan(&[], 2), 0.0);
    }

    #[test]
    fn the_data_counts_once_with_all_its_rows() {
        let memory_of = |text: &str| {
            let plan = plan(&format!("{text}\nnetwork.hidden = [10]\ntrain = {{ steps = 10 }}"));
            memory(&plan, &plan.shapes(plan.runs()), 2)
        };
        let mnist = memory_of("data.source = 'mnist'\noptimizer = ['sgd', 'adam']");
        let images = 70_000.0 * 784.0;
        assert!(mnist > images + PROGRAM && mnist < 1.5 * images + PROGRAM, "{mnist}");
        let split = memory_of("data = { source = 'mnist', validation_rows = 10000 }\noptimizer = 'sgd'");
        assert!(split > images + PROGRAM && split < 1.5 * images + PROGRAM, "{split}");
    }

    /// The time until the last run ends, if each free thread takes the next run and completes it.
    fn in_order(seconds: impl Iterator<Item = f64>, jobs: usize) -> f64 {
        // Whole nanoseconds, because floats are not `Ord`.
        let mut free: BinaryHeap<Reverse<u64>> = (0..jobs).map(|_| Reverse(0)).collect();
        let mut end = 0;
        for seconds in seconds {
            let Reverse(begin) = free.pop().unwrap_or(Reverse(0));
            let ended = begin.saturating_add((seconds * 1e9) as u64);
            end = end.max(ended);
            free.push(Reverse(ended));
        }
        end as f64 / 1e9
    }

    /// Six optimizers, networks of 20,000 to 650,000 weights, small and large batches: the longest run takes 100 times
    /// the shortest.
    const MIXED: &str = "data.source = 'mnist'\nseeds = 5\ntrain = { steps = 2000, batch_size = [32, 128, 512] }\n\
        network.hidden = [[25], [100, 100], [100, 100, 100, 100], [300, 300], [400, 400, 200]]\n\
        optimizer = ['sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam']";

    /// The share of their time that `jobs` threads spend training, if they take the runs in the runner's order and each
    /// run takes `seconds(run, cost)`.
    fn busy(plan: &Plan, jobs: usize, seconds: impl Fn(usize, f64) -> f64) -> f64 {
        let costs: Vec<f64> = plan.runs().map(|run| run.cost().operations).collect();
        let taken: Vec<f64> = longest_first(&costs).into_iter().map(|run| seconds(run, costs[run] * USUAL)).collect();
        taken.iter().sum::<f64>() / (jobs as f64 * in_order(taken.iter().copied(), jobs))
    }

    #[test]
    fn sixty_four_threads_are_busy_to_the_end_of_a_mixed_plan() {
        let plan = plan(MIXED);
        assert_eq!(plan.len(), 450);
        let as_expected = busy(&plan, 64, |_, seconds| seconds);
        // The relative time of an operation, as measured over these shapes: small batches are slower, large ones
        // faster. The rest is noise of up to a fifth.
        let chance = |run: usize| 1.0 + 0.2 * ((run * 37 % 101) as f64 / 50.0 - 1.0);
        let measured = |run: usize| {
            let RunSpec::Network(spec) = plan.run(run).spec() else { panic!("all are networks") };
            match spec.batch_size.get() {
                32 => 2.1,
                128 => 1.0,
                _ => 0.7,
            }
        };
        let as_measured = busy(&plan, 64, |run, seconds| seconds * measured(run) * chance(run));
        println!("busy: {as_expected:.3} as the model has it, {as_measured:.3} as measured");
        assert!(as_expected > 0.9, "{as_expected}");
        assert!(as_measured > 0.9, "{as_measured}");
    }

    fn estimated(plan: &Plan, jobs: usize) -> Estimate {
        let shapes = plan.shapes(plan.runs());
        estimate(plan, &shapes, jobs, Duration::from_millis(50))
    }

    #[test]
    fn every_shape_is_timed_and_larger_plans_take_longer() {
        let text = |steps, hidden| {
            format!(
                "data.source = 'digits'\nnetwork.hidden = {hidden}\n\
                 train = {{ steps = {steps}, precision = ['f32', 'f64'] }}\n\
                 optimizer = ['sgd', 'adam']\nrecord.evaluate = {{ on = ['train'] }}\nnetwork.dropout = 0.5"
            )
        };
        let short = estimated(&plan(&text(100, "[20]")), 1);
        assert_eq!((short.shapes, short.timed, short.jobs), (2, 2, 1));
        let long = estimated(&plan(&text(100_000, "[200, 200]")), 2);
        assert!(long.seconds > 10.0 * short.seconds && long.disk > 10.0 * short.disk && long.memory > short.memory);
        assert_eq!(long.jobs, 2);
        // The memory of waiting rows does not count toward the time to create a network.
        let losses = estimated(&plan(&text(10_000_000, "[20]")), 1);
        assert_eq!((losses.shapes, losses.timed), (2, 2));
    }

    #[test]
    fn more_jobs_than_cores_take_no_less_time() {
        let plan = plan(
            "data.source = 'digits'\nnetwork.hidden = [16]\ntrain = { steps = 1000 }\noptimizer = 'sgd'\nseeds = 500",
        );
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (few, many) = (estimated(&plan, cores), estimated(&plan, 1000 * cores));
        assert_eq!(many.jobs, 500);
        // Each is timed separately, on a machine that may be busy: equal up to noise.
        assert!(many.seconds > few.seconds / 5.0, "{many:?}, {few:?}");
    }

    #[test]
    fn a_path_over_a_function_and_a_look_at_a_network_have_a_time() {
        let function = include_str!("../../experiments/optimizer_compare_naive.toml");
        let look = include_str!("../../experiments/weight_init_activation_histogram.toml");
        for text in [function, look] {
            let estimate = estimated(&plan(text), 2);
            assert!(estimate.seconds > 0.0 && estimate.seconds < 60.0, "{estimate:?}");
        }
    }

    #[test]
    fn timing_ends_when_its_time_is_spent() {
        let plan = plan(
            "data.source = 'mnist'\nnetwork.hidden = [[400, 400], [500, 500], [600, 600], [700, 700], [800, 800], \
             [900, 900]]\n\
             train = { steps = 1000, batch_size = [100, 500, 1000, 2000] }\noptimizer = 'adam'",
        );
        let estimate = estimated(&plan, 2);
        assert!(estimate.timed < estimate.shapes && estimate.shapes == 24, "{estimate:?}");
        assert!(estimate.seconds > 0.0);
    }
}
