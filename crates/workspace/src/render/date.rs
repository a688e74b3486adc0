//! Dates, times and durations by the parts of a parsed pattern.

use jiff::civil::Date;
use ssfmt::Section;
use ssfmt::ast::{DatePart, ElapsedPart, FormatPart};

use crate::locale::Locale;
use crate::serial;

/// Returns a serial by a date pattern, or `None` when it lies beyond the calendar.
///
/// Rounds to what the pattern can show, so 23:59:59.999 without fractions is the next day, as
/// probed on the live service (google-wire 2.3).
pub(super) fn text(number: f64, section: &Section, locale: &Locale) -> Option<String> {
    let places = section.parts.iter().find_map(|part| match part {
        FormatPart::DatePart(DatePart::SubSecond(places)) => Some(u32::from(*places).min(3)),
        _ => None,
    });
    let step = 10_i64.pow(3 - places.unwrap_or(0));
    let milliseconds = (number * 86_400_000.0).round();
    if !milliseconds.is_finite() || milliseconds.abs() > 1e15 {
        return None;
    }
    // Within 2^53 by the check above.
    let milliseconds = milliseconds as i64;
    let rounded = (milliseconds + step / 2).div_euclid(step) * step;
    let day = rounded.div_euclid(86_400_000);
    let parts = Parts {
        date: serial::to_date(day as f64)?,
        within: rounded.rem_euclid(86_400_000),
        total: rounded,
        twelve: section.parts.iter().any(|part| matches!(part, FormatPart::AmPm(_))),
        locale,
    };
    let mut out = String::new();
    if rounded < 0 && section.parts.iter().any(|part| matches!(part, FormatPart::Elapsed(_))) {
        out.push('-');
    }
    for part in &section.parts {
        parts.push(part, &mut out);
    }
    Some(out)
}

struct Parts<'a> {
    date: Date,
    /// Milliseconds since midnight.
    within: i64,
    /// Milliseconds since the epoch, for durations.
    total: i64,
    /// Whether hours count to twelve.
    twelve: bool,
    locale: &'a Locale,
}

impl Parts<'_> {
    fn push(&self, part: &FormatPart, out: &mut String) {
        match part {
            FormatPart::Literal(text) | FormatPart::EscapedLiteral(text) => out.push_str(text),
            FormatPart::DatePart(part) => out.push_str(&self.date_part(*part)),
            FormatPart::Elapsed(part) => out.push_str(&self.elapsed(*part)),
            // Sheets writes AM/PM in capitals whichever way the pattern does.
            FormatPart::AmPm(style) => {
                use ssfmt::ast::AmPmStyle::{ShortLower, ShortUpper};
                let afternoon = self.within >= 43_200_000;
                let short = matches!(style, ShortLower | ShortUpper);
                out.push_str(match (afternoon, short) {
                    (true, true) => "P",
                    (false, true) => "A",
                    (true, false) => "PM",
                    (false, false) => "AM",
                });
            }
            FormatPart::DecimalPoint => out.push('.'),
            FormatPart::ThousandsSeparator => out.push(','),
            FormatPart::Percent => out.push('%'),
            FormatPart::Skip(_) => out.push(' '),
            _ => {}
        }
    }

    fn date_part(&self, part: DatePart) -> String {
        let (year, month, day) = (self.date.year(), self.date.month(), self.date.day());
        let hour = self.hour();
        let minute = self.within / 60_000 % 60;
        let second = self.within / 1000 % 60;
        match part {
            DatePart::Year2 | DatePart::BuddhistYear2 | DatePart::BuddhistYear2Alt => {
                format!("{:02}", year.rem_euclid(100))
            }
            DatePart::Year3
            | DatePart::Year4
            | DatePart::BuddhistYear4
            | DatePart::BuddhistYear4Alt => {
                format!("{year:04}")
            }
            DatePart::Month => month.to_string(),
            DatePart::Month2 => format!("{month:02}"),
            DatePart::MonthAbbr => name(&self.locale.months_short, month - 1).to_owned(),
            DatePart::MonthFull => name(&self.locale.months, month - 1).to_owned(),
            DatePart::MonthLetter => name(&self.locale.months, month - 1).chars().take(1).collect(),
            DatePart::Day => day.to_string(),
            DatePart::Day2 => format!("{day:02}"),
            DatePart::DayAbbr => name(&self.locale.days_short, self.weekday()).to_owned(),
            DatePart::DayFull => name(&self.locale.days, self.weekday()).to_owned(),
            DatePart::Hour => hour.to_string(),
            DatePart::Hour2 => format!("{hour:02}"),
            DatePart::Minute => minute.to_string(),
            DatePart::Minute2 => format!("{minute:02}"),
            DatePart::Second => second.to_string(),
            DatePart::Second2 => format!("{second:02}"),
            DatePart::SubSecond(places) => {
                let digits = format!("{:03}", self.within % 1000);
                digits.chars().chain(std::iter::repeat('0')).take(usize::from(places)).collect()
            }
        }
    }

    fn hour(&self) -> i64 {
        let hour = self.within / 3_600_000;
        match (self.twelve, hour % 12) {
            (true, 0) => 12,
            (true, hour) => hour,
            (false, _) => hour,
        }
    }

    fn weekday(&self) -> i8 {
        self.date.weekday().to_sunday_zero_offset()
    }

    fn elapsed(&self, part: ElapsedPart) -> String {
        let total = self.total.abs();
        match part {
            ElapsedPart::Hours => (total / 3_600_000).to_string(),
            ElapsedPart::Hours2 => format!("{:02}", total / 3_600_000),
            ElapsedPart::Minutes => (total / 60_000).to_string(),
            ElapsedPart::Minutes2 => format!("{:02}", total / 60_000),
            ElapsedPart::Seconds => (total / 1000).to_string(),
            ElapsedPart::Seconds2 => format!("{:02}", total / 1000),
        }
    }
}

fn name<const N: usize>(names: &[&'static str; N], index: i8) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or("")
}
