//! Globals.

use super::boundary::{Argument, OrError, guard, shared};
use super::object::wasm_global_t;
use super::store::wasm_store_t;
use super::types::wasm_globaltype_t;
use super::val::wasm_val_t;
use crate::engine::{Global, ValType};

/// Makes a global. Returns null when an argument is, or the value is not of the global's type.
///
/// Ownership: borrows all; the caller owns the result and releases it with `wasm_global_delete`.
///
/// # Safety
///
/// The pointers are live or null; a reference in the value is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_new(
    store: *mut wasm_store_t,
    ty: Option<&wasm_globaltype_t>,
    value: Option<&wasm_val_t>,
) -> Option<Box<wasm_global_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store, "the store") }?.0;
        let ty = ty.or_null_error("the type")?.global_type()?;
        // SAFETY: the contract of this function.
        let value = unsafe { value.or_null_error("the value")?.to_val() }.or_error()?;
        let global = Global::new(store, ty, &value).or_error()?;
        Some(wasm_global_t::boxed(global.handle()))
    })
}

/// Returns a global's type.
///
/// Ownership: borrows the global; the caller owns the result and releases it with
/// `wasm_globaltype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_type(
    global: Option<&wasm_global_t>,
) -> Option<Box<wasm_globaltype_t>> {
    guard(None, || {
        Some(wasm_globaltype_t::boxed(&global.or_null_error("the global")?.global().ty()))
    })
}

/// Returns a global's value. A vector, which has no form in `wasm_val_t`, comes as a null
/// reference.
///
/// Ownership: borrows the global; the caller owns a reference in the value.
///
/// # Safety
///
/// The global is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_get(global: Option<&wasm_global_t>, out: *mut wasm_val_t) {
    guard((), || {
        if out.is_null() {
            return;
        }
        let value = global.or_null_error("the global").map(|global| global.global().get());
        let value = value.filter(|value| value.ty() != ValType::V128);
        let value = value.map_or(wasm_val_t::NULL, |value| wasm_val_t::from_val(&value));
        // SAFETY: the contract of this function.
        unsafe { out.write(value) };
    });
}

/// Sets a global's value. Does nothing but set the last error when the global is immutable, or the
/// value is not of its type.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The pointers are live or null; a reference in the value is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_set(global: *mut wasm_global_t, value: Option<&wasm_val_t>) {
    let set = || {
        // SAFETY: the contract of this function.
        let global = unsafe { shared(global, "the global") }?.global();
        // SAFETY: the contract of this function.
        let value = unsafe { value.or_null_error("the value")?.to_val() }.or_error()?;
        global.set(&value).or_error()
    };
    guard((), || {
        set();
    });
}
