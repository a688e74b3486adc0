//! Calls of the Drive service.

pub(crate) mod about;
pub(crate) mod channel;
pub(crate) mod create;
pub(crate) mod file;
pub(crate) mod find;
