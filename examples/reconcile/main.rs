//! Decides rows given as JSON Lines: one object in, one object out, for trying the engine and for testing it from
//! outside.
//!
//!     cargo run --release --example reconcile < cases.jsonl
//!
//! # In
//! One key per line. Every field may be left out; unknown fields are refused.
//!
//! - `base`, `left`, `right`: the row as an object, or null where there is none. The columns are those of the three
//!   rows, of `types` and of `policy.columns`. A column that a side's row leaves out is one the side does not have: no
//!   opinion, unlike a null. A side without a row has the columns of base, or all where there is no base either.
//! - `policy`: as in the product (camelCase; values also in snake_case):
//!   `direction` both | leftToRight | rightToLeft · `strategy` latestWins | leftPriority | rightPriority | priorityBased
//!   | fieldByField | ruleBased | automaticMerge | manualReview · `clash` hold | editWins | deleteWins | left | right |
//!   later · `granularity` row | cell · `drift` overwrite | report | keep · `deletes` "mark" | "delete" | "ignore" |
//!   {"mark":{"column":…,"value":…}}, or one of these for each of {"left":…,"right":…} · `priorities` {source: number} ·
//!   `modifiedAt` column · `rules` [{"type","fields","sources","when","minGapSeconds","maxAgeSeconds","action","prefer",
//!   "merge","expression","name"}] · `columns` {name: {"only","direction","strategy","merge","separator"}} · `safety`.
//!   Defaults: both, manualReview, hold, row, overwrite, mark in `status` with `inactive`.
//! - `types`: {column: text | number | bool | date | time | dateTime | list}. A column without one is a number, bool or
//!   list when all its values are, and a text otherwise. Text is compared in NFC and without trailing blanks; a blank
//!   text is null; a number in a date column is a sheet serial. Numbers that JSON readers round go in as strings with
//!   the type number.
//! - `key`: a column name or a list of them; `id` where the rows have it. The rows of a line must agree on it. Without a
//!   key all columns are data.
//! - `times`: {"left":{column: RFC 3339 time, "_row": time}, "right":{…}}. `_row` is the time of the row; for a row that
//!   is gone, of its deletion.
//! - `origins`: {"left":{column: source, "_row": source}, "right":{…}}: where a value came from, for `priorities` and
//!   rules; else its side.
//! - `now`: what rules see.
//! - `unknown`: ["left"] when the side was not proven read for this key.
//! - `tombstone`: whether base is known to have forgotten the key as deleted; without it that is assumed of marked rows.
//! - `decision`: {"digest":…,"choice":{"take":"left"} | {"by":strategy}}, on the conflict with that digest.
//!
//! # Out
//! - `class`: unknown | absent | inSync | convergentAdd | convergentModify | convergentDelete | leftAdd | rightAdd |
//!   leftModify | rightModify | leftDelete | rightDelete | divergentAdd | cellMerge (both changed, no cell differently) |
//!   divergentModify (at least one cell differently) | deleteModify (left deleted, right changed) | modifyDelete. It
//!   says what happened, whatever the policy; a row marked as deleted counts as absent.
//! - `outcome`: nothing | agreed | carried | merged | resolved | held | drifted | ignored: what was made of it.
//! - `left`, `right`: the rows when everything has been applied (as they were, where held); null where there is none.
//!   A column that a side does not have is left out there, and in base.
//! - `base`: what base holds after both sides confirmed; null where it has or keeps nothing. It is unchanged for what is
//!   held: the whole row with granularity row, the cell with granularity cell (null in a cell never agreed on).
//! - `writes`: {"left": null | insert | update | delete | mark | reactivate, "right": …}.
//! - `conflicts`: per held cell {"kind":"cells","column","base","left","right","reason","digest"}; for a held row
//!   {"kind":"deleteModify" | "modifyDelete","base","left","right","reason","digest"} with rows.
//! - `losers`: per change that did not survive {"from","source","at","rule"} with {"column","value"}, {"row"} or
//!   {"deleted":true}. `from` is the side.
//! - `drift`: what the receiving side of a one-way direction keeps: {"side","column","expected","found"}; column null
//!   for a whole row. Only with drift "report".
//! - `withheld`: {"reason"}: notReadLeft | notReadRight | noMarkColumnLeft | noMarkColumnRight | staleDecision.
//!
//! A line that cannot be understood gives {"error": what and where} and the next line is read.

mod line;
mod report;

use std::io::{self, BufRead, BufWriter, Write};

use lockstep_engine::dataset::SideName;
use lockstep_engine::decision::Decisions;
use lockstep_engine::reconcile::{Joined, Presence, Reconciler};
use lockstep_engine::terms::Terms;
use lockstep_engine::value::Row;
use serde_json::{Value as Json, json};

use crate::line::{Line, key_of, lacking, schema_of, times_of, typed_row};
use crate::report::report;

/// Longest line that is read, in bytes.
const LONGEST_LINE: u64 = 64 << 20;

fn main() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let read = io::Read::take(&mut input, LONGEST_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            return output.flush();
        }
        number += 1;
        if read as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
            input.skip_until(b'\n')?;
            writeln!(
                output,
                "{}",
                json!({"error": format!("line {number}: longer than {LONGEST_LINE} bytes")})
            )?;
            continue;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = answer(&line)
            .unwrap_or_else(|error| json!({"error": format!("line {number}: {error}")}));
        writeln!(output, "{answer}")?;
        if input.fill_buf().is_ok_and(<[u8]>::is_empty) || number.is_multiple_of(256) {
            output.flush()?;
        }
    }
}

fn answer(line: &[u8]) -> Result<Json, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let schema = schema_of(&line)?;
    let terms = Terms::new(&schema, &line.policy).map_err(|error| format!("policy: {error}"))?;
    let terms = lacking(terms, &line);
    let rows = [("base", &line.base), ("left", &line.left), ("right", &line.right)];
    let mut typed = Vec::new();
    for (name, row) in rows {
        typed.push(row.as_ref().map(|row| typed_row(name, row, &schema)).transpose()?);
    }
    let [base, left, right] = <[Option<Row>; 3]>::try_from(typed).unwrap_or_default();
    let key = key_of(&schema, [&base, &left, &right])?;
    let times = times_of(&line, &schema, &key)?;
    let decisions: Decisions =
        line.decision.clone().map(|decision| (key.clone(), decision)).into_iter().collect();
    let tombstones =
        line.tombstone.map(|is| if is { [key.clone()].into() } else { Default::default() });
    let mut reconciler = Reconciler::new(&terms, &times).decisions(&decisions);
    if let Some(tombstones) = &tombstones {
        reconciler = reconciler.tombstones(tombstones);
    }
    let presence = |side: SideName| match if side == SideName::Left { &left } else { &right } {
        _ if line.unknown.contains(&side) => Presence::Unknown,
        Some(row) => Presence::Present(row),
        None => Presence::Absent,
    };
    reconciler.push(&Joined {
        key: &key,
        base: base.as_ref(),
        left: presence(SideName::Left),
        left_index: None,
        right: presence(SideName::Right),
        right_index: None,
    });
    Ok(report(&terms, reconciler.finish(), [base, left, right]))
}
