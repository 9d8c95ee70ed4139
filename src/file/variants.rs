//! `[variant.NAME]`: named patches of the file, the alternatives of one axis.
//!
//! The unpatched file is not an alternative. `[optimizer]` is patched as a whole, since its tables are alternatives
//! themselves.

use std::collections::HashMap;

use super::sections::{self, VARIANT};
use super::{Name, optimizers};
use crate::value::merge::Merger;
use crate::value::problem::Problem;
use crate::value::{Entry, Kind, Node, NodeId, Origin, Sources, Tree};

/// Patches that are not merged yet.
#[derive(Debug, Default)]
pub struct Variants {
    /// Each name with its place.
    names: Vec<(String, Origin)>,
    /// The entries of each, in the order of the names.
    patches: Vec<Vec<Entry>>,
}

impl Variants {
    /// Removes the variants from the tree; returns them without keys that no variant can change, and the problems.
    pub fn take(tree: &mut Tree) -> (Self, Vec<Problem>) {
        let (mut variants, mut problems) = (Self::default(), Vec::new());
        let Some(section) = root_entry(tree, VARIANT) else { return (variants, problems) };
        let value = std::mem::replace(&mut section.value.kind, Kind::Absent);
        let Kind::Table(tables) = value else {
            let found = Node { kind: value, ..section.value.clone() }.type_name();
            let problem = Problem::new(format!("`{VARIANT}`: expected a table for each variant, found {found}"));
            problems.push(
                problem.at(section.value.origin.clone()).help("write `[variant.NAME]`, and the changes below it"),
            );
            return (variants, problems);
        };
        for Entry { key: name, key_origin, value } in tables {
            if let Err(message) = Name::try_from(name.clone()) {
                problems.push(Problem::new(message).at(key_origin.clone()));
            }
            let found = value.type_name();
            let Kind::Table(entries) = value.kind else {
                let problem = Problem::new(format!("`{VARIANT}.{name}`: expected a table, found {found}"));
                problems.push(problem.at(value.origin).help(format!("write `[variant.NAME]`, and below it `{name}`")));
                continue;
            };
            let mut patch = entries;
            patch.retain(|Entry { key, key_origin, .. }| {
                let reason = sections::key(key).and_then(|key| key.fixed);
                problems.extend(reason.map(|reason| {
                    let problem = Problem::new(format!("a variant cannot change `{key}`: {reason}"));
                    problem.at(key_origin.clone()).help(format!("write `{key}` outside the variants"))
                }));
                reason.is_none()
            });
            variants.names.push((name, key_origin));
            variants.patches.push(patch);
        }
        (variants, problems)
    }

    /// Whether `holds` is true for any variant, or for the file alone if it has no variants. `holds` gets a
    /// function that says whether the variant has a key.
    pub fn any(&self, holds: impl Fn(&dyn Fn(&str) -> bool) -> bool) -> bool {
        let none = [Vec::new()];
        let patches = if self.patches.is_empty() { &none[..] } else { &self.patches };
        patches.iter().any(|patch| holds(&|key| patch.iter().any(|entry| entry.key == key)))
    }

    /// The variant in which each node of a patch is written.
    pub fn places(&self) -> HashMap<NodeId, String> {
        let entries = self
            .names
            .iter()
            .zip(&self.patches)
            .flat_map(|((name, _), patch)| patch.iter().map(move |entry| (name, entry)));
        entries.flat_map(|(name, entry)| entry.value.walk().map(move |place| (place.node.id, name.clone()))).collect()
    }

    /// Merges the variants into the tree, and lowers its `[optimizer]` under each of them.
    pub fn merge(self, tree: &mut Tree, sources: &Sources) -> (optimizers::SharedKeys, Vec<Problem>) {
        if self.names.is_empty() {
            tree.remove(VARIANT);
            return optimizers::lower(tree);
        }
        let mut patches = self.patches;
        let optimizers: Vec<Option<Entry>> =
            patches.iter_mut().map(|patch| position(patch, "optimizer").map(|found| patch.remove(found))).collect();
        let root = std::mem::replace(&mut tree.root.kind, Kind::Absent);
        let Kind::Table(mut sections) = root else { return Default::default() };
        let is_section = |node: &Node| sources.is_section(node);
        let axis = tree.new_axis();
        let (names, places): (Vec<String>, Vec<Origin>) = self.names.into_iter().unzip();
        let mut merger = Merger { tree, axis, names, is_section: &is_section };

        let raw = position(&sections, "optimizer").map(|found| sections[found].clone());
        let overlaid: Vec<Option<Entry>> = optimizers
            .into_iter()
            .map(|patch| {
                let patch = patch?;
                let value = raw.as_ref().map(|raw| merger.overlay(&raw.value, patch.value.clone()));
                Some(Entry { value: value.unwrap_or(patch.value), ..patch })
            })
            .collect();
        merger.tables(&mut sections, patches);
        // The entry that names the variants contains no settings.
        let absent = |origin| Node { id: merger.tree.root.id, origin, kind: Kind::Absent };
        let named = places.into_iter().map(|origin: Origin| Some((origin.clone(), absent(origin)))).collect();
        let every_variant = merger.alternatives(None, named);
        if let Some(found) = position(&sections, VARIANT) {
            sections[found].value = every_variant;
        }

        let (mut shared, mut problems) = (optimizers::SharedKeys::default(), Vec::new());
        let mut lower = |tree: &mut Tree, section: &mut Entry| {
            let (keys, misnamed) = optimizers::lower_section(tree, section);
            shared.extend(keys);
            problems.extend(misnamed);
        };
        if let Some(found) = position(&sections, "optimizer") {
            lower(merger.tree, &mut sections[found]);
        }
        if let Some(first) = overlaid.iter().flatten().next() {
            let key_origin = first.key_origin.clone();
            let patched = overlaid
                .into_iter()
                .map(|section| {
                    let mut section = section?;
                    lower(merger.tree, &mut section);
                    Some((section.key_origin, section.value))
                })
                .collect();
            match position(&sections, "optimizer") {
                Some(found) => sections[found].value = merger.alternatives(Some(&sections[found].value), patched),
                None => {
                    let value = merger.alternatives(None, patched);
                    sections.push(Entry { key: "optimizer".to_owned(), key_origin, value });
                }
            }
        }
        tree.root.kind = Kind::Table(sections);
        (shared, problems)
    }
}

fn root_entry<'t>(tree: &'t mut Tree, key: &str) -> Option<&'t mut Entry> {
    tree.root.entries_mut().iter_mut().find(|section| section.key == key)
}

fn position(entries: &[Entry], key: &str) -> Option<usize> {
    entries.iter().position(|entry| entry.key == key)
}
