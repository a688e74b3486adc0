//! Google's service as this installation sees it: network, clock, credentials, scopes, APIs, quota, storage.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use lockstep_google::{Auth, Backoff, CredentialKind, Google, Kind};

use super::line::Line;
use crate::{
    app::google::{Found, find, scopes, settings},
    config::Config,
    error::{Error, Result},
    secrets::private,
    store::Store,
};

/// How far the clocks may differ: a signed assertion is good for an hour, and what starts in the future is refused.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// A client that works, and whom to share sheets with.
pub(super) type Client = (Google, Option<String>);

/// Looks at everything that concerns Google.
pub(super) async fn examine(
    config: &Config,
    store_path: &Path,
    store: Option<&Store>,
) -> (Vec<Line>, Option<Client>) {
    let mut lines = Vec::new();
    let found = match find(config, store_path) {
        Ok(found) => found,
        Err(error) => {
            lines.push(Line::wrong("credentials", &error));
            // Network and clock are no matter of credentials.
            if let Ok(google) = quick(config, Auth::None) {
                lines.extend(service(&google).await);
            }
            return (lines, None);
        }
    };
    lines.push(Line::well("credentials", words(&found)));
    // Google's tools left it, and others read it too: it is not refused.
    if let Some(file) = found.file.as_deref().filter(|file| private(file).is_err()) {
        let file = file.display();
        lines.push(Line::warning(
            "key file",
            format!("everybody on this machine can read {file}"),
            format!("chmod 600 {file}"),
        ));
    }
    let account = found.account();
    let itself =
        matches!(&found.auth, Auth::Credentials(credentials, _) if credentials.acts_for_itself());
    let google = match quick(config, found.auth) {
        Ok(google) => google,
        Err(error) => {
            lines.push(Line::wrong("credentials", &error));
            return (lines, None);
        }
    };
    lines.extend(service(&google).await);
    if lines.iter().any(|line| line.is_wrong() && line.is("network")) {
        return (lines, None);
    }
    match token(config, &google).await {
        Ok(more) => lines.extend(more),
        Err(error) => {
            lines.push(Line::wrong("token", &error));
            return (lines, None);
        }
    }
    match google.probe_sheets().await {
        Ok(()) => {
            lines.push(Line::well("sheets API", "enabled, and the token may use it"));
            lines.push(quota(config, store, &account).await);
        }
        Err(error) => lines.push(api("sheets API", error)),
    }
    let mut email =
        google.credentials().and_then(|credentials| credentials.email()).map(str::to_owned);
    match google.about().await {
        Ok(about) => {
            email = about.email.or(email);
            let who = email.as_deref().unwrap_or("an account without an address");
            lines.push(Line::well(
                "drive API",
                format!("enabled; sheets must be shared with {who}"),
            ));
            let full = about.limit.is_some_and(|limit| about.used >= limit);
            lines.push(match (full, itself) {
                (true, true) => Line::warning(
                    "storage",
                    format!("the service account {who} has no storage of its own: it can use sheets, but not make any"),
                    "let people make the sheets and share them with it, use a shared drive, or act for a person with [google] subject",
                ),
                (true, false) => Line::warning("storage", "the Drive is full: no sheet can be made", "make room in Drive"),
                (false, _) => Line::well("storage", "new sheets can be made"),
            });
        }
        Err(error) => lines.push(api("drive API", error)),
    }
    (lines, Some((google, email)))
}

/// How many calls a minute Google allows one person, reads and writes each, where no other number is set.
const PER_MINUTE: u32 = 60;

/// What is left of the quota, as far as it can be known: by what the servers of this store counted.
///
/// What others use on the account Google tells only whom it gave wider scopes (`cloud-platform`, for its API
/// serviceusage): this program does not ask for them.
async fn quota(config: &Config, store: Option<&Store>, account: &str) -> Line {
    let most = config.google.calls_per_minute.unwrap_or(PER_MINUTE);
    let mut left = Vec::new();
    for (bucket, what) in [("sheets.read", "reads"), ("sheets.write", "writes")] {
        let Some(store) = store else { break };
        let bucket = format!("{account}/{bucket}");
        let minute = SignedDuration::from_mins(1);
        match store.quota_spent(&bucket, minute, Timestamp::now()).await {
            Ok(spent) => {
                left.push(format!("{} of {most} {what}", u64::from(most).saturating_sub(spent)))
            }
            Err(error) => return Line::wrong("quota", &error),
        }
    }
    match left.is_empty() {
        true => Line::well("quota", "not used up"),
        false => Line::well(
            "quota",
            format!(
                "not used up; {} left in this minute by what the servers on this store used (what others use on the account is not known)",
                left.join(" and ")
            ),
        ),
    }
}

/// A client that tries once: a doctor says what is wrong now.
fn quick(config: &Config, auth: Auth) -> Result<Google> {
    let backoff = Backoff { attempts: 1, ..Backoff::default() };
    let settings = lockstep_google::Config { backoff, ..settings(config, auth)? };
    Ok(Google::new(settings)?)
}

fn words(found: &Found) -> String {
    let kind = match &found.auth {
        Auth::None => "none",
        Auth::Token(_) => "access token",
        Auth::Credentials(credentials, _) => credentials.kind().words(),
    };
    let email = match &found.auth {
        Auth::Credentials(credentials, _) => credentials.email(),
        _ => None,
    };
    format!(
        "{kind}{}, from {}",
        email.map_or_else(String::new, |email| format!(" {email}")),
        found.origin
    )
}

/// Whether the service is reached, and whether its clock and ours agree.
async fn service(google: &Google) -> Vec<Line> {
    let date = match google.service_date().await {
        Ok(date) => date,
        Err(error) => {
            let mut line = Error::from(error);
            line = line.next("check the connection, the proxy and the firewall of this machine");
            return vec![Line::wrong("network", &line)];
        }
    };
    let mut lines = vec![Line::well("network", "the service answers")];
    let theirs = date
        .as_deref()
        .and_then(|date| jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp()));
    lines.push(match theirs {
        None => Line::warning(
            "clock",
            "the service does not say what time it is",
            "compare the clock of this machine by hand",
        ),
        Some(theirs) => {
            let apart = Timestamp::now().duration_since(theirs);
            let seconds = apart.as_secs();
            if apart.abs() <= SKEW {
                Line::well("clock", format!("{} s from the service's", seconds.abs()))
            } else {
                let way = if seconds > 0 { "ahead of" } else { "behind" };
                Line::fault(
                    "clock",
                    format!("this machine is {} s {way} the service", seconds.abs()),
                    "set the clock (timedatectl set-ntp true): tokens are refused",
                )
            }
        }
    });
    lines
}

/// Gets a token; says how long it is good and whether it has the scopes.
async fn token(config: &Config, google: &Google) -> Result<Vec<Line>> {
    let Some(state) = google.token_state().await? else {
        return Ok(vec![Line::warning(
            "token",
            "a fixed access token: it ends within the hour, and when is not known",
            "for more than a try, sign in with `lockstep login` or use a service account",
        )]);
    };
    let mut lines = vec![match state.expires_in {
        Some(left) => Line::well(
            "token",
            format!("got one; good for {} min, then it is renewed", left.as_secs() / 60),
        ),
        None => Line::well("token", "got one; how long it is good was not said"),
    }];
    let asked = scopes(config);
    lines.push(match &state.granted {
        Some(granted) => {
            let missing: Vec<&str> = asked
                .iter()
                .map(String::as_str)
                .filter(|scope| !granted.iter().any(|got| got == scope))
                .collect();
            match missing.is_empty() {
                true => Line::well("scopes", short(&asked)),
                false => Line::fault(
                    "scopes",
                    format!("not granted: {}", missing.join(", ")),
                    again(google),
                ),
            }
        }
        None => Line::well("scopes", format!("asked for {}", short(&asked))),
    });
    Ok(lines)
}

fn again(google: &Google) -> &'static str {
    match google.credentials().map(|credentials| credentials.kind()) {
        Some(CredentialKind::User) => "sign in again, and leave every box ticked: `lockstep login`",
        _ => "allow the account these scopes",
    }
}

fn short(scopes: &[String]) -> String {
    let names: Vec<&str> =
        scopes.iter().map(|scope| scope.rsplit('/').next().unwrap_or(scope)).collect();
    names.join(", ")
}

/// Says why an API cannot be used.
fn api(name: &str, error: lockstep_google::Error) -> Line {
    let reason = error.reason.clone().unwrap_or_default();
    let said = format!("{reason} {}", error.message);
    if reason == "SERVICE_DISABLED" || reason == "accessNotConfigured" {
        return Line::fault(
            name,
            error.message,
            "enable it in Google's console (APIs & Services, Library), and wait some minutes",
        );
    }
    if said.contains("SCOPE")
        || said.contains("insufficient")
        || reason == "insufficientPermissions"
    {
        return Line::fault(
            name,
            "the token's scopes do not allow it",
            "ask for spreadsheets and drive.file ([google] scopes), and sign in again",
        );
    }
    if error.kind == Kind::Quota {
        return Line::fault(
            "quota",
            format!("used up for now: {}", error.message),
            "wait a minute; ask for a higher quota in Google's console, or use several accounts",
        );
    }
    Line::wrong(name, &Error::from(error))
}
