//! The memory of an instance: one allocation with everything in it whose size the module tells.

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use super::context::Instance;
use super::exception::Tag;
use super::image::ImageParts;
use super::memory::Memory;
use super::store::{EntityKind, Node};
use super::table::Table;
use crate::abi::layout::ContextLayout;

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
}

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
            layout: end,
        }
    }
}

/// A block with what has been made in it by now; all that goes with it.
pub(super) struct Owned<'a> {
    pub(super) at: NonNull<Instance>,
    block: &'a Block,
    /// How many of the memories, tables and tags there are.
    made: (usize, usize, usize),
}

impl<'a> Owned<'a> {
    /// An empty block: the context zero but for references to functions, no data segment dropped.
    pub(super) fn allocate(block: &'a Block) -> Result<Owned<'a>, String> {
        // SAFETY: a block is never empty: it has its instance.
        let at = unsafe { alloc::alloc(block.layout) };
        let at = NonNull::new(at.cast()).ok_or("no memory for an instance")?;
        // SAFETY: all that lies in the block, and zero is a good value of it.
        unsafe {
            at.cast::<u8>().add(block.context).write_bytes(0, block.cleared);
            let dropped = block.data_dropped.within(at);
            dropped.cast::<Cell<bool>>().write_bytes(0, dropped.len());
        }
        Ok(Owned { at, block, made: (0, 0, 0) })
    }

    /// The block of an instance whose head has been moved out.
    ///
    /// # Safety
    ///
    /// The block is complete, and nobody else uses it.
    pub(super) unsafe fn of(at: NonNull<Instance>, block: &'a Block) -> Owned<'a> {
        Owned { at, block, made: (block.memories.len, block.tables.len, block.tags.len) }
    }

    pub(super) fn push_memory(&mut self, memory: Memory) {
        // SAFETY: the block is that of the array, and this its next place.
        unsafe { push(self.block.memories.within(self.at), &mut self.made.0, memory) };
    }

    pub(super) fn push_table(&mut self, table: Table) {
        // SAFETY: as above.
        unsafe { push(self.block.tables.within(self.at), &mut self.made.1, table) };
    }

    pub(super) fn push_tag(&mut self, tag: Tag) {
        // SAFETY: as above.
        unsafe { push(self.block.tags.within(self.at), &mut self.made.2, tag) };
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
        // SAFETY: so many are there, and go with the block, which was allocated with this layout.
        unsafe {
            drop_all(self.block.memories.within(self.at), self.made.0);
            drop_all(self.block.tables.within(self.at), self.made.1);
            drop_all(self.block.tags.within(self.at), self.made.2);
            alloc::dealloc(self.at.as_ptr().cast(), self.block.layout);
        }
    }
}
