//! Globals.

use super::Error;
use super::entity::entities;
use super::store::Store;
use super::value::Val;
use crate::abi::layout::VMGlobal;
use crate::vm;
use crate::wasm::GlobalType;

entities! {
    /// A global, of an instance or of the host.
    Global Global;
}

impl Global {
    /// Makes a global with this value.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the value is not of the global's type.
    pub fn new(store: &Store, ty: GlobalType, value: &Val) -> Result<Global, Error> {
        store.keep_named(ty.content)?;
        let (bits, _keep) = value.to_bits(store, ty.content)?;
        let global = vm::global::Global::new(ty, bits);
        Ok(Global::from_handle(store.vm().new_global(global)))
    }

    /// The global's type.
    pub fn ty(&self) -> GlobalType {
        self.handle().global_type()
    }

    /// The global's value.
    pub fn get(&self) -> Val {
        // SAFETY: the handle keeps the global alive, and it holds a value of its type.
        unsafe {
            let value = u128::from_le_bytes(self.vm().read().bytes);
            Val::from_bits(&self.store(), self.ty().content, value)
        }
    }

    /// Sets the global's value.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the global is immutable, or the value is not of its type.
    pub fn set(&self, value: &Val) -> Result<(), Error> {
        let ty = self.ty();
        if !ty.mutable {
            return Err(Error::Type("the global is immutable".to_owned()));
        }
        let (bits, keep) = value.to_bits(&self.store(), ty.content)?;
        if keep.is_some() {
            self.handle().receive();
        }
        // SAFETY: the handle keeps the global alive, and the value is of its type.
        unsafe { self.vm().write(VMGlobal { bytes: bits.to_le_bytes() }) };
        Ok(())
    }

    fn vm(&self) -> *mut VMGlobal {
        self.handle().raw().as_ptr().cast()
    }
}
