//! The kinds of files that the matrix is gone through with; a file's marker is its hash.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};

use super::Model;

/// A file of a kind: how a person makes and reads it.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) file: &'static str,
    pub(super) write: fn(&Model) -> Vec<u8>,
    pub(super) read: fn(&[u8]) -> Vec<(String, (String, i64))>,
}

pub(super) const CSV: Kind = Kind { file: "stock.csv", write: write_csv, read: read_csv };
pub(super) const JSON: Kind = Kind { file: "stock.json", write: write_json, read: read_json };
pub(super) const XLSX: Kind = Kind { file: "stock.xlsx", write: write_xlsx, read: read_xlsx };

fn write_csv(model: &Model) -> Vec<u8> {
    let mut csv = String::from("sku,name,qty\n");
    for (key, (name, qty)) in model {
        csv.push_str(&format!("{key},{name},{qty}\n"));
    }
    csv.into_bytes()
}

fn read_csv(bytes: &[u8]) -> Vec<(String, (String, i64))> {
    let text = std::str::from_utf8(bytes).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells[0].to_owned(), (cells[1].to_owned(), cells[2].parse().unwrap()))
    };
    text.lines().skip(1).map(row).collect()
}

fn write_json(model: &Model) -> Vec<u8> {
    let item = |(sku, (name, qty)): (&String, &(String, i64))| json!({"sku": sku, "name": name, "qty": qty});
    let items: Vec<Value> = model.iter().map(item).collect();
    serde_json::to_vec_pretty(&json!({"shop": "one", "stock": items})).unwrap()
}

fn read_json(bytes: &[u8]) -> Vec<(String, (String, i64))> {
    let document: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(document["shop"], "one", "what stands beside the rows is lost");
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let row =
        |item: &Value| (text(item, "sku"), (text(item, "name"), item["qty"].as_i64().unwrap()));
    document["stock"].as_array().unwrap().iter().map(row).collect()
}

fn write_xlsx(model: &Model) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["sku", "name", "qty"]).unwrap();
    for (row, (sku, (name, qty))) in (1..).zip(model) {
        sheet.write_row(row, 0, [sku, name]).unwrap();
        sheet.write_number(row, 2, *qty as f64).unwrap();
    }
    book.add_worksheet().write_string(0, 0, "another sheet").unwrap();
    book.save_to_buffer().unwrap()
}

fn read_xlsx(bytes: &[u8]) -> Vec<(String, (String, i64))> {
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
    let other = book.worksheet_range_at(1).unwrap().unwrap();
    assert_eq!(other.get_value((0, 0)), Some(&Data::String("another sheet".into())));
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    let row = |row: &[Data]| {
        let qty = row[2].to_string().parse().unwrap();
        (row[0].to_string(), (row[1].to_string(), qty))
    };
    range.rows().skip(1).map(row).collect()
}
