//! Finds the delimiter of a text.

/// Delimiters that are looked for, in order of preference.
const CANDIDATES: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Returns the delimiter that splits the first lines most evenly; a comma when none does.
///
/// `head` is the beginning of the text. A candidate that gives every whole line the header's number of fields is
/// preferred to one that does not; among equals, the one with more fields.
pub fn sniff_delimiter(head: &[u8]) -> u8 {
    let lines = field_counts(head);
    let score = |candidate: usize| {
        let mut counts = lines.iter().filter_map(|line| line.get(candidate).copied());
        let header = counts.next().unwrap_or(0);
        let even = counts.all(|count| count == header);
        (header > 0, even, header)
    };
    let best = (0..CANDIDATES.len()).rev().max_by_key(|&candidate| score(candidate));
    best.filter(|&candidate| score(candidate).0)
        .and_then(|best| CANDIDATES.get(best).copied())
        .unwrap_or(b',')
}

/// Counts each candidate in the first lines, outside quotes; the last line counts only when it is the first.
fn field_counts(head: &[u8]) -> Vec<[usize; 4]> {
    let mut lines = Vec::new();
    let (mut counts, mut quoted, mut any) = ([0; 4], false, false);
    for &byte in head {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => {
                if any {
                    lines.push(std::mem::take(&mut counts));
                }
                any = false;
                if lines.len() == 20 {
                    return lines;
                }
                continue;
            }
            _ if !quoted => {
                for (count, candidate) in counts.iter_mut().zip(CANDIDATES) {
                    *count += usize::from(candidate == byte);
                }
            }
            _ => {}
        }
        any = true;
    }
    if lines.is_empty() {
        lines.push(counts);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_delimiters() {
        for (text, expected) in [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n2,5;1\n", b';'),
            ("a\tb, c\n1\t2\n", b'\t'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("\"a;b;c\",d\n", b','),
            ("one\n1\n", b','),
            ("", b','),
            ("a;b", b';'),
            ("id,note\n1,\"x;y;z\"\n2,a;b\n", b','),
        ] {
            assert_eq!(
                char::from(sniff_delimiter(text.as_bytes())),
                char::from(expected),
                "{text:?}"
            );
        }
    }
}
