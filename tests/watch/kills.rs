//! The worker is killed with SIGKILL at random moments: nothing is lost, and nothing applied twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::TABLE;
use crate::support::lockstep;

/// Where a worker is killed, beside any time: around the queue, and at the steps of a run.
const POINTS: &[&str] =
    &["noted", "begun", "sending", "sent", "marked", "closing", "closed", "delivered"];

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn worker(&self, halt: Option<&str>) -> Child {
        let mut command = lockstep(self.folder.path());
        command
            .args(["--root", ".", "--allow-write", "serve", "--watch-only"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(point) = halt {
            command.env("LOCKSTEP_HALT_AT", point);
        }
        command.spawn().unwrap()
    }

    fn call(&self, tool: &str, arguments: serde_json::Value) {
        let output = lockstep(self.folder.path())
            .args(["--root", ".", "--allow-write", "call", tool])
            .arg(arguments.to_string())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Replaces the file, as an editor does.
    fn save(&self, rows: &BTreeMap<String, i64>) {
        let line = |(sku, qty): (&String, &i64)| format!("{sku},x,{qty}\n");
        let text: String = rows.iter().map(line).collect();
        let aside = self.folder.path().join("aside");
        std::fs::write(&aside, format!("sku,name,qty\n{text}")).unwrap();
        std::fs::rename(&aside, self.folder.path().join("stock.csv")).unwrap();
    }

    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("shop.db")).unwrap()
    }

    fn rows(&self) -> BTreeMap<String, i64> {
        let database = self.database();
        let mut statement = database.prepare("SELECT sku, qty FROM stock").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

/// Waits until a worker says that it halted, for a while.
fn halted(child: &mut Child) -> bool {
    let (sender, told) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            if line.starts_with("halted at") {
                let _ = sender.send(());
            }
        }
    });
    told.recv_timeout(Duration::from_secs(3)).is_ok()
}

#[test]
fn a_worker_that_is_killed_loses_nothing_and_applies_nothing_twice() {
    let kills = if std::env::var_os("LOCKSTEP_FULL").is_some() { 500 } else { 50 };
    let place = Place { folder: tempfile::TempDir::new().unwrap() };
    let toml = "[connections.shop]\nkind = \"sqlite\"\nurl = \"sqlite:shop.db\"\nwritable = true\n";
    std::fs::write(place.folder.path().join("lockstep.toml"), toml).unwrap();
    place.database().pragma_update(None, "journal_mode", "WAL").unwrap();
    place.database().execute_batch(&TABLE.replace(" CHECK (qty < 1000)", "")).unwrap();
    let mut model: BTreeMap<String, i64> = (0..8).map(|n| (format!("K{n}"), 0)).collect();
    place.save(&model);
    place.call(
        "syncDataset",
        json!({"name": "stock", "left": {"file": "stock.csv"}, "right": {"connection": "shop", "table": "stock"},
            "key": ["sku"], "direction": "both", "deletes": "delete", "maxDeletePercent": 100}),
    );
    place.call("watchDataset", json!({"action": "start", "dataset": "stock", "pollSeconds": 0.2}));

    let mut random = StdRng::seed_from_u64(4);
    let (mut at_points, mut gone) = (0, BTreeSet::new());
    for kill in 1..=kills {
        // Every edit has a number of its own, so that one that is applied twice shows.
        for _ in 0..random.random_range(1..5) {
            let key = format!("K{}", random.random_range(0..8));
            model.insert(key, kill);
        }
        if kill % 5 == 0 {
            model.insert(format!("N{kill}"), kill);
        }
        if kill % 7 == 0 {
            let new = model.keys().find(|key| key.starts_with('N')).cloned();
            if let Some(key) = new {
                model.remove(&key);
                gone.insert(key);
            }
        }
        place.save(&model);
        if kill % 3 == 0 {
            let mut child = place.worker(None);
            std::thread::sleep(Duration::from_millis(random.random_range(60..600)));
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            let point = POINTS[usize::try_from(kill).unwrap() % POINTS.len()];
            let mut child = place.worker(Some(point));
            at_points += u32::from(halted(&mut child));
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
    assert!(at_points * 2 > u32::try_from(kills).unwrap(), "only {at_points} halted");

    let mut child = place.worker(None);
    let began = Instant::now();
    while place.rows() != model && began.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
    }
    // Whatever would come late comes within some polls.
    std::thread::sleep(Duration::from_millis(1_500));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.rows(), model, "nothing is lost");
    let database = place.database();
    let twice: Vec<String> = database
        .prepare("SELECT sku || ' ' || what || ' ' || COUNT(*) FROM log GROUP BY sku, what HAVING COUNT(*) > 1")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(twice, Vec::<String>::new(), "applied twice");
    let left = "SELECT number FROM events UNION ALL SELECT number FROM dead_letters";
    assert_eq!(crate::support::store::column(place.folder.path(), left), Vec::<String>::new());
    let file = std::fs::read_to_string(place.folder.path().join("stock.csv")).unwrap();
    assert_eq!(file.lines().count(), model.len() + 1, "the file is as it was saved: {file}");
    println!(
        "{kills} kills, {at_points} of them at a point; {} rows were deleted again",
        gone.len()
    );
}
