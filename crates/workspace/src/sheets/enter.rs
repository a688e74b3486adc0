//! Putting one entered value into a cell, RAW or USER_ENTERED.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::book::{Book, Formats};
use crate::entered::{self, Input};
use crate::grid::{Cell, Scalar};
use crate::http::ApiError;
use crate::locale::Locale;
use crate::number_format::NumberFormat;

/// Is how many characters a cell holds at most (documented, inclusive).
const MAX_CHARACTERS: usize = 50_000;

/// Says how entered text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As it is.
    Raw,
    /// As if a person typed it.
    UserEntered,
}

impl Mode {
    /// Returns the mode of an API ValueInputOption.
    pub(crate) fn parse(name: Option<&str>) -> Result<Self, ApiError> {
        match name {
            Some("RAW") => Ok(Self::Raw),
            Some("USER_ENTERED") => Ok(Self::UserEntered),
            None | Some("" | "INPUT_VALUE_OPTION_UNSPECIFIED") => {
                Err(ApiError::invalid("'valueInputOption' is required but not specified"))
            }
            Some(other) => {
                let text = format!(
                    "Invalid value at 'value_input_option' (type.googleapis.com/google.apps.sheets.v4.ValueInputOption), \"{other}\""
                );
                Err(ApiError::violation(text.clone(), "value_input_option", text))
            }
        }
    }
}

/// Puts values into the cells of one book.
pub(crate) struct Enter {
    mode: Mode,
    locale: &'static Locale,
    now: DateTime,
}

impl Enter {
    /// Returns the way of entering in a book at a moment (milliseconds since 1970 UTC).
    pub(crate) fn new(book: &Book, mode: Mode, now_ms: i64) -> Self {
        Self { mode, locale: Locale::of(book.locale()), now: local_time(book, now_ms) }
    }

    /// Puts a value of a request into a cell; `false` when null says to leave it.
    ///
    /// # Errors
    /// A text that is too long, and a list or object where a value belongs.
    pub(crate) fn put(
        &self,
        formats: &mut Formats,
        cell: &mut Cell,
        value: &Value,
    ) -> Result<bool, ApiError> {
        match value {
            Value::Null => return Ok(false),
            Value::Bool(flag) => cell.set_value(Scalar::Bool(*flag)),
            Value::Number(number) => cell.set_value(Scalar::Number(number.as_f64().unwrap_or(0.0))),
            Value::String(text) => self.put_text(formats, cell, text)?,
            Value::Array(_) | Value::Object(_) => {
                return Err(ApiError::invalid(format!("list_value or struct_value: {value}")));
            }
        }
        Ok(true)
    }

    /// Puts a text into a cell.
    pub(crate) fn put_text(
        &self,
        formats: &mut Formats,
        cell: &mut Cell,
        text: &str,
    ) -> Result<(), ApiError> {
        check_length(text)?;
        if self.mode == Mode::Raw {
            set_text(formats, cell, text);
            return Ok(());
        }
        // A cell formatted as plain text takes what is typed as it is.
        if formats.number_format(cell.format).is_some_and(|(kind, _)| kind == "TEXT") {
            set_text(formats, cell, text);
            return Ok(());
        }
        let entered = entered::parse(text, self.locale, self.now.date());
        match entered.input {
            Input::Formula(formula) => {
                cell.set_value(Scalar::Empty);
                cell.formula = Some(formula.into());
            }
            Input::Value(Scalar::Text(text)) => set_text(formats, cell, &text),
            Input::Value(value) => {
                cell.set_value(value);
                if let Some(format) = entered.format {
                    add_number_format(formats, cell, &format);
                }
            }
        }
        Ok(())
    }
}

/// Returns the wall-clock time of a book.
pub(crate) fn local_time(book: &Book, now_ms: i64) -> DateTime {
    let zone = TimeZone::get(book.time_zone()).unwrap_or(TimeZone::UTC);
    Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone).datetime()
}

/// Refuses a text that no cell holds.
pub(crate) fn check_length(text: &str) -> Result<(), ApiError> {
    if text.len() > MAX_CHARACTERS && text.encode_utf16().count() > MAX_CHARACTERS {
        return Err(ApiError::invalid(format!(
            "Your input contains more than the maximum of {MAX_CHARACTERS} characters in a single cell."
        )));
    }
    Ok(())
}

/// Sets a plain text; a whole-cell address becomes a link (also RAW: google-wire 2.4).
fn set_text(formats: &mut Formats, cell: &mut Cell, text: &str) {
    cell.set_value(Scalar::text(text));
    let address = if text.contains('.') || text.contains(':') { entered::link(text) } else { None };
    let linked =
        formats.get(cell.format).and_then(|format| format.get("textFormat")?.get("link")).is_some();
    if address.is_none() && !linked {
        return;
    }
    change_format(formats, cell, |format| {
        let part = format.entry("textFormat").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(part) = part {
            match address {
                Some(address) => {
                    part.insert("link".to_owned(), json!({"uri": address}));
                }
                None => {
                    part.shift_remove("link");
                }
            }
            if part.is_empty() {
                format.shift_remove("textFormat");
            }
        }
    });
}

/// Gives a cell the number format that its entered value brought, unless it has one.
fn add_number_format(formats: &mut Formats, cell: &mut Cell, number_format: &NumberFormat) {
    if formats.number_format(cell.format).is_some() {
        return;
    }
    change_format(formats, cell, |format| {
        format.insert(
            "numberFormat".to_owned(),
            json!({"type": number_format.kind.wire(), "pattern": number_format.pattern}),
        );
    });
}

/// Changes the format of a cell.
pub(crate) fn change_format(
    formats: &mut Formats,
    cell: &mut Cell,
    change: impl FnOnce(&mut Map<String, Value>),
) {
    let mut format = match formats.get(cell.format) {
        Some(Value::Object(format)) => format.clone(),
        _ => Map::new(),
    };
    change(&mut format);
    cell.format = formats.number(Value::Object(format));
}
