//! The operating system's keyring, through the program that it has for this: `secret-tool` (Secret Service) on Linux and
//! other free systems, `security` on macOS.
//!
//! A library would bring a D-Bus client and its async runtime into every build for a read at the start.

use std::process::{Command, Stdio};

use crate::error::{Error, Kind, Result};

/// Under which name Lockstep's entries stand.
const SERVICE: &str = "lockstep";

/// Returns an entry.
///
/// # Errors
/// A system without such a program, an entry that is not there, and a keyring that is locked.
pub(super) fn lookup(entry: &str) -> Result<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if entry.is_empty() || entry.starts_with('-') || !entry.chars().all(good) {
        return Err(Error::invalid(format!("{entry:?} is no name of a keyring's entry"))
            .next("use letters, digits, - _ . @"));
    }
    let (program, arguments, store): (&str, Vec<&str>, String) = if cfg!(target_os = "macos") {
        (
            "security",
            vec!["find-generic-password", "-s", SERVICE, "-a", entry, "-w"],
            format!("security add-generic-password -s {SERVICE} -a {entry} -w"),
        )
    } else if cfg!(unix) {
        (
            "secret-tool",
            vec!["lookup", "service", SERVICE, "name", entry],
            format!("secret-tool store --label={SERVICE} service {SERVICE} name {entry}"),
        )
    } else {
        return Err(Error::invalid("the keyring of this system cannot be read")
            .next("use ${NAME} or ${file:PATH}"));
    };
    let ran =
        Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = ran.map_err(|error| {
        Error::new(Kind::Unauthenticated, format!("the keyring cannot be read: {program}: {error}"))
            .next(format!("install {program}, or use ${{NAME}} or ${{file:PATH}}"))
    })?;
    let text = String::from_utf8(output.stdout).unwrap_or_default();
    let text = text.trim_end_matches(['\r', '\n']);
    if !output.status.success() || text.is_empty() {
        return Err(Error::new(
            Kind::Unauthenticated,
            format!("the keyring has no entry {entry:?}, or it is locked"),
        )
        .next(format!("unlock it, or make the entry: {store}")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_an_option_or_another_attribute() {
        for name in ["", "-x", "a b", "a;b", "ä"] {
            assert!(lookup(name).is_err(), "{name}");
        }
    }
}
