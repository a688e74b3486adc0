use std::sync::Arc;

use lockstep_engine::schema::ColumnType::{self, Bool, Date, DateTime, List, Number, Text, Time};
use parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArray, Int32Type, Int64Type},
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        reader::{FileReader, SerializedFileReader},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};
use proptest::prelude::*;

use super::super::testing::{Sheet, survive, text, texts};

const SCHEMA: &str = "message table {
    required binary id (STRING);
    optional int32 n;
    optional int64 amount (DECIMAL(18, 2));
    optional fixed_len_byte_array(9) exact (DECIMAL(20, 5));
    optional int32 day (DATE);
    optional int64 at (TIMESTAMP(MICROS, true));
    optional int64 local (TIMESTAMP(MILLIS, false));
    optional int64 free (TIME(NANOS, false));
    optional int32 small (INTEGER(8, false));
    optional group tags (LIST) { repeated group list { optional binary element (STRING); } }
}";

fn chunk<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    definition: &[i16],
    repetition: &[i16],
) {
    let mut column = group.next_column().unwrap().unwrap();
    let levels = |levels| Some(levels).filter(|levels: &&[i16]| !levels.is_empty());
    column.typed::<T>().write_batch(values, levels(definition), levels(repetition)).unwrap();
    column.close().unwrap();
}

/// Two row groups: of the rows a and b, and of c.
fn sample() -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(Default::default()))
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "made by".to_owned(),
            "people".to_owned(),
        )]))
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let bytes =
        |texts: &[&str]| texts.iter().map(|text| ByteArray::from(*text)).collect::<Vec<_>>();
    chunk::<ByteArrayType>(&mut group, &bytes(&["a", "b"]), &[], &[]);
    chunk::<Int32Type>(&mut group, &[-7], &[1, 0], &[]);
    chunk::<Int64Type>(&mut group, &[12_345, -5], &[1, 1], &[]);
    let exact = FixedLenByteArray::from(vec![0, 0, 0, 0, 0, 0, 1, 0x86, 0xa1]);
    chunk::<parquet::data_type::FixedLenByteArrayType>(&mut group, &[exact], &[0, 1], &[]);
    chunk::<Int32Type>(&mut group, &[19_737], &[1, 0], &[]);
    chunk::<Int64Type>(&mut group, &[1_705_311_000_000_001], &[1, 0], &[]);
    chunk::<Int64Type>(&mut group, &[1_705_311_000_500], &[0, 1], &[]);
    chunk::<Int64Type>(&mut group, &[34_200_000_000_001], &[1, 0], &[]);
    chunk::<Int32Type>(&mut group, &[200], &[1, 0], &[]);
    chunk::<ByteArrayType>(&mut group, &bytes(&["x", "y,z"]), &[3, 3, 2, 1], &[0, 1, 1, 0]);
    group.close().unwrap();
    let mut group = writer.next_row_group().unwrap();
    chunk::<ByteArrayType>(&mut group, &bytes(&["c"]), &[], &[]);
    for column in 0..8 {
        match column {
            1 | 4 | 5 | 6 => chunk::<Int64Type>(&mut group, &[], &[0], &[]),
            2 => chunk::<parquet::data_type::FixedLenByteArrayType>(&mut group, &[], &[0], &[]),
            _ => chunk::<Int32Type>(&mut group, &[], &[0], &[]),
        }
    }
    chunk::<ByteArrayType>(&mut group, &[], &[0], &[0]);
    group.close().unwrap();
    writer.into_inner().unwrap()
}

const COLUMNS: &[(&str, ColumnType)] = &[
    ("id", Text),
    ("n", Number),
    ("amount", Number),
    ("exact", Number),
    ("day", Date),
    ("at", DateTime),
    ("local", DateTime),
    ("free", Time),
    ("small", Number),
    ("tags", List),
];

fn of(bytes: &[u8]) -> Sheet {
    Sheet::of("a.parquet", bytes, COLUMNS)
}

#[test]
fn every_type_is_read_exactly() {
    assert_eq!(
        texts("a.parquet", &sample())[1..],
        [
            [
                "'a",
                "-7",
                "123.45",
                "~",
                "'2024-01-15",
                "'2024-01-15T09:30:00.000001Z",
                "~",
                "'09:30:00.000000001",
                "200",
                "'[\"x\",\"y,z\",null]"
            ],
            ["'b", "~", "-0.05", "1.00001", "~", "~", "'2024-01-15T09:30:00.5", "~", "~", "'[]"],
            ["'c", "~", "~", "~", "~", "~", "~", "~", "~", "~"],
        ]
    );
}

#[test]
fn a_write_keeps_schema_metadata_compression_and_row_groups() {
    let before = sample();
    let sheet = of(&before)
        .set("b", &[("n", "2147483647"), ("amount", "0.10"), ("tags", "[\"q\",null]")])
        .set("c", &[("day", "1969-12-31"), ("exact", "-99999.00001")])
        .delete("a")
        .add(&[
            "d",
            "",
            "1e3",
            "",
            "",
            "2024-01-15T09:30:00+01:00",
            "2024-01-15T09:30",
            "23:59:59.999999999",
            "255",
            "a, b",
        ]);
    let after = sheet.write(&before).unwrap();
    assert_eq!(
        texts("a.parquet", &after)[1..],
        [
            [
                "'b",
                "2147483647",
                "0.1",
                "1.00001",
                "~",
                "~",
                "'2024-01-15T09:30:00.5",
                "~",
                "~",
                "'[\"q\",null]"
            ],
            ["'c", "~", "~", "-99999.00001", "'1969-12-31", "~", "~", "~", "~", "~"],
            [
                "'d",
                "~",
                "1000",
                "~",
                "~",
                "'2024-01-15T08:30:00Z",
                "'2024-01-15T09:30:00",
                "'23:59:59.999999999",
                "255",
                "'[\"a\",\"b\"]"
            ],
        ]
    );
    let open = |bytes: &[u8]| {
        SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).unwrap().metadata().clone()
    };
    let (before, after) = (open(&before), open(&after));
    assert_eq!(before.file_metadata().schema(), after.file_metadata().schema());
    assert_eq!(after.num_row_groups(), 2);
    let pairs = after.file_metadata().key_value_metadata().unwrap();
    assert!(pairs.iter().any(|pair| pair.key == "made by"), "{pairs:?}");
    assert!(matches!(after.row_group(0).column(0).compression(), Compression::ZSTD(_)));
}

#[test]
fn what_a_column_does_not_hold_exactly_is_refused_with_its_row() {
    let bytes = sample();
    for (cell, said) in [
        (("n", "2147483648"), "-2147483648 to 2147483647"),
        (("n", "1.5"), "no whole number"),
        (("n", "many"), "no number"),
        (("amount", "0.125"), "2 of them behind the point"),
        (("small", "-1"), "0 to 255"),
        (("at", "2024-01-15T09:30:00"), "no offset"),
        (("local", "2024-01-15T09:30:00Z"), "times have none"),
        (("local", "2024-01-15T09:30:00.0001"), "more digits"),
        (("day", "tomorrow"), "no date"),
    ] {
        let error = of(&bytes).set("a", &[cell]).write(&bytes).unwrap_err().to_string();
        assert!(
            error.contains(said) && error.contains("row a") && error.contains(cell.0),
            "{error}"
        );
    }
    let error =
        of(&bytes).add(&["", "1", "", "", "", "", "", "", "", ""]).write(&bytes).unwrap_err();
    assert!(error.to_string().contains("requires a value"), "{error}");
}

#[test]
fn a_column_that_no_cell_holds_is_named() {
    for (field, said) in [
        ("optional binary photo", "\"photo\" holds bytes"),
        ("optional group place { optional int32 x; }", "\"place\" holds values within values"),
        ("optional fixed_len_byte_array(12) gap (INTERVAL)", "\"gap\" holds intervals"),
    ] {
        let end = if field.ends_with('}') { "" } else { ";" };
        let schema = format!("message m {{ required int32 id; {field}{end} }}");
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let writer = SerializedFileWriter::new(Vec::new(), schema, Default::default()).unwrap();
        let bytes = writer.into_inner().unwrap();
        let source = super::super::FileSource { path: "a.parquet".into(), ..Default::default() };
        let error = Sheet::read(&source, &bytes, &[]).err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn new_files_and_columns_have_the_narrowest_type_that_holds_all() {
    let columns = [
        ("id", Text),
        ("n", Number),
        ("x", Number),
        ("long", Number),
        ("ok", Bool),
        ("day", Date),
        ("at", DateTime),
        ("mixed", DateTime),
        ("none", Text),
    ];
    let sheet = Sheet::new("a.parquet", &columns)
        .add(&[
            "a",
            "1",
            "0.1",
            "123456789012345678901",
            "yes",
            "2024-01-15",
            "2024-01-15T09:30:00Z",
            "2024-01-15T09:30:00Z",
            "",
        ])
        .add(&[
            "b",
            "-2",
            "2",
            "1",
            "no",
            "",
            "2024-01-15T09:30:00.123456Z",
            "2024-01-15T09:30",
            "",
        ]);
    let bytes = sheet.create().unwrap();
    assert_eq!(
        texts("a.parquet", &bytes)[1..],
        [
            [
                "'a",
                "1",
                "0.1",
                "'123456789012345678901",
                "true",
                "'2024-01-15",
                "'2024-01-15T09:30:00Z",
                "'2024-01-15T09:30:00Z",
                "~"
            ],
            [
                "'b",
                "-2",
                "2",
                "'1",
                "false",
                "~",
                "'2024-01-15T09:30:00.123456Z",
                "'2024-01-15T09:30:00",
                "~"
            ],
        ]
    );
    let wider = Sheet::of("a.parquet", &bytes, &[("id", Text), ("active", Bool)])
        .set("b", &[("active", "no")])
        .write(&bytes)
        .unwrap();
    let rows = Sheet::of("a.parquet", &wider, &[("id", Text)]);
    assert_eq!([0, 1].map(|row| text(&rows.snapshot.cell(row, 9))), ["~", "false"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_bytes_make_the_reader_or_the_writer_panic(
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        random in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut bytes = sample();
        for (at, with) in places {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        survive("a.parquet", &bytes);
        survive("a.parquet", &bytes[..cut.index(bytes.len())]);
        let framed = [&b"PAR1"[..], &random, &(random.len() as u32).to_le_bytes(), b"PAR1"].concat();
        survive("a.parquet", &framed);
    }
}
