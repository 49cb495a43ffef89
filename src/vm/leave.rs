//! The only doors out of wasm: to the runtime's own functions and to the host's.
//!
//! Errors and panics of what is called become values here, and only then is the stack unwound.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use super::arch;
use super::code::CodeSpace;
use super::context::Instance;
use super::enter::{self, Cause, Raised, Witness, unwind};
use super::libcalls::{self, raw::raise_host_error};
use super::refs::context_node;
use super::signature::Signature;
use super::store::{EntityKind, Handle, Node, NodeKind, Store, leak};
use super::trap::{self, Start};
use super::types::TypeRef;
use crate::abi::code::Crossing;
use crate::abi::layout::{HOST_MAGIC, VMContext, VMExit, VMFuncRef, VMHostContext};
use crate::wasm::DefinedFuncIndex;

/// An error of the embedder's; it passes through wasm as it is.
pub struct HostError {
    /// What the embedder knows it by.
    pub data: Box<dyn Any>,
    /// Whether it carries the functions that were running when it came up. Then they are not
    /// looked for again, which an error that comes through many entries would pay for in each.
    pub traced: bool,
    /// The exception that wasm can catch, if it is one.
    pub exception: Option<Handle>,
}

/// A function of the host.
#[repr(C)]
pub struct HostFunc {
    pub(super) node: Node,
    context: VMHostContext,
    func_ref: VMFuncRef,
    ty: TypeRef,
    /// The closure; `context.call` knows its type.
    body: *const (),
    data: Box<dyn Any>,
}

/// What a host function is called with.
pub struct HostCall<'a> {
    store: &'a Store,
    signature: &'a Signature,
    args: *mut u8,
    results: *mut u8,
}

impl<'a> HostCall<'a> {
    /// The store.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The function's type.
    pub fn signature(&self) -> &'a Signature {
        self.signature
    }

    /// The arguments, laid out as in [`crate::abi::signature`].
    pub fn args(&self) -> *mut u8 {
        self.args
    }

    /// Room for the results, laid out likewise.
    pub fn results(&self) -> *mut u8 {
        self.results
    }

    /// The instance whose code has called, if wasm has called.
    pub fn caller(&self) -> Option<Handle> {
        enter::forget_jumped_over();
        trap::caller(self.store)
    }
}

impl Store {
    /// Makes a host function. `body` has to write every result with its type.
    ///
    /// # Errors
    ///
    /// A message when its trampoline cannot be made.
    pub fn new_func<F>(&self, ty: TypeRef, body: F) -> Result<Handle, String>
    where
        F: Fn(&HostCall) -> Result<(), HostError> + 'static,
    {
        let code = ty.signature().trampoline(Crossing::Host)?;
        Ok(self.new_host_func(ty, code, (ptr::null(), ptr::null_mut()), body))
    }

    /// Makes a host function of the C function at `function` that wasm calls directly, the way
    /// that `crossing` says. `finish` is called after it where something else is to be done than to
    /// take results: as arguments it gets what the function has returned.
    ///
    /// # Safety
    ///
    /// The function is one as `crossing` says, and may be called with `env` as long as `finish`
    /// exists.
    ///
    /// # Errors
    ///
    /// A message when its trampoline cannot be made, or functions of this type cannot be called so.
    pub unsafe fn new_c_func<F>(
        &self,
        ty: TypeRef,
        crossing: Crossing,
        function: *const c_void,
        env: *mut c_void,
        finish: F,
    ) -> Result<Handle, String>
    where
        F: Fn(&HostCall) -> Result<(), HostError> + 'static,
    {
        let code = ty.signature().trampoline(crossing)?;
        Ok(self.new_host_func(ty, code, (function, env), finish))
    }

    fn new_host_func<F>(
        &self,
        ty: TypeRef,
        code: *const u8,
        (function, env): (*const c_void, *mut c_void),
        body: F,
    ) -> Handle
    where
        F: Fn(&HostCall) -> Result<(), HostError> + 'static,
    {
        let data = Box::new(body);
        let body = ptr::from_ref(&*data).cast();
        let host = leak(Box::new(HostFunc {
            node: Node::new(self, NodeKind::Func),
            context: VMHostContext {
                head: VMContext {
                    magic: HOST_MAGIC,
                    store: self.vm(),
                    libcalls: libcalls::table(),
                    types: ptr::null(),
                    owner: ptr::null_mut(),
                },
                call: call::<F>,
                function,
                env,
            },
            func_ref: VMFuncRef { code, vmctx: ptr::null_mut(), ty: ty.as_vm() },
            ty,
            body,
            data,
        }));
        // SAFETY: the function is fresh and nobody else knows it; as `adopt` wants it.
        unsafe {
            let func = &mut *host.as_ptr();
            func.context.head.owner = host.as_ptr().cast();
            func.func_ref.vmctx = (&raw mut func.context).cast();
            let func_ref = NonNull::from(&func.func_ref);
            self.adopt(host.cast());
            Handle::new(host.cast(), EntityKind::Func, func_ref)
        }
    }
}

impl HostFunc {
    /// Frees the function; the closure belongs to the embedder.
    pub(super) fn into_data(self) -> Box<dyn Any> {
        self.data
    }
}

/// What host trampolines call for functions with a closure of type `F`. `left` is null, or the witness
/// of a trampoline that has called a C function.
unsafe extern "C" fn call<F>(
    context: *mut VMHostContext,
    args: *mut u8,
    results: *mut u8,
    left: *const usize,
) -> u32
where
    F: Fn(&HostCall) -> Result<(), HostError> + 'static,
{
    // SAFETY: trampolines pass the context of a live host function, whose closure has this type.
    let (func, store, body) = unsafe {
        let func: &HostFunc = context_node(context.cast()).cast().as_ref();
        (func, Store::of_context(context.cast()), &*func.body.cast::<F>())
    };
    if !left.is_null() {
        // SAFETY: the trampoline is running.
        unsafe { take_over(store, left.cast()) };
    }
    let call = HostCall { store, signature: func.ty.signature(), args, results };
    // SAFETY: wasm of the store has called.
    let result = unsafe { outside(store, || catch_unwind(AssertUnwindSafe(|| body(&call)))) };
    let error: HostError = match result {
        Ok(Ok(())) => return 0,
        Ok(Err(error)) => error,
        Err(panic) => {
            let data = Box::new(HostPanic(panic_message(&*panic)));
            HostError { data, traced: false, exception: None }
        }
    };
    store.host_error.set(Some(error));
    1
}

/// Takes over from a trampoline that has called a C function: forgets what that has jumped out of,
/// and notes where wasm was left as other trampolines do.
///
/// # Safety
///
/// `left` is the witness of the trampoline, which has left wasm of the store.
#[cold]
unsafe fn take_over(store: &Store, left: *const Witness) {
    // SAFETY: the caller's contract. Nobody but this thread uses the store.
    unsafe {
        let activation = enter::left_for(left);
        if (*arch::thread()).activation() != activation {
            enter::forget_abandoned(activation);
        }
        if let Some((pc, fp)) = (*activation).left_by_trampoline() {
            ((*store.vm()).exit.pc, (*store.vm()).exit.fp) = (pc, fp);
        }
    }
}

/// Looks at what has come up while a C function ran in which the code of its context has gone on. Its
/// return address should lie at `slot`; the address where wasm goes on, unless execution ends.
pub(super) unsafe extern "C" fn returned(slot: usize) -> usize {
    // SAFETY: the entry whose wasm has called is running, so its store is there, and what it has
    // called is kept at least until then.
    unsafe {
        let activation = enter::left_by_jump(slot);
        if (*arch::thread()).activation() != activation {
            enter::forget_abandoned(activation);
        }
        let vm = (*activation).vm.store.cast_mut();
        let VMExit { pc, callee, .. } = (*vm).exit;
        if (*vm).trap_waiting != 0 {
            let nothing = ptr::null_mut();
            if ((*callee).call)(callee, nothing, nothing, ptr::null()) != 0 {
                raise_host_error(callee.cast());
            }
        }
        pc
    }
}

/// Does what may free something, or run the embedder's code, in the course of a host call or a libcall.
/// The body does not unwind.
///
/// # Safety
///
/// Called by what wasm of the store has called, that is inside an entry.
#[inline]
pub(super) unsafe fn outside<T>(store: &Store, body: impl FnOnce() -> T) -> T {
    let witness = Witness::new();
    let activation = store.innermost();
    // SAFETY: wasm, which has called, runs in this activation.
    unsafe { (*activation).set_outside(witness.begin()) };
    let result = body();
    // SAFETY: as above. The host may have jumped out of entries that it made meanwhile.
    unsafe {
        if (*arch::thread()).activation() != activation {
            enter::forget_abandoned(activation);
        }
        (*activation).set_outside(ptr::null());
    }
    drop(witness);
    result
}

/// The error of a host function that has panicked: the panic's message.
pub struct HostPanic(pub String);

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (_, Some(message)) => message.as_str(),
        (None, None) => "no message",
    };
    format!("a host function has panicked: {message}")
}

/// Runs the body of a libcall; raises what it returns as error.
///
/// # Safety
///
/// Called by compiled code with its own context.
pub(super) unsafe fn libcall<T>(
    context: *mut VMContext,
    body: impl FnOnce() -> Result<T, Cause>,
) -> T {
    let cause = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => return value,
        Ok(Err(cause)) => cause,
        Err(panic) => Cause::Internal(panic_message(&*panic)),
    };
    // SAFETY: the caller's contract.
    let store = unsafe { Store::of_context(context) };
    let traced = matches!(cause, Cause::Host(HostError { traced: true, .. }));
    let frames = if traced { Vec::new() } else { trap::frames(store, Start::LeftWasm) };
    unwind(Box::new(Raised { cause, frames }))
}

/// Raises a stack overflow that `context`'s function has found before it did anything.
///
/// # Safety
///
/// Called by compiled code with its own context.
pub(super) unsafe fn stack_overflow(context: *mut VMContext) -> ! {
    // SAFETY: the caller's contract.
    let store = unsafe { Store::of_context(context) };
    let frames = trap::frames(store, Start::Prologue(context));
    unwind(Box::new(Raised { cause: crate::wasm::TrapCode::StackOverflow.into(), frames }))
}

/// Finds the code of a function whose stub was called, and lets the reference to it lead there.
/// `caller_fp` and `return_pc` are those of the call, `registers` the first two of the registers in
/// which the function gets what it is called with.
pub(super) unsafe extern "C" fn demand(
    space: *const CodeSpace,
    func: u32,
    caller_fp: usize,
    return_pc: usize,
    registers: *const [usize; 2],
) -> *const u8 {
    let func = DefinedFuncIndex::from_u32(func);
    // SAFETY: stubs are only called inside an entry, which is alive, and pass what they were
    // called with.
    let (activation, registers) = unsafe { (&*(*arch::thread()).activation(), *registers) };
    let cause = match catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: stubs pass the space that they lie in, which is alive because it runs.
        unsafe { (*space).demand(func) }
    })) {
        Ok(Ok(code)) => {
            let frames = registers.as_ptr() as usize..activation.vm.resume_fp;
            let context = arch::context_argument(registers, frames) as *mut VMContext;
            // SAFETY: functions of modules are called with the context of their instance.
            unsafe { Instance::of_context(context) }.set_code(func, code);
            return code;
        }
        Ok(Err(cause)) => cause,
        Err(panic) => Cause::Internal(panic_message(&*panic)),
    };
    let store = activation.store().expect("the store whose code runs is there");
    let frames = trap::frames(store, Start::At { pc: return_pc, fp: caller_fp });
    unwind(Box::new(Raised { cause, frames }))
}
