//! `lockstep diff LEFT RIGHT --key id`: what changed between two delimited files, row by row and cell by cell.
//!
//! Exit codes are those of diff(1): 0 nothing differs, 1 something does, 2 trouble.
//!
//! `cli::Command` has it as `Diff(diff::Args)` and dispatches to [`run`], which is not async; `merge` likewise.

use std::{
    fs::File,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::merge;
use clap::ValueEnum;
use lockstep_engine::{
    csv::{CsvOptions, decode},
    diff::{Counts, Diff, DiffError, DiffOptions, diff},
    schema::ColumnType,
    source::Source,
};
use print::Printer;
pub(super) use print::Rows;

mod print;

/// The exit code of trouble.
pub(super) const TROUBLE: u8 = 2;

/// The arguments of `lockstep diff`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file before, or - for stdin.
    left: PathBuf,
    /// The file after, or - for stdin.
    right: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Compares texts as they are, and not values (10.50 and 10.5 differ).
    #[arg(long, conflicts_with = "base")]
    bytes: bool,
    /// What both files come from: shows which side changed what, and where they conflict.
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// How changes are printed (default: table on a terminal, csv elsewhere).
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Most lines of a table; 0 for all of them.
    #[arg(long, default_value_t = 200)]
    limit: usize,
    /// Says which type each column has, and why.
    #[arg(long)]
    types: bool,
    /// Memory in MiB for row indexes before they go to a temporary file; with the default, two files of
    /// 20 million rows are compared within a gibibyte (with --base, all three files are held in memory).
    #[arg(long, default_value_t = 768, value_name = "MIB")]
    memory: usize,
}

/// How delimited files are read; shared with `lockstep merge`.
#[derive(Debug, clap::Args)]
pub(super) struct Reading {
    /// The columns that identify a row.
    #[arg(long, short, required = true, value_delimiter = ',', value_name = "COLUMN")]
    pub(super) key: Vec<String>,
    /// Compares keys without letter case.
    #[arg(long)]
    pub(super) ignore_key_case: bool,
    /// Columns that are not compared.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub(super) ignore: Vec<String>,
    /// Declares a column's type (text, number, bool, date, time, dateTime, list); others are inferred.
    #[arg(long = "type", value_parser = parse_type, value_delimiter = ',', value_name = "COLUMN=TYPE")]
    pub(super) declared: Vec<(String, ColumnType)>,
    /// The delimiter, or `tab` (default: found from the first lines).
    #[arg(long, value_parser = parse_delimiter, value_name = "CHAR")]
    delimiter: Option<char>,
    /// The encoding of files without a byte order mark (default: UTF-8).
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// Texts that mean null, such as NA.
    #[arg(long, value_delimiter = ',', value_name = "TEXT")]
    null: Vec<String>,
    /// Reads rows shorter than the header as if their last cells were empty.
    #[arg(long)]
    pad_short_rows: bool,
}

/// How changes are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A readable table.
    Table,
    /// One line for each changed cell, as CSV.
    Csv,
    /// One JSON object for each changed row.
    Jsonl,
    /// Nothing but the counts.
    Summary,
}

fn parse_type(text: &str) -> Result<(String, ColumnType), String> {
    let (name, ty) =
        text.rsplit_once('=').ok_or("write it as COLUMN=TYPE, for example when=date")?;
    Ok((name.to_owned(), ty.parse().map_err(|error| format!("{error}"))?))
}

fn parse_delimiter(text: &str) -> Result<char, String> {
    let mut chars = text.chars();
    match (text, chars.next(), chars.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        (_, Some(one), None) => Ok(one),
        _ => Err("one character is expected, or `tab`".to_owned()),
    }
}

impl Reading {
    pub(super) fn csv(&self) -> CsvOptions {
        CsvOptions {
            delimiter: self.delimiter,
            encoding: self.encoding.clone(),
            nulls: self.null.clone(),
            pad_short_rows: self.pad_short_rows,
        }
    }
}

impl Format {
    pub(super) fn or_default(given: Option<Format>) -> Format {
        given.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Csv })
    }
}

/// Runs the command; trouble is reported here, because its exit code is this command's own.
pub(super) fn run(args: &Args) -> ExitCode {
    let outcome = match &args.base {
        Some(base) => merge::show(
            base,
            &args.left,
            &args.right,
            &args.reading,
            Format::or_default(args.format),
            args.limit,
        ),
        None => compare(args),
    };
    finish("diff", outcome)
}

/// Turns "is everything the same" into an exit code, and trouble into words.
pub(super) fn finish(command: &str, outcome: Result<bool, String>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            note(&format!("lockstep {command}: {message}"));
            ExitCode::from(TROUBLE)
        }
    }
}

/// Prints a line to stderr.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn compare(args: &Args) -> Result<bool, String> {
    let left = open(&args.left, args.reading.encoding.as_deref())?;
    let right = open(&args.right, args.reading.encoding.as_deref())?;
    let options = DiffOptions {
        key: args.reading.key.clone(),
        bytes: args.bytes,
        fold_key_case: args.reading.ignore_key_case,
        types: args.reading.declared.clone(),
        ignore: args.reading.ignore.clone(),
        csv: args.reading.csv(),
        memory: args.memory.saturating_mul(1 << 20),
    };
    let temporary = || tempfile::tempfile().map_err(|error| format!("no temporary file: {error}"));
    let named = |error: DiffError| {
        let text = error.to_string();
        let text = text.replacen("left file", &args.left.display().to_string(), 1);
        text.replacen("right file", &args.right.display().to_string(), 1)
    };
    let found =
        diff(&*left, &*right, &options, Some([temporary()?, temporary()?])).map_err(named)?;
    if args.types {
        found.reasons().iter().for_each(|reason| note(&reason.to_string()));
    }
    let format = Format::or_default(args.format);
    let mut printer = Printer::new(format, found.schema(), args.limit);
    let counts = match found.visit(&mut |change| printer.change(change)) {
        Err(DiffError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(false);
        }
        counts => counts.map_err(named)?,
    };
    match printer.finish() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(format!("stdout: {error}"));
        }
        _ => {}
    }
    let findings = found.findings().iter().zip([&args.left, &args.right]);
    for (path, finding) in
        findings.flat_map(|(findings, path)| findings.iter().map(move |finding| (path, finding)))
    {
        note(&format!("{}: {finding}", path.display()));
    }
    let summary = summary(&found, &counts, args);
    if format == Format::Summary {
        let _ = writeln!(io::stdout().lock(), "{summary}");
    } else {
        note(&summary);
    }
    let one_sided = found.one_sided_columns().iter().any(|columns| !columns.is_empty());
    Ok(found.is_identical() || (counts.is_same() && !one_sided))
}

fn summary(found: &Diff<'_>, counts: &Counts, args: &Args) -> String {
    if found.is_identical() {
        return "the files are identical".to_owned();
    }
    let [left, right] = found.rows();
    let mut lines = vec![format!(
        "{left} rows left, {right} right: {} same, {} updated ({} cells), {} only left, {} only right",
        counts.same, counts.updated, counts.cells, counts.deleted, counts.inserted
    )];
    if counts.duplicates + counts.blanks > 0 {
        lines.push(format!(
            "set aside and not compared: {} duplicate keys, {} rows without a complete key",
            counts.duplicates, counts.blanks
        ));
    }
    for (columns, path) in found.one_sided_columns().iter().zip([&args.left, &args.right]) {
        if !columns.is_empty() {
            lines.push(format!("columns only in {}: {}", path.display(), columns.join(", ")));
        }
    }
    lines.join("\n")
}

/// Opens a file for reading at any place; what cannot be read so (a pipe, another encoding) is read into memory.
fn open(path: &Path, encoding: Option<&str>) -> Result<Box<dyn Source>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut file = if path == Path::new("-") {
        None
    } else {
        Some(File::open(path).map_err(|error| failed(&error))?)
    };
    if let Some(opened) = &file {
        let mut mark = [0; 2];
        let plain = opened.metadata().map_err(|error| failed(&error))?.is_file();
        let marked = plain
            && matches!(opened.read_at(0, &mut mark), Ok(2))
            && matches!(mark, [0xff, 0xfe] | [0xfe, 0xff]);
        if plain
            && encoding.is_none()
            && !marked
            && let Some(file) = file.take()
        {
            return Ok(Box::new(file));
        }
    }
    let mut bytes = Vec::new();
    match &mut file {
        Some(file) => file.read_to_end(&mut bytes),
        None => io::stdin().lock().read_to_end(&mut bytes),
    }
    .map_err(|error| failed(&error))?;
    let text = decode(&bytes, encoding).map_err(|error| failed(&error))?.into_owned();
    Ok(Box::new(text))
}
