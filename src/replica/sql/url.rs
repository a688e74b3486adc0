//! The address of a database, with words of the environment; nothing of it is ever printed.

use std::fmt;

use super::Engine;
use crate::{
    error::{Error, Result},
    secrets::source,
};

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
    /// `${NAME}` (of the environment), `${file:PATH}` and `${keyring:NAME}` are put in as they are where they are the whole
    /// address, percent-encoded where they are a part of one, so that a password may hold any character.
    ///
    /// # Errors
    /// A variable that is not set, or an address of another kind of database.
    pub(super) fn read(engine: Engine, url: &str) -> Result<Self> {
        let filled = source::address(url, source::value)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Result<String> {
        match name {
            "PASSWORD" => Ok("p@ss/w:rd".into()),
            "URL" => Ok("postgres://a:b@c/d".into()),
            _ => source::value(name),
        }
    }

    #[test]
    fn words_of_the_environment_are_filled_in() {
        let filled = |url| source::address(url, environment).map_err(|error| error.to_string());
        assert_eq!(filled("sqlite:a.db").unwrap(), "sqlite:a.db");
        assert_eq!(filled("${URL}").unwrap(), "postgres://a:b@c/d");
        assert_eq!(filled("mysql://u:${PASSWORD}@h/d").unwrap(), "mysql://u:p%40ss%2Fw%3Ard@h/d");
        assert!(filled("${NONE}").unwrap_err().contains("NONE is not set"));
        assert!(filled("x${URL").unwrap_err().contains("has no"));
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
