//! The `[optimizer]` section, lowered: `[optimizer.NAME]` tables become the alternatives of one axis, each with the
//! keys directly in `[optimizer]` and with `kind = "NAME"` unless it has a kind. `[optimizer]` itself has no `kind` if
//! it contains tables.

use std::sync::Arc;

use super::Name;
use crate::value::problem::{Cause, Problem};
use crate::value::{Alternative, Axis, Entry, Form, Kind, Node, Origin, Tree};
use engine::optim::Algorithm;

/// The keys directly in `[optimizer]`, next to the tables of several optimizers.
#[derive(Debug, Default)]
pub struct SharedKeys(Vec<(String, Origin)>);

impl SharedKeys {
    /// Adds the keys of another such section.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// If an unknown key is a shared one, says so.
    pub fn explain(&self, problem: Problem) -> Problem {
        let at = |(shared, origin): &&(String, Origin)| {
            problem.origin.as_ref() == Some(origin)
                && matches!(problem.cause.as_deref(), Some(Cause::UnknownKey { key, .. }) if key == shared)
        };
        match self.0.iter().find(at) {
            Some((key, _)) if matches!(key.as_str(), "values" | "choice") => Problem {
                message: format!("`{key}` cannot be combined with tables of optimizers"),
                cause: None,
                label: "a list of optimizers".to_owned(),
                help: vec!["write a table `[optimizer.NAME]` for each, or only the list".to_owned()],
                ..problem
            },
            Some((key, _)) => Problem {
                message: format!("`{key}` is shared by all optimizers here, but not all of them have it"),
                cause: None,
                label: String::new(),
                help: vec![format!("move `{key}` into the [optimizer.NAME] tables of those that have it")],
                ..problem
            },
            None => problem,
        }
    }
}

/// If a duplicate header is an optimizer's, says how to write two optimizers of that kind.
pub fn explain_twice(problem: Problem) -> Problem {
    let Some(Cause::HeaderTwice { header, name }) = problem.cause.as_deref() else { return problem };
    if !header.starts_with("[optimizer.") {
        return problem;
    }
    let help = format!(
        "to compare values of a setting, write a list: `lr = [0.1, 0.01]`; or give this table another name, and write \
         `kind = \"{name}\"` below it"
    );
    Problem { message: format!("`{header}` appears twice"), help: vec![help], ..problem }
}

/// Lowers the tree's section in place; returns the shared keys and the mistakes.
pub fn lower(tree: &mut Tree) -> (SharedKeys, Vec<Problem>) {
    let Some(mut section) = tree.take("optimizer") else { return Default::default() };
    let found = lower_section(tree, &mut section.1);
    tree.put_back(section);
    found
}

/// Lowers a section in place, with nodes and axes of `tree`; returns the shared keys and the mistakes.
pub fn lower_section(tree: &mut Tree, section: &mut Entry) -> (SharedKeys, Vec<Problem>) {
    let origin = section.key_origin.clone();
    let Kind::Table(entries) = &mut section.value.kind else { return Default::default() };
    let mut problems = Vec::new();
    for entry in entries.iter_mut() {
        problems.extend(take_out_of_list(entry));
    }
    let (arms, shared): (Vec<Entry>, Vec<Entry>) = std::mem::take(entries).into_iter().partition(is_arm);
    if arms.is_empty() {
        let is_named = shared.iter().any(|entry| entry.key == "kind");
        *entries = shared;
        if is_named {
            return (SharedKeys::default(), problems);
        }
        // Other mistakes in the section depend on the optimizer, so a valid one replaces the section.
        section.value.kind = Kind::Text("sgd".to_owned());
        let problem = Problem::new("[optimizer] names no optimizer")
            .at(origin)
            .help("write `[optimizer.sgd]`, or `kind = \"sgd\"` in this section, or `optimizer = [\"sgd\", \"adam\"]`");
        return (SharedKeys::default(), vec![problem]);
    }
    let misnamed = |arm: &Entry| {
        let message = Name::try_from(arm.key.clone()).err()?;
        Some(Problem::new(message).at(arm.key_origin.clone()))
    };
    problems.extend(arms.iter().filter_map(misnamed));
    problems.extend(kind_of_all(&arms, &shared));
    let shared_keys = shared.iter().map(|entry| (entry.key.clone(), entry.key_origin.clone())).collect();
    let axis = Axis {
        id: tree.new_axis(),
        form: Form::Listed,
        alternatives: arms.into_iter().map(|arm| alternative(tree, arm, &shared)).collect(),
    };
    section.value.kind = Kind::Axis(Arc::new(axis));
    (SharedKeys(shared_keys), problems)
}

/// The mistake of a `kind` next to tables: it would apply to every table without one, despite the table's name.
fn kind_of_all(arms: &[Entry], shared: &[Entry]) -> Option<Problem> {
    let kind = shared.iter().find(|entry| entry.key == "kind")?;
    let names: Vec<String> = arms.iter().map(|arm| format!("[optimizer.{}]", arm.key)).collect();
    let mut problem = Problem::new(format!("`kind` in [optimizer] cannot be combined with {}", names.join(", ")))
        .at(kind.key_origin.clone())
        .label("which optimizer has this kind?")
        .help(
            "`[optimizer.NAME]` has the kind NAME; a table with a name of your own needs a `kind`: `[optimizer.slow]`, \
             `kind = \"sgd\"`",
        );
    let source = kind.key_origin.source;
    if arms.iter().any(|arm| arm.key_origin.source != source) {
        problem = problem.help(
            "they are in two files, one of which extends the other; to replace the other's whole section, write it in \
             braces: `optimizer = { kind = \"sgd\" }`, or `optimizer = { slow = { kind = \"sgd\" } }`",
        );
    }
    Some(problem)
}

/// Turns `[[optimizer.NAME]]`, a list of tables, into a table, and reports it.
fn take_out_of_list(entry: &mut Entry) -> Option<Problem> {
    let Kind::List(items) = &mut entry.value.kind else { return None };
    if entry.key == "schedule" || items.iter().any(|item| item.entries().is_none()) {
        return None;
    }
    let name = &entry.key;
    entry.value = (!items.is_empty()).then(|| items.remove(0))?;
    let problem = Problem::new(format!("`[[optimizer.{name}]]` begins a list of tables")).at(entry.key_origin.clone());
    Some(
        problem
            .label("expected one table")
            .help(format!("write `[optimizer.{name}]`; give a second table another name and `kind = \"{name}\"`")),
    )
}

/// A table in `[optimizer]` is an optimizer, unless it is a schedule.
fn is_arm(entry: &Entry) -> bool {
    entry.key != "schedule" && entry.value.entries().is_some()
}

/// `[optimizer.NAME]` with its kind and the shared keys.
fn alternative(tree: &mut Tree, arm: Entry, shared: &[Entry]) -> Alternative {
    let Entry { key: name, key_origin, value } = arm;
    let Node { id, origin, kind } = value;
    let own = match kind {
        Kind::Table(own) => own,
        _ => Vec::new(),
    };
    // A `kind` for all is a mistake, reported once. A table named like an optimizer keeps that kind, to avoid further
    // errors.
    let is_shared = |entry: &&Entry| entry.key != "kind" || !Algorithm::KINDS.contains(&name.as_str());
    let is_own = |entry: &Entry| own.iter().any(|own| own.key == entry.key);
    let mut entries: Vec<Entry> = shared.iter().filter(is_shared).filter(|entry| !is_own(entry)).cloned().collect();
    entries.extend(own);
    if entries.iter().all(|entry| entry.key != "kind") {
        let kind = Node { id: tree.new_node(), origin: key_origin.clone(), kind: Kind::Text(name.clone()) };
        entries.insert(0, Entry { key: "kind".to_owned(), key_origin, value: kind });
    }
    Alternative { name: Some(name), key_origin: None, value: Node { id, origin, kind: Kind::Table(entries) } }
}
