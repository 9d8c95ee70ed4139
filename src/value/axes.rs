//! Finds out which lists of a tree are values and which are axes, and everything that a type rejects under any choice.
//!
//! A list is an axis if the type does not expect a list there. So the type itself decides: it reads the tree; if it
//! finds an unexpected list, the key's list becomes an axis, and the type reads again under each of its values.
//! Rejected nodes are left out and recorded, so that every mistake is found at once.

use std::collections::HashSet;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::deserialize::deserialize;
use super::fault::Fault;
use super::problem::Problem;
use super::{Alternative, Axis, AxisId, Choice, Form, Kind, Node, NodeId, Rejected, Tree};

/// Turns the lists that are axes for `T` into axes. Adds to `rejected` everything that `T` rejects under any choice,
/// with the nodes to leave out so that `T` accepts the rest.
pub fn find<T: DeserializeOwned>(tree: &mut Tree, rejected: Rejected) -> Rejected {
    let mut finder = Finder { tree, rejected, pending: Vec::new() };
    finder.known_axes();
    finder.read::<T>(Choice::default());
    let mut seen = HashSet::new();
    while let Some((axis, alternatives, choice)) = finder.pending.pop() {
        if !seen.insert((axis, choice.clone())) {
            continue;
        }
        for alternative in alternatives {
            let mut choice = choice.clone();
            choice.set(axis, alternative);
            finder.read::<T>(choice);
        }
    }
    let Finder { tree, mut rejected, .. } = finder;
    refuse_in_lists(&tree.root, false, &mut rejected);
    rejected
}

/// Refuses axes within a list that is a value.
fn refuse_in_lists(node: &Node, is_in_list: bool, rejected: &mut Rejected) {
    if is_in_list && matches!(node.kind, Kind::Axis(_)) {
        let problem = Problem::new("a list cannot contain an axis").at(node.origin.clone());
        rejected.problems.push(problem.label("expected one value").help(LISTS_AS_AXES));
        rejected.dropped.insert(node.id);
        return;
    }
    let is_in_list = is_in_list || matches!(node.kind, Kind::List(_));
    node.children().for_each(|child| refuse_in_lists(child, is_in_list, rejected));
}

const LISTS_AS_AXES: &str = "the whole list can be an axis, written as a list of lists";

struct Finder<'t> {
    tree: &'t mut Tree,
    /// What was rejected so far; it is left out of all further readings.
    rejected: Rejected,
    /// Axes of which only the first alternative has been read: the alternatives still to read, and the choice that
    /// leads to the axis.
    pending: Vec<(AxisId, Vec<usize>, Choice)>,
}

impl Finder<'_> {
    /// Reads the tree under `choice` until `T` rejects nothing more.
    fn read<T: DeserializeOwned>(&mut self, choice: Choice) {
        let mut left_out = self.rejected.dropped.clone();
        while let Err(fault) = deserialize::<T>(&self.tree.root, &choice, &left_out) {
            let Some(node) = fault.node() else {
                self.rejected.problems.push(fault.into_problem());
                return;
            };
            if fault.is_unwanted_list() && self.make_axis(node, &choice) {
                continue;
            }
            // If this node only lacks something that was left out, that is not a new mistake.
            let follows_from_another = self.any_below(node, &left_out);
            if !follows_from_another {
                self.rejected.dropped.insert(node);
                let problem = self.explain(fault, node);
                self.rejected.problems.push(problem);
            }
            if node == self.tree.root.id || !left_out.insert(node) {
                return;
            }
        }
    }

    /// The fault as a problem, with notes on axes.
    fn explain(&self, fault: Fault, node: NodeId) -> Problem {
        let (wrong_type, unwanted_list) = (fault.is_wrong_type(), fault.is_unwanted_list());
        let problem = fault.into_problem();
        let mut values = Vec::new();
        collect_values(&self.tree.root, &mut values);
        let axis_of = values.into_iter().find_map(|(key, value)| match &value.kind {
            Kind::Axis(axis) if axis.alternatives.iter().any(|alternative| alternative.value.id == node) => {
                Some((key, &axis.form))
            }
            _ => None,
        });
        match axis_of {
            Some((key, Form::Listed)) if unwanted_list => {
                problem.help(format!("a list of values makes `{key}` an axis; the values themselves cannot be lists"))
            }
            Some((key, Form::Listed)) if wrong_type => problem
                .help(format!("`{key}` is an axis here: every value in the list must have the type of the setting")),
            Some((_, Form::Drawn(distribution))) if wrong_type && distribution.draws_fractions() => {
                problem.help("`int_uniform` draws whole numbers, `choice` values of any kind")
            }
            None if unwanted_list && self.is_empty_list(node) => {
                problem.help("a list of values makes an axis, which needs at least one value")
            }
            None if unwanted_list && self.is_in_table_of_list(node) => {
                problem.help(format!("a list cannot contain an axis; {LISTS_AS_AXES}"))
            }
            None if unwanted_list => problem.help("the lists are nested too deeply here"),
            _ => problem,
        }
    }

    fn is_in_table_of_list(&self, node: NodeId) -> bool {
        let mut values = Vec::new();
        collect_values(&self.tree.root, &mut values);
        let around = values.into_iter().find(|(_, value)| matches!(value.kind, Kind::List(_)) && value.holds(node));
        around.is_some_and(|(_, list)| !holds_in_lists(list, node))
    }

    fn is_empty_list(&self, node: NodeId) -> bool {
        fn search(at: &Node, node: NodeId) -> bool {
            (at.id == node && matches!(&at.kind, Kind::List(items) if items.is_empty()))
                || at.children().any(|child| search(child, node))
        }
        search(&self.tree.root, node)
    }

    /// Turns the key's list that is or contains `node` into an axis; false if it is in an axis already.
    fn make_axis(&mut self, node: NodeId, choice: &Choice) -> bool {
        let Some(list) = value_around(&self.tree.root, node) else { return false };
        let axis = self.tree.new_axis();
        let mut alternatives = 0;
        self.tree.root.for_each(&mut |found| {
            if found.id == list {
                alternatives = into_axis(found, axis);
            }
        });
        if alternatives == 0 {
            return false;
        }
        self.pending.push((axis, (1..alternatives).collect(), choice.clone()));
        true
    }

    /// Adds the existing axes of the tree to `pending`, each with the choice that leads to it.
    fn known_axes(&mut self) {
        fn walk(node: &Node, choice: &Choice, pending: &mut Vec<(AxisId, Vec<usize>, Choice)>) {
            match &node.kind {
                Kind::Axis(axis) => {
                    pending.push((axis.id, telling(axis), choice.clone()));
                    for (index, alternative) in axis.alternatives.iter().enumerate() {
                        if alternative.value.children().next().is_none() {
                            continue;
                        }
                        let mut choice = choice.clone();
                        choice.set(axis.id, index);
                        walk(&alternative.value, &choice, pending);
                    }
                }
                Kind::Table(entries) => entries.iter().for_each(|entry| walk(&entry.value, choice, pending)),
                _ => {}
            }
        }
        walk(&self.tree.root, &Choice::default(), &mut self.pending);
    }

    /// Whether a node of `set` is below `node`.
    fn any_below(&self, node: NodeId, set: &HashSet<NodeId>) -> bool {
        fn holds(node: &Node, set: &HashSet<NodeId>) -> bool {
            node.children().any(|child| set.contains(&child.id) || holds(child, set))
        }
        fn search(at: &Node, node: NodeId, set: &HashSet<NodeId>) -> bool {
            if at.id == node { holds(at, set) } else { at.children().any(|child| search(child, node, set)) }
        }
        search(&self.tree.root, node, set)
    }
}

/// The alternatives of an axis, besides the first, under which `T` has to be read. For evenly spaced numbers, these are
/// the smallest and the largest, among integers and among fractions: a type that accepts both accepts all numbers
/// between them.
fn telling(axis: &Axis) -> Vec<usize> {
    if !matches!(axis.form, Form::Spaced(_)) {
        return (1..axis.alternatives.len()).collect();
    }
    let number = |index: &usize| match axis.alternatives[*index].value.kind {
        Kind::Int(value) => value as f64,
        Kind::Float(value) => value,
        _ => f64::NAN,
    };
    let (whole, others): (Vec<usize>, Vec<usize>) =
        (0..axis.alternatives.len()).partition(|index| matches!(axis.alternatives[*index].value.kind, Kind::Int(_)));
    let mut telling = Vec::new();
    for kind in [whole, others] {
        telling.extend(kind.iter().copied().min_by(|a, b| number(a).total_cmp(&number(b))));
        telling.extend(kind.iter().copied().max_by(|a, b| number(a).total_cmp(&number(b))));
    }
    telling.sort_unstable();
    telling.dedup();
    telling
}

/// Turns a nonempty list into an axis; returns the number of alternatives, 0 for an empty list.
fn into_axis(node: &mut Node, id: AxisId) -> usize {
    let Kind::List(items) = &mut node.kind else { return 0 };
    if items.is_empty() {
        return 0;
    }
    let alternatives: Vec<_> = items.drain(..).map(Alternative::of).collect();
    let count = alternatives.len();
    node.kind = Kind::Axis(Arc::new(Axis { id, form: Form::Listed, alternatives }));
    count
}

/// The list that is a key's value and is or contains `target`.
fn value_around(node: &Node, target: NodeId) -> Option<NodeId> {
    let mut values = Vec::new();
    collect_values(node, &mut values);
    values.into_iter().find_map(|(_, value)| match value.kind {
        Kind::List(_) if holds_in_lists(value, target) => Some(value.id),
        _ => None,
    })
}

/// Whether `target` is `node` or nested in it through lists only.
fn holds_in_lists(node: &Node, target: NodeId) -> bool {
    node.id == target
        || matches!(&node.kind, Kind::List(items) if items.iter().any(|item| holds_in_lists(item, target)))
}

/// Every key outside of lists, with its value. A patched key has several values.
fn collect_values<'t>(node: &'t Node, values: &mut Vec<(&'t str, &'t Node)>) {
    fn add<'t>(key: &'t str, value: &'t Node, values: &mut Vec<(&'t str, &'t Node)>) {
        match &value.kind {
            Kind::Axis(axis) if axis.form == Form::Patched => {
                axis.alternatives.iter().for_each(|alternative| add(key, &alternative.value, values));
            }
            _ => {
                values.push((key, value));
                collect_values(value, values);
            }
        }
    }
    match &node.kind {
        Kind::Table(table) => table.iter().for_each(|entry| add(&entry.key, &entry.value, values)),
        Kind::Axis(axis) => axis.alternatives.iter().for_each(|alternative| collect_values(&alternative.value, values)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::number::{Count, Positive};
    use crate::value::{Sources, parse::parse, problem::render, written::spell_out};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct File {
        net: Net,
        #[serde(default)]
        rule: Option<Rule>,
        #[serde(default)]
        data: Option<Shared>,
        #[serde(default)]
        bounded: Option<Bounded>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Net {
        hidden: Vec<Count>,
        lr: Option<Positive>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    #[allow(dead_code)]
    enum Rule {
        Plain,
        Scaled(Scaled),
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Scaled {
        by: Option<Positive>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Shared(Limits, Source);

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Bounded(Rule, Limits);

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Limits {
        rows: Option<Count>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename = "source", rename_all = "kebab-case")]
    #[allow(dead_code)]
    enum Source {
        Inside,
        Files(Files),
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Files {
        path: String,
    }

    fn mistakes(text: &str) -> String {
        let mut sources = Sources::default();
        let source = sources.add("file.toml", text);
        let mut tree = parse(&sources, source).unwrap();
        let rejected = spell_out(&mut tree);
        let problems = find::<File>(&mut tree, rejected).problems;
        if problems.is_empty() { String::new() } else { render(&sources, &problems, false) }
    }

    fn axes(text: &str) -> Vec<(String, usize)> {
        let mut sources = Sources::default();
        let source = sources.add("file.toml", text);
        let mut tree = parse(&sources, source).unwrap();
        let rejected = spell_out(&mut tree);
        assert_eq!(find::<File>(&mut tree, rejected).problems, []);
        let mut values = Vec::new();
        collect_values(&tree.root, &mut values);
        values
            .iter()
            .filter_map(|(key, value)| match &value.kind {
                Kind::Axis(axis) => Some((key.to_string(), axis.alternatives.len())),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_list_is_an_axis_one_level_above_the_type() {
        assert_eq!(axes("net.hidden = [3, 4]\nnet.lr = 0.1"), []);
        assert_eq!(axes("net.hidden = []"), []);
        assert_eq!(
            axes("net.hidden = [[3, 4], []]\nnet.lr = [1, 0.1, 1e-2]"),
            [("hidden".into(), 2), ("lr".into(), 3)]
        );
        assert_eq!(axes("net.hidden = [[3]]"), [("hidden".into(), 1)]);
        assert_eq!(
            axes("net.hidden = { values = [[3]] }\nnet.lr = {values = [1]}"),
            [("hidden".into(), 1), ("lr".into(), 1)]
        );
        assert_eq!(
            axes("net.hidden = []\nrule = [\"plain\", { kind = \"scaled\", by = [1, 2] }]"),
            [("rule".into(), 2), ("by".into(), 2)]
        );
        assert_eq!(
            axes("net.hidden = []\n[data]\nsource = [\"inside\"]\nrows = [1, 2]"),
            [("source".into(), 1), ("rows".into(), 2)]
        );
    }

    #[test]
    fn every_mistake_is_reported_once() {
        insta::assert_snapshot!(mistakes(
            r#"
net.hidden = [3, -4, "x"]
net.lr = [0.1, -1, nan, "fast"]
net.depth = 3
[rule]
kind = "scaled"
bye = 2
by = [[1]]
[data]
source = "files"
rows = 1.0
paths = "x"
"#
        ));
    }

    #[test]
    fn lists_of_mixed_depth_are_refused() {
        insta::assert_snapshot!(mistakes("net.hidden = [[3], 4]\nrule = [\"plain\", \"Scaled\", 3]"));
        insta::assert_snapshot!(mistakes("net.hidden = [3, [4]]\nnet.lr = []"));
    }

    #[test]
    fn a_section_that_lacks_something_says_what() {
        insta::assert_snapshot!(mistakes("[net]\nlr = 1\n[data]\nrows = 1\n[rule]\nby = 1"));
    }

    #[test]
    fn a_name_stands_for_a_shared_table_that_says_nothing_else() {
        assert_eq!(axes("net.hidden = []\nbounded = \"plain\""), []);
        assert_eq!(
            axes("net.hidden = []\nbounded = [\"plain\", { kind = \"scaled\", by = 1, rows = [2, 3] }]"),
            [("bounded".into(), 2), ("rows".into(), 2)]
        );
    }

    #[test]
    fn mistakes_in_a_shared_table_are_located() {
        insta::assert_snapshot!(mistakes(
            r#"
net.hidden = []
bounded = ["plane", 3, { kind = "scaled", bye = 2 }, { by = 2 }, { kind = "plain", by = 1, rows = 0 }]
"#
        ));
    }
}
