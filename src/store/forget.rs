//! Erases one record everywhere: in what is agreed, what was done, what is planned, and what was noted.

use lockstep_engine::findings::Finding;
use lockstep_engine::key::Key;
use lockstep_engine::plan::Body;

use super::base::{names, work};
use super::codec::{self, damaged, json};
use super::erase::erase;
use super::seen::drop_seen;
use super::segment::{Packed, unpack};
use super::tasks;
use super::{Conn, Store};
use crate::error::{Error, Kind, Result};

/// What was erased of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// Versions of base that named it.
    pub(crate) bases: u64,
    /// Writes in the journal, with their images.
    pub(crate) actions: u64,
    /// Plans that named it, or quoted cells of rows that they do not name.
    pub(crate) plans: u64,
    /// Marks of its deletion.
    pub(crate) tombstones: u64,
    /// Conflicts about it, with their decisions and notes.
    pub(crate) conflicts: u64,
    /// Lines of the audit that lost their content; the lines stay, and the chain holds.
    pub(crate) audit_payloads: u64,
}

impl Store {
    /// Erases a key's data from a dataset's bases, journal, plans, tombstones and audit.
    ///
    /// What is erased is overwritten on disk. Backups made before, and the replicas themselves, are not touched.
    ///
    /// # Errors
    /// [`Kind::Changed`] while a run of the dataset is open: closing it would bring the record back.
    pub(crate) async fn forget(&self, dataset: &str, key: &Key) -> Result<Forgotten> {
        let mut tx = self.write().await?;
        let open: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM runs WHERE dataset = $1 AND state = 'applying'",
        )
        .bind(dataset)
        .fetch_one(&mut *tx)
        .await?;
        if open > 0 {
            return Err(Error::new(
                Kind::Changed,
                format!("a run of the dataset '{dataset}' is open; nothing was erased"),
            )
            .next(
                "let it end, or run the dataset once so that it is recovered, then forget again",
            ));
        }
        let mut forgotten = Forgotten {
            actions: actions(&mut tx, dataset, key).await?,
            plans: plans(&mut tx, dataset, key).await?,
            audit_payloads: payloads(&mut tx, dataset, key).await?,
            conflicts: conflicts(&mut tx, dataset, key).await?,
            ..Forgotten::default()
        };
        for base in names(&mut tx, dataset).await? {
            forgotten.bases += erase(&mut tx, &base, key).await?;
            forgotten.tombstones += tombstones(&mut tx, &base, key).await?;
        }
        queue(&mut tx, dataset, key).await?;
        drop_seen(&mut tx, dataset).await?;
        notes(&mut tx, dataset, key).await?;
        // They are kept for a day only, and may quote any row.
        tasks::silence(&mut tx).await?;
        tx.commit().await?;
        self.clear_log().await?;
        Ok(forgotten)
    }
}

async fn actions(conn: &mut Conn, dataset: &str, key: &Key) -> Result<u64> {
    let done = sqlx::query(
        "DELETE FROM actions
         WHERE key_digest = $1 AND run IN (SELECT number FROM runs WHERE dataset = $2)",
    )
    .bind(conn.seal.index(key))
    .bind(dataset)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

async fn plans(conn: &mut Conn, dataset: &str, key: &Key) -> Result<u64> {
    let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM plans WHERE dataset = $1")
        .bind(dataset)
        .fetch_all(&mut *conn)
        .await?;
    let mut erased = 0;
    for id in ids {
        let (digest, data): (Vec<u8>, Vec<u8>) =
            sqlx::query_as("SELECT body_digest, body FROM plans WHERE id = $1")
                .bind(&id)
                .fetch_one(&mut *conn)
                .await?;
        let sought = json(key)?;
        if work(move || names_key(&Packed { digest, data }, &sought)).await? {
            sqlx::query("DELETE FROM plans WHERE id = $1").bind(id).execute(&mut *conn).await?;
            erased += 1;
        }
    }
    Ok(erased)
}

/// Returns whether a plan names a key anywhere, or quotes a cell of a row that it does not name.
fn names_key(packed: &Packed, key: &str) -> Result<bool> {
    let body = unpack(packed)?;
    let text = std::str::from_utf8(&body).map_err(|_| damaged("a plan is no text"))?;
    if text.contains(key) {
        return Ok(true);
    }
    let body: Body = codec::parse(text)?;
    let quotes = |finding: &Finding| {
        matches!(finding, Finding::NotOfType { .. } | Finding::Expectation { .. })
    };
    Ok(body.findings.iter().any(quotes))
}

async fn tombstones(conn: &mut Conn, dataset: &str, key: &Key) -> Result<u64> {
    let done = sqlx::query("DELETE FROM tombstones WHERE dataset = $1 AND key_digest = $2")
        .bind(dataset)
        .bind(conn.seal.index(key))
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

/// Takes a key out of the queue and of the dead letters; calls may name it, and tell again.
async fn queue(conn: &mut Conn, dataset: &str, key: &Key) -> Result<()> {
    for statement in [
        "DELETE FROM events WHERE dataset = $1 AND key_digest = $2",
        "DELETE FROM dead_letters WHERE dataset = $1 AND key_digest = $2",
    ] {
        sqlx::query(statement).bind(dataset).bind(conn.seal.index(key)).execute(&mut *conn).await?;
    }
    sqlx::query("DELETE FROM hook_calls WHERE dataset = $1").bind(dataset).execute(conn).await?;
    Ok(())
}

/// Erases what waits about a key, its rows, and when its values were seen.
async fn conflicts(conn: &mut Conn, dataset: &str, key: &Key) -> Result<u64> {
    let digest = conn.seal.index(key);
    for erase in [
        "DELETE FROM conflict_rows WHERE dataset = $1 AND key_digest = $2",
        "DELETE FROM cell_times WHERE dataset = $1 AND key_digest = $2",
    ] {
        sqlx::query(erase).bind(dataset).bind(&digest).execute(&mut *conn).await?;
    }
    let done = sqlx::query("DELETE FROM conflicts WHERE dataset = $1 AND key_digest = $2")
        .bind(dataset)
        .bind(digest)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

async fn payloads(conn: &mut Conn, dataset: &str, key: &Key) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE audit SET key_index = NULL, salt = NULL, payload = NULL
         WHERE key_index = $1 AND dataset = $2",
    )
    .bind(conn.seal.index(key))
    .bind(dataset)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Blanks messages that quote a part of the key.
async fn notes(conn: &mut Conn, dataset: &str, key: &Key) -> Result<()> {
    let parts: Vec<String> =
        key.as_values().iter().map(|part| part.to_string().to_lowercase()).collect();
    // What is sealed cannot be searched in the tables.
    let quotes = |text: &str| {
        let text = text.to_lowercase();
        parts.iter().any(|part| !part.is_empty() && text.contains(part.as_str()))
    };
    let errors: Vec<(i64, String)> =
        sqlx::query_as("SELECT number, error FROM runs WHERE dataset = $1 AND error IS NOT NULL")
            .bind(dataset)
            .fetch_all(&mut *conn)
            .await?;
    for (number, _) in errors.iter().filter(|(_, error)| quotes(error)) {
        sqlx::query("UPDATE runs SET error = '(erased)' WHERE number = $1")
            .bind(*number)
            .execute(&mut *conn)
            .await?;
    }
    let notes: Vec<(i64, i64, String)> = sqlx::query_as(
        "SELECT run, seq, note FROM batches
         WHERE note IS NOT NULL AND run IN (SELECT number FROM runs WHERE dataset = $1)",
    )
    .bind(dataset)
    .fetch_all(&mut *conn)
    .await?;
    for (run, seq, _) in notes.iter().filter(|(.., note)| quotes(note)) {
        sqlx::query("UPDATE batches SET note = '(erased)' WHERE run = $1 AND seq = $2")
            .bind(*run)
            .bind(*seq)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
