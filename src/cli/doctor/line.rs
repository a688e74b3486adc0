//! What a check found, in one line.

use std::fmt;

use serde::Serialize;

use crate::error::Error;

/// What a check found.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    check: String,
    state: State,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    Ok,
    /// It works, and will stop working or surprise somebody.
    Warning,
    Wrong,
}

impl Line {
    /// All is well.
    pub(super) fn well(check: impl Into<String>, says: impl fmt::Display) -> Self {
        Self { check: check.into(), state: State::Ok, says: flat(&says.to_string()), fix: None }
    }

    /// It works, but somebody should know.
    pub(super) fn warning(
        check: impl Into<String>,
        says: impl fmt::Display,
        fix: impl fmt::Display,
    ) -> Self {
        let (says, fix) = (flat(&says.to_string()), Some(flat(&fix.to_string())));
        Self { check: check.into(), state: State::Warning, says, fix }
    }

    /// It is wrong, and this is what to do.
    pub(super) fn fault(
        check: impl Into<String>,
        says: impl fmt::Display,
        fix: impl fmt::Display,
    ) -> Self {
        Self { state: State::Wrong, ..Self::warning(check, says, fix) }
    }

    /// It is wrong as an error says; its next step is the fix.
    pub(super) fn wrong(check: impl Into<String>, error: &Error) -> Self {
        let text = error.to_string();
        let says = text.split("\nNext: ").next().unwrap_or_default();
        let says = says.split("\nRetry: ").next().unwrap_or_default();
        let fix = text.split("\nNext: ").nth(1).and_then(|rest| rest.split("\nRetry: ").next());
        let fix = fix.map_or_else(|| "try again in a moment".to_owned(), flat);
        Self { check: check.into(), state: State::Wrong, says: flat(says), fix: Some(fix) }
    }

    /// Returns whether it is about this.
    pub(super) fn is(&self, check: &str) -> bool {
        self.check == check
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.state == State::Wrong
    }
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Wrong => "WRONG",
        };
        write!(f, "{state:<8}{}: {}", self.check, self.says)?;
        match &self.fix {
            Some(fix) => write!(f, " -> {fix}"),
            None => Ok(()),
        }
    }
}
