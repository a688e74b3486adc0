//! Conflicts: listed, previewed, decided by people, agents and policies, and written by the next run.

mod bad;
mod crowd;
mod forms;
mod hubs;
mod kills;
mod queue;
mod ranks;
mod review;
mod rules;
mod shop;
mod stands;
mod strategies;
