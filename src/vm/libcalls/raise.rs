//! Ending execution.

use crate::abi::layout::VMContext;
use crate::vm::enter::Cause;
use crate::vm::exception;
use crate::vm::leave;
use crate::vm::store::Store;
use crate::wasm::TrapCode;

pub(in crate::vm) unsafe fn raise(context: *mut VMContext, code: u32) -> Result<(), Cause> {
    let code = u8::try_from(code).ok().and_then(TrapCode::from_code);
    let code = code.expect("compiled code raises traps that exist");
    // SAFETY: the context is that of the running function.
    Err(Cause::of_trap(unsafe { Store::of_context(context) }, code))
}

pub(in crate::vm) unsafe fn raise_stack_overflow(context: *mut VMContext) -> Result<(), Cause> {
    // SAFETY: the context is that of the running function.
    unsafe { leave::stack_overflow(context) }
}

pub(in crate::vm) unsafe fn raise_host_error(context: *mut VMContext) -> Result<(), Cause> {
    // SAFETY: the context is that of the running host function.
    let store = unsafe { Store::of_context(context) };
    let error = store.host_error.take().expect("a host function that fails leaves its error");
    // SAFETY: as above.
    Err(unsafe { exception::throw_host_error(store, error) })
}
