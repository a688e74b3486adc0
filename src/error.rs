//! The one error type of the root package: written for its reader.
//!
//! An [`Error`] says what was wrong, where, and what to do next. Its [`Kind`] is
//! stable and machine-readable; its [`Retry`] tells a caller whether the same
//! call may succeed later. Tools turn it into an `isError` result, the command
//! line prints it to stderr; nothing else formats errors.

use std::{fmt, time::Duration};

/// What went wrong, as a stable word that programs can branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An argument, a range, a file's content or a configuration is not acceptable.
    InvalidArgument,
    /// A spreadsheet, sheet, file, column or dataset does not exist.
    NotFound,
    /// What is there now is not what the caller expected to be there.
    Changed,
    /// The plan that was to be applied no longer describes the replicas.
    StalePlan,
    /// The operator or the service does not allow this.
    PermissionDenied,
    /// The credential is missing, expired or refused.
    Unauthenticated,
    /// A quota is used up for now.
    QuotaExhausted,
    /// The service cannot be reached or answered that it cannot serve now.
    Unavailable,
    /// A write may or may not have been applied, and could not be settled.
    Ambiguous,
    /// The input is larger than a limit.
    TooLarge,
    /// A person has to agree first.
    ConfirmationNeeded,
    /// The caller cancelled.
    Cancelled,
    /// A defect or an answer that Lockstep does not understand.
    Internal,
}

impl Kind {
    /// Returns the word that is shown to callers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalidArgument",
            Self::NotFound => "notFound",
            Self::Changed => "changed",
            Self::StalePlan => "stalePlan",
            Self::PermissionDenied => "permissionDenied",
            Self::Unauthenticated => "unauthenticated",
            Self::QuotaExhausted => "quotaExhausted",
            Self::Unavailable => "unavailable",
            Self::Ambiguous => "ambiguous",
            Self::TooLarge => "tooLarge",
            Self::ConfirmationNeeded => "confirmationNeeded",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// Whether the same call may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same call fails again until something is changed.
    Permanent,
    /// The same call may succeed later; nothing was written.
    Temporary,
    /// The outcome of a write is unknown: look before writing again.
    Ambiguous,
}

/// An error with its kind, its context and the next step for the reader.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    retry: Retry,
    message: String,
    next: Option<String>,
    context: Vec<String>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Creates an error of `kind`; its retry class follows from the kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let retry = match kind {
            Kind::QuotaExhausted | Kind::Unavailable => Retry::Temporary,
            Kind::Ambiguous => Retry::Ambiguous,
            _ => Retry::Permanent,
        };
        Self {
            kind,
            retry,
            message: clean(message.into()),
            next: None,
            context: Vec::new(),
            retry_after: None,
            source: None,
        }
    }

    /// Creates an [`Kind::InvalidArgument`] error.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidArgument, message)
    }

    /// Creates a [`Kind::NotFound`] error.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// Creates an [`Kind::Internal`] error.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Says what the reader should do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(clean(next.into()));
        self
    }

    /// Adds where it happened; the outermost context is printed first.
    #[must_use]
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.context.push(clean(context.into()));
        self
    }

    /// Says how long a caller should wait before the same call.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Keeps the underlying error for `--verbose` output and logs.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the retry class.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.retry
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kind.as_str())?;
        for context in self.context.iter().rev() {
            write!(f, "{context}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(next) = &self.next {
            write!(f, "\nNext: {next}")?;
        }
        match (self.retry, self.retry_after) {
            (Retry::Temporary, Some(after)) => {
                write!(f, "\nRetry: after {} s.", after.as_secs().max(1))
            }
            (Retry::Temporary, None) => f.write_str("\nRetry: the same call may succeed later."),
            (Retry::Ambiguous, _) => f.write_str(
                "\nRetry: not blindly. The write may have been applied: read before you write again.",
            ),
            (Retry::Permanent, _) => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Takes known secrets out: an error goes to callers, logs, pages and the store.
fn clean(text: String) -> String {
    match crate::redact::clean(&text) {
        std::borrow::Cow::Owned(cleaned) => cleaned,
        std::borrow::Cow::Borrowed(_) => text,
    }
}

/// Takes over the class, the retry advice and the words of a failed call to Google.
impl From<lockstep_google::Error> for Error {
    fn from(error: lockstep_google::Error) -> Self {
        use lockstep_google::{Kind as G, Retry as R};
        let kind = match (error.kind, error.retry) {
            (_, R::Ambiguous) => Kind::Ambiguous,
            (G::Invalid | G::Setup, _) => Kind::InvalidArgument,
            (G::Unauthenticated, _) => Kind::Unauthenticated,
            (G::Forbidden, _) => Kind::PermissionDenied,
            (G::NotFound, _) => Kind::NotFound,
            (G::Conflict, _) => Kind::Changed,
            (G::Quota, _) => Kind::QuotaExhausted,
            (G::Unavailable | G::Network | G::Timeout, _) => Kind::Unavailable,
            _ => Kind::Internal,
        };
        let message = error.message.trim_end_matches('.').to_owned();
        let mut converted = Self::new(kind, message).next(error.advice()).context(error.operation);
        converted.retry = match error.retry {
            R::Permanent => Retry::Permanent,
            R::Temporary => Retry::Temporary,
            R::Ambiguous => Retry::Ambiguous,
        };
        converted.retry_after = error.retry_after;
        converted.with_source(error)
    }
}

/// Returns ` Did you mean "x", "y"?` for the closest candidates, or nothing.
///
/// Closeness is the normalised Damerau-Levenshtein similarity, ignoring case.
pub fn did_you_mean<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let wanted = wanted.to_lowercase();
    let mut close: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|name| {
            let lower = name.to_lowercase();
            let mut score = strsim::normalized_damerau_levenshtein(&wanted, &lower);
            let part = lower.contains(&wanted) || wanted.contains(&lower);
            if wanted.len() > 1 && lower.starts_with(&wanted) {
                score = score.max(0.5);
            }
            if part && wanted.len().min(lower.len()) * 2 >= wanted.len().max(lower.len()) {
                score = score.max(0.6);
            }
            (score, name)
        })
        .filter(|(score, _)| *score >= 0.5)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let best = close.first().map_or(0.0, |(score, _)| *score);
    close.retain(|(score, _)| *score >= best - 0.2);
    let names: Vec<String> = close.iter().take(3).map(|(_, n)| format!("\"{n}\"")).collect();
    if names.is_empty() { String::new() } else { format!(" Did you mean {}?", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_and_what_next() {
        let error = Error::not_found("there is no column \"tailnumm\"")
            .next("use one of the header's names")
            .context("sheet \"planes\"")
            .context("readSheet");
        assert_eq!(
            error.to_string(),
            "notFound: readSheet: sheet \"planes\": there is no column \"tailnumm\"\n\
             Next: use one of the header's names"
        );
    }

    #[test]
    fn temporary_and_ambiguous_errors_tell_how_to_retry() {
        assert!(Error::new(Kind::Unavailable, "x").to_string().contains("may succeed later"));
        assert!(Error::new(Kind::Ambiguous, "x").to_string().contains("not blindly"));
    }

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        assert_eq!(did_you_mean("plnes", ["planes", "pilots"]), " Did you mean \"planes\"?");
        assert_eq!(did_you_mean("zzz", ["planes"]), "");
    }
}
