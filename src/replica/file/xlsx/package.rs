//! The zip that a workbook is: its parts read within bounds, and copied as they lie.

use std::{
    collections::HashMap,
    io::{Cursor, Read, Write},
};

use zip::{CompressionMethod, ZipArchive, ZipWriter, result::ZipError};

use super::super::broken;
use crate::error::{Error, Kind, Result};

/// The most bytes that one part may unpack to: a zip of a few kilobytes can claim any size.
const MAX_PART: u64 = 1 << 30;

/// The most bytes that all parts that are read may unpack to.
const MAX_ALL: u64 = 2 << 30;

/// The most parts of a package.
const MAX_PARTS: usize = 20_000;

/// A workbook's package.
pub(super) struct Package<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// The most bytes that a part may unpack to.
    bound: u64,
    read: u64,
}

fn zip_error(error: &ZipError) -> Error {
    broken(format!("it is no whole workbook: {error}"))
}

fn too_large(what: &str) -> Error {
    Error::new(Kind::TooLarge, format!("{what} of the workbook is larger than what is read"))
        .next("split the workbook, or save the sheet as CSV")
}

impl<'a> Package<'a> {
    /// Opens a package.
    ///
    /// # Errors
    /// Bytes that are no zip, and parts that are encrypted.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        Self::bounded(bytes, MAX_PART)
    }

    fn bounded(bytes: &'a [u8], bound: u64) -> Result<Self> {
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| zip_error(&error))?;
        if zip.len() > MAX_PARTS {
            return Err(too_large("the number of parts"));
        }
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index).map_err(|error| zip_error(&error))?;
            if entry.encrypted() {
                return Err(broken("the workbook is encrypted").next("save it without a password"));
            }
        }
        Ok(Self { zip, bound, read: 0 })
    }

    /// Returns the names of all parts.
    pub(super) fn names(&self) -> Vec<String> {
        self.zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect()
    }

    /// Returns whether there is a part of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// Returns a part as text, with its byte order mark if it has one.
    ///
    /// # Errors
    /// A part that is not there, too large, damaged, or not UTF-8.
    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        let mut entry = match self.zip.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => {
                return Err(broken(format!("the workbook has no part {name}")));
            }
            Err(error) => return Err(zip_error(&error)),
        };
        let bound = self.bound.min(MAX_ALL.saturating_sub(self.read));
        if entry.size() > bound {
            return Err(too_large(&format!("the part {name}")));
        }
        let mut bytes = Vec::new();
        entry
            .by_ref()
            .take(bound + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| broken(format!("the part {name} is damaged: {error}")))?;
        // The size that the zip claims proves nothing.
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > bound {
            return Err(too_large(&format!("the part {name}")));
        }
        self.read += size;
        String::from_utf8(bytes).map_err(|_| broken(format!("the part {name} is not UTF-8")))
    }

    /// Returns the package with some parts replaced; all others keep their bytes, compressed as they were.
    ///
    /// # Errors
    /// A package that cannot be written, or that does not hold the same parts afterwards.
    pub(super) fn with(&self, bytes: &[u8], parts: &HashMap<String, String>) -> Result<Vec<u8>> {
        let failed =
            |error: ZipError| Error::internal(format!("the workbook cannot be written: {error}"));
        let mut old = self.zip.clone();
        let mut new = ZipWriter::new(Cursor::new(Vec::with_capacity(bytes.len())));
        for index in 0..old.len() {
            let entry = old.by_index_raw(index).map_err(failed)?;
            let name = entry.name().map_err(failed)?.into_owned();
            match parts.get(&name) {
                None => new.raw_copy_file(entry).map_err(failed)?,
                Some(text) => {
                    let options = entry.options().compression_method(CompressionMethod::Deflated);
                    drop(entry);
                    let options = options.large_file(u32::try_from(text.len()).is_err());
                    new.start_file(&name, options).map_err(failed)?;
                    new.write_all(text.as_bytes()).map_err(|error| failed(error.into()))?;
                }
            }
        }
        let written = new.finish().map_err(failed)?.into_inner();
        same_parts(&mut old, &written, parts)?;
        Ok(written)
    }
}

/// Compares every part that was not replaced, by size and checksum.
fn same_parts(
    old: &mut ZipArchive<Cursor<&[u8]>>,
    written: &[u8],
    parts: &HashMap<String, String>,
) -> Result<()> {
    let mut new = ZipArchive::new(Cursor::new(written)).map_err(|error| zip_error(&error))?;
    let mut same = old.len() == new.len();
    for index in 0..old.len() {
        let before = old.by_index_raw(index).map_err(|error| zip_error(&error))?;
        let name = before.name().map_err(|error| zip_error(&error))?.into_owned();
        let before = (before.crc32(), before.size(), before.compressed_size());
        let after = new.by_index_raw(index).map_err(|error| zip_error(&error))?;
        let after_name = after.name().map_err(|error| zip_error(&error))?.into_owned();
        let after = (after.crc32(), after.size(), after.compressed_size());
        same &= after_name == name && (parts.contains_key(&name) || before == after);
    }
    match same {
        true => Ok(()),
        false => Err(Error::internal("the other parts of the workbook would not stay as they are")
            .next("report this with the program that made the workbook; nothing was written")),
    }
}

#[cfg(test)]
mod tests {
    use zip::write::SimpleFileOptions;

    use super::*;

    #[test]
    fn a_zip_bomb_is_refused_whatever_size_it_claims() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, size) in [("small", 100), ("large", 100_000)] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&vec![b' '; size]).unwrap();
        }
        let honest = zip.finish().unwrap().into_inner();
        assert!(honest.len() < 1_000);
        // Another zip claims that the part is short: 100000 is replaced by 9, wherever it stands.
        let mut lying = honest.clone();
        let size = 100_000_u32.to_le_bytes();
        for at in 0..lying.len() - 4 {
            if lying[at..at + 4] == size {
                lying[at..at + 4].copy_from_slice(&9_u32.to_le_bytes());
            }
        }
        assert_ne!(honest, lying);
        for bytes in [honest, lying] {
            let mut package = Package::bounded(&bytes, 1_000).unwrap();
            assert_eq!(package.text("small").unwrap().len(), 100);
            let error = package.text("large").unwrap_err();
            assert!(matches!(error.kind(), Kind::TooLarge | Kind::InvalidArgument), "{error}");
        }
    }
}
