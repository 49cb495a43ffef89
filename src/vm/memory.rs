//! Linear memories.

use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

use super::budget::{Budget, Charge};
use super::sys::{self, Mapping};
use crate::abi::layout::{GUARD_SIZE, MemoryStyle, VMMemory};
use crate::wasm::{MAX_PAGES_32, MemoryType, PAGE_SIZE};

/// A linear memory and the address space that belongs to it.
pub struct Memory {
    ty: MemoryType,
    /// What compiled code sees of it; lives as long as this.
    vm: NonNull<VMMemory>,
    style: MemoryStyle,
    mapping: Cell<Option<Mapping>>,
    /// How the mapping looks, for those who must not take it out: start and length.
    reserved: Cell<(usize, usize)>,
    /// Bytes at the start of the mapping that are accessible.
    committed: Cell<usize>,
    /// Its part of the store's budget of bytes.
    charge: Charge,
}

/// How an engine wants its memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryConfig {
    /// Bytes of address space to reserve for a memory. With 4 GiB or more, 32-bit memories get a
    /// guard behind them and need no checks; with less, they are checked and move when they
    /// outgrow what is reserved.
    pub reservation: u64,
    /// Whether faults may be used at all.
    pub signals: bool,
}

/// Everything that a 32-bit index reaches.
const REACH_32: u64 = 4 << 30;

impl MemoryConfig {
    /// The style that memories get as long as the system gives what is asked for.
    pub fn style(&self) -> MemoryStyle {
        if self.signals && self.reservation >= REACH_32 {
            MemoryStyle::Guarded
        } else {
            MemoryStyle::Checked
        }
    }
}

impl Memory {
    /// A memory of type `ty`, zeroed, at its minimum; what `vm` points to is set and has to live
    /// as long. Where the system refuses the reservation it becomes a checked one. Its bytes are
    /// taken from `budget`.
    ///
    /// # Errors
    ///
    /// A message when the type is not valid, or neither budget nor system have so much memory.
    pub fn new(
        ty: MemoryType,
        config: &MemoryConfig,
        budget: &Rc<Budget>,
        vm: NonNull<VMMemory>,
    ) -> Result<Memory, String> {
        if ty.limits.min > MAX_PAGES_32 {
            return Err(format!("a memory of {} pages is too large", ty.limits.min));
        }
        if ty.limits.max.is_some_and(|max| max < ty.limits.min) {
            return Err("the memory's maximum is below its minimum".to_owned());
        }
        let size = ty.limits.min * PAGE_SIZE;
        let Some(charge) = budget.charge(size) else {
            return Err("the store's limit of memory is reached".to_owned());
        };
        let size = size as usize;
        let memory = Memory {
            ty,
            vm,
            style: config.style(),
            mapping: Cell::new(None),
            reserved: Cell::new((0, 0)),
            committed: Cell::new(0),
            charge,
        };
        let memory = match memory.try_reserve(config, size) {
            Ok(()) => memory,
            Err(_) => {
                let checked = Memory { style: MemoryStyle::Checked, ..memory };
                let less = MemoryConfig { reservation: 0, ..*config };
                checked.try_reserve(&less, size)?;
                checked
            }
        };
        memory.set_len(size);
        Ok(memory)
    }

    fn try_reserve(&self, config: &MemoryConfig, size: usize) -> Result<(), String> {
        let reservation = match self.style {
            MemoryStyle::Guarded => REACH_32 + GUARD_SIZE,
            MemoryStyle::Checked => {
                let most = self.max_pages() * PAGE_SIZE;
                config.reservation.min(most).max(size as u64).max(sys::page_size() as u64)
            }
        };
        let reservation = (reservation as usize).next_multiple_of(sys::page_size());
        let out_of_memory = |error| format!("no memory for a linear memory: {error}");
        let mapping = Mapping::reserve(reservation).map_err(out_of_memory)?;
        mapping.make_writable(0..size).map_err(out_of_memory)?;
        self.install(mapping, size);
        Ok(())
    }

    fn install(&self, mapping: Mapping, committed: usize) {
        // SAFETY: `vm` lives as long as the memory.
        unsafe { (*self.vm.as_ptr()).base = mapping.base() };
        self.reserved.set((mapping.base() as usize, mapping.len()));
        self.mapping.set(Some(mapping));
        self.committed.set(committed);
    }

    fn set_len(&self, len: usize) {
        // SAFETY: `vm` lives as long as the memory.
        unsafe { (*self.vm.as_ptr()).len = len };
    }

    /// Its type, as it was created.
    pub fn ty(&self) -> MemoryType {
        self.ty
    }

    /// What code may take for granted of it.
    pub fn style(&self) -> MemoryStyle {
        self.style
    }

    /// What compiled code sees of it.
    pub fn vm(&self) -> NonNull<VMMemory> {
        self.vm
    }

    /// The address of its first byte; growing may change it unless it is guarded.
    pub fn base(&self) -> *mut u8 {
        // SAFETY: `vm` lives as long as the memory.
        unsafe { (*self.vm.as_ptr()).base }
    }

    /// Its size in bytes.
    pub fn len(&self) -> usize {
        // SAFETY: `vm` lives as long as the memory.
        unsafe { (*self.vm.as_ptr()).len }
    }

    /// Its size in pages.
    pub fn pages(&self) -> u64 {
        self.len() as u64 / PAGE_SIZE
    }

    /// Copies bytes to the memory; false, and nothing is copied, when they do not all fit.
    pub fn write(&self, start: u64, bytes: &[u8]) -> bool {
        let fits = super::table::in_bounds(start, bytes.len() as u64, self.len());
        if fits {
            // SAFETY: the range is in bounds; the source is no memory of wasm, which is never
            // borrowed as bytes while something else may use it.
            unsafe {
                let to = self.base().add(start as usize);
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
            }
        }
        fits
    }

    fn max_pages(&self) -> u64 {
        self.ty.limits.max.unwrap_or(MAX_PAGES_32).min(MAX_PAGES_32)
    }

    /// Whether an access that faults at `address` was an access to this memory.
    pub(super) fn reserves(&self, address: usize) -> bool {
        let (start, len) = self.reserved.get();
        address.wrapping_sub(start) < len
    }

    /// Adds `delta` pages of zeros. Returns the pages it had, or none when it cannot grow so far.
    pub fn grow(&self, delta: u64) -> Option<u64> {
        let before = self.pages();
        let pages = before.checked_add(delta).filter(|pages| *pages <= self.max_pages())?;
        let size = (pages * PAGE_SIZE) as usize;
        if !self.charge.grow(delta * PAGE_SIZE) {
            return None;
        }
        if size > self.committed.get() && self.commit(size).is_err() {
            self.charge.shrink(delta * PAGE_SIZE);
            return None;
        }
        self.set_len(size);
        Some(before)
    }

    /// Makes the first `size` bytes accessible, elsewhere if they do not fit where they are.
    fn commit(&self, size: usize) -> std::io::Result<()> {
        let mapping = self.mapping.take().expect("memories have their mapping");
        if size <= mapping.len() {
            let committed = mapping.make_writable(self.committed.get()..size);
            self.mapping.set(Some(mapping));
            committed?;
            self.committed.set(size);
            return Ok(());
        }
        debug_assert_eq!(self.style, MemoryStyle::Checked);
        // Grown once, it will grow again: half as much more, up to the maximum.
        let most = (self.max_pages() * PAGE_SIZE) as usize;
        let larger = (size + size / 2).min(most).max(size).next_multiple_of(sys::page_size());
        let new = Mapping::reserve(larger).and_then(|new| {
            new.make_writable(0..size)?;
            Ok(new)
        });
        let new = match new {
            Ok(new) => new,
            Err(error) => {
                self.mapping.set(Some(mapping));
                return Err(error);
            }
        };
        // SAFETY: both mappings are accessible for `len` bytes and do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(mapping.base(), new.base(), self.len()) };
        self.install(new, size);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::Limits;

    fn memory(min: u64, max: Option<u64>, reservation: u64, vm: &mut VMMemory) -> Memory {
        let ty = MemoryType { limits: Limits { min, max } };
        let config = MemoryConfig { reservation, signals: true };
        Memory::new(ty, &config, &Rc::default(), NonNull::from(vm)).unwrap()
    }

    fn empty() -> VMMemory {
        VMMemory { base: std::ptr::null_mut(), len: 0 }
    }

    #[test]
    fn guarded_memories_stay_where_they_are() {
        let mut vm = empty();
        let memory = memory(1, Some(3), u64::MAX, &mut vm);
        assert_eq!(memory.style(), MemoryStyle::Guarded);
        let base = memory.base();
        // SAFETY: the first page is there.
        unsafe { base.add(65535).write(7) };
        assert_eq!(memory.grow(2), Some(1));
        assert_eq!(memory.grow(1), None, "beyond the maximum");
        assert_eq!((memory.base(), memory.pages()), (base, 3));
        // SAFETY: three pages are there.
        unsafe {
            assert_eq!(base.add(65535).read(), 7);
            assert_eq!(base.add(3 * 65536 - 1).read(), 0);
        }
        assert!(memory.reserves(base as usize + (4 << 30)));
        assert!(!memory.reserves(base as usize - 1));
    }

    #[test]
    fn small_reservations_move_and_keep_their_bytes() {
        let mut vm = empty();
        let memory = memory(1, None, 1 << 16, &mut vm);
        assert_eq!(memory.style(), MemoryStyle::Checked);
        // SAFETY: the first page is there.
        unsafe { memory.base().write(9) };
        assert_eq!(memory.grow(5), Some(1));
        // SAFETY: six pages are there.
        unsafe {
            assert_eq!(memory.base().read(), 9);
            assert_eq!(memory.base().add(6 * 65536 - 1).read(), 0);
        }
        assert_eq!(memory.grow(0), Some(6));
        assert_eq!(memory.grow(u64::MAX), None);
    }

    #[test]
    fn impossible_types_are_refused() {
        let mut vm = empty();
        let config = MemoryConfig { reservation: 0, signals: true };
        for (min, max) in [(65537, None), (2, Some(1))] {
            let ty = MemoryType { limits: Limits { min, max } };
            assert!(Memory::new(ty, &config, &Rc::default(), NonNull::from(&mut vm)).is_err());
        }
    }
}
