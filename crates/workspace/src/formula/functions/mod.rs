//! The functions that are known.

mod date;
mod logic;
mod lookup;
mod math;
mod text;

use super::evaluate::Evaluator;
use super::parse::Expression;
use super::value::{Operand, Outcome, fault};

/// Is one function: its name, how many arguments it takes, and what it does.
struct Function {
    name: &'static str,
    least: usize,
    most: usize,
    run: fn(&mut Evaluator<'_>, &[Expression]) -> Outcome<Operand>,
}

const MANY: usize = usize::MAX;

/// Are all functions, by name.
const FUNCTIONS: &[Function] = &[
    Function { name: "ABS", least: 1, most: 1, run: math::abs },
    Function { name: "AND", least: 1, most: MANY, run: logic::and },
    Function { name: "AVERAGE", least: 1, most: MANY, run: math::average },
    Function { name: "CONCATENATE", least: 1, most: MANY, run: text::concatenate },
    Function { name: "COUNT", least: 1, most: MANY, run: math::count },
    Function { name: "COUNTA", least: 1, most: MANY, run: math::count_all },
    Function { name: "COUNTIF", least: 2, most: 2, run: math::count_if },
    Function { name: "DATE", least: 3, most: 3, run: date::date },
    Function { name: "FALSE", least: 0, most: 0, run: logic::no },
    Function { name: "IF", least: 2, most: 3, run: logic::if_else },
    Function { name: "IFERROR", least: 1, most: 2, run: logic::if_error },
    Function { name: "IFS", least: 2, most: MANY, run: logic::ifs },
    Function { name: "INDEX", least: 1, most: 3, run: lookup::index },
    Function { name: "LEFT", least: 1, most: 2, run: text::left },
    Function { name: "LEN", least: 1, most: 1, run: text::len },
    Function { name: "LOWER", least: 1, most: 1, run: text::lower },
    Function { name: "MATCH", least: 2, most: 3, run: lookup::position },
    Function { name: "MAX", least: 1, most: MANY, run: math::max },
    Function { name: "MID", least: 3, most: 3, run: text::mid },
    Function { name: "MIN", least: 1, most: MANY, run: math::min },
    Function { name: "NOT", least: 1, most: 1, run: logic::not },
    Function { name: "NOW", least: 0, most: 0, run: date::now },
    Function { name: "OR", least: 1, most: MANY, run: logic::or },
    Function { name: "RIGHT", least: 1, most: 2, run: text::right },
    Function { name: "ROUND", least: 1, most: 2, run: math::round },
    Function { name: "SUM", least: 1, most: MANY, run: math::sum },
    Function { name: "SUMIF", least: 2, most: 3, run: math::sum_if },
    Function { name: "TEXT", least: 2, most: 2, run: text::text },
    Function { name: "TODAY", least: 0, most: 0, run: date::today },
    Function { name: "TRIM", least: 1, most: 1, run: text::trim },
    Function { name: "TRUE", least: 0, most: 0, run: logic::yes },
    Function { name: "UPPER", least: 1, most: 1, run: text::upper },
    Function { name: "VLOOKUP", least: 3, most: 4, run: lookup::vlookup },
    Function { name: "XLOOKUP", least: 3, most: 6, run: lookup::xlookup },
];

/// Calls a function by its upper-case name.
pub(super) fn call(
    evaluator: &mut Evaluator<'_>,
    name: &str,
    arguments: &[Expression],
) -> Outcome<Operand> {
    let Ok(at) = FUNCTIONS.binary_search_by(|function| function.name.cmp(name)) else {
        return Err(fault("#NAME?", format!("Unknown function: '{name}'.")));
    };
    let Some(function) = FUNCTIONS.get(at) else {
        return Err(fault("#NAME?", format!("Unknown function: '{name}'.")));
    };
    let given = arguments.len();
    if given < function.least || given > function.most {
        let expected = match function.most {
            MANY => format!("at least {}", function.least),
            most if most == function.least => most.to_string(),
            most => format!("between {} and {most}", function.least),
        };
        return Err(fault(
            "#N/A",
            format!(
                "Wrong number of arguments to {name}. Expected {expected} arguments, but got {given} arguments."
            ),
        ));
    }
    (function.run)(evaluator, arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(FUNCTIONS.is_sorted_by(|left, right| left.name < right.name));
    }
}
