//! Memories.

use std::ffi::c_char;
use std::ptr;

use super::boundary::{Argument, OrError, guard, shared};
use super::object::wasm_memory_t;
use super::store::wasm_store_t;
use super::types::wasm_memorytype_t;
use crate::engine::Memory;

/// A byte as C names it.
pub type byte_t = c_char;

/// A number of pages, of 64 KiB unless the memory's type says otherwise.
pub type wasm_memory_pages_t = u32;

/// Makes a memory of zeros. Returns null when an argument is, there cannot be such a memory, or
/// the system has none.
///
/// Ownership: borrows both; the caller owns the result and releases it with `wasm_memory_delete`.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_new(
    store: *mut wasm_store_t,
    ty: Option<&wasm_memorytype_t>,
) -> Option<Box<wasm_memory_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store, "the store") }?.0;
        let ty = ty.or_null_error("the type")?.memory_type();
        Some(wasm_memory_t::boxed(Memory::new(store, ty).or_error()?.handle()))
    })
}

/// Returns a memory's type as it is now: its minimum is its size.
///
/// Ownership: borrows the memory; the caller owns the result and releases it with
/// `wasm_memorytype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_type(
    memory: Option<&wasm_memory_t>,
) -> Option<Box<wasm_memorytype_t>> {
    guard(None, || {
        let memory = memory.or_null_error("the memory")?.memory();
        Some(wasm_memorytype_t::boxed(&memory.ty()))
    })
}

/// Returns the address of a memory's first byte, which is not null even when the memory is empty.
/// Growing the memory may change it, unless the address space for all of it is reserved, as it is
/// by default for memories with 32-bit addresses, and always for shared memories. Who accesses the
/// bytes of a shared memory while guests run has to order that as for any memory that threads share.
///
/// Ownership: the bytes belong to the memory.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_data(memory: *mut wasm_memory_t) -> *mut byte_t {
    guard(ptr::null_mut(), || {
        // SAFETY: the contract of this function.
        let memory = unsafe { shared(memory, "the memory") };
        memory.map_or(ptr::null_mut(), |memory| memory.memory().data().cast())
    })
}

/// Returns a memory's size in bytes; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_data_size(memory: Option<&wasm_memory_t>) -> usize {
    guard(0, || memory.map_or(0, |memory| memory.memory().size()))
}

/// Returns a memory's size in pages, of 64 KiB unless its type says otherwise; 0 for null. A number
/// that is too large for the result is `0xffffffff` (see `tenon_memory_size`).
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_size(memory: Option<&wasm_memory_t>) -> wasm_memory_pages_t {
    guard(0, || {
        memory.map_or(0, |memory| u32::try_from(memory.memory().pages()).unwrap_or(u32::MAX))
    })
}

/// Adds `delta` pages of zeros. Returns false when the memory cannot grow so far.
///
/// Ownership: borrows the memory.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_grow(
    memory: *mut wasm_memory_t,
    delta: wasm_memory_pages_t,
) -> bool {
    let grow = || {
        // SAFETY: the contract of this function.
        let memory = unsafe { shared(memory, "the memory") }?.memory();
        memory.grow(delta.into()).or_error()
    };
    guard(false, || grow().is_some())
}
