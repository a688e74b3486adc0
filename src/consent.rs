//! Whether the person behind a call agreed to what cannot easily be undone.
//!
//! A tool is a function of its arguments and of what was agreed to: it states its [`Question`] at
//! the point where it would write. If nobody agreed yet, the call ends there, before anything is
//! locked or written; whoever made the call asks (the server over MCP), and calls again with the
//! agreement. A question is about one plan, so that an agreement never covers another.

use std::{
    fmt,
    io::{self, Read, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use crate::error::{Error, Kind, Result};

/// The key with which this installation signs what it asked: the same for all its processes, also after a restart.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl From<[u8; 32]> for Key {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Key {
    /// Reads the key from a file that only its owner can read; the first process makes it.
    ///
    /// # Errors
    /// A file that can neither be read nor made.
    pub fn load(path: &Path) -> Result<Self> {
        let failed = |error: io::Error| {
            Error::new(
                Kind::PermissionDenied,
                format!("the key {} can neither be read nor made: {error}", path.display()),
            )
            .next("make its folder writable, or name another with LOCKSTEP_HOME")
        };
        // A whole file appears at once, and never in the place of another's: links do not overwrite.
        if !path.exists() {
            let folder = path.parent().unwrap_or(Path::new("."));
            let mut aside = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
            let halves = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()];
            aside.write_all(&halves.concat()).map_err(failed)?;
            match aside.persist_noclobber(path) {
                Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed(error.error));
                }
                _ => {}
            }
        }
        let mut key = [0; 32];
        std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut key)).map_err(failed)?;
        Ok(Self(key))
    }

    /// Returns the key for one purpose.
    #[must_use]
    pub fn of(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0)
    }
}

/// Judges whether what was agreed to covers this, see [`Question::about`].
type Judge = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Something to agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it is about, and nothing else is: a plan's id.
    pub about: String,
    /// What would happen, for the person.
    pub message: String,
    /// What they may choose; none where the answer is yes or no.
    pub choices: Vec<String>,
}

/// What a person chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// One of the choices.
    pub choice: String,
    /// What they wrote beside it.
    pub value: Option<String>,
}

/// What was agreed to before the call, and what the call asks.
#[derive(Clone)]
pub struct Consent(Option<Arc<Asked>>);

struct Asked {
    agreed: Judge,
    /// What was chosen already, and what about.
    said: Option<(String, Said)>,
    /// Whether the person can be shown choices.
    form: bool,
    question: Mutex<Option<Question>>,
}

impl fmt::Debug for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consent").field("given", &self.0.is_none()).finish_non_exhaustive()
    }
}

impl Consent {
    /// Returns the consent of a person who gave the call themselves, e.g. on the command line.
    #[must_use]
    pub fn given() -> Self {
        Self(None)
    }

    /// Returns the consent to what `agreed` says yes to, given what a question is about.
    pub fn to(agreed: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::hearing(agreed, None, false)
    }

    /// Returns the consent of a person who may have chosen something already, and can be shown choices where `form` says
    /// so.
    pub fn hearing(
        agreed: impl Fn(&str) -> bool + Send + Sync + 'static,
        said: Option<(String, Said)>,
        form: bool,
    ) -> Self {
        let agreed = Arc::new(agreed);
        Self(Some(Arc::new(Asked { agreed, said, form, question: Mutex::default() })))
    }

    /// Returns what the person chose; `None` where nobody can be shown choices.
    ///
    /// # Errors
    /// [`Kind::ConfirmationNeeded`] if they were not asked yet; [`Self::asked`] returns the question then.
    pub fn choose(&self, question: Question) -> Result<Option<Said>> {
        let Some(asked) = self.0.as_ref().filter(|asked| asked.form) else { return Ok(None) };
        if let Some((_, said)) = asked.said.as_ref().filter(|(about, _)| *about == question.about) {
            return Ok(Some(said.clone()));
        }
        let error = Error::new(
            Kind::ConfirmationNeeded,
            format!("{}; nothing was written", question.message),
        );
        *asked.question.lock().unwrap_or_else(PoisonError::into_inner) = Some(question);
        Err(error)
    }

    /// Goes on if the question was agreed to.
    ///
    /// # Errors
    /// [`Kind::ConfirmationNeeded`] if it was not; [`Self::asked`] returns the question then.
    pub fn check(&self, question: Question) -> Result<()> {
        let Some(asked) = &self.0 else { return Ok(()) };
        if (asked.agreed)(&question.about) {
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
        let question = |about: &str| Question {
            about: about.into(),
            message: "m".into(),
            choices: Vec::new(),
        };
        assert!(Consent::given().check(question("a")).is_ok());
        for (agreed, about, fine) in
            [(None, "a", false), (Some("a"), "a", true), (Some("a"), "b", false)]
        {
            let agreed: Option<String> = agreed.map(str::to_owned);
            let consent = Consent::to(move |about| agreed.as_deref() == Some(about));
            assert_eq!(consent.check(question(about)).is_ok(), fine, "{about}");
            assert_eq!(consent.asked(), (!fine).then(|| question(about)));
        }
    }

    #[test]
    fn a_choice_is_asked_for_where_a_form_can_be_shown() {
        let question = Question {
            about: "a".into(),
            message: "m".into(),
            choices: vec!["left".into(), "right".into()],
        };
        assert_eq!(Consent::given().choose(question.clone()).unwrap(), None);
        assert_eq!(Consent::to(|_| true).choose(question.clone()).unwrap(), None);
        let consent = |said| Consent::hearing(|_| false, said, true);
        let unheard = consent(None);
        assert!(unheard.choose(question.clone()).is_err());
        assert_eq!(unheard.asked(), Some(question.clone()));
        let said = Said { choice: "left".into(), value: None };
        let heard = consent(Some(("a".into(), said.clone())));
        assert_eq!(heard.choose(question.clone()).unwrap(), Some(said.clone()));
        assert!(consent(Some(("b".into(), said))).choose(question).is_err());
    }

    #[test]
    fn all_processes_have_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let load = || Key::load(&path).unwrap().of("x");
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
        let key = Key::load(&path).unwrap();
        assert_ne!(key.of("x"), key.of("y"));
        std::fs::write(&path, "short").unwrap();
        assert!(Key::load(&path).is_err());
    }
}
