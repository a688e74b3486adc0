//! `lockstep login` and `lockstep logout`: a person signs in at Google, and takes it back.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use lockstep_google::{Auth, Google, Login, OAuthClient};

use super::Operator;
use crate::{
    app::{google, store_path},
    error::{Error, Kind, Result},
    secrets::{Secret, content},
};

/// How long the service may take to take a sign-in back.
const REVOKE: Duration = Duration::from_secs(15);

/// The arguments of `lockstep login`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The OAuth client's JSON file (type "Desktop app"), where `[google] client` names none.
    #[arg(long, value_name = "FILE")]
    client: Option<PathBuf>,
    /// The port of 127.0.0.1 that the browser comes back to; a free one by default.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Seconds to wait for the person.
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    timeout: u64,
}

/// Says something to the person: stdout is never written.
fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

pub(super) async fn run(operator: &Operator, args: Args) -> Result<ExitCode> {
    let config = operator.config()?;
    let store = store_path(&config)?;
    let named = match (&args.client, &config.google.client) {
        // As a browser downloaded it, which everybody may read: the client is a program, and no account.
        (Some(path), _) => Secret::new(content(path)?),
        (None, Some(secret)) => secret.resolve("google.client")?,
        (None, None) => {
            return Err(Error::invalid("nothing says which OAuth client signs people in").next(
                "make one of the type \"Desktop app\" in Google's console (APIs & Services, Credentials), download its \
                 JSON, and name it with --client FILE or [google] client = \"${file:client.json}\"",
            ));
        }
    };
    let client = OAuthClient::from_json(named.reveal())?;
    // Whatever keeps the sign-in from being kept is said before anybody agrees to anything.
    google::ring(&config, &store)?;
    let scopes = google::scopes(&config);
    let login = Login::begin(client, &scopes, args.port).await?;
    say(&format!(
        "Open this address in a browser on this machine, and agree:\n\n  {}\n",
        login.url()
    ));
    let mut done = login.finish(Duration::from_secs(args.timeout.max(1))).await?;
    let auth = Auth::Credentials(done.credentials.clone(), scopes);
    // Who it is helps people; not to know it is no reason to refuse.
    let about = Google::new(google::settings(&config, auth)?)?.about().await;
    let who = about.ok().and_then(|about| about.email);
    if let Some(email) = &who {
        done.named(email);
    }
    google::keep(&config, &store, &done.json)?;
    say(&format!(
        "Signed in{}. The sign-in is kept sealed in {}; `lockstep logout` takes it back.",
        who.map_or_else(String::new, |email| format!(" as {email}")),
        google::place(&store).display()
    ));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn logout(operator: &Operator) -> Result<ExitCode> {
    let config = operator.config()?;
    let store = store_path(&config)?;
    let opened = google::signed_in(&config, &store);
    let revoked = match &opened {
        Ok(None) => {
            say("Nobody is signed in.");
            return Ok(ExitCode::SUCCESS);
        }
        Ok(Some(json)) => {
            let credentials = lockstep_google::Credentials::from_json(json)?;
            credentials.revoke(REVOKE).await.map_err(Error::from)
        }
        Err(error) => {
            Err(Error::new(Kind::Unauthenticated, format!("it could not be opened: {error}")))
        }
    };
    google::drop_sign_in(&store)?;
    match revoked {
        Ok(()) => {
            say("Signed out: the access was taken back, and the sign-in deleted.");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            say(&format!(
                "The sign-in was deleted here, but it could not be taken back at Google, where it is still good: {error}\n\
                 Take it back at https://myaccount.google.com/connections"
            ));
            Ok(ExitCode::FAILURE)
        }
    }
}
