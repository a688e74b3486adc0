//! Whether the person behind a call agreed to what cannot easily be undone.
//!
//! A tool is a function of its arguments and of what was agreed to: it states its [`Question`] at
//! the point where it would write. If nobody agreed yet, the call ends there, before anything is
//! locked or written; whoever made the call asks (the server over MCP), and calls again with the
//! agreement. A question is about one plan, so that an agreement never covers another.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Kind, Result};

/// Something to agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it is about, and nothing else is: a plan's id.
    pub about: String,
    /// What would happen, for the person.
    pub message: String,
}

/// What was agreed to before the call, and what the call asks.
#[derive(Clone, Debug)]
pub struct Consent(Option<Arc<Asked>>);

#[derive(Debug)]
struct Asked {
    agreed: Option<String>,
    question: Mutex<Option<Question>>,
}

impl Consent {
    /// Returns the consent of a person who gave the call themselves, e.g. on the command line.
    #[must_use]
    pub fn given() -> Self {
        Self(None)
    }

    /// Returns the consent to `agreed` (see [`Question::about`]) and to nothing else.
    #[must_use]
    pub fn to(agreed: Option<String>) -> Self {
        Self(Some(Arc::new(Asked { agreed, question: Mutex::default() })))
    }

    /// Goes on if the question was agreed to.
    ///
    /// # Errors
    /// [`Kind::ConfirmationNeeded`] if it was not; [`Self::asked`] returns the question then.
    pub fn check(&self, question: Question) -> Result<()> {
        let Some(asked) = &self.0 else { return Ok(()) };
        if asked.agreed.as_deref() == Some(question.about.as_str()) {
            return Ok(());
        }
        let error = Error::new(
            Kind::ConfirmationNeeded,
            format!("{}; nothing was written", question.message),
        );
        *asked.question.lock().unwrap_or_else(PoisonError::into_inner) = Some(question);
        Err(error)
    }

    /// Returns what the call asked, if it did.
    #[must_use]
    pub fn asked(&self) -> Option<Question> {
        let asked = self.0.as_ref()?;
        asked.question.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agreement_covers_its_own_question_alone() {
        let question = |about: &str| Question { about: about.into(), message: "m".into() };
        assert!(Consent::given().check(question("a")).is_ok());
        for (agreed, about, fine) in
            [(None, "a", false), (Some("a"), "a", true), (Some("a"), "b", false)]
        {
            let consent = Consent::to(agreed.map(str::to_owned));
            assert_eq!(consent.check(question(about)).is_ok(), fine, "{agreed:?} {about}");
            assert_eq!(consent.asked(), (!fine).then(|| question(about)));
        }
    }
}
