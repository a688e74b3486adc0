//! Plans, by the hash of what they say, for a day.

use jiff::{SignedDuration, Timestamp};
use lockstep_engine::plan::Plan;
use serde_json::Value as Json;

use super::base::work;
use super::codec::{damaged, json, micros, parse, time};
use super::segment::{Packed, expand, pack_json};
use super::{Conn, Store};
use crate::error::{Error, Kind, Result};

/// How long a plan may be applied.
const LIFE: SignedDuration = SignedDuration::from_hours(24);

/// The fewest digits that name a plan.
const FEWEST_DIGITS: usize = 8;

/// A plan with what it was computed for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredPlan {
    /// The plan, its content proven to be the one it is named for.
    pub(crate) plan: Plan,
    /// The definition of the dataset it was computed for; opaque here.
    pub(crate) definition: Json,
    /// When it was first stored.
    pub(crate) created: Timestamp,
    /// From when on it must not be applied.
    pub(crate) expires: Timestamp,
}

/// What a name of a plan leads to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PlanLookup<T = Box<StoredPlan>> {
    /// The plan.
    Found(T),
    /// A plan that is too old to be applied.
    Expired {
        /// Its whole name.
        id: String,
        /// Since when.
        expired: Timestamp,
    },
    /// No plan.
    Unknown,
    /// Several plans: more digits are needed.
    Many,
}

impl<T> PlanLookup<T> {
    /// Returns what was found, or why nothing was as an answer of another type.
    fn found<U>(self) -> std::result::Result<T, PlanLookup<U>> {
        Err(match self {
            Self::Found(found) => return Ok(found),
            Self::Expired { id, expired } => PlanLookup::Expired { id, expired },
            Self::Unknown => PlanLookup::Unknown,
            Self::Many => PlanLookup::Many,
        })
    }
}

impl Store {
    /// Stores a plan for 24 hours; storing it again renews the time and takes over the definition.
    ///
    /// # Errors
    /// A plan larger than the store can hold.
    pub(crate) async fn put_plan(
        &self,
        plan: &Plan,
        definition: &Json,
        now: Timestamp,
    ) -> Result<()> {
        let expires = now
            .checked_add(LIFE)
            .map_err(|error| Error::invalid("the time is out of range").with_source(error))?;
        let body = plan.shared();
        let body = work(move || pack_json(&*body)).await?;
        let definition = json(definition)?;
        let mut tx = self.write().await?;
        let body = tx.seal.packed(("body_digest", "body"), body)?;
        sqlx::query(
            "INSERT INTO plans (id, dataset, created, expires, definition, body_digest, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (id) DO UPDATE SET expires = excluded.expires,
                 definition = excluded.definition",
        )
        .bind(plan.id())
        .bind(&plan.body().basis.dataset)
        .bind(micros(now))
        .bind(micros(expires))
        .bind(tx.seal.text("definition", definition)?)
        .bind(body.digest)
        .bind(body.data)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Returns the names of the latest plans that may be applied yet, the newest first.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn plan_ids(&self, now: Timestamp, limit: u32) -> Result<Vec<String>> {
        let mut tx = self.read().await?;
        Ok(sqlx::query_scalar(
            "SELECT id FROM plans WHERE expires > $1 ORDER BY created DESC, id LIMIT $2",
        )
        .bind(micros(now))
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?)
    }

    /// Finds a plan by its name's first 8 to 64 digits.
    ///
    /// # Errors
    /// A name that is none, and a plan whose stored content is not the one it is named for.
    pub(crate) async fn plan(&self, id_prefix: &str, now: Timestamp) -> Result<PlanLookup> {
        let mut tx = self.read().await?;
        let (id, expires) = match named(&mut tx, id_prefix, now).await?.found() {
            Ok(found) => found,
            Err(none) => return Ok(none),
        };
        let (created, definition, digest, data): (i64, String, Vec<u8>, Vec<u8>) = sqlx::query_as(
            "SELECT created, definition, body_digest, body FROM plans WHERE id = $1",
        )
        .bind(&id)
        .fetch_one(&mut *tx)
        .await?;
        drop(tx);
        let plan = work(move || read(id, &Packed { digest, data })).await?;
        Ok(PlanLookup::Found(Box::new(StoredPlan {
            plan,
            definition: parse(&definition)?,
            created: time(created)?,
            expires,
        })))
    }

    /// Finds the whole name of a plan like [`plan`](Self::plan); its content is proven, and not held.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan).
    pub(crate) async fn plan_id(
        &self,
        id_prefix: &str,
        now: Timestamp,
    ) -> Result<PlanLookup<String>> {
        let mut tx = self.read().await?;
        let id = match named(&mut tx, id_prefix, now).await?.found() {
            Ok((id, _)) => id,
            Err(none) => return Ok(none),
        };
        let (digest, data): (Vec<u8>, Vec<u8>) =
            sqlx::query_as("SELECT body_digest, body FROM plans WHERE id = $1")
                .bind(&id)
                .fetch_one(&mut *tx)
                .await?;
        drop(tx);
        work(move || {
            // A plan is named by the hash of the very bytes that are stored.
            let mut hasher = blake3::Hasher::new();
            std::io::copy(&mut expand(&Packed { digest, data })?, &mut hasher)
                .map_err(|error| damaged("a plan cannot be expanded").with_source(error))?;
            let found = hasher.finalize().to_hex();
            if found.as_str() == id { Ok(PlanLookup::Found(id)) } else { Err(changed(&id, &found)) }
        })
        .await
    }
}

/// Finds the name of a plan by its first digits, and when it expires.
async fn named(
    conn: &mut Conn,
    id_prefix: &str,
    now: Timestamp,
) -> Result<PlanLookup<(String, Timestamp)>> {
    let prefix = id_prefix.trim().to_ascii_lowercase();
    if !(FEWEST_DIGITS..=64).contains(&prefix.len())
        || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Err(Error::invalid(format!("'{id_prefix}' is no plan id"))
            .next("give the planId as the plan's report has it: at least 8 hexadecimal digits"));
    }
    let names: Vec<(String, i64)> = sqlx::query_as(
        // 'g' comes after every hexadecimal digit.
        "SELECT id, expires FROM plans WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2",
    )
    .bind(&prefix)
    .bind(format!("{prefix}g"))
    .fetch_all(conn)
    .await?;
    let (id, expires) = match names.as_slice() {
        [] => return Ok(PlanLookup::Unknown),
        [one] => one.clone(),
        _ => return Ok(PlanLookup::Many),
    };
    let expires = time(expires)?;
    Ok(match expires <= now {
        true => PlanLookup::Expired { id, expired: expires },
        false => PlanLookup::Found((id, expires)),
    })
}

/// Reads a plan back and proves that its content has the name it is stored under.
fn read(id: String, packed: &Packed) -> Result<Plan> {
    let plan = Plan::new(
        serde_json::from_reader(expand(packed)?)
            .map_err(|error| damaged("a plan does not parse").with_source(error))?,
    );
    if plan.id() == id { Ok(plan) } else { Err(changed(&id, plan.id())) }
}

fn changed(id: &str, found: &str) -> Error {
    Error::new(
        Kind::StalePlan,
        format!("the stored plan {id} was changed after it was made: it hashes to {found}"),
    )
    .next("plan again; and find out who writes to the store file")
}
