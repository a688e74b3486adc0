//! `lockstep token`: makes a token for callers over HTTP, and what the configuration keeps of it.

use std::process::ExitCode;

use clap::ValueEnum;
use uuid::Uuid;

use super::print;
use crate::{
    error::{Error, Result},
    server::auth::digest,
};

/// The arguments of `lockstep token`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Who will hold it; shown in logs.
    name: String,
    /// What it allows.
    #[arg(long, default_value = "operator")]
    role: RoleArg,
}

/// See [`crate::principal::Role`].
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    Reader,
    Operator,
    Admin,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    if args.name.is_empty() || args.name.contains(|c: char| c.is_control() || c == '"' || c == '\\')
    {
        return Err(Error::invalid("the name is empty, or has quotes or control characters in it")
            .next("give a short plain name, e.g. ci"));
    }
    // 244 random bits of the operating system.
    let token = format!("lockstep_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let role = match args.role {
        RoleArg::Reader => "reader",
        RoleArg::Operator => "operator",
        RoleArg::Admin => "admin",
    };
    print(&format!(
        "The token, shown this once; callers send it as `Authorization: Bearer …`:\n\n  {token}\n\n\
         For lockstep.toml:\n\n[[auth.tokens]]\nname = \"{}\"\nhash = \"blake3:{}\"\nrole = \"{role}\"",
        args.name,
        digest(&token).to_hex()
    ))?;
    Ok(ExitCode::SUCCESS)
}
