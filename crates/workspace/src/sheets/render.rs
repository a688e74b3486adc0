//! How cell values are told, and one told.

use super::sink::Sink;
use crate::book::Book;
use crate::grid::{RawCell, RawValue, ScalarView};
use crate::http::{ApiError, Call};
use crate::locale::Locale;
use crate::number_format::{FormatKind, NumberFormat};
use crate::render::Renderer;

/// Says how values are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) render: Render,
    /// Whether dates and times that are told as values are formatted, instead of serial numbers.
    pub(crate) format_dates: bool,
    /// Whether the outer lists are columns.
    pub(crate) columns: bool,
}

/// Is the API's ValueRenderOption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Render {
    Formatted,
    Unformatted,
    Formula,
}

impl Options {
    /// Returns the options of the query of a call; a prefix is `response` for those of writes.
    pub(crate) fn of_call(call: &Call, render: &str, dates: &str) -> Result<Self, ApiError> {
        Self::of(call.param(render), call.param(dates), call.param("majorDimension"))
    }

    /// Returns the options that three enumerations say, absent ones being the defaults.
    pub(crate) fn of(
        render: Option<&str>,
        dates: Option<&str>,
        major: Option<&str>,
    ) -> Result<Self, ApiError> {
        let bad = |field: &str, kind: &str, value: &str| {
            let text = format!(
                "Invalid value at '{field}' (type.googleapis.com/google.apps.sheets.v4.{kind}), \"{value}\""
            );
            ApiError::violation(text.clone(), field, text)
        };
        let render = match render {
            None | Some("" | "FORMATTED_VALUE") => Render::Formatted,
            Some("UNFORMATTED_VALUE") => Render::Unformatted,
            Some("FORMULA") => Render::Formula,
            Some(other) => return Err(bad("value_render_option", "ValueRenderOption", other)),
        };
        let format_dates = match dates {
            None | Some("" | "SERIAL_NUMBER") => false,
            Some("FORMATTED_STRING") => true,
            Some(other) => {
                return Err(bad("date_time_render_option", "DateTimeRenderOption", other));
            }
        };
        let columns = match major {
            None | Some("" | "DIMENSION_UNSPECIFIED" | "ROWS") => false,
            Some("COLUMNS") => true,
            Some(other) => return Err(bad("major_dimension", "Dimension", other)),
        };
        Ok(Self { render, format_dates, columns })
    }

    /// Returns the API's name of the major dimension.
    pub(crate) fn major(self) -> &'static str {
        if self.columns { "COLUMNS" } else { "ROWS" }
    }
}

/// Turns the cells of one book into JSON.
#[derive(Clone)]
pub(crate) struct Style {
    pub(super) options: Options,
    renderer: Renderer,
    formats: Vec<Option<NumberFormat>>,
    /// Whether the locale writes decimals with a point.
    point: bool,
}

impl Style {
    /// Returns the style of a book.
    pub(crate) fn new(book: &Book, options: Options) -> Self {
        Self {
            options,
            renderer: Renderer::new(book.locale()),
            formats: book.head.formats.number_formats(),
            point: Locale::of(book.locale()).decimal == '.',
        }
    }

    /// Returns what a value shows, in a format of the book.
    pub(crate) fn shown(&mut self, value: ScalarView<'_>, format: u32) -> String {
        let format = self.formats.get(format as usize).and_then(Option::as_ref);
        self.renderer.text(value, format)
    }

    /// Returns whether a cell is told: one that has only a format is not.
    #[inline(always)]
    pub(super) fn tells(&self, cell: &RawCell<'_>) -> bool {
        !matches!(cell.value, RawValue::Empty)
            || (self.options.render == Render::Formula && !cell.formula.is_empty())
    }

    /// Writes a cell as JSON; `None` when its bytes are damaged.
    // Inlined with the cell that it takes apart, which then never lies in memory.
    #[inline(always)]
    pub(super) fn cell(&mut self, out: &mut Sink<'_>, cell: &RawCell<'_>) -> Option<()> {
        if self.options.render == Render::Formula && !cell.formula.is_empty() {
            return out.stored(cell.formula, cell.formula).then_some(());
        }
        if cell.format == 0 || self.is_plain(cell) {
            // Most cells are; none of these goes through a string of its own.
            match cell.value {
                RawValue::Text(text, tail) => return out.stored(text, tail).then_some(()),
                RawValue::Integer(number) if self.options.render == Render::Formatted => {
                    // Whole numbers of up to 15 digits show in full; here they have 48 bits.
                    out.byte(b'"');
                    out.integer(number);
                    out.byte(b'"');
                    return Some(());
                }
                RawValue::Integer(number) => {
                    out.integer(number);
                    return Some(());
                }
                RawValue::Number(number) if self.options.render != Render::Formatted => {
                    out.number(number);
                    return Some(());
                }
                RawValue::Number(number) if self.point && out.shown(number) => return Some(()),
                _ => {}
            }
        }
        self.formatted(out, cell.value.view()?, cell.format)
    }

    /// Returns whether the format of a cell changes nothing of how its value is told.
    fn is_plain(&self, cell: &RawCell<'_>) -> bool {
        let Some(Some(format)) = self.formats.get(cell.format as usize) else {
            return true;
        };
        match (&cell.value, self.options.render) {
            (RawValue::Text(..), Render::Formatted) => !format.pattern.contains('@'),
            (RawValue::Text(..), _) => true,
            (RawValue::Integer(_) | RawValue::Number(_), Render::Unformatted) => {
                !(self.options.format_dates && format.kind.is_temporal())
            }
            (RawValue::Integer(_) | RawValue::Number(_), Render::Formula) => true,
            _ => false,
        }
    }

    #[inline(never)]
    fn formatted(&mut self, out: &mut Sink<'_>, value: ScalarView<'_>, format: u32) -> Option<()> {
        let format = self.formats.get(format as usize).and_then(Option::as_ref);
        if self.options.render == Render::Formatted {
            out.string(&self.renderer.text(value, format));
            return Some(());
        }
        match value {
            ScalarView::Empty => out.string(""),
            ScalarView::Text(text) => out.string(text),
            ScalarView::Error { shown, .. } => out.string(shown),
            ScalarView::Bool(flag) => out.raw(if flag { b"true" } else { b"false" }),
            ScalarView::Number(number) => {
                let temporal = format.is_some_and(|format| format.kind.is_temporal());
                if temporal
                    && self.options.format_dates
                    && self.options.render == Render::Unformatted
                {
                    out.string(&self.renderer.text(value, format));
                } else {
                    out.number(number);
                }
            }
        }
        Some(())
    }
}

impl crate::book::Formats {
    /// Returns the number format of every format, by number; the first, for 0, is none.
    pub(crate) fn number_formats(&self) -> Vec<Option<NumberFormat>> {
        (0..=self.len())
            .map(|number| {
                let (kind, pattern) = self.number_format(number)?;
                Some(NumberFormat::new(FormatKind::from_wire(kind)?, pattern))
            })
            .collect()
    }
}
