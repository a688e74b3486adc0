//! Erases one record everywhere: in what is agreed, what was done, what is planned, and what was noted.

use lockstep_engine::findings::Finding;
use lockstep_engine::key::Key;
use lockstep_engine::plan::Body;
use lockstep_engine::value::Row;
use serde_json::Value as Json;

use super::base::{names, work};
use super::codec::{self, damaged, json};
use super::ends::Facts;
use super::erase::erase;
use super::held::{QUALITY_WORDS, STATUS_WORDS, Words, texts};
use super::seen::drop_seen;
use super::segment::{Packed, unpack};
use super::tasks;
use super::{Conn, Store};
use crate::error::{Error, Kind, Result};

/// What stands for words that quoted a record.
const ERASED: &str = "(erased)";

/// Where messages of a dataset stand that have a number, and how one is replaced.
const NUMBERED: [(&str, &str); 3] = [
    (
        "SELECT number, error FROM runs WHERE dataset = $1 AND error IS NOT NULL",
        "UPDATE runs SET error = $2 WHERE number = $1",
    ),
    (
        "SELECT id, detail FROM incidents WHERE dataset IN ($1, '')",
        "UPDATE incidents SET detail = $2 WHERE id = $1",
    ),
    (
        "SELECT d.id, d.error FROM deliveries d JOIN incidents i ON i.id = d.incident
         WHERE i.dataset IN ($1, '') AND d.error IS NOT NULL",
        "UPDATE deliveries SET error = $2 WHERE id = $1",
    ),
];

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
    /// Erases a key's data from a dataset's bases, journal, plans, tombstones, audit, and messages that quote it.
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
        let mut rows = images(&mut tx, dataset, key).await?;
        let mut forgotten = Forgotten {
            actions: actions(&mut tx, dataset, key).await?,
            plans: plans(&mut tx, dataset, key).await?,
            audit_payloads: payloads(&mut tx, dataset, key).await?,
            conflicts: conflicts(&mut tx, dataset, key).await?,
            ..Forgotten::default()
        };
        for base in names(&mut tx, dataset).await? {
            forgotten.bases += erase(&mut tx, &base, key, &mut rows).await?;
            forgotten.tombstones += tombstones(&mut tx, &base, key, &mut rows).await?;
        }
        queue(&mut tx, dataset, key).await?;
        drop_seen(&mut tx, dataset).await?;
        notes(&mut tx, dataset, &Words::of(key, &rows)).await?;
        // They are kept for a day only, and may quote any row.
        tasks::silence(&mut tx).await?;
        tx.commit().await?;
        self.clear_log().await?;
        Ok(forgotten)
    }
}

/// Returns what the journal knows of a record's rows.
async fn images(conn: &mut Conn, dataset: &str, key: &Key) -> Result<Vec<Row>> {
    type Images = (Option<Vec<u8>>, Option<Vec<u8>>);
    let found: Vec<Images> = sqlx::query_as(
        "SELECT before_image, after_image FROM actions
         WHERE key_digest = $1 AND run IN (SELECT number FROM runs WHERE dataset = $2)",
    )
    .bind(conn.seal.index(key))
    .bind(dataset)
    .fetch_all(conn)
    .await?;
    let images = found.iter().flat_map(|(before, after)| [before, after]).flatten();
    images.map(|image| codec::row(image)).collect()
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

async fn tombstones(conn: &mut Conn, dataset: &str, key: &Key, rows: &mut Vec<Row>) -> Result<u64> {
    let images: Vec<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT image FROM tombstones WHERE dataset = $1 AND key_digest = $2")
            .bind(dataset)
            .bind(conn.seal.index(key))
            .fetch_all(&mut *conn)
            .await?;
    for image in images.iter().flatten() {
        rows.push(codec::row(image)?);
    }
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

/// Blanks messages that quote the record.
async fn notes(conn: &mut Conn, dataset: &str, words: &Words) -> Result<()> {
    // What is sealed cannot be searched in the tables.
    for (find, blank) in NUMBERED {
        let said: Vec<(i64, String)> =
            sqlx::query_as(find).bind(dataset).fetch_all(&mut *conn).await?;
        for (number, _) in said.iter().filter(|(_, said)| words.quoted_in(said)) {
            sqlx::query(blank).bind(*number).bind(ERASED).execute(&mut *conn).await?;
        }
    }
    let notes: Vec<(i64, i64, String)> = sqlx::query_as(
        "SELECT run, seq, note FROM batches
         WHERE note IS NOT NULL AND run IN (SELECT number FROM runs WHERE dataset = $1)",
    )
    .bind(dataset)
    .fetch_all(&mut *conn)
    .await?;
    for (run, seq, _) in notes.iter().filter(|(.., note)| words.quoted_in(note)) {
        sqlx::query("UPDATE batches SET note = $1 WHERE run = $2 AND seq = $3")
            .bind(ERASED)
            .bind(*run)
            .bind(*seq)
            .execute(&mut *conn)
            .await?;
    }
    let why: Vec<(String, String)> =
        sqlx::query_as("SELECT member, why FROM breakers WHERE dataset = $1")
            .bind(dataset)
            .fetch_all(&mut *conn)
            .await?;
    for (member, _) in why.iter().filter(|(_, why)| words.quoted_in(why)) {
        sqlx::query("UPDATE breakers SET why = $1 WHERE dataset = $2 AND member = $3")
            .bind(ERASED)
            .bind(dataset)
            .bind(member)
            .execute(&mut *conn)
            .await?;
    }
    health(conn, dataset, words).await?;
    watch(conn, dataset, words).await?;
    alerts(conn, dataset, words).await
}

/// Blanks the texts under some names that quote the record; returns whether there were any.
fn blank(value: &mut Json, names: [&str; 2], words: &Words) -> bool {
    let mut erased = false;
    for name in names {
        let Some(said) = value.get_mut(name) else { continue };
        if texts(said).into_iter().any(|said| words.quoted_in(said)) {
            *said = match said {
                Json::Array(_) => Json::from(vec![ERASED]),
                _ => Json::from(ERASED),
            };
            erased = true;
        }
    }
    erased
}

/// Blanks the last error and the expectations that the health of a dataset tells.
async fn health(conn: &mut Conn, dataset: &str, words: &Words) -> Result<()> {
    let found: Option<String> =
        sqlx::query_scalar("SELECT facts FROM dataset_health WHERE dataset = $1")
            .bind(dataset)
            .fetch_optional(&mut *conn)
            .await?;
    let Some(found) = found else { return Ok(()) };
    let mut facts: Facts = codec::parse(&found)?;
    let before = facts.clone();
    if let Some((_, said)) = &mut facts.last_error
        && words.quoted_in(said)
    {
        *said = ERASED.to_owned();
    }
    if let Some(quality) = &mut facts.quality {
        blank(quality, QUALITY_WORDS, words);
    }
    if facts == before {
        return Ok(());
    }
    sqlx::query("UPDATE dataset_health SET facts = $1 WHERE dataset = $2")
        .bind(conn.seal.text("facts", json(&facts)?)?)
        .bind(dataset)
        .execute(conn)
        .await?;
    Ok(())
}

/// Blanks what a watch says of itself; its times and counts stay.
async fn watch(conn: &mut Conn, dataset: &str, words: &Words) -> Result<()> {
    let found: Option<String> = sqlx::query_scalar("SELECT status FROM watches WHERE dataset = $1")
        .bind(dataset)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(found) = found else { return Ok(()) };
    let mut status: Json = codec::parse(&found)?;
    if blank(&mut status, STATUS_WORDS, words) {
        sqlx::query("UPDATE watches SET status = $1 WHERE dataset = $2")
            .bind(conn.seal.text("status", json(&status)?)?)
            .bind(dataset)
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Blanks messages to people, those on their way too: they say then that something is wrong, and not what.
async fn alerts(conn: &mut Conn, dataset: &str, words: &Words) -> Result<()> {
    let found: Vec<(i64, String)> = sqlx::query_as(
        "SELECT d.id, d.body FROM deliveries d JOIN incidents i ON i.id = d.incident
         WHERE i.dataset IN ($1, '')",
    )
    .bind(dataset)
    .fetch_all(&mut *conn)
    .await?;
    for (id, body) in found.iter().filter(|(_, body)| words.quoted_in(body)) {
        let mut body: Json = codec::parse(body)?;
        for place in ["/text", "/blocks/0/text/text", "/lockstep/detail"] {
            if let Some(said) = body.pointer_mut(place) {
                *said = Json::from(ERASED);
            }
        }
        sqlx::query("UPDATE deliveries SET body = $1 WHERE id = $2")
            .bind(conn.seal.text("body", json(&body)?)?)
            .bind(*id)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
