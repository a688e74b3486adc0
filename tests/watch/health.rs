//! What watches do to health: rows that were given up, members that are down, halts, and time that passes.

use jiff::Timestamp;
use lockstep::config::AlertsConfig;
use serde_json::{Value, json};

use super::{Shop, Stage, outage::health, refusals, stock};
use crate::{
    health::deduction,
    support::api::{Reply, Stub, Trouble, plain},
};

/// Calls what a deduction names.
async fn follow(stage: &Stage, found: &Value, what: &str) -> Value {
    let call = &deduction(found, what)["call"];
    stage.ok(call["tool"].as_str().unwrap(), call["arguments"].clone()).await
}

fn has(found: &Value, what: &str) -> bool {
    found["deductions"].as_array().unwrap().iter().any(|one| one["what"] == what)
}

fn part(found: &Value, name: &str) -> f64 {
    found["parts"][name].as_f64().unwrap_or_else(|| panic!("{name}: {found:#}"))
}

/// Keeps messages in a file.
fn told(folder: &tempfile::TempDir) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder.path().join("told")).unwrap_or_default();
    let line = |line: &str| {
        let message: Value = serde_json::from_str(line).unwrap();
        let word = |name: &str| message["lockstep"][name].as_str().unwrap().to_owned();
        (word("kind"), word("occasion"))
    };
    text.lines().map(line).filter(|(kind, _)| kind == "deadLetters").collect()
}

#[cfg(unix)]
#[tokio::test]
async fn rows_that_were_given_up_are_told_cap_the_score_after_a_day_and_the_named_call_brings_it_back()
 {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("cat >> '{0}'; echo >> '{0}'", folder.path().join("told").display());
    let command = vec!["sh".to_owned(), "-c".to_owned(), script];
    let alerts = AlertsConfig { command, ..AlertsConfig::default() };
    let mut shop = Shop::with("leftToRight", |config| config.alerts = Some(alerts)).await;
    shop.stage.ok("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    shop.stage.seconds(1).await;
    let frozen = "CREATE TRIGGER frozen BEFORE UPDATE ON stock WHEN NEW.sku = 'B'
         BEGIN SELECT RAISE(ABORT, 'the row is frozen'); END";
    shop.database.execute_batch(frozen).unwrap();
    let mut now = stock(&[("A", "Apple", 11), ("B", "Beet", 21), ("C", "Corn", 31)]);
    shop.file(&now);
    shop.stage.seconds(1_800).await;
    let letter = shop.stage.letters().await.remove(0);
    let found = health(&shop.stage).await;
    assert_eq!(
        (&found["metrics"]["deadLetters"], &found["metrics"]["rowsWritten"]),
        (&json!(1.0), &json!(5.0)),
        "{found:#}"
    );
    // One row of five a day, and a little for the minutes since.
    let died: Timestamp = letter["died"].as_str().unwrap().parse().unwrap();
    let days = shop.stage.now().duration_since(died).as_secs_f64() / 86_400.0;
    assert!((part(&found, "backlog") - (-(1.0 + days) / 5.0).exp()).abs() < 2e-4, "{found:#}");
    assert!(!has(&found, "deadLetters") && !found["notMeasured"].to_string().contains("etters"));
    let look = async |stage: &Stage| {
        stage.house.app.alerts().unwrap().look(stage.now()).await.unwrap();
    };
    look(&shop.stage).await;
    let opened = ("deadLetters".to_owned(), "opened".to_owned());
    assert_eq!(told(&folder), std::slice::from_ref(&opened));

    // A day later, while all else goes well.
    shop.stage.seconds(25 * 3_600).await;
    for n in 0..400 {
        now.insert(format!("N{n:03}"), ("New".to_owned(), n));
    }
    shop.file(&now);
    shop.stage.seconds(60).await;
    let capped = health(&shop.stage).await;
    assert_eq!((&capped["score"], &capped["status"]), (&json!(70.0), &json!("fair")), "{capped:#}");
    assert_eq!(part(&capped, "timeliness"), 1.0, "looks that find nothing are comparisons");
    let why = deduction(&capped, "deadLetters")["why"].as_str().unwrap();
    assert!(why.starts_with("1 rows were given up, the oldest 25."), "{why}");

    shop.database.execute_batch("DROP TRIGGER frozen").unwrap();
    follow(&shop.stage, &capped, "deadLetters").await;
    shop.stage.seconds(60).await;
    assert_eq!(shop.rows(), now);
    let back = health(&shop.stage).await;
    assert_eq!((&back["score"], &back["deductions"]), (&json!(100.0), &json!([])), "{back:#}");
    look(&shop.stage).await;
    assert_eq!(told(&folder), [opened, ("deadLetters".to_owned(), "recovered".to_owned())]);
}

#[tokio::test]
async fn a_target_that_is_down_caps_the_score_until_the_named_call_reaches_it() {
    let api = Stub::start(plain).await;
    let mut stage = refusals::shop(&api, &refusals::rows(6, 1)).await;
    assert_eq!(health(&stage).await["score"], 100.0);
    for method in ["GET", "POST", "PATCH", "PUT"] {
        api.trouble(method, "", 1_000_000, Trouble::Instead(Reply::json(503, &json!({}))));
    }
    stage.house.write("a.csv", super::outage::text(&refusals::rows(6, 2)));
    stage.seconds(3_600).await;
    let dead = health(&stage).await;
    assert_eq!(dead["score"], 40.0, "{dead:#}");
    assert_eq!((part(&dead, "timeliness"), part(&dead, "success")), (1.0, 1.0), "{dead:#}");
    let why = deduction(&dead, "lastRunFailed")["why"].as_str().unwrap();
    assert!(why.starts_with("right cannot be reached since ") && why.contains("503"), "{why}");
    api.world().rules.clear();
    assert_eq!(follow(&stage, &dead, "lastRunFailed").await["state"], "applied");
    let back = health(&stage).await;
    assert_eq!((&back["score"], &back["deductions"]), (&json!(100.0), &json!([])), "{back:#}");
}

/// Two files, the right one a copy of the left.
async fn files() -> (Stage, String) {
    let stage = Stage::new(|_| {}).await;
    let rows: String = (1..=20).map(|id| format!("{id},n{id}\n")).collect();
    let text = format!("id,name\n{rows}");
    stage.house.write("a.csv", &text);
    let dataset = json!({"name": "stock", "left": {"file": "a.csv"}, "right": {"file": "b.csv"}, "key": ["id"],
        "deletes": "delete", "mode": "apply"});
    assert_eq!(stage.ok("syncDataset", dataset).await["state"], "applied");
    (stage, text)
}

#[tokio::test]
async fn a_watch_that_halts_is_seen_and_counted_once_and_its_end_too() {
    let (mut stage, text) = files().await;
    stage.ok("watchDataset", json!({"action": "start", "dataset": "stock"})).await;
    stage.seconds(1).await;
    stage.house.write("a.csv", "id,name\n1,n1\n");
    stage.seconds(3_600).await;
    let halted = health(&stage).await;
    assert_eq!(
        (&halted["score"], &halted["metrics"]["halted"]),
        (&json!(20.0), &json!(1.0)),
        "{halted:#}"
    );
    assert_eq!(halted["metrics"]["errors.halted"], 1.0);
    stage.house.write("a.csv", text);
    stage.seconds(1_800).await;
    let back = health(&stage).await;
    assert!(!has(&back, "halted"), "{back:#}");
    assert_eq!(
        (&back["metrics"]["halted"], &back["metrics"]["inStep"]),
        (&json!(1.0), &json!(1.0)),
        "{back:#}"
    );

    // Sixty hours in which nothing changes: nothing gets old, and no run is counted.
    stage.seconds(60 * 3_600).await;
    let idle = health(&stage).await;
    assert_eq!(
        (&idle["score"], &idle["metrics"]["runs"]),
        (&json!(100.0), &json!(0.0)),
        "{idle:#}"
    );
}

#[tokio::test]
async fn what_nobody_runs_gets_stale_by_the_hour_and_the_named_calls_freshen_it() {
    let (mut stage, _) = files().await;
    stage.seconds(36 * 3_600).await;
    let old = health(&stage).await;
    // Twelve hours over a target of 24, of 48 that make it nothing; 0.75^(0.20/0.35).
    assert_eq!((part(&old, "timeliness"), &old["score"]), (0.75, &json!(84.8)), "{old:#}");
    assert!(!has(&old, "verificationStale"), "{old:#}");
    follow(&stage, &old, "timeliness").await;
    assert_eq!(health(&stage).await["score"], 100.0);

    stage.seconds(60 * 3_600).await;
    let older = health(&stage).await;
    assert_eq!((part(&older, "timeliness"), &older["score"]), (0.25, &json!(45.3)), "{older:#}");
    follow(&stage, &older, "verificationStale").await;
    let compared = health(&stage).await;
    assert!(!has(&compared, "verificationStale"), "{compared:#}");
    follow(&stage, &compared, "timeliness").await;
    assert_eq!(health(&stage).await["score"], 100.0);
}
