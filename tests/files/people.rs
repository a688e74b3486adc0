//! A workbook made by openpyxl, with what people put into workbooks, read back by openpyxl.

use super::*;

/// Runs the script; `None` to skip, where openpyxl is not installed yet.
fn openpyxl(arguments: &[&str]) -> Option<String> {
    let mut command = programs::python("workbook_openpyxl.py")?;
    command.args(arguments);
    let done = bounded::finish(command, Duration::from_secs(60));
    if done.status.code() == Some(3) {
        let missing = "openpyxl is not installed; `tests/run` installs it";
        assert!(std::env::var_os("LOCKSTEP_REQUIRE_ALL").is_none(), "{missing}");
        println!("skipped: {missing}");
        return None;
    }
    assert!(done.status.success(), "{}\n{}", done.stdout, done.stderr);
    Some(done.stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_put_into_a_workbook_stays() {
    assert!(Path::new(&script("workbook_openpyxl.py")).exists());
    let house = House::new().await;
    let path = house.folder.path().join("people.xlsx");
    let before = house.folder.path().join("before.xlsx");
    if openpyxl(&["make", path.to_str().unwrap()]).is_none() {
        return;
    }
    std::fs::copy(&path, &before).unwrap();
    let side = json!({"file": "people.xlsx", "sheet": "Stock & more", "headerRow": 3});
    house.write(
        "new.csv",
        "sku,name,qty,price,since\nA,Apple,11,1.25,2024-01-04\nB,Beet & \"root\",20,2.5,2024-02-29\nC,Corn,30,3.75,2024-01-06\nD,,40,0.1,2024-01-07\nE,Egg,50,0.2,2024-03-01\n",
    );
    let arguments = sync(json!({"file": "new.csv"}), side, json!({"direction": "leftToRight"}));
    let report = house.ok("syncDataset", arguments.clone()).await;
    assert_eq!(
        (&report["counts"]["update"], &report["counts"]["insert"]),
        (&json!(3), &json!(1)),
        "{report:#}"
    );
    let changed = json!({
        "Stock & more!C4": 11, "Stock & more!B5": "Beet & \"root\"", "Stock & more!E5": "2024-02-29",
        "Stock & more!B7": null, "Stock & more!A8": "E", "Stock & more!B8": "Egg", "Stock & more!C8": 50,
        "Stock & more!D8": 0.2, "Stock & more!E8": "2024-03-01", "Stock & more!F8": "=C8*D8",
    });
    let compared = openpyxl(&[
        "compare",
        before.to_str().unwrap(),
        path.to_str().unwrap(),
        &changed.to_string(),
    ]);
    assert!(compared.unwrap().contains("cells are as they were to be"));
    let (old, new) = (parts(&before), parts(&path));
    assert_eq!(old.keys().collect::<Vec<_>>(), new.keys().collect::<Vec<_>>());
    let differ: Vec<&String> = old.keys().filter(|name| old[*name] != new[*name]).collect();
    assert_eq!(differ, ["xl/workbook.xml", "xl/worksheets/sheet1.xml"]);
    // The workbook says only that its formulas are to be computed anew.
    let text = |parts: &BTreeMap<String, Vec<u8>>| {
        String::from_utf8(parts["xl/workbook.xml"].clone()).unwrap()
    };
    let (old, new) = (text(&old), text(&new));
    let rest = |text: &str| text.split("<calcPr").next().unwrap().to_owned();
    assert_eq!(rest(&old), rest(&new));
    assert!(new.contains("fullCalcOnLoad=\"1\""), "{new}");
    let again = house.ok("syncDataset", arguments.clone()).await;
    assert_eq!(again["state"], "inStep", "{again:#}");
    // Rows below a deleted one would move away from the charts, rules and formulas that refer to them.
    house.write("new.csv", "sku,name,qty,price,since\nA,Apple,11,1.25,2024-01-04\n");
    let mut deleting = arguments;
    deleting["deletes"] = json!("delete");
    deleting["maxDeletePercent"] = json!(100);
    let there = std::fs::read(&path).unwrap();
    let error = house.err("syncDataset", deleting).await;
    assert!(error.contains("formulas") && error.contains("mark"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), there);
}
