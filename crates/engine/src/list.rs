//! The text form of a list: `a, b, c` where that is unambiguous, a JSON array otherwise.

use serde_json::value::RawValue;

use crate::text::normalise;
use crate::value::Value;

/// Deepest nesting of lists that is read.
const DEPTH: usize = 8;

/// Reads `a, b, c` or a JSON array; `None` when the text starts like a JSON array and is not one of plain values.
///
/// Items of the comma form are texts. JSON numbers become numbers; objects are not values.
pub(crate) fn parse(text: &str) -> Option<Vec<Value>> {
    let text = text.trim();
    if text.starts_with('[') {
        return parse_json(text, DEPTH);
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Some(items.map(|item| Value::Text(normalise(item).into())).collect())
}

/// Reads a JSON array through its raw items, because a JSON number read as a float would be rounded.
fn parse_json(text: &str, depth: usize) -> Option<Vec<Value>> {
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let item = |raw: &&RawValue| match raw.get().as_bytes().first()? {
        b'n' => Some(Value::Null),
        b't' => Some(Value::Bool(true)),
        b'f' => Some(Value::Bool(false)),
        b'"' => {
            let text: String = serde_json::from_str(raw.get()).ok()?;
            Some(Value::Text(normalise(&text).into()))
        }
        b'[' => parse_json(raw.get(), depth.checked_sub(1)?).map(Value::List),
        b'{' => None,
        _ => raw.get().parse().ok().map(Value::Number),
    };
    items.iter().map(item).collect()
}

/// Writes the text that [`parse`] reads back as the same list, as far as JSON holds its items.
pub(crate) fn write(items: &[Value]) -> String {
    match items.iter().map(plain).collect::<Option<Vec<_>>>() {
        Some(texts) if !texts.is_empty() => texts.join(", "),
        _ => json(items),
    }
}

/// Returns an item's text when the comma form holds it.
fn plain(item: &Value) -> Option<&str> {
    let text = item.as_text()?;
    let safe =
        !text.is_empty() && !text.contains(',') && !text.starts_with('[') && text.trim() == text;
    safe.then_some(text)
}

fn json(items: &[Value]) -> String {
    let parts: Vec<String> = items
        .iter()
        .map(|item| match item {
            Value::Null => "null".into(),
            Value::List(items) => json(items),
            Value::Bool(_) | Value::Number(_) => item.to_string(),
            other => serde_json::Value::String(other.to_string()).to_string(),
        })
        .collect();
    format!("[{}]", parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Number;

    #[test]
    fn forms_read_and_written() {
        let number = |text: &str| Value::Number(text.parse::<Number>().unwrap());
        let texts =
            |items: &[&str]| items.iter().map(|&item| Value::from(item)).collect::<Vec<_>>();
        for (text, items, written) in [
            ("a, b ,c", texts(&["a", "b", "c"]), "a, b, c"),
            ("one", texts(&["one"]), "one"),
            (r#"["a","b"]"#, texts(&["a", "b"]), "a, b"),
            (r#"["a,b","c"]"#, texts(&["a,b", "c"]), r#"["a,b","c"]"#),
            ("[]", vec![], "[]"),
            ("[1,2.50]", vec![Value::from(1), number("2.5")], "[1,2.5]"),
            (
                "[0.12345678901234567890123]",
                vec![number("0.12345678901234567890123")],
                "[0.12345678901234567890123]",
            ),
            (
                r#"["",null,true,["x"]]"#,
                vec![Value::from(""), Value::Null, Value::Bool(true), Value::List(texts(&["x"]))],
                r#"["",null,true,["x"]]"#,
            ),
        ] {
            assert_eq!(parse(text).as_ref(), Some(&items), "{text}");
            assert_eq!(write(&items), written);
            assert_eq!(parse(written), Some(items), "read back {written}");
        }
        for text in ["[1,", r#"[{"a":1}]"#, "[[[[[[[[[[[[1]]]]]]]]]]]]"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
