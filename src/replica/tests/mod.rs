//! The port against the embedded workspace over real HTTP, with somebody else at work in the same sheet.

mod anchors;
mod files;
mod race;
mod settle;
mod storm;
mod world;
