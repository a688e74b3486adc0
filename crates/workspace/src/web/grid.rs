//! One sheet as a table.

use std::fmt::Write as _;

use axum::response::Response;
use lockstep_a1::column_letters;

use super::{escape, failed, page};
use crate::app::App;
use crate::book::{Book, Sheet};
use crate::grid::ScalarView;
use crate::http::{ApiError, Call};
use crate::render::Renderer;
use crate::store::Session;

/// How many rows a page shows.
const ROWS: u32 = 200;
/// How many columns a page shows.
const COLUMNS: u32 = 100;

/// Shows a page of rows of a sheet, chosen by `sheet` (its id) and `row` (the first, from 1).
pub(super) async fn show(app: &App, call: &Call, id: &str) -> Response {
    let wanted: Option<i32> = call.param("sheet").and_then(|text| text.parse().ok());
    let first: u32 = call.param("row").and_then(|text| text.parse().ok()).unwrap_or(1).max(1) - 1;
    let id = id.to_owned();
    let shown = app
        .store
        .read(move |session| {
            let book = session.book(&id)?;
            let sheet = match wanted {
                Some(wanted) => book.sheet(wanted),
                None => book
                    .sheets
                    .iter()
                    .find(|sheet| sheet.is_grid() && !sheet.is_hidden())
                    .map(|sheet| &**sheet),
            };
            let sheet = sheet.filter(|sheet| sheet.is_grid()).ok_or_else(ApiError::not_found)?;
            let body = body(session, &book, sheet, first)?;
            Ok((book.title().to_owned(), body))
        })
        .await;
    match shown {
        Ok((title, body)) => page(200, &title, &body),
        Err(error) => failed(&error),
    }
}

fn body(
    session: &mut Session<'_>,
    book: &Book,
    sheet: &Sheet,
    first: u32,
) -> Result<String, ApiError> {
    let used = sheet.grid.used_rows(session)?;
    let mut out =
        String::from("<p><a href=\"/\">All spreadsheets</a></p><nav aria-label=\"Sheets\"><ul>");
    for tab in book.sheets.iter().filter(|tab| tab.is_grid()) {
        let current = if tab.id == sheet.id { " aria-current=\"page\"" } else { "" };
        let hidden = if tab.is_hidden() { " (hidden)" } else { "" };
        let _ = write!(
            out,
            "<li><a href=\"?sheet={}\"{current}>{}{hidden}</a></li>",
            tab.id,
            escape(tab.title())
        );
    }
    out.push_str("</ul></nav>");
    let last = first.saturating_add(ROWS).min(used);
    let _ = write!(
        out,
        "<p>{} rows with content, {} x {} cells{}.</p>",
        used,
        sheet.grid.rows(),
        sheet.grid.columns(),
        if used == 0 {
            String::new()
        } else {
            format!("; rows {} to {last} are shown", first.saturating_add(1))
        },
    );
    out.push_str(&pages(sheet.id, first, used));
    if used > 0 {
        out.push_str(&table(session, book, sheet, first, last)?);
    }
    Ok(out)
}

fn pages(sheet: i32, first: u32, used: u32) -> String {
    let mut links = String::new();
    if first > 0 {
        let row = first.saturating_sub(ROWS) + 1;
        let _ = write!(
            links,
            "<li><a rel=\"prev\" href=\"?sheet={sheet}&amp;row={row}\">Rows before</a></li>"
        );
    }
    if first.saturating_add(ROWS) < used {
        let row = first + ROWS + 1;
        let _ = write!(
            links,
            "<li><a rel=\"next\" href=\"?sheet={sheet}&amp;row={row}\">Rows after</a></li>"
        );
    }
    if links.is_empty() {
        links
    } else {
        format!("<nav aria-label=\"Rows\"><ul>{links}</ul></nav>")
    }
}

fn table(
    session: &mut Session<'_>,
    book: &Book,
    sheet: &Sheet,
    first: u32,
    last: u32,
) -> Result<String, ApiError> {
    let mut renderer = Renderer::new(book.locale());
    let formats = book.head.formats.number_formats();
    let mut rows: Vec<Vec<(u32, bool, String)>> = Vec::new();
    let mut width = 0;
    sheet.grid.window(session, first, last)?.each(&mut |_, line| {
        let mut row = Vec::new();
        line.each(&mut |column, cell| {
            if !cell.is_empty() && column < COLUMNS {
                let number = matches!(cell.value, ScalarView::Number(_));
                let format = formats.get(cell.format as usize).and_then(Option::as_ref);
                row.push((column, number, renderer.text(cell.value, format)));
                width = width.max(column + 1);
            }
        })?;
        rows.push(row);
        Ok(())
    })?;
    let title = escape(sheet.title());
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Cells of {title}\"><table><thead><tr>\
         <th scope=\"col\"><span aria-hidden=\"true\">#</span></th>"
    );
    for column in 0..width {
        let _ = write!(out, "<th scope=\"col\">{}</th>", column_letters(column));
    }
    out.push_str("</tr></thead><tbody>");
    for (row, cells) in (first + 1..).zip(rows) {
        let _ = write!(out, "<tr><th scope=\"row\">{row}</th>");
        let mut cells = cells.into_iter().peekable();
        for column in 0..width {
            match cells.next_if(|(at, _, _)| *at == column) {
                Some((_, number, text)) => {
                    let class = if number { " class=\"n\"" } else { "" };
                    let _ = write!(out, "<td{class}>{}</td>", escape(&text));
                }
                None => out.push_str("<td></td>"),
            }
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    Ok(out)
}
