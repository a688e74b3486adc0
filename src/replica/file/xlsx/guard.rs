//! What a workbook holds that a writer could not keep: refused by its name.

use super::{
    area::Area,
    book::{Book, Relation, SheetRef},
    grid::Grid,
    lists::List,
    package::Package,
    xml::escaped,
};
use crate::error::{Error, Kind, Result};

/// What is to be written, as far as it decides what stands in its way.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The cells that change: row from 1, column from 0, and for new rows too.
    pub(super) cells: Vec<(u32, u32)>,
    /// The first row that is deleted.
    pub(super) deleted: Option<u32>,
}

fn refuse(what: impl std::fmt::Display, next: &str) -> Error {
    Error::invalid(format!("the workbook cannot be written: {what}")).next(next)
}

/// Checks the package and the sheet as a whole.
///
/// # Errors
/// A signature, a protected or shared workbook, a pivot table, rows from a query, and XML without places.
pub(super) fn writable(
    package: &mut Package<'_>,
    grid: &Grid<'_>,
    relations: &[Relation],
    lists: &[List],
) -> Result<()> {
    let names = package.names();
    if names.iter().any(|name| name.starts_with("_xmlsignatures/")) {
        return Err(refuse(
            "it is signed, and a change would void the signature",
            "remove the signature",
        ));
    }
    if names.iter().any(|name| name.starts_with("xl/revisions/")) {
        return Err(refuse(
            "it is a shared workbook that records changes",
            "stop sharing it in Excel",
        ));
    }
    if grid.elements("sheetProtection").any(|element| element.on) {
        return Err(Error::new(Kind::PermissionDenied, "the sheet is protected")
            .next("remove the protection in Excel, or name another sheet"));
    }
    if grid.unplaced {
        return Err(refuse(
            "its cells do not say where they are",
            "open it in Excel or LibreOffice and save it again",
        ));
    }
    if relations.iter().any(|relation| relation.kind == "pivotTable") {
        return Err(refuse(
            "the sheet holds a pivot table",
            "move the pivot table to another sheet",
        ));
    }
    if relations.iter().any(|relation| relation.kind == "queryTable") {
        return Err(refuse("the sheet is filled by a query", "write to a sheet of its own"));
    }
    for list in lists {
        if list.has_query(package)? {
            return Err(refuse(
                format!("the table \"{}\" is filled by a query", list.name),
                "write to a sheet of its own",
            ));
        }
    }
    Ok(())
}

/// Checks the cells that change.
///
/// # Errors
/// A formula that would be overwritten, merged cells, and cells with something that is not known.
pub(super) fn cells(grid: &Grid<'_>, reach: &Reach) -> Result<()> {
    let merged: Vec<Area> =
        grid.elements("mergeCells").flat_map(|element| element.areas.clone()).collect();
    for (row, column) in &reach.cells {
        let name = || super::area::name(*row, *column);
        let over = |areas: &[Area]| areas.iter().find(|area| area.holds(*row, *column)).copied();
        if let Some(area) = over(&merged) {
            return Err(refuse(
                format!("the cell {} is in the merged cells {}", name(), area.name()),
                "unmerge them, or leave the row or column out",
            ));
        }
        let found = grid.rows.binary_search_by_key(row, |row| row.number).ok();
        let found = found.and_then(|at| grid.rows.get(at));
        let cell = found.and_then(|row| row.cell(*column));
        if cell.is_some_and(|cell| cell.formula) || over(&grid.filled).is_some() {
            return Err(Error::invalid(format!(
                "the cell {} holds a formula, and formulas are never overwritten",
                name()
            ))
            .next("leave the column out, or let it flow the other way"));
        }
        if found.is_some_and(|row| row.strange) || cell.is_some_and(|cell| cell.strange) {
            return Err(refuse(
                format!("the cell {} or its row holds an extension that is not known", name()),
                "leave the row or column out",
            ));
        }
    }
    Ok(())
}

/// What may stand beside the cells however rows move.
const UNMOVED: &[&str] = &[
    "sheetPr",
    "dimension",
    "sheetViews",
    "sheetFormatPr",
    "cols",
    "sheetCalcPr",
    "sheetProtection",
    "phoneticPr",
    "printOptions",
    "pageMargins",
    "pageSetup",
    "headerFooter",
];

/// Checks what refers to rows that would move up.
///
/// # Errors
/// Anything in the sheet or the workbook that would have to move too: it is not moved here, so nothing is deleted.
pub(super) fn deletable(
    package: &mut Package<'_>,
    book: &Book,
    sheet: &SheetRef,
    grid: &Grid<'_>,
    first: u32,
) -> Result<()> {
    let refuse = |what: &str| {
        refuse(
            format!("deleting rows would move what is below them, and {what}"),
            "use deletes: {\"mark\": …}, or remove it first",
        )
    };
    if grid.formulas {
        return Err(refuse("the sheet has formulas"));
    }
    for element in &grid.elements {
        let fixed = UNMOVED.contains(&element.name.as_str());
        let above =
            !element.areas.is_empty() && element.areas.iter().all(|area| area.bottom < first);
        let alone = element.relations.is_empty() && element.name != "extLst";
        if !(fixed || above && alone) {
            return Err(refuse(&format!("the sheet has {}", plain(&element.name))));
        }
    }
    let title = sheet.name.to_lowercase();
    if let Some((name, _)) =
        book.names.iter().find(|(_, text)| text.to_lowercase().contains(&title))
    {
        return Err(refuse(&format!("the name \"{name}\" refers to the sheet")));
    }
    let title = escaped(&title).replace('\'', "''");
    let forms = [
        format!("{title}!"),
        format!("{title}'!"),
        format!("{title}:"),
        format!(":{title}"),
        format!("sheet=\"{title}\""),
    ];
    let kept = [sheet.part.clone(), book.part.clone()];
    let skipped = |name: &str| {
        kept.iter().any(|part| part == name)
            || !name.starts_with("xl/")
            || !name.ends_with(".xml")
            || ["xl/sharedStrings", "xl/styles", "xl/theme"]
                .iter()
                .any(|start| name.starts_with(start))
    };
    for name in package.names().into_iter().filter(|name| !skipped(name)) {
        let text = package.text(&name)?.to_lowercase().replace("&apos;", "'");
        if forms.iter().any(|form| text.contains(form)) {
            return Err(refuse(&format!("the part {name} may refer to the sheet")));
        }
    }
    Ok(())
}

/// Returns what an element is to people.
fn plain(name: &str) -> String {
    let known = match name {
        "mergeCells" => "merged cells",
        "tableParts" => "a table",
        "autoFilter" => "a filter",
        "conditionalFormatting" => "conditional formats",
        "dataValidations" => "data validations",
        "hyperlinks" => "links",
        "drawing" => "drawings or charts",
        "legacyDrawing" => "notes",
        "protectedRanges" => "protected ranges",
        "rowBreaks" | "colBreaks" => "page breaks",
        "extLst" => "extensions such as sparklines",
        other => return format!("\"{other}\""),
    };
    known.to_owned()
}
