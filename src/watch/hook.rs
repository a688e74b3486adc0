//! Calls from outside: who may make them, and which keys they name.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::Sha256;

use crate::error::{Error, Kind, Result};

/// How a call proves who makes it.
#[derive(Clone)]
pub enum Proof {
    /// A token, sent as it is.
    Token(String),
    /// `X-Lockstep-Signature: t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY`.
    Stamped(String),
    /// A header of the caller's choice: HMAC-SHA256 of the body, in hex or base64, perhaps after `sha256=`.
    Plain {
        /// The secret.
        secret: String,
        /// The header.
        header: String,
    },
}

/// What the operator says of the calls about one dataset.
#[derive(Clone)]
pub struct HookRule {
    /// How a call proves who makes it.
    pub proof: Proof,
    /// For how long a call is not taken in again; a stamp may be that old.
    pub window: SignedDuration,
    /// The JSON pointer of the items, where a body has several.
    pub items: Option<String>,
    /// The JSON pointer of each key column in an item; none if a call is about the whole dataset.
    pub key: Vec<String>,
}

impl std::fmt::Debug for HookRule {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HookRule").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The rules by dataset, and the largest body in bytes.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// The rules.
    pub rules: BTreeMap<String, HookRule>,
    /// The largest body.
    pub max_body: usize,
}

/// The header of a stamped signature.
const SIGNATURE: &str = "x-lockstep-signature";

/// The header of a token, beside `Authorization: Bearer`.
const TOKEN: &str = "x-lockstep-token";

/// The most keys that one call may name.
const MOST_KEYS: usize = 10_000;

/// A call that was proven.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    /// What makes it this call and no other, where it can be told; not taken in twice within the window.
    pub(crate) once: Option<Vec<u8>>,
    /// The keys that it names, each as the texts of its parts; none for the whole dataset.
    pub(crate) keys: Vec<Vec<String>>,
}

impl HookRule {
    /// Checks a call and reads its keys.
    ///
    /// # Errors
    /// [`Kind::Unauthenticated`] for a proof that is none, and a body that does not name what the rule says.
    pub(crate) fn read<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Proven> {
        let once = self.prove(header, body, now)?;
        Ok(Proven { once, keys: self.keys(body)? })
    }

    fn prove<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>> {
        match &self.proof {
            Proof::Token(token) => {
                let bearer = header("authorization").and_then(|text| text.strip_prefix("Bearer "));
                let given =
                    bearer.or_else(|| header(TOKEN)).ok_or_else(|| refused("it has no token"))?;
                // Hashes are compared in constant time.
                match blake3::hash(given.as_bytes()) == blake3::hash(token.as_bytes()) {
                    true => Ok(None),
                    false => Err(refused("its token is another one")),
                }
            }
            Proof::Stamped(secret) => {
                let text = header(SIGNATURE).ok_or_else(|| refused("it has no signature"))?;
                let part = |name: &str| {
                    text.split(',')
                        .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
                };
                let (Some(stamp), Some(signature)) = (part("t"), part("v1")) else {
                    return Err(refused("its signature is not t=SECONDS,v1=HEX"));
                };
                let signed = [stamp.as_bytes(), b".", body].concat();
                let signature = hex(signature).ok_or_else(|| refused("its signature is no hex"))?;
                verify(secret, &signed, &signature)?;
                let at = stamp.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
                let age = at.map(|at| now.duration_since(at).abs());
                match age {
                    Some(age) if age <= self.window => Ok(Some(signature)),
                    _ => Err(refused("its time stamp is too old, or too far ahead")),
                }
            }
            Proof::Plain { secret, header: name } => {
                let text = header(name).ok_or_else(|| refused("it has no signature"))?;
                let text = text.strip_prefix("sha256=").unwrap_or(text);
                let base64 = || {
                    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).ok()
                };
                let signature = hex(text).or_else(base64);
                let signature =
                    signature.ok_or_else(|| refused("its signature is no hex or base64"))?;
                verify(secret, body, &signature)?;
                Ok(Some(signature))
            }
        }
    }

    /// Returns the keys that a body names.
    fn keys(&self, body: &[u8]) -> Result<Vec<Vec<String>>> {
        if self.key.is_empty() {
            return Ok(Vec::new());
        }
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| unread(format!("the body is no JSON: {error}")))?;
        let items: Vec<&Value> = match &self.items {
            None => vec![&body],
            Some(pointer) => match body.pointer(pointer) {
                Some(Value::Array(items)) => items.iter().collect(),
                _ => return Err(unread(format!("the body has no array at {pointer}"))),
            },
        };
        if items.len() > MOST_KEYS {
            return Err(Error::new(
                Kind::TooLarge,
                format!("the body names {} keys; at most {MOST_KEYS} are taken", items.len()),
            ));
        }
        let part = |item: &Value, pointer: &String| match item.pointer(pointer) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
            _ => Err(unread(format!("an item has no text or number at {pointer}"))),
        };
        let key = |item: &&Value| self.key.iter().map(|pointer| part(item, pointer)).collect();
        items.iter().map(key).collect()
    }
}

fn refused(why: &str) -> Error {
    Error::new(Kind::Unauthenticated, format!("the call is not taken: {why}"))
}

fn unread(why: String) -> Error {
    Error::invalid(why).next("send the body that [hooks] of lockstep.toml describes")
}

fn verify(secret: &str, signed: &[u8], signature: &[u8]) -> Result<()> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|_| Error::internal("the secret has no length that HMAC takes"))?;
    mac.update(signed);
    // In constant time.
    mac.verify_slice(signature).map_err(|_| refused("its signature is that of something else"))
}

/// Reads hexadecimal digits.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The HMAC-SHA256 of test case 2 of RFC 4231: key "Jefe", data "what do ya want for nothing?".
    const RFC: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const DATA: &[u8] = b"what do ya want for nothing?";

    fn rule(proof: Proof, key: &[&str]) -> HookRule {
        HookRule {
            proof,
            window: SignedDuration::from_mins(5),
            items: None,
            key: key.iter().map(|&one| one.to_owned()).collect(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).unwrap()
    }

    fn read(rule: &HookRule, header: (&str, &str), body: &[u8], now: Timestamp) -> Result<Proven> {
        rule.read(|name| (name == header.0).then_some(header.1), body, now)
    }

    #[test]
    fn a_signature_of_the_body_is_known_in_hex_and_base64() {
        let header = "x-hub-signature-256".to_owned();
        let rule = rule(Proof::Plain { secret: "Jefe".into(), header: header.clone() }, &[]);
        let base64 = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
        for given in [RFC.to_owned(), format!("sha256={RFC}"), base64.to_owned()] {
            let proven = read(&rule, (&header, &given), DATA, at(0)).unwrap();
            assert_eq!(proven, Proven { once: hex(RFC), keys: vec![] });
        }
        for (given, body) in [(RFC, &b"other"[..]), ("00", DATA), ("zz", DATA), ("", DATA)] {
            let error = read(&rule, (&header, given), body, at(0)).unwrap_err();
            assert_eq!(error.kind(), Kind::Unauthenticated, "{given}");
        }
        assert!(read(&rule, ("other", RFC), DATA, at(0)).is_err());
    }

    #[test]
    fn a_call_names_no_more_keys_than_are_taken() {
        let rule =
            HookRule { items: Some("/rows".into()), ..rule(Proof::Token("t".into()), &["/id"]) };
        let call = |keys: usize| {
            let rows: Vec<Value> = (0..keys).map(|id| serde_json::json!({ "id": id })).collect();
            let body = serde_json::to_vec(&serde_json::json!({ "rows": rows })).unwrap();
            read(&rule, (TOKEN, "t"), &body, at(0))
        };
        assert_eq!(call(MOST_KEYS).unwrap().keys.len(), MOST_KEYS);
        let error = call(MOST_KEYS + 1).unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
        assert!(error.to_string().contains("10001 keys"), "{error}");
    }

    fn stamped(secret: &str, stamp: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(&[stamp.as_bytes(), b".", body].concat());
        let digits: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={stamp},v1={digits}")
    }

    #[test]
    fn a_stamped_signature_is_good_within_its_window_and_for_its_own_time_alone() {
        let rule = rule(Proof::Stamped("s".into()), &[]);
        let good = stamped("s", "1780000000", b"{}");
        let check =
            |given: &str, second| read(&rule, (SIGNATURE, given), b"{}", at(second)).is_ok();
        assert!(check(&good, 0) && check(&good, 300) && check(&good, -300));
        assert!(!check(&good, 301) && !check(&good, -301));
        assert!(!check(&good.replace("1780000000", "1780000300"), 300), "the stamp is signed, too");
        assert!(!check(&stamped("other", "1780000000", b"{}"), 0));
        assert!(!check("v1=00", 0) && !check("t=1780000000", 0) && !check("", 0));
    }

    #[test]
    fn a_token_is_this_one_or_none() {
        let rule = rule(Proof::Token("letmein".into()), &[]);
        assert!(read(&rule, ("authorization", "Bearer letmein"), b"", at(0)).is_ok());
        assert!(read(&rule, (TOKEN, "letmein"), b"", at(0)).is_ok());
        for given in ["Bearer letmei", "letmein", ""] {
            assert!(read(&rule, ("authorization", given), b"", at(0)).is_err(), "{given}");
        }
    }

    #[test]
    fn keys_are_read_by_pointers() {
        let token = || Proof::Token("t".into());
        let mut rule = rule(token(), &["/id", "/region/code"]);
        let keys = |rule: &HookRule, body: &str| rule.keys(body.as_bytes());
        let one = r#"{"id": 7, "region": {"code": "EU"}}"#;
        assert_eq!(keys(&rule, one).unwrap(), [["7", "EU"]]);
        assert!(keys(&rule, r#"{"id": 7}"#).is_err());
        assert!(keys(&rule, r#"{"id": null, "region": {"code": "EU"}}"#).is_err());
        assert!(keys(&rule, "no json").is_err());
        rule.items = Some("/orders".into());
        rule.key = vec!["/id".into()];
        let many = r#"{"orders": [{"id": "a"}, {"id": "b"}]}"#;
        assert_eq!(keys(&rule, many).unwrap(), [["a"], ["b"]]);
        assert!(keys(&rule, r#"{"orders": {}}"#).is_err());
        rule.key.clear();
        assert_eq!(keys(&rule, "anything").unwrap(), Vec::<Vec<String>>::new());
    }
}
