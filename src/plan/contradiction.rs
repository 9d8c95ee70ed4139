//! Settings that are each accepted alone but not together, and where they are written.

use std::panic::Location;

use crate::file::{Experiment, Section, short_name};
use crate::value::problem::{Cause, Problem};
use crate::value::{Choice, Form, Node, Origin};
use engine::data;
use engine::optim::ScheduleError;

/// Settings that are each accepted alone but not together.
#[derive(Debug, Clone, PartialEq)]
pub struct Contradiction {
    /// The rule that found it: its location in this program.
    rule: &'static Location<'static>,
    blamed: Blamed,
    message: String,
    help: Option<String>,
    /// Paths of the other settings that it depends on.
    reads: &'static [&'static [&'static str]],
    /// A key of the same section that says the same in another way.
    same_as: Option<&'static str>,
}

/// Identifies a rule independently of the numbers in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A rule about several sections.
    Between(&'static Location<'static>),
    /// What the type of a section requires of its values in combination.
    Within(Section),
}

impl Rule {
    /// As [`Contradiction::rule_of_generated`], for what the type of a section requires.
    pub fn within_generated(section: Section, experiment: &Experiment, choice: &Choice) -> Option<Self> {
        is_generated(&experiment.tree.root, choice, &[section.key()]).then_some(Self::Within(section))
    }
}

/// The setting to change first.
#[derive(Debug, Clone, PartialEq)]
enum Blamed {
    /// Its path: the keys that lead to it.
    Path(Vec<&'static str>),
    /// Its short name.
    Setting(&'static str),
}

impl Contradiction {
    #[track_caller]
    pub fn new(path: impl Into<Vec<&'static str>>, message: impl Into<String>) -> Self {
        Self::at(Blamed::Path(path.into()), message)
    }

    #[track_caller]
    pub fn of_setting(name: &'static str, message: impl Into<String>) -> Self {
        Self::at(Blamed::Setting(name), message)
    }

    #[track_caller]
    fn at(blamed: Blamed, message: impl Into<String>) -> Self {
        Self { rule: Location::caller(), blamed, message: message.into(), help: None, reads: &[], same_as: None }
    }

    /// The rule that found it, if it depends on numbers that are computed or drawn under `choice`. Each such number may
    /// give it another message.
    pub fn rule_of_generated(&self, experiment: &Experiment, choice: &Choice) -> Option<Rule> {
        let root = &experiment.tree.root;
        let mut setting = Vec::new();
        let blamed: &[&str] = match &self.blamed {
            Blamed::Path(path) => path,
            Blamed::Setting(name) => {
                locate_setting(root, choice, name, &mut setting);
                &setting
            }
        };
        let mut places = self.reads.iter().copied().chain([blamed]);
        places.any(|path| is_generated(root, choice, path)).then_some(Rule::Between(self.rule))
    }

    /// Sets the paths of the settings that it depends on, besides the one at its own place.
    pub fn reads(self, reads: &'static [&'static [&'static str]]) -> Self {
        Self { reads, ..self }
    }

    /// Sets the key of the same section that says the same in another way, if there is one.
    pub fn same_as(self, key: Option<&'static str>) -> Self {
        Self { same_as: key, ..self }
    }

    /// Whether it depends on the setting at this path.
    pub fn reads_any(&self, path: &[&str]) -> bool {
        self.reads.iter().any(|read| **read == *path)
    }

    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Unavailable data.
    pub fn of_data(error: &data::Error) -> Self {
        let contradiction = Self::new(["data", error.key()], error.to_string());
        let contradiction = if error.is_of_the_file() { contradiction } else { contradiction.reads(&[DATA]) };
        match error.help() {
            Some(help) => contradiction.help(help),
            None => contradiction,
        }
    }

    /// A schedule that does not suit its run.
    pub fn of_schedule(error: &ScheduleError) -> Self {
        let (setting, help) = match error {
            ScheduleError::NothingLeft { .. } => ("warm_up", "use a shorter `warm_up` or more `steps`, or set `over`"),
            ScheduleError::Rises { .. } => ("schedule_min_lr", "use a `min_lr` below the lowest `lr` of the file"),
        };
        Self::of_setting(setting, error.to_string()).help(help).reads(&[OPTIMIZER, TRAIN])
    }

    /// The problem at its place in the file; `None` if a setting that it depends on was rejected, which may be the
    /// cause.
    pub fn into_problem(self, experiment: &Experiment, choice: &Choice) -> Option<Problem> {
        let root = &experiment.tree.root;
        let place = match &self.blamed {
            Blamed::Path(path) => locate(root, choice, path),
            Blamed::Setting(name) => locate_setting(root, choice, name, &mut Vec::new()),
        };
        let read = self.reads.iter().filter_map(|path| locate(root, choice, path));
        if place.iter().cloned().chain(read).any(|(_, node)| experiment.lacks(node)) {
            return None;
        }
        let mut problem = Problem::new(self.message);
        problem.cause = self.same_as.map(|key| Box::new(Cause::SaidTwice(key)));
        problem.origin = place.map(|(origin, _)| origin);
        problem.help.extend(self.help);
        Some(problem)
    }
}

pub const DATA: &[&str] = &["data"];
pub const NETWORK: &[&str] = &["network"];
pub const OPTIMIZER: &[&str] = &["optimizer"];
pub const TRAIN: &[&str] = &["train"];
pub const PRECISION: &[&str] = &["train", "precision"];
pub const BATCH_SIZE: &[&str] = &["train", "batch_size"];

/// The place of `path` under `choice`, or of the closest table above it that the file has.
fn locate<'t>(root: &'t Node, choice: &Choice, path: &[&str]) -> Option<(Origin, &'t Node)> {
    let entry = root.along(path, choice).last()?;
    let node = entry.value.chosen(choice);
    let origin = if node.entries().is_some() { entry.key_origin_under(choice) } else { &node.origin };
    Some((origin.clone(), node))
}

/// Whether a number at `path` or below is computed or drawn under `choice`, or belongs to a table that is drawn.
fn is_generated(root: &Node, choice: &Choice, path: &[&str]) -> bool {
    let Some((section, keys)) = path.split_first() else { return false };
    let Some(entry) = root.entry_under(section, choice) else { return false };
    entry.value.walk_under(choice).any(|place| {
        let is_generated = place.axis().is_some_and(|axis| matches!(axis.form, Form::Spaced(_) | Form::Trial(_)));
        is_generated && place.path().iter().zip(keys).all(|(one, other)| one == other)
    })
}

/// The place of the setting with this short name under `choice`, below `node` at `path`, which then leads to it.
fn locate_setting<'t>(
    node: &'t Node,
    choice: &Choice,
    name: &str,
    path: &mut Vec<&'t str>,
) -> Option<(Origin, &'t Node)> {
    let node = node.chosen(choice);
    if node.is_absent() {
        return None;
    }
    let Some(entries) = node.entries() else { return (short_name(path) == name).then(|| (node.origin.clone(), node)) };
    entries.iter().find_map(|entry| {
        path.push(&entry.key);
        let found = locate_setting(&entry.value, choice, name, path);
        if found.is_none() {
            path.pop();
        }
        found
    })
}
