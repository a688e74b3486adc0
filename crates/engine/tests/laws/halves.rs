//! What base learns when half of a key was written, and what goes back of a run: case by case.

use lockstep_engine::confirm::{Made, confirmed};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{BaseChange, Change, ChangeKind, Reconciled};
use lockstep_engine::table::Table;
use lockstep_engine::undo::{Taught, Undone, compare, take_back, terms};
use lockstep_engine::value::{Row, Value};

use crate::world::{row, schema};

/// Cells `a`, `b` and `c`; 0 is a blank.
type Cells = Option<[i64; 3]>;

fn value(cell: i64) -> Value {
    if cell == 0 { Value::Null } else { cell.into() }
}

fn full(cells: Cells) -> Option<Row> {
    cells.map(|cells| row("k", &cells.map(value)))
}

fn change(kind: ChangeKind, before: Cells, after: Cells, cells: &[usize]) -> Change {
    let (before, after) = (full(before), full(after));
    Change { key: Key::of("k"), kind, before, after, cells: cells.to_vec().into(), row: None }
}

fn update(before: [i64; 3], after: [i64; 3]) -> Change {
    let cells: Vec<usize> = (0..3).filter(|n| before[*n] != after[*n]).map(|n| n + 1).collect();
    change(ChangeKind::Update, Some(before), Some(after), &cells)
}

/// What base becomes, by what it had and was to have, what was written and what was not.
fn half(base: [Cells; 2], made: &[&Change], missing: &[&Change]) -> Option<Cells> {
    let [before, after] = base.map(full);
    let key = Key::of("k");
    let moves = vec![BaseChange { key, before: before.clone(), after }];
    let made = made.iter().map(|change| Made::new(change, true));
    let missing = missing.iter().map(|change| Made::new(change, false));
    let moves = confirmed(moves, made.chain(missing));
    let moved = moves.first()?;
    assert_eq!(moved.before, before);
    let cell = |value: &Value| value.to_string().parse().unwrap_or(0);
    Some(moved.after.as_ref().map(|row| [cell(&row[1]), cell(&row[2]), cell(&row[3])]))
}

#[test]
fn base_learns_what_was_confirmed() {
    let base = [Some([10, 1, 1]), Some([15, 1, 1])];
    let (left, right) = (update([12, 1, 1], [15, 1, 1]), update([13, 1, 1], [15, 1, 1]));
    let both = [&left, &right];
    assert_eq!(half(base, &[], &[]), Some(base[1]), "nothing had to be written");
    assert_eq!(half(base, &both, &[]), Some(base[1]));
    assert_eq!(half(base, &[], &both), None);
}

#[test]
fn the_written_side_of_two_that_were_to_agree_counts_as_the_one_that_changed() {
    let base = [Some([10, 1, 1]), Some([15, 2, 3])];
    let left = update([12, 2, 1], [15, 2, 3]);
    let right = update([13, 1, 3], [15, 2, 3]);
    assert_eq!(half(base, &[&left], &[&right]), Some(Some([13, 1, 3])));
    assert_eq!(half(base, &[&right], &[&left]), Some(Some([12, 2, 1])));
    let (a, b) = (update([1, 2, 9], [1, 2, 3]), update([1, 5, 3], [1, 2, 3]));
    let half_of = |base| half([Some(base), Some([1, 2, 3])], &[&a], &[&b]);
    assert_eq!(half_of([1, 5, 9]), Some(Some([1, 5, 3])));
    assert_eq!(half_of([1, 5, 3]), None, "base has it already");
}

#[test]
fn a_cell_that_was_to_go_back_on_both_sides_stays_on_both() {
    let base = [Some([15, 2, 3]), Some([10, 7, 8])];
    let left = update([15, 2, 3], [12, 7, 3]);
    let right = update([15, 2, 3], [13, 2, 8]);
    assert_eq!(half(base, &[&left], &[&right]), Some(Some([12, 7, 3])));
    assert_eq!(half(base, &[&right], &[&left]), Some(Some([13, 2, 8])));
    // The run had made base know the row: what nobody wrote is agreed on still.
    let base = [Some([15, 2, 3]), None];
    assert_eq!(half(base, &[&right], &[&left]), Some(Some([13, 2, 0])));
    let (left, right) = (update([5, 2, 3], [4, 2, 3]), update([5, 2, 3], [6, 2, 3]));
    assert_eq!(half([Some([5, 2, 3]), None], &[&left], &[&right]), Some(Some([4, 2, 3])));
}

#[test]
fn a_row_that_did_not_come_is_not_known_and_one_that_went_is_forgotten() {
    let insert = change(ChangeKind::Insert, None, Some([1, 0, 3]), &[0, 1, 2, 3]);
    let delete = change(ChangeKind::Delete, Some([1, 0, 3]), None, &[]);
    let corrected = update([1, 5, 3], [1, 0, 3]);
    let back = update([1, 0, 3], [1, 5, 3]);
    let learns = [None, Some([1, 0, 3])];
    assert_eq!(half(learns, &[&corrected], &[&insert]), None);
    assert_eq!(half(learns, &[&insert], &[&corrected]), Some(Some([1, 5, 3])));
    let forgets = [Some([1, 0, 3]), None];
    assert_eq!(half(forgets, &[&delete], &[&back]), Some(None));
    assert_eq!(half(forgets, &[&back], &[&delete]), None);
}

#[test]
fn a_row_that_is_still_marked_is_not_known_again() {
    let returns =
        |cells: &[usize]| change(ChangeKind::Reactivate, Some([9, 0, 7]), Some([1, 0, 3]), cells);
    let corrected = update([1, 5, 3], [1, 0, 3]);
    assert_eq!(half([None, Some([1, 0, 3])], &[&corrected], &[&returns(&[1, 3])]), None);
    // Both rows counted, and the mark was data.
    let moved = half([None, Some([1, 0, 3])], &[&corrected], &[&returns(&[1, 2, 3])]);
    assert_eq!(moved, Some(Some([9, 0, 7])));
}

/// What a run wrote to each side, what is there now, and what base knew: before, after and now.
fn undo(wrote: [Option<Change>; 2], now: [Cells; 2], base: [Cells; 3]) -> Reconciled {
    let terms = terms(&schema(3)).unwrap();
    let wrote = wrote.map(|change| change.into_iter().collect::<Vec<_>>());
    let compared = wrote.iter().zip(now).map(|(wrote, now)| {
        let mut there = Table::default();
        there.set(Key::of("k"), full(now));
        there.set(Key::of("another"), Some(row("another", &[1.into(), 2.into(), 3.into()])));
        compare(&terms, wrote, &there)
    });
    let [before, after, now] = base.map(full);
    let mut undone = take_back(&wrote, compared.collect(), |_, _| {
        Some(Taught { before: before.as_ref(), after: after.as_ref(), now: now.as_ref() })
    });
    let (right, left) = (undone.members.pop().unwrap(), undone.members.pop().unwrap());
    let base = undone.bases.pop().unwrap();
    let Undone { conflicts, withheld, .. } = undone;
    Reconciled { left, right, base, conflicts, withheld, ..Reconciled::default() }
}

fn cells(changes: &[Change]) -> Vec<(ChangeKind, Vec<usize>)> {
    changes.iter().map(|change| (change.kind, change.cells.to_vec())).collect()
}

#[test]
fn a_run_goes_back_on_both_sides_and_in_base() {
    let (left, right) = (update([12, 1, 1], [15, 1, 4]), update([13, 1, 4], [15, 1, 4]));
    let now = Some([15, 1, 4]);
    let base = [Some([10, 1, 1]), now, now];
    let result = undo([Some(left), Some(right)], [now, now], base);
    assert_eq!(cells(&result.left), [(ChangeKind::Update, vec![1, 3])]);
    assert_eq!(cells(&result.right), [(ChangeKind::Update, vec![1])]);
    assert_eq!(result.left[0].after, full(Some([12, 1, 1])));
    assert_eq!((&result.base[0].before, &result.base[0].after), (&full(now), &full(base[0])));
    assert!(result.conflicts.is_empty() && result.withheld.is_empty());
}

#[test]
fn base_goes_back_in_the_cells_that_do_and_a_row_that_it_learned_is_forgotten() {
    let (left, right) = (update([12, 1, 1], [15, 1, 1]), update([13, 1, 1], [15, 1, 1]));
    let run = || [Some(left.clone()), Some(right.clone())];
    let (taught, now) = (Some([15, 1, 1]), Some([15, 6, 1]));
    let result = undo(run(), [now, now], [Some([10, 1, 1]), taught, now]);
    assert_eq!(result.base[0].after, full(Some([10, 6, 1])), "a later run taught b");
    let result = undo(run(), [taught, taught], [None, taught, taught]);
    assert_eq!((result.base[0].before.clone(), &result.base[0].after), (full(taught), &None));
    // Nothing goes back, so base does not either.
    let (left, right) = (update([15, 1, 1], [12, 1, 1]), update([15, 1, 1], [13, 1, 1]));
    let now = [Some([12, 1, 1]), Some([99, 1, 1])];
    let result = undo([Some(left), Some(right)], now, [taught, None, None]);
    assert!(result.is_quiet() && result.base.is_empty(), "{result:?}");
}

#[test]
fn what_the_run_did_not_teach_base_does_not_hold_its_writes_and_stays() {
    let right = update([1, 9, 1], [1, 1, 1]);
    let base = [Some([1, 1, 1]), Some([1, 1, 1]), Some([1, 7, 2])];
    let result = undo([None, Some(right)], [None, Some([1, 1, 1])], base);
    assert_eq!(result.right[0].after, full(Some([1, 9, 1])));
    assert!(result.base.is_empty() && result.conflicts.is_empty(), "{result:?}");
}

#[test]
fn a_key_that_a_side_has_twice_stays_on_both() {
    let terms = terms(&schema(3)).unwrap();
    let taught = full(Some([15, 1, 1]));
    let left = vec![update([12, 1, 1], [15, 1, 1])];
    let right = vec![update([13, 1, 1], [15, 1, 1])];
    let there = |times: usize| Table::from_rows(&schema(3), vec![taught.clone().unwrap(); times]);
    let compared = vec![compare(&terms, &left, &there(2)), compare(&terms, &right, &there(1))];
    let result = take_back(&[left, right], compared, |_, _| None);
    assert!(result.members.iter().all(Vec::is_empty), "{result:?}");
    assert_eq!(result.withheld.len(), 1);
}

#[test]
fn a_cell_that_someone_changed_on_one_side_stays_on_both() {
    let (left, right) = (update([12, 1, 1], [15, 1, 4]), update([13, 1, 4], [15, 1, 4]));
    let wrote = Some([15, 1, 4]);
    let base = [Some([10, 1, 1]), wrote, wrote];
    let result = undo([Some(left), Some(right)], [wrote, Some([16, 1, 4])], base);
    assert_eq!(cells(&result.left), [(ChangeKind::Update, vec![3])]);
    assert_eq!(result.left[0].after, full(Some([15, 1, 1])));
    assert_eq!(result.right, []);
    assert_eq!(result.base[0].after, full(Some([15, 1, 1])));
    assert_eq!(result.conflicts.len(), 1);
}

#[test]
fn a_row_that_someone_changed_since_it_was_added_stays_with_all_that_came_with_it() {
    let insert = change(ChangeKind::Insert, None, Some([1, 0, 3]), &[0, 1, 2, 3]);
    let corrected = update([1, 5, 3], [1, 0, 3]);
    let taught = Some([1, 0, 3]);
    let undo = |right| {
        undo(
            [Some(corrected.clone()), Some(insert.clone())],
            [taught, right],
            [None, taught, taught],
        )
    };
    let result = undo(Some([1, 0, 8]));
    assert!(
        result.is_quiet() && result.base.is_empty() && result.conflicts.len() == 1,
        "{result:?}"
    );
    let result = undo(taught);
    assert_eq!(cells(&result.left), [(ChangeKind::Update, vec![2])]);
    assert_eq!(cells(&result.right), [(ChangeKind::Delete, vec![])]);
    assert_eq!(result.base[0].after, None);
}

#[test]
fn a_row_that_someone_brought_back_is_theirs() {
    let delete = change(ChangeKind::Delete, Some([1, 2, 3]), None, &[]);
    let base = [Some([1, 2, 3]), None, None];
    let undo = |right| undo([None, Some(delete.clone())], [None, right], base);
    // One cell is disputed, and the blank beside it is not filled.
    let result = undo(Some([7, 0, 3]));
    assert!(
        result.is_quiet() && result.base.is_empty() && result.conflicts.len() == 1,
        "{result:?}"
    );
    let result = undo(None);
    assert_eq!(result.right[0].after, full(Some([1, 2, 3])));
    assert_eq!(result.base[0].after, full(base[0]));
}

#[test]
fn what_a_later_run_has_taught_base_more_about_stays_and_is_listed() {
    let left = update([12, 1, 1], [15, 1, 1]);
    // The other side was not written; a later run carried the sum there.
    let base = [Some([10, 1, 1]), Some([13, 1, 1]), Some([15, 1, 1])];
    let now = Some([15, 1, 1]);
    let result = undo([Some(left), None], [now, now], base);
    assert!(result.is_quiet() && result.base.is_empty(), "{result:?}");
    let held = &result.conflicts[0].cells[0];
    assert_eq!((held.column, &held.left, &held.right), (1, &12.into(), &15.into()));
    assert!(held.reason.contains("later run"), "{held:?}");
    // A row that a later run has taught more about goes neither in part nor as a whole.
    let insert = change(ChangeKind::Insert, None, Some([1, 2, 3]), &[0, 1, 2, 3]);
    let now = Some([1, 2, 3]);
    let result = undo([None, Some(insert)], [now, now], [None, now, Some([1, 2, 8])]);
    assert!(result.is_quiet() && result.base.is_empty(), "{result:?}");
    assert!(result.conflicts[0].reason.contains("later run"), "{result:?}");
}

#[test]
fn without_a_base_the_sides_alone_go_back() {
    let right = update([1, 2, 3], [1, 2, 4]);
    let result = undo([None, Some(right)], [None, Some([1, 2, 4])], [None, None, None]);
    assert_eq!(cells(&result.right), [(ChangeKind::Update, vec![3])]);
    assert_eq!(result.base, []);
}
