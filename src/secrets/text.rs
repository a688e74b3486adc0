//! A secret of the configuration.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::source;
use crate::{
    error::{Error, Kind, Result},
    redact,
};

/// A text that may hold `${NAME}`, `${file:PATH}` and `${keyring:NAME}`, never shows itself, and is wiped when it goes.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Ok(Self(Zeroizing::new(String::deserialize(deserializer)?)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Secret {
    /// Wraps a text as the operator would write it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the secret filled in; `place` says which key of the configuration it is.
    ///
    /// # Errors
    /// What it refers to is not there, or it is blank.
    pub(crate) fn resolve(&self, place: &str) -> Result<Self> {
        let text = source::fill(&self.0, source::value, |part| part)
            .map_err(|error| error.context(place.to_owned()))?;
        if text.trim().is_empty() {
            return Err(Error::new(Kind::Unauthenticated, "it is blank")
                .context(place.to_owned())
                .next("correct the configuration"));
        }
        redact::note(&text);
        Ok(Self(Zeroizing::new(text)))
    }

    /// Returns the text itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown_and_names_its_place_when_it_is_missing() {
        let secret: Secret = serde_json::from_str("\"hunter22-and-more\"").unwrap();
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.resolve("auth.token").unwrap().reveal(), "hunter22-and-more");
        assert_eq!(redact::clean("bad hunter22-and-more"), "bad ***");
        let error =
            Secret::new("${NOT_SET_ANYWHERE}").resolve("auth.token").unwrap_err().to_string();
        assert!(error.contains("auth.token") && error.contains("NOT_SET_ANYWHERE"), "{error}");
        assert!(Secret::new(" ").resolve("x").is_err());
    }
}
