//! The space of settings that a file declares: axes that multiply, each a list of alternatives, an alternative perhaps with
//! axes of its own. A cell is an index into it and is decoded when it is asked for.
//!
//! Places of the tree that share one axis move together. The axis stands where the first of them does; each further one is a
//! *given* axis in the space that opens up below an alternative, with the one value that goes with it.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::file::{VARIANT, short_name};
use crate::number::shortest;
use crate::value::{self, AxisId, Choice, Form, Kind, Node};

/// The product of its axes, the last one fastest.
#[derive(Debug, Clone, Default)]
pub struct Space {
    pub axes: Vec<Axis>,
}

/// Several alternatives at one place of the file.
#[derive(Debug, Clone)]
pub struct Axis {
    pub id: AxisId,
    /// The setting's short name; `variant`; `trial`.
    pub name: String,
    /// One alone where the axis is given.
    pub alternatives: Vec<Alternative>,
    /// Whether another place has taken the alternative already.
    pub is_given: bool,
    /// Whether there is anything to tell apart: one optimizer's table alone declares no axis.
    pub is_declared: bool,
    /// How many cells the alternatives up to each one have together; `None` beyond 2^128.
    ends: Option<Vec<u128>>,
}

/// One value of an axis, and the space that opens up below it.
#[derive(Debug, Clone)]
pub struct Alternative {
    /// 0-based, among all that the axis has in the tree.
    pub position: usize,
    /// As labels write it: `he`, `lr=0.01`; empty where they need not.
    pub label: String,
    /// As listings write it: `he`, `0.01`.
    pub value: String,
    pub inner: Space,
}

/// The setting whose values are lists of widths.
pub const LISTS: &str = "hidden";

/// More alternatives than this belong to more runs than a plan can have.
const MOST_ALTERNATIVES: usize = 4_000_000;

impl Space {
    /// The axes of the tree below `root`, in the order in which they first appear; nothing where they have more alternatives
    /// than a plan has runs.
    pub fn of(root: &Node) -> Option<Self> {
        let mut places = Vec::new();
        collect(root, &mut Vec::new(), &mut places);
        // Variants stand where the file names them, and not where the first key is that they change.
        if let Some(leader) = places.iter().position(Place::is_variant) {
            let id = places[leader].axis.id;
            let (led, mut others): (Vec<_>, Vec<_>) =
                places.into_iter().partition(|place| place.axis.id == id && !place.is_variant());
            let after = others.iter().position(Place::is_variant).map_or(0, |position| position + 1);
            others.splice(after..after, led);
            places = others;
        }
        Builder { taken: HashMap::new(), short: HashMap::new(), left: MOST_ALTERNATIVES }.space(places)
    }

    /// How many cells there are; `None` beyond 2^128.
    pub fn size(&self) -> Option<u128> {
        self.axes.iter().try_fold(1, |size: u128, axis| size.checked_mul(axis.size()?))
    }

    /// Which cell of each axis the cell `index` takes, those within an axis counted.
    ///
    /// # Panics
    /// As [`decode`](Self::decode).
    fn digits(&self, mut index: u128) -> Vec<u128> {
        let mut digits = vec![0; self.axes.len()];
        for (digit, axis) in digits.iter_mut().zip(&self.axes).rev() {
            let size = axis.size().expect("an index below the size exists only where the size does");
            *digit = index % size;
            index /= size;
        }
        assert_eq!(index, 0, "the space has no such cell");
        digits
    }

    /// The outermost declared axes, each with the name and which of its cells the cell `index` takes, those within it counted.
    ///
    /// # Panics
    /// As [`decode`](Self::decode).
    pub fn places(&self, index: u128) -> Vec<(String, u128)> {
        let mut places = Vec::new();
        for (digit, axis) in self.digits(index).into_iter().zip(&self.axes) {
            match axis.alternatives.as_slice() {
                // One optimizer alone is no axis, but what it holds may be.
                [only] if !axis.is_declared => places.extend(only.inner.places(digit)),
                _ => places.push((axis.name.clone(), digit)),
            }
        }
        places
    }

    /// Takes the alternatives of the cell `index`, and returns them in the order of the file.
    ///
    /// # Panics
    /// Where `index` is not below [`size`](Self::size).
    pub fn decode<'s>(&'s self, index: u128, choice: &mut Choice, taken: &mut Vec<(&'s Axis, &'s Alternative)>) {
        for (digit, axis) in self.digits(index).into_iter().zip(&self.axes) {
            let ends = axis.ends.as_deref().expect("a part is not larger than the whole");
            let position = ends.partition_point(|end| *end <= digit);
            let begin = if position == 0 { 0 } else { ends[position - 1] };
            let alternative = &axis.alternatives[position];
            choice.set(axis.id, alternative.position);
            taken.push((axis, alternative));
            alternative.inner.decode(digit - begin, choice, taken);
        }
    }
}

/// An axis of the tree, and the keys that lead to it.
#[derive(Clone)]
struct Place<'t> {
    axis: &'t value::Axis,
    path: Vec<&'t str>,
}

impl<'t> Place<'t> {
    /// Whether this is where the file names its variants.
    fn is_variant(&self) -> bool {
        self.path == [VARIANT]
    }

    /// Whether this is a key that variants change, which their names say already.
    fn is_patched(&self) -> bool {
        self.axis.form == Form::Patched && !self.is_variant()
    }

    /// The axes within one of the alternatives.
    fn within(&self, position: usize) -> Vec<Place<'t>> {
        let mut places = Vec::new();
        collect(&self.axis.alternatives[position].value, &mut self.path.clone(), &mut places);
        places
    }

    /// What stands between the items of a list: widths are written as everyone writes them.
    fn separator(&self) -> &'static str {
        if short_name(&self.path) == LISTS { "-" } else { "," }
    }

    fn is_declared(&self) -> bool {
        self.axis.alternatives.len() > 1 || short_name(&self.path) != "optimizer"
    }

    /// One of the alternatives, without what opens up below it. `in_short` is how its label writes a number that nobody wrote.
    fn alternative(&self, position: usize, in_short: Option<&String>) -> Alternative {
        let alternative = &self.axis.alternatives[position];
        let value = alternative.name.clone().unwrap_or_else(|| written(&alternative.value, self.separator()));
        let in_short = in_short.unwrap_or(&value);
        let speaks_for_itself = alternative.name.is_some()
            || matches!(alternative.value.kind, Kind::Text(_))
            || alternative.value.entry("kind").is_some();
        let label = if self.axis.form == Form::Trials {
            String::new()
        } else if speaks_for_itself {
            value.clone()
        } else {
            format!("{}={in_short}", short_name(&self.path))
        };
        Alternative { position, label, value, inner: Space::default() }
    }
}

fn collect<'t>(node: &'t Node, path: &mut Vec<&'t str>, places: &mut Vec<Place<'t>>) {
    match &node.kind {
        Kind::Table(entries) => {
            for entry in entries {
                path.push(&entry.key);
                collect(&entry.value, path, places);
                path.pop();
            }
        }
        Kind::Axis(axis) => places.push(Place { axis, path: path.clone() }),
        _ => {}
    }
}

struct Builder {
    /// The alternative of each axis around the space that is built.
    taken: HashMap<AxisId, usize>,
    /// How labels write the alternatives of spaced axes, by the axis's place in memory.
    short: HashMap<*const value::Axis, HashMap<usize, String>>,
    /// How many more alternatives there may be.
    left: usize,
}

impl Builder {
    /// The space of these places; nothing where it has too many alternatives.
    fn space(&mut self, places: Vec<Place<'_>>) -> Option<Space> {
        let mut waiting: VecDeque<(Place, HashSet<AxisId>)> =
            places.into_iter().map(|place| (place.clone(), self.axes_of(&place))).collect();
        let mut space = Space::default();
        while let Some((first, axes)) = waiting.pop_front() {
            if let Some(&position) = self.taken.get(&first.axis.id) {
                for place in first.within(position).into_iter().rev() {
                    let axes = self.axes_of(&place);
                    waiting.push_front((place, axes));
                }
                let is_absent = first.axis.alternatives[position].value.is_absent() && !first.is_variant();
                if !first.is_patched() && !is_absent {
                    let alternative = first.alternative(position, self.in_short(first.axis).get(&position));
                    let mut given = Axis::new(first.axis.id, short_name(&first.path), vec![alternative]);
                    given.is_given = true;
                    given.is_declared = first.is_declared();
                    space.axes.push(given);
                }
                continue;
            }
            let together = connected(axes, &mut waiting);
            space.axes.push(self.axis(&first, &together)?);
        }
        Some(space)
    }

    /// The axis that `first` is the first place of, with all that moves `together` with something of it below its alternatives.
    fn axis(&mut self, first: &Place<'_>, together: &[Place<'_>]) -> Option<Axis> {
        let is_trials = first.axis.form == Form::Trials;
        let mut alternatives = Vec::with_capacity(first.axis.alternatives.len());
        for position in 0..first.axis.alternatives.len() {
            self.left = self.left.checked_sub(1)?;
            self.taken.insert(first.axis.id, position);
            let mut within = if is_trials { vec![first.clone()] } else { first.within(position) };
            within.extend_from_slice(together);
            let alternative = if is_trials {
                let (label, value) = (format!("trial {position:03}"), position.to_string());
                Alternative { position, label, value, inner: Space::default() }
            } else {
                first.alternative(position, self.in_short(first.axis).get(&position))
            };
            alternatives.push(Alternative { inner: self.space(within)?, ..alternative });
        }
        self.taken.remove(&first.axis.id);
        let name = if is_trials { "trial".to_owned() } else { short_name(&first.path) };
        let mut axis = Axis::new(first.axis.id, name, alternatives);
        axis.is_declared = is_trials || first.is_declared();
        Some(axis)
    }

    /// The numbers of an axis that nobody wrote, by position, each with the digits that tell it apart from the others.
    fn in_short(&mut self, axis: &value::Axis) -> &HashMap<usize, String> {
        self.short.entry(std::ptr::from_ref(axis)).or_insert_with(|| match axis.form {
            Form::Spaced(_) => shortened(axis.alternatives.iter().map(|alternative| &alternative.value.kind)),
            _ => HashMap::new(),
        })
    }

    /// The axes at and below `place` that have not been taken.
    fn axes_of(&self, place: &Place<'_>) -> HashSet<AxisId> {
        let mut axes = HashSet::new();
        self.add_axes(place.axis, &mut axes);
        axes
    }

    fn add_axes(&self, axis: &value::Axis, axes: &mut HashSet<AxisId>) {
        let mut add = |node: &Node| self.add_axes_below(node, axes);
        match self.taken.get(&axis.id) {
            Some(&position) => add(&axis.alternatives[position].value),
            None => {
                axis.alternatives.iter().for_each(|alternative| add(&alternative.value));
                axes.insert(axis.id);
            }
        }
    }

    fn add_axes_below(&self, node: &Node, axes: &mut HashSet<AxisId>) {
        match &node.kind {
            Kind::Axis(axis) => self.add_axes(axis, axes),
            Kind::Table(entries) => entries.iter().for_each(|entry| self.add_axes_below(&entry.value, axes)),
            _ => {}
        }
    }
}

/// Takes out of `waiting` every place that shares one of `axes`, or one with a place that does, and so on.
fn connected<'t>(mut axes: HashSet<AxisId>, waiting: &mut VecDeque<(Place<'t>, HashSet<AxisId>)>) -> Vec<Place<'t>> {
    let mut is_connected = vec![false; waiting.len()];
    loop {
        let before = axes.len();
        for ((_, own), is_connected) in waiting.iter().zip(&mut is_connected) {
            // A place whose axes have all been taken waits for nothing, and nothing waits for it.
            if !*is_connected && !axes.is_disjoint(own) {
                *is_connected = true;
                axes.extend(own);
            }
        }
        if axes.len() == before {
            break;
        }
    }
    let mut together = Vec::new();
    for (entry, is_connected) in std::mem::take(waiting).into_iter().zip(is_connected) {
        if is_connected { together.push(entry.0) } else { waiting.push_back(entry) }
    }
    together
}

impl Axis {
    fn new(id: AxisId, name: String, alternatives: Vec<Alternative>) -> Self {
        let add = |sum: &mut u128, alternative: &Alternative| {
            *sum = sum.checked_add(alternative.inner.size()?)?;
            Some(*sum)
        };
        let ends: Vec<u128> = alternatives.iter().scan(0, add).collect();
        let ends = (ends.len() == alternatives.len()).then_some(ends);
        Self { id, name, alternatives, is_given: false, is_declared: true, ends }
    }

    /// How many cells this axis alone has: alternatives, those with inner axes counted as often as these multiply.
    pub fn size(&self) -> Option<u128> {
        self.ends.as_ref()?.last().copied()
    }
}

/// The numbers among `values`, by position, with as many digits as tell each apart from the others: three at least. Whole
/// numbers keep all of theirs.
fn shortened<'t>(values: impl Iterator<Item = &'t Kind>) -> HashMap<usize, String> {
    let rounded = |number: &Kind, digits: usize| match number {
        Kind::Float(number) => format!("{number:.digits$e}").parse().ok().map(shortest),
        Kind::Int(number) => Some(number.to_string()),
        _ => None,
    };
    let mut waiting: Vec<(usize, &Kind)> = values.enumerate().collect();
    let mut short = HashMap::new();
    // Digits behind the first one; 17 digits in all tell any two numbers apart.
    for digits in 2..17 {
        let mut same: HashMap<String, Vec<(usize, &Kind)>> = HashMap::new();
        for (position, number) in waiting.drain(..) {
            if let Some(text) = rounded(number, digits) {
                same.entry(text).or_default().push((position, number));
            }
        }
        for (text, numbers) in same {
            match numbers.as_slice() {
                [(position, _)] => _ = short.insert(*position, text),
                _ => waiting.extend(numbers),
            }
        }
    }
    short
}

/// A value as labels write it, `separator` between the items of a list.
fn written(node: &Node, separator: &str) -> String {
    use crate::settings::Scalar;
    match &node.kind {
        Kind::Bool(value) => value.to_string(),
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) => Scalar::Float(*value).to_string(),
        Kind::Text(value) | Kind::Date(value) => value.clone(),
        Kind::List(items) if items.is_empty() => "none".to_owned(),
        Kind::List(items) => items.iter().map(|item| written(item, separator)).collect::<Vec<_>>().join(separator),
        Kind::Table(entries) => {
            let kind = entries.iter().find(|entry| entry.key == "kind").map(|entry| written(&entry.value, separator));
            let settings: Vec<_> = entries
                .iter()
                .filter(|entry| entry.key != "kind" && !matches!(entry.value.kind, Kind::Axis(_)))
                .map(|entry| format!("{}={}", entry.key, written(&entry.value, separator)))
                .collect();
            match (kind, settings.is_empty()) {
                (Some(kind), true) => kind,
                (kind, _) => format!("{}({})", kind.unwrap_or_default(), settings.join(" ")),
            }
        }
        Kind::Axis(_) | Kind::Absent => String::new(),
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
                                        position: index,
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
        let alternative =
            || Alternative { position: 0, label: String::new(), value: String::new(), inner: Space::default() };
        let axis = || Axis::new(AxisId::test(0), String::new(), (0..1024).map(|_| alternative()).collect());
        assert_eq!(Space { axes: (0..12).map(|_| axis()).collect() }.size(), Some(1 << 120));
        assert_eq!(Space { axes: (0..13).map(|_| axis()).collect() }.size(), None);
    }
}
