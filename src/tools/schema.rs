//! JSON Schemas that every MCP client accepts.
//!
//! Strict clients refuse a bare `true`, type arrays (`["string","null"]`) and
//! references, and every character of the list is paid for by the model. So
//! schemas are inlined, optional means "not required", and titles go.

use rmcp::model::JsonObject;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

/// Returns the schema that arguments of type `T` must match.
pub(crate) fn of<T: JsonSchema>() -> JsonObject {
    generate::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// Returns the schema that results of type `T` match.
pub(crate) fn of_output<T: JsonSchema>() -> JsonObject {
    generate::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn generate<T: JsonSchema>(settings: SchemaSettings) -> JsonObject {
    let mut settings = settings;
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut value = schema.to_value();
    tidy(&mut value);
    match value {
        Value::Object(mut object) => {
            object.remove("description");
            object
        }
        _ => JsonObject::new(),
    }
}

fn tidy(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    object.remove("title");
    if let Some(Value::Array(types)) = object.get("type") {
        let kept: Vec<Value> = types.iter().filter(|t| *t != "null").cloned().collect();
        if let [only] = kept.as_slice() {
            object.insert("type".into(), only.clone());
        }
    }
    // Formats such as "uint32" are not in the standard; bounds say the same.
    if object.get("type").and_then(Value::as_str).is_some_and(|t| t == "integer" || t == "number") {
        object.remove("format");
    }
    if let Some(Value::Array(choices)) = object.get("anyOf") {
        let null = |choice: &&Value| choice.get("type").and_then(Value::as_str) == Some("null");
        let kept: Vec<Value> = choices.iter().filter(|choice| !null(choice)).cloned().collect();
        // `T or null` is how an optional argument is described; a choice of several types keeps its null.
        if let [Value::Object(only)] = kept.as_slice() {
            object.remove("anyOf");
            for (name, value) in only {
                object.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    for name in ["properties", "$defs"] {
        if let Some(Value::Object(children)) = object.get_mut(name) {
            children.values_mut().for_each(tidy);
        }
    }
    for name in ["items", "additionalProperties"] {
        if let Some(child) = object.get_mut(name) {
            tidy(child);
        }
    }
    for name in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(children)) = object.get_mut(name) {
            children.iter_mut().for_each(tidy);
        }
    }
}
