//! The table of markers: a row in the transaction of a batch proves that the batch was committed.
//!
//! A batch and the one that gives it up insert the same primary key, so only one of the two can ever be there: a late
//! twin of a batch that was found void fails as a whole.

use sqlx::Error as Sqlx;

use super::{
    Database, Engine, failure,
    name::TableName,
    session::{Bind, Session},
};
use crate::{
    error::{Error, Kind, Result},
    replica::apply::Settled,
};

/// The name of the table.
pub(super) const TABLE: &str = "lockstep_markers";

/// How long markers are kept; a run that nobody settled in this time is compared afresh.
const DAYS: u32 = 30;

/// Returns the statement that makes the table.
fn definition(engine: Engine, table: &TableName) -> String {
    let name = table.quoted(engine);
    match engine {
        Engine::Postgres => format!(
            "CREATE TABLE IF NOT EXISTS {name} (id text PRIMARY KEY, state text NOT NULL, \
             made timestamptz NOT NULL DEFAULT now())"
        ),
        Engine::Mysql => format!(
            "CREATE TABLE IF NOT EXISTS {name} (id varchar(160) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, \
             state varchar(10) CHARACTER SET ascii NOT NULL, \
             made timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE = InnoDB"
        ),
        Engine::Sqlite => format!(
            "CREATE TABLE IF NOT EXISTS {name} (id TEXT PRIMARY KEY, state TEXT NOT NULL, \
             made TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) WITHOUT ROWID"
        ),
    }
}

/// Makes the table where it is missing, and removes markers that nobody asks for any more.
///
/// # Errors
/// A database user that may not make it.
pub(super) async fn ready(database: &Database, table: &TableName) -> Result<()> {
    let engine = database.engine;
    let old = match engine {
        Engine::Postgres => format!("made < now() - interval '{DAYS} days'"),
        Engine::Mysql => format!("made < now() - INTERVAL {DAYS} DAY"),
        Engine::Sqlite => format!("made < datetime('now', '-{DAYS} days')"),
    };
    let mut session = database.pool().await?.write().await?;
    let swept = session
        .execute(format!("DELETE FROM {} WHERE {old}", table.quoted(engine)), Bind::none())
        .await;
    match swept {
        Ok(_) => return session.commit().await.map_err(|error| failure::write(&error)),
        Err(error) if failure::is_missing_table(&error) => session.rollback().await,
        Err(error) => return Err(failure::write(&error)),
    }
    let mut session = database.pool().await?.write().await?;
    let sql = definition(engine, table);
    match session.execute(sql.clone(), Bind::none()).await {
        Ok(_) => session.commit().await.map_err(|error| failure::write(&error)),
        // Two processes made it at the same time; PostgreSQL tells one of them so.
        Err(error) if failure::is_duplicate(&error) => {
            session.rollback().await;
            Ok(())
        }
        Err(error) => {
            session.rollback().await;
            Err(failure::write(&error).context("the table of markers cannot be made").next(format!(
                "the operator makes it once ({sql}; SELECT, INSERT and DELETE granted), or sets markers = \"none\" \
                 under [connections.{}]: after a lost connection the rows themselves are then looked at",
                database.name
            )))
        }
    }
}

fn insert(engine: Engine, table: &TableName, state: &str) -> String {
    let parameter = if engine == Engine::Mysql { "?" } else { "$1" };
    format!("INSERT INTO {} (id, state) VALUES ({parameter}, '{state}')", table.quoted(engine))
}

/// Adds the marker of a batch to its transaction.
///
/// # Errors
/// A batch that was given up meanwhile, because its process was thought dead.
pub(super) async fn add(session: &mut Session, table: &TableName, id: &str) -> Result<()> {
    let sql = insert(session.engine(), table, "applied");
    match session.execute(sql, Bind::texts([id])).await {
        Ok(_) => Ok(()),
        Err(error) if failure::is_duplicate(&error) => Err(Error::new(
            Kind::Changed,
            "the batch was given up by another process meanwhile; nothing of it was written",
        )
        .next("call syncDataset again: it compares afresh")),
        Err(error) => Err(failure::write(&error)),
    }
}

/// Finds out whether a batch was committed; one that was not never will be.
///
/// # Errors
/// A database that cannot be asked, or that still holds the batch's transaction open.
pub(super) async fn settle(database: &Database, table: &TableName, id: &str) -> Result<Settled> {
    if let Some(settled) = look(database, table, id).await? {
        return Ok(settled);
    }
    let mut session = database.pool().await?.write().await?;
    let sql = insert(database.engine, table, "void");
    match session.execute(sql, Bind::texts([id])).await {
        Ok(_) => {
            session.commit().await.map_err(|error| failure::write(&error))?;
            Ok(Settled::Void)
        }
        // The batch's own transaction was open, and has committed while we waited for it.
        Err(error) if failure::is_duplicate(&error) => {
            session.rollback().await;
            look(database, table, id).await?.ok_or_else(|| {
                Error::new(Kind::Unavailable, "the marker of a batch came and went")
                    .next("call again")
            })
        }
        Err(error) => Err(failure::write(&error)),
    }
}

async fn look(database: &Database, table: &TableName, id: &str) -> Result<Option<Settled>> {
    let parameter = if database.engine == Engine::Mysql { "?" } else { "$1" };
    let name = table.quoted(database.engine);
    let sql = format!("SELECT state FROM {name} WHERE id = {parameter}");
    let mut session = database.pool().await?.read().await?;
    let found: Result<_, Sqlx> = session.texts(sql, Bind::texts([id])).await;
    session.rollback().await;
    match found {
        Ok(rows) => Ok(rows
            .into_iter()
            .flatten()
            .flatten()
            .next()
            .map(|state| if state == "applied" { Settled::Applied } else { Settled::Void })),
        // It was made before the first batch was sent; whoever dropped it since took the proof along.
        Err(error) if failure::is_missing_table(&error) => {
            ready(database, table).await?;
            Ok(None)
        }
        Err(error) => Err(failure::read(&error)),
    }
}
