//! What is kept in memory between requests, within bounds.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::book::Book;

/// Is how many bytes of cell blocks are kept.
const BLOCK_BYTES: usize = 96 * 1024 * 1024;

/// Is how many books (without their cells) are kept.
const BOOKS: usize = 64;

/// Keeps the books and blocks that were used last.
#[derive(Default)]
pub(crate) struct Cache {
    books: HashMap<String, Arc<Book>>,
    order: VecDeque<String>,
    blocks: HashMap<i64, Kept>,
    bytes: usize,
    clock: u64,
}

struct Kept {
    data: Arc<[u8]>,
    used: u64,
}

/// Is what a write transaction changed, to be kept once it is committed.
#[derive(Default)]
pub(crate) struct Staged {
    pub(crate) books: HashMap<String, Option<Arc<Book>>>,
    pub(crate) blocks: Vec<(i64, Arc<[u8]>)>,
    pub(crate) gone: Vec<i64>,
}

impl Cache {
    /// Returns a cached book.
    pub(crate) fn book(&self, id: &str) -> Option<Arc<Book>> {
        self.books.get(id).cloned()
    }

    /// Keeps a book, dropping the one that was loaded first when there are too many.
    pub(crate) fn put_book(&mut self, id: &str, book: Arc<Book>) {
        if self.books.insert(id.to_owned(), book).is_none() {
            self.order.push_back(id.to_owned());
            while self.order.len() > BOOKS {
                if let Some(oldest) = self.order.pop_front() {
                    self.books.remove(&oldest);
                }
            }
        }
    }

    /// Forgets all books, because another process changed the file.
    pub(crate) fn forget_books(&mut self) {
        self.books.clear();
        self.order.clear();
    }

    /// Returns a cached block.
    pub(crate) fn block(&mut self, id: i64) -> Option<Arc<[u8]>> {
        self.clock += 1;
        let kept = self.blocks.get_mut(&id)?;
        kept.used = self.clock;
        Some(Arc::clone(&kept.data))
    }

    /// Keeps a block, dropping the least recently used half when the bound is passed.
    pub(crate) fn put_block(&mut self, id: i64, data: Arc<[u8]>) {
        self.clock += 1;
        self.bytes += data.len();
        let kept = Kept { data, used: self.clock };
        if let Some(old) = self.blocks.insert(id, kept) {
            self.bytes -= old.data.len();
        }
        if self.bytes > BLOCK_BYTES {
            self.shrink();
        }
    }

    /// Takes over what a committed transaction changed.
    pub(crate) fn keep(&mut self, staged: Staged) {
        for (id, book) in staged.books {
            match book {
                Some(book) => self.put_book(&id, book),
                None => {
                    self.books.remove(&id);
                    self.order.retain(|kept| *kept != id);
                }
            }
        }
        for id in staged.gone {
            self.drop_block(id);
        }
        for (id, data) in staged.blocks {
            self.put_block(id, data);
        }
    }

    fn shrink(&mut self) {
        let mut by_age: Vec<(u64, i64)> =
            self.blocks.iter().map(|(id, kept)| (kept.used, *id)).collect();
        by_age.sort_unstable();
        for (_, id) in by_age {
            if self.bytes <= BLOCK_BYTES / 2 {
                break;
            }
            self.drop_block(id);
        }
    }

    fn drop_block(&mut self, id: i64) {
        if let Some(old) = self.blocks.remove(&id) {
            self.bytes -= old.data.len();
        }
    }
}
