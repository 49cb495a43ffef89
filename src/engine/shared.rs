//! Memories that several stores, on several threads, use at the same time.

use std::sync::Arc;

use super::{Engine, Error};
use crate::vm;
use crate::wasm::{Limits, MemoryType};

/// A shared memory (threads proposal): an object of its own, which any number of stores on any
/// threads may have a share of ([`Memory::from_shared`](super::Memory::from_shared)), also stores
/// of different engines. Cloning it gives another handle to the same.
///
/// Its address space is reserved up front, so it never moves. What guests do to its bytes at the
/// same time is defined by WebAssembly. The host has to order its own accesses through
/// [`SharedMemory::data`] itself, as for any memory that threads share.
///
/// ```
/// use tenon::{Config, Engine, Error, Extern, Instance, Limits, Memory, MemoryType, Module};
/// use tenon::{SharedMemory, Store, Val};
///
/// let engine = Engine::new(&Config::new())?;
/// let limits = Limits { min: 1, max: Some(1) };
/// let ty = MemoryType { shared: true, ..MemoryType::new(limits) };
/// let memory = SharedMemory::new(&engine, ty)?;
/// let text = br#"(module (import "" "m" (memory 1 1 shared))
///   (func (export "add") (param i32) (result i32)
///     (i32.atomic.rmw.add (i32.const 0) (local.get 0))))"#;
/// let module = Module::from_text(&engine, text)?;
/// let add = &|number: i32| {
///     let store = Store::new(&engine);
///     let imports = [Extern::from(Memory::from_shared(&store, &memory))];
///     let instance = Instance::new(&store, &module, &imports).unwrap();
///     instance.func("add").unwrap().call(&[Val::I32(number)]).unwrap().remove(0)
/// };
/// std::thread::scope(|scope| {
///     for number in [30, 12] {
///         scope.spawn(move || drop(add(number)));
///     }
/// });
/// assert!(matches!(add(0), Val::I32(42)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct SharedMemory(Arc<vm::shared::SharedMemory>);

impl SharedMemory {
    /// Makes a shared memory of zeros, as the engine's settings want memories to be. Its bytes
    /// count for no store's limits.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when the type is not valid, has no maximum or is not shared, or there is
    /// no memory, or no address space for the maximum.
    pub fn new(engine: &Engine, ty: MemoryType) -> Result<SharedMemory, Error> {
        let config = engine.store_config().memory;
        let memory = vm::shared::SharedMemory::new(ty, &config).map_err(Error::Limit)?;
        Ok(SharedMemory(memory))
    }

    pub(super) fn from_vm(memory: Arc<vm::shared::SharedMemory>) -> SharedMemory {
        SharedMemory(memory)
    }

    pub(super) fn vm(&self) -> &Arc<vm::shared::SharedMemory> {
        &self.0
    }

    /// Whether both are handles to the same memory.
    pub fn is(&self, other: &SharedMemory) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The memory's type as it is now: its size is the minimum.
    pub fn ty(&self) -> MemoryType {
        let ty = self.0.ty();
        MemoryType { limits: Limits { min: self.pages(), ..ty.limits }, ..ty }
    }

    /// The size in pages. It never shrinks, but may have grown when the caller looks at it.
    pub fn pages(&self) -> u64 {
        self.0.pages()
    }

    /// The size in bytes.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The address of the first byte, which never changes.
    pub fn data(&self) -> *mut u8 {
        self.0.base()
    }

    /// Adds `delta` pages, for all who share the memory; returns the number before. The bytes
    /// count for no store's limits.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when the memory cannot grow so far.
    pub fn grow(&self, delta: u64) -> Result<u64, Error> {
        let grown = self.0.grow(delta);
        grown.ok_or_else(|| Error::Limit(format!("the memory cannot grow by {delta} pages")))
    }

    /// Wakes up to `count` of the threads that wait at `address`, as the instruction
    /// `memory.atomic.notify` does. Returns how many.
    pub fn notify(&self, address: u64, count: u32) -> u32 {
        self.0.parking().notify(address, count)
    }
}

impl std::fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedMemory at {:p}", self.data())
    }
}
