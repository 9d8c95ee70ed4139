//! The text as a tree: every value has its place in the file, so that later messages can point to it.
//!
//! A tree is parsed ([`parse`]), other trees are laid over it ([`merge`]), axes written as tables are expanded
//! ([`written`]), patches are merged into it, and the other axes are found ([`axes`]). Then it is deserialized into
//! typed values under one choice of alternatives at a time ([`deserialize`]). Conversely, typed values become a tree
//! ([`serialize`]), and a tree whose axes are not found yet becomes a text ([`write`](mod@write)). Mistakes become a
//! [`Problem`]. Nothing in this module knows the sections of the experiment file.

pub mod axes;
pub mod deserialize;
pub mod distribution;
pub mod fault;
pub mod merge;
pub mod parse;
pub mod problem;
pub mod serialize;
pub mod spacing;
pub mod syntax;
pub mod walk;
pub mod write;
pub mod written;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use self::distribution::{Distribution, position};
use self::problem::Problem;

/// Where something was written: the bytes `span` of the text `source`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    pub source: SourceId,
    pub span: Range<usize>,
}

/// Identifies one of the texts that a tree was made from. Ids are ordered as the texts were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(usize);

/// The texts that trees are made from, each with the name that errors show.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<(String, String)>);

impl Sources {
    /// Adds a text; errors show it under `name`.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        self.0.push((name.into(), text.into()));
        SourceId(self.0.len() - 1)
    }

    /// The name under which `source` was added.
    pub fn name(&self, source: SourceId) -> &str {
        &self.0[source.0].0
    }

    /// The text that was added first.
    pub fn first(&self) -> Option<SourceId> {
        (!self.0.is_empty()).then_some(SourceId(0))
    }

    /// The whole text of `source`.
    pub fn text(&self, source: SourceId) -> &str {
        &self.0[source.0].1
    }

    /// Whether `node` is a table under a header, or made by dotted keys, rather than a table in braces.
    pub fn is_section(&self, node: &Node) -> bool {
        node.entries().is_some() && !self.excerpt(&node.origin).starts_with('{')
    }

    /// The characters at `origin`.
    pub fn excerpt(&self, origin: &Origin) -> &str {
        &self.text(origin.source)[origin.span.clone()]
    }

    /// The 1-based line and column (in characters) at which `origin` begins.
    pub fn line_and_column(&self, origin: &Origin) -> (usize, usize) {
        let before = &self.text(origin.source)[..origin.span.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// Identifies a node within its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(usize);

/// Identifies an axis within its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AxisId(usize);

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub id: NodeId,
    pub origin: Origin,
    pub kind: Kind,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A date or time, as written. No setting has one; it is kept for the error.
    Date(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// Several values of which the file's reader takes one at a time.
    Axis(Arc<Axis>),
    /// Nothing: an alternative under which the key is absent.
    Absent,
}

/// A number that a trial draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    Int(i64),
    Float(f64),
}

impl From<Number> for Kind {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(value) => Self::Int(value),
            Number::Float(value) => Self::Float(value),
        }
    }
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_origin: Origin,
    pub value: Node,
}

/// The alternatives at one place. Places with the same id move together: all of them take the alternative with the same
/// index.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub id: AxisId,
    pub form: Form,
    /// At least one.
    pub alternatives: Vec<Alternative>,
}

/// How an axis was made.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// A list of values, or tables with names.
    Listed,
    /// `{ geomspace = [...] }` or `{ linspace = [...] }`: the keyword.
    Spaced(&'static str),
    /// A distribution. The alternatives are the values of a choice, or the smallest and the largest number that can be
    /// drawn.
    Drawn(Distribution),
    /// A distribution or another axis, from which each trial draws.
    Trial(Draw),
    /// The values of a key in several patches.
    Patched,
}

/// What a trial draws, and the key whose random numbers it draws with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    pub distribution: Distribution,
    /// 0-based, among all keys that trials draw.
    pub key: usize,
}

/// One of an axis's values.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// Its name in the file, if it has one (`[optimizer.NAME]`).
    pub name: Option<String>,
    /// The place of its own key, if it has one (in a patch).
    pub key_origin: Option<Origin>,
    pub value: Node,
}

/// Rejected nodes and their problems.
#[derive(Debug, Default)]
pub struct Rejected {
    pub problems: Vec<Problem>,
    /// The nodes to leave out so that the rest can be read.
    pub dropped: HashSet<NodeId>,
}

/// A parsed file.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub root: Node,
    nodes: usize,
    axes: usize,
}

impl Tree {
    /// A new node id.
    pub fn new_node(&mut self) -> NodeId {
        self.nodes += 1;
        NodeId(self.nodes - 1)
    }

    /// A new axis id.
    pub fn new_axis(&mut self) -> AxisId {
        self.axes += 1;
        AxisId(self.axes - 1)
    }

    /// The root of `other`, with new ids so that it can become a part of this tree. `other` must not have axes yet.
    pub fn adopt(&mut self, mut other: Tree) -> Node {
        let first = self.nodes;
        other.root.for_each(&mut |node| node.id.0 += first);
        self.nodes += other.nodes;
        other.root
    }

    /// Appends the entries of `other` to those of this tree. `other` must not have axes yet.
    pub fn add_entries(&mut self, other: Tree) {
        let other = self.adopt(other);
        if let (Kind::Table(entries), Kind::Table(new)) = (&mut self.root.kind, other.kind) {
            entries.extend(new);
        }
    }

    /// Lays `other` over this tree: its values replace those of the same keys, and sections are merged key by key.
    /// Existing keys keep their positions, new ones follow. `other` must not have axes yet.
    pub fn lay_over(&mut self, other: Tree, is_section: &dyn Fn(&Node) -> bool) {
        let other = self.adopt(other);
        let base = std::mem::replace(&mut self.root, Node::of(Kind::Absent));
        self.root = merge::overlay(self, is_section, base, other);
    }

    /// Removes the top-level entry with this key.
    pub fn remove(&mut self, key: &str) {
        self.take(key);
    }

    /// Removes the top-level entry with this key; returns its position, too.
    pub fn take(&mut self, key: &str) -> Option<(usize, Entry)> {
        let Kind::Table(entries) = &mut self.root.kind else { return None };
        let position = entries.iter().position(|entry| entry.key == key)?;
        Some((position, entries.remove(position)))
    }

    /// Puts an entry that was [taken](Self::take) back in its position.
    pub fn put_back(&mut self, (position, entry): (usize, Entry)) {
        if let Kind::Table(entries) = &mut self.root.kind {
            entries.insert(position, entry);
        }
    }

    /// Gives every axis in `from` the id `to`.
    pub fn rename_axes(&mut self, from: &[AxisId], to: AxisId) {
        self.root.for_each(&mut |node| {
            if let Kind::Axis(axis) = &mut node.kind
                && from.contains(&axis.id)
            {
                Arc::make_mut(axis).id = to;
            }
        });
    }

    /// The choice that takes the first alternative of every axis.
    pub fn first_choice(&self) -> Choice {
        Choice { positions: vec![0; self.axes], uniforms: Vec::new() }
    }

    /// The number of axis ids.
    pub fn axes(&self) -> usize {
        self.axes
    }
}

impl AxisId {
    /// The 0-based index of the axis in its tree.
    pub fn index(self) -> usize {
        self.0
    }
}

/// The alternative that each axis takes: the first one, unless set otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Choice {
    positions: Vec<usize>,
    /// The numbers in [0, 1) that the trial draws with, one for each key, as bits.
    uniforms: Vec<u64>,
}

impl Choice {
    /// Takes the alternative with this 0-based index.
    pub fn set(&mut self, axis: AxisId, alternative: usize) {
        if self.positions.len() <= axis.0 {
            self.positions.resize(axis.0 + 1, 0);
        }
        self.positions[axis.0] = alternative;
    }

    /// The 0-based index of the alternative that `axis` takes.
    pub fn get(&self, axis: AxisId) -> usize {
        self.positions.get(axis.0).copied().unwrap_or(0)
    }

    /// Takes what a trial draws with these numbers in [0, 1), one for each key.
    pub fn draw(&mut self, uniforms: impl Iterator<Item = f64>) {
        self.uniforms.clear();
        self.uniforms.extend(uniforms.map(f64::to_bits));
    }

    fn uniform(&self, key: usize) -> f64 {
        self.uniforms.get(key).map_or(0.0, |bits| f64::from_bits(*bits))
    }
}

impl Axis {
    /// Whether the alternatives have names: all of them have one, or none.
    pub fn has_names(&self) -> bool {
        self.alternatives.first().is_some_and(|alternative| alternative.name.is_some())
    }

    /// Whether trials draw from it.
    pub fn is_trial(&self) -> bool {
        matches!(self.form, Form::Trial(_))
    }

    /// The 0-based index of the alternative that `choice` takes; `None` if a trial draws a number.
    pub fn taken(&self, choice: &Choice) -> Option<usize> {
        match self.form {
            Form::Trial(Draw { distribution: Distribution::Number(_), .. }) => None,
            Form::Trial(Draw { distribution: Distribution::Choice, key }) => {
                Some(position(self.alternatives.len(), choice.uniform(key)))
            }
            _ => Some(choice.get(self.id)),
        }
    }

    /// The number that a trial draws under `choice`; `None` if it draws none.
    pub fn number(&self, choice: &Choice) -> Option<Number> {
        match self.form {
            Form::Trial(Draw { distribution: Distribution::Number(interval), key }) => {
                Some(interval.value(choice.uniform(key)))
            }
            _ => None,
        }
    }
}

impl Entry {
    /// An entry whose key has the origin of its value.
    pub fn of(key: &str, value: Node) -> Self {
        Self { key: key.to_owned(), key_origin: value.origin.clone(), value }
    }

    /// Where the key was written, under `choice`.
    pub fn key_origin_under(&self, choice: &Choice) -> &Origin {
        let taken = match &self.value.kind {
            Kind::Axis(axis) => axis.taken(choice).and_then(|taken| axis.alternatives[taken].key_origin.as_ref()),
            _ => None,
        };
        taken.unwrap_or(&self.key_origin)
    }
}

impl Alternative {
    /// A value without a name.
    pub fn of(value: Node) -> Self {
        Self { name: None, key_origin: None, value }
    }
}

impl Node {
    /// A value without an origin in any text.
    pub fn of(kind: Kind) -> Self {
        let origin = Origin { source: SourceId(usize::MAX), span: 0..0 };
        Self { id: NodeId(usize::MAX), origin, kind }
    }

    /// The entries, if this is a table.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if this is a table; else empty.
    pub fn entries_mut(&mut self) -> &mut [Entry] {
        match &mut self.kind {
            Kind::Table(entries) => entries,
            _ => &mut [],
        }
    }

    /// The text, if this is one.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is that text.
    pub fn is_text(&self, text: &str) -> bool {
        self.text() == Some(text)
    }

    /// The entry with this key, if this is a table that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// The entry with this key, if this is a table that has it under `choice`.
    pub fn entry_under(&self, key: &str, choice: &Choice) -> Option<&Entry> {
        self.entry(key).filter(|entry| !entry.value.chosen(choice).is_absent())
    }

    /// Whether there is nothing here.
    pub fn is_absent(&self) -> bool {
        matches!(self.kind, Kind::Absent)
    }

    /// Whether `node` is this one or below it.
    pub fn holds(&self, node: NodeId) -> bool {
        self.walk().any(|place| place.node.id == node)
    }

    /// Visits this node, then all below it.
    pub fn for_each(&mut self, visit: &mut impl FnMut(&mut Node)) {
        self.visit(None, visit);
    }

    /// As [`for_each`](Self::for_each), but of each axis only the alternative that `choice` takes.
    pub fn for_each_under(&mut self, choice: &Choice, visit: &mut impl FnMut(&mut Node)) {
        self.visit(Some(choice), visit);
    }

    fn visit(&mut self, choice: Option<&Choice>, visit: &mut impl FnMut(&mut Node)) {
        visit(self);
        match (&mut self.kind, choice) {
            (Kind::List(items), _) => items.iter_mut().for_each(|item| item.visit(choice, visit)),
            (Kind::Table(entries), _) => entries.iter_mut().for_each(|entry| entry.value.visit(choice, visit)),
            (Kind::Axis(axis), Some(chosen)) => {
                if let Some(taken) = axis.taken(chosen) {
                    Arc::make_mut(axis).alternatives[taken].value.visit(choice, visit);
                }
            }
            (Kind::Axis(axis), None) => {
                Arc::make_mut(axis).alternatives.iter_mut().for_each(|one| one.value.visit(choice, visit));
            }
            _ => {}
        }
    }

    /// The node under `choice`: the chosen alternative of an axis, otherwise this node itself. An axis from which a
    /// trial draws a number represents that number.
    pub fn chosen(&self, choice: &Choice) -> &Node {
        match &self.kind {
            Kind::Axis(axis) => match axis.taken(choice) {
                Some(taken) => axis.alternatives[taken].value.chosen(choice),
                None => self,
            },
            _ => self,
        }
    }

    /// The name of this type in errors: `a list`, `text`, ...
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Bool(_) => "true or false",
            Kind::Int(_) => "a whole number",
            Kind::Float(_) => "a number with a fraction",
            Kind::Text(_) => "text",
            Kind::Date(_) => "a date or time",
            Kind::List(_) | Kind::Axis(_) => "a list",
            Kind::Table(_) => "a table",
            Kind::Absent => "nothing",
        }
    }
}

#[cfg(test)]
impl AxisId {
    pub fn test(id: usize) -> Self {
        Self(id)
    }
}
