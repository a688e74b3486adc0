//! The behaviour suite: what every replica does, whatever its kind. It is the definition of a replica.
//!
//! The other side is a CSV file, which the suite reads and writes by itself.

use lockstep_engine::schema::ColumnType::{Bool, Date, DateTime, List, Number, Text, Time};
use serde_json::{Value as Json, json};

use super::{
    file::read_csv,
    kind::{Replica, Table, csv},
};
use crate::harness::House;

/// A Lockstep with one replica of a kind and a CSV file.
pub(super) struct World<'a> {
    pub(super) house: House,
    pub(super) replica: &'a dyn Replica,
}

pub(super) fn stock(rows: &[&str]) -> Table {
    Table::new(&[("sku", Text), ("name", Text), ("qty", Number), ("status", Text)], rows)
}

pub(super) const ROWS: &[&str] =
    &["A|Apple|10|~", "B|Beet|20|~", "C|Corn|30|~", "D|Dill|40|~", "E|Egg|50|~"];

impl<'a> World<'a> {
    pub(super) async fn new(replica: &'a dyn Replica, table: &Table) -> Self {
        Self::with(replica, table, true).await
    }

    pub(super) async fn with(replica: &'a dyn Replica, table: &Table, writable: bool) -> Self {
        let house = House::with(|config| replica.configure(config, writable)).await;
        replica.fill(&house, table).await;
        Self { house, replica }
    }

    pub(super) fn other(&self, table: &Table) {
        self.house.write("other.csv", csv(table));
    }

    fn read_other(&self, like: &Table) -> Table {
        read_csv(&self.house.folder.path().join("other.csv"), like)
    }

    pub(super) async fn read(&self, like: &Table) -> Table {
        self.replica.read(&self.house, like).await
    }

    /// Returns the arguments of a sync from the file to the replica.
    pub(super) fn sync(&self, table: &Table, more: Json) -> Json {
        let columns: Vec<Json> = table
            .columns
            .iter()
            .filter(|(name, _)| *name != "status")
            .map(|(name, ty)| json!({"name": name, "type": ty}))
            .collect();
        let key: Vec<&str> = table.columns[..table.key].iter().map(|(name, _)| *name).collect();
        let mut arguments = json!({
            "name": "laws", "left": {"file": "other.csv"}, "right": self.replica.side(),
            "key": key, "columns": columns, "mode": "apply", "maxDeletePercent": 100,
        });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    }

    pub(super) async fn apply(&self, table: &Table, more: Json) -> Json {
        self.house.ok("syncDataset", self.sync(table, more)).await
    }

    /// Checks that a second run has nothing to do and that the replica holds exactly these rows.
    async fn in_step(&self, table: &Table, more: Json, expected: &Table) {
        let report = self.apply(table, more).await;
        assert_eq!(report["state"], "inStep", "a second run writes nothing: {report:#}");
        assert_eq!(self.read(table).await.typed(), expected.typed());
    }
}

/// Rows are added, changed and removed; what agrees is not written again.
pub(super) async fn rows_flow(replica: &dyn Replica) {
    let table = stock(&["B|Beet|19|~", "C|Corn|30|~", "X|Extra|1|~"]);
    let world = World::new(replica, &table).await;
    let wanted = stock(ROWS);
    world.other(&wanted);
    let report = world.apply(&wanted, json!({"deletes": "delete"})).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(counts(&report), [3, 1, 1]);
    world.in_step(&wanted, json!({"deletes": "delete"}), &wanted).await;
}

/// Returns how many rows a report says were inserted, updated and deleted.
fn counts(report: &Json) -> [u64; 3] {
    ["insert", "update", "delete"].map(|kind| report["counts"][kind].as_u64().unwrap())
}

/// A row whose partner is gone is marked, and comes back to life with it.
pub(super) async fn rows_are_marked(replica: &dyn Replica) {
    let world = World::new(replica, &stock(ROWS)).await;
    let fewer = stock(&ROWS[1..]);
    world.other(&fewer);
    let report = world.apply(&fewer, json!({})).await;
    assert_eq!(report["counts"]["mark"], 1, "{report:#}");
    let mut marked = vec!["A|Apple|10|inactive"];
    marked.extend(&ROWS[1..]);
    world.in_step(&fewer, json!({}), &stock(&marked)).await;
    world.other(&stock(ROWS));
    let report = world.apply(&fewer, json!({})).await;
    assert_eq!(report["counts"]["reactivate"], 1, "{report:#}");
    world.in_step(&fewer, json!({}), &stock(ROWS)).await;
}

/// Null and blank are the same nothing, and are not written over each other.
pub(super) async fn blanks_agree(replica: &dyn Replica) {
    let there = stock(&["A|~|1|~", "B||2|~", "C|Corn|~|~"]);
    let world = World::new(replica, &there).await;
    let wanted = stock(&["A||1|~", "B|~|2|~", "C|Corn|~|~"]);
    world.other(&wanted);
    world.in_step(&wanted, json!({}), &there).await;
    let cleared = stock(&["A|a|~|~", "B|~|2|~", "C|~|3|~"]);
    world.other(&cleared);
    let report = world.apply(&cleared, json!({})).await;
    assert_eq!(report["counts"]["update"], 2, "{report:#}");
    world.in_step(&cleared, json!({}), &cleared).await;
}

/// Texts that languages and formats trip over.
pub(super) fn nasty() -> Vec<String> {
    let mut texts: Vec<String> = [
        "O'Brien",
        "\"quoted\"",
        "back\\slash",
        "\\N",
        "a,b;c\td",
        "two\nlines",
        "\t=1+1",
        "\r=1+1",
        "cr\r\nlf",
        "=1+1",
        "+49",
        "-1",
        "@x",
        "'lead",
        "007",
        "1e5",
        "TRUE",
        "NULL",
        "2024-01-15",
        "${HOME}",
        "$1",
        "?",
        ":x",
        "%s%n",
        "{1,2}",
        "[1,2]",
        "{\"a\": 1}",
        "'; DROP TABLE mine; --",
        "\u{e9}\u{fc}\u{df}",
        "\u{65e5}\u{672c}",
        "\u{1f600}\u{200d}\u{1f525}",
        "\u{202e}rtl",
        " lead",
        "\u{1}",
        "</script>",
        "v.c0",
        "t",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("long ".repeat(2_000).trim_end().to_owned());
    texts
}

/// Any text comes through both ways as it is.
pub(super) async fn texts_survive(replica: &dyn Replica) {
    let columns = [("sku", Text), ("name", Text)];
    let mut wanted = Table::new(&columns, &[]);
    for (number, text) in nasty().into_iter().enumerate() {
        wanted.rows.push(vec![Some(format!("k{number}")), Some(text)]);
    }
    // Keys are texts, too.
    for text in ["O'Key", "a\"b", "x\\y", "=k", "\u{e9}", "a b"] {
        wanted.rows.push(vec![Some(text.to_owned()), Some("key".into())]);
    }
    let world = World::new(replica, &Table::new(&columns, &[])).await;
    world.other(&wanted);
    let more = json!({"deletes": "ignore"});
    let report = world.apply(&wanted, more.clone()).await;
    assert_eq!(report["counts"]["insert"], wanted.rows.len(), "{report:#}");
    world.in_step(&wanted, more.clone(), &wanted).await;
    // Each is replaced by the next one, so that each is also a condition.
    let texts: Vec<_> = wanted.rows.iter().map(|row| row[1].clone()).collect();
    for (row, text) in wanted.rows.iter_mut().zip(texts.iter().cycle().skip(1)) {
        row[1].clone_from(text);
    }
    world.other(&wanted);
    world.apply(&wanted, more.clone()).await;
    world.in_step(&wanted, more, &wanted).await;
    // And back into an empty file.
    let back = world.sync(
        &wanted,
        json!({"left": replica.side(), "right": {"file": "back.csv"}, "name": "back"}),
    );
    world.house.ok("syncDataset", back).await;
    let back = read_csv(&world.house.folder.path().join("back.csv"), &wanted);
    assert_eq!(back.typed(), wanted.typed());
}

fn values() -> Table {
    let columns = [
        ("sku", Text),
        ("number", Number),
        ("flag", Bool),
        ("day", Date),
        ("hour", Time),
        ("moment", DateTime),
        ("tags", List),
    ];
    Table::new(
        &columns,
        &[
            "a|0|true|2024-01-15|09:30:00|2024-01-15T09:30:00|red, blue",
            "b|-1.5|false|1999-12-31|23:59:59|1999-12-31T23:59:59|one",
            "c|9007199254740993|true|2024-02-29|00:00:00|2024-02-29T00:00:00|[\"a,b\",\"c\"]",
            "d|0.00000000000000000001|~|1901-01-01|~|~|~",
            "e|12345678901234567890|false|2038-01-20|12:00:00.5|2038-01-20T12:00:00.25|x, y, z",
            "f|0.1|true|2000-01-01|12:34:56.789|2000-01-01T12:34:56.789|\u{e9}, '",
        ],
    )
}

/// Values of every type come through both ways without a loss, and are changed into one another.
pub(super) async fn values_survive(replica: &dyn Replica) {
    let mut wanted = values();
    let world = World::new(replica, &Table { rows: vec![], ..wanted.clone() }).await;
    if replica.abilities().floats {
        // What a 64-bit integer or a float cannot hold is refused there, see the tests of SQL.
        wanted.rows.retain(|row| !["d", "e"].contains(&row[0].as_deref().unwrap()));
    }
    world.other(&wanted);
    let more = json!({"deletes": "ignore"});
    let report = world.apply(&wanted, more.clone()).await;
    assert_eq!(report["counts"]["insert"], wanted.rows.len(), "{report:#}");
    world.in_step(&wanted, more.clone(), &wanted).await;
    let shifted: Vec<_> = wanted.rows.iter().map(|row| row[1..].to_vec()).collect();
    for (row, next) in wanted.rows.iter_mut().zip(shifted.iter().cycle().skip(1)) {
        row.truncate(1);
        row.extend(next.iter().cloned());
    }
    world.other(&wanted);
    world.apply(&wanted, more.clone()).await;
    world.in_step(&wanted, more, &wanted).await;
    let back = world.sync(
        &wanted,
        json!({"left": replica.side(), "right": {"file": "back.csv"}, "name": "back"}),
    );
    world.house.ok("syncDataset", back).await;
    let back = read_csv(&world.house.folder.path().join("back.csv"), &wanted);
    assert_eq!(back.typed(), wanted.typed());
}

/// A key of several columns, with parts that are alike.
pub(super) async fn keys_may_have_parts(replica: &dyn Replica) {
    let columns = [("sku", Text), ("site", Text), ("qty", Number)];
    let there = Table::new(&columns, &["A|x|1", "A|y|2", "B|x|3", "B|y|4"]).keyed(2);
    let world = World::new(replica, &there).await;
    let wanted = Table::new(&columns, &["A|x|1", "A|y|20", "B|x|3", "AB|x|5"]).keyed(2);
    world.other(&wanted);
    let report = world.apply(&wanted, json!({"deletes": "delete"})).await;
    assert_eq!(counts(&report), [1, 1, 1]);
    world.in_step(&wanted, json!({"deletes": "delete"}), &wanted).await;
}

/// Rows that cannot be told apart are set aside, and block deletions.
pub(super) async fn duplicate_keys_are_set_aside(replica: &dyn Replica) {
    let world = World::new(replica, &stock(ROWS)).await;
    world.other(&stock(&["A|one|1|~", "A|two|2|~", "B|Beet|21|~"]));
    let report = world.apply(&stock(ROWS), json!({"deletes": "delete"})).await;
    assert_eq!(report["state"], "halted", "{report:#}");
    // Passed by name, what can be told apart is written; the rows of the doubled key stay as they are.
    let names: Vec<&Json> =
        report["halted"].as_array().unwrap().iter().map(|halt| &halt["name"]).collect();
    let more = json!({"deletes": "ignore", "override": names});
    let report = world.apply(&stock(ROWS), more).await;
    assert_eq!(
        (&report["counts"]["update"], &report["counts"]["setAside"]),
        (&json!(1), &json!(2))
    );
    let there = world.read(&stock(ROWS)).await.typed();
    assert_eq!(
        there,
        stock(&["A|Apple|10|~", "B|Beet|21|~", "C|Corn|30|~", "D|Dill|40|~", "E|Egg|50|~"]).typed()
    );
}

/// A plan is refused when somebody changed the replica after it.
pub(super) async fn a_stale_plan_is_refused(replica: &dyn Replica) {
    let world = World::new(replica, &stock(ROWS)).await;
    let wanted = stock(&["A|Apple|11|~"]);
    world.other(&wanted);
    let plan = world.apply(&wanted, json!({"mode": "plan", "deletes": "ignore"})).await;
    replica.set(&world.house, "C", "name", "Carrot").await;
    let apply = world.sync(&wanted, json!({"deletes": "ignore", "planId": plan["planId"]}));
    let error = world.house.err("syncDataset", apply).await;
    assert!(error.starts_with("stalePlan"), "{error}");
    let untouched =
        stock(&["A|Apple|10|~", "B|Beet|20|~", "C|Carrot|30|~", "D|Dill|40|~", "E|Egg|50|~"]);
    assert_eq!(world.read(&untouched).await.typed(), untouched.typed());
}

/// Both sides are edited, both learn, and what clashes waits.
pub(super) async fn both_sides_flow(replica: &dyn Replica) {
    let world = World::new(replica, &stock(&[])).await;
    world.other(&stock(ROWS));
    let more = || json!({"direction": "both", "deletes": "delete"});
    world.apply(&stock(ROWS), more()).await;
    world.other(&stock(&["A|Apple|11|~", "B|Beet|20|~", "C|Corn|31|~", "E|Egg|50|~", "N|New|1|~"]));
    replica.set(&world.house, "B", "name", "Beetroot").await;
    replica.set(&world.house, "C", "qty", "32").await;
    replica.remove(&world.house, "E").await;
    let report = world.apply(&stock(ROWS), more()).await;
    assert_eq!(report["counts"]["conflicts"], 1, "{report:#}");
    let mine = stock(&["A|Apple|11|~", "B|Beetroot|20|~", "C|Corn|32|~", "N|New|1|~"]);
    let theirs = stock(&["A|Apple|11|~", "B|Beetroot|20|~", "C|Corn|31|~", "N|New|1|~"]);
    assert_eq!(world.read(&mine).await.typed(), mine.typed());
    assert_eq!(world.read_other(&theirs).typed(), theirs.typed());
    let again = world.apply(&stock(ROWS), more()).await;
    assert_eq!(again["state"], "inStep", "{again:#}");
}

/// A run is taken back, except where somebody edited since.
pub(super) async fn a_run_is_taken_back(replica: &dyn Replica) {
    let world = World::new(replica, &stock(ROWS)).await;
    let wanted = stock(&["A|Apple|11|~", "B|Beet|21|~", "C|Corn|30|~", "D|Dill|40|~", "N|New|1|~"]);
    world.other(&wanted);
    let report = world.apply(&wanted, json!({"deletes": "delete"})).await;
    replica.set(&world.house, "B", "qty", "99").await;
    let ask = json!({"runId": report["runId"], "mode": "apply"});
    let back = world.house.ok("rollbackSync", ask).await;
    assert_eq!(back["counts"]["conflicts"], 1, "{back:#}");
    let there = stock(&["A|Apple|10|~", "B|Beet|99|~", "C|Corn|30|~", "D|Dill|40|~", "E|Egg|50|~"]);
    assert_eq!(world.read(&there).await.typed(), there.typed());
}

/// More rows than one batch holds.
pub(super) async fn many_rows_go_in_batches(replica: &dyn Replica) {
    let columns = [("sku", Text), ("qty", Number)];
    let mut wanted = Table::new(&columns, &[]);
    for number in 0..12_000 {
        wanted.rows.push(vec![Some(format!("k{number:05}")), Some((number % 900).to_string())]);
    }
    let world = World::new(replica, &Table::new(&columns, &[])).await;
    world.other(&wanted);
    let more = json!({"deletes": "delete", "sample": 0});
    world.apply(&wanted, more.clone()).await;
    world.in_step(&wanted, more.clone(), &wanted).await;
    for (number, row) in wanted.rows.iter_mut().enumerate() {
        if number % 2 == 0 {
            row[1] = Some("7".into());
        }
    }
    wanted.rows.retain(|row| !row[0].as_ref().unwrap().ends_with('9'));
    world.other(&wanted);
    world.apply(&wanted, more.clone()).await;
    world.in_step(&wanted, more, &wanted).await;
}
