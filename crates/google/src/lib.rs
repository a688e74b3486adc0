//! lockstep-google.
