//! A serde deserializer for a tree under one choice of its alternatives. If a type rejects something, the error is a
//! [`Fault`] that knows the node.
//!
//! Three conventions let derived types describe the file's format without losing locations:
//! - An enum is written as its variant's name, or as a table with the name in a key `kind`, next to the variant's own
//!   settings. If the serde name of an enum begins with a lowercase letter, it is the key instead of `kind`.
//! - If an enum is expected and a number is found, the visitor gets the number.
//! - A tuple struct shares one table among its parts: each part takes the keys that it knows, and a key that no part
//!   knows is unknown. (serde's own `flatten` loses locations.) If one of its parts is an enum, the variant's name
//!   alone can replace a table without other keys.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::fault::{ExpectedType, Fault};
use super::{Choice, Entry, Kind, Node, NodeId, Number};
use engine::names::did_you_mean;

/// Reads `T` from `root` under `choice`, as if the nodes in `dropped` were absent.
///
/// # Errors
/// The first thing that `T` rejects.
pub fn deserialize<T: DeserializeOwned>(root: &Node, choice: &Choice, dropped: &HashSet<NodeId>) -> Result<T, Fault> {
    T::deserialize(Reader::new(root, View { choice, dropped }))
}

/// Reads `T` from the value of `entry`, as [`deserialize`] does; `None` if it is absent under `choice`.
///
/// # Errors
/// The first thing that `T` rejects.
pub fn deserialize_entry<T: DeserializeOwned>(
    entry: &Entry,
    choice: &Choice,
    dropped: &HashSet<NodeId>,
) -> Result<Option<T>, Fault> {
    let view = View { choice, dropped };
    if !view.shows(&entry.value) {
        return Ok(None);
    }
    let reader = Reader::new(&entry.value, view);
    T::deserialize(reader).map(Some).map_err(|fault| fault.at(reader.node).of_key(entry))
}

/// How the tree is viewed.
#[derive(Clone, Copy)]
struct View<'a> {
    choice: &'a Choice,
    dropped: &'a HashSet<NodeId>,
}

impl View<'_> {
    fn shows(&self, node: &Node) -> bool {
        let chosen = node.chosen(self.choice);
        !chosen.is_absent() && !self.dropped.contains(&node.id) && !self.dropped.contains(&chosen.id)
    }
}

/// Reads one node.
#[derive(Clone, Copy)]
struct Reader<'a> {
    /// Not an axis, except one from which a trial draws a number.
    node: &'a Node,
    /// The number that a trial draws here, if it does.
    drawn: Option<Number>,
    view: View<'a>,
    /// The key that names an enum's variant here; it is not a setting of the variant.
    tag: Option<&'static str>,
}

impl<'a> Reader<'a> {
    fn new(node: &'a Node, view: View<'a>) -> Self {
        let node = node.chosen(view.choice);
        let drawn = match &node.kind {
            Kind::Axis(axis) => axis.number(view.choice),
            _ => None,
        };
        Self { node, drawn, view, tag: None }
    }

    fn of(self, node: &'a Node) -> Self {
        Self::new(node, self.view)
    }

    /// The entries that are settings; none if this is not a table.
    fn settings(self) -> impl Iterator<Item = &'a Entry> + 'a {
        let entries = self.node.entries().unwrap_or_default();
        entries.iter().filter(move |entry| Some(entry.key.as_str()) != self.tag && self.view.shows(&entry.value))
    }

    fn fields(self, entries: impl Iterator<Item = &'a Entry> + 'a) -> Fields<'a> {
        Fields { reader: self, entries: Box::new(entries), current: None }
    }

    fn wrong_type<T>(self, visitor: &dyn Expected) -> Result<T, Fault> {
        let drawn = self.drawn.map(Kind::from);
        let found = match drawn.as_ref().unwrap_or(&self.node.kind) {
            Kind::Bool(value) => Unexpected::Bool(*value),
            Kind::Int(value) => Unexpected::Signed(*value),
            Kind::Float(value) => Unexpected::Float(*value),
            Kind::Text(value) => Unexpected::Str(value),
            Kind::Date(_) => Unexpected::Other("a date or time"),
            Kind::List(_) | Kind::Axis(_) => Unexpected::Seq,
            Kind::Table(_) => Unexpected::Map,
            Kind::Absent => Unexpected::Unit,
        };
        Err(Fault::invalid_type(found, visitor).at(self.node))
    }
}

/// Methods that read any value, and add to a rejection what was expected.
macro_rules! read_as {
    ($($wanted:ident: $($method:ident)+,)+) => { $($(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.deserialize_any(visitor).map_err(|fault| fault.wanting(ExpectedType::$wanted, self.node))
        }
    )+)+ };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let drawn = self.drawn.map(Kind::from);
        match drawn.as_ref().unwrap_or(&self.node.kind) {
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Int(value) => visitor.visit_i64(*value),
            Kind::Float(value) => visitor.visit_f64(*value),
            Kind::Text(value) => visitor.visit_str(value),
            Kind::Date(_) | Kind::Axis(_) | Kind::Absent => self.wrong_type(&visitor),
            Kind::List(_) => {
                visitor.visit_seq(Items { reader: self, items: self.node.list().unwrap_or_default().iter() })
            }
            Kind::Table(_) => visitor.visit_map(self.fields(self.settings())),
        }
        .map_err(|fault| fault.at(self.node))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.drawn.map(Kind::from).as_ref().unwrap_or(&self.node.kind) {
            Kind::Int(value) => visitor.visit_f64(*value as f64).map_err(|fault: Fault| fault.at(self.node)),
            _ => self.deserialize_any(visitor).map_err(|fault| fault.wanting(ExpectedType::Number, self.node)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        // An array stops reading when it is full, so the length is checked here. A list of lists can be an axis of any
        // length.
        match &self.node.kind {
            Kind::List(items) if items.len() != length && items.iter().all(|item| item.list().is_none()) => {
                let message = format!("expected a list of {length} values, found {}", items.len());
                Err(Fault::custom(message).at(self.node))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // A derived struct could also be read from a list; in a file, such a list is an axis.
        match self.node.kind {
            Kind::Table(_) => self.deserialize_any(visitor),
            _ => self.wrong_type(&visitor),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        parts: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let shared = Shared {
            known: RefCell::default(),
            has_tag: Cell::new(false),
            lacks_tag: Cell::new(false),
            left: Cell::new(parts),
        };
        let value = visitor.visit_seq(PartSeq { reader: self, shared: &shared }).map_err(|fault| fault.at(self.node));
        if self.node.entries().is_none() && !shared.has_tag.get() {
            return self.wrong_type(&"a table");
        }
        // As in a derived struct, an unknown key is reported before a missing one, which it often explains. The keys of
        // parts that were not reached are not known.
        if value.as_ref().is_err_and(|fault| !fault.is_missing() || shared.left.get() > 0) {
            return value;
        }
        let known = shared.known.into_inner();
        // If the variant of an enum is not known, a key that resembles no known key may belong to it.
        let is_close = |key: &str| did_you_mean(key, known.iter().copied()).is_some();
        let is_unknown = |key: &str| !known.contains(&key) && (!shared.lacks_tag.get() || is_close(key));
        match self.settings().find(|entry| is_unknown(&entry.key)) {
            Some(entry) => Err(Fault::unknown_key(entry, self.view.choice, known)),
            None => value,
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        enum_name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let accepting = |fault: Fault| fault.at(self.node).accepting(variants);
        match self.drawn {
            Some(Number::Int(value)) => return visitor.visit_i64(value).map_err(accepting),
            Some(Number::Float(value)) => return visitor.visit_f64(value).map_err(accepting),
            _ => {}
        }
        match &self.node.kind {
            Kind::Int(value) => visitor.visit_i64(*value).map_err(accepting),
            Kind::Float(value) => visitor.visit_f64(*value).map_err(accepting),
            Kind::Text(name) => {
                let tag_key = tag_of(enum_name);
                visitor.visit_enum(Tagged { tag: self.node, tag_key, key: None, name, content: Payload::None })
            }
            Kind::Table(_) => {
                let tag = tag_of(enum_name);
                let content = Reader { tag: Some(tag), ..self };
                visitor.visit_enum(tagged(self, tag, Payload::Table(content)).map_err(accepting)?)
            }
            _ => self.wrong_type(&visitor).map_err(accepting),
        }
        .map_err(|fault| fault.at(self.node))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    read_as! {
        Whole: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
            deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64,
        Flag: deserialize_bool,
        List: deserialize_seq,
    }

    forward_to_deserialize_any! {
        i128 u128 f32 char str string bytes byte_buf unit unit_struct map identifier
    }
}

/// The key that holds the variant's name, in the table of an enum with this serde name.
pub(crate) fn tag_of(name: &str) -> &str {
    if name.starts_with(char::is_lowercase) { name } else { "kind" }
}

/// The variant named by the entry `tag` of a table.
fn tagged<'a>(reader: Reader<'a>, tag: &'static str, content: Payload<'a>) -> Result<Tagged<'a>, Fault> {
    let entry = reader.node.entry(tag).filter(|entry| reader.view.shows(&entry.value));
    let Some(entry) = entry else { return Err(Fault::missing_field(tag).at(reader.node)) };
    let tag_key = tag;
    let tag = reader.of(&entry.value);
    match &tag.node.kind {
        Kind::Text(name) => Ok(Tagged { tag: tag.node, tag_key, key: Some(entry), name, content }),
        _ => tag.wrong_type(&"a name in quotes").map_err(|fault| fault.of_key(entry)),
    }
}

/// The items of a list.
struct Items<'a> {
    reader: Reader<'a>,
    items: std::slice::Iter<'a, Node>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let view = self.reader.view;
        let Some(item) = self.items.find(|item| view.shows(item)) else { return Ok(None) };
        seed.deserialize(self.reader.of(item)).map(Some).map_err(|fault| fault.at(item))
    }
}

/// Entries of a table, as a struct reads them.
struct Fields<'a> {
    reader: Reader<'a>,
    entries: Box<dyn Iterator<Item = &'a Entry> + 'a>,
    current: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.current = self.entries.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key = StrDeserializer::<Fault>::new(&entry.key);
        seed.deserialize(key).map(Some).map_err(|fault: Fault| fault.at_key(entry, self.reader.view.choice))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let entry = self.current.take().expect("serde asks for a value after its key");
        seed.deserialize(self.reader.of(&entry.value))
            .map_err(|fault| fault.at(entry.value.chosen(self.reader.view.choice)).of_key(entry))
    }
}

/// An enum's variant: its name, the node of the name, and the content.
struct Tagged<'a> {
    tag: &'a Node,
    /// The key that holds the name in a table.
    tag_key: &'a str,
    /// The entry whose value is the name, if the variant is a table.
    key: Option<&'a Entry>,
    name: &'a str,
    content: Payload<'a>,
}

enum Payload<'a> {
    None,
    Table(Reader<'a>),
    Part(SharedPart<'a>),
}

impl<'de, 'a> EnumAccess<'de> for Tagged<'a> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let name = StrDeserializer::<Fault>::new(self.name);
        let value = seed.deserialize(name).map_err(|fault| match self.key {
            // In `[optimizer.NAME]` the name implies the kind, so the name is wrong.
            Some(entry) if entry.key_origin != entry.value.origin => fault.at(self.tag).of_key(entry),
            Some(_) => fault.at(self.tag).of_own_name(),
            None => fault.at(self.tag),
        })?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Tagged<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        let Payload::Table(reader) = self.content else { return Ok(()) };
        match reader.settings().next() {
            Some(entry) => Err(Fault::unknown_key(entry, reader.view.choice, [])),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        match self.content {
            Payload::None => {
                let nothing = serde::de::value::MapDeserializer::new(std::iter::empty::<(&str, &str)>());
                seed.deserialize(MapAccessDeserializer::new(nothing)).map_err(|fault: Fault| {
                    let is_missing = fault.is_missing();
                    let fault = fault.at(self.tag);
                    let help = format!("write it in a table: `{{ {} = \"{}\", ... }}`", self.tag_key, self.name);
                    if is_missing { fault.help(help) } else { fault }
                })
            }
            Payload::Table(reader) => seed.deserialize(reader),
            Payload::Part(part) => seed.deserialize(part),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(Fault::custom("variants with several unnamed fields cannot be written in a file"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        struct StructSeed<V>(V);
        impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for StructSeed<V> {
            type Value = V::Value;
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
                deserializer.deserialize_struct("", &[], self.0)
            }
        }
        self.newtype_variant_seed(StructSeed(visitor))
    }
}

/// What the parts of a tuple struct report while they are read.
struct Shared {
    /// The keys that any part knows.
    known: RefCell<Vec<&'static str>>,
    /// Whether a part that was reached is an enum.
    has_tag: Cell<bool>,
    /// Whether the variant of such a part is unknown, because its name was rejected.
    lacks_tag: Cell<bool>,
    /// The number of parts that were not reached.
    left: Cell<usize>,
}

/// The parts of a tuple struct.
struct PartSeq<'a> {
    reader: Reader<'a>,
    shared: &'a Shared,
}

impl<'de> SeqAccess<'de> for PartSeq<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(left) = self.shared.left.get().checked_sub(1) else { return Ok(None) };
        self.shared.left.set(left);
        seed.deserialize(SharedPart { reader: self.reader, shared: self.shared }).map(Some)
    }
}

/// One part of a tuple struct: a struct or an enum of structs, which sees its own keys only.
#[derive(Clone, Copy)]
struct SharedPart<'a> {
    reader: Reader<'a>,
    shared: &'a Shared,
}

impl<'de> Deserializer<'de> for SharedPart<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
        Err(Fault::custom("only structs and enums can share a table").at(self.reader.node))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.shared.known.borrow_mut().extend(fields);
        let own = self.reader.settings().filter(|entry| fields.contains(&entry.key.as_str()));
        visitor.visit_map(self.reader.fields(own)).map_err(|fault| fault.at(self.reader.node))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.shared.has_tag.set(true);
        if self.reader.node.entries().is_none() {
            return self.reader.deserialize_enum(name, variants, visitor);
        }
        let tag = tag_of(name);
        self.shared.known.borrow_mut().push(tag);
        let tagged = tagged(self.reader, tag, Payload::Part(self)).map_err(|fault| {
            // A rejected name would have determined the keys.
            self.shared.lacks_tag.set(self.reader.node.entry(tag).is_some());
            fault.accepting(variants)
        })?;
        visitor.visit_enum(tagged).map_err(|fault| fault.at(self.reader.node))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}
