//! lockstep-a1.
