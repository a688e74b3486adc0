//! Encryption at rest: after a working day no value and no key is found in anything that the store wrote.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};

use crate::{
    privacy::{Office, SECRET},
    support::{kill, lockstep, store},
};

/// The values of the day, and among them the keys: each is looked for by itself.
fn planted() -> Vec<String> {
    let ends = ["ada", "bob", "eve", "kim", "10", "11", "12", "20", "refused", "note", "late"];
    ends.iter().map(|end| format!("{SECRET}-{end}")).collect()
}

/// Returns the ways in which a value can stand in a file.
fn forms(value: &str) -> Vec<Vec<u8>> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut forms = vec![value.as_bytes().to_vec()];
    forms.push(value.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.push(value.encode_utf16().flat_map(u16::to_be_bytes).collect());
    forms.push(value.bytes().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
    // What is in the middle of the base64 of something longer, wherever it begins there.
    for before in 0..3 {
        let text = STANDARD.encode([&vec![0; before], value.as_bytes()].concat());
        let whole = text.trim_end_matches('=');
        let (start, end) = ([0, 2, 3][before], whole.len() - 1);
        forms.push(whole.as_bytes()[start..end].to_vec());
    }
    forms
}

/// Returns everything that the store of a folder wrote, with what is compressed in it.
fn written(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The sides, and the settings.
        if path.is_dir()
            || name.starts_with("hr.db")
            || name.starts_with("workspace.")
            || name == "lockstep.toml"
        {
            continue;
        }
        all.push((name, fs::read(&path).unwrap()));
    }
    if store::url(folder).is_some() {
        let tables =
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
        for table in store::column(folder, tables) {
            let rows =
                store::column(folder, &format!("SELECT CAST(t AS TEXT) FROM {table} t")).join("\n");
            // Bytes are shown as hexadecimal digits.
            let bytes = rows.split("\\\\x").skip(1).flat_map(|text| {
                let digits: Vec<u8> = text.bytes().take_while(u8::is_ascii_hexdigit).collect();
                let byte = |pair: &[u8]| {
                    u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()
                };
                digits.chunks_exact(2).map(byte).collect::<Vec<_>>()
            });
            all.push((format!("{table}, its bytes"), bytes.collect()));
            all.push((table, rows.into_bytes()));
        }
    }
    let mut more = vec![];
    for (name, bytes) in &all {
        for (at, _) in
            bytes.windows(4).enumerate().filter(|(_, mark)| *mark == [0x28, 0xb5, 0x2f, 0xfd])
        {
            let mut expanded = vec![];
            if let Ok(mut frame) = zstd::stream::Decoder::new(&bytes[at..]) {
                let _ = std::io::Read::read_to_end(&mut frame, &mut expanded);
            }
            more.push((format!("{name}, compressed at {at}"), expanded));
        }
    }
    all.extend(more);
    all
}

/// Returns where each planted value is found.
fn found(folder: &Path) -> Vec<String> {
    let all = written(folder);
    assert!(all.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 20_000);
    let mut places = vec![];
    for value in planted() {
        for (name, bytes) in &all {
            let finds =
                |form: &Vec<u8>| bytes.windows(form.len()).any(|part| part == form.as_slice());
            if forms(&value).iter().any(finds) {
                places.push(format!("{value}: {name}"));
            }
        }
    }
    places
}

fn write_key(folder: &Path, name: &str) {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let path = folder.join(name);
    let key = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat();
    fs::write(&path, STANDARD.encode(key)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A day with a run, a conflict that is decided and one that is not, a refusal, a rollback that is asked for, and a watch.
/// Returns the first run.
async fn day(office: &mut Office) -> String {
    let run = office.call("syncDataset", json!({"name": "staff", "mode": "apply"})).await;
    assert_eq!(run["state"], "applied", "{run:#}");
    let first = run["runId"].as_str().unwrap().to_owned();
    office.database(&format!("UPDATE staff SET pay = '{SECRET}-11' WHERE id IN ('1', '4')"));
    office.edit("C2", json!([[format!("{SECRET}-12")]])).await;
    office.edit("C5", json!([[format!("{SECRET}-late")]])).await;
    office.edit("C3", json!([[format!("{SECRET}-refused")]])).await;
    let run = office.call("syncDataset", json!({"name": "staff", "mode": "apply"})).await;
    assert_eq!(run["counts"]["conflicts"], 2, "{run:#}");
    assert_eq!(run["refused"].as_array().map(Vec::len), Some(1), "{run:#}");
    let listed = office.call("resolveConflicts", json!({"dataset": "staff"})).await;
    let id = listed["conflicts"][0]["id"].clone();
    let decided = json!({"dataset": "staff", "action": "decide", "ids": [id], "winner": "right", "note": format!("{SECRET}-note")});
    office.call("resolveConflicts", decided).await;
    let plan = office.call("rollbackSync", json!({"runId": first})).await;
    assert!(plan["planId"].is_string(), "{plan:#}");
    office
        .call(
            "watchDataset",
            json!({"action": "start", "dataset": "staff", "retryLimit": 1, "pollSeconds": 1}),
        )
        .await;
    let mut dead = Value::Null;
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let status =
            office.call("watchDataset", json!({"action": "status", "dataset": "staff"})).await;
        dead = status["watches"][0]["deadLetters"].clone();
        if dead == 1 {
            break;
        }
    }
    assert_eq!(dead, 1);
    office.call("watchDataset", json!({"action": "stop", "dataset": "staff"})).await;
    office.call("healthReport", json!({"dataset": "staff", "detail": true})).await;
    first
}

async fn office(key: &str, encrypt: bool) -> Office {
    Office::with(key, ["type = \"text\""; 2], &format!("[store]\nencrypt = {encrypt}\n")).await
}

fn rekey(folder: &Path) -> String {
    let done = lockstep(folder).arg("rekey").output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(done.status.success(), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_and_no_key_stands_in_the_files_of_an_encrypted_store() {
    for key in ["id", "mail"] {
        let mut office = sealed(key).await;
        let first = day(&mut office).await;
        if store::url(office.folder.path()).is_none() {
            let copy = office.folder.path().join("copy.db");
            office.command(&["backup", copy.to_str().unwrap()]);
            assert!(copy.exists());
        }
        office.without_server(|folder| {
            assert_eq!(found(folder), Vec::<String>::new());
            // Killed in the midst, and once more to its end.
            let keys = || fs::read_to_string(folder.join("lockstep.keys")).unwrap();
            let before = keys();
            let mut command = lockstep(folder);
            command.arg("rekey");
            assert!(kill::at(command, "resealed:5"), "it was killed in the midst");
            assert_eq!(keys().lines().count(), 2);
            let said = rekey(folder);
            assert!(said.contains("values of the store were sealed"), "{said}");
            assert!(keys().lines().count() == 1 && !before.contains(keys().trim()));
            assert_eq!(found(folder), Vec::<String>::new());
            fs::write(folder.join("before.keys"), before).unwrap();
        });
        // With the key of before gone, what is old can still be decided and taken back.
        let listed = office.call("resolveConflicts", json!({"dataset": "staff"})).await;
        assert_eq!(listed["total"], 1, "{listed:#}");
        let decide = json!({"dataset": "staff", "action": "decide", "winner": "left"});
        office.call("resolveConflicts", decide).await;
        let run = office.call("syncDataset", json!({"name": "staff", "mode": "apply"})).await;
        assert!(run["state"] == "applied" || run["state"] == "partial", "{run:#}");
        assert!(run["counts"]["conflicts"].is_null() && run["counts"]["losers"] == 1, "{run:#}");
        let plan = office.call("rollbackSync", json!({"runId": first})).await;
        let back = json!({"runId": first, "mode": "apply", "planId": plan["planId"]});
        let back = office.call("rollbackSync", back).await;
        assert!(back["counts"]["delete"].as_u64() > Some(0), "{back:#} of {plan:#}");
        office.command(&["audit", "verify"]);
        assert!(office.said["lockstep audit verify"].contains("unbroken"), "{:?}", office.said);
        // A wrong key opens nothing, and says which one is missing.
        office.without_server(|folder| {
            let (keys, own) = (folder.join("lockstep.keys"), folder.join("own.keys"));
            fs::rename(&keys, &own).unwrap();
            fs::rename(folder.join("before.keys"), &keys).unwrap();
            fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
            let done = lockstep(folder).args(["audit", "verify"]).output().unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert!(!done.status.success() && said.contains("which is not here"), "{said}");
            fs::rename(&own, &keys).unwrap();
        });
    }
}

/// An office whose store is encrypted from its beginning.
async fn sealed(key: &str) -> Office {
    let mut office = office(key, false).await;
    office.without_server(|folder| {
        let settings = fs::read_to_string(folder.join("lockstep.toml")).unwrap();
        fs::write(
            folder.join("lockstep.toml"),
            settings.replace("encrypt = false", "encrypt = true"),
        )
        .unwrap();
        write_key(folder, "lockstep.keys");
    });
    office
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_open_shows_every_value_until_it_is_encrypted_and_rekeyed() {
    let mut office = office("mail", false).await;
    day(&mut office).await;
    office.without_server(|folder| {
        // The control of the search: it finds what is there.
        let places = found(folder);
        for value in planted() {
            assert!(places.iter().any(|place| place.starts_with(&value)), "{value} in {places:#?}");
        }
        let settings = fs::read_to_string(folder.join("lockstep.toml")).unwrap();
        fs::write(
            folder.join("lockstep.toml"),
            settings.replace("encrypt = false", "encrypt = true"),
        )
        .unwrap();
        write_key(folder, "lockstep.keys");
        rekey(folder);
        assert_eq!(found(folder), Vec::<String>::new());
    });
    let listed = office.call("resolveConflicts", json!({"dataset": "staff"})).await;
    assert_eq!(listed["total"], 1, "{listed:#}");
    office.command(&["audit", "verify"]);
    assert!(office.said["lockstep audit verify"].contains("unbroken"), "{:?}", office.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_key_is_changed_by_rekey_with_the_earlier_one_beside_it() {
    let mut office = office("mail", false).await;
    let settings = fs::read_to_string(office.folder.path().join("lockstep.toml")).unwrap();
    let named = |folder: &Path, key: &str, previous: &str| {
        let sealed = format!(
            "encrypt = true\n[secrets]\nkey = \"${{file:{key}}}\"\npreviousKeys = [{previous}]\n"
        );
        let settings = settings.replace("encrypt = false", &sealed);
        fs::write(folder.join("lockstep.toml"), settings).unwrap();
    };
    let verify = |folder: &Path| {
        let done = lockstep(folder).args(["audit", "verify"]).output().unwrap();
        let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        (done.status.success(), said)
    };
    office.without_server(|folder| {
        write_key(folder, "one.key");
        write_key(folder, "two.key");
        named(folder, "one.key", "");
    });
    day(&mut office).await;
    office.without_server(|folder| {
        assert_eq!(found(folder), Vec::<String>::new());
        // The new key alone opens nothing; with the earlier one beside it the store works before it is sealed again.
        named(folder, "two.key", "");
        let (well, said) = verify(folder);
        assert!(!well && said.contains("which is not here"), "{said}");
        named(folder, "two.key", "\"${file:one.key}\"");
        assert!(verify(folder).0);
        let said = rekey(folder);
        assert!(said.contains("values of the store were sealed"), "{said}");
        assert!(said.contains("previousKeys of [secrets] can be taken out now"), "{said}");
        assert_eq!(found(folder), Vec::<String>::new());
        named(folder, "one.key", "");
        assert!(!verify(folder).0, "the earlier key opens nothing any more");
        named(folder, "two.key", "");
        let (well, said) = verify(folder);
        assert!(well && said.contains("unbroken"), "{said}");
        assert!(!folder.join("lockstep.keys").exists(), "no key of its own was made");
    });
    let listed = office.call("resolveConflicts", json!({"dataset": "staff"})).await;
    assert_eq!(listed["total"], 1, "{listed:#}");
}
