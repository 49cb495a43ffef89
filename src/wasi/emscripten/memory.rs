//! The guest's memory: copying and growing it.

use super::call::Call;
use crate::engine::{PAGE_SIZE, Trap, TrapCode};

/// The most bytes that a memory can have: Emscripten keeps off the last page of 4 GiB.
const MAX_HEAP: u64 = (1 << 32) - PAGE_SIZE;

/// Copies bytes, and returns where to; traps as the instruction `memory.copy` does.
pub(super) fn copied(call: &Call, to: u32, from: u32, len: u32) -> Result<u32, Trap> {
    copy(call, to, from, len)?;
    Ok(to)
}

/// Copies bytes; traps as the instruction `memory.copy` does.
pub(super) fn copy(call: &Call, to: u32, from: u32, len: u32) -> Result<(), Trap> {
    let (to, from, len) = (to as usize, from as usize, len as usize);
    let memory = call.memory()?;
    let copied = memory.with(0, memory.size(), |bytes| {
        let fits = from + len <= bytes.len() && to + len <= bytes.len();
        if fits {
            bytes.copy_within(from..from + len, to);
        }
        fits
    });
    if copied.is_ok_and(|fits| fits) { Ok(()) } else { Err(TrapCode::MemoryOutOfBounds.into()) }
}

/// Makes the memory at least so large; whether it is.
pub(super) fn emscripten_resize_heap(call: &Call, size: u32) -> Result<u32, Trap> {
    let memory = call.memory()?;
    let missing = u64::from(size).saturating_sub(memory.size() as u64);
    let pages = missing.div_ceil(PAGE_SIZE);
    Ok(u32::from(u64::from(size) <= MAX_HEAP && memory.grow(pages).is_ok()))
}

/// The most bytes that the memory can grow to.
pub(super) fn emscripten_get_heap_max(call: &Call) -> Result<u32, Trap> {
    let max = call.memory()?.ty().limits.max.unwrap_or(u64::MAX);
    let bytes = max.saturating_mul(PAGE_SIZE).min(MAX_HEAP);
    Ok(u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// Nothing: the memory is looked up anew in every call.
pub(super) fn emscripten_notify_memory_growth(_: &Call, _memory: u32) {}

#[allow(non_snake_case, reason = "the name is Emscripten's")]
pub(super) fn setTempRet0(call: &Call, value: u32) {
    call.state.temp_ret.set(value);
}

#[allow(non_snake_case, reason = "the name is Emscripten's")]
pub(super) fn getTempRet0(call: &Call) -> u32 {
    call.state.temp_ret.get()
}
