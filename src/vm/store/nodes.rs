//! The list of what is in a store.

use std::cell::Cell;
use std::ptr::NonNull;

use super::Node;

/// A node's neighbours in the list of its store.
#[derive(Default)]
pub(super) struct Neighbours {
    before: Cell<Option<NonNull<Node>>>,
    after: Cell<Option<NonNull<Node>>>,
}

/// Nodes, the newest first, that know their neighbours: a store that has few of them allocates
/// nothing for the list.
#[derive(Default)]
pub(super) struct Nodes {
    first: Cell<Option<NonNull<Node>>>,
    len: Cell<usize>,
}

impl Nodes {
    pub(super) fn len(&self) -> usize {
        self.len.get()
    }

    /// # Safety
    ///
    /// The node is in no list, and stays where it is until it is removed.
    pub(super) unsafe fn add(&self, node: NonNull<Node>) {
        let second = self.first.replace(Some(node));
        // SAFETY: what is in the list is there (the caller's contract, once for each).
        unsafe {
            node.as_ref().neighbours.after.set(second);
            if let Some(second) = second {
                second.as_ref().neighbours.before.set(Some(node));
            }
        }
        self.len.set(self.len.get() + 1);
    }

    /// # Safety
    ///
    /// The node is in this list.
    pub(super) unsafe fn remove(&self, node: NonNull<Node>) {
        // SAFETY: what is in the list is there (contract of `add`).
        unsafe {
            let Neighbours { before, after } = &node.as_ref().neighbours;
            match before.get() {
                Some(before) => before.as_ref().neighbours.after.set(after.get()),
                None => self.first.set(after.get()),
            }
            if let Some(after) = after.get() {
                after.as_ref().neighbours.before.set(before.get());
            }
        }
        self.len.set(self.len.get() - 1);
    }

    /// All of them, the oldest first.
    pub(super) fn all(&self) -> Vec<NonNull<Node>> {
        let mut all = Vec::with_capacity(self.len.get());
        let mut next = self.first.get();
        while let Some(node) = next {
            all.push(node);
            // SAFETY: what is in the list is there (contract of `add`).
            next = unsafe { node.as_ref() }.neighbours.after.get();
        }
        all.reverse();
        all
    }
}
