//! `lockstep rekey`: seals the store and the sign-in with the key that seals now.

use std::process::ExitCode;

use super::{Operator, print};
use crate::{
    app::{google, open_store, store_path},
    error::Result,
    secrets,
};

/// Makes a new key where the key is the file's own, seals the sign-in and an encrypted store with the key that seals now,
/// and drops the others.
///
/// Until everything is sealed again all keys stay. Two in the file are those of a rekey that was interrupted: it is ended
/// without another one.
pub(super) async fn run(operator: &Operator) -> Result<ExitCode> {
    let config = operator.config()?;
    let path = store_path(&config)?;
    let file = google::keys(&path);
    let before = google::ring(&config, &path)?;
    let own = config.secrets.key.is_none();
    // Opened before anything changes: what cannot be opened must not lose the key that could.
    let signed_in = google::signed_in(&config, &path)?;
    let store = match config.store.encrypt {
        true => Some(open_store(&config).await?),
        false => None,
    };
    let earlier = config.secrets.previous_keys.len();
    let ring = match own && before.size() == 1 + earlier {
        true => secrets::rotate(&before, &file, false)?,
        false => before,
    };
    let mut what = Vec::new();
    if let Some(store) = &store {
        let done = store.rekey(&ring).await?;
        store.close().await;
        what.push(format!("{done} values of the store were sealed"));
    }
    if let Some(json) = &signed_in {
        google::keep(&config, &path, json)?;
        what.push("the sign-in was sealed again".to_owned());
    }
    if own {
        secrets::rotate(&ring, &file, true)?;
    }
    if what.is_empty() {
        what.push("nothing was sealed yet".to_owned());
    }
    let rest = match own {
        true => "the earlier keys were dropped",
        false => "previousKeys of [secrets] can be taken out now",
    };
    print(&format!("{}, the key is {} now; {rest}", what.join(", "), ring.name()))?;
    Ok(ExitCode::SUCCESS)
}
