//! From one attempt to an outcome: what is tried again, what is final, and what is not known.

use std::time::Duration;

use super::{
    answer::{self, Answer},
    auth::Auth,
    call::{Ask, Attempt, Wire},
    json::Json,
};
use crate::{
    error::{Error, Kind, Result},
    progress::Progress,
};

/// What came of a write.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was accepted.
    Done(Answer),
    /// It was refused.
    Refused {
        status: u16,
        why: String,
        /// Whether nothing was written for certain.
        sure: bool,
    },
    /// It may or may not have had its effect.
    Unknown(String),
}

/// The tries of one request so far.
#[derive(Default)]
struct Tries {
    made: u32,
    renewed: bool,
    used: Option<reqwest::header::HeaderValue>,
}

impl Wire {
    /// Reads: tries again what may pass, and returns an accepted answer with its JSON, or a 304 or 404.
    ///
    /// # Errors
    /// What the API refuses or cannot do; says its own words.
    pub(super) async fn read(&self, ask: &Ask, progress: &Progress) -> Result<(Answer, Json)> {
        let mut tries = Tries::default();
        loop {
            tries.made += 1;
            let passing = |what: String| self.error(Kind::Unavailable, what);
            let error = match self.once(ask, progress, &mut tries.used).await? {
                Attempt::Answer(answer) if answer.is_success() => match answer.json() {
                    Ok(json) => return Ok((answer, json)),
                    Err(what) => self
                        .error(Kind::Internal, what)
                        .next("check the path; a page for people or a login may be in its place"),
                },
                Attempt::Answer(answer) if matches!(answer.status, 304 | 404) => {
                    return Ok((answer, Json::Null));
                }
                Attempt::Answer(answer) if self.may_pass(&answer, &mut tries).await? => {
                    match answer.status {
                        401 | 429 => continue,
                        _ => passing(answer.words()),
                    }
                }
                Attempt::Answer(answer) => return Err(self.refusal(&answer)),
                Attempt::Unsent(what) | Attempt::Lost(what) => passing(what),
                Attempt::Astray(error) => return Err(error),
                Attempt::TooLarge => return Err(self.too_large()),
            };
            self.pause(error, &tries, progress).await?;
        }
    }

    /// Writes: tries again only what was certainly not done.
    ///
    /// # Errors
    /// What concerns every write alike: credentials, a quota that stays used up, an API that cannot be reached.
    pub(super) async fn write(&self, ask: &Ask, progress: &Progress) -> Result<Outcome> {
        let mut tries = Tries::default();
        loop {
            tries.made += 1;
            let error = match self.once(ask, progress, &mut tries.used).await? {
                Attempt::Answer(answer) if answer.is_success() => return Ok(Outcome::Done(answer)),
                Attempt::Answer(answer) if matches!(answer.status, 401 | 429) => {
                    match self.may_pass(&answer, &mut tries).await? {
                        true => continue,
                        false => return Err(self.refusal(&answer)),
                    }
                }
                Attempt::Answer(answer) => {
                    let why = self.redactor().clean(&answer.words());
                    return Ok(match answer.status {
                        408 | 500 | 502..=504 | 507..=599 => Outcome::Unknown(why),
                        status => {
                            Outcome::Refused { status, why, sure: (400..500).contains(&status) }
                        }
                    });
                }
                Attempt::Lost(what) => return Ok(Outcome::Unknown(what)),
                Attempt::TooLarge => {
                    return Ok(Outcome::Unknown("its answer is larger than maxBodyBytes".into()));
                }
                Attempt::Astray(error) => {
                    let why = error.to_string().lines().next().unwrap_or_default().to_owned();
                    return Ok(Outcome::Refused { status: 308, why, sure: false });
                }
                Attempt::Unsent(what) => self.error(Kind::Unavailable, what),
            };
            self.pause(error, &tries, progress).await?;
        }
    }

    /// Deals with an answer that another try may change: a token that ended, a quota, a server in trouble.
    ///
    /// # Errors
    /// A quota that asks for a longer wait than is allowed, or too often.
    async fn may_pass(&self, answer: &Answer, tries: &mut Tries) -> Result<bool> {
        match answer.status {
            401 => {
                let (Auth::Tokens(tokens), false) = (&self.auth, tries.renewed) else {
                    return Ok(false);
                };
                tries.renewed = true;
                if let Some(used) = &tries.used {
                    tokens.forget(used).await;
                }
                Ok(true)
            }
            429 => {
                let unsaid = self.backoff.base.saturating_mul(2_u32.saturating_pow(tries.made));
                let usual = self.limits.pause_seconds.map(Duration::from_secs);
                let wait = answer.retry_after().or(usual).unwrap_or(unsaid);
                let longest = Duration::from_secs(self.limits.max_wait_seconds);
                if wait > longest || tries.made >= self.limits.attempts {
                    let error = self.error(Kind::QuotaExhausted, answer.words());
                    return Err(error.retry_after(wait).next(format!(
                        "wait {} s and call again, or allow fewer calls under limits",
                        wait.as_secs().max(1)
                    )));
                }
                self.pace.close(wait);
                Ok(true)
            }
            408 | 425 | 500..=599 => {
                let longest = Duration::from_secs(self.limits.max_wait_seconds);
                if let Some(wait) = answer.retry_after().filter(|wait| *wait <= longest) {
                    self.pace.close(wait);
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Waits before the next try, or returns the error if there were enough.
    async fn pause(&self, error: Error, tries: &Tries, progress: &Progress) -> Result<()> {
        if tries.made >= self.limits.attempts {
            return Err(error);
        }
        self.rest(tries.made, progress).await;
        Ok(())
    }

    /// Waits before a further try, the longer the more there were.
    pub(super) async fn rest(&self, made: u32, progress: &Progress) {
        let wait = self.backoff.pause(made);
        if wait >= Duration::from_secs(1) {
            let seconds = wait.as_secs();
            progress.step(
                0,
                None,
                format!("waiting {seconds} s before \"{}\" is asked again", self.name),
            );
        }
        tokio::time::sleep(wait).await;
    }

    /// Returns the error of an answer that is final.
    pub(super) fn refusal(&self, answer: &Answer) -> Error {
        let (kind, next) = match answer.status {
            401 => (Kind::Unauthenticated, "check the credential under auth"),
            403 => (Kind::PermissionDenied, "give the credential the right to do this"),
            404 | 410 => (Kind::NotFound, "check baseUrl and path"),
            409 | 412 => (Kind::Changed, "call again: it compares afresh"),
            413 => (Kind::TooLarge, "send less"),
            429 => (Kind::QuotaExhausted, "wait and call again"),
            500..=599 => (Kind::Unavailable, "call again later"),
            300..=399 => (Kind::PermissionDenied, "give the address that it leads to as baseUrl"),
            _ => (Kind::InvalidArgument, "correct what is sent"),
        };
        self.error(kind, answer.words()).next(next)
    }

    /// Returns an error about what was read, with the words that the API uses for its own in an answer.
    pub(super) fn said(&self, json: &Json) -> String {
        self.redactor().clean(&answer::words(json))
    }

    pub(super) fn error(&self, kind: Kind, what: impl AsRef<str>) -> Error {
        let what = self.redactor().clean(what.as_ref());
        Error::new(kind, format!("the API \"{}\": {what}", self.name))
    }

    pub(super) fn too_large(&self) -> Error {
        self.error(
            Kind::TooLarge,
            format!("an answer is larger than maxBodyBytes, {} bytes", self.max_body),
        )
        .next("ask for smaller pages under list.query, or raise maxBodyBytes")
    }
}
