//! Field masks.
