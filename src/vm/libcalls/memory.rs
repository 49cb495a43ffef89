//! Memories and data segments. Bounds are checked before anything is written (core spec, section
//! 4.4.7). Long operations can be interrupted, and then are done in part. Other threads may access a
//! shared memory meanwhile: its bytes are only ever touched through raw pointers.

use std::ptr;

use super::{check, in_stretches, instance};
use crate::abi::layout::VMContext;
use crate::vm::enter::Cause;
use crate::vm::memory::Memory;
use crate::vm::store::Store;
use crate::vm::table::in_bounds;
use crate::wasm::{MemoryIndex, TrapCode};

/// Bytes that one unit of fuel pays for.
const BYTES_PER_FUEL: u64 = 64;

/// Does `len` bytes of work, see [`in_stretches`], and consumes the fuel for it.
///
/// # Safety
///
/// The context is that of the running instance.
unsafe fn work(
    context: *mut VMContext,
    len: u64,
    backwards: bool,
    part: impl Fn(usize, usize),
) -> Result<(), Cause> {
    // SAFETY: the caller's contract.
    let store = unsafe { Store::of_context(context) };
    store.consume(len / BYTES_PER_FUEL)?;
    in_stretches(store, len as usize, backwards, part)
}

pub(in crate::vm) unsafe fn memory_grow(
    context: *mut VMContext,
    memory: u32,
    delta: u64,
) -> Result<u64, Cause> {
    // SAFETY: the context is the running instance's.
    let memory = unsafe { at(context, memory) };
    Ok(memory.grow(delta).unwrap_or(u64::MAX))
}

pub(in crate::vm) unsafe fn memory_copy(
    context: *mut VMContext,
    to: u32,
    from: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    let (to, from) = unsafe { (at(context, to), at(context, from)) };
    check_range(to, dst, len)?;
    check_range(from, src, len)?;
    // Where the ranges overlap, nothing may be written before it has been read.
    let backwards = dst > src;
    // SAFETY: both ranges are in bounds; they may overlap.
    unsafe {
        let (from, to) = (from.base().add(src as usize), to.base().add(dst as usize));
        work(context, len, backwards, |start, len| {
            ptr::copy(from.add(start), to.add(start), len);
        })
    }
}

pub(in crate::vm) unsafe fn memory_fill(
    context: *mut VMContext,
    memory: u32,
    dst: u64,
    value: u32,
    len: u64,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    let memory = unsafe { at(context, memory) };
    check_range(memory, dst, len)?;
    // SAFETY: the range is in bounds.
    unsafe {
        let to = memory.base().add(dst as usize);
        work(context, len, false, |start, len| {
            ptr::write_bytes(to.add(start), value as u8, len);
        })
    }
}

pub(in crate::vm) unsafe fn memory_init(
    context: *mut VMContext,
    memory: u32,
    data: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    let (memory, instance) = unsafe { (at(context, memory), instance(context)) };
    let data = instance.data(data as usize);
    check_range(memory, dst, len)?;
    check(in_bounds(src, len, data.len()), TrapCode::MemoryOutOfBounds)?;
    let data = &data[src as usize..(src + len) as usize];
    // SAFETY: the range is in bounds, and module bytes are not in memories.
    unsafe {
        let to = memory.base().add(dst as usize);
        work(context, len, false, |start, len| {
            ptr::copy_nonoverlapping(data.as_ptr().add(start), to.add(start), len);
        })
    }
}

pub(in crate::vm) unsafe fn data_drop(context: *mut VMContext, data: u32) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's.
    unsafe { instance(context) }.drop_data(data as usize);
    Ok(())
}

/// # Safety
///
/// The context is that of the running instance.
pub(super) unsafe fn at<'a>(context: *mut VMContext, memory: u32) -> &'a Memory {
    // SAFETY: the caller's contract.
    unsafe { instance(context) }.memory(MemoryIndex::from_u32(memory))
}

fn check_range(memory: &Memory, start: u64, len: u64) -> Result<(), Cause> {
    check(in_bounds(start, len, memory.len()), TrapCode::MemoryOutOfBounds)
}
