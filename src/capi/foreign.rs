//! Objects of the host.

use super::boundary::{guard, shared};
use super::object::wasm_foreign_t;
use super::store::wasm_store_t;
use crate::engine::ExternRef;

/// What is in a host object that C has made: nothing; C attaches host info.
pub(super) struct Foreign;

/// Makes an object that wasm can hold as `externref`. Returns null when the store is.
///
/// Ownership: borrows the store; the caller owns the result and releases it with
/// `wasm_foreign_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_new(store: *mut wasm_store_t) -> Option<Box<wasm_foreign_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = unsafe { shared(store, "the store") }?;
        Some(wasm_foreign_t::boxed(ExternRef::new(&store.0, Foreign).handle()))
    })
}
