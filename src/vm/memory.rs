//! Linear memories.

use std::cell::Cell;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::budget::{Budget, Charge};
use super::image::DataImage;
use super::shared::SharedMemory;
use super::slots::{self, Class, REACH_32, Refusal, Slot};
use super::sys::{self, Mapping};
use crate::abi::layout::{GUARD_SIZE, MemoryStyle, VMMemory};
use crate::wasm::{MemoryType, PAGE_SIZE};

/// A linear memory of a store: one that is its own, or a share of one that others have too.
pub struct Memory {
    ty: MemoryType,
    /// What compiled code sees of it; lives as long as this.
    vm: NonNull<VMMemory>,
    style: MemoryStyle,
    bytes: Bytes,
    /// What it started with, if not with zeros; what compiled code sees of it is there as long.
    image: Option<NonNull<DataImage>>,
    /// Whether it is as it was made, see [`Memory::leave_untouched`].
    untouched: Cell<bool>,
    /// Its part of the store's budget of bytes.
    charge: Charge,
}

/// Where a memory's bytes are.
enum Bytes {
    Own {
        ground: Cell<Option<Ground>>,
        /// How its mapping looks, for those who must not take it out: start and length.
        reserved: Cell<(usize, usize)>,
        /// Bytes at the start of the mapping that are accessible: whole pages of the system.
        committed: Cell<usize>,
    },
    Shared(Arc<SharedMemory>),
}

/// Address space of a memory.
enum Ground {
    /// It is the memory's alone.
    Own(Mapping),
    /// It is used again.
    Slot(Slot),
}

impl Ground {
    fn mapping(&self) -> &Mapping {
        match self {
            Ground::Own(mapping) => mapping,
            Ground::Slot(slot) => &slot.mapping,
        }
    }

    /// Ends its use, of which there were `committed` accessible bytes.
    fn give_back(self, committed: usize, image: Option<&DataImage>) {
        if let Ground::Slot(mut slot) = self {
            slot.committed = committed;
            slots::give(slot, image);
        }
    }

    /// Ends its use, in which nothing was written to it but `image`, and it did not grow.
    fn give_back_untouched(self, image: Option<&DataImage>) {
        if let Ground::Slot(slot) = self {
            slots::give_untouched(slot, image);
        }
    }
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

impl MemoryConfig {
    /// The style that memories get as long as they can have it and the system gives what is asked
    /// for.
    pub fn style(&self) -> MemoryStyle {
        if self.signals && self.reservation >= REACH_32 {
            MemoryStyle::Guarded
        } else {
            MemoryStyle::Checked
        }
    }
}

/// The size of a new memory of type `ty` in bytes.
///
/// # Errors
///
/// A message when there can be no such memory.
pub(super) fn initial_size(ty: &MemoryType) -> Result<usize, String> {
    let Some(wanted) = ty.bytes(ty.limits.min).filter(|_| ty.limits.min <= ty.most_pages()) else {
        return Err(format!("a memory of {} pages is too large", ty.limits.min));
    };
    if ty.page_size() != PAGE_SIZE && ty.page_size() != 1 {
        return Err(format!("there are no memories with pages of {} bytes", ty.page_size()));
    }
    if ty.limits.max.is_some_and(|max| max < ty.limits.min) {
        return Err("the memory's maximum is below its minimum".to_owned());
    }
    if ty.shared && ty.limits.max.is_none() {
        return Err("a shared memory needs a maximum".to_owned());
    }
    usize::try_from(wanted).map_err(|_| out_of_memory("it is larger than the address space"))
}

pub(super) fn out_of_memory(error: impl std::fmt::Display) -> String {
    format!("no memory for a linear memory: {error}")
}

/// The most bytes that a memory of type `ty` can have.
pub(super) fn most_bytes(ty: &MemoryType) -> u64 {
    ty.bytes(ty.max_pages()).unwrap_or(u64::MAX)
}

/// Reserves address space for a memory of this style: all that it ever needs if it is guarded, else
/// at least `len` bytes.
pub(super) fn reserve(style: MemoryStyle, len: u64) -> Result<Mapping, String> {
    let len = match style {
        MemoryStyle::Guarded => REACH_32 + GUARD_SIZE,
        MemoryStyle::Checked => len.max(1),
    };
    Mapping::reserve(whole_pages(len)?).map_err(out_of_memory)
}

/// The bytes of the system's pages that have room for `len`; no more than offsets can say.
fn whole_pages(len: u64) -> Result<usize, String> {
    let len = usize::try_from(len).ok().and_then(|len| len.checked_next_multiple_of(page()));
    let len = len.filter(|len| *len <= isize::MAX as usize);
    len.ok_or_else(|| out_of_memory("it is larger than the address space"))
}

/// Makes the first `size` bytes of a mapping accessible, of which `committed` are. Returns how many
/// are then.
pub(super) fn commit(mapping: &Mapping, committed: usize, size: usize) -> std::io::Result<usize> {
    // The mapping is made of whole pages, so rounding does not lead beyond it.
    let end = size.next_multiple_of(page()).max(committed);
    mapping.make_writable(committed..end)?;
    Ok(end)
}

fn page() -> usize {
    sys::page_size()
}

impl Memory {
    /// A memory of type `ty` at its minimum; all its bytes are zero but for those of `image`. What
    /// compiled code sees of it is written to `place`, which has to live as long: a `VMMemory`, or,
    /// if the memory is shared, a pointer to that. Where the system refuses the reservation it
    /// becomes a checked one. Its bytes are taken from `budget`. Nobody may use them before
    /// [`Memory::make_accessible`].
    ///
    /// # Errors
    ///
    /// A message when the type is not valid, or neither budget nor system have so much memory.
    ///
    /// # Safety
    ///
    /// Place and image live as long as the memory, and the image fits into its minimum; the budget
    /// stays where it is and lives longer.
    pub unsafe fn new(
        ty: MemoryType,
        config: &MemoryConfig,
        budget: &Budget,
        place: NonNull<VMMemory>,
        image: Option<&DataImage>,
    ) -> Result<Memory, String> {
        let size = initial_size(&ty)?;
        // SAFETY: the caller's contract.
        let Some(charge) = (unsafe { budget.charge(size as u64) }) else {
            return Err("the store's limit of memory is reached".to_owned());
        };
        if ty.shared {
            let memory = Memory::share(SharedMemory::new(ty, config)?, charge);
            // SAFETY: the place is as the caller has promised.
            unsafe { place.cast().write(memory.vm) };
            return Ok(memory);
        }
        let (style, mut ground, committed) = find_ground(&ty, config, size, image)?;
        let bytes = Bytes::Own {
            ground: Cell::default(),
            reserved: Cell::default(),
            committed: Cell::default(),
        };
        if let Some(image) = image {
            // SAFETY: the image fits into what is accessible, which is zero unless the slot holds
            // the image.
            match &mut ground {
                Ground::Slot(slot) => unsafe { slot.put(image) },
                Ground::Own(mapping) => unsafe { image.copy_to(mapping.base()) },
            }
        }
        let (image, untouched) = (image.map(NonNull::from), Cell::new(false));
        let memory = Memory { ty, vm: place, style, bytes, image, untouched, charge };
        memory.install(ground, committed);
        set_len(memory.vm, size);
        Ok(memory)
    }

    /// A share of `memory`. What it has grown to already counts for nobody's budget, what it grows
    /// by through this share for `budget`.
    ///
    /// # Safety
    ///
    /// The budget stays where it is and lives longer than the memory.
    pub unsafe fn of_shared(memory: Arc<SharedMemory>, budget: &Budget) -> Memory {
        // SAFETY: the caller's contract.
        let charge = unsafe { budget.charge(0) };
        Memory::share(memory, charge.expect("nothing is always there"))
    }

    fn share(memory: Arc<SharedMemory>, charge: Charge) -> Memory {
        let (ty, vm, style) = (memory.ty(), memory.vm(), memory.style());
        let (bytes, untouched) = (Bytes::Shared(memory), Cell::new(false));
        Memory { ty, vm, style, bytes, image: None, untouched, charge }
    }

    /// What it shares with others, if it is shared.
    pub fn shared(&self) -> Option<&Arc<SharedMemory>> {
        match &self.bytes {
            Bytes::Shared(memory) => Some(memory),
            Bytes::Own { .. } => None,
        }
    }

    /// Says, at the memory's end, that nobody has ever got hold of it: what it leaves behind is as it
    /// was made.
    pub(super) fn leave_untouched(&self) {
        self.untouched.set(true);
    }

    /// Makes its bytes accessible. Until then nobody may use them: a new memory may wait with that
    /// (see [`slots::take`]).
    ///
    /// # Errors
    ///
    /// When the system has no memory for that.
    pub(super) fn make_accessible(&self) -> Result<(), String> {
        match &self.bytes {
            Bytes::Own { .. } => self.commit(self.len()),
            Bytes::Shared(_) => Ok(()),
        }
    }

    /// Lets a memory have none of the bytes that could not be made accessible: as at every end of a
    /// memory, access to them traps, and growing fails unless the system has changed its mind.
    pub(super) fn shrink_to_accessible(&self) {
        if let Bytes::Own { committed, .. } = &self.bytes {
            let page = self.ty.page_size() as usize;
            set_len(self.vm, self.len().min(committed.get() / page * page));
        }
    }

    fn install(&self, new: Ground, new_committed: usize) {
        let Bytes::Own { ground, reserved, committed } = &self.bytes else {
            unreachable!("shared memories keep their mapping")
        };
        let mapping = new.mapping();
        // SAFETY: `vm` lives as long as the memory.
        unsafe { (*self.vm.as_ptr()).base = mapping.base() };
        reserved.set((mapping.base() as usize, mapping.len()));
        committed.set(new_committed);
        ground.set(Some(new));
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

    /// The address of its first byte; growing may change it unless it is guarded or shared.
    pub fn base(&self) -> *mut u8 {
        // SAFETY: `vm` lives as long as the memory.
        unsafe { (*self.vm.as_ptr()).base }
    }

    /// Its size in bytes. Others may have a shared memory grow at any time.
    pub fn len(&self) -> usize {
        len(self.vm)
    }

    /// Its size in pages.
    pub fn pages(&self) -> u64 {
        self.len() as u64 / self.ty.page_size()
    }

    /// The addresses of these bytes, if they are all there.
    pub fn range(&self, start: u64, len: u64) -> Option<Range<*mut u8>> {
        if !super::table::in_bounds(start, len, self.len()) {
            return None;
        }
        let start = self.base().wrapping_add(start as usize);
        Some(start..start.wrapping_add(len as usize))
    }

    /// Copies bytes to the memory; false, and nothing is copied, when they do not all fit.
    pub fn write(&self, start: u64, bytes: &[u8]) -> bool {
        let Some(to) = self.range(start, bytes.len() as u64) else { return false };
        // SAFETY: the range is in bounds; the source is no memory of wasm, which is never borrowed
        // as bytes while something else may use it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.start, bytes.len()) };
        true
    }

    /// Copies bytes out of the memory; false, and nothing is copied, when they are not all there.
    pub fn read(&self, start: u64, bytes: &mut [u8]) -> bool {
        let Some(from) = self.range(start, bytes.len() as u64) else { return false };
        // SAFETY: as in `write`.
        unsafe { std::ptr::copy_nonoverlapping(from.start, bytes.as_mut_ptr(), bytes.len()) };
        true
    }

    /// Whether an access that faults at `address` was an access to this memory.
    pub(super) fn reserves(&self, address: usize) -> bool {
        let (start, len) = match &self.bytes {
            Bytes::Own { reserved, .. } => reserved.get(),
            Bytes::Shared(memory) => memory.reserved(),
        };
        address.wrapping_sub(start) < len
    }

    /// Adds `delta` pages of zeros. Returns the pages it had, or none when it cannot grow so far.
    pub fn grow(&self, delta: u64) -> Option<u64> {
        // What the type does not allow is not charged: the bytes of it need not be a number.
        let after = self.pages().checked_add(delta);
        after.filter(|pages| *pages <= self.ty.max_pages())?;
        let more = self.ty.bytes(delta)?;
        if !self.charge.grow(more) {
            return None;
        }
        let before = match &self.bytes {
            Bytes::Own { .. } => self.grow_own(delta),
            Bytes::Shared(memory) => memory.grow(delta),
        };
        if before.is_none() {
            self.charge.shrink(more);
        }
        before
    }

    fn grow_own(&self, delta: u64) -> Option<u64> {
        let before = self.pages();
        let size = usize::try_from(self.ty.bytes(before + delta)?).ok()?;
        self.commit(size).ok()?;
        set_len(self.vm, size);
        Some(before)
    }

    /// Makes the first `size` bytes accessible, elsewhere if they do not fit where they are.
    fn commit(&self, size: usize) -> Result<(), String> {
        let Bytes::Own { ground, committed, .. } = &self.bytes else {
            unreachable!("shared memories grow by themselves")
        };
        if size <= committed.get() {
            return Ok(());
        }
        let mut there = ground.take().expect("memories have their ground");
        if size > there.mapping().len() {
            debug_assert_eq!(self.style, MemoryStyle::Checked);
            there = match enlarge(there, committed.get(), size as u64, most_bytes(&self.ty)) {
                Ok(larger) => Ground::Own(larger),
                Err(there) => {
                    ground.set(Some(there));
                    return Err(out_of_memory("there is no room for it"));
                }
            };
        }
        let done = commit(there.mapping(), committed.get(), size);
        self.install(there, *done.as_ref().unwrap_or(&committed.get()));
        done.map(drop).map_err(out_of_memory)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Bytes::Own { ground, committed, .. } = &self.bytes
            && let Some(ground) = ground.take()
        {
            // SAFETY: the image lives as long as the memory (contract of `new`).
            let image = self.image.map(|image| unsafe { image.as_ref() });
            if self.untouched.get() {
                return ground.give_back_untouched(image);
            }
            ground.give_back(committed.get(), image);
        }
    }
}

/// Address space for a new memory of `size` bytes, and how many of it are accessible.
fn find_ground(
    ty: &MemoryType,
    config: &MemoryConfig,
    size: usize,
    image: Option<&DataImage>,
) -> Result<(MemoryStyle, Ground, usize), String> {
    let style = config.style().of(ty);
    let reservation = config.reservation.min(most_bytes(ty)).max(size as u64);
    let slot = |class, style| {
        let slot = slots::take(class, size, image)?;
        let committed = slot.committed;
        Ok::<_, Refusal>((style, Ground::Slot(slot), committed))
    };
    let packed = |wanted| {
        let class = Class::packed(wanted).ok_or(Refusal::Refused)?;
        slot(class, MemoryStyle::Checked)
    };
    let own = |style, reservation| {
        let mapping = reserve(style, reservation)?;
        let committed = commit(&mapping, 0, size).map_err(out_of_memory)?;
        Ok::<_, String>((style, Ground::Own(mapping), committed))
    };
    let last = || packed(size as u64).or_else(|_| own(MemoryStyle::Checked, size as u64));
    let first = match style {
        MemoryStyle::Guarded => slot(Class::Guarded, style),
        MemoryStyle::Checked => packed(reservation),
    };
    match first {
        // There are so many memories that the process has no room for the large ones.
        Err(Refusal::Full) => last(),
        Err(Refusal::Refused) => own(style, reservation).or_else(|_| last()),
        Ok(found) => Ok(found),
    }
}

/// Makes a ground larger, elsewhere if need be; keeps its first `used` bytes. Grown once, it will
/// grow again: it gets room for half as much more, up to `most`, if the system has that.
///
/// # Errors
///
/// The ground as it was.
fn enlarge(mut there: Ground, used: usize, size: u64, most: u64) -> Result<Mapping, Ground> {
    for wanted in [size.saturating_add(size / 2).min(most).max(size), size] {
        let Ok(len) = whole_pages(wanted) else { continue };
        there = match there {
            Ground::Own(mapping) => match mapping.enlarge(used, len) {
                Ok(larger) => return Ok(larger),
                Err(mapping) => Ground::Own(mapping),
            },
            slot => slot,
        };
        let Ok(new) = Mapping::reserve(len) else { continue };
        if new.make_writable(0..used).is_ok() {
            // SAFETY: both mappings are accessible for so many bytes and do not overlap.
            unsafe {
                std::ptr::copy_nonoverlapping(there.mapping().base(), new.base(), used);
            }
            there.give_back(used, None);
            return Ok(new);
        }
    }
    Err(there)
}

/// The size of a memory, which other threads may change if it is shared.
pub(super) fn len(vm: NonNull<VMMemory>) -> usize {
    // SAFETY: `vm` lives as long as the memory that asks. Compiled code does not write it.
    unsafe { AtomicUsize::from_ptr(&raw mut (*vm.as_ptr()).len).load(Ordering::Acquire) }
}

/// Sets the size of a memory, once so many bytes are accessible.
pub(super) fn set_len(vm: NonNull<VMMemory>, len: usize) {
    // SAFETY: as in `len`.
    unsafe { AtomicUsize::from_ptr(&raw mut (*vm.as_ptr()).len).store(len, Ordering::Release) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::{AddressType, Limits};

    fn memory(min: u64, max: Option<u64>, reservation: u64, vm: &mut VMMemory) -> Memory {
        let ty = MemoryType::new(Limits { min, max });
        let config = MemoryConfig { reservation, signals: true };
        make(ty, &config, vm).unwrap()
    }

    fn make(ty: MemoryType, config: &MemoryConfig, vm: &mut VMMemory) -> Result<Memory, String> {
        // Lives as long as any memory.
        let budget = Box::leak(Box::default());
        // SAFETY: the tests keep `vm` longer than the memory.
        let memory = unsafe { Memory::new(ty, config, budget, NonNull::from(vm), None) }?;
        memory.make_accessible()?;
        Ok(memory)
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
    fn growing_untouched_memory_takes_none() {
        let mut vm = empty();
        let ty = MemoryType {
            address: AddressType::I64,
            ..MemoryType::new(Limits { min: 1, max: None })
        };
        let config = MemoryConfig { reservation: 0, signals: true };
        let memory = make(ty, &config, &mut vm).unwrap();
        // SAFETY: the first page is there.
        unsafe { memory.base().add(77).write(7) };
        // Copying so much would be noticed.
        let much = 1 << 18;
        assert_eq!(memory.grow(much), Some(1));
        // SAFETY: so much is there.
        unsafe { memory.base().add(16 << 30).write(8) };
        assert_eq!(memory.grow(much), Some(1 + much));
        // SAFETY: as above.
        unsafe {
            assert_eq!((memory.base().add(77).read(), memory.base().add(16 << 30).read()), (7, 8));
            assert_eq!(memory.base().add(memory.len() - 1).read(), 0);
        }
        assert_eq!(memory.grow(1 << 47), None, "beyond the address space");
        assert_eq!(memory.grow(u64::MAX), None);
    }

    #[test]
    fn impossible_types_are_refused() {
        let mut vm = empty();
        let config = MemoryConfig { reservation: 0, signals: true };
        for (min, max) in [(65537, None), (2, Some(1))] {
            let ty = MemoryType::new(Limits { min, max });
            assert!(make(ty, &config, &mut vm).is_err());
        }
    }
}
