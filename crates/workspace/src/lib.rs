//! lockstep-workspace.
