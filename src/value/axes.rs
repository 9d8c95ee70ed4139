//! Finds out which lists of a tree are values and which are axes, and everything that a type rejects under any choice.
//!
//! A list is an axis if the type does not expect a list there. So the type itself decides: it reads the tree; if it
//! finds an unexpected list, the key's list becomes an axis, and the type reads again under each of its values.
//! Rejected nodes are left out and recorded, so that every mistake is found at once; of very many, only the first.

use std::collections::HashSet;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::deserialize::deserialize;
use super::fault::Fault;
use super::problem::{MOST_COUNTED, Problem};
use super::walk::Place;
use super::{Alternative, Axis, AxisId, Choice, Form, Kind, Node, NodeId, Rejected, Tree};

/// Turns the lists that are axes for `T` into axes. Adds to `rejected` everything that `T` rejects under any choice,
/// with the nodes to leave out so that `T` accepts the rest. Stops after more than [`MOST_COUNTED`] problems: the tree
/// cannot be read then.
pub fn find<T: DeserializeOwned>(tree: &mut Tree, rejected: Rejected) -> Rejected {
    let (pending, shared) = (known_axes(&tree.root), shared_nodes(&tree.root));
    let mut finder = Finder { tree, rejected, pending, shared, told: HashSet::new() };
    let mut choice = Choice::default();
    finder.read::<T>(&choice, &Vec::new());
    let mut seen = HashSet::new();
    while let Some((axis, alternatives, mut taken)) = finder.pending.pop()
        && !finder.is_full()
    {
        if !seen.insert((axis, taken.clone())) {
            continue;
        }
        for alternative in alternatives {
            taken.push((axis, alternative));
            taken.iter().for_each(|(axis, alternative)| choice.set(*axis, *alternative));
            finder.read::<T>(&choice, &taken);
            taken.iter().for_each(|(axis, _)| choice.set(*axis, 0));
            taken.pop();
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

/// The alternatives that a choice takes. All other axes take their first one.
type Taken = Vec<(AxisId, usize)>;

/// Axes of which only the first alternative has been read: the alternatives still to read, and those that lead to the
/// axis.
type Pending = Vec<(AxisId, Vec<usize>, Taken)>;

/// The existing axes of a tree.
fn known_axes(root: &Node) -> Pending {
    let places = root.walk().filter(|place| !place.is_in_list());
    let axes = places.filter_map(|place| {
        let axis = place.axis()?;
        let taken = place.alternatives().into_iter().map(|(around, taken)| (around.id, taken));
        Some((axis.id, telling(axis), taken.filter(|(_, taken)| *taken > 0).collect()))
    });
    axes.collect()
}

/// The nodes that are in several places of the tree, such as the settings that all optimizers share.
fn shared_nodes(root: &Node) -> HashSet<NodeId> {
    let mut met = HashSet::new();
    root.walk().map(|place| place.node.id).filter(|node| !met.insert(*node)).collect()
}

struct Finder<'t> {
    tree: &'t mut Tree,
    /// What was rejected so far; it is left out of all further readings.
    rejected: Rejected,
    pending: Pending,
    shared: HashSet<NodeId>,
    /// The problems found so far. Different nodes can have the same one.
    told: HashSet<Problem>,
}

impl Finder<'_> {
    /// Whether so many problems were found that no more are counted.
    fn is_full(&self) -> bool {
        self.told.len() > MOST_COUNTED
    }

    /// Reads the tree under `choice`, which takes `taken`, until `T` rejects nothing more.
    fn read<T: DeserializeOwned>(&mut self, choice: &Choice, taken: &Taken) {
        // Nodes that are left out of this reading alone.
        let mut left_out = Vec::new();
        while !self.is_full()
            && let Err(fault) = deserialize::<T>(&self.tree.root, choice, &self.rejected.dropped)
        {
            if fault.is_unwanted_list() && self.make_axis(&fault, choice, taken) {
                continue;
            }
            let Rejected { problems, dropped } = &mut self.rejected;
            let Some(place) = place_of(&fault, &self.tree.root, choice) else {
                problems.push(fault.into_problem());
                break;
            };
            let node = place.node;
            // If this node only lacks something that was left out, that is not a new mistake.
            let follows_from_another = node.walk_under(choice).skip(1).any(|below| dropped.contains(&below.node.id));
            if !follows_from_another {
                let problem = explain(fault, &place);
                if self.told.insert(problem.clone()) {
                    problems.push(problem);
                }
            }
            let is_new = dropped.insert(node.id);
            left_out.extend(Some(node.id).filter(|_| is_new && follows_from_another));
            if node.id == self.tree.root.id || !is_new {
                break;
            }
        }
        left_out.iter().for_each(|node| _ = self.rejected.dropped.remove(node));
    }

    /// Turns the key's list that is the rejected node, or contains it, into an axis; false if it is in an axis already.
    fn make_axis(&mut self, fault: &Fault, choice: &Choice, taken: &Taken) -> bool {
        let Some(place) = place_of(fault, &self.tree.root, choice) else { return false };
        let value = place.outside_lists();
        let is_patched = || value.alternative().is_some_and(|(axis, _)| axis.form == Form::Patched);
        let is_value = (value.entry().is_some() || is_patched()) && !value.is_in_list();
        let count = value.node.list().map_or(0, <[Node]>::len);
        if !is_value || count == 0 {
            return false;
        }
        let (list, id) = (value.node.id, self.tree.new_axis());
        let mut make = |found: &mut Node| {
            if let Kind::List(items) = &mut found.kind
                && found.id == list
            {
                let alternatives = items.drain(..).map(Alternative::of).collect();
                found.kind = Kind::Axis(Arc::new(Axis { id, form: Form::Listed, alternatives }));
            }
        };
        // To walk over the whole tree for each list takes time that grows with the square of their number.
        if self.shared.contains(&list) {
            self.tree.root.for_each(&mut make);
        } else {
            self.tree.root.for_each_under(choice, &mut make);
        }
        self.pending.push((id, (1..count).collect(), taken.clone()));
        true
    }
}

/// The place of the rejected node under `choice`.
fn place_of<'t>(fault: &Fault, root: &'t Node, choice: &'t Choice) -> Option<Place<'t>> {
    let node = fault.node()?;
    root.walk_under(choice).find(|place| place.node.id == node)
}

/// The fault at `place` as a problem, with notes on axes.
fn explain(fault: Fault, place: &Place) -> Problem {
    let (wrong_type, unwanted_list) = (fault.is_wrong_type(), fault.is_unwanted_list());
    let problem = fault.into_problem();
    let form = place.alternative().map(|(axis, _)| &axis.form).filter(|form| **form != Form::Patched);
    let key = place.outwards().find_map(Place::entry).map_or("", |entry| &entry.key);
    match form {
        Some(Form::Listed) if unwanted_list => {
            problem.help(format!("a list of values makes `{key}` an axis; the values themselves cannot be lists"))
        }
        Some(Form::Listed) if wrong_type => {
            problem.help(format!("`{key}` is an axis here: every value in the list must have the type of the setting"))
        }
        Some(Form::Drawn(distribution)) if wrong_type && distribution.draws_fractions() => {
            problem.help("`int_uniform` draws whole numbers, `choice` values of any kind")
        }
        None if unwanted_list && place.node.list().is_some_and(<[Node]>::is_empty) => {
            problem.help("a list of values makes an axis, which needs at least one value")
        }
        None if unwanted_list && place.outside_lists().is_in_list() => {
            problem.help(format!("a list cannot contain an axis; {LISTS_AS_AXES}"))
        }
        None if unwanted_list => problem.help("the lists are nested too deeply here"),
        _ => problem,
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::value::{Sources, parse::parse, problem::render, written::spell_out};
    use engine::number::{Count, Positive};

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
        let axis = |place: Place| Some((place.path().pop()?.to_owned(), place.axis()?.alternatives.len()));
        tree.root.walk().filter_map(axis).collect()
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
    fn up_to_a_limit_every_mistake_is_counted() {
        let unknown = |count| (0..count).map(|key| format!("key{key} = 1\n")).collect::<String>();
        let said = |count| mistakes(&format!("[net]\nhidden = []\n{}", unknown(count)));
        assert!(said(MOST_COUNTED).contains("\n500 mistakes, of which the first 100 are shown"));
        assert!(said(2 * MOST_COUNTED).contains("\nmore than 500 mistakes, of which 100 are shown"));
    }

    #[test]
    fn a_list_in_several_places_is_one_axis() {
        let mut sources = Sources::default();
        let source = sources.add("file.toml", "net = { values = [{ hidden = [], lr = [1, 2] }, { hidden = [3] }] }");
        let mut tree = parse(&sources, source).unwrap();
        let rejected = spell_out(&mut tree);
        tree.root.for_each(&mut |node| {
            if let Kind::Axis(axis) = &mut node.kind {
                let axis = Arc::make_mut(axis);
                axis.alternatives[1] = axis.alternatives[0].clone();
            }
        });
        assert_eq!(find::<File>(&mut tree, rejected).problems, []);
        let axes: Vec<AxisId> = tree.root.walk().filter_map(|place| Some(place.axis()?.id)).collect();
        assert_eq!(axes.len(), 3);
        assert_eq!(axes[1], axes[2]);
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
