//! Tables and element segments. Bounds are checked before anything is written (core spec, section
//! 4.4.6).

use super::{check, instance};
use crate::abi::layout::VMContext;
use crate::vm::enter::Cause;
use crate::vm::store::Store;
use crate::vm::table::{Table, in_bounds};
use crate::wasm::{TableIndex, TrapCode};

/// Elements that one unit of fuel pays for.
const ELEMENTS_PER_FUEL: u64 = 8;

/// Consumes the fuel for work on up to `len` elements of `table`.
///
/// # Safety
///
/// The context is that of the running instance.
unsafe fn consume(context: *mut VMContext, table: &Table, len: u64) -> Result<(), Cause> {
    // SAFETY: the caller's contract.
    let store = unsafe { Store::of_context(context) };
    Ok(store.consume(len.min(table.len() as u64) / ELEMENTS_PER_FUEL)?)
}

pub(in crate::vm) unsafe fn table_grow(
    context: *mut VMContext,
    table: u32,
    delta: u64,
    value: u64,
) -> Result<u64, Cause> {
    // SAFETY: the context is the running instance's.
    let table = unsafe { at(context, table) };
    let before = table.grow(delta, value);
    if before.is_some() {
        // SAFETY: as above.
        unsafe { consume(context, table, delta) }?;
    }
    Ok(before.unwrap_or(u64::MAX))
}

pub(in crate::vm) unsafe fn table_fill(
    context: *mut VMContext,
    table: u32,
    dst: u64,
    value: u64,
    len: u64,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    let table = unsafe { at(context, table) };
    // SAFETY: as above.
    unsafe { consume(context, table, len) }?;
    check(table.fill(dst, value, len), TrapCode::TableOutOfBounds)
}

pub(in crate::vm) unsafe fn table_copy(
    context: *mut VMContext,
    to: u32,
    from: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    let (to, from) = unsafe { (at(context, to), at(context, from)) };
    // SAFETY: as above.
    unsafe { consume(context, to, len) }?;
    check(to.copy(dst, from, src, len), TrapCode::TableOutOfBounds)
}

pub(in crate::vm) unsafe fn table_init(
    context: *mut VMContext,
    table: u32,
    elem: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    let (table, instance) = unsafe { (at(context, table), instance(context)) };
    // SAFETY: as above.
    unsafe { consume(context, table, len) }?;
    instance.with_element(elem as usize, |values| {
        let there = in_bounds(src, len, values.len());
        let done = there && table.init(dst, &values[src as usize..(src + len) as usize]);
        check(done, TrapCode::TableOutOfBounds)
    })
}

pub(in crate::vm) unsafe fn elem_drop(context: *mut VMContext, elem: u32) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    unsafe { instance(context) }.drop_element(elem as usize);
    Ok(())
}

/// # Safety
///
/// The context is that of the running instance.
unsafe fn at<'a>(context: *mut VMContext, table: u32) -> &'a Table {
    // SAFETY: the caller's contract.
    unsafe { instance(context) }.table(TableIndex::from_u32(table))
}
