//! Tags, exceptions, and the way of what is thrown to its handler.
//!
//! What is thrown is in flight: the values that it carries lie in the store until the handler, the
//! next code that runs, has taken them. Only who wants to hold the exception, a handler that asks
//! for a reference or the host, makes an object of it.

use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::arch;
use super::context::Instance;
use super::enter::Cause;
use super::leave::{self, HostError};
use super::refs::trace_value;
use super::signature::Signature;
use super::store::{EntityKind, Handle, Node, NodeKind, Store, leak};
use super::trap::{self, Landing};
use crate::abi::layout::VMContext;
use crate::abi::signature::{PAYLOAD, SLOT, array_size};
use crate::wasm::{TagIndex, TrapCode, ValType};

/// A tag. Its address is its identity.
pub struct Tag {
    signature: Arc<Signature>,
}

impl Tag {
    /// A tag of exceptions that carry what functions of this type take.
    pub(super) fn new(signature: Arc<Signature>) -> Tag {
        Tag { signature }
    }

    /// The type, whose parameters exceptions with this tag carry.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Words of an array with the values that an exception carries.
    fn words(&self) -> usize {
        array_size(self.signature.ty().params().len()) / size_of::<u64>()
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
    /// By which compiled code refers to it.
    number: u32,
    tag: NonNull<Tag>,
    tag_node: NonNull<Node>,
    /// What it carries, laid out as in [`crate::abi::signature`], without kinds.
    values: Box<[u64]>,
}

/// The exceptions of a store, by number. 0 is null.
#[derive(Default)]
pub(super) struct Exceptions {
    /// The exception of each number, from 1 on; null where the number is free.
    nodes: Vec<*const ExceptionNode>,
    free: Vec<u32>,
}

impl Store {
    /// Makes a tag.
    pub fn new_tag(&self, signature: Arc<Signature>) -> Handle {
        let node = Node::new(self, NodeKind::Tag);
        let host = leak(Box::new(HostTag { node, tag: Tag::new(signature) }));
        // SAFETY: as `adopt` wants it; the node stays alive under the new handle.
        unsafe {
            self.adopt(host.cast());
            Handle::new(host.cast(), EntityKind::Tag, NonNull::from(&host.as_ref().tag))
        }
    }

    /// Makes an exception that carries `values`, an array laid out for the parameters of the tag's
    /// type; references among them are live and in the hands of wasm. `tag` is of this store.
    ///
    /// # Errors
    ///
    /// A message when there are too many.
    pub fn new_exception(&self, tag: &Handle, values: Box<[u64]>) -> Result<Handle, String> {
        let node = self.make_exception(tag.raw().cast(), tag.node(), values)?;
        // SAFETY: it is live, and nothing can have freed it yet.
        Ok(unsafe { Handle::new(node.cast(), EntityKind::Exception, node) })
    }

    /// As [`Store::new_exception`], without anything that keeps the exception alive.
    fn make_exception(
        &self,
        tag: NonNull<Tag>,
        tag_node: NonNull<Node>,
        values: Box<[u64]>,
    ) -> Result<NonNull<ExceptionNode>, String> {
        // SAFETY: the caller has the tag.
        debug_assert_eq!(values.len(), unsafe { tag.as_ref() }.words());
        let mut exceptions = self.exceptions.borrow_mut();
        let number = match exceptions.free.pop() {
            Some(number) => number,
            None => {
                let next = u32::try_from(exceptions.nodes.len() + 1);
                exceptions.nodes.push(ptr::null());
                next.map_err(|_| "there are too many exceptions".to_owned())?
            }
        };
        let node = leak(Box::new(ExceptionNode {
            node: Node::new(self, NodeKind::Exception),
            number,
            tag,
            tag_node,
            values,
        }));
        exceptions.nodes[number as usize - 1] = node.as_ptr();
        drop(exceptions);
        // SAFETY: as `adopt` wants it, and the node is live.
        unsafe {
            self.adopt(node.cast());
            // From now on the exception refers to all that, which is live.
            node.as_ref().trace(&mut |to| to.as_ref().escape());
        }
        Ok(node)
    }

    /// The exception that wasm refers to by `number`, none for null.
    pub fn exception_handle(&self, number: u32) -> Option<Handle> {
        let node = NonNull::from(self.exception_node(number)?);
        // SAFETY: the table only has live exceptions.
        Some(unsafe { Handle::new(node.cast(), EntityKind::Exception, node) })
    }

    /// The node of the exception that wasm refers to by `number`.
    pub(super) fn exception_node(&self, number: u32) -> Option<&ExceptionNode> {
        let index = (number as usize).checked_sub(1)?;
        let node = *self.exceptions.borrow().nodes.get(index)?;
        // SAFETY: numbers in use have a live exception.
        unsafe { node.as_ref() }
    }
}

impl ExceptionNode {
    /// Its tag.
    pub fn tag(&self) -> Handle {
        // SAFETY: the exception keeps its tag alive.
        unsafe { Handle::new(self.tag_node, EntityKind::Tag, self.tag) }
    }

    /// The number by which wasm refers to it, which now it may.
    pub fn give_number(&self) -> u32 {
        self.node.escape();
        self.number
    }

    /// What it carries, laid out as in [`crate::abi::signature`], without kinds.
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// Visits what it refers to.
    pub(super) fn trace(&self, visit: &mut dyn FnMut(NonNull<Node>)) {
        visit(self.tag_node);
        // SAFETY: the exception keeps its tag alive.
        let ty = unsafe { self.tag.as_ref() }.signature.ty();
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

    /// Gives the number back.
    pub(super) fn take_apart(self) {
        let mut exceptions = self.node.store().exceptions.borrow_mut();
        exceptions.nodes[self.number as usize - 1] = ptr::null();
        exceptions.free.push(self.number);
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

/// Goes on at the handler. The values of what is in flight go along, and the number of the
/// exception if the handler wants it.
///
/// # Safety
///
/// The landing has just been found from where wasm was left, and nothing in between has anything
/// left to do.
unsafe fn land(store: &Store, landing: &Landing, number: u32) -> ! {
    let values = store.in_flight.borrow().as_ptr();
    // SAFETY: the caller's contract. The values stay where they are until something else is
    // thrown, and the handler reads them first.
    unsafe {
        arch::resume_with(landing.pc, landing.sp, landing.fp, [values.addr(), number as usize])
    }
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
    let mut number = 0;
    if landing.as_ref().is_none_or(|landing| landing.by_ref) {
        let values = store.in_flight.borrow().as_slice().into();
        let (raw, node) = instance.tag_parts(tag);
        let exception = match store.make_exception(raw, node, values) {
            Ok(exception) => exception,
            Err(message) => return Cause::Internal(message),
        };
        // SAFETY: the exception is live: nothing is freed while code of the store runs.
        unsafe {
            if landing.is_none() {
                let exception = Handle::new(exception.cast(), EntityKind::Exception, exception);
                return Cause::Exception(exception);
            }
            number = exception.as_ref().give_number();
        }
        store.rootless_from_birth();
    }
    let landing = landing.expect("without one an exception is returned");
    // SAFETY: only compiled code is between here and the handler, but for what calls this, which
    // holds nothing.
    unsafe { land(store, &landing, number) }
}

/// Throws an exception again: goes on at its handler, or returns why execution ends.
///
/// # Safety
///
/// Called by compiled code with its own context and a reference that it has.
pub(super) unsafe fn throw_ref(context: *mut VMContext, number: u32) -> Cause {
    // SAFETY: the caller's contract.
    let store = unsafe { Store::of_context(context) };
    let Some(exception) = store.exception_node(number) else {
        return TrapCode::NullException.into();
    };
    // SAFETY: an exception keeps its tag alive.
    let Some(landing) = trap::handler(store, unsafe { exception.tag.as_ref() }) else {
        return match store.exception_handle(number) {
            Some(exception) => Cause::Exception(exception),
            None => TrapCode::NullException.into(),
        };
    };
    {
        let mut in_flight = store.in_flight.borrow_mut();
        in_flight.clear();
        in_flight.extend_from_slice(&exception.values);
    }
    // SAFETY: as in `throw`.
    unsafe { land(store, &landing, if landing.by_ref { number } else { 0 }) }
}

/// Throws what a host function has returned as its error, if that is an exception: goes on at its
/// handler, or returns why execution ends.
///
/// # Safety
///
/// Called by compiled code of the store.
pub(super) unsafe fn throw_host_error(store: &Store, error: HostError) -> Cause {
    let Some(handle) = error.exception.clone() else { return Cause::Host(error) };
    let exception = handle.exception();
    // SAFETY: an exception keeps its tag alive.
    let Some(landing) = trap::handler(store, unsafe { exception.tag.as_ref() }) else {
        return Cause::Host(error);
    };
    let number = if landing.by_ref { exception.give_number() } else { 0 };
    let values = exception.values.to_vec();
    // SAFETY: the caller's contract.
    unsafe {
        // This may run code of the embedder's, which may throw as well.
        leave::outside(|| {
            drop(error);
            drop(handle);
        });
    }
    *store.in_flight.borrow_mut() = values;
    // SAFETY: as in `throw`.
    unsafe { land(store, &landing, number) }
}
