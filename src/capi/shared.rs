//! Shared memories as objects of their own, which many stores have a share of.

use std::ptr;

use super::boundary::{Argument, OrError, guard, refuse, shared};
use super::engine::wasm_engine_t;
use super::memory::byte_t;
use super::object::wasm_memory_t;
use super::store::wasm_store_t;
use super::types::wasm_memorytype_t;
use crate::engine::{Memory, SharedMemory};

/// A shared memory.
pub struct tenon_shared_memory_t(SharedMemory);

impl tenon_shared_memory_t {
    fn boxed(memory: SharedMemory) -> Option<Box<tenon_shared_memory_t>> {
        Some(Box::new(tenon_shared_memory_t(memory)))
    }
}

/// Makes a shared memory of zeros, which belongs to no store and counts for no store's limits. Its
/// address space is reserved up to its maximum, so it never moves. Returns null when an argument is,
/// the type is not that of a shared memory with a maximum, or the system has not so much.
///
/// Any thread may use a shared memory at any time. What guests do to its bytes at the same time is
/// defined by WebAssembly; who accesses them from C while guests run has to order that as for any
/// memory that threads share.
///
/// Ownership: borrows both; the caller owns the result and releases it with
/// `tenon_shared_memory_delete`. It may outlive the engine.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_shared_memory_new(
    engine: *mut wasm_engine_t,
    ty: Option<&wasm_memorytype_t>,
) -> Option<Box<tenon_shared_memory_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let engine = &unsafe { shared(engine, "the engine") }?.0;
        let ty = ty.or_null_error("the type")?.memory_type();
        tenon_shared_memory_t::boxed(SharedMemory::new(engine, ty).or_error()?)
    })
}

/// Returns the shared memory that a store's memory is a share of. Returns null when the memory is
/// not shared.
///
/// Ownership: borrows the memory; the caller owns the result and releases it with
/// `tenon_shared_memory_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_memory_share(
    memory: Option<&wasm_memory_t>,
) -> Option<Box<tenon_shared_memory_t>> {
    guard(None, || {
        let memory = memory.or_null_error("the memory")?.memory().shared();
        let memory = memory.or_else(|| refuse("the memory is not shared"))?;
        tenon_shared_memory_t::boxed(memory)
    })
}

/// Gives a store a share of a shared memory, which its instances can then import. What the memory
/// grows by in this store counts for the store's limit.
///
/// Ownership: borrows both; the caller owns the result and releases it with `wasm_memory_delete`.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_memory_obtain(
    store: *mut wasm_store_t,
    memory: Option<&tenon_shared_memory_t>,
) -> Option<Box<wasm_memory_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store, "the store") }?.0;
        let memory = memory.or_null_error("the shared memory")?;
        Some(wasm_memory_t::boxed(Memory::from_shared(store, &memory.0).handle()))
    })
}

/// Makes another handle to the same shared memory.
///
/// Ownership: borrows it; the caller owns the result and releases it with
/// `tenon_shared_memory_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_shared_memory_copy(
    memory: Option<&tenon_shared_memory_t>,
) -> Option<Box<tenon_shared_memory_t>> {
    guard(None, || tenon_shared_memory_t::boxed(memory.or_null_error("the memory")?.0.clone()))
}

/// Releases a handle to a shared memory; null is nothing to release. The memory is there as long as
/// other handles or stores have it.
///
/// Ownership: takes it over.
///
/// # Safety
///
/// It is live or null, and no other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_shared_memory_delete(memory: Option<Box<tenon_shared_memory_t>>) {
    guard((), || drop(memory));
}

/// Returns whether both are handles to the same shared memory; false when one is null.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_shared_memory_same(
    a: Option<&tenon_shared_memory_t>,
    b: Option<&tenon_shared_memory_t>,
) -> bool {
    guard(false, || match (a.or_null_error("the first"), b.or_null_error("the second")) {
        (Some(a), Some(b)) => a.0.is(&b.0),
        _ => false,
    })
}

/// Returns a shared memory's type as it is now: its minimum is its size.
///
/// Ownership: borrows it; the caller owns the result and releases it with
/// `wasm_memorytype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_shared_memory_type(
    memory: Option<&tenon_shared_memory_t>,
) -> Option<Box<wasm_memorytype_t>> {
    guard(None, || Some(wasm_memorytype_t::boxed(&memory.or_null_error("the memory")?.0.ty())))
}

/// Returns the address of a shared memory's first byte, which never changes.
///
/// Ownership: the bytes belong to the memory.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_shared_memory_data(
    memory: Option<&tenon_shared_memory_t>,
) -> *mut byte_t {
    guard(ptr::null_mut(), || {
        let memory = memory.or_null_error("the memory");
        memory.map_or(ptr::null_mut(), |memory| memory.0.data().cast())
    })
}

/// Returns a shared memory's size in bytes, to which it has grown at least; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_shared_memory_data_size(
    memory: Option<&tenon_shared_memory_t>,
) -> usize {
    guard(0, || memory.map_or(0, |memory| memory.0.size()))
}

/// Adds `delta` pages of zeros for all who share the memory, and writes the number of pages before
/// to `before` unless that is null. They count for no store's limit. Returns false when the memory
/// cannot grow so far.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The memory is live or null, `before` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_shared_memory_grow(
    memory: Option<&tenon_shared_memory_t>,
    delta: u64,
    before: *mut u64,
) -> bool {
    let grow = || {
        let pages = memory.or_null_error("the memory")?.0.grow(delta).or_error()?;
        if !before.is_null() {
            // SAFETY: the contract of this function.
            unsafe { before.write(pages) };
        }
        Some(())
    };
    guard(false, || grow().is_some())
}

/// Wakes up to `count` of the threads that wait in a guest at an address of a shared memory, as the
/// guests' `memory.atomic.notify` does. Returns how many; 0 for null.
///
/// Ownership: borrows it.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_shared_memory_notify(
    memory: Option<&tenon_shared_memory_t>,
    address: u64,
    count: u32,
) -> u32 {
    guard(0, || memory.map_or(0, |memory| memory.0.notify(address, count)))
}
