//! Number formats: a kind and a pattern, with the names of the Sheets API.

/// Is the kind of a number format, with the names of the Sheets API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FormatKind {
    /// Text: what is entered stays as it is.
    Text,
    /// A number.
    Number,
    /// A percentage.
    Percent,
    /// Money.
    Currency,
    /// A date.
    Date,
    /// A time of day or a duration.
    Time,
    /// A date and a time.
    DateTime,
    /// A number with an exponent.
    Scientific,
}

impl FormatKind {
    /// Returns the `NumberFormatType` of the Sheets API.
    pub(crate) const fn wire(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Number => "NUMBER",
            Self::Percent => "PERCENT",
            Self::Currency => "CURRENCY",
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::DateTime => "DATE_TIME",
            Self::Scientific => "SCIENTIFIC",
        }
    }

    /// Returns the kind of a `NumberFormatType`, or `None` for an unknown or unspecified one.
    pub(crate) fn from_wire(name: &str) -> Option<Self> {
        [
            Self::Text,
            Self::Number,
            Self::Percent,
            Self::Currency,
            Self::Date,
            Self::Time,
            Self::DateTime,
            Self::Scientific,
        ]
        .into_iter()
        .find(|kind| kind.wire() == name)
    }

    /// Returns whether a number in this format is a date or a time.
    pub(crate) const fn is_temporal(self) -> bool {
        matches!(self, Self::Date | Self::Time | Self::DateTime)
    }
}

/// Is a number format: a kind and a pattern in en_US notation; an empty pattern means the default
/// of the kind and locale.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NumberFormat {
    /// The kind.
    pub(crate) kind: FormatKind,
    /// The pattern.
    pub(crate) pattern: String,
}

impl NumberFormat {
    /// Returns a format.
    pub(crate) fn new(kind: FormatKind, pattern: impl Into<String>) -> Self {
        Self { kind, pattern: pattern.into() }
    }
}
