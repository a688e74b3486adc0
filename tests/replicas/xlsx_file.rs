//! Workbooks, written by rust_xlsxwriter and read by calamine.

use std::path::Path;

use calamine::{Data, Reader as _, Xlsx};
use lockstep_engine::schema::ColumnType;
use rust_xlsxwriter::{Format, Workbook};

use super::kind::{Table, Text};

pub(super) fn save(path: &Path, table: &Table) {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, (name, ty)) in table.columns.iter().enumerate() {
        let column = u16::try_from(column).unwrap();
        sheet.write_string(0, column, *name).unwrap();
        let pattern = match ty {
            ColumnType::Date => "dd.mm.yyyy",
            ColumnType::Time => "hh:mm:ss.000",
            ColumnType::DateTime => "yyyy-mm-dd hh:mm:ss",
            _ => continue,
        };
        sheet.set_column_format(column, &Format::new().set_num_format(pattern)).unwrap();
    }
    for (number, row) in table.rows.iter().enumerate() {
        let number = u32::try_from(number + 1).unwrap();
        for (column, ((_, ty), text)) in table.columns.iter().zip(row).enumerate() {
            let column = u16::try_from(column).unwrap();
            let Some(text) = text else { continue };
            match (ty, text.parse::<f64>()) {
                (ColumnType::Number, Ok(value)) => {
                    sheet.write_number(number, column, value).unwrap()
                }
                _ => sheet.write_string(number, column, text).unwrap(),
            };
        }
    }
    book.save(path).unwrap();
}

pub(super) fn load(path: &Path, like: &Table) -> Table {
    let mut book: Xlsx<_> = calamine::open_workbook(path).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    let mut rows = range.rows();
    let header: Vec<String> = rows.next().unwrap().iter().map(ToString::to_string).collect();
    let cell = |row: &[Data], (name, ty): &(&str, ColumnType)| {
        let at = header.iter().position(|header| header == name)?;
        text(row.get(at)?, *ty)
    };
    let rows = rows.map(|row| like.columns.iter().map(|column| cell(row, column)).collect());
    Table { rows: rows.collect(), ..like.clone() }
}

fn text(data: &Data, ty: ColumnType) -> Text {
    match data {
        Data::Empty => None,
        Data::DateTime(moment) => {
            let (year, month, day, hour, minute, second, ms) = moment.to_ymd_hms_milli();
            Some(match ty {
                ColumnType::Date => format!("{year:04}-{month:02}-{day:02}"),
                ColumnType::Time => format!("{hour:02}:{minute:02}:{second:02}.{ms:03}"),
                _ => format!(
                    "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}"
                ),
            })
        }
        other => Some(other.to_string()),
    }
}
