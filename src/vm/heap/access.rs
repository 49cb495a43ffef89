//! Objects as the host makes, reads and writes them.

use std::ptr;

use crate::abi::object::{self, StructLayout, array_size, storage_size};
use crate::vm::store::Store;
use crate::vm::types::{Shape, Type};
use crate::wasm::{ArrayType, CompositeType, FieldType, StorageType};

/// Where a field or an element of an object is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    offset: u32,
    /// Its type.
    pub field: FieldType,
}

impl Store {
    /// Makes a struct whose fields have these values, in little-endian form; none when the heap is
    /// exhausted. References among the values are live. Unless it `may_collect`, nothing moves.
    pub fn new_struct(&self, ty: &Type, values: &[u128], may_collect: bool) -> Option<u32> {
        let CompositeType::Struct(fields) = &ty.definition().composite else {
            unreachable!("the type is one of structs")
        };
        let layout = StructLayout::new(fields.fields());
        let object = self.allocate(layout.size, may_collect)?;
        self.begin_object(object, ty, 0);
        for ((field, offset), value) in fields.fields().iter().zip(&layout.offsets).zip(values) {
            self.write(object, Place { offset: *offset, field: *field }, *value);
        }
        Some(object)
    }

    /// Makes an array of `len` elements, as [`Store::new_struct`]; `value` says which.
    pub fn new_array(
        &self,
        ty: &Type,
        len: u32,
        value: impl Fn(u32) -> u128,
        may_collect: bool,
    ) -> Option<u32> {
        let CompositeType::Array(ArrayType(field)) = &ty.definition().composite else {
            unreachable!("the type is one of arrays")
        };
        let size = storage_size(field.storage);
        let object = self.allocate(array_size(size, len)?, may_collect)?;
        self.begin_object(object, ty, len);
        for index in 0..len {
            let offset = object::HEADER + index * size;
            self.write(object, Place { offset, field: *field }, value(index));
        }
        Some(object)
    }

    /// Makes an array of `len` elements that are zero or null, as [`Store::new_struct`].
    pub fn new_zeroed_array(&self, ty: &Type, len: u32, may_collect: bool) -> Option<u32> {
        let Shape::Array { element, .. } = *ty.shape() else {
            unreachable!("the type is one of arrays")
        };
        let size = array_size(element, len)?;
        let object = self.allocate(size, may_collect)?;
        // SAFETY: the object has so many bytes.
        unsafe { self.object(object, 0).write_bytes(0, size as usize) };
        self.begin_object(object, ty, len);
        Some(object)
    }

    /// Where the field or element with this index is in the object that `reference` is to; none
    /// if it has none.
    pub fn place(&self, reference: u32, index: u32) -> Option<Place> {
        match &self.type_of(reference).definition().composite {
            CompositeType::Struct(ty) => {
                let layout = StructLayout::new(ty.fields());
                let field = *ty.fields().get(index as usize)?;
                Some(Place { offset: layout.offsets[index as usize], field })
            }
            CompositeType::Array(ArrayType(field)) => {
                let offset = object::HEADER + index.checked_mul(storage_size(field.storage))?;
                (index < self.array_len(reference)).then_some(Place { offset, field: *field })
            }
            CompositeType::Func(ty) => {
                let layout = StructLayout::of_exception(ty);
                let storage = StorageType::Val(*ty.params().get(index as usize)?);
                let field = FieldType { storage, mutable: false };
                Some(Place { offset: layout.offsets[index as usize + 1], field })
            }
        }
    }

    /// The value at a place of an object, extended with zeros.
    pub fn read(&self, reference: u32, place: Place) -> u128 {
        let mut bytes = [0; 16];
        let size = storage_size(place.field.storage) as usize;
        let at = self.object(reference, place.offset);
        // SAFETY: the place is one of the object's.
        unsafe { ptr::copy_nonoverlapping(at, bytes.as_mut_ptr(), size) };
        u128::from_le_bytes(bytes)
    }

    /// Sets the value at a place of an object. It has to be one of the place's type.
    pub fn write(&self, reference: u32, place: Place, value: u128) {
        let size = storage_size(place.field.storage) as usize;
        let at = self.object(reference, place.offset);
        // SAFETY: the place is one of the object's.
        unsafe { ptr::copy_nonoverlapping(value.to_le_bytes().as_ptr(), at, size) };
    }

    /// Sets all elements of an array to a value, which has to be one of their type.
    pub fn fill_elements(&self, reference: u32, value: u128) {
        let Shape::Array { element, .. } = *self.type_of(reference).shape() else { return };
        let (bytes, size) = (value.to_le_bytes(), element as usize);
        for index in 0..self.array_len(reference) as usize {
            self.write_elements(reference, index * size, &bytes[..size]);
        }
    }

    /// Copies bytes of an array's elements, from an offset on; it has to have so many.
    pub fn read_elements(&self, reference: u32, from: usize, bytes: &mut [u8]) {
        let at = self.object(reference, object::HEADER).wrapping_add(from);
        // SAFETY: the array has so many bytes.
        unsafe { ptr::copy_nonoverlapping(at, bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Sets bytes of an array's elements, from an offset on; it has to have so many, and they have
    /// to be values of the elements' type.
    pub fn write_elements(&self, reference: u32, from: usize, bytes: &[u8]) {
        let at = self.object(reference, object::HEADER).wrapping_add(from);
        // SAFETY: the array has so many bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len()) };
    }

    /// How many fields or elements an object has.
    pub fn place_count(&self, reference: u32) -> u32 {
        match &self.type_of(reference).definition().composite {
            CompositeType::Struct(ty) => ty.fields().len() as u32,
            CompositeType::Array(_) => self.array_len(reference),
            CompositeType::Func(ty) => ty.params().len() as u32,
        }
    }
}

impl Place {
    /// Whether it holds only the low bits of a value.
    pub fn is_packed(self) -> bool {
        !matches!(self.field.storage, StorageType::Val(_))
    }
}
