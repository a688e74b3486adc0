//! The address of a database, with words of the environment; nothing of it is ever printed.

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Engine;
use crate::error::{Error, Result};

/// An address that may hold a password.
#[derive(Clone)]
pub(super) struct Address(String);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

impl Address {
    /// Reads an address as the operator wrote it.
    ///
    /// `${NAME}` is the environment variable's value: as it is where it is the whole address, percent-encoded where it
    /// is a part of one, so that a password may hold any character.
    ///
    /// # Errors
    /// A variable that is not set, or an address of another kind of database.
    pub(super) fn read(engine: Engine, url: &str) -> Result<Self> {
        let filled = expand(url, |name| std::env::var(name).ok())?;
        let (schemes, example): (&[&str], &str) = match engine {
            Engine::Postgres => {
                (&["postgres://", "postgresql://"], "postgres://user:${PASSWORD}@host/name")
            }
            Engine::Mysql => (&["mysql://", "mariadb://"], "mysql://user:${PASSWORD}@host/name"),
            Engine::Sqlite => (&["sqlite:"], "sqlite:folder/file.db"),
        };
        if !schemes.iter().any(|scheme| filled.starts_with(scheme)) {
            return Err(Error::invalid(format!("url is no address of {}", engine.as_str()))
                .next(format!("write it like {example}")));
        }
        Ok(Self(filled))
    }

    /// Returns the address, secrets and all: for the driver's eyes alone.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// Returns what tells one database from another, without the password: still not to be printed.
    pub(super) fn public(&self) -> String {
        let Some((before, place)) = self.0.rsplit_once('@') else { return self.0.clone() };
        let user = before.split_once("://").map_or(before, |(_, user)| user);
        let user = user.split(':').next().unwrap_or_default();
        format!("{user}@{place}")
    }

    /// Returns the path of an SQLite address.
    pub(super) fn path(&self) -> &str {
        let path = self.0.strip_prefix("sqlite:").unwrap_or(&self.0);
        let path = path.strip_prefix("//").unwrap_or(path);
        path.split('?').next().unwrap_or(path)
    }
}

fn expand(url: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String> {
    let value = |name: &str| {
        variable(name).ok_or_else(|| {
            Error::invalid(format!("url needs the environment variable {name}, which is not set"))
                .next(format!("set {name} in the environment that Lockstep is started from"))
        })
    };
    let mut filled = String::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            return Err(Error::invalid("url has a ${ without a }").next("write ${NAME}"));
        };
        filled.push_str(before);
        if before.is_empty() && after.is_empty() && filled.is_empty() {
            return value(name);
        }
        filled.extend(utf8_percent_encode(&value(name)?, NON_ALPHANUMERIC));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "PASSWORD" => Some("p@ss/w:rd".into()),
            "URL" => Some("postgres://a:b@c/d".into()),
            _ => None,
        }
    }

    #[test]
    fn words_of_the_environment_are_filled_in() {
        let filled = |url| expand(url, environment).map_err(|error| error.to_string());
        assert_eq!(filled("sqlite:a.db").unwrap(), "sqlite:a.db");
        assert_eq!(filled("${URL}").unwrap(), "postgres://a:b@c/d");
        assert_eq!(filled("mysql://u:${PASSWORD}@h/d").unwrap(), "mysql://u:p%40ss%2Fw%3Ard@h/d");
        assert!(filled("${NONE}").unwrap_err().contains("NONE, which is not set"));
        assert!(filled("x${URL").unwrap_err().contains("without a }"));
    }

    #[test]
    fn what_tells_databases_apart_has_no_password() {
        let public = |url| Address(String::from(url)).public();
        assert_eq!(public("postgres://a:s%40c@c:5/d?x=1"), "a@c:5/d?x=1");
        assert_eq!(public("postgres://a@c/d"), "a@c/d");
        assert_eq!(public("sqlite:folder/a.db"), "sqlite:folder/a.db");
    }

    #[test]
    fn an_address_is_never_printed() {
        let address = Address::read(Engine::Postgres, "postgres://a:secret@c/d").unwrap();
        assert!(!format!("{address:?}").contains("secret"));
        let error =
            Address::read(Engine::Mysql, "postgres://a:secret@c/d").unwrap_err().to_string();
        assert!(error.contains("MySQL") && !error.contains("secret"), "{error}");
    }
}
