//! Random rules and policies: what is refused names a place, what is accepted decides without a panic, within its
//! limits, and the same each time.

use std::time::{Duration, Instant};

use lockstep_engine::conflict::{Conflict, Loser};
use lockstep_engine::dataset::{Policy, SideName};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{Side, reconcile};
use lockstep_engine::schema::{Column, ColumnType, Schema};
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::Row;
use serde_json::json;

use crate::TYPES;
use crate::random::{Random, run};

const PIECES: [&str; 72] = [
    "left",
    "right",
    "base",
    "now",
    "column",
    ".number",
    ".text",
    ".list",
    ".date",
    ".bool",
    ".dateTime",
    "[column]",
    "[\"number\"]",
    "[\"text\"]",
    "[0]",
    "[-1]",
    "[99]",
    "left.number",
    "right.number",
    "base.text",
    "right.list",
    "left.date",
    "1",
    "0",
    "2.50",
    "-1",
    "9223372036854775807",
    "79228162514264337593543950335",
    "0.0000000000000000000000000001",
    "1e5",
    "\"x\"",
    "\"\"",
    "\"2024-01-15\"",
    "'c'",
    "`a ${left.number} b`",
    "true",
    "()",
    "[]",
    "#{}",
    "[1, 2]",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "==",
    "!=",
    "<",
    ">=",
    "&&",
    "||",
    "!",
    "??",
    "?.",
    "in",
    "..",
    "(",
    ")",
    "{",
    "}",
    ",",
    ";",
    "if left.bool {",
    "} else {",
    "len(",
    "round(",
    "contains(",
    "seconds_between(",
    "let x = 1;",
    "|x| x",
    "é",
];

const VALID: [&str; 16] = [
    "(left.number + right.number) / 2",
    "left.number > right.number && base.number == 1",
    "len(left.list) == 2",
    "left.text + \" & \" + right.text",
    "days_between(\"2026-01-01\", now)",
    "left[column] ?? right[column]",
    "if is_blank(left.text) { right.text } else { left.text }",
    "round(left.number * 1.19, 2)",
    "max(left.number, right.number)",
    "contains(left.list, \"a\") || \"b\" in right.list",
    "left.date < right.date",
    "seconds_between(left.dateTime, right.dateTime) > 60",
    "upper(trim(left.text)).starts_with(\"A\")",
    "!left.bool",
    "text(left.number) + left.text",
    "[left.text, right.text]",
];

const CELLS: [&str; 20] = [
    "",
    "1",
    "2.5",
    "-7",
    "79228162514264337593543950335",
    "1e400",
    "0.00000000000000000000000000000000001",
    "n/a",
    "true",
    "no",
    "2024-01-15",
    "2024-02-30",
    "-9999-01-01",
    "10:30",
    "2024-01-15T10:00:00+02:00",
    "9999-12-31T23:59:59",
    "a, b",
    "[\"x\", 1, [2]]",
    "\u{1f600}e\u{301}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

fn schema() -> Schema {
    let mut columns = vec![Column::new("id", ColumnType::Text)];
    columns.extend(TYPES.iter().map(|ty| Column::new(ty.to_string(), *ty)));
    Schema::new(columns, vec![0])
}

/// Pieces in any order, a valid expression with a few characters changed, or one nested or repeated beyond the limits.
fn expression(random: &mut Random) -> String {
    match random.below(8) {
        0..4 => (0..random.below(12)).map(|_| random.pick(&PIECES).to_owned() + " ").collect(),
        4..7 => {
            let mut text: Vec<String> = random.pick(&VALID).chars().map(String::from).collect();
            for _ in 0..random.below(4) {
                let at = random.below(text.len());
                match random.below(4) {
                    0 => text.insert(at, random.pick(&PIECES).to_owned()),
                    1 => text[at] = random.pick(&PIECES).to_owned(),
                    2 => text[at].extend(char::from_u32(random.next() as u32 & 0x1f_ffff)),
                    _ => drop(text.remove(at)),
                }
            }
            text.concat()
        }
        _ => {
            let inner = random.pick(&VALID);
            let often = random.below(600);
            match random.below(4) {
                0 => format!("{}{inner}{}", "(".repeat(often), ")".repeat(often)),
                1 => format!("{}{inner}", "!".repeat(often)),
                2 => vec![inner; often].join(random.pick(&[" + ", " && ", " ?? ", " == "])),
                _ => format!("{}1{}", "[".repeat(often), "]".repeat(often)),
            }
        }
    }
}

fn policy(random: &mut Random) -> serde_json::Value {
    let kinds = ["fieldPriority", "sourcePriority", "valueBased", "timeBased"];
    let names = ["number", "text", "list", "date", "id", "none"];
    let rules: Vec<_> = (0..1 + random.below(3))
        .map(|_| {
            let mut rule = json!({ "type": random.pick(&kinds) });
            let mut put = |name: &str, value: serde_json::Value| rule[name] = value;
            if random.below(2) == 0 {
                put("fields", json!([random.pick(&names)]));
            }
            if random.below(3) == 0 {
                put("sources", json!([random.pick(&["left", "crm"])]));
            }
            if random.below(2) == 0 {
                put("when", expression(random).into());
            }
            match random.below(4) {
                0 => {
                    put("action", "preferSource".into());
                    put("prefer", random.pick(&["left", "right", "crm"]).into());
                }
                1 => put("action", "useLatest".into()),
                2 => {
                    put("action", "mergeFields".into());
                    let ways = ["sum", "max", "min", "union", "concat", "set", "fill"];
                    put("merge", random.pick(&ways).into());
                }
                _ => {
                    put("action", "calculate".into());
                    put("expression", expression(random).into());
                }
            }
            if random.below(6) == 0 {
                put("maxAgeSeconds", (random.next() as u32).into());
            }
            rule
        })
        .collect();
    let granularity = random.pick(&["row", "cell"]);
    json!({ "strategy": "ruleBased", "granularity": granularity, "rules": rules })
}

fn table(random: &mut Random, schema: &Schema) -> Table {
    let mut row: Vec<_> =
        schema.columns.iter().map(|column| column.read(random.pick(&CELLS))).collect();
    row[0] = "k".into();
    Table::from_rows(schema, [Row::from(row)])
}

fn times(random: &mut Random) -> Times {
    let mut times = Times::default();
    let at = |random: &mut Random| {
        (random.below(3) > 0)
            .then(|| jiff::Timestamp::from_second(random.next() as i64 >> 28).ok())
            .flatten()
    };
    times.now = at(random);
    for side in SideName::BOTH {
        let origins = times.entry(Key::of("k"), side);
        origins.row.at = at(random);
        origins.row.source = (random.below(2) == 0).then(|| "crm".into());
    }
    times
}

#[test]
fn rules() {
    let schema = schema();
    let (mut accepted, mut decided) = (0u64, 0u64);
    run(|random| {
        let mut text = serde_json::to_vec(&policy(random)).unwrap();
        // Sometimes the policy's own text is damaged.
        if random.below(8) == 0 {
            for _ in 0..1 + random.below(3) {
                let at = random.below(text.len());
                text[at] = random.next() as u8;
            }
        }
        let Ok(policy) = serde_json::from_slice::<Policy>(&text)
            .map_err(|error| assert!(!error.to_string().is_empty()))
        else {
            return;
        };
        let start = Instant::now();
        let terms = match Terms::new(&schema, &policy) {
            Ok(terms) => terms,
            Err(error) => return assert!(!error.to_string().is_empty()),
        };
        accepted += 1;
        let tables = [0, 1, 2].map(|_| table(random, &schema));
        let times = times(random);
        let [base, left, right] = &tables;
        let decide = || {
            let (left, right) = (Side::complete(left), Side::complete(right));
            reconcile(Some(base), left, right, &terms, &times)
        };
        let result = decide();
        assert_eq!(result, decide());
        let by_rule = |loser: &Loser| loser.rule.starts_with("rule:");
        decided += u64::from(result.losers.iter().any(by_rule));
        for Conflict { cells, .. } in &result.conflicts {
            assert!(cells.iter().all(|cell| !cell.reason.is_empty()));
        }
        for change in result.left.iter().chain(&result.right) {
            for (value, column) in change.after.iter().flatten().zip(&schema.columns) {
                assert_eq!(&column.read(&value.to_string()), value, "canonical text of {column:?}");
            }
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{}", String::from_utf8_lossy(&text));
    });
    println!("{accepted} policies accepted, {decided} of them decided by a rule");
}
