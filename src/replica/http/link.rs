//! The `Link` header (RFC 8288), as far as it leads to the next page.

/// Returns the address whose relation is `next`.
pub(super) fn next(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, from)) = rest.split_once('<') {
        let (address, after) = from.split_once('>')?;
        let (parameters, following) = parameters(after);
        if parameters.iter().any(|(name, value)| {
            name == "rel" && value.split_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
        }) {
            return Some(address.trim().to_owned());
        }
        rest = following;
    }
    None
}

/// Reads `; name=value` pairs up to the next link; values may be quoted, and hold commas then.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while let Some(from) = rest.strip_prefix(';') {
        let end = from.find(['=', ';', ',']).unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        let name = name.trim().to_ascii_lowercase();
        let Some(value) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => value.split_at(value.find([';', ',']).unwrap_or(value.len())),
        };
        pairs.push((name, value.trim().to_owned()));
        rest = after.trim_start();
    }
    (pairs, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_and_no_other() {
        for (header, wanted) in [
            ("</a?p=2>; rel=\"next\"", Some("/a?p=2")),
            ("</a>; rel=prev, </b,c>; title=\"x, <y>; rel=next\"; rel=\"last next\"", Some("/b,c")),
            ("</a>; rel=\"prev\", </z>; rel=\"last\"", None),
            ("</a>;REL=Next;x", Some("/a")),
            ("</a>; title=\"rel=next\"", None),
            ("<broken", None),
            ("", None),
        ] {
            assert_eq!(next(header).as_deref(), wanted, "{header}");
        }
    }
}
