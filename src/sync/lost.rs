//! Writes that were confirmed and are gone: base forgets them, so that they are made again.
//!
//! Base says that both sides agreed on what the run wrote. If what stood there before is there again, a comparison with
//! base would take it for a person's edit and carry it to the side that has the right value. With the row as it was
//! before the write as base, the right value is the one that changed.

use std::collections::BTreeSet;

use lockstep_engine::{key::Key, value::Row};

use super::{Shell, definition::Definition, saved};
use crate::{
    error::Result,
    store::{Base, ChangeRecord},
};

/// Puts the rows of some keys in base back to what they were before the last write to a member, as far as base still
/// says what that write said.
///
/// # Errors
/// A store that cannot be read.
pub(super) async fn unlearn(
    shell: &Shell,
    definition: &Definition,
    member: &str,
    only: &BTreeSet<String>,
    base: &mut Base,
) -> Result<()> {
    let Some(schema) = saved::schema(&shell.store, &definition.name).await? else { return Ok(()) };
    let names = schema.key.iter().filter_map(|at| schema.columns.get(*at)).map(|one| &one.name);
    let key: Vec<usize> =
        names.filter_map(|name| base.columns.iter().position(|known| known == name)).collect();
    let of = |row: &Row| {
        let values = key.iter().filter_map(|at| row.get(*at)).cloned();
        Key::normalised(values, schema.fold_key_case)
    };
    let keys: Vec<Key> =
        base.rows.iter().map(of).filter(|key| only.contains(&key.to_string())).collect();
    let last = shell.store.last_writes(&definition.name, &keys).await?;
    let wrote = |key: &Key| last.iter().find(|one| one.side == member && one.action.key == *key);
    let columns = base.columns.clone();
    base.rows.retain_mut(|row| {
        let key = of(row);
        match wrote(&key) {
            Some(write) => back(&columns, row, write),
            None => true,
        }
    });
    Ok(())
}

/// Puts one row back; returns whether there is one.
fn back(columns: &[String], row: &mut Row, write: &ChangeRecord) -> bool {
    let Some(before) = &write.action.before else { return false };
    for at in write.action.cells.iter() {
        let Some(name) = write.columns.get(*at) else { continue };
        let Some(slot) = columns.iter().position(|known| known == name) else { continue };
        let after = write.action.after.as_ref().and_then(|row| row.get(*at));
        if let (Some(cell), Some(earlier)) = (row.get_mut(slot), before.get(*at))
            && after == Some(cell)
        {
            *cell = earlier.clone();
        }
    }
    true
}
