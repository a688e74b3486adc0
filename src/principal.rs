//! Who calls, and what they may do.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Kind, Result};

/// What a caller may do; each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Calls tools that write nothing.
    Reader,
    /// Calls every tool.
    Operator,
    /// Calls every tool, and reads the server's own metrics.
    Admin,
}

impl Role {
    /// Returns the role's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// How many rows and cells one call may show, and how many it may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Whose call it is.
    role: Role,
    /// The most rows; `None` for no limit.
    rows: Option<u64>,
    /// The most cells; `None` for no limit.
    cells: Option<u64>,
}

impl Limits {
    /// Creates the limits of a role.
    #[must_use]
    pub fn new(role: Role, rows: Option<u64>, cells: Option<u64>) -> Self {
        Self { role, rows, cells }
    }

    /// Returns a number of rows that a page may have: no more than what was asked for.
    pub(crate) fn page(&self, asked: u32) -> u32 {
        self.rows.map_or(asked, |most| asked.min(u32::try_from(most).unwrap_or(u32::MAX)))
    }

    /// Returns whether a page that has so many rows has room for one more.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] where a row alone has more cells than a page may have.
    pub(crate) fn room(&self, columns: usize, rows: usize) -> Result<bool> {
        let wide = columns as u64;
        let Some(most) = self.cells else { return Ok(true) };
        match rows {
            0 if wide > most => Err(self
                .beyond("cells in one row", "maxCells", wide, most)
                .next("select fewer columns with columns, or ask the operator for a higher limit")),
            _ => Ok(wide.saturating_mul(rows as u64 + 1) <= most),
        }
    }

    /// Lets a write of so many rows and cells pass.
    ///
    /// # Errors
    /// [`Kind::TooLarge`], with the limit, the number and `next`.
    pub(crate) fn check(&self, rows: u64, cells: u64, next: &str) -> Result<()> {
        for (what, key, number, most) in
            [("rows", "maxRows", rows, self.rows), ("cells", "maxCells", cells, self.cells)]
        {
            if let Some(most) = most.filter(|most| number > *most) {
                return Err(self.beyond(what, key, number, most).next(next));
            }
        }
        Ok(())
    }

    fn beyond(&self, what: &str, key: &str, number: u64, most: u64) -> Error {
        Error::new(
            Kind::TooLarge,
            format!(
                "{number} {what}: a call of the role {} may have at most {most} ([access] {key} of the configuration)",
                self.role.as_str()
            ),
        )
    }
}

/// The limits of every role, as the operator set them.
#[derive(Clone, Debug, Default)]
pub struct Bounds(BTreeMap<Role, Limits>);

impl Bounds {
    /// Creates the limits of roles; a role that is not there has none.
    #[must_use]
    pub fn new(limits: impl IntoIterator<Item = Limits>) -> Self {
        Self(limits.into_iter().map(|limits| (limits.role, limits)).collect())
    }

    /// Returns the limits of a role.
    #[must_use]
    pub fn of(&self, role: Role) -> Limits {
        self.0.get(&role).copied().unwrap_or_else(|| Limits::new(role, None, None))
    }
}

/// A caller whose identity was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who it is: unique for the issuer that vouches for it.
    pub subject: String,
    /// What it may do.
    pub role: Role,
}

impl Principal {
    /// Returns the person at this machine: stdio, and HTTP on loopback without authentication.
    #[must_use]
    pub fn local() -> Self {
        Self { subject: "local".into(), role: Role::Admin }
    }
}
