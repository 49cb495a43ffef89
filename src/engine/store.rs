//! Stores.

use std::cell::RefCell;
use std::ptr;
use std::rc::Rc;

use super::limits::Deadline;
use super::{EndCall, Engine, Error, Module};
use crate::vm;
use crate::vm::store::{Handle, StoreRc};
use crate::wasm::{RefType, ValType};

/// Where instances, and all that they are made of, live. Cloning it gives another handle to the
/// same; what is in it keeps it alive too.
///
/// What nothing refers to any more is freed while the store lives. While code of the store is
/// running, only objects are; the rest waits for that to end.
#[derive(Clone)]
pub struct Store(StoreRc);

/// What `vm` keeps for us.
struct Owner {
    engine: Engine,
    deadline: RefCell<Option<Deadline>>,
    /// The store's own share of the module that was instantiated last, with which it gives its
    /// instances theirs: counted by this thread alone.
    module: RefCell<Option<Rc<Module>>>,
}

impl Store {
    /// An empty store.
    pub fn new(engine: &Engine) -> Store {
        let owner = Owner {
            engine: engine.clone(),
            deadline: RefCell::default(),
            module: RefCell::default(),
        };
        Store(vm::store::Store::create(engine.store_config(), Box::new(owner)))
    }

    /// An empty store in which [`Callee::call_directly`](super::Callee::call_directly) may be used; such
    /// calls end in `end`.
    pub fn with_direct_calls(engine: &Engine, end: EndCall) -> Store {
        let store = Store::new(engine);
        store.vm().set_end_array_call(end);
        store
    }

    /// The store of what `handle` is to.
    pub fn of(handle: &Handle) -> Store {
        Store(handle.store().clone())
    }

    pub(super) fn of_vm(store: &vm::store::Store) -> Store {
        Store(store.share())
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.owner().engine
    }

    /// Whether both are the same store.
    pub fn is(&self, other: &Store) -> bool {
        ptr::eq(&*self.0, &*other.0)
    }

    /// Frees everything that nothing reaches, now. Without it that happens often enough to keep
    /// the garbage a small part of the store. While code of the store runs, which has called a
    /// function of the host, only objects are freed: those on the heap, and those of the host.
    pub fn collect(&self) {
        drop(self.owner().module.take());
        self.0.collect();
    }

    /// Bytes of the heap that objects have, those included that nothing refers to any more and that
    /// have not been freed yet.
    pub fn heap_used(&self) -> u64 {
        self.0.heap_used()
    }

    /// How often objects that nothing refers to have been freed.
    pub fn collections(&self) -> u64 {
        self.0.collections()
    }

    /// The number of things in the store: instances, and what the host has made.
    pub fn len(&self) -> usize {
        self.0.node_count()
    }

    /// Whether nothing is in the store.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The deadline of what runs in the store.
    pub(super) fn deadline(&self) -> &RefCell<Option<Deadline>> {
        &self.owner().deadline
    }

    /// A share of a module for an instance in the store. The store keeps one as well, until another
    /// module is instantiated, or [`Store::collect`].
    pub(super) fn share_of(&self, module: &Module) -> Rc<Module> {
        let mut last = self.owner().module.borrow_mut();
        match &*last {
            Some(same) if same.is(module) => same.clone(),
            _ => {
                let share = Rc::new(module.clone());
                // What goes may be the last handle to a module, which is nobody's code.
                *last = Some(share.clone());
                share
            }
        }
    }

    fn owner(&self) -> &Owner {
        self.0.owner().downcast_ref().expect("stores are made by `new`")
    }

    pub(super) fn vm(&self) -> &vm::store::Store {
        &self.0
    }

    /// Keeps the type that `ty` names, if it names one.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the engine has no such type.
    pub(super) fn keep_named(&self, ty: ValType) -> Result<(), Error> {
        if let ValType::Ref(RefType { heap, .. }) = ty
            && let Some(id) = heap.concrete()
        {
            self.vm().keep_type(&self.engine().types().get(id)?);
        }
        Ok(())
    }

    /// Fails unless `handle` is to something in this store.
    pub(super) fn check(&self, handle: &Handle) -> Result<(), Error> {
        if ptr::eq(&**handle.store(), &*self.0) {
            return Ok(());
        }
        Err(Error::Type("the object belongs to another store".to_owned()))
    }
}
