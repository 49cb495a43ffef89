//! How objects lie on a store's heap: a header, then fields or elements.
//!
//! A reference is the object's offset from the heap's base. Objects are aligned to [`ALIGN`]; what
//! is larger than that is not aligned further.

use crate::abi::signature::{MachineType, machine_type};
use crate::wasm::{FieldType, FuncType, StorageType, ValType};

/// What sizes of objects are multiples of.
pub const ALIGN: u32 = 8;

/// Where in the header the number of the object's type is, see [`super::layout::VMType::slot`].
pub const TYPE: i32 = 0;

/// Where in the header an array has the number of its elements.
pub const LENGTH: i32 = 4;

/// Bytes of the header.
pub const HEADER: u32 = 8;

/// The most bytes an object may have.
pub const MAX_SIZE: u64 = 1 << 31;

/// Bytes that a value takes in an object.
pub const fn storage_size(storage: StorageType) -> u32 {
    match storage {
        StorageType::I8 => 1,
        StorageType::I16 => 2,
        StorageType::Val(ty) => match machine_type(ty) {
            MachineType::I32 | MachineType::F32 => 4,
            MachineType::I64 | MachineType::F64 | MachineType::Pointer => 8,
            MachineType::V128 => 16,
        },
    }
}

/// Where the fields of a struct are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructLayout {
    /// The offset of each field from the object's start.
    pub offsets: Box<[u32]>,
    /// Bytes of the whole object.
    pub size: u32,
}

impl StructLayout {
    /// The layout of structs with these fields.
    pub fn new(fields: &[FieldType]) -> StructLayout {
        StructLayout::of(fields.iter().map(|field| field.storage))
    }

    fn of(fields: impl Iterator<Item = StorageType>) -> StructLayout {
        let mut end = HEADER;
        let offsets = fields.map(|storage| {
            let size = storage_size(storage);
            let start = end.next_multiple_of(size.min(ALIGN));
            end = start + size;
            start
        });
        let offsets = offsets.collect();
        StructLayout { offsets, size: end.next_multiple_of(ALIGN) }
    }

    /// The layout of exceptions of a tag of this type: the first field is the tag's address, then
    /// come the parameters.
    pub fn of_exception(ty: &FuncType) -> StructLayout {
        let tag = std::iter::once(ValType::I64);
        StructLayout::of(tag.chain(ty.params().iter().copied()).map(StorageType::Val))
    }
}

/// Bytes of an array of `len` elements, or none if that is more than an object may have.
pub fn array_size(element: u32, len: u32) -> Option<u32> {
    let size = u64::from(HEADER) + u64::from(element) * u64::from(len);
    let size = size.next_multiple_of(ALIGN.into());
    (size <= MAX_SIZE).then_some(size as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_aligned_and_do_not_overlap() {
        let storages = [
            StorageType::I8,
            StorageType::Val(ValType::I64),
            StorageType::I16,
            StorageType::Val(ValType::V128),
            StorageType::Val(ValType::ANYREF),
            StorageType::Val(ValType::FUNCREF),
        ];
        let fields = storages.map(|storage| FieldType { storage, mutable: true });
        let layout = StructLayout::new(&fields);
        assert_eq!(*layout.offsets, [8, 16, 24, 32, 48, 56]);
        assert_eq!(layout.size, 64);
        assert_eq!(StructLayout::new(&[]).size, 8);
    }

    #[test]
    fn arrays_have_a_largest_size() {
        assert_eq!(array_size(1, 0), Some(8));
        assert_eq!(array_size(4, 3), Some(24));
        assert_eq!(array_size(16, u32::MAX), None);
    }
}
