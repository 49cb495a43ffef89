//! Instances.

use super::boundary::{Argument, LastError, guard, set_error, shared};
use super::extern_::wasm_extern_vec_t;
use super::object::{wasm_extern_t, wasm_instance_t, wasm_module_t, wasm_trap_t};
use super::store::wasm_store_t;
use crate::engine::{Error, Extern, Instance};

/// Instantiates a module with imports in the module's order. Returns null, and a trap in `trap`
/// unless that is null, when an import is missing, of the wrong type or too many, when a segment
/// does not fit, or when the start function traps.
///
/// Ownership: borrows store, module and imports; the caller owns the result, which it releases
/// with `wasm_instance_delete`, and the trap.
///
/// # Safety
///
/// Store and module are live or null, the vector is whole or null, `trap` can be written or is
/// null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_new(
    store: *mut wasm_store_t,
    module: Option<&wasm_module_t>,
    imports: Option<&wasm_extern_vec_t>,
    trap: *mut Option<Box<wasm_trap_t>>,
) -> Option<Box<wasm_instance_t>> {
    guard(None, || {
        if !trap.is_null() {
            // SAFETY: the contract of this function.
            unsafe { trap.write(None) };
        }
        // The start function may call host functions that delete it.
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store, "the store") }?.0.clone();
        let module = module.or_null_error("the module")?.module();
        // SAFETY: the contract of this function.
        let imports = imports.map_or(&[][..], |imports| unsafe { imports.as_slice() });
        let instance =
            items(module, imports).and_then(|imports| Instance::new(store, module, &imports));
        match instance {
            Ok(instance) => Some(wasm_instance_t::owning(instance.into_handle())),
            Err(error) => {
                set_error(LastError::from(&error));
                if !trap.is_null() {
                    // SAFETY: the contract of this function.
                    unsafe { trap.write(Some(wasm_trap_t::from_error(store, error))) };
                }
                None
            }
        }
    })
}

/// The imports in the engine's form, up to the first that is null.
fn items(
    module: &crate::engine::Module,
    imports: &[*mut wasm_extern_t],
) -> Result<Vec<Extern>, Error> {
    let mut items = Vec::with_capacity(imports.len());
    for (i, import) in imports.iter().enumerate() {
        // SAFETY: vectors hold null or live things.
        match unsafe { import.as_ref() } {
            Some(import) => items.push(import.item()),
            // The engine says which import is missing, unless there are too many.
            None if i < module.imports().len() => break,
            None => return Err(Error::Type(format!("import {i} is null and not wanted"))),
        }
    }
    Ok(items)
}

/// Lists what an instance exports, in its module's order.
///
/// Ownership: borrows the instance; the caller owns the vector.
///
/// # Safety
///
/// The instance is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_exports(
    instance: Option<&wasm_instance_t>,
    out: *mut wasm_extern_vec_t,
) {
    guard((), || {
        if out.is_null() {
            return;
        }
        let instance = instance.or_null_error("the instance").map(wasm_instance_t::instance);
        let exports = instance.into_iter().flat_map(Instance::exports);
        let exports = exports.map(|(_, item)| Box::into_raw(wasm_extern_t::boxed(item.handle())));
        // SAFETY: the contract of this function.
        unsafe { out.write(wasm_extern_vec_t::of(exports.collect())) };
    });
}
