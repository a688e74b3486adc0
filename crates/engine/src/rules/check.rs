//! Checks an expression against a schema before it is ever used.
//!
//! Every branch is looked at, whether or not a sample row would reach it.

use std::collections::BTreeSet;
use std::fmt;

use rhai::{AST, Expr, FnCallExpr, Position, Stmt, StmtBlock};

use crate::schema::{ColumnType, Schema};
use crate::terms::column_names;

/// What kind of value an expression has, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Number,
    /// A whole number that is written out.
    Whole,
    Text,
    Bool,
    /// A date, time or date-time.
    Time,
    List,
    Blank,
    Row,
    Any,
}

impl Type {
    /// Returns the type of a column's values.
    pub(crate) fn of(column: ColumnType) -> Type {
        match column {
            ColumnType::Text => Type::Text,
            ColumnType::Number => Type::Number,
            ColumnType::Bool => Type::Bool,
            ColumnType::Date | ColumnType::Time | ColumnType::DateTime => Type::Time,
            ColumnType::List => Type::List,
        }
    }

    /// Returns whether a value of this type may be used where the other is wanted.
    pub(crate) fn may_be(self, wanted: Type) -> bool {
        match (self, wanted) {
            (Type::Row, _) | (_, Type::Row) => false,
            (Type::Any | Type::Blank, _) | (_, Type::Any | Type::Blank) => true,
            (Type::Whole, Type::Number) | (Type::Number, Type::Whole) => true,
            // Times are ISO texts, so a written-out one is a text.
            (Type::Text, Type::Time) | (Type::Time, Type::Text) => true,
            (a, b) => a == b,
        }
    }

    fn join(self, other: Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a,
            (Type::Blank, known) | (known, Type::Blank) => known,
            (Type::Number | Type::Whole, Type::Number | Type::Whole) => Type::Number,
            _ => Type::Any,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Number | Type::Whole => "a number",
            Type::Text => "a text",
            Type::Bool => "true or false",
            Type::Time => "a date or time",
            Type::List => "a list",
            Type::Blank => "blank",
            Type::Row => "a row",
            Type::Any => "anything",
        })
    }
}

/// What the check found.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) result: Type,
    /// The columns that are named.
    pub(crate) columns: BTreeSet<usize>,
}

type Finding<T> = Result<T, (Position, String)>;

/// Checks an expression.
pub(crate) fn check(ast: &AST, schema: &Schema) -> Finding<Checked> {
    let mut checker = Checker { schema, columns: BTreeSet::new() };
    let result = checker.statements(ast.statements(), Position::NONE)?;
    if result == Type::Row {
        return Err((Position::NONE, "the result is a whole row; name a column of it".into()));
    }
    Ok(Checked { result, columns: checker.columns })
}

struct Checker<'a> {
    schema: &'a Schema,
    columns: BTreeSet<usize>,
}

/// The functions, with what they take and give; a method call passes its object first.
const FUNCTIONS: &[(&str, &[Type], Type)] = &[
    ("abs", &[Type::Number], Type::Number),
    ("floor", &[Type::Number], Type::Number),
    ("ceil", &[Type::Number], Type::Number),
    ("round", &[Type::Number, Type::Whole], Type::Number),
    ("min", &[Type::Number, Type::Number], Type::Number),
    ("max", &[Type::Number, Type::Number], Type::Number),
    ("len", &[Type::Any], Type::Number),
    ("lower", &[Type::Text], Type::Text),
    ("upper", &[Type::Text], Type::Text),
    ("trim", &[Type::Text], Type::Text),
    ("contains", &[Type::Any, Type::Any], Type::Bool),
    ("starts_with", &[Type::Text, Type::Text], Type::Bool),
    ("ends_with", &[Type::Text, Type::Text], Type::Bool),
    ("is_blank", &[Type::Any], Type::Bool),
    ("text", &[Type::Any], Type::Text),
    ("seconds_between", &[Type::Time, Type::Time], Type::Number),
    ("days_between", &[Type::Time, Type::Time], Type::Number),
];

impl Checker<'_> {
    fn statements(&mut self, statements: &[Stmt], position: Position) -> Finding<Type> {
        match statements {
            [] => Ok(Type::Blank),
            [Stmt::Expr(expr)] => self.expr(expr),
            [Stmt::FnCall(call, position)] => self.call(call, None, *position),
            [Stmt::If(flow, position)] => {
                let condition = self.expr(&flow.expr)?;
                want(condition, Type::Bool, flow.expr.start_position())?;
                let (yes, no) =
                    (self.block(&flow.body, *position)?, self.block(&flow.branch, *position)?);
                Ok(yes.join(no))
            }
            [Stmt::Noop(_)] => Ok(Type::Blank),
            _ => Err((position, "only expressions are allowed here".into())),
        }
    }

    fn block(&mut self, block: &StmtBlock, position: Position) -> Finding<Type> {
        self.statements(block.statements(), position)
    }

    fn expr(&mut self, expr: &Expr) -> Finding<Type> {
        let position = expr.start_position();
        Ok(match expr {
            Expr::BoolConstant(..) => Type::Bool,
            Expr::IntegerConstant(..) => Type::Whole,
            Expr::StringConstant(..) => Type::Text,
            Expr::Unit(..) => Type::Blank,
            Expr::DynamicConstant(value, _) if value.is_decimal() => Type::Number,
            Expr::DynamicConstant(value, _) if value.is_array() => Type::List,
            Expr::Array(items, _) => {
                for item in items {
                    let found = self.expr(item)?;
                    want(found, Type::Any, item.start_position())?;
                }
                Type::List
            }
            Expr::Variable(variable, _, _) => self.variable(&variable.1, position)?,
            Expr::Dot(both, _, _) => self.dot(&both.lhs, &both.rhs)?,
            Expr::Index(both, _, _) => self.index(&both.lhs, &both.rhs)?,
            Expr::FnCall(call, _) => self.call(call, None, position)?,
            Expr::And(parts, _) | Expr::Or(parts, _) => {
                for part in parts.iter() {
                    let found = self.expr(part)?;
                    want(found, Type::Bool, part.start_position())?;
                }
                Type::Bool
            }
            Expr::Coalesce(parts, _) => {
                let mut all = Type::Blank;
                for part in parts.iter() {
                    let found = self.expr(part)?;
                    want(found, Type::Any, part.start_position())?;
                    all = all.join(found);
                }
                all
            }
            Expr::Stmt(block) => self.block(block, position)?,
            Expr::CharConstant(..) => {
                return Err((position, "write texts in double quotes".into()));
            }
            Expr::InterpolatedString(..) => {
                return Err((position, "put texts together with + and text(…)".into()));
            }
            _ => return Err((position, "this is not allowed in a rule".into())),
        })
    }

    fn variable(&self, name: &str, position: Position) -> Finding<Type> {
        match name {
            "base" | "left" | "right" => Ok(Type::Row),
            "now" => Ok(Type::Time),
            "column" => Ok(Type::Text),
            _ => Err((
                position,
                format!("there is no '{name}'; there are base, left, right, now and column"),
            )),
        }
    }

    fn column(&mut self, name: &str, position: Position) -> Finding<Type> {
        match self.schema.position(name) {
            Some(index) => {
                self.columns.insert(index);
                Ok(self.schema.columns.get(index).map_or(Type::Any, |column| Type::of(column.ty)))
            }
            None => Err((
                position,
                format!(
                    "there is no column '{name}'; the columns are {}",
                    column_names(self.schema)
                ),
            )),
        }
    }

    /// Checks `object.rest`; rhai nests chains to the right, so the rest may itself be a chain.
    fn dot(&mut self, object: &Expr, rest: &Expr) -> Finding<Type> {
        let found = self.expr(object)?;
        self.member(found, object.start_position(), rest)
    }

    fn member(&mut self, object: Type, at: Position, rest: &Expr) -> Finding<Type> {
        let position = rest.start_position();
        match rest {
            Expr::Property(property, _) if object == Type::Row => {
                self.column(&property.2, position)
            }
            Expr::Property(property, _) => {
                Err((position, format!("{object} has no '.{}'", property.2)))
            }
            Expr::MethodCall(call, _) => self.call(call, Some((object, at)), position),
            Expr::Dot(both, _, _) => {
                let found = self.member(object, at, &both.lhs)?;
                self.member(found, position, &both.rhs)
            }
            Expr::Index(both, _, _) => {
                let found = self.member(object, at, &both.lhs)?;
                self.item(found, position, &both.rhs)
            }
            _ => Err((position, "this is not allowed after a dot".into())),
        }
    }

    fn index(&mut self, object: &Expr, index: &Expr) -> Finding<Type> {
        let found = self.expr(object)?;
        self.item(found, object.start_position(), index)
    }

    /// Checks `object[index]`; what follows a bracket is nested in it, as after a dot.
    fn item(&mut self, object: Type, at: Position, index: &Expr) -> Finding<Type> {
        let position = index.start_position();
        match (object, index) {
            (_, Expr::Dot(both, _, _)) => {
                let found = self.item(object, at, &both.lhs)?;
                self.member(found, position, &both.rhs)
            }
            (_, Expr::Index(both, _, _))
                if object != Type::Row || matches!(both.lhs, Expr::StringConstant(..)) =>
            {
                let found = self.item(object, at, &both.lhs)?;
                self.item(found, position, &both.rhs)
            }
            (Type::Row, Expr::StringConstant(name, _)) => self.column(name, position),
            (Type::Row, Expr::Variable(variable, _, _)) if &*variable.1 == "column" => {
                Ok(Type::Any)
            }
            (Type::Row, _) => Err((
                position,
                "a row is indexed by a column's name in quotes, or by column".into(),
            )),
            (Type::List | Type::Any, _) => {
                let found = self.expr(index)?;
                want(found, Type::Whole, position)?;
                Ok(Type::Any)
            }
            _ => Err((at, format!("{object} has no items"))),
        }
    }

    fn call(
        &mut self,
        call: &FnCallExpr,
        object: Option<(Type, Position)>,
        position: Position,
    ) -> Finding<Type> {
        let mut args: Vec<(Type, Position)> = object.into_iter().collect();
        for arg in &call.args {
            args.push((self.expr(arg)?, arg.start_position()));
        }
        if let Some((_, position)) = args.iter().find(|(found, _)| *found == Type::Row) {
            return Err((*position, "this is a whole row; name a column of it".into()));
        }
        let name = call.name.as_str();
        if let [a, b] = args.as_slice()
            && let Some(result) = operator(name, *a, *b, position)?
        {
            return Ok(result);
        }
        match (name, args.as_slice()) {
            ("-", [a]) => return want(a.0, Type::Number, a.1).map(|()| a.0),
            ("!", [a]) => return want(a.0, Type::Bool, a.1).map(|()| Type::Bool),
            _ => {}
        }
        let Some((_, wanted, result)) = FUNCTIONS.iter().find(|(known, _, _)| *known == name)
        else {
            let known: Vec<&str> = FUNCTIONS.iter().map(|(known, _, _)| *known).collect();
            return Err((
                position,
                format!("there is no function '{name}'; there are {}", known.join(", ")),
            ));
        };
        if wanted.len() != args.len() {
            return Err((
                position,
                format!("'{name}' takes {} values, and here are {}", wanted.len(), args.len()),
            ));
        }
        for ((found, position), wanted) in args.iter().zip(*wanted) {
            want(*found, *wanted, *position)?;
        }
        Ok(*result)
    }
}

/// Checks an operator with two operands; `None` when the name is none.
fn operator(
    name: &str,
    a: (Type, Position),
    b: (Type, Position),
    position: Position,
) -> Finding<Option<Type>> {
    let alike = || match a.0.may_be(b.0) {
        true => Ok(()),
        false => Err((position, format!("{} and {} cannot be put together with {name}", a.0, b.0))),
    };
    Ok(Some(match name {
        "+" if a.0.may_be(Type::Text) && b.0.may_be(Type::Text) && a.0.join(b.0) != Type::Blank => {
            a.0.join(b.0)
        }
        "/" if a.0 == Type::Whole && b.0 == Type::Whole => {
            return Err((
                position,
                "whole numbers divide without a rest; write 1.0 / 2 for a half".into(),
            ));
        }
        "+" | "-" | "*" | "/" | "%" => {
            alike()?;
            want(a.0, Type::Number, a.1)?;
            want(b.0, Type::Number, b.1)?;
            if (a.0, b.0) == (Type::Whole, Type::Whole) { Type::Whole } else { Type::Number }
        }
        "==" | "!=" => alike().map(|()| Type::Bool)?,
        "<" | ">" | "<=" | ">=" => {
            alike()?;
            Type::Bool
        }
        _ => return Ok(None),
    }))
}

fn want(found: Type, wanted: Type, position: Position) -> Finding<()> {
    if found.may_be(wanted) {
        Ok(())
    } else {
        Err((position, format!("{wanted} is wanted here, and this is {found}")))
    }
}
