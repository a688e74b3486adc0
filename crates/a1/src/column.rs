//! Column letters: A is 0, Z is 25, AA is 26, ZZZ is 18,277.

/// Is the number of columns a sheet can have: column letters end at `ZZZ`.
pub const MAX_COLUMNS: u32 = 18_278;

/// Returns the letters of a zero-based column.
///
/// Works beyond [`MAX_COLUMNS`] too, so that messages about such columns can name them.
pub fn column_letters(index: u32) -> String {
    let mut letters = Vec::with_capacity(3);
    let mut rest = u64::from(index) + 1;
    while rest > 0 {
        let digit = u8::try_from((rest - 1) % 26).unwrap_or(0);
        letters.push(char::from(b'A' + digit));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}

/// Returns the zero-based column of one to three ASCII letters of either case, or `None`.
pub fn column_index(letters: &str) -> Option<u32> {
    if letters.is_empty() || letters.len() > 3 {
        return None;
    }
    letters
        .bytes()
        .try_fold(0_u32, |sum, byte| {
            byte.is_ascii_alphabetic()
                .then(|| sum * 26 + u32::from(byte.to_ascii_uppercase() - b'A') + 1)
        })
        .map(|one_based| one_based - 1)
}
