//! Whether the rows that were read are what the dataset expects of them.

use jiff::Timestamp;
use lockstep_engine::expect::{Test, Verdict};

use crate::sync::inspect::Inspected;

/// Returns the expectations that fail on members that have a say, and those of which a sample cannot tell.
///
/// No cell is quoted: these words are kept, and shown to whoever may see the report.
pub(super) fn judge(seen: &Inspected, whole: bool, now: Timestamp) -> (Vec<String>, Vec<String>) {
    let (mut failed, mut untold) = (Vec::new(), Vec::new());
    if seen.checks.is_empty() {
        return (failed, untold);
    }
    for (at, member) in seen.members.iter().enumerate() {
        if member.down.is_some() || !seen.definition.speaks(&member.name) {
            continue;
        }
        let rows = seen.keys.iter().filter_map(|key| key.rows.get(at)).flatten();
        let rows = rows.map(|row| (0, row.clone()));
        let there = |verdict: &&Verdict| {
            seen.schema.position(&verdict.column).is_some_and(|column| seen.has(at, column))
        };
        for verdict in seen.checks.judge(rows, &seen.references, Some(now)).iter().filter(there) {
            match tell(verdict, whole) {
                Told::Held => {}
                Told::Failed => failed.push(words(&member.name, verdict)),
                Told::Unknown => {
                    let Verdict { column, test, .. } = verdict;
                    untold.push(format!("{}: {column} ({})", member.name, test.as_str()));
                }
            }
        }
    }
    (failed, untold)
}

#[derive(Debug, PartialEq)]
enum Told {
    Held,
    Failed,
    Unknown,
}

/// Tells what the verdict on the rows that were read says of all rows.
fn tell(verdict: &Verdict, whole: bool) -> Told {
    match (verdict.held, verdict.test) {
        // The other row of a pair, and the newest row, may be among those that were not drawn.
        (true, Test::Unique) | (false, Test::Freshness) if !whole => Told::Unknown,
        (true, _) => Told::Held,
        (false, _) => Told::Failed,
    }
}

fn words(member: &str, verdict: &Verdict) -> String {
    let Verdict { column, test, checked, unexpected, asked, .. } = verdict;
    let name = test.as_str();
    let text = match test {
        Test::Freshness => format!("{member}: {column} ({name}): {asked}"),
        _ => format!("{member}: {column} ({name}): {unexpected} of {checked} values fail: {asked}"),
    };
    text.chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use lockstep_engine::expect::Severity;

    use super::*;

    fn verdict(test: Test, held: bool) -> Verdict {
        Verdict {
            column: "mail".into(),
            test,
            severity: Severity::Warn,
            checked: 40,
            unexpected: 2,
            shown: Vec::new(),
            held,
            asked: "it is asked".into(),
        }
    }

    #[test]
    fn a_sample_tells_of_what_it_can() {
        use Told::{Failed, Held, Unknown};
        for (test, held, of_all, of_some) in [
            (Test::Unique, true, Held, Unknown),
            (Test::Unique, false, Failed, Failed),
            (Test::Freshness, true, Held, Held),
            (Test::Freshness, false, Failed, Unknown),
            (Test::Between, true, Held, Held),
            (Test::Between, false, Failed, Failed),
        ] {
            let verdict = verdict(test, held);
            assert_eq!(
                (tell(&verdict, true), tell(&verdict, false)),
                (of_all, of_some),
                "{test:?}"
            );
        }
    }

    #[test]
    fn words_are_short_and_quote_no_cell() {
        let found = words("left", &verdict(Test::Unique, false));
        assert_eq!(found, "left: mail (unique): 2 of 40 values fail: it is asked");
        let found = words("left", &verdict(Test::Freshness, false));
        assert_eq!(found, "left: mail (freshness): it is asked");
    }
}
