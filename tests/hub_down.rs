//! A spoke that fails while it is written: the others finish, the report says so, and a later run catches up.

use std::collections::BTreeMap;

use lockstep::replica::connections::ConnectionConfig;
use serde_json::{Value, json};

use crate::{
    harness::House,
    support::{
        postgres::{self, Database},
        proxy::{Cut, Proxy},
    },
};

type Rows = BTreeMap<String, String>;

/// A sheet with a table behind a way that can be cut, and a CSV file, as its spokes.
struct World {
    house: House,
    id: String,
    database: Database,
    proxy: Proxy,
}

impl World {
    async fn in_step() -> Option<Self> {
        let database = postgres::database().await?;
        let url = url(&database.url);
        let proxy = Proxy::to(url.1, 1).await;
        let through = database.url.replace(&format!(":{}/", url.1), &format!(":{}/", proxy.port));
        assert_ne!(through, database.url);
        database.run("CREATE TABLE t (id text PRIMARY KEY, v text, n integer)").await;
        let shop: ConnectionConfig =
            toml::from_str(&format!("kind = \"postgres\"\nurl = \"{through}\"\nwritable = true"))
                .unwrap();
        let house = House::with(|config| {
            config.connections.insert("shop".into(), shop);
        })
        .await;
        let made = json!({"type": "spreadsheet", "name": "Hub", "sheets": [{"title": "hub"}]});
        let made = house.ok("createFile", made).await;
        let id = made["id"].as_str().unwrap().to_owned();
        let world = Self { house, id, database, proxy };
        world.house.write("crm.csv", "id,v,n\na,1,10\nb,2,10\nc,3,10\n");
        assert_eq!(world.sync().await["state"], "applied");
        assert_eq!(world.sync().await["state"], "inStep");
        Some(world)
    }

    async fn sync(&self) -> Value {
        let ask = json!({
            "name": "goods", "hub": {"spreadsheetId": self.id, "sheet": "hub"},
            "spokes": [
                {"name": "shop", "connection": "shop", "table": "t", "deletes": "delete"},
                {"name": "crm", "file": "crm.csv", "deletes": "delete"},
            ],
            "key": ["id"], "mode": "apply", "deletes": "delete", "maxDeletePercent": 100,
            "columns": [{"name": "id", "type": "text"}, {"name": "v", "type": "text"},
                {"name": "n", "type": "number", "merge": "sum"}],
            "policy": {"strategy": "automaticMerge"},
        });
        self.house.ok("syncDataset", ask).await
    }

    fn file(&self, csv: &str) {
        self.house.write("crm.csv", csv);
    }

    fn read_file(&self) -> Rows {
        let text = std::fs::read_to_string(self.house.folder.path().join("crm.csv")).unwrap();
        let row = |line: &str| line.split_once(',').map(|(id, v)| (id.into(), v.into())).unwrap();
        text.lines().skip(1).map(row).collect()
    }

    async fn table(&self) -> Rows {
        let rows = self.database.texts("SELECT id, v, n::text FROM t").await;
        let row = |row: Vec<Option<String>>| {
            let cells: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
            (cells[0].clone(), cells[1..].join(","))
        };
        rows.into_iter().map(row).collect()
    }

    async fn hub(&self) -> Rows {
        let ask = json!({"spreadsheetId": self.id, "sheet": "hub", "as": "rows", "limit": 1000});
        let page = self.house.ok("readSheet", ask).await;
        let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let row = |row: &Value| {
            let cells: Vec<String> = row["cells"].as_array().unwrap().iter().map(text).collect();
            (cells[0].clone(), cells[1..].join(","))
        };
        page["rows"].as_array().unwrap().iter().skip(1).map(row).collect()
    }

    async fn assert_all(&self, wanted: &[(&str, &str)]) {
        let wanted: Rows =
            wanted.iter().map(|(id, v)| ((*id).to_owned(), (*v).to_owned())).collect();
        assert_eq!(self.hub().await, wanted, "the hub");
        assert_eq!(self.read_file(), wanted, "the file");
        assert_eq!(self.table().await, wanted, "the table");
    }
}

/// Returns the host and the port of a database's URL.
fn url(text: &str) -> (String, u16) {
    let (_, rest) = text.split_once("://").unwrap();
    let (place, _) = rest.rsplit_once('/').unwrap();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let (host, port) = place.rsplit_once(':').unwrap();
    (host.to_owned(), port.parse().unwrap())
}

fn error<'a>(report: &'a Value, name: &str) -> &'a str {
    let sides = report["sides"].as_array().unwrap();
    let side = sides.iter().find(|side| side["name"] == name).unwrap();
    side["error"].as_str().unwrap_or_else(|| panic!("{report:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoke_whose_connection_is_lost_before_the_commit_is_caught_up() {
    let Some(world) = World::in_step().await else { return };
    world.file("id,v,n\na,1,11\nb,2,10\nd,4,1\n");
    world.proxy.set(Cut::BeforeCommit);
    let report = world.sync().await;
    assert_eq!(report["state"], "partial", "{report:#}");
    assert!(error(&report, "shop").contains("nothing of the batch was written"), "{report:#}");
    assert_eq!(world.hub().await["d"], "4,1", "the others went on");
    assert_eq!(world.table().await["a"], "1,10");
    assert_eq!(world.sync().await["state"], "applied");
    world.assert_all(&[("a", "1,11"), ("b", "2,10"), ("d", "4,1")]).await;
    assert_eq!(world.sync().await["state"], "inStep");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoke_that_cannot_be_asked_what_was_written_does_not_keep_the_others_waiting() {
    let Some(world) = World::in_step().await else { return };
    for written in [true, false] {
        world.file("id,v,n\na,1,12\nb,two,10\nd,4,1\n");
        world.database.run("UPDATE t SET n = n + 5 WHERE id = 'b'").await;
        world.proxy.set(Cut::AfterCommitForGood);
        if !written {
            // The server never hears of the commit, and cannot be asked afterwards.
            world.proxy.set(Cut::BeforeCommitForGood);
        }
        let first = world.sync().await;
        assert_eq!(first["state"], "partial", "{first:#}");
        assert!(first["next"].as_str().unwrap().contains("is not known"), "{first:#}");
        assert_eq!(world.hub().await["b"], "two,15");
        assert_eq!(world.read_file()["b"], "two,15");
        assert_eq!(world.table().await["a"], if written { "1,12" } else { "1,10" });

        // While nobody can ask the table, people go on with the others; nothing is written to the table.
        world.file("id,v,n\na,1,13\nb,two,16\nd,4,1\ne,5,5\n");
        let second = world.sync().await;
        assert_eq!(second["state"], "partial", "{second:#}");
        let run = first["runId"].as_str().unwrap();
        assert!(error(&second, "shop").contains(run), "{second:#}");
        assert_eq!((&*world.hub().await["b"], &*world.hub().await["e"]), ("two,16", "5,5"));
        let history = world.house.ok("syncHistory", json!({"runId": run})).await;
        assert_eq!(history["runs"][0]["state"], "applying", "{history:#}");
        let undo = world.house.err("rollbackSync", json!({"runId": run})).await;
        assert!(undo.contains("not at its end"), "{undo}");

        // It comes back with an edit of somebody's: nothing is lost, and nothing is counted twice.
        world.proxy.set(Cut::Never);
        world.database.run("UPDATE t SET n = n + 100 WHERE id = 'a'").await;
        let third = world.sync().await;
        assert_eq!(third["state"], "applied", "{third:#}");
        assert!(third["next"].as_str().unwrap().contains("had been interrupted"), "{third:#}");
        world.assert_all(&[("a", "1,113"), ("b", "two,16"), ("d", "4,1"), ("e", "5,5")]).await;
        let fourth = world.sync().await;
        assert_eq!(fourth["state"], "inStep", "{fourth:#}");
        let history = world.house.ok("syncHistory", json!({"runId": run})).await;
        let state = &history["runs"][0]["state"];
        assert_eq!(state, if written { "applied" } else { "partial" }, "{history:#}");

        // Back to where it began.
        world.file("id,v,n\na,1,10\nb,2,10\nc,3,10\n");
        world.sync().await;
        world.assert_all(&[("a", "1,10"), ("b", "2,10"), ("c", "3,10")]).await;
    }
}
