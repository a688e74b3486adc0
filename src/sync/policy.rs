//! The engine's policy of a definition, and where each of its columns stands on each side.

use lockstep_engine::{
    dataset::{ColumnPolicy, DeletePolicy, Deletes, Direction, PerSide, Policy, SideName},
    schema::{Column, ColumnType, Schema},
};

use serde::{Deserialize, Serialize};

use super::definition::{ColumnDef, Definition, Disappeared};
use crate::replica::scan::Scan;

/// A policy, the schema that it is about, and the headers of each side.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) policy: Policy,
    pub(super) schema: Schema,
    /// For each column of the schema, its header on the side, if the side has it.
    pub(super) headers: PerSide<Vec<Option<String>>>,
    /// The column that marks rows of the side, where it is not a mapped one.
    pub(super) marks: PerSide<Option<Mark>>,
}

/// Returns the engine's policy; a mark column that is not mapped joins the schema for its side alone.
///
/// A column that holds formulas on a side flows from there alone: nothing is ever written over a formula.
pub(super) fn settle(
    definition: &Definition,
    columns: &[ColumnDef],
    schema: Schema,
    sides: &PerSide<Scan>,
) -> Settled {
    let headers = PerSide::from_fn(|side| {
        columns.iter().map(|column| Some(column.header(side).to_owned())).collect::<Vec<_>>()
    });
    let mut policy = definition.policy.clone();
    for column in columns.iter().filter(|column| !definition.key.contains(&column.name)) {
        for (side, direction) in
            [(SideName::Left, Direction::LeftToRight), (SideName::Right, Direction::RightToLeft)]
        {
            if sides.get(side).formulas.contains(column.header(side)) {
                policy.columns.entry(column.name.clone()).or_default().direction = Some(direction);
            }
        }
    }
    let mut settled = Settled { policy, schema, headers, marks: PerSide::default() };
    let deletes = PerSide::from_fn(|side| settled.deletes(definition, columns, side));
    settled.policy.deletes = DeletePolicy::new(deletes.left, deletes.right);
    settled
}

/// A column in which a side marks its rows, where nobody mapped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Its name in the schema.
    pub(super) column: String,
    /// Its header on the side.
    pub(super) header: String,
}

impl Settled {
    fn deletes(
        &mut self,
        definition: &Definition,
        columns: &[ColumnDef],
        side: SideName,
    ) -> Deletes {
        let (column, value) = match &definition.deletes {
            _ if !definition.writes(side) => return Deletes::Ignore,
            Disappeared::Delete => return Deletes::Delete,
            Disappeared::Ignore => return Deletes::Ignore,
            Disappeared::Mark { column, value } => (column, value),
        };
        let name = match columns.iter().find(|known| known.header(side) == column) {
            Some(known) => known.name.clone(),
            None => self.add_mark(column, side),
        };
        Deletes::Mark { column: Some(name.into()), value: value.as_str().into() }
    }

    fn add_mark(&mut self, header: &str, side: SideName) -> String {
        let taken = self.schema.position(header).is_some();
        let name = match (self.policy.direction, taken) {
            (Direction::Both, _) => format!("{header} ({side})"),
            (_, true) => format!("{header} (mark)"),
            (_, false) => header.to_owned(),
        };
        let mark = Mark { column: name.clone(), header: header.to_owned() };
        *self.marks.get_mut(side) = Some(mark);
        self.schema.columns.push(Column::new(&name, ColumnType::Text));
        self.headers.get_mut(side).push(Some(header.to_owned()));
        self.headers.get_mut(side.other()).push(None);
        let only = ColumnPolicy { only: Some(side), ..ColumnPolicy::default() };
        self.policy.columns.insert(name.clone(), only);
        name
    }
}
