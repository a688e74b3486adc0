use super::*;
use crate::cell::Cell;
use crate::snapshot::SnapshotBuilder;

fn column(cells: &[Cell<'_>]) -> Snapshot {
    let mut builder = SnapshotBuilder::new(["c"]);
    cells.iter().for_each(|cell| builder.push([*cell]));
    builder.finish()
}

fn texts(texts: &[&str]) -> Snapshot {
    column(&texts.iter().map(|text| Cell::Text(text)).collect::<Vec<_>>())
}

fn reason(left: &Snapshot, right: &Snapshot) -> String {
    let (schema, reasons) = infer(&[left, right], &[]);
    assert_eq!(schema.columns[0].ty, reasons[0].ty);
    reasons[0].to_string()
}

#[test]
fn types_over_both_sides() {
    for (left, right, expected) in [
        (&["10.50", ""][..], &["10.5", " 3 "][..], "'c' is number: all 3 values are"),
        (
            &["1"],
            &["", "x"],
            "'c' is text: 'x' (right, row 2) is no clear number, bool, date or time",
        ),
        (
            &["1", "007"],
            &["1"],
            "'c' is text: '007' (left, row 2) is no clear number like the values before it",
        ),
        (
            &["1", "N/A"],
            &[],
            "'c' is text: 'N/A' (left, row 2) is no clear number like the values before it",
        ),
        (&["true"], &["TRUE", "false"], "'c' is bool: all 3 values are"),
        (&["2024-01-15"], &["2024-01-16"], "'c' is date: all 2 values are"),
        (
            &["2024-01-15", "2024-01-15T10:00"],
            &[],
            "'c' is text: '2024-01-15T10:00' (left, row 2) is no clear date like the values before it",
        ),
        (&["2024-01-15T10:00Z"], &["2024-01-15 10:00"], "'c' is dateTime: all 2 values are"),
        (&["10:00"], &[], "'c' is time: its only value is"),
        (&["", " "], &[], "'c' is text: it has no values to judge by"),
        (
            &["1"],
            &["true"],
            "'c' is text: 'bool values' (right, row 0) is no clear number like the values before it",
        ),
    ] {
        assert_eq!(reason(&texts(left), &texts(right)), expected, "{left:?} {right:?}");
    }
}

#[test]
fn sheet_serials_meet_dates() {
    let sheet = column(&[Cell::Float(45306.0), Cell::Null]);
    assert_eq!(
        reason(&sheet, &texts(&["2024-01-15"])),
        "'c' is date: the numbers on one side are serials of the date values on another"
    );
    assert_eq!(reason(&sheet, &texts(&["45306"])), "'c' is number: all 2 values are");
    assert!(reason(&texts(&["45306"]), &texts(&["2024-01-15"])).starts_with("'c' is text"));
    assert_eq!(
        reason(&column(&[Cell::Bool(true)]), &texts(&["TRUE"])),
        "'c' is bool: all 2 values are"
    );
}

#[test]
fn declarations_count() {
    let (left, right) = (texts(&["NA", "1"]), texts(&["2"]));
    let mut declared = Declared::untyped("c");
    declared.column.nulls = vec!["NA".into()];
    assert_eq!(infer(&[&left, &right], &[declared]).1[0].ty, ColumnType::Number);
    let declared = Declared::typed(Column::new("c", ColumnType::Date));
    assert_eq!(infer(&[&left, &right], &[declared]).1[0].to_string(), "'c' is date: declared");
    let renamed = Declared { sources: vec![Some("c".into()), None], ..Declared::untyped("other") };
    assert_eq!(infer(&[&texts(&["1"]), &texts(&["x"])], &[renamed]).1[0].ty, ColumnType::Number);
}

#[test]
fn columns_are_those_of_any_side() {
    let left = SnapshotBuilder::new(["id", "", "a"]).finish();
    let right = SnapshotBuilder::new(["b", "id"]).finish();
    let names: Vec<String> =
        infer(&[&left, &right], &[]).0.columns.into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["id", "a", "b"]);
}
