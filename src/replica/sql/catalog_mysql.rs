//! The catalogue of MySQL and MariaDB.

use sqlx::Error as Sqlx;

use super::{
    catalog::{Refusal, Table, unfit},
    column::{ColumnInfo, Kind},
    name::TableName,
    session::{Bind, Session},
};

/// Selects the tables and views that can be seen, those of the current database without its name.
pub(super) const NAMES: &str = "SELECT CAST(IF(table_schema = DATABASE(), '', table_schema) AS CHAR), \
     CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema NOT IN \
     ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY 1, 2 LIMIT 200";

const RELATION: &str = "SELECT CAST(t.table_schema AS CHAR), CAST(t.table_type AS CHAR), \
     CAST(coalesce(e.transactions, '') AS CHAR), CAST(coalesce(v.is_updatable, '') AS CHAR), \
     CAST(coalesce(t.engine, '') AS CHAR) FROM information_schema.tables t \
     LEFT JOIN information_schema.engines e ON e.engine = t.engine \
     LEFT JOIN information_schema.views v ON v.table_schema = t.table_schema AND v.table_name = t.table_name \
     WHERE t.table_schema = coalesce(?, DATABASE()) AND t.table_name = ?";

const COLUMNS: &str = "SELECT CAST(c.column_name AS CHAR), CAST(c.data_type AS CHAR), CAST(c.column_type AS CHAR), \
     CAST(coalesce(c.collation_name, '') AS CHAR), CAST(c.extra AS CHAR), \
     CAST(coalesce(k.ordinal_position, '') AS CHAR), CAST(coalesce(c.character_set_name, '') AS CHAR) \
     FROM information_schema.columns c LEFT JOIN information_schema.key_column_usage k \
     ON k.table_schema = c.table_schema AND k.table_name = c.table_name AND k.column_name = c.column_name \
     AND k.constraint_name = 'PRIMARY' WHERE c.table_schema = ? AND c.table_name = ? ORDER BY c.ordinal_position";

pub(super) async fn table(session: &mut Session, name: &TableName) -> Result<Option<Table>, Sqlx> {
    let bind = Bind::Texts(vec![name.schema.clone(), Some(name.table.clone())]);
    let found = session.texts(RELATION.to_owned(), bind).await?;
    let Some(relation) = found.into_iter().next() else { return Ok(None) };
    let mut relation = relation.into_iter().map(Option::unwrap_or_default);
    let mut next = || relation.next().unwrap_or_default();
    let (schema, kind, transactions, updatable, engine) = (next(), next(), next(), next(), next());
    let refusal = match kind.as_str() {
        "VIEW" if updatable != "YES" => Refusal::all("the view cannot be written"),
        "VIEW" => Refusal::default(),
        _ if transactions != "YES" => {
            Refusal::all(&format!("its storage engine {engine} has no transactions (InnoDB has)"))
        }
        _ => Refusal::default(),
    };
    let mut primary: Vec<(usize, usize)> = Vec::new();
    let mut columns = Vec::new();
    let bind = Bind::texts([schema.clone(), name.table.clone()]);
    for row in session.texts(COLUMNS.to_owned(), bind).await? {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        let (name, data_type, column_type, collation) = (next(), next(), next(), next());
        let (extra, place, charset) = (next(), next(), next());
        if let Ok(place) = place.parse() {
            primary.push((place, columns.len()));
        }
        columns.push(ColumnInfo {
            cast: match column_type.to_lowercase().contains("unsigned") {
                true => format!("{data_type} unsigned"),
                false => data_type.clone(),
            },
            // CONVERT needs the character set, COLLATE the collation; a collation alone names both.
            collation: (!collation.is_empty()).then(|| format!("{charset} {collation}")),
            generated: extra
                .to_uppercase()
                .contains("GENERATED")
                .then_some("a generated column")
                .filter(|_| !extra.to_uppercase().contains("DEFAULT_GENERATED")),
            ..ColumnInfo::plain(name, kind_of(&data_type, &column_type))
        });
    }
    primary.sort_unstable();
    Ok(Some(Table {
        name: TableName { schema: Some(schema), table: name.table.clone() },
        columns,
        primary: primary.into_iter().map(|(_, column)| column).collect(),
        refusal,
        ordinary: false,
        identity: String::new(),
        rowid: false,
    }))
}

/// Returns what a type holds, by its names in `information_schema.columns`.
///
/// `tinyint(1)` is MySQL's word for a boolean; other numbers in one stay numbers.
fn kind_of(data_type: &str, column_type: &str) -> Kind {
    match data_type.to_lowercase().as_str() {
        "tinyint" if column_type.to_lowercase().starts_with("tinyint(1)") => Kind::Bool,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "double" | "year" => {
            Kind::Number
        }
        "bit" => Kind::Number,
        "float" => Kind::Single,
        "date" => Kind::Date,
        "time" => Kind::Time,
        "datetime" => Kind::DateTime,
        "timestamp" => Kind::Instant,
        "binary" | "varbinary" => unfit("binary (raw bytes)"),
        "blob" | "tinyblob" | "mediumblob" | "longblob" => unfit("a blob (raw bytes)"),
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" | "vector" => {
            unfit("a geometry or vector")
        }
        _ => Kind::Text,
    }
}

/// Returns what a column of a query holds, by the driver's name of its type.
pub(super) fn kind_of_result(name: &str) -> Kind {
    let word = name.trim_end_matches(" UNSIGNED").to_lowercase();
    match word.as_str() {
        "boolean" => Kind::Bool,
        "binary" | "varbinary" => unfit("binary (raw bytes)"),
        other => kind_of(other, other),
    }
}
