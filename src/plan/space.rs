//! The space of settings that a file declares: axes that multiply, each a list of alternatives, an alternative perhaps with
//! axes of its own. A cell is an index into it and is decoded when it is asked for.

use crate::file::short_name;
use crate::value::{AxisId, Choice, Kind, Node};

/// The product of its axes, the last one fastest.
#[derive(Debug, Clone, Default)]
pub struct Space {
    pub axes: Vec<Axis>,
}

/// Several alternatives at one place of the file.
#[derive(Debug, Clone)]
pub struct Axis {
    pub id: AxisId,
    /// The setting's short name.
    pub name: String,
    pub alternatives: Vec<Alternative>,
    /// How many cells the alternatives up to each one have together; `None` beyond 2^128.
    ends: Option<Vec<u128>>,
}

/// One value of an axis, and the space that opens up below it.
#[derive(Debug, Clone)]
pub struct Alternative {
    /// As labels write it: `he`, `lr=0.01`.
    pub label: String,
    /// As listings write it: `he`, `0.01`.
    pub value: String,
    pub inner: Space,
}

impl Space {
    /// The axes of the tree below `root`, in the order in which they first appear.
    pub fn of(root: &Node) -> Self {
        let mut space = Self::default();
        space.collect(root, &mut Vec::new());
        space
    }

    fn collect<'t>(&mut self, node: &'t Node, path: &mut Vec<&'t str>) {
        match &node.kind {
            Kind::Table(entries) => {
                for entry in entries {
                    path.push(&entry.key);
                    self.collect(&entry.value, path);
                    path.pop();
                }
            }
            Kind::Axis(axis) => {
                let name = short_name(path);
                let alternatives = axis
                    .alternatives
                    .iter()
                    .map(|alternative| {
                        let mut inner = Self::default();
                        inner.collect(&alternative.value, path);
                        let value = alternative.name.clone().unwrap_or_else(|| written(&alternative.value));
                        let speaks_for_itself = alternative.name.is_some()
                            || matches!(alternative.value.kind, Kind::Text(_))
                            || alternative.value.entry("kind").is_some();
                        let label = if speaks_for_itself { value.clone() } else { format!("{name}={value}") };
                        Alternative { label, value, inner }
                    })
                    .collect();
                self.axes.push(Axis::new(axis.id, name, alternatives));
            }
            _ => {}
        }
    }

    /// How many cells there are; `None` beyond 2^128.
    pub fn size(&self) -> Option<u128> {
        self.axes.iter().try_fold(1, |size: u128, axis| size.checked_mul(axis.size()?))
    }

    /// Takes the alternatives of the cell `index`, and returns them in the order of the file.
    ///
    /// # Panics
    /// Where `index` is not below [`size`](Self::size).
    pub fn decode<'s>(&'s self, mut index: u128, choice: &mut Choice, taken: &mut Vec<(&'s Axis, &'s Alternative)>) {
        let mut digits = vec![0; self.axes.len()];
        for (digit, axis) in digits.iter_mut().zip(&self.axes).rev() {
            let size = axis.size().expect("an index below the size exists only where the size does");
            *digit = index % size;
            index /= size;
        }
        assert_eq!(index, 0, "the space has no such cell");
        for (digit, axis) in digits.into_iter().zip(&self.axes) {
            let ends = axis.ends.as_deref().expect("a part is not larger than the whole");
            let position = ends.partition_point(|end| *end <= digit);
            let begin = if position == 0 { 0 } else { ends[position - 1] };
            let alternative = &axis.alternatives[position];
            choice.set(axis.id, position);
            taken.push((axis, alternative));
            alternative.inner.decode(digit - begin, choice, taken);
        }
    }
}

impl Axis {
    fn new(id: AxisId, name: String, alternatives: Vec<Alternative>) -> Self {
        let add = |sum: &mut u128, alternative: &Alternative| {
            *sum = sum.checked_add(alternative.inner.size()?)?;
            Some(*sum)
        };
        let ends: Vec<u128> = alternatives.iter().scan(0, add).collect();
        Self { id, name, ends: (ends.len() == alternatives.len()).then_some(ends), alternatives }
    }

    /// How many cells this axis alone has: alternatives, those with inner axes counted as often as these multiply.
    pub fn size(&self) -> Option<u128> {
        self.ends.as_ref()?.last().copied()
    }

    /// Whether there is anything to tell apart: one optimizer's table alone declares no axis.
    pub fn is_declared(&self) -> bool {
        self.name != "optimizer" || self.alternatives.len() > 1
    }
}

/// A value as labels write it.
fn written(node: &Node) -> String {
    use crate::settings::Scalar;
    match &node.kind {
        Kind::Bool(value) => value.to_string(),
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) => Scalar::Float(*value).to_string(),
        Kind::Text(value) | Kind::Date(value) => value.clone(),
        Kind::List(items) if items.is_empty() => "none".to_owned(),
        Kind::List(items) => {
            // Widths as everyone writes them; numbers with signs and fractions apart.
            let are_widths = items.iter().all(|item| matches!(item.kind, Kind::Int(0..)));
            items.iter().map(written).collect::<Vec<_>>().join(if are_widths { "-" } else { "," })
        }
        Kind::Table(entries) => {
            let kind = entries.iter().find(|entry| entry.key == "kind").map(|entry| written(&entry.value));
            let settings: Vec<_> = entries
                .iter()
                .filter(|entry| entry.key != "kind" && !matches!(entry.value.kind, Kind::Axis(_)))
                .map(|entry| format!("{}={}", entry.key, written(&entry.value)))
                .collect();
            match (kind, settings.is_empty()) {
                (Some(kind), true) => kind,
                (kind, _) => format!("{}({})", kind.unwrap_or_default(), settings.join(" ")),
            }
        }
        Kind::Axis(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// A space of nested axes, ids in the order in which they are met.
    fn space(depth: u32) -> impl Strategy<Value = Space> {
        let leaf = Just(Space::default()).boxed();
        (0..depth).fold(leaf, |inner, _| {
            let alternatives = prop::collection::vec(inner, 1..4);
            prop::collection::vec(alternatives, 0..3)
                .prop_map(|axes| Space {
                    axes: axes
                        .into_iter()
                        .map(|inner| {
                            Axis::new(
                                AxisId::test(0),
                                String::new(),
                                inner
                                    .into_iter()
                                    .enumerate()
                                    .map(|(index, inner)| Alternative {
                                        label: String::new(),
                                        value: index.to_string(),
                                        inner,
                                    })
                                    .collect(),
                            )
                        })
                        .collect(),
                })
                .boxed()
        })
    }

    fn number(space: &mut Space, next: &mut usize) {
        for axis in &mut space.axes {
            axis.id = AxisId::test(*next);
            *next += 1;
            axis.alternatives.iter_mut().for_each(|alternative| number(&mut alternative.inner, next));
        }
    }

    /// How many cells there are, counted one by one.
    fn count(space: &Space) -> u128 {
        space.axes.iter().map(|axis| axis.alternatives.iter().map(|a| count(&a.inner)).sum::<u128>()).product()
    }

    proptest! {
        #[test]
        fn every_cell_is_decoded_once_and_the_last_axis_is_fastest(mut space in space(3)) {
            number(&mut space, &mut 0);
            let size = space.size().unwrap();
            prop_assert_eq!(size, count(&space));
            let mut cells = HashSet::new();
            let mut before: Option<Vec<usize>> = None;
            for index in 0..size.min(500) {
                let (mut choice, mut taken) = (Choice::default(), Vec::new());
                space.decode(index, &mut choice, &mut taken);
                let cell: Vec<usize> = taken.iter().map(|(_, alternative)| alternative.value.parse().unwrap()).collect();
                for ((axis, _), position) in taken.iter().zip(&cell) {
                    prop_assert_eq!(choice.get(axis.id), *position);
                }
                prop_assert!(before.is_none_or(|before| before < cell), "cells come in lexicographic order");
                prop_assert!(cells.insert(cell.clone()));
                before = Some(cell);
            }
        }
    }

    #[test]
    fn a_size_beyond_all_numbers_is_none() {
        let alternative = || Alternative { label: String::new(), value: String::new(), inner: Space::default() };
        let axis = || Axis::new(AxisId::test(0), String::new(), (0..1024).map(|_| alternative()).collect());
        assert_eq!(Space { axes: (0..12).map(|_| axis()).collect() }.size(), Some(1 << 120));
        assert_eq!(Space { axes: (0..13).map(|_| axis()).collect() }.size(), None);
    }
}
