//! Says whether a resource can be read as it is described: for the operator, before anything depends on it.

use serde::Serialize;

use super::{
    Api,
    list::{At, Lister},
};
use crate::{
    error::{Error, Result},
    progress::Progress,
    replica::connections::Connections,
};

/// What the first page of a resource showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The resource.
    pub resource: String,
    /// How many items the first page has.
    pub items: u64,
    /// What is not as it is described, in words; none if all is well.
    pub problems: Vec<String>,
}

impl Api {
    /// Reads the first page of each resource, and compares it with the description.
    async fn check(&self, progress: &Progress) -> Vec<Checked> {
        let mut checked = Vec::new();
        for name in self.0.resources.keys() {
            let mut found = Checked { resource: name.clone(), items: 0, problems: Vec::new() };
            if let Err(error) = self.look_at(name, progress, &mut found).await {
                found.problems.push(error.to_string());
            }
            checked.push(found);
        }
        checked
    }

    async fn look_at(&self, name: &str, progress: &Progress, found: &mut Checked) -> Result<()> {
        let resource = self.resource(name)?;
        let mut lister = Lister::new(At { wire: self.wire(), resource, progress }, None);
        let page = lister.next().await?;
        let items = page.map(|page| page.items).unwrap_or_default();
        found.items = items.len() as u64;
        if items.is_empty() {
            found
                .problems
                .push("the list is blank: whether the fields are right cannot be seen".into());
            return Ok(());
        }
        for pointer in resource.config.id.pointers() {
            let without = items.iter().filter(|item| item.at(pointer).is_none()).count();
            if without > 0 {
                found.problems.push(format!("{without} items have no id at {pointer}"));
            }
        }
        for (name, field) in &resource.config.fields {
            if items.iter().all(|item| item.at(&field.pointer).is_none()) {
                found
                    .problems
                    .push(format!("no item has the field \"{name}\" at {}", field.pointer));
            }
            if let Some(what) = items.iter().find_map(|item| field.read(item).err()) {
                found.problems.push(format!("field \"{name}\": {what}"));
            }
        }
        Ok(())
    }
}

impl Connections {
    /// Says of each resource of an API whether it can be read as it is described.
    ///
    /// # Errors
    /// A name that is no API's.
    pub async fn check_api(&self, name: &str, progress: &Progress) -> Result<Vec<Checked>, Error> {
        Ok(self.api(name)?.check(progress).await)
    }
}
