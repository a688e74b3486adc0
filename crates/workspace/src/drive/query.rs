//! The search language of `files.list` (`q`).
//!
//! `name = / != / contains`, `fullText contains`, `mimeType`, the times, `trashed`, `starred`,
//! `'id' in parents`, `'mail' in owners / writers / readers`, `properties has {...}` and
//! `appProperties has {...}`, joined by `and`, `or`, `not` and parentheses. Either kind of quote
//! counts (recorded), with `\'` and `\\` inside. `and` and `or` bind alike, from left to right.

use super::error::invalid_value;
use super::file::{FOLDER, File};
use crate::http::ApiError;

/// Is a parsed query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Query {
    And(Box<Query>, Box<Query>),
    Or(Box<Query>, Box<Query>),
    Not(Box<Query>),
    Compare { field: Field, operator: Operator, value: String },
    In { value: String, collection: Collection },
    Has { app: bool, key: String, value: String },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field {
    Name,
    FullText,
    MimeType,
    Modified,
    Created,
    Viewed,
    Trashed,
    Starred,
    SharedWithMe,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Contains,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Collection {
    Parents,
    Owners,
    Writers,
    Readers,
}

/// Returns the query of a text.
///
/// # Errors
/// The 400 "Invalid Value" at `q` when the text is no query.
pub(super) fn parse(text: &str) -> Result<Query, ApiError> {
    let tokens = scan(text).ok_or_else(|| invalid_value("q"))?;
    let mut parser = Parser { tokens: &tokens, depth: 0 };
    let query = parser.expression().ok_or_else(|| invalid_value("q"))?;
    if parser.tokens.is_empty() { Ok(query) } else { Err(invalid_value("q")) }
}

impl Query {
    /// Calls a closure for every id that is compared with the parents of files.
    pub(super) fn each_parent(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.each_parent(visit);
                right.each_parent(visit);
            }
            Self::Not(inner) => inner.each_parent(visit),
            Self::In { value, collection: Collection::Parents } => visit(value),
            Self::In { .. } | Self::Compare { .. } | Self::Has { .. } => {}
        }
    }

    /// Returns whether a file matches; `root` is the id that the alias `root` stands for, `owner`
    /// the address of the one user.
    pub(super) fn matches(&self, file: &File, root: &str, owner: &str) -> bool {
        match self {
            Self::And(left, right) => {
                left.matches(file, root, owner) && right.matches(file, root, owner)
            }
            Self::Or(left, right) => {
                left.matches(file, root, owner) || right.matches(file, root, owner)
            }
            Self::Not(inner) => !inner.matches(file, root, owner),
            Self::Compare { field, operator, value } => compare(file, *field, *operator, value),
            Self::In { value, collection } => match collection {
                Collection::Parents => {
                    let id = if value == "root" { root } else { value.as_str() };
                    file.parents.iter().any(|parent| parent == id)
                }
                Collection::Owners => file.has_role(value, owner, &["owner"]),
                Collection::Writers => {
                    file.has_role(value, owner, &["owner", "organizer", "fileOrganizer", "writer"])
                }
                Collection::Readers => !file.roles_of(value, owner).is_empty(),
            },
            Self::Has { app, key, value } => {
                let properties = if *app { &file.app_properties } else { &file.properties };
                properties.get(key) == Some(value)
            }
        }
    }
}

fn compare(file: &File, field: Field, operator: Operator, value: &str) -> bool {
    match field {
        Field::Name if operator == Operator::Contains => starts_a_word(&file.name, value),
        Field::Name => order(operator, file.name.as_str().cmp(value)),
        Field::FullText => {
            starts_a_word(&file.name, value)
                || file.description.as_deref().is_some_and(|text| starts_a_word(text, value))
        }
        Field::MimeType if operator == Operator::Contains => file.mime_type.starts_with(value),
        Field::MimeType => order(operator, file.mime_type.as_str().cmp(value)),
        Field::Modified => moment(value).is_some_and(|at| order(operator, file.modified.cmp(&at))),
        Field::Created => moment(value).is_some_and(|at| order(operator, file.created.cmp(&at))),
        Field::Viewed => moment(value)
            .is_some_and(|at| file.viewed.is_some_and(|seen| order(operator, seen.cmp(&at)))),
        Field::Trashed => (file.trashed == (value == "true")) == (operator == Operator::Equal),
        Field::Starred => (file.starred == (value == "true")) == (operator == Operator::Equal),
        // One user owns everything here, so nothing was shared with them.
        Field::SharedWithMe => (value == "false") == (operator == Operator::Equal),
    }
}

fn order(operator: Operator, ordering: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Equal => ordering.is_eq(),
        Operator::NotEqual => ordering.is_ne(),
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        Operator::GreaterOrEqual => ordering.is_ge(),
        Operator::Contains => false,
    }
}

/// Returns whether a word of a text starts with a term; case does not count. Drive matches the
/// starts of words only (`name contains 'World'` does not find HelloWorld).
fn starts_a_word(text: &str, term: &str) -> bool {
    let (text, term) = (text.to_lowercase(), term.trim().to_lowercase());
    let mut inside = false;
    for (at, c) in text.char_indices() {
        let wordy = c.is_alphanumeric();
        if (!inside || !wordy) && text.get(at..).is_some_and(|rest| rest.starts_with(&term)) {
            return true;
        }
        inside = wordy;
    }
    term.is_empty()
}

/// Reads an RFC 3339 time as milliseconds since 1970; without an offset it is UTC.
fn moment(text: &str) -> Option<i64> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond());
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Symbol(&'static str),
}

fn scan(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '\'' | '"' => {
                let mut value = String::new();
                loop {
                    match chars.next()? {
                        '\\' => value.push(chars.next()?),
                        end if end == c => break,
                        other => value.push(other),
                    }
                }
                tokens.push(Token::Text(value));
            }
            '(' => tokens.push(Token::Symbol("(")),
            ')' => tokens.push(Token::Symbol(")")),
            '{' => tokens.push(Token::Symbol("{")),
            '}' => tokens.push(Token::Symbol("}")),
            '=' => tokens.push(Token::Symbol("=")),
            '!' => {
                chars.next_if_eq(&'=')?;
                tokens.push(Token::Symbol("!="));
            }
            '<' | '>' => {
                let or_equal = chars.next_if_eq(&'=').is_some();
                tokens.push(Token::Symbol(match (c, or_equal) {
                    ('<', true) => "<=",
                    ('<', false) => "<",
                    (_, true) => ">=",
                    (_, false) => ">",
                }));
            }
            c if c.is_alphanumeric() => {
                let mut word = String::from(c);
                while let Some(more) =
                    chars.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':'))
                {
                    word.push(more);
                }
                tokens.push(Token::Word(word));
            }
            _ => return None,
        }
    }
    Some(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<&Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Word(first)) if first == word);
        if found {
            self.next();
        }
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> Option<()> {
        matches!(self.next()?, Token::Symbol(found) if *found == symbol).then_some(())
    }

    fn text(&mut self) -> Option<String> {
        match self.next()? {
            Token::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn expression(&mut self) -> Option<Query> {
        let mut left = self.unary()?;
        loop {
            if self.take_word("and") {
                left = Query::And(Box::new(left), Box::new(self.unary()?));
            } else if self.take_word("or") {
                left = Query::Or(Box::new(left), Box::new(self.unary()?));
            } else {
                return Some(left);
            }
        }
    }

    fn unary(&mut self) -> Option<Query> {
        // A bound, so that a hostile query cannot exhaust the stack.
        self.depth += 1;
        if self.depth > 200 {
            return None;
        }
        if self.take_word("not") {
            return Some(Query::Not(Box::new(self.unary()?)));
        }
        let query = match self.next()?.clone() {
            Token::Symbol("(") => {
                let inner = self.expression()?;
                self.take_symbol(")")?;
                inner
            }
            Token::Text(value) => {
                self.take_word("in").then_some(())?;
                let collection = match self.next()? {
                    Token::Word(word) => match word.as_str() {
                        "parents" => Collection::Parents,
                        "owners" => Collection::Owners,
                        "writers" => Collection::Writers,
                        "readers" => Collection::Readers,
                        _ => return None,
                    },
                    _ => return None,
                };
                Query::In { value, collection }
            }
            Token::Word(word) => match word.as_str() {
                "properties" | "appProperties" => self.has(word == "appProperties")?,
                name => self.compare(name)?,
            },
            Token::Symbol(_) => return None,
        };
        self.depth -= 1;
        Some(query)
    }

    fn has(&mut self, app: bool) -> Option<Query> {
        self.take_word("has").then_some(())?;
        self.take_symbol("{")?;
        self.take_word("key").then_some(())?;
        self.take_symbol("=")?;
        let key = self.text()?;
        self.take_word("and").then_some(())?;
        self.take_word("value").then_some(())?;
        self.take_symbol("=")?;
        let value = self.text()?;
        self.take_symbol("}")?;
        Some(Query::Has { app, key, value })
    }

    fn compare(&mut self, name: &str) -> Option<Query> {
        let field = match name {
            "name" => Field::Name,
            "fullText" => Field::FullText,
            "mimeType" => Field::MimeType,
            "modifiedTime" => Field::Modified,
            "createdTime" => Field::Created,
            "viewedByMeTime" => Field::Viewed,
            "trashed" => Field::Trashed,
            "starred" => Field::Starred,
            "sharedWithMe" => Field::SharedWithMe,
            _ => return None,
        };
        let next_is_operator = match self.tokens.first() {
            Some(Token::Symbol(symbol)) => !matches!(*symbol, ")" | "(" | "{" | "}"),
            Some(Token::Word(word)) => word == "contains",
            _ => false,
        };
        // `sharedWithMe` may stand alone.
        if field == Field::SharedWithMe && !next_is_operator {
            return Some(Query::Compare {
                field,
                operator: Operator::Equal,
                value: "true".to_owned(),
            });
        }
        let operator = match self.next()? {
            Token::Symbol("=") => Operator::Equal,
            Token::Symbol("!=") => Operator::NotEqual,
            Token::Symbol("<") => Operator::Less,
            Token::Symbol("<=") => Operator::LessOrEqual,
            Token::Symbol(">") => Operator::Greater,
            Token::Symbol(">=") => Operator::GreaterOrEqual,
            Token::Word(word) if word == "contains" => Operator::Contains,
            _ => return None,
        };
        let is_flag = matches!(field, Field::Trashed | Field::Starred | Field::SharedWithMe);
        let is_time = matches!(field, Field::Modified | Field::Created | Field::Viewed);
        let value = match self.next()? {
            Token::Text(text) => text.clone(),
            Token::Word(word) if is_flag => word.clone(),
            _ => return None,
        };
        let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        let fits = match field {
            Field::Name | Field::MimeType => equality || operator == Operator::Contains,
            Field::FullText => operator == Operator::Contains,
            _ if is_flag => equality && matches!(value.as_str(), "true" | "false"),
            _ => is_time && operator != Operator::Contains && moment(&value).is_some(),
        };
        fits.then_some(Query::Compare { field, operator, value })
    }
}

/// Returns whether folders come first in an order by `folder`.
pub(super) fn is_folder(file: &File) -> bool {
    file.mime_type == FOLDER
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
