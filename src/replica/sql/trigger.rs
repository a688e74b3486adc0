//! The trigger with which a PostgreSQL table tells its listeners that it was changed.

use super::{
    Database, Engine,
    catalog::Table,
    failure,
    name::{TableName, literal, quote},
};
use crate::error::{Error, Result};

/// The channel that the trigger speaks on.
pub(crate) const CHANNEL: &str = "lockstep";

/// Returns the statements that make a table tell its changes by NOTIFY; they may be run again.
///
/// One notice for each statement, not for each row: it says which table, and a listener reads what changed.
///
/// # Errors
/// A database that has no LISTEN and NOTIFY, or a name that is none.
pub(crate) fn definition(database: &Database, table: &str) -> Result<String> {
    if database.engine != Engine::Postgres {
        return Err(Error::invalid(format!(
            "{} has no LISTEN and NOTIFY; only PostgreSQL has",
            database.engine.as_str()
        ))
        .next("read it by a cursor column instead: cursor on the side"));
    }
    let name = TableName::read(table)?;
    let engine = Engine::Postgres;
    let function = quote(engine, &format!("lockstep_notify_{}", name.table));
    let function = match &name.schema {
        Some(schema) => format!("{}.{function}", quote(engine, schema)),
        None => function,
    };
    let target = name.quoted(engine);
    let channel = literal(CHANNEL);
    Ok(format!(
        "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $lockstep$\n\
         BEGIN\n  \
           PERFORM pg_notify({channel}, TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME || ' ' || TG_OP);\n  \
           RETURN NULL;\n\
         END $lockstep$;\n\
         DROP TRIGGER IF EXISTS lockstep_notify ON {target};\n\
         CREATE TRIGGER lockstep_notify AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {target}\n  \
           FOR EACH STATEMENT EXECUTE FUNCTION {function}();\n"
    ))
}

/// Installs the trigger, in one transaction.
///
/// # Errors
/// A connection that may only be read, a table that is not there, and whatever the database refuses.
pub(crate) async fn install(database: &Database, table: &str) -> Result<()> {
    let sql = definition(database, table)?;
    database.check_writable()?;
    let name = TableName::read(table)?;
    database.check_table(&name)?;
    let mut session = database.pool().await?.write().await?;
    Table::read(&mut session, &name).await?;
    for statement in statements(&sql) {
        session
            .execute(statement, super::session::Bind::none())
            .await
            .map_err(|error| failure::write(&error))?;
    }
    session.commit().await.map_err(|error| failure::write(&error))
}

/// Cuts the definition into its statements, whose ends alone are followed by a line's end and no space.
fn statements(sql: &str) -> Vec<String> {
    let marked = sql
        .replace("$lockstep$;\n", "$lockstep$;\0")
        .replace(";\nCREATE TRIGGER", ";\0CREATE TRIGGER");
    marked.split('\0').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
