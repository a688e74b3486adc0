//! Generators of values for property tests.

use jiff::civil::{Date, Time};
use proptest::prelude::*;

use crate::schema::ColumnType;
use crate::value::{DateTime, Number, Value};

pub(crate) fn any_date() -> impl Strategy<Value = Date> {
    (1i16..=9999, 1i8..=12, 1i8..=28)
        .prop_map(|(year, month, day)| Date::new(year, month, day).unwrap())
}

pub(crate) fn any_time() -> impl Strategy<Value = Time> {
    let nanos =
        prop_oneof![Just(0), (0i32..1000).prop_map(|ms| ms * 1_000_000), 0i32..1_000_000_000];
    (0i8..24, 0i8..60, 0i8..60, nanos).prop_map(|(h, m, s, n)| Time::new(h, m, s, n).unwrap())
}

pub(crate) fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        "-?[0-9]{1,6}(\\.[0-9]{1,4})?",
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?",
        "-?[1-9]e-?[0-9]{1,3}"
    ]
    .prop_map(|text| text.parse().unwrap())
}

/// A value as a column of this type reads it.
pub(crate) fn value_of(ty: ColumnType) -> BoxedStrategy<Value> {
    match ty {
        ColumnType::Text => "[ -~éß東\\n]{0,12}[!-~é]"
            .prop_map(|text| ColumnType::Text.parse(&text).unwrap())
            .boxed(),
        ColumnType::Number => any_number().prop_map(Value::Number).boxed(),
        ColumnType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        ColumnType::Date => any_date().prop_map(Value::Date).boxed(),
        ColumnType::Time => any_time().prop_map(Value::Time).boxed(),
        ColumnType::DateTime => (any_date(), any_time(), prop::option::of(-840i16..840))
            .prop_map(|(date, time, offset)| {
                let civil = date.to_datetime(time);
                let zoned = offset.and_then(|minutes| DateTime::at_offset(civil, minutes));
                Value::DateTime(zoned.unwrap_or(DateTime::local(civil)))
            })
            .prop_filter("years of four digits", |value| {
                !value.to_string().starts_with('-') && value.to_string().len() < 35
            })
            .boxed(),
        ColumnType::List => {
            let item = prop_oneof![
                value_of(ColumnType::Text),
                value_of(ColumnType::Number),
                any::<bool>().prop_map(Value::Bool),
                Just(Value::Null)
            ];
            prop::collection::vec(item, 0..4).prop_map(Value::List).boxed()
        }
    }
}

/// Any type of column.
pub(crate) fn any_type() -> impl Strategy<Value = ColumnType> {
    use ColumnType::*;
    prop::sample::select(vec![Text, Number, Bool, Date, Time, DateTime, List])
}

/// A value of any type, or null.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Null), 6 => any_type().prop_flat_map(value_of)]
}
