//! The message types of the Sheets API: which fields there are and of which type.
//!
//! Read from `sheets.txt`, which is derived from the discovery document. Requests are checked
//! against it, so that a misspelt field or a wrong type is told as the real service tells it, and
//! field masks are checked against it too.

mod check;

pub(crate) use check::check;

use std::collections::HashMap;
use std::sync::OnceLock;

const TABLE: &str = include_str!("sheets.txt");

/// Is the type of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// Text; also field masks and times.
    Text,
    /// A 32-bit integer.
    Int32,
    /// A number; the flag says whether it is a `double`, else a `float`.
    Number(bool),
    /// A boolean.
    Bool,
    /// Any JSON value.
    Any,
    /// One name of a list, with the names as `A|B|C`.
    Choice(&'static str),
    /// Another message.
    Message(&'static str),
    /// A list.
    List(Box<Kind>),
    /// A map from text.
    Map(Box<Kind>),
}

/// Is one message type.
#[derive(Debug)]
pub(crate) struct Message {
    /// Its name, as `CellData`.
    pub(crate) name: &'static str,
    /// Its fields.
    pub(crate) fields: Vec<(&'static str, Kind)>,
}

impl Message {
    /// Returns the type of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Kind> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, kind)| kind)
    }
}

impl Kind {
    /// Returns the message that a field leads to, through lists and maps.
    pub(crate) fn message(&self) -> Option<&'static Message> {
        match self {
            Self::Message(name) => message(name),
            Self::List(inner) | Self::Map(inner) => inner.message(),
            _ => None,
        }
    }
}

/// Returns a message type by name.
pub(crate) fn message(name: &str) -> Option<&'static Message> {
    static ALL: OnceLock<HashMap<&'static str, Message>> = OnceLock::new();
    ALL.get_or_init(|| {
        TABLE.lines().filter_map(read).map(|message| (message.name, message)).collect()
    })
    .get(name)
}

fn read(line: &'static str) -> Option<Message> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let name = words.next().filter(|name| !name.starts_with('#'))?;
    let fields = words
        .filter_map(|word| word.split_once(':'))
        .map(|(field, kind)| (field, read_kind(kind)))
        .collect();
    Some(Message { name, fields })
}

fn read_kind(text: &'static str) -> Kind {
    if let Some(inner) = text.strip_prefix('[') {
        return Kind::List(Box::new(read_kind(inner)));
    }
    if let Some(inner) = text.strip_prefix("map<") {
        return Kind::Map(Box::new(read_kind(inner)));
    }
    match text {
        "string" | "fieldmask" | "google-datetime" => Kind::Text,
        "int32" => Kind::Int32,
        "float" => Kind::Number(false),
        "double" => Kind::Number(true),
        "bool" => Kind::Bool,
        "any" => Kind::Any,
        _ if text.contains('|') => Kind::Choice(text),
        _ => Kind::Message(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_named_is_there() {
        fn reach(kind: &Kind) -> Option<&'static str> {
            match kind {
                Kind::Message(name) => Some(name),
                Kind::List(inner) | Kind::Map(inner) => reach(inner),
                _ => None,
            }
        }
        let mut count = 0;
        for message_type in TABLE.lines().filter_map(read) {
            count += 1;
            for (field, kind) in &message_type.fields {
                if let Some(name) = reach(kind) {
                    assert!(message(name).is_some(), "{}.{field}: {name}", message_type.name);
                }
            }
        }
        assert!(count > 250);
        assert_eq!(message("GridRange").unwrap().field("sheetId"), Some(&Kind::Int32));
    }
}
