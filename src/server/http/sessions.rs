//! Which sessions are open over HTTP, whose they are, and whether anybody still uses them.
//!
//! The SDK knows sessions, but neither whose they are nor how to tell one that waits for a slow
//! call from one whose client is gone. So every request takes a [`Use`] of its session until its
//! answer is over, and only sessions without one for a long time are closed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How many sessions may be open at once.
pub(super) const MOST: usize = 4096;

/// How long a session may lie unused.
pub(super) const IDLE: Duration = Duration::from_secs(3600);

#[derive(Debug)]
struct Entry {
    subject: String,
    used: Instant,
    users: usize,
}

/// The open sessions by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<String, Entry>>>);

/// What a request is to its session.
#[derive(Debug)]
pub(super) enum Admission {
    /// It may go on; the session is in use as long as this is kept.
    Welcome(Use),
    /// The session is not known here.
    Unknown,
    /// The session is somebody else's.
    Foreign,
}

/// A use of a session; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Use {
    sessions: Sessions,
    id: String,
}

impl Drop for Use {
    fn drop(&mut self) {
        if let Some(entry) = self.sessions.lock().get_mut(&self.id) {
            entry.users = entry.users.saturating_sub(1);
            entry.used = Instant::now();
        }
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a new session of `subject`, in use.
    pub(super) fn opened(&self, id: &str, subject: &str) -> Use {
        let entry = Entry { subject: subject.to_owned(), used: Instant::now(), users: 1 };
        self.lock().insert(id.to_owned(), entry);
        Use { sessions: self.clone(), id: id.to_owned() }
    }

    /// Decides on a request of `subject` to a session.
    pub(super) fn admit(&self, id: &str, subject: &str) -> Admission {
        match self.lock().get_mut(id) {
            None => Admission::Unknown,
            Some(entry) if entry.subject != subject => Admission::Foreign,
            Some(entry) => {
                entry.users += 1;
                Admission::Welcome(Use { sessions: self.clone(), id: id.to_owned() })
            }
        }
    }

    /// Forgets a session.
    pub(super) fn closed(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Returns how many sessions are open.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Returns the sessions that nobody used for `limit`.
    pub(super) fn idle(&self, limit: Duration) -> Vec<String> {
        let sessions = self.lock();
        let idle = |entry: &Entry| entry.users == 0 && entry.used.elapsed() >= limit;
        sessions.iter().filter(|(_, entry)| idle(entry)).map(|(id, _)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_in_use_is_never_idle() {
        let sessions = Sessions::default();
        drop(sessions.opened("a", "ada"));
        let busy = sessions.opened("b", "ada");
        tokio::time::advance(IDLE).await;
        assert_eq!(sessions.idle(IDLE), ["a"]);
        drop(busy);
        assert_eq!(sessions.idle(IDLE), ["a"], "its time starts when the last use ends");
        tokio::time::advance(IDLE).await;
        assert_eq!(sessions.idle(IDLE).len(), 2);
    }

    #[tokio::test]
    async fn a_session_belongs_to_who_opened_it() {
        let sessions = Sessions::default();
        drop(sessions.opened("a", "ada"));
        assert!(matches!(sessions.admit("a", "ada"), Admission::Welcome(_)));
        assert!(matches!(sessions.admit("a", "bo"), Admission::Foreign));
        assert!(matches!(sessions.admit("x", "ada"), Admission::Unknown));
        sessions.closed("a");
        assert!(matches!(sessions.admit("a", "ada"), Admission::Unknown));
        assert_eq!(sessions.count(), 0);
    }
}
