//! Rows of data: inputs and targets.

use crate::real::Real;

/// Rows of inputs with their targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    pub inputs: Inputs,
    pub targets: Targets,
}

/// The inputs: [rows, features], row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum Inputs {
    /// Shares of `full`: brightnesses, stored as bytes until a batch needs them.
    Bytes { values: Vec<u8>, full: u8 },
    /// Finite numbers.
    Numbers(Vec<f64>),
}

/// The targets.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// `[rows]`, each less than the number of classes.
    Classes(Vec<u16>),
    /// [rows, targets], row-major, finite.
    Values { values: Vec<f64>, targets: usize },
}

impl Default for Rows {
    /// No rows.
    fn default() -> Self {
        Self { inputs: Inputs::Numbers(Vec::new()), targets: Targets::Classes(Vec::new()) }
    }
}

impl Rows {
    /// Images of bytes, where 255 is white, with their classes.
    pub fn of_images(pixels: Vec<u8>, labels: &[u8]) -> Self {
        let labels = labels.iter().map(|&label| u16::from(label)).collect();
        Self { inputs: Inputs::Bytes { values: pixels, full: 255 }, targets: Targets::Classes(labels) }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many numbers make a row; there must be at least one row.
    pub(super) fn features(&self) -> usize {
        self.inputs.len() / self.len()
    }

    /// Keeps only the first rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        if rows < self.len() {
            let features = self.features();
            match &mut self.inputs {
                Inputs::Bytes { values, .. } => values.truncate(features * rows),
                Inputs::Numbers(values) => values.truncate(features * rows),
            }
            match &mut self.targets {
                Targets::Classes(classes) => classes.truncate(rows),
                Targets::Values { values, targets } => values.truncate(*targets * rows),
            }
        }
    }
}

impl Inputs {
    /// How many values there are, rows times features.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes { values, .. } => values.len(),
            Self::Numbers(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `each` with every number of the row that begins at `first`, in order.
    pub(super) fn for_each(&self, first: usize, features: usize, each: impl FnMut(f64)) {
        match self {
            Self::Bytes { values, full } => {
                values[first..][..features].iter().map(|&byte| f64::from_byte(byte, *full)).for_each(each);
            }
            Self::Numbers(values) => values[first..][..features].iter().copied().for_each(each),
        }
    }
}

impl Targets {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values { values, targets } => values.len().checked_div(*targets).unwrap_or_default(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_keep_all_their_values() {
        let mut rows = Rows::of_images(vec![1, 2, 3, 4, 5, 6], &[7, 8, 9]);
        rows.truncate(5);
        assert_eq!(rows.len(), 3);
        rows.truncate(2);
        assert_eq!(rows, Rows::of_images(vec![1, 2, 3, 4], &[7, 8]));
    }
}
