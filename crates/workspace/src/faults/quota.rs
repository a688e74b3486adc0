//! Quota windows: so many requests a minute, then 429 until the next minute begins.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Is the limits per window; the defaults are those of the Sheets API (google-wire 2.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Quota {
    /// Sheets reads of one user.
    pub read_per_user: u32,
    /// Sheets writes of one user.
    pub write_per_user: u32,
    /// Sheets reads of all users.
    pub read: u32,
    /// Sheets writes of all users.
    pub write: u32,
    /// How long a window is, in seconds; windows begin at multiples of it.
    pub window_seconds: u32,
}

impl Default for Quota {
    fn default() -> Self {
        Self { read_per_user: 60, write_per_user: 60, read: 300, write: 300, window_seconds: 60 }
    }
}

/// Says which limit is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exceeded {
    pub(super) write: bool,
    pub(super) per_user: bool,
    pub(super) limit: u32,
}

/// Counts the requests of the current window.
#[derive(Debug, Default)]
pub(super) struct Windows {
    window: i64,
    counts: HashMap<(bool, String), u32>,
}

impl Windows {
    /// Counts a request, or says which limit it exceeds; refused requests do not count.
    pub(super) fn take(
        &mut self,
        quota: &Quota,
        write: bool,
        user: &str,
        now_ms: i64,
    ) -> Option<Exceeded> {
        let window = now_ms.div_euclid(i64::from(quota.window_seconds.max(1)) * 1000);
        if window != self.window {
            self.window = window;
            self.counts.clear();
        }
        let (per_user, project) = if write {
            (quota.write_per_user, quota.write)
        } else {
            (quota.read_per_user, quota.read)
        };
        // The project's own count is kept under no name.
        for (name, limit, is_user) in [(user, per_user, true), ("", project, false)] {
            let count = self.counts.get(&(write, name.to_owned())).copied().unwrap_or(0);
            if count >= limit {
                return Some(Exceeded { write, per_user: is_user, limit });
            }
        }
        for name in [user, ""] {
            *self.counts.entry((write, name.to_owned())).or_default() += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_fill_and_empty() {
        let quota = Quota { read_per_user: 2, read: 3, ..Quota::default() };
        let mut windows = Windows::default();
        let mut take = |user: &str, at| {
            windows.take(&quota, false, user, at).map(|exceeded| exceeded.per_user)
        };
        assert_eq!(take("a", 60_000), None);
        assert_eq!(take("a", 60_001), None);
        assert_eq!(take("a", 60_002), Some(true));
        assert_eq!(take("b", 60_003), None);
        assert_eq!(take("b", 60_004), Some(false));
        assert_eq!(take("a", 120_000), None);
    }
}
