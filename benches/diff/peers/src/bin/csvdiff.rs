//! The csv-diff crate: keyed by the first column, every difference looked at.
use csv_diff::{csv::Csv, csv_diff::CsvByteDiffLocal, diff_row::DiffByteRecord};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let open = |path: &String| std::fs::File::open(path).map(Csv::with_reader_seek);
    let found = CsvByteDiffLocal::new()?.diff(open(&paths[0])?, open(&paths[1])?)?;
    let (mut insert, mut update, mut delete) = (0, 0, 0);
    for row in found.as_slice() {
        match row {
            DiffByteRecord::Add(_) => insert += 1,
            DiffByteRecord::Modify { .. } => update += 1,
            DiffByteRecord::Delete(_) => delete += 1,
        }
    }
    println!("{update} updated, {delete} deleted, {insert} inserted");
    Ok(())
}
