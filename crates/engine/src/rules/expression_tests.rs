use super::*;
use crate::schema::ColumnType;
use crate::value::Number;

fn schema() -> Schema {
    let columns = [
        ("id", ColumnType::Text),
        ("qty", ColumnType::Number),
        ("name", ColumnType::Text),
        ("tags", ColumnType::List),
        ("seen", ColumnType::DateTime),
        ("ok", ColumnType::Bool),
        ("Unit price", ColumnType::Number),
    ];
    Schema::new(columns.map(|(name, ty)| Column::new(name, ty)).to_vec(), vec![0])
}

fn row(qty: Value, name: &str, price: &str) -> Row {
    let seen = Value::DateTime("2026-01-01T10:00:00Z".parse().unwrap());
    let tags = Value::List(vec!["a".into(), "b".into()]);
    vec![
        "k".into(),
        qty,
        name.into(),
        tags,
        seen,
        true.into(),
        Value::Number(price.parse().unwrap()),
    ]
    .into()
}

fn calculate(text: &str, column: &str) -> Result<Value, String> {
    let schema = schema();
    let index = schema.position(column).unwrap();
    let expression = Expression::calculation(text, &schema, &[index])?;
    let (left, right) = (row(7.into(), "Ann", "10.50"), row(Value::Null, "Bo", "0.1"));
    let now = Some("2026-01-02T10:00:00Z".parse().unwrap());
    let scene =
        Scene { schema: &schema, base: None, left: &left, right: &right, now, column: index };
    expression.value(&scene, &schema.columns[index])
}

#[test]
fn expressions_compute_exactly() {
    let number = |text: &str| Value::Number(text.parse::<Number>().unwrap());
    for (text, column, expected) in [
        (r#"left["Unit price"] + right["Unit price"]"#, "qty", number("10.6")),
        (r#"left["Unit price"] * left.qty / 4"#, "qty", number("18.375")),
        ("left.qty + (right.qty ?? 0) - 0.5", "qty", number("6.5")),
        ("max(left.qty, 9)", "qty", number("9")),
        ("round(left.qty / 3, 2)", "qty", number("2.33")),
        ("-left.qty % 4", "qty", number("-3")),
        ("left[column]", "qty", number("7")),
        ("base.qty", "qty", Value::Null),
        (r#"left.name + " / " + right.name.lower()"#, "name", "Ann / bo".into()),
        (r#"text(left["Unit price"])"#, "name", "10.5".into()),
        (
            r#"if left.name.len() > right.name.len() { left.name } else { right.name }"#,
            "name",
            "Ann".into(),
        ),
        (r#""a" in left.tags && !("z" in left.tags)"#, "ok", true.into()),
        ("left.seen < now", "ok", true.into()),
        ("days_between(left.seen, now) == 1", "ok", true.into()),
        ("is_blank(right.qty)", "ok", true.into()),
        ("right.qty > 3", "ok", false.into()),
        ("right.qty == ()", "ok", true.into()),
        (r#"left.tags[0]"#, "name", "a".into()),
        ("now", "seen", Value::DateTime("2026-01-02T10:00:00Z".parse().unwrap())),
        ("[left.name, right.name]", "tags", Value::List(vec!["Ann".into(), "Bo".into()])),
    ] {
        assert_eq!(calculate(text, column), Ok(expected), "{text}");
    }
}

#[test]
fn mistakes_are_found_before_use_and_say_where() {
    for (text, column, said) in [
        (
            "left.price",
            "qty",
            "line 1, character 6: there is no column 'price'; the columns are id, qty, name",
        ),
        ("left.qty + right.name", "qty", "line 1, character 10: a number and a text"),
        ("true || left.nmae == 1", "ok", "character 14: there is no column 'nmae'"),
        ("left.qty == \"7\"", "ok", "a number and a text cannot be put together with =="),
        ("left.name", "qty", "the result is a text, and column 'qty' holds a number"),
        ("left", "qty", "whole row"),
        ("left == right", "ok", "whole row"),
        ("price", "qty", "there is no 'price'; there are base, left, right, now and column"),
        ("left.qty +", "qty", "line 1, character 1"),
        ("let x = 1", "qty", "line 1"),
        ("loop { 1 }", "qty", "line 1"),
        ("while true { 1 }", "qty", "line 1"),
        ("print(1)", "qty", "there is no function 'print'"),
        ("eval(\"1\")", "qty", "line 1"),
        ("left.qty ** 9", "qty", "there is no function '**'"),
        ("|x| x", "qty", "line 1"),
        ("#{a: 1}", "qty", "not allowed"),
        ("`${left.qty}`", "name", "text("),
        ("1 / 2", "qty", "whole numbers divide without a rest"),
        ("if left.qty { 1 } else { 2 }", "qty", "true or false is wanted here"),
        ("round(left.qty)", "qty", "'round' takes 2 values, and here are 1"),
        ("left[left.name]", "qty", "a row is indexed by a column's name"),
        ("this", "qty", "line 1"),
        ("import \"x\"", "qty", "line 1"),
        ("", "qty", ""),
    ] {
        let error = calculate(text, column).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
    let error = Expression::condition("left.qty + 1", &schema()).unwrap_err();
    assert_eq!(error, "a condition is true or false, and this is a number");
}

#[test]
fn what_fails_on_the_data_says_why() {
    for (text, column, said) in [
        ("left.qty + right.qty", "qty", "cannot be computed"),
        ("left.qty / (left.qty - 7)", "qty", "Division by zero"),
        ("left.tags[9]", "name", "line 1"),
        ("seconds_between(left.name, now)", "qty", "'Ann' is not a date or date-time"),
        ("left.name + \"x\"", "seen", "is no dateTime for column 'seen'"),
    ] {
        let error = calculate(text, column).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn nothing_grows_or_runs_long() {
    let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(calculate(&deep, "qty").unwrap_err().contains("at most"));
    let deep = format!("{}1{}", "(".repeat(100), ")".repeat(100));
    assert!(calculate(&deep, "qty").is_err());
    let wide = vec!["left.name"; 300].join("+");
    let result = calculate(&wide, "name");
    assert!(result.is_err() || result == Ok(Value::from("Ann".repeat(300).as_str())), "{result:?}");
    let big = ["9999999999999999999999999999.0"; 3].join(" * ");
    assert!(calculate(&big, "qty").is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z0-9 .+*/%<>=!&|?(){}\\[\\]\"',;#$`-]{0,60}") {
        let _ = calculate(&text, "qty");
    }

    #[test]
    fn no_mixture_of_its_own_words_makes_it_panic(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "left", "right", "base", "now", "column", ".qty", ".name", ".tags", "[column]", "[0]", "[\"qty\"]", "+", "-",
            "*", "/", "%", "==", "<", "&&", "||", "!", "??", "in", "if", "{", "}", "else", "(", ")", "()", "1", "2.5",
            "\"a\"", "true", "len(", "round(", ",", "text(", "days_between(", "max(", "[", "]", ".len()", ".abs()",
        ]), 0..14)
    ) {
        let _ = calculate(&words.join(" "), "qty");
        let _ = calculate(&words.concat(), "name");
    }
}
