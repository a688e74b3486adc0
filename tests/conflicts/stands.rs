//! What becomes of a decision when the policy changes before its run, and who made it when.

use serde_json::json;

use super::shop::{Shop, edited};

/// The policy that came after the decision decides the whole dataset; the decision ends, and its conflict says by what.
#[tokio::test]
async fn a_policy_that_changes_after_a_decision_ends_it_and_says_so() {
    for right in ["file", "sheet", "sqlite"] {
        let left = edited(&[("A", 1, "Apfel"), ("B", 1, "Rübe")]);
        let shop =
            Shop::disputed(right, &left, &edited(&[("A", 1, "Pomme"), ("B", 1, "Rave")])).await;
        shop.resolve("decide", json!({"key": "A", "winner": "left"})).await;
        let report = shop.apply(json!({"policy": {"strategy": "rightPriority"}})).await;
        assert_eq!(report["state"], "applied", "{right}: {report:#}");
        let wanted = ["sku,name,qty,tags", "A,Pomme,10,a;b", "B,Rave,20,b", "C,Corn,30,c"];
        assert_eq!(shop.left(), wanted, "{right}");
        assert_eq!(shop.right().await, wanted, "{right}");
        assert_eq!(shop.list(json!({"state": "applied"})).await["total"], 0, "{right}");
        let closed = shop.list(json!({"state": "closed", "key": "A"})).await;
        let one = &closed["conflicts"][0];
        assert_eq!(
            (&one["by"], &one["decision"]),
            (&json!("the policy (rightPriority)"), &json!("left")),
            "{right}: {closed:#}"
        );
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
