//! The items of a request, filled into its templates.

use lockstep_engine::{
    reconcile::{Change, ChangeKind},
    value::Row,
};

use super::{
    config::{Content, WriteConfig},
    field::Lens,
    json::Json,
    template::{Fill, Slot},
};

/// What is done to an item: to an API, marking a row and taking its mark away are updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Create,
    Update,
    Delete,
}

impl Deed {
    pub(super) fn of(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Insert => Self::Create,
            ChangeKind::Delete => Self::Delete,
            ChangeKind::Update | ChangeKind::Mark | ChangeKind::Reactivate => Self::Update,
        }
    }
}

/// One item that is to be written.
#[derive(Clone, Debug)]
pub(super) struct Item<'w> {
    /// The position of its change.
    pub(super) position: usize,
    pub(super) change: &'w Change,
    pub(super) id: Option<Json>,
    pub(super) etag: Option<String>,
    /// The item as it was read again.
    pub(super) now: Option<Json>,
}

impl Item<'_> {
    pub(super) fn deed(&self) -> Deed {
        Deed::of(self.change.kind)
    }

    /// Returns the row that says what the item is: as it shall be, or, for a deletion, as it was.
    pub(super) fn row(&self) -> Option<&Row> {
        self.change.after.as_ref().or(self.change.before.as_ref())
    }
}

/// Fills templates for one item.
pub(super) struct One<'a> {
    pub(super) lens: &'a Lens<'a>,
    pub(super) item: &'a Item<'a>,
    pub(super) content: Content,
}

impl One<'_> {
    /// Returns the item's fields, shaped as an item is.
    fn shaped(&self) -> Json {
        let Self { lens, item, content } = self;
        let mut json = match content {
            Content::Whole => item.now.clone().unwrap_or(Json::Object(Default::default())),
            Content::Changed | Content::Fields => Json::Object(Default::default()),
        };
        let Some(row) = &item.change.after else { return json };
        let insert = item.deed() == Deed::Create;
        for (column, field) in lens.fields.iter().enumerate() {
            let Some(field) = field.filter(|field| field.writable) else { continue };
            let asked = *content == Content::Fields || item.change.cells.contains(&column);
            let blank = row.get(column).is_none_or(|value| value.is_null());
            // A new item is blank where nothing is said.
            if !asked || (insert && blank) {
                continue;
            }
            if let Some(value) = lens.json(row, column) {
                json.set(field.write.as_ref().unwrap_or(&field.pointer), value);
            }
        }
        json
    }

    fn field(&self, name: &str) -> Option<Json> {
        let column =
            self.lens.writes.headers.iter().position(|header| header.as_deref() == Some(name));
        let mapped = column.and_then(|column| self.lens.json(self.item.row()?, column));
        // A field that the dataset does not map is as the item has it.
        let own = || {
            let field = self.lens.resource.field(name)?;
            self.item.now.as_ref()?.at(&field.pointer).cloned()
        };
        mapped.or_else(own).filter(|value| *value != Json::Null)
    }
}

impl Fill for One<'_> {
    fn fill(&self, slot: &Slot) -> Option<Json> {
        match slot {
            Slot::Id => self.item.id.clone(),
            Slot::Field(name) => self.field(name),
            Slot::Item(pointer) => self.shaped().at(pointer).cloned(),
            Slot::Items => None,
        }
    }
}

/// Fills templates for several items at once.
pub(super) struct Several(pub(super) Json);

impl Fill for Several {
    fn fill(&self, slot: &Slot) -> Option<Json> {
        matches!(slot, Slot::Items).then(|| self.0.clone())
    }
}

impl WriteConfig {
    /// Returns what `{item}` holds.
    pub(super) fn content(&self, kind: Deed, method: &reqwest::Method) -> Content {
        let usual = match (kind, method.as_str()) {
            // A PUT replaces the item: what of it is not described must be sent back as it is.
            (Deed::Update, "PUT") => Content::Whole,
            _ => Content::Changed,
        };
        self.content.unwrap_or(usual)
    }
}
