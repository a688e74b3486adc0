//! A query as a source: one statement that reads, and nothing beside it.

use super::{
    Engine, catalog_mysql, catalog_postgres, catalog_sqlite,
    column::{ColumnInfo, Kind},
    failure,
    session::Session,
};
use crate::error::{Error, Result};

/// A query that the database itself has found to be a single statement, and the columns that it returns.
#[derive(Debug)]
pub(super) struct Query {
    sql: String,
    pub(super) columns: Vec<ColumnInfo>,
}

impl Query {
    /// Asks the database about a query, without running it.
    ///
    /// # Errors
    /// What is no single SELECT, or returns columns that cannot be told apart or read.
    pub(super) async fn read(session: &mut Session, sql: &str) -> Result<Self> {
        let sql = sql.trim().trim_end_matches(';').trim_end().to_owned();
        let word: String = sql.chars().take_while(char::is_ascii_alphabetic).collect();
        if !["select", "with", "values", "table"].contains(&word.to_lowercase().as_str()) {
            return Err(bad("it does not begin with SELECT, WITH, VALUES or TABLE"));
        }
        // PostgreSQL and MySQL prepare single statements alone; SQLite's driver would run what follows, too.
        if session.engine() == Engine::Sqlite {
            single(&sql).map_err(bad)?;
        }
        let described = session.describe(&sql).await.map_err(|error| failure::read(&error))?;
        let kinds = match session.engine() {
            Engine::Postgres => {
                let oids: Vec<u32> =
                    described.iter().map(|column| column.oid.unwrap_or_default()).collect();
                catalog_postgres::kinds(session, &oids)
                    .await
                    .map_err(|error| failure::read(&error))?
            }
            Engine::Mysql => described
                .iter()
                .map(|column| catalog_mysql::kind_of_result(&column.type_name))
                .collect(),
            Engine::Sqlite => described
                .iter()
                .map(|column| match column.type_name.as_str() {
                    // What is computed has no declared type, and each value says its own.
                    "NULL" | "BLOB" => Kind::Any,
                    declared => catalog_sqlite::kind_of(declared),
                })
                .collect(),
        };
        let columns: Vec<ColumnInfo> = described
            .into_iter()
            .zip(kinds)
            .map(|(column, kind)| ColumnInfo::plain(column.name, kind))
            .collect();
        if let Some(column) = columns.iter().find(|column| matches!(column.kind, Kind::Unfit(_))) {
            return Err(bad("it returns raw bytes").context(format!("column \"{}\"", column.name)));
        }
        Ok(Self { sql, columns })
    }

    /// Returns the query as a table of a FROM clause.
    pub(super) fn table(&self) -> String {
        // On lines of its own: a comment at its end ends there.
        format!("(\n{}\n) AS q", self.sql)
    }
}

fn bad(why: &str) -> Error {
    Error::invalid(format!("argument query: {why}")).next(
        "give one SELECT, without bytes: leave such columns out or encode them, e.g. with hex(…)",
    )
}

/// Checks that a statement of SQLite is one, and that its parentheses are its own.
fn single(sql: &str) -> Result<(), &'static str> {
    let mut signs = sql.chars().peekable();
    let mut depth = 0_u32;
    while let Some(sign) = signs.next() {
        let closing = match sign {
            '\'' | '"' | '`' => sign,
            '[' => ']',
            '-' if signs.peek() == Some(&'-') => '\n',
            '/' if signs.peek() == Some(&'*') => {
                signs.next();
                let mut last = ' ';
                let ended = signs
                    .by_ref()
                    .any(|sign| std::mem::replace(&mut last, sign) == '*' && sign == '/');
                if !ended {
                    return Err("a comment has no end");
                }
                continue;
            }
            '(' => {
                depth += 1;
                continue;
            }
            ')' => {
                depth = depth.checked_sub(1).ok_or("a parenthesis closes that was not opened")?;
                continue;
            }
            ';' => return Err("it is more than one statement"),
            '\0' => return Err("it holds a null character"),
            _ => continue,
        };
        // A doubled quote closes and opens again, which comes to the same.
        if !signs.by_ref().any(|sign| sign == closing) && closing != '\n' {
            return Err("a quote has no end");
        }
    }
    if depth == 0 { Ok(()) } else { Err("a parenthesis is not closed") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_is_told_from_more() {
        for good in [
            "SELECT 1",
            "SELECT ';' || \";\" || [;] || `;` -- ; \n , 2",
            "SELECT (1) /* ; ) */",
            "SELECT 'it''s'",
            "SELECT 1 --",
        ] {
            assert_eq!(single(good), Ok(()), "{good}");
        }
        for bad in [
            "SELECT 1; DROP TABLE x",
            "SELECT 1) ; ATTACH 'x' AS y; SELECT (1",
            "SELECT 1) UNION SELECT (2",
            "SELECT 'x",
            "SELECT 1 /* x",
            "SELECT 1 /*/",
            "SELECT (1",
            "SELECT '' ;'",
        ] {
            assert!(single(bad).is_err(), "{bad}");
        }
    }
}
