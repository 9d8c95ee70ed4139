//! The shapes of a plan's runs: runs of one shape cost the same.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::cost::Cost;
use engine::data::Data;
use engine::spec::{NetworkRun, RunSpec};

/// Runs that cost the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    pub cost: Cost,
    /// The number of updates of each run.
    pub steps: u64,
    /// A hash of what the time of an operation depends on.
    pub rate: u64,
    /// The index of the data that they are trained on; `None` without data.
    pub data: Option<u32>,
    /// The first cell of this shape.
    pub cell: u32,
    /// The number of cells of this shape.
    pub cells: u64,
}

impl Shape {
    /// Identifies the shape.
    fn key(&self) -> ([u64; 5], u64, u64, Option<u32>) {
        let Cost { operations, step, bytes, rows, disk } = self.cost;
        ([operations, step, bytes, rows, disk].map(f64::to_bits), self.steps, self.rate, self.data)
    }

    fn is_like(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.key().hash(&mut hasher);
        hasher.finish()
    }
}

/// The shapes seen so far, in the order of the first cell of each.
#[derive(Debug, Clone, Default)]
pub struct Shapes {
    all: Vec<Shape>,
    /// Indices of shapes, by a hash of their keys.
    known: HashMap<u64, u32>,
    /// The data that runs are trained on, without duplicates.
    data: Vec<Data>,
    known_data: HashMap<Data, u32>,
    /// The index of the data that was found last.
    last: u32,
}

impl Shapes {
    /// Adds a cell; returns the index of its shape.
    pub fn add(&mut self, spec: &RunSpec, rate: u64, cell: u32) -> u32 {
        let data = spec.data().map(|(data, _)| self.data(data));
        self.find(Shape { cost: Cost::of(spec), steps: spec.steps(), rate, data, cell, cells: 1 })
    }

    /// Adds the shapes of other cells, after these; returns the new index of each.
    pub fn merge(&mut self, other: Self) -> Vec<u32> {
        let data: Vec<u32> = other.data.iter().map(|data| self.data(data)).collect();
        let renamed =
            other.all.into_iter().map(|shape| Shape { data: shape.data.map(|at| data[at as usize]), ..shape });
        renamed.map(|shape| self.find(shape)).collect()
    }

    /// Whether none of them is trained on data.
    pub fn are_without_data(&self) -> bool {
        self.data.is_empty()
    }

    /// Removes one cell of this shape.
    pub fn remove(&mut self, shape: u32) {
        self.all[shape as usize].cells -= 1;
    }

    /// The shapes, and the data that runs are trained on.
    pub fn into_parts(self) -> (Vec<Shape>, Vec<Data>) {
        (self.all, self.data)
    }

    fn find(&mut self, shape: Shape) -> u32 {
        let mut hash = shape.hash();
        loop {
            match self.known.get(&hash) {
                Some(&known) if self.all[known as usize].is_like(&shape) => {
                    self.all[known as usize].cells += shape.cells;
                    return known;
                }
                // Another shape has this hash.
                Some(_) => hash = hash.wrapping_add(1),
                None => {
                    let new = self.all.len() as u32;
                    self.known.insert(hash, new);
                    self.all.push(shape);
                    return new;
                }
            }
        }
    }

    fn data(&mut self, data: &Data) -> u32 {
        // Most cells have the same data as the one before.
        if let Some(last) = self.data.get(self.last as usize)
            && last == data
        {
            return self.last;
        }
        self.last = *self.known_data.entry(data.clone()).or_insert_with(|| {
            self.data.push(data.clone());
            self.data.len() as u32 - 1
        });
        self.last
    }
}

/// A hash of what the time of an operation depends on, except the optimizer, whose effect is in the cost.
pub fn rate(spec: &RunSpec) -> u64 {
    let mut hasher = DefaultHasher::new();
    match spec {
        RunSpec::Network(run) => {
            let NetworkRun { info, batch_size, precision, objective, record, .. } = &**run;
            // The kinds and widths of layers; their other settings do not affect the time.
            let mut width = info.features;
            for layer in run.layers() {
                width = layer.width(width);
                (layer.name(), width).hash(&mut hasher);
            }
            (info.features, batch_size.get(), record.is_loss_after_update()).hash(&mut hasher);
            (*precision as u8, *objective as u8).hash(&mut hasher);
        }
        RunSpec::Function(run) => (run.precision as u8).hash(&mut hasher),
    }
    hasher.finish()
}
