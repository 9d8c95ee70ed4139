//! How each key of a file was read: as one value or as an axis.

use crate::file::Experiment;
use crate::value::{Kind, Node, Origin};

/// One key of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// `optimizer.adam.lr`
    pub key: String,
    /// As the file has it, on one line.
    pub written: String,
    /// How many alternatives it has, where it is an axis.
    pub alternatives: Option<usize>,
}

/// Every key that holds a value, in the order of the file.
pub fn readings(experiment: &Experiment) -> Vec<Reading> {
    let mut readings = Vec::new();
    collect(experiment, &experiment.tree.root, &mut Vec::new(), &mut readings);
    readings
}

fn collect(experiment: &Experiment, node: &Node, path: &mut Vec<String>, readings: &mut Vec<Reading>) {
    let mut reading = |path: &[String], alternatives| {
        let written = one_line(experiment, &node.origin);
        readings.push(Reading { key: path.join("."), written, alternatives });
    };
    match &node.kind {
        // The optimizers' tables, each under its own name.
        Kind::Axis(axis) if axis.alternatives.iter().any(|alternative| alternative.name.is_some()) => {
            for alternative in &axis.alternatives {
                path.extend(alternative.name.clone());
                collect(experiment, &alternative.value, path, readings);
                path.pop();
            }
        }
        Kind::Axis(axis) => {
            reading(path, Some(axis.alternatives.len()));
            // Axes of an alternative's own.
            for alternative in axis.alternatives.iter().filter(|alternative| holds_axis(&alternative.value)) {
                collect(experiment, &alternative.value, path, readings);
            }
        }
        Kind::Table(entries) if is_section(experiment, node) || holds_axis(node) => {
            for entry in entries {
                // A kind that the table's name implies was not written.
                if entry.key == "kind" && entry.value.origin == entry.key_origin {
                    continue;
                }
                path.push(entry.key.clone());
                collect(experiment, &entry.value, path, readings);
                path.pop();
            }
        }
        _ => reading(path, None),
    }
}

/// A table under a header, or made by dotted keys, rather than one in braces, which reads as one value.
fn is_section(experiment: &Experiment, node: &Node) -> bool {
    !experiment.sources.excerpt(&node.origin).starts_with('{')
}

fn holds_axis(node: &Node) -> bool {
    node.children().any(|child| matches!(child.kind, Kind::Axis(_)) || holds_axis(child))
}

fn one_line(experiment: &Experiment, origin: &Origin) -> String {
    const MOST: usize = 60;
    let words = experiment.sources.excerpt(origin).split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", &words[..end]),
        None => words,
    }
}
