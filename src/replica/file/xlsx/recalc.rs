//! The order to compute formulas afresh: their results in the file are of the old values.

use super::xml::{Node, Walk, with_attribute};
use crate::error::Result;

/// Returns the workbook's part with the order to compute every formula when it is opened.
pub(super) fn recalculated(text: &str) -> Result<String> {
    let (mut walk, mut after, mut depth) = (Walk::new(text), None, 0_u32);
    let mut prefix = "";
    while let Some((node, place)) = walk.next()? {
        match node {
            Node::Open { tag, empty } => {
                if tag.local_name().as_ref() == "calcPr" {
                    let old = text.get(place.clone()).unwrap_or_default();
                    let new = with_attribute(old, "fullCalcOnLoad", "1");
                    let (before, rest) = (text.get(..place.start), text.get(place.end..));
                    return Ok(format!(
                        "{}{new}{}",
                        before.unwrap_or_default(),
                        rest.unwrap_or_default()
                    ));
                }
                if depth == 0 {
                    let name = text.get(place.start + 1..place.end).unwrap_or_default();
                    let colon = name
                        .find(':')
                        .filter(|at| name.find([' ', '>']).is_none_or(|end| *at < end));
                    prefix = colon.and_then(|at| name.get(..=at)).unwrap_or_default();
                }
                depth += u32::from(!empty);
            }
            Node::Close => {
                depth = depth.saturating_sub(1);
                let name =
                    text.get(place.clone()).unwrap_or_default().trim_end_matches('>').trim_end();
                // The schema gives the parts an order: names come before calculation.
                if ["sheets", "functionGroups", "externalReferences", "definedNames"]
                    .iter()
                    .any(|one| name.ends_with(one))
                {
                    after = Some(place.end);
                }
            }
            Node::Other => {}
        }
    }
    let at = after.unwrap_or(0);
    let (before, rest) = text.split_at_checked(at).unwrap_or((text, ""));
    Ok(format!("{before}<{prefix}calcPr fullCalcOnLoad=\"1\"/>{rest}"))
}
