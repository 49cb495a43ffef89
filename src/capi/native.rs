//! The part of `tenon.h` about functions with the plain values of C: imports that wasm calls
//! directly, and pointers by which C calls wasm.

use std::ffi::c_void;

use super::boundary::{Argument, LastError, OrError, guard, refuse, set_error, shared};
use super::func::{Environment, raised};
use super::object::{wasm_func_t, wasm_trap_t};
use super::store::wasm_store_t;
use super::types::wasm_functype_t;
use crate::engine::{CFunction, Error, Func, RawCall, Store};

/// A C function of any type; it is cast to its own before it is called. `i32` is `int32_t` there,
/// `i64` is `int64_t`, `f32` is `float`, `f64` is `double`; without a result it is `void`.
pub type tenon_native_t = Option<unsafe extern "C" fn()>;

/// Returns the C function that calls a function of numbers with at most one result; the same each
/// time. Returns null when an argument is, or the function's type is not `type`, so that what the
/// pointer is cast to fits whatever module the function is of.
///
/// The pointer can be called by the thread that may use the store, as long as there is a handle to
/// the function or to its instance; it keeps nothing alive itself. A call that traps returns zero,
/// and the trap waits in the store: see `tenon_store_take_trap`.
///
/// Ownership: borrows both; the pointer goes with the function.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_func_pointer(
    func: Option<&wasm_func_t>,
    ty: Option<&wasm_functype_t>,
) -> tenon_native_t {
    guard(None, || {
        let func = func.or_null_error("the function")?.func();
        let ty = ty.or_null_error("the type")?.func_type()?;
        if *func.ty() != ty {
            let message = format!("the function is of type {}, not {ty}", func.ty());
            set_error(LastError::from(&Error::Type(message)));
            return None;
        }
        let code = func.native().or_error()?;
        // SAFETY: the code is that of a C function; whoever calls it casts it to its type.
        Some(unsafe { std::mem::transmute::<*const c_void, unsafe extern "C" fn()>(code) })
    })
}

/// Makes a function of a C function that gets the parameters of a type of numbers and returns its
/// result, of which there is at most one. A call costs little more than one in C. To end execution
/// by a trap, the function leaves one in the store by `tenon_store_put_trap` and returns anything.
/// It may leave by `longjmp`; an exception of C++ that it does not catch itself ends the process.
/// Returns null when an argument is, or the type does not fit.
///
/// Ownership: borrows store and type; the caller owns the result and releases it with
/// `wasm_func_delete`.
///
/// # Safety
///
/// Store and type are live or null; the function is of the type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_func_new_native(
    store: *mut wasm_store_t,
    ty: Option<&wasm_functype_t>,
    function: tenon_native_t,
) -> Option<Box<wasm_func_t>> {
    // SAFETY: the contract of this function.
    guard(None, || unsafe { func_new_native(store, ty, function, CFunction::Native, None) })
}

/// As `tenon_func_new_native`, for a C function that gets an environment, which may be null, before
/// the parameters. The finalizer, unless it is null, runs when nothing can call the function any
/// more. Returns null when store, type or function are, or the type does not fit; the finalizer has
/// run then.
///
/// Ownership: borrows store and type, takes the environment over; the caller owns the result and
/// releases it with `wasm_func_delete`.
///
/// # Safety
///
/// Store and type are live or null; the function is of the type, with a pointer before it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_func_new_native_with_env(
    store: *mut wasm_store_t,
    ty: Option<&wasm_functype_t>,
    function: tenon_native_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
) -> Option<Box<wasm_func_t>> {
    guard(None, || {
        let environment = Some(Environment { env, finalizer });
        // SAFETY: the contract of this function.
        unsafe { func_new_native(store, ty, function, CFunction::NativeWithEnv, environment) }
    })
}

/// # Safety
///
/// Store and type are live or null; the function is of the type, and of the kind.
unsafe fn func_new_native(
    store: *mut wasm_store_t,
    ty: Option<&wasm_functype_t>,
    function: tenon_native_t,
    kind: CFunction,
    environment: Option<Environment>,
) -> Option<Box<wasm_func_t>> {
    let Some(function) = function else { return refuse("the function is null") };
    // SAFETY: the caller's contract.
    let store = &unsafe { shared(store, "the store") }?.0;
    let ty = ty.or_null_error("the type")?.func_type()?;
    let env = environment.as_ref().map_or(std::ptr::null_mut(), |environment| environment.env);
    let finish = move |call: &RawCall| {
        // It is kept as long as the function.
        let _ = &environment;
        call.caller().store().take_trap().map_or(Ok(()), Err)
    };
    // SAFETY: the caller's contract.
    let func = unsafe { Func::new_c(store, &ty, kind, function as *const c_void, env, finish) };
    Some(wasm_func_t::boxed(func.or_error()?.handle()))
}

/// Takes the trap that waits in a store; null when none does. A trap waits after a call by a pointer
/// of `tenon_func_pointer` has trapped, or after `tenon_store_put_trap`. While one waits, calls by
/// such pointers do nothing and return zero, so that several can be made before a trap is looked
/// for. If it still waits when a function of `tenon_func_new_native` returns to wasm, execution ends
/// by it.
///
/// Ownership: borrows the store; the caller owns the trap.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_take_trap(
    store: *mut wasm_store_t,
) -> Option<Box<wasm_trap_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store: &Store = &unsafe { shared(store, "the store") }?.0;
        Some(raised(store, Error::Trap(store.take_trap()?)))
    })
}

/// Lets a trap wait in a store, see `tenon_store_take_trap`. If one waits already, that one stays
/// and this one is deleted.
///
/// Ownership: borrows the store, takes the trap.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_put_trap(
    store: *mut wasm_store_t,
    trap: Option<Box<wasm_trap_t>>,
) {
    guard((), || {
        // SAFETY: the contract of this function.
        let store = unsafe { shared(store, "the store") };
        match (store, trap) {
            (Some(store), Some(trap)) => store.0.put_trap(trap.into_trap()),
            (Some(_), None) => drop(refuse::<()>("the trap is null")),
            (None, _) => {}
        }
    });
}

/// Returns the address of a word that is not 0 while a trap waits in the store, so that looking for
/// one costs one load. Returns null when the store is.
///
/// Ownership: borrows the store; the word goes with it.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_store_trap_waiting(store: Option<&wasm_store_t>) -> *const u32 {
    guard(std::ptr::null(), || {
        let store = store.or_null_error("the store");
        store.map_or(std::ptr::null(), |store| store.0.trap_waiting())
    })
}
