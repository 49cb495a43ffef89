//! The only door into wasm.
//!
//! [`enter`] takes an [`Activation`] of the thread, links it to the store, and calls through the
//! entry trampoline of the function's type. The trampoline notes in the activation how to get back;
//! whoever traps leaves the reason there and resumes at the trampoline's exit. Everything that an
//! entry changes is put back here.
//!
//! The host may leave an entry without returning: by `longjmp` out of a callback or out of a signal
//! handler. Activations are therefore kept beside the stack, where nothing overwrites them, and the
//! next entry finds out which of them are still running.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ops::Range;
use std::ptr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::arch;
use super::arch::direct::Entry;
use super::leave::HostError;
use super::pointer::call_trapped;
use super::store::{Handle, Store};
use super::sys;
use super::trap::{self, Frame, Start};
use super::types::Type;
use crate::abi::layout::{
    DIRECT_ENTRY_STACK, VMActivation, VMExit, VMFuncRef, VMStore, VMThread, VMVector, WITNESS,
    entered,
};
use crate::wasm::TrapCode;

/// What the runtime knows of a thread. Zeroed when the thread starts.
#[repr(C)]
pub struct Thread {
    /// The newest entry, and the thread's first activation: the others hang on it.
    vm: VMThread,
    /// The thread's stack; both 0 where the system does not tell.
    stack_low: usize,
    stack_high: usize,
    /// The stack for signal handlers that the thread was given, null if none.
    alternate_stack: *mut sys::AlternateStack,
    /// Lies in the frame in which a signal is being passed on to the handler before ours; the
    /// handler may have jumped out of it. Null if there is none.
    pub(super) chaining: *const Witness,
    /// See [`thread_number`]; 0 until it has one.
    number: usize,
}

/// One entry into wasm. An activation is used again by the next entry at its depth.
#[repr(C)]
pub struct Activation {
    /// Written by the entry trampoline.
    pub(super) vm: VMActivation,
    /// The entry before, on this thread.
    previous: *mut Activation,
    /// What the next deeper entry uses, null until there is one.
    deeper: *mut Activation,
    /// The entry before, into this store.
    pub(super) previous_in_store: *mut Activation,
    /// Where the store was left last before this entry.
    pub(super) left_at: VMExit,
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
    /// Nothing has caught the exception that this is a handle to.
    Exception(Handle),
    /// The runtime cannot go on, for the reason given.
    Internal(String),
}

impl Cause {
    /// The trap that compiled code of `store` has raised. Code only sees that it has to end; the
    /// store's interrupt knows why.
    pub(super) fn of_trap(store: &Store, code: TrapCode) -> Cause {
        if code == TrapCode::Interrupt {
            return store.take_interrupt().unwrap_or(code).into();
        }
        code.into()
    }
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

/// More than the bytes between a trampoline's witness and where its frame pointer points to: functions
/// have at most 1000 parameters and as many results.
const LARGEST_TRAMPOLINE_FRAME: usize = 1 << 16;

/// The mark of a thread with this number: no two are the same, and what tells them apart is not what tells
/// addresses of stacks apart.
fn mark(number: usize) -> usize {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << (usize::BITS - 1)
}

/// What wasm may use of a stack whose bounds are not known: one that the embedder switches to.
const UNKNOWN_STACK: usize = 32 << 10;

impl Activation {
    /// The store that was entered, none if it has been dropped.
    pub(super) fn store<'a>(&self) -> Option<&'a Store> {
        // SAFETY: activations forget a store that is dropped.
        unsafe { self.vm.store.cast::<Store>().as_ref() }
    }

    /// Whether the entry is one of [`arch::direct`].
    fn is_direct(&self) -> bool {
        self.vm.witness.is_null()
    }

    /// The witness in the frame that has entered.
    fn witness(&self) -> *const Witness {
        if self.is_direct() {
            // As that of a trampoline, the word says the frame pointer.
            let witness = self.vm.resume_fp - arch::direct::WITNESS_AT;
            return ptr::without_provenance(witness + 1);
        }
        self.vm.witness.cast()
    }

    /// Notes that wasm has called the host, or that it goes on.
    pub(super) fn set_outside(&mut self, witness: *const Witness) {
        self.vm.outside = witness.cast();
    }

    /// Notes that the activation is not in use any more.
    fn end(&mut self) {
        self.vm.witness = ptr::null();
        self.vm.resume_fp = 0;
    }

    /// Where a trampoline that calls the host has left wasm: program counter and frame pointer. None
    /// if no such trampoline is running.
    ///
    /// # Safety
    ///
    /// The entry is running.
    pub(super) unsafe fn left_by_trampoline(&self) -> Option<(usize, usize)> {
        let outside: *const Witness = self.vm.outside.cast();
        // SAFETY: the trampoline's frame is live.
        let frame = outside.addr() % 2 == 1 && !outside.is_null();
        frame.then(|| unsafe {
            let (fp, pc) = arch::caller(Witness::frame(outside));
            (pc, fp)
        })
    }
}

impl Thread {
    /// The bounds of the thread's stack, if the system tells. It is asked once: the answer for a
    /// process's first thread is in a file.
    pub(super) fn stack(&mut self) -> Option<Range<usize>> {
        if self.stack_high == 0 {
            let stack = sys::stack_bounds()?;
            (self.stack_low, self.stack_high) = (stack.start, stack.end);
        }
        Some(self.stack_low..self.stack_high)
    }

    /// The newest entry on this thread, null if there is none.
    pub(super) fn activation(&self) -> *mut Activation {
        // SAFETY: a thread's activations live as long as the thread.
        let newest = unsafe { self.vm.activation.as_ref() };
        let in_use = newest.is_some_and(|newest| newest.resume_fp != 0);
        if in_use { self.vm.activation.cast() } else { ptr::null_mut() }
    }

    fn set_activation(&mut self, activation: *mut Activation) {
        let none = activation.is_null();
        self.vm.activation = if none { self.vm.outermost } else { activation.cast() };
    }

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

    /// Whether the entry is over though `enter` has not returned from it: the host has jumped over
    /// its frame. `here` lies in the current frame, which is that of a new entry.
    ///
    /// # Safety
    ///
    /// The activation is one of this thread's.
    unsafe fn is_abandoned(&self, activation: *const Activation, here: *const Witness) -> bool {
        // SAFETY: the caller's contract.
        let activation = unsafe { &*activation };
        let (inside, outside) = (activation.witness(), activation.vm.outside.cast::<Witness>());
        if outside.is_null() {
            // Wasm that runs enters nothing.
            return !self.has_gone_on_in_c(activation, here) || self.is_gone(inside, here);
        }
        [inside, outside].iter().any(|witness| self.is_gone(*witness, here))
    }

    /// Where wasm of the entry was left last.
    ///
    /// # Safety
    ///
    /// The activation is one of this thread's, and in use.
    unsafe fn exit_of(&self, activation: *const Activation) -> VMExit {
        // SAFETY: the caller's contract; activations forget a store that is dropped.
        unsafe {
            let store = (*activation).vm.store;
            let Some(vm) = store.as_ref() else { return VMExit::default() };
            let mut exit = vm.exit;
            // A newer entry into the store has noted what was there.
            let mut newer = self.activation().cast_const();
            while newer != activation {
                if (*newer).vm.store == store {
                    exit = (*newer).left_at;
                }
                newer = (*newer).previous;
            }
            exit
        }
    }

    /// Whether wasm of the entry has called a C function in which the code of its context has gone on,
    /// as far as can be known.
    fn has_gone_on_in_c(&self, activation: &Activation, here: *const Witness) -> bool {
        // SAFETY: the activation is one of this thread's.
        let exit = unsafe { self.exit_of(activation) };
        let stack = self.stack_low..self.stack_high;
        if exit.sp == 0 || ![exit.sp, here.addr()].iter().all(|at| stack.contains(at)) {
            return exit.sp != 0;
        }
        let slot = exit.sp as *const usize;
        // SAFETY: what lies above the current frame on its stack can be read.
        exit.sp > here.addr()
            && [exit.pc, arch::return_place()].contains(&unsafe { slot.read_volatile() })
    }

    /// If wasm of the newest entry has called a C function in which the code of its context has gone
    /// on, has that function return by way of [`leave::returned`](super::leave::returned).
    fn look_at_return(&self) {
        let activation = self.activation();
        // SAFETY: a thread's activations live as long as the thread.
        let Some(newest) = (unsafe { activation.as_ref() }) else { return };
        if !newest.vm.outside.is_null() {
            return;
        }
        // SAFETY: as above.
        let exit = unsafe { self.exit_of(activation) };
        let slot = exit.sp as *mut usize;
        // What runs on another stack may have been left for good, and the stack with it.
        let is_ours = (self.stack_low..self.stack_high).contains(&exit.sp);
        if exit.sp == 0 || !is_ours && !sys::is_mapped(exit.sp) {
            return;
        }
        // SAFETY: it can be read; if the return address is there, that is what it is.
        unsafe {
            if slot.read_volatile() == exit.pc {
                slot.write_volatile(arch::return_place());
            }
        }
    }

    /// Whether the frame that a witness lies in is gone.
    fn is_gone(&self, witness: *const Witness, here: *const Witness) -> bool {
        let stack = self.stack_low..self.stack_high;
        if ![witness, here].iter().all(|witness| stack.contains(&witness.addr())) {
            return false;
        }
        // SAFETY: what lies above the current frame on its stack can be read.
        !unsafe { Witness::is_above(witness, here) }
    }

    /// The newest entry that is still running.
    fn running(&self, here: *const Witness) -> *mut Activation {
        let mut activation = self.activation();
        // SAFETY: a thread's activations live as long as the thread.
        unsafe {
            while !activation.is_null() && self.is_abandoned(activation, here) {
                activation = (*activation).previous;
            }
        }
        activation
    }

    /// Forgets the entries that are newer than `running`: they are abandoned. Returns the stores
    /// that nobody owns any more.
    fn forget_abandoned(&mut self, running: *mut Activation) -> Vec<*const Store> {
        let mut orphans = Vec::new();
        while self.activation() != running {
            // SAFETY: a thread's activations live as long as the thread, and they forget a store
            // that is dropped.
            unsafe {
                let abandoned = &mut *self.activation();
                abandoned.raised = None;
                abandoned.set_outside(ptr::null());
                abandoned.end();
                self.set_activation(abandoned.previous);
                let Some(store) = abandoned.store() else { continue };
                let outer = newest_in(self.activation(), store);
                store.set_innermost(outer);
                // Of an entry that no other was around nobody has noted these, and nobody needs them.
                (*store.vm()).exit = abandoned.left_at;
                ((*store.vm()).stack_limit, (*store.vm()).entered_from) =
                    (abandoned.previous_limit, 0);
                if outer.is_null() {
                    orphans.extend(store.is_orphaned().then_some(ptr::from_ref(store)));
                }
            }
        }
        orphans
    }

    /// The activation for the next entry, if there is memory for one.
    #[inline]
    fn next(&mut self) -> Option<NonNull<Activation>> {
        // SAFETY: a thread's activations live as long as the thread.
        let Some(activation) = (unsafe { self.activation().as_mut() }) else {
            return NonNull::new(self.vm.outermost.cast());
        };
        if activation.deeper.is_null() {
            activation.deeper = new_activation();
        }
        NonNull::new(activation.deeper)
    }
}

/// The newest entry into a store from `activation` outwards, null if there is none.
fn newest_in(mut activation: *mut Activation, store: &Store) -> *mut Activation {
    // SAFETY: a thread's activations live as long as the thread.
    unsafe {
        while !activation.is_null() && !ptr::eq((*activation).vm.store, store.vm()) {
            activation = (*activation).previous;
        }
    }
    activation
}

/// Forgets the current thread's entries that are newer than `running`; what only they kept goes.
#[cold]
pub(super) fn forget_abandoned(running: *mut Activation) {
    // SAFETY: nobody else touches this thread's block meanwhile.
    let orphans = unsafe { (*arch::thread()).forget_abandoned(running) };
    for store in orphans {
        // SAFETY: nobody uses the store: it has no owner, and none of its code runs.
        unsafe { (*store).left() };
    }
}

/// Forgets the current thread's entries that the host has jumped out of. Called by the host, before
/// somebody walks over the frames of a store.
pub(super) fn forget_jumped_over() {
    let witness = Witness::new();
    // SAFETY: nobody changes this thread's block meanwhile.
    let thread = unsafe { &*arch::thread() };
    let running = thread.running(&witness);
    if running != thread.activation() {
        forget_abandoned(running);
    }
}

#[cold]
fn new_activation() -> *mut Activation {
    let layout = std::alloc::Layout::new::<Activation>();
    // SAFETY: the layout is not empty; null pointers, zeros and no box are good values.
    unsafe { std::alloc::alloc_zeroed(layout).cast() }
}

/// A word in a frame that says its own address, disguised, as long as the frame is live.
pub(super) struct Witness(UnsafeCell<usize>);

impl Witness {
    /// A witness that says nothing yet.
    pub(super) fn new() -> Witness {
        Witness(UnsafeCell::new(0))
    }

    fn value(witness: *const Witness) -> usize {
        witness.addr() ^ WITNESS
    }

    /// The frame pointer that the witness of a trampoline says.
    ///
    /// # Safety
    ///
    /// The address, to which 1 is added, can be read.
    unsafe fn frame(witness: *const Witness) -> usize {
        // SAFETY: the caller's contract.
        unsafe { witness.wrapping_byte_sub(1).cast::<usize>().read_volatile() ^ WITNESS }
    }

    /// From now on the frame is live.
    #[inline]
    pub(super) fn begin(&self) -> *const Witness {
        // SAFETY: the word is this value's own.
        unsafe { self.0.get().write_volatile(Witness::value(self)) };
        self
    }

    /// Whether a witness is at `outer`, which may by now be anything else's, in an older frame than
    /// `inner`.
    ///
    /// # Safety
    ///
    /// If it is above `inner`, the address can be read.
    pub(super) unsafe fn is_above(outer: *const Witness, inner: *const Witness) -> bool {
        if outer.addr() <= inner.addr() {
            return false;
        }
        // SAFETY: the caller's contract.
        unsafe {
            if outer.addr() % 2 == 1 {
                let frame = Witness::frame(outer).wrapping_sub(outer.addr() - 1);
                return (1..LARGEST_TRAMPOLINE_FRAME).contains(&frame);
            }
            outer.cast::<usize>().read_volatile() == Witness::value(outer)
        }
    }
}

impl Drop for Witness {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the word is this value's own.
        unsafe { self.0.get().write_volatile(0) };
    }
}

/// A number that tells the current thread from others that live at the same time, as far as few of
/// them have ended: threads are numbered as they come.
#[inline]
pub(super) fn thread_number() -> usize {
    // SAFETY: nobody else touches this thread's block meanwhile.
    let number = unsafe { (*arch::thread()).number };
    if number == 0 { new_thread_number() } else { number }
}

#[cold]
fn new_thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // SAFETY: as above.
    unsafe { (*arch::thread()).number = number };
    number
}

/// Prepares the thread for its first entry.
#[cold]
fn prepare(thread: &mut Thread, signals: bool) {
    // Without bounds, wasm gets less (see `floor`).
    if let Some(stack) = thread.stack() {
        thread.vm.floor = stack.start + HOST_RESERVE.min(stack.len() / 4);
        thread.vm.direct_floor = thread.vm.floor + DIRECT_ENTRY_STACK;
        thread.vm.direct_span = stack.end.saturating_sub(thread.vm.direct_floor);
    }
    thread.vm.outermost = new_activation().cast();
    if !thread.vm.outermost.is_null() {
        thread.vm.mark = mark(thread_number());
    }
    thread.set_activation(ptr::null_mut());
    sys::at_thread_exit(release);
    if signals && thread.alternate_stack.is_null() {
        let stack = sys::AlternateStack::install();
        thread.alternate_stack =
            stack.map_or(ptr::null_mut(), |stack| Box::into_raw(Box::new(stack)));
    }
}

/// Gives back what the thread has. Whoever enters wasm later, in the course of the thread's end,
/// prepares it again.
fn release() {
    // SAFETY: the thread is about to end and not inside wasm; what it has is its own, made as it
    // is taken apart here.
    unsafe {
        forget_abandoned(ptr::null_mut());
        let thread = &mut *arch::thread();
        thread.vm.mark = 0;
        let first = std::mem::replace(&mut thread.vm.outermost, ptr::null_mut());
        let mut next: *mut Activation = first.cast();
        while !next.is_null() {
            let activation = next;
            next = (*activation).deeper;
            drop(Box::from_raw(activation));
        }
        thread.set_activation(ptr::null_mut());
        let stack = std::mem::replace(&mut thread.alternate_stack, ptr::null_mut());
        if !stack.is_null() {
            drop(Box::from_raw(stack));
        }
    }
}

/// Calls a function. Arguments and results are arrays as [`crate::abi::signature`] lays them out;
/// references among the arguments must be live, and are given away. The caller then calls
/// [`Store::left`], as soon as it holds references among the results by handles; until then
/// everything in the store that was there before is alive, even if a host function has deleted the
/// last handles of it.
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
        (*func, Type::of_vm(func.ty).signature())
    };
    let trampoline = match signature.entry() {
        Ok(trampoline) => trampoline,
        Err(message) => return Err(Raised::outside(Cause::Internal(message))),
    };
    // SAFETY: nobody else touches this thread's block while this runs.
    let thread = unsafe { &mut *arch::thread() };
    if thread.vm.outermost.is_null() {
        prepare(thread, store.config.memory.signals);
    }
    let witness = Witness::new();
    let running = thread.running(&witness);
    if running != thread.activation() {
        forget_abandoned(running);
    }
    // SAFETY: as above; the embedder's code may have run.
    let thread = unsafe { &mut *arch::thread() };
    // It may be left by a jump, or a trap may wait then.
    thread.look_at_return();
    let innermost = store.innermost();
    if !innermost.is_null() && newest_in(thread.activation(), store) != innermost {
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
    let sp = arch::stack_pointer();
    let nested = !innermost.is_null();
    // Nested entries share the budget of the outermost one, as long as they are on its stack.
    let shared = nested && sp.wrapping_sub(previous_limit) <= store.config.max_stack;
    let floor = if shared { previous_limit } else { thread.floor(sp) };
    let limit = floor.max(sp.saturating_sub(store.config.max_stack));
    if sp.saturating_sub(signature.stack_need()) < limit {
        let frames = trap::frames(store, Start::Host);
        return Err(Box::new(Raised { cause: TrapCode::StackOverflow.into(), frames }));
    }

    let Some(activation) = thread.next() else {
        return Err(Raised::outside(Cause::Internal("no memory to enter wasm".to_owned())));
    };
    let activation = activation.as_ptr();
    // SAFETY: nobody uses this activation: it is beyond the newest.
    unsafe {
        let new = &mut *activation;
        new.vm.store = vm;
        new.vm.floor = floor;
        new.previous = thread.activation();
        new.previous_in_store = innermost;
        new.left_at = vm.exit;
        vm.exit.sp = 0;
        new.previous_limit = previous_limit;
        new.vm.witness = witness.begin().cast();
        // In use from now on; the trampoline writes what it is.
        new.vm.resume_fp = sp;
        new.set_outside(ptr::null());
    }
    thread.set_activation(activation);
    store.set_innermost(activation);
    // A trap that waits belongs to calls before.
    let waiting = store.take_waiting();

    // SAFETY: the trampoline is the one of the function's type, and the rest is the caller's
    // contract. The activation stays where it is until the trampoline has returned.
    let trapped = unsafe { trampoline(code, vmctx, args, results, activation.cast()) };

    drop(witness);
    // SAFETY: wasm has been left; this frame is the activation's only user again.
    let activation = unsafe { &mut *activation };
    activation.end();
    // SAFETY: as above; the code that ran may have used the block through its own reference.
    let thread = unsafe { &mut *arch::thread() };
    store.set_innermost(activation.previous_in_store);
    thread.set_activation(activation.previous);
    // SAFETY: only this thread uses the store.
    let vm = unsafe { &mut *store.vm() };
    vm.exit = activation.left_at;
    vm.stack_limit = activation.previous_limit;
    if waiting.is_some() {
        store.set_waiting(waiting);
    }
    if trapped == 0 {
        Ok(())
    } else {
        Err(activation.raised.take().expect("whoever resumes here has left the reason"))
    }
}

/// Whether code of `store`, which has been entered, runs; as far as this thread can know.
pub(super) fn is_inside(store: &Store) -> bool {
    // SAFETY: it is the current thread's block, which nobody changes meanwhile.
    let thread = unsafe { &*arch::thread() };
    newest_in(thread.activation(), store).is_null()
        || !newest_in(thread.running(&Witness::new()), store).is_null()
}

/// The [`ArrayEntry`](super::signature::ArrayEntry) of types for which no code has been made.
pub(super) unsafe extern "C" fn no_array_entry(
    _: *const VMFuncRef,
    args: *const VMVector,
    results: *mut VMVector,
    store: *mut VMStore,
    callee: *const c_void,
) -> *mut c_void {
    // SAFETY: nothing has been done; the rest is the caller's contract.
    unsafe { ((*store).end_array_call)(callee, args, results, entered::UNUSUAL) }
}

/// What ends direct calls through arrays in stores that nobody makes such calls in.
pub(super) unsafe extern "C" fn end_no_array_call(
    _: *const c_void,
    _: *const VMVector,
    _: *mut VMVector,
    _: u32,
) -> *mut c_void {
    ptr::null_mut()
}

/// Calls a function the shortest way if its type has code for that and nothing is unusual, with
/// vectors of `wasm.h` or null. Returns null if the function has returned. Otherwise the store's
/// [`EndArrayCall`](crate::abi::layout::EndArrayCall) gets `callee` and the vectors, and what it
/// returns is returned. It goes on with [`enter`], or with [`direct_entry`] and [`Store::left`].
///
/// # Safety
///
/// As [`enter`], but for counts and kinds of the arguments, which are compared with the function's
/// type; vectors have the elements that they say. The function that ends the call may get `callee`.
#[inline]
pub unsafe fn enter_directly(
    store: NonNull<Store>,
    func: NonNull<VMFuncRef>,
    args: *const VMVector,
    results: *mut VMVector,
    callee: *const c_void,
) -> *mut c_void {
    // SAFETY: the caller's contract: the function is live, and so is its type, whose code this is.
    unsafe {
        let entry = Type::of_vm(func.as_ref().ty).array_entry();
        entry(func.as_ptr(), args, results, store.as_ref().vm(), callee)
    }
}

/// The store that was entered by the direct entry that has just ended on this thread, and why it
/// has trapped, if it has.
///
/// # Safety
///
/// A direct entry has just ended on this thread. The store is there until [`Store::left`].
pub unsafe fn direct_entry<'a>() -> (&'a Store, Option<Box<Raised>>) {
    // SAFETY: direct entries use this activation, which lives as long as the thread.
    let activation = unsafe { &mut *(*arch::thread()).vm.outermost.cast::<Activation>() };
    (activation.store().expect("it is there until it is left"), activation.raised.take())
}

/// Has what waits in the store looked at when the C function returns that wasm has called on this
/// thread, if one has.
pub(super) fn look_at_return() {
    forget_jumped_over();
    // SAFETY: nobody changes this thread's block meanwhile.
    unsafe { (*arch::thread()).look_at_return() };
}

/// The current thread's entry whose wasm has called the C function that returns to `slot`: newer entries
/// may be there, which it has jumped out of.
///
/// # Safety
///
/// There is one.
pub(super) unsafe fn left_by_jump(slot: usize) -> *mut Activation {
    // SAFETY: a thread's activations live as long as the thread, and one has noted this.
    unsafe {
        let thread = &*arch::thread();
        let mut activation = thread.activation();
        while !(*activation).vm.outside.is_null() || thread.exit_of(activation).sp != slot {
            activation = (*activation).previous;
        }
        activation
    }
}

/// The current thread's entry in which the trampoline has called the host whose witness is at
/// `outside`: after that call newer entries may be there, which the host has jumped out of.
///
/// # Safety
///
/// There is one.
pub(super) unsafe fn left_for(outside: *const Witness) -> *mut Activation {
    // SAFETY: a thread's activations live as long as the thread, and one has this witness.
    unsafe {
        let mut activation = (*arch::thread()).activation();
        while !ptr::eq((*activation).vm.outside, outside.cast()) {
            activation = (*activation).previous;
        }
        activation
    }
}

/// Makes the current thread's entries forget a store, which is being dropped: they are abandoned.
pub(super) fn forget_store(store: &Store) {
    // SAFETY: a thread's activations live as long as the thread.
    unsafe {
        let mut activation = newest_in((*arch::thread()).activation(), store);
        while !activation.is_null() {
            (*activation).vm.store = ptr::null();
            activation = newest_in(activation, store);
        }
    }
}

/// Ends execution on this thread up to the newest entry. The frames in between have nothing left
/// to do: they are compiled code, or functions of `leave` that hold nothing.
pub(super) fn unwind(raised: Box<Raised>) -> ! {
    // SAFETY: this runs inside an entry (only code that was entered gets here), whose activation
    // and trampoline frame are live.
    unsafe {
        let thread = &mut *arch::thread();
        let activation = &mut *thread.activation();
        activation.set_outside(ptr::null());
        activation.raised = Some(raised);
        if activation.is_direct() {
            let store = activation.store().expect("the store whose code runs is there");
            store.set_innermost(ptr::null_mut());
            let fp = activation.vm.resume_fp;
            activation.end();
            let end = match arch::direct::entry_at(fp) {
                Entry::Array => (*store.vm()).end_array_call as *const u8,
                Entry::Pointer => call_trapped as *const u8,
            };
            arch::direct::leave(fp, end, entered::TRAPPED)
        }
        let VMActivation { resume_pc, resume_sp, resume_fp, .. } = activation.vm;
        arch::resume(resume_pc, resume_sp, resume_fp)
    }
}
