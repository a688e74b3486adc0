//! A cell as a replica delivered it, before it has a type.

/// A borrowed cell of a replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// An empty cell or a database NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// A binary floating point number; kept as its shortest decimal form.
    Float(f64),
    /// A number in decimal text, as a database or JSON wrote it.
    Number(&'a str),
    /// Text.
    Text(&'a str),
}
