//! Getting on from baseline code.

use super::instance;
use crate::abi::layout::VMContext;
use crate::vm::arch;
use crate::vm::enter::Cause;
use crate::vm::store::Store;
use crate::wasm::DefinedFuncIndex;

/// Which part of the stack may be used while better code can wait.
const DEEP: usize = 8;

pub(in crate::vm) unsafe fn tier_up(
    context: *mut VMContext,
    func: u32,
    place: u32,
    locals: u64,
    size: u32,
) -> Result<u64, Cause> {
    let func = DefinedFuncIndex::from_u32(func);
    let place = (place != u32::MAX).then_some(place);
    // SAFETY: the context is the running instance's, whose code runs inside an entry.
    let (instance, store) = unsafe { (instance(context), Store::of_context(context)) };
    // Frames of baseline code are large: where they pile up, it is left at once.
    // SAFETY: only this thread uses the store.
    let (limit, most) = unsafe { ((*store.vm()).stack_limit, (*store.vm()).max_stack) };
    let left = arch::stack_pointer().saturating_sub(limit);
    let is_deep = left < most - most / DEEP;
    let Some(code) = instance.code().tier_up(func, place, is_deep) else { return Ok(0) };
    match place {
        None => instance.set_code(func, code),
        // SAFETY: baseline code says where its locals are.
        Some(_) => unsafe { store.carry(locals as *const u8, size as usize) },
    }
    Ok(code as u64)
}
