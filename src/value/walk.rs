//! Walks over a tree: every node in the order of the text, a table before its content, each with the path to it.

use std::rc::Rc;

use super::{Axis, Choice, Entry, Form, Kind, Node, Origin};

/// A node of a tree, and the path to it.
#[derive(Debug, Clone)]
pub struct Place<'t> {
    pub node: &'t Node,
    step: Step<'t>,
    around: Option<Rc<Place<'t>>>,
}

/// The last step of the path to a node.
#[derive(Debug, Clone, Copy)]
enum Step<'t> {
    /// No step: the walk begins here.
    Start,
    Entry(&'t Entry),
    Item,
    /// The alternative with this 0-based index.
    Alternative(&'t Axis, usize),
}

impl Node {
    /// This node, then all below it.
    pub fn walk(&self) -> Walk<'_> {
        let start = Place { node: self, step: Step::Start, around: None };
        Walk { choice: None, start: Some(start), last: None, around: Vec::new() }
    }

    /// As [`walk`](Self::walk), but of each axis only the alternative that `choice` takes.
    pub fn walk_under<'t>(&'t self, choice: &'t Choice) -> Walk<'t> {
        Walk { choice: Some(choice), ..self.walk() }
    }

    /// The 0-based `index`th node directly below this one, with the step to it.
    fn step(&self, index: usize) -> Option<(Step<'_>, &Node)> {
        match &self.kind {
            Kind::List(items) => items.get(index).map(|item| (Step::Item, item)),
            Kind::Table(entries) => entries.get(index).map(|entry| (Step::Entry(entry), &entry.value)),
            Kind::Axis(axis) => axis.alternatives.get(index).map(|one| (Step::Alternative(axis, index), &one.value)),
            _ => None,
        }
    }

    /// The nodes directly below this one.
    pub fn children(&self) -> impl Iterator<Item = &Node> {
        (0..).map_while(|index| Some(self.step(index)?.1))
    }

    /// The entries along `path` under `choice`, as far as they exist.
    pub fn along<'t>(&'t self, path: &[&str], choice: &Choice) -> impl Iterator<Item = &'t Entry> {
        let mut node = self;
        path.iter().map_while(move |key| {
            let entry = node.chosen(choice).entry_under(key, choice)?;
            node = &entry.value;
            Some(entry)
        })
    }
}

impl<'t> Place<'t> {
    /// This place, the one around it, and so on.
    pub fn outwards(&self) -> impl Iterator<Item = &Place<'t>> {
        std::iter::successors(Some(self), |place| place.around.as_deref())
    }

    /// The entry whose value this is; `None` if it is an alternative or an item.
    pub fn entry(&self) -> Option<&'t Entry> {
        match self.step {
            Step::Entry(entry) => Some(entry),
            _ => None,
        }
    }

    /// If this is an alternative: its axis and its 0-based index there.
    pub fn alternative(&self) -> Option<(&'t Axis, usize)> {
        match self.step {
            Step::Alternative(axis, index) => Some((axis, index)),
            _ => None,
        }
    }

    /// The place of its own key, if it has one.
    pub fn key_origin(&self) -> Option<&'t Origin> {
        match self.step {
            Step::Entry(entry) => Some(&entry.key_origin),
            Step::Alternative(axis, index) => axis.alternatives[index].key_origin.as_ref(),
            Step::Start | Step::Item => None,
        }
    }

    /// The axis, if the node is one.
    pub fn axis(&self) -> Option<&'t Axis> {
        match &self.node.kind {
            Kind::Axis(axis) => Some(axis),
            _ => None,
        }
    }

    /// The keys that lead here.
    pub fn path(&self) -> Vec<&'t str> {
        self.steps(|place| Some(place.entry()?.key.as_str()))
    }

    /// The keys that lead here, as in the file: names of alternatives are included, except those of patches.
    pub fn path_with_names(&self) -> Vec<&'t str> {
        self.steps(|place| match place.alternative() {
            Some((axis, index)) if axis.form != Form::Patched => axis.alternatives[index].name.as_deref(),
            _ => Some(place.entry()?.key.as_str()),
        })
    }

    /// The alternatives that lead here: axes, each with a 0-based index.
    pub fn alternatives(&self) -> Vec<(&'t Axis, usize)> {
        self.steps(Place::alternative)
    }

    /// The results of `find` for the places that lead here, the outermost first.
    fn steps<T>(&self, find: impl Fn(&Place<'t>) -> Option<T>) -> Vec<T> {
        let mut found: Vec<T> = self.outwards().filter_map(find).collect();
        found.reverse();
        found
    }

    /// The innermost place that is not an item: this one, or the outermost of the lists nested directly around it.
    pub fn outside_lists(&self) -> &Place<'t> {
        self.outwards().find(|place| !matches!(place.step, Step::Item)).unwrap_or(self)
    }

    /// Whether this is in a list.
    pub fn is_in_list(&self) -> bool {
        self.outwards().any(|place| matches!(place.step, Step::Item))
    }
}

/// An iterator over the places of a tree.
#[derive(Debug)]
pub struct Walk<'t> {
    /// If there is one, other alternatives are not visited.
    choice: Option<&'t Choice>,
    start: Option<Place<'t>>,
    /// The last place, until it is clear whether the walk goes below it.
    last: Option<Place<'t>>,
    /// The places around the next one, the innermost last, each with the number of its children already visited.
    around: Vec<(Rc<Place<'t>>, usize)>,
}

impl Walk<'_> {
    /// Skips everything below the last place.
    pub fn skip_below(&mut self) {
        self.last = None;
    }
}

impl<'t> Iterator for Walk<'t> {
    type Item = Place<'t>;

    fn next(&mut self) -> Option<Place<'t>> {
        let choice = self.choice;
        let step = |node: &'t Node, passed: usize| match (&node.kind, choice) {
            (Kind::Axis(axis), Some(choice)) => node.step(axis.taken(choice).filter(|_| passed == 0)?),
            _ => node.step(passed),
        };
        let last = self.last.take().filter(|last| step(last.node, 0).is_some());
        self.around.extend(last.map(|last| (Rc::new(last), 0)));
        let next = self.start.take().or_else(|| {
            loop {
                let (around, passed) = self.around.last_mut()?;
                let Some((step, node)) = step(around.node, *passed) else {
                    self.around.pop();
                    continue;
                };
                *passed += 1;
                return Some(Place { node, step, around: Some(Rc::clone(around)) });
            }
        });
        self.last.clone_from(&next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::super::axes::find;
    use super::super::{Sources, Tree, parse::parse, written::spell_out};
    use super::*;

    fn tree(text: &str) -> Tree {
        let mut sources = Sources::default();
        let source = sources.add("test.toml", text);
        let mut tree = parse(&sources, source).unwrap();
        let rejected = spell_out(&mut tree);
        find::<serde::de::IgnoredAny>(&mut tree, rejected);
        tree
    }

    const TEXT: &str = "a = 1\nb = [2, [3]]\n[c]\nd = { values = [4, { e = { values = [5] } }] }\nf = 6\n";

    #[test]
    fn every_node_is_met_with_the_keys_and_alternatives_that_lead_to_it() {
        let tree = tree(TEXT);
        let numbers = tree.root.walk().filter(|place| matches!(place.node.kind, Kind::Int(_)));
        let met: Vec<_> = numbers
            .map(|place| {
                let Kind::Int(number) = place.node.kind else { panic!("a number") };
                let taken: Vec<usize> = place.alternatives().into_iter().map(|(_, index)| index).collect();
                (number, place.path().join("."), taken, place.is_in_list())
            })
            .collect();
        let expected = [
            (1, "a", vec![], false),
            (2, "b", vec![], true),
            (3, "b", vec![], true),
            (4, "c.d", vec![0], false),
            (5, "c.d.e", vec![1, 0], false),
            (6, "c.f", vec![], false),
        ];
        assert_eq!(met, expected.map(|(number, path, taken, is_item)| (number, path.to_owned(), taken, is_item)));
    }

    #[test]
    fn a_walk_under_a_choice_visits_what_it_takes() {
        let tree = tree(TEXT);
        let mut choice = tree.first_choice();
        let numbers = |choice: &Choice| -> Vec<i64> {
            let number = |place: Place| match place.node.kind {
                Kind::Int(number) => Some(number),
                _ => None,
            };
            tree.root.walk_under(choice).filter_map(number).collect()
        };
        let first = numbers(&choice);
        for place in tree.root.walk() {
            place.axis().into_iter().for_each(|axis| choice.set(axis.id, axis.alternatives.len() - 1));
        }
        assert_eq!((first, numbers(&choice)), (vec![1, 2, 3, 4, 6], vec![1, 2, 3, 5, 6]));
    }

    #[test]
    fn what_is_below_a_place_can_be_left_out() {
        let tree = tree(TEXT);
        let mut walk = tree.root.walk();
        let mut keys = Vec::new();
        while let Some(place) = walk.next() {
            keys.extend(place.entry().map(|entry| entry.key.as_str()));
            if place.axis().is_some() {
                walk.skip_below();
            }
        }
        assert_eq!(keys, ["a", "b", "c", "d", "f"]);
    }
}
