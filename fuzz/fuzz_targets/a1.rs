//! A1: any text is a reference or an error, and what is printed is read as the same reference.
#![no_main]

use lockstep_a1::parse;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(reference) = parse(text) {
        let shown = reference.to_string();
        assert_eq!(parse(&shown).as_ref(), Ok(&reference), "{text:?} is shown as {shown:?}");
    }
});
