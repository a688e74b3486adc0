//! `[access]`: what may be touched, whoever asks for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU64,
};

use serde::Deserialize;

use super::Config;
use crate::{
    error::{Error, Result},
    principal::{Bounds, Limits, Role},
};

/// What may be touched.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccessConfig {
    /// Whether nothing is written anywhere but in the store: no sheet, file, database or API.
    pub read_only: bool,
    /// The spreadsheets that may be used, and the folders whose spreadsheets may be, by id or address; all if not given.
    pub files: Option<Vec<String>>,
    /// The most rows that one call may show, and may write; no limit if not given.
    pub max_rows: Option<NonZeroU64>,
    /// The most cells that one call may show, and may write; no limit if not given.
    pub max_cells: Option<NonZeroU64>,
    /// What holds for a role instead: the person at this machine has the role admin.
    pub roles: BTreeMap<Role, LimitsConfig>,
}

/// The limits of one role.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// The most rows, instead of `[access] maxRows`.
    pub max_rows: Option<NonZeroU64>,
    /// The most cells, instead of `[access] maxCells`.
    pub max_cells: Option<NonZeroU64>,
}

impl AccessConfig {
    /// Returns the limits of every role.
    pub(crate) fn bounds(&self) -> Bounds {
        let most =
            |own: Option<NonZeroU64>, all: Option<NonZeroU64>| own.or(all).map(NonZeroU64::get);
        Bounds::new([Role::Reader, Role::Operator, Role::Admin].map(|role| {
            let own = self.roles.get(&role).cloned().unwrap_or_default();
            let rows = most(own.max_rows, self.max_rows);
            Limits::new(role, rows, most(own.max_cells, self.max_cells))
        }))
    }

    /// Returns what the Google client keeps to.
    ///
    /// # Errors
    /// A text that is neither an id nor an address.
    pub(crate) fn of_google(&self) -> Result<lockstep_google::Access> {
        let read = |text: &String| {
            lockstep_google::parse_id(text)
                .map_err(|error| Error::from(error).context("[access] files"))
        };
        let named = self.files.as_ref();
        let files = named.map(|files| files.iter().map(read).collect::<Result<BTreeSet<_>>>());
        Ok(lockstep_google::Access { files: files.transpose()?, read_only: self.read_only })
    }
}

impl Config {
    /// Takes the leave to write from everything, where nothing may be written.
    pub(crate) fn keep_to_access(&mut self) {
        if self.access.read_only {
            self.files.writable = false;
            self.connections.values_mut().for_each(|connection| connection.only_read());
        }
    }
}
