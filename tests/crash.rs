//! The crash matrix: a real process is killed with SIGKILL at every step of a run, and the rerun ends as if it had not.

use std::{collections::BTreeMap, process::Command, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    support::{kill, lockstep},
    two_way::{Pair, STOCK},
};

/// The steps of a run, and how often each can be passed in one run.
const POINTS: &[(&str, u32)] = &[
    ("begun", 1),
    ("sending", 3),
    ("sent", 3),
    ("marked", 3),
    ("closing", 1),
    ("closed", 1),
    ("keeping", 1),
    ("kept", 1),
];

pub(crate) mod kinds;

use kinds::Kind;

/// Returns how many kills there are, and the seed of the edits: a tenth unless the whole is asked for (`tests/run --full`);
/// `LOCKSTEP_KILLS=250,7` asks for others, as for the whole in pieces.
fn asked() -> (u32, u64) {
    let given = std::env::var("LOCKSTEP_KILLS").unwrap_or_default();
    let mut numbers = given.split(',').map(str::parse::<u32>);
    let mut next = |default| numbers.next().and_then(Result::ok).unwrap_or(default);
    let kills = if std::env::var_os("LOCKSTEP_FULL").is_some() { 1_000 } else { 100 };
    (next(kills), u64::from(next(20_261_122)))
}

/// What a record should be: its name and its quantity.
pub(crate) type Model = BTreeMap<String, (String, i64)>;

fn child(pair: &Pair, arguments: &Value) -> Command {
    let mut command: Command = lockstep(pair.house.data());
    command
        .args([
            "--root",
            pair.house.folder.path().to_str().unwrap(),
            "--allow-write",
            "call",
            "syncDataset",
        ])
        .arg(arguments.to_string());
    command
}

fn parse(cell: &Value) -> String {
    cell.as_str().map_or_else(|| cell.to_string(), str::to_owned)
}

/// Returns the rows of both sides; panics on a doubled key.
async fn state(pair: &Pair, kind: &Kind) -> [Model; 2] {
    let mut file = Model::new();
    let bytes = std::fs::read(pair.house.folder.path().join(kind.file)).unwrap();
    for (key, row) in (kind.read)(&bytes) {
        assert!(file.insert(key.clone(), row).is_none(), "doubled in the file: {key}");
    }
    let mut sheet = Model::new();
    for row in pair.sheet().await.iter().skip(1).filter(|row| !row[0].is_null()) {
        let cells = (parse(&row[1]), row[2].as_i64().unwrap());
        assert!(sheet.insert(parse(&row[0]), cells).is_none(), "doubled on the sheet: {row}");
    }
    [file, sheet]
}

/// Changes both sides, never the same record, and tells the model what must come of it.
async fn edit(pair: &Pair, kind: &Kind, model: &mut Model, random: &mut StdRng, round: u32) {
    let mut file = model.clone();
    for (index, (key, row)) in model.clone().into_iter().enumerate() {
        match (index % 2 == 0, random.random_range(0..6)) {
            (true, 0) => {
                file.insert(key.clone(), (row.0.clone(), i64::from(round)));
                model.insert(key, (row.0, i64::from(round)));
            }
            (true, 1) if file.len() > 6 => {
                file.remove(&key);
                model.remove(&key);
            }
            _ => {}
        }
    }
    for new in 0..random.random_range(1..4) {
        let key = format!("F{round}-{new}");
        file.insert(key.clone(), (format!("file {round}"), new));
        model.insert(key, (format!("file {round}"), new));
    }
    let rows = pair.sheet().await;
    let known: Vec<String> = rows.iter().map(|row| parse(&row[0])).collect();
    let untouched = |key: &str, model: &Model| {
        let before = rows.iter().find(|row| parse(&row[0]) == key).unwrap();
        model.get(key).is_some_and(|(name, qty)| {
            *name == parse(&before[1]) && Some(*qty) == before[2].as_i64()
        })
    };
    for (index, key) in known.iter().enumerate().skip(1) {
        if random.random_range(0..5) == 0 && untouched(key, model) {
            let name = format!("sheet {round}");
            pair.set(&format!("B{}", index + 1), json!([[name]])).await;
            model.get_mut(key).unwrap().0 = name;
        }
    }
    let key = format!("S{round}");
    // Deletions take rows of the grid with them, so that the row after the last may have to be made first.
    let rows = json!([[key, "new", round]]);
    pair.house
        .ok("appendRows", json!({"spreadsheetId": pair.id, "sheet": "stock", "rows": rows}))
        .await;
    model.insert(key, ("new".into(), i64::from(round)));
    pair.house.write(kind.file, (kind.write)(&file));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_finished_by_the_next_one_and_nothing_is_lost_or_doubled() {
    let (kills, seed) = asked();
    matrix(&kinds::CSV, kills, seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_over_json_is_finished_by_the_next_one() {
    let (kills, seed) = asked();
    matrix(&kinds::JSON, kills / 4, seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_over_a_workbook_is_finished_by_the_next_one() {
    let (kills, seed) = asked();
    matrix(&kinds::XLSX, kills / 4, seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_over_tabs_is_finished_by_the_next_one() {
    let (kills, seed) = asked();
    matrix(&kinds::TSV, kills / 4, seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_over_json_lines_is_finished_by_the_next_one() {
    let (kills, seed) = asked();
    matrix(&kinds::LINES, kills / 4, seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_over_parquet_is_finished_by_the_next_one() {
    let (kills, seed) = asked();
    matrix(&kinds::PARQUET, kills / 4, seed).await;
}

/// Goes through all points until so many processes were killed.
async fn matrix(kind: &Kind, kills: u32, seed: u64) {
    let pair = Pair::in_step(STOCK).await;
    let more = json!({
        "name": "matrix", "left": {"file": kind.file}, "mode": "apply", "deletes": "delete",
        "maxDeletePercent": 100,
    });
    let arguments = pair.dataset(more);
    let stock: Model = (kinds::CSV.read)(STOCK.as_bytes()).into_iter().collect();
    pair.house.write(kind.file, (kind.write)(&stock));
    pair.house.ok("syncDataset", arguments.clone()).await;
    let mut model: Model = state(&pair, kind).await[0].clone();
    let mut random = StdRng::seed_from_u64(seed);
    let matrix: Vec<String> = POINTS
        .iter()
        .flat_map(|(name, times)| (1..=*times).map(move |time| format!("{name}:{time}")))
        .collect();
    let (mut killed, mut round) = (0, 0);
    let mut at: BTreeMap<String, u32> = BTreeMap::new();
    while killed < kills {
        round += 1;
        edit(&pair, kind, &mut model, &mut random, round).await;
        let turn = usize::try_from(round).unwrap() % (matrix.len() + 2);
        match matrix.get(turn) {
            Some(point) => {
                if kill::at(child(&pair, &arguments), point) {
                    killed += 1;
                    *at.entry(point.clone()).or_default() += 1;
                }
            }
            None => {
                let after = Duration::from_millis(random.random_range(20..250));
                kill::after(child(&pair, &arguments), after);
                killed += 1;
                *at.entry("any time".into()).or_default() += 1;
            }
        }
        if round % 3 == 0 && kill::at(child(&pair, &arguments), "settled:1") {
            killed += 1;
            *at.entry("settled:1".into()).or_default() += 1;
        }
        let report = pair.house.ok("syncDataset", arguments.clone()).await;
        assert!(["applied", "inStep"].contains(&report["state"].as_str().unwrap()), "{report:#}");
        let [file, sheet] = state(&pair, kind).await;
        assert_eq!(file, model, "the file after round {round}, {:?}", matrix.get(turn));
        assert_eq!(sheet, model, "the sheet after round {round}, {:?}", matrix.get(turn));
        let again = pair.house.ok("syncDataset", arguments.clone()).await;
        assert_eq!(again["state"], "inStep", "round {round}: {again:#}");
    }
    println!(
        "{}: killed {killed} times in {round} rounds: 0 lost, 0 doubled; at {at:?}",
        kind.file
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_dataset_take_turns() {
    let pair = Pair::in_step(STOCK).await;
    pair.file("sku,name,qty\nA,Apple,11\nB,Beet,20\nC,Corn,30\n");
    let arguments = pair.dataset(json!({"mode": "apply"}));
    let mut other = kill::start(child(&pair, &arguments), Some("sending:1"));
    assert!(kill::halted(&mut other));
    let error = pair.house.err("syncDataset", arguments.clone()).await;
    assert!(error.contains(&format!("process {}", other.id())), "{error}");
    assert!(error.contains("until 20") && error.contains("may succeed later"), "{error}");
    other.kill().unwrap();
    other.wait().unwrap();
    let report = pair.house.ok("syncDataset", arguments).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert!(report["next"].as_str().unwrap().contains("had been interrupted"), "{report:#}");
}
