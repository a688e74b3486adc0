//! `files.export`: CSV, TSV and XLSX.

use super::error::{error, parameter};
use super::file::{SPREADSHEET, XLSX};
use super::{Context, Reply, table, xlsx};
use crate::book::{Book, Sheet};
use crate::http::ApiError;
use crate::render::Renderer;
use crate::store::Session;

/// Is the most bytes of an export, as documented: 10 MB.
const MOST: usize = 10 * 1024 * 1024;

/// Exports a spreadsheet.
pub(super) fn export(context: &mut Context<'_, '_>, ids: &[String]) -> Result<Reply, ApiError> {
    let file = table::get(context.session.sql(), ids.first().map_or("", String::as_str))?;
    let Some(mime) = context.call.param("mimeType").filter(|mime| !mime.is_empty()) else {
        return Err(parameter(400, "required", "Required parameter: mimeType", "mimeType"));
    };
    if file.mime_type != SPREADSHEET {
        return Err(error(403, "fileNotExportable", "Export only supports Docs Editors files."));
    }
    let book = context.session.book(&file.id)?;
    let (data, extension) = match mime {
        "text/csv" => (text(context.session, &book, Style::Csv)?, "csv"),
        "text/tab-separated-values" => (text(context.session, &book, Style::Tsv)?, "tsv"),
        XLSX => (xlsx::workbook(context.session, &book)?, "xlsx"),
        _ => {
            return Err(parameter(
                400,
                "badRequest",
                "The requested conversion is not supported.",
                "convertTo",
            ));
        }
    };
    if data.len() > MOST {
        return Err(error(
            403,
            "exportSizeLimitExceeded",
            "This file is too large to be exported.",
        ));
    }
    Ok(Reply::Bytes {
        mime: mime.to_owned(),
        name: Some(format!("{}.{extension}", file.name)),
        data,
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Csv,
    Tsv,
}

/// Returns the first sheet as text: CRLF between rows, none at the end, no byte order mark, all
/// rows as wide as the widest (recorded; google-wire 2.10).
fn text(session: &mut Session<'_>, book: &Book, style: Style) -> Result<Vec<u8>, ApiError> {
    let Some(sheet) = book.sheets.first() else {
        return Ok(Vec::new());
    };
    let rows = shown(session, book, sheet)?;
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let separator = if style == Style::Csv { "," } else { "\t" };
    let lines: Vec<String> = rows
        .into_iter()
        .map(|mut fields| {
            fields.resize(width, String::new());
            let fields: Vec<String> =
                fields.into_iter().map(|field| quoted(field, style)).collect();
            fields.join(separator)
        })
        .collect();
    Ok(lines.join("\r\n").into_bytes())
}

/// Returns a field as CSV quotes it; TSV has no quotes, so breaks in a cell become spaces.
fn quoted(field: String, style: Style) -> String {
    match style {
        Style::Csv if field.contains(['"', ',', '\n', '\r']) => {
            format!("\"{}\"", field.replace('"', "\"\""))
        }
        Style::Tsv if field.contains(['\t', '\n', '\r']) => field.replace(['\t', '\n', '\r'], " "),
        _ => field,
    }
}

/// Returns the texts that a sheet shows, without trailing blanks.
fn shown(
    session: &mut Session<'_>,
    book: &Book,
    sheet: &Sheet,
) -> Result<Vec<Vec<String>>, ApiError> {
    let mut renderer = Renderer::new(book.locale());
    let formats = book.head.formats.number_formats();
    let used = sheet.grid.used_rows(session)?;
    let mut rows = Vec::new();
    sheet.grid.window(session, 0, used)?.each(&mut |_, line| {
        let mut row = Vec::new();
        line.each(&mut |column, cell| {
            if !cell.is_empty() {
                row.resize(column as usize, String::new());
                row.push(
                    renderer.text(
                        cell.value,
                        formats.get(cell.format as usize).and_then(Option::as_ref),
                    ),
                );
            }
        })?;
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}
