//! `lockstep audit`: the append-only record of everything that was written.

use std::process::ExitCode;

use super::{Operator, print};
use crate::{
    error::{Error, Kind, Result},
    store::AuditVerdict,
};

/// The arguments of `lockstep audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Recomputes the chain of hashes over all lines.
    Verify,
    /// Prints the lines as JSON, one a line.
    Print {
        /// Only lines after this number.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
}

/// How many lines are read at a time.
const PAGE: u32 = 1_000;

pub(super) async fn run(operator: &Operator, args: Args) -> Result<ExitCode> {
    let store = operator.store().await?;
    match args.action {
        Action::Verify => {
            match store.verify_audit().await? {
                AuditVerdict::Whole { lines, head, erased } => {
                    let erased = if erased == 0 {
                        String::new()
                    } else {
                        format!(
                            "; the contents of {erased} were erased by forget, their digests are in place"
                        )
                    };
                    print(&format!("{lines} lines, unbroken, head {head}{erased}"))?;
                }
                AuditVerdict::Broken { seq, why } => {
                    return Err(Error::new(
                    Kind::Changed,
                    format!("the audit is broken at line {seq}: {why}"),
                )
                .next("somebody or something changed it after it was written; compare with a backup"));
                }
            }
        }
        Action::Print { mut after } => loop {
            let lines = store.audit(after, PAGE).await?;
            for line in &lines {
                after = line.seq;
                let text = serde_json::json!({
                    "seq": line.seq, "at": line.at, "caller": line.caller, "run": line.run,
                    "dataset": line.dataset, "side": line.side, "kind": line.kind,
                    "columns": line.columns, "payload": line.payload, "hash": line.hash,
                });
                print(&text.to_string())?;
            }
            if lines.is_empty() {
                break;
            }
        },
    }
    Ok(ExitCode::SUCCESS)
}
