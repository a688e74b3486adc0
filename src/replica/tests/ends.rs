//! What adding rows reads of a long sheet.

use lockstep_google::{CellWrite, Dimension::Rows, Request};

use super::world::World;
use crate::replica::sheet_picture::{Picture, Seen};

async fn ends(world: &World) -> Option<Picture> {
    let spreadsheet = world.google.spreadsheet(&world.id).await.unwrap();
    let sheet = spreadsheet.sheets.iter().find(|sheet| sheet.id == world.sheet).unwrap();
    Picture::read_ends(&world.google, &world.id, sheet).await.unwrap()
}

#[tokio::test]
async fn of_a_long_sheet_only_the_ends_are_read_wherever_its_data_ends() {
    for blank in [1, 250, 3_000] {
        let world = World::new(400).await;
        let length = 4_000 + blank;
        let more = Request::AppendDimension { sheet: world.sheet, dimension: Rows, length };
        world.google.batch_update(&world.id, &[more], &[]).await.unwrap();
        let last = vec![CellWrite::text("last"), CellWrite::formula("=1+1")];
        world.write(4_998, 0, vec![vec![CellWrite::text("one")], vec![], last]).await;
        let seen = ends(&world).await.unwrap();
        assert_eq!(seen.height(), 5_001, "{blank} blank rows");
        assert_eq!(seen.cell(0, 0), Seen::after(&CellWrite::text("id")));
        assert_eq!(seen.cell(5_000, 0), Seen::after(&CellWrite::text("last")));
        assert_eq!(seen.cell(4_998, 0), Seen::after(&CellWrite::text("one")));
        assert_eq!(seen.cell(5_000, 1).formula(), Some("=1+1"));
        assert!(seen.row(300).is_empty(), "row 301 was read: {:?}", seen.row(300));
    }
}

#[tokio::test]
async fn a_short_sheet_is_left_to_a_read_of_the_whole() {
    assert!(ends(&World::new(20).await).await.is_none());
}
