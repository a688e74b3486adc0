//! The catalogue of SQLite, whose columns have an affinity rather than a type.

use sqlx::Error as Sqlx;

use super::{
    catalog::{Refusal, Table, unfit},
    column::{ColumnInfo, Kind},
    name::TableName,
    session::{Bind, Session},
};

/// Selects the tables and views.
pub(super) const NAMES: &str = "SELECT '', name FROM sqlite_schema WHERE type IN ('table', 'view') \
     AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT 200";

pub(super) async fn table(session: &mut Session, name: &TableName) -> Result<Option<Table>, Sqlx> {
    // A file has one schema of its own; others would be attached, which nobody can do here.
    if name.schema.as_deref().is_some_and(|schema| schema != "main") {
        return Ok(None);
    }
    let relation = "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') \
                    AND name = ?1 COLLATE NOCASE";
    let found = session.texts(relation.to_owned(), Bind::texts([name.table.clone()])).await?;
    let mut row = found.into_iter().flatten().flatten();
    let (Some(kind), Some(table)) = (row.next(), row.next()) else { return Ok(None) };
    let refusal = if kind == "view" { of_view(session, &table).await? } else { Refusal::default() };
    // hidden: 1 of a virtual table, 2 and 3 generated.
    let info = "SELECT name, type, CAST(pk AS TEXT), CAST(hidden AS TEXT) \
                FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
    let without = "SELECT CAST(wr AS TEXT) FROM pragma_table_list(?1)";
    let found = session.texts(without.to_owned(), Bind::texts([table.clone()])).await?;
    let without = found.into_iter().flatten().flatten().any(|word| word == "1");
    let mut primary: Vec<(usize, usize)> = Vec::new();
    let mut columns = Vec::new();
    for row in session.texts(info.to_owned(), Bind::texts([table.clone()])).await? {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        let (name, declared, place, hidden) = (next(), next(), next(), next());
        match place.parse() {
            Ok(0) | Err(_) => {}
            Ok(place) => primary.push((place, columns.len())),
        }
        columns.push(ColumnInfo {
            generated: (hidden == "2" || hidden == "3").then_some("a generated column"),
            ..ColumnInfo::plain(name, kind_of(&declared))
        });
    }
    let hidden = !columns.iter().any(|column| column.name.eq_ignore_ascii_case("rowid"));
    primary.sort_unstable();
    Ok(Some(Table {
        name: TableName { schema: None, table },
        columns,
        primary: primary.into_iter().map(|(_, column)| column).collect(),
        refusal,
        ordinary: false,
        identity: String::new(),
        rowid: kind == "table" && !without && hidden,
    }))
}

/// A view of SQLite is written through its INSTEAD OF triggers alone.
async fn of_view(session: &mut Session, view: &str) -> Result<Refusal, Sqlx> {
    let triggers = "SELECT upper(sql) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1";
    let found = session.texts(triggers.to_owned(), Bind::texts([view])).await?;
    let triggers: Vec<String> = found.into_iter().flatten().flatten().collect();
    let refuse = |word: &str| {
        let there = triggers.iter().any(|sql| {
            let words: Vec<&str> = sql.split_whitespace().take(12).collect();
            words.windows(3).any(|three| three == ["INSTEAD", "OF", word])
        });
        (!there).then(|| format!("the view takes no {word} (it has no INSTEAD OF trigger for it)"))
    };
    Ok(Refusal { insert: refuse("INSERT"), update: refuse("UPDATE"), delete: refuse("DELETE") })
}

/// Returns what a column is declared to hold, by the words of its type.
///
/// <https://www.sqlite.org/datatype3.html>, section 3.1, with the words for days, times and booleans before it.
pub(super) fn kind_of(declared: &str) -> Kind {
    let word = declared.to_uppercase();
    let has = |part: &str| word.contains(part);
    match word.split('(').next().unwrap_or_default().trim() {
        "BOOL" | "BOOLEAN" => return Kind::Bool,
        "DATE" => return Kind::Date,
        "TIME" => return Kind::Time,
        "DATETIME" | "TIMESTAMP" => return Kind::DateTime,
        "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => return Kind::Instant,
        "" | "ANY" => return Kind::Any,
        _ => {}
    }
    if has("INT") {
        Kind::Number
    } else if has("CHAR") || has("CLOB") || has("TEXT") || has("JSON") || has("UUID") {
        Kind::Text
    } else if has("BLOB") {
        unfit("a blob (raw bytes)")
    } else if has("REAL") || has("FLOA") || has("DOUB") || has("NUMERIC") || has("DECIMAL") {
        Kind::Number
    } else {
        Kind::Any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_mean_what_people_mean_by_them() {
        for (declared, kind) in [
            ("INTEGER", Kind::Number),
            ("varchar(20)", Kind::Text),
            ("decimal(10,2)", Kind::Number),
            ("Boolean", Kind::Bool),
            ("DATETIME", Kind::DateTime),
            ("date", Kind::Date),
            ("", Kind::Any),
            ("money", Kind::Any),
        ] {
            assert_eq!(kind_of(declared), kind, "{declared}");
        }
        assert!(matches!(kind_of("BLOB"), Kind::Unfit(_)));
    }
}
