//! Structs whose fields share one table of the experiment file: `[optimizer]` has the keys of the algorithm and of its
//! schedule.

/// Reads and writes a struct as a tuple struct, whose parts share one table (see `paribus::value::deserialize`). The
/// names of the fields are not in the file.
macro_rules! one_table {
    ($type:ident { $($field:ident: $part:ty),+ $(,)? }) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                struct Parts($($part),+);

                let Parts($($field),+) = Parts::deserialize(deserializer)?;
                Ok(Self { $($field),+ })
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[derive(serde::Serialize)]
                struct Parts<'a>($(&'a $part),+);

                let Self { $($field),+ } = self;
                Parts($($field),+).serialize(serializer)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                #[derive(schemars::JsonSchema)]
                #[expect(dead_code, reason = "its schema alone is used")]
                struct Parts($($part),+);

                Parts::json_schema(generator)
            }
        }
    };
}

pub(crate) use one_table;
