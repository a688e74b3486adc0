//! `lockstep diff`.

use super::Folder;

const LEFT: &[u8] =
    b"id,name,amount,when\n1,Ann,10.50,2024-01-15\n2,Bob,3,2024-01-16\n3,\"multi\nline\",7,\n";
const RIGHT: &[u8] =
    b"when,id,name,amount\n2024-01-15,1,Ann,10.5\n2024-01-16,2,Bobby,4\n2024-02-01,5,Eve,9\n";

#[test]
fn formats() {
    let folder = Folder::with(&[("l.csv", LEFT), ("r.csv", RIGHT)]);
    let run = folder.lockstep("diff l.csv r.csv --key id");
    assert_eq!(
        run.out,
        "change,id,column,left,right\nupdate,2,name,Bob,Bobby\nupdate,2,amount,3,4\n\
         delete,3,id,3,\ndelete,3,name,\"multi\nline\",\ndelete,3,amount,7,\n\
         insert,5,id,,5\ninsert,5,name,,Eve\ninsert,5,amount,,9\ninsert,5,when,,2024-02-01\n"
    );
    let summary = "3 rows left, 3 right: 1 same, 1 updated (2 cells), 1 only left, 1 only right\n";
    assert_eq!((run.code, run.err.as_str()), (1, summary));

    let run = folder.lockstep("diff l.csv r.csv --key id --format jsonl");
    let lines: Vec<serde_json::Value> =
        run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["cells"]["amount"], serde_json::json!({ "left": "3", "right": "4" }));
    assert_eq!(
        (&lines[1]["change"], &lines[1]["row"]["name"]),
        (&"delete".into(), &"multi\nline".into())
    );
    assert_eq!((&lines[2]["key"]["id"], lines.len()), (&"5".into(), 3));

    let run = folder.lockstep("diff l.csv r.csv --key id --format table");
    assert!(run.out.contains("Bobby") && run.out.contains("multi\\nline"), "{}", run.out);
    assert!(!run.out.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(run.out.lines().count(), 5);
    let run = folder.lockstep("diff l.csv r.csv --key id --format table --limit 1");
    assert!(run.out.contains("and 3 more lines"), "{}", run.out);

    let run = folder.lockstep("diff l.csv r.csv --key id --format summary");
    assert_eq!((run.out.as_str(), run.err.as_str()), (summary, ""));
}

#[test]
fn typed_unless_told_otherwise() {
    let folder = Folder::with(&[
        ("l.csv", b"id,n,c\n1,1.50,007\n2,x,8\n"),
        ("r.csv", b"id,n,c\n1,1.5,007\n2,x,8\n"),
    ]);
    let run = folder.lockstep("diff l.csv r.csv --key id");
    assert_eq!((run.code, run.out.lines().count()), (1, 2), "x makes n a text: {}", run.err);
    let run = folder.lockstep("diff l.csv r.csv --key id --type n=number --types");
    assert_eq!((run.code, run.out.lines().count()), (0, 1));
    assert!(run.err.contains("'n' is number: declared"), "{}", run.err);
    assert!(run.err.contains("'c' is text: '007' (left, row 2)"), "{}", run.err);
    assert_eq!(folder.lockstep("diff l.csv r.csv --key id --bytes").code, 1);
    assert_eq!(folder.lockstep("diff l.csv r.csv --key id --ignore n").code, 0);
}

#[test]
fn the_same_file_is_the_same() {
    let folder = Folder::with(&[("l.csv", LEFT)]);
    let run = folder.lockstep("diff l.csv l.csv --key id");
    assert_eq!((run.code, run.err.as_str()), (0, "the files are identical\n"));
    assert_eq!(folder.lockstep("diff l.csv l.csv --key nope").code, 2);
}

#[test]
fn keys_that_do_not_tell_rows_apart_are_reported() {
    let folder =
        Folder::with(&[("l.csv", b"id,a\n1,x\n1,y\n,z\n2,q\n"), ("r.csv", b"id,a\n1,x\n2,q\n")]);
    let run = folder.lockstep("diff l.csv r.csv -k id");
    assert_eq!((run.code, run.out.lines().count()), (1, 1));
    assert!(run.err.contains("l.csv: row 4 has no complete key"), "{}", run.err);
    assert!(run.err.contains("l.csv: rows 2, 3 all have the key '1'"), "{}", run.err);
    assert!(run.err.contains("1 same"), "{}", run.err);
}

#[test]
fn keys_of_several_columns_and_other_delimiters() {
    let folder = Folder::with(&[
        ("l.tsv", b"a\tb\tv\n1\t23\tx\n12\t3\ty\n"),
        ("r.csv", b"a;b;v\n1;23;x\n12;3;z\n"),
    ]);
    let run = folder.lockstep("diff l.tsv r.csv --key a,b");
    assert_eq!(run.out, "change,a,b,column,left,right\nupdate,12,3,v,y,z\n");
}

#[test]
fn encodings_are_converted() {
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain("id,a\n1,é\n".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let folder = Folder::with(&[
        ("u8.csv", "\u{feff}id,a\n1,é\n".as_bytes()),
        ("u16.csv", &utf16),
        ("l1.csv", b"id,a\n1,\xe9\n"),
    ]);
    assert_eq!(folder.lockstep("diff u8.csv u16.csv --key id").code, 0);
    let run = folder.lockstep("diff u8.csv l1.csv --key id");
    assert_eq!(run.code, 2);
    assert!(run.err.contains("l1.csv: not valid UTF-8 at byte 7, line 2"), "{}", run.err);
    assert_eq!(folder.lockstep("diff l1.csv l1.csv --key id --encoding windows-1252").code, 0);
    assert_eq!(folder.lockstep("diff u8.csv l1.csv --key id --encoding windows-1252").code, 0);
}

#[test]
fn trouble_is_told_and_ends_with_2() {
    let folder = Folder::with(&[
        ("l.csv", b"id,a\n1,x\n"),
        ("short.csv", b"id,a\n1,x\n2\n3,y,z\n"),
        ("quote.csv", b"id,a\n1,\"x\n"),
        ("empty.csv", b""),
        ("head.csv", b"id,a\n"),
        ("twice.csv", b"id,a,a\n"),
    ]);
    for (words, expected) in [
        ("l.csv missing.csv -k id", "missing.csv: No such file"),
        (
            "l.csv short.csv -k id",
            "short.csv: 2 rows do not have the header's 2 fields: line 3 has 1, line 4 has 3",
        ),
        (
            "l.csv quote.csv -k id",
            "quote.csv: line 2: a quoted field begins here (byte 7) and is never closed",
        ),
        ("l.csv empty.csv -k id", "empty.csv: the file is empty"),
        ("l.csv twice.csv -k id", "twice.csv: 2 columns are named 'a'"),
        ("l.csv head.csv -k Id", "there is no column 'Id'; did you mean 'id'?"),
        ("l.csv head.csv -k id --type a=int", "'int' is no column type"),
        ("l.csv head.csv -k id --encoding klingon", "'klingon' is no known encoding"),
        ("l.csv head.csv -k id --delimiter ab", "one character is expected"),
        ("l.csv head.csv", "--key"),
    ] {
        let run = folder.lockstep(&format!("diff {words}"));
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{words}: {}", run.err);
        assert!(run.err.contains(expected), "{words}: {}", run.err);
    }
    assert_eq!(
        folder.lockstep("diff l.csv head.csv -k id --format summary").out.lines().next(),
        Some("1 rows left, 0 right: 0 same, 0 updated (0 cells), 1 only left, 0 only right")
    );
}
