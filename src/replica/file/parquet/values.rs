//! The stored values of a column, of whichever physical type.

use std::ops::Range;

use parquet::{
    column::{
        reader::{ColumnReader, ColumnReaderImpl},
        writer::{ColumnWriter, ColumnWriterImpl},
    },
    data_type::{ByteArray, DataType, FixedLenByteArray, Int96},
    errors::Result,
};

/// How many records are read at a time.
const BATCH: usize = 64 * 1024;

/// Values of one physical type, without the nulls between them.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Bool(Vec<bool>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    I96(Vec<Int96>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

/// One stored value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Bool(bool),
    I32(i32),
    I64(i64),
    /// Nanoseconds since 1970.
    I96(i64),
    F32(f32),
    F64(f64),
    Bytes(Vec<u8>),
}

impl Values {
    /// Returns no values of the same type.
    pub(super) fn none(&self) -> Self {
        match self {
            Self::Bool(_) => Self::Bool(Vec::new()),
            Self::I32(_) => Self::I32(Vec::new()),
            Self::I64(_) => Self::I64(Vec::new()),
            Self::I96(_) => Self::I96(Vec::new()),
            Self::F32(_) => Self::F32(Vec::new()),
            Self::F64(_) => Self::F64(Vec::new()),
            Self::Bytes(_) => Self::Bytes(Vec::new()),
            Self::Fixed(_) => Self::Fixed(Vec::new()),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::I96(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::Fixed(values) => values.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Scalar> {
        Some(match self {
            Self::Bool(values) => Scalar::Bool(*values.get(index)?),
            Self::I32(values) => Scalar::I32(*values.get(index)?),
            Self::I64(values) => Scalar::I64(*values.get(index)?),
            Self::I96(values) => Scalar::I96(values.get(index)?.to_nanos()),
            Self::F32(values) => Scalar::F32(*values.get(index)?),
            Self::F64(values) => Scalar::F64(*values.get(index)?),
            Self::Bytes(values) => Scalar::Bytes(values.get(index)?.data().to_vec()),
            Self::Fixed(values) => Scalar::Bytes(values.get(index)?.data().to_vec()),
        })
    }

    /// Appends a value; returns whether it is of the type.
    pub(super) fn push(&mut self, scalar: Scalar) -> bool {
        match (self, scalar) {
            (Self::Bool(values), Scalar::Bool(value)) => values.push(value),
            (Self::I32(values), Scalar::I32(value)) => values.push(value),
            (Self::I64(values), Scalar::I64(value)) => values.push(value),
            (Self::F32(values), Scalar::F32(value)) => values.push(value),
            (Self::F64(values), Scalar::F64(value)) => values.push(value),
            (Self::Bytes(values), Scalar::Bytes(value)) => values.push(value.into()),
            (Self::Fixed(values), Scalar::Bytes(value)) => values.push(value.into()),
            _ => return false,
        }
        true
    }

    /// Appends some values of another column of the type.
    pub(super) fn copy(&mut self, from: &Self, range: Range<usize>) {
        fn some<T: Clone>(to: &mut Vec<T>, from: &[T], range: Range<usize>) {
            to.extend_from_slice(from.get(range).unwrap_or_default());
        }
        match (self, from) {
            (Self::Bool(to), Self::Bool(from)) => some(to, from, range),
            (Self::I32(to), Self::I32(from)) => some(to, from, range),
            (Self::I64(to), Self::I64(from)) => some(to, from, range),
            (Self::I96(to), Self::I96(from)) => some(to, from, range),
            (Self::F32(to), Self::F32(from)) => some(to, from, range),
            (Self::F64(to), Self::F64(from)) => some(to, from, range),
            (Self::Bytes(to), Self::Bytes(from)) => some(to, from, range),
            (Self::Fixed(to), Self::Fixed(from)) => some(to, from, range),
            _ => {}
        }
    }
}

/// Where records begin: in the levels, and in the values.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    pub(super) definition: Vec<i16>,
    pub(super) repetition: Vec<i16>,
}

/// Reads a chunk of a column to its end, behind what was read before.
pub(super) fn read(
    reader: ColumnReader,
    values: Option<Values>,
    levels: &mut Levels,
) -> Result<Values> {
    fn all<T: DataType>(
        mut reader: ColumnReaderImpl<T>,
        mut values: Vec<T::T>,
        levels: &mut Levels,
    ) -> Result<Vec<T::T>> {
        loop {
            let (definition, repetition) = (&mut levels.definition, &mut levels.repetition);
            let (records, _, found) =
                reader.read_records(BATCH, Some(definition), Some(repetition), &mut values)?;
            if records == 0 && found == 0 {
                return Ok(values);
            }
        }
    }
    macro_rules! chunk {
        ($kind:ident, $reader:expr) => {{
            let before = match values {
                Some(Values::$kind(before)) => before,
                _ => Vec::new(),
            };
            Values::$kind(all($reader, before, levels)?)
        }};
    }
    Ok(match reader {
        ColumnReader::BoolColumnReader(reader) => chunk!(Bool, reader),
        ColumnReader::Int32ColumnReader(reader) => chunk!(I32, reader),
        ColumnReader::Int64ColumnReader(reader) => chunk!(I64, reader),
        ColumnReader::Int96ColumnReader(reader) => chunk!(I96, reader),
        ColumnReader::FloatColumnReader(reader) => chunk!(F32, reader),
        ColumnReader::DoubleColumnReader(reader) => chunk!(F64, reader),
        ColumnReader::ByteArrayColumnReader(reader) => chunk!(Bytes, reader),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => chunk!(Fixed, reader),
    })
}

/// Writes values and their levels as a chunk; `false` if the values are of another type than the column.
pub(super) fn write(
    writer: &mut ColumnWriter<'_>,
    values: &Values,
    value_range: Range<usize>,
    definition: &[i16],
    repetition: &[i16],
) -> Result<bool> {
    fn some<T: DataType>(
        writer: &mut ColumnWriterImpl<'_, T>,
        values: &[T::T],
        range: Range<usize>,
        (definition, repetition): (&[i16], &[i16]),
    ) -> Result<()> {
        let values = values.get(range).unwrap_or_default();
        let definition = Some(definition).filter(|levels| !levels.is_empty());
        let repetition = Some(repetition).filter(|levels| !levels.is_empty());
        writer.write_batch(values, definition, repetition).map(|_| ())
    }
    let levels = (definition, repetition);
    match (writer, values) {
        (ColumnWriter::BoolColumnWriter(writer), Values::Bool(values)) => {
            some(writer, values, value_range, levels)?
        }
        (ColumnWriter::Int32ColumnWriter(writer), Values::I32(values)) => {
            some(writer, values, value_range, levels)?
        }
        (ColumnWriter::Int64ColumnWriter(writer), Values::I64(values)) => {
            some(writer, values, value_range, levels)?
        }
        (ColumnWriter::Int96ColumnWriter(writer), Values::I96(values)) => {
            some(writer, values, value_range, levels)?
        }
        (ColumnWriter::FloatColumnWriter(writer), Values::F32(values)) => {
            some(writer, values, value_range, levels)?
        }
        (ColumnWriter::DoubleColumnWriter(writer), Values::F64(values)) => {
            some(writer, values, value_range, levels)?
        }
        (ColumnWriter::ByteArrayColumnWriter(writer), Values::Bytes(values)) => {
            some(writer, values, value_range, levels)?
        }
        (ColumnWriter::FixedLenByteArrayColumnWriter(writer), Values::Fixed(values)) => {
            some(writer, values, value_range, levels)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
