//! What may happen.

use lockstep_engine::dataset::SideName;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Strategy as Gen;

use crate::machine::run::Fault;
use crate::tables::COLUMNS;

/// What a person writes into a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// A value that nobody wrote before, so that it can be followed.
    Fresh,
    /// One of few, so that people write the same by chance.
    Small(u8),
    Copied,
    Blank,
}

#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Set {
        side: SideName,
        key: u8,
        column: usize,
        how: How,
    },
    /// Adds to the number in the first column.
    Add {
        side: SideName,
        key: u8,
        amount: i64,
    },
    Mark {
        side: SideName,
        key: u8,
        on: bool,
    },
    Insert {
        side: SideName,
        key: u8,
        how: Vec<How>,
        twice: bool,
    },
    Delete {
        side: SideName,
        key: u8,
    },
    /// A row without a key comes or goes.
    Blank {
        side: SideName,
    },
}

impl Edit {
    pub(crate) fn side(&self) -> SideName {
        match self {
            Edit::Set { side, .. } | Edit::Mark { side, .. } | Edit::Insert { side, .. } => *side,
            Edit::Add { side, .. } => *side,
            Edit::Delete { side, .. } | Edit::Blank { side } => *side,
        }
    }

    pub(crate) fn id(&self) -> String {
        match self {
            Edit::Set { key, .. } | Edit::Mark { key, .. } => format!("k{key}"),
            Edit::Add { key, .. } | Edit::Insert { key, .. } | Edit::Delete { key, .. } => {
                format!("k{key}")
            }
            Edit::Blank { .. } => String::new(),
        }
    }
}

/// One run, with all that goes wrong in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sync {
    pub(crate) policy: usize,
    /// Whether the times of edits are known.
    pub(crate) timed: bool,
    pub(crate) right_first: bool,
    pub(crate) fault: Fault,
    /// Pages that could not be read.
    pub(crate) lost: Option<(SideName, u8)>,
    /// What a person does between the read and the writes.
    pub(crate) race: Option<Edit>,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Person(Edit),
    Sync(Sync),
    Decide { nth: usize, how: u8, policy: usize },
    Rollback { nth: usize, fault: Fault },
}

fn how() -> impl Gen<Value = How> + Clone {
    prop_oneof![
        5 => Just(How::Fresh),
        2 => (0..4u8).prop_map(How::Small),
        2 => Just(How::Copied),
        1 => Just(How::Blank),
    ]
}

fn edit() -> impl Gen<Value = Edit> + Clone {
    let place = (select(SideName::BOTH.to_vec()), 0..3u8);
    prop_oneof![
        8 => (place.clone(), 0..COLUMNS, how())
            .prop_map(|((side, key), column, how)| Edit::Set { side, key, column, how }),
        1 => (place.clone(), any::<bool>()).prop_map(|((side, key), on)| Edit::Mark { side, key, on }),
        5 => (place.clone(), vec(how(), COLUMNS), prop::bool::weighted(0.1))
            .prop_map(|((side, key), how, twice)| Edit::Insert { side, key, how, twice }),
        3 => place.clone().prop_map(|(side, key)| Edit::Delete { side, key }),
        1 => place.prop_map(|(side, _)| Edit::Blank { side }),
    ]
}

pub(crate) fn fault() -> impl Gen<Value = Fault> + Clone {
    let refuse = prop_oneof![3 => Just(0u8), 1 => any::<u8>()];
    (weighted(0.3, 0..7u8), refuse).prop_map(|(crash, refuse)| Fault { crash, refuse })
}

pub(crate) fn operations() -> impl Gen<Value = Vec<Operation>> {
    let lost = weighted(0.15, (select(SideName::BOTH.to_vec()), any::<u8>()));
    let sync = (0..4usize, any::<bool>(), any::<bool>(), fault(), lost, weighted(0.2, edit()));
    let sync = sync.prop_map(|(policy, timed, right_first, fault, lost, race)| {
        Operation::Sync(Sync { policy, timed, right_first, fault, lost, race })
    });
    let operation = prop_oneof![
        10 => edit().prop_map(Operation::Person),
        6 => sync,
        2 => (0..4usize, any::<u8>(), 0..4usize)
            .prop_map(|(nth, how, policy)| Operation::Decide { nth, how, policy }),
        1 => (0..3usize, fault()).prop_map(|(nth, fault)| Operation::Rollback { nth, fault }),
    ];
    vec(operation, 1..20)
}
