//! Who looks at the pages: a session in a cookie, whose token stays on the server.
//!
//! A browser keeps a random id alone. The token behind it is checked anew at every request, so that one that expires or
//! is taken back ends the session. Where nobody has to sign in, the id only ties forms to the browser they were made for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use tokio::time::Instant;

use super::super::{Http, Refusal};
use crate::principal::Principal;

/// How many people may be signed in at once; beyond that, whoever was away the longest is signed out.
const MOST: usize = 1024;

/// How long a session may last, and how long it may lie unused.
const LIFE: Duration = Duration::from_secs(12 * 3600);
const IDLE: Duration = Duration::from_secs(2 * 3600);

/// The length of an id: two random UUIDs.
const ID: usize = 64;

#[derive(Debug)]
struct Entry {
    /// The `Authorization` header that the token makes.
    token: HeaderValue,
    opened: Instant,
    used: Instant,
}

/// The sessions of browsers.
#[derive(Clone, Debug)]
pub(in crate::server::http) struct Visits {
    // By the hash of the id: how long a look takes tells nothing about the ids that there are.
    open: Arc<Mutex<HashMap<blake3::Hash, Entry>>>,
    key: Arc<[u8; 32]>,
    cookie: Arc<str>,
    secure: bool,
}

/// A look at the pages by somebody who may look.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) door: Door,
    pub(super) principal: Principal,
    pub(super) signed_in: bool,
}

/// Who it is.
#[derive(Debug)]
pub(super) enum Who {
    Known(Visit),
    /// Somebody who has to sign in; the id ties the form to their browser.
    Stranger(Door),
    /// Nobody can say now.
    Unsure(String),
}

/// What every browser has, a stranger's too.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) id: String,
    /// Whether the browser does not have the id yet.
    fresh: bool,
}

impl Visits {
    /// Creates an empty set; `key` signs what forms carry, `port` keeps servers on one machine apart, and `secure` says
    /// that browsers come by HTTPS.
    pub(in crate::server::http) fn new(key: [u8; 32], port: u16, secure: bool) -> Self {
        Self {
            open: Arc::default(),
            key: Arc::new(key),
            cookie: format!("lockstep_{port}").into(),
            secure,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<blake3::Hash, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what the forms of a session carry.
    pub(super) fn csrf(&self, id: &str) -> String {
        blake3::keyed_hash(&self.key, id.as_bytes()).to_hex().to_string()
    }

    /// Returns whether a form was made for a session; the comparison takes the same time for all.
    pub(super) fn made_for(&self, id: &str, csrf: &str) -> bool {
        let own = blake3::keyed_hash(&self.key, id.as_bytes());
        blake3::Hash::from_hex(csrf).is_ok_and(|said| said == own)
    }

    /// Opens a session for a token, under an id that nobody knows yet.
    pub(super) fn open(&self, token: HeaderValue) -> String {
        let id = fresh_id();
        let now = Instant::now();
        let mut open = self.lock();
        open.retain(|_, entry| lasts(entry));
        if open.len() >= MOST
            && let Some(oldest) =
                open.iter().min_by_key(|(_, entry)| entry.used).map(|(hash, _)| *hash)
        {
            open.remove(&oldest);
        }
        open.insert(blake3::hash(id.as_bytes()), Entry { token, opened: now, used: now });
        id
    }

    /// Ends a session.
    pub(super) fn close(&self, id: &str) {
        self.lock().remove(&blake3::hash(id.as_bytes()));
    }

    /// Returns the token of a session that lasts; `look` says whether somebody is there, or only their page.
    fn token(&self, id: &str, look: bool) -> Option<HeaderValue> {
        let mut open = self.lock();
        let entry = open.get_mut(&blake3::hash(id.as_bytes())).filter(|entry| lasts(entry))?;
        if look {
            entry.used = Instant::now();
        }
        Some(entry.token.clone())
    }

    /// Returns the id that the browser has.
    fn id(&self, headers: &HeaderMap) -> Option<String> {
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
        let (_, id) = pairs.find(|(name, _)| name.trim() == &*self.cookie)?;
        let id = id.trim();
        (id.len() == ID && id.bytes().all(|c| c.is_ascii_hexdigit())).then(|| id.to_owned())
    }

    /// Returns a header that gives an id to a browser, or takes it away.
    pub(super) fn set(&self, id: Option<&str>) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let (value, age) = id.map_or(("", "; Max-Age=0"), |id| (id, ""));
        let text =
            format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{age}", self.cookie);
        HeaderValue::from_str(&text).ok()
    }
}

fn lasts(entry: &Entry) -> bool {
    entry.opened.elapsed() < LIFE && entry.used.elapsed() < IDLE
}

fn fresh_id() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

impl Door {
    /// Gives the browser its id with an answer, if it has none.
    pub(super) fn dress(&self, http: &Http, mut response: Response) -> Response {
        if self.fresh
            && let Some(cookie) = http.visits.set(Some(&self.id))
        {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// Returns who makes a request.
pub(super) async fn who(http: &Http, headers: &HeaderMap) -> Who {
    let had = http.visits.id(headers);
    let door = Door { fresh: had.is_none(), id: had.unwrap_or_else(fresh_id) };
    let Some(auth) = &http.auth else {
        return Who::Known(Visit { door, principal: Principal::local(), signed_in: false });
    };
    // A page that keeps itself up to date does not keep its session alive.
    let look = !headers.contains_key("x-lockstep-live");
    let own = headers.get(header::AUTHORIZATION);
    let kept = http.visits.token(&door.id, look);
    let signed_in = own.is_none() && kept.is_some();
    let Some(token) = own.cloned().or(kept) else { return Who::Stranger(door) };
    match auth.check(Some(&token)).await {
        Ok(principal) => Who::Known(Visit { door, principal, signed_in }),
        Err(Refusal::Unknown(why)) => Who::Unsure(why),
        Err(refusal) => {
            tracing::info!(?refusal, "the token of a browser's session is not good any more");
            http.visits.close(&door.id);
            Who::Stranger(door)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visits() -> Visits {
        Visits::new([7; 32], 8463, false)
    }

    fn cookie(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(text).unwrap())])
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_it_lies_unused_and_when_it_is_old() {
        let visits = visits();
        let id = visits.open(HeaderValue::from_static("Bearer x"));
        assert!(visits.token(&id, true).is_some() && visits.token("0", true).is_none());
        for _ in 0..5 {
            tokio::time::advance(IDLE / 2).await;
            assert!(visits.token(&id, true).is_some());
        }
        tokio::time::advance(IDLE / 2).await;
        assert!(visits.token(&id, false).is_some(), "a page that keeps itself up to date");
        tokio::time::advance(IDLE / 2).await;
        assert!(visits.token(&id, true).is_none(), "does not keep its session alive");
        let id = visits.open(HeaderValue::from_static("Bearer x"));
        for _ in 0..(2 * LIFE.as_secs() / IDLE.as_secs()) {
            assert!(visits.token(&id, true).is_some());
            tokio::time::advance(IDLE / 2).await;
        }
        assert!(visits.token(&id, true).is_none(), "no session lasts longer than that");
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_bounded() {
        let visits = visits();
        let first = visits.open(HeaderValue::from_static("Bearer x"));
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..MOST {
            visits.open(HeaderValue::from_static("Bearer y"));
        }
        assert_eq!(visits.lock().len(), MOST);
        assert!(visits.token(&first, true).is_none());
    }

    #[test]
    fn forms_are_of_one_session() {
        let visits = visits();
        let (one, other) = (fresh_id(), fresh_id());
        assert_eq!((one.len(), one == other), (ID, false));
        assert!(visits.made_for(&one, &visits.csrf(&one)));
        for wrong in ["", "x", &visits.csrf(&other), &one] {
            assert!(!visits.made_for(&one, wrong), "{wrong}");
        }
    }

    #[test]
    fn only_a_whole_id_of_this_server_counts() {
        let (visits, id) = (visits(), fresh_id());
        assert_eq!(visits.id(&cookie(&format!("a=b; lockstep_8463={id}"))), Some(id.clone()));
        for wrong in [format!("lockstep_1={id}"), format!("lockstep_8463={id}0"), "x".into()] {
            assert_eq!(visits.id(&cookie(&wrong)), None, "{wrong}");
        }
        let set = visits.set(Some("x")).unwrap();
        assert_eq!(set, "lockstep_8463=x; Path=/; HttpOnly; SameSite=Strict");
        let set = Visits::new([0; 32], 1, true).set(None).unwrap();
        assert_eq!(set, "lockstep_1=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0");
    }
}
