//! Counting how values are distributed.

use std::ops::Range;
use std::sync::Arc;

use super::RESERVED_ROWS;
use crate::kernel::Element;
use crate::nn::Network;
use crate::record::{Bins, HistogramRow, Histograms, Subject, Word};

/// Bins for every layer, and the rows so far.
#[derive(Debug)]
pub struct HistogramCounts {
    what: Histograms,
    /// Empty where they are not counted.
    activations: Vec<Counter>,
    /// One after the other, each on all of its numbers at once. Empty where neither they nor gradients are counted.
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
    /// Whether the bins have a range that they can have.
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
        // Bins can be many: only what is asked for has any.
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

    /// Whether something is counted after `step` of `steps`; −1 is before training.
    pub fn are_due(&self, step: i64, steps: u64) -> bool {
        self.what.at.has(step, steps)
    }

    /// How many of `train_rows` rows are needed for activations; none where they are not counted.
    pub fn rows_needed(&self, train_rows: u64) -> u64 {
        if self.what.of.has(Subject::Activations) { self.what.rows(train_rows) } else { 0 }
    }

    /// Whether all activations have to be [looked over](Self::look_over) before they are counted.
    pub fn are_without_range(&self) -> bool {
        self.what.range.is_none()
    }

    /// Gets ready to look all activations over.
    pub fn forget(&mut self) {
        self.activations.iter_mut().for_each(Counter::forget);
    }

    /// Notes the extremes of what the last `rows` rows that went through `network` gave.
    pub fn look_over<R: Element>(&mut self, network: &Network<R>, rows: usize) {
        self.activations.iter_mut().zip(network.activations(rows)).for_each(|(counter, (.., values))| {
            counter.look_over(values);
        });
    }

    /// Gets ready to count activations.
    pub fn open(&mut self) {
        let range = self.range();
        self.activations.iter_mut().for_each(|counter| counter.open(range));
    }

    /// Counts what the last `rows` rows that went through `network` gave.
    pub fn count<R: Element>(&mut self, network: &Network<R>, rows: usize) {
        self.activations.iter_mut().zip(network.activations(rows)).for_each(|(counter, (.., values))| {
            counter.count(values);
        });
    }

    /// Writes down what was counted, for `step`.
    pub fn close(&mut self, step: i64) {
        for counter in &mut self.activations {
            counter.write(step, Subject::Activations, &mut self.rows);
        }
    }

    /// Counts the weights, or the gradients by them, where that is asked for. `values` lie as the parameters do.
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

    /// Empties the bins and spreads them over the range that is given, or else over what was looked over.
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
