//! `tenon.h`: tags and exceptions.

use super::boundary::{Argument, OrError, guard, refuse, shared};
use super::object::{tenon_exception_t, tenon_tag_t, wasm_trap_t};
use super::store::wasm_store_t;
use super::types::wasm_tagtype_t;
use super::val::{wasm_val_t, wasm_val_vec_t};
use crate::engine::{Error, Exception, Tag, Val};

/// Makes a tag. Returns null when an argument is null, or when the type has results.
///
/// Ownership: borrows both; the caller owns the result and releases it with `tenon_tag_delete`.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_tag_new(
    store: *mut wasm_store_t,
    ty: Option<&wasm_tagtype_t>,
) -> Option<Box<tenon_tag_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = unsafe { shared(store, "the store") }?;
        let ty = ty.or_null_error("the type")?.func_type()?;
        let tag = Tag::new(&store.0, &ty).or_error()?;
        Some(tenon_tag_t::boxed(tag.handle()))
    })
}

/// Returns a tag's type.
///
/// Ownership: borrows the tag; the caller owns the result and releases it with
/// `wasm_tagtype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_tag_type(tag: Option<&tenon_tag_t>) -> Option<Box<wasm_tagtype_t>> {
    guard(None, || Some(wasm_tagtype_t::boxed(tag.or_null_error("the tag")?.tag().ty())))
}

/// Makes an exception with a tag, which carries these values. Returns null when a pointer is null,
/// when the tag is of another store, or when there are other values than the tag's type wants.
/// `wasm_val_t` has no room for vectors, so C makes none that carry any.
///
/// Ownership: borrows all; the caller owns the result and releases it with
/// `tenon_exception_delete`.
///
/// # Safety
///
/// The pointers are live or null, the vector is whole or null; references among the values are live
/// or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_exception_new(
    store: *mut wasm_store_t,
    tag: Option<&tenon_tag_t>,
    values: Option<&wasm_val_vec_t>,
) -> Option<Box<tenon_exception_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = unsafe { shared(store, "the store") }?;
        let tag = tag.or_null_error("the tag")?.tag();
        // SAFETY: the contract of this function.
        let values = unsafe { values.or_null_error("the values")?.as_slice() };
        // SAFETY: as above.
        let values = values.iter().map(|value| unsafe { value.to_val() });
        let values = values.collect::<Result<Vec<Val>, Error>>().or_error()?;
        let exception = Exception::new(&store.0, tag, &values).or_error()?;
        Some(tenon_exception_t::boxed(exception.handle()))
    })
}

/// Returns an exception's tag.
///
/// Ownership: borrows the exception; the caller owns the result and releases it with
/// `tenon_tag_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_exception_tag(
    exception: Option<&tenon_exception_t>,
) -> Option<Box<tenon_tag_t>> {
    guard(None, || {
        let exception = exception.or_null_error("the exception")?.exception();
        Some(tenon_tag_t::boxed(exception.tag().handle()))
    })
}

/// Writes the values that an exception carries to `out`. A vector is a value of kind `TENON_V128`
/// without content; `tenon_exception_vector` has that. Writes an empty vector when the exception is
/// null.
///
/// Ownership: borrows the exception; the caller owns the values.
///
/// # Safety
///
/// The exception is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_exception_values(
    exception: Option<&tenon_exception_t>,
    out: *mut wasm_val_vec_t,
) {
    guard((), || {
        let exception = exception.or_null_error("the exception");
        let values = exception.map(|e| e.exception().values()).unwrap_or_default();
        let values = values.iter().map(wasm_val_t::from_val).collect();
        if !out.is_null() {
            // SAFETY: the contract of this function.
            unsafe { out.write(wasm_val_vec_t::of(values)) };
        }
    });
}

/// Writes the vector that is the value at `index` of what an exception carries to `out`, lane 0
/// first, each lane in little-endian form. Returns whether there is a vector there.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The exception is live or null; 16 bytes can be written to `out`, or it is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_exception_vector(
    exception: Option<&tenon_exception_t>,
    index: usize,
    out: *mut u8,
) -> bool {
    guard(false, || {
        let Some(exception) = exception.or_null_error("the exception") else { return false };
        let Some(Val::V128(bits)) = exception.exception().values().get(index).cloned() else {
            return refuse::<()>("there is no vector at this index").is_some();
        };
        if out.is_null() {
            return refuse::<()>("the vector has no place").is_some();
        }
        // SAFETY: the contract of this function.
        unsafe { out.cast::<[u8; 16]>().write_unaligned(bits.to_le_bytes()) };
        true
    })
}

/// Makes a trap that carries an exception. A callback that returns it throws the exception: wasm
/// that has called the callback can catch it. Returns null when the exception is.
///
/// Ownership: borrows the exception; the caller owns the result and returns it from a callback or
/// releases it with `wasm_trap_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_trap_new_exception(
    exception: Option<&tenon_exception_t>,
) -> Option<Box<wasm_trap_t>> {
    guard(None, || {
        let exception = exception.or_null_error("the exception")?.exception();
        Some(wasm_trap_t::from_trap(&exception.store(), exception.clone().into()))
    })
}

/// Returns the exception that a trap carries: what has been thrown and nothing has caught. Null,
/// without an error, when the trap is something else. A callback that returns such a trap throws
/// the exception again.
///
/// Ownership: borrows the trap; the caller owns the result and releases it with
/// `tenon_exception_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_trap_exception(
    trap: Option<&wasm_trap_t>,
) -> Option<Box<tenon_exception_t>> {
    guard(None, || {
        let exception = trap.or_null_error("the trap")?.exception()?;
        Some(tenon_exception_t::boxed(exception.handle()))
    })
}
