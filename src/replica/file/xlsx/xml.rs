//! Small helpers over the XML reader: tags with their places, attributes, texts.

use std::{borrow::Cow, ops::Range};

use quick_xml::{
    Reader, XmlVersion,
    escape::{escape, unescape},
    events::{BytesStart, Event},
};

use super::super::broken;
use crate::error::{Error, Result};

/// A tag or the end of one, with the bytes it stands as.
#[derive(Debug)]
pub(super) enum Node<'a> {
    /// A start tag; `empty` says that it is its own end.
    Open { tag: BytesStart<'a>, empty: bool },
    /// An end tag.
    Close,
    /// Text, a comment or something else between tags.
    Other,
}

/// Walks over the tags of a text.
pub(super) struct Walk<'a> {
    reader: Reader<&'a [u8]>,
}

pub(super) fn damaged(error: impl std::fmt::Display) -> Error {
    broken(format!("the workbook's XML is damaged: {error}"))
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        Self { reader }
    }

    /// Returns the next node and its place; `None` at the end.
    ///
    /// # Errors
    /// XML that is not well formed, or that declares entities.
    pub(super) fn next(&mut self) -> Result<Option<(Node<'a>, Range<usize>)>> {
        let at = |reader: &Reader<&[u8]>| {
            usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
        };
        let start = at(&self.reader);
        let node = match self.reader.read_event().map_err(damaged)? {
            Event::Start(tag) => Node::Open { tag, empty: false },
            Event::Empty(tag) => Node::Open { tag, empty: true },
            Event::End(_) => Node::Close,
            Event::DocType(_) => return Err(broken("the workbook's XML declares a document type")),
            Event::Eof => return Ok(None),
            _ => Node::Other,
        };
        Ok(Some((node, start..at(&self.reader))))
    }
}

/// Returns an attribute by its name without prefix.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    let mut found = attributes.with_checks(false).flatten();
    let attribute = found.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(Cow::into_owned)
}

/// Returns whether an attribute says yes.
pub(super) fn flag(tag: &BytesStart<'_>, name: &str) -> bool {
    attribute(tag, name).is_some_and(|value| value == "1" || value == "true")
}

/// Returns the text between tags, with its entities resolved.
pub(super) fn resolve(raw: &str) -> Result<Cow<'_, str>> {
    let text = unescape(raw).map_err(damaged)?;
    Ok(if text.contains('\r') { text.replace("\r\n", "\n").into() } else { text })
}

/// Returns the text of all `t` elements of a rich text, without phonetic guides.
pub(super) fn rich(raw: &str) -> Result<String> {
    let (mut walk, mut text, mut open, mut phonetic) = (Walk::new(raw), String::new(), None, 0_u32);
    let mut stack: Vec<bool> = Vec::new();
    while let Some((node, place)) = walk.next()? {
        match node {
            Node::Open { tag, empty } => {
                let guide = tag.local_name().as_ref() == "rPh";
                if tag.local_name().as_ref() == "t" && !empty {
                    open = Some(place.end);
                }
                if !empty {
                    stack.push(guide);
                    phonetic += u32::from(guide);
                }
            }
            Node::Close => {
                if let Some(start) = open.take().filter(|_| phonetic == 0) {
                    text.push_str(&resolve(raw.get(start..place.start).unwrap_or_default())?);
                }
                phonetic -= u32::from(stack.pop().unwrap_or(false));
            }
            Node::Other => {}
        }
    }
    Ok(text)
}

/// Returns a text as it stands in XML.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    escape(text)
}

/// Returns a tag with an attribute set, added at its end if it is not there.
pub(super) fn with_attribute(tag: &str, name: &str, value: &str) -> String {
    let tag = without_attribute(tag, name);
    let end = if tag.ends_with("/>") { tag.len() - 2 } else { tag.len() - 1 };
    let (head, tail) = tag.split_at_checked(end).unwrap_or((&tag, ""));
    let space = if head.ends_with(' ') { "" } else { " " };
    format!("{head}{space}{name}=\"{}\"{tail}", escaped(value))
}

/// Returns a tag without an attribute; the rest keeps its bytes.
pub(super) fn without_attribute(tag: &str, name: &str) -> String {
    match find(tag, name) {
        Some(range) => {
            let (before, after) = (tag.get(..range.start), tag.get(range.end..));
            format!("{}{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        None => tag.to_owned(),
    }
}

/// Returns a tag with an attribute's value replaced where it stands; unchanged without the attribute.
pub(super) fn replaced(tag: &str, name: &str, value: &str) -> String {
    let Some(range) = find(tag, name) else { return tag.to_owned() };
    let attribute = tag.get(range.clone()).unwrap_or_default();
    let lead: String = attribute.chars().take_while(|c| c.is_whitespace()).collect();
    let (before, after) = (tag.get(..range.start), tag.get(range.end..));
    format!(
        "{}{lead}{name}=\"{}\"{}",
        before.unwrap_or_default(),
        escaped(value),
        after.unwrap_or_default()
    )
}

/// Finds an attribute with the white space before it.
fn find(tag: &str, name: &str) -> Option<Range<usize>> {
    let bytes = tag.as_bytes();
    let mut at = bytes.iter().position(u8::is_ascii_whitespace)?;
    loop {
        let start = at;
        at += bytes.get(at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let key = at;
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'=')?;
        let found = tag.get(key..at)?.trim_end();
        at += 1;
        at += bytes.get(at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let quote = *bytes.get(at)?;
        at += 1;
        at += bytes.get(at..)?.iter().position(|byte| *byte == quote)? + 1;
        if found == name {
            return Some(start..at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_set_where_they_stand() {
        let tag = "<row r=\"5\"  spans='1:3' x14ac:r=\"0.2\" ht = \"9\"/>";
        assert_eq!(
            replaced(tag, "r", "6"),
            "<row r=\"6\"  spans='1:3' x14ac:r=\"0.2\" ht = \"9\"/>"
        );
        assert_eq!(without_attribute(tag, "spans"), "<row r=\"5\" x14ac:r=\"0.2\" ht = \"9\"/>");
        assert_eq!(with_attribute("<c r=\"A1\">", "s", "2"), "<c r=\"A1\" s=\"2\">");
        assert_eq!(with_attribute("<calcPr a=\"1\" />", "b", "<"), "<calcPr a=\"1\" b=\"&lt;\"/>");
        assert_eq!(without_attribute("<row>", "r"), "<row>");
    }

    #[test]
    fn rich_text_is_its_runs_without_guides() {
        let raw = "<r><rPr><b/></rPr><t>a &amp; </t></r><t/><r><t xml:space=\"preserve\"> b</t></r><rPh><t>x</t></rPh>";
        assert_eq!(rich(raw).unwrap(), "a &  b");
        assert!(rich("<t>&evil;</t>").is_err());
        assert!(rich("<t>").is_ok());
    }
}
