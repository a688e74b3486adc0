//! Runs the scenarios and renders what comes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use lockstep_engine::conflict::Lost;
use lockstep_engine::dataset::{Policy, SideName};
use lockstep_engine::decision::{Choice, Decision, Decisions};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{Change, Reading, Reconciled, Reconciler, Side, feed};
use lockstep_engine::schema::{Column, ColumnType, Schema};
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};
use serde::Deserialize;

type Record = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Column names and types, in order: `name:type`.
    columns: Vec<String>,
    #[serde(default)]
    policy: toml::Table,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    policy: toml::Table,
    #[serde(default)]
    base: Vec<Record>,
    #[serde(default)]
    left: Vec<Record>,
    #[serde(default)]
    right: Vec<Record>,
    /// `side key [column]` to a time.
    #[serde(default)]
    times: BTreeMap<String, String>,
    /// `side key [column]` to a source.
    #[serde(default)]
    sources: BTreeMap<String, String>,
    #[serde(default)]
    now: Option<String>,
    #[serde(default)]
    tombstones: Option<Vec<String>>,
    #[serde(default)]
    read: BTreeMap<String, Reading>,
    /// What a person decided about the conflict of a key.
    #[serde(default)]
    decide: BTreeMap<String, Choice>,
    /// The decisions were made about another state.
    #[serde(default)]
    stale: bool,
    /// `side column`, for columns that a side turned out not to have.
    #[serde(default)]
    lacks: Vec<String>,
}

#[test]
fn scenarios_render_as_their_texts_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut seen = 0;
    let mut wrong = Vec::new();
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|kind| kind == "toml")) {
        let file: File = toml::from_str(&std::fs::read_to_string(path).unwrap())
            .unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let text = render(&file);
        seen += file.case.len();
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&golden, &text).unwrap();
        }
        if std::fs::read_to_string(&golden).ok().as_deref() != Some(&text) {
            wrong.push(format!("{}:\n{text}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 writes these; read them first", wrong.join("\n"));
    assert!(seen > 60, "{seen}");
}

fn render(file: &File) -> String {
    let column = |text: &String| {
        let (name, ty) = text.split_once(':').unwrap_or((text, "text"));
        let ty: ColumnType = serde_json::from_value(ty.into()).unwrap();
        Column::new(name, ty)
    };
    let columns: Vec<Column> = file.columns.iter().map(column).collect();
    let key = columns.iter().position(|column| column.name == "id").unwrap();
    let schema = Schema::new(columns, vec![key]);
    let mut out = String::new();
    for case in &file.case {
        let mut policy = file.policy.clone();
        policy.extend(case.policy.clone());
        writeln!(out, "## {}", case.name).unwrap();
        match policy.try_into::<Policy>().map_err(|error| error.message().to_owned()) {
            Err(error) => writeln!(out, "refused: {error}\n").unwrap(),
            Ok(policy) => match Terms::new(&schema, &policy) {
                Err(error) => writeln!(out, "refused: {error}\n").unwrap(),
                Ok(terms) => {
                    let lacking = |terms: Terms, place: &String| {
                        let (side, column) = place.split_once(' ').unwrap();
                        let side = if side == "left" { SideName::Left } else { SideName::Right };
                        terms.lacking(side, schema.position(column).unwrap())
                    };
                    run(&mut out, case, &schema, &case.lacks.iter().fold(terms, lacking));
                }
            },
        }
    }
    out
}

fn run(out: &mut String, case: &Case, schema: &Schema, terms: &Terms) {
    let table = |records: &[Record]| {
        let row = |record: &Record| -> Row {
            for name in record.keys() {
                assert!(schema.position(name).is_some(), "{}: no column '{name}'", case.name);
            }
            let cell = |column: &Column| {
                record.get(&column.name).map_or(Value::Null, |text| column.read(text))
            };
            schema.columns.iter().map(cell).collect()
        };
        Table::from_rows(schema, records.iter().map(row))
    };
    let (base, left, right) = (table(&case.base), table(&case.left), table(&case.right));
    let mut times = Times::default();
    times.now = case.now.as_ref().map(|now| now.parse().unwrap());
    for (place, what) in case.times.iter().chain(&case.sources) {
        let words: Vec<&str> = place.split(' ').collect();
        let side = if words[0] == "left" { SideName::Left } else { SideName::Right };
        let row = times.entry(Key::of(words[1]), side);
        let origin = match words.get(2) {
            Some(column) => row.cells.entry(schema.position(column).unwrap()).or_default(),
            None => &mut row.row,
        };
        match what.parse() {
            Ok(time) => origin.at = Some(time),
            Err(_) => origin.source = Some(what.as_str().into()),
        }
    }
    let reading = |name: &str, table| {
        let side = Side::complete(table);
        Side { reading: case.read.get(name).copied().unwrap_or(side.reading), ..side }
    };
    let tombstones: Option<BTreeSet<Key>> =
        case.tombstones.as_ref().map(|keys| keys.iter().map(|key| Key::of(key)).collect());
    let (l, r) = (reading("left", &left), reading("right", &right));
    let reconcile = |decisions: &Decisions| {
        let mut reconciler =
            Reconciler::new(terms, &times).readings(l.reading, r.reading).decisions(decisions);
        if let Some(tombstones) = &tombstones {
            reconciler = reconciler.tombstones(tombstones);
        }
        feed(&mut reconciler, Some(&base), l, r);
        reconciler.finish()
    };
    let open = reconcile(&Decisions::default());
    let decided = open.conflicts.iter().filter_map(|conflict| {
        let choice = case.decide.get(&conflict.key.to_string())?.clone();
        let digest = if case.stale { "another".into() } else { conflict.digest.clone() };
        Some((conflict.key.clone(), Decision { digest, choice }))
    });
    show(out, schema, &reconcile(&decided.collect()));
    out.push('\n');
}

fn show(out: &mut String, schema: &Schema, result: &Reconciled) {
    let name = |column: usize| schema.columns[column].name.as_str();
    let classes: Vec<String> =
        result.counts.classes.iter().map(|(class, n)| format!("{n} {class:?}")).collect();
    let outcomes: Vec<String> =
        result.counts.outcomes.iter().map(|(outcome, n)| format!("{n} {outcome:?}")).collect();
    writeln!(out, "{} -> {}", classes.join(", "), outcomes.join(", ")).unwrap();
    for (side, changes) in [("left", &result.left), ("right", &result.right)] {
        for change in changes {
            writeln!(out, "  {side}: {}", written(schema, change)).unwrap();
        }
    }
    for change in &result.base {
        match &change.after {
            Some(row) => {
                writeln!(out, "  base: {} = {}", change.key, cells(schema, row, 1..row.len()))
                    .unwrap()
            }
            None => writeln!(out, "  base: {} forgotten", change.key).unwrap(),
        }
    }
    for conflict in &result.conflicts {
        if conflict.cells.is_empty() {
            writeln!(out, "  conflict {}: {}", conflict.key, conflict.reason).unwrap();
        }
        for cell in &conflict.cells {
            let values = [&cell.base, &cell.left, &cell.right].map(quoted).join(" | ");
            writeln!(
                out,
                "  conflict {} {}: {values}: {}",
                conflict.key,
                name(cell.column),
                cell.reason
            )
            .unwrap();
        }
    }
    for loser in &result.losers {
        let lost = match &loser.lost {
            Lost::Cell { column, value } => format!("{} = {}", name(*column), quoted(value)),
            Lost::Row(row) => format!("row {}", cells(schema, row, 1..row.len())),
            Lost::Deletion => "its deletion".into(),
        };
        let source = loser.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
        writeln!(out, "  lost {} {}{source}: {lost} by {}", loser.key, loser.from, loser.rule)
            .unwrap();
    }
    for drift in &result.drift {
        let place = drift.column.map_or("row", name);
        let values = [&drift.expected, &drift.found].map(quoted).join(" but ");
        writeln!(out, "  drift {} {} {place}: {values}", drift.key, drift.side).unwrap();
    }
    for withheld in &result.withheld {
        writeln!(out, "  withheld {}: {:?}", withheld.key, withheld.reason).unwrap();
    }
}

fn written(schema: &Schema, change: &Change) -> String {
    let kind = format!("{:?}", change.kind).to_lowercase();
    match &change.after {
        Some(row) => {
            format!("{kind} {}: {}", change.key, cells(schema, row, change.cells.iter().copied()))
        }
        None => format!("{kind} {}", change.key),
    }
}

fn cells(schema: &Schema, row: &Row, columns: impl IntoIterator<Item = usize>) -> String {
    let cell = |index: usize| format!("{}={}", schema.columns[index].name, quoted(&row[index]));
    columns.into_iter().filter(|index| *index > 0).map(cell).collect::<Vec<_>>().join(" ")
}

fn quoted(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Text(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}
