//! Tables that change some keys of another table: a single one laid over it, or several named patches.
//!
//! A patch replaces the values of its keys. A section of the patch (under a header, or made by dotted keys) is merged
//! key by key into the existing table, however that was written; a table in braces replaces it as a whole. With several
//! patches, every key in any patch becomes an axis with one alternative for each patch: its own value, or the previous
//! one.

use std::sync::Arc;

use super::{Alternative, Axis, AxisId, Entry, Form, Kind, Node, NodeId, Origin, Tree};

/// Merges patches into entries of a tree.
pub struct Merger<'a> {
    pub tree: &'a mut Tree,
    /// The axis whose alternatives the patches are.
    pub axis: AxisId,
    /// The patches' names, in the order of the alternatives.
    pub names: Vec<String>,
    /// Whether a node is a table under a header, or made by dotted keys, rather than a single value.
    pub is_section: &'a dyn Fn(&Node) -> bool,
}

/// A patch's value at a key, and where the key was written in it.
pub type Patched = (Origin, Node);

impl Merger<'_> {
    /// Merges the entries of each patch into `base`.
    pub fn tables(&mut self, base: &mut Vec<Entry>, mut patches: Vec<Vec<Entry>>) {
        let mut keys: Vec<String> = Vec::new();
        for entry in base.iter().chain(patches.iter().flatten()) {
            if !keys.contains(&entry.key) {
                keys.push(entry.key.clone());
            }
        }
        for key in keys {
            let of_key: Vec<Option<Entry>> = patches.iter_mut().map(|entries| take(entries, &key)).collect();
            let Some(first) = of_key.iter().flatten().next() else { continue };
            let key_origin = first.key_origin.clone();
            let all_sections = of_key.iter().flatten().all(|entry| (self.is_section)(&entry.value));
            let own = base.iter_mut().find(|entry| entry.key == key);
            if let Some(Entry { value: section, .. }) = &own
                && all_sections
                && section.entries().is_some()
                && let Some(Entry { value: Node { kind: Kind::Table(entries), .. }, .. }) = own
            {
                self.tables(entries, of_key.into_iter().map(entries_of).collect());
                continue;
            }
            let before = own.as_deref().map(|own| &own.value);
            let patched = of_key.into_iter().map(|entry| {
                let Entry { key_origin, value, .. } = entry?;
                let value = match before {
                    Some(before) => self.overlay(before, value),
                    None => value,
                };
                Some((key_origin, value))
            });
            let patched = patched.collect();
            let value = self.alternatives(before, patched);
            match own {
                Some(own) => own.value = value,
                None => base.push(Entry { key, key_origin, value }),
            }
        }
    }

    /// The value of a key in each patch: its own value if it has one, else `base`, else nothing.
    pub fn alternatives(&mut self, base: Option<&Node>, patched: Vec<Option<Patched>>) -> Node {
        let first = base.or_else(|| patched.iter().flatten().map(|(_, value)| value).next());
        let origin = first.map_or_else(|| self.tree.root.origin.clone(), |node| node.origin.clone());
        let nothing = Node { id: self.tree.new_node(), origin: origin.clone(), kind: Kind::Absent };
        let alternatives = self.names.iter().zip(patched).map(|(name, patched)| {
            let (key_origin, value) = match patched {
                Some((key_origin, value)) => (Some(key_origin), value),
                None => (None, base.unwrap_or(&nothing).clone()),
            };
            Alternative { name: Some(name.clone()), key_origin, value }
        });
        let kind =
            Kind::Axis(Arc::new(Axis { id: self.axis, form: Form::Patched, alternatives: alternatives.collect() }));
        Node { id: self.tree.new_node(), origin, kind }
    }

    /// The table `base` with the keys of `patch` merged into it; `patch` itself if it is not a section or `base` is not
    /// a table.
    pub fn overlay(&mut self, base: &Node, patch: Node) -> Node {
        overlay(self.tree, self.is_section, base.clone(), patch)
    }
}

/// The table `base` with the keys of `patch` merged into it; `patch` itself if it is not a section or `base` is not a
/// table. `tree` provides new nodes.
pub fn overlay(tree: &mut Tree, is_section: &dyn Fn(&Node) -> bool, base: Node, patch: Node) -> Node {
    if base.entries().is_none() || !is_section(&patch) {
        return patch;
    }
    // A new id: mistakes in the original table are not mistakes in this one.
    let (id, origin): (NodeId, Origin) = (tree.new_node(), patch.origin.clone());
    let mut entries = entries_of_node(base);
    for new in entries_of_node(patch) {
        match entries.iter_mut().find(|entry| entry.key == new.key) {
            Some(entry) if entry.value.entries().is_some() && is_section(&new.value) => {
                let nothing = Node { kind: Kind::Absent, ..new.value.clone() };
                let own = std::mem::replace(&mut entry.value, nothing);
                entry.value = overlay(tree, is_section, own, new.value);
            }
            Some(entry) => *entry = new,
            None => entries.push(new),
        }
    }
    Node { id, origin, kind: Kind::Table(entries) }
}

fn take(entries: &mut Vec<Entry>, key: &str) -> Option<Entry> {
    entries.iter().position(|entry| entry.key == key).map(|position| entries.remove(position))
}

fn entries_of(entry: Option<Entry>) -> Vec<Entry> {
    entry.map_or_else(Vec::new, |entry| entries_of_node(entry.value))
}

fn entries_of_node(node: Node) -> Vec<Entry> {
    match node.kind {
        Kind::Table(entries) => entries,
        _ => Vec::new(),
    }
}
