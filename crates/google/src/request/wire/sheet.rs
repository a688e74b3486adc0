//! Properties of sheets.

use crate::request::{NewSheet, SheetChange};

#[derive(serde::Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sheet<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sheet_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hidden: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grid_properties: Option<Grid>,
}

#[derive(serde::Serialize, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grid {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) row_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frozen_row_count: Option<u32>,
}

impl Grid {
    fn some(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

impl<'a> From<&'a NewSheet> for Sheet<'a> {
    fn from(sheet: &'a NewSheet) -> Self {
        let frozen = (sheet.frozen_rows > 0).then_some(sheet.frozen_rows);
        Self {
            sheet_id: sheet.id,
            title: Some(&sheet.title),
            grid_properties: Grid {
                row_count: sheet.rows,
                column_count: sheet.columns,
                frozen_row_count: frozen,
            }
            .some(),
            ..Self::default()
        }
    }
}

impl SheetChange {
    pub(super) fn wire(&self, sheet_id: i32) -> Sheet<'_> {
        Sheet {
            sheet_id: Some(sheet_id),
            title: self.title.as_deref(),
            index: self.index,
            hidden: self.hidden,
            grid_properties: Grid {
                row_count: self.rows,
                column_count: self.columns,
                frozen_row_count: self.frozen_rows,
            }
            .some(),
        }
    }

    pub(in crate::request) fn mask(&self) -> String {
        [
            (self.title.is_some(), "title"),
            (self.index.is_some(), "index"),
            (self.hidden.is_some(), "hidden"),
            (self.rows.is_some(), "gridProperties.rowCount"),
            (self.columns.is_some(), "gridProperties.columnCount"),
            (self.frozen_rows.is_some(), "gridProperties.frozenRowCount"),
        ]
        .iter()
        .filter(|(given, _)| *given)
        .map(|(_, path)| *path)
        .collect::<Vec<_>>()
        .join(",")
    }
}
