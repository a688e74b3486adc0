//! The text a cell shows (`FORMATTED_VALUE`): number formats through ssfmt, dates by our own
//! calendar, because Excel's has a 29 February 1900 and no years before.

mod date;
mod general;

use std::collections::HashMap;

use ssfmt::ast::FormatPart;
use ssfmt::{DateSystem, FormatOptions};

use crate::grid::ScalarView;
use crate::locale::Locale;
use crate::number_format::{FormatKind, NumberFormat};

pub(crate) use general::general;

/// Turns values into text; keeps the patterns it has parsed, so use one for many cells.
#[derive(Clone)]
pub(crate) struct Renderer {
    locale: &'static Locale,
    options: FormatOptions,
    parsed: HashMap<String, Option<ssfmt::NumberFormat>>,
}

impl Renderer {
    /// Returns a renderer for a locale tag such as `en_US`.
    pub(crate) fn new(locale: &str) -> Self {
        let locale = Locale::of(locale);
        let numbers = ssfmt::Locale {
            decimal_separator: locale.decimal,
            thousands_separator: locale.group,
            ..ssfmt::Locale::en_us()
        };
        Self {
            locale,
            options: FormatOptions { date_system: DateSystem::Date1900, locale: numbers },
            parsed: HashMap::new(),
        }
    }

    /// Returns what a cell with that value and format shows.
    pub(crate) fn text(&mut self, value: ScalarView<'_>, format: Option<&NumberFormat>) -> String {
        match value {
            ScalarView::Empty => String::new(),
            ScalarView::Bool(truth) => if truth { "TRUE" } else { "FALSE" }.to_owned(),
            ScalarView::Error { shown, .. } => shown.to_owned(),
            ScalarView::Text(text) => match format {
                Some(format) if format.pattern.contains('@') => {
                    self.pattern_text(text, &format.pattern)
                }
                _ => text.to_owned(),
            },
            ScalarView::Number(number) => match format {
                Some(format) => self.number(number, format),
                None => general(number, self.locale.decimal),
            },
        }
    }

    /// Returns a number by a pattern, as the function TEXT does.
    pub(crate) fn pattern(&mut self, number: f64, pattern: &str) -> String {
        let locale = self.locale;
        let Some(parsed) = self.parse(pattern) else {
            return general(number, locale.decimal);
        };
        let Some(first) = parsed.sections().first() else {
            return general(number, locale.decimal);
        };
        if first.has_date_parts() {
            return date::text(number, first, locale)
                .unwrap_or_else(|| general(number, locale.decimal));
        }
        if is_general(&first.parts) || parsed.is_text_format() {
            return general(number, locale.decimal);
        }
        let parsed = parsed.clone();
        parsed.try_format(number, &self.options).unwrap_or_else(|_| general(number, locale.decimal))
    }

    fn number(&mut self, number: f64, format: &NumberFormat) -> String {
        if format.pattern.is_empty() {
            let pattern = self.default_pattern(format.kind);
            return self.pattern(number, &pattern);
        }
        self.pattern(number, &format.pattern)
    }

    /// Returns the pattern of a kind that was given without one.
    fn default_pattern(&self, kind: FormatKind) -> String {
        match kind {
            FormatKind::Text => "@".to_owned(),
            FormatKind::Number => "#,##0.00".to_owned(),
            FormatKind::Percent => "0.00%".to_owned(),
            FormatKind::Currency => self.locale.currency_pattern(true),
            FormatKind::Date => self.locale.date.to_owned(),
            FormatKind::Time => self.locale.time.to_owned(),
            FormatKind::DateTime => format!("{} h:mm:ss", self.locale.date),
            FormatKind::Scientific => "0.00E+00".to_owned(),
        }
    }

    fn pattern_text(&mut self, text: &str, pattern: &str) -> String {
        let Some(parsed) = self.parse(pattern) else {
            return text.to_owned();
        };
        let Some(section) = parsed.sections().iter().rev().find(|s| s.has_text_placeholder())
        else {
            return text.to_owned();
        };
        section
            .parts
            .iter()
            .map(|part| match part {
                FormatPart::TextPlaceholder => text,
                FormatPart::Literal(literal) | FormatPart::EscapedLiteral(literal) => literal,
                _ => "",
            })
            .collect()
    }

    fn parse(&mut self, pattern: &str) -> Option<&ssfmt::NumberFormat> {
        if !self.parsed.contains_key(pattern) {
            // A pattern the crate does not know shows the plain number.
            let parsed = ssfmt::NumberFormat::parse(pattern).ok();
            self.parsed.insert(pattern.to_owned(), parsed);
        }
        self.parsed.get(pattern)?.as_ref()
    }
}

fn is_general(parts: &[FormatPart]) -> bool {
    parts.is_empty() || matches!(parts, [FormatPart::GeneralNumber])
}

#[cfg(test)]
mod tests;
