//! The text form of PostgreSQL's COPY: lines of fields between tabs, with backslashes for what would be mistaken.
//!
//! <https://www.postgresql.org/docs/current/sql-copy.html>, "Text Format".

use lockstep_engine::snapshot::SnapshotBuilder;

use super::column::ColumnInfo;

/// Takes the rows of a COPY as they come, in pieces of any size.
pub(super) struct CopyReader<'a> {
    columns: &'a [ColumnInfo],
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    fields: Vec<Option<String>>,
    own: Vec<String>,
    builder: SnapshotBuilder,
}

impl<'a> CopyReader<'a> {
    pub(super) fn new(columns: &'a [ColumnInfo]) -> Self {
        Self {
            columns,
            rest: Vec::new(),
            fields: vec![None; columns.len()],
            own: vec![String::new(); columns.len()],
            builder: SnapshotBuilder::new(columns.iter().map(|column| column.name.clone())),
        }
    }

    /// Takes a piece; returns the number of rows that ended in it.
    ///
    /// # Errors
    /// Bytes that are not UTF-8, which the connection's encoding excludes, or a line with other fields than asked for.
    pub(super) fn take(&mut self, mut piece: &[u8]) -> Result<u64, String> {
        let mut rows = 0;
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, after) = piece.split_at_checked(end).unwrap_or_default();
            piece = after.split_first().map(|(_, after)| after).unwrap_or_default();
            if self.rest.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole)?;
                whole.clear();
                self.rest = whole;
            }
            rows += 1;
        }
        self.rest.extend_from_slice(piece);
        Ok(rows)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let line = std::str::from_utf8(line).map_err(|error| format!("no UTF-8: {error}"))?;
        let mut parts = line.split('\t');
        for field in &mut self.fields {
            let part = parts.next().ok_or("a line of COPY has too few fields")?;
            read_field(part, field);
        }
        if parts.next().is_some() && !self.columns.is_empty() {
            return Err("a line of COPY has too many fields".into());
        }
        let cells = self.columns.iter().zip(&self.fields).zip(&mut self.own);
        self.builder.push(cells.map(|((column, field), own)| column.cell(field.as_deref(), own)));
        Ok(())
    }

    /// Returns what was read.
    pub(super) fn finish(self) -> SnapshotBuilder {
        self.builder
    }
}

/// Reads a field into room that is used again for every row.
fn read_field(part: &str, field: &mut Option<String>) {
    if part == "\\N" {
        *field = None;
        return;
    }
    let text = field.get_or_insert_default();
    text.clear();
    let Some((plain, escaped)) = part.split_once('\\') else {
        return text.push_str(part);
    };
    text.push_str(plain);
    let mut rest = escaped;
    loop {
        let mut signs = rest.chars();
        match signs.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('v') => text.push('\u{b}'),
            // COPY TO writes no other escapes than these and the backslash itself.
            Some(other) => text.push(other),
            None => return,
        }
        match signs.as_str().split_once('\\') {
            Some((plain, escaped)) => {
                text.push_str(plain);
                rest = escaped;
            }
            None => return text.push_str(signs.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_engine::cell::Cell;
    use proptest::prelude::*;

    use super::{super::column::Kind, *};

    fn columns() -> Vec<ColumnInfo> {
        vec![ColumnInfo::plain("a", Kind::Text), ColumnInfo::plain("b", Kind::Number)]
    }

    /// Writes a field as PostgreSQL does (CopyAttributeOutText).
    fn written(text: &str) -> String {
        let mut out = String::new();
        for sign in text.chars() {
            match sign {
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{b}' => out.push_str("\\v"),
                '\\' => out.push_str("\\\\"),
                other => out.push(other),
            }
        }
        out
    }

    #[test]
    fn lines_may_come_in_pieces_and_nulls_are_no_texts() {
        let columns = columns();
        let mut reader = CopyReader::new(&columns);
        assert_eq!(reader.take(b"x\\ty\t1.50\n\\N\t").unwrap(), 1);
        assert_eq!(reader.take(b"\\N\n\\\\N\t2\n\t").unwrap(), 2);
        assert_eq!(reader.take(b"\\N\n").unwrap(), 1);
        let snapshot = reader.finish().finish();
        let row = |row| snapshot.row(row).collect::<Vec<_>>();
        assert_eq!(row(0), [Cell::Text("x\ty"), Cell::Number("1.5")]);
        assert_eq!(row(1), [Cell::Null, Cell::Null]);
        assert_eq!(row(2), [Cell::Text("\\N"), Cell::Number("2")]);
        assert_eq!(row(3), [Cell::Text(""), Cell::Null]);
    }

    #[test]
    fn broken_lines_are_told() {
        let columns = columns();
        assert!(CopyReader::new(&columns).take(b"x\n").is_err());
        assert!(CopyReader::new(&columns).take(b"x\t1\t2\n").is_err());
        assert!(CopyReader::new(&columns).take(b"\xff\t1\n").is_err());
    }

    proptest! {
        #[test]
        fn every_text_survives(text in "[\\x08-\\x0d\\\\a-zN\u{e9} ]{0,20}", cut in 0usize..40) {
            let columns = columns();
            let line = format!("{}\t1\n", written(&text));
            let mut reader = CopyReader::new(&columns);
            let (head, tail) = line.as_bytes().split_at(cut.min(line.len()));
            reader.take(head).unwrap();
            reader.take(tail).unwrap();
            let snapshot = reader.finish().finish();
            prop_assert_eq!(snapshot.cell(0, 0), Cell::Text(&text));
        }
    }
}
