//! What a test needs and may not find.

use std::{env, path::Path};

/// Returns whether `what` is installed at `path`: if not, prints why the test is skipped, or fails where
/// `LOCKSTEP_REQUIRE_ALL` is set (as `tests/run` does).
pub(crate) fn require(what: &str, path: &Path) -> bool {
    if path.exists() {
        return true;
    }
    let missing = format!("{what} is not at {}; `tests/run` installs it", path.display());
    assert!(env::var_os("LOCKSTEP_REQUIRE_ALL").is_none(), "{missing}");
    println!("skipped: {missing}");
    false
}
