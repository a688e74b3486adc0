//! Connections that open what is sealed: every statement's rows pass through here.

use std::fmt;
use std::ops::{Deref, DerefMut};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryFutureExt as _};
use sqlx::any::{AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Describe, Either, Execute, Executor, Pool, SqlStr, Transaction};

use super::seal::Seal;
use crate::error::Result;

/// A connection in use, mostly inside a transaction; [`Tx`] ends it.
pub(super) struct Conn {
    inner: Inner,
    /// Seals what is written over it.
    pub(super) seal: Seal,
}

enum Inner {
    Transaction(Transaction<'static, Any>),
    Lent(PoolConnection<Any>),
}

impl Conn {
    /// Returns the connection below, which opens and seals nothing.
    pub(super) fn raw(&mut self) -> &mut AnyConnection {
        match &mut self.inner {
            Inner::Transaction(tx) => tx,
            Inner::Lent(conn) => conn,
        }
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn").field("seal", &self.seal).finish_non_exhaustive()
    }
}

/// A transaction, or a connection that was lent.
#[derive(Debug)]
pub(super) struct Tx(Conn);

impl Tx {
    pub(super) fn new(tx: Transaction<'static, Any>, seal: Seal) -> Self {
        Self(Conn { inner: Inner::Transaction(tx), seal })
    }

    /// Makes what was written lasting.
    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self.0.inner {
            Inner::Transaction(tx) => tx.commit().await,
            Inner::Lent(_) => Ok(()),
        }
    }

    /// Takes what was written back.
    #[cfg(test)]
    pub(super) async fn rollback(self) -> sqlx::Result<()> {
        match self.0.inner {
            Inner::Transaction(tx) => tx.rollback().await,
            Inner::Lent(_) => Ok(()),
        }
    }
}

impl Deref for Tx {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}

/// The connections that read.
#[derive(Clone, Debug)]
pub(super) struct Reads {
    pub(super) pool: Pool<Any>,
    pub(super) seal: Seal,
}

impl Reads {
    /// Lends a connection.
    pub(super) async fn acquire(&self) -> Result<Tx> {
        let inner = Inner::Lent(self.pool.acquire().await?);
        Ok(Tx(Conn { inner, seal: self.seal.clone() }))
    }
}

type Many<'e> = BoxStream<'e, sqlx::Result<Either<AnyQueryResult, AnyRow>>>;

fn many<'e>(stream: Many<'e>, seal: Seal) -> Many<'e> {
    if !seal.is_on() {
        return stream;
    }
    let open = move |found: sqlx::Result<Either<AnyQueryResult, AnyRow>>| match found {
        Ok(Either::Right(row)) => seal.row(row).map(Either::Right),
        other => other,
    };
    Box::pin(stream.map(open))
}

impl<'c> Executor<'c> for &'c mut Conn {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Many<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let seal = self.seal.clone();
        many(self.raw().fetch_many(query), seal)
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<AnyRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let seal = self.seal.clone();
        let found = self.raw().fetch_optional(query);
        Box::pin(found.and_then(async move |row| row.map(|row| seal.row(row)).transpose()))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<AnyStatement>>
    where
        'c: 'e,
    {
        self.raw().prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Any>>>
    where
        'c: 'e,
    {
        self.raw().describe(sql)
    }
}

impl<'p> Executor<'p> for &'p Reads {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Many<'e>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        many((&self.pool).fetch_many(query), self.seal.clone())
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<AnyRow>>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let seal = self.seal.clone();
        let found = (&self.pool).fetch_optional(query);
        Box::pin(found.and_then(async move |row| row.map(|row| seal.row(row)).transpose()))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<AnyStatement>>
    where
        'p: 'e,
    {
        (&self.pool).prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Any>>>
    where
        'p: 'e,
    {
        (&self.pool).describe(sql)
    }
}
