//! Memories.

use super::Error;
use super::entity::entities;
use super::shared::SharedMemory;
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
        let ty = self.vm().ty();
        MemoryType { limits: Limits { min: self.vm().pages(), ..ty.limits }, ..ty }
    }

    /// Takes a share of a memory that other stores may have too.
    pub fn from_shared(store: &Store, memory: &SharedMemory) -> Memory {
        Memory::from_handle(store.vm().share_memory(memory.vm().clone()))
    }

    /// What other stores can take a share of, if the memory is shared.
    pub fn shared(&self) -> Option<SharedMemory> {
        self.vm().shared().cloned().map(SharedMemory::from_vm)
    }

    /// The size in pages, of 64 KiB unless the type says otherwise.
    pub fn pages(&self) -> u64 {
        self.vm().pages()
    }

    /// The size in bytes.
    pub fn size(&self) -> usize {
        self.vm().len()
    }

    /// The address of the first byte. It changes when a memory grows that is not reserved in full
    /// (see [`super::Config::memory_reservation`]); that of a shared memory never does.
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
        let _borrow = self.borrow()?;
        let done = self.vm().read(start, bytes);
        if done { Ok(()) } else { Err(self.outside(start, bytes.len())) }
    }

    /// Copies bytes into the memory.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when they do not all fit; nothing is copied then.
    pub fn write(&self, start: u64, bytes: &[u8]) -> Result<(), Error> {
        let _borrow = self.borrow()?;
        let done = self.vm().write(start, bytes);
        if done { Ok(()) } else { Err(self.outside(start, bytes.len())) }
    }

    fn outside(&self, start: u64, len: usize) -> Error {
        let size = self.size();
        Error::Limit(format!("a memory of {size} bytes has no {len} bytes at {start}"))
    }

    fn borrow(&self) -> Result<vm::store::Borrow<'_>, Error> {
        let borrow = self.handle().store().borrow_memory();
        borrow.ok_or_else(|| Error::Limit("a memory of the store is being accessed".to_owned()))
    }

    /// Calls `access` with `len` bytes of the memory. Meanwhile no code of the store can run and
    /// no other bytes of it can be had: attempts fail.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when the bytes are not all there, or others are being accessed;
    /// [`Error::Type`] when the memory is shared: other threads may access it at any time.
    pub fn with<T>(
        &self,
        start: u64,
        len: usize,
        access: impl FnOnce(&mut [u8]) -> T,
    ) -> Result<T, Error> {
        if self.vm().shared().is_some() {
            let message = "the bytes of a shared memory cannot be had for oneself";
            return Err(Error::Type(message.to_owned()));
        }
        let range = self.vm().range(start, len as u64).ok_or_else(|| self.outside(start, len))?;
        let _borrow = self.borrow()?;
        // SAFETY: the range is in bounds and accessible. While the borrow lives nothing else
        // accesses memories of the store: no code runs, and this is the only way to their bytes.
        let bytes = unsafe { std::slice::from_raw_parts_mut(range.start, len) };
        Ok(access(bytes))
    }
}
