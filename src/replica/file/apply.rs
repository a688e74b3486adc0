//! Writing a file: the whole content aside, flushed, renamed over, if the file still is as it was read.

use super::{FileTable, edits::Edits, shelf::Shelf, verify};
use crate::{
    error::{Error, Kind, Result},
    replica::{
        apply::{Place, Settled, Writes},
        reach::Reach,
        scan::Role,
    },
};

/// A file and what it will hold.
#[derive(Debug)]
pub(crate) struct FilePlan {
    shelf: Shelf,
    connection: Option<String>,
    path: String,
    before: Option<blake3::Hash>,
    content: Vec<u8>,
    run: String,
    /// The positions of all changes: a file is replaced as a whole.
    pub(crate) changes: Vec<usize>,
}

impl FilePlan {
    /// Writes the content that the file will have, in memory, and reads it back from there.
    ///
    /// # Errors
    /// [`Kind::Changed`] for a file that is not as it was scanned; a value that the format does not hold, and whatever
    /// of the file could not be kept.
    pub(crate) async fn new(
        reach: &Reach,
        table: &FileTable,
        writes: &Writes<'_>,
        run: &str,
    ) -> Result<Self> {
        let source = &table.source;
        let shelf = reach.shelf(source.connection.as_deref())?;
        shelf.check_writable(&source.path)?;
        let now = shelf.read(&source.path).await?;
        if now.as_deref().map(blake3::hash) != table.hash {
            return Err(changed(&source.path));
        }
        let place = |error: Error| error.context(format!("\"{}\"", source.path));
        let edits = Edits::new(writes);
        let format = table.format;
        let content = match &now {
            Some(bytes) => format.edit(bytes, source, &edits),
            None => format.create(source, &edits),
        }
        .map_err(place)?;
        let role = Role::Target;
        let before = match &now {
            Some(bytes) => format.read(bytes, source, role).map_err(place)?.snapshot,
            None => super::format::Rows::default().snapshot,
        };
        let after = format.read(&content, source, role).map_err(place)?.snapshot;
        verify::check(&before, &after, &edits).map_err(place)?;
        Ok(Self {
            shelf,
            connection: source.connection.clone(),
            path: source.path.clone(),
            before: table.hash,
            content,
            run: run.to_owned(),
            changes: (0..writes.changes.len()).collect(),
        })
    }

    /// Returns what settling needs.
    pub(crate) fn place(&self) -> Place {
        Place::File {
            connection: self.connection.clone(),
            path: self.path.clone(),
            before: self.before.map(|hash| hash.to_hex().to_string()),
            after: blake3::hash(&self.content).to_hex().to_string(),
        }
    }

    /// Replaces the file if it still is as it was when it was read.
    pub(crate) async fn send(&self) -> Result<()> {
        let (path, content) = (&self.path, &self.content);
        if self.shelf.replace_if(path, content, &self.run, self.before).await? {
            return Ok(());
        }
        Err(changed(&self.path))
    }
}

fn changed(path: &str) -> Error {
    Error::new(
        Kind::Changed,
        format!("the file \"{path}\" changed while it was compared; nothing was written"),
    )
    .next("call syncDataset again: it compares afresh")
}

/// Tells what became of a file whose writer died.
///
/// What the writer had put aside is removed, so that a writer that was only asleep cannot rename it into place.
pub(crate) async fn settle(
    shelf: &Shelf,
    path: &str,
    before: Option<&str>,
    after: &str,
) -> Result<Settled> {
    shelf.remove_asides(path).await?;
    let now = shelf.hash(path).await?.map(|hash| hash.to_hex().to_string());
    Ok(match now.as_deref() {
        Some(now) if now == after => Settled::Applied,
        now if now == before => Settled::Void,
        _ => Settled::Changed,
    })
}
