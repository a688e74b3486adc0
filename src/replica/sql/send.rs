//! Sending a batch: one transaction, from its marker to its commit.

use super::{batch, check::Work, failure, marker, plan::SqlPlan, session::Session};
use crate::{
    error::{Error, Kind, Result},
    replica::apply::{Notes, Sent, Settled, Unconfirmed, Writes},
};

impl SqlPlan {
    /// Writes a batch; returns when the database has confirmed it.
    ///
    /// # Errors
    /// A refused row, or a connection that is lost before the commit: nothing of the batch was written. One that is
    /// lost during the commit is settled by the marker; where that fails, too, the outcome is unknown.
    pub(crate) async fn send(
        &self,
        number: usize,
        writes: &Writes<'_>,
        notes: &Notes,
    ) -> Result<Sent> {
        let sent = self.send_batch(number, writes, notes).await;
        sent.map_err(|error| error.context(self.database.place()))
    }

    async fn send_batch(&self, number: usize, writes: &Writes<'_>, notes: &Notes) -> Result<Sent> {
        let mut session = self.database.pool().await?.write().await?;
        let filled = match self.fill(&mut session, number, writes).await {
            // The marker will say that the batch is there: what it lacks must be known by then.
            Ok(lacks) => notes.leave_out(writes, &lacks).await.map(|()| lacks),
            Err(error) => Err(error),
        };
        let unconfirmed = match filled {
            Ok(unconfirmed) => unconfirmed,
            Err(error) => {
                session.rollback().await;
                return Err(error);
            }
        };
        let Err(error) = session.commit().await else {
            return Ok(Sent { unconfirmed, ..Sent::default() });
        };
        if let Some((said, _)) = failure::refused(&error) {
            return Err(Error::invalid(format!(
                "the database refuses the batch at its commit: {said}; nothing of it was written"
            ))
            .next("correct the rows that the constraint names"));
        }
        tracing::warn!(%error, "a commit was not answered; asking for its marker");
        let unknown = |why: String| {
            Error::new(Kind::Ambiguous, format!("a commit was not answered ({error}), and {why}"))
        };
        let Some(id) = self.marker(number) else {
            return Err(unknown("there is no marker to ask for".into()));
        };
        match marker::settle(&self.database, &self.markers(), &id).await {
            Ok(Settled::Applied) => Ok(Sent { unconfirmed, ..Sent::default() }),
            Ok(_) => Err(Error::new(
                Kind::Unavailable,
                "the connection to the database was lost during a commit; nothing of the batch was written",
            )
            .next("call again when the database can be reached")),
            Err(asked) => Err(unknown(format!("its marker could not be asked for: {asked}"))),
        }
    }

    /// Does everything but the commit.
    async fn fill(
        &self,
        session: &mut Session,
        number: usize,
        writes: &Writes<'_>,
    ) -> Result<Vec<Unconfirmed>> {
        if let Some(id) = self.marker(number) {
            marker::add(session, &self.markers(), &id).await?;
        }
        let positions = self.batches.get(number).map(Vec::as_slice).unwrap_or_default();
        batch::write(Work { plan: self, writes }, session, positions).await
    }
}
