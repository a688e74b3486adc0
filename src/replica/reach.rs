//! What reading and writing replicas may reach: built once, so that an adapter reaches only what the operator named.

use lockstep_google::Google;

use super::{
    connections::Connections,
    file::{folder::Files, shelf::Shelf},
};
use crate::{clock::Clock, error::Result, progress::Progress};

/// Everything an adapter may use.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// The spreadsheets, with this run's own count of calls.
    pub(crate) google: Google,
    /// The folder of file replicas.
    pub(crate) files: Files,
    /// Databases, APIs and other places, by the operator's names.
    pub(crate) connections: Connections,
    /// The time.
    pub(crate) clock: Clock,
    /// Where progress goes and cancellation comes from.
    pub(crate) progress: Progress,
}

impl Reach {
    /// Returns the folder of this name among the connections, or the default one.
    ///
    /// # Errors
    /// A name that is unknown or no folder's, or a folder that cannot be opened.
    pub(crate) fn shelf(&self, connection: Option<&str>) -> Result<Shelf> {
        match connection {
            None => Ok(Shelf::Folder(self.files.clone())),
            Some(name) => self.connections.shelf(name),
        }
    }
}
