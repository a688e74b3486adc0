//! Reading values: get, batchGet and batchGetByDataFilter.

use axum::response::Response;
use lockstep_a1::Rect;
use serde_json::{Value, json};

use super::filter::{self, Matched};
use super::ranges::{Range, echo};
use super::render::{Options, Style};
use super::sink::{Sink, gather};
use super::stream::stream;
use super::value_range::{self, Layout};
use super::{Request, body_of};
use crate::book::Book;
use crate::grid::{Loader, Window};
use crate::http::ApiError;
use crate::store::Session;

/// Is one range read: everything needed to write it out after the transaction.
pub(crate) struct Read {
    range: String,
    rect: Rect,
    window: Window,
}

impl Read {
    /// Reads a range.
    pub(crate) fn of(
        session: &mut Session<'_>,
        book: &Book,
        range: &Range,
    ) -> Result<Self, ApiError> {
        let sheet = book.sheet(range.sheet).ok_or_else(ApiError::not_found)?;
        let rect = range.inside(sheet)?;
        Ok(Self {
            range: echo(sheet, rect),
            rect,
            window: sheet.grid.window(session, rect.start_row, rect.end_row)?,
        })
    }

    /// Begins to read a range; the loader gives it its cells.
    fn ahead(book: &Book, range: &Range) -> Result<(Self, Loader), ApiError> {
        let sheet = book.sheet(range.sheet).ok_or_else(ApiError::not_found)?;
        let rect = range.inside(sheet)?;
        let (window, loader) = sheet.grid.window_ahead(rect.start_row, rect.end_row);
        Ok((Self { range: echo(sheet, rect), rect, window }, loader))
    }

    /// Writes the ValueRange.
    fn write(&self, out: &mut Sink<'_>, style: &mut Style, layout: Layout) -> Result<(), ApiError> {
        value_range::write(out, style, layout, &self.range, &self.window, self.rect)
    }

    /// Returns the ValueRange as a value.
    pub(crate) fn value(&self, style: &mut Style) -> Result<Value, ApiError> {
        Ok(serde_json::from_slice(&gather(|out| self.write(out, style, Layout(None)))?)?)
    }
}

/// Answers `GET /v4/spreadsheets/{id}/values/{range}`.
pub(crate) async fn get(request: Request, range: String) -> Result<Response, ApiError> {
    let options = Options::of_call(&request.call, "valueRenderOption", "dateTimeRenderOption")?;
    let mask = request.mask("ValueRange")?;
    let id = request.id.clone();
    let (book, read) = request
        .app
        .store
        .read_ahead(
            move |session| {
                let book = session.book(&id)?;
                let range = Range::of_text(&book, &range)?;
                let (read, loader) = Read::ahead(&book, &range)?;
                Ok(((book, read), loader))
            },
            |session, loader| loader.run(session),
        )
        .await?;
    let pretty = request.call.pretty();
    let layout = Layout(pretty.then_some(0));
    stream("ValueRange", mask, pretty, move |out| {
        read.write(out, &mut Style::new(&book, options), layout)
    })
    .await
}

/// Answers `GET .../values:batchGet`.
pub(crate) async fn batch_get(request: Request) -> Result<Response, ApiError> {
    let options = Options::of_call(&request.call, "valueRenderOption", "dateTimeRenderOption")?;
    let mask = request.mask("BatchGetValuesResponse")?;
    let id = request.id.clone();
    let texts: Vec<String> = request.call.params("ranges").into_iter().map(str::to_owned).collect();
    let (book, reads) = request
        .app
        .store
        .read(move |session| {
            let book = session.book(&id)?;
            let mut reads = Vec::with_capacity(texts.len());
            for text in &texts {
                let range = Range::of_text(&book, text)?;
                reads.push(Read::of(session, &book, &range)?);
            }
            Ok((book, reads))
        })
        .await?;
    let pretty = request.call.pretty();
    stream("BatchGetValuesResponse", mask, pretty, move |out| {
        write_all(&book, &reads, options, pretty, out)
    })
    .await
}

fn write_all(
    book: &Book,
    reads: &[Read],
    options: Options,
    pretty: bool,
    out: &mut Sink<'_>,
) -> Result<(), ApiError> {
    let mut style = Style::new(book, options);
    let outer = Layout(pretty.then_some(0));
    out.raw(b"{");
    outer.line(out, 1);
    outer.key(out, "spreadsheetId");
    out.string(&book.id);
    if !reads.is_empty() {
        out.raw(b",");
        outer.line(out, 1);
        outer.key(out, "valueRanges");
        out.raw(b"[");
        for (index, read) in reads.iter().enumerate() {
            outer.item(out, 2, index > 0);
            read.write(out, &mut style, Layout(pretty.then_some(2)))?;
        }
        outer.line(out, 1);
        out.raw(b"]");
    }
    outer.line(out, 0);
    out.raw(b"}");
    Ok(())
}

/// Answers `POST .../values:batchGetByDataFilter`.
pub(crate) async fn batch_get_by_filter(request: Request) -> Result<Response, ApiError> {
    let body = body_of(&request.call, "BatchGetValuesByDataFilterRequest", "")?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let options = Options::of(
        text("valueRenderOption"),
        text("dateTimeRenderOption"),
        text("majorDimension"),
    )?;
    let filters = body.get("dataFilters").cloned().unwrap_or_default();
    let id = request.id.clone();
    let answer = request
        .app
        .store
        .read(move |session| {
            let book = session.book(&id)?;
            let mut style = Style::new(&book, options);
            let mut all = Vec::new();
            for Matched { range, filters } in filter::ranges(&book, &filters)? {
                let read = Read::of(session, &book, &range)?;
                all.push(json!({"valueRange": read.value(&mut style)?, "dataFilters": filters}));
            }
            let mut answer = json!({"spreadsheetId": book.id});
            if let Value::Object(map) = &mut answer
                && !all.is_empty()
            {
                map.insert("valueRanges".to_owned(), all.into());
            }
            Ok(answer)
        })
        .await?;
    request.answer("BatchGetValuesByDataFilterResponse", answer)
}
