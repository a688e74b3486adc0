//! What is kept in memory between requests, within bounds.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::book::Book;
use crate::formula::Parsed;

/// Is how many bytes of cell blocks are kept.
const BLOCK_BYTES: usize = 96 * 1024 * 1024;

/// Is how many books (without their cells) are kept.
const BOOKS: usize = 64;

/// Is how many parsed formulas are kept.
const FORMULAS: usize = 200_000;

/// Keeps the books and blocks that were used last.
#[derive(Default)]
pub(crate) struct Cache {
    books: HashMap<String, Arc<Book>>,
    order: VecDeque<String>,
    blocks: HashMap<i64, Kept>,
    bytes: usize,
    clock: u64,
    /// The parsed formulas of blocks, and the decimal sign they were parsed for.
    parsed: HashMap<i64, (char, Arc<Vec<Parsed>>)>,
    formulas: usize,
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

    /// Returns the cached formulas of a block.
    pub(crate) fn parsed(&self, id: i64, decimal: char) -> Option<Arc<Vec<Parsed>>> {
        let (sign, parsed) = self.parsed.get(&id)?;
        (*sign == decimal).then(|| Arc::clone(parsed))
    }

    /// Keeps the formulas of a block, dropping all others when the bound is passed.
    pub(crate) fn put_parsed(&mut self, id: i64, decimal: char, parsed: Arc<Vec<Parsed>>) {
        self.drop_parsed(id);
        if self.formulas + parsed.len() > FORMULAS {
            self.parsed.clear();
            self.formulas = 0;
        }
        self.formulas += parsed.len();
        self.parsed.insert(id, (decimal, parsed));
    }

    fn drop_parsed(&mut self, id: i64) {
        if let Some((_, old)) = self.parsed.remove(&id) {
            self.formulas -= old.len();
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
            self.drop_parsed(id);
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
