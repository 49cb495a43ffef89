//! Waiting and notifying (threads proposal). Compiled code has checked the alignment.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::memory::at;
use crate::abi::layout::VMContext;
use crate::vm::enter::Cause;
use crate::vm::memory::Memory;
use crate::vm::store::Store;
use crate::wasm::TrapCode;

pub(in crate::vm) unsafe fn memory_notify(
    context: *mut VMContext,
    memory: u32,
    address: u64,
    count: u32,
) -> Result<u32, Cause> {
    // SAFETY: the context is the running instance's.
    let memory = unsafe { at(context, memory) };
    check_word(memory, address, 4)?;
    // Nobody waits on a memory that is not shared.
    Ok(memory.shared().map_or(0, |shared| shared.parking().notify(address, count)))
}

pub(in crate::vm) unsafe fn memory_wait32(
    context: *mut VMContext,
    memory: u32,
    address: u64,
    expected: u32,
    timeout: u64,
) -> Result<u32, Cause> {
    let is_expected = |word: *mut u8| {
        // SAFETY: the word is in bounds and aligned (see `wait`).
        unsafe { AtomicU32::from_ptr(word.cast()) }.load(Ordering::SeqCst) == expected
    };
    // SAFETY: the context is the running instance's.
    unsafe { wait(context, memory, address, 4, timeout, is_expected) }
}

pub(in crate::vm) unsafe fn memory_wait64(
    context: *mut VMContext,
    memory: u32,
    address: u64,
    expected: u64,
    timeout: u64,
) -> Result<u32, Cause> {
    let is_expected = |word: *mut u8| {
        // SAFETY: the word is in bounds and aligned (see `wait`).
        unsafe { AtomicU64::from_ptr(word.cast()) }.load(Ordering::SeqCst) == expected
    };
    // SAFETY: the context is the running instance's.
    unsafe { wait(context, memory, address, 8, timeout, is_expected) }
}

/// Waits if `is_expected` says so of the word of `size` bytes at `address`.
///
/// # Safety
///
/// The context is that of the running instance, and the address is a multiple of the size.
unsafe fn wait(
    context: *mut VMContext,
    memory: u32,
    address: u64,
    size: u64,
    timeout: u64,
    is_expected: impl FnOnce(*mut u8) -> bool,
) -> Result<u32, Cause> {
    // SAFETY: the caller's contract.
    let (memory, store) = unsafe { (at(context, memory), Store::of_context(context)) };
    let word = check_word(memory, address, size)?;
    let shared = memory.shared().ok_or(TrapCode::ExpectedSharedMemory)?;
    // A timeout with the sign bit is negative: there is none.
    let timeout = (timeout as i64 >= 0).then(|| Duration::from_nanos(timeout));
    let interrupt = || store.take_interrupt();
    let interrupt: Option<&dyn Fn() -> Option<TrapCode>> =
        if store.config().interruptible { Some(&interrupt) } else { None };
    let waited = shared.parking().wait(address, || is_expected(word), timeout, interrupt)?;
    Ok(waited as u32)
}

/// Where the word of `size` bytes at `address` is, which traps when it is not there.
fn check_word(memory: &Memory, address: u64, size: u64) -> Result<*mut u8, Cause> {
    let range = memory.range(address, size).ok_or(TrapCode::MemoryOutOfBounds)?;
    Ok(range.start)
}
