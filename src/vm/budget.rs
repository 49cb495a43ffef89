//! What the things in a store may take together.

use std::cell::Cell;
use std::ptr::NonNull;

/// The most that a store may have of something, and what it has.
pub struct Budget {
    limit: Cell<u64>,
    used: Cell<u64>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { limit: Cell::new(u64::MAX), used: Cell::new(0) }
    }
}

impl Budget {
    /// Sets the most there may be. What there is already stays.
    pub fn set_limit(&self, limit: u64) {
        self.limit.set(limit);
    }

    /// The most there may be.
    pub fn limit(&self) -> u64 {
        self.limit.get()
    }

    /// What there is.
    pub fn used(&self) -> u64 {
        self.used.get()
    }

    /// Whether there is so much left.
    pub(super) fn has(&self, amount: u64) -> bool {
        self.used.get().checked_add(amount).is_some_and(|used| used <= self.limit.get())
    }

    /// Takes what it has, until that is given back: for those who know their budget.
    pub(super) fn take(&self, amount: u64) {
        debug_assert!(self.has(amount));
        self.used.set(self.used.get() + amount);
    }

    /// Gives back what has been taken.
    pub(super) fn give_back(&self, amount: u64) {
        self.used.set(self.used.get() - amount);
    }

    /// Takes `amount`; none when it is more than is left.
    ///
    /// # Safety
    ///
    /// The budget stays where it is, and outlives the charge: a store's does for what is in it.
    pub(super) unsafe fn charge(&self, amount: u64) -> Option<Charge> {
        let charge = Charge { budget: NonNull::from(self), amount: Cell::new(0) };
        charge.grow(amount).then_some(charge)
    }
}

/// A part of a budget that is in use as long as this lives.
pub(super) struct Charge {
    budget: NonNull<Budget>,
    amount: Cell<u64>,
}

impl Charge {
    fn budget(&self) -> &Budget {
        // SAFETY: the budget outlives this (contract of `charge`).
        unsafe { self.budget.as_ref() }
    }

    /// Takes `more`; false, and nothing is taken, when it is more than is left.
    pub fn grow(&self, more: u64) -> bool {
        let used = self.budget().used.get().checked_add(more);
        let Some(used) = used.filter(|used| more == 0 || *used <= self.budget().limit.get()) else {
            return false;
        };
        self.budget().used.set(used);
        self.amount.set(self.amount.get() + more);
        true
    }

    /// What could still be taken.
    pub fn left(&self) -> u64 {
        self.budget().limit.get().saturating_sub(self.budget().used.get())
    }

    /// Gives back `less` of what has been taken.
    pub fn shrink(&self, less: u64) {
        self.amount.set(self.amount.get() - less);
        self.budget().used.set(self.budget().used.get() - less);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink(self.amount.get());
    }
}

/// The budgets of a store.
#[derive(Default)]
pub struct Budgets {
    /// Bytes of linear memories.
    pub memory: Budget,
    /// Elements of tables.
    pub elements: Budget,
    /// Instances.
    pub instances: Budget,
    /// Bytes of the heap.
    pub heap: Budget,
}
