//! Runs that wait to be written, and the schedule of writing them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::batch::{BatchName, Contents};
use super::context::Context;
use super::error::Error;
use super::file::Footer;
use super::inventory::StoredRun;
use super::row::{RunResult, RunRow, Summary};
use super::schema::{self, RunCells, Table};
use super::tables::{self, Trained};
use engine::settings::RunId;
use engine::train::{Ending, Outcome};

/// Waiting runs in order of arrival. Their rows become columns only when all of them are written.
#[derive(Debug, Default)]
pub struct Buffer {
    runs: Vec<WaitingRun>,
    ids: BTreeSet<RunId>,
    bytes: usize,
}

#[derive(Debug)]
struct WaitingRun {
    run_id: RunId,
    label: String,
    seed: u64,
    summary: Summary,
    cells: RunCells,
    /// The outcome; `None` if the run failed.
    outcome: Option<Outcome>,
}

impl WaitingRun {
    fn trained(&self) -> Option<Trained<'_>> {
        let Self { run_id, label, seed, .. } = self;
        self.outcome.as_ref().map(|outcome| Trained { run_id: *run_id, label, seed: *seed, outcome })
    }
}

impl Buffer {
    /// Adds a run.
    ///
    /// # Errors
    /// If the run cannot be stored; it is then not added.
    pub fn push(&mut self, run: &RunRow, context: &Context) -> Result<(), Error> {
        let outcome = match &run.result {
            RunResult::Failed { .. } => None,
            RunResult::Trained(outcome) if outcome.ending == Ending::Interrupted => {
                return Err(Error::Interrupted { run_id: run.run_id });
            }
            RunResult::Trained(outcome) => {
                let trained = Trained { run_id: run.run_id, label: &run.label, seed: run.seed, outcome };
                Table::DATA.into_iter().try_for_each(|table| tables::check(table, trained))?;
                Some(outcome)
            }
        };
        let summary = Summary::of(run);
        let cells = schema::cells(run, &summary, context)?;

        self.ids.insert(run.run_id);
        let rows = |outcome| Table::DATA.into_iter().map(|table| tables::bytes(table, outcome)).sum::<usize>();
        self.bytes += outcome.map_or(0, rows) + CELLS_BYTES;
        let (run_id, label, seed) = (run.run_id, run.label.clone(), run.seed);
        self.runs.push(WaitingRun { run_id, label, seed, summary, cells, outcome: outcome.cloned() });
        Ok(())
    }

    /// The ids of the waiting runs.
    pub fn ids(&self) -> &BTreeSet<RunId> {
        &self.ids
    }

    /// The rows' approximate memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All rows as one batch.
    pub fn contents(&self, footer: Footer) -> Result<Contents, Error> {
        let cells: Vec<&RunCells> = self.runs.iter().map(|waiting| &waiting.cells).collect();
        let mut tables = BTreeMap::from([(Table::Runs, vec![schema::runs(&cells)?])]);
        let trained: Vec<Trained> = self.runs.iter().filter_map(WaitingRun::trained).collect();
        for table in Table::DATA {
            tables.insert(table, tables::rows(table, &trained)?);
        }
        Ok(Contents::new(footer, tables))
    }

    /// The waiting runs, as the inventory lists them once they are in `batch`.
    pub fn known_in(&self, batch: &BatchName) -> impl Iterator<Item = StoredRun> {
        self.runs.iter().map(|waiting| StoredRun {
            run_id: waiting.run_id,
            label: waiting.label.clone(),
            seed: waiting.seed,
            summary: waiting.summary.clone(),
            batch: batch.clone(),
        })
    }
}

/// The approximate memory of a row of `runs`, in bytes.
pub const CELLS_BYTES: usize = 4096;

/// When the next flush is due: soon after the start, so that little is lost if the process dies early; then less and
/// less often, so that a long experiment has few files.
#[derive(Debug)]
pub struct FlushTimer {
    last: Instant,
    interval: Duration,
}

impl FlushTimer {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(60);

    /// A timer that starts at `now`.
    pub fn from(now: Instant) -> Self {
        Self { last: now, interval: Self::FIRST }
    }

    /// Whether a flush is due at `now`.
    pub fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= self.interval
    }

    /// The longest time between two flushes, or before the last one, in an experiment of this many seconds.
    pub fn longest(seconds: f64) -> f64 {
        let (mut longest, mut interval, mut left) = (0.0_f64, Self::FIRST.as_secs_f64(), seconds);
        while longest < Self::LONGEST.as_secs_f64() && left > 0.0 {
            longest = longest.max(interval.min(left));
            left -= interval;
            interval = (2.0 * interval).min(Self::LONGEST.as_secs_f64());
        }
        longest
    }

    /// The number of flushes in an experiment of this many seconds, including the one at its end, if there is always
    /// something to write.
    pub fn flushes(seconds: f64) -> u64 {
        let (mut count, mut interval, mut left) = (1, Self::FIRST.as_secs_f64(), seconds);
        while interval < Self::LONGEST.as_secs_f64() && left >= interval {
            left -= interval;
            interval *= 2.0;
            count += 1;
        }
        count + (left / Self::LONGEST.as_secs_f64()) as u64
    }

    /// Records a flush at `now`.
    pub fn flushed(&mut self, now: Instant) {
        self.last = now;
        self.interval = (self.interval * 2).min(Self::LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::run;
    use super::*;

    #[test]
    fn flushes_come_ever_less_often_up_to_a_minute() {
        let start = Instant::now();
        let mut now = start;
        let mut flush_timer = FlushTimer::from(start);
        let mut flushes = Vec::new();
        while flushes.len() < 9 {
            now += Duration::from_millis(500);
            if flush_timer.is_due(now) {
                flushes.push((now - start).as_secs());
                flush_timer.flushed(now);
            }
        }
        assert_eq!(flushes, [1, 3, 7, 15, 31, 63, 123, 183, 243]);
        for (earlier, end) in (1..).zip(flushes) {
            assert_eq!(FlushTimer::flushes(end as f64 - 0.5), earlier);
            assert_eq!(FlushTimer::flushes(end as f64 + 0.5), earlier + 1);
        }
        let longest = [0.0, 0.5, 1.5, 3.5, 13.0, 63.0, 80.0, 123.0, 1e9].map(FlushTimer::longest);
        assert_eq!(longest, [0.0, 0.5, 1.0, 2.0, 6.0, 32.0, 32.0, 60.0, 60.0]);
    }

    #[test]
    fn a_run_that_cannot_be_stored_is_not_added() {
        let context = Context::here("ch6", "", "");
        let mut buffer = Buffer::default();
        buffer.push(&run(1, &[1.0]), &context).unwrap();
        buffer.push(&run(2, &[1.0, f64::NAN]), &context).unwrap_err();
        assert_eq!(buffer.ids().iter().collect::<Vec<_>>(), [&run(1, &[1.0]).run_id]);
    }

    #[test]
    fn a_long_history_counts_in_bytes() {
        let context = Context::here("ch6", "", "");
        let mut buffer = Buffer::default();
        buffer.push(&run(1, &vec![1.0; 100_000]), &context).unwrap();
        assert!((4_000_000..8_000_000).contains(&buffer.bytes()), "{}", buffer.bytes());
    }
}
