//! The published contracts: golden, portable, small, and true for the examples.

use std::{fs, path::PathBuf};

use lockstep::tools::{self, Registered};
use serde_json::{Map, Value, json};

use crate::harness::{assert_valid, tool};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools").join(name)
}

fn contract(tool: &Registered) -> Value {
    let mut contract = json!({
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "annotations": tool.annotations,
        "inputSchema": *tool.input_schema,
        "outputSchema": *tool.output_schema,
    });
    if let Some(view) = tool.view {
        contract["_meta"] = json!({"ui": {"resourceUri": view}});
    }
    contract
}

#[test]
fn contracts_are_what_is_published() {
    let update = std::env::var_os("UPDATE_CONTRACTS").is_some();
    let mut published: Vec<String> = Vec::new();
    for tool in tools::all() {
        let path = folder("contracts").join(format!("{}.json", tool.name));
        let now = serde_json::to_string_pretty(&contract(tool)).unwrap() + "\n";
        if update {
            fs::create_dir_all(folder("contracts")).unwrap();
            fs::write(&path, &now).unwrap();
        }
        let then = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            now == then,
            "the contract of {} changed: read the difference, then accept it with \
             UPDATE_CONTRACTS=1 cargo test contracts\n{now}",
            tool.name
        );
        published.push(format!("{}.json", tool.name));
    }
    for entry in fs::read_dir(folder("contracts")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(published.contains(&name), "tools/contracts/{name} belongs to no tool");
    }
}

#[test]
fn the_list_is_small_enough_to_be_read_by_every_model() {
    let (mut bare, mut full) = (0, 0);
    for tool in tools::all() {
        let mut contract = contract(tool);
        full += contract.to_string().len();
        contract.as_object_mut().unwrap().remove("outputSchema");
        bare += contract.to_string().len();
    }
    println!("tool list: {} tokens without output schemas, {} with", bare / 4, full / 4);
    assert!(bare / 4 < 5_000, "{} tokens without output schemas", bare / 4);
    assert!(full / 4 < 8_000, "{} tokens with output schemas", full / 4);
}

/// Collects what strict clients refuse: bare `true`, type arrays, references, untyped values.
fn unportable(path: &str, schema: &Value, found: &mut Vec<String>) {
    let Value::Object(object) = schema else {
        found.push(format!("{path}: {schema}"));
        return;
    };
    for banned in ["$ref", "$defs", "title", "format"] {
        if object.contains_key(banned) {
            found.push(format!("{path}: {banned}"));
        }
    }
    if object.get("type").is_some_and(Value::is_array) {
        found.push(format!("{path}: type array"));
    }
    let typed =
        ["type", "anyOf", "oneOf", "enum", "const"].iter().any(|name| object.contains_key(*name));
    if !typed {
        found.push(format!("{path}: no type"));
    }
    for (name, child) in object.get("properties").and_then(Value::as_object).unwrap_or(&Map::new())
    {
        unportable(&format!("{path}.{name}"), child, found);
    }
    for name in ["items", "additionalProperties"] {
        if let Some(child) = object.get(name).filter(|child| **child != json!(false)) {
            unportable(&format!("{path}.{name}"), child, found);
        }
    }
    for name in ["anyOf", "oneOf"] {
        for (index, child) in
            object.get(name).and_then(Value::as_array).unwrap_or(&vec![]).iter().enumerate()
        {
            unportable(&format!("{path}.{name}[{index}]"), child, found);
        }
    }
}

#[test]
fn schemas_are_portable_to_strict_clients() {
    let mut found = Vec::new();
    for tool in tools::all() {
        for (kind, schema) in [("input", &tool.input_schema), ("output", &tool.output_schema)] {
            let value = Value::Object((**schema).clone());
            assert_eq!(value["type"], "object", "{} {kind}", tool.name);
            unportable(&format!("{} {kind}", tool.name), &value, &mut found);
        }
        assert_eq!(
            tool.input_schema.get("additionalProperties"),
            Some(&json!(false)),
            "{}",
            tool.name
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn annotations_are_explicit() {
    for tool in tools::all() {
        let hints = serde_json::to_value(&tool.annotations).unwrap();
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(hints.get(hint).is_some_and(Value::is_boolean), "{} {hint}", tool.name);
        }
    }
}

#[test]
fn every_tool_has_examples_that_match_its_schema() {
    let mut seen = Vec::new();
    for entry in fs::read_dir(folder("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let examples: Vec<Value> =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert!(!examples.is_empty(), "{name}");
        for example in examples {
            assert_valid(&tool(&name).input_schema, &example, &name);
        }
        seen.push(name);
    }
    for tool in tools::all() {
        assert!(
            seen.iter().any(|name| name == tool.name),
            "tools/examples/{}.json is missing",
            tool.name
        );
    }
}
