//! Typed values as a tree, by serde: the inverse of [`deserialize`](super::deserialize).
//!
//! - An enum is the variant's name, or a table whose `kind` is the name (or whose key is named like the enum, as there).
//! - A tuple struct is one table, with the keys of all of its parts.
//! - What is `None` is left out.

use std::fmt::{self, Display};

use serde::ser::{
    Error as _, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, Serializer,
};

use super::deserialize::tag_of;

/// A value as a file can hold it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Table(Vec<(String, Value)>),
    /// A variant of an enum. Where it has no settings, its name alone says everything.
    Variant {
        /// The key of the name, in a table.
        tag: &'static str,
        name: &'static str,
        settings: Vec<(String, Value)>,
    },
}

/// Why something cannot be written in a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl serde::ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// `value` as a tree.
///
/// # Errors
/// Where TOML has no such value: nothing at all, a key that is no text, a number beyond 64 bits, bytes.
pub fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    written(value)
}

impl Value {
    /// A table, where this can be one.
    pub fn into_table(self) -> Option<Vec<(String, Value)>> {
        match self {
            Self::Table(entries) => Some(entries),
            Self::Variant { tag, name, settings } => {
                let named = (tag.to_owned(), Self::Text(name.to_owned()));
                Some(std::iter::once(named).chain(settings).collect())
            }
            _ => None,
        }
    }
}

/// Writes one value; nothing of `None`, which a table leaves out.
#[derive(Clone, Copy)]
struct Writer;

/// `value`, which has to be something.
fn written<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    value.serialize(Writer)?.map_or_else(|| impossible("nothing"), Ok)
}

fn impossible<T>(what: impl fmt::Display) -> Result<T, Error> {
    Err(Error::custom(format!("TOML has no place for {what}")))
}

impl Serializer for Writer {
    type Ok = Option<Value>;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = Shared;
    type SerializeTupleVariant = Impossible<Option<Value>, Error>;
    type SerializeMap = Table;
    type SerializeStruct = Table;
    type SerializeStructVariant = Table;

    fn serialize_bool(self, value: bool) -> Result<Option<Value>, Error> {
        Ok(Some(Value::Bool(value)))
    }

    fn serialize_i8(self, value: i8) -> Result<Option<Value>, Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<Option<Value>, Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<Option<Value>, Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<Option<Value>, Error> {
        Ok(Some(Value::Int(value)))
    }

    fn serialize_u8(self, value: u8) -> Result<Option<Value>, Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<Option<Value>, Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<Option<Value>, Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<Option<Value>, Error> {
        i64::try_from(value).map_or_else(|_| impossible(value), |value| self.serialize_i64(value))
    }

    fn serialize_f32(self, value: f32) -> Result<Option<Value>, Error> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Option<Value>, Error> {
        Ok(Some(Value::Float(value)))
    }

    fn serialize_char(self, value: char) -> Result<Option<Value>, Error> {
        Ok(Some(Value::Text(value.to_string())))
    }

    fn serialize_str(self, value: &str) -> Result<Option<Value>, Error> {
        Ok(Some(Value::Text(value.to_owned())))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Option<Value>, Error> {
        impossible("bytes")
    }

    fn serialize_none(self) -> Result<Option<Value>, Error> {
        Ok(None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Option<Value>, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Option<Value>, Error> {
        impossible("nothing")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Option<Value>, Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Result<Option<Value>, Error> {
        Ok(Some(Value::Variant { tag: tag_of(name), name: variant, settings: Vec::new() }))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Option<Value>, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Option<Value>, Error> {
        match written(value)?.into_table() {
            Some(settings) => Ok(Some(Value::Variant { tag: tag_of(name), name: variant, settings })),
            None => impossible(format_args!("a variant `{variant}` that holds no table")),
        }
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List, Error> {
        Ok(List(Vec::new()))
    }

    fn serialize_tuple(self, length: usize) -> Result<List, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Shared, Error> {
        Ok(Shared(Vec::new()))
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

    fn serialize_map(self, _: Option<usize>) -> Result<Table, Error> {
        Ok(Table { entries: Vec::new(), key: None, variant: None })
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Table, Error> {
        self.serialize_map(Some(length))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Table, Error> {
        Ok(Table { variant: Some((tag_of(name), variant)), ..self.serialize_map(Some(length))? })
    }
}

/// The items of a list.
struct List(Vec<Value>);

impl SerializeSeq for List {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.0.push(written(value)?);
        Ok(())
    }

    fn end(self) -> Result<Option<Value>, Error> {
        Ok(Some(Value::List(self.0)))
    }
}

impl SerializeTuple for List {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Option<Value>, Error> {
        SerializeSeq::end(self)
    }
}

/// The entries of the parts of a tuple struct.
struct Shared(Vec<(String, Value)>);

impl SerializeTupleStruct for Shared {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let part = written(value)?;
        let is_named = matches!(part, Value::Variant { .. });
        let Some(entries) = part.into_table() else { return impossible("a tuple struct of anything but tables") };
        // The name comes first: the other keys hang on it.
        let at = if is_named { 0 } else { self.0.len() };
        self.0.splice(at..at, entries);
        Ok(())
    }

    fn end(self) -> Result<Option<Value>, Error> {
        Ok(Some(Value::Table(self.0)))
    }
}

/// The entries of a table.
struct Table {
    entries: Vec<(String, Value)>,
    /// The key whose value comes next.
    key: Option<String>,
    /// Tag and name, where the table is a variant.
    variant: Option<(&'static str, &'static str)>,
}

impl Table {
    fn add<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), Error> {
        if let Some(value) = value.serialize(Writer)? {
            self.entries.push((key, value));
        }
        Ok(())
    }

    fn finish(self) -> Value {
        match self.variant {
            Some((tag, name)) => Value::Variant { tag, name, settings: self.entries },
            None => Value::Table(self.entries),
        }
    }
}

impl SerializeMap for Table {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        match written(key)? {
            Value::Text(key) => self.key = Some(key),
            Value::Variant { name, settings, .. } if settings.is_empty() => self.key = Some(name.to_owned()),
            _ => return impossible("a key that is no text"),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        match self.key.take() {
            Some(key) => self.add(key, value),
            None => impossible("a value without a key"),
        }
    }

    fn end(self) -> Result<Option<Value>, Error> {
        Ok(Some(self.finish()))
    }
}

impl SerializeStruct for Table {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.add(key.to_owned(), value)
    }

    fn end(self) -> Result<Option<Value>, Error> {
        Ok(Some(self.finish()))
    }
}

impl SerializeStructVariant for Table {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.add(key.to_owned(), value)
    }

    fn end(self) -> Result<Option<Value>, Error> {
        Ok(Some(self.finish()))
    }
}
