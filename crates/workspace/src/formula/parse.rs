//! From tokens to a tree.
//!
//! Binding from loose to tight: comparison, `&`, `+ -`, `* /`, `^`, sign, `%`. As in Sheets and
//! Excel, a sign binds tighter than `^`: `-2^2` is 4.

use super::reference::Reference;
use super::token::{Kind, Token, scan};

/// Is a formula as a tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Text(String),
    Bool(bool),
    /// An error value written out.
    Error(String),
    /// An argument left out.
    Missing,
    Reference(Reference),
    Name(String),
    Negative(Box<Expression>),
    Positive(Box<Expression>),
    Percent(Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
    Call(String, Vec<Expression>),
    Array(Vec<Vec<Expression>>),
}

/// Is how deep parentheses and functions may nest.
const DEPTH: usize = 100;

/// Returns the tree of a formula with its `=`; `None` when it does not parse.
pub(super) fn parse(formula: &str, decimal: char) -> Option<Expression> {
    let text = formula.strip_prefix('=')?;
    let tokens = scan(text, decimal)?;
    let mut parser = Parser { tokens: &tokens, depth: 0 };
    let tree = parser.binary(0)?;
    parser.tokens.is_empty().then_some(tree)
}

/// Are the binary operators, from loose to tight.
const LEVELS: [&[&str]; 5] =
    [&["=", "<>", "<", ">", "<=", ">="], &["&"], &["+", "-"], &["*", "/"], &["^"]];

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Kind> {
        self.tokens.first().map(|token| &token.kind)
    }

    fn next(&mut self) -> Option<Kind> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.kind.clone())
    }

    fn take(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        match self.peek() {
            Some(Kind::Sign(sign)) if signs.contains(sign) => {
                let sign = *sign;
                self.next();
                Some(sign)
            }
            _ => None,
        }
    }

    fn binary(&mut self, level: usize) -> Option<Expression> {
        let Some(signs) = LEVELS.get(level) else { return self.signed() };
        let mut left = self.binary(level + 1)?;
        let mut length = 0;
        while let Some(sign) = self.take(signs) {
            // Chains nest to the left; a bound keeps the tree from outgrowing the stack.
            length += 1;
            if length > 2_000 {
                return None;
            }
            left = Expression::Binary(sign, Box::new(left), Box::new(self.binary(level + 1)?));
        }
        Some(left)
    }

    fn signed(&mut self) -> Option<Expression> {
        let mut signs = Vec::new();
        while let Some(sign) = self.take(&["-", "+"]) {
            signs.push(sign);
        }
        if signs.len() > DEPTH {
            return None;
        }
        let mut inner = self.percent()?;
        for sign in signs.iter().rev() {
            inner = if *sign == "-" {
                Expression::Negative(Box::new(inner))
            } else {
                Expression::Positive(Box::new(inner))
            };
        }
        Some(inner)
    }

    fn percent(&mut self) -> Option<Expression> {
        let mut inner = self.primary()?;
        if self.take(&["%"]).is_some() {
            inner = Expression::Percent(Box::new(inner));
        }
        Some(inner)
    }

    fn primary(&mut self) -> Option<Expression> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let found = match self.next()? {
            Kind::Number(number) => Expression::Number(number),
            Kind::Text(text) => Expression::Text(text),
            Kind::Error(shown) => Expression::Error(shown),
            Kind::Reference(reference) => Expression::Reference(reference),
            Kind::Name(name) if name.eq_ignore_ascii_case("true") => Expression::Bool(true),
            Kind::Name(name) if name.eq_ignore_ascii_case("false") => Expression::Bool(false),
            Kind::Name(name) => Expression::Name(name),
            Kind::Function(name) => {
                self.take(&["("])?;
                Expression::Call(name, self.arguments()?)
            }
            Kind::Sign("(") => {
                let inner = self.binary(0)?;
                self.take(&[")"])?;
                inner
            }
            Kind::Sign("{") => self.array()?,
            Kind::Sign(_) => return None,
        };
        self.depth -= 1;
        Some(found)
    }

    fn arguments(&mut self) -> Option<Vec<Expression>> {
        let mut arguments = Vec::new();
        if self.take(&[")"]).is_some() {
            return Some(arguments);
        }
        loop {
            let missing = matches!(self.peek(), Some(Kind::Sign("," | ";" | ")")));
            arguments.push(if missing { Expression::Missing } else { self.binary(0)? });
            match self.take(&[",", ";", ")"])? {
                ")" => return Some(arguments),
                _ if arguments.len() > 10_000 => return None,
                _ => {}
            }
        }
    }

    fn array(&mut self) -> Option<Expression> {
        let mut rows = vec![Vec::new()];
        loop {
            let value = self.binary(0)?;
            rows.last_mut()?.push(value);
            match self.take(&[",", "\\", ";", "}"])? {
                "}" => break,
                ";" => rows.push(Vec::new()),
                _ => {}
            }
        }
        let width = rows.first()?.len();
        rows.iter().all(|row| row.len() == width).then_some(Expression::Array(rows))
    }
}

impl Expression {
    /// Calls a closure for every reference and name in the tree.
    pub(super) fn each_reference(&self, visit: &mut impl FnMut(&Expression)) {
        match self {
            Self::Reference(_) | Self::Name(_) => visit(self),
            Self::Negative(inner) | Self::Positive(inner) | Self::Percent(inner) => {
                inner.each_reference(visit)
            }
            Self::Binary(_, left, right) => {
                left.each_reference(visit);
                right.each_reference(visit);
            }
            Self::Call(_, arguments) => {
                arguments.iter().for_each(|argument| argument.each_reference(visit))
            }
            Self::Array(rows) => {
                rows.iter().flatten().for_each(|value| value.each_reference(visit))
            }
            Self::Number(_) | Self::Text(_) | Self::Bool(_) | Self::Error(_) | Self::Missing => {}
        }
    }
}
