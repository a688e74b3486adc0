//! A decision stands whatever becomes of the policy, and says who made it and when.

use serde_json::json;

use super::shop::{Shop, edited};

#[tokio::test]
async fn a_decision_stands_when_the_policy_changes_before_its_run() {
    for right in ["file", "sheet", "sqlite"] {
        let left = edited(&[("A", 1, "Apfel"), ("B", 1, "Rübe")]);
        let shop =
            Shop::disputed(right, &left, &edited(&[("A", 1, "Pomme"), ("B", 1, "Rave")])).await;
        shop.resolve("decide", json!({"key": "A", "winner": "left"})).await;
        // The new policy would take the right: it decides what nobody decided, and only that.
        let report = shop.apply(json!({"policy": {"strategy": "rightPriority"}})).await;
        assert_eq!(report["state"], "applied", "{right}: {report:#}");
        let wanted = ["sku,name,qty,tags", "A,Apfel,10,a;b", "B,Rave,20,b", "C,Corn,30,c"];
        assert_eq!(shop.left(), wanted, "{right}");
        assert_eq!(shop.right().await, wanted, "{right}");
        let applied = shop.list(json!({"state": "applied"})).await;
        assert_eq!((&applied["total"], &applied["conflicts"][0]["key"]), (&json!(1), &json!("A")));
        let closed = shop.list(json!({"state": "closed"})).await;
        assert_eq!(closed["conflicts"][0]["by"], "the policy (rightPriority)", "{closed:#}");
    }
}

#[tokio::test]
async fn a_conflict_says_when_it_was_found_and_by_whom_and_when_it_was_decided() {
    let shop =
        Shop::disputed("file", &edited(&[("A", 1, "Apfel")]), &edited(&[("A", 1, "Pomme")])).await;
    let before = shop.list(json!({})).await;
    let found: jiff::Timestamp = before["groups"][0]["oldest"].as_str().unwrap().parse().unwrap();
    shop.pass(3_600);
    shop.resolve("decide", json!({"winner": "left"})).await;
    let by = |listed: &serde_json::Value| listed["conflicts"][0]["by"].as_str().unwrap().to_owned();
    let decided = by(&shop.list(json!({})).await);
    let (who, when) = decided.rsplit_once(" at ").unwrap();
    assert_eq!(who, "winner left (resolveConflicts)", "{decided}");
    let when: jiff::Timestamp = when.parse().unwrap();
    let later = when.duration_since(found).as_secs();
    assert!((3_590..3_700).contains(&later), "{decided}: {later} s after it was found");
    shop.run().await;
    let applied = shop.list(json!({"state": "applied"})).await;
    assert_eq!(by(&applied), decided, "what was written says who decided it");
}
