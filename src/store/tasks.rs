//! Calls that go on after their request was answered: who asked for them, how far they are, what came of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::codec::{from_word, json, micros, parse, plain, time, word};
use super::runs::select;
use super::{Conn, Run, Seal, Store};
use crate::error::{Error, Kind, Result};

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskState {
    /// It is under way.
    Working,
    /// It waits for a person's answer.
    InputRequired,
    /// It ended with a result, be it an error of the tool.
    Completed,
    /// It did not come to its end.
    Failed,
    /// It was stopped because its owner wanted it.
    Cancelled,
}

impl TaskState {
    /// Returns whether nothing more happens to the task.
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Working | Self::InputRequired)
    }
}

/// A task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Task {
    /// Its name.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) subject: String,
    /// The tool that was called.
    pub(crate) tool: String,
    /// How far it is.
    pub(crate) state: TaskState,
    /// The same in words.
    pub(crate) message: Option<String>,
    /// The process that works on it.
    pub(crate) holder: String,
    /// When it began.
    pub(crate) created: Timestamp,
    /// When it last changed.
    pub(crate) updated: Timestamp,
    /// Until when it is kept once it is over.
    pub(crate) expires: Timestamp,
    /// Whether its owner wants it to stop.
    pub(crate) cancel: bool,
    /// What it asks; opaque here.
    pub(crate) question: Option<Json>,
    /// What was answered; opaque here.
    pub(crate) answer: Option<Json>,
    /// What came of it; opaque here.
    pub(crate) outcome: Option<Json>,
}

#[derive(sqlx::FromRow)]
struct TaskRow {
    id: String,
    subject: String,
    tool: String,
    state: String,
    message: Option<String>,
    holder: String,
    created: i64,
    updated: i64,
    expires: i64,
    cancel: i64,
    question: Option<String>,
    answer: Option<String>,
    outcome: Option<String>,
}

impl TaskRow {
    fn read(self) -> Result<Task> {
        let value = |text: Option<String>| text.map(|text| parse::<Json>(&text)).transpose();
        Ok(Task {
            id: self.id,
            subject: self.subject,
            tool: self.tool,
            state: from_word(self.state)?,
            message: self.message,
            holder: self.holder,
            created: time(self.created)?,
            updated: time(self.updated)?,
            expires: time(self.expires)?,
            cancel: self.cancel != 0,
            question: value(self.question)?,
            answer: value(self.answer)?,
            outcome: value(self.outcome)?,
        })
    }
}

fn query(condition: &str) -> super::Statement {
    let mut query = super::Statement::new(
        "SELECT id, subject, tool, state, message, holder, created, updated, expires,
             CAST(CASE WHEN cancel THEN 1 ELSE 0 END AS BIGINT) AS cancel,
             question, answer, outcome FROM tasks WHERE ",
    );
    query.push(condition);
    query
}

/// The states of a task that is not over, as they stand in the table.
const OPEN: &str = "state IN ('working', 'input_required')";

impl Store {
    /// Makes a task, and drops those that are over and have expired.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn add_task(&self, task: &Task) -> Result<()> {
        let mut tx = self.write().await?;
        expired(&mut tx, task.created).await?;
        sqlx::query(
            "INSERT INTO tasks (id, subject, tool, state, message, holder, created, updated, expires, cancel)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&task.id)
        .bind(&task.subject)
        .bind(&task.tool)
        .bind(word(&task.state)?)
        .bind(tx.seal.some_text("message", task.message.as_deref().map(plain))?)
        .bind(&task.holder)
        .bind(micros(task.created))
        .bind(micros(task.updated))
        .bind(micros(task.expires))
        .bind(task.cancel)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Returns a task.
    ///
    /// # Errors
    /// When the stored text is damaged.
    pub(crate) async fn task(&self, id: &str) -> Result<Option<Task>> {
        let mut query = query("id = ");
        query.push_bind(id.to_owned());
        let row: Option<TaskRow> = query.build_query_as().fetch_optional(&self.reads).await?;
        row.map(TaskRow::read).transpose()
    }

    /// Returns the tasks of a subject, newest first.
    ///
    /// # Errors
    /// When the stored text is damaged.
    pub(crate) async fn tasks_of(&self, subject: &str, limit: u32) -> Result<Vec<Task>> {
        let mut query = query("subject = ");
        query.push_bind(subject.to_owned());
        query.push(" ORDER BY created DESC, id LIMIT ").push_bind(i64::from(limit));
        let rows: Vec<TaskRow> = query.build_query_as().fetch_all(&self.reads).await?;
        rows.into_iter().map(TaskRow::read).collect()
    }

    /// Returns the tasks that are not over, oldest first.
    ///
    /// # Errors
    /// When the stored text is damaged.
    pub(crate) async fn open_tasks(&self) -> Result<Vec<Task>> {
        let mut query = query(OPEN);
        query.push(" ORDER BY created, id");
        let rows: Vec<TaskRow> = query.build_query_as().fetch_all(&self.reads).await?;
        rows.into_iter().map(TaskRow::read).collect()
    }

    /// Says how far a task is that is under way.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn note_task(&self, id: &str, message: &str, now: Timestamp) -> Result<()> {
        let set = "state = 'working', question = NULL, answer = NULL, message = ";
        self.set_open(id, set, |seal| seal.text("message", plain(message)), now).await
    }

    /// Lets a task wait for an answer.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn ask_task(
        &self,
        id: &str,
        question: &Json,
        message: &str,
        now: Timestamp,
    ) -> Result<()> {
        self.note_task(id, message, now).await?;
        let set = "state = 'input_required', question = ";
        self.set_open(id, set, |seal| seal.text("question", json(question)?), now).await
    }

    /// Hands an answer to a task that waits for it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn answer_task(&self, id: &str, answer: &Json, now: Timestamp) -> Result<()> {
        self.set_open(id, "answer = ", |seal| seal.text("answer", json(answer)?), now).await
    }

    /// Tells whoever works on a task that its owner wants it to stop.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn cancel_task(&self, id: &str, now: Timestamp) -> Result<()> {
        self.set_open(id, "cancel = ", |_| Ok(true), now).await
    }

    /// Ends a task that is not over yet; says whether it was not.
    ///
    /// # Errors
    /// A state in which it would not be over.
    pub(crate) async fn end_task(&self, ended: &Task) -> Result<bool> {
        if !ended.state.is_over() {
            return Err(Error::internal("a task cannot be ended as one that is under way"));
        }
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE tasks SET state = $1, message = $2, outcome = $3, updated = $4, expires = $5,
                 question = NULL, answer = NULL
             WHERE id = $6 AND state IN ('working', 'input_required')",
        )
        .bind(word(&ended.state)?)
        .bind(tx.seal.some_text("message", ended.message.as_deref().map(plain))?)
        .bind(tx.seal.some_text("outcome", ended.outcome.as_ref().map(json).transpose()?)?)
        .bind(micros(ended.updated))
        .bind(micros(ended.expires))
        .bind(&ended.id)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Returns the runs whose caller ends with this mark, oldest first.
    ///
    /// # Errors
    /// A blank mark.
    pub(crate) async fn runs_marked(&self, mark: &str) -> Result<Vec<Run>> {
        if mark.trim().is_empty() {
            return Err(Error::new(Kind::Internal, "runs are looked up by a blank mark"));
        }
        let mut query = select();
        query.push(" WHERE SUBSTR(caller, LENGTH(caller) - LENGTH(").push_bind(mark.to_owned());
        query.push(") + 1) = ");
        query.push_bind(mark.to_owned()).push(" ORDER BY number");
        self.read_runs(query).await
    }

    async fn set_open<'q, T>(
        &self,
        id: &str,
        set: &str,
        value: impl FnOnce(&Seal) -> Result<T> + Send,
        now: Timestamp,
    ) -> Result<()>
    where
        T: 'q + sqlx::Encode<'q, super::Db> + sqlx::Type<super::Db> + Send,
    {
        let mut query = super::Statement::new(format!("UPDATE tasks SET {set}"));
        let mut tx = self.write().await?;
        query.push_bind(value(&tx.seal)?).push(", updated = ").push_bind(micros(now));
        query.push(" WHERE id = ").push_bind(id.to_owned()).push(format!(" AND {OPEN}"));
        query.build().execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }
}

/// Drops tasks that are over and have expired.
pub(super) async fn expired(conn: &mut Conn, now: Timestamp) -> Result<()> {
    sqlx::query(
        "DELETE FROM tasks WHERE expires <= $1 AND state NOT IN ('working', 'input_required')",
    )
    .bind(micros(now))
    .execute(conn)
    .await?;
    Ok(())
}

/// Drops what tasks that are over said: their reports quote cells.
pub(super) async fn silence(conn: &mut Conn) -> Result<()> {
    sqlx::query("DELETE FROM tasks WHERE state NOT IN ('working', 'input_required')")
        .execute(conn)
        .await?;
    Ok(())
}
