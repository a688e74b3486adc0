//! Rows that are found by what is attached to them.

use super::workspace::World;
use crate::{
    CellFields, CellValue, CellWrite, DataFilter, Dimension, Input, Kind, MetadataPlace, Render,
    Request, RowWrite,
};

/// Rows are read and written through what is attached to them, wherever they are by then.
#[tokio::test]
async fn values_follow_the_metadata_of_their_row() {
    let world = World::new().await;
    let book = world.spreadsheet().await;
    let sheet = book.sheets[0].id;
    let row =
        |name: &str| vec![CellWrite::text(name), CellWrite::text("old"), CellWrite::number(1.0)];
    let table = Request::UpdateCells {
        sheet,
        row: 0,
        column: 0,
        rows: vec![row("head"), row("a"), row("b")],
        fields: CellFields::Values,
    };
    let tag = |id, index| Request::CreateMetadata {
        id: Some(id),
        key: "t".into(),
        value: String::new(),
        place: MetadataPlace::Row { sheet, index },
    };
    let requests = [table, tag(5, 1), tag(6, 2)];
    world.google.batch_update(&book.id, &requests, &[]).await.unwrap();
    let insert = |start, end| Request::InsertDimension {
        sheet,
        dimension: Dimension::Rows,
        start,
        end,
        inherit_from_before: false,
    };
    let delete = Request::DeleteDimension { sheet, dimension: Dimension::Rows, start: 4, end: 5 };
    world.google.batch_update(&book.id, &[insert(1, 3), delete], &[]).await.unwrap();
    let filters =
        [DataFilter::Metadata(5), DataFilter::Metadata(6), DataFilter::Range("Data!1:1".into())];
    let mut found =
        world.google.values_by_filter(&book.id, &filters, Render::Unformatted).await.unwrap();
    found.sort_by_key(|(_, values)| values.rows[0].len());
    let told: Vec<_> =
        found.iter().map(|(by, values)| (by[0].clone(), values.range.as_str())).collect();
    assert_eq!(
        told,
        [
            (DataFilter::Metadata(5), "Data!A4:E4"),
            (DataFilter::Range("Data!1:1".into()), "Data!A1:E1")
        ]
    );
    let write = |metadata_id, cells: Vec<Option<Input>>| RowWrite { metadata_id, cells };
    let new =
        vec![None, Some(Input::Text("=new".into())), Some(Input::Empty), Some(Input::Bool(true))];
    let rows = [write(5, new.clone()), write(6, new)];
    let written = world.google.write_rows_by_metadata(&book.id, &rows).await.unwrap();
    assert_eq!(written.len(), 1, "the row of 6 is gone: {written:?}");
    assert_eq!(written[0].0, 5);
    let after = vec![
        CellValue::Text("a".into()),
        CellValue::Text("=new".into()),
        CellValue::Empty,
        CellValue::Bool(true),
    ];
    assert_eq!(written[0].1.rows, std::slice::from_ref(&after));
    let all = world.google.values(&book.id, &["Data!A4:E4".into()], Render::Formula).await.unwrap();
    assert_eq!(all[0].rows, [after]);
    for refused in [Input::Formula("=1".into()), Input::Number(f64::NAN)] {
        let rows = [write(5, vec![Some(refused)])];
        let error = world.google.write_rows_by_metadata(&book.id, &rows).await.unwrap_err();
        assert_eq!((error.kind, error.status), (Kind::Invalid, None), "{error}");
    }
}
