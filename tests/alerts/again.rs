//! Messages that could not be delivered at once, and credentials that are refused.

use jiff::Timestamp;
use lockstep::{
    config::{AlertsConfig, Config},
    replica::connections::ConnectionConfig,
};
use serde_json::json;

use super::{Hook, Manner, after, halt, house, look, webhook};
use crate::{
    harness::House,
    support::{
        api::{PLAIN, Reply, Stub, Trouble, plain},
        store,
    },
};

async fn undelivered(house: &House) -> f64 {
    let report = house.ok("healthReport", json!({})).await;
    report["metrics"]["alertsUndelivered"].as_f64().unwrap()
}

#[tokio::test]
async fn a_webhook_that_slept_lied_or_was_down_gets_its_messages_later() {
    for manner in
        [Some(Manner::Sleeps), Some(Manner::Lies), Some(Manner::Breaks), Some(Manner::Denies), None]
    {
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

/// Returns whether people are being told that a channel does not work.
fn is_stuck(data: &std::path::Path) -> bool {
    let open = store::column(data, "SELECT kind FROM incidents WHERE closed IS NULL");
    open.iter().any(|kind| kind == "alerts")
}

#[tokio::test]
async fn a_message_that_was_given_up_is_no_trouble_once_a_later_one_arrives() {
    let hook = Hook::new(Manner::Refuses).await;
    let house = house(webhook(&hook)).await;
    halt(&house).await;
    let now = Timestamp::now();
    // Twenty tries of the first message, each at its time.
    for turn in 0..20 {
        look(&house, after(now, turn * 361)).await;
    }
    assert!(is_stuck(house.data()));
    let given_up = "SELECT COUNT(*) FROM deliveries WHERE delivered IS NULL AND attempts >= 20";
    assert_eq!(store::column(house.data(), given_up), ["1"]);
    hook.be(Manner::Takes);
    look(&house, after(now, 20 * 361)).await;
    look(&house, after(now, 20 * 361 + 1)).await;
    assert_eq!(store::column(house.data(), given_up), ["1"], "it is not sent any more");
    assert!(!is_stuck(house.data()), "the channel works again: {:?}", hook.texts());
}

#[tokio::test]
async fn a_channel_that_is_taken_out_of_the_settings_is_no_trouble() {
    let hook = Hook::new(Manner::Refuses).await;
    let data = tempfile::tempdir().unwrap();
    let open = async |alerts: AlertsConfig| {
        House::with(|config| {
            config.workspace.data = Some(data.path().to_owned());
            config.store.url = store::url(data.path());
            config.alerts = Some(alerts);
        })
        .await
    };
    let first = open(webhook(&hook)).await;
    first.write("a.csv", "id,name\n1,a\n2,b\n3,c\n4,d\n");
    let arguments = json!({"name": "d", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"], "mode": "apply"});
    first.ok("syncDataset", arguments).await;
    halt(&first).await;
    let now = Timestamp::now();
    for minute in 0..9 {
        look(&first, after(now, minute)).await;
    }
    assert!(is_stuck(data.path()));
    first.app.stop().await;
    let command = vec!["true".to_owned()];
    let second = open(AlertsConfig { command, ..AlertsConfig::default() }).await;
    look(&second, after(now, 10)).await;
    assert!(!is_stuck(data.path()));
}
