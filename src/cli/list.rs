//! `paribus list [WHAT]`: lists the possible values of a setting, with defaults, equations and sources, from the docs
//! of the types.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::table::TextTable;
use super::{Failure, out};
use crate::file::format::{ShapeKind, TableKey, TaggedUnion, ValueShape, Variant, format};
use engine::names::suggestion;

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    /// What to list. Without it, the topics are listed.
    what: Option<String>,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
Examples:
  paribus list                       the topics
  paribus list optimizers            every optimizer with its equation, defaults and source
  paribus list init --json           the initializations, for programs

Writes only to stdout.

Exit codes: 0 printed, 2 unknown topic.";

/// What can be listed: a name, the keys that lead to it in the format, and a short description.
const TOPICS: [(&str, &[&str], &str); 11] = [
    ("data", &["data"], "where rows come from: `source` in [data]"),
    ("functions", &["function"], "what an optimizer descends instead of training: `kind` in [function]"),
    ("layers", &["network", "layers"], "what a network is made of: `layers` in [network]"),
    ("activations", &["network", "activation"], "what comes after a layer: `activation` and `output` in [network]"),
    ("init", &["init", "weights"], "how weights are drawn: `weights` in [init]"),
    ("optimizers", &["optimizer"], "how gradients become steps: [optimizer.NAME]"),
    ("schedules", &["optimizer", "schedule"], "how the learning rate changes: `schedule` in [optimizer.NAME]"),
    ("losses", &["train", "objective"], "what training minimizes: `objective` in [train]"),
    ("sampling", &["train", "sampling"], "how batches are drawn: `sampling` in [train]"),
    ("normalizations", &["data", "normalize"], "how features are scaled: `normalize` in [data]"),
    ("measurements", &["record", "layers", "what"], "layer metrics: `layers` in [record]"),
];

/// The width at which texts are wrapped.
const WIDTH: usize = 110;

/// Prints a list.
pub fn list(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let keys = format();
    let text = match (&arguments.what, arguments.json) {
        (None, false) => topics(&keys),
        (None, true) => format!("{:#}\n", json!(TOPICS.map(|(name, ..)| name))),
        (Some(what), is_json) => {
            let variants = variants(&keys, what).ok_or_else(|| unknown(what))?;
            match is_json {
                true => format!("{:#}\n", Value::Array(variants.iter().map(as_json).collect())),
                false => variants.iter().map(described).collect::<Vec<_>>().join("\n"),
            }
        }
    };
    out(&text);
    Ok(ExitCode::SUCCESS)
}

fn unknown(what: &str) -> Failure {
    let names = TOPICS.map(|(name, ..)| name);
    let help = suggestion(what, names).unwrap_or_else(|| format!("choose from {}", names.join(", ")));
    Failure::input(format!("`{what}` cannot be listed; {help}"))
}

/// What can be listed.
fn topics(keys: &[TableKey]) -> String {
    let mut table = TextTable::new([("", false), ("", true), ("", false)]);
    for (name, _, meaning) in TOPICS {
        let count = variants(keys, name).map_or(0, |variants| variants.len());
        table.row([name.to_owned(), count.to_string(), meaning.to_owned()]);
    }
    format!("`paribus list WHAT` describes each of these, with its source, keys and defaults:\n\n{}", table.render(2))
}

/// All variants of this topic, in the order of the types. The topic's plural `s` may be omitted.
fn variants(keys: &[TableKey], topic: &str) -> Option<Vec<Variant>> {
    let is_meant = |name: &str| name == topic || name.strip_suffix('s') == Some(topic);
    let (_, path, _) = TOPICS.iter().find(|(name, ..)| is_meant(name))?;
    let [section, rest @ ..] = *path else { return None };
    let mut shape = &keys.iter().find(|key| key.name == *section)?.shape;
    for name in rest {
        shape = &shape.table()?.keys.iter().find(|key| key.name == *name)?.shape;
    }
    Some(choice(shape)?.variants.clone())
}

/// The choice of the shape, or of its items if it is a list.
fn choice(shape: &ValueShape) -> Option<&TaggedUnion> {
    match &shape.kind {
        ShapeKind::List(items, _) => choice(items),
        _ => shape.table()?.choice.as_ref(),
    }
}

/// The text about a variant: its name, its docs, and its keys with their defaults.
fn described(variant: &Variant) -> String {
    let mut text = format!("{}\n", variant.name);
    for paragraph in variant.doc.lines().filter(|line| !line.is_empty()) {
        // The lines of a list item are indented like its text.
        let hanging = if paragraph.starts_with("- ") { 2 } else { 0 };
        text += &wrapped(paragraph, 4, hanging);
    }
    let width = variant.keys.iter().map(|key| key_and_default(key).chars().count()).max().unwrap_or_default();
    for key in &variant.keys {
        let setting = format!("{:width$}  ", key_and_default(key));
        let doc = without_default(key.doc.lines().next().unwrap_or_default());
        text += &wrapped(&format!("{setting}{doc}"), 6, width + 2);
    }
    text
}

/// `lr = 0.01`, or only the key if it has no default.
fn key_and_default(key: &TableKey) -> String {
    match &key.default {
        Some(default) => format!("{} = {default}", key.name),
        None if key.is_required => format!("{} (required)", key.name),
        None => key.name.clone(),
    }
}

/// A key's doc without the last sentence, if that only states the default.
fn without_default(doc: &str) -> &str {
    match doc.rsplit_once("Default: ") {
        Some((before, default)) if !default.contains(' ') => before.trim_end(),
        _ => doc,
    }
}

/// The text in lines of [`WIDTH`], indented by `indent` spaces, and all but the first by `hanging` more.
fn wrapped(text: &str, indent: usize, hanging: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    // The first word keeps the spaces that align the text after it.
    let (first, rest) = text.split_at(text.char_indices().nth(hanging).map_or(0, |(at, _)| at));
    let mut line = format!("{}{first}", " ".repeat(indent));
    let mut is_empty = true;
    for word in rest.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent + hanging)));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn as_json(variant: &Variant) -> Value {
    let key = |TableKey { name, doc, default, is_required, .. }: &TableKey| json!({ "name": name, "description": doc, "default": default, "required": is_required });
    let keys: Vec<Value> = variant.keys.iter().map(key).collect();
    json!({ "name": variant.name, "description": variant.doc, "keys": keys })
}
