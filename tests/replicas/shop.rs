//! A Lockstep beside one database, for what only databases do.

use serde_json::{Value as Json, json};

use super::{kind::Doing, sql::Sql};
use crate::harness::House;

pub(super) struct Shop {
    pub(super) house: House,
    pub(super) sql: Sql,
}

impl Shop {
    /// Starts with a connection `shop` and what the operator says more of it.
    pub(super) async fn with(sql: Sql, setup: &str, more: &str) -> Self {
        let connection = sql.connection(more);
        sql.run(setup).await;
        let house = House::with(|config| {
            config.connections.insert("shop".into(), connection);
        })
        .await;
        Self { house, sql }
    }

    pub(super) async fn new(sql: Sql, setup: &str) -> Self {
        Self::with(sql, setup, "writable = true").await
    }

    /// Returns the arguments that make the table agree with a file of this content.
    pub(super) fn ask(&self, table: &str, csv: &str, more: Json) -> Json {
        self.house.write("rows.csv", csv);
        let mut ask = json!({
            "name": "shop", "left": {"file": "rows.csv"}, "right": {"connection": "shop", "table": table},
            "key": ["id"], "mode": "apply", "deletes": "ignore",
        });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask
    }

    pub(super) async fn apply(&self, table: &str, csv: &str) -> Json {
        self.house.ok("syncDataset", self.ask(table, csv, json!({}))).await
    }

    pub(super) async fn fails(&self, table: &str, csv: &str, more: Json) -> String {
        self.house.err("syncDataset", self.ask(table, csv, more)).await
    }

    /// Returns the arguments that write a side of the database to a file.
    pub(super) fn out(&self, side: Json, more: Json) -> Json {
        let mut ask = json!({
            "name": "out", "left": side, "right": {"file": "out.csv"}, "key": ["id"], "mode": "apply",
            "deletes": "delete", "maxDeletePercent": 100,
        });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask
    }

    /// Writes a side of the database to a file, and returns the file.
    pub(super) async fn export(&self, side: Json, more: Json) -> String {
        self.house.ok("syncDataset", self.out(side, more)).await;
        std::fs::read_to_string(self.house.folder.path().join("out.csv")).unwrap()
    }

    /// Calls a tool while somebody else does something a little later.
    pub(super) async fn while_calling(
        &self,
        ask: Json,
        later: std::time::Duration,
        something: Doing<'_, ()>,
    ) -> Result<Json, String> {
        let call =
            async { self.house.call("syncDataset", ask).await.map_err(|error| error.to_string()) };
        let (called, ()) = tokio::join!(call, async {
            tokio::time::sleep(later).await;
            something.await;
        });
        called
    }

    pub(super) async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.sql.texts(sql).await;
        let line = |row: Vec<Option<String>>| {
            let cells = row.into_iter().map(|cell| cell.unwrap_or_else(|| "~".into()));
            cells.collect::<Vec<_>>().join("|")
        };
        rows.into_iter().map(line).collect()
    }
}
