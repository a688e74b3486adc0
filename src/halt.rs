//! Points at which a test can stop the process for good, to kill it there.

/// Waits forever if a test asked for it, after saying so on stderr; does nothing in a release build.
///
/// `LOCKSTEP_HALT_AT=name:3` stops at the third passing of the point `name`. The test then kills the process: what was
/// durable before this point is there afterwards, and nothing else.
pub(crate) async fn point(name: &str) {
    #[cfg(debug_assertions)]
    debug::point(name).await;
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod debug {
    use std::{
        io::Write,
        sync::{
            OnceLock,
            atomic::{AtomicU32, Ordering},
        },
    };

    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);

    fn wanted() -> Option<&'static (String, u32)> {
        let read = || {
            let text = std::env::var("LOCKSTEP_HALT_AT").ok()?;
            let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
            Some((name.to_owned(), times.parse().unwrap_or(1)))
        };
        WANTED.get_or_init(read).as_ref()
    }

    pub(super) async fn point(name: &str) {
        let Some((point, times)) = wanted() else { return };
        if point != name || PASSED.fetch_add(1, Ordering::SeqCst) + 1 != *times {
            return;
        }
        say(&format!("halted at {name}:{times}"));
        std::future::pending::<()>().await;
    }

    fn say(what: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(stderr, "{what}");
        let _ = stderr.flush();
    }
}
