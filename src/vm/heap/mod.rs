//! The heap of a store: structs, arrays and exceptions of WebAssembly.
//!
//! A region of its own in which 32 bits address everything, cut into two spaces. Objects are
//! allocated one after the other in one of them, mostly by compiled code itself; when it is full,
//! the collector copies what can be reached to the other.

mod access;
mod collect;

use std::cell::Cell;
use std::ops::Range;

pub use access::Place;
pub(super) use collect::Tracer;

use super::budget::Charge;
use super::store::Store;
use super::sys::{self, Mapping};
use super::types::{Shape, Type};
use crate::abi::layout::VMStore;
use crate::abi::object;
use crate::wasm::TypeId;

/// The heap of a store. Where its free part begins and ends is in the [`VMStore`].
pub(super) struct Heap {
    mapping: Mapping,
    /// Bytes of each space.
    half: u32,
    /// Which of the two spaces is in use.
    current: Cell<usize>,
    /// Bytes at the start of each space that are accessible.
    committed: [Cell<u32>; 2],
    /// Bytes of the current space that may be used; charged to the store's budget.
    capacity: Cell<u32>,
    charge: Charge,
    /// Whether every allocation collects.
    collects_always: bool,
    collections: Cell<u64>,
}

/// Sizes of the region to try, largest first. In the largest, every reference leads into it.
const REGIONS: [u64; 5] = [1 << 32, 1 << 30, 1 << 28, 1 << 26, 1 << 24];

/// Bytes after the region in which accesses fault: the most that a field's offset can be and more.
const GUARD: usize = 1 << 20;

/// Bytes at the start of the first space that no object has, so that 0 can be null.
const NULL: u32 = object::ALIGN;

/// Bytes that a heap starts with.
const FIRST_CAPACITY: u32 = 1 << 20;

/// Bytes between collections: as many as are alive twice, but within these bounds.
const ROOM: Range<u64> = 4 << 20..512 << 20;

/// Memory of the space that is not in use which is kept for the next collection.
const KEPT: u32 = 16 << 20;

/// What stands in the place of an object's type when it has been moved; its new place follows.
const MOVED: u32 = u32::MAX;

impl Heap {
    fn new(store: &Store) -> Result<Heap, String> {
        let reserve = |size: &u64| Some((*size, Mapping::reserve(*size as usize + GUARD).ok()?));
        let Some((size, mapping)) = REGIONS.iter().find_map(reserve) else {
            return Err("no address space for a heap".to_owned());
        };
        // SAFETY: the heap is the store's, and goes before its budgets.
        let Some(charge) = (unsafe { store.budgets().heap.charge(0) }) else {
            unreachable!("nothing can always be had");
        };
        Ok(Heap {
            mapping,
            half: (size / 2) as u32,
            current: Cell::new(0),
            committed: [Cell::new(0), Cell::new(0)],
            capacity: Cell::new(0),
            charge,
            collects_always: store.config.collect_always,
            collections: Cell::new(0),
        })
    }

    pub(super) fn base(&self) -> *mut u8 {
        self.mapping.base()
    }

    /// Where objects of a space begin.
    fn start(&self, space: usize) -> u32 {
        if space == 0 { NULL } else { self.half }
    }

    /// The most bytes that a space can have.
    fn largest(&self) -> u32 {
        self.half - GUARD as u32
    }

    /// Makes the first `bytes` of a space accessible.
    fn commit(&self, space: usize, bytes: u32) -> bool {
        let page = sys::page_size() as u32;
        let wanted = (bytes + NULL).next_multiple_of(page);
        let committed = &self.committed[space];
        if wanted <= committed.get() {
            return true;
        }
        let origin = if space == 0 { 0 } else { self.half };
        let range = (origin + committed.get()) as usize..(origin + wanted) as usize;
        let done = self.mapping.make_writable(range).is_ok();
        if done {
            committed.set(wanted);
        }
        done
    }

    /// Sets how many bytes of the current space may be used; false, and nothing changes, if
    /// neither system nor budget have so many.
    fn resize(&self, capacity: u32) -> bool {
        let before = self.capacity.get();
        if capacity > self.largest() || !self.commit(self.current.get(), capacity) {
            return false;
        }
        if capacity > before {
            if !self.charge.grow(u64::from(capacity - before)) {
                return false;
            }
        } else {
            self.charge.shrink(u64::from(before - capacity));
        }
        self.capacity.set(capacity);
        true
    }

    /// Makes room for `size` more bytes than the `used` ones, and for as many beyond as is good.
    fn make_room(&self, used: u32, size: u32) -> bool {
        let least = u64::from(used) + u64::from(size);
        let room = (u64::from(used) * 2).clamp(ROOM.start, ROOM.end);
        let most = (least + room).min(self.largest().into());
        let available = u64::from(self.capacity.get()) + self.charge.left();
        let most = if self.collections.get() == 0 && self.capacity.get() == 0 {
            most.min(least.max(FIRST_CAPACITY.into()))
        } else {
            most
        };
        let wanted = most.min(available);
        if wanted < least {
            return false;
        }
        self.resize(wanted as u32) || self.resize(least as u32)
    }
}

impl Store {
    /// Lets the store have a heap.
    ///
    /// # Errors
    ///
    /// A message when there is no address space for one.
    pub(super) fn need_heap(&self) -> Result<(), String> {
        if self.heap.get().is_some() {
            return Ok(());
        }
        let heap = Heap::new(self)?;
        let start = heap.start(0);
        // SAFETY: no code of the store runs that knows of a heap.
        let vm = unsafe { &mut *self.vm() };
        (vm.heap_base, vm.heap_next, vm.heap_end) = (heap.base(), start, start);
        if self.heap.set(heap).is_err() {
            unreachable!("there was none, and nobody has made one since");
        }
        Ok(())
    }

    /// Room for an object of `size` bytes on the heap; none when it is exhausted. The collector may
    /// run before that, with the frames of compiled code that `roots` finds: every reference that
    /// is not in them, in the store, or behind a handle is stale afterwards. What the room
    /// contains is undefined.
    pub(super) fn allocate(&self, size: u32, may_collect: bool) -> Option<u32> {
        let heap = self.heap.get()?;
        let size = size.next_multiple_of(object::ALIGN);
        let vm = self.vm();
        // SAFETY: only the thread that is in the store gets here, and compiled code does not run.
        let vm = unsafe { &mut *vm };
        let fits =
            |vm: &VMStore, end: u32| vm.heap_next.checked_add(size).is_some_and(|next| next <= end);
        if heap.collects_always && may_collect {
            self.collect_inside(size);
        }
        let end = |heap: &Heap| heap.start(heap.current.get()) + heap.capacity.get();
        if !fits(vm, end(heap)) {
            if may_collect && !heap.collects_always && heap.capacity.get() > 0 {
                self.collect_inside(size);
            }
            let used = vm.heap_next - heap.start(heap.current.get());
            if !fits(vm, end(heap)) && !heap.make_room(used, size) {
                return None;
            }
        }
        let object = vm.heap_next;
        vm.heap_next += size;
        // Compiled code allocates in what is left, unless it has to ask each time.
        vm.heap_end = if heap.collects_always { vm.heap_next } else { end(heap) };
        Some(object)
    }

    /// The address of what is at `offset` in the object that `reference` is to.
    pub(super) fn object(&self, reference: u32, offset: u32) -> *mut u8 {
        // SAFETY: only the thread that is in the store gets here.
        let base = unsafe { (*self.vm()).heap_base };
        base.wrapping_add(reference as usize + offset as usize)
    }

    /// Writes the header of a new object.
    pub(super) fn begin_object(&self, reference: u32, ty: &Type, len: u32) {
        // SAFETY: the object has been allocated.
        unsafe {
            self.object(reference, 0).cast::<u32>().write(ty.slot());
            self.object(reference, object::LENGTH as u32).cast::<u32>().write(len);
        }
    }

    /// The type of an object.
    pub(super) fn type_of(&self, reference: u32) -> &Type {
        // SAFETY: the reference is to an object, whose first word is the number of its type.
        let slot = unsafe { self.object(reference, 0).cast::<u32>().read() };
        // SAFETY: the store keeps the types of its objects alive.
        unsafe { &*self.config.types.at(slot) }
    }

    /// The id of the type of an object.
    pub fn object_type(&self, reference: u32) -> TypeId {
        self.type_of(reference).id()
    }

    /// The number of elements of an array.
    pub fn array_len(&self, reference: u32) -> u32 {
        // SAFETY: the reference is to an object, whose second word is its length.
        unsafe { self.object(reference, object::LENGTH as u32).cast::<u32>().read() }
    }

    /// Bytes of an object.
    fn object_size(&self, reference: u32) -> u32 {
        match self.type_of(reference).shape() {
            Shape::Fixed { size, .. } => *size,
            Shape::Array { element, .. } => {
                let size = object::array_size(*element, self.array_len(reference));
                size.expect("it has been allocated with this size")
            }
        }
    }

    /// Bytes of the heap that objects have, garbage included.
    pub fn heap_used(&self) -> u64 {
        let Some(heap) = self.heap.get() else { return 0 };
        // SAFETY: only the thread that is in the store gets here.
        let next = unsafe { (*self.vm()).heap_next };
        u64::from(next - heap.start(heap.current.get()))
    }

    /// How often the collector has run.
    pub fn collections(&self) -> u64 {
        self.heap.get().map_or(0, |heap| heap.collections.get())
    }
}
