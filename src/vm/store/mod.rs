//! Stores: what lives in one, who refers to whom, and when something is freed.
//!
//! Everything in a store is a *node*: an instance with all that its module defines, or one thing
//! that the host has made. Handles are roots of nodes. A node that has neither roots nor links
//! from other nodes, and whose references never got anywhere, is freed at once; the others by
//! marking from the roots. While code of the store runs, only objects are freed.

mod free;
mod handle;
mod nodes;

pub use handle::{EntityKind, Handle, StoreRc};

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell, UnsafeCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::mem::{ManuallyDrop, offset_of};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use self::nodes::{Neighbours, Nodes};
use crate::abi::layout::{
    BORROWED, CLEANUP, DIRECT_ENTRY_STACK, EndArrayCall, MOST_CARRIED, SMALL_STACK, VMContext,
    VMExit, VMMemory, VMStore, VMTable,
};
use crate::vm::budget::Budgets;
use crate::vm::context::Instance;
use crate::vm::enter::{self, Activation, Raised};
use crate::vm::exception::{HostTag, InFlight};
use crate::vm::global::Global;
use crate::vm::heap::{Heap, Tracer};
use crate::vm::image::Image;
use crate::vm::interrupt::Interrupt;
use crate::vm::leave::{HostError, HostFunc};
use crate::vm::memory::{Memory, MemoryConfig};
use crate::vm::pointer::{self, Pointer};
use crate::vm::refs::{self, ExternNode, Externs, ObjectNode};
use crate::vm::shared::SharedMemory;
use crate::vm::table::Table;
use crate::vm::types::{TypeRef, TypeTable};
use crate::wasm::{MemoryType, TableType, TrapCode, TypeId};

/// Settings of a store.
#[derive(Clone, Copy, Debug)]
pub struct StoreConfig {
    /// How memories are made.
    pub memory: MemoryConfig,
    /// Bytes of stack that wasm may use, counted from where the host enters it.
    pub max_stack: usize,
    /// Whether code looks at the store's interrupt.
    pub interruptible: bool,
    /// Whether code consumes the store's fuel.
    pub fuel: bool,
    /// Whether every allocation on the heap collects, to find references that are not kept.
    pub collect_always: bool,
    /// The types of the engine, which is alive as long as the store.
    pub types: TypeTable,
}

/// Objects of the host, or with something attached, among which it does not pay to look for garbage.
const FEW_OBJECTS: usize = 1024;

/// Bytes on the heap that take as much work to move as a host object to look at.
const BYTES_PER_OBJECT: usize = 64;

/// What stands for the word of an [`Interrupt`] in stores that are not interruptible.
static NEVER: AtomicU32 = AtomicU32::new(0);

/// A table whose keys nobody outside chooses: stores that have none of it pay nothing for it.
pub(in crate::vm) type ById<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// What the embedder has attached to the entity at an address.
type Attachment = (usize, Box<dyn Any>);

/// A store.
#[repr(C)]
pub struct Store {
    vm: UnsafeCell<VMStore>,
    pub(in crate::vm) config: StoreConfig,
    /// None unless the store is interruptible.
    interrupt: Option<Arc<Interrupt>>,
    /// The trap of a call through a function pointer, or one that the host has put here.
    waiting_trap: Cell<Option<Box<Raised>>>,
    /// Whether nobody is left to take a trap that waits.
    traps_are_lost: Cell<bool>,
    /// The C functions that have been made of functions, by what belongs to the same node.
    pub(in crate::vm) pointers: RefCell<ById<NonNull<Node>, Vec<Pointer>>>,
    /// The error of the host function that has just returned.
    pub(in crate::vm) host_error: Cell<Option<HostError>>,
    /// Where [`Store::carry`] keeps locals, with room for the largest ones.
    carried: UnsafeCell<Option<Box<[u128; MOST_CARRIED / 16]>>>,
    pub(in crate::vm) externs: RefCell<Externs>,
    /// The exception that has been thrown last, until its handler has taken it.
    pub(in crate::vm) in_flight: InFlight,
    pub(in crate::vm) heap: OnceCell<Heap>,
    /// The types that objects on the heap may have, by the images that have brought them.
    types: RefCell<ById<u64, Box<[TypeRef]>>>,
    /// The types that objects of the host have.
    host_types: RefCell<ById<TypeId, TypeRef>>,
    /// How many reasons there are not to collect.
    held: Cell<usize>,
    nodes: Nodes,
    /// Nodes that nothing needed when something ran; looked at again when nothing does.
    deferred: RefCell<Vec<NonNull<Node>>>,
    /// How many nodes have lost their last root and may only be freed by marking.
    waiting: Cell<usize>,
    /// The number of such objects from which on one more frees others.
    object_limit: Cell<usize>,
    /// Work of the last marking, in nodes and elements.
    mark_cost: Cell<usize>,
    /// By the node that the entity belongs to.
    attachments: RefCell<ById<NonNull<Node>, Vec<Attachment>>>,
    /// What the embedder has attached to objects on the heap, by their references.
    pub(in crate::vm) object_attachments: RefCell<ById<u32, Box<dyn Any>>>,
    /// What belonged to freed nodes and runs code of the embedder when it is dropped.
    garbage: RefCell<Vec<Box<dyn Any>>>,
    /// The same, of what has been freed where such code must not run.
    set_aside: RefCell<Vec<Box<dyn Any>>>,
    freeing: Cell<bool>,
    /// Whether the last owner has gone while code of the store ran: what runs it last is its owner.
    orphaned: Cell<bool>,
    /// Everything in the store is charged to them, and so goes before they do.
    budgets: Budgets,
    /// What has to live as long as the store.
    owner: Box<dyn Any>,
}

/// What all nodes begin with.
#[repr(C)]
pub struct Node {
    store: *const Store,
    kind: NodeKind,
    neighbours: Neighbours,
    /// Handles to it, or to something in it.
    roots: Cell<usize>,
    /// Instances that import something of it.
    links: Cell<usize>,
    /// Whether a reference to something in it may be where no handle or link tells.
    escaped: Cell<bool>,
    /// Whether anybody has ever got hold of something in it: else all is as it was made.
    reached: Cell<bool>,
    marked: Cell<bool>,
    /// Whether it is in the store's list of deferred nodes.
    deferred: Cell<bool>,
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeKind {
    /// An [`Instance`].
    Instance,
    /// A [`HostFunc`].
    Func,
    /// A [`HostMemory`].
    Memory,
    /// A [`HostTable`].
    Table,
    /// A [`HostGlobal`].
    Global,
    /// An [`ExternNode`].
    Extern,
    /// A [`HostTag`].
    Tag,
    /// An [`ObjectNode`].
    Object,
}

impl Node {
    /// A node that its maker passes to [`Store::adopt`].
    pub(in crate::vm) fn new(store: &Store, kind: NodeKind) -> Node {
        Node {
            store,
            kind,
            neighbours: Neighbours::default(),
            roots: Cell::new(0),
            links: Cell::new(0),
            escaped: Cell::new(false),
            reached: Cell::new(false),
            marked: Cell::new(false),
            deferred: Cell::new(false),
        }
    }

    /// Whether it can be freed without looking at anything else.
    fn is_unneeded(&self) -> bool {
        self.roots.get() == 0 && self.links.get() == 0 && !self.escaped.get()
    }

    /// The store that it belongs to.
    pub(in crate::vm) fn store(&self) -> &Store {
        // SAFETY: nodes are freed before their store.
        unsafe { &*self.store }
    }

    /// Marks it if it has roots or is kept without, and says whether it is; otherwise it is not
    /// marked any more.
    pub(in crate::vm) fn begin_marking(&self, kept: bool) -> bool {
        self.marked.set(kept || self.roots.get() > 0);
        self.marked.get()
    }

    /// Whether it is an object: wasm only knows it by references that the collector finds.
    pub(in crate::vm) fn is_object(&self) -> bool {
        matches!(self.kind, NodeKind::Extern | NodeKind::Object)
    }

    /// Marks it; says whether it has been before.
    pub(in crate::vm) fn mark(&self) -> bool {
        self.marked.replace(true)
    }

    /// Whether it is marked.
    pub(in crate::vm) fn is_marked(&self) -> bool {
        self.marked.get()
    }

    /// Notes that a reference to something in it may now be anywhere.
    pub(in crate::vm) fn escape(&self) {
        self.escaped.set(true);
        self.reach();
    }

    /// Notes that somebody has got hold of something in it.
    #[inline]
    pub(in crate::vm) fn reach(&self) {
        if !self.reached.replace(true) && self.kind == NodeKind::Instance {
            // SAFETY: the kind says what the node is the head of.
            unsafe { NonNull::from(self).cast::<Instance>().as_ref() }.make_ready();
        }
    }

    /// Whether anybody ever has.
    pub(in crate::vm) fn is_reached(&self) -> bool {
        self.reached.get()
    }
}

/// See [`Store::borrow_memory`].
pub struct Borrow<'a>(&'a Store);

impl Drop for Borrow<'_> {
    fn drop(&mut self) {
        self.0.set_unusual(BORROWED, false);
    }
}

/// See [`Store::hold`].
pub struct Hold<'a>(&'a Store);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.held.set(self.0.held.get() - 1);
    }
}

/// A memory that the host has made.
#[repr(C)]
pub struct HostMemory {
    node: Node,
    memory: Memory,
    _vm: Option<Box<VMMemory>>,
}

/// A table that the host has made.
#[repr(C)]
pub struct HostTable {
    node: Node,
    table: Table,
    _vm: Box<VMTable>,
}

/// A global that the host has made.
#[repr(C)]
pub struct HostGlobal {
    node: Node,
    pub(in crate::vm) global: Global,
}

impl Store {
    /// An empty store. `owner` is dropped after everything in it.
    pub fn create(config: StoreConfig, owner: Box<dyn Any>) -> StoreRc {
        let interrupt = config.interruptible.then(Arc::<Interrupt>::default);
        let vm = VMStore {
            stack_limit: 0,
            exit: VMExit::default(),
            interrupt: interrupt.as_ref().map_or(&raw const NEVER, |interrupt| interrupt.word()),
            fuel: 0,
            heap_base: ptr::null_mut(),
            heap_next: 0,
            heap_end: 0,
            types: config.types.as_vm(),
            entered_from: 0,
            innermost: AtomicPtr::new(ptr::null_mut()),
            max_stack: config.max_stack.min(isize::MAX as usize),
            unusual: if config.max_stack < DIRECT_ENTRY_STACK { SMALL_STACK } else { 0 },
            trap_waiting: 0,
            call_in_full: pointer::call_in_full,
            call_ended: pointer::call_ended,
            end_array_call: enter::end_no_array_call,
            carried: ptr::null(),
        };
        // Made where it stays: it is large.
        let mut place = Rc::<Store>::new_uninit();
        let store = Rc::get_mut(&mut place).expect("nobody else has it");
        store.write(Store {
            vm: UnsafeCell::new(vm),
            config,
            interrupt,
            waiting_trap: Cell::new(None),
            traps_are_lost: Cell::new(false),
            pointers: RefCell::default(),
            host_error: Cell::new(None),
            carried: UnsafeCell::default(),
            externs: RefCell::default(),
            in_flight: InFlight::default(),
            heap: OnceCell::new(),
            types: RefCell::default(),
            host_types: RefCell::default(),
            held: Cell::new(0),
            nodes: Nodes::default(),
            deferred: RefCell::default(),
            waiting: Cell::new(0),
            object_limit: Cell::new(FEW_OBJECTS),
            mark_cost: Cell::new(0),
            attachments: RefCell::default(),
            object_attachments: RefCell::default(),
            garbage: RefCell::default(),
            set_aside: RefCell::default(),
            freeing: Cell::new(false),
            orphaned: Cell::new(false),
            budgets: Budgets::default(),
            owner,
        });
        // SAFETY: it has just been written.
        StoreRc(ManuallyDrop::new(unsafe { place.assume_init() }))
    }

    /// What compiled code sees of it.
    #[inline]
    pub(in crate::vm) fn vm(&self) -> *mut VMStore {
        self.vm.get()
    }

    /// Keeps the locals of a function until the code that takes over in it has taken them.
    ///
    /// # Safety
    ///
    /// There are that many bytes at `locals`, at most [`MOST_CARRIED`], and the store's code is about
    /// to leave to what takes over.
    pub(in crate::vm) unsafe fn carry(&self, locals: *const u8, len: usize) {
        // SAFETY: only this thread uses the store, and whatever takes over has done so before
        // anything else runs.
        unsafe {
            let place = (*self.carried.get()).get_or_insert_with(|| Box::new([0; _]));
            let place: *mut u8 = place.as_mut_ptr().cast();
            ptr::copy_nonoverlapping(locals, place, len.min(MOST_CARRIED));
            (*self.vm()).carried = place;
        }
    }

    /// The store that a context belongs to.
    ///
    /// # Safety
    ///
    /// The context is live.
    pub(in crate::vm) unsafe fn of_context<'a>(context: *const VMContext) -> &'a Store {
        const { assert!(offset_of!(Store, vm) == 0) };
        // SAFETY: the caller's contract; contexts point to the first field of their store.
        unsafe { &*(*context).store.cast::<Store>() }
    }

    /// Another owner of the store.
    pub fn share(&self) -> StoreRc {
        // SAFETY: stores are only ever made inside an `Rc` (see `create`), and `self` is one of them.
        unsafe {
            Rc::increment_strong_count(self);
            StoreRc(ManuallyDrop::new(Rc::from_raw(self)))
        }
    }

    /// What `new` was given as owner.
    pub fn owner(&self) -> &dyn Any {
        &*self.owner
    }

    /// The settings.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// What ends the store's code from other threads, if it is interruptible.
    pub fn interrupt(&self) -> Option<&Arc<Interrupt>> {
        self.interrupt.as_ref()
    }

    /// See [`Interrupt::take`].
    pub fn take_interrupt(&self) -> Option<TrapCode> {
        self.interrupt.as_ref()?.take()
    }

    /// What the store may hold.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// What code may still consume.
    pub fn fuel(&self) -> i64 {
        // SAFETY: only the thread that uses the store gets here; compiled code does not run.
        unsafe { (*self.vm()).fuel }
    }

    /// Sets what code may consume.
    pub fn set_fuel(&self, fuel: i64) {
        // SAFETY: as in `fuel`.
        unsafe { (*self.vm()).fuel = fuel };
    }

    /// Consumes fuel for `units` of work, if fuel is on.
    ///
    /// # Errors
    ///
    /// The trap, when there is not so much.
    pub(in crate::vm) fn consume(&self, units: u64) -> Result<(), TrapCode> {
        if !self.config.fuel {
            return Ok(());
        }
        let left = self.fuel().saturating_sub_unsigned(units);
        self.set_fuel(left);
        if left < 0 { Err(TrapCode::OutOfFuel) } else { Ok(()) }
    }

    /// Takes a new node in.
    ///
    /// # Safety
    ///
    /// `node` comes from `Box::into_raw` of the struct that its kind says, which begins with it, or
    /// is that of an instance.
    pub(in crate::vm) unsafe fn adopt(&self, node: NonNull<Node>) {
        // SAFETY: the node is new, and stays until it is detached.
        unsafe { self.nodes.add(node) };
    }

    /// Makes a memory.
    ///
    /// # Errors
    ///
    /// As [`Memory::new`].
    pub fn new_memory(&self, ty: MemoryType) -> Result<Handle, String> {
        let mut vm = Box::new(VMMemory { base: ptr::null_mut(), len: 0 });
        let (budget, place) = (&self.budgets.memory, NonNull::from(&mut *vm));
        // SAFETY: the place goes with the memory, and both before the budget.
        let memory = unsafe { Memory::new(ty, &self.config.memory, budget, place, None) }?;
        memory.make_accessible()?;
        Ok(self.adopt_memory(memory, Some(vm)))
    }

    /// Takes a share of a memory that other stores may have too.
    pub fn share_memory(&self, memory: Arc<SharedMemory>) -> Handle {
        // SAFETY: the memory becomes one of this store.
        let memory = unsafe { Memory::of_shared(memory, &self.budgets.memory) };
        self.adopt_memory(memory, None)
    }

    /// `vm` is the memory's, if it needs it.
    fn adopt_memory(&self, memory: Memory, vm: Option<Box<VMMemory>>) -> Handle {
        let node = Node::new(self, NodeKind::Memory);
        let host = leak(Box::new(HostMemory { node, memory, _vm: vm }));
        // SAFETY: as `adopt` wants it; the node stays alive under the new handle.
        unsafe {
            self.adopt(host.cast());
            Handle::new(host.cast(), EntityKind::Memory, NonNull::from(&host.as_ref().memory))
        }
    }

    /// Makes a table whose elements are `init`.
    ///
    /// # Errors
    ///
    /// As [`Table::new`].
    pub fn new_table(&self, ty: TableType, init: u64) -> Result<Handle, String> {
        let mut vm = Box::new(VMTable { base: ptr::null_mut(), len: 0 });
        // SAFETY: the place goes with the table, and both before the budget.
        let table =
            unsafe { Table::new(ty, &self.budgets.elements, NonNull::from(&mut *vm), None) }?;
        table.fill(0, init, ty.limits.min);
        let node = Node::new(self, NodeKind::Table);
        let host = leak(Box::new(HostTable { node, table, _vm: vm }));
        // SAFETY: as `adopt` wants it; the node stays alive under the new handle.
        unsafe {
            self.adopt(host.cast());
            Ok(Handle::new(host.cast(), EntityKind::Table, NonNull::from(&host.as_ref().table)))
        }
    }

    /// Makes a global.
    pub fn new_global(&self, global: Global) -> Handle {
        let node = Node::new(self, NodeKind::Global);
        let host = leak(Box::new(HostGlobal { node, global }));
        // SAFETY: as `adopt` wants it; the node stays alive under the new handle.
        unsafe {
            self.adopt(host.cast());
            let value = NonNull::new(host.as_ref().global.vm()).expect("it is a field");
            Handle::new(host.cast(), EntityKind::Global, value)
        }
    }

    /// Whether code of the store is running.
    pub fn is_entered(&self) -> bool {
        !self.innermost().is_null() && enter::is_inside(self)
    }

    /// Keeps code of the store from running until what is returned is dropped; none if that is
    /// being done already.
    pub fn borrow_memory(&self) -> Option<Borrow<'_>> {
        if self.is_borrowed() {
            return None;
        }
        self.set_unusual(BORROWED, true);
        Some(Borrow(self))
    }

    /// Whether [`Store::borrow_memory`] has been done.
    pub fn is_borrowed(&self) -> bool {
        self.is_unusual(BORROWED)
    }

    /// Says what direct calls through arrays end in where they do not simply return.
    pub fn set_end_array_call(&self, end: EndArrayCall) {
        // SAFETY: only the thread that uses the store reads the field or changes it.
        unsafe { (*self.vm()).end_array_call = end };
    }

    /// The newest entry into this store.
    pub(in crate::vm) fn innermost(&self) -> *mut Activation {
        // SAFETY: the field is atomic, as other threads look at it too.
        unsafe { (*self.vm()).innermost.load(Ordering::Relaxed).cast() }
    }

    /// Makes an entry the newest.
    pub(in crate::vm) fn set_innermost(&self, activation: *mut Activation) {
        // SAFETY: as in `innermost`.
        unsafe { (*self.vm()).innermost.store(activation.cast(), Ordering::Relaxed) };
    }

    fn is_unusual(&self, bit: u32) -> bool {
        // SAFETY: only the thread that uses the store changes the field.
        unsafe { (*self.vm()).unusual & bit != 0 }
    }

    fn set_unusual(&self, bit: u32, set: bool) {
        // SAFETY: as above.
        let unusual = unsafe { &mut (*self.vm()).unusual };
        if set { *unusual |= bit } else { *unusual &= !bit }
    }

    /// Notes that something has to be done when no code of the store runs any more.
    pub(in crate::vm) fn need_cleanup(&self) {
        self.set_unusual(CLEANUP, true);
    }

    /// Takes the trap that waits.
    pub fn take_waiting(&self) -> Option<Box<Raised>> {
        // SAFETY: only the thread that uses the store touches the field.
        unsafe { (*self.vm()).trap_waiting = 0 };
        self.waiting_trap.take()
    }

    /// Lets a trap wait, or none.
    pub fn set_waiting(&self, trap: Option<Box<Raised>>) {
        let trap = trap.filter(|_| !self.traps_are_lost.get());
        // SAFETY: as above.
        unsafe { (*self.vm()).trap_waiting = trap.is_some().into() };
        drop(self.waiting_trap.replace(trap));
    }

    /// Lets a trap wait. The host calls this, which may be a C function that wasm has called.
    pub fn put_waiting(&self, trap: Box<Raised>) {
        self.set_waiting(Some(trap));
        enter::look_at_return();
    }

    /// The word that is not 0 while a trap waits.
    pub fn trap_waiting(&self) -> *const u32 {
        // SAFETY: the field lives as long as the store.
        unsafe { &raw const (*self.vm()).trap_waiting }
    }

    /// From now on no trap waits: nobody is left to take it.
    pub fn lose_traps(&self) {
        self.traps_are_lost.set(true);
        drop(self.take_waiting());
    }

    /// The number of nodes.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Called when a node has lost its last root.
    fn rootless(&self, node: NonNull<Node>) {
        // SAFETY: the caller still has the node.
        let head = unsafe { node.as_ref() };
        if !head.is_unneeded() {
            self.waiting.set(self.waiting.get() + 1);
            self.need_cleanup();
        } else if head.is_object() && !self.is_held() || !self.is_busy() {
            // Code that runs has no reference to an object that it was never given.
            self.free_one(node);
            return;
        } else if !head.deferred.replace(true) {
            self.deferred.borrow_mut().push(node);
            self.need_cleanup();
        }
        self.settle();
    }

    /// Whether this is no time to free anything.
    fn is_busy(&self) -> bool {
        self.is_entered() || self.is_held()
    }

    /// Whether this is no time to free anything, even if no code of the store runs.
    fn is_held(&self) -> bool {
        self.freeing.get() || self.held.get() > 0
    }

    /// Keeps the store from freeing and moving anything until what is returned is dropped.
    pub fn hold(&self) -> Hold<'_> {
        self.held.set(self.held.get() + 1);
        Hold(self)
    }

    /// Prepares for objects of a type.
    ///
    /// # Errors
    ///
    /// A message when there is no address space for a heap.
    pub fn admit_type(&self, ty: &TypeRef) -> Result<(), String> {
        // The collector may run, and look for references in frames.
        enter::forget_jumped_over();
        self.need_heap()?;
        self.keep_type(ty);
        Ok(())
    }

    /// Keeps a type as long as the store.
    pub fn keep_type(&self, ty: &TypeRef) {
        self.host_types.borrow_mut().entry(ty.id()).or_insert_with(|| ty.clone());
    }

    /// Prepares for objects of an image's types.
    ///
    /// # Errors
    ///
    /// A message when there is no address space for a heap.
    pub(in crate::vm) fn admit_objects(&self, image: &Image) -> Result<(), String> {
        self.need_heap()?;
        self.types.borrow_mut().entry(image.serial()).or_insert_with(|| image.types().into());
        Ok(())
    }
}

/// Tells what `node` refers to.
///
/// # Safety
///
/// The node is live, and the references in it are.
pub(in crate::vm) unsafe fn trace(node: NonNull<Node>, tracer: &mut dyn Tracer) {
    // SAFETY: the kind says what the node is (contract of `adopt`).
    unsafe {
        match node.as_ref().kind {
            NodeKind::Instance => node.cast::<Instance>().as_ref().trace(tracer),
            NodeKind::Table => {
                refs::trace_table(&node.cast::<HostTable>().as_ref().table, tracer);
            }
            NodeKind::Global => {
                let global = &node.cast::<HostGlobal>().as_ref().global;
                refs::trace_global(global.vm(), global.ty().content, tracer);
            }
            NodeKind::Extern => node.cast::<ExternNode>().as_ref().trace(tracer),
            NodeKind::Object => node.cast::<ObjectNode>().as_ref().trace(tracer),
            NodeKind::Func | NodeKind::Memory | NodeKind::Tag => {}
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if !self.innermost().is_null() {
            enter::forget_store(self);
            self.set_innermost(ptr::null_mut());
        }
        // Handles keep their store alive, so nothing in it has a root any more.
        if self.nodes.len() > 0 {
            self.free(self.nodes.all());
        }
        self.move_attachments(|_| None);
        self.drop_set_aside();
    }
}

/// A pointer to a value that stays on the heap until somebody makes a box of it again.
pub(in crate::vm) fn leak<T>(value: Box<T>) -> NonNull<T> {
    NonNull::from(Box::leak(value))
}
