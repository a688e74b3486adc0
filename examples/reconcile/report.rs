//! What came of a line, as JSON.

use lockstep_engine::conflict::{Conflict, ConflictKind, Loser, Lost, Withholding};
use lockstep_engine::dataset::SideName;
use lockstep_engine::reconcile::{Change, Reconciled};
use lockstep_engine::terms::Terms;
use lockstep_engine::value::{Row, Value};
use serde_json::{Map, Value as Json, json};

pub(crate) fn report(
    terms: &Terms,
    result: Reconciled,
    [base, left, right]: [Option<Row>; 3],
) -> Json {
    let after = |changes: &[Change], row: Option<Row>| match changes.first() {
        Some(change) => change.after.clone(),
        None => row,
    };
    let base = result.base.first().map_or(base, |change| change.after.clone());
    let kind = |changes: &[Change]| changes.first().map(|change| change.kind);
    let class = result.counts.classes.keys().next();
    json!({
        "class": class,
        "outcome": result.counts.outcomes.keys().next(),
        "left": shown(terms, Some(SideName::Left), after(&result.left, left).as_ref()),
        "right": shown(terms, Some(SideName::Right), after(&result.right, right).as_ref()),
        "base": shown(terms, None, base.as_ref()),
        "writes": {"left": kind(&result.left), "right": kind(&result.right)},
        "conflicts": result.conflicts.iter().flat_map(|conflict| conflicts(terms, conflict)).collect::<Vec<_>>(),
        "losers": result.losers.iter().map(|loser| lost(terms, loser)).collect::<Vec<_>>(),
        "drift": result.drift.iter().map(|drift| json!({
            "side": drift.side,
            "column": drift.column.map(|column| name(terms, column)),
            "expected": value(&drift.expected),
            "found": value(&drift.found),
        })).collect::<Vec<_>>(),
        "withheld": result.withheld.iter().map(|withheld| json!({"reason": match withheld.reason {
            Withholding::NotRead(SideName::Left) => "notReadLeft",
            Withholding::NotRead(SideName::Right) => "notReadRight",
            Withholding::NoMarkColumn(SideName::Left) => "noMarkColumnLeft",
            Withholding::NoMarkColumn(SideName::Right) => "noMarkColumnRight",
            Withholding::StaleDecision => "staleDecision",
        }})).collect::<Vec<_>>(),
    })
}

fn conflicts(terms: &Terms, conflict: &Conflict) -> Vec<Json> {
    if conflict.kind != ConflictKind::Cells {
        return vec![json!({
            "kind": conflict.kind,
            "base": shown(terms, None, conflict.base.as_ref()),
            "left": shown(terms, Some(SideName::Left), conflict.left.as_ref()),
            "right": shown(terms, Some(SideName::Right), conflict.right.as_ref()),
            "reason": conflict.reason,
            "digest": conflict.digest,
        })];
    }
    let cell = |cell: &lockstep_engine::conflict::CellConflict| {
        json!({
            "kind": conflict.kind,
            "column": name(terms, cell.column),
            "base": value(&cell.base),
            "left": value(&cell.left),
            "right": value(&cell.right),
            "reason": cell.reason,
            "digest": conflict.digest,
        })
    };
    conflict.cells.iter().map(cell).collect()
}

fn lost(terms: &Terms, loser: &Loser) -> Json {
    let mut object = Map::new();
    object.insert("from".into(), json!(loser.from));
    match &loser.lost {
        Lost::Cell { column, value: lost } => {
            object.insert("column".into(), json!(name(terms, *column)));
            object.insert("value".into(), value(lost));
        }
        Lost::Row(row) => {
            object.insert("row".into(), shown(terms, None, Some(row)));
        }
        Lost::Deletion => {
            object.insert("deleted".into(), json!(true));
        }
    }
    object.insert("rule".into(), json!(loser.rule));
    if let Some(source) = &loser.source {
        object.insert("source".into(), json!(source));
    }
    if let Some(at) = loser.at {
        object.insert("at".into(), json!(at.to_string()));
    }
    Json::Object(object)
}

/// Returns a row as an object, without the columns that the side does not have.
fn shown(terms: &Terms, side: Option<SideName>, row: Option<&Row>) -> Json {
    let Some(row) = row else { return Json::Null };
    let here = |column: usize| match side {
        Some(side) => terms.has(side, column),
        None => SideName::BOTH.iter().all(|side| terms.has(*side, column)),
    };
    let cells = terms.schema().columns.iter().zip(row).enumerate();
    let cells = cells.filter(|(index, _)| here(*index)).map(|(_, cell)| cell);
    Json::Object(cells.map(|(column, cell)| (column.name.clone(), value(cell))).collect())
}

fn name(terms: &Terms, column: usize) -> &str {
    terms.schema().columns.get(column).map_or("", |column| column.name.as_str())
}

/// Returns a value as JSON; a number that JSON readers would round as a string.
fn value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Number(number) => {
            let integer = number.to_string().parse::<i64>().ok().map(Json::from);
            integer
                .or_else(|| number.to_f64_exact().map(Json::from))
                .unwrap_or_else(|| json!(number.to_string()))
        }
        Value::List(items) => items.iter().map(self::value).collect(),
        other => json!(other.to_string()),
    }
}
