//! JSON-RPC frames: bytes on standard input give the same frames wherever they are cut; so does the body of a request.
#![no_main]

#[path = "../../src/server/frames.rs"]
#[allow(unreachable_pub, dead_code)]
mod frames;

use frames::{Frame, Frames, whole};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limit = 512; // Lines beyond it go another way.
    let uncut = Frames::new(limit).feed(bytes);
    let cut = bytes.first().map_or(0, |byte| usize::from(*byte).min(bytes.len()));
    let (head, tail) = bytes.split_at(cut);
    let mut frames = Frames::new(limit);
    let mut parts = frames.feed(head);
    parts.extend(frames.feed(tail));
    assert_eq!(uncut, parts, "cut at {cut}");
    for frame in uncut.into_iter().chain([whole(bytes)]) {
        if let Frame::Line(line) = frame {
            serde_json::from_slice::<serde_json::Value>(&line).expect("what is served is JSON");
        }
    }
});
