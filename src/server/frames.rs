//! Splits standard input into JSON-RPC frames, and answers the ones that cannot be served.
//!
//! The SDK drops a line that is too long or is not JSON without an answer, so a
//! client would wait for ever. Here every such line gets one: [`Frames::feed`]
//! yields the good lines and, for each bad one, the error response to send. An
//! oversized line is never stored; only its top-level `id` is picked out while
//! it flows past.

use serde_json::{Value, json};

/// The longest line that is served, in bytes.
pub(crate) const MAX_LINE: usize = 16 * 1024 * 1024;

/// What a line turned out to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    /// A line to be served, with its newline.
    Line(Vec<u8>),
    /// A response to send back in place of service.
    Answer(Value),
}

/// Cuts bytes into frames.
#[derive(Debug)]
pub(crate) struct Frames {
    line: Vec<u8>,
    length: usize,
    limit: usize,
    id: IdScanner,
}

impl Frames {
    /// Creates a splitter that serves lines of up to `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { line: Vec::new(), length: 0, limit, id: IdScanner::default() }
    }

    /// Takes the next bytes of the stream and returns the frames they complete.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (head, tail) = bytes.split_at(end);
            self.take(head);
            if let Some(frame) = self.finish() {
                frames.push(frame);
            }
            bytes = tail.get(1..).unwrap_or_default();
        }
        self.take(bytes);
        frames
    }

    fn take(&mut self, bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
        self.id.feed(bytes);
        if self.length <= self.limit {
            self.line.extend_from_slice(bytes);
        } else {
            self.line = Vec::new();
        }
    }

    fn finish(&mut self) -> Option<Frame> {
        let length = std::mem::take(&mut self.length);
        let mut line = std::mem::take(&mut self.line);
        let id = std::mem::take(&mut self.id).id();
        if length > self.limit {
            return Some(Frame::Answer(error(
                id,
                -32600,
                format!(
                    "the request has {length} bytes; at most {} are served. Send fewer rows per call, \
                     or put them in a file and let syncDataset read it",
                    self.limit
                ),
            )));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        Some(match judge(&line, id) {
            Ok(_) => {
                line.push(b'\n');
                Frame::Line(line)
            }
            Err(answer) => Frame::Answer(answer),
        })
    }
}

/// Returns the frame of a message that came by itself, whatever whitespace is in it.
pub(crate) fn whole(message: &[u8]) -> Frame {
    let mut id = IdScanner::default();
    id.feed(message);
    match judge(message, id.id()) {
        Ok(value) => Frame::Line(format!("{value}\n").into_bytes()),
        Err(answer) => Frame::Answer(answer),
    }
}

/// Returns the message if it can be served, else the answer to send in place of service.
fn judge(message: &[u8], id: Value) -> Result<Value, Value> {
    let value = serde_json::from_slice::<Value>(message).map_err(|reason| {
        error(id.clone(), -32700, format!("the request is not JSON: {reason}"))
    })?;
    match objection(&value) {
        Some((code, reason)) => Err(error(id, code, reason)),
        None => Ok(value),
    }
}

/// Returns why the SDK would drop a JSON value without an answer, if it would.
fn objection(message: &Value) -> Option<(i32, String)> {
    let invalid =
        |reason: &str| Some((-32600, format!("the message is no JSON-RPC request: {reason}")));
    let Value::Object(object) = message else {
        return invalid("it is no object (batches are not part of MCP)");
    };
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return invalid("jsonrpc is not \"2.0\"");
    }
    let Some(method) = object.get("method") else {
        let response = object.contains_key("result") || object.contains_key("error");
        return if response { None } else { invalid("it has no method") };
    };
    let Some(method) = method.as_str() else {
        return invalid("method is no text");
    };
    let params = object.get("params");
    if params.is_some_and(|params| !params.is_object()) {
        return Some((-32602, format!("{method}: params is no object")));
    }
    let meta = params.and_then(|params| params.get("_meta"));
    if meta.is_some_and(|meta| !meta.is_object() && !meta.is_null()) {
        return Some((-32602, format!("{method}: params._meta is no object")));
    }
    if method == "tools/call" && object.contains_key("id") {
        let name = params.and_then(|params| params.get("name"));
        if !name.is_some_and(Value::is_string) {
            return Some((-32602, "tools/call: params.name is missing or no text".into()));
        }
        let arguments = params.and_then(|params| params.get("arguments"));
        if arguments.is_some_and(|arguments| !arguments.is_object() && !arguments.is_null()) {
            return Some((-32602, "tools/call: params.arguments is no object".into()));
        }
    }
    None
}

fn error(id: Value, code: i32, message: String) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

/// Finds the top-level `"id"` of a JSON object of any size in constant memory.
#[derive(Debug, Default)]
struct IdScanner {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// The last string or scalar at depth 1, up to a bound no honest id reaches.
    token: Vec<u8>,
    key_is_id: bool,
    found: Option<Vec<u8>>,
}

const LONGEST_ID: usize = 256;

impl IdScanner {
    fn feed(&mut self, bytes: &[u8]) {
        if self.found.is_some() {
            return;
        }
        for byte in bytes {
            self.byte(*byte);
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.in_string {
            self.keep(byte);
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.token.clear();
                self.keep(byte);
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.end_of_value();
                self.depth = self.depth.saturating_sub(1);
            }
            b':' if self.depth == 1 => {
                self.key_is_id = self.token == b"\"id\"";
                self.token.clear();
            }
            b',' => self.end_of_value(),
            byte if byte.is_ascii_whitespace() => {}
            byte => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() < LONGEST_ID {
            self.token.push(byte);
        }
    }

    fn end_of_value(&mut self) {
        if self.depth == 1 {
            if self.key_is_id && self.found.is_none() {
                self.found = Some(self.token.clone());
            }
            self.key_is_id = false;
            self.token.clear();
        }
    }

    /// Returns the id if it is one that a response may carry, else null.
    fn id(self) -> Value {
        self.found
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
            .filter(|id| id.is_string() || id.is_number())
            .unwrap_or(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(limit: usize, input: &[u8]) -> Vec<Frame> {
        Frames::new(limit).feed(input)
    }

    fn answered(frame: &Frame) -> (Value, i64) {
        match frame {
            Frame::Answer(value) => (value["id"].clone(), value["error"]["code"].as_i64().unwrap()),
            Frame::Line(line) => panic!("served: {}", String::from_utf8_lossy(line)),
        }
    }

    #[test]
    fn whole_lines_pass_and_blank_ones_vanish() {
        let (one, two) =
            (r#"{"jsonrpc":"2.0","method":"a"}"#, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        let frames = answers(100, format!("{one}\n\r\n  \n{two}\n{{\"id\"").as_bytes());
        let line = |text: &str| Frame::Line(format!("{text}\n").into_bytes());
        assert_eq!(frames, vec![line(one), line(two)]);
    }

    #[test]
    fn what_the_sdk_would_drop_is_answered_with_its_id() {
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        for (message, code) in [
            (r#"{"jsonrpc":"1.0","id":4,"method":"ping"}"#.to_owned(), -32600),
            (r#"{"jsonrpc":"2.0","id":4}"#.to_owned(), -32600),
            (r#"{"jsonrpc":"2.0","id":4,"method":17}"#.to_owned(), -32600),
            (r#"{"jsonrpc":"2.0","id":4,"method":"tools/list","params":[]}"#.to_owned(), -32602),
            (r#"{"jsonrpc":"2.0","id":4,"method":"ping","params":{"_meta":[1]}}"#.to_owned(), -32602),
            (r#"{"jsonrpc":"2.0","id":4,"method":"tools/call"}"#.to_owned(), -32602),
            (r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":7}}"#.to_owned(), -32602),
            (r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"a","arguments":[]}}"#.to_owned(), -32602),
            (format!(r#"{{"jsonrpc":"2.0","id":4,"method":"a","params":{{"x":{deep}}}}}"#), -32700),
        ] {
            let frames = answers(100_000, format!("{message}\n").as_bytes());
            assert_eq!(answered(&frames[0]), (Value::from(4), code), "{message:.100}");
        }
        assert_eq!(answered(&answers(100, b"[]\n")[0]), (Value::Null, -32600));
    }

    #[test]
    fn an_oversized_line_is_answered_with_its_id_wherever_the_id_stands() {
        let long = "x".repeat(200);
        for (line, id) in [
            (format!("{{\"id\":7,\"params\":\"{long}\"}}\n"), Value::from(7)),
            (
                format!("{{\"params\":{{\"id\":9,\"a\":\"{long}\"}},\"id\":\"a\\\"b\"}}\n"),
                Value::from("a\"b"),
            ),
            (format!("{{\"params\":[\"id\",\"{long}\"]}}\n"), Value::Null),
        ] {
            let frames = answers(64, line.as_bytes());
            assert_eq!(answered(&frames[0]), (id, -32600), "{line}");
        }
    }

    #[test]
    fn an_oversized_line_is_not_kept_in_memory() {
        let mut frames = Frames::new(1024);
        for _ in 0..1000 {
            assert!(frames.feed(&[b'x'; 4096]).is_empty());
            assert!(frames.line.capacity() <= 8192);
        }
        assert_eq!(frames.feed(b"\n").len(), 1);
        let next = b"{\"jsonrpc\":\"2.0\",\"method\":\"a\"}\n";
        assert_eq!(frames.feed(next), vec![Frame::Line(next.to_vec())]);
    }

    #[test]
    fn a_line_that_is_not_json_is_answered() {
        assert_eq!(answered(&answers(100, b"hello\n")[0]), (Value::Null, -32700));
        assert_eq!(answered(&answers(100, b"{\"id\":3,\n")[0]), (Value::from(3), -32700));
        assert_eq!(answered(&answers(100, b"\xff\xfe\n")[0]), (Value::Null, -32700));
    }

    #[test]
    fn any_split_of_the_bytes_gives_the_same_frames() {
        let input = b"{\"a\":\"\\\"}\",\"id\":5}\nbad\n{\"id\":6}\n";
        let whole = answers(12, input);
        for cut in 0..input.len() {
            let mut frames = Frames::new(12);
            let mut got = frames.feed(&input[..cut]);
            got.extend(frames.feed(&input[cut..]));
            assert_eq!(got, whole, "cut at {cut}");
        }
    }
}
