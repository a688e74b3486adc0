use jiff::civil;
use proptest::prelude::*;

use super::*;

fn value(ty: ColumnType, canonical: &str) -> Value {
    match ty {
        ColumnType::Number => Value::Number(canonical.parse().unwrap()),
        ColumnType::Bool => Value::Bool(canonical == "true"),
        ColumnType::Date => Value::Date(canonical.parse().unwrap()),
        ColumnType::Time => Value::Time(canonical.parse().unwrap()),
        ColumnType::DateTime => Value::DateTime(canonical.parse().unwrap()),
        _ => Value::from(canonical),
    }
}

#[test]
fn texts_by_type() {
    use ColumnType::*;
    for (ty, text, canonical) in [
        (Text, "007", "007"),
        (Text, " a  ", " a"),
        (Text, "e\u{301}", "é"),
        (Number, " 10.50 ", "10.5"),
        (Number, "007", "7"),
        (Number, "1e3", "1000"),
        (Bool, "TRUE", "true"),
        (Bool, "yes", "true"),
        (Bool, "0", "false"),
        (Date, "2024-01-15", "2024-01-15"),
        (Time, "9:30", ""),
        (Time, "09:30", "09:30:00"),
        (DateTime, "2024-01-15", "2024-01-15T00:00:00"),
        (DateTime, "2024-01-15 10:00:00+01:00", "2024-01-15T09:00:00Z"),
        (Date, "15.01.2024", ""),
        (Date, "2024-02-30", ""),
        (Number, "1,000", ""),
        (Bool, "maybe", ""),
        (List, "[1", ""),
    ] {
        let parsed = ty.parse(text);
        if canonical.is_empty() {
            let error = parsed.unwrap_err();
            assert_eq!((error.ty, &*error.text), (ty, text));
            assert_eq!(Column::new("c", ty).read(text), Value::from(text), "kept as text");
        } else {
            assert_eq!(parsed, Ok(value(ty, canonical)), "{ty} {text}");
        }
    }
}

#[test]
fn blank_is_null_unless_declared() {
    use ColumnType::*;
    for ty in [Text, Number, Bool, Date, Time, DateTime, List] {
        assert_eq!(ty.parse(" \t"), Ok(Value::Null));
        assert_eq!(Column::new("c", ty).read(""), Value::Null);
    }
    let keeping = Column { keep_blank: true, ..Column::new("c", Text) };
    assert_eq!(keeping.read(""), Value::from(""));
    assert_eq!(keeping.value(&Cell::Null), Value::Null);
}

#[test]
fn column_options() {
    let column = Column { trim: false, ..Column::new("c", ColumnType::Text) };
    assert_eq!(column.read("a "), Value::from("a "));
    let column = Column { fold_case: true, ..Column::new("c", ColumnType::Text) };
    assert_eq!(column.read("Ab"), column.read("aB"));
    let column = Column { nulls: vec!["NA".into()], ..Column::new("c", ColumnType::Number) };
    assert_eq!(column.read(" NA "), Value::Null);
    assert_eq!(column.read("na"), Value::from("na"));
    let column = Column { offset_minutes: Some(120), ..Column::new("c", ColumnType::DateTime) };
    assert_eq!(column.read("2024-01-15 12:00"), column.read("2024-01-15T10:00:00Z"));
}

#[test]
fn cells_of_a_sheet_by_type() {
    use ColumnType::*;
    for (ty, cell, expected) in [
        (Date, Cell::Float(45306.0), Value::Date(civil::Date::constant(2024, 1, 15))),
        (Date, Cell::Float(45306.5), Value::from("45306.5")),
        (Date, Cell::Text("45306"), Value::from("45306")),
        (Time, Cell::Float(0.5), Value::Time(civil::Time::constant(12, 0, 0, 0))),
        (DateTime, Cell::Float(45306.5), value(DateTime, "2024-01-15T12:00:00")),
        (Number, Cell::Float(10.5), value(Number, "10.5")),
        (Number, Cell::Number("10.50"), value(Number, "10.5")),
        (Number, Cell::Bool(true), Value::from("true")),
        (Text, Cell::Float(7.0), Value::from("7")),
        (Text, Cell::Bool(true), Value::from("true")),
        (Bool, Cell::Bool(true), Value::Bool(true)),
        (Bool, Cell::Float(1.0), Value::Bool(true)),
        (Bool, Cell::Text("TRUE"), Value::Bool(true)),
        (List, Cell::Float(1.0), Value::List(vec![Value::from(1)])),
        (Number, Cell::Float(f64::NAN), Value::from("NaN")),
        (Date, Cell::Null, Value::Null),
    ] {
        assert_eq!(Column::new("c", ty).value(&cell), expected, "{ty} {cell:?}");
    }
}

#[test]
fn keys_of_rows() {
    let schema = Schema::new(
        vec![Column::new("a", ColumnType::Number), Column::new("b", ColumnType::Text)],
        vec![1, 0],
    );
    assert_eq!(schema.key_of(&[Value::from(1), Value::from(" x ")]).to_string(), "x / 1");
    assert!(schema.key_of(&[Value::from(1)]).is_blank());
    assert_eq!(schema.position("b"), Some(1));
}

#[test]
fn schema_in_json() {
    let column: Column =
        serde_json::from_str(r#"{"name":"when","type":"dateTime","offsetMinutes":60}"#).unwrap();
    assert_eq!(
        column,
        Column { offset_minutes: Some(60), ..Column::new("when", ColumnType::DateTime) }
    );
    assert_eq!(
        serde_json::to_string(&Column::new("a", ColumnType::Text)).unwrap(),
        r#"{"name":"a","type":"text"}"#
    );
    assert!(serde_json::from_str::<Column>(r#"{"name":"a","typo":1}"#).is_err());
}

#[test]
fn types_by_name() {
    for ty in ["text", "number", "bool", "date", "time", "dateTime", "list"] {
        assert_eq!(ty.parse::<ColumnType>().unwrap().to_string(), ty);
    }
    assert_eq!("DATETIME".parse(), Ok(ColumnType::DateTime));
    assert!(
        "int".parse::<ColumnType>().unwrap_err().to_string().starts_with("'int' is no column type")
    );
}

#[test]
fn errors_say_what_is_expected() {
    let error = ColumnType::Date.parse("01/02/2024").unwrap_err();
    assert_eq!(error.to_string(), "'01/02/2024' is not a date: expected a date like 2024-01-15");
    assert!(ColumnType::Number.parse(&"é".repeat(500)).unwrap_err().to_string().len() < 300);
}

proptest! {
    /// Canonicalising is idempotent, and canonical text reads back as the same value (DESIGN, law 15).
    #[test]
    fn canonical_text_is_a_fixed_point(text in "\\PC{0,20}|[0-9eE.+-]{1,12}|[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9])?(Z|[+-][01][0-9]:?00)?)?|\\[[a-c0-9,\"]{0,9}\\]") {
        use ColumnType::*;
        for ty in [Text, Number, Bool, Date, Time, DateTime, List] {
            let column = Column::new("c", ty);
            let value = column.read(&text);
            let again = column.read(&value.to_string());
            prop_assert_eq!(&again, &value, "{} {:?}", ty, text);
        }
    }
}
