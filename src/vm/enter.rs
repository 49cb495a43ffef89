//! The only door into wasm.
//!
//! [`enter`] links an [`Activation`] on its stack frame into the thread and the store, sets the
//! stack limit and calls through the entry trampoline of the function's type. The trampoline notes
//! in the activation how to get back; whoever traps leaves the reason there and resumes at the
//! trampoline's exit. Everything that an entry changes is put back here.

use std::cell::RefCell;
use std::ptr;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::arch;
use super::leave::HostError;
use super::signature::Signature;
use super::store::Store;
use super::sys;
use super::trap::{self, Frame, Start};
use crate::abi::layout::{VMActivation, VMFuncRef};
use crate::wasm::TrapCode;

/// What the runtime knows of a thread. Zeroed when the thread starts.
#[repr(C)]
pub struct Thread {
    /// The newest entry on this thread.
    pub(super) activation: *mut Activation,
    /// The thread's stack; both 0 where the system does not tell.
    stack_low: usize,
    stack_high: usize,
    /// Whether the fields above are set.
    ready: bool,
    /// Whether a signal is being passed on to the handler before ours.
    pub(super) chaining: bool,
}

/// One entry into wasm.
#[repr(C)]
pub struct Activation {
    /// Written by the entry trampoline.
    pub(super) vm: VMActivation,
    /// The store that was entered.
    pub(super) store: *const Store,
    /// The entry before, on this thread.
    previous: *mut Activation,
    /// The entry before, into this store.
    pub(super) previous_in_store: *mut Activation,
    /// Where the store was left last before this entry: program counter and frame pointer.
    pub(super) left_at: (usize, usize),
    previous_limit: usize,
    /// Why execution has resumed at the trampoline's exit.
    pub(super) raised: Option<Box<Raised>>,
}

/// Something that has ended execution, and where it was.
pub struct Raised {
    /// What it is.
    pub cause: Cause,
    /// The functions that were running, innermost first.
    pub frames: Vec<Frame>,
}

/// Why execution ends.
pub enum Cause {
    /// WebAssembly defines that it ends.
    Trap(TrapCode),
    /// A host function says so.
    Host(HostError),
    /// The runtime cannot go on, for the reason given.
    Internal(String),
}

impl From<TrapCode> for Cause {
    fn from(code: TrapCode) -> Cause {
        Cause::Trap(code)
    }
}

impl Raised {
    /// What has no place in wasm code.
    pub(super) fn outside(cause: Cause) -> Box<Raised> {
        Box::new(Raised { cause, frames: Vec::new() })
    }
}

/// Stack that is left for the host below the limit of wasm, where the thread's is large.
const HOST_RESERVE: usize = 128 << 10;

/// What wasm may use of a stack whose bounds are not known: one that the embedder switches to.
const UNKNOWN_STACK: usize = 32 << 10;

impl Thread {
    /// The lowest address that wasm's stack pointer may have on this thread, `sp` being the
    /// current one.
    fn floor(&self, sp: usize) -> usize {
        if (self.stack_low..self.stack_high).contains(&sp) {
            let size = self.stack_high - self.stack_low;
            self.stack_low + HOST_RESERVE.min(size / 4)
        } else {
            sp.saturating_sub(UNKNOWN_STACK)
        }
    }

    /// Whether the frame at `address` is gone, judging by the stack pointer: the host has jumped
    /// over it.
    fn is_gone(&self, address: usize, sp: usize) -> bool {
        let stack = self.stack_low..self.stack_high;
        stack.contains(&address) && stack.contains(&sp) && address < sp
    }
}

/// Prepares the thread for its first entry.
#[cold]
fn prepare(thread: &mut Thread, signals: bool) {
    if let Some(stack) = sys::stack_bounds() {
        thread.stack_low = stack.start;
        thread.stack_high = stack.end;
    }
    if signals {
        thread_local! {
            static ALTERNATE_STACK: RefCell<Option<sys::AlternateStack>> =
                const { RefCell::new(None) };
        }
        // A thread that is already exiting goes without.
        let _ = ALTERNATE_STACK.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            if stack.is_none() {
                *stack = sys::AlternateStack::install();
            }
        });
    }
    thread.ready = true;
}

/// Calls a function. Arguments and results are arrays as [`crate::abi::signature`] lays them out;
/// references among the arguments must be live, and are given away.
///
/// # Safety
///
/// `func` is a live function of `store`; the arrays have room for its parameters and results, and
/// the arguments have the parameters' types.
///
/// # Errors
///
/// Whatever has ended execution.
pub unsafe fn enter(
    store: &Store,
    func: NonNull<VMFuncRef>,
    args: *mut u8,
    results: *mut u8,
) -> Result<(), Box<Raised>> {
    // SAFETY: the caller's contract: the function is live, and so is its type.
    let (VMFuncRef { code, vmctx, .. }, signature) = unsafe {
        let func = func.as_ref();
        (*func, &*func.ty.cast::<Signature>())
    };
    let trampoline = match signature.entry() {
        Ok(trampoline) => trampoline,
        Err(message) => return Err(Raised::outside(Cause::Internal(message))),
    };
    // SAFETY: nobody else touches this thread's block while this runs.
    let thread = unsafe { &mut *arch::thread() };
    if !thread.ready {
        prepare(thread, store.config.memory.signals);
    }
    let sp = arch::stack_pointer();
    if thread.is_gone(thread.activation as usize, sp) {
        thread.activation = ptr::null_mut();
    }
    if thread.is_gone(store.innermost.get() as usize, sp) {
        store.innermost.set(ptr::null_mut());
        store.entered.store(ptr::null_mut(), Ordering::Relaxed);
    }
    let inside = store.entered.load(Ordering::Relaxed);
    if !inside.is_null() && !ptr::eq(inside, thread) {
        let message = "the store is in use by another thread";
        return Err(Raised::outside(Cause::Internal(message.to_owned())));
    }
    if store.is_borrowed() {
        let message = "a memory of the store is borrowed";
        return Err(Raised::outside(Cause::Internal(message.to_owned())));
    }

    // SAFETY: only this thread uses the store.
    let vm = unsafe { &mut *store.vm() };
    let previous_limit = vm.stack_limit;
    let nested = !inside.is_null();
    // Nested entries share the budget of the outermost one, as long as they are on its stack.
    let shared = nested && sp.wrapping_sub(previous_limit) <= store.config.max_stack;
    let limit = if shared {
        previous_limit
    } else {
        thread.floor(sp).max(sp.saturating_sub(store.config.max_stack))
    };
    if sp.saturating_sub(signature.stack_need()) < limit {
        let frames = trap::frames(store, Start::Host);
        return Err(Box::new(Raised { cause: TrapCode::StackOverflow.into(), frames }));
    }

    let mut activation = Activation {
        vm: VMActivation { resume_pc: 0, resume_sp: 0, resume_fp: 0 },
        store,
        previous: thread.activation,
        previous_in_store: store.innermost.get(),
        left_at: (vm.exit_pc, vm.exit_fp),
        previous_limit,
        raised: None,
    };
    let activation: *mut Activation = &mut activation;
    vm.stack_limit = limit;
    thread.activation = activation;
    store.innermost.set(activation);
    store.entered.store(thread, Ordering::Relaxed);

    // SAFETY: the trampoline is the one of the function's type, and the rest is the caller's
    // contract. The activation stays where it is until the trampoline has returned.
    let trapped = unsafe { trampoline(code, vmctx, args, results, activation.cast()) };

    // SAFETY: wasm has been left; this frame is the activation's only user again.
    let activation = unsafe { &mut *activation };
    // SAFETY: as above; the code that ran may have used the block through its own reference.
    let thread = unsafe { &mut *arch::thread() };
    thread.activation = activation.previous;
    store.innermost.set(activation.previous_in_store);
    // SAFETY: only this thread uses the store.
    let vm = unsafe { &mut *store.vm() };
    (vm.exit_pc, vm.exit_fp) = activation.left_at;
    vm.stack_limit = activation.previous_limit;
    if !nested {
        store.entered.store(ptr::null_mut(), Ordering::Relaxed);
        store.settle();
    }
    if trapped == 0 {
        Ok(())
    } else {
        Err(activation.raised.take().expect("whoever resumes here has left the reason"))
    }
}

/// Ends execution on this thread up to the newest entry. The frames in between have nothing left
/// to do: they are compiled code, or functions of `leave` that hold nothing.
pub(super) fn unwind(raised: Box<Raised>) -> ! {
    // SAFETY: this runs inside an entry (only code that was entered gets here), whose activation
    // and trampoline frame are live.
    unsafe {
        let activation = &mut *(*arch::thread()).activation;
        activation.raised = Some(raised);
        let VMActivation { resume_pc, resume_sp, resume_fp } = activation.vm;
        arch::resume(resume_pc, resume_sp, resume_fp)
    }
}
