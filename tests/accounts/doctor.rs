//! `lockstep doctor`, with each fault planted.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    process::Output,
};

use lockstep_workspace::Options;
use serde_json::{Value, json};

use super::{Office, ROBOT, both, private};
use crate::support::lockstep;

/// Returns the line of a check, as JSON.
fn line(output: &Output, check: &str) -> Value {
    let all: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", both(output)));
    let lines = all["checks"].as_array().unwrap();
    let found = lines.iter().find(|line| line["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} in {all:#}")).clone()
}

fn doctor(office: &Office) -> Output {
    office.run(&["doctor", "--json"])
}

#[track_caller]
fn wrong(output: &Output, check: &str, says: &str, fix: &str) {
    let line = line(output, check);
    assert_eq!(output.status.code(), Some(1), "{}", both(output));
    assert_eq!(line["state"], "wrong", "{line}");
    assert!(line["says"].as_str().unwrap().contains(says), "{line}");
    assert!(line["fix"].as_str().unwrap().contains(fix), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_and_said_in_a_line_each() {
    let office = Office::new().await;
    office.configure(&office.robot_key());
    let output = doctor(&office);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    for check in [
        "config",
        "store",
        "key",
        "credentials",
        "network",
        "clock",
        "token",
        "scopes",
        "sheets API",
        "quota",
        "drive API",
        "storage",
    ] {
        assert_eq!(line(&output, check)["state"], "ok", "{check}");
    }
    assert!(line(&output, "drive API")["says"].as_str().unwrap().contains(ROBOT));
    let text = office.run(&["doctor"]);
    let printed = String::from_utf8(text.stdout).unwrap();
    assert_eq!(printed.lines().count(), 12, "{printed}");
    assert!(printed.lines().all(|line| line.starts_with("ok ")), "{printed}");
    // Without an account, on the embedded workspace.
    let folder = tempfile::tempdir().unwrap();
    let output = lockstep(folder.path()).args(["doctor", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    assert_eq!(line(&output, "workspace")["state"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_store_used_of_the_quota_is_counted() {
    let office = Office::new().await;
    office.configure(&format!("{}\ncallsPerMinute = 40", office.robot_key()));
    let left = |output: &Output| -> Vec<u64> {
        let says = line(output, "quota")["says"].as_str().unwrap().to_owned();
        says.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    assert_eq!(left(&doctor(&office)), [40, 40, 40, 40]);
    // A new spreadsheet is one write; the doctor's own look is not counted.
    super::made(office.command());
    assert_eq!(left(&doctor(&office)), [40, 40, 39, 40]);
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_key_and_store_that_are_wrong() {
    let office = Office::new().await;
    office.configure("credentialz = \"x\"");
    wrong(&doctor(&office), "config", "credentialz", "correct the file");
    office.configure("token = \"ya29.plain-in-the-file\"");
    let output = doctor(&office);
    wrong(&output, "config", "google.token", "chmod 600");
    assert!(!both(&output).contains("plain-in-the-file"));
    office.configure_with(&office.robot_key(), "[secrets]\nkey = \"${NO_SUCH_KEY}\"");
    wrong(&doctor(&office), "key", "NO_SUCH_KEY", "set NO_SUCH_KEY");
    office.configure(&office.robot_key());
    fs::set_permissions(office.path("lockstep.keys"), fs::Permissions::from_mode(0o644)).ok();
    fs::write(office.path("lockstep.keys"), "no key\n").unwrap();
    fs::set_permissions(office.path("lockstep.keys"), fs::Permissions::from_mode(0o600)).unwrap();
    wrong(&doctor(&office), "key", "32 bytes", "openssl");
    for file in ["lockstep.db", "lockstep.db-wal", "lockstep.db-shm"] {
        let _ = fs::remove_file(office.path(file));
    }
    fs::write(
        office.path("lockstep.db"),
        "this is no store at all, but a text that is long enough",
    )
    .unwrap();
    wrong(&doctor(&office), "store", "", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_missing_refused_or_too_weak() {
    let office = Office::new().await;
    wrong(&doctor(&office), "credentials", "there are none", "lockstep login");
    assert_eq!(line(&doctor(&office), "network")["state"], "ok");
    let stranger =
        fs::read_to_string(office.path("robot.json")).unwrap().replace(ROBOT, "nobody@x.example");
    fs::write(office.path("stranger.json"), stranger).unwrap();
    private(&office.path("stranger.json"));
    office.configure(&format!(
        "credentials = \"${{file:{}}}\"",
        office.path("stranger.json").display()
    ));
    wrong(&doctor(&office), "token", "account not found", "");
    let readonly = "https://www.googleapis.com/auth/drive.metadata.readonly";
    office.configure(&format!("{}\nscopes = [\"{readonly}\"]", office.robot_key()));
    wrong(&doctor(&office), "sheets API", "scopes", "sign in again");
    office.configure("token = \"${TOKEN}\"");
    let output = office
        .command()
        .args(["doctor", "--json"])
        .env("TOKEN", "ya29.stale-token")
        .output()
        .unwrap();
    assert_eq!(line(&output, "token")["state"], "warning");
    wrong(&output, "sheets API", "authentication", "Sign in again");
    assert!(!both(&output).contains("stale-token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sheets_that_are_not_shared_and_accounts_without_storage() {
    let office = Office::with(Options::new().storage(0)).await;
    let dataset = "[datasets.stock]\nleft = { spreadsheetId = \"abcdefghijklmnopqrstuvwx\" }\nright = { file = \"a.csv\" }\nkey = [\"id\"]\n";
    office.configure_with(&office.robot_key(), dataset);
    let output = doctor(&office);
    wrong(&output, "dataset stock", "not shared", &format!("share it with {ROBOT}"));
    let storage = line(&output, "storage");
    assert_eq!(storage["state"], "warning");
    assert!(storage["says"].as_str().unwrap().contains("no storage of its own"), "{storage}");
    assert!(storage["fix"].as_str().unwrap().contains("shared drive"), "{storage}");
}

/// Answers every request with a status, a date and a body of its own.
fn says(status: u16, date: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let body = if head[..read].starts_with(b"HEAD") { "" } else { &body };
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}

fn clock(date: &'static str) -> String {
    says(404, date, String::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn apis_that_are_off_and_a_quota_that_is_used_up() {
    let office = Office::new().await;
    let answered = |status: u16, reason: &str, message: &str| {
        let body = json!({"error": {"code": status, "message": message,
            "status": if status == 429 { "RESOURCE_EXHAUSTED" } else { "PERMISSION_DENIED" },
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}]}});
        let url = says(status, "Mon, 03 Jan 2011 10:00:00 GMT", body.to_string());
        let text = format!(
            "backend = \"google\"\n[google]\nsheetsUrl = \"{url}\"\ndriveUrl = \"{url}\"\n{}\n",
            office.robot_key()
        );
        fs::write(office.path("lockstep.toml"), text).unwrap();
        doctor(&office)
    };
    let output = answered(
        403,
        "SERVICE_DISABLED",
        "Google Sheets API has not been used in project 1 before or it is disabled.",
    );
    wrong(&output, "sheets API", "disabled", "enable it");
    wrong(&output, "drive API", "disabled", "enable it");
    let output =
        answered(429, "RATE_LIMIT_EXCEEDED", "Quota exceeded for quota metric 'Read requests'.");
    wrong(&output, "quota", "used up", "higher quota");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_and_a_service_that_is_not_reached() {
    let office = Office::new().await;
    let named = |url: &str| {
        let text = format!(
            "backend = \"google\"\n[google]\nsheetsUrl = \"{url}\"\ndriveUrl = \"{url}\"\n{}\n",
            office.robot_key()
        );
        fs::write(office.path("lockstep.toml"), text).unwrap();
    };
    named(&clock("Mon, 03 Jan 2011 10:00:00 GMT"));
    wrong(&doctor(&office), "clock", "ahead of", "set the clock");
    named(&clock("Fri, 03 Jan 2110 10:00:00 GMT"));
    wrong(&doctor(&office), "clock", "behind", "set the clock");
    named("http://127.0.0.1:9");
    wrong(&doctor(&office), "network", "cannot be reached", "firewall");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_connection_is_looked_at_by_itself() {
    let office = Office::new().await;
    let folder = office.path("drop");
    let api = clock("Fri, 03 Jan 2110 10:00:00 GMT");
    let connections = format!(
        "[connections.shop]\nkind = \"sqlite\"\nurl = \"sqlite:none/here.db\"\n\
         [connections.wages]\nkind = \"postgres\"\nurl = \"postgres://u:${{WAGES_PASSWORD}}@127.0.0.1:9/x\"\nconnectTimeoutSeconds = 2\n\
         [connections.open]\nkind = \"postgres\"\nurl = \"postgres://u:${{NOT_SET_AT_ALL}}@127.0.0.1:9/x\"\n\
         [connections.drop]\nkind = \"folder\"\npath = {:?}\n\
         [connections.crm]\nkind = \"http\"\nbaseUrl = \"{api}\"\n[connections.crm.resources.a]\nid = \"/id\"\nlist = {{ path = \"/a\" }}\nfields = {{ id = \"/id\" }}\n",
        folder.display().to_string()
    );
    office.configure_with(&office.robot_key(), &connections);
    let run = || {
        office
            .command()
            .args(["doctor", "--json"])
            .env("WAGES_PASSWORD", "pw-of-the-wages")
            .output()
            .unwrap()
    };
    let output = run();
    wrong(&output, "connection shop", "", "");
    wrong(&output, "connection wages", "", "");
    wrong(&output, "connection open", "NOT_SET_AT_ALL", "set NOT_SET_AT_ALL");
    wrong(&output, "connection drop", "", "");
    assert_eq!(line(&output, "connection crm")["state"], "ok");
    assert!(!both(&output).contains("pw-of-the-wages"));
    fs::create_dir(&folder).unwrap();
    assert_eq!(line(&run(), "connection drop")["state"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_everybody_can_read_is_refused_or_told_of() {
    let office = Office::new().await;
    let mode = |mode| {
        let rights = fs::Permissions::from_mode(mode);
        fs::set_permissions(office.path("robot.json"), rights).unwrap();
    };
    mode(0o644);
    office.configure(&office.robot_key());
    wrong(&doctor(&office), "credentials", "everybody on this machine can read it", "chmod 600");
    // What Google's tools left is theirs to protect: it works, and it is said.
    office.configure("");
    let default = || {
        let mut command = office.command();
        command.env("GOOGLE_APPLICATION_CREDENTIALS", office.path("robot.json"));
        command.args(["doctor", "--json"]).output().unwrap()
    };
    let told = line(&default(), "key file");
    assert_eq!(told["state"], "warning", "{told}");
    let fix = format!("chmod 600 {}", office.path("robot.json").display());
    assert_eq!(told["fix"], fix, "{told}");
    mode(0o600);
    let output = default();
    assert!(!both(&output).contains("key file"), "{}", both(&output));
}
