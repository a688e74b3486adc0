//! Drive v3 over HTTP. Shapes are those of google-wire 2.9 and 2.10 and of the gspread recordings.

use serde_json::{Value, json};

use crate::server::Server;

const SHEET: &str = "application/vnd.google-apps.spreadsheet";
const FOLDER: &str = "application/vnd.google-apps.folder";

fn names(list: &Value) -> Vec<&str> {
    list["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect()
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn search(server: &Server, query: &str) -> Vec<String> {
    let path = format!("/drive/v3/files?q={}&orderBy=name", encode(query));
    let list = server.get(&path).await.ok();
    names(&list).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn create_get_delete_as_recorded() {
    let server = Server::start().await;
    let made = server
        .post("/drive/v3/files?supportsAllDrives=True", json!({"name": "T", "mimeType": SHEET}))
        .await;
    let id = made.ok()["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 44);
    let expected = format!(
        "{{\n  \"kind\": \"drive#file\",\n  \"id\": \"{id}\",\n  \"name\": \"T\",\n  \"mimeType\": \"{SHEET}\"\n}}\n"
    );
    assert_eq!(made.text, expected);
    assert_eq!(made.header("content-type"), "application/json; charset=UTF-8");
    let shown = server
        .get(&format!("/drive/v3/files/{id}?supportsAllDrives=True&includeItemsFromAllDrives=True&fields=id%2Cname%2CcreatedTime%2CmodifiedTime"))
        .await
        .ok();
    assert_eq!(
        shown.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["id", "name", "createdTime", "modifiedTime"]
    );
    let time = shown["createdTime"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    let deleted = server.delete(&format!("/drive/v3/files/{id}?supportsAllDrives=True")).await;
    assert_eq!(
        (deleted.status, deleted.text.as_str(), deleted.header("content-type")),
        (204, "", "text/html")
    );
    let gone = server.get(&format!("/drive/v3/files/{id}")).await;
    assert_eq!(gone.status, 404);
    let message = format!("File not found: {id}.");
    assert_eq!(
        gone.json(),
        json!({"error": {"errors": [{"domain": "global", "reason": "notFound", "message": message,
            "locationType": "parameter", "location": "fileId"}], "code": 404, "message": message}})
    );
}

#[tokio::test]
async fn lists_search_order_and_page() {
    let server = Server::start().await;
    let folder = server.file(json!({"name": "F", "mimeType": FOLDER})).await;
    for name in ["b", "a", "it's"] {
        server.file(json!({"name": name, "mimeType": SHEET, "parents": [folder], "appProperties": {"n": name}})).await;
    }
    server.file(json!({"name": "c", "mimeType": SHEET, "starred": true})).await;
    assert_eq!(search(&server, &format!("mimeType=\"{SHEET}\"")).await, ["a", "b", "c", "it's"]);
    assert_eq!(search(&server, &format!("mimeType=\"{SHEET}\" and name = \"a\"")).await, ["a"]);
    assert_eq!(search(&server, r"name = 'it\'s'").await, ["it's"]);
    assert_eq!(
        search(&server, &format!("'{folder}' in parents and not name = 'a'")).await,
        ["b", "it's"]
    );
    assert_eq!(search(&server, "'root' in parents").await, ["c", "F"]);
    assert_eq!(search(&server, "appProperties has { key='n' and value='b' }").await, ["b"]);
    assert_eq!(search(&server, "starred = true").await, ["c"]);
    let none = server
        .get("/drive/v3/files?q=name='zzz'&fields=kind%2CnextPageToken%2Cfiles%28id%2Cname%29")
        .await;
    assert_eq!(none.ok(), json!({"kind": "drive#fileList", "files": []}));
    let bad = server.get("/drive/v3/files?q=colour%3D'red'").await;
    assert_eq!(bad.error(), (400, "Invalid Value".to_owned()));
    assert_eq!(bad.json()["error"]["errors"][0]["location"], "q");
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let list = server
            .get(&format!("/drive/v3/files?pageSize=2&orderBy=name&pageToken={token}"))
            .await
            .ok();
        seen.extend(names(&list).into_iter().map(str::to_owned));
        match list["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["a", "b", "c", "F", "it's"]);
    assert_eq!(server.get("/drive/v3/files?pageToken=bogus").await.status, 400);
    assert_eq!(server.get("/drive/v3/files?pageSize=0").await.status, 400);
    let mask = server.get("/drive/v3/files?fields=nope").await;
    assert_eq!(mask.error(), (400, "Invalid field selection nope".to_owned()));
}

#[tokio::test]
async fn updates_rename_move_trash_and_tag() {
    let server = Server::start().await;
    let first = server.file(json!({"name": "one", "mimeType": FOLDER})).await;
    let second = server.file(json!({"name": "two", "mimeType": FOLDER, "parents": [first]})).await;
    let id = server.file(json!({"name": "s", "mimeType": SHEET, "parents": [second]})).await;
    let path = format!("/drive/v3/files/{id}");
    let change = json!({"name": "renamed", "description": "d", "properties": {"a": "1", "b": "2"}});
    let answer = server
        .patch(&format!("{path}?fields=name,description,properties,version"), change)
        .await
        .ok();
    assert_eq!(answer["name"], "renamed");
    let answer = server
        .patch(&format!("{path}?fields=*"), json!({"properties": {"a": null}, "description": null}))
        .await
        .ok();
    assert_eq!(answer["properties"], json!({"b": "2"}));
    assert_eq!(answer.get("description"), None);
    assert!(answer["version"].is_string());
    let moved = server
        .patch(&format!("{path}?addParents=root&removeParents={second}&fields=parents"), json!({}))
        .await
        .ok();
    let root = server.get("/drive/v3/files/root").await.ok();
    assert_eq!(moved["parents"], json!([root["id"]]));
    assert_eq!(root["name"], "My Drive");
    let cycle =
        server.patch(&format!("/drive/v3/files/{first}?addParents={second}"), json!({})).await;
    assert_eq!(cycle.status, 403);
    let not_folder =
        server.patch(&format!("/drive/v3/files/{second}?addParents={id}"), json!({})).await;
    assert_eq!(not_folder.status, 403);
    // A folder in the trash takes what lies in it along, and gives it back.
    server.patch(&format!("{path}?addParents={second}"), json!({})).await.ok();
    server.patch(&format!("/drive/v3/files/{first}"), json!({"trashed": true})).await.ok();
    let state = server.get(&format!("{path}?fields=trashed,explicitlyTrashed")).await.ok();
    assert_eq!(state, json!({"trashed": true, "explicitlyTrashed": false}));
    assert_eq!(search(&server, "trashed = false").await, [""; 0]);
    server.patch(&format!("/drive/v3/files/{first}"), json!({"trashed": false})).await.ok();
    assert_eq!(search(&server, "trashed = false").await.len(), 3);
    server.patch(&format!("/drive/v3/files/{first}"), json!({"trashed": true})).await.ok();
    assert_eq!(server.delete("/drive/v3/files/trash").await.status, 204);
    assert_eq!(search(&server, "name != ''").await, [""; 0]);
    assert_eq!(server.get(&format!("/v4/spreadsheets/{id}")).await.status, 404);
}

#[tokio::test]
async fn content_goes_in_and_comes_out() {
    let server = Server::start().await;
    let body = "--B\r\nContent-Type: application/json\r\n\r\n{\"name\": \"x.txt\"}\r\n--B\r\nContent-Type: text/plain\r\n\r\nhéllo\r\n--B--\r\n";
    let made = server
        .send(
            "POST",
            "/upload/drive/v3/files?uploadType=multipart&fields=*",
            "multipart/related; boundary=B",
            body,
        )
        .await
        .ok();
    assert_eq!(
        (&made["name"], &made["mimeType"], &made["size"]),
        (&json!("x.txt"), &json!("text/plain"), &json!("6"))
    );
    assert_eq!(made["fileExtension"], "txt");
    let id = made["id"].as_str().unwrap();
    let media = server.get(&format!("/drive/v3/files/{id}?alt=media")).await;
    assert_eq!(
        (media.status, media.text.as_str(), media.header("content-type")),
        (200, "héllo", "text/plain")
    );
    let answer = server
        .send(
            "PATCH",
            &format!("/upload/drive/v3/files/{id}?uploadType=media"),
            "text/plain",
            "new",
        )
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(server.get(&format!("/drive/v3/files/{id}?alt=media")).await.text, "new");
    let copy = server.post(&format!("/drive/v3/files/{id}/copy"), json!({"name": null})).await.ok();
    assert_eq!(copy["name"], "Copy of x.txt");
    let path = format!("/drive/v3/files/{}?alt=media", copy["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.text, "new");
    let export = server.get(&format!("/drive/v3/files/{id}/export?mimeType=text/csv")).await;
    assert_eq!(export.error(), (403, "Export only supports Docs Editors files.".to_owned()));
    let sheet = server.file(json!({"name": "s", "mimeType": SHEET})).await;
    assert_eq!(server.get(&format!("/drive/v3/files/{sheet}?alt=media")).await.status, 403);
    let broken = server
        .send(
            "POST",
            "/upload/drive/v3/files?uploadType=multipart",
            "multipart/related; boundary=B",
            "x",
        )
        .await;
    assert_eq!(broken.status, 400);
}

#[tokio::test]
async fn csv_becomes_a_spreadsheet_and_goes_back() {
    let server = Server::start().await;
    let csv = "name,qty,when,price\r\n\"a, \"\"b\"\"\",007,2026-09-05,$1.50\nlast\n";
    let body = format!(
        "--B\r\nContent-Type: application/json\r\n\r\n{}\r\n--B\r\nContent-Type: text/csv\r\n\r\n{csv}\r\n--B--",
        json!({"name": "Stock", "mimeType": SHEET})
    );
    let made = server
        .send(
            "POST",
            "/upload/drive/v3/files?uploadType=multipart",
            "multipart/related; boundary=B",
            body,
        )
        .await
        .ok();
    let id = made["id"].as_str().unwrap().to_owned();
    let export = server.get(&format!("/drive/v3/files/{id}/export?mimeType=text%2Fcsv")).await;
    assert_eq!(
        export.text,
        "name,qty,when,price\r\n\"a, \"\"b\"\"\",7,2026-09-05,$1.50\r\nlast,,,"
    );
    assert_eq!(export.header("content-type"), "text/csv");
    assert!(export.header("content-disposition").starts_with("attachment; filename=\"Stock.csv\""));
    let tsv = server
        .get(&format!("/drive/v3/files/{id}/export?mimeType=text/tab-separated-values"))
        .await;
    assert!(tsv.text.starts_with("name\tqty\twhen\tprice\r\na, \"b\"\t7\t"));
    let pdf = server.get(&format!("/drive/v3/files/{id}/export?mimeType=application/pdf")).await;
    assert_eq!(pdf.status, 400);
    let xlsx = server
        .get(&format!("/drive/v3/files/{id}/export?mimeType=application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))
        .await;
    assert!(xlsx.text.starts_with("PK\u{3}\u{4}"));
    for part in
        ["[Content_Types].xml", "xl/workbook.xml", "<v>46270</v>", "formatCode=\"yyyy-mm-dd\""]
    {
        assert!(xlsx.text.contains(part), "{part}");
    }
    // gspread's import: Drive v2, plain media.
    let v2 = server
        .send(
            "PUT",
            &format!("/upload/drive/v2/files/{id}?uploadType=media&convert=True"),
            "text/csv",
            "p,q\n1,2",
        )
        .await
        .ok();
    assert_eq!((&v2["title"], &v2["id"]), (&json!("Stock"), &json!(id)));
    assert_eq!(
        server.get(&format!("/drive/v3/files/{id}/export?mimeType=text/csv")).await.text,
        "p,q\r\n1,2"
    );
}

#[tokio::test]
async fn permissions_are_kept() {
    let server = Server::start().await;
    let id = server.file(json!({"name": "s", "mimeType": SHEET})).await;
    let path = format!("/drive/v3/files/{id}/permissions");
    let made = server
        .post(&path, json!({"type": "user", "role": "reader", "emailAddress": "a@b.example"}))
        .await
        .ok();
    assert_eq!(
        made.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["kind", "id", "type", "role"]
    );
    let permission = format!("{path}/{}", made["id"].as_str().unwrap());
    let list = server.get(&format!("{path}?fields=permissions(role,emailAddress)")).await.ok();
    assert_eq!(list["permissions"][0]["role"], "owner");
    assert_eq!(list["permissions"][1], json!({"emailAddress": "a@b.example", "role": "reader"}));
    assert_eq!(server.patch(&permission, json!({"role": "writer"})).await.ok()["role"], "writer");
    assert_eq!(search(&server, "'a@b.example' in writers").await, ["s"]);
    let anyone = server.post(&path, json!({"type": "anyone", "role": "reader"})).await.ok();
    assert_eq!(anyone["id"], "anyoneWithLink");
    assert_eq!(server.delete(&permission).await.status, 204);
    assert_eq!(server.delete(&permission).await.status, 404);
    // A copy with its permissions makes the owner the owner again; nobody else becomes it.
    let owner = json!({"type": "user", "role": "owner", "emailAddress": "owner@lockstep.local"});
    assert_eq!(server.post(&path, owner.clone()).await.status, 403);
    let transfer = format!("{path}?transferOwnership=true");
    assert_eq!(server.post(&transfer, owner).await.ok()["role"], "owner");
    let other = json!({"type": "user", "role": "owner", "emailAddress": "a@b.example"});
    let refused = server.post(&transfer, other).await.error();
    assert!(refused.0 == 400 && refused.1.contains("not supported"), "{refused:?}");
    for bad in [
        json!({}),
        json!({"role": "king", "type": "user"}),
        json!({"role": "reader", "type": "user"}),
    ] {
        assert_eq!(server.post(&path, bad).await.status, 400);
    }
}

#[tokio::test]
async fn about_and_small_lists() {
    let server = Server::start().await;
    assert_eq!(server.get("/drive/v3/about").await.status, 400);
    let about = server.get("/drive/v3/about?fields=user,storageQuota").await.ok();
    assert_eq!(about["user"]["emailAddress"], "owner@lockstep.local");
    assert_eq!(
        server.get("/drive/v3/drives").await.ok(),
        json!({"kind": "drive#driveList", "drives": []})
    );
    assert_eq!(
        server.get("/drive/v3/files/generateIds?count=3").await.ok()["ids"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let id = server.file(json!({"name": "s", "mimeType": SHEET})).await;
    let comments = server
        .get(&format!("/drive/v3/files/{id}/comments?fields=comments%2Fcontent%2CnextPageToken"))
        .await;
    assert_eq!(comments.ok(), json!({"comments": []}));
    let honest =
        server.post(&format!("/drive/v3/files/{id}/comments"), json!({"content": "hi"})).await;
    assert_eq!(honest.status, 400);
    assert!(honest.error().1.contains("not supported by the embedded workspace"));
    assert_eq!(server.get("/drive/v3/nothing").await.status, 404);
    let nowhere = server.get("/drive/v3/files?q='nowhere'+in+parents").await;
    assert_eq!(nowhere.error(), (404, "File not found: .".to_owned()));
    assert_eq!(server.get("/drive/v3/files?q='root'+in+parents").await.status, 200);
}

#[tokio::test]
async fn changes_are_logged() {
    let server = Server::start().await;
    let start = server.get("/drive/v3/changes/startPageToken").await.ok()["startPageToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let one = server.file(json!({"name": "one", "mimeType": SHEET})).await;
    let two = server.file(json!({"name": "two"})).await;
    server.patch(&format!("/drive/v3/files/{one}"), json!({"name": "uno"})).await.ok();
    server.delete(&format!("/drive/v3/files/{two}")).await;
    let list = server.get(&format!("/drive/v3/changes?pageToken={start}")).await.ok();
    let changes: Vec<(&str, bool, Option<&str>)> = list["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            (
                c["fileId"].as_str().unwrap(),
                c["removed"].as_bool().unwrap(),
                c["file"]["name"].as_str(),
            )
        })
        .collect();
    assert_eq!(changes, [(one.as_str(), false, Some("uno")), (two.as_str(), true, None)]);
    let next = list["newStartPageToken"].as_str().unwrap();
    assert_eq!(
        server.get(&format!("/drive/v3/changes?pageToken={next}")).await.ok()["changes"],
        json!([])
    );
    let page = server.get(&format!("/drive/v3/changes?pageToken={start}&pageSize=1")).await.ok();
    assert!(page["nextPageToken"].is_string());
    assert_eq!(server.get("/drive/v3/changes").await.status, 400);
}
