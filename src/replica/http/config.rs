//! What the operator says of an API in `lockstep.toml`; `examples/connections/generic.toml` explains every key.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    columns::{FieldConfig, in_order},
    json::Pointer,
    page::Pagination,
    secret::Secret,
    template::{Line, Template},
};

/// What the operator says of an API.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpConfig {
    /// The address that every path is added to; no other origin is ever called.
    pub(crate) base_url: Secret,
    /// Whether it may be written.
    #[serde(default)]
    pub(crate) writable: bool,
    /// Whether secrets may travel over `http:` to another machine.
    #[serde(default)]
    pub(crate) plain_http: bool,
    /// How long one request may take, to the last byte of its answer.
    #[serde(default = "timeout")]
    pub(crate) timeout_seconds: u64,
    /// The largest answer that is read, in bytes.
    #[serde(default = "body_bytes")]
    pub(crate) max_body_bytes: usize,
    /// The header that carries the idempotency key.
    #[serde(default = "idempotency")]
    pub(crate) idempotency_header: String,
    /// Headers of every request.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Secret>,
    #[serde(default)]
    pub(crate) auth: AuthConfig,
    #[serde(default)]
    pub(crate) limits: LimitsConfig,
    /// What can be kept in step, by name.
    pub(crate) resources: BTreeMap<String, ResourceConfig>,
}

fn timeout() -> u64 {
    30
}

fn body_bytes() -> usize {
    32 * 1024 * 1024
}

fn idempotency() -> String {
    "Idempotency-Key".into()
}

/// Who the calls are made as.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum AuthConfig {
    /// Nobody.
    #[default]
    None,
    /// `Authorization: Bearer`.
    Bearer { token: Secret },
    /// `Authorization: Basic`.
    Basic { user: Secret, password: Secret },
    /// A header of its own.
    Header { name: String, value: Secret },
    /// OAuth 2 client credentials (RFC 6749, 4.4): tokens are fetched, kept until they end, and fetched anew on a 401.
    ClientCredentials {
        token_url: Secret,
        client_id: Secret,
        client_secret: Secret,
        scope: Option<String>,
        audience: Option<String>,
        /// Whether id and secret go in the body instead of a Basic header.
        #[serde(default)]
        in_body: bool,
    },
}

/// How fast and how patiently an API is called.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct LimitsConfig {
    pub(crate) per_second: Option<u32>,
    pub(crate) per_minute: Option<u32>,
    /// The longest wait that a 429 may ask for within a call.
    pub(crate) max_wait_seconds: u64,
    /// How often a request is sent in all.
    pub(crate) attempts: u32,
    /// A header of every answer that says `used/limit`, as Shopify's: close to the limit there is a pause.
    pub(crate) usage_header: Option<String>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            per_second: None,
            per_minute: None,
            max_wait_seconds: 60,
            attempts: 5,
            usage_header: None,
        }
    }
}

/// One kind of item of an API.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResourceConfig {
    /// Where in an item its id is; several where only together they name it.
    #[serde(default)]
    pub(crate) id: Ids,
    /// Where in an item the time of its last change is.
    pub(crate) modified_at: Option<Pointer>,
    /// Where the tag for `If-Match` is: a pointer into an item, or `header` for the answer of `get`.
    pub(crate) etag: Option<Etag>,
    /// What a field means that no item has: the column is gone (the default), or blank in every item.
    #[serde(default)]
    pub(crate) missing: Missing,
    /// How a value is taken away: by null (the default) or by an empty text.
    #[serde(default)]
    pub(crate) clear: Clear,
    pub(crate) list: ListConfig,
    /// Reads one item again, by its id or its fields.
    pub(crate) get: Option<LookConfig>,
    /// Finds items by their fields, before and after one is created.
    pub(crate) find: Option<LookConfig>,
    pub(crate) create: Option<WriteConfig>,
    pub(crate) update: Option<WriteConfig>,
    pub(crate) delete: Option<WriteConfig>,
    /// The columns, in the order of the file.
    #[serde(deserialize_with = "in_order")]
    pub(crate) fields: Vec<(String, FieldConfig)>,
}

/// The pointers that together make an id.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged, expecting = "a JSON pointer, or a list of them")]
pub(crate) enum Ids {
    #[serde(skip)]
    #[default]
    None,
    One(Pointer),
    Many(Vec<Pointer>),
}

impl Ids {
    /// Returns the pointers.
    pub(super) fn pointers(&self) -> &[Pointer] {
        match self {
            Self::None => &[],
            Self::One(pointer) => std::slice::from_ref(pointer),
            Self::Many(pointers) => pointers,
        }
    }
}

/// Where the tag for `If-Match` comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Etag {
    Header,
    Item(Pointer),
}

impl TryFrom<String> for Etag {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "header" => Ok(Self::Header),
            _ => Pointer::try_from(text).map(Self::Item),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Missing {
    #[default]
    Gone,
    Null,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Clear {
    #[default]
    Null,
    EmptyText,
}

/// How all items are listed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListConfig {
    pub(crate) path: Line,
    #[serde(default)]
    pub(crate) method: ReadMethod,
    #[serde(default)]
    pub(crate) query: BTreeMap<String, Line>,
    pub(crate) body: Option<Template>,
    /// Where in an answer the items are.
    #[serde(default)]
    pub(crate) items: Pointer,
    #[serde(default)]
    pub(crate) pagination: Pagination,
    /// Where in an answer the number of all items is; a list that gives fewer or more was not read completely.
    pub(crate) total: Option<Pointer>,
    #[serde(default = "max_pages")]
    pub(crate) max_pages: u32,
    #[serde(default = "max_items")]
    pub(crate) max_items: u64,
    /// Whether `If-None-Match` is sent, so that a list that did not change is not read again.
    #[serde(default)]
    pub(crate) conditional: bool,
    pub(crate) since: Option<SinceConfig>,
}

fn max_pages() -> u32 {
    10_000
}

fn max_items() -> u64 {
    1_000_000
}

/// How the API is asked for what changed since a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SinceConfig {
    /// The query parameter.
    pub(crate) parameter: String,
    #[serde(default)]
    pub(crate) format: TimeFormat,
    /// How much earlier than the latest change seen is asked for: changes may become visible late.
    #[serde(default = "overlap")]
    pub(crate) overlap_seconds: u32,
}

fn overlap() -> u32 {
    60
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TimeFormat {
    #[default]
    Rfc3339,
    EpochSeconds,
    EpochMillis,
}

/// How items are read that a change is about.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LookConfig {
    pub(crate) path: Line,
    #[serde(default)]
    pub(crate) method: ReadMethod,
    #[serde(default)]
    pub(crate) query: BTreeMap<String, Line>,
    pub(crate) body: Option<Template>,
    /// Where in an answer the one item is; the top if neither this nor `items` is given.
    pub(crate) item: Option<Pointer>,
    /// Where in an answer the items are.
    pub(crate) items: Option<Pointer>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ReadMethod {
    #[default]
    Get,
    Post,
}

/// How items are created, updated or deleted.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WriteConfig {
    pub(crate) path: Line,
    pub(crate) method: Option<WriteMethod>,
    #[serde(default)]
    pub(crate) query: BTreeMap<String, Line>,
    /// What is sent; `{item}` for one item, `{items}` for a list of elements.
    pub(crate) body: Option<Template>,
    /// What each element of `{items}` is.
    pub(crate) element: Option<Template>,
    /// How many items go in one request.
    #[serde(default = "one")]
    pub(crate) size: usize,
    /// What `{item}` holds.
    pub(crate) content: Option<Content>,
    /// Where in an answer the item is, or the list of items where several are sent.
    pub(crate) results: Option<Pointer>,
}

fn one() -> usize {
    1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum WriteMethod {
    Post,
    Put,
    Patch,
    Delete,
}

/// What the item of an update holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Content {
    /// The fields that changed.
    Changed,
    /// All writable fields of the row.
    Fields,
    /// The item as it was read again, with the changes.
    Whole,
}
