//! What can be imported and exported.

use super::boundary::{Argument, guard};
use super::families::vec;
use super::object::wasm_extern_t;
use super::types::{wasm_externkind_t, wasm_externtype_t};
use crate::engine::Extern;

vec! {
    /// A vector of things that can be imported and exported.
    wasm_extern_vec_t of *mut wasm_extern_t: wasm_extern_vec_new_empty
        wasm_extern_vec_new_uninitialized wasm_extern_vec_new wasm_extern_vec_copy
        wasm_extern_vec_delete;
}

/// Returns the kind of a thing. Null is of kind `WASM_EXTERN_FUNC`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_kind(item: Option<&wasm_extern_t>) -> wasm_externkind_t {
    guard(0, || match item.map(wasm_extern_t::item) {
        Some(Extern::Func(_)) | None => 0,
        Some(Extern::Global(_)) => 1,
        Some(Extern::Table(_)) => 2,
        Some(Extern::Memory(_)) => 3,
        Some(Extern::Tag(_)) => 4,
    })
}

/// Returns the type of a thing as it is now: the minimum of a memory or table is its size.
///
/// Ownership: borrows the thing; the caller owns the result and releases it with
/// `wasm_externtype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_type(
    item: Option<&wasm_extern_t>,
) -> Option<Box<wasm_externtype_t>> {
    guard(None, || {
        let item = item.or_null_error("the argument")?.item();
        Some(wasm_externtype_t::boxed(&item.ty()))
    })
}
