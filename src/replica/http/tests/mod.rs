//! The adapter against a stub on real HTTP, step by step.

#[path = "../../../../tests/support/api.rs"]
mod api;
mod describing;
mod hostile;
mod reading;
mod stage;
mod writing;
