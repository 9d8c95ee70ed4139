//! The format of the experiment file, as its types describe it: keys with their meaning, default and range, and names
//! with their meaning. The schema for editors and the listings of `paribus list` are made from it.
//!
//! It is read from the schemas that schemars derives. These follow the conventions of serde_json, which are replaced
//! here by the file's own ([`deserialize`](crate::value::deserialize)): an enum is a name or a table with its `kind`,
//! the parts of a tuple struct share a table, and nothing is null.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::File;
use crate::value::deserialize::tag_of;

/// What a value can be.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueShape {
    /// The type's name, where it has one.
    pub name: Option<String>,
    pub doc: String,
    pub kind: ShapeKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ShapeKind {
    /// A number, a text or a boolean, with its keywords of JSON Schema.
    Plain(Map<String, Value>),
    /// A list, with the keywords of JSON Schema for its length.
    List(Box<ValueShape>, Map<String, Value>),
    Table(TableShape),
    Either(Vec<ValueShape>),
}

/// A table: its keys, and perhaps a key that decides which further keys there are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableShape {
    pub keys: Vec<TableKey>,
    pub choice: Option<TaggedUnion>,
}

/// A key of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableKey {
    pub name: String,
    pub doc: String,
    pub default: Option<Value>,
    pub is_required: bool,
    pub shape: ValueShape,
}

/// The key `tag`, and its possible values. A value without further keys can replace the table.
#[derive(Debug, Clone, PartialEq)]
pub struct TaggedUnion {
    pub tag: String,
    pub variants: Vec<Variant>,
}

/// A name, and the keys that come with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    pub name: String,
    pub doc: String,
    pub keys: Vec<TableKey>,
}

/// The keys at the top of the file, except `variant`.
pub fn format() -> Vec<TableKey> {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>();
    let schema = Value::from(schema);
    let definitions = schema["$defs"].as_object().cloned().unwrap_or_default();
    match (SchemaReader { definitions: &definitions }).shape(&schema, None).kind {
        ShapeKind::Table(table) => table.keys,
        _ => Vec::new(),
    }
}

impl ValueShape {
    /// The first result of `find`, for this shape or its alternatives.
    fn first<'s, T>(&'s self, find: &impl Fn(&'s ValueShape) -> Option<T>) -> Option<T> {
        find(self).or_else(|| match &self.kind {
            ShapeKind::Either(shapes) => shapes.iter().find_map(|shape| shape.first(find)),
            _ => None,
        })
    }

    /// The table that a value of this shape can be.
    pub fn table(&self) -> Option<&TableShape> {
        self.first(&|shape| match &shape.kind {
            ShapeKind::Table(table) => Some(table),
            _ => None,
        })
    }

    /// The tables that a value of this shape, or an item if it is a list, can be.
    pub fn tables(&self) -> Vec<&TableShape> {
        match &self.kind {
            ShapeKind::Plain(_) => Vec::new(),
            ShapeKind::List(items, _) => items.tables(),
            ShapeKind::Either(shapes) => shapes.iter().flat_map(Self::tables).collect(),
            ShapeKind::Table(table) => vec![table],
        }
    }

    /// The number that a value of this shape can be, in keywords of JSON Schema.
    pub fn number(&self) -> Option<&Map<String, Value>> {
        self.first(&|shape| match &shape.kind {
            ShapeKind::Plain(words) if words.get("type").is_some_and(|kind| kind == "number" || kind == "integer") => {
                Some(words)
            }
            _ => None,
        })
    }
}

impl TableShape {
    /// The variants; empty if there is no choice.
    pub fn variants(&self) -> &[Variant] {
        self.choice.as_ref().map_or(&[], |choice| &choice.variants)
    }
}

/// These keys and all keys below them, each with its path: keys and names of variants, joined by dots.
pub fn every_key<'k>(keys: &'k [TableKey], above: &str) -> Vec<(String, &'k TableKey)> {
    let below = |(path, key): (String, &'k TableKey)| {
        let mut found = vec![(path.clone(), key)];
        for table in key.shape.tables() {
            found.extend(every_key(&table.keys, &format!("{path}.")));
            found.extend(
                table.variants().iter().flat_map(|kind| every_key(&kind.keys, &format!("{path}.{}.", kind.name))),
            );
        }
        found
    };
    keys.iter().map(|key| (format!("{above}{}", key.name), key)).flat_map(below).collect()
}

struct SchemaReader<'d> {
    definitions: &'d Map<String, Value>,
}

impl SchemaReader<'_> {
    /// The shape that `schema` describes; `name` is the name of its definition.
    fn shape(&self, schema: &Value, name: Option<&str>) -> ValueShape {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            return self.shape(&self.definitions[name], Some(name));
        }
        let doc = schema["description"].as_str().map(plain_text).unwrap_or_default();
        // An optional value is never null.
        if let Some([one, other]) = schema["anyOf"].as_array().map(Vec::as_slice)
            && other["type"] == "null"
            && other.get("const").is_none()
        {
            return self.shape(one, name);
        }
        let kind = self.kind(schema, name);
        ValueShape { name: name.map(str::to_owned), doc, kind }
    }

    fn kind(&self, schema: &Value, name: Option<&str>) -> ShapeKind {
        let list = |key: &str| schema[key].as_array();
        if let Some(parts) = list("prefixItems") {
            return ShapeKind::Table(
                parts.iter().filter_map(|part| self.part(part)).fold(TableShape::default(), joined),
            );
        }
        if let Some(variants) = list("oneOf") {
            let variants = variants.iter().flat_map(|variant| self.variants(variant)).collect();
            return ShapeKind::Table(TableShape {
                keys: Vec::new(),
                choice: Some(TaggedUnion { tag: tag(name), variants }),
            });
        }
        if list("enum").is_some() {
            let choice = TaggedUnion { tag: tag(name), variants: self.variants(schema) };
            return ShapeKind::Table(TableShape { keys: Vec::new(), choice: Some(choice) });
        }
        if let Some(alternatives) = list("anyOf") {
            let mut shapes: Vec<ValueShape> = alternatives.iter().map(|schema| self.shape(schema, None)).collect();
            if let [first, .., last] = shapes.as_mut_slice()
                && let (ShapeKind::Table(into), ShapeKind::Table(from)) = (&mut first.kind, &mut last.kind)
                && let (Some(into), Some(from)) = (&mut into.choice, &mut from.choice)
            {
                // Names of two types.
                into.variants.append(&mut from.variants);
                shapes.truncate(1);
            }
            return match <[ValueShape; 1]>::try_from(shapes) {
                Ok([only]) => only.kind,
                Err(shapes) => ShapeKind::Either(shapes),
            };
        }
        let is = |kind: &str| schema["type"] == kind || list("type").is_some_and(|types| types[0] == kind);
        // A table with free keys is no section: it stays as it is.
        if is("object") && !schema["additionalProperties"].is_object() {
            return ShapeKind::Table(TableShape { keys: self.keys(schema), choice: None });
        }
        let mut words = schema.as_object().cloned().unwrap_or_default();
        words.retain(|word, _| {
            !matches!(word.as_str(), "description" | "format" | "default" | "items" | "title" | "$schema" | "$defs")
        });
        if let Some(types) = list("type") {
            words.insert("type".to_owned(), types[0].clone());
        }
        if is("array") {
            words.remove("type");
            return ShapeKind::List(Box::new(self.shape(&schema["items"], None)), words);
        }
        ShapeKind::Plain(words)
    }

    /// A part of a tuple struct.
    fn part(&self, schema: &Value) -> Option<TableShape> {
        match self.shape(schema, None).kind {
            ShapeKind::Table(table) => Some(table),
            _ => None,
        }
    }

    fn keys(&self, schema: &Value) -> Vec<TableKey> {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let key = |(name, schema): (&String, &Value)| {
            let shape = self.shape(schema, None);
            let own = schema["description"].as_str().map(plain_text);
            TableKey {
                name: name.clone(),
                doc: own.unwrap_or_else(|| shape.doc.clone()),
                default: schema.get("default").filter(|default| !default.is_null()).cloned(),
                is_required: required.iter().any(|required| *required == **name),
                shape,
            }
        };
        schema["properties"].as_object().into_iter().flatten().map(key).collect()
    }

    /// The variants of an enum that are described together, by the conventions of serde_json.
    fn variants(&self, schema: &Value) -> Vec<Variant> {
        let doc = schema["description"].as_str().map(plain_text).unwrap_or_default();
        let named = |name: &Value| Variant {
            name: name.as_str().unwrap_or_default().to_owned(),
            doc: doc.clone(),
            keys: Vec::new(),
        };
        if let Some(names) = schema["enum"].as_array() {
            return names.iter().map(named).collect();
        }
        if let Some(name) = schema.get("const") {
            return vec![named(name)];
        }
        let of_content = |(name, content): (&String, &Value)| {
            let shape = self.shape(content, None);
            let doc = if doc.is_empty() { shape.doc.clone() } else { doc.clone() };
            Variant { name: name.clone(), doc, keys: shape.table().map(|table| table.keys.clone()).unwrap_or_default() }
        };
        schema["properties"].as_object().into_iter().flatten().map(of_content).collect()
    }
}

/// A table with the keys of two parts.
fn joined(mut all: TableShape, part: TableShape) -> TableShape {
    all.keys.extend(part.keys);
    TableShape { choice: all.choice.or(part.choice), ..all }
}

/// The key that holds the variant of an enum with this name.
fn tag(name: Option<&str>) -> String {
    name.map_or("kind", tag_of).to_owned()
}

/// A doc comment as plain text: one line for each paragraph and each list item, without links into the code.
fn plain_text(doc: &str) -> String {
    let mut text = String::new();
    for line in doc.lines().map(str::trim_end) {
        let begins = line.is_empty() || line.starts_with("- ") || text.is_empty() || text.ends_with('\n');
        text.push_str(if begins && !text.is_empty() && !text.ends_with("\n\n") {
            "\n"
        } else if text.is_empty() {
            ""
        } else {
            " "
        });
        text.push_str(line.trim_start());
    }
    without_links(text.trim())
}

/// `[text](target)` as `text`.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("[`") {
        let (before, link) = rest.split_at(at);
        plain.push_str(before);
        let Some(end) = link.find("`]") else { break };
        plain.push_str(&link[1..=end]);
        rest = &link[end + 2..];
        if let Some(target) = rest.strip_prefix('(').and_then(|target| target.find(')')) {
            rest = &rest[target + 2..];
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_described_and_has_a_default_or_says_what_stands_in_for_one() {
        let format = format();
        let keys = every_key(&format, "");
        for (path, key) in &keys {
            let is_section = !path.contains('.');
            let said = key.doc.contains("efault");
            let is_described = is_section || key.is_required || key.default.is_some() || said;
            assert!(!key.doc.is_empty() && is_described, "{path}: {}", key.doc);
            for Variant { name, doc, .. } in key.shape.tables().into_iter().flat_map(TableShape::variants) {
                assert!(!doc.is_empty() || path.ends_with("delimiter"), "{path} = {name} is not described");
            }
        }
        assert!(keys.len() > 120, "{} keys", keys.len());
    }

    #[test]
    fn docs_lose_their_links_and_their_line_breaks() {
        assert_eq!(
            plain_text("As [`Adam`](super::Adam) and\nothers, [x, y].\n\nMore:\n\n- one\n  two\n- [`three`]"),
            "As `Adam` and others, [x, y].\n\nMore:\n\n- one two\n- `three`"
        );
    }
}
