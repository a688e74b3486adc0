//! Messages that mean harm: well-formed and not, for every method, with values that no field expects.

use rand::{Rng, RngExt, rngs::StdRng};
use serde_json::{Value, json};

use crate::support::session::modern_meta;

/// Returns the id of a line that is a well-formed request, which must be answered whatever it asks for.
pub(super) fn request_id(line: &[u8]) -> Option<u64> {
    let message: Value = serde_json::from_slice(line).ok()?;
    let params = message.get("params").is_none_or(Value::is_object);
    let request = message["jsonrpc"] == "2.0" && message["method"].is_string() && params;
    // What names another request to cancel may be meant for this one, and a subscription is answered when it ends.
    let method = message["method"].as_str()?;
    let plain = !method.starts_with("notifications/") && method != "subscriptions/listen";
    message["id"].as_u64().filter(|id| request && plain && *id <= u64::from(u32::MAX))
}

/// Returns a value that a field may not expect.
fn odd(random: &mut StdRng) -> Value {
    match random.random_range(0..14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(1.5e300),
        4 => json!(u64::MAX),
        5 => json!(""),
        6 => json!("x".repeat(random.random_range(1..20_000))),
        7 => json!("\u{0}\u{202e}\u{feff}'\"\\${jndi}../../etc/passwd"),
        8 => json!([]),
        9 => json!([[[[1]]]]),
        10 => json!({}),
        11 => json!({"__proto__": {"a": 1}, "": null}),
        12 => json!("é".repeat(300)),
        _ => (0..300).fold(json!(1), |inner, _| json!({"a": inner})),
    }
}

const METHODS: &[&str] = &[
    "initialize",
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "server/discover",
    "subscriptions/listen",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
    "skills/list",
    "skills/get",
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/progress",
    "sampling/createMessage",
    "no/such",
    "",
    "tools/call\u{0}",
];

const FIELDS: &[&str] = &[
    "name",
    "arguments",
    "uri",
    "cursor",
    "ref",
    "argument",
    "level",
    "requestId",
    "progressToken",
    "protocolVersion",
    "capabilities",
    "clientInfo",
    "_meta",
    "requestState",
    "inputResponses",
    "taskId",
];

const TOOLS: &[&str] = &[
    "readSheet",
    "describeSpreadsheet",
    "findFiles",
    "createFile",
    "updateCells",
    "appendRows",
    "syncDataset",
    "syncHistory",
    "rollbackSync",
    "resolveConflicts",
    "verifyDataset",
    "watchDataset",
    "healthReport",
    "nothing",
];

const ARGUMENTS: &[&str] = &[
    "spreadsheetId",
    "sheet",
    "range",
    "values",
    "records",
    "name",
    "type",
    "left",
    "right",
    "key",
    "columns",
    "mode",
    "policy",
    "dataset",
    "action",
    "ids",
    "winner",
    "runId",
    "planId",
    "confirm",
    "limit",
    "cursor",
];

/// Returns a message that means harm, in one line.
pub(super) fn hostile(random: &mut StdRng) -> Vec<u8> {
    let method = METHODS[random.random_range(0..METHODS.len())];
    let mut message =
        json!({"jsonrpc": "2.0", "id": random.random::<u32>(), "method": method, "params": {}});
    if method == "tools/call" {
        let tool = TOOLS[random.random_range(0..TOOLS.len())];
        // Nothing that succeeds: a file that was made would be no abuse.
        message["params"] = json!({"name": tool, "arguments": {}});
        if random.random_bool(0.5) {
            message["params"]["arguments"]["dryRun"] = json!(true);
        }
        for _ in 0..random.random_range(0..4) {
            let name = ARGUMENTS[random.random_range(0..ARGUMENTS.len())];
            message["params"]["arguments"][name] = odd(random);
        }
    }
    for _ in 0..random.random_range(0..4) {
        message["params"][FIELDS[random.random_range(0..FIELDS.len())]] = odd(random);
    }
    if random.random_bool(0.3) {
        message["params"]["_meta"] = modern_meta();
        if random.random_bool(0.5) {
            message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = odd(random);
        }
    }
    match random.random_range(0..12) {
        0 => message["id"] = odd(random),
        1 => message["params"] = odd(random),
        2 => message["method"] = odd(random),
        3 => message["jsonrpc"] = odd(random),
        4 => message = odd(random),
        5 => message = json!([message, message]),
        6 => message = json!({"jsonrpc": "2.0", "id": odd(random), "result": odd(random)}),
        _ => {}
    }
    let mut bytes = message.to_string().into_bytes();
    match random.random_range(0..10) {
        0 => bytes.truncate(random.random_range(0..=bytes.len())),
        1 => {
            for _ in 0..random.random_range(1..6) {
                if !bytes.is_empty() {
                    let at = random.random_range(0..bytes.len());
                    bytes[at] = random.random();
                }
            }
        }
        2 => {
            bytes = vec![0; random.random_range(1..500)];
            random.fill_bytes(&mut bytes);
        }
        3 => bytes = format!("{}1{}", "[".repeat(3_000), "]".repeat(3_000)).into_bytes(),
        4 => {
            bytes =
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}}", "9".repeat(400))
                    .into_bytes()
        }
        _ => {}
    }
    bytes.retain(|byte| *byte != b'\n');
    bytes
}
