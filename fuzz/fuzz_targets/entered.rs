//! USER_ENTERED: any text that a person types becomes a value or a formula, in every locale, and can be shown.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| lockstep_workspace::fuzz_entered(text));
