//! Prints the changes of a diff: a table for people, CSV and JSON Lines for programs.

use std::io::{self, BufWriter, IsTerminal, Write};

use comfy_table::Table;
use lockstep_engine::{
    diff::{Change, ChangeKind},
    schema::Schema,
};
use serde_json::{Map, Value, json};

use super::Format;

/// Prints changes as they come.
pub(super) struct Printer {
    schema: Schema,
    kind: Kind,
}

enum Kind {
    Table { rows: Box<Rows>, limit: usize },
    Csv(Box<csv::Writer<io::Stdout>>),
    Jsonl(BufWriter<io::Stdout>),
    Nothing,
}

impl Printer {
    pub(super) fn new(format: Format, schema: &Schema, limit: usize) -> Printer {
        let kind = match format {
            Format::Table => Kind::Table {
                rows: Box::new(Rows::new(&["", "key", "column", "left", "right"])),
                limit,
            },
            Format::Csv => Kind::Csv(Box::new(csv::Writer::from_writer(io::stdout()))),
            Format::Jsonl => Kind::Jsonl(BufWriter::new(io::stdout())),
            Format::Summary => Kind::Nothing,
        };
        let mut printer = Printer { schema: schema.clone(), kind };
        if let Kind::Csv(writer) = &mut printer.kind {
            let keys = schema
                .key
                .iter()
                .filter_map(|&key| schema.columns.get(key))
                .map(|column| column.name.as_str());
            // A header that cannot be written shows again at the first change or at the end.
            let _ = writer.write_record(
                ["change"].into_iter().chain(keys).chain(["column", "left", "right"]),
            );
        }
        printer
    }

    pub(super) fn change(&mut self, change: &Change) -> io::Result<()> {
        let word = match change.kind {
            ChangeKind::Insert => "insert",
            ChangeKind::Update => "update",
            ChangeKind::Delete => "delete",
        };
        let schema = &self.schema;
        let name =
            |column: usize| schema.columns.get(column).map_or("", |column| column.name.as_str());
        match &mut self.kind {
            Kind::Nothing => Ok(()),
            Kind::Csv(writer) => change.cells.iter().try_for_each(|cell| {
                let keys = change.key_texts.iter().map(String::as_str);
                let tail = [name(cell.column), cell.left.as_str(), cell.right.as_str()];
                writer
                    .write_record([word].into_iter().chain(keys).chain(tail))
                    .map_err(io::Error::from)
            }),
            Kind::Jsonl(out) => {
                let line = json_line(word, change, schema);
                writeln!(out, "{line}")
            }
            Kind::Table { rows, limit } => {
                let cells: Vec<_> = match change.kind {
                    ChangeKind::Update => change
                        .cells
                        .iter()
                        .map(|c| (name(c.column), c.left.as_str(), c.right.as_str()))
                        .collect(),
                    // A whole row on one line: its cells one below the other would bury the updates.
                    _ => Vec::new(),
                };
                let key = change.key.to_string();
                if cells.is_empty() {
                    let text: Vec<String> =
                        change.cells.iter().map(|c| format!("{}{}", c.left, c.right)).collect();
                    let text = text.join(" | ");
                    let (left, right) = if change.kind == ChangeKind::Delete {
                        (text.as_str(), "")
                    } else {
                        ("", text.as_str())
                    };
                    rows.push(*limit, word, [key.as_str(), "", left, right]);
                }
                cells.iter().for_each(|(column, left, right)| {
                    rows.push(*limit, word, [key.as_str(), column, left, right])
                });
                Ok(())
            }
        }
    }

    pub(super) fn finish(self) -> io::Result<()> {
        match self.kind {
            Kind::Nothing => Ok(()),
            Kind::Csv(mut writer) => writer.flush(),
            Kind::Jsonl(mut out) => out.flush(),
            Kind::Table { rows, .. } => rows.print(),
        }
    }
}

fn json_line(word: &str, change: &Change, schema: &Schema) -> Value {
    let name = |column: usize| {
        schema.columns.get(column).map_or("", |column| column.name.as_str()).to_owned()
    };
    let key: Map<String, Value> = schema
        .key
        .iter()
        .zip(&change.key_texts)
        .map(|(&column, text)| (name(column), json!(text)))
        .collect();
    let cells: Map<String, Value> = change
        .cells
        .iter()
        .map(|cell| {
            let value = match change.kind {
                ChangeKind::Update => json!({ "left": cell.left, "right": cell.right }),
                ChangeKind::Insert => json!(cell.right),
                ChangeKind::Delete => json!(cell.left),
            };
            (name(cell.column), value)
        })
        .collect();
    let place = if change.kind == ChangeKind::Update { "cells" } else { "row" };
    json!({ "change": word, "key": key, place: cells })
}

/// Lines of a table, coloured by what they tell.
pub(in crate::cli) struct Rows {
    table: Table,
    words: Vec<String>,
    left_out: usize,
}

impl Rows {
    pub(in crate::cli) fn new(header: &[&str]) -> Rows {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_header(header.to_vec());
        Rows { table, words: Vec::new(), left_out: 0 }
    }

    /// Adds a line, unless the table has `limit` lines (0: no limit); the first cell is the word that colours it.
    pub(in crate::cli) fn push<'a>(
        &mut self,
        limit: usize,
        word: &str,
        cells: impl IntoIterator<Item = &'a str>,
    ) {
        if limit > 0 && self.words.len() >= limit {
            self.left_out += 1;
            return;
        }
        let sign = match word {
            "insert" => "+",
            "update" => "~",
            "delete" => "-",
            other => other,
        };
        let cells = cells.into_iter().map(one_line);
        self.table.add_row(std::iter::once(sign.to_owned()).chain(cells));
        self.words.push(word.to_owned());
    }

    /// Prints the table to stdout; colours only on a terminal, and not where NO_COLOR is set.
    pub(in crate::cli) fn print(self) -> io::Result<()> {
        if self.words.is_empty() {
            return Ok(());
        }
        let colours = io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut out = io::stdout().lock();
        let mut words = self.words.iter();
        for (at, line) in self.table.lines().enumerate() {
            let line = line.trim_end();
            // The first line is the header; below it every row is one line.
            let word = if at == 0 { None } else { words.next() };
            let colour = match word.map(String::as_str) {
                None => None,
                _ if !colours => None,
                Some("insert") => Some("32"),
                Some("delete") => Some("31"),
                Some("update") => Some("33"),
                _ => Some("35"),
            };
            match colour {
                Some(colour) => writeln!(out, "\u{1b}[{colour}m{line}\u{1b}[0m")?,
                None => writeln!(out, "{line}")?,
            }
        }
        if self.left_out > 0 {
            writeln!(
                out,
                "… and {} more lines (--limit 0 shows all, --format csv or jsonl is for programs)",
                self.left_out
            )?;
        }
        out.flush()
    }
}

/// Makes a cell fit one line: control characters are shown escaped, and long texts cut.
fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(80)
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect();
    if text.chars().nth(80).is_some() {
        line.push('…');
    }
    line
}
