//! Traps that hardware reports: the signal handler.
//!
//! The handler decides by the program counter whether a signal is ours, before it looks at
//! anything else, and passes it on if not. If it is, the interrupted code goes on in [`landing`],
//! on its own stack and outside the handler, where everything is allowed.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use super::backtrace::frame_context;
use super::{Start, frames};
use crate::abi::layout::{INSTANCE_MAGIC, VMContext};
use crate::vm::arch::{self, Registers};
use crate::vm::context::Instance;
use crate::vm::enter::{Cause, Raised, Witness, unwind};
use crate::vm::registry;
use crate::wasm::TrapCode;

/// The signals that traps come as.
const SIGNALS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// The handlers that were there before ours, in the order of `SIGNALS`: `[0]` those that the first
/// installation found, `[1]` those of the latest. Written under `INSTALLING`, before our handler
/// is set.
static mut PREVIOUS: [[MaybeUninit<libc::sigaction>; SIGNALS.len()]; 2] =
    [const { [const { MaybeUninit::uninit() }; SIGNALS.len()] }; 2];

static INSTALLING: Mutex<bool> = Mutex::new(false);

/// Installs our handlers where they are not the current ones. Those that were are passed whatever
/// is not ours.
pub fn install() {
    let mut installed = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    for (number, signal) in SIGNALS.into_iter().enumerate() {
        // SAFETY: sigaction reads and writes the structs passed. `PREVIOUS` is only written under
        // the lock, and before the handler that reads it can see the new value as needed.
        unsafe {
            let mut current: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, ptr::null(), &mut current) != 0 || is_ours(&current) {
                continue;
            }
            let previous = &raw mut PREVIOUS;
            (*previous)[1][number] = MaybeUninit::new(current);
            if !*installed {
                (*previous)[0][number] = MaybeUninit::new(current);
            }
            let mut ours: libc::sigaction = std::mem::zeroed();
            ours.sa_sigaction = on_signal as *const () as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigemptyset(&mut ours.sa_mask);
            libc::sigaction(signal, &ours, ptr::null_mut());
        }
    }
    *installed = true;
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == on_signal as *const () as usize
}

unsafe extern "C" fn on_signal(
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: these are the handler's arguments.
    unsafe {
        let mut registers = Registers::of_handler(context);
        if let Some(trap) = trap_at(signal, info, &registers) {
            let (pc, fp) = (registers.pc(), registers.fp());
            registers.redirect([trap.code as usize, pc, fp, trap.context]);
        } else {
            pass_on(signal, info, context);
        }
    }
}

/// A trap that a signal stands for.
struct Trap {
    code: TrapCode,
    /// The context of the function whose prologue has trapped, 0 if its frame has it.
    context: usize,
}

/// The trap that the interrupted instruction stands for. What is looked at first decides by the
/// program counter alone; the rest runs only when compiled code was interrupted, on its thread.
///
/// # Safety
///
/// The arguments are those of a running handler.
unsafe fn trap_at(signal: i32, info: *mut libc::siginfo_t, registers: &Registers) -> Option<Trap> {
    let pc = registers.pc();
    // SAFETY: the interrupted code lies in the space that is found, so it is live.
    let found = unsafe { &*registry::find(pc)? }.lookup(pc)?;
    let code = found.sites.trap_at(found.offset)?;
    // SAFETY: the thread's block is always there, and its activations live.
    let activation = unsafe { (*arch::thread()).activation().as_ref()? };
    if code == TrapCode::StackOverflow && signal == libc::SIGILL {
        let context = registers.context_argument(activation.vm.resume_fp);
        return Some(Trap { code, context });
    }
    match signal {
        libc::SIGILL => {}
        libc::SIGFPE => {
            let division = [TrapCode::IntegerDivideByZero, TrapCode::IntegerOverflow];
            if !division.contains(&code) {
                return None;
            }
        }
        _ => {
            // SAFETY: the function is past its prologue, so its frame keeps its context; the
            // signal says which address it has accessed.
            let (context, address) = unsafe {
                let context = frame_context(registers.fp(), found.sites.context_slot);
                (context, (*info).si_addr() as usize)
            };
            // SAFETY: as above.
            if code != TrapCode::MemoryOutOfBounds || !unsafe { reserves(context, address) } {
                return None;
            }
        }
    }
    Some(Trap { code, context: 0 })
}

/// Whether the address belongs to a memory of the context's instance. Compiled code that accesses
/// anything else is broken: the process must not go on.
///
/// # Safety
///
/// The context is live.
unsafe fn reserves(context: *mut VMContext, address: usize) -> bool {
    // SAFETY: the caller's contract.
    unsafe {
        (*context).magic == INSTANCE_MAGIC
            && Instance::of_context(context).memories().any(|memory| memory.reserves(address))
    }
}

/// Where interrupted code goes on after a trap.
pub(in crate::vm) unsafe extern "C" fn landing(
    code: usize,
    pc: usize,
    fp: usize,
    context: usize,
) -> ! {
    let code = u8::try_from(code).ok().and_then(TrapCode::from_code);
    let code = code.expect("the handler passes a trap code");
    // SAFETY: the handler has seen that this thread is inside an entry.
    let store = unsafe { (*(*arch::thread()).activation()).store() };
    let store = store.expect("the store whose code runs is there");
    let start = match context {
        0 => Start::At { pc, fp },
        context => Start::PrologueAt { pc, fp, context: context as *mut VMContext },
    };
    let cause = Cause::of_trap(store, code);
    unwind(Box::new(Raised { cause, frames: frames(store, start) }))
}

/// Lets the handler that was there before ours have the signal.
///
/// # Safety
///
/// The arguments are those of a running handler.
unsafe fn pass_on(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(number) = SIGNALS.iter().position(|ours| *ours == signal) else { return };
    // SAFETY: entries of `PREVIOUS` are set before our handler is installed; the thread's block is
    // always there; previous handlers are called as they asked for.
    unsafe {
        let thread = arch::thread();
        // A handler that was installed after ours and is passed to by us may pass back to us.
        let witness = Witness::new();
        let outer = (*thread).chaining;
        let is_passed_back = !outer.is_null() && Witness::is_above(outer, &witness);
        let previous = PREVIOUS[usize::from(!is_passed_back)][number].assume_init();
        let is_sent = (*info).si_code <= 0;
        match previous.sa_sigaction {
            libc::SIG_IGN if is_sent => return,
            libc::SIG_DFL | libc::SIG_IGN => {
                // The instruction is executed again, and its signal then ends the process: faults
                // cannot be ignored. A signal that was sent by somebody is sent again.
                libc::sigaction(signal, &previous, ptr::null_mut());
                if is_sent {
                    libc::raise(signal);
                }
                return;
            }
            _ => {}
        }
        (*thread).chaining = witness.begin();
        if previous.sa_flags & libc::SA_SIGINFO != 0 {
            let handler: unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                std::mem::transmute(previous.sa_sigaction);
            handler(signal, info, context);
        } else {
            let handler: unsafe extern "C" fn(i32) = std::mem::transmute(previous.sa_sigaction);
            handler(signal);
        }
        (*thread).chaining = if is_passed_back { outer } else { ptr::null() };
    }
}
