//! Counts how values are distributed.

use std::ops::Range;
use std::sync::Arc;

use super::RESERVED_ROWS;
use crate::kernel::Element;
use crate::nn::Network;
use crate::record::{Bins, HistogramRow, Histograms, Subject, Word};

/// Bins for every layer, and the rows recorded so far.
#[derive(Debug)]
pub struct HistogramCounts {
    what: Histograms,
    /// Empty if activations are not counted.
    activations: Vec<Counter>,
    /// Each counter is filled and written at once, before the next. Empty if neither weights nor gradients are counted.
    weights: Vec<(Counter, Range<usize>)>,
    pub rows: Vec<HistogramRow>,
}

/// The values of one layer.
#[derive(Debug)]
struct Counter {
    layer: Arc<str>,
    smallest: f64,
    largest: f64,
    bins: Bins,
    /// Whether the bins have a valid range.
    is_open: bool,
}

impl HistogramCounts {
    /// For `network` in a run of `steps` steps.
    pub fn new<R: Element>(what: &Histograms, network: &Network<R>, steps: u64) -> Self {
        let counter = |layer: Arc<str>| Counter {
            layer,
            smallest: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            bins: Bins::new(what.bins.as_usize()),
            is_open: false,
        };
        // There can be many bins, so only what is counted gets any.
        let (mut activations, mut weights) = (Vec::new(), Vec::new());
        if what.of.has(Subject::Activations) {
            activations.extend(network.activations(1).map(|(name, ..)| counter(name.into())));
        }
        if what.of.has(Subject::Weights) || what.of.has(Subject::Gradients) {
            weights.extend(super::weights(network.layout()).into_iter().map(|(name, range)| (counter(name), range)));
        }
        let rows = what.count(steps, activations.len() as u64, weights.len() as u64);
        let rows = Vec::with_capacity(rows.min(RESERVED_ROWS) as usize);
        Self { what: what.clone(), activations, weights, rows }
    }

    /// Whether anything is counted after `step` of `steps`; −1 is before training.
    pub fn are_due(&self, step: i64, steps: u64) -> bool {
        self.what.at.has(step, steps)
    }

    /// How many of `train_rows` rows are needed for activations; 0 if these are not counted.
    pub fn rows_needed(&self, train_rows: u64) -> u64 {
        if self.what.of.has(Subject::Activations) { self.what.rows(train_rows) } else { 0 }
    }

    /// Whether the range of all activations must be [determined](Self::look_over) before they are counted.
    pub fn are_without_range(&self) -> bool {
        self.what.range.is_none()
    }

    /// Prepares for determining the range of all activations.
    pub fn forget(&mut self) {
        self.activations.iter_mut().for_each(Counter::forget);
    }

    /// Extends the range to the activations of the last `rows` rows that went through `network`.
    pub fn look_over<R: Element>(&mut self, network: &Network<R>, rows: usize) {
        self.activations.iter_mut().zip(network.activations(rows)).for_each(|(counter, (.., values))| {
            counter.look_over(values);
        });
    }

    /// Prepares for counting activations.
    pub fn open(&mut self) {
        let range = self.range();
        self.activations.iter_mut().for_each(|counter| counter.open(range));
    }

    /// Counts the activations of the last `rows` rows that went through `network`.
    pub fn count<R: Element>(&mut self, network: &Network<R>, rows: usize) {
        self.activations.iter_mut().zip(network.activations(rows)).for_each(|(counter, (.., values))| {
            counter.count(values);
        });
    }

    /// Records the counts, for `step`.
    pub fn close(&mut self, step: i64) {
        for counter in &mut self.activations {
            counter.write(step, Subject::Activations, &mut self.rows);
        }
    }

    /// Counts the weights, or their gradients, if these are asked for. `values` has the layout of the parameters.
    pub fn count_parameters<R: Element>(&mut self, step: i64, subject: Subject, values: &[R]) {
        if !self.what.of.has(subject) {
            return;
        }
        let given = self.range();
        for (counter, range) in &mut self.weights {
            let values = &values[range.clone()];
            if given.is_none() {
                counter.forget();
                counter.look_over(values);
            }
            counter.open(given);
            counter.count(values);
            counter.write(step, subject, &mut self.rows);
        }
    }

    fn range(&self) -> Option<(f64, f64)> {
        self.what.range.map(|range| (range.low, range.high))
    }
}

impl Counter {
    fn forget(&mut self) {
        (self.smallest, self.largest) = (f64::INFINITY, f64::NEG_INFINITY);
    }

    fn look_over<R: Element>(&mut self, values: &[R]) {
        for value in values.iter().map(|value| value.to_f64()) {
            self.smallest = self.smallest.min(value);
            self.largest = self.largest.max(value);
        }
    }

    /// Empties the bins and spreads them over the given range, or else over the range found by
    /// [`look_over`](Self::look_over).
    fn open(&mut self, range: Option<(f64, f64)>) {
        let (low, high) = range.unwrap_or((self.smallest, self.largest));
        self.is_open = self.bins.span(low, high);
    }

    fn count<R: Element>(&mut self, values: &[R]) {
        if self.is_open {
            self.bins.count(values.iter().map(|value| value.to_f64()));
        }
    }

    fn write(&self, step: i64, subject: Subject, rows: &mut Vec<HistogramRow>) {
        if !self.is_open {
            return;
        }
        rows.extend(self.bins.iter().map(|(bin_low, bin_high, count)| HistogramRow {
            step,
            layer: self.layer.clone(),
            what: subject.name(),
            bin_low,
            bin_high,
            count,
        }));
    }
}
