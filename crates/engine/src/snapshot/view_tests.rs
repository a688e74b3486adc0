use super::*;
use crate::snapshot::SnapshotBuilder;

fn schema(columns: &[(&str, ColumnType)], key: &[usize]) -> Schema {
    Schema::new(columns.iter().map(|(name, ty)| Column::new(*name, *ty)).collect(), key.to_vec())
}

fn snapshot(headers: &[&str], rows: &[&[Cell<'_>]]) -> Snapshot {
    let mut builder = SnapshotBuilder::new(headers.iter().copied());
    rows.iter().for_each(|row| builder.push(row.iter().copied()));
    builder.finish()
}

fn parts(snapshot: &Snapshot, row: usize) -> Vec<(Kind, &[u8])> {
    let mut bytes = snapshot.packed(row);
    std::iter::from_fn(|| pack::take(&mut bytes)).collect()
}

#[test]
fn cells_are_typed_through_the_mapping() {
    let schema = schema(
        &[("id", ColumnType::Number), ("when", ColumnType::Date), ("gone", ColumnType::Text)],
        &[0],
    );
    let snapshot = snapshot(
        &["Date", "Nr", "other"],
        &[&[Cell::Float(45306.0), Cell::Text("007"), Cell::Text("x")]],
    );
    let view =
        snapshot.view(&schema, &[Mapping::new("id", "Nr"), Mapping::new("when", "Date")]).unwrap();
    assert_eq!(
        view.row(0).iter().map(Value::to_string).collect::<Vec<_>>(),
        ["7", "2024-01-15", ""]
    );
    assert_eq!(view.cell(0, 1).to_string(), "2024-01-15");
    assert_eq!(view.key(0).to_string(), "7");
    assert!(view.is_mapped(1) && !view.is_mapped(2) && !view.is_mapped(9));
}

#[test]
fn mapping_errors_name_the_nearest() {
    let schema = schema(&[("id", ColumnType::Text), ("name", ColumnType::Text)], &[0]);
    let snapshot = snapshot(&["id", "Name", "x", "x"], &[]);
    let error = |mappings: &[Mapping]| snapshot.view(&schema, mappings).unwrap_err().to_string();
    assert_eq!(
        error(&[Mapping::new("id", "name")]),
        "there is no column 'name'; did you mean 'Name'?"
    );
    assert_eq!(
        error(&[Mapping::new("ID", "id")]),
        "the schema has no column 'ID'; did you mean 'id'?"
    );
    assert_eq!(
        error(&[Mapping::new("id", "x")]),
        "2 columns are named 'x': give them different names"
    );
    assert_eq!(
        error(&[Mapping::new("name", "Name")]),
        "the key column 'id' is not mapped to a column here"
    );
    assert!(snapshot.view_by_name(&schema).is_ok());
}

#[test]
fn key_digests_are_equal_where_keys_are() {
    let texts =
        ["7", "07", " 7", "7.0", "seven", "70", "a", "A", "a ", "é", "e\u{301}", "\u{1}", "", " "];
    for ty in [ColumnType::Text, ColumnType::Number, ColumnType::Bool] {
        for fold in [false, true] {
            let schema = Schema { fold_key_case: fold, ..schema(&[("k", ty)], &[0]) };
            let rows: Vec<[Cell<'_>; 1]> = texts
                .iter()
                .map(|t| [Cell::Text(t)])
                .chain([[Cell::Float(7.0)], [Cell::Null], [Cell::Bool(true)]])
                .collect();
            let snapshot = snapshot(&["k"], &rows.iter().map(|r| &r[..]).collect::<Vec<_>>());
            let view = snapshot.view_by_name(&schema).unwrap();
            let mut scratch = Vec::new();
            for a in 0..view.len() {
                let digest = view.key_digest(&parts(&snapshot, a), &mut scratch);
                assert_eq!(digest.is_none(), view.key(a).is_blank(), "{ty} {:?}", rows[a]);
                for b in 0..view.len() {
                    let other = view.key_digest(&parts(&snapshot, b), &mut scratch);
                    assert_eq!(
                        digest == other,
                        view.key(a) == view.key(b),
                        "{ty} {fold} {:?} {:?}",
                        rows[a],
                        rows[b]
                    );
                }
            }
        }
    }
}

#[test]
fn equal_row_digests_mean_equal_values() {
    let cells = [
        Cell::Null,
        Cell::Text(""),
        Cell::Text("1"),
        Cell::Float(1.0),
        Cell::Bool(true),
        Cell::Text("true"),
        Cell::Text("1.0"),
        Cell::Text("[1]"),
    ];
    use ColumnType::*;
    for ty in [Text, Number, Bool, Date, Time, DateTime, List] {
        for keep_blank in [false, true] {
            let schema = Schema::new(vec![Column { keep_blank, ..Column::new("c", ty) }], vec![]);
            let snapshot =
                snapshot(&["c"], &cells.iter().map(std::slice::from_ref).collect::<Vec<_>>());
            let view = snapshot.view_by_name(&schema).unwrap();
            let mut scratch = Vec::new();
            let mut digest = |row| view.row_digest(&parts(&snapshot, row), &[0], &mut scratch);
            for a in 0..cells.len() {
                for b in 0..cells.len() {
                    if digest(a) == digest(b) {
                        assert_eq!(view.row(a), view.row(b), "{ty} {:?} {:?}", cells[a], cells[b]);
                    }
                }
            }
        }
    }
}

#[test]
fn field_boundaries_count() {
    let schema = schema(&[("a", ColumnType::Text), ("b", ColumnType::Text)], &[0, 1]);
    let snapshot = snapshot(
        &["a", "b"],
        &[&[Cell::Text("ab"), Cell::Text("c")], &[Cell::Text("a"), Cell::Text("bc")]],
    );
    let view = snapshot.view_by_name(&schema).unwrap();
    let mut scratch = Vec::new();
    let key = |row, scratch: &mut Vec<u8>| view.key_digest(&parts(&snapshot, row), scratch);
    assert_ne!(key(0, &mut scratch), key(1, &mut scratch));
    let digest =
        |row, scratch: &mut Vec<u8>| view.row_digest(&parts(&snapshot, row), &[0, 1], scratch);
    assert_ne!(digest(0, &mut scratch), digest(1, &mut scratch));
    assert!(view.is_identity(&[0, 1]) && !view.is_identity(&[1, 0]) && !view.is_identity(&[0]));
    assert_eq!(digest(0, &mut scratch), xxh3_128(snapshot.packed(0)));
}
