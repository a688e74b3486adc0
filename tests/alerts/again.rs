//! Messages that could not be delivered at once, and credentials that are refused.

use jiff::Timestamp;
use lockstep::{config::Config, replica::connections::ConnectionConfig};
use serde_json::json;

use super::{Hook, Manner, after, halt, house, look, webhook};
use crate::{
    harness::House,
    support::api::{PLAIN, Reply, Stub, Trouble, plain},
};

async fn undelivered(house: &House) -> f64 {
    let report = house.ok("healthReport", json!({})).await;
    report["metrics"]["alertsUndelivered"].as_f64().unwrap()
}

#[tokio::test]
async fn a_webhook_that_slept_lied_or_was_down_gets_its_messages_later() {
    for manner in [Some(Manner::Sleeps), Some(Manner::Lies), None] {
        let mut hook = Hook::new(manner.unwrap_or(Manner::Takes)).await;
        let place = hook.stop(manner.is_none()).await;
        let house = house(webhook(&hook)).await;
        halt(&house).await;
        let now = Timestamp::now();
        look(&house, now).await;
        assert!(undelivered(&house).await >= 1.0, "nothing was confirmed");
        hook.be(Manner::Takes);
        if let Some(place) = place {
            hook = Hook::at(place, Manner::Takes).await;
        }
        let tried = hook.texts().len();
        look(&house, after(now, 2)).await;
        assert_eq!(undelivered(&house).await, 0.0);
        assert!(hook.texts().len() > tried, "{:?}", hook.texts());
    }
}

#[tokio::test]
async fn a_credential_that_has_expired_is_told_and_so_is_its_renewal() {
    let stub = Stub::start(plain).await;
    stub.world().add(json!({"sku": "S1", "name": "one"}));
    let connection: ConnectionConfig = toml::from_str(&PLAIN.replace("URL", &stub.url)).unwrap();
    let hook = Hook::new(Manner::Takes).await;
    let alerts = webhook(&hook);
    let house = House::with(|config: &mut Config| {
        config.connections.insert("crm".into(), connection);
        config.alerts = Some(alerts);
    })
    .await;
    let arguments = json!({
        "name": "crm", "left": {"connection": "crm", "resource": "items"},
        "right": {"file": "crm.csv"}, "key": ["sku"], "mode": "apply",
    });
    house.ok("syncDataset", arguments.clone()).await;
    let no = Reply::json(401, &json!({"message": "the token has expired"}));
    stub.trouble("GET", "", 99, Trouble::Instead(no));
    let error = house.err("syncDataset", arguments.clone()).await;
    assert!(error.starts_with("unauthenticated"), "{error}");
    let now = Timestamp::now();
    look(&house, now).await;
    let told = |words: &str| hook.texts().iter().filter(|text| text.contains(words)).count();
    let says = "crm: refused for its credential: the last run failed: unauthenticated";
    assert_eq!(told(says), 1, "{:?}", hook.texts());
    stub.world().rules.clear();
    house.ok("syncDataset", arguments).await;
    look(&house, after(now, 1)).await;
    assert_eq!(told("crm: no longer refused for its credential"), 1, "{:?}", hook.texts());
}
