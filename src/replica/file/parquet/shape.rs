//! What the stored values of a column mean, and how values become stored ones.

use lockstep_engine::{
    schema::ColumnType,
    value::{Number, Value},
};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type},
    schema::types::ColumnDescriptor,
};

use super::{
    moment::{self, Unit},
    values::Scalar,
};

/// The meaning of a leaf column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    /// Integers of so many bits.
    Integer {
        bits: u32,
        signed: bool,
    },
    Float,
    Double,
    /// Integers that stand for so many decimal places.
    Decimal {
        scale: u32,
        precision: u32,
    },
    Text,
    Uuid,
    Date,
    Time(Unit),
    Stamp {
        unit: Unit,
        utc: bool,
    },
    /// The old form of timestamps, which is not written any more.
    OldStamp,
}

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Held {
    Nothing,
    Bool(bool),
    Number(String),
    Float(f64),
    Text(String),
}

fn unit(unit: &TimeUnit) -> Unit {
    Unit(match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1_000,
        TimeUnit::NANOS => 1,
    })
}

impl Shape {
    /// Returns the meaning of a column, or what about it no cell holds.
    pub(super) fn of(column: &ColumnDescriptor) -> Result<Self, String> {
        let decimal = || {
            let (scale, precision) = (column.type_scale(), column.type_precision());
            match (u32::try_from(scale), u32::try_from(precision)) {
                (Ok(scale), Ok(precision)) if precision <= 38 && scale <= 38 => {
                    Ok(Self::Decimal { scale, precision })
                }
                _ => Err(format!("decimals of {precision} digits")),
            }
        };
        let physical = column.physical_type();
        if let Some(logical) = column.logical_type_ref() {
            match logical {
                LogicalType::String | LogicalType::Enum | LogicalType::Json => {
                    return Ok(Self::Text);
                }
                LogicalType::Decimal(_) => return decimal(),
                LogicalType::Date => return Ok(Self::Date),
                LogicalType::Time(time) => return Ok(Self::Time(unit(&time.unit))),
                LogicalType::Timestamp(stamp) => {
                    return Ok(Self::Stamp {
                        unit: unit(&stamp.unit),
                        utc: stamp.is_adjusted_to_u_t_c,
                    });
                }
                LogicalType::Integer(integer) => {
                    let bits = u32::try_from(integer.bit_width).unwrap_or(64);
                    return Ok(Self::Integer { bits, signed: integer.is_signed });
                }
                LogicalType::Uuid => return Ok(Self::Uuid),
                LogicalType::Unknown => {}
                other => return Err(format!("values of the kind {other:?}")),
            }
        }
        let integer = |bits, signed| Ok(Self::Integer { bits, signed });
        let (millis, micros) = (Unit(1_000_000), Unit(1_000));
        match (column.converted_type(), physical) {
            (ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON, _) => Ok(Self::Text),
            (ConvertedType::DECIMAL, _) => decimal(),
            (ConvertedType::DATE, _) => Ok(Self::Date),
            (ConvertedType::TIME_MILLIS, _) => Ok(Self::Time(millis)),
            (ConvertedType::TIME_MICROS, _) => Ok(Self::Time(micros)),
            (ConvertedType::TIMESTAMP_MILLIS, _) => Ok(Self::Stamp { unit: millis, utc: true }),
            (ConvertedType::TIMESTAMP_MICROS, _) => Ok(Self::Stamp { unit: micros, utc: true }),
            (ConvertedType::INT_8, _) => integer(8, true),
            (ConvertedType::INT_16, _) => integer(16, true),
            (ConvertedType::UINT_8, _) => integer(8, false),
            (ConvertedType::UINT_16, _) => integer(16, false),
            (ConvertedType::UINT_32, _) => integer(32, false),
            (ConvertedType::UINT_64, _) => integer(64, false),
            (ConvertedType::INTERVAL, _) => Err("intervals".into()),
            (ConvertedType::BSON, _) => Err("BSON".into()),
            (_, Type::BOOLEAN) => Ok(Self::Bool),
            (_, Type::INT32) => integer(32, true),
            (_, Type::INT64) => integer(64, true),
            (_, Type::INT96) => Ok(Self::OldStamp),
            (_, Type::FLOAT) => Ok(Self::Float),
            (_, Type::DOUBLE) => Ok(Self::Double),
            (_, Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY) => {
                Err("bytes that are not said to be text".into())
            }
        }
    }

    /// Returns the type of the column's values.
    pub(super) fn ty(self) -> ColumnType {
        match self {
            Self::Bool => ColumnType::Bool,
            Self::Integer { .. } | Self::Float | Self::Double | Self::Decimal { .. } => {
                ColumnType::Number
            }
            Self::Text | Self::Uuid => ColumnType::Text,
            Self::Date => ColumnType::Date,
            Self::Time(_) => ColumnType::Time,
            Self::Stamp { .. } | Self::OldStamp => ColumnType::DateTime,
        }
    }

    /// Returns what a stored value means; `None` for one that means nothing, such as a day out of the calendar.
    pub(super) fn held(self, scalar: &Scalar) -> Option<Held> {
        Some(match (self, scalar) {
            (Self::Bool, Scalar::Bool(value)) => Held::Bool(*value),
            (Self::Integer { signed: true, .. }, Scalar::I32(value)) => {
                Held::Number(value.to_string())
            }
            (Self::Integer { signed: true, .. }, Scalar::I64(value)) => {
                Held::Number(value.to_string())
            }
            (Self::Integer { .. }, Scalar::I32(value)) => {
                Held::Number(value.cast_unsigned().to_string())
            }
            (Self::Integer { .. }, Scalar::I64(value)) => {
                Held::Number(value.cast_unsigned().to_string())
            }
            // The shortest text of 32 bits is not that of the 64 they become.
            (Self::Float, Scalar::F32(value)) if value.is_finite() => {
                Held::Number(value.to_string())
            }
            (Self::Float, Scalar::F32(value)) => Held::Float(f64::from(*value)),
            (Self::Double, Scalar::F64(value)) => Held::Float(*value),
            (Self::Decimal { scale, .. }, scalar) => {
                Held::Number(decimal_text(unscaled(scalar)?, scale))
            }
            (Self::Text, Scalar::Bytes(bytes)) => {
                Held::Text(String::from_utf8(bytes.clone()).ok()?)
            }
            (Self::Uuid, Scalar::Bytes(bytes)) => {
                Held::Text(uuid::Uuid::from_slice(bytes).ok()?.to_string())
            }
            (Self::Date, Scalar::I32(days)) => Held::Text(moment::day_text(*days)?),
            (Self::Time(unit), Scalar::I32(count)) => {
                Held::Text(moment::time_text(i64::from(*count), unit)?)
            }
            (Self::Time(unit), Scalar::I64(count)) => Held::Text(moment::time_text(*count, unit)?),
            (Self::Stamp { unit, utc }, Scalar::I64(count)) => {
                Held::Text(moment::stamp_text(*count, unit, utc)?)
            }
            (Self::OldStamp, Scalar::I96(nanos)) => {
                Held::Text(moment::stamp_text(*nanos, Unit(1), false)?)
            }
            _ => return None,
        })
    }

    /// Returns a value as it is stored in a column of this physical type.
    ///
    /// # Errors
    /// Why the column does not hold it exactly.
    pub(super) fn scalar(self, value: &Value, column: &ColumnDescriptor) -> Result<Scalar, String> {
        let narrow = column.physical_type() == Type::INT32;
        let number = || match value {
            Value::Number(number) => Ok(number),
            _ => Err("it is no number".to_owned()),
        };
        let fit = |value: i64| match narrow {
            true => {
                i32::try_from(value).map(Scalar::I32).map_err(|_| "it is out of range".to_owned())
            }
            false => Ok(Scalar::I64(value)),
        };
        match self {
            Self::Bool => match value {
                Value::Bool(value) => Ok(Scalar::Bool(*value)),
                _ => Err("it is neither true nor false".into()),
            },
            Self::Integer { bits, signed } => {
                let number: i128 = number()?
                    .to_string()
                    .parse()
                    .map_err(|_| "it is no whole number".to_owned())?;
                let bits = bits.clamp(1, 64);
                let (least, most) = match signed {
                    true => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
                    false => (0, (1_i128 << bits) - 1),
                };
                if !(least..=most).contains(&number) {
                    return Err(format!("the column holds {least} to {most}"));
                }
                // Unsigned integers are stored in the bits of signed ones.
                Ok(match narrow {
                    true => Scalar::I32(number as i32),
                    false => Scalar::I64(number as i64),
                })
            }
            Self::Double => {
                let float = number()?.to_f64_exact();
                float
                    .map(Scalar::F64)
                    .ok_or_else(|| "a binary number of 64 bits does not hold it exactly".into())
            }
            Self::Float => {
                let number = number()?;
                let float: f32 =
                    number.to_string().parse().map_err(|_| "it is no number".to_owned())?;
                let exact = float.to_string().parse::<Number>().is_ok_and(|back| back == *number);
                exact
                    .then_some(Scalar::F32(float))
                    .ok_or_else(|| "a binary number of 32 bits does not hold it exactly".into())
            }
            Self::Decimal { scale, precision } => {
                let unscaled = decimal_units(number()?, scale)
                    .filter(|units| units.unsigned_abs().checked_ilog10().unwrap_or(0) < precision)
                    .ok_or_else(|| {
                        format!(
                            "the column holds {precision} digits, {scale} of them behind the point"
                        )
                    })?;
                let out_of_range = || "it is out of range".to_owned();
                match column.physical_type() {
                    Type::INT32 | Type::INT64 => {
                        fit(i64::try_from(unscaled).map_err(|_| out_of_range())?)
                    }
                    _ => {
                        let length = match column.physical_type() {
                            Type::FIXED_LEN_BYTE_ARRAY => {
                                usize::try_from(column.type_length()).unwrap_or(16)
                            }
                            _ => 16,
                        };
                        big_endian(unscaled, length).map(Scalar::Bytes).ok_or_else(out_of_range)
                    }
                }
            }
            Self::Text => Ok(Scalar::Bytes(value.to_string().into_bytes())),
            Self::Uuid => {
                let text = value.to_string();
                let id = uuid::Uuid::parse_str(&text).map_err(|_| "it is no UUID".to_owned())?;
                // Another spelling of an id would not read back as it was given.
                match id.to_string() == text {
                    true => Ok(Scalar::Bytes(id.as_bytes().to_vec())),
                    false => Err("the column holds UUIDs in small letters with hyphens".into()),
                }
            }
            Self::Date => match value {
                Value::Date(date) => Ok(Scalar::I32(moment::day_number(*date))),
                _ => Err("it is no date".into()),
            },
            Self::Time(unit) => match value {
                Value::Time(time) => fit(moment::time_count(*time, unit).ok_or_else(|| {
                    "it has more digits of a second than the column holds".to_owned()
                })?),
                _ => Err("it is no time of day".into()),
            },
            Self::Stamp { unit, utc } => {
                moment::stamp_count(value, unit, utc).map(Scalar::I64).map_err(str::to_owned)
            }
            Self::OldStamp => {
                Err("the column is of an old kind of timestamps (INT96) that is not written".into())
            }
        }
    }
}

fn unscaled(scalar: &Scalar) -> Option<i128> {
    match scalar {
        Scalar::I32(value) => Some(i128::from(*value)),
        Scalar::I64(value) => Some(i128::from(*value)),
        Scalar::Bytes(bytes) => {
            let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
            let fill: u8 = if negative { 0xff } else { 0 };
            let extra = bytes.len().saturating_sub(16);
            let (head, tail) = bytes.split_at_checked(extra)?;
            if head.iter().any(|byte| *byte != fill) {
                return None;
            }
            let mut wide = [fill; 16];
            wide.get_mut(16 - tail.len()..)?.copy_from_slice(tail);
            Some(i128::from_be_bytes(wide))
        }
        _ => None,
    }
}

fn decimal_text(units: i128, scale: u32) -> String {
    let digits = units.unsigned_abs().to_string();
    let places = usize::try_from(scale).unwrap_or(0);
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, part) = digits.split_at_checked(digits.len() - places).unwrap_or((&digits, ""));
    let sign = if units < 0 { "-" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// Returns a number in units of its last decimal place, if it has no more of them.
fn decimal_units(number: &Number, scale: u32) -> Option<i128> {
    let text = number.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let places = usize::try_from(scale).ok()?;
    (part.len() <= places).then(|| format!("{whole}{part:0<places$}").parse().ok())?
}

fn big_endian(units: i128, length: usize) -> Option<Vec<u8>> {
    let wide = units.to_be_bytes();
    let fill: u8 = if units < 0 { 0xff } else { 0 };
    let mut bytes = vec![fill; length.saturating_sub(16)];
    let (cut, kept) = wide.split_at_checked(16_usize.saturating_sub(length))?;
    let sign = kept.first().is_some_and(|byte| (*byte >= 0x80) == (units < 0));
    bytes.extend_from_slice(kept);
    (cut.iter().all(|byte| *byte == fill) && (sign || cut.is_empty())).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (units, scale, text) in
            [(12_345, 2, "123.45"), (-5, 3, "-0.005"), (7, 0, "7"), (0, 2, "0.00")]
        {
            assert_eq!(decimal_text(units, scale), text);
            assert_eq!(decimal_units(&text.parse().unwrap(), scale), Some(units));
            for length in [8, 16, 20] {
                let bytes = big_endian(units, length).unwrap();
                assert_eq!((bytes.len(), unscaled(&Scalar::Bytes(bytes))), (length, Some(units)));
            }
        }
        assert_eq!(decimal_units(&"0.125".parse().unwrap(), 2), None);
        assert_eq!(big_endian(128, 1), None);
        assert_eq!(big_endian(-128, 1), Some(vec![0x80]));
        assert_eq!(unscaled(&Scalar::Bytes(vec![1; 17])), None);
    }
}
