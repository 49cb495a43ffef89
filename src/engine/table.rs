//! Tables.

use super::Error;
use super::entity::entities;
use super::instance::Handle;
use super::store::Store;
use super::value::Val;
use crate::vm;
use crate::wasm::{Limits, TableType, ValType};

entities! {
    /// A table, of an instance or of the host.
    Table Table;
}

impl Table {
    /// Makes a table whose elements are `init`.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the value is not of the element type, [`Error::Limit`] when the type
    /// is not valid or there is no memory.
    pub fn new(store: &Store, ty: TableType, init: &Val) -> Result<Table, Error> {
        store.keep_named(ValType::Ref(ty.element))?;
        let (bits, _keep) = init.to_bits(store, ValType::Ref(ty.element))?;
        let handle = store.vm().new_table(ty, bits as u64).map_err(Error::Limit)?;
        Ok(Table::from_handle(handle))
    }

    fn vm(&self) -> &vm::table::Table {
        self.handle().table()
    }

    /// The table's type as it is now: its size is the minimum.
    pub fn ty(&self) -> TableType {
        let ty = self.vm().ty();
        let limits = Limits { min: self.vm().len() as u64, max: ty.limits.max };
        TableType { limits, ..ty }
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.vm().len()
    }

    /// The element at `index`, none beyond the end.
    pub fn get(&self, index: usize) -> Option<Val> {
        let bits = self.vm().get(index)?;
        let ty = ValType::Ref(self.vm().ty().element);
        // SAFETY: elements are live references of the table's type.
        Some(unsafe { Val::from_bits(&self.store(), ty, bits.into()) })
    }

    /// Sets the element at `index`.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the value is not of the element type, [`Error::Limit`] beyond the end.
    pub fn set(&self, index: usize, value: &Val) -> Result<(), Error> {
        let (bits, _keep) = self.bits(value)?;
        if self.vm().set(index, bits) {
            return Ok(());
        }
        let size = self.size();
        Err(Error::Limit(format!("a table of {size} elements has no element {index}")))
    }

    /// Adds `delta` elements of `value`; returns the size before.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the value is not of the element type, [`Error::Limit`] when the table
    /// cannot grow so far.
    pub fn grow(&self, delta: u64, value: &Val) -> Result<u64, Error> {
        let (bits, _keep) = self.bits(value)?;
        let grown = self.vm().grow(delta, bits);
        grown.ok_or_else(|| Error::Limit(format!("the table cannot grow by {delta} elements")))
    }

    fn bits(&self, value: &Val) -> Result<(u64, Option<Handle>), Error> {
        let ty = ValType::Ref(self.vm().ty().element);
        let (bits, keep) = value.to_bits(&self.store(), ty)?;
        if keep.is_some() {
            self.handle().receive();
        }
        Ok((bits as u64, keep))
    }
}
