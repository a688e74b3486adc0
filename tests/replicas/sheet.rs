//! A sheet of the embedded workspace as a replica.

use std::sync::OnceLock;

use lockstep::config::Config;
use lockstep_engine::schema::{Column, ColumnType};
use serde_json::{Value as Json, json};

use super::kind::{Abilities, Doing, Replica, Table};
use crate::harness::House;

#[derive(Default)]
pub(super) struct Sheet(OnceLock<String>);

impl Sheet {
    fn id(&self) -> &str {
        self.0.get().expect("it was filled")
    }

    async fn cells(&self, house: &House) -> Vec<Vec<Json>> {
        let mut rows = Vec::new();
        let mut cursor = Json::Null;
        loop {
            let mut ask = json!({"spreadsheetId": self.id(), "sheet": "table", "as": "rows"});
            if !cursor.is_null() {
                ask["cursor"] = cursor;
            }
            let page = house.ok("readSheet", ask).await;
            let more = page["rows"].as_array().unwrap().iter();
            rows.extend(more.map(|row| row["cells"].as_array().unwrap().clone()));
            cursor = page["nextCursor"].clone();
            if cursor.is_null() {
                return rows;
            }
        }
    }

    async fn at(&self, house: &House, key: &str, column: &str) -> String {
        let rows = self.cells(house).await;
        let row = rows.iter().position(|row| text(&row[0]).as_deref() == Some(key)).unwrap();
        let at = rows[0].iter().position(|name| name == column).unwrap();
        format!("{}{}", char::from(b'A' + u8::try_from(at).unwrap()), row + 1)
    }
}

fn text(cell: &Json) -> Option<String> {
    match cell {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Returns what a person would type, so that numbers are numbers and texts are texts.
fn typed(ty: ColumnType, text: &str) -> Json {
    let value = Column::new("", ty).read(text);
    match ty {
        ColumnType::Number if value.as_number().is_some_and(|n| n.to_f64_exact().is_some()) => {
            serde_json::from_str(&value.to_string()).unwrap()
        }
        ColumnType::Bool => json!(value.to_string() == "true"),
        _ => json!(text),
    }
}

impl Replica for Sheet {
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    fn configure(&self, _config: &mut Config, _writable: bool) {}

    fn fill<'a>(&'a self, house: &'a House, table: &'a Table) -> Doing<'a, ()> {
        Box::pin(async move {
            let header = table.columns.iter().map(|(name, _)| json!(name)).collect::<Vec<_>>();
            let mut rows = vec![Json::Array(header)];
            for row in &table.rows {
                let cell = |((_, ty), text): (&(&str, ColumnType), &Option<String>)| {
                    text.as_ref().map_or(Json::Null, |text| typed(*ty, text))
                };
                rows.push(table.columns.iter().zip(row).map(cell).collect());
            }
            let sheets = json!([{"title": "table", "values": rows}]);
            let ask = json!({"type": "spreadsheet", "name": "table", "sheets": sheets});
            let made = house.ok("createFile", ask).await;
            self.0.set(made["id"].as_str().unwrap().to_owned()).unwrap();
        })
    }

    fn side(&self) -> Json {
        json!({"spreadsheetId": self.id(), "sheet": "table"})
    }

    fn read<'a>(&'a self, house: &'a House, like: &'a Table) -> Doing<'a, Table> {
        Box::pin(async move {
            let mut rows = self.cells(house).await.into_iter();
            let header = rows.next().unwrap();
            let cell = |row: &Vec<Json>, (name, ty): &(&str, ColumnType)| {
                let at = header.iter().position(|header| header == name)?;
                let text = text(row.get(at)?)?;
                // readSheet shows days and times by their number format, in ISO form.
                let _ = ty;
                Some(text)
            };
            let whole = |row: &Vec<Json>| row.iter().any(|cell| !cell.is_null());
            let rows = rows
                .filter(whole)
                .map(|row| like.columns.iter().map(|column| cell(&row, column)).collect())
                .collect();
            Table { rows, ..like.clone() }
        })
    }

    fn set<'a>(
        &'a self,
        house: &'a House,
        key: &'a str,
        column: &'a str,
        value: &'a str,
    ) -> Doing<'a, ()> {
        Box::pin(async move {
            let range = self.at(house, key, column).await;
            let values = match value.parse::<i64>() {
                Ok(number) => json!([[number]]),
                Err(_) => json!([[value]]),
            };
            let ask = json!({"spreadsheetId": self.id(), "sheet": "table", "range": range, "values": values});
            house.ok("updateCells", ask).await;
        })
    }

    fn remove<'a>(&'a self, house: &'a House, key: &'a str) -> Doing<'a, ()> {
        Box::pin(async move {
            let rows = self.cells(house).await;
            let row = rows.iter().position(|row| text(&row[0]).as_deref() == Some(key)).unwrap();
            let blank: Vec<Json> = rows[0].iter().map(|_| json!("")).collect();
            let last = char::from(b'A' + u8::try_from(blank.len() - 1).unwrap());
            let range = format!("A{0}:{last}{0}", row + 1);
            let ask = json!({"spreadsheetId": self.id(), "sheet": "table", "range": range, "values": [blank]});
            house.ok("updateCells", ask).await;
        })
    }
}
