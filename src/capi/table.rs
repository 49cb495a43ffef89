//! Tables.

use super::boundary::{Argument, OrError, guard, shared};
use super::object::{wasm_ref_t, wasm_table_t};
use super::store::wasm_store_t;
use super::types::wasm_tabletype_t;
use crate::engine::{Error, RefType, Table, Val};

/// A number of elements.
pub type wasm_table_size_t = u32;

/// A reference, or null, as an element of a table.
///
/// # Safety
///
/// The pointer is live or null.
unsafe fn element(ty: RefType, reference: *mut wasm_ref_t) -> Result<Val, Error> {
    // SAFETY: the caller's contract.
    let handle = unsafe { reference.as_ref() }.map(|reference| reference.object().handle());
    Val::from_handle(ty, handle)
}

/// Makes a table whose elements are `init`, which may be null. Returns null when another argument
/// is, when there cannot be such a table, or when `init` is not of the element type.
///
/// Ownership: borrows all; the caller owns the result and releases it with `wasm_table_delete`.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_new(
    store: *mut wasm_store_t,
    ty: Option<&wasm_tabletype_t>,
    init: *mut wasm_ref_t,
) -> Option<Box<wasm_table_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store, "the store") }?.0;
        let ty = ty.or_null_error("the type")?.table_type()?;
        // SAFETY: the contract of this function.
        let init = unsafe { element(ty.element, init) }.or_error()?;
        let table = Table::new(store, ty, &init).or_error()?;
        Some(wasm_table_t::boxed(table.handle()))
    })
}

/// Returns a table's type as it is now: its minimum is its size.
///
/// Ownership: borrows the table; the caller owns the result and releases it with
/// `wasm_tabletype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_type(
    table: Option<&wasm_table_t>,
) -> Option<Box<wasm_tabletype_t>> {
    guard(None, || {
        let table = table.or_null_error("the table")?.table();
        Some(wasm_tabletype_t::boxed(&table.ty()))
    })
}

/// Returns an element. Returns null when it is a null reference, or there is no such element: then
/// the last error is set.
///
/// Ownership: borrows the table; the caller owns the result and releases it with
/// `wasm_ref_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_get(
    table: Option<&wasm_table_t>,
    index: wasm_table_size_t,
) -> Option<Box<wasm_ref_t>> {
    guard(None, || {
        let table = table.or_null_error("the table")?.table();
        let none = || Error::Limit(format!("the table has no element {index}"));
        let element = table.get(index as usize).ok_or_else(none).or_error()?;
        element.referent().map(wasm_ref_t::boxed)
    })
}

/// Sets an element, to null if the reference is. Returns false when there is no such element, or
/// the reference is not of the element type.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_set(
    table: *mut wasm_table_t,
    index: wasm_table_size_t,
    value: *mut wasm_ref_t,
) -> bool {
    let set = || {
        // SAFETY: the contract of this function.
        let table = unsafe { shared(table, "the table") }?.table();
        // SAFETY: the contract of this function.
        let value = unsafe { element(table.ty().element, value) }.or_error()?;
        table.set(index as usize, &value).or_error()
    };
    guard(false, || set().is_some())
}

/// Returns the number of elements; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_size(table: Option<&wasm_table_t>) -> wasm_table_size_t {
    guard(0, || table.map_or(0, |table| table.table().size() as u32))
}

/// Adds `delta` elements of `init`, which may be null. Returns false when the table cannot grow so
/// far, or the reference is not of the element type.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_grow(
    table: *mut wasm_table_t,
    delta: wasm_table_size_t,
    init: *mut wasm_ref_t,
) -> bool {
    let grow = || {
        // SAFETY: the contract of this function.
        let table = unsafe { shared(table, "the table") }?.table();
        // SAFETY: the contract of this function.
        let init = unsafe { element(table.ty().element, init) }.or_error()?;
        table.grow(delta.into(), &init).or_error()
    };
    guard(false, || grow().is_some())
}
