//! New files and new columns: the narrowest type that holds every value exactly, else text.

use std::sync::Arc;

use lockstep_engine::{schema::ColumnType, value::Value};
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    file::properties::WriterProperties,
    schema::types::{SchemaDescriptor, Type, TypePtr},
};

use super::{
    super::edits::{Edit, Edits},
    column::Column,
    guarded, moment,
    shape::Shape,
    values::{Levels, Values},
    write,
};
use crate::error::{Error, Result};

/// The most rows of a row group that is made here.
pub(super) const GROUP: usize = 1_000_000;

/// Returns no values of a physical type.
pub(super) fn none(physical: Physical) -> Values {
    match physical {
        Physical::BOOLEAN => Values::Bool(Vec::new()),
        Physical::INT32 => Values::I32(Vec::new()),
        Physical::INT64 => Values::I64(Vec::new()),
        Physical::INT96 => Values::I96(Vec::new()),
        Physical::FLOAT => Values::F32(Vec::new()),
        Physical::DOUBLE => Values::F64(Vec::new()),
        Physical::BYTE_ARRAY => Values::Bytes(Vec::new()),
        Physical::FIXED_LEN_BYTE_ARRAY => Values::Fixed(Vec::new()),
    }
}

/// Returns a new file with the new rows.
///
/// # Errors
/// A file that cannot be written.
pub(in super::super) fn create(edits: &Edits<'_>) -> Result<Vec<u8>> {
    guarded(|| {
        let root = Type::group_type_builder("schema").build().map_err(unmade)?;
        let (schema, columns) =
            widened(&Arc::new(root), Vec::new(), &edits.missing(&[]), edits, 0)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        write::file(schema, properties, &columns, GROUP)
    })
}

fn unmade(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("the Parquet schema cannot be made: {error}"))
}

/// Returns the schema and the columns with new ones behind them.
///
/// # Errors
/// A schema that cannot be made.
pub(super) fn widened(
    schema: &TypePtr,
    mut columns: Vec<Column>,
    names: &[&str],
    edits: &Edits<'_>,
    rows: usize,
) -> Result<(TypePtr, Vec<Column>)> {
    let mut fields = schema.get_fields().to_vec();
    let mut filled = Vec::new();
    for (name, at) in names.iter().zip(edits.mapped(names)) {
        let Some(at) = at else { continue };
        let mut values: Vec<&Value> = Vec::new();
        for row in 0..rows {
            match edits.row(row) {
                Edit::Delete => {}
                Edit::Update(change) if change.cells.contains(&at) => {
                    values.push(Edits::value(change, at))
                }
                Edit::Keep | Edit::Update(_) => values.push(&Value::Null),
            }
        }
        values.extend(edits.inserts().map(|change| Edits::value(change, at)));
        fields.push(Arc::new(field(name, &edits.ty(at), &values)?));
        filled.push(values);
    }
    let mut builder = Type::group_type_builder(schema.name()).with_fields(fields);
    if schema.get_basic_info().has_id() {
        builder = builder.with_id(Some(schema.get_basic_info().id()));
    }
    let schema: TypePtr = Arc::new(builder.build().map_err(unmade)?);
    let described = SchemaDescriptor::new(schema.clone());
    for (description, values) in described.columns().iter().skip(columns.len()).zip(filled) {
        let shape = Shape::of(description).map_err(unmade)?;
        let levels = Levels { definition: Vec::new(), repetition: Vec::new() };
        let mut column =
            Column::new(description.clone(), none(description.physical_type()), levels, 0)?;
        for value in values {
            let entry = match value {
                Value::Null => (0, None),
                value => (1, Some(shape.scalar(value, description).map_err(unmade)?)),
            };
            column.push(vec![entry]);
        }
        columns.push(column);
    }
    Ok((schema, columns))
}

/// Returns the type of a new column.
fn field(name: &str, ty: &ColumnType, values: &[&Value]) -> Result<Type> {
    let all = |fits: &dyn Fn(&Value) -> bool| {
        values.iter().all(|value| value.is_null() || fits(value))
            && values.iter().any(|value| !value.is_null())
    };
    let text = (Physical::BYTE_ARRAY, Some(LogicalType::String));
    let micros = moment::Unit(1_000);
    let (physical, logical) = match ty {
        ColumnType::Bool if all(&|value| matches!(value, Value::Bool(_))) => {
            (Physical::BOOLEAN, None)
        }
        ColumnType::Number
            if all(&|value| {
                value.as_number().is_some_and(|number| number.to_string().parse::<i64>().is_ok())
            }) =>
        {
            (Physical::INT64, None)
        }
        ColumnType::Number
            if all(&|value| {
                value.as_number().is_some_and(|number| number.to_f64_exact().is_some())
            }) =>
        {
            (Physical::DOUBLE, None)
        }
        ColumnType::Date if all(&|value| matches!(value, Value::Date(_))) => {
            (Physical::INT32, Some(LogicalType::Date))
        }
        ColumnType::Time
            if all(
                &|value| matches!(value, Value::Time(time) if moment::time_count(*time, micros).is_some()),
            ) =>
        {
            (Physical::INT64, Some(LogicalType::time(false, TimeUnit::MICROS)))
        }
        ColumnType::DateTime if all(&|value| moment::stamp_count(value, micros, true).is_ok()) => {
            (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
        }
        ColumnType::DateTime if all(&|value| moment::stamp_count(value, micros, false).is_ok()) => {
            (Physical::INT64, Some(LogicalType::timestamp(false, TimeUnit::MICROS)))
        }
        _ => text,
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
        .map_err(unmade)
}
