//! `lockstep merge`, and `lockstep diff --base`.

use super::Folder;

fn folder() -> Folder {
    Folder::with(&[
        ("b.csv", b"id,name,amount\n1,Ann,10\n2,Bob,3\n3,Cy,5\n4,Dee,6\n6,Fay,1\n"),
        ("l.csv", b"id,name,amount\n1,Ann,11\n2,Bob,3\n3,Cyrus,5\n4,Dee,6\n7,Gus,1\n6,Fay,2\n"),
        ("r.csv", b"id,name,amount\n6,Fay,3\n1,Anna,10.00\n2,Bob,3\n4,Dee,6.50\n8,Hal,2.50\n"),
    ])
}

#[test]
fn conflicts_keep_the_left_cells_and_end_with_1() {
    let run = folder().lockstep("merge l.csv r.csv --base b.csv --key id");
    assert_eq!(
        run.out,
        "id,name,amount\n1,Anna,11\n2,Bob,3\n3,Cyrus,5\n4,Dee,6.50\n7,Gus,1\n6,Fay,2\n8,Hal,2.50\n"
    );
    assert_eq!(run.code, 1);
    assert!(
        run.err.contains("conflict at 3: changed on the left, deleted on the right"),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("conflict at 6: amount: 1 (base), 2 (left), 3 (right)"),
        "{}",
        run.err
    );
}

#[test]
fn a_strategy_decides_and_the_output_is_written() {
    let folder = folder();
    let run = folder.lockstep("merge l.csv r.csv --base b.csv -k id --strategy right_priority --clash delete_wins -o m.csv");
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{}", run.err);
    assert_eq!(
        folder.read("m.csv"),
        "id,name,amount\n1,Anna,11\n2,Bob,3\n4,Dee,6.50\n7,Gus,1\n6,Fay,3\n8,Hal,2.50\n"
    );
    // In place: the file that is read is also the one that is replaced.
    let run = folder.lockstep(
        "merge l.csv r.csv --base b.csv -k id --strategy left_priority --clash edit_wins -o l.csv",
    );
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(folder.read("l.csv").contains("6,Fay,2\n"));
}

#[test]
fn conflicts_for_programs() {
    let run = folder().lockstep("merge l.csv r.csv --base b.csv --key id --format jsonl");
    let first: serde_json::Value = serde_json::from_str(run.err.lines().next().unwrap()).unwrap();
    assert_eq!((&first["conflict"], &first["key"]), (&"modifyDelete".into(), &"3".into()));
    assert_eq!(
        (&first["left"]["name"], &first["right"]),
        (&"Cyrus".into(), &serde_json::Value::Null)
    );
}

#[test]
fn a_diff_with_a_base_says_who_changed_what() {
    let run = folder().lockstep("diff l.csv r.csv --base b.csv --key id");
    assert_eq!(run.code, 1);
    for line in [
        "side,change,key,column,base,left,right",
        "right,update,1,name,Ann,Ann,Anna",
        "left,insert,7,name,,Gus,",
        "both,conflict,6,amount,1,2,3",
    ] {
        assert!(run.out.lines().any(|l| l == line), "{line} is missing in\n{}", run.out);
    }
    assert_eq!(
        folder().lockstep("diff l.csv l.csv --base b.csv --key id --format summary").code,
        0
    );
}

#[test]
fn trouble_is_told_and_ends_with_2() {
    let folder = folder();
    for (words, expected) in [
        ("--base b.csv -k id --strategy coin_toss", "unknown variant `coin_toss`"),
        ("--base b.csv -k ID", "'ID' is no column of all three files; those are: id, name, amount"),
        ("--base nope.csv -k id", "nope.csv: No such file"),
        ("-k id", "--base"),
    ] {
        let run = folder.lockstep(&format!("merge l.csv r.csv {words}"));
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{words}: {}", run.err);
        assert!(run.err.contains(expected), "{words}: {}", run.err);
    }
}
