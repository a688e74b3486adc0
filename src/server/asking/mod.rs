//! Asks the person behind a call, whatever the client can do.
//!
//! - A client of revision 2025-11-25 with elicitation is asked while its call waits.
//! - One of 2026-07-28 gets the question as the answer, with a state that is signed, bound to caller,
//!   tool and arguments, and good for once; it calls again with the person's word.
//! - One with neither gets a code in the error text; the same call with `confirm: CODE` goes on.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rmcp::{
    RoleServer,
    model::{
        ElicitRequestParams, ElicitResult, ElicitationAction, InputRequest, InputRequiredResult,
        InputResponses, JsonObject, ProtocolVersion, RequestStateCodec, SealOptions,
    },
    service::RequestContext,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    consent::{Key, Question},
    error::{Error, Kind, Result},
    principal::Principal,
    tools::CONFIRM,
};

/// How long a person may think.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// How many open questions are remembered; the oldest are forgotten first.
const MOST: usize = 10_000;

/// The name of our only request in an answer that asks.
const ASK: &str = "agree";

/// Asks, and knows what was answered.
pub(super) struct Asking {
    codec: Option<RequestStateCodec>,
    /// With what codes are made: any process of this installation takes them.
    codes: [u8; 32],
    /// States and codes that were used, until they expire by themselves.
    used: Mutex<HashMap<String, Instant>>,
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").finish_non_exhaustive()
    }
}

/// What a state says.
#[derive(Debug, Deserialize, Serialize)]
struct State {
    nonce: String,
    about: String,
}

/// How a client's person can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By a request while the call waits.
    Elicit,
    /// By an answer that asks.
    Answer,
    /// Not at all: the model passes on a code.
    Code,
}

/// What the person said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// They agree to this.
    Yes(String),
    /// They do not.
    No,
    /// They have not been heard.
    None,
}

/// Returns how the client of a request can be asked.
pub(super) fn way(context: &RequestContext<RoleServer>) -> Way {
    let elicits =
        context.client_capabilities().and_then(|can| can.elicitation).is_some_and(|can| {
            // Neither named means forms, as before there were others.
            can.form.is_some() || can.url.is_none()
        });
    match (elicits, modern(context)) {
        (false, _) => Way::Code,
        (true, true) => Way::Answer,
        (true, false) => Way::Elicit,
    }
}

/// Returns whether a request is of revision 2026-07-28 or later.
pub(super) fn modern(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// Returns what binds a question to its call: caller, tool and arguments, `confirm` aside.
pub(super) fn digest(principal: &Principal, tool: &str, arguments: &JsonObject) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in [principal.subject.as_str(), tool] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut arguments = arguments.clone();
    arguments.remove(CONFIRM);
    hasher.update(canonical(&Value::Object(arguments)).to_string().as_bytes());
    hasher.finalize()
}

/// Returns the value with the names of every object in order: clients may send them in any.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut sorted: Vec<(&String, &Value)> = object.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            sorted.into_iter().map(|(name, value)| (name.clone(), canonical(value))).collect()
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

fn form(question: &Question) -> Result<ElicitRequestParams> {
    let form = json!({
        "mode": "form",
        "message": format!("{}. Go on?", question.message),
        "requestedSchema": {
            "type": "object",
            "properties": {ASK: {"type": "boolean", "title": "Go on", "description": "No leaves everything as it is."}},
            "required": [ASK],
        },
    });
    serde_json::from_value(form)
        .map_err(|error| Error::internal("the question has no form").with_source(error))
}

/// Returns a question as a request that a client can show.
pub(super) fn request(question: &Question) -> Result<InputRequest> {
    let request = json!({"method": "elicitation/create", "params": form(question)?});
    serde_json::from_value(request)
        .map_err(|error| Error::internal("the question has no form").with_source(error))
}

/// Returns what the person said to a question about this.
pub(super) fn word(about: &str, result: &ElicitResult) -> Word {
    let agreed =
        result.content.as_ref().and_then(|content| content.get(ASK)) == Some(&Value::Bool(true));
    match result.action {
        ElicitationAction::Accept if agreed => Word::Yes(about.to_owned()),
        _ => Word::No,
    }
}

/// Returns the error of a call whose person said no.
pub(super) fn declined() -> Error {
    Error::new(Kind::Cancelled, "the person said no; nothing was written")
        .next("ask them what they want instead; do not repeat the call as it is")
}

/// Asks the person of a client of revision 2025-11-25, and waits.
pub(super) async fn elicit(
    context: &RequestContext<RoleServer>,
    question: &Question,
) -> Result<Word> {
    let asked = context.peer.create_elicitation_with_timeout(form(question)?, Some(PATIENCE));
    tokio::select! {
        answer = asked => match answer {
            Ok(result) => Ok(word(&question.about, &result)),
            Err(error) => {
                tracing::info!(%error, "the person could not be asked");
                Err(Error::new(Kind::ConfirmationNeeded, format!("{}; the person could not be asked, and nothing was written", question.message))
                    .next("call again when they can answer"))
            }
        },
        () = context.ct.cancelled() => Err(Error::new(Kind::Cancelled, "the call was cancelled; nothing was written")),
    }
}

impl Asking {
    /// Creates a book of questions that knows those which other processes with this key asked.
    pub(super) fn new(key: &Key) -> Self {
        Self {
            codec: RequestStateCodec::try_new(key.of("lockstep 2026 request state")).ok(),
            codes: key.of("lockstep 2026 confirm code"),
            used: Mutex::default(),
        }
    }

    fn codec(&self) -> Result<&RequestStateCodec> {
        self.codec.as_ref().ok_or_else(|| Error::internal("no key signs questions"))
    }

    /// Returns the answer that asks a client of revision 2026-07-28.
    pub(super) fn answer(
        &self,
        digest: blake3::Hash,
        question: &Question,
    ) -> Result<InputRequiredResult> {
        let state = State { nonce: Uuid::new_v4().to_string(), about: question.about.clone() };
        let options = SealOptions::new().associated_data(digest.as_bytes()).ttl(PATIENCE);
        let sealed = self
            .codec()?
            .seal_json_with(&state, &options)
            .map_err(|error| Error::internal("the question cannot be signed").with_source(error))?;
        let requests = [(ASK.to_owned(), request(question)?)].into();
        Ok(InputRequiredResult::new(Some(requests), Some(sealed)))
    }

    /// Returns the person's word from a call that was repeated with it.
    ///
    /// # Errors
    /// A state that is not ours, is for another call, has expired, or was used already.
    pub(super) fn heard(
        &self,
        digest: blake3::Hash,
        sealed: &str,
        responses: Option<&InputResponses>,
    ) -> Result<Word> {
        let refused = |why: &str| {
            Error::invalid(format!("requestState {why}"))
                .next("call again without it, to be asked afresh")
        };
        let state: State =
            self.codec()?.open_json_with(sealed, digest.as_bytes()).map_err(|_| {
                refused("is not of this server, belongs to another call, or has expired")
            })?;
        let result = responses.and_then(|responses| responses.get(ASK));
        let Some(result) =
            result.and_then(|r| serde_json::from_value::<ElicitResult>(r.clone()).ok())
        else {
            // Not answered, or not readably: ask again.
            return Ok(Word::None);
        };
        let mut used = lock(&self.used);
        expire(&mut used, |until| *until);
        if used.insert(state.nonce, Instant::now() + PATIENCE).is_some() {
            return Err(refused("was used already"));
        }
        Ok(word(&state.about, &result))
    }

    /// Returns the error that gives a client a code to come back with; `given` is the code that was no good.
    pub(super) fn code(
        &self,
        digest: blake3::Hash,
        question: &Question,
        tool: &str,
        given: Option<&str>,
    ) -> Error {
        let code = self.make(digest, &question.about, window());
        let given = match given {
            Some(given) => format!(
                "the code \"{given}\" is not for this call as it stands (used, expired, or something changed since): "
            ),
            None => String::new(),
        };
        let message = format!("{given}{}; nothing was written", question.message);
        Error::new(Kind::ConfirmationNeeded, message)
            .next(format!(
                "ask the person. If they agree, repeat the same call with confirm: \"{code}\" (once, within 10 minutes)"
            ))
            .context(tool.to_owned())
    }

    /// Returns whether a code agrees to this; it does so once.
    pub(super) fn redeem(&self, digest: blake3::Hash, about: &str, code: &str) -> bool {
        let now = window();
        let good = [now, now.saturating_sub(1)]
            .into_iter()
            .fold(false, |good, window| good | same(&self.make(digest, about, window), code));
        if !good {
            return false;
        }
        let mut used = lock(&self.used);
        expire(&mut used, |until| *until);
        used.insert(format!("code {code}"), Instant::now() + PATIENCE * 2).is_none()
    }

    /// Returns the code of a question in a window of time: 48 bits that only this installation can make.
    fn make(&self, digest: blake3::Hash, about: &str, window: u64) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.codes);
        hasher.update(digest.as_bytes());
        hasher.update(&window.to_le_bytes());
        hasher.update(about.as_bytes());
        hasher.finalize().to_hex().chars().take(12).collect()
    }
}

/// Returns the number of the ten minutes that it is: a code is good in its own and in the next.
fn window() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() / PATIENCE.as_secs()
}

/// Compares in a time that does not tell where they differ.
fn same(one: &str, other: &str) -> bool {
    blake3::hash(one.as_bytes()) == blake3::hash(other.as_bytes())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops what has expired, and the next to expire where there is too much.
fn expire<V>(map: &mut HashMap<String, V>, until: impl Fn(&V) -> Instant) {
    let now = Instant::now();
    map.retain(|_, value| until(value) > now);
    while map.len() >= MOST {
        let oldest = map.iter().min_by_key(|(_, value)| until(value)).map(|(key, _)| key.clone());
        match oldest {
            Some(key) => map.remove(&key),
            None => return,
        };
    }
}

#[cfg(test)]
mod tests;
