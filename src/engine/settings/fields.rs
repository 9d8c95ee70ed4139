//! Converts typed values to settings with serde: names and values are those of the experiment file.

use std::fmt::{Error, Result};

use serde::ser::{Impossible, Serialize, SerializeStruct, Serializer};

use super::{Scalar, Settings};

/// Sets a scalar, or each field in turn.
pub(super) struct SettingsSerializer<'a> {
    pub settings: &'a mut Settings,
    /// Maps a field's name to the name of its setting.
    pub called: fn(&'static str) -> &'static str,
    /// The setting to which the next value belongs.
    pub name: &'static str,
}

impl SettingsSerializer<'_> {
    fn set(self, value: impl Into<Scalar>) -> Result {
        self.settings.set(self.name, value);
        Ok(())
    }
}

impl SerializeStruct for SettingsSerializer<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, field: &'static str, value: &T) -> Result {
        let Self { called, .. } = *self;
        value.serialize(SettingsSerializer { settings: self.settings, called, name: called(field) })
    }

    fn end(self) -> Result {
        Ok(())
    }
}

macro_rules! accepted {
    ($($method:ident($scalar:ty))*) => {
        $(fn $method(self, value: $scalar) -> Result {
            self.set(value)
        })*
    };
}

macro_rules! refused {
    ($of:ty: $($method:ident($($argument:ty),*))*) => {
        $(fn $method(self, $(_: $argument),*) -> std::result::Result<$of, Error> {
            Err(Error)
        })*
    };
}

type No = Impossible<(), Error>;

/// Scalars are set, `None` is omitted, and everything else is refused.
impl<'a> Serializer for SettingsSerializer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = Self;
    type SerializeStructVariant = No;

    fn serialize_struct(self, _: &'static str, _: usize) -> std::result::Result<Self, Error> {
        Ok(self)
    }

    fn serialize_u32(self, value: u32) -> Result {
        self.set(u64::from(value))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result {
        self.set(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result {
        self.settings.set(self.name, name);
        value.serialize(self)
    }

    accepted! {
        serialize_bool(bool)
        serialize_u64(u64)
        serialize_f64(f64)
        serialize_str(&str)
    }
    refused! { ():
        serialize_i8(i8)
        serialize_i16(i16)
        serialize_i32(i32)
        serialize_i64(i64)
        serialize_u8(u8)
        serialize_u16(u16)
        serialize_f32(f32)
        serialize_char(char)
        serialize_bytes(&[u8])
        serialize_unit()
        serialize_unit_struct(&'static str)
    }
    refused! { No:
        serialize_seq(Option<usize>)
        serialize_tuple(usize)
        serialize_tuple_struct(&'static str, usize)
        serialize_tuple_variant(&'static str, u32, &'static str, usize)
        serialize_map(Option<usize>)
        serialize_struct_variant(&'static str, u32, &'static str, usize)
    }
}
