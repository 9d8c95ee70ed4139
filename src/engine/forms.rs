//! Values that the experiment file writes in more than one way: `dropout = 0.2` and `dropout = { ratio = 0.2 }`.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Implements `Deserialize` for a type with several forms, each with the function that converts it. The text says what
/// is expected, for errors about other forms. If the type is an enum, its names follow the type in brackets.
///
/// | form | what the function takes |
/// |---|---|
/// | `number` | an `f64`; whole numbers, too |
/// | `whole` | an `i64` |
/// | `flag` | a `bool` |
/// | `text` | a `&str` |
/// | `word` | a deserializer of an enum: the name of a variant, or a table with its `kind` |
/// | `variant` | the same as an [`EnumAccess`](serde::de::EnumAccess) |
/// | `list` | a [`SeqAccess`](serde::de::SeqAccess) |
/// | `table` | a deserializer of a struct |
#[macro_export]
macro_rules! forms {
    ($type:ident $([$words:expr])?, $expected:expr, $($form:ident: $read:expr,)+) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Forms;

                impl<'de> serde::de::Visitor<'de> for Forms {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expected)
                    }

                    $($crate::forms::forms! { @$form $read })+
                }

                $crate::forms::forms! { @deserialize deserializer $type $($words)? }
            }
        }
    };
    (@deserialize $deserializer:ident $type:ident $words:expr) => {
        $deserializer.deserialize_enum(stringify!($type), &$words, Forms)
    };
    (@deserialize $deserializer:ident $type:ident) => {
        $deserializer.deserialize_any(Forms)
    };
    (@number $read:expr) => {
        fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
            $read(number).map_err(E::custom)
        }

        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
            self.visit_f64(number as f64)
        }

        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
            self.visit_f64(number as f64)
        }
    };
    (@whole $read:expr) => {
        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
            $read(number).map_err(E::custom)
        }

        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
            // Larger numbers are out of every range.
            self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
        }
    };
    (@flag $read:expr) => {
        fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Self::Value, E> {
            $read(flag)
        }
    };
    (@text $read:expr) => {
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            $read(text)
        }
    };
    (@word $read:expr) => {
        fn visit_enum<A: serde::de::EnumAccess<'de>>(self, word: A) -> Result<Self::Value, A::Error> {
            $read(serde::de::value::EnumAccessDeserializer::new(word))
        }
    };
    (@variant $read:expr) => {
        fn visit_enum<A: serde::de::EnumAccess<'de>>(self, variant: A) -> Result<Self::Value, A::Error> {
            $read(variant)
        }
    };
    (@list $read:expr) => {
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
            $read(list)
        }
    };
    (@table $read:expr) => {
        fn visit_map<A: serde::de::MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
            $read(serde::de::value::MapAccessDeserializer::new(table))
        }
    };
}

pub use forms;

/// Also accepts what the schema of `T` accepts.
pub fn or<T: JsonSchema>(schema: &mut Schema) {
    let description = schema.remove("description");
    let other = T::json_schema(&mut SchemaGenerator::default());
    *schema = schemars::json_schema!({ "anyOf": [Value::from(schema.clone()), Value::from(other)] });
    if let Some(description) = description {
        schema.insert("description".to_owned(), json!(description));
    }
}

/// Reads a section as an experiment file does.
#[cfg(test)]
pub fn read<T: serde::de::DeserializeOwned>(toml: &str) -> T {
    use paribus::value::{Sources, deserialize::deserialize, parse::parse};
    let mut sources = Sources::default();
    let source = sources.add("section.toml", toml);
    let tree = parse(&sources, source).unwrap();
    deserialize(&tree.root, &tree.first_choice(), &std::collections::HashSet::new()).unwrap()
}
