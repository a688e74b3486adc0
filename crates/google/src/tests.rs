//! Tests of the calls as a whole, against a stub that plays canned answers.

mod allow;
mod auth;
mod drive;
mod failures;
mod login;
mod once;
mod quota;
mod storm;
mod stub;
mod traps;
mod waiting;
mod workspace;
