//! Trials: each draws a value for every distribution of a file. Together they are one axis.
//!
//! Trial i draws the value of a key at position i of the key's own stream. So additional trials do not change earlier
//! ones, and an additional distribution does not change the draws of the others. Optimizers and variants with their own
//! distributions for a key share its stream: trial 17 draws the same random number under each of them.
//!
//! A trial draws only on demand: the tree says where, and [`Draws`] with which numbers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::value::distribution::Distribution;
use crate::value::{AxisId, Choice, Draw, Form, Kind, Node, Tree};
use engine::seed::sobol::{DIMENSIONS, Sobol};
use engine::seed::{Purpose, RandomStream, Seed};

/// The draws of a file's trials.
#[derive(Debug, Clone)]
pub struct Draws {
    /// The axis of the trials.
    axis: AxisId,
    trials: u32,
    /// Every key that trials draw, in the order of the file; the key of a choice precedes those within it.
    keys: Vec<String>,
    numbers: Numbers,
}

/// The source of the numbers in [0, 1).
#[derive(Debug, Clone)]
enum Numbers {
    /// One stream for each key.
    Random(Vec<RandomStream>),
    /// One dimension for each key.
    Sobol(Vec<Sobol>),
    /// A fixed list: all keys of a trial, then those of the next.
    Listed(Arc<[f64]>),
}

impl Draws {
    /// Makes one axis of all distributions of the tree and of the axes in `sampled`, which has a key for each. The key
    /// of a distribution is its dotted path (`optimizer.lr`), without names of optimizers and variants; a choice within
    /// a choice appends `.choice`. Numbers are drawn at random.
    pub fn mark(tree: &mut Tree, trials: u32, sampled: &HashMap<AxisId, String>, seed: Seed) -> Self {
        let axis = tree.new_axis();
        let mut marker = Marker { axis, sampled, keys: Vec::new() };
        marker.mark(&mut tree.root, &mut Vec::new());
        let streams = marker.keys.iter().map(|key| seed.stream(Purpose::Sweep(key)));
        let numbers = Numbers::Random(streams.collect());
        Self { axis, trials, keys: marker.keys, numbers }
    }

    /// The same keys, but with numbers of the Sobol sequence, shifted by the seed and the key.
    ///
    /// # Errors
    /// The number of keys, if the sequence has fewer dimensions.
    pub fn with_sobol(self, seed: Seed) -> Result<Self, usize> {
        if self.keys.len() > DIMENSIONS {
            return Err(self.keys.len());
        }
        // So that the order in the file does not matter.
        let mut sorted: Vec<&String> = self.keys.iter().collect();
        sorted.sort();
        // No trial uses the last position of a key's stream.
        let shift = |key: &str| seed.stream(Purpose::Sweep(key)).at(u64::MAX).below(1 << 53);
        let dimension = |key: &String| sorted.partition_point(|before| *before < key);
        let dimensions = self.keys.iter().map(|key| Sobol::new(dimension(key), shift(key))).collect();
        Ok(Self { numbers: Numbers::Sobol(dimensions), ..self })
    }

    /// The same keys, but with `trials` trials and these numbers in [0, 1): all keys of a trial, then those of the
    /// next.
    pub fn with_numbers(self, trials: u32, numbers: Vec<f64>) -> Self {
        Self { trials, numbers: Numbers::Listed(numbers.into()), ..self }
    }

    /// Whether each trial draws every key. This is not so if a choice contains a choice, or settings that are drawn
    /// themselves.
    pub fn are_all_drawn(&self, root: &Node) -> bool {
        /// The keys that every trial draws at and below `node`.
        fn of(node: &Node) -> HashSet<usize> {
            let below = node.children().map(of);
            match &node.kind {
                Kind::Axis(axis) => match axis.form {
                    Form::Trial(Draw { distribution: Distribution::Number(_), key }) => HashSet::from([key]),
                    Form::Trial(Draw { distribution: Distribution::Choice, key }) => {
                        let in_all = below.reduce(|one, other| &one & &other);
                        &in_all.unwrap_or_default() | &HashSet::from([key])
                    }
                    _ => below.flatten().collect(),
                },
                _ => below.flatten().collect(),
            }
        }
        of(root).len() == self.keys.len()
    }

    /// The axis of the trials.
    pub fn axis(&self) -> AxisId {
        self.axis
    }

    /// The number of trials.
    pub fn trials(&self) -> u32 {
        self.trials
    }

    /// The keys that trials draw, in the order of the file.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Takes the 0-based `trial`, and what it draws.
    pub fn take(&self, trial: usize, choice: &mut Choice) {
        choice.set(self.axis, trial);
        choice.draw((0..self.keys.len()).map(|key| match &self.numbers {
            Numbers::Random(streams) => streams[key].at(trial as u64).uniform(),
            Numbers::Sobol(dimensions) => dimensions[key].at(trial as u32),
            Numbers::Listed(numbers) => numbers.get(trial * self.keys.len() + key).copied().unwrap_or_default(),
        }));
    }
}

struct Marker<'a> {
    axis: AxisId,
    sampled: &'a HashMap<AxisId, String>,
    keys: Vec<String>,
}

impl Marker<'_> {
    fn mark(&mut self, node: &mut Node, path: &mut Vec<String>) {
        match &mut node.kind {
            Kind::Table(entries) => {
                for entry in entries {
                    path.push(entry.key.clone());
                    self.mark(&mut entry.value, path);
                    path.pop();
                }
            }
            Kind::Axis(axis) => {
                let axis = Arc::make_mut(axis);
                let sampled = self.sampled.get(&axis.id);
                let drawn = match axis.form {
                    Form::Drawn(distribution) => Some(distribution),
                    _ => sampled.map(|_| Distribution::Choice),
                };
                if let Some(distribution) = drawn {
                    let key = sampled.cloned().unwrap_or_else(|| path.join("."));
                    axis.form = Form::Trial(Draw { distribution, key: self.key(key) });
                    axis.id = self.axis;
                }
                for alternative in &mut axis.alternatives {
                    let depth = path.len();
                    // A draw within a draw needs a stream of its own.
                    if drawn.is_some() && matches!(alternative.value.kind, Kind::Axis(_)) {
                        path.push("choice".to_owned());
                    }
                    self.mark(&mut alternative.value, path);
                    path.truncate(depth);
                }
            }
            _ => {}
        }
    }

    fn key(&mut self, key: String) -> usize {
        self.keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }
}
