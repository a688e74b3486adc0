//! Bytes that can be read at any place: an open file, or memory.

use std::fs::File;
use std::io::{self, Read};

/// A sequence of bytes of known length, readable at any offset from several threads.
pub trait Source: Sync {
    /// Returns the length in bytes.
    ///
    /// # Errors
    /// When the file cannot be examined.
    fn size(&self) -> io::Result<u64>;

    /// Reads at an offset; returns how many bytes, zero only at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Source for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(self, buffer, offset);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(self, buffer, offset);
    }
}

impl Source for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut rest = self.get(at..).unwrap_or_default();
        rest.read(buffer)
    }
}

/// Reads exactly the buffer.
///
/// # Errors
/// When the source fails or ends before; a file that shrank while it was compared ends so.
pub(crate) fn read_exact_at(
    source: &dyn Source,
    mut offset: u64,
    mut buffer: &mut [u8],
) -> io::Result<()> {
    while !buffer.is_empty() {
        match source.read_at(offset, buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                offset += count as u64;
                buffer = buffer.get_mut(count..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads a source from an offset to its end.
pub(crate) struct SourceReader<'a> {
    source: &'a dyn Source,
    position: u64,
}

impl<'a> SourceReader<'a> {
    pub(crate) fn new(source: &'a dyn Source, position: u64) -> SourceReader<'a> {
        SourceReader { source, position }
    }
}

impl Read for SourceReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read_at(self.position, buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// Returns whether two sources have the same bytes.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn same_bytes(left: &dyn Source, right: &dyn Source) -> io::Result<bool> {
    // Blocks that stay in the second-level cache between the copy out of the kernel and the comparison.
    const BLOCK: usize = 1 << 17;
    let size = left.size()?;
    if size != right.size()? {
        return Ok(false);
    }
    let (mut a, mut b) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut offset = 0;
    while offset < size {
        let length = usize::try_from(size - offset).unwrap_or(BLOCK).min(BLOCK);
        let (Some(a), Some(b)) = (a.get_mut(..length), b.get_mut(..length)) else {
            return Ok(false);
        };
        read_exact_at(left, offset, a)?;
        read_exact_at(right, offset, b)?;
        if a != b {
            return Ok(false);
        }
        offset += length as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_compared_to_the_end() {
        let long = vec![7u8; 300_000];
        let mut other = long.clone();
        assert!(same_bytes(&long, &other).unwrap());
        *other.last_mut().unwrap() = 8;
        assert!(!same_bytes(&long, &other).unwrap());
        assert!(!same_bytes(&long, &vec![7u8; 299_999]).unwrap());
        assert!(same_bytes(&Vec::new(), &Vec::new()).unwrap());
    }

    #[test]
    fn reads_beyond_the_end_are_errors() {
        let source = b"abc".to_vec();
        let mut buffer = [0; 2];
        read_exact_at(&source, 1, &mut buffer).unwrap();
        assert_eq!(&buffer, b"bc");
        assert!(read_exact_at(&source, 2, &mut buffer).is_err());
        assert!(read_exact_at(&source, u64::MAX, &mut buffer).is_err());
    }
}
