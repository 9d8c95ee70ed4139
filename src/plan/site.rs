//! An axis at one place of the file, and how its values are written in labels and listings.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::file::{VARIANT, short_name};
use crate::value::{Axis, Choice, Form, Kind, Node};
use engine::number::shortest;

/// An axis at one place of the file.
#[derive(Debug)]
pub struct Site {
    /// The setting's short name, or `variant`.
    name: String,
    pub axis: Arc<Axis>,
    /// Whether this is where the file names its variants.
    is_variants: bool,
    /// Labels of the numbers of a spaced axis, by position.
    in_short: OnceLock<HashMap<usize, String>>,
}

/// The setting whose values are lists of widths.
pub const LISTS: &str = "hidden";

impl Site {
    /// The axis at this path.
    pub fn new(axis: &Arc<Axis>, path: &[&str]) -> Self {
        Self {
            name: short_name(path),
            axis: Arc::clone(axis),
            is_variants: path == [VARIANT],
            in_short: OnceLock::new(),
        }
    }

    /// The setting's short name; `variant`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a declared axis.
    pub fn is_declared(&self) -> bool {
        self.axis.alternatives.len() > 1 || self.axis.is_trial() || self.name != "optimizer"
    }

    /// Whether nothing is here under `choice`.
    pub fn is_absent(&self, choice: &Choice) -> bool {
        let taken = self.axis.taken(choice).map(|taken| &self.axis.alternatives[taken]);
        !self.is_variants && taken.is_some_and(|taken| taken.value.is_absent())
    }

    /// The alternative under `choice` as listings write it.
    pub fn value(&self, choice: &Choice) -> String {
        let Some(taken) = self.axis.taken(choice) else {
            return self.axis.number(choice).map_or_else(String::new, |drawn| number(&drawn.into()));
        };
        let alternative = &self.axis.alternatives[taken];
        let is_drawn = self.axis.is_trial();
        let writing = Writing { separator: self.separator(), choice, is_drawn };
        alternative.name.clone().unwrap_or_else(|| writing.value(&alternative.value))
    }

    /// The alternative under `choice` as labels write it; empty if they omit it.
    pub fn label(&self, choice: &Choice) -> String {
        let (false, Some(taken)) = (self.axis.is_trial(), self.axis.taken(choice)) else {
            return String::new();
        };
        let alternative = &self.axis.alternatives[taken];
        let speaks_for_itself = alternative.name.is_some()
            || matches!(alternative.value.kind, Kind::Text(_))
            || alternative.value.entry("kind").is_some();
        match speaks_for_itself {
            true => self.value(choice),
            false => format!("{}={}", self.name, self.in_short(taken).unwrap_or_else(|| self.value(choice))),
        }
    }

    /// A computed number as labels write it.
    fn in_short(&self, position: usize) -> Option<String> {
        let Form::Spaced(_) = self.axis.form else { return None };
        let values = || self.axis.alternatives.iter().map(|alternative| &alternative.value.kind);
        self.in_short.get_or_init(|| shortened(values())).get(&position).cloned()
    }

    /// The separator between the items of a list.
    fn separator(&self) -> &'static str {
        if self.name == LISTS { "-" } else { "," }
    }
}

/// The numbers among `values`, by position, with enough digits to tell each from the others, at least three. Whole
/// numbers keep all digits.
fn shortened<'t>(values: impl Iterator<Item = &'t Kind>) -> HashMap<usize, String> {
    let rounded = |number: &Kind, digits: usize| match number {
        Kind::Float(number) => format!("{number:.digits$e}").parse().ok().map(shortest),
        Kind::Int(number) => Some(number.to_string()),
        _ => None,
    };
    let mut waiting: Vec<(usize, &Kind)> = values.enumerate().collect();
    let mut short = HashMap::new();
    // Digits after the first one; 17 digits in total distinguish any two numbers.
    for digits in 2..17 {
        let mut same: HashMap<String, Vec<(usize, &Kind)>> = HashMap::new();
        for (position, number) in waiting.drain(..) {
            if let Some(text) = rounded(number, digits) {
                same.entry(text).or_default().push((position, number));
            }
        }
        for (text, numbers) in same {
            match numbers.as_slice() {
                [(position, _)] => _ = short.insert(*position, text),
                _ => waiting.extend(numbers),
            }
        }
    }
    short
}

/// How a value is written.
#[derive(Clone, Copy)]
struct Writing<'c> {
    /// The separator between the items of a list.
    separator: &'static str,
    choice: &'c Choice,
    /// Whether a trial draws it, including the draws within it.
    is_drawn: bool,
}

impl Writing<'_> {
    /// A value as labels write it.
    fn value(self, node: &Node) -> String {
        match &node.kind {
            Kind::Bool(value) => value.to_string(),
            Kind::Int(_) | Kind::Float(_) => number(&node.kind),
            Kind::Text(value) | Kind::Date(value) => value.clone(),
            Kind::List(items) if items.is_empty() => "none".to_owned(),
            Kind::List(items) => items.iter().map(|item| self.value(item)).collect::<Vec<_>>().join(self.separator),
            Kind::Table(entries) => {
                let kind = entries.iter().find(|entry| entry.key == "kind").map(|entry| self.value(&entry.value));
                let settings: Vec<_> = entries
                    .iter()
                    .filter(|entry| entry.key != "kind" && self.is_part(&entry.value))
                    .map(|entry| format!("{}={}", entry.key, self.value(&entry.value)))
                    .collect();
                match (kind, settings.is_empty()) {
                    (Some(kind), true) => kind,
                    (kind, _) => format!("{}({})", kind.unwrap_or_default(), settings.join(" ")),
                }
            }
            Kind::Axis(axis) if self.is_part(node) => match axis.taken(self.choice) {
                Some(taken) => self.value(&axis.alternatives[taken].value),
                None => axis.number(self.choice).map_or_else(String::new, |drawn| number(&drawn.into())),
            },
            Kind::Axis(_) | Kind::Absent => String::new(),
        }
    }

    /// Whether this is written as a part of the value around it. An axis has its own label.
    fn is_part(self, node: &Node) -> bool {
        match &node.kind {
            Kind::Axis(axis) => self.is_drawn && axis.is_trial(),
            _ => true,
        }
    }
}

/// A number as labels write it.
fn number(number: &Kind) -> String {
    match number {
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) => shortest(*value),
        _ => String::new(),
    }
}
