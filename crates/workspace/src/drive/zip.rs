//! A ZIP archive without compression: what an XLSX file is wrapped in.
//!
//! Stored entries are part of the format since its beginning and need no compressor; the exports
//! of a test workspace are small.

/// Is an archive being written.
#[derive(Default)]
pub(super) struct Zip {
    out: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

/// Is 1980-01-01, the first date of the format: an export of the same cells is the same file.
const DATE: u16 = 0x21;

impl Zip {
    /// Adds one file. Sizes must stay under 4 GB, which the export limit of 10 MB sees to.
    pub(super) fn add(&mut self, name: &str, data: &[u8]) {
        let offset = self.out.len();
        let mut fields = Vec::with_capacity(26);
        put16(&mut fields, 20); // version needed: 2.0
        put16(&mut fields, 0x0800); // names are UTF-8
        put16(&mut fields, 0); // stored
        put16(&mut fields, 0); // time
        put16(&mut fields, DATE);
        put32(&mut fields, crc32(data));
        put32(&mut fields, size(data.len()));
        put32(&mut fields, size(data.len()));
        put16(&mut fields, u16::try_from(name.len()).unwrap_or(u16::MAX));
        put16(&mut fields, 0); // no extra field
        self.out.extend_from_slice(b"PK\x03\x04");
        self.out.extend_from_slice(&fields);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(data);
        self.directory.extend_from_slice(b"PK\x01\x02");
        put16(&mut self.directory, 20); // made by version 2.0
        self.directory.extend_from_slice(&fields);
        put16(&mut self.directory, 0); // no comment
        put16(&mut self.directory, 0); // first disk
        put16(&mut self.directory, 0); // internal attributes
        put32(&mut self.directory, 0); // external attributes
        put32(&mut self.directory, size(offset));
        self.directory.extend_from_slice(name.as_bytes());
        self.entries = self.entries.saturating_add(1);
    }

    /// Returns the whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let offset = self.out.len();
        self.out.extend_from_slice(&self.directory);
        self.out.extend_from_slice(b"PK\x05\x06");
        put32(&mut self.out, 0); // this disk, and the disk of the directory
        put16(&mut self.out, self.entries);
        put16(&mut self.out, self.entries);
        put32(&mut self.out, size(self.directory.len()));
        put32(&mut self.out, size(offset));
        put16(&mut self.out, 0); // no comment
        self.out
    }
}

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Returns the CRC-32 of ISO 3309, as the ZIP format wants it.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum() {
        // The check value of the CRC catalogue.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn layout() {
        let mut zip = Zip::default();
        zip.add("a.txt", b"hello");
        let bytes = zip.finish();
        assert!(bytes.starts_with(b"PK\x03\x04"));
        let end = bytes.len() - 22;
        assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
        let directory = u32::from_le_bytes(bytes[end + 16..end + 20].try_into().unwrap()) as usize;
        assert_eq!(&bytes[directory..directory + 4], b"PK\x01\x02");
        assert_eq!(directory, 30 + 5 + 5);
    }
}
