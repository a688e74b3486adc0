//! The tokens of a formula, each with its place in the text, so that references can be rewritten
//! and all else stays as it was typed.

use std::ops::Range;

use super::reference::{Corner, Reference};

/// Is one token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// The bytes it stands on.
    pub(super) place: Range<usize>,
}

/// Is the kind of a token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Number(f64),
    Text(String),
    Reference(Reference),
    /// An error value such as `#REF!`.
    Error(String),
    /// A name: a constant or a named range.
    Name(String),
    /// A name with an opening parenthesis behind it.
    Function(String),
    /// An operator, parenthesis, brace or separator.
    Sign(&'static str),
}

const SIGNS: [&str; 20] = [
    "<>", "<=", ">=", "(", ")", "{", "}", "+", "-", "*", "/", "^", "&", "=", "<", ">", "%", ",",
    ";", "\\",
];

const ERRORS: [&str; 8] =
    ["#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#ERROR!"];

/// Returns the tokens of a formula without its `=`; `None` when a character has no place in one.
pub(super) fn scan(text: &str, decimal: char) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = token(rest, first, decimal)?;
        tokens.push(Token { kind, place: at..at + length });
        at += length;
    }
    Some(tokens)
}

fn token(rest: &str, first: char, decimal: char) -> Option<(Kind, usize)> {
    if first == '"' {
        return text(rest);
    }
    if first == '#' {
        let shown = ERRORS.iter().find(|error| starts_with(rest, error))?;
        return Some((Kind::Error((*shown).to_owned()), shown.len()));
    }
    if first == '\'' {
        let (title, length) = quoted_title(rest)?;
        return range_of(rest, Some(title), length);
    }
    if first.is_alphanumeric() || matches!(first, '$' | '_') || (first == decimal && first != ',') {
        return word(rest, decimal);
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
    Some((Kind::Sign(sign), sign.len()))
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn text(rest: &str) -> Option<(Kind, usize)> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            value.push(c);
        } else if chars.next_if(|(_, next)| *next == '"').is_some() {
            value.push('"');
        } else {
            return Some((Kind::Text(value), at + 1));
        }
    }
    None
}

/// Reads `'title'!` and returns the title and its length with the `!`.
fn quoted_title(rest: &str) -> Option<(String, usize)> {
    let mut title = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            title.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            title.push('\'');
        } else {
            chars.next_if(|(_, next)| *next == '!')?;
            return Some((title, at + 2));
        }
    }
    None
}

/// Reads a number, a reference, a name or a function's name.
fn word(rest: &str, decimal: char) -> Option<(Kind, usize)> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(end)?;
    if after.starts_with('!') && !word.is_empty() {
        return range_of(rest, Some(word.to_owned()), end + 1);
    }
    if let Some(found) = range(rest) {
        let whole = found.1 >= end;
        if whole && !after_name(rest, found.1) {
            return Some((Kind::Reference(found.0), found.1));
        }
    }
    if rest.starts_with(|c: char| c.is_ascii_digit() || c == decimal) {
        return number(rest, decimal);
    }
    if after.trim_start().starts_with('(') {
        return Some((Kind::Function(word.to_uppercase()), end));
    }
    (!word.is_empty() && !word.contains('$')).then(|| (Kind::Name(word.to_owned()), end))
}

/// Returns whether what looks like a cell is a function's name, as in `LOG10(`.
fn after_name(rest: &str, end: usize) -> bool {
    rest.get(end..).is_some_and(|after| after.starts_with('('))
}

/// Reads the range behind a sheet's title; an error may stand there, left by a deletion.
fn range_of(rest: &str, sheet: Option<String>, start: usize) -> Option<(Kind, usize)> {
    let behind = rest.get(start..)?;
    if starts_with(behind, "#REF!") {
        return Some((Kind::Error("#REF!".to_owned()), start + 5));
    }
    let (reference, length) = range(behind)?;
    Some((Kind::Reference(Reference { sheet, ..reference }), start + length))
}

/// Reads `A1`, `A1:B2`, `A:A`, `1:2`, ... at the start of a text.
fn range(text: &str) -> Option<(Reference, usize)> {
    let corner_at = |from: usize| {
        let rest = text.get(from..)?;
        let length =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '$')).unwrap_or(rest.len());
        Some((Corner::read(rest.get(..length)?)?, from + length))
    };
    let (first, end) = corner_at(0)?;
    if text.get(end..).is_some_and(|after| after.starts_with(':'))
        && let Some((last, end)) = corner_at(end + 1)
        && (first.column.is_some() == last.column.is_some()
            || first.row.is_some() == last.row.is_some())
    {
        return Some((Reference { sheet: None, first, last: Some(last) }, end));
    }
    first.is_cell().then_some((Reference { sheet: None, first, last: None }, end))
}

fn number(rest: &str, decimal: char) -> Option<(Kind, usize)> {
    let digits = |from: usize| {
        rest.get(from..).map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count())
    };
    let mut end = digits(0);
    if rest.get(end..).is_some_and(|after| after.starts_with(decimal)) {
        end += 1 + digits(end + 1);
    }
    if rest.get(end..).is_some_and(|after| after.starts_with(['e', 'E'])) {
        let sign =
            usize::from(rest.get(end + 1..).is_some_and(|after| after.starts_with(['+', '-'])));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    // A letter right behind a number makes it no number.
    if rest.get(end..)?.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let value: f64 = rest.get(..end)?.replace(decimal, ".").parse().ok()?;
    value.is_finite().then_some((Kind::Number(value), end))
}
