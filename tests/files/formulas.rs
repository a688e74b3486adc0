//! New rows of a workbook get the formulas of the row above.

use calamine::{Reader as _, Xlsx};

use super::*;

#[tokio::test]
async fn new_rows_of_a_workbook_get_the_formulas_of_the_row_above() {
    let house = House::new().await;
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, ["sku", "qty", "price", "value", "share", "note"]).unwrap();
    for (row, (sku, qty, price)) in (1..).zip([("A", 2.0, 3.0), ("B", 4.0, 0.5)]) {
        sheet.write(row, 0, sku).unwrap().write(row, 1, qty).unwrap();
        sheet.write(row, 2, price).unwrap();
        let at = row + 1;
        sheet.write_formula(row, 3, format!("=B{at}*C{at}").as_str()).unwrap();
        let share = format!("=IF(D{at}>$B$2,\"B{at} & more\",SUM(B$2:B{at}))");
        sheet.write_formula(row, 4, share.as_str()).unwrap();
    }
    // One formula does not make a column of formulas.
    sheet.write_formula(1, 5, "=A2").unwrap();
    sheet.write(2, 5, "by hand").unwrap();
    book.save(house.folder.path().join("stock.xlsx")).unwrap();
    let csv = "sku,qty,price\nA,2,3\nB,5,0.5\nC,6,1\nD,7,2\n";
    house.write("new.csv", csv);
    let more = json!({"direction": "leftToRight"});
    let ask = sync(json!({"file": "new.csv"}), json!({"file": "stock.xlsx"}), more);
    let report = house.ok("syncDataset", ask.clone()).await;
    assert_eq!(report["counts"]["insert"], 2, "{report:#}");
    let path = house.folder.path().join("stock.xlsx");
    let mut book: Xlsx<_> = calamine::open_workbook(&path).unwrap();
    let formulas = book.worksheet_formula("Sheet1").unwrap();
    let at = |row: u32, column: u32| formulas.get_value((row, column)).cloned().unwrap_or_default();
    assert_eq!([at(3, 3), at(4, 3)], ["B4*C4", "B5*C5"]);
    assert_eq!(at(4, 4), "IF(D5>$B$2,\"B2 & more\",SUM(B$2:B5))".replace("\"B2", "\"B3"));
    assert_eq!([at(3, 5), at(4, 5)], ["", ""]);
    assert_eq!(house.ok("syncDataset", ask).await["state"], "inStep");
}
