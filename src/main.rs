//! Lockstep binary.
fn main() {}
