//! Memories.

use super::Error;
use super::entity::entities;
use super::store::Store;
use crate::vm;
use crate::wasm::{Limits, MemoryType};

entities! {
    /// A linear memory, of an instance or of the host.
    Memory Memory;
}

impl Memory {
    /// Makes a memory.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when the type is not valid or there is no memory.
    pub fn new(store: &Store, ty: MemoryType) -> Result<Memory, Error> {
        Ok(Memory::from_handle(store.vm().new_memory(ty).map_err(Error::Limit)?))
    }

    fn vm(&self) -> &vm::memory::Memory {
        self.handle().memory()
    }

    /// The memory's type as it is now: its size is the minimum.
    pub fn ty(&self) -> MemoryType {
        let max = self.vm().ty().limits.max;
        MemoryType { limits: Limits { min: self.vm().pages(), max } }
    }

    /// The size in pages of 64 KiB.
    pub fn pages(&self) -> u64 {
        self.vm().pages()
    }

    /// The size in bytes.
    pub fn size(&self) -> usize {
        self.vm().len()
    }

    /// The address of the first byte. It changes when a memory grows that is not reserved in full
    /// (see [`super::Config::memory_reservation`]).
    pub fn data(&self) -> *mut u8 {
        self.vm().base()
    }

    /// Adds `delta` pages; returns the number before.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when the memory cannot grow so far.
    pub fn grow(&self, delta: u64) -> Result<u64, Error> {
        let grown = if self.handle().store().is_borrowed() { None } else { self.vm().grow(delta) };
        grown.ok_or_else(|| Error::Limit(format!("the memory cannot grow by {delta} pages")))
    }

    /// Copies bytes out of the memory.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when they are not all there; nothing is copied then.
    pub fn read(&self, start: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.with(start, bytes.len(), |from| bytes.copy_from_slice(from))
    }

    /// Copies bytes into the memory.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when they do not all fit; nothing is copied then.
    pub fn write(&self, start: u64, bytes: &[u8]) -> Result<(), Error> {
        self.with(start, bytes.len(), |to| to.copy_from_slice(bytes))
    }

    /// Calls `access` with `len` bytes of the memory. Meanwhile no code of the store can run and
    /// no other bytes of it can be had: attempts fail.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when the bytes are not all there, or others are being accessed.
    pub fn with<T>(
        &self,
        start: u64,
        len: usize,
        access: impl FnOnce(&mut [u8]) -> T,
    ) -> Result<T, Error> {
        let size = self.size();
        if !vm::table::in_bounds(start, len as u64, size) {
            return Err(Error::Limit(format!(
                "a memory of {size} bytes has no {len} bytes at {start}"
            )));
        }
        let Some(_borrow) = self.handle().store().borrow_memory() else {
            return Err(Error::Limit("a memory of the store is being accessed".to_owned()));
        };
        // SAFETY: the range is in bounds and accessible. While the borrow lives nothing else
        // accesses memories of the store: no code runs, and this is the only way to their bytes.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.data().add(start as usize), len) };
        Ok(access(bytes))
    }
}
