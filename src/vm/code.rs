//! Machine code that runs: published function by function, never writable and executable in one
//! view.
//!
//! Every function of a module has a *slot*, an atomic pointer to its code, and a *stub* that jumps
//! through the slot. Code calls a function directly where its code is there already, through the
//! stub otherwise; so generated code never knows whether its callee exists yet. The slot of a
//! function without code leads to the stub's second half, and that to `arch::demand`, which has
//! the function compiled and goes on in it.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{io, ptr};

use cranelift_entity::EntityRef;

use super::arch::{self, STUB_SIZE};
use super::enter::Cause;
use super::fork;
use super::registry::{self, GRANULE};
use super::sys::{self, Mapping};
use crate::abi::code::{CompiledFunction, Sites};
use crate::wasm::DefinedFuncIndex;

/// Asked for code that does not exist yet.
pub trait Demand: Send + Sync {
    /// Publishes the function, if that has not happened yet, and returns its code.
    ///
    /// # Errors
    ///
    /// When the function cannot be compiled.
    fn demand(&self, func: DefinedFuncIndex) -> Result<*const u8, Cause>;
}

/// The code of a module: one address range in which calls reach each other.
pub struct CodeSpace {
    memory: CodeMemory,
    /// The number of functions.
    count: usize,
    /// Where the stubs are, if there are any.
    stubs: Option<usize>,
    /// Where code may be put next.
    next: Mutex<usize>,
    /// The code of each function; null where there is none yet.
    code: Box<[AtomicPtr<u8>]>,
    /// What is known of published functions, ascending by address; `published` of them are valid.
    records: Box<[UnsafeCell<MaybeUninit<Record>>]>,
    published: AtomicUsize,
    demand: Option<Box<dyn Demand>>,
}

// SAFETY: records are written once, under the lock of `next`, before `published` counts them, and
// only read after. Everything else is atomic or immutable.
unsafe impl Sync for CodeSpace {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for CodeSpace {}

/// A published function.
pub struct Record {
    start: usize,
    end: usize,
    /// Which function it is.
    pub func: DefinedFuncIndex,
    /// What is known about places in its code.
    pub sites: Sites,
}

impl Record {
    /// The address of what is at this offset in its code.
    pub fn address(&self, offset: u32) -> usize {
        self.start + offset as usize
    }
}

/// Code is aligned to this.
const ALIGN: usize = 16;

impl CodeSpace {
    /// A space that holds exactly these functions, one for each index from 0 on. No more can be
    /// added: its writable view is closed.
    ///
    /// # Errors
    ///
    /// When the system has no memory for code.
    pub fn complete(functions: Vec<CompiledFunction>) -> io::Result<Box<CodeSpace>> {
        let size: usize = functions.iter().map(|f| f.bytes.len().next_multiple_of(ALIGN)).sum();
        let count = functions.len();
        let space = CodeSpace::with_room(count, false, size, None)?;
        space.fill(functions)?;
        space.memory.close();
        Ok(space)
    }

    /// A space for `count` functions that get their code one by one: those that are called before
    /// through `demand`. `size` bytes are reserved for code.
    ///
    /// # Errors
    ///
    /// When the system has no memory for code.
    pub fn growing(
        count: usize,
        size: usize,
        demand: Box<dyn Demand>,
    ) -> io::Result<Box<CodeSpace>> {
        CodeSpace::with_room(count, true, size, Some(demand))
    }

    fn with_room(
        count: usize,
        with_stubs: bool,
        size: usize,
        demand: Option<Box<dyn Demand>>,
    ) -> io::Result<Box<CodeSpace>> {
        let page = sys::page_size();
        let slots_end = (count * size_of::<usize>()).next_multiple_of(page);
        let stubs_size = if with_stubs { count * STUB_SIZE + arch::DEMAND_STUB_SIZE } else { 0 };
        let stubs_end = (slots_end + stubs_size).next_multiple_of(page);
        let memory = CodeMemory::new(slots_end, (stubs_end + size).next_multiple_of(GRANULE))?;
        let space = Box::new(CodeSpace {
            memory,
            count,
            stubs: with_stubs.then_some(slots_end),
            next: Mutex::new(stubs_end),
            code: (0..count).map(|_| AtomicPtr::new(ptr::null_mut())).collect(),
            records: (0..count).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
            published: AtomicUsize::new(0),
            demand,
        });
        if with_stubs {
            space.write_stubs(slots_end)?;
        }
        registry::set(space.memory.base() as usize, space.memory.len(), &*space);
        Ok(space)
    }

    fn write_stubs(&self, at: usize) -> io::Result<()> {
        let base = self.memory.base() as usize;
        let demand_stub = at + self.count * STUB_SIZE;
        let mut stubs = Vec::with_capacity(self.count * STUB_SIZE + arch::DEMAND_STUB_SIZE);
        for func in 0..self.count {
            let stub = at + func * STUB_SIZE;
            let slot = func * size_of::<usize>();
            stubs.extend(arch::stub(base + stub, base + slot, base + demand_stub, func as u32));
        }
        stubs.extend(arch::demand_stub(ptr::from_ref(self)));
        self.memory.write_code(at, &stubs)?;
        for func in 0..self.count {
            let second_half = base + at + func * STUB_SIZE + arch::STUB_SECOND_HALF;
            self.set_slot(func, second_half as *mut u8);
        }
        Ok(())
    }

    fn set_slot(&self, func: usize, code: *mut u8) {
        let slot = self.memory.base().wrapping_add(func * size_of::<usize>());
        // SAFETY: slots are at the start of the memory, aligned, and only accessed atomically.
        let slot = unsafe { AtomicPtr::<u8>::from_ptr(slot.cast()) };
        slot.store(code, Ordering::Release);
    }

    /// Puts all functions there, before anybody can call them.
    fn fill(&self, functions: Vec<CompiledFunction>) -> io::Result<()> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = self.memory.batch_start(*next)?;
        for (func, function) in functions.iter().enumerate() {
            self.code[func].store(self.memory.base().wrapping_add(*next), Ordering::Relaxed);
            *next += function.bytes.len().next_multiple_of(ALIGN);
        }
        let mut code = Vec::with_capacity(*next - start);
        for function in &functions {
            self.link(start + code.len(), function, |callee| self.entry(callee), &mut code);
        }
        self.memory.write_code(start, &code)?;
        let mut at = self.memory.base() as usize + start;
        for (func, function) in functions.into_iter().enumerate() {
            let len = function.bytes.len();
            self.record(at, DefinedFuncIndex::new(func), len, function.sites);
            at += len.next_multiple_of(ALIGN);
        }
        Ok(())
    }

    /// Makes a function callable that has not been published before. What it calls and has no code
    /// yet it calls through stubs, now and later.
    ///
    /// # Errors
    ///
    /// When the space is full, or the system has no memory.
    pub fn publish(&self, func: DefinedFuncIndex, function: CompiledFunction) -> io::Result<()> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = self.memory.batch_start(*next)?;
        let len = function.bytes.len();
        let end = start + len.next_multiple_of(ALIGN);
        if end > self.memory.len() {
            let message = "the module's code exceeds the room reserved for it";
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, message));
        }
        let address = self.memory.base().wrapping_add(start);
        let target =
            |callee| if callee == func { address.cast_const() } else { self.entry(callee) };
        let mut code = Vec::with_capacity(end - start);
        self.link(start, &function, target, &mut code);
        self.memory.write_code(start, &code)?;
        *next = end;
        self.record(address as usize, func, len, function.sites);
        // What is not whole before, others must not see.
        self.code[func.index()].store(address, Ordering::Release);
        self.set_slot(func.index(), address);
        Ok(())
    }

    /// Notes that a function is at this address. To be called with the lock of `next`.
    fn record(&self, start: usize, func: DefinedFuncIndex, len: usize, sites: Sites) {
        let published = self.published.load(Ordering::Relaxed);
        let record = Record { start, end: start + len, func, sites };
        // SAFETY: each function is published once, so there is room; the lock is held, and
        // readers stop at `published`.
        unsafe { (*self.records[published].get()).write(record) };
        self.published.store(published + 1, Ordering::Release);
    }

    /// Appends a function that is going to be at `start` to `code`, with its calls leading to
    /// their targets.
    fn link(
        &self,
        start: usize,
        function: &CompiledFunction,
        target: impl Fn(DefinedFuncIndex) -> *const u8,
        code: &mut Vec<u8>,
    ) {
        let begin = code.len();
        code.extend_from_slice(&function.bytes);
        for call in &function.calls {
            let place = begin + call.offset as usize;
            let from = self.memory.base() as usize + start + call.offset as usize + 4;
            let displacement = i32::try_from(target(call.callee) as i64 - from as i64)
                .expect("code spaces are smaller than 2 GiB");
            code[place..place + 4].copy_from_slice(&displacement.to_le_bytes());
        }
        code.resize(code.len().next_multiple_of(ALIGN), 0xcc);
    }

    /// Where to call the function: its code if it has any, else its stub.
    #[inline]
    pub fn entry(&self, func: DefinedFuncIndex) -> *const u8 {
        let code = self.code[func.index()].load(Ordering::Acquire);
        if !code.is_null() {
            return code;
        }
        let stubs = self.stubs.expect("a space without stubs is complete");
        self.memory.base().wrapping_add(stubs + func.index() * STUB_SIZE)
    }

    /// The code of the function, once it has some.
    pub fn published(&self, func: DefinedFuncIndex) -> Option<*const u8> {
        let code = self.code[func.index()].load(Ordering::Acquire);
        (!code.is_null()).then_some(code.cast_const())
    }

    /// Has the function compiled; its code.
    ///
    /// # Errors
    ///
    /// When that fails.
    pub(super) fn demand(&self, func: DefinedFuncIndex) -> Result<*const u8, Cause> {
        match (self.published(func), &self.demand) {
            (Some(code), _) => Ok(code),
            (None, Some(demand)) => demand.demand(func),
            (None, None) => unreachable!("a space without stubs is complete"),
        }
    }

    /// The function that the address lies in, and the offset from its start. Neither locks nor
    /// allocates.
    pub fn lookup(&self, pc: usize) -> Option<(&Record, u32)> {
        let published = self.published.load(Ordering::Acquire);
        // SAFETY: the first `published` records are valid and not written again.
        let record = |i: usize| unsafe { (*self.records[i].get()).assume_init_ref() };
        let (mut low, mut high) = (0, published);
        while low < high {
            let middle = low + (high - low) / 2;
            if record(middle).start <= pc { low = middle + 1 } else { high = middle }
        }
        let record = record(low.checked_sub(1)?);
        (pc < record.end).then(|| (record, (pc - record.start) as u32))
    }

    /// Bytes of machine code published so far.
    pub fn code_size(&self) -> usize {
        let published = self.published.load(Ordering::Acquire);
        // SAFETY: as in `lookup`.
        let record = |i: usize| unsafe { (*self.records[i].get()).assume_init_ref() };
        (0..published).map(|i| record(i).end - record(i).start).sum()
    }
}

impl Drop for CodeSpace {
    fn drop(&mut self) {
        registry::set(self.memory.base() as usize, self.memory.len(), ptr::null());
        for record in &mut self.records[..*self.published.get_mut()] {
            // SAFETY: the first `published` records are valid.
            unsafe { record.get_mut().assume_init_drop() };
        }
    }
}

/// Memory for code. With two views it is written through one and runs in the other. Where the
/// system refuses that, pages are writable first and executable later, never both.
///
/// Two views are shared memory, which a forked child shares with its parent. So what changes (the
/// slots, which are data) is in neither view, and a child that has code to write goes on in a copy
/// of its own.
struct CodeMemory {
    exec: Mapping,
    /// Bytes at the start that are not code.
    data: usize,
    write: Mutex<Write>,
}

/// How code is written.
struct Write {
    /// The second view, of everything but the data.
    view: Option<Mapping>,
    /// Whether there were ever two views.
    two_views: bool,
    /// The process that shares the views with nobody, see [`fork::generation`].
    generation: u64,
}

impl CodeMemory {
    /// Memory of `len` bytes, of which the first `data`, whole pages, are data.
    fn new(data: usize, len: usize) -> io::Result<CodeMemory> {
        let exec = Mapping::reserve_aligned(len, GRANULE)?;
        exec.make_writable(0..data)?;
        let view = sys::show_twice(&exec, data..len, 0).ok();
        let generation = fork::generation();
        let write = Mutex::new(Write { two_views: view.is_some(), view, generation });
        Ok(CodeMemory { exec, data, write })
    }

    fn base(&self) -> *mut u8 {
        self.exec.base()
    }

    fn len(&self) -> usize {
        self.exec.len()
    }

    fn write(&self) -> MutexGuard<'_, Write> {
        self.write.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up writing for good.
    fn close(&self) {
        self.write().view = None;
    }

    /// Where the next batch can begin, `at` or later; all that is before is kept.
    fn batch_start(&self, at: usize) -> io::Result<usize> {
        let mut write = self.write();
        if write.two_views && write.generation != fork::generation() {
            let view = sys::show_twice(&self.exec, self.data..self.len(), at - self.data)?;
            let generation = fork::generation();
            *write = Write { view: Some(view), two_views: true, generation };
        }
        // Without a second view, a page that runs must not become writable again.
        Ok(if write.two_views { at } else { at.next_multiple_of(sys::page_size()) })
    }

    /// Writes code to bytes that nobody uses yet, from where a batch can begin.
    fn write_code(&self, at: usize, code: &[u8]) -> io::Result<()> {
        assert!(self.data <= at && at + code.len() <= self.len());
        let page = sys::page_size();
        let pages = at / page * page..(at + code.len()).next_multiple_of(page);
        let write = self.write();
        let to = match &write.view {
            Some(view) => view.base().wrapping_add(at - self.data),
            None => {
                assert!(!write.two_views, "the memory is open");
                self.exec.make_writable(pages.clone())?;
                self.base().wrapping_add(at)
            }
        };
        // SAFETY: the range lies in the memory (asserted), is writable in this view, and nobody
        // uses it: its caller has just allocated it.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
        if write.view.is_none() {
            self.exec.make_executable(pages)?;
        }
        Ok(())
    }
}

/// Small pieces of code that each live as long as somebody holds them: trampolines.
pub struct Trampolines {
    chunk: Mutex<Option<std::sync::Arc<Chunk>>>,
}

struct Chunk {
    memory: CodeMemory,
    next: Mutex<usize>,
}

/// A trampoline; its code is there until the last clone is dropped.
#[derive(Clone)]
pub struct Trampoline {
    code: *const u8,
    _chunk: std::sync::Arc<Chunk>,
}

// SAFETY: the code is immutable once published.
unsafe impl Send for Trampoline {}
// SAFETY: as above.
unsafe impl Sync for Trampoline {}

/// Bytes of memory that trampolines share.
const CHUNK_SIZE: usize = GRANULE;

impl Trampolines {
    /// No trampoline yet, and no memory for any.
    pub fn new() -> Trampolines {
        Trampolines { chunk: Mutex::new(None) }
    }

    /// Publishes a trampoline.
    ///
    /// # Errors
    ///
    /// When the system has no memory for code.
    pub fn publish(&self, code: &[u8]) -> io::Result<Trampoline> {
        let mut current = self.chunk.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chunk) = &*current
            && let Some(trampoline) = Chunk::publish(chunk, code)?
        {
            return Ok(trampoline);
        }
        let memory = CodeMemory::new(0, code.len().next_multiple_of(GRANULE).max(CHUNK_SIZE))?;
        let chunk = std::sync::Arc::new(Chunk { memory, next: Mutex::new(0) });
        let trampoline = Chunk::publish(&chunk, code)?.expect("a new chunk has room");
        *current = Some(chunk);
        Ok(trampoline)
    }
}

impl Chunk {
    fn publish(chunk: &std::sync::Arc<Chunk>, code: &[u8]) -> io::Result<Option<Trampoline>> {
        let mut next = chunk.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = chunk.memory.batch_start(*next)?;
        let end = at + code.len().next_multiple_of(ALIGN);
        if end > chunk.memory.len() {
            return Ok(None);
        }
        chunk.memory.write_code(at, code)?;
        *next = end;
        let code = chunk.memory.base().wrapping_add(at).cast_const();
        Ok(Some(Trampoline { code, _chunk: chunk.clone() }))
    }
}

impl Trampoline {
    /// The address of its code.
    pub fn code(&self) -> *const u8 {
        self.code
    }
}
