//! Datasets as the store keeps them: the definition, and the schema that the last run found.

use std::collections::BTreeMap;

use lockstep_engine::schema::Schema;
use serde::{Deserialize, Serialize};

use super::{Shell, definition::Definition, policy::Mark, prepare::Planned};
use crate::{
    error::{Error, Result, did_you_mean},
    replica::Source,
    store::{Store, base_name},
};

/// A saved dataset.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// What the caller said; rows that came with the call are left out.
    pub(super) definition: Definition,
    /// The columns and types of the last run.
    pub(super) schema: Option<Schema>,
    /// The columns in which members mark their rows, where nobody mapped them.
    #[serde(default)]
    pub(super) marks: BTreeMap<String, Mark>,
}

/// Returns the dataset that was saved under a name.
///
/// # Errors
/// A name that no dataset has, or one whose rows come with each call.
pub(crate) async fn definition(shell: &Shell, name: &str) -> Result<Definition> {
    let Some(saved) = load(shell, name).await? else {
        let known = shell.store.datasets(None, 1_000).await?;
        let names = known.iter().map(|dataset| dataset.name.as_str());
        return Err(Error::not_found(format!(
            "there is no saved dataset \"{name}\".{}",
            did_you_mean(name, names)
        ))
        .next("give left, right and key to define it"));
    };
    let mut members = saved.definition.members().into_iter();
    if let Some((member, _)) = members.find(|(_, source)| matches!(source, Source::Records { .. }))
    {
        return Err(Error::invalid(format!(
            "the dataset \"{name}\" takes rows of its {member} from the call, and none came"
        ))
        .next("define it with its records again"));
    }
    Ok(saved.definition)
}

/// Returns the saved dataset of a name.
///
/// # Errors
/// A saved dataset that does not read, which only another version of Lockstep can have written.
pub(super) async fn load(shell: &Shell, name: &str) -> Result<Option<Saved>> {
    read(&shell.store, name).await
}

/// Returns the schema that the last run of a dataset found.
///
/// # Errors
/// See [`load`].
pub(super) async fn schema(store: &Store, name: &str) -> Result<Option<Schema>> {
    Ok(read(store, name).await?.and_then(|saved| saved.schema))
}

async fn read(store: &Store, name: &str) -> Result<Option<Saved>> {
    let Some(dataset) = store.dataset(name).await? else { return Ok(None) };
    serde_json::from_value(dataset.definition).map(Some).map_err(|error| {
        Error::internal(format!("the saved dataset \"{name}\" does not read: {error}"))
            .next("define it anew under another name")
    })
}

/// Saves a definition under its name, and what a run found out about its columns.
///
/// # Errors
/// Other sides or another key than those that the dataset's base belongs to.
pub(super) async fn save(
    shell: &Shell,
    definition: &Definition,
    found: Option<&Planned>,
) -> Result<()> {
    let before = check(shell, definition).await?;
    let kept = definition.kept();
    let (schema, marks) = match found {
        Some(planned) => (Some(planned.plan.body().basis.schema.clone()), planned.marks()),
        None => before.map(|before| (before.schema, before.marks)).unwrap_or_default(),
    };
    let json = json(&Saved { definition: kept, schema, marks })?;
    shell.store.save_dataset(&definition.name, &json, shell.reach.clock.now()).await?;
    Ok(())
}

/// Checks that a definition may be saved under its name; returns what is saved there.
///
/// # Errors
/// Other sides or another key than those that the dataset's base belongs to.
pub(super) async fn check(shell: &Shell, definition: &Definition) -> Result<Option<Saved>> {
    let kept = definition.kept();
    let before = load(shell, &kept.name).await?;
    if let Some(before) = &before
        && let Some(other) = other_member(&before.definition, &kept)?
        && has_base(shell, &before.definition).await?
    {
        return Err(Error::invalid(format!(
            "the dataset \"{}\" is saved with another {other}, and what its sides last agreed on belongs to that",
            kept.name
        ))
        .next("give this dataset another name"));
    }
    Ok(before)
}

/// Returns what of a dataset is not what it was; spokes may come and go.
fn other_member(before: &Definition, now: &Definition) -> Result<Option<String>> {
    if before.key != now.key {
        return Ok(Some("key".into()));
    }
    if before.is_hub() != now.is_hub() {
        return Ok(Some("set of sides".into()));
    }
    for (name, source) in before.members() {
        if let Some(other) = now.source(name)
            && json(source)? != json(other)?
        {
            return Ok(Some(name.into()));
        }
    }
    Ok(None)
}

async fn has_base(shell: &Shell, definition: &Definition) -> Result<bool> {
    let spokes = definition.spokes().iter().map(|spoke| spoke.name.as_str());
    for spoke in spokes.chain(std::iter::once("")) {
        if shell.store.base(&base_name(&definition.name, spoke)).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the JSON form of something that is kept.
///
/// # Errors
/// Something without a JSON form, which is a defect.
pub(super) fn json(what: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(what)
        .map_err(|error| Error::internal("what is kept has no JSON form").with_source(error))
}
