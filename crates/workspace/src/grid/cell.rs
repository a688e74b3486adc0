//! What one cell holds.

use serde_json::{Map, Value};

/// Is the value of a cell: what was entered, or what its formula gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Scalar {
    /// Nothing.
    #[default]
    Empty,
    /// A number; dates and times are numbers with a number format.
    Number(f64),
    /// TRUE or FALSE.
    Bool(bool),
    /// A text; never empty.
    Text(Box<str>),
    /// An error; only formulas give them.
    Error(Box<CellError>),
}

/// Is an error value, as the API tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CellError {
    /// What is shown, as `#DIV/0!`.
    pub(crate) shown: Box<str>,
    /// The explanation, as `Function DIVIDE parameter 2 cannot be zero.`.
    pub(crate) message: Box<str>,
}

impl CellError {
    /// Returns the `type` of the API's ErrorValue.
    pub(crate) fn kind(&self) -> &'static str {
        match &*self.shown {
            "#NULL!" => "NULL_VALUE",
            "#DIV/0!" => "DIVIDE_BY_ZERO",
            "#VALUE!" => "VALUE",
            "#REF!" => "REF",
            "#NAME?" => "NAME",
            "#NUM!" => "NUM",
            "#N/A" => "N_A",
            "Loading..." => "LOADING",
            _ => "ERROR",
        }
    }
}

/// Is one cell of a decoded row.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Cell {
    /// The value that was entered, or the result of the formula.
    pub(crate) value: Scalar,
    /// The formula, with its `=`.
    pub(crate) formula: Option<Box<str>>,
    /// The number of its `userEnteredFormat` in the book's table; 0 is none.
    pub(crate) format: u32,
    /// Other fields of CellData by name: note, dataValidation, textFormatRuns, pivotTable, ...
    pub(crate) extra: Option<Box<Map<String, Value>>>,
}

impl Cell {
    /// Returns whether there is nothing at all to keep.
    pub(crate) fn is_blank(&self) -> bool {
        self.is_empty() && self.format == 0 && self.extra.is_none()
    }

    /// Returns whether it shows nothing: no value and no formula.
    pub(crate) fn is_empty(&self) -> bool {
        self.value == Scalar::Empty && self.formula.is_none()
    }

    /// Returns a further field of CellData.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.extra.as_ref()?.get(name)
    }

    /// Sets or, with `None`, removes a further field of CellData.
    pub(crate) fn set_field(&mut self, name: &str, value: Option<Value>) {
        match value {
            Some(value) => {
                self.extra.get_or_insert_default().insert(name.to_owned(), value);
            }
            None => {
                if let Some(extra) = &mut self.extra {
                    extra.shift_remove(name);
                    if extra.is_empty() {
                        self.extra = None;
                    }
                }
            }
        }
    }

    /// Sets a plain value; texts that run by parts lose their parts, as the value they were of.
    pub(crate) fn set_value(&mut self, value: Scalar) {
        self.value = value;
        self.formula = None;
        if self.extra.is_some() {
            self.set_field("textFormatRuns", None);
            self.set_field("chipRuns", None);
        }
    }
}

impl Scalar {
    /// Returns a text value; the empty text is [`Scalar::Empty`].
    pub(crate) fn text(text: impl Into<Box<str>>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Empty } else { Self::Text(text) }
    }
}

#[cfg(test)]
impl Scalar {
    /// Returns the value, borrowed.
    pub(crate) fn view(&self) -> ScalarView<'_> {
        match self {
            Self::Empty => ScalarView::Empty,
            Self::Number(number) => ScalarView::Number(*number),
            Self::Bool(flag) => ScalarView::Bool(*flag),
            Self::Text(text) => ScalarView::Text(text),
            Self::Error(error) => {
                ScalarView::Error { shown: &error.shown, message: &error.message }
            }
        }
    }
}

/// Is a cell read in place, without a copy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CellView<'a> {
    pub(crate) value: ScalarView<'a>,
    pub(crate) formula: Option<&'a str>,
    pub(crate) format: u32,
    pub(crate) extra: Extra<'a>,
}

/// Is a value read in place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ScalarView<'a> {
    Empty,
    Number(f64),
    Bool(bool),
    Text(&'a str),
    Error { shown: &'a str, message: &'a str },
}

/// Is the further fields of a cell read in place, as JSON text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Extra<'a> {
    None,
    Text(&'a str),
}

impl CellView<'_> {
    /// Returns an owned copy.
    pub(crate) fn to_cell(self) -> Cell {
        Cell {
            value: self.value.to_scalar(),
            formula: self.formula.map(Into::into),
            format: self.format,
            extra: self.extra.to_map().map(Box::new),
        }
    }

    /// Returns whether it shows nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.value == ScalarView::Empty && self.formula.is_none()
    }
}

impl ScalarView<'_> {
    /// Returns an owned copy.
    pub(crate) fn to_scalar(self) -> Scalar {
        match self {
            Self::Empty => Scalar::Empty,
            Self::Number(number) => Scalar::Number(number),
            Self::Bool(flag) => Scalar::Bool(flag),
            Self::Text(text) => Scalar::Text(text.into()),
            Self::Error { shown, message } => {
                Scalar::Error(Box::new(CellError { shown: shown.into(), message: message.into() }))
            }
        }
    }
}

impl Extra<'_> {
    /// Returns the fields as a map.
    pub(crate) fn to_map(self) -> Option<Map<String, Value>> {
        match self {
            Self::None => None,
            Self::Text(text) => serde_json::from_str(text).ok(),
        }
    }
}
