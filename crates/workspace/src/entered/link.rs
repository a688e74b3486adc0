//! Whole-cell links.

/// Are the top-level domains a bare domain may end in to be taken for a link. Sheets knows the
/// whole registry; this is the part that people type.
const DOMAINS: [&str; 36] = [
    "com", "org", "net", "edu", "gov", "mil", "int", "info", "biz", "io", "dev", "app", "co", "ai",
    "me", "tv", "eu", "uk", "de", "fr", "es", "it", "nl", "ch", "at", "be", "pl", "se", "no", "fi",
    "us", "ca", "au", "jp", "in", "br",
];

/// Returns the address when a whole cell text is a link, or `None`.
///
/// Sheets stores it as `textFormat.link`, also for RAW input (google-wire 2.4): a URL as it is, a
/// bare domain behind `http://`.
pub(crate) fn link(text: &str) -> Option<String> {
    if text.len() > 2_000 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return None;
    }
    for scheme in ["http://", "https://", "ftp://"] {
        if let Some(rest) = strip_scheme(text, scheme) {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            return (!host.is_empty() && host.contains('.')).then(|| text.to_owned());
        }
    }
    if strip_scheme(text, "mailto:").is_some_and(|rest| rest.contains('@')) {
        return Some(text.to_owned());
    }
    is_domain(text).then(|| format!("http://{text}"))
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn is_domain(text: &str) -> bool {
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let label_fits = |label: &&str| {
        !label.is_empty()
            && label.len() < 64
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    labels.len() > 1
        && labels.iter().all(label_fits)
        && labels.last().is_some_and(|last| DOMAINS.contains(&last.to_ascii_lowercase().as_str()))
}
