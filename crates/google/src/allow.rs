//! What the operator lets this client touch: everything, or the files and folders that were named.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::drive::file::File;
use crate::id::check_id;
use crate::{Error, Google, Kind, Result, Retry};

/// Says what a client may touch.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Ids of files, and of folders whose direct children may be touched; `None` for everything.
    pub files: Option<BTreeSet<String>>,
    /// Whether nothing is ever written.
    pub read_only: bool,
}

/// Keeps to [`Access`], and remembers which files were found inside a named folder.
#[derive(Debug, Default)]
pub(crate) struct Door {
    access: Access,
    inside: Mutex<BTreeSet<String>>,
}

impl Door {
    pub(crate) fn new(access: Access) -> Self {
        Self { access, inside: Mutex::default() }
    }

    pub(crate) fn read_only(&self) -> bool {
        self.access.read_only
    }

    /// Returns whether a file that Drive showed may be seen.
    pub(crate) fn shows(&self, file: &File) -> bool {
        self.access.files.as_ref().is_none_or(|named| {
            named.contains(&file.id)
                || file.parents.iter().any(|parent| named.contains(parent))
                || self.knows(&file.id)
        })
    }

    /// Lets a file in that this client made itself.
    pub(crate) fn made(&self, id: &str) {
        if self.access.files.is_some() {
            self.inside.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        }
    }

    fn knows(&self, id: &str) -> bool {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }
}

impl Google {
    /// Checks an id, and that the operator allows it: named itself, or in a named folder, which
    /// costs one read the first time.
    ///
    /// It says the same of what is not allowed and of what is not there.
    pub(crate) async fn may(&self, operation: &'static str, id: &str) -> Result<()> {
        check_id(operation, id)?;
        let door = &self.shared.door;
        let Some(named) = &door.access.files else { return Ok(()) };
        if named.contains(id) || door.knows(id) {
            return Ok(());
        }
        let shown = self.look(id).await.is_ok_and(|file| door.shows(&file));
        if shown {
            door.made(id);
            return Ok(());
        }
        Err(Error::new(
            Kind::Forbidden,
            Retry::Permanent,
            operation,
            format!(
                "the operator does not allow the file {id}; [access] files names what may be used"
            ),
        ))
    }
}
