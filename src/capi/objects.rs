//! The part of `tenon.h` about references: what they refer to, numbers of 31 bits, structs and
//! arrays.

use std::ffi::c_void;

use super::boundary::{Argument, OrError, guard, outcome, refuse, shared};
use super::object::wasm_ref_t;
use super::reftypes::tenon_deftype_t;
use super::store::wasm_store_t;
use super::tenon::tenon_error_code_t;
use super::val::{wasm_val_t, wasm_val_vec_t};
use crate::engine::{
    Error, Extern, ExternRef, HeapType, Instance, Object, StorageType, Store, Val,
};

/// What a reference refers to (`tenon_ref_kind_enum`).
pub type tenon_ref_kind_t = u8;

/// Returns what a reference refers to; `TENON_REF_NULL` for null.
///
/// Ownership: borrows it.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_ref_kind(reference: Option<&wasm_ref_t>) -> tenon_ref_kind_t {
    guard(0, || {
        let Some(reference) = reference else { return 0 };
        let handle = reference.object().handle();
        if let Some(item) = Extern::of(handle) {
            return match item {
                Extern::Func(_) => 1,
                Extern::Global(_) => 2,
                Extern::Table(_) => 3,
                Extern::Memory(_) => 4,
                Extern::Tag(_) => 5,
            };
        }
        if Instance::of(handle).is_some() {
            return 6;
        }
        if ExternRef::of(handle).is_some() {
            return 7;
        }
        match Object::of(handle).map(Object::heap_type) {
            Some(HeapType::I31) => 8,
            Some(HeapType::ConcreteStruct(_)) => 9,
            Some(HeapType::ConcreteArray(_)) => 10,
            Some(HeapType::Exn) => 11,
            _ => 0,
        }
    })
}

/// The object that a reference is to; none, and the last error, if it is to something else.
fn object(reference: Option<&wasm_ref_t>) -> Option<&Object> {
    let object = Object::of(reference.or_null_error("the reference")?.object().handle());
    object.or_else(|| refuse("the reference is to no struct, array or number"))
}

fn boxed(object: &Object) -> Option<Box<wasm_ref_t>> {
    Some(wasm_ref_t::boxed(object.handle()))
}

/// Returns the type that the struct or array was made with which a reference is to. Returns null when
/// it is to something else.
///
/// Ownership: borrows it; the caller owns the result and releases it with `tenon_deftype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_object_type(
    reference: Option<&wasm_ref_t>,
) -> Option<Box<tenon_deftype_t>> {
    guard(None, || match object(reference)?.ty() {
        Some(ty) => Some(tenon_deftype_t::boxed(ty)),
        None => refuse("the object has no defined type"),
    })
}

/// Makes a reference to the number in the low 31 bits of `value`. Returns null when the store is.
///
/// Ownership: borrows the store; the caller owns the result and releases it with `wasm_ref_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_i31_new(
    store: *mut wasm_store_t,
    value: i32,
) -> Option<Box<wasm_ref_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = &unsafe { shared(store, "the store") }?.0;
        boxed(&Object::i31(store, value as u32))
    })
}

/// Writes to `out` the number of 31 bits that a reference is to, extended with its sign. Fails when
/// it is to something else.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The reference is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_i31_get(
    reference: Option<&wasm_ref_t>,
    out: *mut i32,
) -> tenon_error_code_t {
    outcome(|| {
        let number = object(reference)?.as_i31().or_else(|| refuse("it is no number"))?;
        if out.is_null() {
            return refuse("the number has no place");
        }
        // SAFETY: the contract of this function.
        unsafe { out.write((number << 1) as i32 >> 1) };
        Some(())
    })
}

/// The values in a vector.
///
/// # Safety
///
/// The vector is whole; references in it are live or null.
unsafe fn values(vec: &wasm_val_vec_t) -> Result<Vec<Val>, Error> {
    // SAFETY: the caller's contract.
    unsafe { vec.as_slice().iter().map(|value| value.to_val()).collect() }
}

/// Makes a struct of a defined type with these fields, or, if they are null, with fields that are zero
/// or null. Returns null when another argument is; when the type is not one of structs of the store's
/// engine; when the fields are too few or too many, not of their types, or needed, because one has no
/// zero; when the heap is exhausted: the last error is `TENON_ERROR_TRAP` then. May free and move
/// objects that nothing refers to any more.
///
/// Ownership: borrows all; the caller owns the result and releases it with `wasm_ref_delete`.
///
/// # Safety
///
/// Store and type are live or null, the vector is whole or null, references in it are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_struct_new(
    store: *mut wasm_store_t,
    ty: Option<&tenon_deftype_t>,
    fields: Option<&wasm_val_vec_t>,
) -> Option<Box<wasm_ref_t>> {
    let make = |store: &Store, ty: &tenon_deftype_t| match fields {
        // SAFETY: the contract of this function.
        Some(fields) => {
            Object::new_struct(store, ty.defined()?, &unsafe { values(fields) }.or_error()?)
                .or_error()
        }
        None => Object::default_struct(store, ty.defined()?).or_error(),
    };
    // SAFETY: the contract of this function.
    unsafe { new_object(store, ty, make) }
}

/// Makes an array of a defined type with `size` times the same element, or, if that is null, with
/// elements that are zero or null. Returns null as `tenon_struct_new` does.
///
/// Ownership: borrows all; the caller owns the result and releases it with `wasm_ref_delete`.
///
/// # Safety
///
/// The pointers are live or null; a reference in the element is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_array_new(
    store: *mut wasm_store_t,
    ty: Option<&tenon_deftype_t>,
    size: usize,
    element: Option<&wasm_val_t>,
) -> Option<Box<wasm_ref_t>> {
    let make = |store: &Store, ty: &tenon_deftype_t| match element {
        // SAFETY: the contract of this function.
        Some(element) => {
            Object::repeat(store, ty.defined()?, size, &unsafe { element.to_val() }.or_error()?)
                .or_error()
        }
        None => Object::default_array(store, ty.defined()?, size).or_error(),
    };
    // SAFETY: the contract of this function.
    unsafe { new_object(store, ty, make) }
}

/// Makes an array of a defined type with these elements. Returns null as `tenon_struct_new` does, and
/// when the elements are.
///
/// Ownership: borrows all; the caller owns the result and releases it with `wasm_ref_delete`.
///
/// # Safety
///
/// As `tenon_struct_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_array_new_of(
    store: *mut wasm_store_t,
    ty: Option<&tenon_deftype_t>,
    elements: Option<&wasm_val_vec_t>,
) -> Option<Box<wasm_ref_t>> {
    let make = |store: &Store, ty: &tenon_deftype_t| {
        let elements = elements.or_null_error("the elements")?;
        // SAFETY: the contract of this function.
        let elements = unsafe { values(elements) }.or_error()?;
        Object::new_array(store, ty.defined()?, &elements).or_error()
    };
    // SAFETY: the contract of this function.
    unsafe { new_object(store, ty, make) }
}

/// Makes an array of a defined type from `bytes` bytes: the elements one after the other, in
/// little-endian form, each as large as it is stored (1 byte for `i8`, 16 for vectors). Returns null
/// as `tenon_struct_new` does, when the elements are no numbers, and when the last one is not whole.
///
/// Ownership: borrows all; the caller owns the result and releases it with `wasm_ref_delete`.
///
/// # Safety
///
/// Store and type are live or null; so many bytes can be read, or `data` is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_array_new_from(
    store: *mut wasm_store_t,
    ty: Option<&tenon_deftype_t>,
    data: *const c_void,
    bytes: usize,
) -> Option<Box<wasm_ref_t>> {
    let make = |store: &Store, ty: &tenon_deftype_t| {
        // SAFETY: the contract of this function.
        let bytes = unsafe { readable(data, bytes) }?;
        Object::array_of_bytes(store, ty.defined()?, bytes).or_error()
    };
    // SAFETY: the contract of this function.
    unsafe { new_object(store, ty, make) }
}

/// # Safety
///
/// The pointers are live or null.
unsafe fn new_object(
    store: *mut wasm_store_t,
    ty: Option<&tenon_deftype_t>,
    make: impl FnOnce(&Store, &tenon_deftype_t) -> Option<Object>,
) -> Option<Box<wasm_ref_t>> {
    guard(None, || {
        // SAFETY: the caller's contract.
        let store = &unsafe { shared(store, "the store") }?.0;
        boxed(&make(store, ty.or_null_error("the type")?)?)
    })
}

/// # Safety
///
/// So many bytes can be read, or the pointer is null.
unsafe fn readable<'a>(data: *const c_void, bytes: usize) -> Option<&'a [u8]> {
    match (data.is_null(), bytes) {
        (_, 0) => Some(&[]),
        (true, _) => refuse("the bytes are null"),
        // SAFETY: the caller's contract.
        (false, _) => Some(unsafe { std::slice::from_raw_parts(data.cast(), bytes) }),
    }
}

/// Returns the number of fields of a struct, or of elements of an array; 0 for anything else, and for
/// null.
///
/// Ownership: borrows it.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_object_size(reference: Option<&wasm_ref_t>) -> usize {
    guard(0, || {
        let object = reference.and_then(|reference| Object::of(reference.object().handle()));
        object.map_or(0, |object| object.len() as usize)
    })
}

/// The value of a field or element; none, and the last error, if there is none.
pub(super) fn value_at(reference: Option<&wasm_ref_t>, index: usize) -> Option<Val> {
    let object = object(reference)?;
    let value = u32::try_from(index).ok().and_then(|index| object.get(index));
    let none = || Error::Limit(format!("there is no value {index} among {}", object.len()));
    value.ok_or_else(none).or_error()
}

/// Sets a field or element.
pub(super) fn set_value_at(
    reference: Option<&wasm_ref_t>,
    index: usize,
    value: impl FnOnce(StorageType) -> Result<Val, Error>,
) -> Option<()> {
    let object = object(reference)?;
    // No object has so many values; its own message says that.
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    let storage = object.storage(index).unwrap_or(StorageType::I8);
    object.set(index, &value(storage).or_error()?).or_error()
}

/// Writes to `out` a field of a struct, or an element of an array, by its index. A value that is
/// stored in fewer bits is extended with zeros. Fails, and writes a null reference, when there is no
/// such value, or it is a vector (see `tenon_object_get_raw`).
///
/// Ownership: borrows the reference to the object; the caller owns a reference in the value.
///
/// # Safety
///
/// The reference is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_object_get(
    reference: Option<&wasm_ref_t>,
    index: usize,
    out: *mut wasm_val_t,
) -> tenon_error_code_t {
    outcome(|| {
        if out.is_null() {
            return refuse("the value has no place");
        }
        let value = value_at(reference, index).and_then(|value| match value {
            Val::V128(_) => {
                Err(Error::Type("vectors do not fit into wasm_val_t".to_owned())).or_error()
            }
            value => Some(wasm_val_t::from_val(&value)),
        });
        // SAFETY: the contract of this function.
        unsafe { out.write(value.unwrap_or(wasm_val_t::NULL)) };
        value.map(drop)
    })
}

/// Sets a field of a struct, or an element of an array, by its index. Fails when there is no such
/// value, it cannot be set, or the new one is not of its type.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The pointers are live or null; a reference in the value is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_object_set(
    reference: *mut wasm_ref_t,
    index: usize,
    value: Option<&wasm_val_t>,
) -> tenon_error_code_t {
    outcome(|| {
        let value = value.or_null_error("the value")?;
        // SAFETY: the contract of this function.
        set_value_at(unsafe { reference.as_ref() }, index, |_| unsafe { value.to_val() })
    })
}

/// Copies `count` elements of an array of numbers, from index `start` on, to memory of C: one after
/// the other, in little-endian form, each as large as it is stored. Fails, and writes nothing, when
/// the array has not so many, or its elements are no numbers.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The reference is live or null; so many elements can be written to `out`, or it is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_array_read(
    reference: Option<&wasm_ref_t>,
    start: usize,
    count: usize,
    out: *mut c_void,
) -> tenon_error_code_t {
    outcome(|| {
        let (object, start, bytes) = range(reference, start, count)?;
        if bytes > 0 && out.is_null() {
            return refuse("the elements have no place");
        }
        // SAFETY: the contract of this function; for no bytes any address will do.
        let out = match bytes {
            0 => &mut [],
            _ => unsafe { std::slice::from_raw_parts_mut(out.cast(), bytes) },
        };
        object.read_numbers(start, out).or_error()
    })
}

/// Sets `count` elements of an array of numbers, from index `start` on, to what is in memory of C, as
/// `tenon_array_read` writes it. Fails, and sets nothing, also when elements cannot be set.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The reference is live or null; so many elements can be read from `data`, or it is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_array_write(
    reference: *mut wasm_ref_t,
    start: usize,
    count: usize,
    data: *const c_void,
) -> tenon_error_code_t {
    outcome(|| {
        // SAFETY: the contract of this function.
        let (object, start, bytes) = range(unsafe { reference.as_ref() }, start, count)?;
        // SAFETY: as above.
        object.write_numbers(start, unsafe { readable(data, bytes) }?).or_error()
    })
}

/// An array, an index, and the bytes of so many of its elements, which it has from there on.
fn range(
    reference: Option<&wasm_ref_t>,
    start: usize,
    count: usize,
) -> Option<(&Object, u32, usize)> {
    let object = object(reference)?;
    let size = object.number_size().or_error()?;
    let there = start.checked_add(count).is_some_and(|end| end <= object.len() as usize);
    let none = || Error::Limit(format!("the array has only {} elements", object.len()));
    there.then(|| (object, start as u32, count * size)).ok_or_else(none).or_error()
}
