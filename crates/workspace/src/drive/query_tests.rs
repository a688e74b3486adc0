use proptest::prelude::*;

use super::*;

fn file() -> File {
    File {
        name: "Quarter's HelloWorld plan".to_owned(),
        mime_type: "application/vnd.google-apps.spreadsheet".to_owned(),
        created: 1_704_067_200_000,  // 2024-01-01T00:00:00Z
        modified: 1_717_200_000_000, // 2024-06-01T00:00:00Z
        parents: vec!["folder1".to_owned(), "ROOTID".to_owned()],
        starred: true,
        description: Some("weekly numbers".to_owned()),
        properties: [("team".to_owned(), "a'b".to_owned())].into(),
        app_properties: [("k".to_owned(), "v".to_owned())].into(),
        ..File::default()
    }
}

#[test]
fn queries_select() {
    let table = [
        (r#"mimeType="application/vnd.google-apps.spreadsheet""#, true),
        (
            r#"mimeType="application/vnd.google-apps.spreadsheet" and name = "Quarter's HelloWorld plan""#,
            true,
        ),
        (r"name = 'Quarter\'s HelloWorld plan'", true),
        ("name = 'other'", false),
        ("name != 'other'", true),
        ("name contains 'hello'", true),
        ("name contains 'World'", false),
        ("name contains 'plan'", true),
        ("name contains 'HelloWorld pl'", true),
        ("fullText contains 'numbers'", true),
        ("fullText contains 'absent'", false),
        ("mimeType contains 'application/'", true),
        ("mimeType contains 'spreadsheet'", false),
        ("modifiedTime > '2024-05-31T12:00:00'", true),
        ("modifiedTime > '2024-06-01T00:00:00'", false),
        ("modifiedTime >= '2024-06-01T02:00:00+02:00'", true),
        ("createdTime < '2024-01-02'", true),
        ("trashed = false", true),
        ("trashed=true", false),
        ("trashed != true", true),
        ("starred = true", true),
        ("'folder1' in parents", true),
        ("'root' in parents", true),
        ("'folder2' in parents", false),
        ("'ME@lockstep.local' in owners", true),
        ("'me@lockstep.local' in writers and 'me@lockstep.local' in readers", true),
        ("'you@lockstep.local' in owners", false),
        (r"properties has { key='team' and value='a\'b' }", true),
        ("appProperties has {key='k' and value='v'}", true),
        ("appProperties has {key='k' and value='w'}", false),
        ("not name = 'x' and not trashed = true", true),
        ("trashed = true and name = 'x' or starred = true", true),
        ("starred = true or trashed = true and name = 'x'", false),
        ("starred = true or (trashed = true and name = 'x')", true),
        ("sharedWithMe", false),
        ("not sharedWithMe and starred = true", true),
    ];
    for (text, expected) in table {
        let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(query.matches(&file(), "ROOTID", "me@lockstep.local"), expected, "{text}");
    }
}

#[test]
fn nonsense_is_refused() {
    for text in [
        "",
        "name",
        "name =",
        "name = 'x",
        "name < 'x'",
        "colour = 'red'",
        "name = 'x' and",
        "(name = 'x'",
        "name = 'x')",
        "'x' in children",
        "trashed = 'maybe'",
        "trashed > true",
        "modifiedTime > 'soon'",
        "fullText = 'x'",
        "properties has {key='k'}",
        "name = x",
        "& name = 'x'",
        "name ! 'x'",
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!((error.code, error.message.as_str()), (400, "Invalid Value"), "{text}");
    }
    assert!(parse(&"(".repeat(100_000)).is_err());
    assert!(parse(&"not ".repeat(100_000)).is_err());
}

proptest! {
    #[test]
    fn any_text_parses_or_fails(text in "([a-zA-Z'\"=!<>(){} \\\\]|name|and|or|not| in parents|contains){0,30}") {
        if let Ok(query) = parse(&text) {
            let _ = query.matches(&file(), "root", "me");
        }
    }

    #[test]
    fn quoted_names_find_their_file(name in "\\PC{1,20}") {
        let mut file = file();
        file.name = name.clone();
        let quoted = name.replace('\\', "\\\\").replace('\'', "\\'");
        let query = parse(&format!("name = '{quoted}'")).unwrap();
        prop_assert!(query.matches(&file, "root", "me"));
    }
}
