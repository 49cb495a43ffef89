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
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{io, ptr};

use cranelift_entity::EntityRef;

use super::arch::{self, STUB_SIZE};
use super::code_memory::CodeMemory;
use super::enter::Cause;
use super::fork;
use super::place;
use super::registry::{self, GRANULE};
use super::sys;
use crate::abi::code::{CompiledFunction, Tier};
use crate::abi::image::{ALIGN, FunctionTable, displacement, next_in_line};
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

    /// Asked by baseline code for better code of a function that runs often, for going on at `place`.
    /// Where to go on; none if that is not there yet. If it is needed `now`, this makes it.
    fn tier_up(&self, func: DefinedFuncIndex, place: Place, now: bool) -> Option<*const u8>;
}

/// Where in a function better code is to go on: in the loop at this place in its body, or at its
/// beginning.
pub type Place = Option<u32>;

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
    /// Where the counters of baseline code are.
    counters: usize,
    /// Calls and turns of loops after which baseline code asks for better code.
    patience: i32,
    /// The code of each function; null where there is none yet.
    code: Box<[AtomicPtr<u8>]>,
    /// The functions that have optimized code.
    optimized: Box<[AtomicBool]>,
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
    /// Displacements of calls that lead to the stub of a function without code, or to its baseline
    /// code: where they are. Only those that can be changed while the code runs.
    open: HashMap<DefinedFuncIndex, Vec<usize>>,
    /// Where the jumps are that baseline code begins with.
    jumps: HashMap<DefinedFuncIndex, usize>,
    /// The loops in which optimized code takes over, and that code.
    loops: HashMap<(DefinedFuncIndex, u32), Address>,
    /// See [`fork::count`]. A child that shares the code must not be led to code it has not got.
    forks: u64,
}

/// The address of code.
#[derive(Clone, Copy)]
struct Address(*const u8);

// SAFETY: whose code it is, its holders know; the address alone can go anywhere.
unsafe impl Send for Address {}

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

impl Linking {
    /// Forgets what can no longer be changed if the process has forked.
    fn after_forks(&mut self) {
        if self.forks != fork::count() {
            self.forks = fork::count();
            self.open.clear();
            self.jumps.clear();
        }
    }
}

/// When baseline code asks for better code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// At the next opportunity.
    None,
    /// As when it was new.
    New,
    /// Much later than that.
    Long,
    /// Not any more, for all that matters.
    Endless,
}

/// Where optimized code begins in cache lines if it does not matter to its loops. It would depend on
/// what was compiled before otherwise, and so would the cost of recursion.
const USUAL_PLACE: u8 = ALIGN as u8;

/// How many times longer long patience is.
const LONG_PATIENCE: i32 = 4;

/// Most records for each function, on average.
const RECORDS_PER_FUNCTION: usize = 4;

/// Records beside that: modules of few functions may have many loops.
const MORE_RECORDS: usize = 64;

impl Growing {
    fn lock(&self) -> MutexGuard<'_, Linking> {
        self.linking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the function's counter is.
    fn counter(&self, func: DefinedFuncIndex) -> usize {
        self.counters + func.index() * size_of::<i32>()
    }

    /// Whether there is room to note another function, the first time or again.
    fn can_record(&self, is_first: bool) -> bool {
        let most = self.records.len() - if is_first { 0 } else { self.code.len() };
        self.published.load(Ordering::Relaxed) < most
    }

    /// Notes that a function is at this address. To be called with the lock of `linking`, when there
    /// is room.
    fn record(&self, record: Record) {
        let published = self.published.load(Ordering::Relaxed);
        // SAFETY: there is room, the lock is held, and readers stop at `published`.
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
    /// through `demand`. `size` bytes are reserved for code. Baseline code asks `demand` for better
    /// code after `patience` calls and turns of loops.
    ///
    /// # Errors
    ///
    /// When the system has no memory for code.
    pub fn growing(
        count: usize,
        size: usize,
        patience: u32,
        demand: Box<dyn Demand>,
    ) -> io::Result<Box<CodeSpace>> {
        let page = sys::page_size();
        let counters = count * size_of::<usize>();
        let stubs = (counters + count * size_of::<i32>()).next_multiple_of(page);
        let stubs_size = count * STUB_SIZE + arch::DEMAND_STUB_SIZE;
        let stubs_end = (stubs + stubs_size).next_multiple_of(page);
        let memory = CodeMemory::new(stubs, (stubs_end + size).next_multiple_of(GRANULE))?;
        let functions = Growing {
            stubs,
            linking: Mutex::new(Linking {
                next: stubs_end,
                open: HashMap::new(),
                jumps: HashMap::new(),
                loops: HashMap::new(),
                forks: fork::count(),
            }),
            counters,
            patience: i32::try_from(patience).unwrap_or(i32::MAX).max(1),
            code: (0..count).map(|_| AtomicPtr::new(ptr::null_mut())).collect(),
            optimized: (0..count).map(|_| AtomicBool::new(false)).collect(),
            records: Box::new_uninit_slice(count * RECORDS_PER_FUNCTION + MORE_RECORDS)
                .into_iter()
                .map(UnsafeCell::new)
                .collect(),
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
        self.memory.pointer(func * size_of::<usize>()).store(code, Ordering::Release);
    }

    /// Gives a function code that it has not got. To be called [inside](fork::inside).
    ///
    /// # Errors
    ///
    /// When the space is full, or the system has no memory.
    pub fn publish(&self, func: DefinedFuncIndex, function: CompiledFunction) -> io::Result<()> {
        let Functions::Growing(growing) = &self.functions else { return Ok(()) };
        let mut linking = growing.lock();
        let entry = self.memory.batch_start(linking.next)?;
        let is_baseline = function.tier == Tier::Baseline;
        let place = function.place.unwrap_or(USUAL_PLACE);
        let entry = if is_baseline { entry } else { next_in_line(entry, place) };
        let start = if is_baseline { entry + arch::JUMP_SIZE } else { entry };
        let len = function.bytes.len();
        let end = start + len.next_multiple_of(ALIGN);
        // Part of the room is for functions that have no code yet.
        let is_first = growing.code[func.index()].load(Ordering::Relaxed).is_null();
        let has_room = end <= if is_first { self.memory.len() } else { self.memory.len() / 2 };
        if !has_room || !growing.can_record(is_first) {
            let message = "the module's code exceeds the room reserved for it";
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, message));
        }
        let base = self.memory.base();
        // What takes over in a loop cannot be called.
        let is_itself = |callee| callee == func && !matches!(function.tier, Tier::Loop(_));
        let target = |callee| {
            if is_itself(callee) { entry } else { self.entry(callee) as usize - base as usize }
        };
        let mut code = Vec::with_capacity(end - entry);
        if is_baseline {
            code.extend(arch::jump());
        }
        function.link(start, target, &mut code);
        for &count in &function.counts {
            let at = start + count as usize;
            let displacement = displacement(at + 4, growing.counter(func));
            code[at - entry..][..4].copy_from_slice(&displacement);
        }
        self.memory.write_code(entry, &code)?;
        linking.next = end;
        let mut sites = Vec::new();
        function.sites.pack(&mut sites);
        let address = base.wrapping_add(start);
        let range = address as usize..address as usize + len;
        growing.record(Record { start: range.start, end: range.end, func, sites: sites.into() });
        linking.after_forks();
        self.lead_to(growing, &mut linking, func, function.tier, entry);
        for call in &function.calls {
            let at = start + call.offset as usize;
            if self.memory.can_patch(at) && !self.is_optimized(call.callee) {
                linking.open.entry(call.callee).or_default().push(at);
            }
        }
        Ok(())
    }

    /// Lets what runs the function get to its new code at `entry`, which is whole.
    fn lead_to(
        &self,
        growing: &Growing,
        linking: &mut Linking,
        func: DefinedFuncIndex,
        tier: Tier,
        entry: usize,
    ) {
        let address = self.memory.base().wrapping_add(entry);
        let open = match tier {
            Tier::Loop(place) => {
                linking.loops.insert((func, place), Address(address));
                self.set_patience(func, Patience::None);
                return;
            }
            Tier::Baseline => {
                self.set_patience(func, Patience::New);
                linking.jumps.insert(func, entry);
                linking.open.get(&func).cloned()
            }
            Tier::Optimized => linking.open.remove(&func),
        };
        let before = growing.code[func.index()].swap(address, Ordering::AcqRel);
        if tier == Tier::Optimized {
            growing.optimized[func.index()].store(true, Ordering::Release);
            if !before.is_null() {
                self.set_patience(func, Patience::None);
                let slot = self.memory.pointer(func.index() * size_of::<usize>());
                // A stub that has not been called yet still has to lead to `demand`.
                let order = (Ordering::AcqRel, Ordering::Relaxed);
                let _ = slot.compare_exchange(before, address, order.0, order.1);
            }
        }
        for at in open.unwrap_or_default() {
            self.memory.patch(at, entry.wrapping_sub(at + 4) as u32);
        }
    }

    /// Whether baseline code can be led past, once there is better code.
    pub fn can_tier_up(&self) -> bool {
        matches!(self.functions, Functions::Growing(_)) && self.memory.can_patch_any()
    }

    /// Says when baseline code of the function asks for better code next.
    pub fn set_patience(&self, func: DefinedFuncIndex, patience: Patience) {
        let Functions::Growing(growing) = &self.functions else { return };
        let count = match patience {
            Patience::None => 0,
            Patience::New => -growing.patience,
            Patience::Long => growing.patience.saturating_mul(-LONG_PATIENCE),
            Patience::Endless => i32::MIN,
        };
        self.memory.number(growing.counter(func)).store(count, Ordering::Relaxed);
    }

    /// Whether the function has optimized code.
    pub fn is_optimized(&self, func: DefinedFuncIndex) -> bool {
        match &self.functions {
            Functions::Growing(growing) => growing.optimized[func.index()].load(Ordering::Acquire),
            Functions::Complete(_) => true,
        }
    }

    /// The code that is better than baseline code of the function, for going on at `place`, and in how
    /// many loops there is any. To be called [inside](fork::inside).
    pub fn better(&self, func: DefinedFuncIndex, place: Place) -> (Option<*const u8>, usize) {
        let Functions::Growing(growing) = &self.functions else { return (None, 0) };
        match place {
            None => (self.published(func).filter(|_| self.is_optimized(func)), 0),
            Some(place) => {
                let loops = &growing.lock().loops;
                let found = loops.get(&(func, place)).map(|address| address.0);
                let count = loops.keys().filter(|(other, _)| *other == func).count();
                (found, count)
            }
        }
    }

    /// What baseline code asks for better code. See [`Demand::tier_up`].
    pub(super) fn tier_up(
        &self,
        func: DefinedFuncIndex,
        place: Place,
        now: bool,
    ) -> Option<*const u8> {
        let Functions::Growing(growing) = &self.functions else { return None };
        let code = growing.demand.tier_up(func, place, now)?;
        if place.is_none() {
            // What still leads to the baseline code gets on by its first instruction.
            fork::inside(|| {
                let mut linking = growing.lock();
                linking.after_forks();
                if let Some(jump) = linking.jumps.remove(&func) {
                    let end = jump + arch::JUMP_END;
                    let target = (code as usize).wrapping_sub(self.memory.base() as usize);
                    self.memory.patch(end - 4, target.wrapping_sub(end) as u32);
                }
            });
        }
        Some(code)
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
