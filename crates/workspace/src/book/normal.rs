//! Objects as the service gives them back: what was default is left out, colours come twice.

use serde_json::{Map, Value, json};

use crate::schema::{Kind, Message};

/// Are the messages whose scalar fields are told even when false, zero or empty, because the
/// service knows set from unset there (recorded for formats and ranges).
const TOLD: [&str; 11] = [
    "CellFormat",
    "TextFormat",
    "GridRange",
    "DimensionRange",
    "SheetProperties",
    "Padding",
    "TextRotation",
    "GridCoordinate",
    "ExtendedValue",
    "ConditionValue",
    "Link",
];

/// Brings an object of a message type into the form in which the service gives it back.
pub(crate) fn normalize(value: &mut Value, message: &Message) {
    let Value::Object(map) = value else {
        return;
    };
    let told = TOLD.contains(&message.name);
    let name = message.name;
    map.retain(|key, inner| {
        if name == "GridRange" || name == "DimensionRange" {
            return key != "sheetId" || inner.as_i64() != Some(0);
        }
        told || !is_default(inner)
    });
    for (key, inner) in map.iter_mut() {
        if let Some(kind) = message.field(key) {
            normalize_kind(inner, kind);
        }
    }
    twin_colors(map, message);
}

fn normalize_kind(value: &mut Value, kind: &Kind) {
    match (kind, value) {
        (Kind::Message(name), value) => {
            if let Some(message) = crate::schema::message(name) {
                normalize(value, message);
            }
        }
        // A `float` keeps single precision: 0.1 comes back as 0.1, 0.5411764705882353 as 0.5411765.
        (Kind::Number(false), value) => {
            if let Some(number) = value.as_f64()
                && let Ok(shortest) = single(number).to_string().parse::<f64>()
                && number.fract() != 0.0
            {
                *value = shortest.into();
            }
        }
        (Kind::List(inner), Value::Array(items)) => {
            for item in items {
                normalize_kind(item, inner);
            }
        }
        (Kind::Map(inner), Value::Object(map)) => {
            for (_, item) in map.iter_mut() {
                normalize_kind(item, inner);
            }
        }
        _ => {}
    }
}

/// Returns a number in single precision.
fn single(number: f64) -> f32 {
    #[allow(clippy::cast_possible_truncation, reason = "the loss of precision is what is wanted")]
    let single = number as f32;
    single
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Keeps `xColor` and `xColorStyle` telling the same; the style wins where both were given.
fn twin_colors(map: &mut Map<String, Value>, message: &Message) {
    let plain: Vec<&str> = message
        .fields
        .iter()
        .filter(|(_, kind)| *kind == Kind::Message("Color"))
        .map(|(name, _)| *name)
        .collect();
    for name in plain {
        let style = format!("{name}Style");
        if message.field(&style).is_none() {
            continue;
        }
        if map.get(&style).is_some_and(|styled| styled.as_object().is_some_and(Map::is_empty)) {
            // A style that names no colour clears both.
            map.shift_remove(&style);
            map.shift_remove(name);
            continue;
        }
        if let Some(styled) = map.get(&style) {
            match styled.get("rgbColor") {
                Some(color) => {
                    let color = color.clone();
                    map.insert(name.to_owned(), color);
                }
                None => {
                    if let Some(color) =
                        styled.get("themeColor").and_then(Value::as_str).and_then(theme)
                    {
                        map.insert(name.to_owned(), color);
                    }
                }
            }
        } else if let Some(color) = map.get(name) {
            let color = color.clone();
            map.insert(style, json!({"rgbColor": color}));
        }
    }
}

/// Returns a colour of the standard theme (recorded).
fn theme(name: &str) -> Option<Value> {
    theme_colors().into_iter().find(|(kind, _)| *kind == name).map(|(_, color)| color)
}

/// Returns the nine colours of the standard theme (recorded).
pub(crate) fn theme_colors() -> Vec<(&'static str, Value)> {
    vec![
        ("TEXT", json!({})),
        ("BACKGROUND", json!({"red": 1, "green": 1, "blue": 1})),
        ("ACCENT1", json!({"red": 0.258_823_54, "green": 0.521_568_66, "blue": 0.956_862_75})),
        ("ACCENT2", json!({"red": 0.917_647_06, "green": 0.262_745_1, "blue": 0.207_843_14})),
        ("ACCENT3", json!({"red": 0.984_313_7, "green": 0.737_254_9, "blue": 0.015_686_275})),
        ("ACCENT4", json!({"red": 0.203_921_57, "green": 0.658_823_55, "blue": 0.325_490_2})),
        ("ACCENT5", json!({"red": 1, "green": 0.427_450_98, "blue": 0.003_921_569})),
        ("ACCENT6", json!({"red": 0.274_509_82, "green": 0.741_176_5, "blue": 0.776_470_6})),
        ("LINK", json!({"red": 0.066_666_67, "green": 0.333_333_34, "blue": 0.8})),
    ]
}

/// Returns the format of cells that have none (recorded).
pub(crate) fn default_format() -> Value {
    json!({
        "backgroundColor": {"red": 1, "green": 1, "blue": 1},
        "padding": {"top": 2, "right": 3, "bottom": 2, "left": 3},
        "verticalAlignment": "BOTTOM",
        "wrapStrategy": "OVERFLOW_CELL",
        "textFormat": {
            "foregroundColor": {},
            "fontFamily": "arial,sans,sans-serif",
            "fontSize": 10,
            "bold": false,
            "italic": false,
            "strikethrough": false,
            "underline": false,
            "foregroundColorStyle": {"rgbColor": {}}
        },
        "backgroundColorStyle": {"rgbColor": {"red": 1, "green": 1, "blue": 1}}
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::message;

    #[test]
    fn formats_come_back_as_recorded() {
        let mut format = json!({
            "backgroundColor": {"green": 1, "blue": 1, "red": 0},
            "horizontalAlignment": "CENTER",
            "textFormat": {"foregroundColor": {"red": 1, "green": 1}, "fontSize": 12, "bold": false}
        });
        normalize(&mut format, message("CellFormat").unwrap());
        assert_eq!(
            format,
            json!({
                "backgroundColor": {"green": 1, "blue": 1},
                "horizontalAlignment": "CENTER",
                "textFormat": {
                    "foregroundColor": {"red": 1, "green": 1}, "fontSize": 12, "bold": false,
                    "foregroundColorStyle": {"rgbColor": {"red": 1, "green": 1}}
                },
                "backgroundColorStyle": {"rgbColor": {"green": 1, "blue": 1}}
            })
        );
    }

    #[test]
    fn defaults_are_left_out() {
        let mut range = json!({"range": {"sheetId": 0, "startRowIndex": 0, "endRowIndex": 2}, "warningOnly": false, "editors": {"users": []}});
        normalize(&mut range, message("ProtectedRange").unwrap());
        assert_eq!(range, json!({"range": {"startRowIndex": 0, "endRowIndex": 2}, "editors": {}}));
    }
}
