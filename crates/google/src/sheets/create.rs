//! New spreadsheets.

use google_sheets4::api;

use crate::retry::{Call, Effect};
use crate::{Error, Google, NewSheet, Result, Spreadsheet};

const CREATE: Call = Call::sheets("sheets.spreadsheets.create", Effect::Once);

/// A spreadsheet to create.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewSpreadsheet {
    /// Title.
    pub title: String,
    /// Sheets; the service adds one of its own if there are none.
    pub sheets: Vec<NewSheet>,
    /// Locale, e.g. `en_US`; the account's if `None`.
    pub locale: Option<String>,
    /// Time zone, e.g. `Etc/GMT`; the account's if `None`.
    pub time_zone: Option<String>,
}

impl Google {
    /// Creates a spreadsheet in the root folder of the account.
    ///
    /// When the answer is lost the error is [`Ambiguous`](crate::Retry::Ambiguous): look for a
    /// file of that title before creating it again.
    pub async fn create_spreadsheet(&self, new: &NewSpreadsheet) -> Result<Spreadsheet> {
        if new.title.trim().is_empty() {
            return Err(Error::invalid(CREATE.operation, "the title is empty"));
        }
        let sheets = new.sheets.iter().map(sheet).collect::<Result<Vec<_>>>()?;
        let request = api::Spreadsheet {
            properties: Some(api::SpreadsheetProperties {
                title: Some(new.title.clone()),
                locale: new.locale.clone(),
                time_zone: new.time_zone.clone(),
                ..api::SpreadsheetProperties::default()
            }),
            sheets: (!sheets.is_empty()).then_some(sheets),
            ..api::Spreadsheet::default()
        };
        let request = &request;
        let created = self
            .run(CREATE, |mut witness| async move {
                scoped!(self.shared.sheets.spreadsheets().create(request.clone()))
                    .delegate(&mut witness)
                    .doit()
                    .await
            })
            .await?;
        let created = Spreadsheet::from(created.1);
        self.shared.door.made(&created.id);
        Ok(created)
    }
}

fn sheet(new: &NewSheet) -> Result<api::Sheet> {
    let number = |what: &str, value: u32| {
        i32::try_from(value).map_err(|_| {
            let message = format!("sheet {:?}: {value} {what} are too many", new.title);
            Error::invalid(CREATE.operation, message)
        })
    };
    Ok(api::Sheet {
        properties: Some(api::SheetProperties {
            sheet_id: new.id,
            title: Some(new.title.clone()),
            grid_properties: Some(api::GridProperties {
                row_count: new.rows.map(|rows| number("rows", rows)).transpose()?,
                column_count: new.columns.map(|n| number("columns", n)).transpose()?,
                frozen_row_count: Some(number("frozen rows", new.frozen_rows)?)
                    .filter(|rows| *rows > 0),
                ..api::GridProperties::default()
            }),
            ..api::SheetProperties::default()
        }),
        ..api::Sheet::default()
    })
}
