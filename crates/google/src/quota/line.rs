//! The calls that wait for a place: who is next.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::calls::Priority;

/// So many interactive calls may go one after the other while background work waits.
const IN_A_ROW: u32 = 9;

/// Waiting calls: interactive ones go first, and the scopes of a class take turns.
///
/// Background work never starves: while it waits it gets at least every tenth place, and the next
/// one if it got none for a whole window.
#[derive(Debug)]
pub(super) struct Line<T> {
    patience: Duration,
    next: u64,
    interactive: Class<T>,
    background: Class<T>,
    /// Interactive calls that went since background work, which waits, had its last turn.
    in_a_row: u32,
    /// Since when background work waits without a place.
    background_since: Option<Instant>,
}

/// What the next call in a line may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Every place.
    Interactive,
    /// A place that is not kept free for interactive calls.
    Background,
    /// Every place: background work waited long enough.
    Due,
}

impl<T> Line<T> {
    /// Returns an empty line in which background work waits at most `patience` for its turn.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            next: 0,
            interactive: Class::default(),
            background: Class::default(),
            in_a_row: 0,
            background_since: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.interactive.is_empty() && self.background.is_empty()
    }

    /// Puts a call of a scope in line, `first` before those that wait already; returns its number.
    pub(super) fn enter(
        &mut self,
        scope: u64,
        priority: Priority,
        first: bool,
        ticket: T,
        now: Instant,
    ) -> u64 {
        self.next += 1;
        if priority == Priority::Background && self.background.is_empty() {
            self.background_since = Some(now);
        }
        let number = self.next;
        self.class(priority).enter(scope, first, (number, ticket));
        number
    }

    /// Takes a call out that no longer waits.
    pub(super) fn leave(&mut self, priority: Priority, number: u64) {
        self.class(priority).leave(number);
    }

    /// Returns who is next.
    pub(super) fn turn(&self, now: Instant) -> Option<Turn> {
        let overdue = self
            .background_since
            .is_some_and(|since| now.saturating_duration_since(since) >= self.patience);
        match (self.interactive.is_empty(), self.background.is_empty()) {
            (true, true) => None,
            (false, true) => Some(Turn::Interactive),
            (_, false) if overdue => Some(Turn::Due),
            (true, false) => Some(Turn::Background),
            (false, false) if self.in_a_row >= IN_A_ROW => Some(Turn::Due),
            (false, false) => Some(Turn::Interactive),
        }
    }

    /// Takes the next call out, to go.
    pub(super) fn take(&mut self, now: Instant) -> Option<T> {
        match self.turn(now)? {
            Turn::Interactive => {
                let waits = !self.background.is_empty();
                self.in_a_row = if waits { self.in_a_row + 1 } else { 0 };
                self.interactive.take()
            }
            Turn::Background | Turn::Due => {
                self.in_a_row = 0;
                self.background_since = Some(now);
                self.background.take()
            }
        }
    }

    /// Returns how many of those that wait now go before a call.
    pub(super) fn ahead(&self, priority: Priority, number: u64) -> usize {
        match priority {
            Priority::Interactive => self.interactive.ahead(number),
            Priority::Background => self.interactive.len() + self.background.ahead(number),
        }
    }

    /// Returns whether interactive calls wait.
    pub(super) fn has_interactive(&self) -> bool {
        !self.interactive.is_empty()
    }

    fn class(&mut self, priority: Priority) -> &mut Class<T> {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Background => &mut self.background,
        }
    }
}

/// The waiting calls of one class: a queue a scope, the scope whose turn is next first.
#[derive(Debug)]
struct Class<T>(VecDeque<Queue<T>>);

/// The waiting calls of one scope, never empty.
#[derive(Debug)]
struct Queue<T> {
    scope: u64,
    calls: VecDeque<(u64, T)>,
}

impl<T> Default for Class<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Class<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn len(&self) -> usize {
        self.0.iter().map(|queue| queue.calls.len()).sum()
    }

    fn enter(&mut self, scope: u64, first: bool, call: (u64, T)) {
        let at = self.0.iter().position(|queue| queue.scope == scope);
        let mut queue = at
            .and_then(|at| self.0.remove(at))
            .unwrap_or_else(|| Queue { scope, calls: VecDeque::new() });
        if first {
            queue.calls.push_front(call);
            self.0.push_front(queue);
        } else {
            queue.calls.push_back(call);
            self.0.insert(at.unwrap_or(self.0.len()), queue);
        }
    }

    fn leave(&mut self, number: u64) {
        for queue in &mut self.0 {
            queue.calls.retain(|(other, _)| *other != number);
        }
        self.0.retain(|queue| !queue.calls.is_empty());
    }

    fn take(&mut self) -> Option<T> {
        let mut queue = self.0.pop_front()?;
        let (_, ticket) = queue.calls.pop_front()?;
        if !queue.calls.is_empty() {
            self.0.push_back(queue);
        }
        Some(ticket)
    }

    fn ahead(&self, number: u64) -> usize {
        let place = |queue: &Queue<T>| queue.calls.iter().position(|(other, _)| *other == number);
        let found = self.0.iter().enumerate().find_map(|(at, queue)| Some((at, place(queue)?)));
        let Some((mine, depth)) = found else { return 0 };
        let before = |(at, queue): (usize, &Queue<T>)| match at.cmp(&mine) {
            Ordering::Less => queue.calls.len().min(depth + 1),
            Ordering::Equal => depth,
            Ordering::Greater => queue.calls.len().min(depth),
        };
        self.0.iter().enumerate().map(before).sum()
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod line_tests;
