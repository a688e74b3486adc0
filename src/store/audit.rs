//! One line for each row that a run wrote: append-only, and chained by BLAKE3.
//!
//! The chain covers everything a line says, the content by digests that are salted with a random number of the line.
//! `forget` erases that number with the content: the chain still holds, and what is left of the row cannot be guessed.

use jiff::Timestamp;
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::ChangeKind;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::batches::ActionRow;
use super::codec::{count, from_word, parse, stored, time, word};
use super::journal::BatchState;
use super::line::{self, Frame};
use super::runs::RunRow;
use super::verify::{self, Chained};
use super::{Conn, ROWS_PER_INSERT, Seal, Store};
use crate::error::Result;

/// What a line of the audit tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum LineKind {
    /// A write.
    Write(ChangeKind),
    /// A person's word on a conflict.
    Word(Word),
}

/// A person's word on a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Word {
    /// A decision, or that one was taken back.
    Decide,
}

/// A person's word on a conflict, to be put into a line.
#[derive(Clone, Debug)]
pub(super) struct Remark {
    /// The conflict's key.
    pub(super) key: Key,
    /// Its column; none where the row is disputed.
    pub(super) columns: Vec<String>,
    /// What was disputed.
    pub(super) before: Json,
    /// What was decided.
    pub(super) after: Json,
    /// The conflict's name.
    pub(super) about: String,
    /// Whether all but the columns are kept as digests.
    pub(super) hidden: bool,
}

/// One line of the audit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AuditLine {
    /// Its number, from 1 without gaps.
    pub(crate) seq: u64,
    /// When the run was closed.
    pub(crate) at: Timestamp,
    /// Who asked for the run, and by which call.
    pub(crate) caller: String,
    /// The run.
    pub(crate) run: String,
    /// The dataset.
    pub(crate) dataset: String,
    /// The side that was written.
    pub(crate) side: String,
    /// What it tells.
    pub(crate) kind: LineKind,
    /// The names of the columns that were written.
    pub(crate) columns: Vec<String>,
    /// A salted digest of the key, in hexadecimal digits, as are the next two.
    pub(crate) key_digest: String,
    /// Of the row before; `None` before an insert.
    pub(crate) before_digest: Option<String>,
    /// Of the row after; `None` after a deletion.
    pub(crate) after_digest: Option<String>,
    /// The key and the values, sensitive ones as digests; `None` when it was erased.
    pub(crate) payload: Option<Json>,
    /// The line's hash, in hexadecimal digits.
    pub(crate) hash: String,
}

/// A line as it stands in its table.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct LineRow {
    #[sqlx(flatten)]
    pub(super) chained: Chained,
    pub(super) hash: Vec<u8>,
    pub(super) key_index: Option<Vec<u8>>,
    pub(super) salt: Option<Vec<u8>>,
    pub(super) payload: Option<String>,
}

impl LineRow {
    /// Makes the digest that the line is found by one that tells nothing; what its content was proven with goes to the
    /// salt, which is sealed.
    fn sealed_by(mut self, seal: &Seal) -> Self {
        if let (true, Some(index), Some(salt)) = (seal.is_on(), &mut self.key_index, &mut self.salt)
        {
            salt.extend_from_slice(index);
            *index = seal.blind(std::mem::take(index));
        }
        self
    }
}

impl Store {
    /// Returns up to `limit` lines after the given number.
    ///
    /// # Errors
    /// When the stored values are damaged.
    pub(crate) async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditLine>> {
        let lines = page(&mut *self.reads.acquire().await?, stored(after)?, limit).await?;
        lines.into_iter().map(read).collect()
    }
}

/// Reads lines as they stand.
pub(super) async fn page(conn: &mut Conn, after: i64, limit: u32) -> Result<Vec<LineRow>> {
    Ok(sqlx::query_as(
        "SELECT seq, at, caller, run, dataset, side, kind, columns, key_digest, before_digest,
             after_digest, payload_digest, hash, key_index, salt, payload
         FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2",
    )
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?)
}

fn read(line: LineRow) -> Result<AuditLine> {
    Ok(AuditLine {
        seq: count(line.chained.seq)?,
        at: time(line.chained.at)?,
        caller: line.chained.caller,
        run: line.chained.run,
        dataset: line.chained.dataset,
        side: line.chained.side,
        kind: from_word(line.chained.kind)?,
        columns: parse(&line.chained.columns)?,
        key_digest: verify::hex(&line.chained.key_digest),
        before_digest: line.chained.before_digest.as_deref().map(verify::hex),
        after_digest: line.chained.after_digest.as_deref().map(verify::hex),
        payload: line.payload.as_deref().map(parse).transpose()?,
        hash: verify::hex(&line.hash),
    })
}

/// The last line's number and hash.
type Head = (i64, Vec<u8>);

/// Returns the end of the chain.
pub(super) async fn head(conn: &mut Conn) -> Result<Head> {
    let found: Option<Head> = sqlx::query_as("SELECT seq, hash FROM audit_head WHERE id = 1")
        .fetch_optional(conn)
        .await?;
    Ok(found.unwrap_or_else(|| (0, verify::START.to_vec())))
}

#[derive(Debug, sqlx::FromRow)]
struct Written {
    number: i64,
    side: String,
    #[sqlx(flatten)]
    action: ActionRow,
}

/// Appends a line for each row of the run's applied batches, but for those that were left out of them.
pub(super) async fn append(
    conn: &mut Conn,
    run: &RunRow,
    dataset: &str,
    at: Timestamp,
) -> Result<()> {
    let (columns, sensitive): (Vec<String>, Vec<usize>) =
        (parse(&run.columns)?, parse(&run.sensitive)?);
    let (mut seq, mut hash) = head(conn).await?;
    let mut after = 0i64;
    loop {
        let written: Vec<Written> = sqlx::query_as(
            "SELECT a.number, b.side, a.kind, a.cells, a.key_values, a.before_image, a.after_image,
                 a.left_out
             FROM actions a JOIN batches b ON b.run = a.run AND b.seq = a.seq
             WHERE a.run = $1 AND a.number > $2 AND b.state = $3 AND a.left_out IS NULL
             ORDER BY a.number LIMIT $4",
        )
        .bind(run.number)
        .bind(after)
        .bind(word(&BatchState::Applied)?)
        .bind(ROWS_PER_INSERT as i64)
        .fetch_all(&mut *conn)
        .await?;
        let Some(last) = written.last() else { break };
        after = last.number;
        let mut lines = Vec::with_capacity(written.len());
        for Written { side, action, .. } in written {
            seq += 1;
            let frame = Frame { run, dataset, at, columns: &columns, sensitive: &sensitive };
            let line = frame.line(seq, side, &action.read()?, &hash)?.sealed_by(&conn.seal);
            hash.clone_from(&line.hash);
            lines.push(line);
        }
        insert(conn, lines).await?;
    }
    put_head(conn, (seq, hash)).await
}

/// Appends a line for each word of a person: dataset, and what was said.
pub(super) async fn remark(
    conn: &mut Conn,
    caller: &str,
    at: Timestamp,
    remarks: Vec<(String, Remark)>,
) -> Result<()> {
    let (mut seq, mut hash) = head(conn).await?;
    for some in remarks.chunks(ROWS_PER_INSERT) {
        let mut lines = Vec::with_capacity(some.len());
        for (dataset, remark) in some {
            seq += 1;
            let line = line::word(seq, caller, dataset, at, remark, &hash)?.sealed_by(&conn.seal);
            hash.clone_from(&line.hash);
            lines.push(line);
        }
        insert(conn, lines).await?;
    }
    put_head(conn, (seq, hash)).await
}

async fn put_head(conn: &mut Conn, (seq, hash): Head) -> Result<()> {
    sqlx::query(
        "INSERT INTO audit_head (id, seq, hash) VALUES (1, $1, $2)
         ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
    )
    .bind(seq)
    .bind(hash)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert(conn: &mut Conn, lines: Vec<LineRow>) -> Result<()> {
    let mut sealed = Vec::with_capacity(lines.len());
    for mut line in lines {
        line.salt = conn.seal.some_bytes("salt", line.salt)?;
        line.payload = conn.seal.some_text("payload", line.payload)?;
        sealed.push(line);
    }
    let mut query = super::Statement::new(
        "INSERT INTO audit (seq, at, caller, run, dataset, side, kind, columns, key_digest,
             before_digest, after_digest, payload_digest, hash, key_index, salt, payload) ",
    );
    query.push_values(sealed, |mut row, line| {
        let chained = line.chained;
        row.push_bind(chained.seq)
            .push_bind(chained.at)
            .push_bind(chained.caller)
            .push_bind(chained.run)
            .push_bind(chained.dataset)
            .push_bind(chained.side)
            .push_bind(chained.kind)
            .push_bind(chained.columns)
            .push_bind(chained.key_digest)
            .push_bind(chained.before_digest)
            .push_bind(chained.after_digest)
            .push_bind(chained.payload_digest)
            .push_bind(line.hash)
            .push_bind(line.key_index)
            .push_bind(line.salt)
            .push_bind(line.payload);
    });
    query.build().execute(conn).await?;
    Ok(())
}
