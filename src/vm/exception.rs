//! Tags, exceptions, and the way of what is thrown to its handler.
//!
//! What is thrown is in flight: the values that it carries lie in the store until the handler, the
//! next code that runs, has taken them. Only for those who want to hold the exception, handlers
//! that ask for a reference and the host, it becomes an object on the heap.

use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};

use super::arch;
use super::context::Instance;
use super::enter::Cause;
use super::heap::Tracer;
use super::leave::{self, HostError};
use super::refs::trace_slot;
use super::store::{EntityKind, Handle, Node, NodeKind, Store, leak};
use super::trap::{self, Landing};
use super::types::TypeRef;
use crate::abi::layout::VMContext;
use crate::abi::object::{HEADER, StructLayout, storage_size};
use crate::abi::signature::{PAYLOAD, SLOT, array_size};
use crate::wasm::{HeapType, StorageType, TagIndex, TrapCode, ValType};

/// A tag. Its address is its identity.
pub struct Tag {
    ty: TypeRef,
    /// How its exceptions lie on the heap.
    layout: StructLayout,
    /// The node that it belongs to.
    node: Cell<*const Node>,
}

impl Tag {
    /// A tag of exceptions that carry what functions of this type take. It is told its node
    /// afterwards.
    pub(super) fn new(ty: TypeRef) -> Tag {
        let layout = StructLayout::of_exception(ty.signature().ty());
        Tag { ty, layout, node: Cell::new(ptr::null()) }
    }

    /// Notes which node the tag belongs to.
    pub(super) fn set_node(&self, node: NonNull<Node>) {
        self.node.set(node.as_ptr());
    }

    /// The node that it belongs to.
    pub(super) fn node(&self) -> NonNull<Node> {
        NonNull::new(self.node.get().cast_mut()).expect("every tag is told its node")
    }

    /// The type of functions whose parameters exceptions with this tag carry.
    pub fn ty(&self) -> &TypeRef {
        &self.ty
    }

    fn params(&self) -> &[ValType] {
        self.ty.signature().ty().params()
    }

    /// For each value of an exception: where it is in an array, where on the heap, and its size.
    fn places(&self) -> impl Iterator<Item = (usize, u32, usize)> {
        let fields = self.params().iter().zip(&self.layout.offsets[1..]);
        fields.enumerate().map(|(i, (ty, offset))| {
            (i * SLOT + PAYLOAD, *offset, storage_size(StorageType::Val(*ty)) as usize)
        })
    }
}

/// A tag that the host has made.
#[repr(C)]
pub(super) struct HostTag {
    node: Node,
    tag: Tag,
}

/// What has been thrown last.
#[derive(Default)]
pub(super) struct InFlight {
    /// What it carries, laid out as in [`crate::abi::signature`], without kinds.
    values: RefCell<Vec<u64>>,
    /// Its tag, while the collector may run; else null.
    tag: Cell<*const Tag>,
}

impl InFlight {
    /// Tells what it refers to.
    pub(super) fn trace(&self, tracer: &mut dyn Tracer) {
        // SAFETY: the tag is that of a running function's instance.
        let Some(tag) = (unsafe { self.tag.get().as_ref() }) else { return };
        let values: *mut u8 = self.values.borrow_mut().as_mut_ptr().cast();
        for (ty, (at, ..)) in tag.params().iter().zip(tag.places()) {
            if let ValType::Ref(ty) = ty {
                // SAFETY: the values are of the tag's types.
                unsafe { trace_slot(values.add(at), ty.heap, tracer) };
            }
        }
    }

    /// Takes what an array carries for an exception with this tag.
    ///
    /// # Safety
    ///
    /// There are as many values.
    unsafe fn fill(&self, tag: &Tag, values: *const u8) {
        let words = array_size(tag.params().len()) / size_of::<u64>();
        let mut own = self.values.borrow_mut();
        own.clear();
        own.reserve(words);
        // SAFETY: there is room, and the array has as many words.
        unsafe {
            ptr::copy_nonoverlapping(values.cast(), own.as_mut_ptr(), words);
            own.set_len(words);
        }
    }
}

impl Store {
    /// Makes a tag.
    ///
    /// # Errors
    ///
    /// A message when there is no address space for exceptions.
    pub fn new_tag(&self, ty: TypeRef) -> Result<Handle, String> {
        self.admit_type(&ty)?;
        let node = Node::new(self, NodeKind::Tag);
        let host = leak(Box::new(HostTag { node, tag: Tag::new(ty) }));
        // SAFETY: as `adopt` wants it; the node stays alive under the new handle.
        unsafe {
            self.adopt(host.cast());
            host.as_ref().tag.set_node(host.cast());
            Ok(Handle::new(host.cast(), EntityKind::Tag, NonNull::from(&host.as_ref().tag)))
        }
    }

    /// Makes an exception, all of whose values are zero; none when the heap is exhausted. The tag
    /// is of this store.
    pub fn new_exception(&self, tag: &Tag) -> Option<u32> {
        // SAFETY: a tag's node is alive.
        unsafe { tag.node().as_ref() }.escape();
        let exception = self.allocate(tag.layout.size, true)?;
        // SAFETY: the object has room for all that.
        unsafe { self.object(exception, 0).write_bytes(0, tag.layout.size as usize) };
        self.begin_object(exception, tag.ty(), 0);
        debug_assert_eq!(tag.layout.offsets[0], HEADER);
        let at = self.object(exception, HEADER);
        // SAFETY: as above.
        unsafe { at.cast::<*const Tag>().write_unaligned(tag) };
        Some(exception)
    }

    /// The tag of an exception.
    fn tag_of(&self, exception: u32) -> &Tag {
        debug_assert!(self.type_of(exception).func().is_some());
        // It comes first, whatever the exception's type.
        let at = self.object(exception, HEADER).cast::<*const Tag>();
        // SAFETY: an exception has its tag's address there, and keeps the tag alive.
        unsafe { &*at.read_unaligned() }
    }

    /// Copies what is in flight to an exception with that tag.
    fn land_in(&self, tag: &Tag, exception: u32) {
        let values = self.in_flight.values.borrow();
        let values = values.as_ptr().cast::<u8>();
        for (at, offset, size) in tag.places() {
            // SAFETY: array and object have values of these sizes there.
            unsafe {
                ptr::copy_nonoverlapping(values.add(at), self.object(exception, offset), size);
            }
        }
    }

    /// Puts what an exception carries in flight.
    fn take_off(&self, exception: u32) {
        let tag = self.tag_of(exception);
        let mut values = self.in_flight.values.borrow_mut();
        values.clear();
        values.resize(array_size(tag.params().len()) / size_of::<u64>(), 0);
        let values = values.as_mut_ptr().cast::<u8>();
        for (at, offset, size) in tag.places() {
            // SAFETY: array and object have values of these sizes there.
            unsafe {
                ptr::copy_nonoverlapping(self.object(exception, offset), values.add(at), size);
            }
        }
    }
}

impl Handle {
    /// The tag that this is a handle to.
    pub fn tag(&self) -> &Tag {
        assert_eq!(self.kind(), EntityKind::Tag);
        // SAFETY: the kind says what is there, and the handle keeps it alive.
        unsafe { self.raw().cast().as_ref() }
    }

    /// Whether this is a handle to an exception.
    pub fn is_exception(&self) -> bool {
        self.kind() == EntityKind::Object && self.store().heap_type(self) == HeapType::Exn
    }

    /// A handle to the tag of the exception that this is a handle to.
    pub fn exception_tag(&self) -> Handle {
        assert!(self.is_exception());
        let tag = self.store().tag_of(self.object_node().reference());
        // SAFETY: the exception keeps its tag alive.
        unsafe { Handle::new(tag.node(), EntityKind::Tag, NonNull::from(tag)) }
    }
}

/// Goes on at the handler. What is in flight goes along, and a reference to the exception if the
/// handler wants it.
///
/// # Safety
///
/// The landing has just been found from where wasm was left, and nothing in between has anything
/// left to do.
unsafe fn land(store: &Store, landing: &Landing, reference: u32) -> ! {
    let values = store.in_flight.values.borrow().as_ptr();
    let payload = [values.addr(), reference as usize];
    // SAFETY: the caller's contract. The values stay where they are until something else is
    // thrown, and the handler reads them first.
    unsafe { arch::resume_with(landing.pc, landing.sp, landing.fp, payload) }
}

/// Throws a new exception: goes on at its handler, or returns why execution ends.
///
/// # Safety
///
/// Called by compiled code with its own context, a tag of its module, and an array with the values
/// that the tag wants.
pub(super) unsafe fn throw(context: *mut VMContext, tag: TagIndex, values: *const u8) -> Cause {
    // SAFETY: the caller's contract.
    let (instance, store) = unsafe { (Instance::of_context(context), Store::of_context(context)) };
    let tag = instance.tag(tag);
    // SAFETY: as above.
    unsafe { store.in_flight.fill(tag, values) };
    let landing = trap::handler(store, tag);
    if let Some(landing) = &landing
        && !landing.by_ref
    {
        // SAFETY: only compiled code is between here and the handler, but for what calls this,
        // which holds nothing.
        unsafe { land(store, landing, 0) }
    }
    store.in_flight.tag.set(tag);
    let exception = store.new_exception(tag);
    store.in_flight.tag.set(ptr::null());
    let Some(exception) = exception else { return TrapCode::HeapExhausted.into() };
    store.land_in(tag, exception);
    match landing {
        // SAFETY: as above.
        Some(landing) => unsafe { land(store, &landing, exception) },
        None => Cause::Exception(store.new_object(exception)),
    }
}

/// Throws an exception again: goes on at its handler, or returns why execution ends.
///
/// # Safety
///
/// Called by compiled code with its own context and a reference to an exception that it has.
pub(super) unsafe fn throw_ref(context: *mut VMContext, exception: u32) -> Cause {
    // SAFETY: the caller's contract.
    let store = unsafe { Store::of_context(context) };
    if exception == 0 {
        return TrapCode::NullReference.into();
    }
    let Some(landing) = trap::handler(store, store.tag_of(exception)) else {
        return Cause::Exception(store.new_object(exception));
    };
    store.take_off(exception);
    // SAFETY: as in `throw`.
    unsafe { land(store, &landing, exception) }
}

/// Throws what a host function has returned as its error, if that is an exception: goes on at its
/// handler, or returns why execution ends.
///
/// # Safety
///
/// Called by compiled code of the store, as a libcall.
pub(super) unsafe fn throw_host_error(store: &Store, error: HostError) -> Cause {
    let inside = |exception: &&Handle| ptr::eq(&**exception.store(), store);
    let Some(exception) = error.exception.as_ref().filter(inside).cloned() else {
        return Cause::Host(error);
    };
    let tag = store.tag_of(exception.object_node().reference());
    let Some(landing) = trap::handler(store, tag) else { return Cause::Host(error) };
    // SAFETY: as in `throw`. Dropping the error may run code of the embedder's, which may throw
    // as well and let the collector run; dropping the handle runs nothing.
    unsafe {
        leave::outside(store, || drop(error));
        let reference = exception.object_node().reference();
        store.take_off(reference);
        leave::outside(store, || drop(exception));
        land(store, &landing, reference)
    }
}
