//! Developer metadata.

use super::range::Span;
use crate::request::{Dimension, MetadataPlace, MetadataQuery};

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewMetadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata_id: Option<i32>,
    pub(super) metadata_key: &'a str,
    pub(super) metadata_value: &'a str,
    pub(super) location: Location,
    pub(super) visibility: &'static str,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Location {
    Spreadsheet(bool),
    SheetId(i32),
    DimensionRange(Span),
}

impl From<MetadataPlace> for Location {
    fn from(place: MetadataPlace) -> Self {
        let line = |sheet, dimension, index: u32| {
            Self::DimensionRange(Span::new(sheet, dimension, index, index.saturating_add(1)))
        };
        match place {
            MetadataPlace::Spreadsheet => Self::Spreadsheet(true),
            MetadataPlace::Sheet { sheet } => Self::SheetId(sheet),
            MetadataPlace::Row { sheet, index } => line(sheet, Dimension::Rows, index),
            MetadataPlace::Column { sheet, index } => line(sheet, Dimension::Columns, index),
        }
    }
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter<'a> {
    pub(super) developer_metadata_lookup: Lookup<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lookup<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata_location: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location_matching_strategy: Option<&'static str>,
}

impl<'a> From<&'a MetadataQuery> for Lookup<'a> {
    fn from(query: &'a MetadataQuery) -> Self {
        Self {
            metadata_id: query.id,
            metadata_key: query.key.as_deref(),
            metadata_value: query.value.as_deref(),
            metadata_location: query.place.map(Location::from),
            location_matching_strategy: query.place.map(|_| "EXACT_LOCATION"),
        }
    }
}
