//! Scenarios as data: `tests/scenarios/*.toml` say base, left, right and a policy; the `.txt` beside each says what
//! comes of it, in words a person can check. `UPDATE=1` writes the texts anew: read them before they are committed.
//!
//! A scenario is one `[[case]]` with `name`, optionally `policy`, `times`, `now`, `tombstones` and `read`, and rows in
//! `base`, `left` and `right` as tables; the file's `types` and `policy` are the defaults of its cases. The key is `id`.

#[cfg(test)]
mod runner;
