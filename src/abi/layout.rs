//! Memory that compiled code reads and writes. Each struct is written once; offsets derive from it.

use std::ffi::c_void;
use std::mem::{align_of, offset_of, size_of};
use std::sync::atomic::{AtomicPtr, AtomicU32};

use cranelift_entity::EntityRef;

use crate::wasm::{
    AddressType, Family, GlobalIndex, MemoryIndex, MemoryType, PAGE_SIZE, RefType, TableIndex,
};

/// What every compiled function gets as its first argument: the head of an instance's, or of a
/// host function's, context. An instance's arrays follow it at the offsets of a [`ContextLayout`].
#[repr(C)]
pub struct VMContext {
    /// [`INSTANCE_MAGIC`] or [`HOST_MAGIC`].
    pub magic: u64,
    /// The store that the context belongs to.
    pub store: *mut VMStore,
    /// The address of each libcall and then of each routine, in the order of their enums.
    pub libcalls: *const usize,
    /// The canonical type of each of the module's types.
    pub types: *const *const VMType,
    /// The instance or host function that this is the context of.
    pub owner: *mut c_void,
}

/// [`VMContext::magic`] of an instance.
pub const INSTANCE_MAGIC: u64 = u64::from_le_bytes(*b"instance");
/// [`VMContext::magic`] of a host function.
pub const HOST_MAGIC: u64 = u64::from_le_bytes(*b"hostfunc");

/// The context of a host function.
#[repr(C)]
pub struct VMHostContext {
    /// The common head.
    pub head: VMContext,
    /// What the host trampoline calls: `(context, arguments, results, null)`, both arrays as
    /// [`super::signature`] lays them out. Anything but 0 means that an error is to be raised.
    ///
    /// Functions that are called [directly](super::code::Crossing) have it called only where
    /// something is to be done after the call that their trampoline does not do; `arguments` is
    /// then what the function has returned, and the last one what is in [`VMActivation::outside`].
    pub call: unsafe extern "C" fn(*mut VMHostContext, *mut u8, *mut u8, *const usize) -> u32,
    /// The C function that is called directly; null if none is.
    pub function: *const c_void,
    /// What it gets as its first argument, if it gets an environment.
    pub env: *mut c_void,
}

/// Where wasm was left.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct VMExit {
    /// Frame pointer of the wasm function that called out.
    pub fp: usize,
    /// Return address into it.
    pub pc: usize,
    /// Where the return address lies, if the code of a [`VMHostContext`] has gone on in its C function;
    /// 0 if none has since the entry. Libcalls and other trampolines leave it as it is.
    pub sp: usize,
    /// That context.
    pub callee: *mut VMHostContext,
}

/// What compiled code knows of a store.
#[repr(C)]
pub struct VMStore {
    /// The lowest address that the stack pointer of compiled code may have.
    pub stack_limit: usize,
    /// Where wasm was left last.
    pub exit: VMExit,
    /// The word that is not 0 when execution has to end.
    pub interrupt: *const AtomicU32,
    /// What code may still consume; nothing is left at 0 and below.
    pub fuel: i64,
    /// The base of the heap. It is set before code that uses a heap runs, and never changes.
    pub heap_base: *mut u8,
    /// Where the next object will be.
    pub heap_next: u32,
    /// Where the room for objects ends that can be had without asking.
    pub heap_end: u32,
    /// Where the engine's table of types is, by [`VMType::slot`]. It is replaced when it grows.
    pub types: *const AtomicPtr<*const VMType>,
    /// What [`stack_limit`](VMStore::stack_limit) was set for, if by a direct entry: its stack pointer
    /// when it calls, combined with the thread's [`mark`](VMThread::mark) by exclusive or. 0 if the limit may be
    /// another.
    pub entered_from: usize,
    /// The newest entry into the store.
    pub innermost: AtomicPtr<VMActivation>,
    /// Bytes of stack that wasm may use, counted from where the host enters it.
    pub max_stack: usize,
    /// Bits that say why calls do not go the shortest way: [`BORROWED`], [`CLEANUP`],
    /// [`SMALL_STACK`].
    pub unusual: u32,
    /// Not 0 while a trap waits in the store until somebody takes it.
    pub trap_waiting: u32,
    /// Makes the call that a function pointer stands for in any case: `(function, arguments,
    /// results)`, both arrays as [`super::signature`] lays them out.
    pub call_in_full: unsafe extern "C" fn(*const VMFuncRef, *mut u8, *mut u8),
    /// Does what is to be done after a function pointer has called its function the shortest way, and
    /// returns in its place what it gets: what the function has returned, in either register.
    pub call_ended: unsafe extern "C" fn(u64, f64) -> VMPlainResult,
    /// See [`EndArrayCall`].
    pub end_array_call: EndArrayCall,
    /// The locals of a function in which optimized code takes over, for that code to take first.
    pub carried: *const u8,
}

/// A number where C functions return it, whether that is for integers or for floats.
#[repr(C)]
pub struct VMPlainResult {
    /// The integer.
    pub int: u64,
    /// The float; an `f32` is its lower half.
    pub float: f64,
}

/// What a direct call through arrays goes on in where it does not simply return: `(callee, arguments,
/// results, ended)`, the first three as the caller has given them, the last one of [`entered`]; what it
/// returns is returned to the caller. Once wasm has been entered the first three are null.
pub type EndArrayCall =
    unsafe extern "C" fn(*const c_void, *const VMVector, *mut VMVector, u32) -> *mut c_void;

/// Bytes of the locals that code can take over.
pub const MOST_CARRIED: usize = 2048;

/// [`VMStore::unusual`]: somebody accesses the bytes of a memory; nothing may run meanwhile.
pub const BORROWED: u32 = 1;
/// [`VMStore::unusual`]: something has to be done when the outermost entry is over.
pub const CLEANUP: u32 = 2;
/// [`VMStore::unusual`]: wasm has so little stack that every entry has to look at it closely.
pub const SMALL_STACK: u32 = 4;

/// The stack, in bytes, that a direct entry may need itself, and less than which makes a store
/// [`SMALL_STACK`].
pub const DIRECT_ENTRY_STACK: usize = 4096;

/// What compiled code knows of a thread.
#[repr(C)]
pub struct VMThread {
    /// The newest entry on this thread. If there is none it is `outermost`, which is then not in use.
    pub activation: *mut VMActivation,
    /// The activation of an entry that no other is around; null until the thread has been prepared
    /// for entries.
    pub outermost: *mut VMActivation,
    /// The lowest address that wasm's stack pointer may have on the thread's own stack.
    pub floor: usize,
    /// The lowest stack pointer with which entries may be direct: they need some stack themselves.
    pub direct_floor: usize,
    /// Bytes from there to the end of the thread's own stack; 0 if the system does not tell.
    pub direct_span: usize,
    /// What no other thread has, with the highest bit set; 0 if the thread has not been prepared.
    pub mark: usize,
}

/// One entry into wasm. Traps resume at what the entry trampoline has noted here.
#[repr(C)]
pub struct VMActivation {
    /// Where execution goes on after a trap.
    pub resume_pc: usize,
    /// The stack pointer there.
    pub resume_sp: usize,
    /// The frame pointer there; also the frame at which a walk over wasm frames ends. 0 if the
    /// activation is not in use.
    pub resume_fp: usize,
    /// The store that was entered.
    pub store: *const VMStore,
    /// The lowest address that the stack pointer may have, however much stack wasm may use.
    pub floor: usize,
    /// The witness in the frame that has entered, see [`WITNESS`]; null if the activation is not in use
    /// or the entry is direct: then [`resume_fp`](VMActivation::resume_fp) says everything.
    pub witness: *const usize,
    /// The witness in the frame of the call that wasm has made to the host; null while wasm runs,
    /// and in an activation that is not in use. If 1 is added, the frame is that of a trampoline,
    /// and its witness says the frame's pointer: by that is known where wasm was left, and
    /// [`VMStore::exit`] says nothing. Null also while a C function runs in which the code of its
    /// context has gone on: [`VMExit::sp`] tells.
    pub outside: *const usize,
}

/// What makes the word at an address, lying in a frame, a witness of that frame being live: the
/// address, combined with this by exclusive or.
pub const WITNESS: usize = 0x5bf0_3635_a781_9e42;

/// A vector of `wasm.h`.
#[repr(C)]
pub struct VMVector {
    /// How many elements it has.
    pub size: usize,
    /// The elements; null if there are none.
    pub data: *mut u8,
}

/// How a direct entry through arrays has ended.
pub mod entered {
    /// The function has trapped; why is in the activation.
    pub const TRAPPED: u32 = 1;
    /// Nothing has happened: the call has to be made in full.
    pub const UNUSUAL: u32 = 2;
    /// The function has returned, and something is to be done after it.
    pub const CLEANUP: u32 = 3;
}

/// A type of an engine, see `vm::types`: equal types have one address.
#[repr(C)]
pub struct VMType {
    /// The number that objects of the type carry.
    pub slot: u32,
    /// How many types it is below.
    pub depth: u32,
    /// What its values are.
    pub sort: TypeSort,
    /// The types that it is below, the topmost first, and itself at `depth`.
    pub supers: *const *const VMType,
}

/// What the values of a type are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum TypeSort {
    /// Functions.
    Func,
    /// Structs.
    Struct,
    /// Arrays.
    Array,
}

/// What a reference to a function points to.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct VMFuncRef {
    /// Its code, to be called with the tail calling convention.
    pub code: *const u8,
    /// The context to pass.
    pub vmctx: *mut VMContext,
    /// Its type.
    pub ty: *const VMType,
}

/// An imported function: its parts at hand, and the reference that gives it identity.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct VMFuncImport {
    /// As in [`VMFuncRef`].
    pub code: *const u8,
    /// As in [`VMFuncRef`].
    pub vmctx: *mut VMContext,
    /// The reference to the function.
    pub func_ref: *const VMFuncRef,
}

/// A linear memory. That of a shared memory belongs to all who share it; the contexts of instances
/// that define one have a pointer to it in the memory's place.
#[repr(C)]
pub struct VMMemory {
    /// Address of its first byte. That of a shared memory never changes.
    pub base: *mut u8,
    /// Its size in bytes. That of a shared memory may grow at any time, and is read atomically.
    pub len: usize,
}

/// A table.
#[repr(C)]
pub struct VMTable {
    /// Address of its first element.
    pub base: *mut u8,
    /// The number of its elements.
    pub len: usize,
}

/// A global: the value in little-endian form, from the first byte on.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
pub struct VMGlobal {
    /// The value.
    pub bytes: [u8; 16],
}

/// What compiled code takes for granted of the linear memories it uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MemoryStyle {
    /// Every memory that [can be guarded](MemoryStyle::of) never moves, and every address that
    /// 32-bit index + [`GUARD_SIZE`] can reach either is in the memory or faults.
    Guarded,
    /// Nothing: every access is checked against the memory's current size.
    Checked,
}

impl MemoryStyle {
    /// How a memory of this type is, where memories are of this style if they can: only one with
    /// 32-bit addresses and pages not smaller than the system's can do without checks.
    pub fn of(self, ty: &MemoryType) -> MemoryStyle {
        if ty.address == AddressType::I32 && ty.page_size() == PAGE_SIZE {
            self
        } else {
            MemoryStyle::Checked
        }
    }
}

/// Bytes after the 4 GiB that a 32-bit index reaches in which every access faults.
pub const GUARD_SIZE: u64 = 32 << 20;

/// Bytes of one table element: a function's address, or 32 bits for all other references.
pub const fn element_size(ty: RefType) -> usize {
    match ty.heap.family() {
        Family::Func => size_of::<*const VMFuncRef>(),
        Family::Extern | Family::Any | Family::Exn => size_of::<u32>(),
    }
}

/// Offsets that do not depend on the module.
pub mod offset {
    use super::*;

    /// [`VMContext::store`].
    pub const CONTEXT_STORE: i32 = offset_of!(VMContext, store) as i32;
    /// [`VMContext::libcalls`].
    pub const CONTEXT_LIBCALLS: i32 = offset_of!(VMContext, libcalls) as i32;
    /// [`VMContext::types`].
    pub const CONTEXT_TYPES: i32 = offset_of!(VMContext, types) as i32;
    /// [`VMHostContext::call`].
    pub const HOST_CALL: i32 = offset_of!(VMHostContext, call) as i32;
    /// [`VMHostContext::function`].
    pub const HOST_FUNCTION: i32 = offset_of!(VMHostContext, function) as i32;
    /// [`VMHostContext::env`].
    pub const HOST_ENV: i32 = offset_of!(VMHostContext, env) as i32;
    /// [`VMStore::stack_limit`].
    pub const STORE_STACK_LIMIT: i32 = offset_of!(VMStore, stack_limit) as i32;
    /// [`VMExit::fp`] in [`VMStore::exit`].
    pub const STORE_EXIT_FP: i32 = offset_of!(VMStore, exit.fp) as i32;
    /// [`VMExit::pc`] in [`VMStore::exit`].
    pub const STORE_EXIT_PC: i32 = offset_of!(VMStore, exit.pc) as i32;
    /// [`VMStore::interrupt`].
    pub const STORE_INTERRUPT: i32 = offset_of!(VMStore, interrupt) as i32;
    /// [`VMStore::fuel`].
    pub const STORE_FUEL: i32 = offset_of!(VMStore, fuel) as i32;
    /// [`VMStore::heap_base`].
    pub const STORE_HEAP_BASE: i32 = offset_of!(VMStore, heap_base) as i32;
    /// [`VMStore::heap_next`].
    pub const STORE_HEAP_NEXT: i32 = offset_of!(VMStore, heap_next) as i32;
    /// [`VMStore::heap_end`].
    pub const STORE_HEAP_END: i32 = offset_of!(VMStore, heap_end) as i32;
    /// [`VMStore::types`].
    pub const STORE_TYPES: i32 = offset_of!(VMStore, types) as i32;
    /// [`VMStore::max_stack`].
    pub const STORE_MAX_STACK: i32 = offset_of!(VMStore, max_stack) as i32;
    /// [`VMStore::trap_waiting`].
    pub const STORE_TRAP_WAITING: i32 = offset_of!(VMStore, trap_waiting) as i32;
    /// [`VMStore::carried`].
    pub const STORE_CARRIED: i32 = offset_of!(VMStore, carried) as i32;
    /// [`VMType::slot`].
    pub const TYPE_SLOT: i32 = offset_of!(VMType, slot) as i32;
    /// [`VMActivation::resume_pc`].
    pub const ACTIVATION_PC: i32 = offset_of!(VMActivation, resume_pc) as i32;
    /// [`VMActivation::resume_sp`].
    pub const ACTIVATION_SP: i32 = offset_of!(VMActivation, resume_sp) as i32;
    /// [`VMActivation::resume_fp`].
    pub const ACTIVATION_FP: i32 = offset_of!(VMActivation, resume_fp) as i32;
    /// [`VMActivation::store`].
    pub const ACTIVATION_STORE: i32 = offset_of!(VMActivation, store) as i32;
    /// [`VMActivation::floor`].
    pub const ACTIVATION_FLOOR: i32 = offset_of!(VMActivation, floor) as i32;
    /// [`VMActivation::outside`].
    pub const ACTIVATION_OUTSIDE: i32 = offset_of!(VMActivation, outside) as i32;
    /// [`VMFuncRef::code`].
    pub const FUNC_REF_CODE: i32 = offset_of!(VMFuncRef, code) as i32;
    /// [`VMFuncRef::vmctx`].
    pub const FUNC_REF_VMCTX: i32 = offset_of!(VMFuncRef, vmctx) as i32;
    /// [`VMFuncRef::ty`].
    pub const FUNC_REF_TYPE: i32 = offset_of!(VMFuncRef, ty) as i32;
    /// [`VMFuncImport::code`].
    pub const IMPORT_CODE: i32 = offset_of!(VMFuncImport, code) as i32;
    /// [`VMFuncImport::vmctx`].
    pub const IMPORT_VMCTX: i32 = offset_of!(VMFuncImport, vmctx) as i32;
    /// [`VMFuncImport::func_ref`].
    pub const IMPORT_FUNC_REF: i32 = offset_of!(VMFuncImport, func_ref) as i32;
    /// [`VMType::sort`].
    pub const TYPE_SORT: i32 = offset_of!(VMType, sort) as i32;
    /// [`VMType::depth`].
    pub const TYPE_DEPTH: i32 = offset_of!(VMType, depth) as i32;
    /// [`VMType::supers`].
    pub const TYPE_SUPERS: i32 = offset_of!(VMType, supers) as i32;
    /// [`VMMemory::base`].
    pub const MEMORY_BASE: i32 = offset_of!(VMMemory, base) as i32;
    /// [`VMMemory::len`].
    pub const MEMORY_LEN: i32 = offset_of!(VMMemory, len) as i32;
    /// [`VMTable::base`].
    pub const TABLE_BASE: i32 = offset_of!(VMTable, base) as i32;
    /// [`VMTable::len`].
    pub const TABLE_LEN: i32 = offset_of!(VMTable, len) as i32;
}

/// How many entities of each kind an instance's context has room for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContextShape {
    /// Memories that the module defines.
    pub memories: u32,
    /// Globals that the module defines.
    pub globals: u32,
    /// Tables that the module defines.
    pub tables: u32,
    /// Memories that the module imports.
    pub imported_memories: u32,
    /// Globals that the module imports.
    pub imported_globals: u32,
    /// Tables that the module imports.
    pub imported_tables: u32,
    /// Functions that the module imports.
    pub imported_funcs: u32,
    /// Defined functions that can be referred to.
    pub func_refs: u32,
}

/// Where in an instance's context each array is.
#[derive(Clone, Debug)]
pub struct ContextLayout {
    shape: ContextShape,
    memories: u32,
    globals: u32,
    tables: u32,
    imported_memories: u32,
    imported_globals: u32,
    imported_tables: u32,
    imported_funcs: u32,
    func_refs: u32,
    size: u32,
}

impl ContextLayout {
    /// The layout for `shape`. Memories and globals come first: they are used most, and small
    /// offsets make short instructions.
    pub fn new(shape: ContextShape) -> ContextLayout {
        let mut size = size_of::<VMContext>();
        let mut array = |count: u32, item: usize, align: usize| {
            let start = size.next_multiple_of(align);
            size = start + count as usize * item;
            // wasmparser allows 10^6 entities of a kind, so this stays far below 4 GiB.
            start as u32
        };
        let pointer = size_of::<usize>();
        let memories = array(shape.memories, size_of::<VMMemory>(), pointer);
        let globals = array(shape.globals, size_of::<VMGlobal>(), align_of::<VMGlobal>());
        let tables = array(shape.tables, size_of::<VMTable>(), pointer);
        let imported_memories = array(shape.imported_memories, pointer, pointer);
        let imported_globals = array(shape.imported_globals, pointer, pointer);
        let imported_tables = array(shape.imported_tables, pointer, pointer);
        let imported_funcs = array(shape.imported_funcs, size_of::<VMFuncImport>(), pointer);
        let func_refs = array(shape.func_refs, size_of::<VMFuncRef>(), pointer);
        ContextLayout {
            shape,
            memories,
            globals,
            tables,
            imported_memories,
            imported_globals,
            imported_tables,
            imported_funcs,
            func_refs,
            size: size as u32,
        }
    }

    /// The counts that the layout was made for.
    pub fn shape(&self) -> &ContextShape {
        &self.shape
    }

    /// The size of the whole context in bytes.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// The alignment that a context needs.
    pub const ALIGN: usize = align_of::<VMGlobal>();

    /// Where the [`VMMemory`] of a memory is, or the pointer to it.
    pub fn memory(&self, index: MemoryIndex) -> Place {
        self.place(
            index.index(),
            self.shape.imported_memories,
            self.imported_memories,
            (self.memories, size_of::<VMMemory>()),
        )
    }

    /// Where the [`VMGlobal`] of a global is, or the pointer to it.
    pub fn global(&self, index: GlobalIndex) -> Place {
        self.place(
            index.index(),
            self.shape.imported_globals,
            self.imported_globals,
            (self.globals, size_of::<VMGlobal>()),
        )
    }

    /// Where the [`VMTable`] of a table is, or the pointer to it.
    pub fn table(&self, index: TableIndex) -> Place {
        self.place(
            index.index(),
            self.shape.imported_tables,
            self.imported_tables,
            (self.tables, size_of::<VMTable>()),
        )
    }

    /// The global, among those that lie in the context, at this offset.
    pub fn global_at(&self, offset: usize) -> Option<GlobalIndex> {
        let number = offset.checked_sub(self.globals as usize)? / size_of::<VMGlobal>();
        let number = u32::try_from(number).ok().filter(|number| *number < self.shape.globals)?;
        Some(GlobalIndex::from_u32(self.shape.imported_globals + number))
    }

    fn place(&self, index: usize, imported: u32, pointers: u32, own: (u32, usize)) -> Place {
        match index.checked_sub(imported as usize) {
            None => Place::Pointer(offset_at(pointers, index, size_of::<usize>())),
            Some(own_index) => Place::Inline(offset_at(own.0, own_index, own.1)),
        }
    }

    /// The offset of the [`VMFuncImport`] of the imported function with this number.
    pub fn imported_func(&self, number: u32) -> i32 {
        offset_at(self.imported_funcs, number as usize, size_of::<VMFuncImport>())
    }

    /// The offset of the [`VMFuncRef`] with this number.
    pub fn func_ref(&self, number: u32) -> i32 {
        offset_at(self.func_refs, number as usize, size_of::<VMFuncRef>())
    }
}

fn offset_at(start: u32, index: usize, size: usize) -> i32 {
    i32::try_from(start as usize + index * size).expect("contexts are far smaller than 2 GiB")
}

/// Where in a context something is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It lies in the context, at this offset.
    Inline(i32),
    /// A pointer to it lies in the context, at this offset.
    Pointer(i32),
}

impl Place {
    /// Where something is whose place has a pointer to it rather than the thing itself.
    pub fn indirect(self) -> Place {
        let (Place::Inline(at) | Place::Pointer(at)) = self;
        Place::Pointer(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_do_not_overlap() {
        let shape = ContextShape {
            memories: 2,
            globals: 3,
            tables: 1,
            imported_memories: 1,
            imported_globals: 1,
            imported_tables: 1,
            imported_funcs: 2,
            func_refs: 2,
        };
        let layout = ContextLayout::new(shape);
        let mut spans = Vec::new();
        let mut add = |place: Place, size: usize| match place {
            Place::Inline(at) => spans.push((at as usize, size)),
            Place::Pointer(at) => spans.push((at as usize, size_of::<usize>())),
        };
        for i in 0..3 {
            add(layout.memory(MemoryIndex::from_u32(i)), size_of::<VMMemory>());
        }
        for i in 0..4 {
            let place = layout.global(GlobalIndex::from_u32(i));
            if let Place::Inline(at) = place {
                assert_eq!(at as usize % align_of::<VMGlobal>(), 0);
            }
            add(place, size_of::<VMGlobal>());
        }
        for i in 0..2 {
            add(layout.table(TableIndex::from_u32(i)), size_of::<VMTable>());
            add(Place::Inline(layout.imported_func(i)), size_of::<VMFuncImport>());
            add(Place::Inline(layout.func_ref(i)), size_of::<VMFuncRef>());
        }
        spans.sort();
        let mut end = size_of::<VMContext>();
        for (at, size) in spans {
            assert!(at >= end);
            end = at + size;
        }
        assert!(end <= layout.size());
    }
}
