//! Runs many jobs on a pool of threads: longest first, each isolated from the failures of the others. It uses no files
//! and no terminal; the caller handles its events.
//!
//! A job may take less time than sending an event to another thread. So a thread does several small jobs in sequence
//! and sends their events together.

mod turns;

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use self::turns::Turns;

/// What happens while jobs run. `job` is the index into the jobs.
#[derive(Debug)]
pub enum Event<T> {
    Started {
        job: usize,
    },
    Ended {
        job: usize,
        ended: Ended<T>,
    },
    /// [`TICK`] has passed: time to redraw and to flush.
    Tick,
}

/// How a job ended.
#[derive(Debug)]
pub struct Ended<T> {
    /// What the job returned, or the message of its panic.
    pub result: Result<T, String>,
    /// Wall-clock time of the job alone.
    pub elapsed: Duration,
    pub finished_at: SystemTime,
}

/// The time between two ticks.
pub const TICK: Duration = Duration::from_millis(100);

/// The progress of each job, in steps; readable from any thread.
#[derive(Debug)]
pub struct Progress(Vec<AtomicU64>);

impl Progress {
    /// The progress of this many jobs, none of them begun.
    pub fn new(jobs: usize) -> Self {
        Self((0..jobs).map(|_| AtomicU64::new(0)).collect())
    }

    /// The number of steps that `job` has done.
    pub fn of(&self, job: usize) -> u64 {
        self.0[job].load(Ordering::Relaxed)
    }

    /// Sets the number of steps that `job` has done.
    pub fn set(&self, job: usize, steps: u64) {
        self.0[job].store(steps, Ordering::Relaxed);
    }
}

/// Up to this total cost, the events of several jobs are sent together: a few milliseconds of floating-point
/// operations.
const TOGETHER: f64 = 1e8;

/// Each thread takes jobs at least this often, if there are enough, so that none is idle for long while another has
/// many.
const TAKES: usize = 64;

/// Runs the jobs `0..costs.len()` on `threads` threads, the costliest first, and passes their events to `handle`, on
/// the calling thread. Costs are in floating-point operations.
///
/// `work` gets the job's index and a function to call with the number of steps done; when that returns `Break`, the job
/// should return early. It does so once `stop` is set or `handle` has failed. Jobs that have not begun by then never
/// begin, except that a job that is [`Started`](Event::Started) and waits for its turn begins, and gets `Break` at its
/// first call.
///
/// # Errors
/// The first error of `handle`, after all jobs have ended; it is not called again.
///
/// # Panics
/// If `threads` is 0, or the operating system provides no threads.
pub fn run<T: Send, E>(
    costs: &[f64],
    threads: usize,
    stop: &AtomicBool,
    progress: &Progress,
    work: impl Fn(usize, &mut dyn FnMut(u64) -> ControlFlow<()>) -> T + Sync,
    mut handle: impl FnMut(Event<T>) -> Result<(), E>,
) -> Result<(), E> {
    let order = longest_first(costs);
    let most = order.len().div_ceil(TAKES * threads);
    let parts: Vec<&[usize]> = in_a_row(&order, costs, most).collect();
    // Towards the end, twice as many jobs are in progress as may compute: they take turns and end at about the same
    // time. A single thread gains nothing from that.
    let more = if threads == 1 { 0 } else { threads.min(parts.len().saturating_sub(threads)) };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads + more)
        .thread_name(|index| format!("run-{index}"))
        .build()
        .expect("the operating system gives threads");
    let abandoned = AtomicBool::new(false);
    let stopped = || stop.load(Ordering::Relaxed) || abandoned.load(Ordering::Relaxed);
    // Bounded: if results are written more slowly than they are produced, the threads wait.
    let (sender, receiver) = mpsc::sync_channel(2 * threads);
    let (turns, next) = (Turns::new(threads), AtomicUsize::new(0));
    let do_part = |jobs: &[usize], sender: &mpsc::SyncSender<_>| {
        let mut events = Vec::with_capacity(2 * jobs.len());
        // The start of a job that runs alone is sent before the job takes a place. Sending fails only if `handle` has
        // panicked, and then the jobs are told to end.
        if let [job] = *jobs {
            if stopped() {
                return;
            }
            let _ = sender.send(vec![Event::Started { job }]);
        }
        let mut turn = turns.take();
        for &job in jobs {
            if jobs.len() > 1 {
                if stopped() {
                    break;
                }
                events.push(Event::Started { job });
            }
            let (begin, waited) = (Instant::now(), turn.waited());
            let mut watch = |steps| {
                progress.set(job, steps);
                if !stopped() {
                    turn.share();
                }
                if stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let result = catch_unwind(AssertUnwindSafe(|| work(job, &mut watch))).map_err(panic_message);
            let elapsed = begin.elapsed().saturating_sub(turn.waited() - waited);
            events.push(Event::Ended { job, ended: Ended { result, elapsed, finished_at: SystemTime::now() } });
        }
        drop(turn);
        let _ = sender.send(events);
    };
    let take = || {
        let index = next.fetch_add(1, Ordering::Relaxed);
        parts.get(index).map(|jobs| (index, *jobs))
    };
    let (take, do_part) = (&take, &do_part);
    let last = parts.len().saturating_sub(threads + more);
    pool.in_place_scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            scope.spawn(move |scope| {
                while let Some((index, jobs)) = take() {
                    if index == last {
                        for _ in 0..more {
                            let sender = sender.clone();
                            scope.spawn(move |_| {
                                while let Some((_, jobs)) = take() {
                                    do_part(jobs, &sender);
                                }
                            });
                        }
                    }
                    do_part(jobs, &sender);
                }
            });
        }
        drop(sender);
        // If `handle` panics, the jobs end early and the panic continues.
        let receiver = Receiver { events: receiver, abandoned: &abandoned };
        let mut outcome = Ok(());
        let mut last_tick = Instant::now();
        loop {
            let events = match receiver.events.recv_timeout(TICK.saturating_sub(last_tick.elapsed())) {
                Ok(events) => events,
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return outcome,
            };
            let tick = (last_tick.elapsed() >= TICK).then(|| {
                last_tick = Instant::now();
                Event::Tick
            });
            for event in events.into_iter().chain(tick) {
                if outcome.is_ok() {
                    outcome = handle(event);
                    abandoned.store(outcome.is_err(), Ordering::Relaxed);
                }
            }
        }
    })
}

/// The jobs in the order in which threads take them: short ones come last, to fill the gaps.
pub(crate) fn longest_first(costs: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| costs[b].total_cmp(&costs[a]));
    order
}

/// Splits `order` into parts that are each done by one thread: a large job alone, or several small ones with a small
/// total cost, at most `most` of them.
fn in_a_row<'a>(mut order: &'a [usize], costs: &'a [f64], most: usize) -> impl Iterator<Item = &'a [usize]> {
    std::iter::from_fn(move || {
        let mut cost = 0.0;
        let is_small = |job: &&usize| {
            cost += costs[**job];
            cost <= TOGETHER
        };
        let count = order.iter().take(most).take_while(is_small).count().max(1);
        let (jobs, others) = order.split_at_checked(count)?;
        order = others;
        Some(jobs)
    })
}

/// Tells the jobs to end once nobody receives their events any more.
struct Receiver<'a, T> {
    events: mpsc::Receiver<Vec<Event<T>>>,
    abandoned: &'a AtomicBool,
}

impl<T> Drop for Receiver<'_, T> {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

fn panic_message(payload: Box<dyn Any + Send>) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_costliest_job_begins_first() {
        let begun = Mutex::new(Vec::new());
        let progress = Progress::new(4);
        run::<_, Infallible>(
            &[1.0, 4.0, 2.0, 3.0],
            1,
            &AtomicBool::new(false),
            &progress,
            |job, _| begun.lock().unwrap().push(job),
            |_| Ok(()),
        )
        .unwrap();
        assert_eq!(begun.into_inner().unwrap(), [1, 3, 2, 0]);
    }

    #[test]
    fn small_jobs_are_done_in_a_row_and_large_ones_alone() {
        let costs = [3e8, 6e7, 3e7, 3e7, 2e7, 1e7, 0.0, 0.0, 0.0, 0.0];
        let order: Vec<usize> = (0..costs.len()).collect();
        let parts = |most| in_a_row(&order, &costs, most).map(<[usize]>::len).collect::<Vec<_>>();
        assert_eq!(parts(9), [1, 2, 7]);
        assert_eq!(parts(3), [1, 2, 3, 3, 1]);
        assert_eq!(parts(1), [1; 10]);
        assert_eq!(in_a_row(&[], &costs, 3).count(), 0);
    }

    #[test]
    fn of_jobs_in_a_row_each_one_fails_alone_and_is_told_of_in_order() {
        const COUNT: usize = 1000;
        let mut events = Vec::new();
        let mut failed = Vec::new();
        run::<_, Infallible>(
            &[1.0; COUNT],
            1,
            &AtomicBool::new(false),
            &Progress::new(COUNT),
            |job, _| assert_ne!(job % 10, 3, "job {job} is bad"),
            |event| {
                match event {
                    Event::Started { job } => events.push((job, false)),
                    Event::Ended { job, ended } => {
                        events.push((job, true));
                        failed.extend(ended.result.is_err().then_some(job));
                    }
                    Event::Tick => {}
                }
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(events, (0..COUNT).flat_map(|job| [(job, false), (job, true)]).collect::<Vec<_>>());
        assert_eq!(failed, (3..COUNT).step_by(10).collect::<Vec<_>>());
    }

    #[test]
    fn stopping_begins_no_other_job_of_those_in_a_row() {
        let stop = AtomicBool::new(false);
        let mut ended = Vec::new();
        run::<_, Infallible>(
            &[1.0; 1000],
            1,
            &stop,
            &Progress::new(1000),
            |job, _| stop.store(job == 5, Ordering::Relaxed),
            |event| {
                if let Event::Ended { job, .. } = event {
                    ended.push(job);
                }
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(ended, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn the_last_jobs_take_turns_and_no_more_compute_than_there_are_threads() {
        let (computing, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (under_way, most_under_way) = (AtomicUsize::new(0), AtomicUsize::new(0));
        run::<_, Infallible>(
            // Too costly to share a part.
            &[1e9; 5],
            2,
            &AtomicBool::new(false),
            &Progress::new(5),
            |_, watch| {
                most_under_way.fetch_max(1 + under_way.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                for step in 0..30 {
                    most.fetch_max(1 + computing.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                    computing.fetch_sub(1, Ordering::SeqCst);
                    let _ = watch(step);
                }
                under_way.fetch_sub(1, Ordering::SeqCst);
            },
            |_| Ok(()),
        )
        .unwrap();
        assert_eq!(most.into_inner(), 2);
        assert!(most_under_way.into_inner() > 2);
    }

    #[test]
    fn a_panic_ends_its_own_job_only() {
        let mut results = vec![None; 3];
        run::<_, Infallible>(
            &[1.0; 3],
            2,
            &AtomicBool::new(false),
            &Progress::new(3),
            |job, _| {
                assert_ne!(job, 1, "job one is bad");
                job
            },
            |event| {
                if let Event::Ended { job, ended } = event {
                    results[job] = Some(ended.result);
                }
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(results[0], Some(Ok(0)));
        assert!(results[1].as_ref().unwrap().as_ref().unwrap_err().contains("job one is bad"));
        assert_eq!(results[2], Some(Ok(2)));
    }

    #[test]
    fn stopping_ends_running_jobs_and_begins_no_others() {
        let stop = AtomicBool::new(false);
        let mut ended = Vec::new();
        run::<_, Infallible>(
            &[3.0, 2.0, 1.0],
            1,
            &stop,
            &Progress::new(3),
            |_, watch| {
                let mut steps = 0;
                while watch(steps).is_continue() {
                    steps += 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
                steps
            },
            |event| {
                match event {
                    Event::Started { .. } => stop.store(true, Ordering::Relaxed),
                    Event::Ended { job, .. } => ended.push(job),
                    Event::Tick => {}
                }
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(ended, [0]);
    }

    #[test]
    fn stopping_ends_those_that_wait_for_their_turn_too() {
        let stop = AtomicBool::new(false);
        let (mut started, mut ended) = (Vec::new(), Vec::new());
        run::<_, Infallible>(
            &[1e9; 4],
            2,
            &stop,
            &Progress::new(4),
            |_, watch| while watch(1).is_continue() {},
            |event| {
                match event {
                    Event::Started { job } => started.push(job),
                    Event::Ended { job, .. } => ended.push(job),
                    Event::Tick => {}
                }
                // Two jobs compute, and two wait.
                stop.store(started.len() == 4, Ordering::Relaxed);
                Ok(())
            },
        )
        .unwrap();
        started.sort_unstable();
        ended.sort_unstable();
        assert_eq!(started, [0, 1, 2, 3]);
        assert_eq!(ended, started);
    }

    #[test]
    fn an_error_of_the_caller_stops_everything_and_comes_back() {
        let mut calls_after_error = 0;
        let mut failed = false;
        let error = run(
            &[1.0; 100],
            2,
            &AtomicBool::new(false),
            &Progress::new(100),
            |_, _| std::thread::sleep(Duration::from_millis(2)),
            |event| {
                calls_after_error += usize::from(failed);
                match event {
                    Event::Ended { .. } => {
                        failed = true;
                        Err("the disk is full")
                    }
                    _ => Ok(()),
                }
            },
        );
        assert_eq!(error, Err("the disk is full"));
        assert_eq!(calls_after_error, 0);
    }
}
