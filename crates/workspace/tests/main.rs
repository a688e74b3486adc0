//! The integration tests of the workspace, over real HTTP; one binary, one module a subject.

#![cfg(test)]

mod anchors;
mod auth;
mod batch;
mod drive;
mod durable;
mod faults;
mod formula;
mod long;
mod model;
mod push;
mod schema;
mod server;
mod sheets;
mod upload;
mod web;
