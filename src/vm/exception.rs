//! Tags, exceptions, and the way of what is thrown to its handler.
//!
//! What is thrown is in flight: the values that it carries lie in the store until the handler, the
//! next code that runs, has taken them. Only who wants to hold the exception, a handler that asks
//! for a reference or the host, makes an object of it.

use std::ptr::{self, NonNull};

use super::arch;
use super::context::Instance;
use super::enter::Cause;
use super::leave::{self, HostError};
use super::refs::trace_value;
use super::store::{EntityKind, Handle, Node, NodeKind, Store, leak};
use super::trap::{self, Landing};
use super::types::TypeRef;
use crate::abi::layout::VMContext;
use crate::abi::signature::{PAYLOAD, SLOT, array_size};
use crate::wasm::{TagIndex, TrapCode, ValType};

/// A tag. Its address is its identity.
pub struct Tag {
    ty: TypeRef,
}

impl Tag {
    /// A tag of exceptions that carry what functions of this type take.
    pub(super) fn new(ty: TypeRef) -> Tag {
        Tag { ty }
    }

    /// The type of functions whose parameters exceptions with this tag carry.
    pub fn ty(&self) -> &TypeRef {
        &self.ty
    }

    /// Words of an array with the values that an exception carries.
    fn words(&self) -> usize {
        array_size(self.ty.signature().ty().params().len()) / size_of::<u64>()
    }
}

/// A tag that the host has made.
#[repr(C)]
pub(super) struct HostTag {
    node: Node,
    tag: Tag,
}

/// An exception that somebody holds.
#[repr(C)]
pub struct ExceptionNode {
    node: Node,
    tag: NonNull<Tag>,
    tag_node: NonNull<Node>,
    /// What it carries, laid out as in [`crate::abi::signature`], without kinds.
    values: Box<[u64]>,
}

impl Store {
    /// Makes a tag.
    pub fn new_tag(&self, ty: TypeRef) -> Handle {
        let node = Node::new(self, NodeKind::Tag);
        let host = leak(Box::new(HostTag { node, tag: Tag::new(ty) }));
        // SAFETY: as `adopt` wants it; the node stays alive under the new handle.
        unsafe {
            self.adopt(host.cast());
            Handle::new(host.cast(), EntityKind::Tag, NonNull::from(&host.as_ref().tag))
        }
    }

    /// Makes an exception that carries `values`, an array laid out for the parameters of the tag's
    /// type; references among them are live and in the hands of wasm. `tag` is of this store.
    pub fn new_exception(&self, tag: &Handle, values: Box<[u64]>) -> Handle {
        debug_assert_eq!(values.len(), tag.tag().words());
        let node = leak(Box::new(ExceptionNode {
            node: Node::new(self, NodeKind::Exception),
            tag: tag.raw().cast(),
            tag_node: tag.node(),
            values,
        }));
        // SAFETY: as `adopt` wants it, and the node is live.
        unsafe {
            self.adopt(node.cast());
            // From now on the exception refers to all that, which is live.
            node.as_ref().trace(&mut |to| to.as_ref().escape());
            Handle::new(node.cast(), EntityKind::Exception, node)
        }
    }
}

impl ExceptionNode {
    /// Its tag.
    pub fn tag(&self) -> Handle {
        // SAFETY: the exception keeps its tag alive.
        unsafe { Handle::new(self.tag_node, EntityKind::Tag, self.tag) }
    }

    fn tag_ref(&self) -> &Tag {
        // SAFETY: the exception keeps its tag alive.
        unsafe { self.tag.as_ref() }
    }

    /// What it carries, laid out as in [`crate::abi::signature`], without kinds.
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// Visits what it refers to.
    pub(super) fn trace(&self, visit: &mut dyn FnMut(NonNull<Node>)) {
        visit(self.tag_node);
        let ty = self.tag_ref().ty.signature().ty();
        for (i, ty) in ty.params().iter().enumerate() {
            if let ValType::Ref(ty) = ty {
                let word = self.values[(i * SLOT + PAYLOAD) / size_of::<u64>()];
                let small = crate::abi::layout::element_size(*ty) == size_of::<u32>();
                let value = if small { u64::from(word as u32) } else { word };
                // SAFETY: the values have the types of the tag's parameters.
                unsafe { trace_value(self.node.store(), value, ty.heap, visit) };
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

    /// The exception that this is a handle to.
    pub fn exception(&self) -> &ExceptionNode {
        assert_eq!(self.kind(), EntityKind::Exception);
        // SAFETY: the kind says what is there, and the handle keeps it alive.
        unsafe { self.raw().cast().as_ref() }
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
    let values = store.in_flight.borrow().as_ptr();
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
    {
        let words = instance.tag(tag).words();
        let mut in_flight = store.in_flight.borrow_mut();
        in_flight.clear();
        in_flight.reserve(words);
        // SAFETY: there is room, and the array has as many words.
        unsafe {
            ptr::copy_nonoverlapping(values.cast(), in_flight.as_mut_ptr(), words);
            in_flight.set_len(words);
        }
    }
    let landing = trap::handler(store, instance.tag(tag));
    let object = || {
        let values = store.in_flight.borrow().as_slice().into();
        store.new_exception(&instance.tag_handle(tag), values)
    };
    // SAFETY: this is a libcall; only compiled code is between it and the handler, but for what
    // has called this, which holds nothing.
    unsafe {
        match landing {
            None => Cause::Exception(leave::outside(object)),
            Some(landing) if landing.by_ref => {
                let reference = leave::outside(|| store.reference(&object()).0);
                land(store, &landing, reference)
            }
            Some(landing) => land(store, &landing, 0),
        }
    }
}

/// Throws an exception again: goes on at its handler, or returns why execution ends.
///
/// # Safety
///
/// Called by compiled code with its own context and a reference that it has.
pub(super) unsafe fn throw_ref(context: *mut VMContext, reference: u32) -> Cause {
    // SAFETY: the caller's contract.
    let store = unsafe { Store::of_context(context) };
    let Some(exception) = store.referent(reference) else {
        return TrapCode::NullReference.into();
    };
    let Some(landing) = trap::handler(store, exception.exception().tag_ref()) else {
        return Cause::Exception(exception);
    };
    let values = exception.exception().values.to_vec();
    // SAFETY: as in `throw`.
    unsafe {
        leave::outside(|| drop(exception));
        *store.in_flight.borrow_mut() = values;
        land(store, &landing, if landing.by_ref { reference } else { 0 })
    }
}

/// Throws what a host function has returned as its error, if that is an exception: goes on at its
/// handler, or returns why execution ends.
///
/// # Safety
///
/// Called by compiled code of the store, as a libcall.
pub(super) unsafe fn throw_host_error(store: &Store, error: HostError) -> Cause {
    let inside = |exception: &&Handle| ptr::eq(&**exception.store(), store);
    let Some(exception) = error.exception.as_ref().filter(inside) else {
        return Cause::Host(error);
    };
    let Some(landing) = trap::handler(store, exception.exception().tag_ref()) else {
        return Cause::Host(error);
    };
    let values = exception.exception().values.to_vec();
    // SAFETY: as in `throw`.
    unsafe {
        let reference = leave::outside(move || {
            let exception = error.exception.as_ref().filter(|_| landing.by_ref);
            let reference = exception.map_or(0, |exception| store.reference(exception).0);
            // This may run code of the embedder's, which may throw as well.
            drop(error);
            reference
        });
        *store.in_flight.borrow_mut() = values;
        land(store, &landing, reference)
    }
}
