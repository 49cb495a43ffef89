//! Tags and exceptions.

use super::entity::entities;
use super::func::{Array, load, save};
use super::store::Store;
use super::value::Val;
use super::{Error, Trap};
use crate::wasm::{FuncType, TypeId};

entities! {
    /// A tag, of an instance or of the host: what tells exceptions of one sort from others (core
    /// spec, section 4.2.11).
    Tag Tag;
    /// An exception: a tag and the values that go with it (core spec, section 4.2.14). Wasm holds
    /// it as `exnref`; a host function throws it by returning it as its [`Trap`].
    Exception Exception;
}

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
        Ok(Tag::from_handle(store.vm().new_tag(ty)))
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
    /// wants.
    pub fn new(store: &Store, tag: &Tag, values: &[Val]) -> Result<Exception, Error> {
        store.check(tag.handle())?;
        let params = tag.ty().params();
        if values.len() != params.len() {
            let (wanted, got) = (params.len(), values.len());
            return Err(Error::Type(format!("{got} values are given, {wanted} are wanted")));
        }
        let mut array = Array::new(values.len());
        let mut keep = Vec::new();
        for (i, (ty, value)) in params.iter().zip(values).enumerate() {
            // SAFETY: the array has room for all values.
            keep.extend(unsafe { save(store, *ty, value, array.start(), i)? });
        }
        let exception = store.vm().new_exception(tag.handle(), array.into_words());
        drop(keep);
        Ok(Exception::from_handle(exception))
    }

    /// Its tag.
    pub fn tag(&self) -> Tag {
        Tag::from_handle(self.handle().exception().tag())
    }

    /// The values that it carries.
    pub fn values(&self) -> Vec<Val> {
        let (store, tag) = (self.store(), self.tag());
        let values = self.handle().exception().values().as_ptr().cast_mut().cast();
        let types = tag.ty().params().iter().enumerate();
        // SAFETY: the array has values of these types, which are only read.
        types.map(|(i, ty)| unsafe { load(&store, *ty, values, i) }).collect()
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
