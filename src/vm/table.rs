//! Tables.

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::ptr::NonNull;

use super::budget::{Budget, Charge};
use super::image::PresetRef;
use crate::abi::layout::{VMFuncRef, VMTable, element_size};
use crate::wasm::{Family, TableType};

/// A table and the memory that belongs to it.
pub struct Table {
    ty: TableType,
    /// What compiled code sees of it; lives as long as this.
    vm: NonNull<VMTable>,
    /// Elements that there is memory for.
    capacity: Cell<usize>,
    /// That memory; also known to `vm`, which may be gone when the table is dropped.
    memory: Cell<NonNull<u8>>,
    /// Whether the memory is a [`Room`], and not the table's to free.
    in_room: Cell<bool>,
    /// Its part of the store's budget of elements.
    charge: Charge,
}

/// Memory that a table can begin in: as much as its minimum takes, for as long as the table lives.
pub(super) struct Room {
    pub at: NonNull<u8>,
    /// Whether it has what the table starts with already. Otherwise the table starts with null.
    pub is_set: bool,
}

/// The most elements that a table can have; the limit that browsers agree on.
pub const MAX_TABLE_ELEMENTS: u64 = 10_000_000;

impl Table {
    /// A table of type `ty`, at its minimum, its elements null. What `vm` points to is set and has
    /// to live as long. Its elements are taken from `budget`.
    ///
    /// # Errors
    ///
    /// A message when the type is not valid, the budget is exceeded, or there is no memory.
    ///
    /// # Safety
    ///
    /// What `vm` points to lives as long as the table, the budget stays where it is and lives longer;
    /// the room is one.
    pub(super) unsafe fn new(
        ty: TableType,
        budget: &Budget,
        vm: NonNull<VMTable>,
        room: Option<Room>,
    ) -> Result<Table, String> {
        if ty.limits.min > MAX_TABLE_ELEMENTS {
            return Err(format!("a table of {} elements is too large", ty.limits.min));
        }
        if ty.limits.max.is_some_and(|max| max < ty.limits.min) {
            return Err("the table's maximum is below its minimum".to_owned());
        }
        // SAFETY: the caller's contract.
        let Some(charge) = (unsafe { budget.charge(ty.limits.min) }) else {
            return Err("the store's limit of table elements is reached".to_owned());
        };
        let memory = NonNull::dangling();
        // SAFETY: `vm` lives as long as the table.
        unsafe { *vm.as_ptr() = VMTable { base: memory.as_ptr(), len: 0 } };
        let (capacity, memory) = (Cell::new(0), Cell::new(memory));
        let table = Table { ty, vm, capacity, memory, in_room: Cell::new(room.is_some()), charge };
        let len = ty.limits.min as usize;
        match room {
            Some(room) => {
                if !room.is_set {
                    // SAFETY: the room has so many bytes (the caller's contract).
                    unsafe { room.at.write_bytes(0, table.layout(len).size()) };
                }
                table.move_to(room.at, len);
            }
            None if table.reallocate(len) => {}
            None => return Err("no memory for a table".to_owned()),
        }
        table.set_len(len);
        Ok(table)
    }

    /// Gives the table memory for `capacity` elements, those that it has not had before null.
    fn reallocate(&self, capacity: usize) -> bool {
        if capacity == 0 {
            return true;
        }
        let old = self.layout(self.capacity.get());
        let new = self.layout(capacity);
        // SAFETY: the layout's size is not 0; the old memory, if there is any, has the old layout
        // and is left by nobody but the caller, who sets the new base.
        unsafe {
            let Some(base) = NonNull::new(alloc::alloc_zeroed(new)) else { return false };
            std::ptr::copy_nonoverlapping(self.base(), base.as_ptr(), old.size());
            self.free();
            self.in_room.set(false);
            self.move_to(base, capacity);
        }
        true
    }

    fn move_to(&self, memory: NonNull<u8>, capacity: usize) {
        // SAFETY: `vm` lives as long as the table.
        unsafe { (*self.vm.as_ptr()).base = memory.as_ptr() };
        self.memory.set(memory);
        self.capacity.set(capacity);
    }

    /// Frees the table's memory, if that is its own.
    ///
    /// # Safety
    ///
    /// Nobody uses the memory any more.
    unsafe fn free(&self) {
        if self.capacity.get() > 0 && !self.in_room.get() {
            // SAFETY: the memory has this layout; else the caller's contract.
            unsafe { alloc::dealloc(self.base(), self.layout(self.capacity.get())) };
        }
    }

    fn layout(&self, capacity: usize) -> Layout {
        let size = element_size(self.ty.element);
        Layout::from_size_align(capacity * size, size).expect("tables are far smaller than memory")
    }

    fn base(&self) -> *mut u8 {
        self.memory.get().as_ptr()
    }

    fn set_len(&self, len: usize) {
        // SAFETY: `vm` lives as long as the table.
        unsafe { (*self.vm.as_ptr()).len = len };
    }

    /// Its type, as it was created.
    pub fn ty(&self) -> TableType {
        self.ty
    }

    /// What compiled code sees of it.
    pub fn vm(&self) -> NonNull<VMTable> {
        self.vm
    }

    /// The number of its elements.
    pub fn len(&self) -> usize {
        // SAFETY: `vm` lives as long as the table.
        unsafe { (*self.vm.as_ptr()).len }
    }

    /// Whether its elements are references to functions.
    pub fn holds_funcs(&self) -> bool {
        self.ty.element.heap.family() == Family::Func
    }

    /// Where the element at `index` is.
    pub(super) fn element(&self, index: usize) -> Option<*mut u8> {
        // SAFETY: the element is in bounds.
        (index < self.len())
            .then(|| unsafe { self.base().add(index * element_size(self.ty.element)) })
    }

    /// The element at `index`: a function's address or another reference's 32 bits, 0 for null.
    pub fn get(&self, index: usize) -> Option<u64> {
        if index >= self.len() {
            return None;
        }
        // SAFETY: the index is in bounds, and elements have their type's size.
        unsafe {
            Some(if self.holds_funcs() {
                self.base().cast::<u64>().add(index).read()
            } else {
                u64::from(self.base().cast::<u32>().add(index).read())
            })
        }
    }

    /// Sets the element at `index`; false when there is none. The value has to be a reference of
    /// the table's element type.
    pub fn set(&self, index: usize, value: u64) -> bool {
        if index >= self.len() {
            return false;
        }
        // SAFETY: the index is in bounds, and elements have their type's size.
        unsafe {
            if self.holds_funcs() {
                self.base().cast::<u64>().add(index).write(value);
            } else {
                self.base().cast::<u32>().add(index).write(value as u32);
            }
        }
        true
    }

    /// Adds `delta` elements of `value`. Returns the size it had, or none when it cannot grow so
    /// far.
    pub fn grow(&self, delta: u64, value: u64) -> Option<u64> {
        let before = self.len() as u64;
        let max = self.ty.limits.max.unwrap_or(u64::from(u32::MAX)).min(MAX_TABLE_ELEMENTS);
        let len = before.checked_add(delta).filter(|len| *len <= max.max(before))?;
        if !self.charge.grow(delta) {
            return None;
        }
        if len as usize > self.capacity.get() {
            // Grown once, it will grow again.
            let larger = (len + len / 2).min(max) as usize;
            if !self.reallocate(larger) && !self.reallocate(len as usize) {
                self.charge.shrink(delta);
                return None;
            }
        }
        self.set_len(len as usize);
        for index in before..len {
            self.set(index as usize, value);
        }
        Some(before)
    }

    /// Sets `len` elements from `start` on; false, and nothing is set, when they are not all
    /// there.
    pub fn fill(&self, start: u64, value: u64, len: u64) -> bool {
        if !in_bounds(start, len, self.len()) {
            return false;
        }
        for index in start..start + len {
            self.set(index as usize, value);
        }
        true
    }

    /// Sets the elements from `start` on, which are there, to the functions that `refs` stand for.
    #[inline]
    pub(super) fn preset(
        &self,
        start: usize,
        refs: &[PresetRef],
        address: impl Fn(PresetRef) -> *const VMFuncRef,
    ) {
        assert!(self.holds_funcs() && in_bounds(start as u64, refs.len() as u64, self.len()));
        let first = self.base().cast::<*const VMFuncRef>();
        for (i, preset) in refs.iter().enumerate() {
            // SAFETY: the elements are there, and addresses of functions (asserted).
            unsafe { first.add(start + i).write(address(*preset)) };
        }
    }

    /// Copies `values` to the elements from `start` on; false, and nothing is copied, when they
    /// are not all there.
    pub fn init(&self, start: u64, values: &[u64]) -> bool {
        if !in_bounds(start, values.len() as u64, self.len()) {
            return false;
        }
        for (i, value) in values.iter().enumerate() {
            self.set(start as usize + i, *value);
        }
        true
    }

    /// Copies `len` elements of `from`, whose elements have the same type; false, and nothing is
    /// copied, when they are not all there.
    pub fn copy(&self, start: u64, from: &Table, from_start: u64, len: u64) -> bool {
        if !in_bounds(start, len, self.len()) || !in_bounds(from_start, len, from.len()) {
            return false;
        }
        let size = element_size(self.ty.element);
        debug_assert_eq!(size, element_size(from.ty.element));
        // SAFETY: both ranges are in bounds; they may overlap.
        unsafe {
            let dst = self.base().add(start as usize * size);
            let src = from.base().add(from_start as usize * size);
            std::ptr::copy(src, dst, len as usize * size);
        }
        true
    }
}

/// Whether `len` items from `start` on are among `available`.
pub fn in_bounds(start: u64, len: u64, available: usize) -> bool {
    start.checked_add(len).is_some_and(|end| end <= available as u64)
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: with the table goes whoever could use it.
        unsafe { self.free() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::{Limits, RefType};

    #[test]
    fn grows_fills_and_copies_within_bounds() {
        let mut vm = VMTable { base: std::ptr::null_mut(), len: 0 };
        let limits = Limits { min: 2, max: Some(5) };
        let ty = TableType::new(RefType::EXTERN, limits);
        let budget = Budget::default();
        // SAFETY: both live longer than the table.
        let table = unsafe { Table::new(ty, &budget, NonNull::from(&mut vm), None) }.unwrap();
        assert_eq!(table.get(1), Some(0));
        assert_eq!(table.get(2), None);
        assert_eq!(table.grow(2, 7), Some(2));
        assert_eq!((table.get(1), table.get(3)), (Some(0), Some(7)));
        assert_eq!(table.grow(2, 7), None, "beyond the maximum");
        assert!(table.fill(0, 1, 2) && !table.fill(3, 1, 2));
        assert!(table.copy(1, &table, 0, 3), "overlapping");
        let elements: Vec<_> = (0..4).map(|i| table.get(i).unwrap()).collect();
        assert_eq!(elements, [1, 1, 1, 7]);
        assert!(!table.copy(2, &table, 0, 3));
        assert!(table.copy(4, &table, 4, 0), "nothing at the end");
        assert!(!in_bounds(u64::MAX, 2, 10), "wraps");
    }
}
