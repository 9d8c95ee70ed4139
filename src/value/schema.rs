//! Completes derived schemas of types that serde reads in more than one way.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Also accepts what the schema of `T` accepts.
pub fn or<T: JsonSchema>(schema: &mut Schema) {
    let description = schema.remove("description");
    let other = T::json_schema(&mut SchemaGenerator::default());
    *schema = schemars::json_schema!({ "anyOf": [Value::from(schema.clone()), Value::from(other)] });
    if let Some(description) = description {
        schema.insert("description".to_owned(), json!(description));
    }
}
