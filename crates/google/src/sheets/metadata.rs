//! Developer metadata: marks that live in a spreadsheet.

use google_sheets4::api;

use crate::retry::{Call, Effect};
use crate::sheets::spreadsheet::count;
use crate::{Error, Google, MetadataPlace, MetadataQuery, Result};

/// A POST, but one that only reads.
const SEARCH: Call = Call::sheets("sheets.spreadsheets.developerMetadata.search", Effect::Read);

/// A piece of metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Its id, unique in the spreadsheet.
    pub id: i32,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// What it is attached to.
    pub place: MetadataPlace,
}

impl Google {
    /// Returns the metadata with an id, or `None` if the spreadsheet has none.
    pub async fn metadata(&self, id: &str, metadata_id: i32) -> Result<Option<Metadata>> {
        let query = MetadataQuery { id: Some(metadata_id), ..MetadataQuery::default() };
        let found = self.search_metadata(id, &query).await?;
        Ok(found.into_iter().find(|found| found.id == metadata_id))
    }

    /// Returns all metadata of a spreadsheet that match, those of its sheets, rows and columns too.
    ///
    /// By search and not by get: its 404 for missing metadata cannot be told from the one for a
    /// missing spreadsheet.
    pub async fn search_metadata(&self, id: &str, query: &MetadataQuery) -> Result<Vec<Metadata>> {
        self.may(SEARCH.operation, id).await?;
        if *query == MetadataQuery::default() {
            return Err(Error::invalid(SEARCH.operation, "the metadata query is empty"));
        }
        let request = api::SearchDeveloperMetadataRequest {
            data_filters: Some(vec![api::DataFilter {
                developer_metadata_lookup: Some(api::DeveloperMetadataLookup {
                    metadata_id: query.id,
                    metadata_key: query.key.clone(),
                    metadata_value: query.value.clone(),
                    metadata_location: query.place.map(location),
                    location_matching_strategy: query.place.map(|_| "EXACT_LOCATION".to_owned()),
                    ..api::DeveloperMetadataLookup::default()
                }),
                ..api::DataFilter::default()
            }]),
        };
        let request = &request;
        let found = self
            .run(SEARCH, |mut witness| async move {
                let methods = self.shared.sheets.spreadsheets();
                scoped!(methods.developer_metadata_search(request.clone(), id))
                    .delegate(&mut witness)
                    .doit()
                    .await
            })
            .await?;
        Ok(found
            .1
            .matched_developer_metadata
            .into_iter()
            .flatten()
            .filter_map(|matched| matched.developer_metadata)
            .map(Metadata::from)
            .collect())
    }
}

impl From<api::DeveloperMetadata> for Metadata {
    fn from(found: api::DeveloperMetadata) -> Self {
        Self {
            id: found.metadata_id.unwrap_or(0),
            key: found.metadata_key.unwrap_or_default(),
            value: found.metadata_value.unwrap_or_default(),
            place: found.location.map_or(MetadataPlace::Spreadsheet, place),
        }
    }
}

fn location(place: MetadataPlace) -> api::DeveloperMetadataLocation {
    let line = |sheet: i32, dimension: &str, index: u32| api::DimensionRange {
        sheet_id: Some(sheet),
        dimension: Some(dimension.to_owned()),
        start_index: i32::try_from(index).ok(),
        end_index: i32::try_from(index.saturating_add(1)).ok(),
    };
    let mut location = api::DeveloperMetadataLocation::default();
    match place {
        MetadataPlace::Spreadsheet => location.spreadsheet = Some(true),
        MetadataPlace::Sheet { sheet } => location.sheet_id = Some(sheet),
        MetadataPlace::Row { sheet, index } => {
            location.dimension_range = Some(line(sheet, "ROWS", index));
        }
        MetadataPlace::Column { sheet, index } => {
            location.dimension_range = Some(line(sheet, "COLUMNS", index));
        }
    }
    location
}

fn place(location: api::DeveloperMetadataLocation) -> MetadataPlace {
    if location.spreadsheet == Some(true) {
        return MetadataPlace::Spreadsheet;
    }
    let Some(range) = location.dimension_range else {
        // Sheet id 0 may be left out on the wire.
        return MetadataPlace::Sheet { sheet: location.sheet_id.unwrap_or(0) };
    };
    let (sheet, index) = (range.sheet_id.unwrap_or(0), count(range.start_index));
    match range.dimension.as_deref() {
        Some("COLUMNS") => MetadataPlace::Column { sheet, index },
        _ => MetadataPlace::Row { sheet, index },
    }
}
