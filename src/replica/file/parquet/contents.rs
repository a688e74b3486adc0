//! A Parquet file in memory: its columns, and the fields that they make.

use bytes::Bytes;
use lockstep_engine::schema::ColumnType;
use parquet::{
    basic::Repetition,
    file::{
        metadata::ParquetMetaData,
        reader::{FileReader, SerializedFileReader},
    },
    schema::types::{ColumnPath, SchemaDescriptor, Type},
};

use super::{
    super::broken,
    column::Column,
    damaged,
    shape::{Held, Shape},
    values::{self, Levels},
};
use crate::error::{Error, Kind, Result};

/// The most bytes that the columns may unpack to.
const MAX_BYTES: i64 = 2 << 30;

/// The most values of all columns.
const MAX_VALUES: i64 = 200_000_000;

/// A file as it was read.
pub(super) struct Contents {
    pub(super) metadata: ParquetMetaData,
    pub(super) columns: Vec<Column>,
    pub(super) rows: usize,
}

/// A column as people see it.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// The leaf that holds its values.
    pub(super) leaf: usize,
    pub(super) shape: Shape,
    /// It holds lists; whether a list, and an item of one, may be null.
    pub(super) list: Option<(bool, bool)>,
}

impl Contents {
    /// Reads every column.
    ///
    /// # Errors
    /// A damaged file, or one that would unpack to too much.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let reader = SerializedFileReader::new(Bytes::copy_from_slice(bytes)).map_err(damaged)?;
        let metadata = reader.metadata().clone();
        let chunks = || metadata.row_groups().iter().flat_map(|group| group.columns());
        let size: i64 =
            chunks().map(|chunk| chunk.uncompressed_size().max(0)).fold(0, i64::saturating_add);
        let count: i64 =
            chunks().map(|chunk| chunk.num_values().max(0)).fold(0, i64::saturating_add);
        let rows: i64 = metadata
            .row_groups()
            .iter()
            .map(|group| group.num_rows().max(0))
            .fold(0, i64::saturating_add);
        if size > MAX_BYTES || count > MAX_VALUES || rows > MAX_VALUES {
            return Err(Error::new(
                Kind::TooLarge,
                format!("the file holds {count} values in {size} bytes, more than are read"),
            )
            .next("split the file"));
        }
        let rows = usize::try_from(rows).unwrap_or(0);
        let schema = metadata.file_metadata().schema_descr();
        let mut columns = Vec::new();
        for (index, description) in schema.columns().iter().enumerate() {
            let mut read = None;
            let mut levels = Levels { definition: Vec::new(), repetition: Vec::new() };
            for group in 0..reader.num_row_groups() {
                let chunk = reader.get_row_group(group).map_err(damaged)?;
                let chunk = chunk.get_column_reader(index).map_err(damaged)?;
                read = Some(values::read(chunk, read, &mut levels).map_err(damaged)?);
            }
            let read = match read {
                Some(read) => read,
                None => super::fresh::none(description.physical_type()),
            };
            columns.push(Column::new(description.clone(), read, levels, rows)?);
        }
        Ok(Self { metadata, columns, rows })
    }

    pub(super) fn schema(&self) -> &SchemaDescriptor {
        self.metadata.file_metadata().schema_descr()
    }

    /// Returns the fields of the rows.
    ///
    /// # Errors
    /// A column of a kind that no cell holds: it is named.
    pub(super) fn fields(&self) -> Result<Vec<Field>> {
        let refuse = |name: &str, what: &str| {
            broken(format!("the column \"{name}\" holds {what}, which no cell can"))
                .next("write the file without the column, or with the column as text")
        };
        let mut fields = Vec::new();
        for root in self.schema().root_schema().get_fields() {
            let name = root.name();
            let leaf = |path: Vec<String>| {
                let path = ColumnPath::new(path);
                self.columns.iter().position(|column| *column.description.path() == path)
            };
            let (leaf, list) = match root.as_ref() {
                Type::PrimitiveType { .. }
                    if root.get_basic_info().repetition() != Repetition::REPEATED =>
                {
                    (leaf(vec![name.to_owned()]), None)
                }
                _ => match listed(root) {
                    Some((path, nulls)) => (leaf(path), Some(nulls)),
                    None => return Err(refuse(name, "values within values")),
                },
            };
            let column = leaf.and_then(|leaf| Some((leaf, self.columns.get(leaf)?)));
            let (leaf, column) =
                column.ok_or_else(|| damaged("its schema has a column without values"))?;
            let shape = Shape::of(&column.description).map_err(|what| refuse(name, &what))?;
            fields.push(Field { name: name.to_owned(), leaf, shape, list });
        }
        Ok(fields)
    }
}

/// Returns the path of the items of a list in its usual form of three levels, and whether lists and items may be null.
fn listed(root: &Type) -> Option<(Vec<String>, (bool, bool))> {
    let only = |ty: &Type| match ty {
        Type::GroupType { fields, .. } if fields.len() == 1 => fields.first().cloned(),
        _ => None,
    };
    let repetition = |ty: &Type| ty.get_basic_info().repetition();
    let middle = only(root)?;
    let item = only(&middle)?;
    let usual = repetition(&middle) == Repetition::REPEATED
        && item.is_primitive()
        && repetition(root) != Repetition::REPEATED
        && repetition(&item) != Repetition::REPEATED;
    usual.then(|| {
        let path = [root.name(), middle.name(), item.name()].map(str::to_owned).to_vec();
        (
            path,
            (repetition(root) == Repetition::OPTIONAL, repetition(&item) == Repetition::OPTIONAL),
        )
    })
}

impl Field {
    pub(super) fn ty(&self) -> Option<ColumnType> {
        Some(if self.list.is_some() { ColumnType::List } else { self.shape.ty() })
    }

    /// Returns what a row holds.
    ///
    /// # Errors
    /// A stored value that means nothing.
    pub(super) fn held(&self, contents: &Contents, row: usize) -> Result<Held> {
        let Some(column) = contents.columns.get(self.leaf) else { return Ok(Held::Nothing) };
        let one = |scalar| {
            self.shape.held(&scalar).ok_or_else(|| {
                broken(format!(
                    "row {}, column \"{}\": the stored value means nothing",
                    row + 1,
                    self.name
                ))
            })
        };
        let mut entries = column.entries(row);
        let Some((outer, _)) = self.list else {
            return entries.pop().and_then(|(_, scalar)| scalar).map_or(Ok(Held::Nothing), one);
        };
        let (null, empty) = (if outer { 0 } else { -1 }, i16::from(outer));
        match entries.as_slice() {
            [(defined, None)] if *defined == null => return Ok(Held::Nothing),
            [(defined, None)] if *defined == empty => return Ok(Held::Text("[]".into())),
            _ => {}
        }
        let mut items = Vec::new();
        for (_, scalar) in entries {
            items.push(match scalar.map(one).transpose()? {
                None | Some(Held::Nothing) => "null".to_owned(),
                Some(Held::Bool(value)) => value.to_string(),
                Some(Held::Number(text)) => text,
                Some(Held::Float(value)) if value.is_finite() => value.to_string(),
                Some(Held::Float(value)) => format!("\"{value}\""),
                Some(Held::Text(text)) => serde_json::Value::String(text).to_string(),
            });
        }
        Ok(Held::Text(format!("[{}]", items.join(","))))
    }
}
