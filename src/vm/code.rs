//! Machine code that runs: published function by function, never writable and executable in one
//! view.
//!
//! Every function of a module has a *slot*, an atomic pointer to its code, and a *stub* that jumps
//! through the slot. Code calls a function directly where its code is there already, through the
//! stub otherwise; so generated code never knows whether its callee exists yet. The slot of a
//! function that has not been called through its stub leads to the stub's second half, and that to
//! `arch::demand`, which has the function compiled and goes on in it.
//!
//! Stubs are for the beginning: once a function has code, calls that led to its stub are made to
//! lead to the code, and so is the reference of the instance that has called it first.

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::fs::File;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{io, ptr};

use cranelift_entity::EntityRef;

use super::arch::{self, STUB_SIZE};
use super::enter::Cause;
use super::fork;
use super::place;
use super::registry::{self, GRANULE};
use super::sys::{self, Mapping};
use crate::abi::code::CompiledFunction;
use crate::abi::image::{ALIGN, FunctionTable};
use crate::abi::sites::PackedSites;
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
    functions: Functions,
}

/// What a code space has.
enum Functions {
    /// All functions, from its beginning on. No more can be added.
    Complete(FunctionTable),
    Growing(Growing),
}

/// Functions that get their code one by one.
struct Growing {
    /// Where the stubs are.
    stubs: usize,
    linking: Mutex<Linking>,
    /// The code of each function; null where there is none yet.
    code: Box<[AtomicPtr<u8>]>,
    /// What is known of published functions, ascending by address; `published` of them are valid.
    records: Box<[UnsafeCell<MaybeUninit<Record>>]>,
    published: AtomicUsize,
    demand: Box<dyn Demand>,
}

// SAFETY: records are written once, under the lock of `linking`, before `published` counts them, and
// only read after. Everything else is atomic or immutable.
unsafe impl Sync for Growing {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for Growing {}

/// What publishing goes on from.
struct Linking {
    /// Where code may be put next.
    next: usize,
    /// Displacements of calls that lead to the stub of a function without code: where they are.
    /// Only those that can be changed while the code runs.
    open: HashMap<DefinedFuncIndex, Vec<usize>>,
    /// See [`fork::count`]. A child that shares the code must not be led to code it has not got.
    forks: u64,
}

/// A published function.
struct Record {
    start: usize,
    end: usize,
    func: DefinedFuncIndex,
    sites: Box<[u8]>,
}

/// A place in the code of a function.
pub struct Found<'a> {
    /// Which function it is.
    pub func: DefinedFuncIndex,
    /// How far from its start.
    pub offset: u32,
    /// What is known about places in the function's code.
    pub sites: PackedSites<'a>,
    start: usize,
}

impl Found<'_> {
    /// The address of what is at this offset in the function's code.
    pub fn address(&self, offset: u32) -> usize {
        self.start + offset as usize
    }
}

impl Growing {
    /// Notes that a function is at this address. To be called with the lock of `linking`.
    fn record(&self, record: Record) {
        let published = self.published.load(Ordering::Relaxed);
        // SAFETY: each function is published once, so there is room; the lock is held, and
        // readers stop at `published`.
        unsafe { (*self.records[published].get()).write(record) };
        self.published.store(published + 1, Ordering::Release);
    }

    /// A record of those that `published` counted when it was read.
    fn get(&self, index: usize) -> &Record {
        // SAFETY: the first `published` records are valid and not written again.
        unsafe { (*self.records[index].get()).assume_init_ref() }
    }

    /// The function that the address lies in.
    fn find(&self, pc: usize) -> Option<Found<'_>> {
        let (mut low, mut high) = (0, self.published.load(Ordering::Acquire));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).start <= pc { low = middle + 1 } else { high = middle }
        }
        let Record { start, end, func, sites } = self.get(low.checked_sub(1)?);
        let sites = PackedSites::new(sites)?;
        let offset = (pc - start) as u32;
        (pc < *end).then_some(Found { func: *func, offset, sites, start: *start })
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        for record in &mut self.records[..*self.published.get_mut()] {
            // SAFETY: the first `published` records are valid.
            unsafe { record.get_mut().assume_init_drop() };
        }
    }
}

impl CodeSpace {
    /// A space with the code of all functions, which is copied.
    ///
    /// # Errors
    ///
    /// When the system has no memory for code.
    pub fn complete(code: &[u8], table: FunctionTable) -> io::Result<Box<CodeSpace>> {
        Ok(CodeSpace::registered(CodeMemory::with(code)?, Functions::Complete(table)))
    }

    /// As [`CodeSpace::complete`], with the code that lies in a file at `range`, whose start is at a
    /// page; it is not copied.
    ///
    /// # Errors
    ///
    /// When the system does not execute what is in the file, or has no room.
    ///
    /// # Safety
    ///
    /// The file does not change for as long as the space lives.
    pub unsafe fn in_file(
        file: &File,
        range: Range<usize>,
        table: FunctionTable,
    ) -> io::Result<Box<CodeSpace>> {
        let exec = place::reserve(range.len().max(1).next_multiple_of(GRANULE))?;
        exec.show_file(file, range)?;
        Ok(CodeSpace::registered(CodeMemory::closed(exec), Functions::Complete(table)))
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
        let page = sys::page_size();
        let stubs = (count * size_of::<usize>()).next_multiple_of(page);
        let stubs_size = count * STUB_SIZE + arch::DEMAND_STUB_SIZE;
        let stubs_end = (stubs + stubs_size).next_multiple_of(page);
        let memory = CodeMemory::new(stubs, (stubs_end + size).next_multiple_of(GRANULE))?;
        let functions = Growing {
            stubs,
            linking: Mutex::new(Linking {
                next: stubs_end,
                open: HashMap::new(),
                forks: fork::count(),
            }),
            code: (0..count).map(|_| AtomicPtr::new(ptr::null_mut())).collect(),
            records: Box::new_uninit_slice(count).into_iter().map(UnsafeCell::new).collect(),
            published: AtomicUsize::new(0),
            demand,
        };
        let space = CodeSpace::registered(memory, Functions::Growing(functions));
        space.write_stubs(count, stubs)?;
        Ok(space)
    }

    fn registered(memory: CodeMemory, functions: Functions) -> Box<CodeSpace> {
        let space = Box::new(CodeSpace { memory, functions });
        registry::set(space.memory.base() as usize, space.memory.len(), &*space);
        space
    }

    fn write_stubs(&self, count: usize, at: usize) -> io::Result<()> {
        let base = self.memory.base() as usize;
        let demand_stub = at + count * STUB_SIZE;
        let mut stubs = Vec::with_capacity(count * STUB_SIZE + arch::DEMAND_STUB_SIZE);
        for func in 0..count {
            let stub = at + func * STUB_SIZE;
            let slot = func * size_of::<usize>();
            stubs.extend(arch::stub(base + stub, base + slot, base + demand_stub, func as u32));
        }
        stubs.extend(arch::demand_stub(ptr::from_ref(self)));
        self.memory.write_code(at, &stubs)?;
        for func in 0..count {
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

    /// Gives a function its code that has not been published before. To be called
    /// [inside](fork::inside).
    ///
    /// # Errors
    ///
    /// When the space is full, or the system has no memory.
    pub fn publish(&self, func: DefinedFuncIndex, function: CompiledFunction) -> io::Result<()> {
        let Functions::Growing(growing) = &self.functions else { return Ok(()) };
        let mut linking = growing.linking.lock().unwrap_or_else(PoisonError::into_inner);
        let start = self.memory.batch_start(linking.next)?;
        let len = function.bytes.len();
        let end = start + len.next_multiple_of(ALIGN);
        if end > self.memory.len() {
            let message = "the module's code exceeds the room reserved for it";
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, message));
        }
        let base = self.memory.base();
        let target = |callee| {
            if callee == func { start } else { self.entry(callee) as usize - base as usize }
        };
        let mut code = Vec::with_capacity(end - start);
        function.link(start, target, &mut code);
        self.memory.write_code(start, &code)?;
        linking.next = end;
        let mut sites = Vec::new();
        function.sites.pack(&mut sites);
        let address = base.wrapping_add(start);
        let range = address as usize..address as usize + len;
        growing.record(Record { start: range.start, end: range.end, func, sites: sites.into() });
        // What is not whole before, others must not see.
        growing.code[func.index()].store(address, Ordering::Release);

        if linking.forks != fork::count() {
            linking.forks = fork::count();
            linking.open.clear();
        }
        for at in linking.open.remove(&func).unwrap_or_default() {
            self.memory.patch(at, (start.wrapping_sub(at + 4)) as u32);
        }
        for call in &function.calls {
            let at = start + call.offset as usize;
            if self.memory.can_patch(at) && self.published(call.callee).is_none() {
                linking.open.entry(call.callee).or_default().push(at);
            }
        }
        Ok(())
    }

    /// Where to call the function: its code if it has any, else its stub.
    #[inline]
    pub fn entry(&self, func: DefinedFuncIndex) -> *const u8 {
        self.published(func).unwrap_or_else(|| match &self.functions {
            Functions::Growing(growing) => {
                self.memory.base().wrapping_add(growing.stubs + func.index() * STUB_SIZE)
            }
            Functions::Complete(_) => unreachable!("a complete space has all functions"),
        })
    }

    /// The code of the function, once it has some.
    pub fn published(&self, func: DefinedFuncIndex) -> Option<*const u8> {
        match &self.functions {
            Functions::Growing(growing) => {
                let code = growing.code[func.index()].load(Ordering::Acquire);
                (!code.is_null()).then_some(code.cast_const())
            }
            Functions::Complete(table) => {
                let start = table.start(func.index())? as usize;
                Some(self.memory.base().wrapping_add(start).cast_const())
            }
        }
    }

    /// What a stub leads to: has the function compiled unless it is, and lets the stub lead to its
    /// code from now on.
    ///
    /// # Errors
    ///
    /// When it cannot be compiled.
    pub(super) fn demand(&self, func: DefinedFuncIndex) -> Result<*const u8, Cause> {
        let Functions::Growing(growing) = &self.functions else {
            unreachable!("a complete space has no stubs")
        };
        let code = match self.published(func) {
            Some(code) => code,
            None => growing.demand.demand(func)?,
        };
        self.set_slot(func.index(), code.cast_mut());
        Ok(code)
    }

    /// The function that the address lies in, and the place in it. Neither locks nor allocates.
    pub fn lookup(&self, pc: usize) -> Option<Found<'_>> {
        match &self.functions {
            Functions::Growing(growing) => growing.find(pc),
            Functions::Complete(table) => {
                let base = self.memory.base() as usize;
                let at = u32::try_from(pc.checked_sub(base)?).ok()?;
                let (func, start) = table.find(at)?;
                let (sites, offset) = (table.sites(func)?, at - start);
                let func = DefinedFuncIndex::new(func);
                Some(Found { func, offset, sites, start: base + start as usize })
            }
        }
    }

    /// Bytes of machine code published so far.
    pub fn code_size(&self) -> usize {
        match &self.functions {
            Functions::Growing(growing) => {
                let published = growing.published.load(Ordering::Acquire);
                (0..published).map(|i| growing.get(i).end - growing.get(i).start).sum()
            }
            Functions::Complete(table) => table.end(),
        }
    }

    /// The code of all functions and where they are in it, if the space has all of them together.
    pub fn whole(&self) -> Option<(&[u8], &FunctionTable)> {
        let Functions::Complete(table) = &self.functions else { return None };
        // SAFETY: the code is there, readable, and not written again; whoever has put a file there
        // has promised that it does not change.
        let code = unsafe { std::slice::from_raw_parts(self.memory.base(), table.end()) };
        Some((code, table))
    }
}

impl Drop for CodeSpace {
    fn drop(&mut self) {
        registry::set(self.memory.base() as usize, self.memory.len(), ptr::null());
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
        let exec = place::reserve(len)?;
        exec.make_writable(0..data)?;
        let view = sys::show_twice(&exec, data..len, 0).ok();
        let generation = fork::generation();
        let write = Mutex::new(Write { two_views: view.is_some(), view, generation });
        Ok(CodeMemory { exec, data, write })
    }

    /// Memory with this code, to which no more can be added. It is writable first and executable
    /// later, which costs less than two views; they are there for systems that refuse it.
    fn with(code: &[u8]) -> io::Result<CodeMemory> {
        let len = code.len().max(1).next_multiple_of(GRANULE);
        let exec = place::reserve(len)?;
        exec.make_writable(0..len)?;
        // SAFETY: the memory is new, writable, and large enough.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), exec.base(), code.len()) };
        if exec.make_executable(0..len).is_ok() {
            return Ok(CodeMemory::closed(exec));
        }
        let memory = CodeMemory::new(0, len)?;
        memory.write_code(0, code)?;
        memory.close();
        Ok(memory)
    }

    /// Memory that has code already.
    fn closed(exec: Mapping) -> CodeMemory {
        let generation = fork::generation();
        let write = Mutex::new(Write { view: None, two_views: true, generation });
        CodeMemory { exec, data: 0, write }
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

    /// Whether the four bytes at `at` can be changed while other threads run them: those see the
    /// old or the new ones, never a mixture. Processors promise that inside of eight aligned bytes.
    fn can_patch(&self, at: usize) -> bool {
        at % 8 <= 4 && self.write().view.is_some()
    }

    /// Changes the four bytes at `at`, see [`CodeMemory::can_patch`]. Whoever runs them sees it
    /// sooner or later. Nobody else patches at the same time.
    fn patch(&self, at: usize, value: u32) {
        let write = self.write();
        let Some(view) = &write.view else { return };
        let word = view.base().wrapping_add((at & !7) - self.data);
        // SAFETY: the aligned word lies in the view, see `can_patch`; code is only changed here.
        let word = unsafe { AtomicU64::from_ptr(word.cast()) };
        let mut bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        bytes[at % 8..at % 8 + 4].copy_from_slice(&value.to_le_bytes());
        word.store(u64::from_ne_bytes(bytes), Ordering::Release);
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

/// Where trampolines begin: with a line of the cache, from which a processor takes as many
/// instructions at a time as there are.
const TRAMPOLINE_ALIGN: usize = 64;

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
        let end = at + code.len().next_multiple_of(TRAMPOLINE_ALIGN);
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
