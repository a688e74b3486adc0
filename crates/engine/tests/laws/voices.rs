//! Hubs in which it matters whose word is weighed against what: single cases that no generated table tells apart.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockstep_engine::dataset::{
    Clash, ColumnPolicy, DeletePolicy, Deletes, Granularity, Policy, SideName, Strategy,
};
use lockstep_engine::hub::{HubReconciled, Spoke, reconcile_hub};
use lockstep_engine::key::Key;
use lockstep_engine::reconcile::{ChangeKind, Side};
use lockstep_engine::schema::{Column, ColumnType, Schema};
use lockstep_engine::table::Table;
use lockstep_engine::terms::Terms;
use lockstep_engine::times::Times;
use lockstep_engine::value::{Row, Value};

type Cells = Option<[Value; 3]>;

fn numbers(cells: [i64; 3]) -> Cells {
    Some(cells.map(Value::from))
}

fn list(items: &[&str]) -> Value {
    Value::List(items.iter().map(|item| Value::from(*item)).collect())
}

/// A hub with the columns `a`, `b` and `c`, and its spokes `s0`, `s1`, …: base, row, time and source of each.
struct Town {
    types: ColumnType,
    policy: Policy,
    hub: Cells,
    hub_at: Option<i64>,
    spokes: Vec<(Cells, Cells, Option<i64>, Option<&'static str>)>,
}

impl Town {
    fn new(policy: Policy, hub: Cells) -> Town {
        Town { types: ColumnType::Number, policy, hub, hub_at: None, spokes: Vec::new() }
    }

    fn spoke(mut self, base: Cells, row: Cells, at: impl Into<Option<i64>>) -> Town {
        self.spokes.push((base, row, at.into(), None));
        self
    }

    fn reconcile(&self) -> HubReconciled {
        let column = |name: &str| Column::new(name, self.types);
        let columns =
            vec![Column::new("id", ColumnType::Text), column("a"), column("b"), column("c")];
        let schema = Schema::new(columns, vec![0]);
        let terms = Terms::new(&schema, &self.policy).unwrap();
        let own: Vec<_> = self
            .spokes
            .iter()
            .map(|(base, row, at, source)| {
                let mut times = Times::default();
                let instant = |at: &i64| Timestamp::from_second(*at).unwrap();
                let key = Key::of("k");
                times.entry(key.clone(), SideName::Left).row.at = self.hub_at.as_ref().map(instant);
                times.entry(key.clone(), SideName::Right).row.at = at.as_ref().map(instant);
                times.entry(key, SideName::Right).row.source = source.map(Into::into);
                (table(base), table(row), times)
            })
            .collect();
        let names = ["s0", "s1", "s2"];
        let spokes: Vec<Spoke<'_>> = own
            .iter()
            .zip(names)
            .map(|((base, rows, times), name)| Spoke {
                name,
                terms: &terms,
                base: Some(base),
                side: Side::complete(rows),
                times,
            })
            .collect();
        let hub = table(&self.hub);
        reconcile_hub(Side::complete(&hub), &spokes, &terms, &BTreeMap::new())
    }

    /// What the hub has afterwards.
    fn hub(&self) -> Cells {
        let result = self.reconcile();
        assert!(result.conflicts.is_empty(), "{result:?}");
        match result.hub.first() {
            None => self.hub.clone(),
            Some(change) => cells(change.after.as_ref()),
        }
    }
}

fn row(cells: &[Value; 3]) -> Row {
    [Value::from("k")].into_iter().chain(cells.iter().cloned()).collect()
}

fn table(cells: &Cells) -> Table {
    let mut table = Table::default();
    table.set(Key::of("k"), cells.as_ref().map(row));
    table
}

fn cells(row: Option<&Row>) -> Cells {
    row.map(|row| [row[1].clone(), row[2].clone(), row[3].clone()])
}

fn ignoring(clash: Clash, right: Deletes) -> Policy {
    Policy { clash, deletes: DeletePolicy::new(Deletes::Delete, right), ..Policy::default() }
}

#[test]
fn a_deletion_counts_among_spokes_unless_the_changed_row_stays_anyway() {
    let was = || numbers([1, 1, 1]);
    let town = |right| {
        Town::new(ignoring(Clash::Right, right), was()).spoke(was(), None, None).spoke(
            was(),
            numbers([1, 9, 1]),
            None,
        )
    };
    assert_eq!(town(Deletes::Delete).hub(), None);
    assert_eq!(town(Deletes::Ignore).hub(), numbers([1, 9, 1]));
    let result = town(Deletes::Ignore).reconcile();
    assert_eq!(result.spokes[0].changes[0].kind, ChangeKind::Insert);
}

#[test]
fn the_later_deletion_counts_unless_the_next_run_forgets_it_and_the_row_stays() {
    let was = || numbers([1, 1, 1]);
    let edited = || numbers([1, 9, 1]);
    let town = |right, hub, at| Town {
        hub_at: Some(at),
        ..Town::new(ignoring(Clash::Later, right), hub).spoke(was(), None, 7).spoke(
            was(),
            edited(),
            5,
        )
    };
    // The spoke's deletion is the latest word, whether or not the other row stays where it is.
    assert_eq!(town(Deletes::Delete, was(), 1).hub(), None);
    assert_eq!(town(Deletes::Ignore, was(), 1).hub(), None);
    assert_eq!(town(Deletes::Delete, None, 1).hub(), None);
    // The hub deleted it too, and earlier: the next run would know of that alone.
    assert_eq!(town(Deletes::Ignore, None, 1).hub(), edited());
    assert_eq!(town(Deletes::Ignore, None, 6).hub(), None);
}

#[test]
fn a_row_that_comes_back_keeps_what_nobody_changed() {
    let policy =
        || Policy { strategy: Strategy::LatestWins, ..ignoring(Clash::EditWins, Deletes::Delete) };
    let was = || numbers([1, 2, 3]);
    let town = Town::new(policy(), None).spoke(was(), numbers([1, 9, 3]), 1).spoke(was(), was(), 1);
    assert_eq!(town.hub(), numbers([1, 9, 3]));
    // The spokes last agreed with the hub on different rows: what nobody changed is then a word of its own.
    let town = Town::new(policy(), None).spoke(was(), numbers([1, 9, 3]), 1).spoke(
        numbers([4, 2, 3]),
        numbers([4, 2, 3]),
        2,
    );
    assert_eq!(town.hub(), numbers([4, 9, 3]));
    let losers = town.reconcile().losers;
    let lost: Vec<String> =
        losers.iter().map(|loser| format!("{} {:?}", loser.from, loser.lost)).collect();
    assert_eq!(lost.len(), 2, "the hub's deletion, and what s0 said of a: {lost:?}");
}

#[test]
fn cells_that_wait_for_a_rule_have_lost_nothing_yet() {
    let calculate = r#"[{"type":"fieldPriority","fields":["b"],"action":"calculate","expression":"left.a / (right.a - right.a)"}]"#;
    let strategy = Some(Strategy::RuleBased);
    let policy = Policy {
        strategy: Strategy::LeftPriority,
        granularity: Granularity::Cell,
        columns: BTreeMap::from([(
            "b".to_owned(),
            ColumnPolicy { strategy, ..ColumnPolicy::default() },
        )]),
        rules: serde_json::from_str(calculate).unwrap(),
        ..Policy::default()
    };
    let town =
        Town::new(policy, numbers([2, 2, 2])).spoke(numbers([1, 1, 1]), numbers([3, 3, 3]), None);
    let result = town.reconcile();
    assert_eq!(result.conflicts[0].cells.iter().map(|cell| cell.column).collect::<Vec<_>>(), [2]);
    let after = result.spokes[0].changes[0].after.as_ref();
    assert_eq!(cells(after), numbers([3, 3, 2]), "a and b wait, c is decided");
    let lost: Vec<String> = result.losers.iter().map(|loser| format!("{:?}", loser.lost)).collect();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0].contains("column: 3"), "{lost:?}");
}

#[test]
fn the_hubs_word_is_held_against_what_the_speaking_spoke_knew() {
    let policy = Policy {
        strategy: Strategy::LatestWins,
        modified_at: Some("c".into()),
        ..Policy::default()
    };
    // Nobody kept the time since the two agreed, so it says nothing; what another spoke knew is no matter.
    let town = Town {
        hub_at: Some(9),
        ..Town::new(policy, numbers([2, 1, 5]))
            .spoke(numbers([1, 1, 5]), numbers([3, 1, 5]), 1)
            .spoke(numbers([2, 1, 3]), numbers([2, 1, 3]), 1)
    };
    assert_eq!(town.hub(), numbers([2, 1, 5]));
}

#[test]
fn lists_keep_the_order_of_what_all_knew() {
    let policy = Policy { strategy: Strategy::AutomaticMerge, ..Policy::default() };
    let with = |a: &[&str]| Some([list(a), Value::Null, Value::Null]);
    let town = Town {
        types: ColumnType::List,
        ..Town::new(policy, with(&["c", "a"]))
            .spoke(with(&["c", "a"]), with(&["c", "a", "b"]), None)
            .spoke(with(&["c", "a"]), with(&["c", "a", "d"]), None)
    };
    assert_eq!(town.hub(), with(&["c", "a", "b", "d"]));
}

#[test]
fn a_row_that_only_stays_on_its_spoke_is_known_by_its_key_alone() {
    let policy = Policy {
        clash: Clash::DeleteWins,
        deletes: DeletePolicy::both(Deletes::Ignore),
        ..Policy::default()
    };
    let was = || numbers([1, 1, 1]);
    let town =
        Town::new(policy, None).spoke(was(), None, None).spoke(None, numbers([7, 7, 7]), None);
    let result = town.reconcile();
    let known = result.spokes[1].base[0].after.as_ref().unwrap();
    assert_eq!(**known, [Value::from("k"), Value::Null, Value::Null, Value::Null]);
}

#[test]
fn a_rule_names_a_spoke_by_its_source_its_name_or_its_side() {
    let was = || numbers([1, 1, 1]);
    let prefer = |name: &str| {
        let rule = format!(
            r#"[{{"type":"fieldPriority","fields":["a"],"action":"preferSource","prefer":["{name}"]}}]"#
        );
        let strategy = Strategy::RuleBased;
        let policy =
            Policy { strategy, rules: serde_json::from_str(&rule).unwrap(), ..Policy::default() };
        let mut town = Town::new(policy, numbers([5, 1, 1]))
            .spoke(was(), numbers([2, 1, 1]), 1)
            .spoke(was(), numbers([3, 1, 1]), 2);
        town.spokes[0].3 = Some("erp");
        town.spokes[1].3 = Some("crm");
        town
    };
    for (name, value) in
        [("erp", 2), ("s0", 2), ("crm", 3), ("s1", 3), ("right", 3), ("hub", 5), ("left", 5)]
    {
        assert_eq!(prefer(name).hub(), numbers([value, 1, 1]), "{name}");
    }
    assert_eq!(prefer("nobody").reconcile().conflicts.len(), 1);
}
