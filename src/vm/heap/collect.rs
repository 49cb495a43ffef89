//! The collector: copies what is reachable from one space to the other (Cheney's algorithm), and
//! marks the store's nodes on the way, because objects and nodes refer to each other.

use std::ops::Range;
use std::ptr::{self, NonNull};

use super::{Heap, KEPT, MOVED};
use crate::abi::layout::VMFuncRef;
use crate::abi::object;
use crate::vm::exception::Tag;
use crate::vm::refs::{context_node, host_index};
use crate::vm::store::{Node, Store, trace};
use crate::vm::sys;
use crate::vm::trap;
use crate::vm::types::{Kept, Shape};

/// Who is told what something refers to.
pub(in crate::vm) trait Tracer {
    /// A node.
    fn node(&mut self, node: NonNull<Node>);

    /// A reference of 32 bits, which may be changed.
    ///
    /// # Safety
    ///
    /// There is such a reference at the address.
    unsafe fn reference(&mut self, at: *mut u32);

    /// The address of a function's reference, or null.
    ///
    /// # Safety
    ///
    /// There is such an address, and the function is live.
    unsafe fn func(&mut self, at: *const *const VMFuncRef) {
        // SAFETY: the caller's contract.
        unsafe {
            let func = at.read();
            if !func.is_null() {
                self.node(context_node((*func).vmctx));
            }
        }
    }
}

/// A collection that is going on.
struct Collection<'s> {
    store: &'s Store,
    heap: Option<&'s Heap>,
    /// The space that objects are moved out of.
    from: Range<u32>,
    /// Objects up to here, in the other space, refer to objects that have been moved.
    scanned: u32,
    /// The end of what has been moved.
    end: u32,
    /// Nodes that are reachable but have not been looked at.
    grey: Vec<NonNull<Node>>,
    /// Nodes and references looked at.
    cost: usize,
}

impl Tracer for Collection<'_> {
    fn node(&mut self, node: NonNull<Node>) {
        self.cost += 1;
        // SAFETY: edges lead to live nodes.
        if !unsafe { node.as_ref() }.mark() {
            self.grey.push(node);
        }
    }

    unsafe fn reference(&mut self, at: *mut u32) {
        // SAFETY: the caller's contract.
        let reference = unsafe { at.read() };
        if let Some(index) = host_index(reference) {
            self.node(self.store.extern_node(index));
        } else if reference.is_multiple_of(object::ALIGN) && self.from.contains(&reference) {
            // SAFETY: as above.
            unsafe { at.write(self.moved(reference)) };
        }
    }
}

impl Collection<'_> {
    /// Where an object is now.
    fn moved(&mut self, reference: u32) -> u32 {
        let store = self.store;
        let header = store.object(reference, 0).cast::<u32>();
        // SAFETY: references into the space are to objects, or to what has been left of them.
        unsafe {
            if header.read() == MOVED {
                return header.add(1).read();
            }
            let size = store.object_size(reference);
            let to = self.end;
            ptr::copy_nonoverlapping(header.cast::<u8>(), store.object(to, 0), size as usize);
            header.write(MOVED);
            header.add(1).write(to);
            self.end += size;
            self.cost += 1;
            to
        }
    }

    /// Where an object is now; none if nothing has reached it.
    fn place_of(&self, reference: u32) -> Option<u32> {
        if !reference.is_multiple_of(object::ALIGN) || !self.from.contains(&reference) {
            return Some(reference);
        }
        let header = self.store.object(reference, 0).cast::<u32>();
        // SAFETY: references into the space are to objects, or to what has been left of them.
        unsafe { (header.read() == MOVED).then(|| header.add(1).read()) }
    }

    /// Begins with the nodes that have roots, and those that are `kept` without; returns all.
    fn mark_roots(&mut self, kept: impl Fn(&Node) -> bool) -> Vec<NonNull<Node>> {
        let nodes = self.store.nodes();
        self.cost += nodes.len();
        for node in &nodes {
            // SAFETY: the store's nodes are live.
            let head = unsafe { node.as_ref() };
            if head.begin_marking(kept(head)) {
                self.grey.push(*node);
            }
        }
        nodes
    }

    /// Follows all references until there is nothing new.
    fn finish(&mut self) {
        loop {
            while self.scanned < self.end {
                let object = self.scanned;
                self.scanned += self.store.object_size(object);
                self.scan(object);
            }
            let Some(node) = self.grey.pop() else { return };
            // SAFETY: the store's nodes are live.
            unsafe { trace(node, self) };
        }
    }

    fn scan(&mut self, object: u32) {
        let store = self.store;
        let field = |offset: u32| store.object(object, offset);
        // SAFETY: the shape says what is where in the object.
        unsafe {
            match store.type_of(object).shape() {
                Shape::Fixed { references, .. } => {
                    for (offset, kept) in references {
                        self.kept(field(*offset), *kept);
                    }
                }
                Shape::Array { element, references: Some(kept) } => {
                    for index in 0..store.array_len(object) {
                        self.kept(field(object::HEADER).add((index * element) as usize), *kept);
                    }
                }
                Shape::Array { references: None, .. } => {}
            }
        }
    }

    /// # Safety
    ///
    /// There is such a reference at the address.
    unsafe fn kept(&mut self, at: *mut u8, kept: Kept) {
        // SAFETY: the caller's contract.
        unsafe {
            match kept {
                Kept::Reference => self.reference(at.cast()),
                Kept::Func => self.func(at.cast()),
                Kept::Tag => self.node((*at.cast::<*const Tag>().read_unaligned()).node()),
            }
        }
    }
}

/// Those of the nodes that nothing has reached.
fn unmarked(mut nodes: Vec<NonNull<Node>>) -> Vec<NonNull<Node>> {
    // SAFETY: the store's nodes are live.
    nodes.retain(|node| !unsafe { node.as_ref() }.is_marked());
    nodes
}

impl Store {
    /// Frees the objects, on the heap and of the host, that nothing reaches while code of the store
    /// runs: of the other nodes every one counts as reachable. `size` more bytes of the heap are
    /// needed. What belongs to the embedder is dropped later.
    ///
    /// References that are on their way between wasm and the host are in handles, or in frames, when
    /// this is called: by libcalls, and by the embedder's code.
    pub(in crate::vm) fn collect_inside(&self, size: u32) {
        let Some(mut collection) = self.begin_collection() else { return };
        let nodes = collection.mark_roots(|node| !node.is_object());
        self.in_flight.trace(&mut collection);
        // SAFETY: stack maps say where frames have references.
        trap::roots(self, &mut |at| unsafe { collection.reference(at) });
        collection.finish();
        self.end_collection(&collection, size);
        self.set_aside(unmarked(nodes));
    }

    /// Marks from the roots, and frees the objects that nothing reaches, while no code of the store
    /// runs. Returns the nodes that nothing reaches, and what that has cost.
    pub(in crate::vm) fn mark_all(&self) -> (Vec<NonNull<Node>>, usize) {
        // Without memory to move objects to, what those refer to is not known, and all stays.
        let Some(mut collection) = self.begin_collection() else { return (Vec::new(), 0) };
        let nodes = collection.mark_roots(|_| false);
        collection.finish();
        self.end_collection(&collection, 0);
        (unmarked(nodes), collection.cost)
    }

    /// None if there is a heap, but no memory to move objects to.
    fn begin_collection(&self) -> Option<Collection<'_>> {
        let Some(heap) = self.heap.get() else {
            return Some(Collection {
                store: self,
                heap: None,
                from: 0..0,
                scanned: 0,
                end: 0,
                grey: Vec::new(),
                cost: 0,
            });
        };
        let (from, to) = (heap.current.get(), 1 - heap.current.get());
        // SAFETY: no compiled code runs.
        let next = unsafe { (*self.vm()).heap_next };
        let start = heap.start(from);
        if !heap.commit(to, next - start) {
            return None;
        }
        let (from, scanned) = (start..next, heap.start(to));
        Some(Collection {
            store: self,
            heap: Some(heap),
            from,
            scanned,
            end: scanned,
            grey: Vec::new(),
            cost: 0,
        })
    }

    fn end_collection(&self, collection: &Collection, size: u32) {
        let Some(heap) = collection.heap else { return };
        self.move_attachments(|reference| collection.place_of(reference));
        let old = heap.current.get();
        heap.current.set(1 - old);
        heap.collections.set(heap.collections.get() + 1);
        let start = heap.start(1 - old);
        let used = collection.end - start;
        if !heap.make_room(used, size) {
            // What has been moved has its room; allocating will find out that there is no more.
            let shrunk = heap.resize(used);
            debug_assert!(shrunk, "the space has been made accessible so far");
        }
        // SAFETY: no compiled code runs.
        let vm = unsafe { &mut *self.vm() };
        vm.heap_next = collection.end;
        vm.heap_end =
            if heap.collects_always { collection.end } else { start + heap.capacity.get() };
        let committed = heap.committed[old].get();
        if committed > KEPT {
            let origin = if old == 0 { 0 } else { heap.half };
            let range = (origin + KEPT) as usize..(origin + committed) as usize;
            // Where the system refuses, the memory stays.
            let _ = sys::discard(&heap.mapping, range);
        }
    }
}
