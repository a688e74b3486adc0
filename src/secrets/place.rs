//! Where the keys of an installation are: named by the operator, or in a file beside the store.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use zeroize::Zeroizing;

use super::{Key, Ring, Secret, source};
use crate::error::{Error, Kind, Result};

/// Loads the keys: those that the operator names, or those of the file, which is made where there is none.
///
/// The file has one key a line, the one that seals first; only its owner can read it.
///
/// # Errors
/// A named key that is not there or is none, and a file that can neither be read nor made.
pub fn load(named: Option<&Secret>, previous: &[Secret], file: &Path) -> Result<Ring> {
    let read = |secret: &Secret, place: &str| {
        let text = secret.resolve(place)?;
        Key::read(text.reveal()).map_err(|error| error.context(place.to_owned()))
    };
    let mut earlier = Vec::new();
    for secret in previous {
        earlier.push(read(secret, "secrets.previousKeys")?);
    }
    if let Some(named) = named {
        return Ok(Ring::new(read(named, "secrets.key")?, earlier));
    }
    if !file.exists() {
        write(file, &[Key::generate()?], false)?;
    }
    source::private(file)?;
    let text = Zeroizing::new(fs::read_to_string(file).map_err(|error| failed(file, &error))?);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let keys = lines.map(Key::read).collect::<Result<Vec<_>>>();
    let mut keys = keys.map_err(|error| error.context(file.display().to_string()))?.into_iter();
    let first = keys.next().ok_or_else(|| {
        Error::new(Kind::Unauthenticated, format!("the key file {} is empty", file.display()))
            .next("restore it from a backup")
    })?;
    Ok(Ring::new(first, keys.chain(earlier)))
}

/// Adds a new key to the file as the one that seals, or drops all that do not seal any more.
///
/// # Errors
/// A file that cannot be written.
pub fn rotate(ring: &Ring, file: &Path, drop_earlier: bool) -> Result<Ring> {
    let mut keys = ring.keys.clone();
    if drop_earlier {
        keys.truncate(1);
    } else {
        keys.insert(0, Key::generate()?);
    }
    write(file, &keys, true)?;
    Ok(Ring { keys })
}

/// Writes the file whole, or not at all; the first process makes it.
fn write(file: &Path, keys: &[Key], replace: bool) -> Result<()> {
    let failed = |error: io::Error| failed(file, &error);
    let folder = file.parent().unwrap_or(Path::new("."));
    // Made for its owner alone.
    let mut aside = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    for key in keys {
        writeln!(aside, "{}", key.text().as_str()).map_err(failed)?;
    }
    aside.as_file().sync_all().map_err(failed)?;
    if replace {
        aside.persist(file).map_err(|error| failed(error.error))?;
        return Ok(());
    }
    match aside.persist_noclobber(file) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
            Err(failed(error.error))
        }
        _ => Ok(()),
    }
}

fn failed(file: &Path, error: &io::Error) -> Error {
    Error::new(
        Kind::PermissionDenied,
        format!("the key file {} can neither be read nor made: {error}", file.display()),
    )
    .next("make its folder writable, or name a key with [secrets] key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_made_once_kept_private_and_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lockstep.keys");
        let first = load(None, &[], &path).unwrap();
        assert_eq!(load(None, &[], &path).unwrap().name(), first.name());
        let sealed = first.seal("x", b"kept").unwrap();
        let second = rotate(&first, &path, false).unwrap();
        assert_ne!(second.name(), first.name());
        let loaded = load(None, &[], &path).unwrap();
        assert_eq!((loaded.name(), loaded.size()), (second.name(), 2));
        assert_eq!(loaded.open("x", &sealed).unwrap().as_slice(), b"kept");
        rotate(&loaded, &path, true).unwrap();
        let last = load(None, &[], &path).unwrap();
        assert_eq!((last.name(), last.size()), (second.name(), 1));
        assert!(last.open("x", &sealed).is_err());
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load(None, &[], &path).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_named_key_needs_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none");
        let (key, old) = (Key::generate().unwrap(), Key::generate().unwrap());
        let named = Secret::new(key.text().as_str());
        let ring = load(Some(&named), &[Secret::new(old.text().as_str())], &path).unwrap();
        assert_eq!((ring.name(), ring.size()), (key.name(), 2));
        assert!(!path.exists());
        let error = load(Some(&Secret::new("too short")), &[], &path).unwrap_err().to_string();
        assert!(error.contains("secrets.key") && error.contains("openssl"), "{error}");
    }
}
