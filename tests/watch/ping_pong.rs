//! Two two-way spokes: nothing is written back and forth.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::{Stage, sqlite};

type Rows = BTreeMap<String, [i64; 2]>;

const ROWS: usize = 150;

fn text(rows: &Rows) -> String {
    let line = |(sku, [a, b]): (&String, &[i64; 2])| format!("{sku},{a},{b}\n");
    rows.iter().map(line).fold("sku,a,b\n".to_owned(), |text, line| text + line.as_str())
}

fn read(text: &str) -> Rows {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells[0].to_owned(), [cells[1].parse().unwrap(), cells[2].parse().unwrap()])
    };
    text.lines().skip(1).map(row).collect()
}

/// Returns how many cells of each member runs wrote, from the journal.
fn written(data: &std::path::Path) -> BTreeMap<String, usize> {
    let query = "SELECT side, cells FROM actions JOIN batches USING (run, seq)";
    let mut written = BTreeMap::new();
    for row in crate::support::store::rows(data, query) {
        let cells: Vec<usize> = serde_json::from_str(&row[1]).unwrap();
        *written.entry(row[0].clone()).or_default() += cells.len();
    }
    written
}

#[tokio::test]
async fn two_two_way_spokes_write_no_more_than_was_changed() {
    let edits = if std::env::var_os("LOCKSTEP_FULL").is_some() { 10_000 } else { 1_000 };
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("hub.db");
    let hub = rusqlite::Connection::open(&path).unwrap();
    hub.execute_batch("CREATE TABLE stock (sku TEXT PRIMARY KEY, a INTEGER, b INTEGER)").unwrap();
    let mut stage = Stage::new(|config| {
        config.connections.insert("hub".into(), sqlite(&path));
    })
    .await;
    let mut model: Rows = (0..ROWS).map(|n| (format!("K{n:02}"), [0, 0])).collect();
    for spoke in ["one.csv", "two.csv"] {
        stage.house.write(spoke, text(&model));
    }
    let dataset = json!({
        "name": "stock",
        "hub": {"connection": "hub", "table": "stock"},
        "spokes": [{"name": "one", "file": "one.csv"}, {"name": "two", "file": "two.csv"}],
        "key": ["sku"],
    });
    stage.ok("syncDataset", dataset).await;
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 1});
    stage.ok("watchDataset", start).await;
    stage.seconds(2).await;
    let before = written(stage.house.data());

    let mut random = StdRng::seed_from_u64(9);
    let (mut done, mut changed, mut value) = (0, [0, 0], 0);
    while done < edits {
        // A burst of edits on both spokes, of which none meets another on the same cell.
        let mut sides = ["one.csv", "two.csv"].map(|name| {
            read(&std::fs::read_to_string(stage.house.folder.path().join(name)).unwrap())
        });
        assert_eq!(sides[0], model);
        assert_eq!(sides[1], model);
        let mut touched = std::collections::BTreeSet::new();
        for _ in 0..random.random_range(1..120) {
            let (row, column, side): (usize, usize, usize) = (
                random.random_range(0..ROWS),
                random.random_range(0..2),
                random.random_range(0..2),
            );
            if touched.contains(&(row, column, 1 - side)) {
                continue;
            }
            touched.insert((row, column, side));
            (done, value) = (done + 1, value + 1);
            let key = format!("K{row:02}");
            sides[side].get_mut(&key).unwrap()[column] = value;
            model.get_mut(&key).unwrap()[column] = value;
        }
        for (_, _, side) in &touched {
            changed[*side] += 1;
        }
        for (name, rows) in ["one.csv", "two.csv"].iter().zip(&sides) {
            stage.house.write(name, text(rows));
        }
        stage.seconds(20).await;
    }
    stage.seconds(3_600).await;
    // Each changed cell is written to the hub once and to the other spoke once, and nowhere twice.
    let after = written(stage.house.data());
    let cells = |member: &str| after[member] - before.get(member).copied().unwrap_or_default();
    let [of_one, of_two] = changed;
    println!(
        "{done} edits changed {of_one} cells of one spoke and {of_two} of the other; written: {} to the hub, {} to the \
         second, {} to the first",
        cells("hub"),
        cells("two"),
        cells("one"),
    );
    assert!(cells("hub") <= of_one + of_two, "{} written to the hub", cells("hub"));
    assert!(cells("two") <= of_one && cells("one") <= of_two, "{after:?}");
    let status = stage.status().await;
    assert_eq!((&status["depth"], &status["conflicts"]), (&json!(0), &json!(0)), "{status:#}");
}
