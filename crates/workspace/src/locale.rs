//! What differs between the locales of a spreadsheet when text is read and written.

/// Is the order of day and month in a short date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateOrder {
    /// Month, day, year.
    MonthFirst,
    /// Day, month, year.
    DayFirst,
}

/// Is one locale. Patterns are in en_US notation, as the API has them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Locale {
    /// The separator of decimals.
    pub(crate) decimal: char,
    /// The separator of thousands in printed text.
    pub(crate) group: char,
    /// The currency symbol.
    pub(crate) currency: &'static str,
    /// Whether the symbol stands before the amount.
    pub(crate) currency_first: bool,
    /// The order of a short date.
    pub(crate) order: DateOrder,
    /// The default pattern of a date.
    pub(crate) date: &'static str,
    /// The default pattern of a time.
    pub(crate) time: &'static str,
    /// TRUE and FALSE as typed, beside the English words.
    pub(crate) truth: (&'static str, &'static str),
    /// Full month names.
    pub(crate) months: [&'static str; 12],
    /// Short month names.
    pub(crate) months_short: [&'static str; 12],
    /// Full day names from Sunday.
    pub(crate) days: [&'static str; 7],
    /// Short day names from Sunday.
    pub(crate) days_short: [&'static str; 7],
}

impl Locale {
    /// Returns the locale of a tag such as `de_DE`; one that is not known works as en_US.
    pub(crate) fn of(tag: &str) -> &'static Self {
        match tag.split(['_', '-']).next() {
            Some("de") => &DE,
            Some("fr") => &FR,
            Some("en") if matches!(tag, "en_GB" | "en_IE" | "en_AU" | "en_NZ" | "en-GB") => &GB,
            _ => &US,
        }
    }

    /// Returns the default pattern of an amount of money.
    pub(crate) fn currency_pattern(&self, decimals: bool) -> String {
        let digits = if decimals { "#,##0.00" } else { "#,##0" };
        let symbol = self.currency;
        if self.currency_first {
            format!("\"{symbol}\"{digits}")
        } else {
            format!("{digits} \"{symbol}\"")
        }
    }
}

const EN_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const EN_MONTHS_SHORT: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const EN_DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const EN_DAYS_SHORT: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

static US: Locale = EN_US;

static GB: Locale = Locale {
    currency: "£",
    order: DateOrder::DayFirst,
    date: "dd/mm/yyyy",
    time: "hh:mm:ss",
    ..EN_US
};

const EN_US: Locale = Locale {
    decimal: '.',
    group: ',',
    currency: "$",
    currency_first: true,
    order: DateOrder::MonthFirst,
    date: "m/d/yyyy",
    time: "h:mm:ss am/pm",
    truth: ("TRUE", "FALSE"),
    months: EN_MONTHS,
    months_short: EN_MONTHS_SHORT,
    days: EN_DAYS,
    days_short: EN_DAYS_SHORT,
};

static DE: Locale = Locale {
    decimal: ',',
    group: '.',
    currency: "€",
    currency_first: false,
    order: DateOrder::DayFirst,
    date: "dd.mm.yyyy",
    time: "hh:mm:ss",
    truth: ("WAHR", "FALSCH"),
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    months_short: [
        "Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez",
    ],
    days: ["Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"],
    days_short: ["So", "Mo", "Di", "Mi", "Do", "Fr", "Sa"],
};

static FR: Locale = Locale {
    decimal: ',',
    group: '\u{202f}',
    currency: "€",
    currency_first: false,
    order: DateOrder::DayFirst,
    date: "dd/mm/yyyy",
    time: "hh:mm:ss",
    truth: ("VRAI", "FAUX"),
    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    months_short: [
        "janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.",
        "déc.",
    ],
    days: ["dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"],
    days_short: ["dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."],
};
