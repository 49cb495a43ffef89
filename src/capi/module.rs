//! Modules.

use super::boundary::{Argument, OrError, guard, shared};
use super::families::own;
use super::object::wasm_module_t;
use super::porttypes::{
    wasm_exporttype_t, wasm_exporttype_vec_t, wasm_importtype_t, wasm_importtype_vec_t,
};
use super::store::wasm_store_t;
use super::val::wasm_byte_vec_t;
use crate::engine::{Error, ExternRef, Module, Store};

/// A module that is on its way to another store, possibly on another thread.
pub struct wasm_shared_module_t(Module);

own! { wasm_shared_module_t wasm_shared_module_delete; }

impl wasm_module_t {
    pub(super) fn stored(store: &Store, module: Module) -> Box<wasm_module_t> {
        wasm_module_t::boxed(ExternRef::of_module(store, module).handle())
    }

    /// The module.
    pub(super) fn module(&self) -> &Module {
        self.object().data().expect("the type of a reference is that of its object")
    }
}

/// Makes a module of bytes. Returns null when they are no valid module.
///
/// Ownership: borrows store and bytes; the caller owns the result and releases it with
/// `wasm_module_delete`.
///
/// # Safety
///
/// The store is live or null, the vector is whole or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_new(
    store: *mut wasm_store_t,
    binary: Option<&wasm_byte_vec_t>,
) -> Option<Box<wasm_module_t>> {
    // SAFETY: the contract of this function.
    unsafe { module_from(store, binary, |store, bytes| Module::new(store.engine(), bytes)) }
}

/// Makes a module of bytes in some form.
///
/// # Safety
///
/// The store is live or null, the vector is whole or null.
pub(super) unsafe fn module_from(
    store: *mut wasm_store_t,
    bytes: Option<&wasm_byte_vec_t>,
    make: impl FnOnce(&Store, &[u8]) -> Result<Module, Error>,
) -> Option<Box<wasm_module_t>> {
    guard(None, || {
        // SAFETY: the caller's contract.
        let store = &unsafe { shared(store, "the store") }?.0;
        let bytes = bytes.or_null_error("the vector")?;
        // SAFETY: the caller's contract.
        let module = make(store, unsafe { bytes.as_bytes() }).or_error()?;
        Some(wasm_module_t::stored(store, module))
    })
}

/// Returns whether bytes are a valid module.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The store is live or null, the vector is whole or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_validate(
    store: *mut wasm_store_t,
    binary: Option<&wasm_byte_vec_t>,
) -> bool {
    let valid = || {
        // SAFETY: the contract of this function.
        let store = unsafe { shared(store, "the store") }?;
        let binary = binary.or_null_error("the vector")?;
        // SAFETY: the contract of this function.
        let bytes = unsafe { binary.as_bytes() };
        Module::validate(store.0.engine(), bytes).or_error()
    };
    guard(false, || valid().is_some())
}

/// Lists what a module imports, in its order.
///
/// Ownership: borrows the module; the caller owns the vector.
///
/// # Safety
///
/// The module is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_imports(
    module: Option<&wasm_module_t>,
    out: *mut wasm_importtype_vec_t,
) {
    guard((), || {
        let module = module.or_null_error("the module").map(wasm_module_t::module);
        let imports = module.into_iter().flat_map(Module::imports);
        let imports = imports.map(|import| Box::into_raw(wasm_importtype_t::boxed(&import)));
        if !out.is_null() {
            // SAFETY: the contract of this function.
            unsafe { out.write(wasm_importtype_vec_t::of(imports.collect())) };
        }
    });
}

/// Lists what a module exports, in its order.
///
/// Ownership: borrows the module; the caller owns the vector.
///
/// # Safety
///
/// The module is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_exports(
    module: Option<&wasm_module_t>,
    out: *mut wasm_exporttype_vec_t,
) {
    guard((), || {
        let module = module.or_null_error("the module").map(wasm_module_t::module);
        let exports = module.into_iter().flat_map(Module::exports);
        let exports = exports.map(|export| Box::into_raw(wasm_exporttype_t::boxed(&export)));
        if !out.is_null() {
            // SAFETY: the contract of this function.
            unsafe { out.write(wasm_exporttype_vec_t::of(exports.collect())) };
        }
    });
}

/// Writes the compiled module to bytes that `wasm_module_deserialize` takes; an empty vector when
/// that fails.
///
/// Ownership: borrows the module; the caller owns the vector.
///
/// # Safety
///
/// The module is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_serialize(
    module: Option<&wasm_module_t>,
    out: *mut wasm_byte_vec_t,
) {
    guard((), || {
        let module = module.or_null_error("the module").map(wasm_module_t::module);
        let bytes = module.and_then(|module| module.serialize().or_error());
        if !out.is_null() {
            // SAFETY: the contract of this function.
            unsafe { out.write(wasm_byte_vec_t::of_bytes(&bytes.unwrap_or_default())) };
        }
    });
}

/// Makes a module of what `wasm_module_serialize` has written. Returns null when the bytes are
/// anything else, damaged, from another version or for another machine. Do not pass bytes that
/// somebody may have made up: they contain machine code.
///
/// Ownership: borrows both; the caller owns the result and releases it with `wasm_module_delete`.
///
/// # Safety
///
/// The store is live or null, the vector is whole or null, and the bytes are trusted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_deserialize(
    store: *mut wasm_store_t,
    binary: Option<&wasm_byte_vec_t>,
) -> Option<Box<wasm_module_t>> {
    // SAFETY: the contract of this function.
    unsafe { module_from(store, binary, |store, bytes| Module::deserialize(store.engine(), bytes)) }
}

/// Makes a form of a module that other threads and stores of the engine can obtain it from.
///
/// Ownership: borrows the module; the caller owns the result and releases it with
/// `wasm_shared_module_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_share(
    module: Option<&wasm_module_t>,
) -> Option<Box<wasm_shared_module_t>> {
    guard(None, || {
        let module = module.or_null_error("the module")?;
        Some(Box::new(wasm_shared_module_t(module.module().anchor())))
    })
}

/// Obtains a shared module in a store. Returns null when the store is of another engine.
///
/// Ownership: borrows both; the caller owns the result and releases it with `wasm_module_delete`.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_obtain(
    store: *mut wasm_store_t,
    module: Option<&wasm_shared_module_t>,
) -> Option<Box<wasm_module_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store, "the store") }?.0;
        let module = &module.or_null_error("the module")?.0;
        if !module.engine().is(store.engine()) {
            let message = "the module belongs to another engine".to_owned();
            return Err(Error::Type(message)).or_error();
        }
        Some(wasm_module_t::stored(store, module.clone()))
    })
}
