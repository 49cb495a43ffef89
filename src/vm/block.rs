//! The memory of an instance: one allocation with everything in it whose size the module tells.

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::code::CodeSpace;
use super::context::Instance;
use super::exception::Tag;
use super::image::{Image, ImageParts};
use super::memory::Memory;
use super::store::{EntityKind, Node};
use super::striped::{STRIPES, stripe};
use super::table::{Room, Table};
use crate::abi::layout::{ContextLayout, VMContext, element_size};

/// Where in a block so many values of one type are.
pub(super) struct Array<T> {
    at: usize,
    len: usize,
    of: PhantomData<fn() -> T>,
}

impl<T> Array<T> {
    fn new(end: &mut Layout, len: usize) -> Array<T> {
        // wasmparser allows 10^6 entities of a kind, so this stays far below the address space.
        let array = Layout::array::<T>(len).expect("modules are small");
        let (whole, at) = end.extend(array).expect("modules are small");
        *end = whole;
        Array { at, len, of: PhantomData }
    }

    /// The values.
    ///
    /// # Safety
    ///
    /// The block is one that this is an array of; to look at values they have to be there.
    pub(super) unsafe fn within(&self, block: NonNull<Instance>) -> NonNull<[T]> {
        // SAFETY: the caller's contract.
        let first = unsafe { block.cast::<u8>().add(self.at) };
        NonNull::slice_from_raw_parts(first.cast(), self.len)
    }
}

/// Where everything is in the block of an instance, which begins with the [`Instance`].
pub(super) struct Block {
    layout: Layout,
    /// Where the context is.
    pub(super) context: usize,
    /// Bytes of the context that nobody else writes before it is used.
    cleared: usize,
    /// What the module defines.
    pub(super) memories: Array<Memory>,
    /// As above.
    pub(super) tables: Array<Table>,
    /// As above.
    pub(super) tags: Array<Tag>,
    /// All that there is, imports first.
    pub(super) all_memories: Array<NonNull<Memory>>,
    /// As above.
    pub(super) all_tables: Array<NonNull<Table>>,
    /// As above.
    pub(super) all_tags: Array<NonNull<Tag>>,
    /// For each import, its kind and the node that it belongs to.
    pub(super) imports: Array<(EntityKind, NonNull<Node>)>,
    /// Which data segments have been dropped.
    pub(super) data_dropped: Array<Cell<bool>>,
    /// What the tables that the module defines begin in, unless that is much.
    rooms: Box<[Option<Array<u64>>]>,
}

/// The most bytes of a block up to which tables begin in it.
const MOST_WITH_TABLES: usize = 64 << 10;

/// Bytes of a block that is kept for the next instance. To allocate and write less than that costs no
/// more than to keep it.
const KEPT: RangeInclusive<usize> = 1 << 10..=1 << 20;

impl Block {
    pub(super) fn new(context: &ContextLayout, parts: &ImageParts) -> Block {
        let shape = context.shape();
        let bytes = Layout::from_size_align(context.size(), ContextLayout::ALIGN);
        let bytes = bytes.expect("contexts are small");
        let (mut end, at) = Layout::new::<Instance>().extend(bytes).expect("contexts are small");
        let sum = |a: u32, b: u32| a as usize + b as usize;
        let tags = parts.tags.len();
        let imported = sum(shape.imported_memories, shape.imported_tables)
            + sum(shape.imported_globals, shape.imported_funcs)
            + parts.imported_tags as usize;
        Block {
            context: at,
            // The references to functions come last, and are all written.
            cleared: context.func_ref(0) as usize,
            memories: Array::new(&mut end, shape.memories as usize),
            tables: Array::new(&mut end, shape.tables as usize),
            tags: Array::new(&mut end, tags),
            all_memories: Array::new(&mut end, sum(shape.memories, shape.imported_memories)),
            all_tables: Array::new(&mut end, sum(shape.tables, shape.imported_tables)),
            all_tags: Array::new(&mut end, tags + parts.imported_tags as usize),
            imports: Array::new(&mut end, imported),
            data_dropped: Array::new(&mut end, parts.data.len()),
            rooms: parts
                .tables
                .iter()
                .map(|ty| {
                    let most = (MOST_WITH_TABLES / size_of::<u64>()) as u64;
                    let len = ty.limits.min;
                    let bytes = (len.min(most) as usize) * element_size(ty.element);
                    let fits = (1..=most).contains(&len) && end.size() + bytes <= MOST_WITH_TABLES;
                    fits.then(|| Array::new(&mut end, bytes.div_ceil(size_of::<u64>())))
                })
                .collect(),
            layout: end,
        }
    }

    /// Whether it goes to the next instance of the module.
    fn is_kept(&self) -> bool {
        KEPT.contains(&self.layout.size())
    }

    /// Whether this table, of those that the module defines, begins in the block.
    pub(super) fn has_room(&self, table: u32) -> bool {
        self.rooms[table as usize].is_some()
    }
}

/// The blocks of instances that are gone, one for each stripe of threads: what the next instance of
/// the module takes over needs not be written again.
pub(super) struct Spares([Spare; STRIPES]);

/// Alone on its line, and on the one that is fetched with it.
#[repr(align(128))]
struct Spare(AtomicPtr<Instance>);

impl Spares {
    pub(super) fn new() -> Spares {
        Spares([const { Spare(AtomicPtr::new(ptr::null_mut())) }; STRIPES])
    }

    fn swap(&self, new: *mut Instance) -> Option<NonNull<Instance>> {
        let spare = &self.0[stripe()].0;
        // What is not there is not worth a write.
        if new.is_null() && spare.load(Ordering::Relaxed).is_null() {
            return None;
        }
        NonNull::new(spare.swap(new, Ordering::AcqRel))
    }

    /// Frees the blocks, which have this layout.
    pub(super) fn clear(&mut self, block: &Block) {
        for Spare(spare) in &mut self.0 {
            if let Some(at) = NonNull::new(std::mem::replace(spare.get_mut(), ptr::null_mut())) {
                // SAFETY: blocks are allocated so (see `Owned::allocate`).
                unsafe { alloc::dealloc(at.as_ptr().cast(), block.layout) };
            }
        }
    }
}

/// What is left in a block of the instance before, and as the next one wants it.
#[derive(Clone, Copy)]
pub(super) struct Remains {
    /// The code that its references to functions lead to.
    pub(super) code: *const CodeSpace,
    /// Whether the tables that begin in it have what they start with.
    pub(super) tables: bool,
}

/// A block with what has been made in it by now; all that goes with it.
pub(super) struct Owned<'a> {
    pub(super) at: NonNull<Instance>,
    pub(super) image: &'a Image,
    /// How many of the memories, tables and tags there are.
    made: (usize, usize, usize),
    /// None in a new block.
    pub(super) remains: Option<Remains>,
}

impl<'a> Owned<'a> {
    /// An empty block: the context zero but for references to functions, no data segment dropped.
    #[inline(always)]
    pub(super) fn allocate(image: &'a Image) -> Result<Owned<'a>, String> {
        let block = &image.block;
        let spare = if block.is_kept() { image.spares.swap(ptr::null_mut()) } else { None };
        // SAFETY: spare blocks end as whole instances do.
        let remains = spare.map(|at| unsafe { Instance::remains(at, image) });
        // SAFETY: a block is never empty: it has its instance.
        let allocate = || NonNull::new(unsafe { alloc::alloc(block.layout) }.cast());
        let at = spare.or_else(allocate).ok_or("no memory for an instance")?;
        // SAFETY: all that lies in the block, and zero is a good value of it.
        unsafe {
            at.cast::<u8>().add(block.context).write_bytes(0, block.cleared);
            let dropped = block.data_dropped.within(at);
            dropped.cast::<Cell<bool>>().write_bytes(0, dropped.len());
        }
        Ok(Owned { at, image, made: (0, 0, 0), remains })
    }

    /// The block of an instance whose head has been moved out.
    ///
    /// # Safety
    ///
    /// The block is complete, and nobody else uses it.
    pub(super) unsafe fn of(at: NonNull<Instance>, image: &'a Image) -> Owned<'a> {
        let Block { memories, tables, tags, .. } = &image.block;
        Owned { at, image, made: (memories.len, tables.len, tags.len), remains: None }
    }

    /// Ends an instance, and keeps its block for the next one.
    pub(super) fn recycle(mut self) {
        // SAFETY: nobody uses the instance any more.
        unsafe { self.drop_made() };
        self.made = (0, 0, 0);
        if !self.image.block.is_kept() {
            return;
        }
        // The one that was kept before goes instead, if there is one.
        match self.image.spares.swap(self.at.as_ptr()) {
            Some(before) => self.at = before,
            None => std::mem::forget(self),
        }
    }

    /// Where the context is.
    pub(super) fn context(&self) -> NonNull<VMContext> {
        // SAFETY: the context lies in the block.
        unsafe { self.at.cast::<u8>().add(self.image.block.context).cast() }
    }

    /// The memories that it has.
    pub(super) fn memories(&self) -> &[Memory] {
        // SAFETY: so many are there.
        unsafe { &self.image.block.memories.within(self.at).as_ref()[..self.made.0] }
    }

    /// What this table, of those that the module defines, begins in.
    pub(super) fn room(&self, table: u32) -> Option<Room> {
        let room = self.image.block.rooms[table as usize].as_ref()?;
        let is_set = self.remains.is_some_and(|remains| remains.tables);
        // SAFETY: the array is the block's.
        Some(Room { at: unsafe { room.within(self.at) }.cast(), is_set })
    }

    /// # Safety
    ///
    /// What there is nobody uses any more, and it is not dropped again.
    unsafe fn drop_made(&mut self) {
        let block = &self.image.block;
        // SAFETY: so many are there; else the caller's contract.
        unsafe {
            drop_all(block.memories.within(self.at), self.made.0);
            drop_all(block.tables.within(self.at), self.made.1);
            drop_all(block.tags.within(self.at), self.made.2);
        }
    }

    pub(super) fn push_memory(&mut self, memory: Memory) {
        // SAFETY: the block is that of the array, and this its next place.
        unsafe { push(self.image.block.memories.within(self.at), &mut self.made.0, memory) };
    }

    pub(super) fn push_table(&mut self, table: Table) {
        // SAFETY: as above.
        unsafe { push(self.image.block.tables.within(self.at), &mut self.made.1, table) };
    }

    pub(super) fn push_tag(&mut self, tag: Tag) {
        // SAFETY: as above.
        unsafe { push(self.image.block.tags.within(self.at), &mut self.made.2, tag) };
    }
}

/// # Safety
///
/// The array can be written, and has `made` values already.
unsafe fn push<T>(array: NonNull<[T]>, made: &mut usize, value: T) {
    assert!(*made < array.len());
    // SAFETY: the caller's contract.
    unsafe { array.cast::<T>().add(*made).write(value) };
    *made += 1;
}

/// # Safety
///
/// The array has `made` values, which nobody uses any more.
unsafe fn drop_all<T>(array: NonNull<[T]>, made: usize) {
    // SAFETY: the caller's contract.
    unsafe { ptr::slice_from_raw_parts_mut(array.cast::<T>().as_ptr(), made).drop_in_place() };
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        // SAFETY: all goes with the block, which was allocated with this layout.
        unsafe {
            self.drop_made();
            alloc::dealloc(self.at.as_ptr().cast(), self.image.block.layout);
        }
    }
}
