//! One kind of item of an API, checked: a description that contradicts itself is refused at start.

use std::collections::BTreeMap;

use reqwest::Method;

use super::{
    columns::FieldConfig,
    config::{Content, Etag, LookConfig, ReadMethod, ResourceConfig, WriteConfig, WriteMethod},
    json::Json,
    template::{Line, Slot, Template},
};
use crate::error::{Error, Result, did_you_mean};

/// A resource that is described without contradiction.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(super) name: String,
    pub(super) config: ResourceConfig,
}

impl Resource {
    /// Takes a description.
    ///
    /// # Errors
    /// A contradiction, with the path of its key.
    pub(super) fn new(name: &str, config: &ResourceConfig) -> Result<Self> {
        let resource = Self { name: name.to_owned(), config: config.clone() };
        resource.check().map_err(|error| error.context(format!("resources.{name}")))?;
        Ok(resource)
    }

    /// Returns the field of this name.
    pub(super) fn field(&self, name: &str) -> Option<&FieldConfig> {
        self.config.fields.iter().find(|(known, _)| known == name).map(|(_, field)| field)
    }

    /// Returns the id of an item as JSON, a list where several values make it up.
    pub(super) fn id(&self, item: &Json) -> Option<Json> {
        let mut parts: Vec<Json> = self
            .config
            .id
            .pointers()
            .iter()
            .map(|pointer| item.at(pointer).filter(|part| part.scalar().is_some()).cloned())
            .collect::<Option<_>>()?;
        match parts.len() {
            0 => None,
            1 => parts.pop(),
            _ => Some(Json::List(parts)),
        }
    }

    /// Returns a digest of the description, so that a stamp made under another one proves nothing.
    pub(super) fn fingerprint(&self) -> String {
        blake3::hash(format!("{:?}", self.config).as_bytes()).to_hex().chars().take(16).collect()
    }

    fn check(&self) -> Result<()> {
        let config = &self.config;
        if config.fields.is_empty() {
            return Err(wrong("fields", "there are none", "name at least the key's field"));
        }
        let mut places: BTreeMap<String, &str> = BTreeMap::new();
        for (name, field) in &config.fields {
            if name.trim().is_empty() || name.trim() != name {
                return Err(wrong("fields", &format!("\"{name}\" is no column name"), "rename it"));
            }
            let place = field.write.as_ref().unwrap_or(&field.pointer).to_string();
            if let Some(twin) = field.writable.then(|| places.insert(place, name)).flatten() {
                let what = format!("\"{twin}\" and \"{name}\" are written to the same place");
                return Err(wrong("fields", &what, "set writable = false on one of them"));
            }
        }
        self.check_list()?;
        for (key, look) in [("get", &config.get), ("find", &config.find)] {
            let Some(look) = look else { continue };
            self.check_look(key, look)?;
        }
        let writes =
            [("create", &config.create), ("update", &config.update), ("delete", &config.delete)];
        for (key, write) in writes {
            let Some(write) = write else { continue };
            self.check_write(key, write)?;
        }
        if matches!(config.etag, Some(Etag::Header)) && config.get.is_none() {
            return Err(wrong(
                "etag",
                "\"header\" is the ETag of get, and there is no get",
                "add get",
            ));
        }
        Ok(())
    }

    fn check_list(&self) -> Result<()> {
        let list = &self.config.list;
        check_path("list.path", &list.path)?;
        let slots = line_slots(&list.path, &list.query).chain(body_slots(list.body.as_ref()));
        if let Some(slot) = slots.into_iter().next() {
            return Err(wrong("list", &format!("{slot} has nothing to fill it"), "remove it"));
        }
        if list.max_pages == 0 || list.max_items == 0 {
            return Err(wrong("list", "maxPages and maxItems are at least 1", "raise them"));
        }
        if list.since.is_some() && self.config.modified_at.is_none() {
            let what = "it needs modifiedAt, to know up to when it read";
            return Err(wrong("list.since", what, "add modifiedAt"));
        }
        if list.since.is_some() && list.conditional {
            let what = "it contradicts since: a list of changes is never unchanged";
            return Err(wrong("list.conditional", what, "remove one of them"));
        }
        check_body("list", list.method, list.body.as_ref())
    }

    fn check_look(&self, key: &str, look: &LookConfig) -> Result<()> {
        check_path(&format!("{key}.path"), &look.path)?;
        let slots: Vec<&Slot> =
            line_slots(&look.path, &look.query).chain(body_slots(look.body.as_ref())).collect();
        if slots.is_empty() {
            let what = "nothing in it says which item is meant";
            return Err(wrong(key, what, "use {id} or {field.NAME} in path or query"));
        }
        for slot in slots {
            match slot {
                Slot::Id if key == "find" => {
                    return Err(wrong(key, "a new item has no {id}", "use {field.NAME}"));
                }
                Slot::Item(_) | Slot::Items => {
                    return Err(wrong(key, &format!("{slot} is for what is written"), "remove it"));
                }
                slot => self.check_slot(key, slot)?,
            }
        }
        if look.item.is_some() && look.items.is_some() {
            return Err(wrong(key, "item contradicts items", "remove one of them"));
        }
        check_body(key, look.method, look.body.as_ref())
    }

    fn check_write(&self, key: &str, write: &WriteConfig) -> Result<()> {
        check_path(&format!("{key}.path"), &write.path)?;
        let line: Vec<&Slot> = line_slots(&write.path, &write.query).collect();
        let body: Vec<&Slot> = body_slots(write.body.as_ref()).collect();
        let element: Vec<&Slot> = body_slots(write.element.as_ref()).collect();
        let lists = body.iter().any(|slot| **slot == Slot::Items);
        if let Some(slot) = line.iter().find(|slot| matches!(slot, Slot::Item(_) | Slot::Items)) {
            let what = format!("{slot} is no part of an address");
            return Err(wrong(key, &what, "use it in body"));
        }
        match write.size {
            0 => return Err(wrong(&format!("{key}.size"), "it is at least 1", "raise it")),
            1 if lists || write.element.is_some() => {
                let what = "{items} and element are for several items, and size is 1";
                return Err(wrong(key, what, "set size, or use {item}"));
            }
            1 => {}
            _ if !lists => {
                let what = "it sends several items, and {items} is nowhere";
                return Err(wrong(key, what, "give body a list, like { records = \"{items}\" }"));
            }
            _ if write.path.slots().next().is_some() => {
                let what = "one path cannot name several items";
                return Err(wrong(&format!("{key}.path"), what, "remove its slots, or size"));
            }
            _ if self.config.etag.is_some() && key != "create" => {
                let what = "it contradicts etag: If-Match guards one item";
                return Err(wrong(&format!("{key}.size"), what, "remove one of them"));
            }
            _ => {}
        }
        for slot in line.iter().chain(&body).chain(&element) {
            match slot {
                Slot::Id if key == "create" => {
                    return Err(wrong(key, "a new item has no {id}", "use {item} or {field.NAME}"));
                }
                slot => self.check_slot(key, slot)?,
            }
        }
        let names = |slots: &[&Slot]| {
            slots.iter().any(|slot| matches!(slot, Slot::Id | Slot::Field(_) | Slot::Items))
        };
        if key != "create" && !names(&line) && !names(&body) {
            let what = "nothing in it says which item is meant";
            return Err(wrong(key, what, "use {id} or {field.NAME} in path, query or body"));
        }
        let put = key == "update" && write.method == Some(WriteMethod::Put);
        let whole = write.content == Some(Content::Whole) || (put && write.content.is_none());
        if whole && (key != "update" || self.config.get.is_none() || write.size > 1) {
            let what = "the whole item is sent only by an update of one item that get reads again";
            let next = "add get, or set content to \"fields\" if the API keeps what is not sent";
            return Err(wrong(&format!("{key}.content"), what, next));
        }
        if key == "delete" && write.method.is_none() && write.body.is_some() {
            let what = "a DELETE has no body unless method is given";
            return Err(wrong("delete.body", what, "give method"));
        }
        Ok(())
    }

    fn check_slot(&self, key: &str, slot: &Slot) -> Result<()> {
        match slot {
            Slot::Id if self.config.id.pointers().len() != 1 => {
                let what = "{id} needs an id that is one pointer";
                Err(wrong(key, what, "set id, or use {field.NAME}"))
            }
            Slot::Field(name) if self.field(name).is_none() => {
                let near =
                    did_you_mean(name, self.config.fields.iter().map(|(name, _)| name.as_str()));
                Err(wrong(
                    key,
                    &format!("there is no field \"{name}\".{near}"),
                    "correct {field.…}",
                ))
            }
            _ => Ok(()),
        }
    }
}

impl WriteConfig {
    /// Returns the method; `usual` where none is given.
    pub(super) fn method(&self, usual: Method) -> Method {
        match self.method {
            None => usual,
            Some(WriteMethod::Post) => Method::POST,
            Some(WriteMethod::Put) => Method::PUT,
            Some(WriteMethod::Patch) => Method::PATCH,
            Some(WriteMethod::Delete) => Method::DELETE,
        }
    }
}

impl ReadMethod {
    pub(super) fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
        }
    }
}

fn wrong(key: &str, what: &str, next: &str) -> Error {
    Error::invalid(what.to_owned()).context(key.to_owned()).next(next.to_owned())
}

fn check_path(key: &str, path: &Line) -> Result<()> {
    if !path.head().starts_with('/') || path.head().starts_with("//") {
        return Err(wrong(key, "it is added to baseUrl and begins with one \"/\"", "correct it"));
    }
    let dots = path.texts().flat_map(|text| text.split('/')).any(|step| matches!(step, "." | ".."));
    if dots || path.texts().any(|text| text.contains(['?', '#', '\\'])) {
        let next = "put parameters under query";
        return Err(wrong(key, "it holds \"..\", \"?\", \"#\" or a backslash", next));
    }
    Ok(())
}

fn check_body(key: &str, method: ReadMethod, body: Option<&Template>) -> Result<()> {
    match (method, body) {
        (ReadMethod::Get, Some(_)) => {
            Err(wrong(&format!("{key}.body"), "a GET has no body", "set method = \"POST\""))
        }
        _ => Ok(()),
    }
}

fn line_slots<'a>(
    path: &'a Line,
    query: &'a BTreeMap<String, Line>,
) -> impl Iterator<Item = &'a Slot> {
    path.slots().chain(query.values().flat_map(Line::slots))
}

fn body_slots(body: Option<&Template>) -> impl Iterator<Item = &Slot> {
    body.into_iter().flat_map(Template::slots)
}
