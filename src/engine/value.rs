//! Values, and their way into arrays and out.

use super::func::Slot;
use super::instance::{ExternRef, Handle};
use super::store::Store;
use super::{Error, Func};
use crate::abi::signature::kind;
use crate::wasm::{Family, HeapType, RefType, ValType};

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
    /// A reference seen from outside, or null: to an object of the host, or to any entity of the
    /// store.
    ExternRef(Option<Handle>),
    /// A reference seen from inside, or null: to a number, a struct, an array, or to something
    /// from outside.
    AnyRef(Option<Handle>),
    /// A reference to an exception, or null.
    ExnRef(Option<Handle>),
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
            Val::AnyRef(_) => ValType::ANYREF,
            Val::ExnRef(_) => ValType::EXNREF,
        }
    }

    /// The family of references that it belongs to, and what it refers to; none for numbers.
    fn reference(&self) -> Option<(Family, Option<&Handle>)> {
        Some(match self {
            Val::FuncRef(func) => (Family::Func, func.as_ref().map(Func::handle)),
            Val::ExternRef(object) => (Family::Extern, object.as_ref()),
            Val::AnyRef(object) => (Family::Any, object.as_ref()),
            Val::ExnRef(object) => (Family::Exn, object.as_ref()),
            _ => return None,
        })
    }

    /// What it refers to, if it is a reference and not null.
    pub fn referent(&self) -> Option<&Handle> {
        self.reference()?.1
    }

    /// A reference to `object`, or null, of the family that `ty` belongs to.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when `ty` is a type of functions and the object is none.
    pub fn from_handle(ty: RefType, object: Option<&Handle>) -> Result<Val, Error> {
        Ok(match ty.heap.family() {
            Family::Func => Val::FuncRef(match object {
                Some(object) => Some(Func::of(object).ok_or_else(no_function)?.clone()),
                None => None,
            }),
            Family::Extern => Val::ExternRef(object.cloned()),
            Family::Any => Val::AnyRef(object.cloned()),
            Family::Exn => Val::ExnRef(object.cloned()),
        })
    }

    /// Zero or null. A type of references without null has no such value; null stands for it.
    pub fn default(ty: ValType) -> Val {
        match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0.0),
            ValType::F64 => Val::F64(0.0),
            ValType::V128 => Val::V128(0),
            ValType::Ref(ty) => match ty.heap.family() {
                Family::Func => Val::FuncRef(None),
                Family::Extern => Val::ExternRef(None),
                Family::Any => Val::AnyRef(None),
                Family::Exn => Val::ExnRef(None),
            },
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
            _ => match (self.reference(), other.reference()) {
                (Some((family, a)), Some((other, b))) if family == other => match (a, b) {
                    (Some(a), Some(b)) => a.is(b),
                    (a, b) => a.is_none() && b.is_none(),
                },
                _ => false,
            },
        }
    }

    /// The value in the bits that wasm holds it in, as one of type `ty` in `store`. A reference
    /// is good for as long as what comes with the bits, or wherever wasm can reach it.
    pub(super) fn to_bits(
        &self,
        store: &Store,
        ty: ValType,
    ) -> Result<(u128, Option<Handle>), Error> {
        // What is of another store says nothing about its type in this one.
        self.referent().map_or(Ok(()), |object| store.check(object))?;
        if !self.is_of(store, ty) {
            let got = self.ty();
            return Err(Error::Type(format!("type mismatch: expected {ty}, got {got}")));
        }
        Ok(match self {
            Val::I32(value) => (u128::from(*value as u32), None),
            Val::I64(value) => (u128::from(*value as u64), None),
            Val::F32(value) => (u128::from(value.to_bits()), None),
            Val::F64(value) => (u128::from(value.to_bits()), None),
            Val::V128(value) => (*value, None),
            Val::FuncRef(Some(func)) => func_bits(func.handle()),
            Val::ExternRef(Some(object))
            | Val::AnyRef(Some(object))
            | Val::ExnRef(Some(object)) => {
                let (reference, keep) = store.vm().reference(object);
                (reference.into(), Some(keep))
            }
            Val::FuncRef(None) | Val::ExternRef(None) | Val::AnyRef(None) | Val::ExnRef(None) => {
                (0, None)
            }
        })
    }

    /// Whether it is a value of this type.
    fn is_of(&self, store: &Store, ty: ValType) -> bool {
        match (self.reference(), ty) {
            (None, ty) => self.ty() == ty,
            (Some((family, object)), ValType::Ref(ty)) => {
                family == ty.heap.family()
                    && match object {
                        Some(object) => is_reference_to(store, object, ty.heap),
                        None => ty.nullable,
                    }
            }
            _ => false,
        }
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
            ValType::Ref(ty) => match ty.heap.family() {
                Family::Func => {
                    // SAFETY: the caller's contract.
                    let handle = unsafe { func_of(bits as u64) };
                    Val::FuncRef(handle.map(Func::from_handle))
                }
                Family::Extern => Val::ExternRef(store.vm().referent(bits as u32)),
                Family::Any => Val::AnyRef(store.vm().referent(bits as u32)),
                Family::Exn => Val::ExnRef(store.vm().referent(bits as u32)),
            },
        }
    }
}

/// Whether a reference to `object`, which is of the type's family, is one of this type.
fn is_reference_to(store: &Store, object: &Handle, ty: HeapType) -> bool {
    let got = match ty.family() {
        // Exceptions are not seen from outside.
        Family::Extern => match store.vm().heap_type(object) {
            HeapType::Exn => HeapType::Exn,
            _ => HeapType::Extern,
        },
        Family::Func => match Func::of(object) {
            Some(func) => HeapType::ConcreteFunc(func.type_id()),
            None => return false,
        },
        Family::Any | Family::Exn => store.vm().heap_type(object),
    };
    let reference = |heap| RefType { nullable: false, heap };
    store.engine().types().ref_matches(reference(got), reference(ty))
}

fn no_function() -> Error {
    Error::Type("type mismatch: expected a function".to_owned())
}

fn func_bits(func: &Handle) -> (u128, Option<Handle>) {
    func.give_away();
    let address = func.func_ref().as_ptr().expose_provenance();
    (address as u128, Some(func.clone()))
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
        let ValType::Ref(ty) = wanted else {
            return Err(Error::Type(format!("type mismatch: expected {wanted}, got a reference")));
        };
        let (bits, keep) = Val::from_handle(ty, object)?.to_bits(store, wanted)?;
        Ok((Slot::new(kind(wanted), bits as u64), keep))
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
        } else {
            store.vm().referent(self.payload() as u32)
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

impl From<ExternRef> for Val {
    fn from(object: ExternRef) -> Val {
        Val::ExternRef(Some(object.handle().clone()))
    }
}
