//! CSV that people open: no cell is a formula to their program, and what goes there and back is the same.

use super::*;

const TRICKS: [&str; 8] =
    ["=1+1", "+SUM(A1)", "-2+3", "@cmd", "\t=1", "'=1", "=HYPERLINK(\"http://x\",\"y\")", "＝1"];

fn sync(format: &str, mode: &str) -> Value {
    json!({"name": "tricks", "left": {"file": "in.csv"}, "right": {"file": "out.csv", "format": format}, "key": ["id"],
        "direction": "both", "mode": mode, "maxChangePercent": 100})
}

/// Writes a CSV exactly.
fn exact(cells: &[[&str; 3]]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    cells.iter().for_each(|row| writer.write_record(row).unwrap());
    writer.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_for_people_has_no_formula_and_comes_back_the_same() {
    let house = House::new().await;
    let ids: Vec<String> = (1..=TRICKS.len()).map(|id| id.to_string()).collect();
    let mut rows = vec![["id", "text", "sum"]];
    rows.extend(ids.iter().zip(TRICKS).map(|(id, text)| [id.as_str(), text, "-5"]));
    house.write("in.csv", exact(&rows));
    assert_eq!(house.ok("syncDataset", sync("csvForPeople", "apply")).await["state"], "applied");
    let out = || std::fs::read_to_string(house.folder.path().join("out.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(out().into_bytes().leak() as &[u8]);
    for (record, text) in reader.records().zip(TRICKS) {
        let record = record.unwrap();
        assert_eq!(&record[1], format!("'{text}"));
        assert_eq!(&record[2], "-5", "a number stays one");
    }
    let again = house.ok("syncDataset", sync("csvForPeople", "apply")).await;
    assert_eq!((&again["state"], &again["conflicts"]), (&json!("inStep"), &Value::Null), "{again}");
    // A person changes one cell there, and types a formula of their own.
    house.write(
        "out.csv",
        out().replace("1,'=1+1,-5", "1,'=1+1,-6").replace("2,'+SUM(A1)", "2,=A9"),
    );
    let back = house.ok("syncDataset", sync("csvForPeople", "apply")).await;
    assert_eq!((&back["state"], &back["conflicts"]), (&json!("applied"), &Value::Null), "{back}");
    let input = std::fs::read_to_string(house.folder.path().join("in.csv")).unwrap();
    assert!(input.contains("1,=1+1,-6") && input.contains("2,=A9,-5"), "{input}");
    // The next write there makes that one harmless too, and nothing is seen as a change by that.
    house.write("in.csv", input.replace("3,-2+3,-5", "3,-2+3,-7"));
    assert_eq!(house.ok("syncDataset", sync("csvForPeople", "apply")).await["counts"]["update"], 1);
    assert!(out().contains("2,'=A9,-5") && out().contains("3,'-2+3,-7"), "{}", out());
    assert_eq!(house.ok("syncDataset", sync("csvForPeople", "apply")).await["state"], "inStep");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_file_keeps_every_byte() {
    let house = House::new().await;
    house.write("in.csv", exact(&[["id", "text", "sum"], ["1", "=1+1", "@x"]]));
    house.ok("syncDataset", sync("csv", "apply")).await;
    let out = std::fs::read_to_string(house.folder.path().join("out.csv")).unwrap();
    assert!(out.contains("1,=1+1,@x"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_for_people_where_they_are_asked_so() {
    let house = House::new().await;
    house.write("in.csv", exact(&[["id", "text", "sum"], ["1", "=1+1", "-5"]]));
    let plan = house.ok("syncDataset", sync("csv", "plan")).await;
    let uri = format!("lockstep://plans/{}.csv", plan["planId"].as_str().unwrap());
    assert!(house.resource(&uri).await[0].contains(",=1+1\n"));
    assert!(house.resource(&format!("{uri}?forPeople")).await[0].contains(",'=1+1\n"));
    let values = json!([["=1+1", "@x", -5]]);
    let new =
        json!({"type": "spreadsheet", "name": "S", "sheets": [{"title": "S", "values": values}]});
    let made = house.ok("createFile", new).await;
    let uri = format!("sheet://{}/S", made["id"].as_str().unwrap());
    assert_eq!(house.resource(&uri).await[0], "=1+1,@x,-5\n");
    assert_eq!(house.resource(&format!("{uri}?forPeople")).await[0], "'=1+1,'@x,-5\n");
}
