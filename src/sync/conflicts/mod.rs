//! Conflicts between the engine, which finds them and carries decisions out, and the store, which keeps them.
//!
//! `find` turns what a comparison left undecided into what the store keeps; `feed` gives the engine what people decided
//! and when values were first seen; `weigh` asks the engine what a policy would decide about stored conflicts; `choose`
//! checks decisions; `review` is the tab in which people decide.

pub(crate) mod choose;
pub(super) mod feed;
pub(super) mod find;
pub(crate) mod weigh;
