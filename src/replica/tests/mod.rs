//! The port against the embedded workspace over real HTTP, with somebody else at work in the same sheet.

mod anchors;
mod ends;
mod files;
mod race;
mod settle;
mod storm;
#[path = "../../../tests/support/wire.rs"]
mod wire;
mod world;
