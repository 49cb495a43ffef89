//! The part of `tenon.h` about values without kinds, among which vectors have room.

use std::ffi::c_void;

use super::boundary::{Argument, OrError, guard, outcome, refuse, shared};
use super::func::{Environment, check_trap, has_room, raised};
use super::object::{wasm_func_t, wasm_global_t, wasm_ref_t, wasm_trap_t};
use super::objects::{set_value_at, value_at};
use super::store::wasm_store_t;
use super::tenon::tenon_error_code_t;
use super::types::{wasm_functype_t, wasm_globaltype_t};
use super::val::owned;
use crate::engine::{CFunction, Error, Func, Global, RawCall, Trap, Val, ValType};

/// A value whose type is known from elsewhere.
#[derive(Clone, Copy)]
#[repr(C)]
pub union tenon_raw_t {
    /// An `i32`.
    pub i32: i32,
    /// An `i64`.
    pub i64: i64,
    /// An `f32`.
    pub f32: f32,
    /// An `f64`.
    pub f64: f64,
    /// A reference, or null.
    pub reference: *mut wasm_ref_t,
    /// A vector, lane 0 first.
    pub v128: [u8; 16],
}

impl tenon_raw_t {
    const ZERO: tenon_raw_t = tenon_raw_t { v128: [0; 16] };

    /// The engine's form of a value of this type.
    ///
    /// # Safety
    ///
    /// It is one of this type; a reference is live or null.
    unsafe fn to_val(self, ty: ValType) -> Result<Val, Error> {
        // SAFETY: the caller's contract: the type says which field holds the value.
        unsafe {
            Ok(match ty {
                ValType::I32 => Val::I32(self.i32),
                ValType::I64 => Val::I64(self.i64),
                ValType::F32 => Val::F32(self.f32),
                ValType::F64 => Val::F64(self.f64),
                ValType::V128 => Val::V128(u128::from_le_bytes(self.v128)),
                ValType::Ref(ty) => {
                    let reference = self.reference.as_ref();
                    Val::from_handle(ty, reference.map(|r| r.object().handle()))?
                }
            })
        }
    }

    /// The C form of a value, which owns its reference. What it does not fill is zero.
    fn from_val(value: &Val) -> tenon_raw_t {
        let mut raw = tenon_raw_t::ZERO;
        match value {
            Val::I32(value) => raw.i32 = *value,
            Val::I64(value) => raw.i64 = *value,
            Val::F32(value) => raw.f32 = *value,
            Val::F64(value) => raw.f64 = *value,
            Val::V128(value) => raw.v128 = value.to_le_bytes(),
            reference => raw.reference = owned(reference.referent().map(wasm_ref_t::boxed)),
        }
        raw
    }
}

/// Values of these types, whose references it owns.
struct Values {
    types: Box<[ValType]>,
    values: Vec<tenon_raw_t>,
}

impl Drop for Values {
    fn drop(&mut self) {
        for (value, ty) in self.values.iter().zip(&self.types) {
            if ty.is_ref() {
                // SAFETY: the value owns its reference; what C has put there it has passed on.
                drop(unsafe { value.reference.as_mut().map(|r| Box::from_raw(r)) });
            }
        }
    }
}

/// Calls a function as `wasm_func_call` does, with values without kinds: the function's type says what
/// they are, so vectors can be among them. Returns null when it returns, its results in `results`;
/// else a trap. A null function is not called: the last error alone tells.
///
/// Ownership: borrows function and arguments; the caller owns the trap, and references among the
/// results.
///
/// # Safety
///
/// The function is live or null; there are so many arguments and places for results, which may be the
/// same; references among the arguments are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_func_call_raw(
    func: Option<&wasm_func_t>,
    arg_count: usize,
    args: *const tenon_raw_t,
    room: usize,
    results: *mut tenon_raw_t,
) -> Option<Box<wasm_trap_t>> {
    guard(None, || {
        let func = func.or_null_error("the function")?.func().clone();
        let call = || {
            has_room(&func, if results.is_null() { 0 } else { room })?;
            let (params, count) = (func.ty().params(), if args.is_null() { 0 } else { arg_count });
            if count != params.len() {
                let wanted = params.len();
                let message = format!("{count} arguments are given, {wanted} are wanted");
                return Err(Error::Type(message));
            }
            let params = params.iter().enumerate();
            // SAFETY: the contract of this function.
            let args = params.map(|(i, ty)| unsafe { (*args.add(i)).to_val(*ty) });
            func.call(&args.collect::<Result<Vec<_>, _>>()?)
        };
        match call() {
            Ok(values) => {
                for (i, value) in values.iter().enumerate() {
                    // SAFETY: the contract of this function; the room has been checked.
                    unsafe { results.add(i).write(tenon_raw_t::from_val(value)) };
                }
                None
            }
            Err(error) => Some(raised(&func.store(), error)),
        }
    })
}

/// A function of the host that gets values without kinds. Borrows its environment and its arguments,
/// owns references that it puts among the results, which begin as zero. Returns null, or a trap, which
/// it passes on.
pub type tenon_raw_callback_t = Option<
    unsafe extern "C" fn(*mut c_void, *const tenon_raw_t, *mut tenon_raw_t) -> *mut wasm_trap_t,
>;

/// Makes a function of a callback as `wasm_func_new_with_env` does; vectors may go in and out. Returns
/// null when store, type or callback are; the finalizer has run then.
///
/// Ownership: borrows store and type, takes the environment over; the caller owns the result and
/// releases it with `wasm_func_delete`.
///
/// # Safety
///
/// Store and type are live or null; callback and finalizer keep to their contracts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_func_new_raw(
    store: *mut wasm_store_t,
    ty: Option<&wasm_functype_t>,
    callback: tenon_raw_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
) -> Option<Box<wasm_func_t>> {
    guard(None, || {
        let environment = Environment { env, finalizer };
        let Some(callback) = callback else { return refuse("the callback is null") };
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store, "the store") }?.0;
        let ty = ty.or_null_error("the type")?.func_type()?;
        if !ty.has_refs() {
            let finish = move |call: &RawCall| {
                // It is kept as long as the function.
                let _ = &environment;
                check_trap(call.returned().cast())
            };
            let function = callback as *const c_void;
            // SAFETY: the callback keeps to its contract.
            let func =
                unsafe { Func::new_c(store, &ty, CFunction::RawWithEnv, function, env, finish) };
            return Some(wasm_func_t::boxed(func.or_error()?.handle()));
        }
        let types = [ty.params(), ty.results()].map(Box::<[ValType]>::from);
        let func = Func::new(store, ty, move |_, args, results| {
            let environment = &environment;
            let [params, wanted] = types.clone();
            let args = args.iter().map(tenon_raw_t::from_val).collect();
            let args = Values { types: params, values: args };
            let values = vec![tenon_raw_t::ZERO; wanted.len()];
            let mut out = Values { types: wanted, values };
            // SAFETY: the callback keeps to its contract.
            check_trap(unsafe {
                callback(environment.env, args.values.as_ptr(), out.values.as_mut_ptr())
            })?;
            for (i, (value, ty)) in out.values.iter().zip(&out.types).enumerate() {
                // SAFETY: the callback has set results of the function's types.
                results[i] = unsafe { value.to_val(*ty) }.map_err(|error| {
                    Trap::new(format!("result {i} of a host function: {error}"))
                })?;
            }
            Ok(())
        });
        Some(wasm_func_t::boxed(func.or_error()?.handle()))
    })
}

/// Makes a global of any type, vectors included. Returns null when an argument is, or the value is not
/// of the global's type.
///
/// Ownership: borrows all; the caller owns the result and releases it with `wasm_global_delete`.
///
/// # Safety
///
/// The pointers are live or null; a reference in the value is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_global_new_raw(
    store: *mut wasm_store_t,
    ty: Option<&wasm_globaltype_t>,
    value: Option<&tenon_raw_t>,
) -> Option<Box<wasm_global_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store, "the store") }?.0;
        let ty = ty.or_null_error("the type")?.global_type()?;
        // SAFETY: the contract of this function.
        let value = unsafe { value.or_null_error("the value")?.to_val(ty.content) }.or_error()?;
        Some(wasm_global_t::boxed(Global::new(store, ty, &value).or_error()?.handle()))
    })
}

/// Writes a global's value to `out`, whatever its type is; zero for null.
///
/// Ownership: borrows the global; the caller owns a reference in the value.
///
/// # Safety
///
/// The global is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_global_get_raw(
    global: Option<&wasm_global_t>,
    out: *mut tenon_raw_t,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe { write_raw(out, || Some(global.or_null_error("the global")?.global().get())) }
}

/// Sets a global's value, whatever its type is. Fails when the global is immutable, or the value is
/// not of its type.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The pointers are live or null; a reference in the value is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_global_set_raw(
    global: *mut wasm_global_t,
    value: Option<&tenon_raw_t>,
) -> tenon_error_code_t {
    outcome(|| {
        // SAFETY: the contract of this function.
        let global = unsafe { shared(global, "the global") }?.global();
        let (value, ty) = (value.or_null_error("the value")?, global.ty().content);
        // SAFETY: the contract of this function.
        global.set(&unsafe { value.to_val(ty) }.or_error()?).or_error()
    })
}

/// As `tenon_object_get`, for values of any type.
///
/// Ownership: borrows the reference to the object; the caller owns a reference in the value.
///
/// # Safety
///
/// The reference is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_object_get_raw(
    reference: Option<&wasm_ref_t>,
    index: usize,
    out: *mut tenon_raw_t,
) -> tenon_error_code_t {
    // SAFETY: the contract of this function.
    unsafe { write_raw(out, || value_at(reference, index)) }
}

/// As `tenon_object_set`, for values of any type.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The pointers are live or null; a reference in the value is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_object_set_raw(
    reference: *mut wasm_ref_t,
    index: usize,
    value: Option<&tenon_raw_t>,
) -> tenon_error_code_t {
    outcome(|| {
        let value = value.or_null_error("the value")?;
        // SAFETY: the contract of this function.
        let reference = unsafe { reference.as_ref() };
        // SAFETY: the contract of this function.
        set_value_at(reference, index, |storage| unsafe { value.to_val(storage.unpacked()) })
    })
}

/// Writes a value, zero if there is none.
///
/// # Safety
///
/// `out` can be written or is null.
unsafe fn write_raw(
    out: *mut tenon_raw_t,
    value: impl FnOnce() -> Option<Val>,
) -> tenon_error_code_t {
    outcome(|| {
        if out.is_null() {
            return refuse("the value has no place");
        }
        let value = value();
        let raw = value.as_ref().map_or(tenon_raw_t::ZERO, tenon_raw_t::from_val);
        // SAFETY: the caller's contract.
        unsafe { out.write(raw) };
        value.map(drop)
    })
}
