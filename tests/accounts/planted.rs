//! Secrets planted everywhere a secret can stand, and every output searched for them.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, process::Stdio};

use serde_json::json;

use super::{KEY, Office, both, files, private};
use crate::support::{
    http::{Client, answer, messages},
    listening::Listening,
    wire,
};

/// What is planted, by where.
const PLANTED: [(&str, &str); 9] = [
    ("DATABASE", "planted/database pass+word"),
    ("API", "planted-api-token-1234"),
    ("WEBHOOK", "planted-webhook-path-5678"),
    ("HOOK", "planted-hook-secret-90ab"),
    ("BASIC", "planted-basic-cdef"),
    ("HEADER", "planted-header-0123"),
    ("LITERAL", "planted-literal-4567"),
    ("CLIENT", "planted-client-89ab"),
    ("SEAL", "cGxhbnRlZC1rZXktdGhhdC1zZWFscy1hbGwtb2YtaXQ="),
];

fn configuration(office: &Office) -> String {
    let file = office.path("api.token");
    fs::write(&file, "planted-api-token-1234\n").unwrap();
    private(&file);
    format!(
        "{}\n[connections.shop]\nkind = \"postgres\"\nurl = \"postgres://u:${{DATABASE}}@127.0.0.1:9/x\"\nconnectTimeoutSeconds = 1\n\
         [connections.lit]\nkind = \"mysql\"\nurl = \"mysql://u:planted-literal-4567@127.0.0.1:9/x\"\nconnectTimeoutSeconds = 1\n\
         [connections.crm]\nkind = \"http\"\nbaseUrl = \"http://127.0.0.1:9\"\nauth = {{ kind = \"bearer\", token = \"${{file:{}}}\" }}\nheaders = {{ \"X-Key\" = \"${{HEADER}}\" }}\n[connections.crm.resources.a]\nid = \"/id\"\nlist = {{ path = \"/a\" }}\nfields = {{ id = \"/id\" }}\n\
         [connections.erp]\nkind = \"http\"\nbaseUrl = \"http://127.0.0.1:9\"\nauth = {{ kind = \"basic\", user = \"u\", password = \"${{BASIC}}\" }}\n[connections.erp.resources.a]\nid = \"/id\"\nlist = {{ path = \"/a\" }}\nfields = {{ id = \"/id\" }}\n\
         [connections.oauth]\nkind = \"http\"\nbaseUrl = \"http://127.0.0.1:9\"\nauth = {{ kind = \"clientCredentials\", tokenUrl = \"http://127.0.0.1:9/t\", clientId = \"id\", clientSecret = \"${{CLIENT}}\" }}\n[connections.oauth.resources.a]\nid = \"/id\"\nlist = {{ path = \"/a\" }}\nfields = {{ id = \"/id\" }}\n\
         [alerts]\nwebhook = \"http://127.0.0.1:9/${{WEBHOOK}}\"\ncommand = [\"sh\", \"-c\", \"cat >> told.txt\"]\n\
         threshold = 100\neverySeconds = 1\n[store]\nencrypt = true\n[secrets]\nkey = \"${{SEAL}}\"\n\
         [hooks.datasets.stock]\nsecretEnv = \"HOOK\"\n",
        office.robot_key(),
        file.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_output_or_file() {
    let office = Office::new().await;
    let own = ["lockstep.toml", "api.token", "robot.json", "client.json", "lockstep.keys"];
    let text = configuration(&office);
    let (google, rest) = text.split_once('\n').unwrap();
    office.configure_with(google, rest);
    fs::set_permissions(office.path("lockstep.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(office.path("a.csv"), "id,name\n1,x\n").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = office.command();
        command.envs(PLANTED.iter().copied()).env("LOCKSTEP_LOG", "trace").env("RUST_LOG", "trace");
        both(&command.args(arguments).stdin(Stdio::null()).output().unwrap())
    };
    let mut said = run(&["doctor"]) + run(&["doctor", "--json"]).as_str();
    assert!(said.contains("connection crm"), "{said}");
    for side in [
        json!({"connection": "shop", "table": "t"}),
        json!({"connection": "lit", "table": "t"}),
        json!({"connection": "crm", "resource": "a"}),
        json!({"connection": "erp", "resource": "a"}),
        json!({"connection": "oauth", "resource": "a"}),
    ] {
        let call = json!({"dataset": "stock", "left": {"file": "a.csv"}, "right": side, "key": ["id"], "mode": "apply"});
        said += run(&["--allow-write", "call", "syncDataset", &call.to_string()]).as_str();
    }
    said += run(&["call", "createFile", r#"{"type":"spreadsheet","name":"F"}"#]).as_str();
    said += run(&["call", "healthReport", "{}"]).as_str();
    said += run(&["audit", "print"]).as_str();
    // A server over stdio, with everything that it logs.
    let mut server = office.command();
    server.envs(PLANTED.iter().copied()).env("LOCKSTEP_LOG", "trace").arg("serve");
    let mut child =
        server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "syncDataset",
        "arguments": {"dataset": "s", "left": {"file": "a.csv"}, "right": {"connection": "shop", "table": "t"}, "key": ["id"]}}});
    let begin = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
        "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{begin}\n{ready}\n{call}").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3));
    drop(stdin);
    said += both(&child.wait_with_output().unwrap()).as_str();
    let tokens = ["ya29.", "PRIVATE KEY"];
    let private = KEY.lines().nth(3).unwrap();
    let planted = PLANTED.iter().map(|(_, secret)| (*secret).to_owned());
    let encoded = ["planted%2Fdatabase%20pass%2Bword".to_owned(), private.to_owned()];
    for secret in planted.chain(encoded).chain(tokens.map(str::to_owned)) {
        if let Some(at) = said.find(&secret) {
            let near: String = said.split_at(at).1.chars().take(200).collect();
            panic!("{secret} was shown: {near}");
        }
        for path in files(office.folder.path()) {
            if own.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
    // The search finds what is there: the key's file holds it.
    assert!(fs::read_to_string(office.path("robot.json")).unwrap().contains("PRIVATE KEY"));
}

/// Panics if a secret that was planted is in a text.
fn clean(what: &str, said: &[u8]) {
    let encoded = "planted%2Fdatabase%20pass%2Bword";
    for secret in PLANTED.iter().map(|(_, secret)| *secret).chain([encoded, "ya29.", "PRIVATE KEY"])
    {
        let found = said.windows(secret.len()).position(|part| part == secret.as_bytes());
        let near =
            |at: usize| String::from_utf8_lossy(&said[at.saturating_sub(200)..]).into_owned();
        assert!(found.is_none(), "{secret} is in {what}: {}", near(found.unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_on_a_page_or_at_a_collector() {
    let (collector, got) = crate::telemetry::collector().await;
    let office = Office::new().await;
    let text = configuration(&office);
    let (google, rest) = text.split_once('\n').unwrap();
    let datasets: String = [("shop", "table = \"t\""), ("lit", "table = \"t\""), ("crm", "resource = \"a\""),
        ("erp", "resource = \"a\""), ("oauth", "resource = \"a\"")]
        .map(|(name, what)| {
            format!("[datasets.{name}]\nleft = {{ file = \"a.csv\" }}\nright = {{ connection = \"{name}\", {what} }}\nkey = [\"id\"]\n")
        })
        .concat();
    office.configure_with(google, &format!("{rest}{datasets}"));
    fs::set_permissions(office.path("lockstep.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(office.path("a.csv"), "id,name\n1,x\n").unwrap();
    let mut command = office.command();
    command.envs(PLANTED.iter().copied()).env("LOCKSTEP_LOG", "trace");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector);
    command.env("OTEL_BSP_SCHEDULE_DELAY", "100").env("OTEL_METRIC_EXPORT_INTERVAL", "200");
    command.args(["--allow-write", "serve", "--http", "127.0.0.1:0"]);
    let server = Listening::start(command);
    let client = Client { http: wire::http(), url: server.url.clone(), token: None, session: None };
    for name in ["shop", "lit", "crm", "erp", "oauth"] {
        for (tool, arguments) in [
            ("syncDataset", json!({"name": name, "mode": "apply"})),
            ("verifyDataset", json!({"name": name})),
            ("watchDataset", json!({"action": "start", "dataset": name, "pollSeconds": 1})),
        ] {
            let call = json!({"name": tool, "arguments": arguments});
            let said = answer(&messages(client.modern("tools/call", call, json!({})).await).await);
            assert!(said["result"].is_object(), "{said}");
            clean(&format!("{tool} {name}"), said.to_string().as_bytes());
        }
    }
    let call = json!({"name": "createFile", "arguments": {"type": "spreadsheet", "name": "F"}});
    messages(client.modern("tools/call", call, json!({})).await).await;
    let call = json!({"name": "healthReport", "arguments": {"dashboard": true, "detail": true}});
    let said = answer(&messages(client.modern("tools/call", call, json!({})).await).await);
    clean("healthReport", said.to_string().as_bytes());
    let dashboard = said["result"]["structuredContent"]["dashboard"].as_str().unwrap().to_owned();
    let call = json!({"name": "describeSpreadsheet", "arguments": {"spreadsheetId": dashboard}});
    let said = answer(&messages(client.modern("tools/call", call, json!({})).await).await);
    let sheets = said["result"]["structuredContent"]["sheets"].as_array().unwrap().clone();
    let mut read = String::new();
    for sheet in sheets {
        let arguments = json!({"spreadsheetId": dashboard, "sheet": sheet["title"], "as": "rows"});
        let call = json!({"name": "readSheet", "arguments": arguments});
        let said = answer(&messages(client.modern("tools/call", call, json!({})).await).await);
        read += &said.to_string();
    }
    assert!(read.contains("shop"), "the dashboard shows the datasets: {read}");
    clean("the dashboard", read.as_bytes());
    let told = || fs::read(office.path("told.txt")).unwrap_or_default();
    for _ in 0..100 {
        if !told().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(!told().is_empty(), "people were told");
    clean("what people were told", &told());
    let mut shown = 0;
    for _ in 0..2 {
        for page in [
            "/",
            "/datasets/shop",
            "/datasets/lit",
            "/datasets/crm",
            "/datasets/erp",
            "/datasets/oauth",
            "/runs",
            "/conflicts",
            "/letters",
            "/sheets",
            "/metrics",
            "/healthz",
            "/no-such-page",
            "/datasets/none",
        ] {
            let answered = client.request(reqwest::Method::GET, page).send().await.unwrap();
            let text =
                format!("{:?}\n{}", answered.headers().clone(), answered.text().await.unwrap());
            shown += usize::from(text.contains("shop"));
            clean(&format!("the page {page}"), text.as_bytes());
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert!(shown > 1, "the pages show the datasets");
    let both = || {
        let got = got.lock().unwrap();
        ["/v1/traces", "/v1/metrics"].iter().all(|kind| got.iter().any(|(path, _)| path == kind))
    };
    for _ in 0..100 {
        if both() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(both(), "the collector got traces and metrics");
    clean("the log", server.killed().as_bytes());
    let bodies: Vec<u8> = got.lock().unwrap().iter().flat_map(|(_, body)| body.to_vec()).collect();
    clean("what the collector got", &bodies);
    let seen = String::from_utf8_lossy(&bodies);
    assert!(seen.contains("tools/call syncDataset"), "the search finds what is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_secrets_that_everybody_can_read_is_refused() {
    let office = Office::new().await;
    office.configure("token = \"ya29.planted-in-the-file\"");
    fs::set_permissions(office.path("lockstep.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = office.run(&["call", "findFiles", "{}"]);
    let text = both(&output);
    assert!(
        !output.status.success() && text.contains("chmod 600") && text.contains("google.token"),
        "{text}"
    );
    assert!(!text.contains("planted-in-the-file"), "{text}");
    // Nor does a line that does not parse repeat what it holds.
    office.configure("token = \"ya29.planted-in-the-file");
    fs::set_permissions(office.path("lockstep.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let text = both(&office.run(&["call", "findFiles", "{}"]));
    assert!(!text.contains("planted-in-the-file"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_may_stand_in_the_keyring() {
    let office = Office::new().await;
    let bin = office.path("bin");
    fs::create_dir(&bin).unwrap();
    let tool = bin.join(if cfg!(target_os = "macos") { "security" } else { "secret-tool" });
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *robot-key*) cat {:?};; *) exit 1;; esac\n",
        office.path("robot.json")
    );
    fs::write(&tool, script).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    for (entry, well, word) in [("robot-key", true, "\"id\""), ("other", false, "no entry")] {
        office.configure(&format!("credentials = \"${{keyring:{entry}}}\""));
        let output = office.command().args(super::MAKE).env("PATH", &path).output().unwrap();
        assert_eq!(output.status.success(), well, "{}", both(&output));
        assert!(both(&output).contains(word), "{}", both(&output));
    }
    office.configure("credentials = \"${keyring:robot-key}\"");
    let output = office.command().args(super::MAKE).env("PATH", "/nonexistent").output().unwrap();
    assert!(both(&output).contains("the keyring cannot be read"), "{}", both(&output));
}

/// The secrets of the store's address, of Google's token and of callers; none may be in what is said.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_the_store_of_a_token_or_of_a_caller_is_shown() {
    let password = "planted/store pass+word";
    let forms = [password, "planted%2Fstore%20pass%2Bword", "planted%2Fstore+pass%2Bword"];
    let office = Office::new().await;
    let loud = |office: &Office| {
        let mut command = office.command();
        command.env_remove("LOCKSTEP_STORE_URL").env("LOCKSTEP_LOG", "trace");
        command.env("RUST_LOG", "trace").env("STORE", password).stdin(Stdio::null());
        command
    };
    let mut said = String::new();
    let place = "127.0.0.1:9/x";
    for url in [
        format!("postgres://u:${{STORE}}@{place}"),
        format!("postgres://u:planted%2Fstore%20pass%2Bword@{place}"),
    ] {
        office.configure_with(&office.robot_key(), &format!("[store]\nurl = \"{url}\""));
        private(&office.path("lockstep.toml"));
        for arguments in [&["doctor"][..], &super::MAKE, &["audit", "verify"], &["rekey"]] {
            said += &both(&loud(&office).args(arguments).output().unwrap());
        }
    }
    office.configure(&office.robot_key());
    let mut command = loud(&office);
    command
        .env("LOCKSTEP_STORE_URL", format!("postgres://u:planted%2Fstore%20pass%2Bword@{place}"));
    said += &both(&command.args(["audit", "verify"]).output().unwrap());
    assert!(said.contains("127.0.0.1"), "the store was looked for: {said}");

    // A token that Google refuses, from each place that it may stand.
    let token = "ya29.planted-google-token";
    for google in
        ["token = \"${TOKEN}\"", "tokenEnv = \"TOKEN\"", &format!("token = \"{token}\""), ""]
    {
        office.configure(google);
        private(&office.path("lockstep.toml"));
        let name = if google.is_empty() { "LOCKSTEP_GOOGLE_TOKEN" } else { "TOKEN" };
        for arguments in [&["doctor"][..], &super::MAKE] {
            let output = loud(&office).env(name, token).args(arguments).output().unwrap();
            assert!(!output.status.success());
            said += &both(&output);
        }
    }
    for secret in forms.iter().chain(&[token]) {
        let near =
            said.find(secret).map(|at| said.split_at(at).1.chars().take(200).collect::<String>());
        assert_eq!(near, None, "{secret} was shown");
    }

    // Tokens of callers: one that is good, and one that is not.
    let made = both(&office.run(&["token", "ci", "--role", "admin"]));
    let good = made.lines().map(str::trim).find(|line| line.starts_with("lockstep_")).unwrap();
    let (_, rule) = made.split_once("[[auth.tokens]]").unwrap();
    office.configure_with(&office.robot_key(), &format!("[[auth.tokens]]{rule}"));
    let mut command = office.command();
    command.env("LOCKSTEP_LOG", "trace").env("RUST_LOG", "trace");
    let server = Listening::start({
        command.args(["serve", "--http", "127.0.0.1:0"]);
        command
    });
    let bad = "lockstep_planted-token-that-nobody-made";
    let mut said = String::new();
    for token in [good, bad] {
        let client = Client {
            http: wire::http(),
            url: server.url.clone(),
            token: Some(token.to_owned()),
            session: None,
        };
        for (tool, arguments) in
            [("findFiles", json!({})), ("readSheet", json!({"spreadsheetId": "none"}))]
        {
            let call = json!({"name": tool, "arguments": arguments});
            let answered = client.modern("tools/call", call, json!({})).await;
            assert_eq!(answered.status().is_success(), token == good);
            said += &format!("{:?} {}", answered.headers().clone(), answered.text().await.unwrap());
        }
        for page in ["/", "/metrics", "/healthz", "/runs"] {
            let answered = client.request(reqwest::Method::GET, page).send().await.unwrap();
            said += &format!("{:?} {}", answered.headers().clone(), answered.text().await.unwrap());
        }
    }
    said += &server.killed();
    assert!(said.contains("findFiles"), "the calls are in the log");
    for token in [good, bad] {
        assert!(!said.contains(token), "{token} was shown");
        for path in files(office.folder.path()) {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(token.len()).any(|part| part == token.as_bytes());
            assert!(!found, "{token} is in {}", path.display());
        }
    }
}
