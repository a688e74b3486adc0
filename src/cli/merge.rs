//! `lockstep merge LEFT RIGHT --base BASE --key id`: the three-way merge of delimited files, by key and cell.
//!
//! Exit codes: 0 merged without conflict, 1 conflicts remain (the merged file holds the left side's cells there),
//! 2 trouble.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use lockstep_engine::{
    conflict::{CellConflict, Conflict, ConflictKind},
    dataset::{DeletePolicy, Deletes, Policy},
    schema::Schema,
    value::Row,
};
use serde_json::json;

use super::diff::{Format, Reading, Rows, finish, note};
use files::Files;

mod files;

/// The arguments of `lockstep merge`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The left file; the merged file has its columns and the order of its rows.
    left: PathBuf,
    /// The right file.
    right: PathBuf,
    /// What both files come from.
    #[arg(long, value_name = "FILE")]
    base: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// How cells changed differently on both sides are decided (left_priority, right_priority, latest_wins,
    /// automatic_merge, manual_review, …).
    #[arg(long, default_value = "manual_review")]
    strategy: String,
    /// How a deletion against a change is decided (hold, edit_wins, delete_wins, left, right, later).
    #[arg(long, default_value = "hold")]
    clash: String,
    /// How much of a row with an undecided cell waits (row, cell).
    #[arg(long, default_value = "row")]
    granularity: String,
    /// The column that says when a row was changed, for latest_wins.
    #[arg(long, value_name = "COLUMN")]
    modified_at: Option<String>,
    /// A whole policy (rules, priorities, columns) as JSON or TOML, instead of the options above; deleted rows are
    /// always left out of the merged file, whatever it says of deletes.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["strategy", "clash", "granularity", "modified_at"])]
    policy: Option<PathBuf>,
    /// Where the merged file goes (default: stdout); it is written aside and renamed.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How conflicts are printed to stderr: table or jsonl.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> ExitCode {
    finish("merge", merge(args))
}

fn merge(args: &Args) -> Result<bool, String> {
    let files = Files::read(&args.base, &args.left, &args.right, &args.reading)?;
    let mut policy = match &args.policy {
        Some(path) => read_policy(path)?,
        None => serde_json::from_value(json!({
            "strategy": args.strategy, "clash": args.clash, "granularity": args.granularity,
            "modifiedAt": args.modified_at,
        }))
        .map_err(|error| error.to_string())?,
    };
    policy.deletes = DeletePolicy::both(Deletes::Delete);
    let merged = files.reconcile(&policy)?;
    let text = files.write(&merged)?;
    match &args.output {
        Some(path) => replace(path, &text)?,
        None => {
            let mut out = io::stdout().lock();
            match out.write_all(&text).and_then(|()| out.flush()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(format!("stdout: {error}"));
                }
                _ => {}
            }
        }
    }
    for conflict in &merged.result.conflicts {
        match args.format {
            Format::Jsonl => note(&conflict_json(conflict, &files.schema).to_string()),
            Format::Summary => {}
            Format::Table | Format::Csv => note(&conflict_text(conflict, &files.schema)),
        }
    }
    for finding in &merged.findings {
        note(finding);
    }
    note(&merged.summary());
    Ok(merged.is_clean())
}

/// Shows what each side changed since base, and where they conflict; the work of `lockstep diff --base`.
pub(super) fn show(
    base: &Path,
    left: &Path,
    right: &Path,
    reading: &Reading,
    format: Format,
    limit: usize,
) -> Result<bool, String> {
    let files = Files::read(base, left, right, reading)?;
    let policy: Policy = serde_json::from_value(json!({ "deletes": "delete" }))
        .map_err(|error| error.to_string())?;
    let merged = files.reconcile(&policy)?;
    let header = ["side", "change", "key", "column", "base", "left", "right"];
    let lines = files.lines(&merged);
    let printed = match format {
        Format::Table => {
            let mut rows = Rows::new(&["", "side", "key", "column", "base", "left", "right"]);
            for [side, change, rest @ ..] in &lines {
                rows.push(
                    limit,
                    change,
                    std::iter::once(side.as_str()).chain(rest.iter().map(String::as_str)),
                );
            }
            rows.print()
        }
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(io::stdout());
            let written = writer
                .write_record(header)
                .and_then(|()| lines.iter().try_for_each(|line| writer.write_record(line)));
            written.map_err(io::Error::from).and_then(|()| writer.flush())
        }
        Format::Jsonl => {
            let mut out = io::stdout().lock();
            lines.iter().try_for_each(|line| {
                let object: serde_json::Map<_, _> = header
                    .iter()
                    .zip(line)
                    .map(|(name, text)| ((*name).to_owned(), json!(text)))
                    .collect();
                writeln!(out, "{}", serde_json::Value::Object(object))
            })
        }
        Format::Summary => Ok(()),
    };
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(format!("stdout: {error}"));
        }
        _ => {}
    }
    merged.findings.iter().for_each(|finding| note(finding));
    note(&merged.summary());
    Ok(merged.is_clean() && merged.result.is_quiet())
}

fn read_policy(path: &Path) -> Result<Policy, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    if path.extension().is_some_and(|extension| extension == "toml") {
        toml::from_str(&text).map_err(|error| failed(&error))
    } else {
        serde_json::from_str(&text).map_err(|error| failed(&error))
    }
}

/// Writes a file aside, makes it durable, and renames it into place.
fn replace(path: &Path, text: &[u8]) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut aside = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    aside
        .write_all(text)
        .and_then(|()| aside.as_file().sync_all())
        .map_err(|error| failed(&error))?;
    if let Ok(there) = fs::metadata(path) {
        // A temporary file is private; the one it replaces decides who may read the merged one.
        aside.as_file().set_permissions(there.permissions()).map_err(|error| failed(&error))?;
    }
    aside.persist(path).map_err(|error| failed(&error.error))?;
    Ok(())
}

fn conflict_text(conflict: &Conflict, schema: &Schema) -> String {
    let name = |column: usize| schema.columns.get(column).map_or("", |column| column.name.as_str());
    let what = match conflict.kind {
        ConflictKind::DeleteModify => "deleted on the left, changed on the right".to_owned(),
        ConflictKind::ModifyDelete => "changed on the left, deleted on the right".to_owned(),
        ConflictKind::Cells => {
            let cell = |c: &CellConflict| {
                format!(
                    "{}: {} (base), {} (left), {} (right)",
                    name(c.column),
                    c.base,
                    c.left,
                    c.right
                )
            };
            conflict.cells.iter().map(cell).collect::<Vec<_>>().join("; ")
        }
    };
    format!("conflict at {}: {what}", conflict.key)
}

fn conflict_json(conflict: &Conflict, schema: &Schema) -> serde_json::Value {
    let name = |column: usize| {
        schema.columns.get(column).map_or("", |column| column.name.as_str()).to_owned()
    };
    let row = |row: &Option<Row>| {
        row.as_ref().map(|row| {
            row.iter()
                .enumerate()
                .map(|(at, value)| (name(at), json!(value.to_string())))
                .collect::<serde_json::Map<_, _>>()
        })
    };
    let cells: Vec<_> = conflict.cells.iter().map(|cell| name(cell.column)).collect();
    json!({
        "conflict": conflict.kind, "key": conflict.key.to_string(), "columns": cells, "reason": conflict.reason,
        "base": row(&conflict.base), "left": row(&conflict.left), "right": row(&conflict.right),
    })
}
