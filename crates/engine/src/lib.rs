//! lockstep-engine.
