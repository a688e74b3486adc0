//! JSON text written piece by piece into buffers that are used again.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::http::ApiError;

/// Is how much text is gathered before it is sent on.
const SPILL: usize = 192 * 1024;

/// Is the size of a buffer; what is above [`SPILL`] is room for the row that is being written.
const BUFFER: usize = 256 * 1024;

/// Is how many buffers wait to be used again. Memory that was written lately is in the processor's
/// caches, so they are few.
const SPARE: usize = 16;

static POOL: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Is a piece of text in a buffer that goes back to the others when it was sent.
pub(crate) struct Piece {
    /// The whole buffer; only the first `filled` bytes are text.
    bytes: Vec<u8>,
    filled: usize,
}

impl Piece {
    fn new() -> Self {
        let spare = POOL.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { bytes: spare.unwrap_or_else(|| vec![0; BUFFER]), filled: 0 }
    }

    /// Returns the text as bytes that are sent without a copy.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() == BUFFER {
            let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.len() < SPARE {
                pool.push(bytes);
            }
        }
    }
}

/// Gathers text and hands it on in pieces, so that a long answer is sent while it is written.
pub(crate) struct Sink<'a> {
    piece: Piece,
    /// Takes a piece of text; an error says that nobody wants more.
    full: &'a mut dyn FnMut(Piece) -> Result<(), ApiError>,
}

impl<'a> Sink<'a> {
    /// Returns an empty sink that hands its pieces to a closure.
    pub(crate) fn new(full: &'a mut dyn FnMut(Piece) -> Result<(), ApiError>) -> Self {
        Self { piece: Piece::new(), full }
    }

    /// Hands on what was gathered when it is enough.
    pub(crate) fn spill(&mut self) -> Result<(), ApiError> {
        if self.piece.filled >= SPILL { self.hand_on() } else { Ok(()) }
    }

    /// Hands on what was gathered.
    pub(crate) fn hand_on(&mut self) -> Result<(), ApiError> {
        if self.piece.filled == 0 {
            return Ok(());
        }
        (self.full)(std::mem::replace(&mut self.piece, Piece::new()))
    }

    /// Hands on what was gathered, and a piece that was written elsewhere.
    pub(super) fn pass(&mut self, piece: Piece) -> Result<(), ApiError> {
        self.hand_on()?;
        (self.full)(piece)
    }

    /// Returns the text that was gathered and not handed on.
    pub(super) fn text(&self) -> &[u8] {
        self.piece.as_ref()
    }

    /// Takes back what was written after a length of the text.
    pub(super) fn truncate(&mut self, length: usize) {
        self.piece.filled = self.piece.filled.min(length);
    }

    /// Writes bytes as they are.
    #[inline]
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.room(bytes.len());
        let from = self.piece.filled;
        if let Some(place) = self.piece.bytes.get_mut(from..from + bytes.len()) {
            place.copy_from_slice(bytes);
            self.piece.filled += bytes.len();
        }
    }

    #[inline(always)]
    pub(super) fn byte(&mut self, byte: u8) {
        self.block(&[byte], 1);
    }

    /// Writes the first `length` bytes of a block: a copy of a fixed size is cheaper than the exact
    /// one.
    #[inline(always)]
    pub(super) fn block<const N: usize>(&mut self, block: &[u8; N], length: usize) {
        self.room(N);
        let from = self.piece.filled;
        let place = self.piece.bytes.get_mut(from..).and_then(|rest| rest.first_chunk_mut::<N>());
        if let Some(place) = place {
            *place = *block;
            self.piece.filled += length.min(N);
        }
    }

    #[inline(always)]
    fn room(&mut self, need: usize) {
        if self.piece.bytes.len() - self.piece.filled < need {
            self.grow(need);
        }
    }

    #[cold]
    fn grow(&mut self, need: usize) {
        let size = (self.piece.filled + need).max(self.piece.bytes.len() * 2);
        self.piece.bytes.resize(size, 0);
    }

    /// Writes a JSON string.
    pub(crate) fn string(&mut self, text: &str) {
        if text.bytes().fold(false, |found, byte| found | is_special(byte)) {
            self.escaped(text);
        } else {
            self.byte(b'"');
            self.raw(text.as_bytes());
            self.byte(b'"');
        }
    }

    /// Writes a stored text as a JSON string; `false` when it is no UTF-8. `tail` begins with the
    /// text and may go on behind it.
    #[inline(always)]
    pub(super) fn stored(&mut self, text: &[u8], tail: &[u8]) -> bool {
        let length = text.len();
        if length <= 16
            && let Some(chunk) = tail.first_chunk::<16>()
            && is_plain(chunk, length)
        {
            self.byte(b'"');
            self.block(chunk, length);
            self.byte(b'"');
            return true;
        }
        if length <= 32
            && let Some(chunk) = tail.first_chunk::<32>()
            && is_plain(chunk, length)
        {
            self.byte(b'"');
            self.block(chunk, length);
            self.byte(b'"');
            return true;
        }
        self.valid(text)
    }

    #[inline(never)]
    fn valid(&mut self, text: &[u8]) -> bool {
        match std::str::from_utf8(text) {
            Ok(text) => self.string(text),
            Err(_) => return false,
        }
        true
    }

    #[cold]
    fn escaped(&mut self, text: &str) {
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(self, text);
    }
}

impl std::io::Write for &mut Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.raw(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns all the text that a closure writes.
pub(super) fn gather(
    write: impl FnOnce(&mut Sink<'_>) -> Result<(), ApiError>,
) -> Result<Vec<u8>, ApiError> {
    let mut all = Vec::new();
    let mut full = |piece: Piece| {
        all.extend_from_slice(piece.as_ref());
        Ok(())
    };
    let mut sink = Sink::new(&mut full);
    write(&mut sink)?;
    sink.hand_on()?;
    Ok(all)
}

#[inline]
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Returns whether the first `length` bytes are ASCII that stands in a JSON string as it is. What
/// comes after them does not matter. Without an early end this compiles to wide compares.
#[inline]
fn is_plain<const N: usize>(chunk: &[u8; N], length: usize) -> bool {
    let length = u8::try_from(length).unwrap_or(u8::MAX);
    chunk.iter().zip(0_u8..).fold(true, |plain, (byte, place)| {
        plain
            & ((place >= length)
                | ((byte.wrapping_sub(0x20) < 0x5f) & (*byte != b'"') & (*byte != b'\\')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stored_texts_come_back(text in "\\PC{0,40}|[ -~\n\"\\\\]{0,40}", behind in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut tail = text.clone().into_bytes();
            tail.extend_from_slice(&behind);
            let written = gather(|sink| {
                assert!(sink.stored(text.as_bytes(), &tail));
                Ok(())
            }).unwrap();
            prop_assert_eq!(serde_json::from_slice::<String>(&written).unwrap(), text);
        }

        #[test]
        fn no_invalid_text_is_written(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut valid = false;
            let written = gather(|sink| {
                valid = sink.stored(&bytes, &bytes);
                Ok(())
            }).unwrap();
            prop_assert_eq!(valid, std::str::from_utf8(&bytes).is_ok());
            prop_assert_eq!(valid, serde_json::from_slice::<String>(&written).is_ok());
        }
    }

    #[test]
    fn long_texts_grow_the_buffer_and_leave_in_order() {
        let long = "x".repeat(BUFFER * 3);
        let written = gather(|sink| {
            for _ in 0..3 {
                sink.string("a");
                sink.string(&long);
                sink.spill()?;
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(written.len(), 3 * (3 + long.len() + 2));
        assert!(written.starts_with(b"\"a\"\"xxx") && written.ends_with(b"xxx\""));
    }
}
