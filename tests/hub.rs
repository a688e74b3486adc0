//! A hub and its spokes through the tool: every direction, columns, deletes, spokes that are down, conflicts of many.

use serde_json::{Value, json};

use crate::harness::House;

/// A sheet with CSV spokes: a CRM and a shop both ways, a feed that is only read, an export that is only written.
pub(crate) struct Hub {
    pub(crate) house: House,
    id: String,
}

const GOODS: &str = "sku,name,qty\nA,Apple,10\nB,Beet,20\nC,Corn,30\n";

impl Hub {
    async fn new() -> Self {
        let house = House::new().await;
        let sheets = json!([{"title": "hub"}]);
        let made = house
            .ok("createFile", json!({"type": "spreadsheet", "name": "Hub", "sheets": sheets}))
            .await;
        let id = made["id"].as_str().unwrap().to_owned();
        Self { house, id }
    }

    /// Starts with a CRM and a shop of the same rows as the hub, in step.
    pub(crate) async fn in_step() -> Self {
        let hub = Self::new().await;
        hub.write("crm", GOODS);
        hub.write("shop", GOODS);
        let report = hub.apply(json!({})).await;
        assert_eq!(report["state"], "applied", "{report:#}");
        assert_eq!(hub.apply(json!({})).await["state"], "inStep");
        hub
    }

    pub(crate) fn dataset(&self, more: Value) -> Value {
        let mut arguments = json!({
            "name": "goods",
            "hub": {"spreadsheetId": self.id, "sheet": "hub"},
            "spokes": [{"name": "crm", "file": "crm.csv"}, {"name": "shop", "file": "shop.csv"}],
            "key": ["sku"],
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    }

    pub(crate) fn write(&self, name: &str, csv: &str) {
        self.house.write(&format!("{name}.csv"), csv);
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.house.folder.path().join(format!("{name}.csv"))).unwrap()
    }

    /// Returns the lines of a spoke, sorted: the order of new rows is not what these tests are about.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = self.read(name);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[1..].sort();
        lines
    }

    pub(crate) async fn apply(&self, more: Value) -> Value {
        let mut arguments = self.dataset(more);
        arguments["mode"] = json!("apply");
        self.house.ok("syncDataset", arguments).await
    }

    /// Returns the hub's lines as a CSV would have them.
    async fn hub(&self) -> Vec<String> {
        let page = self
            .house
            .ok(
                "readSheet",
                json!({"spreadsheetId": self.id, "sheet": "hub", "as": "rows", "limit": 1000}),
            )
            .await;
        let cell = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let line = |row: &Value| {
            let cells = row["cells"].as_array().unwrap().iter();
            cells.map(cell).map(|text| text.replace("null", "")).collect::<Vec<_>>().join(",")
        };
        let mut lines: Vec<String> = page["rows"].as_array().unwrap().iter().map(line).collect();
        lines[1..].sort();
        lines
    }

    async fn set(&self, range: &str, values: Value) {
        let place =
            json!({"spreadsheetId": self.id, "sheet": "hub", "range": range, "values": values});
        self.house.ok("updateCells", place).await;
    }
}

fn side<'a>(report: &'a Value, name: &str) -> &'a Value {
    let sides = report["sides"].as_array().unwrap();
    sides.iter().find(|side| side["name"] == name).unwrap_or_else(|| panic!("{report:#}"))
}

#[tokio::test]
async fn filled_sides_are_paired_by_key_and_edits_of_all_converge() {
    let hub = Hub::new().await;
    hub.set("A1:C3", json!([["sku", "name", "qty"], ["A", "Apple", 10], ["B", null, 20]])).await;
    hub.write("crm", "sku,name,qty\nB,Beet,20\nC,Corn,30\n");
    hub.write("shop", "sku,name,qty\nA,Apple,10\nD,Dill,40\n");
    let first = hub.apply(json!({})).await;
    assert_eq!(first["state"], "applied", "{first:#}");
    let all = ["sku,name,qty", "A,Apple,10", "B,Beet,20", "C,Corn,30", "D,Dill,40"];
    assert_eq!(hub.hub().await, all);
    assert_eq!(
        (hub.lines("crm"), hub.lines("shop")),
        (all.map(str::to_owned).into(), all.map(str::to_owned).into())
    );
    assert_eq!(side(&first, "crm")["rows"], json!({"insert": 2}), "{first:#}");

    hub.write("crm", "sku,name,qty\nA,Apfel,10\nB,Beet,20\nC,Corn,30\nD,Dill,40\nE,Egg,50\n");
    hub.write("shop", "sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\nD,Dill,40\nF,Fig,60\n");
    let row = hub.hub().await.iter().position(|line| line.starts_with("B,")).unwrap() + 1;
    hub.set(&format!("B{row}"), json!([["Beetroot"]])).await;
    let second = hub.apply(json!({})).await;
    assert_eq!(second["state"], "applied", "{second:#}");
    let all = [
        "sku,name,qty",
        "A,Apfel,11",
        "B,Beetroot,20",
        "C,Corn,30",
        "D,Dill,40",
        "E,Egg,50",
        "F,Fig,60",
    ];
    assert_eq!(hub.hub().await, all);
    assert_eq!(
        (hub.lines("crm"), hub.lines("shop")),
        (all.map(str::to_owned).into(), all.map(str::to_owned).into())
    );
    let third = hub.apply(json!({})).await;
    assert_eq!(
        (&third["state"], &third["calls"]["writes"]),
        (&json!("inStep"), &json!(0)),
        "{third:#}"
    );
}

#[tokio::test]
async fn each_spoke_has_its_direction_its_columns_and_its_headers() {
    let hub = Hub::new().await;
    hub.write("crm", GOODS);
    hub.write("feed", "code,stock\nA,7\nB,20\n");
    let spokes = json!([
        {"name": "crm", "file": "crm.csv"},
        {"name": "feed", "file": "feed.csv", "direction": "in",
         "columns": [{"name": "sku", "header": "code"}, {"name": "qty", "header": "stock"}]},
        {"name": "export", "file": "export.csv", "direction": "out",
         "columns": [{"name": "sku", "header": "id"}, {"name": "name", "header": "title"}]},
    ]);
    let policy = json!({"priorities": {"feed": 5}, "strategy": "priorityBased"});
    let report = hub.apply(json!({"spokes": spokes, "policy": policy})).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(hub.hub().await, ["sku,name,qty", "A,Apple,7", "B,Beet,20", "C,Corn,30"]);
    assert_eq!(hub.lines("crm")[1], "A,Apple,7", "what the feed said reaches the crm");
    assert_eq!(hub.lines("export"), ["id,title", "A,Apple", "B,Beet", "C,Corn"]);
    assert_eq!(hub.read("feed"), "code,stock\nA,7\nB,20\n", "it is only read");

    hub.write("feed", "code,stock\nA,8\nB,20\n");
    hub.write("export", "id,title\nA,Mine\nB,Beet\nC,Corn\n");
    hub.write("crm", "sku,name,qty\nA,Apple,7\nB,Beets,20\nC,Corn,30\n");
    let report = hub.apply(json!({"spokes": spokes, "policy": policy})).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(hub.hub().await, ["sku,name,qty", "A,Apple,8", "B,Beets,20", "C,Corn,30"]);
    assert_eq!(
        hub.lines("export"),
        ["id,title", "A,Apple", "B,Beets", "C,Corn"],
        "drift is overwritten"
    );
    assert_eq!(hub.read("feed"), "code,stock\nA,8\nB,20\n");
    let again = hub.apply(json!({"spokes": spokes, "policy": policy})).await;
    assert_eq!(
        (&again["state"], &again["calls"]["writes"]),
        (&json!("inStep"), &json!(0)),
        "{again:#}"
    );
}

#[tokio::test]
async fn a_spoke_that_is_down_is_reported_and_caught_up_later() {
    let hub = Hub::in_step().await;
    hub.write("crm", "sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\nD,Dill,40\n");
    let shop = hub.house.folder.path().join("shop.csv");
    std::fs::remove_file(&shop).unwrap();
    std::fs::create_dir(&shop).unwrap();
    let report = hub.apply(json!({})).await;
    assert_eq!(report["state"], "partial", "{report:#}");
    let error = side(&report, "shop")["error"].as_str().unwrap();
    assert!(error.contains("shop") && error.contains("folder"), "{error}");
    assert_eq!(side(&report, "crm")["error"], Value::Null);
    assert!(report["next"].as_str().unwrap().contains("caught up"), "{report:#}");
    let all = ["sku,name,qty", "A,Apple,11", "B,Beet,20", "C,Corn,30", "D,Dill,40"];
    assert_eq!(hub.hub().await, all, "the others went on");
    assert_eq!(
        hub.apply(json!({})).await["state"],
        "partial",
        "nothing to do, and one is still down"
    );

    // It comes back with an edit of its own, made on what it last knew.
    std::fs::remove_dir(&shop).unwrap();
    hub.write("shop", "sku,name,qty\nA,Apple,10\nB,Beetroot,20\nC,Corn,30\n");
    let report = hub.apply(json!({})).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    let all = ["sku,name,qty", "A,Apple,11", "B,Beetroot,20", "C,Corn,30", "D,Dill,40"];
    assert_eq!(hub.hub().await, all);
    assert_eq!(
        (hub.lines("crm"), hub.lines("shop")),
        (all.map(str::to_owned).into(), all.map(str::to_owned).into())
    );
    assert_eq!(hub.apply(json!({})).await["state"], "inStep");
}

#[tokio::test]
async fn a_hub_that_is_down_stops_the_run() {
    let hub = Hub::in_step().await;
    hub.write("crm", "sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    hub.write("shop", GOODS);
    let mut arguments = hub.dataset(json!({"name": "other"}));
    arguments["hub"]["sheet"] = json!("nosuch");
    arguments["mode"] = json!("apply");
    let error = hub.house.err("syncDataset", arguments).await;
    assert!(error.contains("hub") && error.contains("nosuch"), "{error}");
    assert_eq!(hub.read("shop"), GOODS);
}

#[tokio::test]
async fn a_conflict_among_three_names_every_voice_and_is_decided_by_strategy() {
    let hub = Hub::in_step().await;
    hub.write("crm", "sku,name,qty\nA,Apfel,10\nB,Beet,20\nC,Corn,30\n");
    hub.write("shop", "sku,name,qty\nA,Pomme,10\nB,Beet,21\nC,Corn,30\n");
    let row = hub.hub().await.iter().position(|line| line.starts_with("A,")).unwrap() + 1;
    hub.set(&format!("B{row}"), json!([["Mela"]])).await;
    let report = hub.apply(json!({})).await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    assert_eq!(report["conflicts"][0]["key"], "A");
    assert_eq!(report["conflicts"][0]["cells"]["name"], "crm: Apfel, hub: Mela, shop: Pomme");
    assert_eq!(hub.hub().await, ["sku,name,qty", "A,Mela,10", "B,Beet,21", "C,Corn,30"]);
    assert_eq!(hub.lines("crm")[1..3], ["A,Apfel,10", "B,Beet,21"], "each keeps its own");

    let decided = hub.apply(json!({"policy": {"strategy": "leftPriority"}})).await;
    assert_eq!(decided["counts"]["conflicts"], Value::Null, "{decided:#}");
    assert_eq!(decided["counts"]["losers"], 2, "{decided:#}");
    assert_eq!(
        (hub.lines("crm")[1].as_str(), hub.lines("shop")[1].as_str()),
        ("A,Mela,10", "A,Mela,10")
    );
}

#[tokio::test]
async fn rows_that_are_gone_are_deleted_marked_or_left_by_each_spokes_policy() {
    let hub = Hub::new().await;
    for name in ["crm", "shop", "log"] {
        hub.write(name, GOODS);
    }
    let spokes = json!([
        {"name": "crm", "file": "crm.csv", "deletes": "delete"},
        {"name": "shop", "file": "shop.csv", "deletes": "mark", "markColumn": "state", "markValue": "gone"},
        {"name": "log", "file": "log.csv", "deletes": "ignore"},
    ]);
    let more = json!({"spokes": spokes, "deletes": "delete", "maxDeletePercent": 50});
    assert_eq!(hub.apply(more.clone()).await["state"], "applied");
    hub.write("crm", "sku,name,qty\nA,Apple,10\nC,Corn,30\n");
    let report = hub.apply(more.clone()).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(hub.hub().await, ["sku,name,qty", "A,Apple,10", "C,Corn,30"]);
    assert_eq!(
        hub.lines("shop"),
        ["sku,name,qty,state", "A,Apple,10,", "B,Beet,20,gone", "C,Corn,30,"]
    );
    assert_eq!(hub.read("log"), GOODS);
    let again = hub.apply(more.clone()).await;
    assert_eq!(again["state"], "inStep", "{again:#}");

    // A spoke that became empty halts, by name, and nothing is deleted anywhere.
    hub.write("crm", "sku,name,qty\n");
    let report = hub.apply(more).await;
    assert_eq!(report["state"], "halted", "{report:#}");
    assert!(
        report["halted"].to_string().contains("the crm has no rows where 2 are known"),
        "{report:#}"
    );
    assert_eq!(hub.hub().await.len(), 3);
}

#[tokio::test]
async fn a_run_of_a_hub_is_taken_back_and_later_edits_stay() {
    let hub = Hub::in_step().await;
    hub.write("crm", "sku,name,qty\nA,Apple,11\nB,Beet,21\nC,Corn,30\nD,Dill,40\n");
    let run = hub.apply(json!({})).await;
    assert_eq!(hub.lines("shop")[1..3], ["A,Apple,11", "B,Beet,21"]);
    let shop = hub.read("shop").replace("B,Beet,21", "B,Beet,99");
    hub.write("shop", &shop);
    let plan = hub.house.ok("rollbackSync", json!({"runId": run["runId"]})).await;
    let undo = json!({"runId": run["runId"], "mode": "apply", "planId": plan["planId"]});
    let undone = hub.house.ok("rollbackSync", undo).await;
    assert_eq!(undone["state"], "applied", "{undone:#}");
    // What someone has changed since on one side stays on all: half of it would look like an edit.
    assert_eq!(hub.hub().await, ["sku,name,qty", "A,Apple,10", "B,Beet,21", "C,Corn,30"]);
    assert_eq!(hub.lines("shop"), ["sku,name,qty", "A,Apple,10", "B,Beet,99", "C,Corn,30"]);
    assert_eq!(undone["counts"]["conflicts"], 1, "{undone:#}");
    assert_eq!(hub.lines("crm").len(), 5, "what the run did not write stays");
    // What the crm said is news again, and the shop's later word is one, too.
    let next = hub.apply(json!({})).await;
    assert_eq!(hub.hub().await[1], "A,Apple,11", "{next:#}");
    assert_eq!(hub.hub().await[4], "D,Dill,40");
    let history = hub.house.ok("syncHistory", json!({"runId": run["runId"], "limit": 20})).await;
    let sides: Vec<&str> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["side"].as_str().unwrap())
        .collect();
    assert_eq!(sides, ["hub", "hub", "hub", "shop", "shop", "shop"], "{history:#}");
    assert_eq!(history["runs"][0]["rows"]["hub insert"], 1);
}

#[tokio::test]
async fn arguments_of_a_hub_are_checked_in_words() {
    let hub = Hub::new().await;
    hub.write("crm", GOODS);
    for (more, hint) in [
        (json!({"spokes": []}), "1 to 50"),
        (json!({"spokes": [{"name": "hub", "file": "crm.csv"}]}), "no name for a spoke"),
        (
            json!({"spokes": [{"name": "a", "file": "crm.csv"}, {"name": "b", "file": "crm.csv"}]}),
            "same place",
        ),
        (json!({"spokes": [{"name": "a", "fil": "crm.csv"}]}), "Did you mean \"file\"?"),
        (json!({"spokes": [{"name": "a", "file": "crm.csv", "direction": "up"}]}), "`in`"),
        (json!({"direction": "both"}), "each spoke has its own"),
        (json!({"left": {"file": "crm.csv"}}), "left and right, or hub and spokes"),
        (
            json!({"spokes": [{"name": "a", "file": "crm.csv", "columns": [{"name": "nam"}]}]}),
            "Did you mean \"name\"?",
        ),
        (json!({"spokes": [{"name": "a", "records": [{"sku": "A"}]}]}), "only be read"),
    ] {
        hub.set("A1:C1", json!([["sku", "name", "qty"]])).await;
        let error = hub.house.err("syncDataset", hub.dataset(more.clone())).await;
        assert!(error.contains(hint), "{more}: {error}");
    }
}
