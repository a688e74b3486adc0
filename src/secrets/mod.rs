//! Secrets: where they come from, how they are kept sealed, and how they are kept out of what is shown.
//!
//! - [`Secret`]: a text of the configuration that may hold `${NAME}`, `${file:PATH}` and `${keyring:NAME}`.
//! - [`source`]: the environment, files and the operating system's keyring.
//! - [`Ring`]: the keys of this installation, with which tokens (and the store, where that is asked for) are sealed.
//!
//! Every secret that is read is noted in [`redact`](crate::redact), which takes it out of errors and logs.

mod key;
mod keyring;
mod place;
mod seal;
pub(crate) mod source;
mod text;

pub use key::{Key, Ring};
pub use place::{load, rotate};
pub(crate) use source::{address, content, literal, private, value};
pub use text::Secret;
