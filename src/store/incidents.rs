//! Incidents that people are told of, and the messages on their way.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::codec::{json, micros, parse, plain, time};
use super::{Conn, Store};
use crate::error::Result;

/// Something that is wrong and was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incident {
    pub(crate) id: i64,
    /// Blank for one that is about no dataset.
    pub(crate) dataset: String,
    pub(crate) kind: String,
    pub(crate) opened: Timestamp,
    /// When people were last told.
    pub(crate) told: Timestamp,
    pub(crate) detail: String,
}

/// A message on its way to a channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delivery {
    pub(crate) id: i64,
    pub(crate) channel: String,
    pub(crate) body: Json,
    pub(crate) attempts: u32,
}

impl Store {
    /// Returns the incidents that last.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn incidents(&self) -> Result<Vec<Incident>> {
        let found: Vec<(i64, String, String, i64, i64, String)> = sqlx::query_as(
            "SELECT id, dataset, kind, opened, COALESCE(told, opened), detail FROM incidents
             WHERE closed IS NULL ORDER BY id",
        )
        .fetch_all(&self.reads)
        .await?;
        let incident = |(id, dataset, kind, opened, told, detail)| {
            Ok(Incident { id, dataset, kind, opened: time(opened)?, told: time(told)?, detail })
        };
        found.into_iter().map(incident).collect()
    }

    /// Opens an incident, and puts a message for each channel on its way.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub(crate) async fn open_incident(
        &self,
        dataset: &str,
        kind: &str,
        detail: &str,
        now: Timestamp,
        channels: &[&str],
        body: &Json,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let incident: i64 = sqlx::query_scalar(
            "INSERT INTO incidents (dataset, kind, opened, told, detail)
             VALUES ($1, $2, $3, $3, $4) RETURNING id",
        )
        .bind(dataset)
        .bind(kind)
        .bind(micros(now))
        .bind(tx.seal.text("detail", plain(detail))?)
        .fetch_one(&mut *tx)
        .await?;
        send(&mut tx, incident, now, channels, body).await?;
        Ok(tx.commit().await?)
    }

    /// Puts another message about an incident on its way, and closes the incident if it is over.
    ///
    /// Of an incident whose beginning a channel was never told, that channel is not told the end either.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub(crate) async fn tell(
        &self,
        incident: i64,
        over: bool,
        now: Timestamp,
        channels: &[&str],
        body: &Json,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let mut to: Vec<&str> = channels.to_vec();
        if over {
            // What nobody heard of and is over need not be said any more.
            let heard: Vec<String> = sqlx::query_scalar(
                "SELECT DISTINCT channel FROM deliveries
                 WHERE incident = $1 AND delivered IS NOT NULL",
            )
            .bind(incident)
            .fetch_all(&mut *tx)
            .await?;
            to.retain(|channel| heard.iter().any(|known| known == channel));
            sqlx::query("DELETE FROM deliveries WHERE incident = $1 AND delivered IS NULL")
                .bind(incident)
                .execute(&mut *tx)
                .await?;
            sqlx::query("UPDATE incidents SET closed = $1 WHERE id = $2")
                .bind(micros(now))
                .bind(incident)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("UPDATE incidents SET told = $1 WHERE id = $2")
            .bind(micros(now))
            .bind(incident)
            .execute(&mut *tx)
            .await?;
        send(&mut tx, incident, now, &to, body).await?;
        Ok(tx.commit().await?)
    }

    /// Returns the messages whose time has come and that were not given up, oldest first.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn due_deliveries(&self, now: Timestamp, tries: u32) -> Result<Vec<Delivery>> {
        let found: Vec<(i64, String, String, i64)> = sqlx::query_as(
            "SELECT id, channel, body, attempts FROM deliveries
             WHERE delivered IS NULL AND next <= $1 AND attempts < $2 ORDER BY id LIMIT 200",
        )
        .bind(micros(now))
        .bind(i64::from(tries))
        .fetch_all(&self.reads)
        .await?;
        let delivery = |(id, channel, body, attempts): (i64, String, String, i64)| {
            let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
            Ok(Delivery { id, channel, body: parse(&body)?, attempts })
        };
        found.into_iter().map(delivery).collect()
    }

    /// Returns a channel, of those that are in use, that has refused a message several times, and why.
    ///
    /// A channel that took a later message works again, whatever it did with that one.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn stuck_deliveries(
        &self,
        tries: u32,
        channels: &[&str],
    ) -> Result<Option<(String, String)>> {
        let found: Vec<(String, String)> = sqlx::query_as(
            "SELECT channel, COALESCE(error, '') AS error FROM deliveries AS stuck
             WHERE delivered IS NULL AND attempts >= $1 AND NOT EXISTS (
                 SELECT 1 FROM deliveries AS later WHERE later.channel = stuck.channel
                     AND later.id > stuck.id AND later.delivered IS NOT NULL)
             ORDER BY id DESC",
        )
        .bind(i64::from(tries))
        .fetch_all(&self.reads)
        .await?;
        Ok(found.into_iter().find(|(channel, _)| channels.contains(&channel.as_str())))
    }

    /// Returns how many incidents last, and how many messages were tried and are not delivered.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn alert_counts(&self) -> Result<(u64, u64)> {
        let (open, undelivered): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM incidents WHERE closed IS NULL),
                 (SELECT COUNT(*) FROM deliveries WHERE delivered IS NULL AND attempts > 0)",
        )
        .fetch_one(&self.reads)
        .await?;
        Ok((super::codec::count(open)?, super::codec::count(undelivered)?))
    }

    /// Notes a try to deliver a message: done, or why not and when next.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub(crate) async fn tried(
        &self,
        delivery: i64,
        now: Timestamp,
        next: Timestamp,
        error: Option<&str>,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE deliveries SET attempts = attempts + 1, next = $1, error = $2, delivered = $3
             WHERE id = $4",
        )
        .bind(micros(next))
        .bind(tx.seal.some_text("error", error.map(plain))?)
        .bind(error.is_none().then(|| micros(now)))
        .bind(delivery)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

async fn send(
    conn: &mut Conn,
    incident: i64,
    now: Timestamp,
    channels: &[&str],
    body: &Json,
) -> Result<()> {
    for channel in channels {
        sqlx::query(
            "INSERT INTO deliveries (incident, channel, body, made, attempts, next)
             VALUES ($1, $2, $3, $4, 0, $4)",
        )
        .bind(incident)
        .bind(*channel)
        .bind(conn.seal.text("body", json(body)?)?)
        .bind(micros(now))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
