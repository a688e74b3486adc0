use std::collections::BTreeMap;

use super::super::fold::*;
use super::super::segment::{Packed, pack, pack_moves, put as put_field, unpack, unpack_moves};
use super::*;

type Model = BTreeMap<KeyValues, Row>;

/// Changes of a few keys, so that they meet; the key is no column of the row.
fn any_delta() -> impl Strategy<Value = Delta> {
    let key = (any_value(), 0i64..40).prop_map(|(value, n)| -> KeyValues {
        if n % 4 == 0 { [value, Value::from(n)].into() } else { [Value::from(n)].into() }
    });
    let row = prop::option::of(prop::collection::vec(any_value(), 3).prop_map(Row::from));
    prop::collection::btree_map(key, row, 0..30)
}

fn apply(model: &mut Model, delta: &Delta) {
    for (key, row) in delta {
        match row {
            Some(row) => model.insert(key.clone(), row.clone()),
            None => model.remove(key),
        };
    }
}

/// Gives new parts numbers, as the store does.
fn keep(parts: Vec<Part>, old: &[Segment], next: &mut i64) -> Vec<Segment> {
    let keep = |part| match part {
        Part::Kept(id) => old.iter().find(|one| one.id == id).unwrap().clone(),
        Part::New(built) => {
            *next += 1;
            Segment { id: *next, last: built.last, packed: built.packed }
        }
    };
    parts.into_iter().map(keep).collect()
}

fn assemble(segments: &[Segment], delta: Delta) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    walk(segments, delta, &mut |row| rows.push(row))?;
    Ok(rows)
}

fn rows(model: &Model) -> Vec<Row> {
    model.values().cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn folding_and_reading_agree_with_a_map(
        deltas in prop::collection::vec(any_delta(), 1..8),
        targets in prop::collection::vec(1usize..400, 8),
    ) {
        let (mut model, mut segments, mut next) = (Model::new(), vec![], 0);
        for (delta, target) in deltas.iter().zip(targets) {
            apply(&mut model, delta);
            // Read with the delta beside the segments, and after it was packed, and after it was folded.
            prop_assert_eq!(assemble(&segments, delta.clone()).unwrap(), rows(&model));
            let packed = unpack_delta(&pack_delta(delta).unwrap()).unwrap();
            prop_assert_eq!(&packed, delta);
            let parts = fold(&segments, packed, None, target).unwrap();
            segments = keep(parts, &segments, &mut next);
            prop_assert_eq!(assemble(&segments, Delta::new()).unwrap(), rows(&model));
            prop_assert!(segments.is_sorted_by(|a, b| a.last < b.last));
        }
    }

    #[test]
    fn a_key_taken_out_is_gone_and_nothing_else(delta in any_delta(), pick in any::<prop::sample::Index>()) {
        let mut model = Model::new();
        apply(&mut model, &delta);
        prop_assume!(!model.is_empty());
        let key = model.keys().nth(pick.index(model.len())).unwrap().clone();
        let segments = keep(fold(&[], delta, None, 1 << 20).unwrap(), &[], &mut 0);
        prop_assert_eq!(segments.len(), 1);
        model.remove(&key);
        let left = without(&segments[0].packed, &key).unwrap().unwrap();
        let left = left.map(|built| Segment { id: 1, last: built.last, packed: built.packed });
        let left: Vec<Segment> = left.into_iter().collect();
        prop_assert_eq!(assemble(&left, Delta::new()).unwrap(), rows(&model));
        prop_assert_eq!(left.first().map(|one| &one.last), model.keys().last());
        for segment in &left {
            prop_assert!(without(&segment.packed, &key).unwrap().is_none());
        }
    }

    #[test]
    fn moves_survive_being_packed(rows in prop::collection::vec((any_value(), prop::option::of(any_value()), prop::option::of(any_value())), 0..20)) {
        let row = |value: Option<Value>| value.map(|value| Row::from([value, Value::Null]));
        let moves: Vec<BaseChange> = rows
            .into_iter()
            .map(|(key, before, after)| BaseChange {
                key: Key::normalised([Value::from("k"), key], true),
                before: row(before),
                after: row(after),
            })
            .collect();
        let mut back = vec![];
        for piece in pack_moves(&moves).unwrap() {
            unpack_moves(&piece, &mut back).unwrap();
        }
        prop_assert_eq!(back, moves);
    }

    #[test]
    fn any_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 1..60)) {
        let packed = pack(&bytes).unwrap();
        let _ = unpack_delta(&packed);
        let _ = unpack_moves(&packed, &mut vec![]);
        let _ = without(&packed, &[Value::Null]);
        let _ = assemble(&[Segment { id: 1, last: [].into(), packed }], Delta::new());
    }
}

#[test]
fn only_touched_segments_are_written_again() {
    let delta = |from: i64, to: i64| -> Delta {
        (from..to).map(|n| ([Value::from(n)].into(), Some(row("a value", n)))).collect()
    };
    let segments = keep(fold(&[], delta(0, 1_000), None, 2_000).unwrap(), &[], &mut 0);
    assert!(segments.len() > 10);
    let parts = fold(&segments, delta(500, 501), None, 2_000).unwrap();
    let new = parts.iter().filter(|part| matches!(part, Part::New(_))).count();
    assert_eq!((parts.len(), new), (segments.len(), 1));
    // Other columns touch them all.
    let aligned = fold(&segments, Delta::new(), Some(&vec![Some(1), None]), 2_000).unwrap();
    assert!(aligned.iter().all(|part| matches!(part, Part::New(_))));
    let aligned = keep(aligned, &segments, &mut 1_000);
    let rows = assemble(&aligned, Delta::new()).unwrap();
    assert_eq!(rows.len(), 1_000);
    assert_eq!(*rows[7], [Value::from(7), Value::Null]);
}

#[test]
fn a_flipped_byte_is_noticed() {
    let mut bytes = vec![];
    put_field(Some(&[Value::from("k")]), &mut bytes);
    put_field(None, &mut bytes);
    let packed = pack(&bytes).unwrap();
    for at in 0..packed.data.len() {
        let mut data = packed.data.clone();
        data[at] ^= 1;
        let error = unpack(&Packed { data, ..packed.clone() }).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }
}
