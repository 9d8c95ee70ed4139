//! The data that networks train on: rows of inputs, each with its target.

use super::normalize::{Scaling, Scalings};
use super::rows::{Inputs, Rows, Targets};
use crate::real::Real;
use crate::sample;

/// The data that runs train and are evaluated on, after limits; shared by all runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    pub train: Rows,
    /// Empty if there is no test data.
    pub test: Rows,
    pub features: usize,
    pub task: Task,
    /// Scalings that runs have measured on the training rows, which do not change once there is one; empty at first.
    pub scalings: Scalings,
}

/// What a network predicts for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// One of this many classes.
    Classification { classes: usize },
    /// This many numbers.
    Regression { targets: usize },
}

impl Task {
    /// The width of the network's output.
    pub const fn outputs(self) -> usize {
        match self {
            Self::Classification { classes } => classes,
            Self::Regression { targets } => targets,
        }
    }

    /// The name in the experiment file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classification { .. } => "classification",
            Self::Regression { .. } => "regression",
        }
    }
}

/// A split of the data as one run sees it: some of the shared rows, in the run's own order, possibly scaled.
#[derive(Debug, Clone, Copy)]
pub struct SplitView<'a> {
    pub(super) rows: &'a Rows,
    /// The indices of the rows; `None` for all rows in their own order.
    pub(super) order: Option<&'a [usize]>,
    pub(super) scaling: Option<&'a Scaling>,
}

impl<'a> SplitView<'a> {
    /// All `rows` in their own order.
    pub fn of(rows: &'a Rows) -> Self {
        Self { rows, order: None, scaling: None }
    }

    /// How many rows the split has.
    pub fn len(&self) -> usize {
        self.order.map_or_else(|| self.rows.len(), <[usize]>::len)
    }

    /// Whether the split has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the inputs of `rows`, given by their positions in this split, in this order: `inputs: [rows, features]`.
    /// Allocates nothing.
    ///
    /// # Panics
    /// If a row does not exist, or `inputs` is too short.
    #[inline(always)]
    pub fn gather_inputs<R: Real>(&self, rows: &[usize], inputs: &mut [R]) {
        let Some(features) = self.rows.inputs.len().checked_div(self.rows.len()) else {
            assert!(rows.is_empty(), "there are no rows");
            return;
        };
        assert!(inputs.len() >= rows.len() * features, "there is room for every row");
        match &self.rows.inputs {
            // A division is vectorized, four at a time; a lookup in a table of 256 entries is not, and takes 1.4 times
            // as long in f32.
            Inputs::Bytes { values, full } => {
                self.copy(rows, values, features, inputs, |byte| R::from_byte(byte, *full))
            }
            Inputs::Numbers(values) => self.copy(rows, values, features, inputs, R::from_f64),
        }
        if let Some(scaling) = self.scaling {
            for (&row, inputs) in rows.iter().zip(inputs.chunks_exact_mut(features)) {
                scaling.apply(&self.rows.inputs, self.place(row) * features, inputs);
            }
        }
    }

    /// Copies the inputs of `rows` as bytes, like [`gather_inputs`](Self::gather_inputs).
    ///
    /// # Panics
    /// As [`gather_inputs`](Self::gather_inputs), and if the inputs are not bytes.
    pub fn gather_bytes(&self, rows: &[usize], bytes: &mut [u8]) {
        let Inputs::Bytes { values, .. } = &self.rows.inputs else { panic!("the inputs are numbers, not bytes") };
        let features = values.len() / self.rows.len();
        assert!(bytes.len() >= rows.len() * features, "there is room for every row");
        for (&row, to) in rows.iter().zip(bytes.chunks_exact_mut(features)) {
            to.copy_from_slice(&values[self.place(row) * features..][..features]);
        }
    }

    /// The byte that stands for 1, if the inputs are bytes and not scaled.
    pub(super) fn bytes(&self) -> Option<u8> {
        match self.rows.inputs {
            Inputs::Bytes { full, .. } if self.scaling.is_none() => Some(full),
            _ => None,
        }
    }

    /// Whether fewer than half of the inputs differ from 0, estimated from a sample of all rows, including those that
    /// this split does not use.
    pub(super) fn is_mostly_zero(&self) -> bool {
        // A sample suffices: every run asks, and a small run takes a tenth of a millisecond.
        const SAMPLE: u32 = 1024;
        let nonzeros = match &self.rows.inputs {
            Inputs::Bytes { values, .. } => sample::share(values, SAMPLE, |byte| *byte != 0),
            Inputs::Numbers(values) => sample::share(values, SAMPLE, |number| *number != 0.0),
        };
        !self.rows.inputs.is_empty() && nonzeros < 0.5
    }

    /// Copies the classes of `rows`, like [`gather_inputs`](Self::gather_inputs): `classes: [rows]`.
    ///
    /// # Panics
    /// If a row does not exist, `classes` is too short, or the task is not a classification.
    pub fn gather_classes(&self, rows: &[usize], classes: &mut [u16]) {
        let Targets::Classes(all) = &self.rows.targets else { panic!("the rows have values, not classes") };
        assert!(classes.len() >= rows.len(), "there is room for every row");
        for (&row, class) in rows.iter().zip(classes) {
            *class = all[self.place(row)];
        }
    }

    /// Copies the target values of `rows`, like [`gather_inputs`](Self::gather_inputs): `values: [rows, targets]`.
    ///
    /// # Panics
    /// If a row does not exist, `values` is too short, or the task is not a regression.
    #[inline(always)]
    pub fn gather_values<R: Real>(&self, rows: &[usize], values: &mut [R]) {
        let Targets::Values { values: all, targets } = &self.rows.targets else {
            panic!("the rows have classes, not values")
        };
        assert!(values.len() >= rows.len() * targets, "there is room for every row");
        self.copy(rows, all, *targets, values, R::from_f64);
    }

    /// The index among the shared rows of the row at `place` of this split.
    #[inline]
    fn place(&self, place: usize) -> usize {
        self.order.map_or(place, |order| order[place])
    }

    #[inline(always)]
    fn copy<T: Copy, R>(&self, rows: &[usize], from: &[T], width: usize, to: &mut [R], convert: impl Fn(T) -> R) {
        for (&row, to) in rows.iter().zip(to.chunks_exact_mut(width)) {
            let from = &from[self.place(row) * width..][..width];
            for (to, from) in to.iter_mut().zip(from) {
                *to = convert(*from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_gathered_in_any_order_as_shares_of_full_brightness() {
        let rows = Rows::of_images(vec![0, 255, 51, 102, 1, 2], &[7, 8, 9]);
        let (mut inputs, mut labels) = ([0.0_f64; 8], [0; 4]);
        SplitView::of(&rows).gather_inputs(&[1, 0, 1, 2], &mut inputs);
        SplitView::of(&rows).gather_classes(&[1, 0, 1, 2], &mut labels);
        let share = |byte: u8| f64::from(f32::from(byte) / 255.0);
        assert_eq!(inputs, [51, 102, 0, 255, 51, 102, 1, 2].map(share));
        assert_eq!(labels, [8, 7, 8, 9]);
        SplitView::of(&Rows::default()).gather_inputs(&[], &mut inputs);
    }

    #[test]
    fn a_part_is_some_of_the_rows_in_its_own_order() {
        let targets = Targets::Values { values: vec![0.5, -0.5, 1.5, -1.5, 2.5, -2.5], targets: 2 };
        let rows = Rows { inputs: Inputs::Numbers(vec![10.0, 20.0, 30.0]), targets };
        let split = SplitView { order: Some(&[2, 0]), ..SplitView::of(&rows) };
        assert_eq!((split.len(), rows.len()), (2, 3));
        let (mut inputs, mut values) = ([0.0_f32; 3], [0.0_f64; 6]);
        split.gather_inputs(&[0, 1, 0], &mut inputs);
        split.gather_values(&[0, 1, 0], &mut values);
        assert_eq!(inputs, [30.0, 10.0, 30.0]);
        assert_eq!(values, [2.5, -2.5, 0.5, -0.5, 2.5, -2.5]);
    }

    #[test]
    fn bytes_are_gathered_as_they_are() {
        let rows = Rows::of_images(vec![0, 255, 51, 0, 0, 2], &[7, 8, 9]);
        let mut bytes = [9; 4];
        let split = SplitView { order: Some(&[2, 0]), ..SplitView::of(&rows) };
        split.gather_bytes(&[1, 0], &mut bytes);
        assert_eq!(bytes, [0, 255, 0, 2]);
        assert_eq!(split.bytes(), Some(255));
        assert!(!split.is_mostly_zero(), "half of them are not");
        let rows = Rows { inputs: Inputs::Numbers(vec![0.0, 0.0, 1.0]), ..rows };
        assert_eq!(SplitView::of(&rows).bytes(), None);
        assert!(SplitView::of(&rows).is_mostly_zero());
    }

    #[test]
    #[should_panic(expected = "there is room for every row")]
    fn rows_are_not_gathered_into_less_room() {
        SplitView::of(&Rows::of_images(vec![1, 2], &[0])).gather_inputs(&[0, 0], &mut [0.0_f32; 3]);
    }
}
