//! Statements that are put together from parts, with their values.
//!
//! sqlx's own builder numbers no placeholders for a database that is chosen at run time, and PostgreSQL knows no others.

use std::fmt::{Display, Write as _};

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::{Query, QueryAs};
use sqlx::{Any, Arguments as _, AssertSqlSafe, Encode, FromRow, Type};

/// A statement in the making. Parts are the code's own words; what comes from outside is bound.
#[derive(Default)]
pub(super) struct Statement {
    sql: String,
    values: AnyArguments,
}

impl Statement {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), ..Self::default() }
    }

    /// Adds a part of the text.
    pub(super) fn push(&mut self, part: impl Display) -> &mut Self {
        // Writing to a string does not fail.
        let _ = write!(self.sql, "{part}");
        self
    }

    /// Adds a placeholder with its value.
    pub(super) fn push_bind<'t, T: Encode<'t, Any> + Type<Any>>(&mut self, value: T) -> &mut Self {
        // The kinds of values that there are always can be; were one left out, the database would refuse the statement.
        let _ = self.values.add(value);
        let number = self.values.len();
        self.push("$").push(number)
    }

    /// Starts a list.
    pub(super) fn separated(&mut self, separator: &'static str) -> Separated<'_> {
        Separated { statement: self, separator, first: true }
    }

    /// Adds `VALUES` with a row for each item.
    pub(super) fn push_values<I: IntoIterator>(
        &mut self,
        rows: I,
        mut row: impl FnMut(Separated<'_>, I::Item),
    ) -> &mut Self {
        self.push("VALUES ");
        for (at, item) in rows.into_iter().enumerate() {
            self.push(if at == 0 { "(" } else { ", (" });
            row(self.separated(", "), item);
            self.push(")");
        }
        self
    }

    pub(super) fn build(&mut self) -> Query<'static, Any, AnyArguments> {
        let (sql, values) = self.take();
        sqlx::query_with(sql, values)
    }

    pub(super) fn build_query_as<T: for<'r> FromRow<'r, AnyRow>>(
        &mut self,
    ) -> QueryAs<'static, Any, T, AnyArguments> {
        let (sql, values) = self.take();
        sqlx::query_as_with(sql, values)
    }

    fn take(&mut self) -> (AssertSqlSafe<String>, AnyArguments) {
        let Self { sql, values } = std::mem::take(self);
        (AssertSqlSafe(sql), values)
    }
}

/// A list within a statement.
pub(super) struct Separated<'a> {
    statement: &'a mut Statement,
    separator: &'static str,
    first: bool,
}

impl Separated<'_> {
    /// Adds an item as text.
    pub(super) fn push(&mut self, part: impl Display) -> &mut Self {
        self.separate();
        self.statement.push(part);
        self
    }

    /// Adds an item as a value.
    pub(super) fn push_bind<'t, T: Encode<'t, Any> + Type<Any>>(&mut self, value: T) -> &mut Self {
        self.separate();
        self.statement.push_bind(value);
        self
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.statement.push(self.separator);
        }
    }
}
