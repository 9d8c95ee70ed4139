//! Which axes decide what: so that what depends on few of them is found out once for each of their combinations, however many
//! cells these are a part of.

use std::collections::{HashMap, HashSet};

use super::space::{Alternative, Axis};
use crate::file::{VARIANT, short_name};
use crate::value::{self, AxisId, Form, Kind, Node};

/// Parts of a run that are described apart from one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// Data, network, function, training and records: everything else.
    Frame,
    Optimizer,
    Init,
    Regularization,
}

/// How many aspects there are.
pub const ASPECTS: usize = 4;

impl Aspect {
    fn of(section: &str) -> Self {
        match section {
            "optimizer" => Self::Optimizer,
            "init" => Self::Init,
            "regularization" => Self::Regularization,
            _ => Self::Frame,
        }
    }
}

/// What an axis decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// These settings, each of which is a number or a word of its own that no rule compares with any other. For a setting
    /// of this kind it is enough to look at each value once.
    Alone(Vec<String>),
    /// Whatever the aspects are that are marked.
    Aspects([bool; ASPECTS]),
}

/// The reach of every axis of a tree.
pub fn reaches(root: &Node) -> HashMap<AxisId, Reach> {
    let mut places = Vec::new();
    collect(root, &mut Vec::new(), false, &mut places);
    // Where a variant patches a key or runs compute in either precision, no setting is judged alone.
    let precision_varies = places.iter().any(|place| place.path.as_slice() == ["train", "precision"]);
    let none_alone = precision_varies || root.entry(VARIANT).is_some();
    let lr_is_alone = !says(root, &["schedule", "warm_up"]);
    let is_alone = |path: &[&str]| match path {
        ["regularization", _] => true,
        ["optimizer", "lr"] => lr_is_alone,
        ["optimizer", key] => !["kind", "schedule", "warm_up"].contains(key),
        _ => false,
    };
    let mut places_of: HashMap<AxisId, Vec<&Place>> = HashMap::new();
    for place in &places {
        places_of.entry(place.axis.id).or_default().push(place);
    }
    let reach = |places: Vec<&Place>| {
        let are_alone = !none_alone && places.iter().all(|place| place.is_plain() && is_alone(&place.path));
        if are_alone && are_one_decision(&places) {
            let mut names: Vec<String> = places.iter().map(|place| short_name(&place.path)).collect();
            names.dedup();
            return Reach::Alone(names);
        }
        let mut aspects = [false; ASPECTS];
        for place in places {
            match place.path.first() {
                // What a variant makes wrong is said of it, whichever keys it changes.
                Some(&VARIANT) | None => aspects = [true; ASPECTS],
                Some(section) => aspects[Aspect::of(section) as usize] = true,
            }
        }
        Reach::Aspects(aspects)
    };
    places_of.into_iter().map(|(axis, places)| (axis, reach(places))).collect()
}

/// Whether an alternative of the axis that stands at these places decides the same wherever the axis is taken: one setting with the
/// same values at all of them, or several that every cell has. What optimizers have each their own values of is not the same.
fn are_one_decision(places: &[&Place]) -> bool {
    let values = |place: &Place| -> Vec<Kind> {
        place.axis.alternatives.iter().map(|alternative| alternative.value.kind.clone()).collect()
    };
    let names: HashSet<String> = places.iter().map(|place| short_name(&place.path)).collect();
    match names.len() {
        1 => places.windows(2).all(|pair| values(pair[0]) == values(pair[1])),
        count => count == places.len() && places.iter().all(|place| !place.is_conditional),
    }
}

/// Where an axis stands.
struct Place<'t> {
    path: Vec<&'t str>,
    axis: &'t value::Axis,
    /// Within one of several alternatives of another axis.
    is_conditional: bool,
}

impl Place<'_> {
    fn is_plain(&self) -> bool {
        self.axis.form != Form::Patched && self.axis.alternatives.iter().all(|one| is_scalar(&one.value))
    }
}

fn is_scalar(node: &Node) -> bool {
    matches!(node.kind, Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_))
}

fn collect<'t>(node: &'t Node, path: &mut Vec<&'t str>, is_conditional: bool, places: &mut Vec<Place<'t>>) {
    match &node.kind {
        Kind::Table(entries) => {
            for entry in entries {
                path.push(&entry.key);
                collect(&entry.value, path, is_conditional, places);
                path.pop();
            }
        }
        Kind::Axis(axis) => {
            places.push(Place { path: path.clone(), axis, is_conditional });
            let is_conditional = is_conditional || axis.alternatives.len() > 1;
            axis.alternatives.iter().for_each(|alternative| collect(&alternative.value, path, is_conditional, places));
        }
        _ => {}
    }
}

/// Whether one of `keys` stands anywhere below `node`.
fn says(node: &Node, keys: &[&str]) -> bool {
    node.entries().into_iter().flatten().any(|entry| keys.contains(&entry.key.as_str()))
        || node.children().any(|child| says(child, keys))
}

/// Numbers the combinations of alternatives that decide an aspect, in the order in which they are met.
#[derive(Debug, Default)]
pub struct States {
    next: HashMap<(u32, AxisId, usize), u32>,
}

impl States {
    /// The combination that `state` becomes by this alternative.
    pub fn after(&mut self, state: u32, axis: &Axis, alternative: &Alternative) -> u32 {
        let new = self.next.len() as u32 + 1;
        *self.next.entry((state, axis.id, alternative.position)).or_insert(new)
    }
}
