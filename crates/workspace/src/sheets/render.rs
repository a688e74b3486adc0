//! Cell values as the JSON text of a ValueRange, written straight from the stored blocks.

use lockstep_a1::Rect;

pub(crate) use super::text::{Sink, new_line, number_value, string};
use super::text::{Text, number, plain_number};
use crate::book::Book;
use crate::grid::{CellView, Line, ScalarView, Window};
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
pub(crate) struct Style {
    options: Options,
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

    fn cell(&mut self, out: &mut Vec<u8>, cell: CellView<'_>) {
        if self.options.render == Render::Formula
            && let Some(formula) = cell.formula
        {
            return string(out, formula);
        }
        let format = self.formats.get(cell.format as usize).and_then(Option::as_ref);
        if self.options.render == Render::Formatted {
            match (cell.value, format) {
                (ScalarView::Text(text), None) => string(out, text),
                (ScalarView::Number(value), None) if self.point && plain_number(out, value) => {}
                (value, format) => string(out, &self.renderer.text(value, format)),
            }
            return;
        }
        match cell.value {
            ScalarView::Empty => string(out, ""),
            ScalarView::Text(text) => string(out, text),
            ScalarView::Error { shown, .. } => string(out, shown),
            ScalarView::Bool(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
            ScalarView::Number(value) => {
                let temporal = format.is_some_and(|format| format.kind.is_temporal());
                if temporal
                    && self.options.format_dates
                    && self.options.render == Render::Unformatted
                {
                    string(out, &self.renderer.text(cell.value, format));
                } else {
                    number(out, value);
                }
            }
        }
    }

    /// Writes the ValueRange of a window, whose rows are those of `rect`, at an indent.
    pub(crate) fn value_range(
        &mut self,
        out: &mut Sink<'_>,
        range: &str,
        window: &Window,
        rect: Rect,
        indent: Option<usize>,
    ) -> Result<(), ApiError> {
        let Sink { text: out, full } = out;
        let mut json = Text { out, indent, full: &mut **full };
        json.raw(b"{");
        json.line(1);
        json.key("range");
        string(json.out, range);
        json.raw(b",");
        json.line(1);
        json.key("majorDimension");
        string(json.out, self.options.major());
        let before = json.out.len();
        json.raw(b",");
        json.line(1);
        json.key("values");
        json.raw(b"[");
        let any = if self.options.columns {
            self.columns(&mut json, window, rect)?
        } else {
            self.rows(&mut json, window, rect)?
        };
        if any {
            json.line(1);
            json.raw(b"]");
        } else {
            json.out.truncate(before);
        }
        json.line(0);
        json.raw(b"}");
        Ok(())
    }

    fn rows(&mut self, json: &mut Text<'_>, window: &Window, rect: Rect) -> Result<bool, ApiError> {
        let mut any = false;
        let mut blank = 0_u32;
        window.each(&mut |_, line| {
            let mut next = rect.start_column;
            self.line(&line, rect, &mut |style, column, cell| {
                if next == rect.start_column {
                    for _ in 0..blank {
                        json.item(2, any);
                        json.raw(b"[]");
                        any = true;
                    }
                    blank = 0;
                    json.item(2, any);
                    json.raw(b"[");
                    any = true;
                }
                for gap in next..=column {
                    json.item(3, gap > rect.start_column);
                    if gap < column {
                        json.raw(b"\"\"");
                    }
                }
                style.cell(json.out, cell);
                next = column + 1;
            })?;
            if next > rect.start_column {
                json.line(2);
                json.raw(b"]");
                json.spill();
            } else {
                blank += 1;
            }
            Ok(())
        })?;
        Ok(any)
    }

    fn columns(
        &mut self,
        json: &mut Text<'_>,
        window: &Window,
        rect: Rect,
    ) -> Result<bool, ApiError> {
        let mut text = Vec::new();
        let mut columns: Vec<Vec<(u32, usize, usize)>> = vec![Vec::new(); rect.columns() as usize];
        window.each(&mut |row, line| {
            self.line(&line, rect, &mut |style, column, cell| {
                let start = text.len();
                style.cell(&mut text, cell);
                if let Some(list) = columns.get_mut((column - rect.start_column) as usize) {
                    list.push((row, start, text.len()));
                }
            })
        })?;
        let used = columns.iter().rposition(|list| !list.is_empty()).map_or(0, |last| last + 1);
        for (index, list) in columns.iter().take(used).enumerate() {
            json.item(2, index > 0);
            json.raw(b"[");
            let mut next = 0;
            for (row, start, end) in list {
                for gap in next..=*row {
                    json.item(3, gap > 0);
                    if gap < *row {
                        json.raw(b"\"\"");
                    }
                }
                json.raw(text.get(*start..*end).unwrap_or_default());
                next = row + 1;
            }
            if next > 0 {
                json.line(2);
            }
            json.raw(b"]");
            json.spill();
        }
        Ok(used > 0)
    }

    fn line(
        &mut self,
        line: &Line<'_>,
        rect: Rect,
        visit: &mut dyn FnMut(&mut Self, u32, CellView<'_>),
    ) -> Result<(), ApiError> {
        let formula = self.options.render == Render::Formula;
        line.each(&mut |column, cell| {
            let shows = cell.value != ScalarView::Empty || (formula && cell.formula.is_some());
            if shows && column >= rect.start_column && column < rect.end_column {
                visit(self, column, cell);
            }
        })
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
