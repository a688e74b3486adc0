//! lockstep.toml: any text is settings or an error that says where.
#![no_main]

use lockstep::config::Config;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse(text, "lockstep.toml".as_ref()) {
        assert!(error.to_string().contains("lockstep.toml"), "{error}");
    }
});
