//! PostgreSQL tables that tell of their changes: `LISTEN` on the channel that `lockstep sql notify` installs.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::pokes::Poke;
use crate::replica::{Source, reach::Reach, sql::Database};

/// The first pause after a connection that failed, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A table that is listened to, until this is dropped.
pub(super) struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Listening {
    /// Listens to a replica that is a table of a PostgreSQL database.
    ///
    /// A table without the trigger says nothing; polls find its changes.
    pub(super) fn start(reach: &Reach, source: &Source, poke: &Poke) -> Option<Self> {
        let Source::Table { connection, table: Some(table), .. } = source else { return None };
        let database = reach.connections.database(connection).ok()?;
        if !database.tells() {
            return None;
        }
        let (database, table, poke) = (database.clone(), table.clone(), poke.clone());
        Some(Self(tokio::spawn(listen(database, table, poke))))
    }
}

async fn listen(database: Database, table: String, poke: Poke) {
    let mut pause = PAUSES.0;
    loop {
        match database.listen().await {
            Ok(mut listener) => {
                pause = PAUSES.0;
                // What changed while nobody listened was not told.
                poke.poke();
                while let Ok(Some(notice)) = listener.try_recv().await {
                    if concerns(notice.payload(), &table) {
                        poke.poke();
                    }
                }
            }
            Err(error) => tracing::debug!(%error, table, "a table cannot be listened to"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Returns whether a notice (`schema.table OPERATION`) is about a table, named with its schema or without.
fn concerns(notice: &str, table: &str) -> bool {
    let told = notice.rsplit_once(' ').map_or(notice, |(told, _)| told);
    match table.contains('.') {
        true => told == table,
        false => told.rsplit_once('.').map_or(told, |(_, name)| name) == table,
    }
}

#[cfg(test)]
#[test]
fn a_notice_is_about_its_table() {
    assert!(concerns("public.stock UPDATE", "stock"));
    assert!(concerns("shop.stock INSERT", "shop.stock"));
    assert!(concerns("public.my table DELETE", "my table"));
    assert!(!concerns("public.stock UPDATE", "shop.stock"));
    assert!(!concerns("public.stock_old UPDATE", "stock"));
}
