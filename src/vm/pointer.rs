//! C functions made of functions of a store.
//!
//! The code of one enters wasm by itself where nothing is unusual. What it calls otherwise is here.
//! Nobody gets the trap of such a call, so it waits in the store until somebody takes it; as long as
//! one waits, further calls do nothing.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use super::code::Trampoline;
use super::enter::{self, Raised};
use super::refs::context_node;
use super::store::{EntityKind, Handle, Store};
use super::types::Type;
use crate::abi::layout::{VMFuncRef, VMPlainResult};
use crate::abi::signature::array_size;

/// A C function made of the function at `func`.
pub struct Pointer {
    func: NonNull<VMFuncRef>,
    code: Trampoline,
}

thread_local! {
    /// The code that has been running last when a call was ended here. The end of a call may free
    /// the function and its code, into which there is still a way back.
    static RETURNING: Cell<Option<Trampoline>> = const { Cell::new(None) };
}

impl Store {
    /// The C function that calls the function which `handle` is to; the same each time. It exists
    /// as long as the function, and keeps nothing alive.
    ///
    /// # Errors
    ///
    /// A message when functions of its type cannot be called so, or there is no memory for code.
    pub fn pointer_to(&self, handle: &Handle) -> Result<*const u8, String> {
        assert_eq!(handle.kind(), EntityKind::Func);
        let func = handle.func_ref();
        let code = |pointers: &[Pointer]| {
            pointers.iter().find(|pointer| pointer.func == func).map(|pointer| pointer.code.code())
        };
        if let Some(code) = self.pointers.borrow().get(&handle.node()).and_then(|p| code(p)) {
            return Ok(code);
        }
        // SAFETY: the handle keeps the function alive, and that its type.
        let signature = unsafe { Type::of_vm(func.as_ref().ty).signature() };
        let pointer = Pointer { func, code: signature.pointer_to(func)? };
        let code = pointer.code.code();
        self.pointers.borrow_mut().entry(handle.node()).or_default().push(pointer);
        Ok(code)
    }

    /// Keeps the code of the C function that calls `func` until what is returned has been called,
    /// and from then on until another such call has ended on this thread.
    ///
    /// # Safety
    ///
    /// The function is live.
    unsafe fn keep_code(&self, func: *const VMFuncRef) -> impl FnOnce() + use<> {
        let pointers = self.pointers.borrow();
        // SAFETY: the caller's contract.
        let node = unsafe { context_node((*func).vmctx) };
        let mut of_node = pointers.get(&node).into_iter().flatten();
        let code = of_node.find(|pointer| ptr::eq(pointer.func.as_ptr(), func));
        // A thread that is exiting keeps the code for good.
        let mut code = ManuallyDrop::new(code.map(|pointer| pointer.code.clone()));
        move || {
            // What was kept before is not running any more: it has ended on this thread.
            let last = RETURNING.try_with(|returning| returning.replace(code.take()));
            drop(last);
        }
    }

    /// Lets a trap wait, unless one does.
    fn keep_trap(&self, raised: Box<Raised>) {
        // SAFETY: the word lives as long as the store.
        if unsafe { *self.trap_waiting() } == 0 {
            self.set_waiting(Some(raised));
        }
    }
}

/// The store of a function.
///
/// # Safety
///
/// The function is live.
unsafe fn store_of<'a>(func: *const VMFuncRef) -> &'a Store {
    // SAFETY: the caller's contract.
    unsafe { Store::of_context((*func).vmctx) }
}

/// Makes the call that a C function stands for, where it is not the shortest way. The results are
/// zero before.
///
/// # Safety
///
/// The function is live; the arrays have its arguments and room for its results.
pub(super) unsafe extern "C" fn call_in_full(
    func: *const VMFuncRef,
    args: *mut u8,
    results: *mut u8,
) {
    // SAFETY: the caller's contract.
    let store = unsafe { store_of(func) };
    // SAFETY: the word lives as long as the store.
    if unsafe { *store.trap_waiting() } != 0 {
        return;
    }
    let target = NonNull::new(func.cast_mut()).expect("code knows the function that it calls");
    // SAFETY: the caller's contract; the store is not used after `left`.
    unsafe {
        let keep = store.keep_code(func);
        let count = Type::of_vm(target.as_ref().ty).signature().ty().results().len();
        if let Err(raised) = enter::enter(store, target, args, results) {
            ptr::write_bytes(results, 0, array_size(count));
            store.keep_trap(raised);
        }
        store.left();
        keep();
    }
}

/// Does what is to be done after a C function has called its function the shortest way, and returns
/// in its place what that has returned.
///
/// # Safety
///
/// The call has just ended on this thread.
pub(super) unsafe extern "C" fn call_ended(int: u64, float: f64) -> VMPlainResult {
    // SAFETY: the caller's contract; the store is not used after `left`.
    unsafe {
        let (store, raised) = enter::direct_entry();
        if let Some(raised) = raised {
            store.keep_trap(raised);
        }
        store.left();
    }
    VMPlainResult { int, float }
}

/// The same after a trap: returns zero.
///
/// # Safety
///
/// As [`call_ended`].
pub(super) unsafe extern "C" fn call_trapped() -> VMPlainResult {
    // SAFETY: the caller's contract.
    unsafe { call_ended(0, 0.0) }
}
