//! Files of every format as sides of a sync, through the tool.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
    path::Path,
    time::Duration,
};

use lockstep::replica::{connections::ConnectionConfig, file::folder::FolderConfig};
use rust_xlsxwriter::{Format, Workbook};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    harness::House,
    support::{bounded, programs, script},
};

mod for_people;
mod formulas;
mod people;

/// Returns a sync between two files, by `sku`.
fn sync(left: Value, right: Value, more: Value) -> Value {
    let mut arguments = json!({
        "name": "files", "left": left, "right": right, "key": ["sku"], "mode": "apply",
        "deletes": "ignore", "direction": "both",
    });
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    arguments
}

fn read(house: &House, name: &str) -> String {
    std::fs::read_to_string(house.folder.path().join(name)).unwrap()
}

#[tokio::test]
async fn every_format_keeps_in_step_with_every_other_both_ways() {
    let house = House::new().await;
    let files = ["a.csv", "a.tsv", "a.json", "a.jsonl", "a.xlsx", "a.parquet"];
    house.write("a.csv", "sku;name;qty;day\nA;\"Apple; red\";1,5;2024-01-15\nB;Beet;20;\n");
    for (from, to) in files.iter().zip(files.iter().skip(1)) {
        let more = json!({ "name": format!("{from} to {to}") });
        let report =
            house.ok("syncDataset", sync(json!({"file": from}), json!({"file": to}), more)).await;
        assert_eq!(report["state"], "applied", "{from} {to}: {report:#}");
    }
    assert_eq!(
        read(&house, "a.tsv"),
        "sku\tname\tqty\tday\nA\tApple; red\t1,5\t2024-01-15\nB\tBeet\t20\t\n"
    );
    assert_eq!(
        read(&house, "a.jsonl"),
        "{\"sku\":\"A\",\"name\":\"Apple; red\",\"qty\":\"1,5\",\"day\":\"2024-01-15\"}\n{\"sku\":\"B\",\"name\":\"Beet\",\"qty\":\"20\"}\n"
    );
    // An edit at the end of the chain comes back to its beginning, and changes nothing else there.
    let lines = read(&house, "a.csv");
    let edited = sync(
        json!({"records": [{"sku": "B", "name": "Beetroot"}]}),
        json!({"file": "a.parquet"}),
        json!({"name": "edit", "direction": "leftToRight", "columns": [{"name": "sku"}, {"name": "name"}]}),
    );
    let report = house.ok("syncDataset", edited).await;
    assert_eq!(report["counts"]["update"], 1, "{report:#}");
    for (from, to) in files.iter().zip(files.iter().skip(1)).rev() {
        let more = json!({ "name": format!("{from} to {to}") });
        let report =
            house.ok("syncDataset", sync(json!({"file": from}), json!({"file": to}), more)).await;
        assert_eq!(report["state"], "applied", "{from} {to}: {report:#}");
    }
    assert_eq!(read(&house, "a.csv"), lines.replace("Beet;", "Beetroot;"));
    for (from, to) in files.iter().zip(files.iter().skip(1)) {
        let more = json!({ "name": format!("{from} to {to}") });
        let report =
            house.ok("syncDataset", sync(json!({"file": from}), json!({"file": to}), more)).await;
        assert_eq!(report["state"], "inStep", "{from} {to}: {report:#}");
    }
}

#[tokio::test]
async fn a_folder_of_the_operator_is_reached_by_its_name_alone() {
    let (finance, archive) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::fs::write(
        archive.path().join("old.json"),
        "{\"rows\": [{\"sku\": \"A\", \"qty\": 1}], \"more\": [{}]}",
    )
    .unwrap();
    let folder = |at: &TempDir, writable| {
        ConnectionConfig::Folder(FolderConfig { path: at.path().to_owned(), writable })
    };
    let house = House::with(|config| {
        config.connections.insert("finance".into(), folder(&finance, true));
        config.connections.insert("archive".into(), folder(&archive, false));
        let gone = FolderConfig { path: "/nonexistent".into(), writable: true };
        config.connections.insert("gone".into(), ConnectionConfig::Folder(gone));
    })
    .await;
    let old = json!({"connection": "archive", "file": "old.json", "pointer": "/rows"});
    let book = json!({"connection": "finance", "file": "book.xlsx", "sheet": "Stock"});
    let one_way = json!({"direction": "leftToRight"});
    let report = house.ok("syncDataset", sync(old.clone(), book.clone(), one_way.clone())).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert!(finance.path().join("book.xlsx").exists());
    let again = house.ok("syncDataset", sync(old.clone(), book.clone(), one_way)).await;
    assert_eq!(again["state"], "inStep", "{again:#}");
    let arguments =
        |left: Value, right: Value| sync(left, right, json!({"direction": "leftToRight"}));
    for (arguments, said) in [
        (arguments(book.clone(), old.clone()), "writable = true under [connections.archive]"),
        (
            arguments(json!({"connection": "finanse", "file": "x.csv"}), book.clone()),
            "Did you mean \"finance\"?",
        ),
        (
            arguments(json!({"connection": "gone", "file": "x.csv"}), book.clone()),
            "connections.gone",
        ),
        (
            arguments(json!({"connection": "finance", "file": "../x.csv"}), book.clone()),
            "outside the folder",
        ),
        (arguments(json!({"connection": "finance", "table": "x"}), book.clone()), "is a folder"),
        (
            arguments(
                json!({"connection": "finance", "file": "x.csv", "table": "x"}),
                book.clone(),
            ),
            "connection of a database",
        ),
        (
            arguments(json!({"connection": "archive", "file": "old.json"}), book.clone()),
            "2 arrays: \"rows\", \"more\"",
        ),
        (
            arguments(json!({"connection": "finance", "file": "book.xlsx", "sheet": "Stok"}), old),
            "Did you mean \"Stock\"?",
        ),
    ] {
        let error = house.err("syncDataset", arguments).await;
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[tokio::test]
async fn arguments_and_files_that_do_not_fit_are_refused_with_the_side() {
    let house = House::new().await;
    house.write("good.csv", "sku,qty\nA,1\n");
    house.write("dup.jsonl", "{\"sku\":\"A\"}\n{\"sku\":\"B\",\"sku\":\"C\"}\n");
    house.write("short.csv", "sku,qty\nA\nB,1,2\n");
    house.write("blank.csv", "sku,,qty\nA,1,2\n");
    house.write("twice.csv", "sku,qty,qty\nA,1,2\n");
    house.write("latin.csv", b"sku,name\nA,caf\xe9\n");
    house.write("broken.xlsx", b"PK\x03\x04 and no more");
    house.write("empty.parquet", b"PAR1");
    std::fs::create_dir(house.folder.path().join("folder.csv")).unwrap();
    let good = json!({"file": "good.csv"});
    for (left, said) in [
        (json!({"file": "dup.jsonl"}), "line 2 has two members \"sku\""),
        (json!({"file": "short.csv"}), "line 2 has 1, line 3 has 3"),
        (json!({"file": "blank.csv"}), "column 2 has no name"),
        (json!({"file": "twice.csv"}), "columns 2, 3 are all named 'qty'"),
        (json!({"file": "latin.csv"}), "encoding"),
        (json!({"file": "latin.csv", "encoding": "latin1"}), "can be read, not written"),
        (json!({"file": "broken.xlsx"}), "no whole workbook"),
        (json!({"file": "empty.parquet"}), "damaged"),
        (json!({"file": "folder.csv"}), "is a folder"),
        (json!({"file": "good.csv", "format": "xml"}), "the formats are csv"),
        (json!({"file": "good.csv", "sheet": "x"}), "XLSX"),
        (json!({"file": "good.csv", "pointer": "/x"}), "JSON"),
        (json!({"records": [], "format": "csv"}), "go with file"),
    ] {
        let error = house.err("syncDataset", sync(left.clone(), good.clone(), json!({}))).await;
        assert!(error.contains(said) && error.contains("left"), "{left}: {error}");
    }
    // A file of another encoding is read.
    let latin = sync(
        json!({"file": "latin.csv", "encoding": "latin1"}),
        json!({"file": "new.json"}),
        json!({"direction": "leftToRight"}),
    );
    house.ok("syncDataset", latin).await;
    assert!(read(&house, "new.json").contains("café"));
}

#[tokio::test]
async fn a_file_that_changed_after_the_plan_is_not_written() {
    for name in ["t.json", "t.xlsx", "t.parquet"] {
        let house = House::new().await;
        house.write("s.csv", "sku,qty\nA,1\nB,2\n");
        let arguments = |more| sync(json!({"file": "s.csv"}), json!({"file": name}), more);
        house.ok("syncDataset", arguments(json!({}))).await;
        house.write("s.csv", "sku,qty\nA,1\nB,3\n");
        let plan = house.ok("syncDataset", arguments(json!({"mode": "plan"}))).await;
        // Somebody else adds a row meanwhile.
        let theirs = sync(
            json!({"records": [{"sku": "C", "qty": 9}]}),
            json!({"file": name}),
            json!({"name": "theirs", "direction": "leftToRight"}),
        );
        house.ok("syncDataset", theirs).await;
        let there = std::fs::read(house.folder.path().join(name)).unwrap();
        let error = house.err("syncDataset", arguments(json!({"planId": plan["planId"]}))).await;
        assert!(error.starts_with("stalePlan"), "{name}: {error}");
        assert_eq!(std::fs::read(house.folder.path().join(name)).unwrap(), there);
        let report = house.ok("syncDataset", arguments(json!({}))).await;
        assert_eq!(report["counts"]["left"], 1, "{name}: {report:#}");
        assert!(read(&house, "s.csv").contains("C,9"), "{name}");
    }
}

/// A workbook of finance, a sheet of the workspace: both ways, with what a person put around the table.
#[tokio::test]
async fn a_workbook_and_a_sheet_keep_in_step_both_ways() {
    let house = House::new().await;
    let mut book = Workbook::new();
    let day = Format::new().set_num_format("dd.mm.yyyy").set_bold();
    let sheet = book.add_worksheet().set_name("Budget").unwrap();
    sheet.write_string(0, 0, "Budget of the year").unwrap();
    sheet.write_row(3, 1, ["sku", "sum", "due", "double"]).unwrap();
    for (row, (sku, sum)) in [("A", 1.5), ("B", 2.25)].into_iter().enumerate() {
        let row = u32::try_from(row).unwrap() + 4;
        sheet.write_string(row, 1, sku).unwrap();
        sheet.write_number(row, 2, sum).unwrap();
        sheet.write_number_with_format(row, 3, 45_306 + row, &day).unwrap();
        sheet.write_formula(row, 4, format!("=C{}*2", row + 1).as_str()).unwrap();
    }
    book.add_worksheet().set_name("Notes").unwrap().write_string(0, 0, "keep me").unwrap();
    book.save(house.folder.path().join("book.xlsx")).unwrap();
    let made = house
        .ok("createFile", json!({"type": "spreadsheet", "name": "S", "sheets": [{"title": "S"}]}))
        .await;
    let left = json!({"file": "book.xlsx", "sheet": "Budget", "headerRow": 4});
    let right = json!({"spreadsheetId": made["id"], "sheet": "S"});
    let columns = json!({"columns": [{"name": "sku"}, {"name": "sum"}, {"name": "due"}]});
    let report = house.ok("syncDataset", sync(left.clone(), right.clone(), columns.clone())).await;
    assert_eq!(report["state"], "applied", "{report:#}");
    let cells =
        json!({"spreadsheetId": made["id"], "sheet": "S", "range": "B2", "values": [[9.75]]});
    house.ok("updateCells", cells).await;
    let rows = json!({"spreadsheetId": made["id"], "sheet": "S", "rows": [["C", 3, "2024-02-29"]]});
    house.ok("appendRows", rows).await;
    let report = house.ok("syncDataset", sync(left.clone(), right.clone(), columns.clone())).await;
    assert_eq!(report["counts"]["left"], 2, "{report:#}");
    use calamine::Reader as _;
    let mut book: calamine::Xlsx<_> =
        calamine::open_workbook(house.folder.path().join("book.xlsx")).unwrap();
    let range = book.worksheet_range("Budget").unwrap();
    let cell = |row, column| range.get_value((row, column)).unwrap().to_string();
    assert_eq!((cell(4, 2), cell(6, 1), cell(6, 2)), ("9.75".into(), "C".into(), "3".into()));
    assert!(
        matches!(range.get_value((6, 3)), Some(calamine::Data::DateTime(day)) if day.as_f64() == 45_351.0)
    );
    let again = house.ok("syncDataset", sync(left, right, columns)).await;
    assert_eq!(again["state"], "inStep", "{again:#}");
}

/// Returns the parts of a zip.
fn parts(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(Cursor::new(std::fs::read(path).unwrap())).unwrap();
    let count = zip.len();
    let read = |index| {
        let mut entry = zip.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.name().unwrap().into_owned(), content)
    };
    (0..count).map(read).collect()
}
