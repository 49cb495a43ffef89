//! The walk over the frames of compiled code, by frame pointers. It never looks at frames of the
//! host: each entry notes where the code before it was left.

use crate::abi::layout::{INSTANCE_MAGIC, VMContext};
use crate::vm::arch;
use crate::vm::context::Instance;
use crate::vm::exception::Tag;
use crate::vm::registry;
use crate::vm::store::{EntityKind, Handle, Store};
use crate::wasm::DefinedFuncIndex;

/// A function that was running.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The instance whose function it is.
    pub instance: Handle,
    /// Which of the functions with a body.
    pub func: DefinedFuncIndex,
    /// The offset in the body of the instruction that was being executed.
    pub offset: u32,
}

/// Where a walk begins.
#[derive(Clone, Copy)]
pub(in crate::vm) enum Start {
    /// In the code that called out last: a libcall or a trampoline is running.
    LeftWasm,
    /// As `LeftWasm`, from a function that has not even kept its context yet.
    Prologue(*mut VMContext),
    /// In compiled code, at this instruction or return address.
    At { pc: usize, fp: usize },
    /// In the prologue of a function with this context.
    PrologueAt { pc: usize, fp: usize, context: *mut VMContext },
    /// In the host: the innermost function is the one that has called it.
    Host,
}

/// The functions of `store` that are running on this thread, innermost first.
pub(in crate::vm) fn frames(store: &Store, start: Start) -> Vec<Frame> {
    let mut frames = Vec::new();
    walk(store, start, &mut |frame| {
        frames.push(frame);
        true
    });
    frames
}

/// The instance that has called the host function that is running.
pub(in crate::vm) fn caller(store: &Store) -> Option<Handle> {
    let mut caller = None;
    walk(store, Start::Host, &mut |frame| {
        caller = Some(frame.instance);
        false
    });
    caller
}

/// Where a function goes on that has caught an exception.
pub(in crate::vm) struct Landing {
    pub(in crate::vm) pc: usize,
    pub(in crate::vm) sp: usize,
    pub(in crate::vm) fp: usize,
    /// Whether it wants a reference to the exception.
    pub(in crate::vm) by_ref: bool,
}

/// The innermost handler for exceptions with this tag among the functions of the newest entry into
/// `store`, from where wasm was left on. Tags of handlers are those of their function's instance.
pub(in crate::vm) fn handler(store: &Store, tag: &Tag) -> Option<Landing> {
    let activation = store.innermost();
    // SAFETY: only code of the store that runs on this thread throws, so it is inside an entry;
    // from where wasm was left to the frame of the entry trampoline there are only frames of
    // compiled code, whose spaces and contexts are live.
    unsafe {
        let (mut pc, mut fp) = left_at(store);
        while fp != (*activation).vm.resume_fp {
            if let Some(found) = registry::find(pc).and_then(|space| (*space).lookup(pc)) {
                let sites = &found.sites;
                let catches = |index| {
                    let context = frame_context(fp, sites.context_slot);
                    std::ptr::eq(Instance::of_context(context).tag(index), tag)
                };
                let mut handlers = sites.handlers_at(found.offset);
                if let Some(handler) = handlers.find(|h| h.catch.tag().is_none_or(catches)) {
                    return Some(Landing {
                        pc: found.address(handler.landing),
                        sp: fp - sites.frame_size as usize,
                        fp,
                        by_ref: handler.catch.by_ref(),
                    });
                }
            }
            (fp, pc) = arch::caller(fp);
        }
    }
    None
}

/// Visits every reference of 32 bits in the frames of a store that is left for a libcall or for the
/// host, except to functions.
pub(in crate::vm) fn roots(store: &Store, visit: &mut dyn FnMut(*mut u32)) {
    walk_raw(store, Start::LeftWasm, &mut |pc, fp, _| {
        // SAFETY: the code is running, so its space is live.
        let found = registry::find(pc).and_then(|space| unsafe { &*space }.lookup(pc));
        if let Some(found) = found {
            for below in found.sites.roots_at(found.offset) {
                visit(fp.wrapping_sub(below as usize) as *mut u32);
            }
        }
        true
    });
}

/// Visits the functions that are running until `visit` says that it is enough.
fn walk(store: &Store, start: Start, visit: &mut dyn FnMut(Frame) -> bool) {
    walk_raw(store, start, &mut |pc, fp, context| {
        // SAFETY: the frame is live, and without a context of its own if one is given.
        unsafe { frame_at(pc, fp, context) }.is_none_or(&mut *visit)
    });
}

/// Visits the frames until `visit` says that it is enough: program counter, frame pointer, and the
/// context of a frame that does not have it yet.
fn walk_raw(
    store: &Store,
    start: Start,
    visit: &mut dyn FnMut(usize, usize, Option<*mut VMContext>) -> bool,
) {
    let (mut pc, mut fp) = match start {
        Start::LeftWasm | Start::Prologue(_) | Start::Host => left_at(store),
        Start::At { pc, fp } | Start::PrologueAt { pc, fp, .. } => (pc, fp),
    };
    let mut prologue_context = match start {
        Start::Prologue(context) | Start::PrologueAt { context, .. } => Some(context),
        Start::LeftWasm | Start::At { .. } | Start::Host => None,
    };
    let mut activation = store.innermost();
    // SAFETY: the store's activations are live, innermost first; between the place where wasm was
    // left and the frame of the entry trampoline there are only frames of compiled code.
    unsafe {
        while !activation.is_null() {
            let end = (*activation).vm.resume_fp;
            while fp != end {
                if !visit(pc, fp, prologue_context.take()) {
                    return;
                }
                (fp, pc) = arch::caller(fp);
            }
            let noted = (*activation).left_at;
            activation = (*activation).previous_in_store;
            let by_trampoline = activation.as_ref().and_then(|a| a.left_by_trampoline());
            (pc, fp) = by_trampoline.unwrap_or((noted.pc, noted.fp));
        }
    }
}

/// Where wasm of the store was left last, if it was: program counter and frame pointer.
fn left_at(store: &Store) -> (usize, usize) {
    // SAFETY: only the thread that is in the store walks over its frames; entries that are not running
    // have been forgotten before.
    unsafe {
        let by_trampoline = store.innermost().as_ref().and_then(|a| a.left_by_trampoline());
        let noted = (*store.vm()).exit;
        by_trampoline.unwrap_or((noted.pc, noted.fp))
    }
}

/// The function at `pc`; none if it is a trampoline.
///
/// # Safety
///
/// `fp` is the frame pointer of the live frame of that function; `context` is given if the frame
/// does not have it yet.
unsafe fn frame_at(pc: usize, fp: usize, context: Option<*mut VMContext>) -> Option<Frame> {
    // SAFETY: the code is running, so its space is live.
    let found = unsafe { &*registry::find(pc)? }.lookup(pc)?;
    let position = found.sites.position_at(found.offset).unwrap_or(0);
    // SAFETY: functions of compiled code keep their context at this place.
    let context = context.unwrap_or_else(|| unsafe { frame_context(fp, found.sites.context_slot) });
    // SAFETY: contexts of running functions are live.
    unsafe {
        if (*context).magic != INSTANCE_MAGIC {
            return None;
        }
        let instance = std::ptr::NonNull::from(Instance::of_context(context));
        let instance = Handle::new(instance.cast(), EntityKind::Instance, instance);
        Some(Frame { instance, func: found.func, offset: position })
    }
}

/// The context that a frame keeps.
///
/// # Safety
///
/// `fp` is the frame pointer of a live frame of a function with this `context_slot`.
pub(super) unsafe fn frame_context(fp: usize, context_slot: u32) -> *mut VMContext {
    let slot = (fp - context_slot as usize) as *const *mut VMContext;
    // SAFETY: the caller's contract.
    unsafe { slot.read() }
}
