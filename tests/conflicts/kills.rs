//! A decision is consumed by the very transaction that closes the run which wrote it, wherever the process dies.

use serde_json::{Value, json};

use crate::stage::Stage;

const GOODS: &str = "id,name\nA,Apple\nB,Beet\n";

async fn set(stage: &Stage, name: &str) {
    let cells = json!({"spreadsheetId": stage.id, "range": "A1", "values": [["id", "name"], ["A", name], ["B", "Beet"]]});
    stage.call("updateCells", cells).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_consumed_with_the_run_that_wrote_it() {
    for (deletes, point) in ["delete", "mark"].into_iter().cycle().zip([
        "begun:1",
        "sent:1",
        "sent:2",
        "marked:1",
        "closing:1",
        "closed:1",
        "sent:1",
        "marked:2",
    ]) {
        let stage = Stage::new().await;
        std::fs::write(stage.file("g.csv"), GOODS).unwrap();
        set(&stage, "Apple").await;
        let sync = json!({
            "name": "goods", "left": {"file": "g.csv"}, "right": {"spreadsheetId": stage.id},
            "key": ["id"], "direction": "both", "deletes": deletes, "mode": "apply",
        });
        stage.call("syncDataset", sync.clone()).await.unwrap();
        std::fs::write(stage.file("g.csv"), GOODS.replace("Apple", "Apfel")).unwrap();
        set(&stage, "Pomme").await;
        stage.call("syncDataset", sync.clone()).await.unwrap();
        let list = async |state: &str| -> Value {
            stage
                .call("resolveConflicts", json!({"dataset": "goods", "state": state}))
                .await
                .unwrap()
        };
        let decide = json!({"action": "decide", "dataset": "goods", "value": "Mela"});
        stage.call("resolveConflicts", decide).await.unwrap();
        assert_eq!(list("decided").await["total"], 1, "{point}");
        let halted = stage.kill_at("syncDataset", &sync, point).await;
        assert!(halted, "{point} was passed");
        let done = stage.call("syncDataset", sync.clone()).await.unwrap();
        let again = stage.call("syncDataset", sync.clone()).await.unwrap();
        assert_eq!(again["state"], "inStep", "{point}: {done:#} {again:#}");
        assert_eq!(
            std::fs::read_to_string(stage.file("g.csv")).unwrap(),
            GOODS.replace("Apple", "Mela"),
            "{point}"
        );
        let rows = stage.rows().await;
        assert_eq!(rows[1], ["A", "Mela"], "{point}");
        let states = [list("open").await, list("decided").await, list("stale").await];
        assert!(states.iter().all(|list| list["total"] == 0), "{point}: {states:#?}");
        let ended = [list("applied").await["total"].clone(), list("closed").await["total"].clone()];
        assert!(
            ended == [json!(1), json!(0)] || ended == [json!(0), json!(1)],
            "{point}: {ended:?}"
        );

        // The same dispute again is asked again.
        std::fs::write(stage.file("g.csv"), GOODS.replace("Apple", "Apfel")).unwrap();
        set(&stage, "Pomme").await;
        let fresh = stage.call("syncDataset", sync.clone()).await.unwrap();
        assert_eq!(fresh["counts"]["conflicts"], 1, "{point}: {fresh:#}");
        assert_eq!(list("open").await["total"], 1, "{point}");
    }
}
