//! Objects on the heap. Bounds are checked before anything is written (core spec, section 4.4.4).
//! Long operations can be interrupted, and then are done in part.
//!
//! What a libcall returns, and what it has got before it allocates, is stale as soon as something
//! else is allocated.

use std::ptr;

use super::{check, in_stretches, instance};
use crate::abi::layout::VMContext;
use crate::abi::object;
use crate::vm::enter::Cause;
use crate::vm::store::Store;
use crate::vm::table::in_bounds;
use crate::vm::types::{Shape, Type};
use crate::wasm::TrapCode;

/// Elements that one unit of fuel pays for.
const ELEMENTS_PER_FUEL: u32 = 8;

pub(in crate::vm) unsafe fn heap_allocate(
    context: *mut VMContext,
    size: u32,
) -> Result<u32, Cause> {
    // SAFETY: the context is the running instance's.
    let store = unsafe { Store::of_context(context) };
    Ok(store.allocate(size, true).ok_or(TrapCode::HeapExhausted)?)
}

pub(in crate::vm) unsafe fn array_new(
    context: *mut VMContext,
    ty: u32,
    len: u32,
) -> Result<u32, Cause> {
    // SAFETY: the context is the running instance's.
    let (store, instance) = unsafe { (Store::of_context(context), instance(context)) };
    let array = make(store, instance.type_at(ty), len)?;
    let (at, size) = elements(store, array, 0, len);
    fill(store, at, size, 0)?;
    Ok(array)
}

pub(in crate::vm) unsafe fn array_new_data(
    context: *mut VMContext,
    ty: u32,
    data: u32,
    src: u32,
    len: u32,
) -> Result<u32, Cause> {
    // SAFETY: the context is the running instance's.
    let (store, instance) = unsafe { (Store::of_context(context), instance(context)) };
    let ty = instance.type_at(ty);
    let size = u64::from(len) * u64::from(element_size(ty));
    let available = instance.data(data as usize).len();
    check(in_bounds(src.into(), size, available), TrapCode::MemoryOutOfBounds)?;
    let array = make(store, ty, len)?;
    // SAFETY: as above; the source's bounds have been checked, and the array is new.
    unsafe { array_init_data(context, array, data, 0, src, len) }?;
    Ok(array)
}

pub(in crate::vm) unsafe fn array_new_elem(
    context: *mut VMContext,
    ty: u32,
    elem: u32,
    src: u32,
    len: u32,
) -> Result<u32, Cause> {
    // SAFETY: the context is the running instance's.
    let (store, instance) = unsafe { (Store::of_context(context), instance(context)) };
    let available = instance.with_element(elem as usize, |values| values.len());
    check(in_bounds(src.into(), len.into(), available), TrapCode::TableOutOfBounds)?;
    let array = make(store, instance.type_at(ty), len)?;
    // SAFETY: as above.
    unsafe { array_init_elem(context, array, elem, 0, src, len) }?;
    Ok(array)
}

pub(in crate::vm) unsafe fn array_fill(
    context: *mut VMContext,
    array: u32,
    dst: u32,
    low: u64,
    high: u64,
    len: u32,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    let store = unsafe { Store::of_context(context) };
    let at = part(store, array, dst, len)?;
    let value = u128::from(low) | u128::from(high) << 64;
    let size = element_size(store.type_of(array)) as usize;
    let bytes = len as usize * size;
    if value == 0 || size == 1 {
        return fill(store, at, bytes, low as u8);
    }
    let value = value.to_le_bytes();
    in_stretches(store, bytes, false, |start, len| {
        for place in (start..start + len).step_by(size) {
            // SAFETY: the bounds have been checked.
            unsafe { ptr::copy_nonoverlapping(value.as_ptr(), at.add(place), size) };
        }
    })
}

pub(in crate::vm) unsafe fn array_copy(
    context: *mut VMContext,
    to: u32,
    dst: u32,
    from: u32,
    src: u32,
    len: u32,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    let store = unsafe { Store::of_context(context) };
    let in_source = in_bounds(src.into(), len.into(), store.array_len(from) as usize);
    check(in_source, TrapCode::ArrayOutOfBounds)?;
    let at = part(store, to, dst, len)?;
    let (source, size) = elements(store, from, src, len);
    // Where the ranges overlap, nothing may be written before it has been read.
    let backwards = at.cast_const() > source;
    in_stretches(store, size, backwards, |start, len| {
        // SAFETY: both ranges are in bounds, and elements have the same size; they may overlap.
        unsafe { ptr::copy(source.add(start), at.add(start), len) };
    })
}

pub(in crate::vm) unsafe fn array_init_data(
    context: *mut VMContext,
    array: u32,
    data: u32,
    dst: u32,
    src: u32,
    len: u32,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    let (store, instance) = unsafe { (Store::of_context(context), instance(context)) };
    let at = part(store, array, dst, len)?;
    let size = u64::from(len) * u64::from(element_size(store.type_of(array)));
    let data = instance.data(data as usize);
    check(in_bounds(src.into(), size, data.len()), TrapCode::MemoryOutOfBounds)?;
    let source = data[src as usize..].as_ptr();
    in_stretches(store, size as usize, false, |start, len| {
        // SAFETY: both ranges are in bounds, and module bytes are not on the heap.
        unsafe { ptr::copy_nonoverlapping(source.add(start), at.add(start), len) };
    })
}

pub(in crate::vm) unsafe fn array_init_elem(
    context: *mut VMContext,
    array: u32,
    elem: u32,
    dst: u32,
    src: u32,
    len: u32,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    let (store, instance) = unsafe { (Store::of_context(context), instance(context)) };
    let at = part(store, array, dst, len)?;
    let size = element_size(store.type_of(array)) as usize;
    instance.with_element(elem as usize, |values| {
        let there = in_bounds(src.into(), len.into(), values.len());
        check(there, TrapCode::TableOutOfBounds)?;
        let values = &values[src as usize..][..len as usize];
        in_stretches(store, values.len() * size, false, |start, len| {
            for place in (start..start + len).step_by(size) {
                let value = ptr::from_ref(&values[place / size]).cast();
                // SAFETY: the array's bounds have been checked; references take 4 or 8 bytes, and
                // those of 4 come first in the value.
                unsafe { ptr::copy_nonoverlapping(value, at.add(place), size) };
            }
        })
    })
}

/// An array with elements that are not set yet.
fn make(store: &Store, ty: &Type, len: u32) -> Result<u32, Cause> {
    store.consume(u64::from(len / ELEMENTS_PER_FUEL))?;
    let size = object::array_size(element_size(ty), len).ok_or(TrapCode::HeapExhausted)?;
    let array = store.allocate(size, true).ok_or(TrapCode::HeapExhausted)?;
    store.begin_object(array, ty, len);
    Ok(array)
}

/// Writes the same byte to `size` bytes of an object, which are in bounds.
fn fill(store: &Store, at: *mut u8, size: usize, value: u8) -> Result<(), Cause> {
    in_stretches(store, size, false, |start, len| {
        // SAFETY: the caller has checked the bounds.
        unsafe { at.add(start).write_bytes(value, len) };
    })
}

/// Bytes of an element of arrays of this type.
fn element_size(ty: &Type) -> u32 {
    match ty.shape() {
        Shape::Array { element, .. } => *element,
        Shape::Fixed { .. } => unreachable!("the type is one of arrays"),
    }
}

/// Where `len` elements from `start` on are, and how many bytes they have.
fn elements(store: &Store, array: u32, start: u32, len: u32) -> (*mut u8, usize) {
    let size = element_size(store.type_of(array));
    let at = store.object(array, object::HEADER).wrapping_add(start as usize * size as usize);
    (at, len as usize * size as usize)
}

/// Where `len` elements from `start` on are, which are about to be written.
fn part(store: &Store, array: u32, start: u32, len: u32) -> Result<*mut u8, Cause> {
    let there = in_bounds(start.into(), len.into(), store.array_len(array) as usize);
    check(there, TrapCode::ArrayOutOfBounds)?;
    store.consume(u64::from(len / ELEMENTS_PER_FUEL))?;
    Ok(elements(store, array, start, len).0)
}
