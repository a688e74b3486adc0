//! How positions follow when rows or columns are inserted, deleted or moved.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Says whether rows or columns are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Rows.
    Rows,
    /// Columns.
    Columns,
}

/// Is one change of positions along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remap {
    /// `count` new ones before `at`.
    Insert {
        /// The first new position.
        at: u32,
        /// How many.
        count: u32,
    },
    /// `start..end` are gone.
    Delete {
        /// The first that goes.
        start: u32,
        /// One past the last that goes.
        end: u32,
    },
    /// `start..end` stand before `to`, which is counted before they are taken out.
    Move {
        /// The first that moves.
        start: u32,
        /// One past the last that moves.
        end: u32,
        /// The place they move to.
        to: u32,
    },
}

/// Is a change of positions along an axis: of a whole sheet, or of the cells of a few lanes only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) axis: Axis,
    pub(crate) remap: Remap,
    /// The lanes of the other axis that move: start and one past the end; `None` is all.
    pub(crate) lanes: Option<(u32, u32)>,
}

impl Shift {
    /// Returns the change of a whole sheet.
    pub(crate) const fn whole(axis: Axis, remap: Remap) -> Self {
        Self { axis, remap, lanes: None }
    }

    /// Returns whether something that reaches over lanes of the other axis moves: only what lies in
    /// the moving ones entirely. `None` is an open end.
    pub(crate) fn takes(self, start: u32, end: Option<u32>) -> bool {
        self.lanes.is_none_or(|(from, to)| from <= start && end.is_some_and(|end| end <= to))
    }
}

impl Axis {
    /// Returns the axis of an API `Dimension`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "ROWS" => Some(Self::Rows),
            "COLUMNS" => Some(Self::Columns),
            _ => None,
        }
    }

    fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Rows => ("startRowIndex", "endRowIndex"),
            Self::Columns => ("startColumnIndex", "endColumnIndex"),
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Rows => Self::Columns,
            Self::Columns => Self::Rows,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rows => "ROWS",
            Self::Columns => "COLUMNS",
        }
    }
}

impl Remap {
    /// Returns where one position went; `None` when it is gone.
    pub(crate) fn point(self, position: u32) -> Option<u32> {
        match self {
            Self::Insert { at, count } => {
                Some(if position >= at { position + count } else { position })
            }
            Self::Delete { start, end } if position >= end => Some(position - (end - start)),
            Self::Delete { start, .. } if position >= start => None,
            Self::Delete { .. } => Some(position),
            Self::Move { start, end, to } => {
                let length = end - start;
                Some(if (start..end).contains(&position) {
                    if to > start { position + (to - end.min(to)) } else { position - (start - to) }
                } else if to > end && (end..to).contains(&position) {
                    position - length
                } else if to < start && (to..start).contains(&position) {
                    position + length
                } else {
                    position
                })
            }
        }
    }

    /// Returns where a half-open span went; `None` when all of it is gone.
    ///
    /// New positions inside a span widen it, at its start they push it. A span follows a move only
    /// when all of it moves.
    pub(crate) fn span(self, start: u32, end: u32) -> Option<(u32, u32)> {
        match self {
            Self::Insert { at, count } => {
                let shift = |edge: u32, grows: bool| if grows { edge + count } else { edge };
                Some((shift(start, at <= start), shift(end, at < end)))
            }
            Self::Delete { start: from, end: to } => {
                let cut = |edge: u32| {
                    if edge <= from { edge } else { edge.max(to) - (to - from) }
                };
                let (start, end) = (cut(start), cut(end));
                (start < end).then_some((start, end))
            }
            Self::Move { .. } => {
                let moved = self.point(start)?;
                let last = self.point(end.checked_sub(1)?)?;
                let together = last >= moved && last - moved == end - 1 - start;
                Some(if together { (moved, last + 1) } else { (start, end) })
            }
        }
    }

    /// Moves the keys of a sparse map.
    pub(crate) fn map<T>(self, map: &mut BTreeMap<u32, T>) {
        if !map.is_empty() {
            *map = std::mem::take(map)
                .into_iter()
                .filter_map(|(position, value)| Some((self.point(position)?, value)))
                .collect();
        }
    }
}

/// Lets every range on a sheet inside a JSON object follow; `false` when a range in it is gone.
///
/// A range is any object with GridRange or DimensionRange fields; an absent `sheetId` is 0.
pub(crate) fn remap_ranges(value: &mut Value, sheet: i32, shift: Shift) -> bool {
    match value {
        Value::Array(items) => {
            let before = items.len();
            items.retain_mut(|item| remap_ranges(item, sheet, shift));
            before == 0 || !items.is_empty()
        }
        Value::Object(map) => {
            if is_range(map) {
                return on_sheet(map, sheet).is_none_or(|()| remap_range(map, shift));
            }
            let mut whole = true;
            for (name, inner) in map.iter_mut() {
                let kept = remap_ranges(inner, sheet, shift);
                // Only its own place decides whether an object goes, not one it refers to.
                whole &= kept || !(name == "range" || name == "ranges");
            }
            whole
        }
        _ => true,
    }
}

fn is_range(map: &Map<String, Value>) -> bool {
    map.keys().any(|key| {
        matches!(
            key.as_str(),
            "startRowIndex" | "endRowIndex" | "startColumnIndex" | "endColumnIndex"
        )
    }) || (map.contains_key("dimension") && map.contains_key("startIndex"))
}

fn on_sheet(map: &Map<String, Value>, sheet: i32) -> Option<()> {
    let id = map.get("sheetId").and_then(Value::as_i64).unwrap_or(0);
    (id == i64::from(sheet)).then_some(())
}

fn remap_range(map: &mut Map<String, Value>, shift: Shift) -> bool {
    let Shift { axis, remap, .. } = shift;
    let number =
        |key: &str| map.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let (start_key, end_key) = if map.contains_key("dimension") {
        // Whole rows or columns do not follow a shift of cells.
        if map.get("dimension").and_then(Value::as_str) != Some(axis.name())
            || shift.lanes.is_some()
        {
            return true;
        }
        ("startIndex", "endIndex")
    } else {
        let (start, end) = axis.other().keys();
        if !shift.takes(number(start).unwrap_or(0), number(end)) {
            return true;
        }
        axis.keys()
    };
    let (start, end) = (number(start_key), number(end_key));
    match (start, end) {
        // An open range reaches to the edge whatever happens.
        (None, None) => true,
        (start, Some(end)) => match remap.span(start.unwrap_or(0), end) {
            Some((from, to)) => {
                if start.is_some() {
                    map.insert(start_key.to_owned(), from.into());
                }
                map.insert(end_key.to_owned(), to.into());
                true
            }
            None => false,
        },
        (Some(start), None) => {
            let from = remap.span(start, u32::MAX / 2).map_or(start, |(from, _)| from);
            map.insert(start_key.to_owned(), from.into());
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn apply(list: &[u32], remap: Remap) -> Vec<Option<u32>> {
        let mut cells: Vec<Option<u32>> = list.iter().copied().map(Some).collect();
        match remap {
            Remap::Insert { at, count } => {
                cells.splice(at as usize..at as usize, vec![None; count as usize]);
            }
            Remap::Delete { start, end } => {
                cells.drain(start as usize..end as usize);
            }
            Remap::Move { start, end, to } => {
                let taken: Vec<_> = cells.drain(start as usize..end as usize).collect();
                let to = if to > start { to - (end - start) } else { to } as usize;
                cells.splice(to..to, taken);
            }
        }
        cells
    }

    fn remaps() -> impl Strategy<Value = Remap> {
        prop_oneof![
            (0_u32..10, 1_u32..4).prop_map(|(at, count)| Remap::Insert { at, count }),
            (0_u32..6, 1_u32..4).prop_map(|(start, n)| Remap::Delete { start, end: start + n }),
            (0_u32..6, 1_u32..4, 0_u32..=10)
                .prop_filter("outside", |(start, n, to)| *to <= *start || *to >= *start + *n)
                .prop_map(|(start, n, to)| Remap::Move { start, end: start + n, to }),
        ]
    }

    proptest! {
        #[test]
        fn points_go_where_the_list_goes(remap in remaps()) {
            let list: Vec<u32> = (0..10).collect();
            let after = apply(&list, remap);
            for position in list {
                let found = after.iter().position(|cell| *cell == Some(position));
                prop_assert_eq!(remap.point(position).map(|p| p as usize), found);
            }
        }

        #[test]
        fn a_span_still_holds_its_survivors(remap in remaps(), start in 0_u32..9, length in 1_u32..5) {
            let end = (start + length).min(10);
            let inside: Vec<u32> = (start..end).filter_map(|p| remap.point(p)).collect();
            match (remap, remap.span(start, end)) {
                (Remap::Move { .. }, _) => {}
                (_, None) => prop_assert!(inside.is_empty()),
                (_, Some((from, to))) => {
                    prop_assert!(inside.iter().all(|p| (from..to).contains(p)));
                    prop_assert_eq!(inside.first(), Some(&from));
                    prop_assert_eq!(inside.last().map(|p| p + 1), Some(to));
                }
            }
        }
    }

    #[test]
    fn ranges_in_objects_follow() {
        let mut chart = json!({"series": [{"startRowIndex": 2, "endRowIndex": 5}, {"sheetId": 7, "startRowIndex": 2, "endRowIndex": 5}]});
        let shift = Shift::whole(Axis::Rows, Remap::Delete { start: 0, end: 3 });
        assert!(remap_ranges(&mut chart, 0, shift));
        assert_eq!(
            chart,
            json!({"series": [{"startRowIndex": 0, "endRowIndex": 2}, {"sheetId": 7, "startRowIndex": 2, "endRowIndex": 5}]})
        );
        let mut gone = json!({"range": {"startRowIndex": 1, "endRowIndex": 2}});
        assert!(!remap_ranges(&mut gone, 0, shift));
        // Of cells shifted in columns 2 and 3, only what lies in them follows.
        let lanes = Shift { lanes: Some((2, 4)), ..shift };
        for (columns, follows) in [((2, 4), true), ((3, 4), true), ((1, 4), false), ((2, 5), false)]
        {
            let mut range = json!({"startRowIndex": 4, "endRowIndex": 5, "startColumnIndex": columns.0, "endColumnIndex": columns.1});
            assert!(remap_ranges(&mut range, 0, lanes));
            assert_eq!(range["startRowIndex"], if follows { 1 } else { 4 }, "{columns:?}");
        }
        let mut open = json!({"startRowIndex": 4, "endRowIndex": 5});
        assert!(remap_ranges(&mut open, 0, lanes) && open["startRowIndex"] == 4);
    }
}
