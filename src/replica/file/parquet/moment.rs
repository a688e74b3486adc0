//! Days, times and timestamps as integers, and back.

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::Offset,
};
use lockstep_engine::value::Value;

/// Nanoseconds of a unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit(pub(super) i64);

const EPOCH: Date = Date::constant(1970, 1, 1);
const DAY: i64 = 86_400_000_000_000;

pub(super) fn day_text(days: i32) -> Option<String> {
    let span = jiff::SignedDuration::from_hours(i64::from(days) * 24);
    Some(EPOCH.checked_add(span).ok()?.to_string())
}

pub(super) fn day_number(date: Date) -> i32 {
    (date - EPOCH).get_days()
}

pub(super) fn time_text(count: i64, unit: Unit) -> Option<String> {
    let nanos = count.checked_mul(unit.0).filter(|nanos| (0..DAY).contains(nanos))?;
    let time = Time::midnight().checked_add(jiff::SignedDuration::from_nanos(nanos)).ok()?;
    Some(time.to_string())
}

pub(super) fn time_count(time: Time, unit: Unit) -> Option<i64> {
    let nanos = i64::try_from(time.duration_since(Time::midnight()).as_nanos()).ok()?;
    (nanos % unit.0 == 0).then_some(nanos / unit.0)
}

pub(super) fn stamp_text(count: i64, unit: Unit, utc: bool) -> Option<String> {
    let nanos = i128::from(count) * i128::from(unit.0);
    let stamp = Timestamp::from_nanosecond(nanos).ok()?;
    Some(match utc {
        true => stamp.to_string(),
        false => Offset::UTC.to_datetime(stamp).to_string(),
    })
}

/// Returns the count of a moment; the error says what of it the column does not hold.
pub(super) fn stamp_count(value: &Value, unit: Unit, utc: bool) -> Result<i64, &'static str> {
    let Value::DateTime(moment) = value else { return Err("it is no date-time") };
    let civil = match (moment.offset_minutes().is_some(), utc) {
        (true, true) => moment.utc(),
        (false, false) => moment.civil(),
        (false, true) => return Err("it has no offset from UTC, and the column's times do"),
        (true, false) => return Err("it has an offset from UTC, and the column's times have none"),
    };
    let stamp = Offset::UTC.to_timestamp(civil).map_err(|_| "it is out of range")?;
    let nanos = stamp.as_nanosecond();
    let unit = i128::from(unit.0);
    if nanos % unit != 0 {
        return Err("it has more digits of a second than the column holds");
    }
    i64::try_from(nanos / unit).map_err(|_| "it is out of range")
}
