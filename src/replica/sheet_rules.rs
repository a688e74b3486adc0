//! Whether a value is one that a column's data validation lets people enter.
//!
//! The API writes values past a rule, so the port looks itself, before the first effect. Only strict rules count: the others
//! let people pass too, with a mark. Of a column, the rule of the table's last row is taken; rules that are formulas or name
//! other cells are not judged.

use lockstep_google::{CellWrite, Input, Validation};

/// Returns what a strict rule demands, if a value does not meet it.
pub(crate) fn refuses(rule: &Validation, cell: &CellWrite) -> Option<String> {
    let values = &rule.condition.values;
    if !rule.strict || cell.value == Input::Empty || values.iter().any(|v| v.starts_with('=')) {
        return None;
    }
    let text = match &cell.value {
        Input::Text(text) => Some(text.as_str()),
        _ => None,
    };
    let number = match &cell.value {
        Input::Number(number) => Some(*number),
        _ => None,
    };
    let limit = |at: usize| values.get(at).and_then(|value| value.trim().parse::<f64>().ok());
    let all = || values.join(", ");
    let numbers = |what: &str, meets: &dyn Fn(f64, f64) -> bool| {
        let bound = limit(0)?;
        let met = number.is_some_and(|number| meets(number, bound));
        (!met).then(|| format!("a number {what} {}", all()))
    };
    let between = |inside: bool| {
        let (low, high) = (limit(0)?, limit(1)?);
        let met = number.is_some_and(|n| (low..=high).contains(&n) == inside);
        let word = if inside { "between" } else { "not between" };
        (!met).then(|| format!("a number {word} {}", values.join(" and ")))
    };
    let texts = |what: &str, meets: &dyn Fn(&str, &str) -> bool| {
        let wanted = values.first()?;
        let met = text.is_some_and(|text| meets(&text.to_lowercase(), &wanted.to_lowercase()));
        (!met).then(|| format!("a text that {what} \"{wanted}\""))
    };
    match rule.condition.kind.as_str() {
        "ONE_OF_LIST" => {
            let listed = |value: &String| match &cell.value {
                Input::Text(text) => text == value,
                Input::Number(number) => value.trim().parse::<f64>().ok() == Some(*number),
                Input::Bool(flag) => {
                    value.eq_ignore_ascii_case(if *flag { "true" } else { "false" })
                }
                Input::Empty | Input::Formula(_) => true,
            };
            (!values.iter().any(listed)).then(|| format!("one of {}", all()))
        }
        "BOOLEAN" if values.is_empty() => {
            (!matches!(cell.value, Input::Bool(_))).then(|| "a checkbox: true or false".to_owned())
        }
        "BOOLEAN" => (!text.is_some_and(|text| values.iter().any(|value| value == text)))
            .then(|| format!("a checkbox: {}", values.join(" or "))),
        "NUMBER_GREATER" => numbers("above", &|number, bound| number > bound),
        "NUMBER_GREATER_THAN_EQ" => numbers("of at least", &|number, bound| number >= bound),
        "NUMBER_LESS" => numbers("below", &|number, bound| number < bound),
        "NUMBER_LESS_THAN_EQ" => numbers("of at most", &|number, bound| number <= bound),
        "NUMBER_EQ" => numbers("equal to", &|number, bound| number == bound),
        "NUMBER_NOT_EQ" => numbers("other than", &|number, bound| number != bound),
        "NUMBER_BETWEEN" => between(true),
        "NUMBER_NOT_BETWEEN" => between(false),
        "DATE_IS_VALID" => number.is_none().then(|| "a date".to_owned()),
        "TEXT_CONTAINS" => texts("contains", &|text, wanted| text.contains(wanted)),
        "TEXT_NOT_CONTAINS" => texts("does not contain", &|text, wanted| !text.contains(wanted)),
        "TEXT_EQ" => texts("is", &|text, wanted| text == wanted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockstep_google::Condition;

    #[test]
    fn strict_rules_refuse_what_people_could_not_enter() {
        let rule = |kind: &str, values: &[&str]| Validation {
            strict: true,
            condition: Condition {
                kind: kind.into(),
                values: values.iter().map(|value| (*value).to_owned()).collect(),
            },
        };
        let (text, number) = (CellWrite::text, CellWrite::number);
        let cases = [
            (rule("ONE_OF_LIST", &["a", "b"]), text("a"), true),
            (rule("ONE_OF_LIST", &["a", "b"]), text("c"), false),
            (rule("ONE_OF_LIST", &["1", "2"]), number(2.0), true),
            (rule("ONE_OF_LIST", &["1", "2"]), CellWrite::empty(), true),
            (rule("BOOLEAN", &[]), CellWrite::bool(false), true),
            (rule("BOOLEAN", &[]), text("yes"), false),
            (rule("BOOLEAN", &["yes", "no"]), text("yes"), true),
            (rule("NUMBER_BETWEEN", &["1", "5"]), number(5.0), true),
            (rule("NUMBER_BETWEEN", &["1", "5"]), number(5.5), false),
            (rule("NUMBER_BETWEEN", &["1", "5"]), text("3"), false),
            (rule("NUMBER_GREATER", &["0"]), number(0.0), false),
            (rule("NUMBER_LESS", &["=A1"]), number(9.0), true),
            (rule("DATE_IS_VALID", &[]), text("soon"), false),
            (rule("TEXT_CONTAINS", &["@"]), text("a@b"), true),
            (rule("CUSTOM_FORMULA", &["=TRUE"]), text("x"), true),
        ];
        for (rule, cell, taken) in cases {
            assert_eq!(refuses(&rule, &cell).is_none(), taken, "{rule:?} {cell:?}");
            assert_eq!(refuses(&Validation { strict: false, ..rule }, &cell), None);
        }
    }
}
