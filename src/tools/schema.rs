//! JSON Schemas that every MCP client accepts.
//!
//! Strict clients refuse a bare `true`, type arrays (`["string","null"]`) and
//! references, and every character of the list is paid for by the model. So
//! schemas are inlined, optional means "not required", a default is said in
//! words or not at all, and titles go. What a result looks like is shown without
//! words: its names say it, and the server's instructions say that cells are data.

use rmcp::model::JsonObject;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

/// Returns the schema that arguments of type `T` must match.
pub(crate) fn of<T: JsonSchema>() -> JsonObject {
    generate::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// Returns the schema of arguments beside which a code may confirm the call.
pub(crate) fn asking<T: JsonSchema>() -> JsonObject {
    let mut schema = of::<T>();
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let confirm = json!({"type": "string", "description": "Code from confirmationNeeded."});
        properties.insert(super::CONFIRM.into(), confirm);
    }
    schema
}

/// Returns the schema that results of type `T` match.
pub(crate) fn of_output<T: JsonSchema>() -> JsonObject {
    let mut schema = generate::<T>(SchemaSettings::draft2020_12().for_serialize());
    schema.values_mut().for_each(silence);
    schema
}

/// Returns the schema of results of type `T` without what lists and objects hold.
pub(crate) fn outline<T: JsonSchema>() -> JsonObject {
    let mut schema = of_output::<T>();
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut().filter_map(Value::as_object_mut) {
            property.retain(|name, _| !["properties", "additionalProperties"].contains(&&**name));
            if let Some(items) = property.get_mut("items").and_then(Value::as_object_mut) {
                items.retain(|name, _| name == "type");
            }
        }
    }
    schema
}

/// Removes the descriptions, and what nested objects require, all the way down.
fn silence(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("description").is_some_and(Value::is_string) {
                object.remove("description");
            }
            if object.contains_key("type") && object.get("required").is_some_and(Value::is_array) {
                object.remove("required");
            }
            object.values_mut().for_each(silence);
        }
        Value::Array(items) => items.iter_mut().for_each(silence),
        _ => {}
    }
}

fn generate<T: JsonSchema>(settings: SchemaSettings) -> JsonObject {
    let mut settings = settings;
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut value = schema.to_value();
    tidy(&mut value, false);
    match value {
        Value::Object(mut object) => {
            object.remove("description");
            object
        }
        _ => JsonObject::new(),
    }
}

/// `null` says that the value may be null: it is there whatever it holds, where others are left out.
fn tidy(schema: &mut Value, null: bool) {
    let Value::Object(object) = schema else { return };
    object.remove("title");
    object.remove("default");
    if object.get("minimum") == Some(&json!(0)) {
        object.remove("minimum");
    }
    if let Some(names) = names(object) {
        object.remove("oneOf");
        object.insert("type".into(), "string".into());
        object.insert("enum".into(), names);
    }
    if let Some(Value::Array(choices)) = object.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
    if let Some(Value::Array(types)) = object.get("type") {
        let kept: Vec<Value> = types.iter().filter(|t| *t != "null").cloned().collect();
        if let [only] = kept.as_slice() {
            let optional = kept.len() < types.len();
            object.insert("type".into(), only.clone());
            if null && optional {
                let one = Value::Object(std::mem::take(object));
                object.insert("anyOf".into(), json!([one, {"type": "null"}]));
            }
        }
    }
    // Formats such as "uint32" are not in the standard; bounds say the same.
    if object.get("type").and_then(Value::as_str).is_some_and(|t| t == "integer" || t == "number") {
        object.remove("format");
    }
    if let Some(Value::Array(choices)) = object.get("anyOf") {
        let is_null = |choice: &&Value| choice.get("type").and_then(Value::as_str) == Some("null");
        let kept: Vec<Value> = choices.iter().filter(|choice| !is_null(choice)).cloned().collect();
        // `T or null` is how an optional argument is described; a choice of several types keeps its null.
        if let ([Value::Object(only)], false) = (kept.as_slice(), null) {
            object.remove("anyOf");
            for (name, value) in only {
                object.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    let there = object.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(Value::Object(children)) = object.get_mut("properties") {
        for (name, child) in children {
            tidy(child, there.iter().any(|one| one == name));
        }
    }
    // Any object is one without a word about its properties.
    if object.get("additionalProperties") == Some(&Value::Bool(true)) {
        object.remove("additionalProperties");
    }
    for (name, null) in [("items", false), ("additionalProperties", true)] {
        if let Some(child) = object.get_mut(name) {
            tidy(child, null);
            // What the items are is said where the list is.
            child.as_object_mut().map(|child| child.remove("description"));
        }
    }
    for name in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(children)) = object.get_mut(name) {
            children.iter_mut().for_each(|child| tidy(child, false));
        }
    }
}

/// Returns the names of a choice between described constants, as schemars writes documented enums.
fn names(object: &JsonObject) -> Option<Value> {
    let choices = object.get("oneOf")?.as_array()?;
    choices
        .iter()
        .map(|choice| choice.get("const").cloned())
        .collect::<Option<Vec<_>>>()
        .map(Value::Array)
}
