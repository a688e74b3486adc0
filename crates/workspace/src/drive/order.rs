//! `orderBy` of `files.list`.

use std::cmp::Ordering;

use super::error::invalid_value;
use super::file::File;
use super::query::is_folder;
use crate::http::ApiError;

/// Sorts files by a list of keys such as `folder,modifiedTime desc,name`; ties by id, so that
/// pages do not overlap. Without keys the last modified comes first.
///
/// # Errors
/// The 400 "Invalid Value" at `orderBy` for an unknown key.
pub(super) fn sort(files: &mut [File], keys: Option<&str>) -> Result<(), ApiError> {
    let keys = match keys {
        Some(text) if !text.trim().is_empty() => {
            parse(text).ok_or_else(|| invalid_value("orderBy"))?
        }
        _ => vec![(Key::Modified, true)],
    };
    files.sort_by(|left, right| {
        keys.iter()
            .map(|(key, descending)| {
                let ordering = key.compare(left, right);
                if *descending { ordering.reverse() } else { ordering }
            })
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| left.id.cmp(&right.id))
    });
    Ok(())
}

fn parse(text: &str) -> Option<Vec<(Key, bool)>> {
    text.split(',')
        .map(|part| {
            let mut words = part.split_whitespace();
            let key = Key::of(words.next()?)?;
            let descending = match words.next() {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(_) => return None,
            };
            words.next().is_none().then_some((key, descending))
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Key {
    Created,
    Folder,
    Modified,
    Name,
    Natural,
    Size,
    Starred,
    Viewed,
}

impl Key {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "createdTime" => Self::Created,
            "folder" => Self::Folder,
            "modifiedTime" | "modifiedByMeTime" | "recency" => Self::Modified,
            "name" => Self::Name,
            "name_natural" => Self::Natural,
            "quotaBytesUsed" => Self::Size,
            "starred" => Self::Starred,
            "viewedByMeTime" | "sharedWithMeTime" => Self::Viewed,
            _ => return None,
        })
    }

    fn compare(self, left: &File, right: &File) -> Ordering {
        let size = |file: &File| file.content.as_ref().map_or(0, |content| content.size);
        match self {
            Self::Created => left.created.cmp(&right.created),
            Self::Folder => is_folder(right).cmp(&is_folder(left)),
            Self::Modified => left.modified.cmp(&right.modified),
            Self::Name => left.name.to_lowercase().cmp(&right.name.to_lowercase()),
            Self::Natural => natural(&left.name, &right.name),
            Self::Size => size(left).cmp(&size(right)),
            Self::Starred => right.starred.cmp(&left.starred),
            Self::Viewed => left.viewed.cmp(&right.viewed),
        }
    }
}

/// Compares names with numbers inside by their size: `file 9` before `file 10`.
fn natural(left: &str, right: &str) -> Ordering {
    parts(left).cmp(&parts(right))
}

/// Splits a name into texts and numbers; a number is its length and digits without leading zeros.
fn parts(name: &str) -> Vec<(bool, usize, String)> {
    let mut parts: Vec<(bool, String)> = Vec::new();
    for c in name.to_lowercase().chars() {
        let digit = c.is_ascii_digit();
        match parts.last_mut() {
            Some((kind, text)) if *kind == digit => text.push(c),
            _ => parts.push((digit, c.to_string())),
        }
    }
    parts
        .into_iter()
        .map(|(digit, text)| {
            let text = if digit { text.trim_start_matches('0').to_owned() } else { text };
            // Texts compare as texts: their length must not decide.
            (!digit, if digit { text.len() } else { 0 }, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(keys: Option<&str>) -> Vec<String> {
        let file = |id: &str, name: &str, mime: &str, modified| File {
            id: id.to_owned(),
            name: name.to_owned(),
            mime_type: mime.to_owned(),
            modified,
            ..File::default()
        };
        let mut files = vec![
            file("1", "file 10", "text/plain", 3),
            file("2", "File 9", "text/plain", 1),
            file("3", "zoo", crate::drive::file::FOLDER, 2),
            file("4", "file 10", "text/plain", 9),
        ];
        sort(&mut files, keys).unwrap();
        files.into_iter().map(|file| file.id).collect()
    }

    #[test]
    fn orders() {
        for (keys, expected) in [
            (None, ["4", "1", "3", "2"]),
            (Some("modifiedTime"), ["2", "3", "1", "4"]),
            (Some("name"), ["1", "4", "2", "3"]),
            (Some("name_natural"), ["2", "1", "4", "3"]),
            (Some("folder,name desc"), ["3", "2", "1", "4"]),
            (Some("folder, modifiedTime desc"), ["3", "4", "1", "2"]),
        ] {
            assert_eq!(sorted(keys), expected, "{keys:?}");
        }
        assert!(sort(&mut [], Some("colour")).is_err());
        assert!(sort(&mut [], Some("name up")).is_err());
    }
}
