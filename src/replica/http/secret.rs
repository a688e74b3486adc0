//! Secrets of the configuration: taken from the environment, never shown.

use std::fmt;

use serde::Deserialize;

use crate::error::{Error, Kind, Result};

/// A text that may hold `${NAME}` for variables of the environment, and that never shows itself.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Secret {
    /// Returns the secret with its variables filled in; `place` says which key of the configuration it is.
    ///
    /// # Errors
    /// A variable that is not set, or a blank secret.
    pub(in crate::replica) fn resolve(&self, place: &str) -> Result<Self> {
        let wrong = |what: String| {
            Error::new(Kind::Unauthenticated, what)
                .context(place.to_owned())
                .next("set the variable for the server's process, or correct the configuration")
        };
        let text = expand(&self.0, |name| std::env::var(name).ok()).map_err(wrong)?;
        if text.trim().is_empty() {
            return Err(wrong("it is blank".into()));
        }
        Ok(Self(text))
    }

    /// Returns the text itself.
    pub(in crate::replica) fn reveal(&self) -> &str {
        &self.0
    }
}

/// Fills in `${NAME}`; `$${` stands for `${` itself.
fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = after;
            continue;
        }
        let (name, after) = after.split_once('}').ok_or("a \"${\" has no \"}\"")?;
        filled.push_str(before);
        let value = lookup(name).filter(|value| !value.is_empty());
        filled
            .push_str(&value.ok_or_else(|| format!("the environment variable {name} is not set"))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The longest text of an API that is handed on, in characters.
const LONGEST: usize = 300;

/// Takes secrets out of what an API said, and bounds it.
#[derive(Clone, Default)]
pub(super) struct Redactor(Vec<String>);

impl Redactor {
    /// Adds a secret; a very short one would tear ordinary words.
    pub(super) fn add(&mut self, secret: &str) {
        if secret.len() >= 4 && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
        }
    }

    /// Returns the text in one line of bounded length, without the secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret, "***");
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let line = words.join(" ");
        match line.char_indices().nth(LONGEST).and_then(|(at, _)| line.get(..at)) {
            Some(head) => format!("{head}…"),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_missing_ones_named() {
        let lookup = |name: &str| match name {
            "A" => Some("one".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, wanted) in
            [("x", "x"), ("${A}", "one"), ("Token ${A}!", "Token one!"), ("$${A} $5", "${A} $5")]
        {
            assert_eq!(expand(text, lookup).unwrap(), wanted);
        }
        assert!(expand("${B}", lookup).unwrap_err().contains(" B "));
        assert!(expand("${EMPTY}", lookup).unwrap_err().contains("EMPTY"));
        assert!(expand("${A", lookup).is_err());
    }

    #[test]
    fn secrets_are_never_shown() {
        let secret = Secret("hunter22".into());
        assert_eq!(format!("{secret:?}"), "***");
        let mut redactor = Redactor::default();
        redactor.add("hunter22");
        redactor.add("a");
        let long = "x".repeat(1_000);
        assert_eq!(redactor.clean("bad token\n hunter22 at"), "bad token *** at");
        assert_eq!(redactor.clean(&long).chars().count(), LONGEST + 1);
    }
}
