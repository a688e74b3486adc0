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
    time::Duration,
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
    consent::Question,
    error::{Error, Kind, Result},
    principal::Principal,
    tools::CONFIRM,
};

/// How long a person may think.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many open questions are remembered; the oldest are forgotten first.
const MOST: usize = 10_000;

/// The name of our only request in an answer that asks.
const ASK: &str = "agree";

/// Open codes, and states that were used.
pub(super) struct Asking {
    codec: Option<RequestStateCodec>,
    /// By code: to whose call it belongs, what it agrees to, and until when.
    codes: Mutex<HashMap<String, (blake3::Hash, String, Instant)>>,
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

fn word(about: &str, result: &ElicitResult) -> Word {
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
    /// Creates an empty book of questions; what was asked before a restart is asked again.
    pub(super) fn new() -> Self {
        let key = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        Self {
            codec: RequestStateCodec::try_new(key).ok(),
            codes: Mutex::default(),
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
        let request = json!({"method": "elicitation/create", "params": form(question)?});
        let request: InputRequest = serde_json::from_value(request)
            .map_err(|error| Error::internal("the question has no form").with_source(error))?;
        Ok(InputRequiredResult::new(Some([(ASK.to_owned(), request)].into()), Some(sealed)))
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

    /// Returns the error that gives a client a code to come back with.
    pub(super) fn code(&self, digest: blake3::Hash, question: &Question, tool: &str) -> Error {
        let code: String = Uuid::new_v4().simple().to_string().chars().take(12).collect();
        let mut codes = lock(&self.codes);
        expire(&mut codes, |(_, _, until)| *until);
        codes.insert(code.clone(), (digest, question.about.clone(), Instant::now() + PATIENCE));
        Error::new(Kind::ConfirmationNeeded, format!("{}; nothing was written", question.message))
            .next(format!(
                "ask the person. If they agree, repeat the same call with confirm: \"{code}\" (once, within 10 minutes)"
            ))
            .context(tool.to_owned())
    }

    /// Returns what a code agrees to.
    ///
    /// # Errors
    /// A code that is unknown, used, expired, or for another call.
    pub(super) fn redeem(&self, digest: blake3::Hash, code: &str, tool: &str) -> Result<String> {
        let mut codes = lock(&self.codes);
        expire(&mut codes, |(_, _, until)| *until);
        match codes.get(code) {
            Some((bound, about, _)) if *bound == digest => {
                let about = about.clone();
                codes.remove(code);
                Ok(about)
            }
            _ => Err(Error::invalid(format!(
                "argument confirm: \"{code}\" is no open code of this call"
            ))
            .next("codes are good once, for 10 minutes, for the same arguments: call without confirm to get one")
            .context(tool.to_owned())),
        }
    }
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
mod tests {
    use super::*;

    fn object(value: Value) -> JsonObject {
        value.as_object().unwrap().clone()
    }

    fn asked() -> (Asking, Question) {
        (Asking::new(), Question { about: "plan1".into(), message: "30 rows".into() })
    }

    fn who(subject: &str) -> Principal {
        Principal { subject: subject.into(), ..Principal::local() }
    }

    #[test]
    fn a_call_is_the_same_whatever_the_order_of_its_arguments_and_its_code() {
        let one = digest(&who("a"), "t", &object(json!({"x": 1, "y": {"p": 1, "q": [2]}})));
        let same = object(json!({"confirm": "c", "y": {"q": [2], "p": 1}, "x": 1}));
        assert_eq!(one, digest(&who("a"), "t", &same));
        for (subject, tool, arguments) in [
            ("b", "t", json!({"x": 1, "y": {"p": 1, "q": [2]}})),
            ("a", "u", json!({"x": 1, "y": {"p": 1, "q": [2]}})),
            ("a", "t", json!({"x": 2, "y": {"p": 1, "q": [2]}})),
            ("a", "t", json!({"x": 1, "y": {"p": 1, "q": [2, 2]}})),
        ] {
            assert_ne!(one, digest(&who(subject), tool, &object(arguments)));
        }
    }

    #[test]
    fn a_code_is_good_once_for_its_own_call() {
        let (asking, question) = asked();
        let (mine, other) = (blake3::hash(b"mine"), blake3::hash(b"other"));
        let text = asking.code(mine, &question, "t").to_string();
        let (_, rest) = text.split_once("confirm: \"").unwrap();
        let (code, _) = rest.split_once('"').unwrap();
        assert!(asking.redeem(other, code, "t").is_err());
        assert!(asking.redeem(mine, "guess", "t").is_err());
        assert_eq!(asking.redeem(mine, code, "t").unwrap(), "plan1");
        assert!(asking.redeem(mine, code, "t").is_err(), "twice");
    }

    #[test]
    fn a_state_is_good_once_for_its_own_call_and_unchanged() {
        let (asking, question) = asked();
        let (mine, other) = (blake3::hash(b"mine"), blake3::hash(b"other"));
        let said = |action: &str, agree: bool| -> InputResponses {
            [(ASK.to_owned(), json!({"action": action, "content": {ASK: agree}}))].into()
        };
        let fresh = || asking.answer(mine, &question).unwrap().request_state.unwrap();
        let yes = said("accept", true);
        let state = fresh();
        assert_eq!(asking.heard(mine, &state, None).unwrap(), Word::None);
        assert_eq!(
            asking.heard(mine, &state, Some(&[("x".into(), json!(1))].into())).unwrap(),
            Word::None
        );
        assert!(asking.heard(other, &state, Some(&yes)).is_err(), "another call's");
        assert!(asking.heard(mine, &format!("{state}x"), Some(&yes)).is_err(), "changed");
        assert!(Asking::new().heard(mine, &state, Some(&yes)).is_err(), "another server's");
        assert_eq!(asking.heard(mine, &state, Some(&yes)).unwrap(), Word::Yes("plan1".into()));
        assert!(asking.heard(mine, &state, Some(&yes)).is_err(), "twice");
        for no in [said("accept", false), said("decline", true), said("cancel", true)] {
            assert_eq!(asking.heard(mine, &fresh(), Some(&no)).unwrap(), Word::No);
        }
    }
}
