//! Thousands of small stories: people edit both sides, servers sync, crash and come back, two at once.
//!
//! Every value names its row and column, so that a value in a wrong place shows; after each run that says it is done
//! both sides must hold exactly what people last said, whatever happened before.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lockstep::{app::App, error::Retry};
use lockstep_google::{
    CellFields, CellValue, CellWrite, Dimension, GridRange, Render, Request, SortKey,
};
use lockstep_workspace::{Effect, Faults, Rule};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::town::{Doomed, Town, call};

mod desk;

const COLUMNS: [&str; 2] = ["name", "note"];

/// What a person does to one side; rows are chosen by number, modulo those there are.
#[derive(Clone, Copy, Debug)]
enum Edit {
    Set { row: usize, column: usize },
    Add,
    Delete { row: usize },
}

#[derive(Clone, Copy)]
enum Step {
    Left(Edit),
    Right(Edit),
    /// Of a hub its other spoke; of a pair the left again.
    Other(Edit),
    /// Somebody sorts the sheet.
    Sort {
        descending: bool,
    },
    Sync {
        server: usize,
    },
    /// A server dies in the middle of a run, and another is started in its place.
    Crash {
        server: usize,
        polls: u32,
    },
    /// Both servers run at the same time.
    Together,
    /// Somebody decides one of the conflicts that wait.
    Decide {
        server: usize,
        at: usize,
        how: usize,
    },
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left(edit) => write!(f, "left {edit:?}"),
            Self::Right(edit) => write!(f, "right {edit:?}"),
            Self::Other(edit) => write!(f, "other {edit:?}"),
            Self::Sort { descending } => write!(f, "sort the sheet, descending: {descending}"),
            Self::Sync { server } => write!(f, "server {server} syncs"),
            Self::Crash { server, polls } => write!(f, "server {server} dies after {polls} polls"),
            Self::Together => write!(f, "both servers sync at once"),
            Self::Decide { at, how, .. } => write!(f, "conflict {at} is decided by way {how}"),
        }
    }
}

fn story(seed: u64) -> Vec<Step> {
    let mut random = StdRng::seed_from_u64(seed);
    let waits = Setting::of(seed).waits;
    // Where conflicts are the story, people meet on few rows.
    let rows = if waits { 2 } else { 100 };
    let edit = |random: &mut StdRng| match random.random_range(0..6) {
        0 => Edit::Delete { row: random.random_range(0..rows) },
        1 | 2 => Edit::Add,
        _ => Edit::Set {
            row: random.random_range(0..rows),
            column: random.random_range(0..COLUMNS.len()),
        },
    };
    let steps = random.random_range(6..14);
    (0..if waits { steps + 4 } else { steps })
        .map(|_| match random.random_range(0..12) {
            _ if waits && random.random_range(0..4) == 0 => Step::Decide {
                server: random.random_range(0..2),
                at: random.random_range(0..100),
                how: random.random_range(0..100),
            },
            0 | 1 => Step::Left(edit(&mut random)),
            2 => Step::Other(edit(&mut random)),
            3..=5 => Step::Right(edit(&mut random)),
            6 => Step::Sort { descending: random.random() },
            7 | 8 => Step::Sync { server: random.random_range(0..2) },
            9 | 10 => Step::Crash {
                server: random.random_range(0..2),
                polls: random.random_range(1..160),
            },
            _ => Step::Together,
        })
        .collect()
}

/// What kind of dataset a story is about.
#[derive(Clone, Copy, Debug)]
struct Setting {
    /// A hub and two spokes, not a pair.
    hub: bool,
    /// Conflicts wait for a person; else the policy decides them.
    waits: bool,
}

impl Setting {
    /// Returns the setting of a seed's story: every third is of a hub, every fourth waits for people.
    fn of(seed: u64) -> Self {
        Self { hub: seed % 3 == 2, waits: seed % 4 == 3 }
    }
}

type Rows = BTreeMap<String, [String; 2]>;

/// What people did since the last run that was done.
#[derive(Default)]
struct Pending {
    /// What was said of a cell: the last word of a side, every word of the desk.
    cells: BTreeMap<(String, usize), Vec<String>>,
    deleted: BTreeSet<String>,
    touched: BTreeSet<String>,
}

struct World<'a> {
    town: &'a Town,
    servers: [App; 2],
    book: String,
    sheet: i32,
    /// The left; of a hub the two spokes.
    files: Vec<std::path::PathBuf>,
    dataset: Value,
    agreed: Rows,
    /// Of the first file, the sheet, the second file and the desk.
    pending: [Pending; desk::DESK + 1],
    waits: bool,
    next: u32,
}

impl<'a> World<'a> {
    /// Starts with a pair, or with a hub whose spokes are two files.
    async fn new(town: &'a Town, name: &str, setting: Setting) -> World<'a> {
        let Setting { hub, waits } = setting;
        let (book, sheet) = town.spreadsheet("stock").await;
        let names = [format!("{name}.csv"), format!("{name}-other.csv")];
        let names = if hub { &names[..] } else { &names[..1] };
        let files: Vec<_> = names.iter().map(|name| town.files().join(name)).collect();
        for file in &files {
            std::fs::write(file, "sku,name,note\n").unwrap();
        }
        let mut dataset = json!({
            "name": name, "key": ["sku"],
            "deletes": "delete", "maxDeletePercent": 100, "mode": "apply", "sample": 0,
            "override": ["emptied"], "policy": {"strategy": "leftPriority", "clash": "editWins"},
        });
        if waits {
            dataset["policy"] = json!({"strategy": "manualReview"});
        }
        let sheet_side = json!({"spreadsheetId": book, "sheet": "stock"});
        if hub {
            // Of two spokes that say something else neither is left or right.
            if !waits {
                let priorities = json!({"hub": 3, "spoke0": 2, "spoke1": 1});
                dataset["policy"] = json!({"strategy": "priorityBased", "priorities": priorities, "clash": "editWins"});
            }
            dataset["hub"] = sheet_side;
            let spoke = |(at, name): (usize, &String)| json!({"name": format!("spoke{at}"), "file": name, "deletes": "delete"});
            dataset["spokes"] = names.iter().enumerate().map(spoke).collect();
        } else {
            (dataset["left"], dataset["right"]) = (json!({"file": names[0]}), sheet_side);
            dataset["direction"] = json!("both");
        }
        let servers = [town.server().await, town.server().await];
        let pending = Default::default();
        let mut world = World {
            town,
            servers,
            book,
            sheet,
            files,
            dataset,
            agreed: Rows::new(),
            pending,
            waits,
            next: 0,
        };
        for _ in 0..4 {
            world.file(0, Edit::Add);
        }
        world
    }

    fn read_file(&self, at: usize) -> Result<Rows, String> {
        let text = std::fs::read_to_string(&self.files[at]).unwrap();
        let mut rows = Rows::new();
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let cell = |at: usize| cells.get(at).copied().unwrap_or_default().to_owned();
            if rows.insert(cell(0), [cell(1), cell(2)]).is_some() {
                return Err(format!("the key {} is doubled in the file {at}", cell(0)));
            }
        }
        Ok(rows)
    }

    async fn grid(&self) -> Vec<Vec<CellValue>> {
        let range = ["'stock'".to_owned()];
        let found = self.town.people.values(&self.book, &range, Render::Unformatted).await.unwrap();
        found.into_iter().next().map(|range| range.rows).unwrap_or_default()
    }

    async fn read_sheet(&self) -> Result<Rows, String> {
        let mut rows = Rows::new();
        for row in self.grid().await.iter().skip(1) {
            let cell = |at: usize| match row.get(at) {
                Some(CellValue::Text(text)) => text.clone(),
                _ => String::new(),
            };
            if cell(0).is_empty() && cell(1).is_empty() && cell(2).is_empty() {
                continue;
            }
            if rows.insert(cell(0), [cell(1), cell(2)]).is_some() {
                return Err(format!("the key {:?} is doubled on the sheet", cell(0)));
            }
        }
        Ok(rows)
    }

    /// Makes up a value that says where it belongs.
    fn value(&mut self, key: &str, column: usize) -> String {
        self.next += 1;
        format!("{key}.{}.{}", COLUMNS[column], self.next)
    }

    fn write_file(&self, at: usize, rows: &Rows) {
        let mut text = String::from("sku,name,note\n");
        for (key, [name, note]) in rows {
            text.push_str(&format!("{key},{name},{note}\n"));
        }
        std::fs::write(&self.files[at], text).unwrap();
    }

    fn file(&mut self, at: usize, edit: Edit) {
        let side = at * 2;
        let Ok(mut rows) = self.read_file(at) else { return };
        let keys: Vec<String> = rows.keys().cloned().collect();
        match edit {
            Edit::Add => {
                self.next += 1;
                let key = format!("L{}", self.next);
                let row = [self.value(&key, 0), self.value(&key, 1)];
                self.note(side, &key, &row);
                rows.insert(key, row);
            }
            Edit::Set { row, column } if !keys.is_empty() => {
                let key = keys[row % keys.len()].clone();
                let value = self.value(&key, column);
                self.pending[side].cells.insert((key.clone(), column), vec![value.clone()]);
                self.pending[side].touched.insert(key.clone());
                rows.get_mut(&key).unwrap()[column] = value;
            }
            Edit::Delete { row } if keys.len() > 2 => {
                let key = &keys[row % keys.len()];
                rows.remove(key);
                self.gone(side, key);
            }
            _ => return,
        }
        self.write_file(at, &rows);
    }

    fn note(&mut self, side: usize, key: &str, row: &[String; 2]) {
        for (column, value) in row.iter().enumerate() {
            self.pending[side].cells.insert((key.to_owned(), column), vec![value.clone()]);
        }
        self.pending[side].touched.insert(key.to_owned());
    }

    fn gone(&mut self, side: usize, key: &str) {
        self.pending[side].deleted.insert(key.to_owned());
        self.pending[side].touched.remove(key);
        self.pending[side].cells.retain(|(of, _), _| of != key);
    }

    async fn people(&self, request: Request) {
        self.town.people.batch_update(&self.book, &[request], &[]).await.unwrap();
    }

    async fn right(&mut self, edit: Edit) {
        let grid = self.grid().await;
        if grid.is_empty() {
            return;
        }
        let key = |row: usize| match grid[row].first() {
            Some(CellValue::Text(key)) => key.clone(),
            _ => String::new(),
        };
        let filled: Vec<usize> = (1..grid.len()).filter(|row| !key(*row).is_empty()).collect();
        let write = |row: usize, column: u32, values: &[String]| Request::UpdateCells {
            sheet: self.sheet,
            row: u32::try_from(row).unwrap(),
            column,
            rows: vec![values.iter().map(|text| CellWrite::text(text.clone())).collect()],
            fields: CellFields::Values,
        };
        match edit {
            Edit::Add => {
                self.next += 1;
                let key = format!("R{}", self.next);
                let row = [self.value(&key, 0), self.value(&key, 1)];
                self.note(1, &key, &row);
                let [name, note] = row;
                self.people(Request::UpdateCells {
                    sheet: self.sheet,
                    row: u32::try_from(grid.len()).unwrap(),
                    column: 0,
                    rows: vec![[key, name, note].into_iter().map(CellWrite::text).collect()],
                    fields: CellFields::Values,
                })
                .await;
            }
            Edit::Set { row, column } if !filled.is_empty() => {
                let row = filled[row % filled.len()];
                let key = key(row);
                let request = {
                    let value = format!("{key}.{}.{}", COLUMNS[column], self.next + 1);
                    write(row, u32::try_from(column + 1).unwrap(), &[value])
                };
                let value = self.value(&key, column);
                self.pending[1].cells.insert((key.clone(), column), vec![value]);
                self.pending[1].touched.insert(key);
                self.people(request).await;
            }
            Edit::Delete { row } if filled.len() > 2 => {
                let row = filled[row % filled.len()];
                let start = u32::try_from(row).unwrap();
                let (sheet, dimension) = (self.sheet, Dimension::Rows);
                self.people(Request::DeleteDimension { sheet, dimension, start, end: start + 1 })
                    .await;
                self.gone(1, &key(row));
            }
            _ => {}
        }
    }

    async fn sort(&self, descending: bool) {
        let rows = u32::try_from(self.grid().await.len()).unwrap();
        if rows < 3 {
            return;
        }
        let range = GridRange {
            sheet: self.sheet,
            start_row: Some(1),
            end_row: Some(rows),
            start_column: Some(0),
            end_column: Some(3),
        };
        self.people(Request::SortRange { range, keys: vec![SortKey { column: 1, descending }] })
            .await;
    }

    /// Checks what a run that says it is done left behind.
    async fn check(&mut self) -> Result<(), String> {
        let (file, sheet) = (self.read_file(0)?, self.read_sheet().await?);
        for at in 0..self.files.len() {
            let file = self.read_file(at)?;
            if file != sheet {
                return Err(format!(
                    "done, and the sides differ:\n file {at} {file:?}\n sheet {sheet:?}"
                ));
            }
        }
        let keys: BTreeSet<&String> = self
            .agreed
            .keys()
            .chain(file.keys())
            .chain(self.pending.iter().flat_map(|side| &side.touched))
            .collect();
        for key in keys {
            let gone = self.pending.iter().any(|side| side.deleted.contains(key));
            let touched = self.pending.iter().any(|side| side.touched.contains(key));
            let either = gone && touched;
            let Some(row) = file.get(key) else {
                if gone {
                    continue;
                }
                return Err(format!("the row {key} is lost"));
            };
            if gone && !either {
                return Err(format!("the row {key} came back: {row:?}"));
            }
            for (column, value) in row.iter().enumerate() {
                if !value.starts_with(&format!("{key}.{}.", COLUMNS[column])) {
                    return Err(format!("the row {key} holds {value:?} in {}", COLUMNS[column]));
                }
                let said: Vec<&String> = self
                    .pending
                    .iter()
                    .filter_map(|side| side.cells.get(&(key.clone(), column)))
                    .flatten()
                    .collect();
                let before = self.agreed.get(key).map(|row| &row[column]);
                let fine = match said.as_slice() {
                    [] => either || before == Some(value),
                    said => said.contains(&value),
                };
                if !fine {
                    return Err(format!(
                        "the row {key} holds {value:?} in {}; people said {said:?}, before was {before:?}",
                        COLUMNS[column]
                    ));
                }
            }
        }
        self.agreed = file;
        self.pending = Default::default();
        Ok(())
    }

    /// Takes the answer of a run; checks the world if it says that it is done.
    async fn answered(
        &mut self,
        answer: Result<Value, lockstep::error::Error>,
    ) -> Result<(), String> {
        match answer {
            Ok(report) => {
                let state = report["state"].as_str().unwrap_or_default();
                // Rows that had changed meanwhile wait for the next run.
                if state == "partial" && report["unconfirmed"].is_array() {
                    return Ok(());
                }
                if state != "applied" && state != "inStep" {
                    return Err(format!("the run ended {state}: {report:#}"));
                }
                if self.waits && self.check_waiting(&report).await? {
                    return Ok(());
                }
                self.check().await
            }
            Err(error)
                if error.retry() == Retry::Permanent
                    && error.kind() != lockstep::error::Kind::Changed =>
            {
                Err(error.to_string())
            }
            Err(_) => Ok(()),
        }
    }

    async fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Left(edit) => self.file(0, edit),
            Step::Other(edit) => self.file(self.files.len() - 1, edit),
            Step::Right(edit) => self.right(edit).await,
            Step::Sort { descending } => self.sort(descending).await,
            Step::Sync { server } => {
                let answer = call(&self.servers[server], "syncDataset", self.dataset.clone()).await;
                self.answered(answer).await?;
            }
            Step::Crash { server, polls } => {
                let app = &self.servers[server];
                let run = call(app, "syncDataset", self.dataset.clone());
                let answer = Doomed::new(run, polls).await;
                match answer {
                    Some(answer) => self.answered(answer).await?,
                    None => self.servers[server] = self.town.server().await,
                }
            }
            Step::Together => {
                let [one, two] = &self.servers;
                let (first, second) = tokio::join!(
                    call(one, "syncDataset", self.dataset.clone()),
                    call(two, "syncDataset", self.dataset.clone()),
                );
                self.answered(first).await?;
                self.answered(second).await?;
            }
            Step::Decide { server, at, how } => self.decide(server, at, how).await?,
        }
        Ok(())
    }
}

/// Plays a story to its end, where a last run must come to be done.
async fn play(town: &Town, name: &str, setting: Setting, steps: &[Step]) -> Result<(), String> {
    let mut world = World::new(town, name, setting).await;
    for step in steps {
        world.step(*step).await?;
    }
    for _ in 0..40 {
        let answer = call(&world.servers[0], "syncDataset", world.dataset.clone()).await;
        let done = answer.as_ref().is_ok_and(|report| report["state"] != "partial");
        world.answered(answer).await?;
        if done && !world.decide_all().await? {
            return Ok(());
        }
    }
    Err("no run came to an end".into())
}

/// Leaves out what a failing story does not need, and returns it with how it fails.
async fn shrink(
    town: &Town,
    seed: u64,
    mut steps: Vec<Step>,
    mut why: String,
) -> (Vec<Step>, String) {
    let mut at = 0;
    while at < steps.len() {
        let mut fewer = steps.clone();
        fewer.remove(at);
        let name = format!("shrunk-{seed}-{}-{at}", steps.len());
        match play(town, &name, Setting::of(seed), &fewer).await {
            Err(reason) => (steps, why) = (fewer, reason),
            Ok(()) => at += 1,
        }
    }
    (steps, why)
}

fn faults() -> Faults {
    let rule = |effect, after: bool| {
        let rule = Rule::new(effect).on("/v4/spreadsheets/");
        Rule { probability: 0.01, ..if after { rule.after() } else { rule } }
    };
    Faults {
        seed: 5,
        rules: vec![
            rule(Effect::Reset, false),
            rule(Effect::Reset, true),
            rule(Effect::Unavailable, false),
            rule(Effect::Truncate, true),
        ],
        ..Faults::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_a_run_that_is_done_holds_what_people_said() {
    let seeds: u64 = std::env::var("LOCKSTEP_SEEDS").map_or(2_000, |text| text.parse().unwrap());
    let first: u64 = std::env::var("LOCKSTEP_SEED").map_or(0, |text| text.parse().unwrap());
    let next = Arc::new(AtomicU64::new(first));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let next = Arc::clone(&next);
        workers.spawn(async move {
            let town = Town::new(faults()).await;
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= first + seeds {
                    return;
                }
                let steps = story(seed);
                let name = format!("seed-{seed}");
                if let Err(why) = play(&town, &name, Setting::of(seed), &steps).await {
                    let (steps, why) = shrink(&town, seed, steps, why).await;
                    let told: Vec<String> =
                        steps.iter().map(|step| format!("  {step:?}")).collect();
                    panic!("seed {seed}: {why}\nthe shrunk story:\n{}", told.join("\n"));
                }
            }
        });
    }
    let started = std::time::Instant::now();
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    let decisions = desk::DECISIONS.load(Ordering::Relaxed);
    assert!(decisions > 0 || seeds < 100, "nobody had anything to decide");
    println!(
        "{seeds} seeds from {first} in {:.0?}, {decisions} conflicts decided by people: every invariant held",
        started.elapsed()
    );
}
