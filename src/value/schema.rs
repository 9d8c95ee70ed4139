//! What a schema does not say that is derived from a type which serde reads in more than one way.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Accepts what `T` is written as, too.
pub fn or<T: JsonSchema>(schema: &mut Schema) {
    let description = schema.remove("description");
    let other = T::json_schema(&mut SchemaGenerator::default());
    *schema = schemars::json_schema!({ "anyOf": [Value::from(schema.clone()), Value::from(other)] });
    if let Some(description) = description {
        schema.insert("description".to_owned(), json!(description));
    }
}
