//! What a comparison of three rows shows, whatever the policy.

use crate::class::Class;
use crate::terms::{ColumnTerms, Terms};
use crate::value::{Row, Value};

const NULL: &Value = &Value::Null;

/// What the comparison of three rows shows, whatever the policy.
pub(crate) struct Facts {
    left_changed: bool,
    right_changed: bool,
    disputed: bool,
    /// The columns on which the sides differ.
    pub(crate) differing: Vec<usize>,
}

impl Facts {
    pub(crate) fn gather(terms: &Terms, base: Option<&Row>, left: &Row, right: &Row) -> Facts {
        let mut facts = Facts {
            left_changed: false,
            right_changed: false,
            disputed: false,
            differing: Vec::new(),
        };
        for (index, (l, r)) in left.iter().zip(right).enumerate() {
            if !terms.columns.get(index).is_some_and(ColumnTerms::shared) {
                continue;
            }
            let b = cell(base, index);
            facts.left_changed |= l != b;
            facts.right_changed |= r != b;
            if l != r {
                facts.disputed |= l != b && r != b;
                facts.differing.push(index);
            }
        }
        facts
    }

    pub(crate) fn class(&self, based: bool) -> Class {
        match (based, self.differing.is_empty()) {
            (false, true) => Class::ConvergentAdd,
            (false, false) => Class::DivergentAdd,
            (true, true) if self.left_changed => Class::ConvergentModify,
            (true, true) => Class::InSync,
            (true, false) if self.disputed => Class::DivergentModify,
            (true, false) if self.left_changed && self.right_changed => Class::CellMerge,
            (true, false) if self.left_changed => Class::LeftModify,
            (true, false) => Class::RightModify,
        }
    }
}

/// Returns a cell of a row; of no row, or beyond its end, null.
pub(crate) fn cell(row: Option<&Row>, index: usize) -> &Value {
    row.and_then(|row| row.get(index)).unwrap_or(NULL)
}
