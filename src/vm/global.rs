//! Globals that the host makes.

use std::cell::UnsafeCell;

use crate::abi::layout::VMGlobal;
use crate::wasm::GlobalType;

/// A global outside any instance.
pub struct Global {
    ty: GlobalType,
    value: UnsafeCell<VMGlobal>,
}

impl Global {
    /// A global with this value, in little-endian form.
    pub fn new(ty: GlobalType, value: u128) -> Global {
        Global { ty, value: UnsafeCell::new(VMGlobal { bytes: value.to_le_bytes() }) }
    }

    /// Its type.
    pub fn ty(&self) -> GlobalType {
        self.ty
    }

    /// Where its value is.
    pub fn vm(&self) -> *mut VMGlobal {
        self.value.get()
    }
}
