//! The engine's policy of a definition, and where each of its columns stands on each side.

use lockstep_engine::{
    dataset::{ColumnPolicy, DeletePolicy, Deletes, PerSide, Policy, SideName},
    schema::{Column, ColumnType, Schema},
};

use super::definition::{ColumnDef, Definition, Disappeared};

/// A policy, the schema that it is about, and the headers of each side.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) policy: Policy,
    pub(super) schema: Schema,
    /// For each column of the schema, its header on the side, if the side has it.
    pub(super) headers: PerSide<Vec<Option<String>>>,
    /// The column of the schema that marks rows of the side, where it is not a mapped one.
    pub(super) marks: PerSide<Option<usize>>,
}

/// Returns the engine's policy; a mark column that is not mapped joins the schema for its side alone.
pub(super) fn settle(definition: &Definition, columns: &[ColumnDef], schema: Schema) -> Settled {
    let headers = PerSide::from_fn(|side| {
        columns.iter().map(|column| Some(column.header(side).to_owned())).collect::<Vec<_>>()
    });
    let policy = definition.policy.clone();
    let mut settled = Settled { policy, schema, headers, marks: PerSide::default() };
    let deletes = PerSide::from_fn(|side| settled.deletes(definition, columns, side));
    settled.policy.deletes = DeletePolicy::new(deletes.left, deletes.right);
    settled
}

/// Returns the names that a mark column of a side can have in the schema, the plain one first.
pub(super) fn mark_names(column: &str, side: SideName) -> [String; 3] {
    [column.to_owned(), format!("{column} (mark)"), format!("{column} ({side} mark)")]
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
        let names = mark_names(header, side);
        let free = |name: &&String| self.schema.position(name).is_none();
        let name = names.iter().find(free).or(names.last()).cloned().unwrap_or_default();
        *self.marks.get_mut(side) = Some(self.schema.columns.len());
        self.schema.columns.push(Column::new(&name, ColumnType::Text));
        self.headers.get_mut(side).push(Some(header.to_owned()));
        self.headers.get_mut(side.other()).push(None);
        let only = ColumnPolicy { only: Some(side), ..ColumnPolicy::default() };
        self.policy.columns.insert(name.clone(), only);
        name
    }
}
