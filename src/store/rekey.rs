//! Encryption turned on, and its key changed: beside processes that use the store.
//!
//! The row `sealing` of `shared` names the key that the store is sealed with; every write transaction looks at it first.
//! So from the moment that it changes nobody seals with the key of before, and what is sealed again stays so.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use zeroize::Zeroizing;

use super::seal::{SEALED, as_text, encrypted, missing};
use super::statement::Statement;
use super::{Conn, Engine, Keys, ROWS_PER_INSERT, Seal, Store};
use crate::error::{Error, Kind, Result};
use crate::secrets::{Key, Ring};

/// The columns with digests by which keys are looked up.
const INDEXED: &[&str] = &[
    "actions",
    "tombstones",
    "conflicts",
    "conflict_rows",
    "cell_times",
    "events",
    "dead_letters",
];

/// How often emptying the log is tried, and what lies between two tries.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// Makes sure, within a write transaction, that its process seals as the store is sealed.
///
/// # Errors
/// A store that is encrypted since this process opened it, or with a key that this process does not have.
pub(super) async fn check(conn: &mut Conn) -> Result<()> {
    match (sealing(conn).await?, conn.seal.is_on()) {
        (None, false) => Ok(()),
        (Some(name), true) => conn.seal.turn_to(&name),
        (Some(_), false) => Err(encrypted()),
        (None, true) => {
            Err(Error::new(Kind::Changed, "the store is another one, which is not encrypted")
                .next("start again; then it is encrypted"))
        }
    }
}

/// Returns the name of the key that the store is sealed with.
async fn sealing(conn: &mut Conn) -> Result<Option<String>> {
    let found: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM shared WHERE name = 'sealing'")
            .fetch_optional(conn.raw())
            .await?;
    found
        .map(|name| {
            String::from_utf8(name).map_err(|_| super::codec::damaged("its key has no name"))
        })
        .transpose()
}

impl Store {
    /// Goes on with the keys of an encrypted store; a store that was not encrypted is so from now on.
    ///
    /// # Errors
    /// An encrypted store without its key.
    pub(super) async fn with_keys(self, keys: Option<Keys>) -> Result<Self> {
        let opened = self.opened(keys).await;
        match opened {
            Ok(seal) => {
                let reads = super::Reads { seal, ..self.reads };
                Ok(Self { reads, ..self })
            }
            Err(error) => {
                self.close().await;
                Err(error)
            }
        }
    }

    async fn opened(&self, keys: Option<Keys>) -> Result<Seal> {
        let mut conn = self.reads.acquire().await?;
        let before = sealing(&mut conn).await?;
        drop(conn);
        match (before, keys) {
            (None, None) => Ok(Seal::default()),
            (Some(_), None) => Err(encrypted()),
            (Some(name), Some(keys)) => self.resume(&name, keys).await,
            (None, Some(keys)) => self.turn_on(keys).await,
        }
    }

    async fn resume(&self, name: &str, keys: Keys) -> Result<Seal> {
        let ring = keys.ring.led_by(name).ok_or_else(|| missing(name))?;
        let mut conn = self.reads.acquire().await?;
        let sealed: Vec<u8> = sqlx::query_scalar("SELECT value FROM shared WHERE name = 'index'")
            .fetch_one(conn.raw())
            .await?;
        let index = ring.open("value", &sealed)?;
        let index = <[u8; 32]>::try_from(index.as_slice())
            .map_err(|_| super::codec::damaged("its secret has another length"))?;
        Ok(Seal::on(Keys { ring, ..keys }, Zeroizing::new(index)))
    }

    /// Makes the secret that digests of keys are made with, and makes all digests anew: in one transaction, so that each
    /// key is found before and after.
    async fn turn_on(&self, keys: Keys) -> Result<Seal> {
        let index = Key::generate()?.bytes();
        let seal = Seal::on(keys.clone(), index.clone());
        let mut tx = super::Tx::new(self.begin_write(super::server::WRITE).await?, seal.clone());
        if let Some(name) = sealing(&mut tx).await? {
            // Another process was faster.
            drop(tx);
            return self.resume(&name, keys).await;
        }
        let mut done = 0;
        for table in INDEXED {
            done += self.blind(&mut tx, table).await?;
        }
        self.blind_audit(&mut tx).await?;
        for (name, value) in [
            ("sealing", keys.ring.name().into_bytes()),
            ("index", keys.ring.seal("value", index.as_slice())?),
        ] {
            sqlx::query("INSERT INTO shared (name, value) VALUES ($1, $2)")
                .bind(name)
                .bind(value)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        if done > 0 {
            tracing::warn!(
                "the store is encrypted from now on; `lockstep rekey` seals what is in it already"
            );
        }
        Ok(seal)
    }

    /// What a row is addressed by: in SQLite its number, in PostgreSQL its place as a text.
    fn address(&self) -> (&'static str, &'static str) {
        match self.engine {
            Engine::Sqlite => ("CAST(rowid AS TEXT)", "CAST(v.column1 AS INTEGER) = t.rowid"),
            Engine::Postgres => ("CAST(ctid AS TEXT)", "CAST(v.column1 AS tid) = t.ctid"),
        }
    }

    /// Makes the digests of a table's keys anew; of conflicts the texts too by which they are found.
    async fn blind(&self, conn: &mut Conn, table: &str) -> Result<u64> {
        let of_conflicts = table == "conflicts";
        let text = if of_conflicts { "key_text" } else { "''" };
        let (address, same) = self.address();
        let found: Vec<(String, Vec<u8>, String)> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT {address}, key_digest, {text} FROM {table}"
        )))
        .fetch_all(&mut *conn)
        .await?;
        let text = if of_conflicts { ", key_text = v.column3" } else { "" };
        for chunk in found.chunks(ROWS_PER_INSERT) {
            let mut query = Statement::new(format!(
                "UPDATE {table} AS t SET key_digest = v.column2{text} FROM ("
            ));
            query.push_values(chunk, |mut row, (address, digest, text)| {
                row.push_bind(address.clone())
                    .push_bind(conn.seal.blind(digest.clone()))
                    .push_bind(conn.seal.blind_text(text.clone()));
            });
            query.push(format!(") AS v WHERE {same}"));
            query.build().execute(&mut *conn).await?;
        }
        Ok(found.len() as u64)
    }

    /// Makes the digests anew that lines of the audit are found by; what their content was proven with goes to the salt.
    async fn blind_audit(&self, conn: &mut Conn) -> Result<()> {
        let found: Vec<(i64, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT seq, key_index, salt FROM audit WHERE key_index IS NOT NULL AND salt IS NOT NULL",
        )
        .fetch_all(&mut *conn)
        .await?;
        for chunk in found.chunks(ROWS_PER_INSERT) {
            let mut rows = Vec::with_capacity(chunk.len());
            for (seq, index, salt) in chunk {
                let salt = conn.seal.bytes("salt", [salt.as_slice(), index].concat())?;
                rows.push((*seq, conn.seal.blind(index.clone()), salt));
            }
            let mut query = Statement::new(
                "UPDATE audit AS t SET key_index = v.column2, salt = v.column3 FROM (",
            );
            query.push_values(rows, |mut row, (seq, index, salt)| {
                row.push_bind(seq).push_bind(index).push_bind(salt);
            });
            query.push(") AS v WHERE v.column1 = t.seq");
            query.build().execute(&mut *conn).await?;
        }
        Ok(())
    }

    /// Returns whether the store is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.reads.seal.is_on()
    }

    /// Seals everything with the first key of a ring: what another key sealed, and what is not sealed yet. Returns how many
    /// values that were.
    ///
    /// Others use the store meanwhile, if they have that key or can read it anew. What was interrupted is done again from
    /// the beginning and passes over what is sealed already.
    ///
    /// # Errors
    /// A store that is not encrypted, something sealed that no key opens (then what is before it stays sealed again and
    /// all keys are needed further), and a log that is in use all the time.
    pub(crate) async fn rekey(&self, ring: &Ring) -> Result<u64> {
        if !self.is_encrypted() {
            return Err(
                Error::invalid("the store is not encrypted").next("set [store] encrypt = true")
            );
        }
        // A key that opens is needed beside the one that seals: the ring has both.
        self.reads.seal.replace(ring.clone());
        let mut tx =
            super::Tx::new(self.begin_write(super::server::WRITE).await?, self.reads.seal.clone());
        sqlx::query("UPDATE shared SET value = $1 WHERE name = 'sealing'")
            .bind(ring.name().into_bytes())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        let (mut done, mut plain) = (0, false);
        for (table, columns, limit) in SEALED {
            let (rows, first) = self.reseal_table(ring, table, columns, *limit).await?;
            done += rows;
            plain |= first;
        }
        self.sweep(plain).await?;
        Ok(done)
    }

    /// Seals a table again, some rows in each transaction; says too whether anything was not sealed yet.
    async fn reseal_table(
        &self,
        ring: &Ring,
        table: &str,
        columns: &[&str],
        limit: i64,
    ) -> Result<(u64, bool)> {
        let (mut rows, mut plain) = (0, false);
        loop {
            let mut tx = self.write().await?;
            let (done, first) = self.reseal(&mut tx, ring, table, columns, limit).await?;
            tx.commit().await?;
            rows += done;
            plain |= first;
            crate::halt::point("resealed").await;
            if done == 0 {
                return Ok((rows, plain));
            }
        }
    }

    async fn reseal(
        &self,
        conn: &mut Conn,
        ring: &Ring,
        table: &str,
        columns: &[&str],
        limit: i64,
    ) -> Result<(u64, bool)> {
        let (address, same) = self.address();
        let (mut all, mut plain) = (0, false);
        for column in columns {
            // 'sealing' is a name and no secret.
            let but = if table == "shared" { "name <> 'sealing' AND " } else { "" };
            let text = is_text(table, column);
            let mut query = Statement::new(format!(
                "SELECT {address} AS place, {column} FROM {table} WHERE {but}{column} IS NOT NULL AND "
            ));
            // As long a beginning as tells the key: as base64 twelve bytes are sixteen characters.
            let beginning = ring.beginning();
            match text {
                true => {
                    query.push(format!("SUBSTR({column}, 1, 21) <> "));
                    query.push_bind(as_text(&beginning));
                }
                false => {
                    query.push(format!("SUBSTR({column}, 1, 12) <> "));
                    query.push_bind(beginning);
                }
            }
            query.push(" LIMIT ").push_bind(limit);
            let mut sealed: Vec<(String, Vec<u8>)> = Vec::new();
            if text {
                let found: Vec<(String, String)> =
                    query.build_query_as().fetch_all(conn.raw()).await?;
                for (place, text) in found {
                    let opened = conn.seal.open_text(column, &text)?;
                    plain |= opened.is_none();
                    let text = opened.unwrap_or(text);
                    sealed.push((place, conn.seal.text(column, text)?.into_bytes()));
                }
            } else {
                let found: Vec<(String, Vec<u8>)> =
                    query.build_query_as().fetch_all(conn.raw()).await?;
                for (place, bytes) in found {
                    let opened = conn.seal.open(column, &bytes)?;
                    plain |= opened.is_none();
                    let bytes = opened.map_or(bytes, |opened| opened.to_vec());
                    sealed.push((place, conn.seal.bytes(column, bytes)?));
                }
            }
            all += sealed.len() as u64;
            for chunk in sealed.chunks(ROWS_PER_INSERT) {
                let mut query =
                    Statement::new(format!("UPDATE {table} AS t SET {column} = v.column2 FROM ("));
                query.push_values(chunk, |mut row, (place, bytes)| {
                    row.push_bind(place.clone());
                    match text {
                        true => row.push_bind(String::from_utf8_lossy(bytes).into_owned()),
                        false => row.push_bind(bytes.clone()),
                    };
                });
                query.push(format!(") AS v WHERE {same}"));
                query.build().execute(&mut *conn).await?;
            }
        }
        Ok((all, plain))
    }

    /// Leaves nothing of what was there before in the files, as far as they are ours.
    async fn sweep(&self, plain: bool) -> Result<()> {
        match self.engine {
            Engine::Sqlite => {
                sqlx::raw_sql("VACUUM").execute(&self.writes).await?;
                for _ in 0..TRIES {
                    let (busy, _, _): (i64, i64, i64) =
                        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
                            .fetch_one(&self.writes)
                            .await?;
                    if busy == 0 {
                        return Ok(());
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Error::new(
                    Kind::Unavailable,
                    "everything is sealed again, but the store's log, which another process reads, still has what was there",
                )
                .next("stop the other process, and call `lockstep rekey` again"))
            }
            Engine::Postgres if plain => {
                for (table, ..) in SEALED {
                    let full = AssertSqlSafe(format!("VACUUM FULL {table}"));
                    sqlx::raw_sql(full).execute(&self.writes).await?;
                }
                Ok(())
            }
            Engine::Postgres => self.clear_log().await,
        }
    }
}

/// Returns whether a sealed column is one of text.
pub(super) fn is_text(table: &str, column: &str) -> bool {
    if matches!(
        (table, column),
        ("conflicts", "digest") | ("quality_history", "data") | ("deliveries", "body")
    ) {
        return true;
    }
    !matches!(
        column,
        "delta_digest"
            | "delta"
            | "last_key"
            | "body_digest"
            | "body"
            | "key_values"
            | "before_image"
            | "after_image"
            | "image"
            | "salt"
            | "value_digest"
            | "work"
            | "value"
            | "digest"
            | "data"
    )
}

#[cfg(test)]
#[test]
fn a_beginning_is_as_long_as_the_statements_take_it() {
    let ring = Ring::new(Key::generate().unwrap(), []);
    assert_eq!(ring.beginning().len(), 12);
    assert_eq!(as_text(&ring.beginning()).len(), 21);
    assert!(as_text(&ring.beginning()).starts_with("lks1:"));
}
