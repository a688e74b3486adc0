//! The catalogue of PostgreSQL.

use sqlx::Error as Sqlx;

use super::{
    catalog::{Refusal, Table, unfit},
    column::{ColumnInfo, Kind},
    name::TableName,
    session::{Bind, Session},
};

/// Selects the tables and views that can be read, those of the search path first and without their schema.
pub(super) const NAMES: &str = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname::text END, \
     c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
     AND n.nspname NOT LIKE 'pg\\_toast%' AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1, 2 LIMIT 200";

/// What there is of a relation, and what may be done to it: 8, 4 and 16 are the bits of INSERT, UPDATE and DELETE in
/// `pg_relation_is_updatable`, which counts INSTEAD OF triggers when asked to.
const RELATION: &str = "SELECT c.oid::text, n.nspname::text, c.relkind::text, \
     (c.relkind = 'r' AND NOT c.relrowsecurity AND c.relpersistence = 'p' AND NOT pg_is_in_recovery())::text, \
     pg_relation_is_updatable(c.oid, true)::text, has_any_column_privilege(c.oid, 'INSERT')::text, \
     has_any_column_privilege(c.oid, 'UPDATE')::text, has_table_privilege(c.oid, 'DELETE')::text, \
     c.oid::text || '/' || c.relfilenode::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

/// The columns; a domain counts as the type that it is made of.
const COLUMNS: &str = "SELECT a.attname::text, a.attgenerated::text, a.attidentity::text, \
     b.typname::text, b.typtype::text, b.typcategory::text, e.typname::text, e.typtype::text, \
     format_type(b.oid, -1), coalesce(array_position(i.indkey::int2[], a.attnum)::text, '') \
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
     JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
     LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A' \
     LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
     WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// The same of the types that a query returns, by their position.
const TYPES: &str = "SELECT w.at::text, b.typname::text, b.typtype::text, b.typcategory::text, e.typname::text, \
     e.typtype::text FROM unnest($1::text::oid[]) WITH ORDINALITY AS w(oid, at) JOIN pg_type t ON t.oid = w.oid \
     JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
     LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A' ORDER BY w.at";

pub(super) async fn table(session: &mut Session, name: &TableName) -> Result<Option<Table>, Sqlx> {
    let quoted = name.quoted(session.engine());
    let found = session.texts(RELATION.to_owned(), Bind::texts([quoted])).await?;
    let Some(relation) = found.into_iter().next() else { return Ok(None) };
    let mut relation = relation.into_iter().map(Option::unwrap_or_default);
    let mut next = || relation.next().unwrap_or_default();
    let (oid, schema, kind, ordinary, updatable) = (next(), next(), next(), next(), next());
    let (insert, update, delete, identity) = (next(), next(), next(), next());
    let updatable: u32 = updatable.parse().unwrap_or_default();
    let refuse = |bit: u32, granted: &str, word: &str| {
        let what = if kind == "v" { "view" } else { "table" };
        if updatable & bit == 0 {
            Some(format!(
                "the {what} takes no {word} (it has no rule or INSTEAD OF trigger for it)"
            ))
        } else {
            (granted != "true").then(|| format!("the database user has no right to {word}"))
        }
    };
    let refusal = Refusal {
        insert: refuse(8, &insert, "INSERT"),
        update: refuse(4, &update, "UPDATE"),
        delete: refuse(16, &delete, "DELETE"),
    };
    let mut primary: Vec<(usize, usize)> = Vec::new();
    let mut columns = Vec::new();
    for row in session.texts(COLUMNS.to_owned(), Bind::texts([oid])).await? {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        let (name, generated, identity) = (next(), next(), next());
        let kind = kind_of(&next(), &next(), &next(), &next(), &next());
        let (cast, place) = (next(), next());
        if let Ok(place) = place.parse() {
            primary.push((place, columns.len()));
        }
        columns.push(ColumnInfo {
            cast,
            generated: match (generated.as_str(), identity.as_str()) {
                ("", "a") => Some("an identity that the database alone numbers"),
                ("", _) => None,
                _ => Some("a generated column"),
            },
            ..ColumnInfo::plain(name, kind)
        });
    }
    primary.sort_unstable();
    Ok(Some(Table {
        name: TableName { schema: Some(schema), table: name.table.clone() },
        columns,
        primary: primary.into_iter().map(|(_, column)| column).collect(),
        refusal,
        ordinary: ordinary == "true",
        identity,
        rowid: false,
    }))
}

/// Returns what the types hold that a query returns.
pub(super) async fn kinds(session: &mut Session, oids: &[u32]) -> Result<Vec<Kind>, Sqlx> {
    let array: Vec<String> = oids.iter().map(ToString::to_string).collect();
    let array = format!("{{{}}}", array.join(","));
    let mut kinds = vec![Kind::Text; oids.len()];
    for row in session.texts(TYPES.to_owned(), Bind::texts([array])).await? {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        let at = next().parse::<usize>().unwrap_or_default();
        let kind = kind_of(&next(), &next(), &next(), &next(), &next());
        if let Some(place) = at.checked_sub(1).and_then(|at| kinds.get_mut(at)) {
            *place = kind;
        }
    }
    Ok(kinds)
}

/// Returns what a type holds, by its name in `pg_type`; an array by its element's.
fn kind_of(name: &str, typtype: &str, category: &str, element: &str, element_type: &str) -> Kind {
    match name {
        "bool" => Kind::Bool,
        "int2" | "int4" | "int8" | "oid" | "numeric" | "float4" | "float8" => Kind::Number,
        "date" => Kind::Date,
        "time" => Kind::Time,
        "timestamp" => Kind::DateTime,
        "timestamptz" => Kind::Instant,
        "bytea" => unfit("bytea (raw bytes)"),
        _ if category == "A" => match element {
            "bytea" => unfit("an array of bytea (raw bytes)"),
            "bool" | "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "text"
            | "varchar" | "bpchar" | "uuid" | "citext" | "name" | "date" => Kind::List,
            _ if element_type == "e" => Kind::List,
            _ => Kind::Text,
        },
        _ if typtype == "p" => unfit("of a type that is no column's"),
        _ => Kind::Text,
    }
}
