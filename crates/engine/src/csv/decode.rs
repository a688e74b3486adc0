//! Turns bytes of any encoding into UTF-8.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, Encoding, UTF_8};

use super::CsvError;

/// Returns the text in UTF-8 without a byte order mark; UTF-8 input is borrowed and not validated here.
///
/// A byte order mark decides (UTF-8 and UTF-16); without one, the name given does, and UTF-8 without a name.
///
/// # Errors
/// When the name is not known, or the bytes are invalid in the encoding.
pub fn decode<'a>(bytes: &'a [u8], encoding: Option<&str>) -> Result<Cow<'a, [u8]>, CsvError> {
    let named = match encoding {
        Some(name) => {
            let known = Encoding::for_label_no_replacement(name.trim().as_bytes());
            Some(known.ok_or_else(|| CsvError::UnknownEncoding(name.to_owned()))?)
        }
        None => None,
    };
    let (encoding, mark) = match Encoding::for_bom(bytes) {
        Some((marked, length)) => (marked, length),
        None => (named.unwrap_or(UTF_8), 0),
    };
    let body = bytes.get(mark..).unwrap_or_default();
    if encoding == UTF_8 {
        return Ok(Cow::Borrowed(body));
    }
    strict(encoding, body, mark).map(|text| Cow::Owned(text.into_bytes()))
}

fn strict(encoding: &'static Encoding, body: &[u8], mark: usize) -> Result<String, CsvError> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let capacity =
        decoder.max_utf8_buffer_length_without_replacement(body.len()).unwrap_or(body.len());
    let mut text = String::with_capacity(capacity.min(body.len().saturating_mul(3) + 16));
    let mut read = 0;
    loop {
        let rest = body.get(read..).unwrap_or_default();
        let (result, consumed) =
            decoder.decode_to_string_without_replacement(rest, &mut text, true);
        read += consumed;
        match result {
            DecoderResult::InputEmpty => return Ok(text),
            DecoderResult::OutputFull => text.reserve(rest.len().max(64)),
            DecoderResult::Malformed(length, extra) => {
                let at = read.saturating_sub(usize::from(length) + usize::from(extra)) + mark;
                return Err(CsvError::Malformed { encoding: encoding.name(), offset: at as u64 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        let utf16 = |text: &str, mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
            let mut out = mark.to_vec();
            out.extend(text.encode_utf16().flat_map(bytes));
            out
        };
        let text = "é,東京\n";
        assert_eq!(
            &*decode(&utf16(text, b"\xff\xfe", u16::to_le_bytes), None).unwrap(),
            text.as_bytes()
        );
        assert_eq!(
            &*decode(&utf16(text, b"\xfe\xff", u16::to_be_bytes), None).unwrap(),
            text.as_bytes()
        );
        assert_eq!(
            &*decode(&utf16(text, b"", u16::to_le_bytes), Some("utf-16le")).unwrap(),
            text.as_bytes()
        );
        assert_eq!(&*decode(b"\xef\xbb\xbfa", None).unwrap(), b"a");
        assert_eq!(&*decode(b"caf\xe9 \x80", Some("latin1")).unwrap(), "café €".as_bytes());
        assert_eq!(&*decode(b"\x82\xa0", Some("Shift_JIS")).unwrap(), "あ".as_bytes());
    }

    #[test]
    fn refuses_what_is_not_valid() {
        assert!(
            matches!(decode(b"a", Some("klingon")), Err(CsvError::UnknownEncoding(name)) if name == "klingon")
        );
        assert!(matches!(
            decode(b"\xff\xfea\x00\x00\xd8", None),
            Err(CsvError::Malformed { encoding: "UTF-16LE", .. })
        ));
        let error = decode(b"ok \x82", Some("shift_jis")).unwrap_err();
        assert!(matches!(error, CsvError::Malformed { offset: 3, .. }), "{error}");
    }
}
