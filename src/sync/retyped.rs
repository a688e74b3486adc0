//! Columns whose values stopped being of the type that the dataset was learned with.

use lockstep_engine::{safety::Retyped, schema::ColumnType, snapshot::View, value::Value};

/// How many rows are looked at, evenly spread: a column changes its type as a whole or not at all.
const SAMPLE: usize = 2_000;

/// Returns the columns of which more than half of the values cannot be read as their type.
pub(super) fn retyped(view: &View<'_>) -> Vec<Retyped> {
    let step = view.len().div_ceil(SAMPLE).max(1);
    let mut columns = Vec::new();
    for (index, column) in view.schema().columns.iter().enumerate() {
        if column.ty == ColumnType::Text || !view.is_mapped(index) {
            continue;
        }
        let (mut values, mut strange) = (0_usize, 0_usize);
        for row in (0..view.len()).step_by(step) {
            match view.cell(row, index) {
                Value::Null => {}
                Value::Text(_) => (values, strange) = (values + 1, strange + 1),
                _ => values += 1,
            }
        }
        if strange * 2 > values {
            columns.push(Retyped {
                column: column.name.clone(),
                declared: column.ty,
                found: ColumnType::Text,
            });
        }
    }
    columns
}
