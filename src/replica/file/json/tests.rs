use lockstep_engine::schema::ColumnType::{self, Bool, List, Number, Text};
use proptest::prelude::*;

use super::super::{
    FileSource,
    testing::{Sheet, survive, texts},
};

const COLUMNS: &[(&str, ColumnType)] =
    &[("id", Text), ("name", Text), ("n", Number), ("ok", Bool), ("tags", List)];

fn edited(path: &str, before: &str, change: impl FnOnce(Sheet) -> Sheet) -> String {
    let sheet = change(Sheet::of(path, before.as_bytes(), COLUMNS));
    String::from_utf8(sheet.write(before.as_bytes()).unwrap()).unwrap()
}

fn refused(path: &str, pointer: Option<&str>, content: &str) -> String {
    let source = FileSource {
        path: path.into(),
        pointer: pointer.map(str::to_owned),
        ..FileSource::default()
    };
    match Sheet::read(&source, content.as_bytes(), COLUMNS) {
        Ok(_) => panic!("{content} was read"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn values_are_read_with_their_kind_and_every_digit() {
    let json = r#"[{"id": 12345678901234567890.123456789, "a": "é\u00e9", "b": true, "c": null, "d": [1, "x"],
        "e": {"k": [ "a b" ]}}, {"f": 1E3, "id": "7"}]"#;
    assert_eq!(
        texts("a.json", json.as_bytes()),
        [
            ["id", "a", "b", "c", "d", "e", "f"],
            [
                "12345678901234567890.123456789",
                "'éé",
                "true",
                "~",
                "'[1,\"x\"]",
                "'{\"k\":[\"a b\"]}",
                "~"
            ],
            ["'7", "~", "~", "~", "~", "~", "1000"],
        ]
    );
}

const DOCUMENT: &str = "{\r\n    \"meta\": {\"v\":1.0},\r\n    \"items\": [\r\n        {\"id\": \"a\",  \"x\": [1,  2], \"n\":1.50},\r\n        {\r\n            \"id\": \"b\",\r\n            \"n\": 2\r\n        }\r\n    ],\r\n    \"end\": []\r\n}\r\n";

#[test]
fn only_the_bytes_of_changed_values_change() {
    let after = edited("a.json", DOCUMENT, |sheet| sheet.set("a", &[("n", "3")]));
    assert_eq!(after, DOCUMENT.replace("1.50", "3"));
    let after = edited("a.json", DOCUMENT, |sheet| sheet.set("b", &[("name", "B\"")]));
    let with_name = "\"n\": 2,\r\n            \"name\": \"B\\\"\"\r\n        }";
    assert_eq!(after, DOCUMENT.replace("\"n\": 2\r\n        }", with_name));
}

#[test]
fn items_come_and_go_in_the_style_of_their_neighbours() {
    let after = edited("a.json", DOCUMENT, |sheet| {
        sheet.delete("a").add(&["c", "", "0.1234567890123456789", "yes", "p, q"])
    });
    let new = ",\r\n        {\r\n            \"id\": \"c\",\r\n            \"n\": 0.1234567890123456789,\r\n            \"ok\": true,\r\n            \"tags\": [\"p\",\"q\"]\r\n        }\r\n    ]";
    let expected = DOCUMENT
        .replace("{\"id\": \"a\",  \"x\": [1,  2], \"n\":1.50},\r\n        ", "")
        .replace("\r\n    ],", &format!("{new},"));
    assert_eq!(after, expected);
    for (before, after) in [
        ("[]", "[\n  {\n    \"id\": \"c\"\n  }\n]"),
        ("[{\"id\":\"a\"}]", "[{\"id\":\"a\"}, {\"id\":\"c\"}]"),
        ("[{\"id\":\"a\"},{\"id\":\"b\"}]\n", "[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]\n"),
        ("{\"rows\": [ ]}", "{\"rows\": [{\"id\": \"c\"}]}"),
        (
            "\u{feff}[\n\t{ \"id\": \"a\" }\n]",
            "\u{feff}[\n\t{ \"id\": \"a\" },\n\t{ \"id\": \"c\" }\n]",
        ),
    ] {
        assert_eq!(
            edited("a.json", before, |sheet| sheet.add(&["c", "", "", "", ""])),
            after,
            "{before}"
        );
    }
    assert_eq!(edited("a.json", "[ {\"id\":\"a\"} ]", |sheet| sheet.delete("a")), "[]");
}

#[test]
fn nested_values_stay_what_they_are() {
    let before = "[{\"id\":\"a\",\"name\":{\"x\":1}},{\"id\":\"b\",\"name\":\"{\"}]";
    let after = edited("a.json", before, |sheet| {
        sheet.set("a", &[("name", "{\"x\":[2,3.10]}")]).set("b", &[("name", "{\"x\":1}")])
    });
    assert_eq!(
        after,
        "[{\"id\":\"a\",\"name\":{\"x\":[2,3.10]}},{\"id\":\"b\",\"name\":\"{\\\"x\\\":1}\"}]"
    );
}

#[test]
fn a_value_that_is_nested_without_end_takes_no_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let row = format!("{{\"id\": {}1{}}}", open.repeat(200_000), close.repeat(200_000));
        for (path, text) in [("a.json", format!("[{row}]")), ("a.jsonl", row)] {
            let sheet = Sheet::of(path, text.as_bytes(), COLUMNS);
            let lockstep_engine::cell::Cell::Text(held) = sheet.snapshot.cell(0, 0) else {
                panic!()
            };
            assert_eq!(held.len(), 200_000 * (open.len() + close.len()) + 1, "{path}");
        }
    }
}

#[test]
fn lines_that_do_not_change_keep_their_bytes() {
    let before = "{\"id\":\"a\",  \"n\" : 1.0 }\r\n\r\n{\"id\": \"b\", \"n\": 2}\r\n{\"id\": \"c\", \"n\": null}";
    let after = edited("a.jsonl", before, |sheet| {
        sheet.set("b", &[("n", "5")]).delete("c").add(&["d", "D", "", "", ""])
    });
    assert_eq!(
        after,
        "{\"id\":\"a\",  \"n\" : 1.0 }\r\n\r\n{\"id\": \"b\", \"n\": 5}\r\n{\"id\": \"d\", \"n\": null, \"name\": \"D\"}"
    );
    let made = Sheet::new("a.jsonl", COLUMNS).add(&["a", "", "1", "", ""]).create().unwrap();
    assert_eq!(made, b"{\"id\":\"a\",\"n\":1}\n");
    let made = Sheet::new("a.json", COLUMNS).add(&["a", "", "1", "", ""]).create().unwrap();
    assert_eq!(
        String::from_utf8(made).unwrap(),
        "[\n  {\n    \"id\": \"a\",\n    \"n\": 1\n  }\n]\n"
    );
}

#[test]
fn a_pointer_names_the_array() {
    let json =
        "{\"a/b\": {\"x\": [[], [{\"id\": 1}]]}, \"one\": [{\"id\": 2}], \"two\": [{\"id\": 3}]}";
    let read = |pointer: &str| {
        let source = FileSource {
            path: "a.json".into(),
            pointer: Some(pointer.into()),
            ..FileSource::default()
        };
        let sheet = Sheet::read(&source, json.as_bytes(), &[("id", Text)]).unwrap();
        let sheet = sheet.add(&["new"]);
        let written = String::from_utf8(sheet.write(json.as_bytes()).unwrap()).unwrap();
        (sheet.snapshot.len(), written)
    };
    assert_eq!(read("/a~1b/x/1").1, json.replace("{\"id\": 1}", "{\"id\": 1}, {\"id\": \"new\"}"));
    assert_eq!(read("/a~1b/x/0").0, 0);
    assert_eq!(read("/two").0, 1);
    for (pointer, said) in [
        (None, "2 arrays: \"one\", \"two\""),
        (Some("/thre"), "there is no \"thre\""),
        (Some("/one/7"), "1 items"),
        (Some("one"), "begin with /"),
        (Some("/one/0"), "not an object"),
        (Some("/one/0/id/x"), "a number"),
    ] {
        let error = refused("a.json", pointer, json);
        assert!(error.contains(said), "{pointer:?}: {error}");
    }
}

#[test]
fn what_is_no_table_is_refused_with_its_place() {
    for (path, content, said) in [
        ("a.json", "[{\"id\":1}, 7]", "item 2 is a number"),
        ("a.json", "[{\"id\":1,\"id\":2}]", "item 1 has two members \"id\""),
        ("a.json", "[{\"id\":\"\\ud800\"}]", "item 1, \"id\""),
        ("a.json", "[{\"id\":1}", "line 1"),
        ("a.json", "  ", "empty"),
        ("a.json", "{\"a\": 1}", "without an array"),
        ("a.jsonl", "{\"id\":1}\n\n{\"id\":}\n", "line 3"),
        ("a.jsonl", "{\"id\":1}\n[1]\n", "line 2: it is an array"),
    ] {
        let error = refused(path, None, content);
        assert!(error.contains(said), "{content}: {error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_or_writers_panic(
        text in r#"[\[\]{}",:a1 \n\\u]{0,40}"#,
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        for path in ["a.json", "a.jsonl"] {
            survive(path, text.as_bytes());
            survive(path, &bytes);
        }
    }

    #[test]
    fn any_document_keeps_what_is_not_changed(
        names in proptest::collection::vec("[a-zé\\\\\"]{0,3}", 1..4),
        values in proptest::collection::vec(
            prop_oneof![Just("1.50"), Just("\"x\\u0041\""), Just("null"), Just("[ 1 ]"), Just("{\"a\" : {} }")], 1..4),
        pad in "[ \n\t]{0,2}",
    ) {
        let member = |name: &String, value: &&str| format!("{}{pad}:{pad}{value}", serde_json::Value::from(name.as_str()));
        let mut seen = std::collections::BTreeSet::new();
        let members: Vec<String> = names.iter().filter(|name| seen.insert((*name).clone()) && *name != "id" && *name != "n")
            .zip(&values).map(|(name, value)| member(name, value)).collect();
        let rest: String = members.iter().map(|member| format!("{pad},{member}")).collect();
        let before = format!("[{pad}{{{pad}\"id\":\"a\"{rest}{pad}}}{pad},{{\"id\":\"b\",\"n\":1}}{pad}]{pad}");
        let after = edited("a.json", &before, |sheet| sheet.set("b", &[("n", "2")]));
        prop_assert_eq!(&after, &before.replace("\"n\":1", "\"n\":2"));
        let after = edited("a.json", &before, |sheet| sheet.set("a", &[("n", "9")]));
        let (first, second) = before.split_once(",{\"id\":\"b\"").unwrap();
        prop_assert!(after.ends_with(&format!(",{{\"id\":\"b\"{second}")), "{}", after);
        let kept = first.trim_end().strip_suffix('}').unwrap().trim_end();
        prop_assert!(after.starts_with(kept), "{} {}", after, kept);
    }
}
