//! Accounts of Google as users meet them: the real binary against a workspace that demands tokens.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use lockstep_workspace::{OAuthClient, Options, ServiceAccount, Workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{lockstep, wire::http};

mod doctor;
mod others;
mod planted;

const KEY: &str = include_str!("../crates/workspace/tests/data/test-key.pem");
const ROBOT: &str = "robot@lockstep.iam.example";
const ANN: &str = "ann@company.example";

/// A workspace that demands tokens, and a folder with a configuration that names it.
pub(crate) struct Office {
    pub(crate) url: String,
    pub(crate) folder: TempDir,
}

impl Office {
    pub(crate) async fn new() -> Self {
        Self::with(Options::new()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let options = options
            .require_auth(true)
            .owner(ANN)
            .service_account(ServiceAccount::from_key_file(&robot(&url)).unwrap())
            .oauth_client(OAuthClient {
                client_id: "app".into(),
                client_secret: "app-secret-0815".into(),
            });
        let workspace = Workspace::in_memory_with(options).unwrap();
        tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
        let office = Self { url, folder: TempDir::new().unwrap() };
        fs::write(office.path("robot.json"), robot(&office.url)).unwrap();
        private(&office.path("robot.json"));
        let client = json!({"installed": {
            "client_id": "app", "client_secret": "app-secret-0815",
            "auth_uri": format!("{}/o/oauth2/v2/auth", office.url),
            "token_uri": format!("{}/token", office.url),
        }});
        fs::write(office.path("client.json"), client.to_string()).unwrap();
        office.configure("");
        office
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Writes lockstep.toml: `google` goes into its part of that name, `rest` after it.
    pub(crate) fn configure_with(&self, google: &str, rest: &str) {
        let text = format!(
            "backend = \"google\"\n[google]\nsheetsUrl = \"{0}\"\ndriveUrl = \"{0}\"\n{google}\n{rest}\n",
            self.url
        );
        fs::write(self.path("lockstep.toml"), text).unwrap();
    }

    pub(crate) fn configure(&self, google: &str) {
        self.configure_with(google, "");
    }

    /// Returns the binary, deaf to whatever credentials the machine has.
    pub(crate) fn command(&self) -> Command {
        let mut command = lockstep(self.folder.path());
        for name in ["GOOGLE_APPLICATION_CREDENTIALS", "LOCKSTEP_GOOGLE_TOKEN", "GCE_METADATA_HOST"]
        {
            command.env_remove(name);
        }
        command.env("CLOUDSDK_CONFIG", self.path("no-gcloud"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    fn robot_key(&self) -> String {
        format!("credentials = \"${{file:{}}}\"", self.path("robot.json").display())
    }
}

/// Takes a file from everybody but its owner.
pub(crate) fn private(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn robot(url: &str) -> String {
    json!({
        "type": "service_account", "client_email": ROBOT, "private_key": KEY,
        "token_uri": format!("{url}/token"),
    })
    .to_string()
}

/// Makes a spreadsheet: a call that needs a token.
const MAKE: [&str; 3] = ["call", "createFile", r#"{"type":"spreadsheet","name":"Fleet"}"#];

pub(crate) fn both(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[track_caller]
fn made(mut command: Command) {
    let output = command.args(MAKE).output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(value["id"].is_string(), "{value}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_taken_from_wherever_they_stand() {
    let office = Office::new().await;
    office.configure(&office.robot_key());
    made(office.command());
    office.configure("credentials = \"${ROBOT_JSON}\"");
    let mut command = office.command();
    command.env("ROBOT_JSON", robot(&office.url));
    made(command);
    // Application default credentials: the variable, then gcloud's own file.
    office.configure("");
    let mut command = office.command();
    command.env("GOOGLE_APPLICATION_CREDENTIALS", office.path("robot.json"));
    made(command);
    let gcloud = office.path("gcloud");
    fs::create_dir(&gcloud).unwrap();
    fs::copy(office.path("robot.json"), gcloud.join("application_default_credentials.json"))
        .unwrap();
    let mut command = office.command();
    command.env("CLOUDSDK_CONFIG", &gcloud);
    made(command);
    // And with none of them it says what to do.
    let output = office.run(&MAKE);
    assert!(!output.status.success());
    let text = both(&output);
    assert!(text.contains("lockstep login") && text.contains("credentials ="), "{text}");
    for (google, word) in [
        ("credentials = \"${file:none.json}\"", "none.json"),
        ("credentials = \"{}\"", "not known"),
        ("token = \"ya29.a-token-of-ours\"\nmetadataServer = true", "several credentials"),
        ("token = \"ya29.a-token-of-ours\"", "unauthenticated:"),
    ] {
        office.configure(google);
        fs::set_permissions(office.path("lockstep.toml"), fs::Permissions::from_mode(0o600))
            .unwrap();
        let text = both(&office.run(&MAKE));
        assert!(text.contains(word), "{google}: {text}");
        assert!(!text.contains("a-token-of-ours"), "{text}");
    }
    office.configure(&format!("{}\nsubject = \"{ANN}\"", office.robot_key()));
    let text = both(&office.run(&["doctor"]));
    assert!(text.contains(&format!("shared with {ANN}")), "{text}");
}

/// Starts `lockstep login`, and returns it with the address that it shows on stderr.
fn login(office: &Office, more: &[&str]) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let mut child = office
        .command()
        .args(["login", "--client"])
        .arg(office.path("client.json"))
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    while stderr.read_line(&mut seen).unwrap() > 0 {
        let last = seen.lines().last().unwrap();
        if let Some(at) = last.find("http://") {
            let address = last.split_at(at).1.trim().to_owned();
            return (child, stderr, address);
        }
    }
    let _ = child.wait();
    panic!("no address: {seen}");
}

/// Agrees as a person in the browser does.
async fn agree(office: &Office, address: &str, decision: &str) -> String {
    let browser = http();
    let page = browser.get(address).send().await.unwrap().text().await.unwrap();
    let ticket = page.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    // Follows the redirect to loopback.
    let form = format!("ticket={ticket}&decision={decision}");
    let answer = browser
        .post(format!("{}/o/oauth2/consent", office.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    answer.text().await.unwrap()
}

fn ended(mut child: Child, mut stderr: impl Read) -> (bool, String, String) {
    let (mut said, mut out) = (String::new(), String::new());
    stderr.read_to_string(&mut said).unwrap();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    (child.wait().unwrap().success(), said, out)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_works_and_signs_out() {
    let office = Office::new().await;
    let (child, stderr, address) = login(&office, &[]);
    let page = agree(&office, &address, "allow").await;
    assert!(page.contains("signed in"), "{page}");
    let (well, said, out) = ended(child, stderr);
    assert!(well, "{said}");
    assert_eq!(out, "", "stdout belongs to programs");
    assert!(said.contains(&format!("Signed in as {ANN}")), "{said}");
    let kept = office.path("lockstep.signin");
    let bytes = fs::read(&kept).unwrap();
    for word in ["refresh_token", "1//", "app-secret-0815", "authorized_user"] {
        assert!(!bytes.windows(word.len()).any(|part| part == word.as_bytes()), "{word}");
    }
    for file in ["lockstep.signin", "lockstep.keys"] {
        let mode = fs::metadata(office.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    made(office.command());
    let text = both(&office.run(&["doctor"]));
    assert!(
        text.contains("signed-in person") && text.contains("scopes: spreadsheets, drive.file"),
        "{text}"
    );
    // Another key: what was sealed goes on, and the earlier key is gone.
    let key = fs::read_to_string(office.path("lockstep.keys")).unwrap();
    let out = office.run(&["rekey"]);
    assert!(both(&out).contains("sealed again"), "{}", both(&out));
    let new = fs::read_to_string(office.path("lockstep.keys")).unwrap();
    assert!(new != key && new.lines().count() == 1 && fs::read(&kept).unwrap() != bytes);
    made(office.command());
    let bytes = fs::read(&kept).unwrap();
    // Without its key the file is worth nothing.
    fs::rename(office.path("lockstep.keys"), office.path("elsewhere")).unwrap();
    let text = both(&office.run(&MAKE));
    assert!(text.contains("which is not here") && text.contains("lockstep login"), "{text}");
    fs::rename(office.path("elsewhere"), office.path("lockstep.keys")).unwrap();
    let out = office.run(&["logout"]);
    assert!(out.status.success(), "{}", both(&out));
    assert!(out.stdout.is_empty() && !kept.exists());
    fs::write(&kept, &bytes).unwrap();
    // The copy of a thief is worth nothing either.
    let text = both(&office.run(&MAKE));
    assert!(text.contains("sign in again: `lockstep login`"), "{text}");
    assert!(both(&office.run(&["doctor"])).contains("WRONG"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_nobody_agrees_to_ends_and_keeps_nothing() {
    let office = Office::new().await;
    let (child, stderr, address) = login(&office, &[]);
    agree(&office, &address, "deny").await;
    let (well, said, _) = ended(child, stderr);
    assert!(!well && said.contains("declined"), "{said}");
    let (child, stderr, _) = login(&office, &["--timeout", "1"]);
    let (well, said, out) = ended(child, stderr);
    assert!(!well && said.contains("within 1 s"), "{said}");
    assert_eq!(out, "");
    assert!(!office.path("lockstep.signin").exists());
    let text = both(&office.run(&["login"]));
    assert!(text.contains("Desktop app"), "{text}");
    let out = office.run(&["logout"]);
    assert!(out.status.success() && both(&out).contains("Nobody is signed in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_without_the_service_deletes_and_says_what_is_left() {
    let office = Office::new().await;
    let (child, stderr, address) = login(&office, &[]);
    agree(&office, &address, "allow").await;
    assert!(ended(child, stderr).0);
    // The keys are gone, so nothing can be taken back.
    fs::remove_file(office.path("lockstep.keys")).unwrap();
    let out = office.run(&["logout"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(both(&out).contains("myaccount.google.com/connections"), "{}", both(&out));
    assert!(!office.path("lockstep.signin").exists());
}

/// Returns every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}
