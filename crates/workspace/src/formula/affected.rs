//! Which formulas a change can reach: those that changed themselves, those that read what changed,
//! those that read these, and so on; and those that change with time.

use std::collections::HashMap;
use std::ops::Range;

use lockstep_a1::Rect;

use crate::book::Book;

/// Is what changed between two states of a book.
pub(super) struct Changes {
    /// The rows of each sheet that may have changed, in order and apart from each other.
    rows: HashMap<i32, Vec<Range<u32>>>,
    /// The sheets whose grids have grown, with their new sizes: what reads to the edge reads more.
    grown: HashMap<i32, (Option<u32>, Option<u32>)>,
}

impl Changes {
    /// Returns what changed; `None` when it is more than cells, so that any formula may give
    /// something else.
    pub(super) fn between(before: &Book, after: &Book) -> Option<Self> {
        let names = |book: &Book| -> Vec<(i32, String)> {
            book.sheets.iter().map(|sheet| (sheet.id, sheet.title().to_owned())).collect()
        };
        let mut same = [names(before), names(after)];
        same.iter_mut().for_each(|names| names.sort());
        let [one, two] = same;
        if one != two
            || before.head.named_ranges != after.head.named_ranges
            || before.locale() != after.locale()
            || before.time_zone() != after.time_zone()
        {
            return None;
        }
        let mut changes = Self { rows: HashMap::new(), grown: HashMap::new() };
        for sheet in &after.sheets {
            let old = &before.sheet(sheet.id)?.grid;
            let new = &sheet.grid;
            let (rows, columns) = (new.rows(), new.columns());
            if rows < old.rows() || columns < old.columns() {
                return None;
            }
            let grown =
                ((rows > old.rows()).then_some(rows), (columns > old.columns()).then_some(columns));
            if grown != (None, None) {
                changes.grown.insert(sheet.id, grown);
            }
            let changed = new.changed_rows(old);
            if !changed.is_empty() {
                changes.rows.insert(sheet.id, changed);
            }
        }
        Some(changes)
    }

    /// Returns whether a formula that stands at a row of a sheet and reads ranges is reached
    /// directly.
    fn reach(&self, sheet: i32, row: u32, needs: &[(i32, Rect)]) -> bool {
        self.touches(sheet, row, row + 1)
            || needs.iter().any(|(sheet, rect)| {
                self.touches(*sheet, rect.start_row, rect.end_row)
                    || self.grown.get(sheet).is_some_and(|(rows, columns)| {
                        *rows == Some(rect.end_row) || *columns == Some(rect.end_column)
                    })
            })
    }

    fn touches(&self, sheet: i32, start: u32, end: u32) -> bool {
        let Some(rows) = self.rows.get(&sheet) else { return false };
        let next = rows.partition_point(|changed| changed.end <= start);
        rows.get(next).is_some_and(|changed| changed.start < end)
    }
}

/// Is a formula as far as its reach is concerned.
pub(super) struct Link<'a> {
    pub(super) place: (i32, u32, u32),
    pub(super) needs: &'a [(i32, Rect)],
    pub(super) volatile: bool,
}

/// Returns, for each formula, whether it has to be computed.
pub(super) fn affected(changes: &Changes, formulas: &[Link<'_>]) -> Vec<bool> {
    let mut reached: Vec<bool> = formulas
        .iter()
        .map(|link| link.volatile || changes.reach(link.place.0, link.place.1, link.needs))
        .collect();
    let mut queue: Vec<usize> = (0..formulas.len())
        .filter(|number| reached.get(*number).copied().unwrap_or(false))
        .collect();
    if queue.is_empty() || queue.len() == formulas.len() {
        return reached;
    }
    let mut readers = Readers::new(formulas);
    while let Some(number) = queue.pop() {
        let Some(link) = formulas.get(number) else { continue };
        readers.take(link.place, &mut |reader| {
            if let Some(mark) = reached.get_mut(reader)
                && !*mark
            {
                *mark = true;
                queue.push(reader);
            }
        });
    }
    reached
}

/// Finds the ranges that hold a cell: each range is met once, after which all its readers are known.
struct Readers {
    ranges: Vec<(Rect, Vec<usize>)>,
    /// The ranges of a sheet by the power of two that holds their height, and their start in it.
    places: HashMap<(i32, u32, u32), Vec<usize>>,
    /// Which powers there are, as bits.
    powers: u64,
}

impl Readers {
    fn new(formulas: &[Link<'_>]) -> Self {
        let mut all = Self { ranges: Vec::new(), places: HashMap::new(), powers: 0 };
        let mut known: HashMap<(i32, Rect), usize> = HashMap::new();
        for (number, link) in formulas.iter().enumerate() {
            for (sheet, rect) in link.needs {
                let range = *known.entry((*sheet, *rect)).or_insert_with(|| {
                    let power = rect.rows().max(1).next_power_of_two().trailing_zeros();
                    all.powers |= 1 << power;
                    let place = (*sheet, power, rect.start_row >> power);
                    all.places.entry(place).or_default().push(all.ranges.len());
                    all.ranges.push((*rect, Vec::new()));
                    all.ranges.len() - 1
                });
                if let Some((_, readers)) = all.ranges.get_mut(range) {
                    readers.push(number);
                }
            }
        }
        all
    }

    /// Calls a closure for every reader of a cell that was not met yet.
    fn take(&mut self, (sheet, row, column): (i32, u32, u32), visit: &mut dyn FnMut(usize)) {
        for power in (0..u64::BITS).filter(|power| self.powers & (1 << power) != 0) {
            let own = row.checked_shr(power).unwrap_or(0);
            for start in [Some(own), own.checked_sub(1)].into_iter().flatten() {
                let Some(list) = self.places.get_mut(&(sheet, power, start)) else { continue };
                let ranges = &mut self.ranges;
                list.retain(|range| {
                    let Some((rect, readers)) = ranges.get_mut(*range) else { return false };
                    let holds = (rect.start_row..rect.end_row).contains(&row)
                        && (rect.start_column..rect.end_column).contains(&column);
                    if holds {
                        std::mem::take(readers).into_iter().for_each(&mut *visit);
                    }
                    !holds
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rect() -> impl Strategy<Value = Rect> {
        (0_u32..40, 1_u32..20, 0_u32..4, 1_u32..3).prop_map(|(row, height, column, width)| Rect {
            start_row: row,
            end_row: row + height,
            start_column: column,
            end_column: column + width,
        })
    }

    proptest! {
        /// What is reached is the closure of "reads a cell of", found here by going over everything
        /// again until nothing is new.
        #[test]
        fn the_whole_closure_is_reached(
            needs in proptest::collection::vec(proptest::collection::vec(rect(), 0..3), 1..40),
            changed in 0_u32..40,
        ) {
            let needs: Vec<Vec<(i32, Rect)>> = needs.into_iter().map(|list| list.into_iter().map(|rect| (7, rect)).collect()).collect();
            let links: Vec<Link<'_>> = needs.iter().enumerate().map(|(number, needs)| {
                let number = u32::try_from(number).unwrap();
                Link { place: (7, number, number % 5), needs, volatile: number == 3 }
            }).collect();
            let changes = Changes { rows: HashMap::from([(7, std::iter::once(changed..changed + 1).collect())]), grown: HashMap::new() };
            let mut expected: Vec<bool> = links.iter().map(|link| {
                link.volatile || link.place.1 == changed || link.needs.iter().any(|(_, rect)| (rect.start_row..rect.end_row).contains(&changed))
            }).collect();
            loop {
                let before = expected.clone();
                for (number, link) in links.iter().enumerate() {
                    expected[number] |= links.iter().enumerate().any(|(other, read)| {
                        before[other] && link.needs.iter().any(|(_, rect)| {
                            (rect.start_row..rect.end_row).contains(&read.place.1)
                                && (rect.start_column..rect.end_column).contains(&read.place.2)
                        })
                    });
                }
                if before == expected {
                    break;
                }
            }
            prop_assert_eq!(affected(&changes, &links), expected);
        }
    }
}
