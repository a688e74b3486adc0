//! The kinds of files that the matrix is gone through with; a file's marker is its hash.

use std::{io::Cursor, sync::Arc};

use calamine::{Data, Reader as _, Xlsx};
use parquet::{
    data_type::{ByteArray, ByteArrayType, Int64Type},
    file::{
        reader::{FileReader, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    record::RowAccessor,
    schema::parser::parse_message_type,
};
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};

use super::Model;

/// Keys with their names and quantities, as they stand in a file.
pub(crate) type Rows = Vec<(String, (String, i64))>;

/// A file of a kind: how a person makes and reads it.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) file: &'static str,
    pub(crate) write: fn(&Model) -> Vec<u8>,
    pub(crate) read: fn(&[u8]) -> Rows,
}

pub(crate) const CSV: Kind = Kind { file: "stock.csv", write: write_csv, read: read_csv };
pub(crate) const TSV: Kind = Kind { file: "stock.tsv", write: write_tsv, read: read_tsv };
pub(crate) const JSON: Kind = Kind { file: "stock.json", write: write_json, read: read_json };
pub(crate) const LINES: Kind = Kind { file: "stock.jsonl", write: write_lines, read: read_lines };
pub(crate) const XLSX: Kind = Kind { file: "stock.xlsx", write: write_xlsx, read: read_xlsx };
pub(crate) const PARQUET: Kind =
    Kind { file: "stock.parquet", write: write_parquet, read: read_parquet };

fn write_delimited(model: &Model, by: char) -> Vec<u8> {
    let mut text = format!("sku{by}name{by}qty\n");
    for (key, (name, qty)) in model {
        text.push_str(&format!("{key}{by}{name}{by}{qty}\n"));
    }
    text.into_bytes()
}

fn read_delimited(bytes: &[u8], by: char) -> Rows {
    let text = std::str::from_utf8(bytes).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(by).collect();
        (cells[0].to_owned(), (cells[1].to_owned(), cells[2].parse().unwrap()))
    };
    text.lines().skip(1).map(row).collect()
}

fn write_csv(model: &Model) -> Vec<u8> {
    write_delimited(model, ',')
}

fn read_csv(bytes: &[u8]) -> Rows {
    read_delimited(bytes, ',')
}

fn write_tsv(model: &Model) -> Vec<u8> {
    write_delimited(model, '\t')
}

fn read_tsv(bytes: &[u8]) -> Rows {
    read_delimited(bytes, '\t')
}

fn item((sku, (name, qty)): (&String, &(String, i64))) -> Value {
    json!({"sku": sku, "name": name, "qty": qty})
}

fn row_of(item: &Value) -> (String, (String, i64)) {
    let text = |name: &str| item[name].as_str().unwrap().to_owned();
    (text("sku"), (text("name"), item["qty"].as_i64().unwrap()))
}

fn write_json(model: &Model) -> Vec<u8> {
    let items: Vec<Value> = model.iter().map(item).collect();
    serde_json::to_vec_pretty(&json!({"shop": "one", "stock": items})).unwrap()
}

fn write_lines(model: &Model) -> Vec<u8> {
    model.iter().map(|row| format!("{}\n", item(row))).collect::<String>().into_bytes()
}

fn read_lines(bytes: &[u8]) -> Rows {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines().map(|line| row_of(&serde_json::from_str(line).unwrap())).collect()
}

fn read_json(bytes: &[u8]) -> Rows {
    let document: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(document["shop"], "one", "what stands beside the rows is lost");
    document["stock"].as_array().unwrap().iter().map(row_of).collect()
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

fn read_xlsx(bytes: &[u8]) -> Rows {
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

fn write_parquet(model: &Model) -> Vec<u8> {
    let message = "message stock { required binary sku (STRING); required binary name (STRING); \
                   required int64 qty; }";
    let schema = Arc::new(parse_message_type(message).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let skus = model.keys().map(|sku| ByteArray::from(sku.as_str())).collect::<Vec<_>>();
    let names = model.values().map(|(name, _)| ByteArray::from(name.as_str())).collect::<Vec<_>>();
    for texts in [skus, names] {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
        column.close().unwrap();
    }
    let mut column = group.next_column().unwrap().unwrap();
    let numbers: Vec<i64> = model.values().map(|(_, qty)| *qty).collect();
    column.typed::<Int64Type>().write_batch(&numbers, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

fn read_parquet(bytes: &[u8]) -> Rows {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    let row = |row: parquet::errors::Result<parquet::record::Row>| {
        let row = row.unwrap();
        let text = |at| row.get_string(at).unwrap().clone();
        (text(0), (text(1), row.get_long(2).unwrap()))
    };
    reader.get_row_iter(None).unwrap().map(row).collect()
}
