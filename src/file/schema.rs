//! The JSON Schema of the experiment file, for editors: keys and values, with docs and defaults.
//!
//! It is made from the [`format`](super::format) that the types describe. One transformation adds what only the file
//! has: a setting can be an axis, variants can patch sections, and optimizers are named tables.
//!
//! Editors differ in what they understand. Taplo ("Even Better TOML") looks for docs and names in `properties`,
//! `patternProperties`, `items` and `anyOf` and at the ends of `$ref` (next to which it ignores everything), shows the
//! docs of all alternatives together, and leaves `if` and `then` to its validator. So every key is in one place, and
//! what depends on a `kind` is in an `if`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::format::{ShapeKind, TableKey, TableShape, TaggedUnion, ValueShape, Variant, format};
use super::sections::{self, VARIANT};
use engine::train;

/// The schema, as a JSON document.
pub fn schema() -> Value {
    let keys = format();
    let mut emitter = Emitter { definitions: Map::new() };
    let mut properties = Map::new();
    for key in &keys {
        properties.insert(key.name.clone(), emitter.top(key));
    }
    let patched = properties.iter().filter(|(name, _)| !is_fixed(name));
    let patch = json!({
        "type": "object",
        "description": "What this variant changes. A key replaces the file's key and may be an axis; tables are \
                        merged.",
        "properties": patched.map(|(name, schema)| (name.clone(), schema.clone())).collect::<Map<_, _>>(),
        "additionalProperties": false,
    });
    let variant = json!({
        "type": "object",
        "description": "`[variant.NAME]`: named sets of changes to the file, for comparisons that no product of axes \
                        describes. Variants are one axis; the unchanged file is not one of them.",
        "patternProperties": { NAME: patch },
        "additionalProperties": false,
    });
    properties.insert(VARIANT.to_owned(), variant);
    let completed: Vec<Value> = sections::names(|key| key.completes).map(|key| json!({ "required": [key] })).collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "paribus experiment",
        "description": "Describes many small neural-network trainings. A list where a setting takes one value is an \
                        axis; all axes multiply.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "if": { "not": { "anyOf": completed } },
        "then": whole(&keys),
    });
    schema["$defs"] = Value::Object(emitter.definitions);
    schema
}

/// Whether the key holds for all runs of a file.
fn is_fixed(name: &str) -> bool {
    sections::key(name).is_some_and(|key| key.fixed.is_some())
}

/// The pattern of names of optimizers and variants.
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";

/// The keywords for lists in tables, and their meaning.
const LISTS: [(&str, &str); 2] =
    [("values", "An axis of these values."), ("choice", "Drawn by each trial: one of these values.")];

/// The requirements for a file that no other file completes.
fn whole(keys: &[TableKey]) -> Value {
    let required_in = |section: &str| {
        let table = keys.iter().find(|key| key.name == section).and_then(|key| key.shape.table());
        table.and_then(Chain::of).map_or_else(|| json!({}), |chain| chain.required())
    };
    let is_missing = |key: &str| json!({ "not": { "required": [key] } });
    let train = keys.iter().find(|key| key.name == "train").and_then(|key| key.shape.table());
    let of_every_training: Vec<&str> = train
        .into_iter()
        .flat_map(|table| &table.keys)
        .map(|key| key.name.as_str())
        .filter(|name| !train::TrainSection::OF_A_NETWORK.contains(name))
        .collect();
    let mut beside_a_function = json!({
        "function": required_in("function"),
        "train": { "required": ["steps"], "propertyNames": { "enum": of_every_training } },
    });
    sections::names(|key| key.belongs_to_network).for_each(|section| beside_a_function[section] = json!(false));
    let needed = |of_network: bool| -> Vec<&str> {
        sections::names(move |key| key.least.is_some() && key.belongs_to_network == of_network).collect()
    };
    let optimizer = keys.iter().find(|key| key.name == "optimizer").and_then(|key| key.shape.table());
    let no_names: Vec<String> =
        optimizer.map(|table| all_keys(table).into_iter().map(|key| key.name).collect()).unwrap_or_default();
    json!({
        "required": needed(false),
        "properties": {
            // The table must name an optimizer, by `kind` or by a table in it.
            "optimizer": {
                "if": { "type": "object", "not": { "required": ["kind"] } },
                "then": { "not": { "propertyNames": { "enum": no_names } } },
            },
        },
        "if": { "required": ["function"] },
        "then": { "properties": beside_a_function },
        "else": {
            "required": needed(true),
            "properties": {
                "data": required_in("data"),
                "network": {
                    "if": is_missing("layers"),
                    "then": { "required": ["hidden"] },
                    "else": { "propertyNames": { "const": "layers" } },
                },
                "train": {
                    "if": is_missing("epochs"),
                    "then": { "required": ["steps"] },
                    "else": is_missing("steps"),
                },
            },
        },
    })
}

struct Emitter {
    definitions: Map<String, Value>,
}

impl Emitter {
    /// A key at the top of the file.
    fn top(&mut self, key: &TableKey) -> Value {
        if is_fixed(&key.name) {
            return self.property(key, false);
        }
        let Some(table) = key.shape.table() else { return self.property(key, true) };
        let label = capitalized(&key.name);
        let mut section = match key.name.as_str() {
            "optimizer" => self.optimizers(table, &key.shape, &label),
            _ => self.table(table, &label, true, false),
        };
        section["description"] = json!(key.doc);
        self.define(format!("{label}Section"), section)
    }

    /// `[optimizer]`: names, or a table with a `kind`, or named tables with shared keys.
    fn optimizers(&mut self, table: &TableShape, shape: &ValueShape, label: &str) -> Value {
        let Some(choice) = &table.choice else { return self.table(table, label, true, false) };
        let mut section = self.table(table, label, true, false);
        for Variant { name, doc, keys } in &choice.variants {
            let mut arm = self.object(keys.iter().chain(&table.keys), true);
            arm["description"] = json!(doc);
            arm["properties"][&choice.tag] = json!({ "const": name });
            section["properties"][name] = arm;
        }
        let mut other = self.table(table, label, true, true);
        other["description"] = json!("An optimizer with a name of your own, which needs a `kind`.");
        // Taplo ignores this keyword. Elsewhere it would show the docs of all kinds next to those of one.
        section["unevaluatedProperties"] = self.define(format!("Own{label}"), other);
        section["propertyNames"] = json!({ "pattern": NAME });
        // Without a `kind`, the keys next to named tables are shared, so keys of every kind are accepted.
        let names = Chain { table, choice }.names();
        merge(&mut section, json!({ "if": { "required": [choice.tag] }, "then": names }));
        if let Some(section) = section.as_object_mut() {
            section.remove("additionalProperties");
            section.remove("else");
        }
        // Keywords for tables, lists and texts side by side, each of which applies to its own type only: so a mistake
        // is shown at its place, not at the whole section.
        let (one, names) = (self.value(shape, true), self.names(choice, &table.keys, label));
        // Lists are in the section itself, so only the axis's tables are needed.
        self.axis(shape);
        self.definitions.remove(&axis_name(&name_of(shape)));
        let one = json!({ "anyOf": [one, reference(&format!("{}Tables", name_of(shape)))] });
        for (word, doc) in LISTS {
            section["properties"][word] =
                json!({ "description": doc, "type": "array", "minItems": 1, "items": one.clone() });
            section["dependentSchemas"][word] = json!({ "maxProperties": 1 });
        }
        merge(&mut section, json!({ "type": ["object", "array", "string"], "minItems": 1, "items": one }));
        section["anyOf"] = json!([{ "type": ["object", "array"] }, names]);
        section
    }

    /// Adds a schema to the definitions; returns a reference to it.
    fn define(&mut self, name: String, schema: Value) -> Value {
        let reference = reference(&name);
        debug_assert!(self.definitions.get(&name).is_none_or(|known| *known == schema), "two definitions of {name}");
        self.definitions.insert(name, schema);
        reference
    }

    /// A key and its value, or, with `axes`, several values.
    fn property(&mut self, key: &TableKey, axes: bool) -> Value {
        // The list of layers can be an axis but contains none.
        let inner = axes && key.name != "layers";
        let mut schemas = vec![self.value(&key.shape, inner)];
        if axes {
            schemas.push(self.axis(&key.shape));
        }
        let mut property = json!({});
        if !key.doc.is_empty() {
            property["description"] = json!(key.doc);
        }
        if let Some(default) = &key.default {
            property["default"] = default.clone();
        }
        match <[Value; 1]>::try_from(schemas) {
            // Taplo ignores everything next to a reference.
            Ok([only]) if only.get("$ref").is_none() => merge(&mut property, only),
            Ok(only) => property["anyOf"] = json!(only),
            Err(schemas) => property["anyOf"] = json!(schemas),
        }
        property
    }

    /// One value of this shape. With `axes`, tables in it can have axes of their own.
    fn value(&mut self, shape: &ValueShape, axes: bool) -> Value {
        let Some(name) = &shape.name else { return self.bare(shape, &name_of(shape), axes) };
        let name = if axes || !has_settings(shape) { name.clone() } else { format!("{name}WithoutAxes") };
        if self.definitions.contains_key(&name) {
            return reference(&name);
        }
        let schema = self.bare(shape, shape.name.as_deref().unwrap_or_default(), axes);
        self.define(name, schema)
    }

    /// The schema itself; its parts are named after `label`.
    fn bare(&mut self, shape: &ValueShape, label: &str, axes: bool) -> Value {
        match &shape.kind {
            ShapeKind::Plain(words) => Value::Object(words.clone()),
            ShapeKind::List(items, limits) => {
                let mut list = json!({ "type": "array", "items": self.value(items, false) });
                merge(&mut list, Value::Object(limits.clone()));
                list
            }
            ShapeKind::Either(shapes) => {
                let alternative = |shape: &ValueShape| match &shape.name {
                    Some(_) => self.value(shape, axes),
                    None => self.bare(shape, label, axes),
                };
                json!({ "anyOf": shapes.iter().map(alternative).collect::<Vec<_>>() })
            }
            ShapeKind::Table(TableShape { keys, choice: None }) => self.object(keys, axes),
            ShapeKind::Table(table @ TableShape { keys, choice: Some(choice) }) => {
                let names = self.names(choice, keys, label);
                match choice.variants.iter().all(|variant| variant.keys.is_empty()) && keys.is_empty() {
                    true => names,
                    false => json!({ "anyOf": [names, self.table(table, label, axes, true)] }),
                }
            }
        }
    }

    /// The names that can replace a table without further keys.
    fn names(&mut self, choice: &TaggedUnion, shared: &[TableKey], label: &str) -> Value {
        let alone = |variant: &&Variant| !shared.iter().chain(&variant.keys).any(|key| key.is_required);
        let alone: Vec<&Variant> = choice.variants.iter().filter(alone).collect();
        match alone.len() == choice.variants.len() {
            true => self.kinds(choice, label),
            false => self.define(format!("{label}Alone"), named(&alone)),
        }
    }

    /// The names of all kinds.
    fn kinds(&mut self, choice: &TaggedUnion, label: &str) -> Value {
        self.define(format!("{label}Kind"), named(&choice.variants.iter().collect::<Vec<_>>()))
    }

    /// A table; `must_choose` requires the key that decides which keys there are, and the keys that its value requires.
    fn table(&mut self, table: &TableShape, label: &str, axes: bool, must_choose: bool) -> Value {
        let Some(choice) = &table.choice else { return self.object(&table.keys, axes) };
        let mut schema = self.object(&all_keys(table), axes);
        let kind = self.kinds(choice, label);
        let mut kinds = vec![kind.clone()];
        if axes {
            kinds.push(self.axis_of(&format!("{label}Kind"), &kind, None));
        }
        let names: Vec<String> = choice.variants.iter().map(|variant| format!("`\"{}\"`", variant.name)).collect();
        let doc = format!("One of {}. The other keys depend on it.", names.join(", "));
        schema["properties"][&choice.tag] = json!({ "description": doc, "anyOf": kinds });
        if must_choose {
            schema["required"] = json!([choice.tag]);
        }
        merge(&mut schema, Chain { table, choice }.exact(self, axes, must_choose));
        schema
    }

    /// A table of these keys and no others.
    fn object<'k>(&mut self, keys: impl IntoIterator<Item = &'k TableKey>, axes: bool) -> Value {
        let mut properties = Map::new();
        for key in keys {
            let schema = self.property(key, axes);
            properties.insert(key.name.clone(), schema);
        }
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }

    /// Several values of this shape: a list, or a table that generates them.
    fn axis(&mut self, shape: &ValueShape) -> Value {
        let name = name_of(shape);
        if self.definitions.contains_key(&axis_name(&name)) {
            return reference(&axis_name(&name));
        }
        let value = self.value(shape, true);
        self.axis_of(&name, &value, shape.number())
    }

    /// Several values that `value` accepts; `name` is its name, and `number` describes the numbers that it accepts, if
    /// any.
    fn axis_of(&mut self, name: &str, value: &Value, number: Option<&Map<String, Value>>) -> Value {
        let tables = format!("{name}Tables");
        // Each value can itself be a table of several values.
        let list = json!({ "type": "array", "minItems": 1, "items": { "anyOf": [value, reference(&tables)] } });
        let mut forms: Vec<Value> = LISTS.iter().map(|(name, doc)| word(name, doc, list.clone())).collect();
        forms.extend(number.into_iter().flat_map(number_forms));
        let tables = self.define(tables, json!({ "anyOf": forms }));
        self.define(axis_name(name), json!({ "anyOf": [list, tables] }))
    }
}

fn axis_name(name: &str) -> String {
    format!("{name}Axis")
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// What depends on the choice of a table, as a chain of conditions.
struct Chain<'t> {
    table: &'t TableShape,
    choice: &'t TaggedUnion,
}

impl<'t> Chain<'t> {
    fn of(table: &'t TableShape) -> Option<Self> {
        table.choice.as_ref().map(|choice| Self { table, choice })
    }

    /// There are no keys except those of the choice.
    fn names(&self) -> Value {
        self.fold(json!({}), |variant| json!({ "propertyNames": { "enum": self.known(variant) } }))
    }

    /// The choice is present, with the keys that it requires.
    fn required(&self) -> Value {
        let tag = &self.choice.tag;
        self.fold(json!({ "required": [tag] }), |variant| {
            json!({ "required": std::iter::once(tag.as_str()).chain(self.needed(variant)).collect::<Vec<_>>() })
        })
    }

    /// There are no keys except those of the choice, each with its shape for that choice. If `is_whole`, the required
    /// ones are present.
    fn exact(&self, emitter: &mut Emitter, axes: bool, is_whole: bool) -> Value {
        let all = all_keys(self.table);
        let mut shapes: HashMap<&str, Value> = HashMap::new();
        for Variant { name, keys, .. } in &self.choice.variants {
            let differs = |key: &&TableKey| all.iter().any(|known| known.name == key.name && known.shape != key.shape);
            // The docs of the keys are where all keys are listed.
            let keys: Vec<TableKey> =
                keys.iter().filter(differs).map(|key| TableKey { doc: String::new(), ..key.clone() }).collect();
            if !keys.is_empty() {
                shapes.insert(name, emitter.object(&keys, axes)["properties"].take());
            }
        }
        self.fold(json!({}), |variant| {
            let mut then = json!({ "propertyNames": { "enum": self.known(variant) } });
            if let Some(shapes) = shapes.get(variant.name.as_str()) {
                then["properties"] = shapes.clone();
            }
            let needed = self.needed(variant);
            if is_whole && !needed.is_empty() {
                then["required"] = json!(needed);
            }
            then
        })
    }

    fn keys(&self, variant: &'t Variant) -> impl Iterator<Item = &'t TableKey> {
        self.table.keys.iter().chain(&variant.keys)
    }

    fn known(&self, variant: &'t Variant) -> Vec<&'t str> {
        std::iter::once(self.choice.tag.as_str()).chain(self.keys(variant).map(|key| key.name.as_str())).collect()
    }

    fn needed(&self, variant: &'t Variant) -> Vec<&'t str> {
        self.keys(variant).filter(|key| key.is_required).map(|key| key.name.as_str()).collect()
    }

    /// `if` the choice is the first variant, `then` what holds for it, `else` the same for the next one, and
    /// `otherwise` at the end. Variants with equal conditions share a link.
    fn fold(&self, otherwise: Value, holds: impl Fn(&'t Variant) -> Value) -> Value {
        let tag = &self.choice.tag;
        let mut links: Vec<(Vec<&str>, Value)> = Vec::new();
        for variant in &self.choice.variants {
            let then = holds(variant);
            match links.iter_mut().find(|(_, known)| *known == then) {
                Some((names, _)) => names.push(&variant.name),
                None => links.push((vec![&variant.name], then)),
            }
        }
        links.into_iter().rev().fold(otherwise, |otherwise, (names, then)| {
            let is = json!({ "properties": { tag: { "enum": names } }, "required": [tag] });
            let mut link = json!({ "if": is, "then": then });
            if otherwise != json!({}) {
                link["else"] = otherwise;
            }
            link
        })
    }
}

/// The keys of a table under any choice; a key of several variants is described once, for all of them.
fn all_keys(table: &TableShape) -> Vec<TableKey> {
    let mut keys: Vec<TableKey> = table.keys.clone();
    let mut owners: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for variant in table.variants() {
        for key in &variant.keys {
            let own = (variant.name.clone(), key.doc.clone());
            match owners.iter_mut().find(|(name, _)| *name == key.name) {
                Some((_, docs)) => docs.push(own),
                None => owners.push((key.name.clone(), vec![own])),
            }
            match keys.iter_mut().find(|known| known.name == key.name) {
                None => keys.push(TableKey { is_required: false, ..key.clone() }),
                Some(known) => {
                    if known.default != key.default {
                        known.default = None;
                    }
                    if known.shape != key.shape {
                        let mut shapes = match &known.shape {
                            ValueShape { name: None, kind: ShapeKind::Either(shapes), .. } => shapes.clone(),
                            shape => vec![shape.clone()],
                        };
                        if !shapes.contains(&key.shape) {
                            shapes.push(key.shape.clone());
                        }
                        known.shape = ValueShape { name: None, doc: String::new(), kind: ShapeKind::Either(shapes) };
                    }
                }
            }
        }
    }
    for key in &mut keys {
        if let Some((_, docs)) = owners.iter().find(|(name, _)| *name == key.name) {
            key.doc = together(docs);
        }
    }
    keys
}

/// The docs of a key for each of its owners; owners with the same docs are grouped.
fn together(docs: &[(String, String)]) -> String {
    let mut said: Vec<(Vec<&str>, &str)> = Vec::new();
    for (owner, doc) in docs {
        match said.iter_mut().find(|(_, known)| known == doc) {
            Some((owners, _)) => owners.push(owner),
            None => said.push((vec![owner], doc)),
        }
    }
    match said.as_slice() {
        [(_, doc)] => (*doc).to_owned(),
        several => {
            several.iter().map(|(owners, doc)| format!("- {}: {doc}", owners.join(", "))).collect::<Vec<_>>().join("\n")
        }
    }
}

/// One of these names. JSON Schema has no keyword for the meaning of each; these are Taplo's and VS Code's.
fn named(variants: &[&Variant]) -> Value {
    let names: Vec<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
    let docs: Vec<&str> = variants.iter().map(|variant| variant.doc.as_str()).collect();
    let mut schema = json!({ "enum": names });
    if docs.iter().any(|doc| !doc.is_empty()) {
        schema["enumDescriptions"] = json!(docs);
        schema["x-taplo"] = json!({ "docs": { "enumValues": docs } });
    }
    schema
}

/// Tables that generate numbers of this kind.
fn number_forms(number: &Map<String, Value>) -> Vec<Value> {
    let number = Value::Object(number.clone());
    let count = json!({ "type": "integer", "minimum": 1, "maximum": 1_000_000 });
    // The upper end itself is never drawn.
    let mut end = number.clone();
    if let Some(most) = end.as_object_mut().and_then(|words| words.remove("exclusiveMaximum")) {
        end["maximum"] = most;
    }
    let mut above_zero = end.clone();
    above_zero["exclusiveMinimum"] = json!(0);
    let spaced =
        |end: &Value| json!({ "type": "array", "prefixItems": [end, end, count], "minItems": 3, "maxItems": 3 });
    let between = |end: &Value| json!({ "type": "array", "items": end, "minItems": 2, "maxItems": 2 });
    let mut whole = number.clone();
    whole["type"] = json!("integer");
    let mut forms = vec![
        word("geomspace", "An axis of numbers with equal ratios: [from, to, how many].", spaced(&number)),
        word("linspace", "An axis of evenly spaced numbers: [from, to, how many].", spaced(&number)),
        word("int_uniform", "Drawn by each trial: a whole number, both ends included.", between(&whole)),
    ];
    if number["type"] == "number" {
        forms.push(word(
            "uniform",
            "Drawn by each trial: every number between the ends is equally likely.",
            between(&end),
        ));
        forms.push(word(
            "log_uniform",
            "Drawn by each trial: its logarithm is uniform between those of the ends.",
            between(&above_zero),
        ));
    }
    forms
}

/// A table with this key only.
fn word(word: &str, doc: &str, value: Value) -> Value {
    let mut value = value;
    value["description"] = json!(doc);
    json!({ "type": "object", "properties": { word: value }, "required": [word], "additionalProperties": false })
}

/// Whether it contains tables with keys.
fn has_settings(shape: &ValueShape) -> bool {
    let has = |table: &&TableShape| !table.keys.is_empty() || table.variants().iter().any(|kind| !kind.keys.is_empty());
    shape.tables().iter().any(has)
}

/// The type's name, or the names of its parts.
fn name_of(shape: &ValueShape) -> String {
    match (&shape.name, &shape.kind) {
        (Some(name), _) => name.clone(),
        (None, ShapeKind::Plain(words)) => words.get("type").and_then(Value::as_str).unwrap_or("value").to_owned(),
        (None, ShapeKind::List(items, _)) => format!("{}List", name_of(items)),
        (None, ShapeKind::Either(shapes)) => shapes.iter().map(name_of).collect::<Vec<_>>().join("Or"),
        (None, ShapeKind::Table(TableShape { keys, choice })) => {
            let tag = choice.as_ref().map(|choice| choice.tag.clone());
            tag.into_iter().chain(keys.iter().map(|key| key.name.clone())).collect::<Vec<_>>().join("And")
        }
    }
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + characters.as_str())
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
