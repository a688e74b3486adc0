//! Hubs: what each spoke last agreed on is what its rows are known by.

use serde_json::json;

use super::{read, unchanged, whole};
use crate::hub::Hub;

#[tokio::test]
async fn spokes_that_did_not_change_are_not_read() {
    let hub = Hub::in_step().await;
    let report = hub.apply(json!({})).await;
    assert_eq!(report["state"], "inStep", "{report:#}");
    for (name, how) in [("hub", whole(3)), ("crm", unchanged()), ("shop", unchanged())] {
        assert_eq!(read(&report, name), how, "{name}");
    }
    // One spoke changes: it is read, the hub and the other spoke get it, and that one is read to be written.
    hub.write("crm", "sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    let plan = hub.house.ok("syncDataset", hub.dataset(json!({}))).await;
    assert_eq!((read(&plan, "crm"), read(&plan, "shop")), (whole(3), unchanged()));
    let report = hub.apply(json!({"planId": plan["planId"]})).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(hub.lines("shop")[1], "A,Apple,11");
    let report = hub.apply(json!({})).await;
    assert_eq!(report["state"], "inStep", "{report:#}");
    assert_eq!((read(&report, "crm"), read(&report, "shop")), (unchanged(), whole(3)));
}

/// A hub that is a file is known by the base of a spoke that has all of its columns.
#[tokio::test]
async fn a_hub_that_did_not_change_is_not_read() {
    let hub = Hub::in_step().await;
    hub.write("hub", "sku,name,qty\nA,Apple,10\nB,Beet,20\nC,Corn,30\n");
    let all = json!({
        "name": "files", "hub": {"file": "hub.csv"}, "key": ["sku"], "mode": "apply",
        "spokes": [{"name": "few", "file": "crm.csv", "columns": [{"name": "sku"}, {"name": "qty"}]},
                   {"name": "shop", "file": "shop.csv"}],
    });
    let report = hub.house.ok("syncDataset", all.clone()).await;
    assert_eq!(read(&report, "hub"), whole(3), "{report:#}");
    let report = hub.house.ok("syncDataset", all.clone()).await;
    for name in ["hub", "few", "shop"] {
        assert_eq!(read(&report, name), unchanged(), "{name}: {report:#}");
    }
    hub.write("crm", "sku,name,qty\nA,Apple,77\nB,Beet,20\nC,Corn,30\n");
    let report = hub.house.ok("syncDataset", all).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    for name in ["hub", "shop"] {
        assert_eq!(hub.lines(name)[1], "A,Apple,77", "{name}");
    }
}
