//! Functions.

use std::ffi::c_void;
use std::mem::offset_of;

use super::boundary::{Argument, LastError, OrError, guard, refuse, set_error, shared};
use super::families::Element;
use super::object::{wasm_func_t, wasm_trap_t};
use super::store::wasm_store_t;
use super::types::wasm_functype_t;
use super::val::{wasm_val_t, wasm_val_vec_t};
use crate::engine::{CFunction, Callee, Error, Func, RawCall, Slot, SlotVec, Store, Trap};

/// A function of the host: gets its arguments, which it borrows, and has to set every result.
/// Returns null, or a trap, which it passes on. An exception of C++, or of another language, that
/// it does not catch itself ends the process.
pub type wasm_func_callback_t =
    Option<unsafe extern "C" fn(*const wasm_val_vec_t, *mut wasm_val_vec_t) -> *mut wasm_trap_t>;

/// The same, with the environment that the function was made with.
pub type wasm_func_callback_with_env_t = Option<
    unsafe extern "C" fn(
        *mut c_void,
        *const wasm_val_vec_t,
        *mut wasm_val_vec_t,
    ) -> *mut wasm_trap_t,
>;

/// Makes a function of a callback. Returns null when an argument is.
///
/// Ownership: borrows store and type; the caller owns the result and releases it with
/// `wasm_func_delete`.
///
/// # Safety
///
/// Store and type are live or null; the callback keeps to its contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_new(
    store: *mut wasm_store_t,
    ty: Option<&wasm_functype_t>,
    callback: wasm_func_callback_t,
) -> Option<Box<wasm_func_t>> {
    guard(None, || {
        let Some(callback) = callback else { return refuse("the callback is null") };
        // SAFETY: the contract of this function.
        unsafe { func_new(store, ty, Callback::Plain(callback)) }
    })
}

/// An environment that is released when its function is gone.
pub(super) struct Environment {
    pub(super) env: *mut c_void,
    pub(super) finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
}

impl Drop for Environment {
    fn drop(&mut self) {
        if let Some(finalizer) = self.finalizer {
            // SAFETY: the embedder has given the two for this; the function is dropped once.
            unsafe { finalizer(self.env) };
        }
    }
}

/// Makes a function of a callback with an environment, which may be null. The finalizer, unless it
/// is null, runs when nothing can call the function any more. Returns null when store, type or
/// callback are; the finalizer has run then.
///
/// Ownership: borrows store and type, takes the environment over; the caller owns the result and
/// releases it with `wasm_func_delete`.
///
/// # Safety
///
/// Store and type are live or null; callback and finalizer keep to their contracts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_new_with_env(
    store: *mut wasm_store_t,
    ty: Option<&wasm_functype_t>,
    callback: wasm_func_callback_with_env_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
) -> Option<Box<wasm_func_t>> {
    guard(None, || {
        let environment = Environment { env, finalizer };
        let Some(callback) = callback else { return refuse("the callback is null") };
        // SAFETY: the contract of this function.
        unsafe { func_new(store, ty, Callback::WithEnv(callback, environment)) }
    })
}

/// A callback of `wasm.h`, which keeps to its contract.
enum Callback {
    Plain(unsafe extern "C" fn(*const wasm_val_vec_t, *mut wasm_val_vec_t) -> *mut wasm_trap_t),
    WithEnv(
        unsafe extern "C" fn(
            *mut c_void,
            *const wasm_val_vec_t,
            *mut wasm_val_vec_t,
        ) -> *mut wasm_trap_t,
        Environment,
    ),
}

impl Callback {
    fn call(&self, args: *const wasm_val_vec_t, results: *mut wasm_val_vec_t) -> *mut wasm_trap_t {
        // SAFETY: the callback keeps to its contract.
        unsafe {
            match self {
                Callback::Plain(callback) => callback(args, results),
                Callback::WithEnv(callback, environment) => {
                    callback(environment.env, args, results)
                }
            }
        }
    }

    /// What the engine needs to have it called directly.
    fn parts(&self) -> (CFunction, *const c_void, *mut c_void) {
        match self {
            Callback::Plain(callback) => {
                (CFunction::Values, *callback as *const c_void, std::ptr::null_mut())
            }
            Callback::WithEnv(callback, environment) => {
                (CFunction::ValuesWithEnv, *callback as *const c_void, environment.env)
            }
        }
    }
}

/// # Safety
///
/// Store and type are live or null.
unsafe fn func_new(
    store: *mut wasm_store_t,
    ty: Option<&wasm_functype_t>,
    callback: Callback,
) -> Option<Box<wasm_func_t>> {
    // SAFETY: the caller's contract.
    let store = &unsafe { shared(store, "the store") }?.0;
    let ty = ty.or_null_error("the type")?.func_type()?;
    let func = if ty.has_vectors() {
        // Keeps the environment as any other function does.
        Func::new(store, ty, move |_, _, _| {
            let _ = &callback;
            Err(Trap::new("vectors do not fit into wasm_val_t"))
        })
    } else if ty.has_refs() {
        Func::new_raw(store, &ty, move |call| call_with_refs(call, &callback))
    } else {
        let (kind, function, env) = callback.parts();
        let finish = move |call: &RawCall| {
            // It is kept, with its environment, as long as the function.
            let _ = &callback;
            check_numbers(call)
        };
        // SAFETY: the callback keeps to its contract, and values have the layout of slots.
        unsafe { Func::new_c(store, &ty, kind, function, env, finish) }
    };
    Some(wasm_func_t::boxed(func.or_error()?.handle()))
}

/// What a callback that wasm has called directly has returned, results included. What it has not
/// set is of a kind of references, and null.
fn check_numbers(call: &RawCall) -> Result<(), Trap> {
    let kinds = call.result_kinds();
    let outcome = check_trap(call.returned().cast());
    if kinds.is_empty() {
        return outcome;
    }
    // SAFETY: there is room for as many results as the function's type has. Should the callback have
    // put another buffer into its vector, that is not looked at.
    let values = unsafe { std::slice::from_raw_parts(call.results(), kinds.len()) };
    let wrong = values.iter().zip(kinds).position(|(value, kind)| value.kind() != *kind);
    match wrong {
        None => outcome,
        Some(index) => {
            delete_references(values);
            outcome.and(Err(wrong_result(index)))
        }
    }
}

/// Deletes what a callback has put among results that should all be numbers.
#[cold]
fn delete_references(values: &[Slot]) {
    for value in values {
        // SAFETY: slots have the layout of values; a callback owns what it sets as a result.
        unsafe { std::ptr::from_ref(value).cast::<wasm_val_t>().read().delete() };
    }
}

/// What a callback's return value says.
pub(super) fn check_trap(trap: *mut wasm_trap_t) -> Result<(), Trap> {
    if trap.is_null() {
        return Ok(());
    }
    // SAFETY: the callback passes its trap on.
    Err(unsafe { Box::from_raw(trap) }.into_trap())
}

fn wrong_result(index: usize) -> Trap {
    Trap::new(format!("result {index} of a host function is of the wrong kind"))
}

/// Calls a callback with references, which have owners on the side of C.
fn call_with_refs(call: &RawCall, callback: &Callback) -> Result<(), Trap> {
    let store = call.caller().store();
    let ty = call.ty();
    let slots = (0..ty.params().len()).map(|i| call.args().wrapping_add(i));
    // SAFETY: host trampolines have laid the arguments out; references among them are live.
    let args = slots.map(|slot| unsafe { wasm_val_t::from_slot(&store, &*slot) });
    let args = wasm_val_vec_t::of(args.collect());
    let mut results = wasm_val_vec_t::of(vec![wasm_val_t::NULL; ty.results().len()]);
    check_trap(callback.call(&args, &raw mut results))?;
    // SAFETY: the callback leaves a whole vector.
    let values = unsafe { results.as_slice() };
    for (i, wanted) in ty.results().iter().enumerate() {
        let Some(value) = values.get(i).filter(|value| value.kind() == Slot::kind_of(*wanted))
        else {
            return Err(wrong_result(i));
        };
        let slot = if value.is_ref() {
            // SAFETY: the value is of a kind of references.
            let handle = unsafe { value.reference() }.map(|r| r.object().handle());
            let (slot, _keep) = Slot::from_handle(&store, *wanted, handle)
                .map_err(|error| Trap::new(format!("result {i} of a host function: {error}")))?;
            slot
        } else {
            // SAFETY: values of numbers have the layout of slots.
            unsafe { *std::ptr::from_ref(value).cast::<Slot>() }
        };
        // SAFETY: there is room for as many results as the function's type has.
        unsafe { call.results().add(i).write(slot) };
    }
    Ok(())
}

/// Returns a function's type.
///
/// Ownership: borrows the function; the caller owns the result and releases it with
/// `wasm_functype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_type(
    func: Option<&wasm_func_t>,
) -> Option<Box<wasm_functype_t>> {
    guard(None, || Some(wasm_functype_t::boxed(func.or_null_error("the function")?.func().ty())))
}

/// Returns the number of a function's parameters; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_param_arity(func: Option<&wasm_func_t>) -> usize {
    guard(0, || func.map_or(0, |func| func.func().param_kinds().len()))
}

/// Returns the number of a function's results; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_result_arity(func: Option<&wasm_func_t>) -> usize {
    guard(0, || func.map_or(0, |func| func.func().result_kinds().len()))
}

/// Calls a function. Returns null when it returns, its results in `results`; else a trap, also
/// when there are too few or too many arguments, arguments of a wrong kind, or too little room for
/// the results; more room than needed is left alone. A null function is not called: the last error
/// alone tells.
///
/// Ownership: borrows function and arguments; the caller owns the trap, and references among the
/// results.
///
/// # Safety
///
/// The function is live or null, the vectors are whole or null; references among the arguments are
/// live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_call(
    func: *const wasm_func_t,
    args: Option<&wasm_val_vec_t>,
    results: *mut wasm_val_vec_t,
) -> Option<Box<wasm_trap_t>> {
    // SAFETY: the contract of this function; values of numbers have the layout of slots. The host
    // functions that are called may delete this one: nothing holds on to it.
    unsafe {
        let args: *const SlotVec = args.map_or(std::ptr::null(), std::ptr::from_ref).cast();
        // What is no function is found out where panics are caught.
        let trap = match func.as_ref().and_then(|func| Func::of(func.object().handle())) {
            Some(callee) => callee.callee().call_directly(args, results.cast(), func.cast()),
            None => end_call(func.cast(), args, results.cast(), Callee::NOT_CALLED),
        };
        trap_of(trap)
    }
}

/// What [`end_call`] has returned, as it is returned to C.
unsafe fn trap_of(trap: *mut c_void) -> Option<Box<wasm_trap_t>> {
    let trap: *mut wasm_trap_t = trap.cast();
    // SAFETY: `end_call` has given it away.
    (!trap.is_null()).then(|| unsafe { Box::from_raw(trap) })
}

const _: () = assert!(
    offset_of!(wasm_val_vec_t, size) == offset_of!(SlotVec, size)
        && offset_of!(wasm_val_vec_t, data) == offset_of!(SlotVec, data)
);

/// Ends a call that has been made directly, or makes it if it has not; the trap, or null.
///
/// # Safety
///
/// As [`wasm_func_call`]; the call has just ended as `ended` says.
#[cold]
pub(super) unsafe extern "C" fn end_call(
    func: *const c_void,
    args: *const SlotVec,
    results: *mut SlotVec,
    ended: u32,
) -> *mut c_void {
    let func: *const wasm_func_t = func.cast();
    let trap = guard(None, || {
        // SAFETY: the caller's contract.
        if let Some(outcome) = unsafe { Callee::end(ended, raised) } {
            return outcome.err();
        }
        // SAFETY: the caller's contract: nothing has happened yet.
        let ((args, arg_count), (results, room), func) =
            unsafe { (array(args), array(results), func.as_ref()) };
        let func = func.or_null_error("the function")?.func();
        let callee = func.callee();
        let outcome = if let Err(error) = has_room(func, room) {
            Err(raised(&func.store(), error))
        } else if func.is_numeric() {
            // SAFETY: the caller's contract; values of numbers have the layout of slots.
            unsafe { callee.call(args.cast(), arg_count, results.cast(), raised) }
        } else {
            // SAFETY: the caller's contract.
            unsafe { call(func.clone(), args, arg_count, results) }
        };
        outcome.err()
    });
    trap.map_or(std::ptr::null_mut(), Box::into_raw).cast()
}

/// The buffer of a vector, and its size; null and 0 if there is none.
///
/// # Safety
///
/// The pointer is live or null.
unsafe fn array(vec: *const SlotVec) -> (*mut wasm_val_t, usize) {
    // SAFETY: the caller's contract.
    let vec = unsafe { vec.as_ref() }.filter(|vec| !vec.data.is_null());
    vec.map_or((std::ptr::null_mut(), 0), |vec| (vec.data.cast(), vec.size))
}

/// The trap that an error becomes, after it has become the last error.
pub(super) fn raised(store: &Store, error: Error) -> Box<wasm_trap_t> {
    set_error(LastError::from(&error));
    wasm_trap_t::from_error(store, error)
}

/// Fails when there is no room for the results of a function.
pub(super) fn has_room(func: &Func, room: usize) -> Result<(), Error> {
    let wanted = func.result_kinds().len();
    if room >= wanted {
        return Ok(());
    }
    Err(Error::Type(format!("there is room for {room} results, {wanted} are returned")))
}

/// # Safety
///
/// There are `arg_count` values at `args`, references among them live; the buffer of the results
/// is large enough and can be written; it may be that of the arguments.
unsafe fn call(
    func: Func,
    args: *const wasm_val_t,
    arg_count: usize,
    results: *mut wasm_val_t,
) -> Result<(), Box<wasm_trap_t>> {
    let outcome = if func.ty().has_vectors() {
        Err(Error::Type("vectors do not fit into wasm_val_t".to_owned()))
    } else {
        // SAFETY: the caller's contract.
        let args = (0..arg_count).map(|i| unsafe { (*args.add(i)).to_val() });
        args.collect::<Result<Vec<_>, _>>().and_then(|args| func.call(&args))
    };
    let values = outcome.map_err(|error| raised(&func.store(), error))?;
    for (i, value) in values.iter().enumerate() {
        // SAFETY: the caller's contract.
        unsafe { results.add(i).write(wasm_val_t::from_val(value)) };
    }
    Ok(())
}
