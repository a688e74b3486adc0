//! The tab in which people decide conflicts, as an argument.

use serde::Deserialize;

use crate::{
    error::{Error, Result},
    replica::Source,
    sync::{conflicts::review::ReviewSheet, definition::Members},
};

/// A tab in which people decide conflicts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReviewArg {
    spreadsheet_id: Option<String>,
    sheet: Option<String>,
}

impl ReviewArg {
    /// Returns where the tab is: in the spreadsheet of a side, where no other is named.
    ///
    /// # Errors
    /// Neither a spreadsheet nor a side that is a sheet.
    pub(super) fn sheet(self, members: &Members, dataset: &str) -> Result<ReviewSheet> {
        let sources: Vec<&Source> = match members {
            Members::Pair { left, right } => vec![left, right],
            Members::Hub { hub, spokes } => {
                std::iter::once(hub).chain(spokes.iter().map(|spoke| &spoke.source)).collect()
            }
        };
        let own = sources.into_iter().find_map(|source| match source {
            Source::Sheet { spreadsheet, .. } => Some(spreadsheet.clone()),
            _ => None,
        });
        let given = self.spreadsheet_id.map(|id| lockstep_google::parse_id(&id).unwrap_or(id));
        let spreadsheet = given.or(own).ok_or_else(|| {
            Error::invalid("argument reviewSheet: no side is a sheet, so spreadsheetId is needed")
                .next("name a spreadsheet for the review tab")
        })?;
        let sheet =
            self.sheet.unwrap_or_else(|| format!("Review {dataset}").chars().take(100).collect());
        Ok(ReviewSheet { spreadsheet, sheet })
    }
}
