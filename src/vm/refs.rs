//! References as compiled code holds them: functions by the address of their `VMFuncRef`, all others
//! in 32 bits.
//!
//! Of these 32 bits the lowest say what is referred to: `1` a number (`i31`), `10` an object of the
//! host by its index, `000` an object on the store's heap by its offset; 0 is null. That is the same
//! inside (`anyref`) and outside (`externref`), so that converting between the two does nothing.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};

use super::context::Instance;
use super::heap::Tracer;
use super::leave::HostFunc;
use super::store::{ById, EntityKind, Handle, Node, NodeKind, Store, leak};
use super::table::Table;
use super::trap::Frame;
use crate::abi::layout::{HOST_MAGIC, INSTANCE_MAGIC, VMContext, VMFuncRef, VMGlobal};
use crate::wasm::{CompositeType, DefinedFuncIndex, Family, HeapType, ValType};

/// An object of the host, as wasm can refer to it.
#[repr(C)]
pub struct ExternNode {
    node: Node,
    /// Its place among the store's host objects.
    index: u32,
    /// What it is found by again, 0 if by nothing.
    key: usize,
    payload: Payload,
    /// Frames that belong to it. Unlike handles in its data they do not keep alive what only the
    /// object itself refers to.
    frames: RefCell<Vec<KeptFrame>>,
    /// An exception that belongs to it; as with frames, no root, unless it is in another store.
    exception: RefCell<Option<KeptException>>,
}

enum KeptException {
    Inside(Cell<u32>),
    Elsewhere(Handle),
}

/// A [`Frame`] that is no root.
struct KeptFrame {
    instance: NonNull<Instance>,
    /// What keeps the instance alive if it is in another store.
    root: Option<Handle>,
    func: DefinedFuncIndex,
    offset: u32,
}

enum Payload {
    /// Anything of the embedder's.
    Data(Box<dyn Any>),
    /// An entity of the same store.
    Entity { node: NonNull<Node>, kind: EntityKind, raw: NonNull<u8> },
}

/// The host objects of a store.
#[derive(Default)]
pub(super) struct Externs {
    /// The object at each index; null where it is free.
    nodes: Vec<*const ExternNode>,
    free: Vec<u32>,
    /// Objects of which there is one for each address: that of the entity that they stand for, or
    /// of something that their data keeps alive.
    by_key: ById<usize, NonNull<ExternNode>>,
}

impl Externs {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    fn take_index(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.nodes.push(ptr::null());
            let index = self.nodes.len() - 1;
            assert!(index < 1 << 30, "2^30 host objects do not fit into memory");
            index as u32
        })
    }
}

/// A reference to an object on the store's heap or a number, held by the host.
#[repr(C)]
pub struct ObjectNode {
    node: Node,
    /// The reference as compiled code has it; the collector changes it when it moves the object.
    value: Cell<u32>,
}

/// What a host object's reference ends in.
const HOST_TAG: u32 = 0b10;

/// The index of the host object that a reference is to, if it is to one.
pub(super) fn host_index(reference: u32) -> Option<usize> {
    (reference & 0b11 == HOST_TAG).then_some(reference as usize >> 2)
}

impl Store {
    /// Makes a host object that wasm can refer to.
    pub fn new_extern(&self, data: Box<dyn Any>) -> Handle {
        self.before_object();
        self.make_extern(0, Payload::Data(data))
    }

    /// The host object for the address `key`; its data, made when there is none yet, keeps alive
    /// what is there.
    pub fn extern_for(&self, key: usize, data: impl FnOnce() -> Box<dyn Any>) -> Handle {
        self.known_extern(key).unwrap_or_else(|| self.make_extern(key, Payload::Data(data())))
    }

    fn known_extern(&self, key: usize) -> Option<Handle> {
        let object = *self.externs.borrow().by_key.get(&key)?;
        // SAFETY: the table only has live objects.
        Some(unsafe { Handle::new(object.cast(), EntityKind::Extern, object) })
    }

    fn make_extern(&self, key: usize, payload: Payload) -> Handle {
        let index = self.externs.borrow_mut().take_index();
        let node = Node::new(self, NodeKind::Extern);
        let host = leak(Box::new(ExternNode {
            node,
            index,
            key,
            payload,
            frames: RefCell::default(),
            exception: RefCell::default(),
        }));
        {
            let mut externs = self.externs.borrow_mut();
            externs.nodes[index as usize] = host.as_ptr();
            if key != 0 {
                externs.by_key.insert(key, host);
            }
        }
        // SAFETY: as `adopt` wants it; the node stays alive under the new handle.
        unsafe {
            self.adopt(host.cast());
            Handle::new(host.cast(), EntityKind::Extern, host)
        }
    }

    /// The reference by which wasm knows the entity of `handle`, which is of this store and no
    /// function of its own family. It is good for as long as the handle that comes with it, or
    /// wherever wasm can reach it, until the collector moves the object.
    pub fn reference(&self, handle: &Handle) -> (u32, Handle) {
        let object = match handle.kind() {
            EntityKind::Extern => handle.clone(),
            EntityKind::Object => return (handle.object_node().value.get(), handle.clone()),
            kind => {
                let key = handle.raw().as_ptr() as usize;
                self.known_extern(key).unwrap_or_else(|| {
                    let (node, raw) = (handle.node(), handle.raw());
                    // The object will refer to the entity.
                    handle.head().escape();
                    self.make_extern(key, Payload::Entity { node, kind, raw })
                })
            }
        };
        object.head().escape();
        (object.extern_node().index << 2 | HOST_TAG, object)
    }

    /// What wasm refers to by `reference`, none for null.
    pub fn referent(&self, reference: u32) -> Option<Handle> {
        let Some(index) = host_index(reference) else {
            return (reference != 0).then(|| self.new_object(reference));
        };
        let node = *self.externs.borrow().nodes.get(index)?;
        // SAFETY: indices in use have a live object.
        let object = unsafe { node.as_ref() }?;
        // SAFETY: the object keeps what it stands for alive.
        Some(unsafe {
            match &object.payload {
                Payload::Data(_) => {
                    let node = NonNull::from(object);
                    Handle::new(node.cast(), EntityKind::Extern, node)
                }
                Payload::Entity { node, kind, raw } => Handle::new(*node, *kind, *raw),
            }
        })
    }

    /// The node of the host object with this index.
    pub(super) fn extern_node(&self, index: usize) -> NonNull<Node> {
        let node = self.externs.borrow().nodes[index];
        NonNull::new(node.cast_mut()).expect("indices in use have an object").cast()
    }

    /// The narrowest type of what `handle`, which is no function of its own family, refers to when
    /// it is seen from inside.
    pub fn heap_type(&self, handle: &Handle) -> HeapType {
        if handle.kind() != EntityKind::Object {
            return HeapType::Any;
        }
        let reference = handle.object_node().reference();
        if reference & 1 != 0 {
            return HeapType::I31;
        }
        let ty = self.type_of(reference);
        match ty.definition().composite {
            CompositeType::Struct(_) => HeapType::ConcreteStruct(ty.id()),
            CompositeType::Array(_) => HeapType::ConcreteArray(ty.id()),
            CompositeType::Func(_) => HeapType::Exn,
        }
    }

    /// A root for a reference to a number or to an object on the heap.
    pub fn new_object(&self, reference: u32) -> Handle {
        let node = Node::new(self, NodeKind::Object);
        let object = leak(Box::new(ObjectNode { node, value: Cell::new(reference) }));
        // SAFETY: as `adopt` wants it; the node stays alive under the new handle.
        unsafe {
            self.adopt(object.cast());
            Handle::new(object.cast(), EntityKind::Object, object)
        }
    }
}

impl ObjectNode {
    pub(super) fn trace(&self, tracer: &mut dyn Tracer) {
        // SAFETY: the node has a live reference.
        unsafe { tracer.reference(self.value.as_ptr()) };
    }

    /// The reference as compiled code has it now.
    pub fn reference(&self) -> u32 {
        self.value.get()
    }
}

impl ExternNode {
    /// What the embedder has put in it.
    pub fn data(&self) -> Option<&dyn Any> {
        match &self.payload {
            Payload::Data(data) => Some(&**data),
            Payload::Entity { .. } => None,
        }
    }

    /// Gives the object frames to keep, in the place of those it has.
    pub fn keep_frames(&self, frames: &[Frame]) {
        *self.frames.borrow_mut() = frames
            .iter()
            .map(|Frame { instance, func, offset }| {
                instance.head().escape();
                let is_elsewhere = !ptr::eq(&**instance.store(), self.node.store());
                let root = is_elsewhere.then(|| instance.clone());
                let instance = instance.raw().cast();
                KeptFrame { instance, root, func: *func, offset: *offset }
            })
            .collect();
    }

    /// Gives the object an exception to keep, if it has none yet.
    pub fn keep_exception(&self, exception: &Handle) {
        self.exception.borrow_mut().get_or_insert_with(|| {
            if !ptr::eq(&**exception.store(), self.node.store()) {
                return KeptException::Elsewhere(exception.clone());
            }
            KeptException::Inside(Cell::new(exception.object_node().reference()))
        });
    }

    /// The exception that it keeps.
    pub fn exception(&self) -> Option<Handle> {
        Some(match self.exception.borrow().as_ref()? {
            KeptException::Inside(reference) => self.node.store().new_object(reference.get()),
            KeptException::Elsewhere(handle) => handle.clone(),
        })
    }

    /// Whether it keeps any frames.
    pub fn has_frames(&self) -> bool {
        !self.frames.borrow().is_empty()
    }

    /// The frames that it keeps.
    pub fn frames(&self) -> Vec<Frame> {
        let frame = |kept: &KeptFrame| {
            // SAFETY: the object keeps the instance alive.
            let instance =
                unsafe { Handle::new(kept.instance.cast(), EntityKind::Instance, kept.instance) };
            Frame { instance, func: kept.func, offset: kept.offset }
        };
        self.frames.borrow().iter().map(frame).collect()
    }

    pub(super) fn trace(&self, tracer: &mut dyn Tracer) {
        let frames = self.frames.borrow();
        let inside = frames.iter().filter(|frame| frame.root.is_none());
        inside.for_each(|frame| tracer.node(frame.instance.cast()));
        if let Payload::Entity { node, .. } = &self.payload {
            tracer.node(*node);
        }
        if let Some(KeptException::Inside(reference)) = &*self.exception.borrow() {
            // SAFETY: the object keeps the exception, whose reference is there.
            unsafe { tracer.reference(reference.as_ptr()) };
        }
    }

    /// Gives the index back; what the embedder has put in it, and handles to other stores, go to
    /// `garbage`.
    pub(super) fn take_apart(self, garbage: &mut Vec<Box<dyn Any>>) {
        let mut externs = self.node.store().externs.borrow_mut();
        externs.nodes[self.index as usize] = ptr::null();
        externs.free.push(self.index);
        externs.by_key.remove(&self.key);
        let frames = self.frames.into_inner();
        let elsewhere: Vec<_> = frames.into_iter().filter_map(|frame| frame.root).collect();
        if !elsewhere.is_empty() {
            garbage.push(Box::new(elsewhere));
        }
        if let Some(KeptException::Elsewhere(handle)) = self.exception.into_inner() {
            garbage.push(Box::new(handle));
        }
        if let Payload::Data(data) = self.payload {
            garbage.push(data);
        }
    }
}

impl Handle {
    /// The host object that this is a handle to.
    pub fn extern_node(&self) -> &ExternNode {
        assert_eq!(self.kind(), EntityKind::Extern);
        // SAFETY: the kind says what is there, and the handle keeps it alive.
        unsafe { self.raw().cast().as_ref() }
    }

    /// The reference that this is a handle to.
    pub fn object_node(&self) -> &ObjectNode {
        assert_eq!(self.kind(), EntityKind::Object);
        // SAFETY: the kind says what is there, and the handle keeps it alive.
        unsafe { self.raw().cast().as_ref() }
    }

    /// The reference to the function that this is a handle to.
    #[inline]
    pub fn func_ref(&self) -> NonNull<VMFuncRef> {
        assert_eq!(self.kind(), EntityKind::Func);
        self.raw().cast()
    }

    /// Notes that a reference to this entity goes to wasm.
    pub fn give_away(&self) {
        self.head().escape();
    }

    /// Notes that wasm gets a reference through this entity: by calling it, or by finding it in
    /// it. With a foreign function in hands, wasm can in turn give its own references away.
    pub fn receive(&self) {
        self.head().escape();
    }

    /// A handle to the function that wasm refers to by this address, none for null.
    ///
    /// # Safety
    ///
    /// The address is null or that of a live function's `VMFuncRef`.
    pub unsafe fn from_func_ref(func: *const VMFuncRef) -> Option<Handle> {
        let func = NonNull::new(func.cast_mut())?;
        // SAFETY: the caller's contract.
        unsafe {
            let node = context_node(func.as_ref().vmctx);
            Some(Handle::new(node, EntityKind::Func, func))
        }
    }
}

/// The node of a context.
///
/// # Safety
///
/// The context is live.
pub(super) unsafe fn context_node(context: *const VMContext) -> NonNull<Node> {
    // SAFETY: the caller's contract.
    let context = unsafe { &*context };
    debug_assert!([INSTANCE_MAGIC, HOST_MAGIC].contains(&context.magic));
    const {
        assert!(std::mem::offset_of!(Instance, node) == 0);
        assert!(std::mem::offset_of!(HostFunc, node) == 0);
    }
    NonNull::new(context.owner.cast()).expect("every context has an owner")
}

/// Tells what the elements of a table refer to.
///
/// # Safety
///
/// The elements are live references.
pub(super) unsafe fn trace_table(table: &Table, tracer: &mut dyn Tracer) {
    let ty = table.ty().element.heap;
    for index in 0..table.len() {
        let element = table.element(index).expect("the index is in bounds");
        // SAFETY: the caller's contract.
        unsafe { trace_slot(element, ty, tracer) };
    }
}

/// Tells what a global refers to.
///
/// # Safety
///
/// The global has this type, and its value is live if it is a reference.
pub(super) unsafe fn trace_global(global: *mut VMGlobal, ty: ValType, tracer: &mut dyn Tracer) {
    if let ValType::Ref(ty) = ty {
        // SAFETY: the caller's contract.
        unsafe { trace_slot(global.cast(), ty.heap, tracer) };
    }
}

/// Tells what the reference at an address refers to.
///
/// # Safety
///
/// There is null or a live reference to something of this type.
pub(super) unsafe fn trace_slot(at: *mut u8, ty: HeapType, tracer: &mut dyn Tracer) {
    // SAFETY: the caller's contract.
    unsafe {
        match ty.family() {
            Family::Func => tracer.func(at.cast()),
            Family::Extern | Family::Any | Family::Exn => tracer.reference(at.cast()),
        }
    }
}
