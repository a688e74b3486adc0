//! Spokes of a hub are written one after the other, or side by side where the watch says so.

use lockstep::replica::connections::ConnectionConfig;
use serde_json::json;

use super::Stage;
use crate::support::postgres;

/// Every write to a table takes half a second, and is noted with its beginning and end.
fn table(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (sku text PRIMARY KEY, qty bigint);
         CREATE FUNCTION note_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
         DECLARE began timestamptz := clock_timestamp();
         BEGIN
             PERFORM pg_sleep(0.5);
             INSERT INTO log VALUES ('{name}', began, clock_timestamp());
             RETURN NULL;
         END $$;
         CREATE TRIGGER note AFTER INSERT OR UPDATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION note_{name}();"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_spokes_are_written_at_once_as_the_watch_says() {
    let Some(database) = postgres::database().await else { return };
    database.run("CREATE TABLE log (name text, began timestamptz, ended timestamptz)").await;
    for name in ["a", "b", "c"] {
        database.run(table(name)).await;
    }
    let url = database.url.clone();
    let mut stage = Stage::new(|config| {
        let shop: ConnectionConfig =
            toml::from_str(&format!("kind = \"postgres\"\nurl = \"{url}\"\nwritable = true"))
                .unwrap();
        config.connections.insert("shop".into(), shop);
    })
    .await;
    stage.house.write("hub.csv", "sku,qty\nA,1\n");
    let spoke = |name: &str| json!({"name": name, "connection": "shop", "table": name});
    let dataset = json!({"name": "stock", "hub": {"file": "hub.csv"}, "key": ["sku"], "mode": "apply",
        "spokes": [spoke("a"), spoke("b"), spoke("c")]});
    stage.ok("syncDataset", dataset).await;
    for (concurrency, most, qty) in [(1, 1, 2), (2, 2, 3), (3, 3, 4)] {
        database.run("DELETE FROM log").await;
        let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 1,
            "concurrency": concurrency});
        stage.ok("watchDataset", start).await;
        stage.house.write("hub.csv", format!("sku,qty\nA,{qty}\nB,{qty}\n"));
        stage.seconds(3).await;
        for name in ["a", "b", "c"] {
            let rows = database.texts(format!("SELECT qty::text FROM {name} ORDER BY sku")).await;
            assert_eq!(rows, vec![vec![Some(qty.to_string())]; 2], "{name}, {concurrency} at once");
        }
        // The most writes that were under way at the beginning of one.
        let found = database
            .texts(
                "SELECT MAX(n)::text FROM (SELECT COUNT(DISTINCT other.name) AS n FROM log one JOIN log other
                     ON other.began <= one.began AND other.ended > one.began GROUP BY one.name, one.began) x",
            )
            .await;
        assert_eq!(
            found[0][0].as_deref(),
            Some(most.to_string().as_str()),
            "{concurrency} at once"
        );
    }
}
