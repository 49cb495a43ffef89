//! Freeing: what is freed when, and what belongs to the embedder and is dropped last.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::rc::Rc;

use super::{
    BYTES_PER_OBJECT, EntityKind, ExternNode, FEW_OBJECTS, HostFunc, HostGlobal, HostMemory,
    HostTable, HostTag, Instance, Node, NodeKind, ObjectNode, Store, StoreRc, enter,
};
use crate::abi::layout::CLEANUP;

impl Store {
    /// Frees what has become unreachable: what can be freed at once, and the rest if so much is
    /// waiting that the effort pays.
    pub(super) fn settle(&self) {
        if self.is_busy() {
            return;
        }
        self.set_unusual(CLEANUP, false);
        self.drop_set_aside();
        let mut deferred = self.deferred.take();
        if !deferred.is_empty() {
            deferred.retain(|node| {
                // SAFETY: nothing has been freed since it was deferred.
                let head = unsafe { node.as_ref() };
                head.deferred.set(false);
                head.is_unneeded()
            });
            self.free(deferred);
        }
        // Marking looks at everything in the store, so it has to wait until a part of the last
        // one's effort has been brought in; small stores do it at once.
        const EFFORT_PER_WAITING: usize = 64;
        let waiting = self.waiting.get();
        if waiting > 0 && waiting.saturating_mul(EFFORT_PER_WAITING) >= self.mark_cost.get() {
            self.collect();
        }
    }

    /// Does what had to wait while code of the store ran: called when the host has taken over what
    /// the outermost entry has returned.
    ///
    /// # Safety
    ///
    /// The caller owns the store, or does not use it any more.
    pub unsafe fn left(&self) {
        self.settle();
        if self.orphaned.get() && !self.is_entered() {
            self.orphaned.set(false);
            // SAFETY: the last owner has left its share to whoever gets here.
            drop(StoreRc(ManuallyDrop::new(unsafe { Rc::from_raw(self) })));
        }
    }

    /// Whether the last owner has gone while code of the store ran.
    pub(in crate::vm) fn is_orphaned(&self) -> bool {
        self.orphaned.get()
    }

    /// Frees everything that nothing reaches; while code of the store runs, of that only objects. To
    /// be called where the embedder's code may run.
    pub fn collect(&self) {
        if self.is_held() {
            return;
        }
        enter::forget_jumped_over();
        if self.is_entered() {
            self.collect_inside(0);
        } else {
            self.waiting.set(0);
            let (unmarked, cost) = self.mark_all();
            self.mark_cost.set(cost);
            self.free(unmarked);
        }
        self.drop_set_aside();
    }

    /// Frees objects if there are many that are of the host or have something attached; to be called
    /// where the embedder's code may run, before there is another one.
    pub(in crate::vm) fn before_object(&self) {
        let count = || self.externs.borrow().count() + self.object_attachments.borrow().len();
        if self.is_held() || !self.config.collect_always && count() < self.object_limit.get() {
            return self.drop_set_aside();
        }
        enter::forget_jumped_over();
        self.collect_inside(0);
        // As many again as there are, so that looking at all of them pays; and as it means to move
        // the heap's objects, the more of those there are.
        let heap = self.heap_used() as usize / BYTES_PER_OBJECT;
        self.object_limit.set(count().saturating_mul(2).max(FEW_OBJECTS).saturating_add(heap));
        self.drop_set_aside();
    }

    /// The nodes that there are.
    pub(in crate::vm) fn nodes(&self) -> Vec<NonNull<Node>> {
        self.nodes.all()
    }

    /// Frees these nodes and whatever only they needed; then drops what belongs to the embedder.
    pub(super) fn free(&self, nodes: Vec<NonNull<Node>>) {
        let garbage = self.take_apart(nodes);
        self.drop_garbage(garbage);
    }

    /// Frees a node and whatever only it needed; then drops what belongs to the embedder.
    pub(super) fn free_one(&self, node: NonNull<Node>) {
        // SAFETY: the caller has found the node alive.
        if unsafe { node.as_ref().kind != NodeKind::Instance || !links(node).is_empty() } {
            return self.free(vec![node]);
        }
        self.freeing.set(true);
        let attached = self.detach(node);
        // SAFETY: the kind is that of an instance; else as in `take_apart`.
        let owner = unsafe { Instance::free(node.cast()) };
        self.freeing.set(false);
        self.drop_garbage(attached);
        // A module: no code of the embedder.
        drop(owner);
    }

    /// Frees these nodes where no code of the embedder may run.
    pub(in crate::vm) fn set_aside(&self, nodes: Vec<NonNull<Node>>) {
        let garbage = self.take_apart(nodes);
        self.set_aside.borrow_mut().extend(garbage);
        self.need_cleanup();
    }

    /// Drops what has been set aside.
    pub(super) fn drop_set_aside(&self) {
        if !self.is_held() && !self.set_aside.borrow().is_empty() {
            self.drop_garbage(self.set_aside.take());
        }
    }

    /// Gives what is attached to objects on the heap their new places; none is that of an object that
    /// is gone.
    pub(in crate::vm) fn move_attachments(&self, place: impl Fn(u32) -> Option<u32>) {
        let mut attachments = self.object_attachments.borrow_mut();
        if attachments.is_empty() {
            return;
        }
        for (reference, data) in std::mem::take(&mut *attachments) {
            match place(reference) {
                Some(new) => drop(attachments.insert(new, data)),
                None => {
                    self.set_aside.borrow_mut().push(data);
                    self.need_cleanup();
                }
            }
        }
    }

    /// Frees these nodes and whatever only they needed. Returns what belongs to the embedder.
    fn take_apart(&self, mut nodes: Vec<NonNull<Node>>) -> Vec<Box<dyn Any>> {
        let mut owners = Vec::new();
        self.freeing.set(true);
        // From here on `escaped` says of a node that it is in the list.
        for node in &nodes {
            // SAFETY: the caller has found the nodes alive.
            unsafe { node.as_ref() }.escaped.set(true);
        }
        let mut next = 0;
        while let Some(node) = nodes.get(next).copied() {
            next += 1;
            // SAFETY: nothing is destroyed before all links have been followed.
            for (_, linked) in unsafe { links(node) } {
                let linked = *linked;
                // SAFETY: as above.
                let head = unsafe { linked.as_ref() };
                head.links.set(head.links.get() - 1);
                if head.is_unneeded() {
                    head.escaped.set(true);
                    nodes.push(linked);
                } else if head.roots.get() == 0 && head.links.get() == 0 {
                    self.waiting.set(self.waiting.get() + 1);
                }
            }
        }
        let mut garbage = Vec::new();
        for node in nodes {
            garbage.extend(self.detach(node));
            // SAFETY: nothing refers to the node any more: it was not marked, or it had neither
            // roots nor links nor escaped references.
            unsafe { destroy(node, &mut garbage, &mut owners) };
        }
        self.freeing.set(false);
        garbage
    }

    /// Drops what runs the embedder's code, one after the other even if that code frees more.
    fn drop_garbage(&self, garbage: Vec<Box<dyn Any>>) {
        if garbage.is_empty() {
            return;
        }
        let mut waiting = self.garbage.borrow_mut();
        let already_dropping = !waiting.is_empty();
        waiting.extend(garbage);
        drop(waiting);
        if already_dropping {
            return;
        }
        let next = || self.garbage.borrow().len().checked_sub(1);
        while let Some(last) = next() {
            // The place stays taken while its content is dropped, so that others see somebody is
            // at it.
            let dropped = std::mem::replace(&mut self.garbage.borrow_mut()[last], Box::new(()));
            drop(dropped);
            self.garbage.borrow_mut().swap_remove(last);
        }
    }

    /// Takes a node out of the store's lists. Returns what was attached to it.
    fn detach(&self, node: NonNull<Node>) -> Vec<Box<dyn Any>> {
        // SAFETY: the node is live, and adopted.
        unsafe { self.nodes.remove(node) };
        // SAFETY: as above.
        if unsafe { node.as_ref() }.deferred.get() {
            self.deferred.borrow_mut().retain(|other| *other != node);
        }
        let mut pointers = self.pointers.borrow_mut();
        if !pointers.is_empty() {
            pointers.remove(&node);
        }
        let mut attachments = self.attachments.borrow_mut();
        if attachments.is_empty() {
            return Vec::new();
        }
        let attached = attachments.remove(&node).into_iter().flatten();
        attached.map(|(_, data)| data).collect()
    }
}

/// The nodes that a node imports from, once for each import.
///
/// # Safety
///
/// The node is live.
unsafe fn links<'a>(node: NonNull<Node>) -> &'a [(EntityKind, NonNull<Node>)] {
    // SAFETY: the kind says what the node is (contract of `adopt`).
    unsafe {
        match node.as_ref().kind {
            NodeKind::Instance => node.cast::<Instance>().as_ref().links(),
            _ => &[],
        }
    }
}

/// Frees a node's memory; what the embedder has to drop goes to `garbage`, modules go to `owners`.
///
/// # Safety
///
/// Nothing refers to the node.
unsafe fn destroy(
    node: NonNull<Node>,
    garbage: &mut Vec<Box<dyn Any>>,
    owners: &mut Vec<Rc<dyn Any>>,
) {
    // SAFETY: the kind says what the node is, and how it was made (contract of `adopt`).
    unsafe {
        match node.as_ref().kind {
            NodeKind::Instance => owners.push(Instance::free(node.cast())),
            NodeKind::Func => {
                garbage.push(Box::from_raw(node.cast::<HostFunc>().as_ptr()).into_data());
            }
            NodeKind::Memory => drop(Box::from_raw(node.cast::<HostMemory>().as_ptr())),
            NodeKind::Table => drop(Box::from_raw(node.cast::<HostTable>().as_ptr())),
            NodeKind::Global => drop(Box::from_raw(node.cast::<HostGlobal>().as_ptr())),
            NodeKind::Tag => drop(Box::from_raw(node.cast::<HostTag>().as_ptr())),
            NodeKind::Object => drop(Box::from_raw(node.cast::<ObjectNode>().as_ptr())),
            NodeKind::Extern => {
                Box::from_raw(node.cast::<ExternNode>().as_ptr()).take_apart(garbage);
            }
        }
    }
}
