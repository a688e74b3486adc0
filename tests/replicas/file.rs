//! A CSV file as a replica.

use std::path::PathBuf;

use lockstep::config::Config;
use serde_json::{Value as Json, json};

use super::kind::{Abilities, Doing, Replica, Table, csv};
use crate::harness::House;

pub(super) struct File;

const NAME: &str = "mine.csv";

fn path(house: &House) -> PathBuf {
    house.folder.path().join(NAME)
}

/// Reads a CSV file of the suite by its header.
pub(super) fn read_csv(path: &std::path::Path, like: &Table) -> Table {
    let mut reader = ::csv::Reader::from_path(path).unwrap();
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|header| header == name);
    let row = |record: ::csv::StringRecord| {
        let cell = |(name, _): &(&str, _)| {
            let text = at(name).and_then(|at| record.get(at)).unwrap_or_default();
            (!text.is_empty()).then(|| text.to_owned())
        };
        like.columns.iter().map(cell).collect()
    };
    let rows = reader.records().map(|record| row(record.unwrap())).collect();
    Table { rows, ..like.clone() }
}

fn edit(house: &House, change: impl Fn(&[String], &mut Vec<String>) -> bool) {
    let mut reader = ::csv::Reader::from_path(path(house)).unwrap();
    let headers: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(&headers).unwrap();
    for record in reader.records() {
        let mut row: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
        if change(&headers, &mut row) {
            writer.write_record(&row).unwrap();
        }
    }
    std::fs::write(path(house), writer.into_inner().unwrap()).unwrap();
}

impl Replica for File {
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    fn configure(&self, _config: &mut Config, _writable: bool) {}

    fn fill<'a>(&'a self, house: &'a House, table: &'a Table) -> Doing<'a, ()> {
        Box::pin(async move { std::fs::write(path(house), csv(table)).unwrap() })
    }

    fn side(&self) -> Json {
        json!({"file": NAME})
    }

    fn read<'a>(&'a self, house: &'a House, like: &'a Table) -> Doing<'a, Table> {
        Box::pin(async move { read_csv(&path(house), like) })
    }

    fn set<'a>(
        &'a self,
        house: &'a House,
        key: &'a str,
        column: &'a str,
        value: &'a str,
    ) -> Doing<'a, ()> {
        Box::pin(async move {
            edit(house, |headers, row| {
                if row[0] == key {
                    let at = headers.iter().position(|header| header == column).unwrap();
                    row[at] = value.to_owned();
                }
                true
            });
        })
    }

    fn remove<'a>(&'a self, house: &'a House, key: &'a str) -> Doing<'a, ()> {
        Box::pin(async move { edit(house, |_, row| row[0] != key) })
    }
}
