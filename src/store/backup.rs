//! Copies of the whole store, made while it serves, and put back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use tempfile::NamedTempFile;

use super::open::{Content, Mode, check_version, connect, identify};
use super::{Engine, Raw, Store, codec::damaged, fault};
use crate::error::{Error, Kind, Result};

/// How far fences jump at a restore: more than were given since any backup that is still of use.
const FENCE_JUMP: i64 = 1_000_000;

impl Store {
    /// Writes a copy of the store as it is at this moment; others read and write meanwhile.
    ///
    /// The copy appears under its name only when it is complete and on disk.
    ///
    /// # Errors
    /// A file of that name, or one that cannot be written.
    pub(crate) async fn backup(&self, to: &Path) -> Result<()> {
        let context = |error: Error| error.context(format!("backup to {}", to.display()));
        if self.engine == Engine::Postgres {
            return Err(context(
                Error::invalid("the store is a PostgreSQL database")
                    .next("back it up with PostgreSQL's own means: pg_dump -Fc -f FILE URL"),
            ));
        }
        let mut conn = self.reads.acquire().await.map_err(context)?;
        let copy = copy(conn.raw(), to).await.map_err(context)?;
        copy.persist_noclobber(to).map_err(|error| context(unwritable(error.error)))?;
        sync_folder(to).map_err(context)
    }
}

/// Puts a backup in the place of the store at `to`, which no process may have open.
///
/// The backup is checked as a whole first. Leases are not restored: their fences rise above all that were given.
///
/// # Errors
/// A backup that is none, is damaged or of a newer version; a store in place without `force`, or one that is in use.
pub(crate) async fn restore(from: &Path, to: &Path, force: bool) -> Result<()> {
    let context =
        |error: Error| error.context(format!("restore {} to {}", from.display(), to.display()));
    replace(from, to, force).await.map_err(context)
}

async fn replace(from: &Path, to: &Path, force: bool) -> Result<()> {
    let exists = to.exists();
    if exists && !force {
        return Err(Error::invalid("there is a file already; nothing was changed")
            .next("name another file, or use --force to lose what is in this one"));
    }
    if !from.is_file() {
        return Err(Error::not_found("there is no backup file of that name"));
    }
    let mut conn = connect(from, Mode::Read).await?;
    let copied = match check(&mut conn).await {
        Ok(()) => copy(&mut conn, to).await,
        Err(error) => Err(error),
    };
    conn.close().await?;
    let copied = copied?;
    let mut conn = connect(copied.path(), Mode::Write).await?;
    disown(&mut conn).await?;
    forget_seen(&mut conn).await?;
    conn.close().await?;
    copied.as_file().sync_all().map_err(unwritable)?;
    if exists {
        retire(to).await?;
    }
    copied.persist(to).map_err(|error| unwritable(error.error))?;
    sync_folder(to)
}

/// Takes every lease from its holder, whose writes are refused from then on.
pub(super) async fn disown(conn: &mut Raw) -> Result<()> {
    sqlx::query("UPDATE leases SET holder = NULL, until = 0, fence = fence + $1")
        .bind(FENCE_JUMP)
        .execute(conn)
        .await?;
    Ok(())
}

/// Drops what runs saw: the replicas were written since by runs that the copy does not know.
async fn forget_seen(conn: &mut Raw) -> Result<()> {
    let there: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'seen'",
    )
    .fetch_one(&mut *conn)
    .await?;
    // A backup of an older version has no such table.
    if there > 0 {
        sqlx::query("DELETE FROM seen").execute(conn).await?;
    }
    Ok(())
}

/// Makes sure that a file is a whole store that this version can read.
async fn check(conn: &mut Raw) -> Result<()> {
    if identify(conn).await? == Content::Nothing {
        return Err(fault::no_store("it is empty"));
    }
    check_version(conn).await?;
    let found: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_all(&mut *conn).await?;
    if found != ["ok"] {
        return Err(damaged(&found.join("; ")));
    }
    let broken = sqlx::query("PRAGMA foreign_key_check").fetch_optional(conn).await?;
    if broken.is_some() { Err(damaged("rows refer to rows that are missing")) } else { Ok(()) }
}

/// Writes a copy beside `to`, under a name of its own, readable by its owner alone, and on disk.
async fn copy(conn: &mut Raw, to: &Path) -> Result<NamedTempFile> {
    let folder = folder(to);
    let target = tempfile::Builder::new()
        .prefix(".lockstep-")
        .suffix(".tmp")
        .tempfile_in(&folder)
        .map_err(unwritable)?;
    let name = target.path().to_str().ok_or_else(|| {
        Error::invalid("the folder's name is not valid Unicode")
            .next("name a file in another folder")
    })?;
    // Reads one moment of the store, like any reader; an empty file is an allowed target.
    sqlx::query("VACUUM INTO $1").bind(name.to_owned()).execute(conn).await?;
    target.as_file().sync_all().map_err(unwritable)?;
    Ok(target)
}

/// Makes sure that nobody uses the store that is to be replaced, and takes its log away.
async fn retire(path: &Path) -> Result<()> {
    if let Err(error) = leave_log(path).await
        && error.kind() == Kind::Unavailable
    {
        return Err(Error::new(
            Kind::Unavailable,
            "a process has the store open; nothing was changed",
        )
        .next("stop every Lockstep that uses this store, then restore")
        .with_source(error));
    }
    // Any other failure is of a file that is damaged, or no database at all: what a restore is for.
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(unwritable(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Folds the write-ahead log into the file and leaves it, which takes that no other connection is open.
async fn leave_log(path: &Path) -> Result<()> {
    let mut conn = connect(path, Mode::Write).await?;
    let left = sqlx::query("PRAGMA journal_mode = DELETE").execute(&mut conn).await;
    conn.close().await?;
    Ok(left.map(|_| ())?)
}

fn folder(of: &Path) -> PathBuf {
    match of.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename durable.
fn sync_folder(of: &Path) -> Result<()> {
    File::open(folder(of)).and_then(|folder| folder.sync_all()).map_err(unwritable)
}

fn unwritable(error: std::io::Error) -> Error {
    let said = error.to_string();
    let refused = match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::invalid("there is a file of that name already; it was left alone")
                .next("name another file")
        }
        std::io::ErrorKind::StorageFull => {
            Error::new(Kind::Unavailable, "the disk is full").next("free space, then repeat")
        }
        _ => Error::new(Kind::PermissionDenied, format!("the file cannot be written: {said}"))
            .next("name a file in a folder that exists and that you may write"),
    };
    refused.with_source(error)
}
