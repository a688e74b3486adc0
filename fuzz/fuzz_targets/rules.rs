//! Rule expressions: any text is checked, and what passes runs to an end on rows that lack values too.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| lockstep_engine::rules::fuzz(text));
