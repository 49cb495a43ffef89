//! Handles: what keeps stores, and things in them, alive from outside.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::rc::Rc;

use super::{HostGlobal, Node, NodeKind, Store};
use crate::vm::context::Instance;
#[cfg(doc)]
use crate::vm::exception::Tag;
use crate::vm::memory::Memory;
#[cfg(doc)]
use crate::vm::refs::{ExternNode, ObjectNode};
use crate::vm::table::Table;
use crate::wasm::GlobalType;

/// What a handle refers to. As large as its place in a handle, which then is copied in whole words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum EntityKind {
    /// A function; the raw pointer is to its `VMFuncRef`.
    Func,
    /// A global; the raw pointer is to its `VMGlobal`.
    Global,
    /// A table; the raw pointer is to its [`Table`].
    Table,
    /// A memory; the raw pointer is to its [`Memory`].
    Memory,
    /// An instance; the raw pointer is to its [`Instance`].
    Instance,
    /// A tag; the raw pointer is to its [`Tag`].
    Tag,
    /// A host object; the raw pointer is to its [`ExternNode`].
    Extern,
    /// A number or an object on the heap, exceptions included; the raw pointer is to its [`ObjectNode`].
    Object,
}

/// An owner of a store. Should the last one go while code of the store runs, the store goes when
/// that ends.
pub struct StoreRc(pub(super) ManuallyDrop<Rc<Store>>);

impl std::ops::Deref for StoreRc {
    type Target = Store;

    #[inline]
    fn deref(&self) -> &Store {
        &self.0
    }
}

impl Clone for StoreRc {
    fn clone(&self) -> StoreRc {
        StoreRc(self.0.clone())
    }
}

impl Drop for StoreRc {
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) == 1 && self.is_entered() {
            self.orphaned.set(true);
            self.need_cleanup();
            return;
        }
        // SAFETY: dropped once, here.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}

/// A root: keeps its store, and in it the node of an entity, alive.
pub struct Handle {
    store: ManuallyDrop<StoreRc>,
    node: NonNull<Node>,
    kind: EntityKind,
    raw: NonNull<u8>,
}

impl Handle {
    /// A handle to the entity of this kind at `raw`, which belongs to `node`.
    ///
    /// # Safety
    ///
    /// All three belong together and are live.
    #[inline]
    pub(in crate::vm) unsafe fn new<T>(
        node: NonNull<Node>,
        kind: EntityKind,
        raw: NonNull<T>,
    ) -> Handle {
        // SAFETY: the caller's contract.
        let head = unsafe { node.as_ref() };
        head.roots.set(head.roots.get() + 1);
        if kind != EntityKind::Instance {
            head.reach();
        }
        let store = ManuallyDrop::new(head.store().share());
        Handle { store, node, kind, raw: raw.cast() }
    }

    /// The store.
    #[inline]
    pub fn store(&self) -> &StoreRc {
        &self.store
    }

    /// What it refers to.
    #[inline]
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// The address that is the entity's identity.
    #[inline]
    pub fn raw(&self) -> NonNull<u8> {
        self.raw
    }

    /// The node that the entity is, or is a part of.
    pub(in crate::vm) fn node(&self) -> NonNull<Node> {
        self.node
    }

    /// The head of the node.
    pub(in crate::vm) fn head(&self) -> &Node {
        // SAFETY: the handle keeps the node alive.
        unsafe { self.node.as_ref() }
    }

    /// Whether both refer to the same entity.
    pub fn is(&self, other: &Handle) -> bool {
        if self.kind == EntityKind::Object && other.kind == EntityKind::Object {
            return std::ptr::eq(&**self.store, &**other.store)
                && self.object_node().reference() == other.object_node().reference();
        }
        self.raw == other.raw
    }

    /// The memory that this is a handle to.
    pub fn memory(&self) -> &Memory {
        assert_eq!(self.kind, EntityKind::Memory);
        // SAFETY: the kind says what is there, and the handle keeps it alive.
        unsafe { self.raw.cast().as_ref() }
    }

    /// The table that this is a handle to.
    pub fn table(&self) -> &Table {
        assert_eq!(self.kind, EntityKind::Table);
        // SAFETY: the kind says what is there, and the handle keeps it alive.
        unsafe { self.raw.cast().as_ref() }
    }

    /// The type of the global that this is a handle to.
    pub fn global_type(&self) -> GlobalType {
        assert_eq!(self.kind, EntityKind::Global);
        if let Some(instance) = self.instance() {
            return instance.global_type_at(self.raw.cast()).expect("the global is the instance's");
        }
        // SAFETY: a global that is no instance's is a node of its own, kept alive by the handle.
        unsafe { self.node.cast::<HostGlobal>().as_ref() }.global.ty()
    }

    /// The instance that this is a handle to, or that what this is a handle to belongs to.
    pub fn instance(&self) -> Option<&Instance> {
        if self.head().kind != NodeKind::Instance {
            return None;
        }
        // SAFETY: the kind says what the node is, and the handle keeps it alive.
        Some(unsafe { self.node.cast().as_ref() })
    }

    /// Attaches data to the entity; it is dropped with the entity or when replaced. Returns what
    /// was attached before.
    pub fn attach(&self, data: Option<Box<dyn Any>>) -> Option<Box<dyn Any>> {
        if self.kind == EntityKind::Object {
            self.store.before_object();
            let mut attachments = self.store.object_attachments.borrow_mut();
            let key = self.object_node().reference();
            return match data {
                Some(data) => attachments.insert(key, data),
                None => attachments.remove(&key),
            };
        }
        let mut attachments = self.store.attachments.borrow_mut();
        let of_node = attachments.entry(self.node).or_default();
        let key = self.raw.as_ptr() as usize;
        let old = of_node.iter().position(|(raw, _)| *raw == key);
        let old = old.map(|at| of_node.swap_remove(at).1);
        of_node.extend(data.map(|data| (key, data)));
        if of_node.is_empty() {
            attachments.remove(&self.node);
        }
        old
    }

    /// Calls `read` with what is attached to the entity.
    pub fn with_attachment<T>(&self, read: impl FnOnce(Option<&dyn Any>) -> T) -> T {
        if self.kind == EntityKind::Object {
            let attachments = self.store.object_attachments.borrow();
            return read(attachments.get(&self.object_node().reference()).map(|data| &**data));
        }
        let attachments = self.store.attachments.borrow();
        let key = self.raw.as_ptr() as usize;
        let of_node = attachments.get(&self.node).into_iter().flatten();
        read(of_node.filter(|(raw, _)| *raw == key).map(|(_, data)| &**data).next())
    }

    /// Counts a link from an instance that imports the entity.
    pub(in crate::vm) fn link(&self) {
        let head = self.head();
        head.links.set(head.links.get() + 1);
    }
}

impl Clone for Handle {
    fn clone(&self) -> Handle {
        // SAFETY: the parts of a handle belong together and are live.
        unsafe { Handle::new(self.node, self.kind, self.raw) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let head = self.head();
        head.roots.set(head.roots.get() - 1);
        if head.roots.get() == 0 {
            self.store.rootless(self.node);
        }
        // SAFETY: dropped once, here; only now may the store go.
        unsafe { ManuallyDrop::drop(&mut self.store) };
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:p}", self.kind, self.raw)
    }
}
