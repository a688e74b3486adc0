//! Where a secret is read: `${NAME}` in the environment, `${file:PATH}`, `${keyring:NAME}`.

use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use super::keyring;
use crate::{
    error::{Error, Kind, Result},
    redact,
};

/// The largest file that is taken for a secret, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Returns what stands between `${` and `}` stands for; it is kept out of errors and logs from then on.
///
/// # Errors
/// A variable that is not set, a file that cannot be read or that everybody can, and a keyring that has nothing.
pub(crate) fn value(name: &str) -> Result<String> {
    let value = if let Some(path) = name.strip_prefix("file:") {
        file(Path::new(path))?
    } else if let Some(entry) = name.strip_prefix("keyring:") {
        keyring::lookup(entry)?
    } else {
        let set = std::env::var(name).ok().filter(|value| !value.is_empty());
        set.ok_or_else(|| {
            missing(format!("the environment variable {name} is not set"))
                .next(format!("set {name} in the environment that Lockstep is started from"))
        })?
    };
    redact::note(&value);
    Ok(value)
}

/// Fills in every `${…}`; `$${` stands for `${` itself. `part` shapes what is put in where the text is more than that.
///
/// # Errors
/// See [`value`]; and a `${` that has no `}`.
pub(crate) fn fill(
    text: &str,
    value: impl Fn(&str) -> Result<String>,
    part: impl Fn(String) -> String,
) -> Result<String> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}') else {
            return Err(Error::invalid("a \"${\" has no \"}\"")
                .next("write ${NAME}, ${file:PATH} or ${keyring:NAME}"));
        };
        if before.is_empty() && after.is_empty() && filled.is_empty() {
            return value(name);
        }
        filled.push_str(before);
        filled.push_str(&Zeroizing::new(part(value(name)?)));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Fills in an address: what is a part of it is percent-encoded, so that a password may hold any character. Its password
/// is kept out of errors and logs from then on.
///
/// # Errors
/// See [`fill`].
pub(crate) fn address(url: &str, value: impl Fn(&str) -> Result<String>) -> Result<String> {
    let encode = |part: String| utf8_percent_encode(&part, NON_ALPHANUMERIC).to_string();
    let filled = fill(url, value, encode)?;
    let user = filled.rsplit_once('@').and_then(|(before, _)| before.split_once("://"));
    if let Some((_, password)) = user.and_then(|(_, user)| user.split_once(':')) {
        redact::note(password);
        redact::note(&percent_decode_str(password).decode_utf8_lossy());
    }
    Ok(filled)
}

/// Returns whether a text holds no `${…}`: it is a secret itself.
pub(crate) fn literal(text: &str) -> bool {
    !text.replace("$${", "").contains("${")
}

fn missing(what: String) -> Error {
    Error::new(Kind::Unauthenticated, what)
}

/// Reads a file of one secret that not everybody can read.
fn file(path: &Path) -> Result<String> {
    let text = content(path)?;
    private(path)?;
    Ok(text)
}

/// Reads a file of one secret; a line break at its end is none of it.
///
/// # Errors
/// A file that cannot be read, is empty or too large.
pub(crate) fn content(path: &Path) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        missing(format!("the file {} cannot be read: {error}", path.display()))
            .next("name a file that the server's user can read")
    };
    let data = std::fs::metadata(path).map_err(unreadable)?;
    if data.len() > LARGEST {
        return Err(Error::invalid(format!(
            "the file {} is too large for a secret",
            path.display()
        ))
        .next("name the file of the secret alone"));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(unreadable)?);
    let text = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() {
        return Err(missing(format!("the file {} is empty", path.display()))
            .next("write the secret into it"));
    }
    Ok(text.to_owned())
}

/// Refuses a file with secrets in it that everybody on the machine can read.
///
/// # Errors
/// A file with read permission for others, on systems that know these.
pub(crate) fn private(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_or(0, |data| data.permissions().mode());
        if mode & 0o004 != 0 {
            return Err(Error::new(
                Kind::PermissionDenied,
                format!(
                    "{} holds a secret, and everybody on this machine can read it",
                    path.display()
                ),
            )
            .next(format!("chmod 600 {}", path.display())));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_filled_and_what_is_missing_is_named() {
        let lookup = |name: &str| match name {
            "A" => Ok("one/1".to_owned()),
            "file:/a b" => Ok("two".to_owned()),
            _ => value(name),
        };
        let filled = |text: &str| fill(text, lookup, |part| part.replace('/', "%2F"));
        for (text, wanted) in [
            ("x", "x"),
            ("${A}", "one/1"),
            ("Token ${A}!", "Token one%2F1!"),
            ("${file:/a b} ${A}", "two one%2F1"),
            ("$${A} $5", "${A} $5"),
        ] {
            assert_eq!(filled(text).unwrap(), wanted);
        }
        assert!(
            filled("${NOT_SET_ANYWHERE}").unwrap_err().to_string().contains("NOT_SET_ANYWHERE")
        );
        assert!(filled("${A").is_err());
        assert!(literal("x $${A}") && !literal("${A}"));
    }

    #[test]
    fn a_secret_file_is_read_without_its_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let name = format!("file:{}", path.display());
        assert!(value(&name).unwrap_err().to_string().contains("cannot be read"));
        std::fs::write(&path, "from a file\r\n").unwrap();
        let mode = |mode| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(0o604);
        let error = value(&name).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && !error.contains("from a file"), "{error}");
        mode(0o640);
        assert_eq!(value(&name).unwrap(), "from a file");
    }
}
