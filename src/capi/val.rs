//! Values, bytes and names.

use std::ffi::c_char;

use super::boundary::{guard, refuse};
use super::families::{Copied, Element, vec};
use super::object::wasm_ref_t;
use crate::engine::{Error, Slot, Store, Val, ValType};

/// A byte.
pub type wasm_byte_t = c_char;
/// A name: UTF-8, not terminated.
pub type wasm_name_t = wasm_byte_vec_t;
/// The message of a trap: terminated by a zero byte that its size counts.
pub type wasm_message_t = wasm_byte_vec_t;

/// A value. Numbers lie in it as they do in [`Slot`], so that arrays of numbers need no
/// conversion.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct wasm_val_t {
    kind: u8,
    of: ValUnion,
}

#[derive(Clone, Copy)]
#[repr(C)]
union ValUnion {
    bits: u64,
    i32: i32,
    i64: i64,
    f32: f32,
    f64: f64,
    reference: *mut wasm_ref_t,
}

const _: () = assert!(
    size_of::<wasm_val_t>() == size_of::<Slot>()
        && align_of::<wasm_val_t>() == align_of::<Slot>()
        && std::mem::offset_of!(wasm_val_t, of) == 8
);

const I32: u8 = Slot::kind_of(ValType::I32);
const I64: u8 = Slot::kind_of(ValType::I64);
const F32: u8 = Slot::kind_of(ValType::F32);
const F64: u8 = Slot::kind_of(ValType::F64);
const EXTERNREF: u8 = Slot::kind_of(ValType::EXTERNREF);

/// Whether values of this kind are references.
fn is_reference(kind: u8) -> bool {
    (EXTERNREF..=Slot::kind_of(ValType::EXNREF)).contains(&kind)
}

/// The type that `wasm_valkind_t` numbers so; none, and the last error, when there is none.
pub(super) fn type_of_kind(kind: u8) -> Option<ValType> {
    let types = [
        ValType::I32,
        ValType::I64,
        ValType::F32,
        ValType::F64,
        ValType::V128,
        ValType::EXTERNREF,
        ValType::FUNCREF,
        ValType::ANYREF,
        ValType::EXNREF,
    ];
    let found = types.into_iter().find(|ty| Slot::kind_of(*ty) == kind);
    found.or_else(|| refuse(&format!("there is no kind {kind} of values")))
}

vec! {
    /// A vector of bytes.
    wasm_byte_vec_t of wasm_byte_t: wasm_byte_vec_new_empty wasm_byte_vec_new_uninitialized
        wasm_byte_vec_new wasm_byte_vec_copy wasm_byte_vec_delete;
    /// A vector of values.
    wasm_val_vec_t of wasm_val_t: wasm_val_vec_new_empty wasm_val_vec_new_uninitialized
        wasm_val_vec_new wasm_val_vec_copy wasm_val_vec_delete;
}

impl wasm_byte_vec_t {
    /// A vector of these bytes.
    pub(super) fn of_bytes(bytes: &[u8]) -> wasm_byte_vec_t {
        let data = super::families::allocate::<wasm_byte_t>(bytes.len());
        if data.is_null() {
            return wasm_byte_vec_t { size: 0, data };
        }
        // SAFETY: the buffer has room for the bytes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), data, bytes.len()) };
        wasm_byte_vec_t { size: bytes.len(), data }
    }

    /// The bytes.
    ///
    /// # Safety
    ///
    /// The vector is whole.
    pub(super) unsafe fn as_bytes(&self) -> &[u8] {
        // SAFETY: the caller's contract; bytes and characters have one layout.
        unsafe {
            let bytes = self.as_slice();
            std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len())
        }
    }

    /// A copy with an owner of its own.
    pub(super) fn copied(&self) -> wasm_byte_vec_t {
        // SAFETY: vectors that the library keeps are whole.
        wasm_byte_vec_t::of_bytes(unsafe { self.as_bytes() })
    }
}

impl Element for wasm_val_t {
    fn copy(&self) -> wasm_val_t {
        let mut copy = *self;
        if self.is_ref() {
            // SAFETY: a value of this kind holds null or a live reference.
            let reference = unsafe { self.of.reference.as_ref() };
            copy.of.reference = owned(reference.map(Copied::copied));
        }
        copy
    }

    unsafe fn delete(self) {
        if self.is_ref() {
            // SAFETY: the caller's contract: the value owns its reference.
            unsafe { Element::delete(self.of.reference) };
        }
    }
}

/// A pointer that C owns.
pub(super) fn owned<T>(thing: Option<Box<T>>) -> *mut T {
    thing.map_or(std::ptr::null_mut(), Box::into_raw)
}

impl wasm_val_t {
    /// A null reference, for what has nothing to say.
    pub(super) const NULL: wasm_val_t = wasm_val_t { kind: EXTERNREF, of: ValUnion { bits: 0 } };

    /// The kind.
    pub(super) fn kind(&self) -> u8 {
        self.kind
    }

    /// Whether a reference is in it.
    pub(super) fn is_ref(&self) -> bool {
        is_reference(self.kind)
    }

    /// The reference in it.
    ///
    /// # Safety
    ///
    /// The value is of a kind of references, and holds null or a live one.
    pub(super) unsafe fn reference(&self) -> Option<&wasm_ref_t> {
        // SAFETY: the caller's contract.
        unsafe { self.of.reference.as_ref() }
    }

    /// A value that owns a reference, of this kind.
    pub(super) fn of_reference(kind: u8, reference: Option<Box<wasm_ref_t>>) -> wasm_val_t {
        wasm_val_t { kind, of: ValUnion { reference: owned(reference) } }
    }

    /// The value in the engine's form.
    ///
    /// # Safety
    ///
    /// A reference in it is null or live.
    pub(super) unsafe fn to_val(self) -> Result<Val, Error> {
        // SAFETY: the kind says which field holds the value.
        unsafe {
            Ok(match self.kind {
                I32 => Val::I32(self.of.i32),
                I64 => Val::I64(self.of.i64),
                F32 => Val::F32(self.of.f32),
                F64 => Val::F64(self.of.f64),
                kind if is_reference(kind) => {
                    let Some(ValType::Ref(ty)) = type_of_kind(kind) else {
                        unreachable!("kinds of references are those of types")
                    };
                    let reference = self.of.reference.as_ref();
                    Val::from_handle(ty, reference.map(|r| r.object().handle()))?
                }
                other => {
                    return Err(Error::Type(format!("there is no kind {other} of values")));
                }
            })
        }
    }

    /// The C form of a value, which owns its reference. That of a vector is a kind without content.
    pub(super) fn from_val(value: &Val) -> wasm_val_t {
        let kind = Slot::kind_of(value.ty());
        match value {
            Val::I32(value) => wasm_val_t { kind, of: ValUnion { i32: *value } },
            Val::I64(value) => wasm_val_t { kind, of: ValUnion { i64: *value } },
            Val::F32(value) => wasm_val_t { kind, of: ValUnion { f32: *value } },
            Val::F64(value) => wasm_val_t { kind, of: ValUnion { f64: *value } },
            Val::V128(_) => wasm_val_t { kind, of: ValUnion { bits: 0 } },
            reference => {
                wasm_val_t::of_reference(kind, reference.referent().map(wasm_ref_t::boxed))
            }
        }
    }

    /// The C form of a slot. A reference in it gets an owner.
    ///
    /// # Safety
    ///
    /// A reference in the slot is live in `store`.
    pub(super) unsafe fn from_slot(store: &Store, slot: &Slot) -> wasm_val_t {
        let kind = slot.kind();
        if !is_reference(kind) {
            return wasm_val_t { kind, of: ValUnion { bits: slot.payload() } };
        }
        // SAFETY: the caller's contract.
        let handle = unsafe { slot.to_handle(store) };
        wasm_val_t::of_reference(kind, handle.as_ref().map(wasm_ref_t::boxed))
    }
}

/// Deletes what a value owns: the reference, if it is one.
///
/// Ownership: takes over what is in the value, not the value's memory.
///
/// # Safety
///
/// The pointer is live or null; a reference in the value is owned or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_delete(value: *mut wasm_val_t) {
    guard((), || {
        // SAFETY: the contract of this function.
        if let Some(value) = unsafe { value.as_mut() }
            && value.is_ref()
        {
            let old = std::mem::replace(value, wasm_val_t { of: ValUnion { bits: 0 }, ..*value });
            // SAFETY: the contract of this function.
            unsafe { old.delete() };
        }
    });
}

/// Copies a value; a reference in the copy has an owner of its own.
///
/// Ownership: borrows the value; the caller owns what is in the copy.
///
/// # Safety
///
/// The pointers are live or null; a reference in the value is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_copy(out: *mut wasm_val_t, value: Option<&wasm_val_t>) {
    guard((), || {
        if !out.is_null() {
            // SAFETY: the contract of this function.
            unsafe { out.write(value.map_or(wasm_val_t::NULL, Element::copy)) };
        }
    });
}
