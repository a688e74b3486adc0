//! Parquet files, written column by column and read row by row by the parquet crate's own record reader.

use std::{path::Path, sync::Arc};

use jiff::{SignedDuration, civil::Date};
use lockstep_engine::{
    schema::{Column, ColumnType},
    value::Value,
};
use parquet::{
    data_type::{
        BoolType, ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType,
        Int32Type, Int64Type,
    },
    file::{
        reader::{FileReader, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    record::Field,
    schema::parser::parse_message_type,
};

use super::kind::{Table, Text};

const EPOCH: Date = Date::constant(1970, 1, 1);

pub(super) fn save(path: &Path, table: &Table) {
    let field = |(name, ty): &(&str, ColumnType)| match ty {
        ColumnType::Number => {
            format!("optional fixed_len_byte_array(16) {name} (DECIMAL(38, 10));")
        }
        ColumnType::Bool => format!("optional boolean {name};"),
        ColumnType::Date => format!("optional int32 {name} (DATE);"),
        ColumnType::Time => format!("optional int64 {name} (TIME(MICROS, false));"),
        ColumnType::DateTime => format!("optional int64 {name} (TIMESTAMP(MICROS, false));"),
        ColumnType::List => format!(
            "optional group {name} (LIST) {{ repeated group list {{ optional binary element (STRING); }} }}"
        ),
        ColumnType::Text => format!("optional binary {name} (STRING);"),
    };
    let fields: String = table.columns.iter().map(field).collect();
    let schema = Arc::new(parse_message_type(&format!("message mine {{ {fields} }}")).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    if !table.rows.is_empty() {
        let mut group = writer.next_row_group().unwrap();
        for (at, (_, ty)) in table.columns.iter().enumerate() {
            let texts: Vec<Option<&str>> =
                table.rows.iter().map(|row| row[at].as_deref()).collect();
            let mut column = group.next_column().unwrap().unwrap();
            let read = |text: &&str| Column::new("", *ty).read(text);
            let values: Vec<Value> = texts.iter().flatten().map(read).collect();
            let levels: Vec<i16> = texts.iter().map(|text| i16::from(text.is_some())).collect();
            match ty {
                ColumnType::Text => {
                    let texts: Vec<ByteArray> =
                        texts.iter().flatten().map(|text| ByteArray::from(*text)).collect();
                    put::<ByteArrayType>(&mut column, &texts, &levels);
                }
                ColumnType::Number => {
                    let units = |value: &Value| {
                        let scaled = format!("{value}e10")
                            .parse::<lockstep_engine::value::Number>()
                            .unwrap();
                        let units: i128 = scaled.to_string().parse().unwrap();
                        FixedLenByteArray::from(units.to_be_bytes().to_vec())
                    };
                    let units: Vec<FixedLenByteArray> = values.iter().map(units).collect();
                    put::<FixedLenByteArrayType>(&mut column, &units, &levels);
                }
                // The suite fills columns of other types only through Lockstep.
                ColumnType::Bool => put::<BoolType>(&mut column, &[], &levels),
                ColumnType::Date => put::<Int32Type>(&mut column, &[], &levels),
                ColumnType::Time | ColumnType::DateTime => {
                    put::<Int64Type>(&mut column, &[], &levels)
                }
                ColumnType::List => unreachable!(),
            }
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    std::fs::write(path, writer.into_inner().unwrap()).unwrap();
}

fn put<T: DataType>(
    column: &mut parquet::file::writer::SerializedColumnWriter<'_>,
    values: &[T::T],
    levels: &[i16],
) {
    column.typed::<T>().write_batch(values, Some(levels), None).unwrap();
}

pub(super) fn load(path: &Path, like: &Table) -> Table {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        let cells: Vec<(&String, &Field)> = row.get_column_iter().collect();
        let cell = |(name, _): &(&str, ColumnType)| {
            cells.iter().find(|(known, _)| known == name).and_then(|(_, field)| text(field))
        };
        like.columns.iter().map(cell).collect()
    });
    Table { rows: rows.collect(), ..like.clone() }
}

fn text(field: &Field) -> Text {
    let moment = |micros: i64| {
        EPOCH.at(0, 0, 0, 0).checked_add(SignedDuration::from_micros(micros)).unwrap()
    };
    Some(match field {
        Field::Null => return None,
        Field::Str(text) => text.clone(),
        Field::Date(days) => moment(i64::from(*days) * 86_400_000_000).date().to_string(),
        Field::TimeMicros(micros) => moment(*micros).time().to_string(),
        Field::TimestampMicros(micros) => moment(*micros).to_string(),
        Field::Decimal(decimal) => {
            let units = i128::from_be_bytes(decimal.data().try_into().unwrap());
            let digits = format!("{:011}", units.unsigned_abs());
            let (whole, part) = digits.split_at(digits.len() - 10);
            format!("{}{whole}.{part}", if units < 0 { "-" } else { "" })
        }
        Field::ListInternal(list) => {
            let items: Vec<Text> = list.elements().iter().map(text).collect();
            serde_json::to_string(&items).unwrap()
        }
        other => other.to_string(),
    })
}
