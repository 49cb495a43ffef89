//! What `wasm.h` has no words for: memories and tables with 64-bit addresses, memories with pages of
//! other sizes, shared memories; their types, and sizes in 64 bits.

use std::ptr;

use super::boundary::{Argument, OrError, guard, refuse, shared};
use super::object::wasm_memory_t;
use super::types::{wasm_memorytype_t, wasm_tabletype_t, wasm_valkind_t, wasm_valtype_t};
use crate::engine::{AddressType, Limits, MemoryType, Slot, ValType};

/// Limits of a table (elements) or a memory (pages); a maximum of `UINT64_MAX` is none.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tenon_limits_t {
    /// The size at the start.
    pub min: u64,
    /// The size it may grow to.
    pub max: u64,
}

const NO_MAXIMUM: u64 = u64::MAX;

impl From<Limits> for tenon_limits_t {
    fn from(limits: Limits) -> tenon_limits_t {
        tenon_limits_t { min: limits.min, max: limits.max.unwrap_or(NO_MAXIMUM) }
    }
}

impl tenon_limits_t {
    /// The engine's form.
    pub(super) fn limits(&self) -> Limits {
        Limits { min: self.min, max: (self.max != NO_MAXIMUM).then_some(self.max) }
    }
}

/// The type of addresses that a kind of values says.
fn address_type(kind: wasm_valkind_t) -> Option<AddressType> {
    let types = [AddressType::I32, AddressType::I64];
    let found = types.into_iter().find(|ty| kind_of(*ty) == kind);
    found.or_else(|| refuse("addresses are of kind WASM_I32 or WASM_I64"))
}

fn kind_of(ty: AddressType) -> wasm_valkind_t {
    Slot::kind_of(ValType::from(ty))
}

/// Makes the type of a memory: its limits in pages; the kind of its addresses, `WASM_I32` or
/// `WASM_I64`; the size of its pages in bytes, 65536 or 1; and whether it is shared, for which it
/// needs a maximum. Returns null when the limits are null, or kind or page size are none of these.
/// Whether there can be such a memory is not checked before it is used. For modules that import such
/// memories the features `memory64`, `custom-page-sizes` and `threads` have to be on.
///
/// Ownership: borrows the limits; the caller owns the result and releases it with
/// `wasm_memorytype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_memorytype_new(
    limits: Option<&tenon_limits_t>,
    address: wasm_valkind_t,
    page_size: u32,
    shared: bool,
) -> Option<Box<wasm_memorytype_t>> {
    guard(None, || {
        let limits = limits.or_null_error("the limits")?.limits();
        let address = address_type(address)?;
        let plain = MemoryType::new(limits);
        let page_size_log2 = match u64::from(page_size) {
            1 => 0,
            size if size == plain.page_size() => plain.page_size_log2,
            _ => return refuse("pages have 65536 bytes or 1"),
        };
        Some(wasm_memorytype_t::boxed(&MemoryType { address, page_size_log2, shared, ..plain }))
    })
}

/// Returns the limits of a memory.
///
/// Ownership: the result belongs to the memory type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_memorytype_limits(
    ty: Option<&wasm_memorytype_t>,
) -> *const tenon_limits_t {
    guard(ptr::null(), || {
        ty.or_null_error("the type").map_or(ptr::null(), |ty| ptr::from_ref(ty.wide_limits()))
    })
}

/// Returns the kind of a memory's addresses: `WASM_I32`, also for null, or `WASM_I64`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_memorytype_address(
    ty: Option<&wasm_memorytype_t>,
) -> wasm_valkind_t {
    ty.map_or(0, |ty| kind_of(ty.memory_type().address))
}

/// Returns the size of a memory's pages in bytes; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_memorytype_page_size(ty: Option<&wasm_memorytype_t>) -> u32 {
    ty.map_or(0, |ty| 1 << ty.memory_type().page_size_log2)
}

/// Returns whether a memory is shared; false for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_memorytype_is_shared(ty: Option<&wasm_memorytype_t>) -> bool {
    ty.is_some_and(|ty| ty.memory_type().shared)
}

/// Makes the type of a table with limits of 64 bits; its indices are of kind `WASM_I32` or
/// `WASM_I64`. Returns null when a pointer is, or the kind is another. Whether there can be such a
/// table is not checked before it is used: none has more than 10,000,000 elements, so that the
/// functions of `wasm.h` can reach all of them.
///
/// Ownership: takes the value type over, borrows the limits; the caller owns the result and
/// releases it with `wasm_tabletype_delete`.
///
/// # Safety
///
/// The pointers are owned, or live, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_tabletype_new(
    element: Option<Box<wasm_valtype_t>>,
    limits: Option<&tenon_limits_t>,
    index: wasm_valkind_t,
) -> Option<Box<wasm_tabletype_t>> {
    guard(None, || {
        let Some(element) = element else { return refuse("the value type is null") };
        let limits = limits.or_null_error("the limits")?.limits();
        Some(wasm_tabletype_t::of(element, limits, address_type(index)?))
    })
}

/// Returns the limits of a table.
///
/// Ownership: the result belongs to the table type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_tabletype_limits(
    ty: Option<&wasm_tabletype_t>,
) -> *const tenon_limits_t {
    guard(ptr::null(), || {
        ty.or_null_error("the type").map_or(ptr::null(), |ty| ptr::from_ref(ty.wide().0))
    })
}

/// Returns the kind of a table's indices: `WASM_I32`, also for null, or `WASM_I64`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_tabletype_index(ty: Option<&wasm_tabletype_t>) -> wasm_valkind_t {
    ty.map_or(0, |ty| kind_of(ty.wide().1))
}

/// Returns a memory's size in pages of the size that its type says; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_memory_size(memory: Option<&wasm_memory_t>) -> u64 {
    guard(0, || memory.map_or(0, |memory| memory.memory().pages()))
}

/// Adds `delta` pages of zeros, and writes the number of pages before to `before` unless that is
/// null. Returns false when the memory cannot grow so far.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The memory is live or null, `before` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_memory_grow(
    memory: *mut wasm_memory_t,
    delta: u64,
    before: *mut u64,
) -> bool {
    let grow = || {
        // SAFETY: the contract of this function.
        let memory = unsafe { shared(memory, "the memory") }?.memory();
        let pages = memory.grow(delta).or_error()?;
        if !before.is_null() {
            // SAFETY: the contract of this function.
            unsafe { before.write(pages) };
        }
        Some(())
    };
    guard(false, || grow().is_some())
}
