//! A serde serializer from typed values to a tree: the inverse of [`deserialize`](super::deserialize).
//!
//! - An enum is the variant's name, or a table with the name in `kind` (or in a key named like the enum, as in
//!   `deserialize`).
//! - A tuple struct is one table, with the keys of all of its parts.
//! - What is `None` is left out.

use std::fmt::{self, Display};

use serde::ser::{
    Error as _, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, Serializer,
};

use super::deserialize::tag_of;
use super::{Entry, Kind, Node};

/// Why a value cannot be written to a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl serde::ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// `value` as a tree whose nodes have no origin in any text.
///
/// # Errors
/// If TOML has no such value: nothing, a key that is not text, a number beyond 64 bits, bytes.
pub fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Node, Error> {
    Ok(Node::of(written(value)?.kind))
}

/// A value. For a variant of an enum, `variant` has the key under which a table holds the variant's name, and the name;
/// a variant without settings is written as the name alone.
struct Value {
    kind: Kind,
    variant: Option<(&'static str, &'static str)>,
}

impl Value {
    fn variant(enum_name: &'static str, name: &'static str, settings: Vec<Entry>) -> Self {
        let variant = (tag_of(enum_name), name);
        let kind = match settings.is_empty() {
            true => Kind::Text(name.to_owned()),
            false => Kind::Table(std::iter::once(name_of(variant)).chain(settings).collect()),
        };
        Self { kind, variant: Some(variant) }
    }

    /// The entries, if this can be a table.
    fn into_entries(self) -> Option<Vec<Entry>> {
        match (self.kind, self.variant) {
            (Kind::Table(entries), _) => Some(entries),
            (_, Some(variant)) => Some(vec![name_of(variant)]),
            _ => None,
        }
    }
}

/// The entry that names a table's variant.
fn name_of((tag, name): (&'static str, &'static str)) -> Entry {
    Entry::of(tag, Node::of(Kind::Text(name.to_owned())))
}

/// Writes one value; `None` becomes nothing, which a table leaves out.
#[derive(Clone, Copy)]
struct ValueWriter;

type Written = Result<Option<Value>, Error>;

fn plain(kind: Kind) -> Written {
    Ok(Some(Value { kind, variant: None }))
}

/// `value`, which must not be `None`.
fn written<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    value.serialize(ValueWriter)?.map_or_else(|| impossible("nothing"), Ok)
}

fn impossible<T>(what: impl fmt::Display) -> Result<T, Error> {
    Err(Error::custom(format!("TOML has no place for {what}")))
}

/// Methods that write a value as another type.
macro_rules! write_as {
    ($($as:ident: $($method:ident $type:ty),+;)+) => { $($(
        fn $method(self, value: $type) -> Written {
            self.$as(value.into())
        }
    )+)+ };
}

impl Serializer for ValueWriter {
    type Ok = Option<Value>;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = SharedTable;
    type SerializeTupleVariant = Impossible<Option<Value>, Error>;
    type SerializeMap = TableWriter;
    type SerializeStruct = TableWriter;
    type SerializeStructVariant = TableWriter;

    write_as! {
        serialize_i64: serialize_i8 i8, serialize_i16 i16, serialize_i32 i32;
        serialize_u64: serialize_u8 u8, serialize_u16 u16, serialize_u32 u32;
        serialize_f64: serialize_f32 f32;
    }

    fn serialize_bool(self, value: bool) -> Written {
        plain(Kind::Bool(value))
    }

    fn serialize_i64(self, value: i64) -> Written {
        plain(Kind::Int(value))
    }

    fn serialize_u64(self, value: u64) -> Written {
        i64::try_from(value).map_or_else(|_| impossible(value), |value| self.serialize_i64(value))
    }

    fn serialize_f64(self, value: f64) -> Written {
        plain(Kind::Float(value))
    }

    fn serialize_char(self, value: char) -> Written {
        plain(Kind::Text(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Written {
        plain(Kind::Text(value.to_owned()))
    }

    fn serialize_bytes(self, _: &[u8]) -> Written {
        impossible("bytes")
    }

    fn serialize_none(self) -> Written {
        Ok(None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        impossible("nothing")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Written {
        Ok(Some(Value::variant(name, variant, Vec::new())))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        match written(value)?.into_entries() {
            Some(settings) => Ok(Some(Value::variant(name, variant, settings))),
            None => impossible(format_args!("a variant `{variant}` that holds no table")),
        }
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List, Error> {
        Ok(List(Vec::new()))
    }

    fn serialize_tuple(self, length: usize) -> Result<List, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<SharedTable, Error> {
        Ok(SharedTable(Vec::new()))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<Option<Value>, Error>, Error> {
        impossible("a variant with several unnamed fields")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<TableWriter, Error> {
        Ok(TableWriter { entries: Vec::new(), key: None, variant: None })
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<TableWriter, Error> {
        self.serialize_map(Some(length))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<TableWriter, Error> {
        Ok(TableWriter { variant: Some((name, variant)), ..self.serialize_map(Some(length))? })
    }
}

/// The items of a list.
struct List(Vec<Node>);

macro_rules! items {
    ($($of:ident)+) => { $(
        impl $of for List {
            type Ok = Option<Value>;
            type Error = Error;

            fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.0.push(serialize(value)?);
                Ok(())
            }

            fn end(self) -> Written {
                plain(Kind::List(self.0))
            }
        }
    )+ };
}

items! { SerializeSeq SerializeTuple }

/// The entries of the parts of a tuple struct.
struct SharedTable(Vec<Entry>);

impl SerializeTupleStruct for SharedTable {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let part = written(value)?;
        let is_named = part.variant.is_some();
        let Some(entries) = part.into_entries() else { return impossible("a tuple struct of anything but tables") };
        // The name comes first: the other keys depend on it.
        let at = if is_named { 0 } else { self.0.len() };
        self.0.splice(at..at, entries);
        Ok(())
    }

    fn end(self) -> Written {
        plain(Kind::Table(self.0))
    }
}

/// The entries of a table.
struct TableWriter {
    entries: Vec<Entry>,
    /// The key whose value comes next.
    key: Option<String>,
    /// The names of enum and variant, if the table is one.
    variant: Option<(&'static str, &'static str)>,
}

impl TableWriter {
    fn add<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        let value = value.serialize(ValueWriter)?;
        self.entries.extend(value.map(|value| Entry::of(key, Node::of(value.kind))));
        Ok(())
    }

    fn finish(self) -> Written {
        match self.variant {
            Some((enum_name, name)) => Ok(Some(Value::variant(enum_name, name, self.entries))),
            None => plain(Kind::Table(self.entries)),
        }
    }
}

impl SerializeMap for TableWriter {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        match written(key)?.kind {
            Kind::Text(key) => self.key = Some(key),
            _ => return impossible("a key that is no text"),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        match self.key.take() {
            Some(key) => self.add(&key, value),
            None => impossible("a value without a key"),
        }
    }

    fn end(self) -> Written {
        self.finish()
    }
}

macro_rules! fields {
    ($($of:ident)+) => { $(
        impl $of for TableWriter {
            type Ok = Option<Value>;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
                self.add(key, value)
            }

            fn end(self) -> Written {
                self.finish()
            }
        }
    )+ };
}

fields! { SerializeStruct SerializeStructVariant }
