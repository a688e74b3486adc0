//! Conflicts around a hub: any of many may win, cell by cell, and one that is down is waited for.

use serde_json::{Value, json};

use crate::harness::House;

const GOODS: &str = "sku,name,qty\nA,Apple,10\nB,Beet,20\n";

struct Hub {
    house: House,
}

impl Hub {
    async fn new() -> Self {
        let hub = Self { house: House::new().await };
        for name in ["hub", "crm", "shop"] {
            hub.write(name, GOODS);
        }
        hub.apply(json!({})).await;
        hub
    }

    fn write(&self, name: &str, csv: &str) {
        self.house.write(&format!("{name}.csv"), csv);
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.house.folder.path().join(format!("{name}.csv"))).unwrap()
    }

    async fn apply(&self, more: Value) -> Value {
        let mut arguments = json!({
            "name": "goods", "hub": {"file": "hub.csv"}, "key": ["sku"], "mode": "apply",
            "spokes": [{"name": "crm", "file": "crm.csv"}, {"name": "shop", "file": "shop.csv"}],
            "columns": [{"name": "sku"}, {"name": "name"}, {"name": "qty", "type": "number"}],
            "deletes": "delete", "maxDeletePercent": 100,
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.house.ok("syncDataset", arguments).await
    }

    async fn resolve(&self, action: &str, more: Value) -> Value {
        let mut arguments = json!({"action": action, "dataset": "goods"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.house.ok("resolveConflicts", arguments).await
    }

    /// All three say something else about A's name.
    async fn disputed() -> Self {
        let hub = Self::new().await;
        for (name, word) in [("hub", "Apfel"), ("crm", "Pomme"), ("shop", "Mela")] {
            hub.write(name, &GOODS.replace("Apple", word));
        }
        let report = hub.apply(json!({})).await;
        assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
        hub
    }

    fn all(&self) -> Vec<String> {
        ["hub", "crm", "shop"].map(|name| self.read(name)).into()
    }
}

#[tokio::test]
async fn the_hub_or_any_spoke_or_base_or_a_value_can_win() {
    for (wish, wanted) in [
        (json!({"winner": "hub"}), "Apfel"),
        (json!({"winner": "crm"}), "Pomme"),
        (json!({"winner": "shop"}), "Mela"),
        (json!({"winner": "base"}), "Apple"),
        (json!({"value": "Jabłko"}), "Jabłko"),
        (json!({"policy": {"strategy": "left_priority"}}), "Apfel"),
        (
            json!({"policy": {"strategy": "priority_based", "priorities": {"crm": 3, "shop": 9}}}),
            "Mela",
        ),
    ] {
        let hub = Hub::disputed().await;
        let listed = hub.resolve("list", json!({"row": true})).await;
        let one = &listed["conflicts"][0];
        assert_eq!(
            one["values"],
            json!({"hub": "Apfel", "crm": "Pomme", "shop": "Mela"}),
            "{listed:#}"
        );
        assert_eq!((&one["base"], &one["row"]["shop"]["name"]), (&json!("Apple"), &json!("Mela")));
        let mut arguments = wish.clone();
        arguments["apply"] = json!("now");
        let done = hub.resolve("decide", arguments).await;
        assert_eq!(done["run"]["state"], "applied", "{wish}: {done:#}");
        assert_eq!(hub.all(), vec![GOODS.replace("Apple", wanted); 3], "{wish}");
        assert_eq!(hub.resolve("list", json!({})).await["total"], 0);
        assert_eq!(hub.apply(json!({})).await["state"], "inStep");
    }
}

#[tokio::test]
async fn two_cells_of_a_row_go_to_two_winners() {
    let hub = Hub::new().await;
    hub.write("crm", &GOODS.replace("Apple,10", "Pomme,11"));
    hub.write("shop", &GOODS.replace("Apple,10", "Mela,12"));
    hub.apply(json!({})).await;
    hub.resolve("decide", json!({"column": "name", "winner": "crm"})).await;
    hub.resolve("decide", json!({"column": "qty", "winner": "shop", "apply": "now"})).await;
    assert_eq!(hub.all(), vec![GOODS.replace("Apple,10", "Pomme,12"); 3]);
}

#[tokio::test]
async fn a_deletion_on_one_spoke_against_a_change_on_another() {
    for (winner, wanted) in
        [("crm", "sku,name,qty\nB,Beet,20\n".to_owned()), ("shop", GOODS.replace("10", "12"))]
    {
        let hub = Hub::new().await;
        hub.write("crm", &GOODS.replace("A,Apple,10\n", ""));
        hub.write("shop", &GOODS.replace("10", "12"));
        let report = hub.apply(json!({})).await;
        assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
        let listed = hub.resolve("list", json!({})).await;
        assert_eq!(
            listed["conflicts"][0]["values"],
            json!({"crm": "deleted", "shop": "qty: 10 → 12"}),
            "{listed:#}"
        );
        hub.resolve("decide", json!({"winner": winner, "apply": "now"})).await;
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines[1..].sort();
            lines
        };
        for file in hub.all() {
            assert_eq!(sorted(&file), sorted(&wanted), "{winner}");
        }
    }
}

#[tokio::test]
async fn a_spoke_that_is_down_is_waited_for_and_one_that_left_cannot_win() {
    let hub = Hub::disputed().await;
    let shop = hub.read("shop");
    std::fs::remove_file(hub.house.folder.path().join("shop.csv")).unwrap();
    std::fs::create_dir(hub.house.folder.path().join("shop.csv")).unwrap();
    let report = hub.apply(json!({})).await;
    assert_eq!(report["state"], "partial", "{report:#}");
    let listed = hub.resolve("list", json!({})).await;
    assert!(listed["total"].as_u64().unwrap() >= 1, "it goes on waiting: {listed:#}");
    std::fs::remove_dir(hub.house.folder.path().join("shop.csv")).unwrap();
    hub.write("shop", &shop);
    hub.apply(json!({})).await;
    assert_eq!(hub.resolve("list", json!({})).await["total"], 1);
    hub.apply(json!({"spokes": [{"name": "crm", "file": "crm.csv"}]})).await;
    let gone = json!({"action": "decide", "dataset": "goods", "winner": "shop"});
    let refused = hub.house.err("resolveConflicts", gone).await;
    assert!(refused.contains("has no \"shop\"") && refused.contains("hub, crm, base"), "{refused}");
    let listed = hub.resolve("list", json!({})).await;
    assert_eq!(
        listed["conflicts"][0]["values"],
        json!({"hub": "Apfel", "crm": "Pomme"}),
        "{listed:#}"
    );
}

#[tokio::test]
async fn the_review_tab_of_a_hub_names_its_spokes() {
    let hub = Hub::disputed().await;
    let made = hub.house.ok("createFile", json!({"type": "spreadsheet", "name": "Desk"})).await;
    let review = json!({"reviewSheet": {"spreadsheetId": made["id"], "sheet": "Decide"}});
    hub.apply(review).await;
    let page = json!({"spreadsheetId": made["id"], "sheet": "Decide", "as": "rows"});
    let rows = hub.house.ok("readSheet", page).await;
    let cells = rows["rows"][1]["cells"].as_array().unwrap();
    assert_eq!(cells[4..6], [json!("Apfel"), json!("crm: Pomme; shop: Mela")], "{rows:#}");
    let shop = json!({"spreadsheetId": made["id"], "sheet": "Decide", "range": "G2", "values": [["shop"]]});
    hub.house.ok("updateCells", shop).await;
    hub.house.ok("syncDataset", json!({"name": "goods", "mode": "apply"})).await;
    assert_eq!(hub.all(), vec![GOODS.replace("Apple", "Mela"); 3]);
}
