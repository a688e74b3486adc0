//! The door of the fuzz targets to rule expressions.

use jiff::Timestamp;

use super::expression::{Expression, Scene};
use crate::schema::{Column, ColumnType, Schema};
use crate::value::{Row, Value};

/// Checks a text as a condition and as a calculation of every column, and runs what passes on full and on blank rows.
///
/// # Panics
/// Never; a panic is a finding.
pub fn fuzz(text: &str) {
    let types = [
        ("id", ColumnType::Text),
        ("qty", ColumnType::Number),
        ("name", ColumnType::Text),
        ("tags", ColumnType::List),
        ("seen", ColumnType::DateTime),
        ("day", ColumnType::Date),
        ("ok", ColumnType::Bool),
    ];
    let schema = Schema::new(types.map(|(name, ty)| Column::new(name, ty)).to_vec(), vec![0]);
    let given = ["k", "7.5", "Ann", "a, b", "2026-01-01T10:00:00Z", "2026-01-01", "true"];
    let full: Row = types
        .iter()
        .zip(given)
        .map(|((_, ty), text)| ty.parse(text).unwrap_or(Value::Null))
        .collect();
    let blank: Row = types.iter().map(|_| Value::Null).collect();
    let now = Timestamp::from_second(1_767_600_000).ok();
    let condition = Expression::condition(text, &schema);
    // A number, a text, a list and a moment: what a result can be made into.
    for (index, column) in
        schema.columns.iter().enumerate().filter(|(index, _)| (1..=4).contains(index))
    {
        let calculation = Expression::calculation(text, &schema, &[index]);
        for (base, left, right) in [(None, &full, &blank), (Some(&full), &blank, &full)] {
            let scene = Scene { schema: &schema, base, left, right, now, column: index };
            let _ = condition.as_ref().map(|condition| condition.holds(&scene));
            let _ = calculation.as_ref().map(|calculation| calculation.value(&scene, column));
        }
    }
}
