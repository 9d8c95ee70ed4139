//! `exclude` in `[sweep]`: which combinations of values to exclude.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use engine::forms::forms;
use engine::settings::Scalar;

/// Cells for which any of these conditions holds are left out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Exclude(Vec<Condition>);

/// Matches a cell if each of these settings has one of its values: `{ optimizer = "sgd", lr = [0.1, 0.01] }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Vec<(String, Wanted)>);

/// The values of a setting that match.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// Any of these, written as in the file. They may also be a single list: widths of layers.
    Values(Vec<Scalar>),
    /// Numbers between two exclusive bounds.
    Between { above: f64, below: f64 },
}

impl Exclude {
    /// In the order of the file.
    pub fn conditions(&self) -> &[Condition] {
        &self.0
    }
}

impl Condition {
    /// Short names of settings, with the values that they must have.
    pub fn settings(&self) -> &[(String, Wanted)] {
        &self.0
    }
}

impl Wanted {
    /// Whether a setting with this value matches.
    pub fn is(&self, value: &Scalar) -> bool {
        match (self, number(value)) {
            (Self::Between { above, below }, Some(number)) => *above < number && number < *below,
            (Self::Between { .. }, None) => false,
            (Self::Values(wanted), Some(found)) => wanted.iter().any(|wanted| number(wanted) == Some(found)),
            (Self::Values(wanted), None) => are_written(wanted, &value.to_string()),
        }
    }

    /// Whether an axis with this value, as listings write it, matches.
    pub fn is_written(&self, value: &str) -> bool {
        match value.parse::<f64>() {
            Ok(number) => self.is(&Scalar::Float(number)),
            Err(_) => match self {
                Self::Values(wanted) => are_written(wanted, value),
                Self::Between { .. } => false,
            },
        }
    }
}

/// Whether a value that is not a number matches: several numbers may also be a single list of widths.
fn are_written(wanted: &[Scalar], value: &str) -> bool {
    match wanted.iter().all(|wanted| number(wanted).is_some()) {
        true => ["-", ","].iter().any(|separator| joined(wanted, separator) == value),
        false => wanted.iter().any(|wanted| wanted.to_string() == value),
    }
}

/// A list, as settings write it: `100-100`, and `-7,2` where numbers may be negative.
fn joined(values: &[Scalar], separator: &str) -> String {
    values.iter().map(Scalar::to_string).collect::<Vec<_>>().join(separator)
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(values) => {
                let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                f.write_str(&values.join(" or "))
            }
            Self::Between { above, below } if *below == f64::INFINITY => write!(f, "above {}", Scalar::Float(*above)),
            Self::Between { above, below } if *above == f64::NEG_INFINITY => {
                write!(f, "below {}", Scalar::Float(*below))
            }
            Self::Between { above, below } => {
                write!(f, "above {} and below {}", Scalar::Float(*above), Scalar::Float(*below))
            }
        }
    }
}

fn number(value: &Scalar) -> Option<f64> {
    match value {
        Scalar::Int(value) => Some(*value as f64),
        Scalar::Float(value) => Some(*value),
        Scalar::Bool(_) | Scalar::Text(_) => None,
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let value = json!({ "type": ["boolean", "number", "string", "array"] });
        let bound = json!({ "type": "number" });
        json_schema!({
            "type": "object",
            "description": "Settings by their short names, each with a value, a list of values, or two bounds.",
            "minProperties": 1,
            "additionalProperties": {
                "anyOf": [
                    { "type": ["boolean", "number", "string"] },
                    { "type": "array", "items": value, "minItems": 1 },
                    {
                        "type": "object",
                        "properties": { "above": bound, "below": bound },
                        "additionalProperties": false,
                        "minProperties": 1,
                    },
                ],
            },
        })
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ConditionVisitor;

        impl<'de> Visitor<'de> for ConditionVisitor {
            type Value = Condition;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of settings and values, such as { optimizer = \"sgd\", lr = 0.1 }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Condition, A::Error> {
                let mut settings = Vec::new();
                while let Some(name) = table.next_key()? {
                    settings.push((name, table.next_value()?));
                }
                if settings.is_empty() {
                    return Err(A::Error::custom("an empty condition would leave out everything"));
                }
                Ok(Condition(settings))
            }
        }

        deserializer.deserialize_any(ConditionVisitor)
    }
}

impl Wanted {
    fn read_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut values = Vec::new();
        while let Some(item) = list.next_element::<Self>()? {
            match item {
                Self::Values(mut one) if one.len() == 1 => values.append(&mut one),
                Self::Values(list) => values.push(joined(&list, "-").into()),
                Self::Between { .. } => return Err(A::Error::custom("expected a list of values")),
            }
        }
        if values.is_empty() { Err(A::Error::custom("expected at least one value")) } else { Ok(Self::Values(values)) }
    }

    fn read_bounds<'de, D: Deserializer<'de>>(table: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Bounds {
            above: Option<f64>,
            below: Option<f64>,
        }

        let Bounds { above, below } = Bounds::deserialize(table)?;
        if above.is_none() && below.is_none() {
            return Err(D::Error::custom("expected `above`, `below` or both"));
        }
        Ok(Self::Between { above: above.unwrap_or(f64::NEG_INFINITY), below: below.unwrap_or(f64::INFINITY) })
    }
}

impl<T: Into<Scalar>> From<T> for Wanted {
    fn from(value: T) -> Self {
        Self::Values(vec![value.into()])
    }
}

forms! {
    Wanted, "a value, a list of values, or bounds such as { above = 0.1, below = 1.0 }",
    flag: |value: bool| Ok(Wanted::from(value)),
    number: |value: f64| Ok::<_, Infallible>(Wanted::from(value)),
    text: |value: &str| Ok(Wanted::from(value)),
    list: Wanted::read_list,
    table: Wanted::read_bounds,
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, wanted)| (name, wanted)))
    }
}

impl Serialize for Wanted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Values(values) => match values.as_slice() {
                [only] => only.serialize(serializer),
                several => several.serialize(serializer),
            },
            Self::Between { above, below } => {
                let mut bounds = serializer.serialize_map(None)?;
                for (word, bound) in [("above", above), ("below", below)] {
                    if bound.is_finite() {
                        bounds.serialize_entry(word, bound)?;
                    }
                }
                bounds.end()
            }
        }
    }
}
