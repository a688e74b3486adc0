//! Names of tables and columns: read from arguments, quoted for statements.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Engine;
use crate::error::{Error, Result};

/// The name of a table or view, with its schema where one was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableName {
    pub(super) schema: Option<String>,
    pub(super) table: String,
}

impl TableName {
    /// Reads `table` or `schema.table`; a part in double quotes may hold points.
    ///
    /// # Errors
    /// A name with blank parts, or more than two.
    pub(super) fn read(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid(format!("argument table: \"{text}\" is no table's name"))
                .next("write \"table\" or \"schema.table\"")
        };
        let mut parts: Vec<String> = Vec::new();
        let mut rest = text.trim();
        loop {
            let (part, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(bad)?,
                None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
            };
            if part.is_empty() || part.contains('\0') {
                return Err(bad());
            }
            parts.push(part.to_owned());
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None if after.is_empty() => break,
                None => return Err(bad()),
            }
        }
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(table), None, None) => Ok(Self { schema: None, table }),
            (Some(schema), Some(table), None) => Ok(Self { schema: Some(schema), table }),
            _ => Err(bad()),
        }
    }

    /// Returns whether a word of the operator's list means this table.
    pub(super) fn matches(&self, pattern: &str) -> bool {
        let table = |word: &str| word == "*" || word == self.table;
        match pattern.split_once('.') {
            Some((schema, word)) => self.schema.as_deref() == Some(schema) && table(word),
            None => self.schema.is_none() && pattern == self.table,
        }
    }

    /// Returns the name for a statement.
    pub(super) fn quoted(&self, engine: Engine) -> String {
        let table = quote(engine, &self.table);
        match &self.schema {
            Some(schema) => format!("{}.{table}", quote(engine, schema)),
            None => table,
        }
    }

    /// Returns a sibling: another table of the same schema.
    pub(super) fn sibling(&self, table: &str) -> Self {
        Self { schema: self.schema.clone(), table: table.to_owned() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.table),
            None => f.write_str(&self.table),
        }
    }
}

/// Returns an identifier for a statement.
pub(super) fn quote(engine: Engine, name: &str) -> String {
    match engine {
        Engine::Mysql => format!("`{}`", name.replace('`', "``")),
        Engine::Postgres | Engine::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Returns a text as a literal of a PostgreSQL statement, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_quoted() {
        let quoted = |text, engine| TableName::read(text).map(|name| name.quoted(engine));
        assert_eq!(quoted("public.stock", Engine::Postgres).unwrap(), r#""public"."stock""#);
        assert_eq!(quoted(r#""a.b"."c""#, Engine::Sqlite).unwrap(), r#""a.b"."c""#);
        assert_eq!(quoted("a`; DROP TABLE b", Engine::Mysql).unwrap(), "`a``; DROP TABLE b`");
        assert_eq!(quote(Engine::Postgres, r#"x"; --"#), r#""x""; --""#);
        for bad in ["", "a.", ".a", "a.b.c", "\"a", "\"a\"b"] {
            assert!(TableName::read(bad).is_err(), "{bad}");
        }
        assert_eq!(literal(r"a'\b"), r"E'a''\\b'");
    }

    #[test]
    fn the_operators_list_is_by_name_or_schema() {
        let name = |text| TableName::read(text).unwrap();
        assert!(name("public.stock").matches("public.stock"));
        assert!(name("public.stock").matches("public.*"));
        assert!(!name("private.stock").matches("public.*"));
        assert!(name("stock").matches("stock"));
        assert!(!name("secret.stock").matches("stock"));
        assert!(!name("stock").matches("public.*"));
    }
}
