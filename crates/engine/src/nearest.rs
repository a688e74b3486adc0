//! Names that a person may have meant.

/// Returns the names most like one that is not there; all of them when nothing is alike and they are few.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.trim().to_lowercase();
    let all: Vec<&str> = names.collect();
    let mut alike: Vec<(f64, &str)> = all
        .iter()
        .map(|&known| (strsim::jaro_winkler(&wanted, &known.trim().to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .collect();
    alike.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
    let chosen: Vec<&str> = match alike.is_empty() {
        true if all.len() <= 12 => all,
        _ => alike.into_iter().take(3).map(|(_, known)| known).collect(),
    };
    chosen.into_iter().map(|known| format!("'{known}'")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness() {
        let names = ["customer_id", "name", "Email"];
        assert_eq!(nearest("customerid", names.into_iter()), ["'customer_id'"]);
        assert_eq!(nearest(" EMAIL", names.into_iter()), ["'Email'"]);
        assert_eq!(nearest("zzz", names.into_iter()).len(), 3);
        let many: Vec<String> = (0..50).map(|i| format!("col{i}")).collect();
        assert!(nearest("zzz", many.iter().map(String::as_str)).is_empty());
    }
}
