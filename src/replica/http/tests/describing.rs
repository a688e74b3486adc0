//! Descriptions: a contradiction is refused at start, with its path, and no secret is shown.

use super::stage::{PLAIN, connections};

fn refused(from: &str, to: &str) -> String {
    assert!(PLAIN.contains(from), "{from}");
    let toml = PLAIN.replace("URL", "https://api.example.com").replacen(from, to, 1);
    match connections(&toml) {
        Ok(_) => panic!("accepted: {to}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn contradictions_are_refused_with_their_path() {
    for (from, to, path, words) in [
        (
            "[resources.items.fields]\nsku",
            "[resources.items.fields]\nsk",
            "resources.items: find",
            "no field \"sku\"",
        ),
        ("id = \"/id\"\n", "", "resources.items: get", "{id} needs an id"),
        (
            "path = \"/items/{id}\"\n\n[resources.items.find]",
            "path = \"/items\"\n\n[resources.items.find]",
            "resources.items: get",
            "which item is meant",
        ),
        (
            "[resources.items.create]\npath = \"/items\"",
            "[resources.items.create]\npath = \"/items/{id}\"",
            "resources.items: create",
            "a new item has no {id}",
        ),
        (
            "[resources.items.update]\n",
            "[resources.items.update]\nsize = 10\n",
            "resources.items: update",
            "{items} is nowhere",
        ),
        (
            "[resources.items.create]\n",
            "[resources.items.create]\nelement = \"{item}\"\n",
            "resources.items: create",
            "size is 1",
        ),
        (
            "path = \"/items\"\nitems",
            "path = \"items\"\nitems",
            "list.path",
            "begins with one \"/\"",
        ),
        ("path = \"/items\"\nitems", "path = \"/../items\"\nitems", "list.path", "\"..\""),
        (
            "path = \"/items\"\nitems",
            "path = \"/items\"\nmaxPages = 0\nitems",
            "list",
            "at least 1",
        ),
        (
            "path = \"/items\"\nitems",
            "path = \"/items\"\nsince = { parameter = \"s\" }\nitems",
            "list.since",
            "needs modifiedAt",
        ),
        ("name = \"/name\"", "name = \"/sku\"", "fields", "written to the same place"),
        ("id = \"/id\"\n", "id = \"/id\"\netag = \"tag\"\n", "etag", "no JSON pointer"),
        (
            "limits = { attempts = 3 }",
            "limits = { perSecond = 0 }",
            "limits.perSecond",
            "at least 1",
        ),
        (
            "limits = { attempts = 3 }",
            "auth = { kind = \"bearer\", token = \"${LOCKSTEP_TEST_UNSET}\" }",
            "auth.token",
            "LOCKSTEP_TEST_UNSET is not set",
        ),
        (
            "limits = { attempts = 3 }",
            "auth = { kind = \"bearer\", token = \"x\" }\nheaders = { Authorization = \"y\" }",
            "headers.Authorization",
            "auth sets it already",
        ),
        ("https://api.example.com", "https://api.example.com?key=1", "baseUrl", "query"),
        (
            "baseUrl = \"https:",
            "auth = { kind = \"bearer\", token = \"x\" }\nbaseUrl = \"http:",
            "baseUrl",
            "unencrypted",
        ),
        (
            "path = \"/items\"\n\n[resources.items.update]",
            "path = \"/items\"\nbody = { a = \"{itm}\" }\n\n[resources.items.update]",
            "",
            "is no slot",
        ),
        ("[resources.items.update]\n", "[resources.items.update]\nmethod = \"GET\"\n", "", "GET"),
    ] {
        let toml = PLAIN.replace("URL", "https://api.example.com");
        assert!(toml.contains(from), "{from}");
        let error = connections(&toml.replacen(from, to, 1)).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(path) && error.contains(words), "{to}\n{error}");
    }
}

#[test]
fn an_update_by_put_must_keep_what_is_not_described() {
    let put = "[resources.items.update]\nmethod = \"PUT\"\n";
    assert!(
        connections(&PLAIN.replace("URL", "https://x").replace("[resources.items.update]\n", put))
            .is_ok()
    );
    let get = "[resources.items.get]\npath = \"/items/{id}\"\n";
    let without = PLAIN.replace("URL", "https://x").replace("[resources.items.update]\n", put);
    let error = connections(&without.replace(get, "")).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("update.content") && error.contains("add get"), "{error}");
}

#[test]
fn a_connection_that_may_be_written_says_how() {
    let (read, writes) = PLAIN.split_once("[resources.items.create]").unwrap();
    let (_, fields) = writes.split_once("[resources.items.fields]").unwrap();
    let toml = format!("{read}[resources.items.fields]{fields}").replace("URL", "https://x");
    let error = connections(&toml).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("connections.crm") && error.contains("writable"), "{error}");
}

#[test]
fn no_secret_shows_in_debug_or_errors() {
    let auth = "auth = { kind = \"basic\", user = \"someone\", password = \"hunter2222\" }\n";
    let toml = PLAIN.replace("URL", "https://api.example.com").replace(
        "timeoutSeconds = 1\n",
        &format!("timeoutSeconds = 1\n{auth}headers = {{ X-Key = \"hunter3333\" }}\n"),
    );
    let config: crate::replica::connections::ConnectionConfig = toml::from_str(&toml).unwrap();
    let shown = format!("{config:?} {:?}", connections(&toml).unwrap());
    assert!(!shown.contains("hunter") && !shown.contains("someone"), "{shown}");
    let error = refused(
        "limits = { attempts = 3 }",
        "auth = { kind = \"bearer\", token = \"hunter2\\nX: y\" }",
    );
    assert!(error.contains("auth.token") && !error.contains("hunter"), "{error}");
}
