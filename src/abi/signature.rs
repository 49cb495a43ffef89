//! How values cross between the host and wasm.
//!
//! Both directions use an array with a stride of [`SLOT`] bytes. A slot has the layout of
//! `wasm_val_t`: the kind in its first byte, the payload from byte [`PAYLOAD`] on. Entry
//! trampolines look at payloads only; host trampolines write kinds too, so that a C callback can
//! have the array as it is. A v128 needs the 16 bytes from its payload on, over the next slot's
//! kind: signatures with vectors therefore have no kinds, and arrays for them have one slot more.

use crate::wasm::{Family, FuncType, ValType};

/// Bytes from one value to the next.
pub const SLOT: usize = 16;

/// Where in its slot a value's payload is.
pub const PAYLOAD: usize = 8;

/// Where in its slot a value's kind is.
pub const KIND: usize = 0;

/// Bytes of an array for `count` values of any kind.
pub const fn array_size(count: usize) -> usize {
    if count == 0 { 0 } else { count * SLOT + PAYLOAD }
}

/// Whether arrays for `ty` carry kinds.
pub fn has_kinds(ty: &FuncType) -> bool {
    !ty.has_vectors()
}

/// The kind of a value type as a byte, numbered as in `wasm.h` (`wasm_valkind_t`). What `wasm.h`
/// does not know has numbers of ours: vectors 4, `anyref` and what is below it 130, `exnref` 131.
pub const fn kind(ty: ValType) -> u8 {
    match ty {
        ValType::I32 => 0,
        ValType::I64 => 1,
        ValType::F32 => 2,
        ValType::F64 => 3,
        ValType::V128 => 4,
        ValType::Ref(r) => match r.heap.family() {
            Family::Extern => 128,
            Family::Func => 129,
            Family::Any => 130,
            Family::Exn => 131,
        },
    }
}

/// A value as the machine holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MachineType {
    /// 32-bit integer; also every reference that is not to a function, 0 for null.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
    /// An address: that of a `VMFuncRef`, 0 for null.
    Pointer,
}

/// How the machine holds values of `ty`.
pub const fn machine_type(ty: ValType) -> MachineType {
    match ty {
        ValType::I32 => MachineType::I32,
        ValType::I64 => MachineType::I64,
        ValType::F32 => MachineType::F32,
        ValType::F64 => MachineType::F64,
        ValType::V128 => MachineType::V128,
        ValType::Ref(r) => match r.heap.family() {
            Family::Func => MachineType::Pointer,
            Family::Extern | Family::Any | Family::Exn => MachineType::I32,
        },
    }
}
