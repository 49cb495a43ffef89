//! Tags and exceptions.

use super::entity::entities;
use super::instance::Handle;
use super::object::{Object, made_or_trap};
use super::store::Store;
use super::value::Val;
use super::{Error, Trap};
use crate::wasm::{FuncType, TypeId};

entities! {
    /// A tag, of an instance or of the host: what tells exceptions of one sort from others (core
    /// spec, section 4.2.11).
    Tag Tag;
}

/// An exception: a tag and the values that go with it (core spec, section 4.2.14). Wasm holds it as
/// `exnref`; a host function throws it by returning it as its [`Trap`].
#[derive(Clone, Debug)]
#[repr(transparent)]
pub struct Exception(Object);

impl Tag {
    /// Makes a tag. The parameters of `ty` are what its exceptions carry.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the type has results.
    pub fn new(store: &Store, ty: &FuncType) -> Result<Tag, Error> {
        if !ty.results().is_empty() {
            return Err(Error::Type("the type of a tag has no results".to_owned()));
        }
        let ty = store.engine().types().func(ty)?;
        Ok(Tag::from_handle(store.vm().new_tag(ty).map_err(Error::Limit)?))
    }

    /// Its type, whose parameters are what its exceptions carry.
    pub fn ty(&self) -> &FuncType {
        self.handle().tag().ty().signature().ty()
    }

    /// The id of its type.
    pub(super) fn type_id(&self) -> TypeId {
        self.handle().tag().ty().id()
    }
}

impl Exception {
    /// Makes an exception with this tag that carries these values.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the tag is of another store, or the values are not those that it
    /// wants; [`Error::Trap`] when the heap is exhausted.
    pub fn new(store: &Store, tag: &Tag, values: &[Val]) -> Result<Exception, Error> {
        store.check(tag.handle())?;
        let params = tag.ty().params();
        if values.len() != params.len() {
            let (wanted, got) = (params.len(), values.len());
            return Err(Error::Type(format!("{got} values are given, {wanted} are wanted")));
        }
        params.iter().zip(values).try_for_each(|(ty, value)| value.check(store, *ty))?;
        // It also prepares for the collector to run.
        store.vm().admit_type(tag.handle().tag().ty()).map_err(Error::Limit)?;
        let made = store.vm().new_exception(tag.handle().tag());
        let object = made_or_trap(store, made)?;
        object.fill(values)?;
        Ok(Exception(object))
    }

    /// The handle as one to an exception, if it is.
    pub fn of(handle: &Handle) -> Option<&Exception> {
        if !handle.is_exception() {
            return None;
        }
        // SAFETY: the type is a transparent wrapper of the handle, whose kind fits.
        Some(unsafe { &*std::ptr::from_ref(handle).cast::<Exception>() })
    }

    pub(super) fn from_handle(handle: Handle) -> Exception {
        debug_assert!(handle.is_exception());
        Exception(Object::from_handle(handle))
    }

    /// The same as a handle to anything.
    pub fn handle(&self) -> &Handle {
        self.0.handle()
    }

    /// The store that it lives in.
    pub fn store(&self) -> Store {
        self.0.store()
    }

    /// Whether both are the same exception.
    pub fn is(&self, other: &Exception) -> bool {
        self.handle().is(other.handle())
    }

    /// Its tag.
    pub fn tag(&self) -> Tag {
        Tag::from_handle(self.handle().exception_tag())
    }

    /// The values that it carries.
    pub fn values(&self) -> Vec<Val> {
        (0..self.0.len()).map_while(|index| self.0.get(index)).collect()
    }
}

impl From<Exception> for Val {
    fn from(exception: Exception) -> Val {
        Val::ExnRef(Some(exception.handle().clone()))
    }
}

impl From<Exception> for Trap {
    fn from(exception: Exception) -> Trap {
        Trap::new("uncaught exception").carrying(exception)
    }
}
