//! Throwing (core spec, section 4.4.8).

use crate::abi::layout::VMContext;
use crate::vm::enter::Cause;
use crate::vm::exception;
use crate::wasm::TagIndex;

pub(in crate::vm) unsafe fn throw(
    context: *mut VMContext,
    tag: u32,
    values: u64,
) -> Result<(), Cause> {
    let values = std::ptr::with_exposed_provenance(values as usize);
    // SAFETY: the context is the running instance's, the tag is one of its module's, and compiled
    // code has laid the values out.
    Err(unsafe { exception::throw(context, TagIndex::from_u32(tag), values) })
}

pub(in crate::vm) unsafe fn throw_ref(
    context: *mut VMContext,
    exception: u32,
) -> Result<(), Cause> {
    // SAFETY: the context is the running instance's, and it has the reference.
    Err(unsafe { exception::throw_ref(context, exception) })
}
