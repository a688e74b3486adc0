//! The tables of a sheet ("format as table"): where they are, and their parts with another end.

use super::{
    area::Area,
    book::{Relation, relations},
    package::Package,
    xml::{Node, Walk, attribute, replaced},
};
use crate::error::Result;

/// A table of a sheet.
#[derive(Debug)]
pub(super) struct List {
    pub(super) name: String,
    part: String,
    pub(super) area: Area,
    /// It has a row of totals.
    pub(super) totals: bool,
    /// Its rows come from a query.
    pub(super) query: bool,
}

impl List {
    /// Reads the tables among a sheet's relations.
    ///
    /// # Errors
    /// A damaged part.
    pub(super) fn all(package: &mut Package<'_>, sheet: &[Relation]) -> Result<Vec<Self>> {
        let mut lists = Vec::new();
        for relation in sheet.iter().filter(|relation| relation.kind == "table") {
            let text = package.text(&relation.target)?;
            let mut walk = Walk::new(&text);
            while let Some((node, _)) = walk.next()? {
                let Node::Open { tag, .. } = node else { continue };
                if tag.local_name().as_ref() != "table" {
                    continue;
                }
                let Some(area) = attribute(&tag, "ref").and_then(|area| Area::parse(&area)) else {
                    continue;
                };
                let rows = attribute(&tag, "totalsRowCount").is_some_and(|count| count != "0");
                lists.push(Self {
                    name: attribute(&tag, "displayName").unwrap_or_default(),
                    area,
                    totals: rows,
                    query: attribute(&tag, "tableType").is_some_and(|kind| kind == "queryTable"),
                    part: relation.target.clone(),
                });
            }
        }
        Ok(lists)
    }

    /// Returns the table's part with the table, and its filter, ending in another row.
    ///
    /// # Errors
    /// A damaged part.
    pub(super) fn ending(&self, package: &mut Package<'_>, row: u32) -> Result<(String, String)> {
        let text = package.text(&self.part)?;
        let area = Area { bottom: row, ..self.area }.name();
        let (mut out, mut position, mut walk) =
            (String::with_capacity(text.len()), 0, Walk::new(&text));
        while let Some((node, place)) = walk.next()? {
            let Node::Open { tag, .. } = node else { continue };
            if matches!(tag.local_name().as_ref(), "table" | "autoFilter") {
                out.push_str(text.get(position..place.start).unwrap_or_default());
                out.push_str(&replaced(text.get(place.clone()).unwrap_or_default(), "ref", &area));
                position = place.end;
            }
        }
        out.push_str(text.get(position..).unwrap_or_default());
        Ok((self.part.clone(), out))
    }

    /// Returns the relations of the tables' parts: a query among them fills a table.
    pub(super) fn has_query(&self, package: &mut Package<'_>) -> Result<bool> {
        Ok(self.query || relations(package, &self.part)?.iter().any(|one| one.kind == "queryTable"))
    }
}
