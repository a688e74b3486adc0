//! Alerts: people are told when a dataset's health needs them, once, and when it no longer does.
//!
//! [`watch`] looks at the health now and then: what is wrong is an incident, told once when it begins, again every so
//! often while it lasts, and once when it is over ([`judge`], pure). Messages are stored first and then brought to each
//! channel by [`channel`], again and again if need be, beside everything else: a channel that is down, slow or lying
//! delays no call and no sync.

mod channel;
mod judge;
mod message;
mod quiet;
pub mod settings;
pub mod watch;
