//! Turns: more jobs are in progress than may compute at once, so they compute in turn.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// A limited number of places for threads that compute. The thread that waits longest gets the next free one.
#[derive(Debug)]
pub struct Turns {
    places: Mutex<FreePlaces>,
    /// How many threads wait; readable without the lock.
    waiting: AtomicUsize,
    /// How long a turn lasts if others wait.
    length: Duration,
}

#[derive(Debug)]
struct FreePlaces {
    /// 0 while any thread waits.
    free: usize,
    queue: VecDeque<WaitingThread>,
}

/// A thread that sleeps until it is called.
#[derive(Debug)]
struct WaitingThread {
    thread: Thread,
    called: Arc<AtomicBool>,
}

impl Turns {
    /// This many places, all free.
    pub fn new(places: usize) -> Self {
        Self {
            places: Mutex::new(FreePlaces { free: places, queue: VecDeque::new() }),
            waiting: AtomicUsize::new(0),
            length: LENGTH,
        }
    }

    /// Waits for a place, and takes it until the turn is dropped.
    pub fn take(&self) -> JobTurn<'_> {
        self.wait();
        JobTurn { turns: self, since: Instant::now(), waited: Duration::ZERO }
    }

    fn wait(&self) {
        let mut places = self.lock();
        if places.free > 0 {
            places.free -= 1;
            return;
        }
        let called = Arc::new(AtomicBool::new(false));
        places.queue.push_back(WaitingThread { thread: thread::current(), called: called.clone() });
        self.waiting.store(places.queue.len(), Ordering::Relaxed);
        drop(places);
        // `park` may also return spuriously.
        while !called.load(Ordering::Acquire) {
            thread::park();
        }
    }

    /// Hands the place to the thread that waits longest: no other thread wakes up or can take it.
    fn give_back(&self) {
        let mut places = self.lock();
        match places.queue.pop_front() {
            Some(next) => {
                self.waiting.store(places.queue.len(), Ordering::Relaxed);
                drop(places);
                next.called.store(true, Ordering::Release);
                next.thread.unpark();
            }
            None => places.free += 1,
        }
    }

    fn lock(&self) -> MutexGuard<'_, FreePlaces> {
        // Nothing under the lock can panic halfway.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken.
#[derive(Debug)]
pub struct JobTurn<'a> {
    turns: &'a Turns,
    since: Instant,
    waited: Duration,
}

/// Long compared with reloading a job's numbers into the caches, short compared with a job.
const LENGTH: Duration = Duration::from_millis(20);

impl JobTurn<'_> {
    /// Lets another job compute if one waits and this turn has lasted long enough; returns when it is this job's turn
    /// again.
    pub fn share(&mut self) {
        if self.turns.waiting.load(Ordering::Relaxed) > 0 && self.since.elapsed() >= self.turns.length {
            let begin = Instant::now();
            self.turns.give_back();
            self.turns.wait();
            self.since = Instant::now();
            self.waited += self.since - begin;
        }
    }

    /// How long this job has waited for others in between.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for JobTurn<'_> {
    fn drop(&mut self) {
        self.turns.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn no_more_compute_than_there_are_places() {
        let turns = Turns::new(2);
        let (computing, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let all_are_there = Barrier::new(5);
        thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| {
                    all_are_there.wait();
                    let mut turn = turns.take();
                    for _ in 0..3 {
                        most.fetch_max(1 + computing.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                        thread::sleep(LENGTH);
                        computing.fetch_sub(1, Ordering::SeqCst);
                        turn.share();
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 2);
        assert_eq!(turns.lock().free, 2);
        assert_eq!(turns.waiting.into_inner(), 0);
    }

    fn until_they_wait(turns: &Turns, count: usize) {
        while turns.waiting.load(Ordering::Relaxed) < count {
            thread::yield_now();
        }
    }

    #[test]
    fn who_waits_longest_computes_next_and_who_has_computed_goes_on_last() {
        let turns = Turns { length: Duration::ZERO, ..Turns::new(1) };
        let order = Mutex::new(Vec::new());
        let mut first = turns.take();
        thread::scope(|scope| {
            for (before, name) in ["second", "third"].into_iter().enumerate() {
                until_they_wait(&turns, before);
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let _turn = turns.take();
                    order.lock().unwrap().push(name);
                });
            }
            until_they_wait(&turns, 2);
            first.share();
            order.lock().unwrap().push("first");
        });
        assert_eq!(order.into_inner().unwrap(), ["second", "third", "first"]);
        assert!(first.waited() > Duration::ZERO);
    }

    #[test]
    fn a_turn_is_not_shared_before_it_has_lasted_its_time() {
        let turns = Turns { length: Duration::MAX, ..Turns::new(1) };
        let mut first = turns.take();
        let second_has_computed = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _turn = turns.take();
                second_has_computed.store(true, Ordering::SeqCst);
            });
            until_they_wait(&turns, 1);
            first.share();
            assert!(!second_has_computed.load(Ordering::SeqCst));
            drop(first);
        });
        assert!(second_has_computed.into_inner());
    }
}
