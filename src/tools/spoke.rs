//! A spoke as an argument.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_engine::dataset::Direction;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{dataset::SideArg, sync_dataset::DeletesArg};
use crate::{
    error::{Error, Result},
    replica::Source,
    sync::definition::{Disappeared, SpokeDef},
};

/// The most spokes that a hub may have.
const MAX_SPOKES: usize = 50;

/// A spoke: a side, and how it is kept in step with the hub.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(crate) struct SpokeArg {
    own: Own,
    side: SideArg,
}

/// What a spoke says beside where it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Own {
    name: String,
    #[serde(default)]
    direction: SpokeDirection,
    columns: Option<Vec<SpokeColumn>>,
    deletes: Option<DeletesArg>,
    mark_column: Option<String>,
    mark_value: Option<String>,
}

/// Which way rows flow, as seen from the hub.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SpokeDirection {
    In,
    Out,
    #[default]
    Both,
}

/// A column that the spoke has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SpokeColumn {
    name: String,
    header: Option<String>,
}

const OWN: [&str; 6] = ["name", "direction", "columns", "deletes", "markColumn", "markValue"];

impl TryFrom<Map<String, Value>> for SpokeArg {
    type Error = serde_json::Error;

    fn try_from(map: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let (own, side): (Map<_, _>, Map<_, _>) =
            map.into_iter().partition(|(name, _)| OWN.contains(&name.as_str()));
        let (own, side) = (Value::Object(own), Value::Object(side));
        Ok(Self { own: serde_json::from_value(own)?, side: serde_json::from_value(side)? })
    }
}

impl SpokeArg {
    /// Returns the spoke as the dataset keeps it; `deletes` is what the dataset says.
    fn definition(self, deletes: &Disappeared) -> Result<SpokeDef> {
        let Own { name, direction, columns, deletes: own, mark_column, mark_value } = self.own;
        let source = self.side.source(&format!("spokes: {name}"))?;
        let direction = match direction {
            SpokeDirection::In => Direction::RightToLeft,
            SpokeDirection::Out => Direction::LeftToRight,
            SpokeDirection::Both => Direction::Both,
        };
        if direction != Direction::RightToLeft && matches!(source, Source::Records { .. }) {
            return Err(Error::invalid(format!("the spoke {name}: records can only be read"))
                .next("set its direction to \"in\", or name a place to write to"));
        }
        let deletes = match (own, &mark_column, &mark_value) {
            (None, None, None) => deletes.clone(),
            _ => own.unwrap_or_default().disappeared(mark_column, mark_value)?,
        };
        let mut mapped = BTreeMap::new();
        for column in columns.iter().flatten() {
            let header = column.header.clone().unwrap_or_else(|| column.name.clone());
            let twin = mapped.values().any(|known| *known == header);
            if mapped.insert(column.name.clone(), header).is_some() || twin {
                return Err(Error::invalid(format!(
                    "the spoke {name} maps the column \"{}\", or its header, twice",
                    column.name
                ))
                .next("map each column once"));
            }
        }
        let columns = columns.is_some().then_some(mapped);
        Ok(SpokeDef { name, source, direction, columns, deletes })
    }
}

/// Returns the spokes as the dataset keeps them.
///
/// # Errors
/// None, too many, two of one name or of one place, and what is wrong with one.
pub(super) fn definitions(
    spokes: Vec<SpokeArg>,
    hub: &Source,
    deletes: &Disappeared,
) -> Result<Vec<SpokeDef>> {
    if spokes.is_empty() || spokes.len() > MAX_SPOKES {
        return Err(Error::invalid(format!(
            "argument spokes: {} are given, 1 to {MAX_SPOKES} are possible",
            spokes.len()
        ))
        .next("give each as {name, file or spreadsheetId, direction}"));
    }
    let spokes: Vec<SpokeDef> =
        spokes.into_iter().map(|spoke| spoke.definition(deletes)).collect::<Result<_>>()?;
    let mut names = BTreeSet::from(["hub", "left", "right"]);
    let mut places = vec![place(hub)?];
    for spoke in &spokes {
        let plain = !spoke.name.trim().is_empty() && !spoke.name.contains(char::is_control);
        if !plain || !names.insert(&spoke.name) {
            return Err(Error::invalid(format!(
                "argument spokes: \"{}\" is no name for a spoke, or that of another",
                spoke.name
            ))
            .next("give each spoke a short name of its own; hub, left and right are taken"));
        }
        let here = place(&spoke.source)?;
        if places.contains(&here) {
            return Err(Error::invalid(format!(
                "argument spokes: {} is in the same place as the hub or another spoke",
                spoke.name
            ))
            .next("a replica can be one member of a dataset only"));
        }
        places.push(here);
    }
    Ok(spokes)
}

fn place(source: &Source) -> Result<Value> {
    serde_json::to_value(source)
        .map_err(|error| Error::internal("a replica has no JSON form").with_source(error))
}
