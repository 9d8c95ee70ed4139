//! How each key of a file was read: as one value, as an axis or as a distribution.

use std::collections::{HashMap, HashSet};

use super::sections::VARIANT;
use crate::value::walk::Place;
use crate::value::{Alternative, Axis, Entry, Form, Kind, Node, NodeId, Origin, SourceId, Sources, Tree, write};

/// One key of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// `optimizer.adam.lr`, `variant.slow.train.steps`
    pub key: String,
    /// The value as written in the file, on one line.
    pub written: String,
    /// The text that has it, if that is not the main file.
    pub from: Option<String>,
    pub how: How,
}

/// How a key was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Value,
    /// An axis with this number of values.
    Axis(usize),
    /// An axis of evenly spaced numbers: the keyword, and how many.
    Spaced(&'static str, usize),
    /// Drawn from a distribution: its keyword.
    Drawn(&'static str),
    /// A variant that changes nothing.
    Unchanged,
}

impl How {
    fn of(axis: &Axis) -> Self {
        match axis.form {
            Form::Spaced(word) => Self::Spaced(word, axis.alternatives.len()),
            Form::Drawn(distribution) => Self::Drawn(distribution.word()),
            Form::Listed | Form::Trial(_) | Form::Patched => Self::Axis(axis.alternatives.len()),
        }
    }
}

/// Every key that holds a value, in the order of the file, then of those that it extends. `variants` names the variant
/// that a node is written in; `rewritten` has the texts of nodes whose parts come from several texts.
///
/// The tree's axes must be known, and its trials not combined yet.
pub fn readings(
    sources: &Sources,
    tree: &Tree,
    variants: &HashMap<NodeId, String>,
    rewritten: &HashMap<NodeId, String>,
) -> Vec<Reading> {
    let mut reader = Collector { sources, variants, rewritten, readings: Vec::new(), seen: HashSet::new() };
    reader.collect(&tree.root);
    reader.readings.sort_by_key(|(place, _)| *place);
    reader.readings.into_iter().map(|(_, reading)| reading).collect()
}

struct Collector<'a> {
    sources: &'a Sources,
    variants: &'a HashMap<NodeId, String>,
    rewritten: &'a HashMap<NodeId, String>,
    /// Each with the place where it begins.
    readings: Vec<((SourceId, usize), Reading)>,
    /// So that a node that several variants share is listed only once.
    seen: HashSet<(String, NodeId)>,
}

impl Collector<'_> {
    fn collect(&mut self, root: &Node) {
        let mut walk = root.walk();
        while let Some(place) = walk.next() {
            // A kind that the table's name implies was not written.
            let is_implied = |entry: &Entry| entry.key == "kind" && entry.value.origin == entry.key_origin;
            let is_left_out = match (place.alternative(), place.entry()) {
                // A value of an axis is listed only if it contains axes.
                (Some((axis, _)), _) => are_values(axis) && !holds_axis(place.node),
                (None, entry) => entry.is_some_and(is_implied),
            };
            match &place.node.kind {
                Kind::Axis(axis) if place.path() == [VARIANT] => {
                    self.add_unchanged(axis);
                    walk.skip_below();
                }
                _ if is_left_out => walk.skip_below(),
                Kind::Absent => {}
                Kind::Axis(axis) if are_values(axis) => self.add(&place, How::of(axis)),
                Kind::Axis(_) => {}
                Kind::Table(_) if self.sources.is_section(place.node) || holds_axis(place.node) => {}
                _ => {
                    self.add(&place, How::Value);
                    walk.skip_below();
                }
            }
        }
    }

    /// Adds the variants that change nothing.
    fn add_unchanged(&mut self, variants: &Axis) {
        let changing: HashSet<&String> = self.variants.values().collect();
        for Alternative { name, key_origin, .. } in &variants.alternatives {
            if let (Some(name), Some(key_origin)) = (name, key_origin)
                && !changing.contains(name)
            {
                let key = write::path([VARIANT, name.as_str()]);
                let reading = Reading { key, written: String::new(), from: self.from(key_origin), how: How::Unchanged };
                self.readings.push((begin(key_origin), reading));
            }
        }
    }

    fn add(&mut self, place: &Place, how: How) {
        let node = place.node;
        let in_variant = self.variants.get(&node.id).into_iter().flat_map(|name| [VARIANT, name.as_str()]);
        let key = write::path(in_variant.chain(place.path_with_names()));
        if self.seen.insert((key.clone(), node.id)) {
            let written =
                self.rewritten.get(&node.id).map_or_else(|| self.sources.excerpt(&node.origin), String::as_str);
            let mut from = self.from(&node.origin);
            if self.rewritten.contains_key(&node.id) {
                from = Some(format!("{} and --set", self.sources.name(node.origin.source)));
            }
            let reading = Reading { key, written: one_line(written), from, how };
            self.readings.push((begin(&node.origin), reading));
        }
    }

    fn from(&self, origin: &Origin) -> Option<String> {
        let source = Some(origin.source).filter(|&source| Some(source) != self.sources.first())?;
        Some(self.sources.name(source).to_owned())
    }
}

fn one_line(text: &str) -> String {
    const MOST: usize = 60;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", &words[..end]),
        None => words,
    }
}

fn begin(origin: &Origin) -> (SourceId, usize) {
    (origin.source, origin.span.start)
}

/// Whether the alternatives are values of one key, rather than patches or named tables.
fn are_values(axis: &Axis) -> bool {
    axis.form != Form::Patched && !axis.has_names()
}

fn holds_axis(node: &Node) -> bool {
    node.walk().skip(1).any(|place| place.axis().is_some())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::file::Experiment;

    #[test]
    fn a_name_with_dots_is_one_key() {
        let text = "data.source = 'mnist'\nnetwork.hidden = [3]\ntrain.steps = 5\noptimizer = 'sgd'\n[variant.a]\n\
                    [variant.'b.c'.train]\nsteps = 6\n";
        let experiment = Experiment::parse("test.toml", text.to_owned(), "test", PathBuf::new());
        let experiment = experiment.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
        let keys: Vec<&str> = experiment.readings.iter().map(|reading| reading.key.as_str()).collect();
        assert!(keys.contains(&"variant.\"b.c\".train.steps"), "{keys:?}");
    }
}
