//! The workbook part: its sheets, its date system, its names.

use super::{
    super::broken,
    package::Package,
    xml::{Node, Walk, attribute, flag},
};
use crate::{
    error::{Error, Result, did_you_mean},
    replica::header::list,
};

/// A sheet of a workbook.
#[derive(Debug)]
pub(super) struct SheetRef {
    pub(super) name: String,
    /// The part with its cells; of another kind than a worksheet if `cells` says no.
    pub(super) part: String,
    cells: bool,
}

/// A workbook.
#[derive(Debug)]
pub(super) struct Book {
    /// The workbook's own part.
    pub(super) part: String,
    sheets: Vec<SheetRef>,
    /// Days are counted from 1904-01-01.
    pub(super) date1904: bool,
    /// Defined names and what they stand for.
    pub(super) names: Vec<(String, String)>,
    pub(super) strings: Option<String>,
    pub(super) styles: Option<String>,
}

/// A relation of a part to another.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) id: String,
    /// The last word of its type, such as `worksheet`.
    pub(super) kind: String,
    /// The other part.
    pub(super) target: String,
}

impl Book {
    /// Reads the workbook.
    ///
    /// # Errors
    /// A package that is no XLSX workbook.
    pub(super) fn read(package: &mut Package<'_>) -> Result<Self> {
        let root = relations(package, "")?;
        let main = root.iter().find(|relation| relation.kind == "officeDocument");
        let part = main.map(|relation| relation.target.clone());
        let part = part.ok_or_else(|| broken("the file is a zip, but no workbook"))?;
        if part.ends_with(".bin") {
            return Err(broken("the file is a binary workbook (.xlsb)").next("save it as .xlsx"));
        }
        let relations = relations(package, &part)?;
        let of = |kind: &str| {
            relations
                .iter()
                .find(|relation| relation.kind == kind)
                .map(|found| found.target.clone())
        };
        let text = package.text(&part)?;
        let mut book = Self {
            sheets: Vec::new(),
            date1904: false,
            names: Vec::new(),
            strings: of("sharedStrings"),
            styles: of("styles"),
            part,
        };
        let (mut walk, mut open) = (Walk::new(&text), None);
        while let Some((node, place)) = walk.next()? {
            match node {
                Node::Open { tag, empty } => match tag.local_name().as_ref() {
                    "workbookPr" => book.date1904 = flag(&tag, "date1904"),
                    "sheet" => {
                        let (name, id) = (attribute(&tag, "name"), attribute(&tag, "id"));
                        let relation = relations.iter().find(|one| Some(&one.id) == id.as_ref());
                        if let (Some(name), Some(relation)) = (name, relation) {
                            let cells = relation.kind == "worksheet";
                            book.sheets.push(SheetRef {
                                name,
                                part: relation.target.clone(),
                                cells,
                            });
                        }
                    }
                    "definedName" if !empty => {
                        open = attribute(&tag, "name").map(|name| (name, place.end))
                    }
                    _ => {}
                },
                Node::Close => {
                    if let Some((name, start)) = open.take() {
                        let raw = text.get(start..place.start).unwrap_or_default();
                        book.names.push((name, super::xml::resolve(raw)?.into_owned()));
                    }
                }
                Node::Other => {}
            }
        }
        Ok(book)
    }

    /// Returns the sheet of this name, or the first.
    ///
    /// # Errors
    /// A name that is not there (near ones are offered), or of a sheet without cells.
    pub(super) fn sheet(&self, name: Option<&str>) -> Result<&SheetRef> {
        let names = || self.sheets.iter().map(|sheet| sheet.name.as_str());
        let found = match name {
            None => self.sheets.iter().find(|sheet| sheet.cells),
            // Excel tells sheets apart without letter case.
            Some(name) => {
                self.sheets.iter().find(|sheet| sheet.name.to_lowercase() == name.to_lowercase())
            }
        };
        match (found, name) {
            (Some(sheet), _) if sheet.cells => Ok(sheet),
            (Some(sheet), _) => Err(Error::invalid(format!(
                "the sheet \"{}\" is a chart, without cells",
                sheet.name
            ))
            .next(format!("the sheets are {}", list(names())))),
            (None, Some(name)) => {
                let near = did_you_mean(name, names());
                Err(Error::not_found(format!("the workbook has no sheet \"{name}\".{near}"))
                    .next(format!("the sheets are {}", list(names()))))
            }
            (None, None) => Err(broken("the workbook has no sheet with cells")),
        }
    }
}

/// Reads the relations of a part; those to outside the package are left out.
///
/// # Errors
/// A damaged part.
pub(super) fn relations(package: &mut Package<'_>, part: &str) -> Result<Vec<Relation>> {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let slash = if folder.is_empty() { "" } else { "/" };
    let name = format!("{folder}{slash}_rels/{file}.rels");
    if !package.has(&name) {
        return Ok(Vec::new());
    }
    let text = package.text(&name)?;
    let (mut walk, mut found) = (Walk::new(&text), Vec::new());
    while let Some((node, _)) = walk.next()? {
        let Node::Open { tag, .. } = node else { continue };
        if tag.local_name().as_ref() != "Relationship" {
            continue;
        }
        let kind = attribute(&tag, "Type").unwrap_or_default();
        let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
        let id = attribute(&tag, "Id").unwrap_or_default();
        let outside = attribute(&tag, "TargetMode").is_some_and(|mode| mode == "External");
        if let Some(target) = attribute(&tag, "Target").filter(|_| !outside) {
            found.push(Relation { id, kind, target: resolve(folder, &target) });
        }
    }
    Ok(found)
}

/// Returns the name of a part that is named relative to a folder.
fn resolve(folder: &str, target: &str) -> String {
    let mut path: Vec<&str> = match target.starts_with('/') {
        true => Vec::new(),
        false => folder.split('/').filter(|step| !step.is_empty()).collect(),
    };
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            step => path.push(step),
        }
    }
    path.join("/")
}
