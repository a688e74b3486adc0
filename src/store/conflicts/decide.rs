//! What people decide, kept with a line of the audit for each.

use jiff::Timestamp;
use serde_json::json;

use super::super::audit::{self, Remark};
use super::super::codec::{json as text, micros, plain, word};
use super::super::{Conn, Store};
use super::list::Filter;
use super::read::{Line, select};
use super::{Choice, State, Stored};
use crate::error::{Error, Kind, Result};

/// A decision about one conflict.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// The conflict.
    pub(crate) id: String,
    /// The choice; `None` takes a decision back.
    pub(crate) choice: Option<Choice>,
    /// How it was come to: a winner, a value, a strategy or a rule.
    pub(crate) by: String,
    /// What is written beside it.
    pub(crate) note: Option<String>,
    /// Whether its key and its values are not to be shown: the audit keeps digests of them.
    pub(crate) hidden: bool,
}

impl Store {
    /// Keeps decisions, all of them or none, each with a line of the audit.
    ///
    /// # Errors
    /// [`Kind::NotFound`] for a name that no conflict has; [`Kind::Changed`] for one that is not open any more.
    pub(crate) async fn decide(
        &self,
        verdicts: &[Verdict],
        caller: &str,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let mut remarks: Vec<(String, Remark)> = Vec::with_capacity(verdicts.len());
        for verdict in verdicts {
            let stored = find(&mut tx, &verdict.id).await?;
            let wanted = if verdict.choice.is_some() { State::Open } else { State::Decided };
            if stored.state != wanted || stored.run.is_some() {
                return Err(not_open(&stored));
            }
            let (state, decided) = match verdict.choice {
                Some(_) => (State::Decided, Some(micros(at))),
                None => (State::Open, None),
            };
            sqlx::query(
                "UPDATE conflicts SET state = $1, choice = $2, decided = $3, decided_by = $4,
                     note = COALESCE($5, note) WHERE id = $6",
            )
            .bind(word(&state)?)
            .bind(tx.seal.some_text("choice", verdict.choice.as_ref().map(text).transpose()?)?)
            .bind(decided)
            .bind(
                tx.seal.some_text(
                    "decided_by",
                    decided.map(|_| format!("{} ({caller})", verdict.by)),
                )?,
            )
            .bind(tx.seal.some_text("note", verdict.note.as_deref().map(plain))?)
            .bind(&verdict.id)
            .execute(&mut *tx)
            .await?;
            remarks.push((stored.dataset.clone(), remark(stored, verdict)));
        }
        audit::remark(&mut tx, caller, at, remarks).await?;
        Ok(tx.commit().await?)
    }

    /// Sets who looks after conflicts, and what is written about them; returns how many.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub(crate) async fn annotate(
        &self,
        filter: &Filter,
        assignee: Option<&str>,
        note: Option<&str>,
    ) -> Result<u64> {
        let mut tx = self.write().await?;
        let mut query = crate::store::Statement::new("UPDATE conflicts SET assignee = COALESCE(");
        query.push_bind(assignee.map(str::to_owned)).push(", assignee), note = COALESCE(");
        query.push_bind(tx.seal.some_text("note", note.map(plain))?).push(", note)");
        filter.conditions(&mut query, &tx.seal)?;
        let done = query.build().execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        Ok(done)
    }
}

async fn find(conn: &mut Conn, id: &str) -> Result<Stored> {
    let mut query = select();
    query.push(" WHERE id = ").push_bind(id.to_owned());
    let line: Option<Line> = query.build_query_as().fetch_optional(conn).await?;
    line.map(Line::read).transpose()?.ok_or_else(|| unknown(id))
}

/// Returns the error of a name that no conflict has.
pub(crate) fn unknown(id: &str) -> Error {
    Error::not_found(format!("there is no conflict \"{id}\"; nothing was decided"))
        .next("list them with resolveConflicts; ids change when the disputed values do")
}

/// Returns the error of a conflict that cannot be decided any more.
fn not_open(stored: &Stored) -> Error {
    let by = stored.decided_by.as_deref().or(stored.closed_by.as_deref()).unwrap_or_default();
    let (why, next) = match (stored.state, &stored.run) {
        (State::Decided, Some(run)) => {
            (format!("is being applied by run {run}"), "wait for the run's end")
        }
        (State::Decided, None) => (
            format!("is decided already, by {by}"),
            "take the decision back with action \"reopen\" first, or let the next run apply it",
        ),
        (State::Applied, _) => (
            format!("was applied already, by {by}"),
            "take its run back with rollbackSync; that opens it again",
        ),
        (State::Closed, _) => (format!("has ended by {by}"), "there is nothing to decide"),
        (State::Stale, _) => (
            "was decided on values that have changed since".to_owned(),
            "list the conflicts of its key, and decide on what the sides say now",
        ),
        (State::Open, _) => ("is open: there is no decision to take back".to_owned(), "decide it"),
    };
    Error::new(
        Kind::Changed,
        format!("the conflict {} ({}) {why}; nothing was decided", stored.id, stored.key),
    )
    .next(next)
}

fn remark(stored: Stored, verdict: &Verdict) -> Remark {
    let columns = if stored.column.is_empty() { Vec::new() } else { vec![stored.column] };
    let before = json!({"base": stored.base, "voices": stored.voices});
    let after = json!({"choice": verdict.choice, "by": verdict.by});
    let hidden = verdict.hidden;
    Remark { key: stored.key, columns, before, after, about: stored.id, hidden }
}
