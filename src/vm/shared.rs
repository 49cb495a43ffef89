//! Memories that several threads use at the same time, each through its own store.

use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use super::memory::{
    MemoryConfig, commit, initial_size, len, most_bytes, out_of_memory, reserve, set_len,
};
use super::parking::Parking;
use super::sys::Mapping;
use crate::abi::layout::{MemoryStyle, VMMemory};
use crate::wasm::MemoryType;

/// A shared memory: its address space is reserved up front, so that it never moves, and it only
/// grows.
pub struct SharedMemory {
    ty: MemoryType,
    style: MemoryStyle,
    /// What compiled code of all stores sees.
    vm: NonNull<VMMemory>,
    mapping: Mapping,
    /// Bytes that are accessible. Who grows the memory has the lock.
    committed: Mutex<usize>,
    parking: Parking,
}

// SAFETY: the base behind `vm` never changes, the length is only used atomically, and what is in
// the memory belongs to the guests, who may race as WebAssembly lets them.
unsafe impl Send for SharedMemory {}
// SAFETY: as above.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// A shared memory of type `ty`, zeroed, at its minimum. Where the system refuses the
    /// reservation of a guarded one, it becomes a checked one.
    ///
    /// # Errors
    ///
    /// A message when the type is not valid or not that of a shared memory, or the system has not
    /// the address space for its maximum.
    pub fn new(ty: MemoryType, config: &MemoryConfig) -> Result<Arc<SharedMemory>, String> {
        if !ty.shared {
            return Err("the type is not that of a shared memory".to_owned());
        }
        let size = initial_size(&ty)?;
        let try_with = |style| reserve(style, most_bytes(&ty)).map(|mapping| (style, mapping));
        let preferred = try_with(config.style().of(&ty));
        let (style, mapping) = preferred.or_else(|_| try_with(MemoryStyle::Checked))?;
        let committed = commit(&mapping, 0, size).map_err(out_of_memory)?;
        let vm = NonNull::from(Box::leak(Box::new(VMMemory { base: mapping.base(), len: size })));
        let (committed, parking) = (Mutex::new(committed), Parking::default());
        Ok(Arc::new(SharedMemory { ty, style, vm, mapping, committed, parking }))
    }

    /// Its type, as it was created.
    pub fn ty(&self) -> MemoryType {
        self.ty
    }

    /// What code may take for granted of it.
    pub(super) fn style(&self) -> MemoryStyle {
        self.style
    }

    /// What compiled code sees of it.
    pub(super) fn vm(&self) -> NonNull<VMMemory> {
        self.vm
    }

    /// The address of its first byte, which never changes.
    pub fn base(&self) -> *mut u8 {
        self.mapping.base()
    }

    /// Its size in bytes, which may have grown when the caller looks at it.
    pub fn len(&self) -> usize {
        len(self.vm)
    }

    /// Its size in pages.
    pub fn pages(&self) -> u64 {
        self.len() as u64 / self.ty.page_size()
    }

    /// Where its address space is: start and length.
    pub(super) fn reserved(&self) -> (usize, usize) {
        (self.mapping.base() as usize, self.mapping.len())
    }

    /// The threads that wait for a notification.
    pub fn parking(&self) -> &Parking {
        &self.parking
    }

    /// Adds `delta` pages of zeros, for all who share it. Returns the pages it had, or none when it
    /// cannot grow so far.
    pub fn grow(&self, delta: u64) -> Option<u64> {
        let mut committed = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.pages();
        let after = before.checked_add(delta).filter(|pages| *pages <= self.ty.max_pages())?;
        // The maximum's bytes are reserved.
        let size = usize::try_from(self.ty.bytes(after)?).ok()?;
        *committed = commit(&self.mapping, *committed, size).ok()?;
        set_len(self.vm, size);
        Some(before)
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: it came from a box, and whoever had the memory is gone.
        drop(unsafe { Box::from_raw(self.vm.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::Limits;

    fn shared(min: u64, max: u64, reservation: u64) -> Arc<SharedMemory> {
        let ty = MemoryType { shared: true, ..MemoryType::new(Limits { min, max: Some(max) }) };
        SharedMemory::new(ty, &MemoryConfig { reservation, signals: true }).unwrap()
    }

    #[test]
    fn grows_in_place_for_all_threads() {
        for reservation in [0, u64::MAX] {
            let memory = shared(1, 1000, reservation);
            let base = memory.base();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..100).for_each(|_| assert!(memory.grow(2).is_some())));
                }
            });
            assert_eq!((memory.base(), memory.pages()), (base, 801));
            // SAFETY: so many pages are there.
            assert_eq!(unsafe { base.add(memory.len() - 1).read() }, 0);
            assert_eq!(memory.grow(200), None, "beyond the maximum");
            assert_eq!(memory.grow(u64::MAX), None);
        }
    }

    #[test]
    fn types_that_are_not_shared_are_refused() {
        let config = MemoryConfig { reservation: 0, signals: true };
        let plain = MemoryType::new(Limits { min: 0, max: Some(1) });
        let endless = MemoryType { shared: true, ..MemoryType::new(Limits { min: 0, max: None }) };
        assert!(SharedMemory::new(plain, &config).is_err());
        assert!(SharedMemory::new(endless, &config).is_err());
    }
}
