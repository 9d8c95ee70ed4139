//! The rows of each step's batch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::seed::{Purpose, RandomStream, Seed};

/// How batches are drawn from the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Every row of every batch is drawn from all rows, as in the book: a row can be in a batch twice.
    #[default]
    WithReplacement,
    /// The rows in a new random order each epoch, as PyTorch's `DataLoader(shuffle=True)`. All batches are full: an
    /// epoch's last one is filled up from the next epoch's order.
    Shuffle,
}

/// The batches of a run. Runs with the same seed have the same batches; with replacement, a smaller batch is the
/// beginning of a larger one.
#[derive(Debug, Clone)]
pub struct Batches {
    sampling: Sampling,
    stream: RandomStream,
    rows: u64,
    /// The rows in the order of `epoch`; empty when sampling with replacement.
    order: Vec<usize>,
    epoch: Option<u128>,
}

impl Batches {
    /// Batches of `rows` training rows.
    ///
    /// # Panics
    /// If there are no rows.
    pub fn new(sampling: Sampling, seed: Seed, rows: usize) -> Self {
        assert!(rows > 0, "batches need training rows");
        let order = match sampling {
            Sampling::WithReplacement => Vec::new(),
            Sampling::Shuffle => (0..rows).collect(),
        };
        Self { sampling, stream: seed.stream(Purpose::Batch), rows: rows as u64, order, epoch: None }
    }

    /// Fills `batch` with the rows of the batch of `step`. Steps may be asked for in any order; all batches must have
    /// the same length.
    ///
    /// With replacement, the rows are drawn from position `step` of the stream. With shuffling, all epochs' orders are
    /// concatenated, the order of epoch e drawn from position e; the batch is the part [step · batch, (step + 1) ·
    /// batch).
    pub fn draw(&mut self, step: u64, batch: &mut [usize]) {
        match self.sampling {
            Sampling::WithReplacement => {
                let mut generator = self.stream.at(step);
                batch.fill_with(|| generator.below(self.rows) as usize);
            }
            Sampling::Shuffle => {
                let first = u128::from(step) * batch.len() as u128;
                for (place, row) in (first..).zip(batch) {
                    let rows = u128::from(self.rows);
                    self.shuffle(place / rows);
                    *row = self.order[(place % rows) as usize];
                }
            }
        }
    }

    fn shuffle(&mut self, epoch: u128) {
        if self.epoch != Some(epoch) {
            self.order.iter_mut().enumerate().for_each(|(place, row)| *row = place);
            // An epoch has at least one row, and no run has 2^64 steps.
            self.stream.at(epoch as u64).shuffle(&mut self.order);
            self.epoch = Some(epoch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(sampling: Sampling, seed: i64, rows: usize) -> Batches {
        Batches::new(sampling, Seed::try_from(seed).unwrap(), rows)
    }

    fn draw(batches: &mut Batches, step: u64, size: usize) -> Vec<usize> {
        let mut batch = vec![usize::MAX; size];
        batches.draw(step, &mut batch);
        batch
    }

    /// Drawn by the independent generator of `tests/goldens/streams.py`: `below(60000)` and `shuffled(60000)`.
    #[test]
    fn the_rows_of_a_seed_never_change() {
        let mut replaced = batches(Sampling::WithReplacement, 0, 60_000);
        assert_eq!(draw(&mut replaced, 0, 6), [47933, 12540, 32832, 16848, 27205, 21493]);
        assert_eq!(draw(&mut replaced, 1, 6), [1044, 6096, 30499, 1893, 45949, 55771]);
        let mut shuffled = batches(Sampling::Shuffle, 0, 60_000);
        assert_eq!(draw(&mut shuffled, 0, 6), [29912, 8398, 2801, 31210, 51981, 46874]);
        assert_eq!(draw(&mut shuffled, 10_000, 6), [45767, 38739, 17007, 11410, 4502, 30930]);
    }

    #[test]
    fn a_smaller_batch_is_the_beginning_of_a_larger_one() {
        let mut batches = batches(Sampling::WithReplacement, 5, 1000);
        for step in [0, 1, 77] {
            assert_eq!(draw(&mut batches, step, 32), draw(&mut batches, step, 64)[..32]);
        }
        assert_ne!(draw(&mut batches, 0, 32), draw(&mut batches, 1, 32));
    }

    #[test]
    fn with_replacement_every_row_is_as_likely() {
        let mut batches = batches(Sampling::WithReplacement, 1, 10);
        let mut counts = [0; 10];
        for step in 0..1000 {
            draw(&mut batches, step, 100).iter().for_each(|row| counts[*row] += 1);
        }
        // Four standard deviations of 100,000 draws.
        assert!(counts.iter().all(|count: &i32| (count - 10_000).abs() < 380), "{counts:?}");
    }

    #[test]
    fn a_shuffled_epoch_visits_every_row_once() {
        // 10 rows in batches of 4: epochs end within batches.
        let mut batches = batches(Sampling::Shuffle, 1, 10);
        let sequence: Vec<usize> = (0..10).flat_map(|step| draw(&mut batches, step, 4)).collect();
        let mut orders = Vec::new();
        for epoch in sequence.chunks(10) {
            let mut rows = epoch.to_vec();
            rows.sort_unstable();
            assert_eq!(rows, (0..10).collect::<Vec<_>>());
            orders.push(epoch);
        }
        orders.dedup();
        assert_eq!(orders.len(), 4, "every epoch has an order of its own");
    }

    #[test]
    fn steps_can_be_asked_for_in_any_order() {
        for sampling in [Sampling::WithReplacement, Sampling::Shuffle] {
            let mut forward = batches(sampling, 2, 7);
            let in_order: Vec<_> = (0..9).map(|step| draw(&mut forward, step, 3)).collect();
            for step in [8, 0, 5, 5, 1] {
                assert_eq!(draw(&mut batches(sampling, 2, 7), step, 3), in_order[step as usize]);
                assert_eq!(draw(&mut forward, step, 3), in_order[step as usize]);
            }
        }
    }

    #[test]
    fn a_batch_may_be_larger_than_the_data() {
        let batch = draw(&mut batches(Sampling::Shuffle, 1, 3), 0, 7);
        for row in 0..3 {
            assert!(batch[..6].iter().filter(|other| **other == row).count() == 2);
        }
    }
}
