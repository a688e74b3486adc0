//! The file anew: rows that do not change as they are stored, changed and new values in the columns' own types.

use std::{ops::Range, sync::Arc};

use lockstep_engine::{key::Key, value::Value};
use parquet::{
    basic::Compression,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::TypePtr,
};

use super::{
    super::edits::{Edit, Edits},
    column::Column,
    contents::{Contents, Field},
    fresh, guarded,
    values::{self, Scalar},
};
use crate::error::{Error, Result};

/// The name under which Arrow keeps its own form of the schema in the metadata.
const ARROW_SCHEMA: &str = "ARROW:schema";

/// Returns the file with the changes made.
///
/// # Errors
/// A value that its column does not hold exactly, and a new row without a value that its column requires.
pub(in super::super) fn edit(bytes: &[u8], edits: &Edits<'_>) -> Result<Vec<u8>> {
    guarded(|| {
        let contents = Contents::read(bytes)?;
        let fields = contents.fields()?;
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let columns = edits.mapped(&names);
        let known: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut out: Vec<Column> = contents.columns.iter().map(Column::blank).collect();
        for row in 0..contents.rows {
            let change = match edits.row(row) {
                Edit::Delete => continue,
                Edit::Keep => None,
                Edit::Update(change) => Some(change),
            };
            for (leaf, (column, from)) in out.iter_mut().zip(&contents.columns).enumerate() {
                let touched = change.and_then(|change| {
                    let (field, at) =
                        fields.iter().zip(&columns).find(|(field, _)| field.leaf == leaf)?;
                    let at = (*at).filter(|at| change.cells.contains(at))?;
                    Some((field, Edits::value(change, at), &change.key))
                });
                match touched {
                    Some((field, value, key)) => store(column, field, value, key)?,
                    None => column.copy(from, row),
                }
            }
        }
        for change in edits.inserts() {
            for (field, at) in fields.iter().zip(&columns) {
                let Some(column) = out.get_mut(field.leaf) else { continue };
                let value = at.map_or(&Value::Null, |at| Edits::value(change, at));
                store(column, field, value, &change.key)?;
            }
        }
        let mut schema = contents.schema().root_schema_ptr();
        let added = edits.missing(&known);
        if !added.is_empty() {
            (schema, out) = fresh::widened(&schema, out, &added, edits, contents.rows)?;
        }
        let old = &contents.metadata;
        let mut properties = WriterProperties::builder();
        for column in &out {
            let chunk = old.row_groups().first().and_then(|group| {
                group
                    .columns()
                    .iter()
                    .find(|chunk| chunk.column_path() == column.description.path())
            });
            let compression = chunk.map_or(Compression::SNAPPY, |chunk| chunk.compression());
            properties =
                properties.set_column_compression(column.description.path().clone(), compression);
        }
        let pairs = old.file_metadata().key_value_metadata().cloned();
        // Arrow's own copy of the schema would no longer be that of the file.
        let pairs = pairs.map(|pairs| {
            pairs.into_iter().filter(|pair| added.is_empty() || pair.key != ARROW_SCHEMA).collect()
        });
        let properties = properties.set_key_value_metadata(pairs).build();
        let group = old.row_groups().first().map_or(0, |group| group.num_rows());
        let group = usize::try_from(group).unwrap_or(0);
        let several = old.num_row_groups() > 1;
        file(schema, properties, &out, if several { group } else { usize::MAX })
    })
}

/// Appends a value to a column.
fn store(column: &mut Column, field: &Field, value: &Value, key: &Key) -> Result<()> {
    let fits = entries(column, field, value).map(|entries| column.push(entries));
    match fits {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(Error::internal(format!("the column \"{}\" is of another type", field.name)))
        }
        Err(why) => Err(Error::invalid(format!(
            "the row {key}: the column \"{}\" does not hold \"{value}\": {why}",
            field.name
        ))
        .next("correct the value, or leave the row or column out; nothing was written")),
    }
}

/// Returns a value as the entries of a row.
fn entries(
    column: &Column,
    field: &Field,
    value: &Value,
) -> Result<Vec<(i16, Option<Scalar>)>, String> {
    let top = column.description.max_def_level();
    let one = |value: &Value| field.shape.scalar(value, &column.description);
    let required = || "it requires a value".to_owned();
    match (field.list, value) {
        (None, Value::Null) if top > 0 => Ok(vec![(0, None)]),
        (None, Value::Null) => Err(required()),
        (None, value) => Ok(vec![(top, Some(one(value)?))]),
        (Some((true, _)), Value::Null) => Ok(vec![(0, None)]),
        (Some((false, _)), Value::Null) => Err(required()),
        (Some((outer, _)), Value::List(items)) if items.is_empty() => {
            Ok(vec![(i16::from(outer), None)])
        }
        (Some((_, nulls)), Value::List(items)) => items
            .iter()
            .map(|item| match item {
                Value::Null if nulls => Ok((top - 1, None)),
                Value::Null => Err("its items require a value".to_owned()),
                item => Ok((top, Some(one(item)?))),
            })
            .collect(),
        (Some(_), _) => Err("it is no list".into()),
    }
}

/// Writes columns as a file, in row groups of so many rows.
pub(super) fn file(
    schema: TypePtr,
    properties: WriterProperties,
    columns: &[Column],
    group: usize,
) -> Result<Vec<u8>> {
    let failed = |error: parquet::errors::ParquetError| {
        Error::internal(format!("the Parquet file cannot be written: {error}"))
    };
    let rows = columns.first().map_or(0, Column::rows);
    let group = group.clamp(1, fresh::GROUP);
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).map_err(failed)?;
    let mut start = 0;
    while start < rows {
        let part: Range<usize> = start..rows.min(start.saturating_add(group));
        let mut chunk = writer.next_row_group().map_err(failed)?;
        for column in columns {
            let Some(mut out) = chunk.next_column().map_err(failed)? else { break };
            let (levels, value_range) = column.places(part.clone());
            let some =
                |levels_of: &[i16]| levels_of.get(levels.clone()).unwrap_or_default().to_vec();
            let (definition, repetition) =
                (some(&column.levels.definition), some(&column.levels.repetition));
            let typed =
                values::write(out.untyped(), &column.values, value_range, &definition, &repetition);
            if !typed.map_err(failed)? {
                return Err(Error::internal("a column of the Parquet file is of another type"));
            }
            out.close().map_err(failed)?;
        }
        chunk.close().map_err(failed)?;
        start = part.end;
    }
    writer.into_inner().map_err(failed)
}
