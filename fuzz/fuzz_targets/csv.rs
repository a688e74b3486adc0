//! CSV: any bytes are rows or an error, with every encoding and delimiter; its places agree with its rows.
#![no_main]

use lockstep_engine::{
    csv::{CsvOptions, decode, sniff_delimiter, spans},
    snapshot::csv::read,
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((how, bytes)) = bytes.split_first() else { return };
    let encodings = [None, Some("windows-1252"), Some("utf-16le"), Some("shift_jis")];
    let options = CsvOptions {
        delimiter: [None, Some(','), Some('\t'), Some(';')].get(usize::from(how & 3)).copied().flatten(),
        encoding: encodings.get(usize::from(how >> 2 & 3)).copied().flatten().map(str::to_owned),
        nulls: Vec::new(),
        pad_short_rows: how & 16 != 0,
    };
    let Ok(rows) = read(bytes, &options) else { return };
    for row in 0..rows.len() {
        assert_eq!(rows.row(row).count(), rows.headers().len());
    }
    let text = decode(bytes, options.encoding.as_deref()).expect("it was read");
    let delimiter = options.delimiter.map_or_else(|| sniff_delimiter(&text), |given| given as u8);
    for span in spans(&text, delimiter) {
        if span.is_err() {
            break;
        }
    }
});
