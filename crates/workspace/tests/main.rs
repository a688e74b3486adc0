//! The integration tests of the workspace, over real HTTP; one binary, one module a subject.

mod drive;
mod formula;
mod push;
mod server;
