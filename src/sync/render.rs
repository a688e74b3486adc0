//! A plan as people read it: a Markdown page, and a CSV with every change.

use std::{borrow::Cow, fmt::Write as _};

use lockstep_engine::{
    plan::{Disagreement, Plan},
    reconcile::{Change, ChangeKind},
    value::{Row, Value},
};

use super::{
    describe::{kind, shown},
    hidden::Hidden,
};
use crate::{
    error::{Error, Result},
    principal::Limits,
    replica::file::people::safe,
};

/// How many changes of a side the Markdown page shows.
const SHOWN: u32 = 50;

/// Returns a plan as a Markdown page; every change is in [`csv`].
pub(crate) fn markdown(plan: &Plan, hidden: &Hidden, limits: Limits) -> String {
    let most = limits.page(SHOWN) as usize;
    let body = plan.body();
    let mut page = format!("# Plan {} of {}\n", plan.id(), plain(&body.basis.dataset));
    for halt in &body.halts {
        let _ = write!(
            page,
            "\n**Halted** for {}: {}\n",
            plain(&halt.side),
            plain(&hidden.words(halt.message.clone()))
        );
    }
    for member in &body.result.members {
        let (side, writes) = (plain(&member.name), &member.changes);
        if writes.is_empty() {
            continue;
        }
        let _ = write!(page, "\n## {} rows to write on the {side}\n\n", writes.len());
        page.push_str("| what | key | column | before | after |\n|---|---|---|---|---|\n");
        for change in writes.iter().take(most) {
            for [what, key, column, before, after] in lines(plan, change, hidden, shown) {
                let cells = [what, key, column, before, after].map(|text| plain(&text));
                let _ = writeln!(page, "| {} |", cells.join(" | "));
            }
        }
        if writes.len() > most {
            let _ = write!(page, "\nand {} more rows: see the CSV.\n", writes.len() - most);
        }
    }
    if plan.is_quiet() {
        page.push_str("\nNothing to write: the sides agree.\n");
    }
    if !body.result.conflicts.is_empty() {
        let _ = write!(page, "\n## {} conflicts\n\n", body.result.conflicts.len());
        for conflict in body.result.conflicts.iter().take(most) {
            let (key, reason) = match conflict {
                Disagreement::Pair(conflict) => (&conflict.key, &conflict.reason),
                Disagreement::Hub(conflict) => (&conflict.key, &conflict.reason),
            };
            let key = plain(&hidden.key(key.to_string()));
            let reason = plain(&hidden.quote(reason.to_string()));
            let _ = writeln!(page, "- {key}: {reason}");
        }
    }
    page
}

/// Returns every change of a plan as CSV: side, kind, key, column, before, after; one line for each cell.
///
/// For people no cell is a formula to the program that they open it with.
///
/// # Errors
/// Never in practice: memory is the only thing that is written to.
pub(crate) fn csv(plan: &Plan, hidden: &Hidden, for_people: bool) -> Result<String> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::internal(format!("the plan cannot be written as CSV: {error}"))
    };
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer
        .write_record(["side", "kind", "key", "column", "before", "after"])
        .map_err(|error| failed(&error))?;
    let whole = |value: &Value| if value.is_null() { String::new() } else { value.to_string() };
    for member in &plan.body().result.members {
        for change in &member.changes {
            for [what, key, column, before, after] in lines(plan, change, hidden, whole) {
                let record = [&*member.name, &what, &key, &column, &before, &after];
                let cell = |text| if for_people { safe(text) } else { Cow::Borrowed(text) };
                writer
                    .write_record(record.map(|text| cell(text).into_owned()))
                    .map_err(|error| failed(&error))?;
            }
        }
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|error| failed(&error))
}

/// Returns a line for each cell of a change; for a deleted row each cell that it had.
fn lines(
    plan: &Plan,
    change: &Change,
    hidden: &Hidden,
    show: impl Fn(&Value) -> String,
) -> Vec<[String; 5]> {
    let columns = &plan.body().basis.schema.columns;
    let all: Vec<usize> = (0..columns.len()).collect();
    let cells = if change.kind == ChangeKind::Delete { &*all } else { &*change.cells };
    let value = |row: &Option<Row>, at: usize| {
        let value = row.as_ref().and_then(|row| row.get(at)).unwrap_or(&Value::Null);
        let name = columns.get(at).map_or("", |column| column.name.as_str());
        hidden.hash(name, value).unwrap_or_else(|| hidden.value(name, show(value)))
    };
    let line = |at: &usize| {
        let name = columns.get(*at)?.name.clone();
        let (before, after) = (value(&change.before, *at), value(&change.after, *at));
        let key = hidden.key(change.key.to_string());
        Some([kind(change.kind).to_owned(), key, name, before, after])
    };
    cells.iter().filter_map(line).collect()
}

/// Returns text that Markdown shows as it is, on one line.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => plain.push(' '),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => {
                plain.push('\\');
                plain.push(c);
            }
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lockstep_engine::{
        key::Key,
        plan::{Basis, Body},
        reconcile::Reconciled,
        schema::{Column, ColumnType, Schema},
    };

    use super::*;
    use crate::principal::Role;

    fn plan() -> Plan {
        let row = |text: &str| Some(Row::from([Value::from("k"), Value::text(text)]));
        let change = |kind, before, after, cells: Vec<usize>| Change {
            key: Key::of("k"),
            kind,
            before,
            after,
            cells: cells.into(),
            row: None,
        };
        Plan::new(Body {
            basis: Basis {
                dataset: "prices".into(),
                definition: "0123".into(),
                bases: BTreeMap::new(),
                content: [("left".to_owned(), "l".to_owned())].into(),
                schema: Schema::new(
                    vec![
                        Column::new("id", ColumnType::Text),
                        Column::new("no|te", ColumnType::Text),
                    ],
                    vec![0],
                ),
            },
            result: Reconciled {
                left: vec![change(ChangeKind::Delete, row("gone"), None, vec![])],
                right: vec![change(ChangeKind::Update, row("a\nb"), row("*c*,\"d\""), vec![1])],
                ..Reconciled::default()
            }
            .into(),
            findings: vec![],
            halts: vec![],
        })
    }

    #[test]
    fn the_csv_has_every_cell_exactly() {
        assert_eq!(
            csv(&plan(), &Hidden::default(), false).unwrap(),
            "side,kind,key,column,before,after\n\
             left,delete,k,id,k,\n\
             left,delete,k,no|te,gone,\n\
             right,update,k,no|te,\"a\nb\",\"*c*,\"\"d\"\"\"\n"
        );
    }

    #[test]
    fn cell_text_cannot_break_the_table() {
        let page = markdown(&plan(), &Hidden::default(), Limits::new(Role::Admin, None, None));
        assert!(page.starts_with("# Plan ") && page.contains(" of prices\n"), "{page}");
        assert!(page.contains("| update | k | no\\|te | a b | \\*c\\*,\"d\" |"), "{page}");
    }
}
