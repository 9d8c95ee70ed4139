//! Trials: each draws a value for every distribution of a file, and they are one axis.
//!
//! Trial i draws the value of a key from the key's own stream at position i. So more trials change none of those before, and a
//! distribution more changes nothing of what the others draw. Optimizers and variants that give one key distributions of
//! their own share its stream: trial 17 has the same luck under each of them.

use std::collections::HashMap;

use super::sweep::Trials;
use crate::value::distribution::{Distribution, position};
use crate::value::{Alternative, Axis, AxisId, Entry, Form, Kind, Node, Origin, Tree};

/// Puts what the trials draw in the places of distributions and of the axes in `sampled`, which has a key for each.
///
/// `uniform(key, trial)` is a number in [0, 1), the same whenever it is asked for the same: a key's number in the 0-based
/// trial. A distribution's key is the keys that lead to it, between dots (`optimizer.lr`), names of optimizers and variants
/// left out; `.choice` follows where a choice draws from a choice. It is asked in the order of the file, every trial of one
/// place before the next place.
pub fn draw(
    tree: &mut Tree,
    trials: Trials,
    sampled: &HashMap<AxisId, String>,
    uniform: &mut dyn FnMut(&str, u32) -> f64,
) {
    let mut drawer = Drawer { axis: tree.new_axis(), trials, sampled, uniform };
    drawer.expand(&mut tree.root, &mut Vec::new());
}

/// The keys that [`draw`] may ask for, in the order of the file; a choice's own before those within it. Each stands once,
/// where it comes first.
pub fn keys(tree: &Tree, sampled: &HashMap<AxisId, String>) -> Vec<String> {
    fn walk(node: &Node, sampled: &HashMap<AxisId, String>, path: &mut Vec<String>, keys: &mut Vec<String>) {
        match &node.kind {
            Kind::Table(entries) => {
                for entry in entries {
                    path.push(entry.key.clone());
                    walk(&entry.value, sampled, path, keys);
                    path.pop();
                }
            }
            Kind::Axis(axis) => {
                let own = sampled.get(&axis.id);
                let is_drawn = own.is_some() || matches!(axis.form, Form::Drawn(_));
                if is_drawn {
                    let key = own.cloned().unwrap_or_else(|| path.join("."));
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
                if matches!(axis.form, Form::Drawn(Distribution::Number(_))) {
                    return;
                }
                for alternative in &axis.alternatives {
                    let depth = path.len();
                    if is_drawn && matches!(alternative.value.kind, Kind::Axis(_)) {
                        path.push("choice".to_owned());
                    }
                    walk(&alternative.value, sampled, path, keys);
                    path.truncate(depth);
                }
            }
            _ => {}
        }
    }
    let mut keys = Vec::new();
    walk(&tree.root, sampled, &mut Vec::new(), &mut keys);
    keys
}

struct Drawer<'a> {
    /// The axis of the trials.
    axis: AxisId,
    trials: Trials,
    sampled: &'a HashMap<AxisId, String>,
    uniform: &'a mut dyn FnMut(&str, u32) -> f64,
}

impl Drawer<'_> {
    /// Makes an axis of trials of each outermost place where they draw something.
    fn expand(&mut self, node: &mut Node, path: &mut Vec<String>) {
        match &mut node.kind {
            Kind::Table(entries) => {
                for entry in entries {
                    path.push(entry.key.clone());
                    self.expand(&mut entry.value, path);
                    path.pop();
                }
            }
            Kind::Axis(axis) if self.draws(axis) => {
                let alternatives =
                    (0..self.trials.get()).map(|trial| self.drawn(axis, &node.origin, trial, path)).collect();
                node.kind = Kind::Axis(Axis { id: self.axis, form: Form::Trials, alternatives });
            }
            Kind::Axis(axis) => {
                axis.alternatives.iter_mut().for_each(|alternative| self.expand(&mut alternative.value, path));
            }
            _ => {}
        }
    }

    fn draws(&self, axis: &Axis) -> bool {
        matches!(axis.form, Form::Drawn(_)) || self.sampled.contains_key(&axis.id)
    }

    /// What `trial` draws from an axis at `origin`.
    fn drawn(&mut self, axis: &Axis, origin: &Origin, trial: u32, path: &mut Vec<String>) -> Alternative {
        let key = self.sampled.get(&axis.id).cloned().unwrap_or_else(|| path.join("."));
        let u = (self.uniform)(&key, trial);
        if let Form::Drawn(Distribution::Number(interval)) = axis.form {
            // What a type says of the extremes, it says of what lies between them: all have one name.
            let id = axis.alternatives[0].value.id;
            return Alternative::of(Node { id, origin: origin.clone(), kind: interval.value(u) });
        }
        let chosen = &axis.alternatives[position(axis.alternatives.len(), u)];
        // A draw that is itself drawn needs luck of its own.
        let depth = path.len();
        if matches!(chosen.value.kind, Kind::Axis(_)) {
            path.push("choice".to_owned());
        }
        let value = self.under(&chosen.value, trial, path);
        path.truncate(depth);
        Alternative { name: chosen.name.clone(), key_origin: chosen.key_origin.clone(), value }
    }

    /// A node as it is in one trial.
    fn under(&mut self, node: &Node, trial: u32, path: &mut Vec<String>) -> Node {
        let kind = match &node.kind {
            Kind::Axis(axis) if self.draws(axis) => return self.drawn(axis, &node.origin, trial, path).value,
            Kind::Axis(axis) => {
                let under = |alternative: &Alternative| Alternative {
                    name: alternative.name.clone(),
                    key_origin: alternative.key_origin.clone(),
                    value: self.under(&alternative.value, trial, path),
                };
                Kind::Axis(Axis {
                    id: axis.id,
                    form: axis.form.clone(),
                    alternatives: axis.alternatives.iter().map(under).collect(),
                })
            }
            Kind::Table(entries) => {
                let under = |entry: &Entry| {
                    path.push(entry.key.clone());
                    let value = self.under(&entry.value, trial, path);
                    path.pop();
                    Entry { key: entry.key.clone(), key_origin: entry.key_origin.clone(), value }
                };
                Kind::Table(entries.iter().map(under).collect())
            }
            kind => kind.clone(),
        };
        Node { id: node.id, origin: node.origin.clone(), kind }
    }
}
