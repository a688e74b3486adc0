//! Two two-way spokes: nothing is written back and forth.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::{Stage, sqlite};

type Rows = BTreeMap<String, [i64; 2]>;

const ROWS: usize = 60;

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

/// Returns how many cells runs wrote, from the journal.
fn written(data: &std::path::Path) -> usize {
    let store = rusqlite::Connection::open(data.join("lockstep.db")).unwrap();
    let mut statement = store.prepare("SELECT cells FROM actions").unwrap();
    let cells = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    cells.map(|cells| serde_json::from_str::<Vec<usize>>(&cells.unwrap()).unwrap().len()).sum()
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
    let (mut done, mut changed, mut value) = (0, 0, 0);
    while done < edits {
        // A burst of edits on both spokes, of which none meets another on the same cell.
        let mut sides = ["one.csv", "two.csv"].map(|name| {
            read(&std::fs::read_to_string(stage.house.folder.path().join(name)).unwrap())
        });
        assert_eq!(sides[0], model);
        assert_eq!(sides[1], model);
        let mut touched = std::collections::BTreeSet::new();
        for _ in 0..random.random_range(1..40) {
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
        changed += touched.len();
        for (name, rows) in ["one.csv", "two.csv"].iter().zip(&sides) {
            stage.house.write(name, text(rows));
        }
        stage.seconds(20).await;
    }
    stage.seconds(3_600).await;
    // Each changed cell is written to the hub and to the other spoke, and nowhere twice.
    let cells = written(stage.house.data()) - before;
    println!(
        "{done} edits changed {changed} cells; {cells} cells were written to two members each"
    );
    assert!(cells <= 2 * changed, "{cells} cells were written for {changed} changed ones");
    assert!(changed <= done);
    let status = stage.status().await;
    assert_eq!((&status["depth"], &status["conflicts"]), (&json!(0), &json!(0)), "{status:#}");
}
