//! Tables and element segments. Bounds are checked before anything is written (core spec, section
//! 4.4.6).

use super::{check, instance};
use crate::abi::layout::VMContext;
use crate::vm::enter::Cause;
use crate::vm::table::{Table, in_bounds};
use crate::wasm::{TableIndex, TrapCode};

pub(in crate::vm) unsafe fn table_grow(
    context: *mut VMContext,
    table: u32,
    delta: u64,
    value: u64,
) -> Result<u64, Cause> {
    // SAFETY: the context is the running instance's.
    let table = unsafe { at(context, table) };
    Ok(table.grow(delta, value).unwrap_or(u64::MAX))
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
