//! One transaction as the handlers see it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::cache::{Cache, Staged};
use crate::book::{Book, Head, Sheet};
use crate::formula::Parsed;
use crate::grid::{Blocks, formulas_of};
use crate::http::ApiError;

/// Gives access to books, blocks and plain SQL inside one transaction.
pub(crate) struct Session<'a> {
    connection: &'a Connection,
    cache: &'a mut Cache,
    staged: Staged,
    /// The time, in milliseconds since 1970 UTC.
    now_ms: i64,
    /// Whether what is changed is kept.
    writes: bool,
    /// Books whose values change with time, as they are now; only in reads.
    fresh: HashMap<String, Arc<Book>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        cache: &'a mut Cache,
        now_ms: i64,
        writes: bool,
    ) -> Self {
        let staged = Staged::default();
        Self { connection, cache, staged, now_ms, writes, fresh: HashMap::new() }
    }

    pub(super) fn finish(self) -> Result<Staged, ApiError> {
        Ok(self.staged)
    }

    /// Returns the connection, inside the transaction, for tables other than those of books.
    pub(crate) fn sql(&self) -> &Connection {
        self.connection
    }

    /// Returns a book, or the recorded 404.
    ///
    /// A read sees TODAY and NOW, and what depends on them, as of its own time; a write computes
    /// them when it saves.
    pub(crate) fn book(&mut self, id: &str) -> Result<Arc<Book>, ApiError> {
        let book = self.find_book(id)?.ok_or_else(ApiError::not_found)?;
        if self.writes || !book.sheets.iter().any(|sheet| sheet.grid.is_volatile()) {
            return Ok(book);
        }
        if let Some(fresh) = self.fresh.get(id) {
            return Ok(Arc::clone(fresh));
        }
        let now = crate::sheets::enter::local_time(&book, self.now_ms);
        let mut fresh = Book::clone(&book);
        crate::formula::recalculate(self, &mut fresh, Some(&book), now)?;
        let fresh = Arc::new(fresh);
        self.fresh.insert(id.to_owned(), Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Returns the formulas of a stored block, parsed for a decimal sign.
    pub(crate) fn parsed(&mut self, id: i64, decimal: char) -> Result<Arc<Vec<Parsed>>, ApiError> {
        if let Some(parsed) = self.cache.parsed(id, decimal) {
            return Ok(parsed);
        }
        let formulas = formulas_of(&self.load(id)?)?;
        let parsed = Arc::new(Parsed::all(&formulas, decimal));
        self.cache.put_parsed(id, decimal, Arc::clone(&parsed));
        Ok(parsed)
    }

    /// Returns a book, or `None` when there is none of that id.
    pub(crate) fn find_book(&mut self, id: &str) -> Result<Option<Arc<Book>>, ApiError> {
        if let Some(staged) = self.staged.books.get(id) {
            return Ok(staged.clone());
        }
        if let Some(book) = self.cache.book(id) {
            return Ok(Some(book));
        }
        let Some(book) = self.load_book(id)? else {
            return Ok(None);
        };
        let book = Arc::new(book);
        self.cache.put_book(id, Arc::clone(&book));
        Ok(Some(book))
    }

    /// Writes a book: the head, the sheets and the blocks that differ from what is stored; and
    /// notes the change of its file.
    pub(crate) fn save(&mut self, book: Book) -> Result<Arc<Book>, ApiError> {
        let book = self.save_cells(book)?;
        crate::drive::book_saved(self.connection, &book.id, book.title(), self.now_ms)?;
        Ok(book)
    }

    /// Writes a book whose file was changed already.
    pub(crate) fn save_cells(&mut self, mut book: Book) -> Result<Arc<Book>, ApiError> {
        let now = crate::sheets::enter::local_time(&book, self.now_ms);
        let before = self.find_book(&book.id)?;
        crate::formula::recalculate(self, &mut book, before.as_deref(), now)?;
        let head_changed =
            before.as_ref().is_none_or(|before| !Arc::ptr_eq(&before.head, &book.head));
        if head_changed {
            let record = serde_json::to_vec(&*book.head)?;
            self.connection
                .prepare_cached("INSERT INTO books(id, record) VALUES(?1, ?2) ON CONFLICT(id) DO UPDATE SET record = excluded.record")?
                .execute(params![book.id, record])?;
        }
        let mut kept = HashSet::new();
        for sheet in &mut book.sheets {
            let id = sheet.id;
            kept.insert(id);
            let old = before.as_ref().and_then(|before| before.sheet_arc(id)).cloned();
            if old.as_ref().is_some_and(|old| Arc::ptr_eq(old, sheet)) {
                continue;
            }
            self.save_sheet(&book.id, Arc::make_mut(sheet), old.as_deref())?;
        }
        for old in before.iter().flat_map(|before| &before.sheets) {
            if !kept.contains(&old.id) {
                self.remove_sheet(&book.id, old)?;
            }
        }
        let book = Arc::new(book);
        self.staged.books.insert(book.id.clone(), Some(Arc::clone(&book)));
        Ok(book)
    }

    /// Removes a book with all its sheets; `false` when there is none of that id.
    pub(crate) fn remove_book(&mut self, id: &str) -> Result<bool, ApiError> {
        let Some(book) = self.find_book(id)? else {
            return Ok(false);
        };
        for sheet in &book.sheets {
            self.remove_sheet(id, sheet)?;
        }
        self.connection.execute("DELETE FROM books WHERE id = ?1", params![id])?;
        self.staged.books.insert(id.to_owned(), None);
        Ok(true)
    }

    fn load_book(&self, id: &str) -> Result<Option<Book>, ApiError> {
        let record: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT record FROM books WHERE id = ?1")?
            .query_row(params![id], |row| row.get(0))
            .optional()?;
        let Some(record) = record else {
            return Ok(None);
        };
        let head: Head = serde_json::from_slice(&record)?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT record FROM sheets WHERE book = ?1 AND id = ?2")?;
        let mut sheets = Vec::with_capacity(head.order.len());
        for sheet in &head.order {
            let record: Vec<u8> = statement.query_row(params![id, sheet], |row| row.get(0))?;
            let sheet: Sheet = serde_json::from_slice(&record)?;
            sheets.push(Arc::new(sheet));
        }
        Ok(Some(Book { id: id.to_owned(), head: Arc::new(head), sheets }))
    }

    fn save_sheet(
        &mut self,
        book: &str,
        sheet: &mut Sheet,
        old: Option<&Sheet>,
    ) -> Result<(), ApiError> {
        for encoded in sheet.grid.encode() {
            let id = self.insert_block(&encoded.data)?;
            sheet.grid.stored(encoded.slot, id);
            self.staged.blocks.push((id, encoded.data));
        }
        let ids: HashSet<i64> = sheet.grid.ids().collect();
        for id in old.iter().flat_map(|old| old.grid.ids()) {
            if !ids.contains(&id) {
                self.remove_block(id)?;
            }
        }
        let record = serde_json::to_vec(sheet)?;
        self.connection
            .prepare_cached("INSERT INTO sheets(book, id, record) VALUES(?1, ?2, ?3) ON CONFLICT(book, id) DO UPDATE SET record = excluded.record")?
            .execute(params![book, sheet.id, record])?;
        Ok(())
    }

    fn remove_sheet(&mut self, book: &str, sheet: &Sheet) -> Result<(), ApiError> {
        for id in sheet.grid.ids() {
            self.remove_block(id)?;
        }
        self.connection
            .execute("DELETE FROM sheets WHERE book = ?1 AND id = ?2", params![book, sheet.id])?;
        Ok(())
    }

    fn insert_block(&self, data: &[u8]) -> Result<i64, ApiError> {
        self.connection
            .prepare_cached("INSERT INTO blocks(data) VALUES(?1)")?
            .execute(params![data])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn remove_block(&mut self, id: i64) -> Result<(), ApiError> {
        self.connection.prepare_cached("DELETE FROM blocks WHERE id = ?1")?.execute(params![id])?;
        self.staged.gone.push(id);
        Ok(())
    }
}

impl Blocks for Session<'_> {
    fn load(&mut self, id: i64) -> Result<Arc<[u8]>, ApiError> {
        if let Some(data) = self.cache.block(id) {
            return Ok(data);
        }
        if let Some((_, data)) = self.staged.blocks.iter().find(|(staged, _)| *staged == id) {
            return Ok(Arc::clone(data));
        }
        let data: Arc<[u8]> = self
            .connection
            .prepare_cached("SELECT data FROM blocks WHERE id = ?1")?
            .query_row(params![id], |row| Ok(row.get_ref(0)?.as_blob()?.into()))?;
        self.cache.put_block(id, Arc::clone(&data));
        Ok(data)
    }
}
