//! Stores.

use super::boundary::{guard, shared};
use super::engine::wasm_engine_t;
use super::families::own;
use super::func::end_call;
use crate::engine::Store;

/// A store. It, and everything in it, belongs to one thread at a time.
pub struct wasm_store_t(pub(super) Store);

impl Drop for wasm_store_t {
    fn drop(&mut self) {
        self.0.lose_traps();
    }
}

own! { wasm_store_t wasm_store_delete; }

/// Makes an empty store. Returns null when the engine is.
///
/// Ownership: borrows the engine; the caller owns the result and releases it with
/// `wasm_store_delete`; what is made in the store keeps it alive.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_store_new(engine: *mut wasm_engine_t) -> Option<Box<wasm_store_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let engine = unsafe { shared(engine, "the engine") }?;
        Some(Box::new(wasm_store_t(Store::with_direct_calls(&engine.0, end_call))))
    })
}
