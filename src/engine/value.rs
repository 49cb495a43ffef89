//! Values, and their way into arrays and out.

use super::func::Slot;
use super::instance::{ExternRef, Handle};
use super::store::Store;
use super::{Error, Exception, Func};
use crate::abi::signature::kind;
use crate::vm::store::EntityKind;
use crate::wasm::{HeapType, RefType, ValType};

/// A value of WebAssembly. Floats are compared by their bits, references by what they refer to.
#[derive(Clone, Debug)]
pub enum Val {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// A vector, lane 0 in the lowest bits.
    V128(u128),
    /// A reference to a function, or null.
    FuncRef(Option<Func>),
    /// A reference to an object of the host, or null. The object may be any entity of the store.
    ExternRef(Option<Handle>),
    /// A reference to an exception, or null.
    ExnRef(Option<Exception>),
}

impl Val {
    /// The value's type.
    pub fn ty(&self) -> ValType {
        match self {
            Val::I32(_) => ValType::I32,
            Val::I64(_) => ValType::I64,
            Val::F32(_) => ValType::F32,
            Val::F64(_) => ValType::F64,
            Val::V128(_) => ValType::V128,
            Val::FuncRef(_) => ValType::FUNCREF,
            Val::ExternRef(_) => ValType::EXTERNREF,
            Val::ExnRef(_) => ValType::EXNREF,
        }
    }

    /// The value that locals of this type begin with: zero or null.
    pub fn default(ty: ValType) -> Val {
        match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0.0),
            ValType::F64 => Val::F64(0.0),
            ValType::V128 => Val::V128(0),
            ValType::Ref(RefType { heap: HeapType::Func, .. }) => Val::FuncRef(None),
            ValType::Ref(RefType { heap: HeapType::Extern, .. }) => Val::ExternRef(None),
            ValType::Ref(RefType { heap: HeapType::Exn, .. }) => Val::ExnRef(None),
        }
    }

    /// Whether both are the same value: the same bits, or references to the same entity.
    pub fn is(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::I32(a), Val::I32(b)) => a == b,
            (Val::I64(a), Val::I64(b)) => a == b,
            (Val::F32(a), Val::F32(b)) => a.to_bits() == b.to_bits(),
            (Val::F64(a), Val::F64(b)) => a.to_bits() == b.to_bits(),
            (Val::V128(a), Val::V128(b)) => a == b,
            (Val::FuncRef(a), Val::FuncRef(b)) => match (a, b) {
                (Some(a), Some(b)) => a.is(b),
                (a, b) => a.is_none() && b.is_none(),
            },
            (Val::ExternRef(a), Val::ExternRef(b)) => match (a, b) {
                (Some(a), Some(b)) => a.is(b),
                (a, b) => a.is_none() && b.is_none(),
            },
            (Val::ExnRef(a), Val::ExnRef(b)) => match (a, b) {
                (Some(a), Some(b)) => a.is(b),
                (a, b) => a.is_none() && b.is_none(),
            },
            _ => false,
        }
    }

    /// The value in the bits that wasm holds it in, as one of type `ty` in `store`. A reference
    /// is good for as long as what comes with the bits, or wherever wasm can reach it.
    pub(super) fn to_bits(
        &self,
        store: &Store,
        ty: ValType,
    ) -> Result<(u128, Option<Handle>), Error> {
        let got = self.ty();
        let fits = match (ty, got) {
            (ValType::Ref(wanted), ValType::Ref(got)) => wanted.heap == got.heap,
            (wanted, got) => wanted == got,
        };
        if !fits {
            return Err(Error::Type(format!("type mismatch: expected {ty}, got {got}")));
        }
        Ok(match self {
            Val::I32(value) => (u128::from(*value as u32), None),
            Val::I64(value) => (u128::from(*value as u64), None),
            Val::F32(value) => (u128::from(value.to_bits()), None),
            Val::F64(value) => (u128::from(value.to_bits()), None),
            Val::V128(value) => (*value, None),
            Val::FuncRef(None) | Val::ExternRef(None) | Val::ExnRef(None) => (0, None),
            Val::ExnRef(Some(exception)) => exception_bits(store, exception.handle())?,
            Val::FuncRef(Some(func)) => func_bits(store, func.handle())?,
            Val::ExternRef(Some(object)) => extern_bits(store, object)?,
        })
    }

    /// The value of type `ty` that wasm holds in these bits.
    ///
    /// # Safety
    ///
    /// The bits are a value of that type in `store`.
    pub(super) unsafe fn from_bits(store: &Store, ty: ValType, bits: u128) -> Val {
        match ty {
            ValType::I32 => Val::I32(bits as i32),
            ValType::I64 => Val::I64(bits as i64),
            ValType::F32 => Val::F32(f32::from_bits(bits as u32)),
            ValType::F64 => Val::F64(f64::from_bits(bits as u64)),
            ValType::V128 => Val::V128(bits),
            ValType::Ref(RefType { heap: HeapType::Func, .. }) => {
                // SAFETY: the caller's contract.
                let handle = unsafe { func_of(bits as u64) };
                Val::FuncRef(handle.map(Func::from_handle))
            }
            ValType::Ref(RefType { heap: HeapType::Extern, .. }) => {
                Val::ExternRef(store.vm().extern_handle(bits as u32))
            }
            ValType::Ref(RefType { heap: HeapType::Exn, .. }) => {
                let handle = store.vm().exception_handle(bits as u32);
                Val::ExnRef(handle.map(Exception::from_handle))
            }
        }
    }
}

fn func_bits(store: &Store, func: &Handle) -> Result<(u128, Option<Handle>), Error> {
    store.check(func)?;
    func.give_away();
    let address = func.func_ref().as_ptr().expose_provenance();
    Ok((address as u128, Some(func.clone())))
}

fn extern_bits(store: &Store, object: &Handle) -> Result<(u128, Option<Handle>), Error> {
    store.check(object)?;
    let (number, keep) = store.vm().extern_number(object);
    Ok((number.into(), Some(keep)))
}

fn exception_bits(store: &Store, exception: &Handle) -> Result<(u128, Option<Handle>), Error> {
    store.check(exception)?;
    let number = exception.exception().give_number();
    Ok((number.into(), Some(exception.clone())))
}

/// # Safety
///
/// The bits are null or a live reference to a function.
unsafe fn func_of(bits: u64) -> Option<Handle> {
    let func = std::ptr::with_exposed_provenance(bits as usize);
    // SAFETY: the caller's contract.
    unsafe { Handle::from_func_ref(func) }
}

impl Slot {
    /// A slot that holds a reference to `object`, or null, as a value of this kind; to be given to
    /// wasm while what comes with it is alive.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the object is of another store, or is no function and has to be.
    pub fn from_handle(
        store: &Store,
        wanted: ValType,
        object: Option<&Handle>,
    ) -> Result<(Slot, Option<Handle>), Error> {
        let slot = |bits: u128| Slot::new(kind(wanted), bits as u64);
        let Some(object) = object else { return Ok((slot(0), None)) };
        let (bits, keep) = if wanted == ValType::EXNREF {
            if object.kind() != EntityKind::Exception {
                return Err(Error::Type("type mismatch: expected an exception".to_owned()));
            }
            exception_bits(store, object)?
        } else if wanted == ValType::FUNCREF {
            if object.kind() != EntityKind::Func {
                return Err(Error::Type("type mismatch: expected a function".to_owned()));
            }
            func_bits(store, object)?
        } else {
            extern_bits(store, object)?
        };
        Ok((slot(bits), keep))
    }

    /// What a reference in the slot refers to, none for null.
    ///
    /// # Safety
    ///
    /// The slot holds a live reference of `store` of the kind that it says.
    pub unsafe fn to_handle(&self, store: &Store) -> Option<Handle> {
        if self.kind() == kind(ValType::FUNCREF) {
            // SAFETY: the caller's contract.
            unsafe { func_of(self.payload()) }
        } else if self.kind() == kind(ValType::EXNREF) {
            store.vm().exception_handle(self.payload() as u32)
        } else {
            store.vm().extern_handle(self.payload() as u32)
        }
    }
}

impl From<i32> for Val {
    fn from(value: i32) -> Val {
        Val::I32(value)
    }
}

impl From<i64> for Val {
    fn from(value: i64) -> Val {
        Val::I64(value)
    }
}

impl From<f32> for Val {
    fn from(value: f32) -> Val {
        Val::F32(value)
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Val {
        Val::F64(value)
    }
}

impl From<Exception> for Val {
    fn from(exception: Exception) -> Val {
        Val::ExnRef(Some(exception))
    }
}

impl From<ExternRef> for Val {
    fn from(object: ExternRef) -> Val {
        Val::ExternRef(Some(object.handle().clone()))
    }
}
