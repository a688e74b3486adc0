//! Values as text of a delimited file.

use crate::schema::{Column, ColumnType};
use crate::value::Value;

/// Returns the text that a column of this type reads back as the value; null is empty.
///
/// Quoting is the writer's business. `ty` is part of every encoder's shape; text does not need it.
pub fn encode(value: &Value, _ty: &ColumnType) -> String {
    value.to_string()
}

/// Reads a text by a column's type.
pub fn decode(text: &str, ty: &ColumnType) -> Value {
    Column::new("", *ty).read(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{any_type, value_of};

    proptest! {
        #[test]
        fn values_survive((ty, value) in any_type().prop_flat_map(|ty| (Just(ty), value_of(ty)))) {
            prop_assert_eq!(decode(&encode(&value, &ty), &ty), value);
        }
    }
}
