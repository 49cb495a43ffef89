//! Structs, arrays and numbers of 31 bits, and the types that are defined for them.

use super::entity::entities;
use super::store::Store;
use super::value::Val;
use super::{Engine, Error, Trap};
use crate::abi::object::storage_size;
use crate::vm::heap::Place;
use crate::vm::types::TypeRef;
use crate::wasm::{
    CompositeType, FieldType, HeapType, StorageType, SubType, TrapCode, TypeId, ValType,
};

entities! {
    /// A number of 31 bits, a struct, an array or an exception, as [`Val::AnyRef`],
    /// [`Val::ExternRef`] and [`Val::ExnRef`] refer to it. It stays while there is a handle.
    Object Object;
}

/// A type that is defined in an engine: of functions, structs or arrays. Values name it by its id,
/// which is good as long as this, a module or an instance with the type is there.
#[derive(Clone, Debug)]
pub struct DefinedType(TypeRef);

impl DefinedType {
    /// The types of a recursive group (core spec, section 2.3.9), which may name each other by
    /// [`TypeId::in_group`] and other types of the engine by their ids. A group that the engine
    /// knows already gives the same types.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when one names a type that the engine does not have, or is declared below
    /// one that it does not match.
    pub fn group(engine: &Engine, definitions: &[SubType]) -> Result<Vec<DefinedType>, Error> {
        let types = engine.types().of_group(definitions.into())?;
        types.iter().try_for_each(|ty| check_supertype(engine, ty))?;
        Ok(types.into_iter().map(DefinedType).collect())
    }

    /// A type that does not name itself.
    ///
    /// # Errors
    ///
    /// As [`DefinedType::group`].
    pub fn new(engine: &Engine, definition: SubType) -> Result<DefinedType, Error> {
        Ok(DefinedType::group(engine, &[definition])?.swap_remove(0))
    }

    /// The type with this id.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the engine has none.
    pub fn get(engine: &Engine, id: TypeId) -> Result<DefinedType, Error> {
        Ok(DefinedType(engine.types().get(id)?))
    }

    /// Its id.
    pub fn id(&self) -> TypeId {
        self.0.id()
    }

    /// How it is defined.
    pub fn definition(&self) -> &SubType {
        self.0.definition()
    }

    /// Whether both are the same type.
    pub fn is(&self, other: &DefinedType) -> bool {
        self.id() == other.id()
    }

    /// Whether it is `other` or declared below it.
    pub fn is_below(&self, other: &DefinedType) -> bool {
        self.0.is_below(other.id())
    }

    /// What references of the type refer to.
    pub fn heap_type(&self) -> HeapType {
        match self.definition().composite {
            CompositeType::Func(_) => HeapType::ConcreteFunc(self.id()),
            CompositeType::Struct(_) => HeapType::ConcreteStruct(self.id()),
            CompositeType::Array(_) => HeapType::ConcreteArray(self.id()),
        }
    }
}

impl Engine {
    /// Whether every value of type `ty` is one of `wanted` (core spec, section 3.3.4). A defined type
    /// that the engine does not have only matches itself.
    pub fn matches(&self, ty: ValType, wanted: ValType) -> bool {
        self.types().matches(ty, wanted)
    }
}

/// Fails unless a type matches the one that it is declared below (core spec, section 3.4.6).
fn check_supertype(engine: &Engine, ty: &TypeRef) -> Result<(), Error> {
    let Some(above) = ty.definition().supertype else { return Ok(()) };
    let above = engine.types().get(above)?;
    let matches = |ty, wanted| engine.types().matches(ty, wanted);
    let field = |ty: &FieldType, wanted: &FieldType| {
        ty.mutable == wanted.mutable
            && match (ty.storage, wanted.storage) {
                _ if ty.mutable => ty.storage == wanted.storage,
                (StorageType::Val(ty), StorageType::Val(wanted)) => matches(ty, wanted),
                (ty, wanted) => ty == wanted,
            }
    };
    let all = |types: &[ValType], wanted: &[ValType]| {
        types.len() == wanted.len() && types.iter().zip(wanted).all(|(ty, w)| matches(*ty, *w))
    };
    use CompositeType::{Array, Func, Struct};
    let fits = match (&ty.definition().composite, &above.definition().composite) {
        (Func(ty), Func(above)) => {
            all(above.params(), ty.params()) && all(ty.results(), above.results())
        }
        (Struct(ty), Struct(above)) => {
            let (ty, above) = (ty.fields(), above.fields());
            ty.len() >= above.len() && ty.iter().zip(above).all(|(ty, above)| field(ty, above))
        }
        (Array(ty), Array(above)) => field(&ty.0, &above.0),
        _ => false,
    };
    if fits && !above.definition().is_final {
        return Ok(());
    }
    Err(Error::Type("a type does not match the one that it is declared below".to_owned()))
}

impl Object {
    /// The number of the low 31 bits of `value`.
    pub fn i31(store: &Store, value: u32) -> Object {
        Object::from_handle(store.vm().new_object(value << 1 | 1))
    }

    /// The number, extended with zeros, if it is one.
    pub fn as_i31(&self) -> Option<u32> {
        let reference = self.reference();
        (reference & 1 != 0).then_some(reference >> 1)
    }

    /// Makes a struct with these fields.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when the type is not one of structs of the store's engine, or the values
    /// are not of the fields' types; [`Error::Trap`] when the heap is exhausted.
    pub fn new_struct(store: &Store, ty: &DefinedType, fields: &[Val]) -> Result<Object, Error> {
        let CompositeType::Struct(definition) = &ty.definition().composite else {
            return Err(Error::Type("the type is not one of structs".to_owned()));
        };
        let (wanted, got) = (definition.fields().len(), fields.len());
        if wanted != got {
            return Err(Error::Type(format!("{got} fields are given, {wanted} are wanted")));
        }
        for (field, value) in definition.fields().iter().zip(fields) {
            value.check(store, field.storage.unpacked())?;
        }
        prepare(store, ty)?;
        let made = store.vm().new_struct(&ty.0, &vec![0; wanted], true);
        let object = made_or_trap(store, made)?;
        object.fill(fields)?;
        Ok(object)
    }

    /// Makes a struct whose fields are zero or null.
    ///
    /// # Errors
    ///
    /// As [`Object::new_struct`]; also when a field has no such value.
    pub fn default_struct(store: &Store, ty: &DefinedType) -> Result<Object, Error> {
        let fields = match &ty.definition().composite {
            CompositeType::Struct(ty) => ty.fields(),
            _ => &[],
        };
        let zero = |field: &FieldType| Val::default(field.storage.unpacked());
        Object::new_struct(store, ty, &fields.iter().map(zero).collect::<Vec<_>>())
    }

    /// Makes an array of `len` elements that are zero or null.
    ///
    /// # Errors
    ///
    /// As [`Object::new_struct`]; also when elements have no such value.
    pub fn default_array(store: &Store, ty: &DefinedType, len: usize) -> Result<Object, Error> {
        let element = element_type(ty)?;
        Val::default(element).check(store, element)?;
        Object::empty_array(store, ty, len)
    }

    /// Makes an array of numbers that lie one after the other in these bytes, each in little-endian
    /// form and as large as the array stores it.
    ///
    /// # Errors
    ///
    /// As [`Object::new_struct`]; also when the elements are no numbers, or the last one is not
    /// whole.
    pub fn array_of_bytes(store: &Store, ty: &DefinedType, bytes: &[u8]) -> Result<Object, Error> {
        let size = number_size(ty)?;
        if !bytes.len().is_multiple_of(size) {
            let len = bytes.len();
            return Err(Error::Type(format!("{len} bytes are no array of numbers of {size}")));
        }
        let object = Object::empty_array(store, ty, bytes.len() / size)?;
        store.vm().write_elements(object.reference(), 0, bytes);
        Ok(object)
    }

    /// Makes an array of these elements.
    ///
    /// # Errors
    ///
    /// As [`Object::new_struct`].
    pub fn new_array(store: &Store, ty: &DefinedType, elements: &[Val]) -> Result<Object, Error> {
        let element = element_type(ty)?;
        elements.iter().try_for_each(|value| value.check(store, element))?;
        let object = Object::empty_array(store, ty, elements.len())?;
        object.fill(elements)?;
        Ok(object)
    }

    /// Makes an array of `len` times the same element.
    ///
    /// # Errors
    ///
    /// As [`Object::new_struct`].
    pub fn repeat(
        store: &Store,
        ty: &DefinedType,
        len: usize,
        element: &Val,
    ) -> Result<Object, Error> {
        element.check(store, element_type(ty)?)?;
        let object = Object::empty_array(store, ty, len)?;
        let (bits, _keep) = element.to_bits(store, element_type(ty)?)?;
        store.vm().fill_elements(object.reference(), bits);
        Ok(object)
    }

    fn empty_array(store: &Store, ty: &DefinedType, len: usize) -> Result<Object, Error> {
        prepare(store, ty)?;
        let len = u32::try_from(len).map_err(|_| Trap::from(TrapCode::HeapExhausted))?;
        made_or_trap(store, store.vm().new_zeroed_array(&ty.0, len, true))
    }

    /// Sets all fields or elements of a new object, whose types have been checked.
    pub(super) fn fill(&self, values: &[Val]) -> Result<(), Error> {
        for (index, value) in values.iter().enumerate() {
            let place = self.place(index as u32).expect("the object has so many values");
            self.write(place, value)?;
        }
        Ok(())
    }

    /// What references to it refer to, as narrow as it gets.
    pub fn heap_type(&self) -> HeapType {
        self.store().vm().heap_type(self.handle())
    }

    /// The type that it was made with; none for a number.
    pub fn ty(&self) -> Option<DefinedType> {
        let id = self.heap_type().concrete()?;
        DefinedType::get(self.store().engine(), id).ok()
    }

    /// The number of its fields or elements; none if it has no such thing.
    pub fn len(&self) -> u32 {
        if self.as_i31().is_some() { 0 } else { self.store().vm().place_count(self.reference()) }
    }

    /// Whether it has no fields and no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How the field or element with this index is stored; none if there is none.
    pub fn storage(&self, index: u32) -> Option<StorageType> {
        Some(self.place(index)?.field.storage)
    }

    /// The value of the field or element with this index; none if there is none. A value that is
    /// stored in fewer bits than it has is extended with zeros.
    pub fn get(&self, index: u32) -> Option<Val> {
        let place = self.place(index)?;
        let store = self.store();
        let bits = store.vm().read(self.reference(), place);
        // SAFETY: what the heap has at the place is a value of its type.
        Some(unsafe { Val::from_bits(&store, place.field.storage.unpacked(), bits) })
    }

    /// Sets the field or element with this index.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] when it cannot be set, or the value is not of its type; [`Error::Limit`]
    /// when there is none.
    pub fn set(&self, index: u32, value: &Val) -> Result<(), Error> {
        let Some(place) = self.place(index) else {
            let len = self.len();
            return Err(Error::Limit(format!("there is no value {index} among {len}")));
        };
        if !place.field.mutable {
            return Err(Error::Type(format!("value {index} cannot be set")));
        }
        self.write(place, value)
    }

    /// Bytes that an element takes.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] unless it is an array of numbers.
    pub fn number_size(&self) -> Result<usize, Error> {
        number_size(&self.ty().ok_or_else(no_array)?)
    }

    /// Copies the numbers from index `start` on into these bytes, each in little-endian form and as
    /// large as the array stores it.
    ///
    /// # Errors
    ///
    /// [`Error::Type`] unless it is an array of numbers; [`Error::Limit`] when it has not so many.
    pub fn read_numbers(&self, start: u32, bytes: &mut [u8]) -> Result<(), Error> {
        let from = self.range(start, bytes.len())?;
        self.store().vm().read_elements(self.reference(), from, bytes);
        Ok(())
    }

    /// Sets the numbers from index `start` on to those in these bytes, see
    /// [`Object::read_numbers`].
    ///
    /// # Errors
    ///
    /// As [`Object::read_numbers`]; [`Error::Type`] also when elements cannot be set.
    pub fn write_numbers(&self, start: u32, bytes: &[u8]) -> Result<(), Error> {
        let from = self.range(start, bytes.len())?;
        if let Some(CompositeType::Array(ty)) =
            self.ty().map(|ty| ty.definition().composite.clone())
            && !ty.0.mutable
        {
            return Err(Error::Type("elements cannot be set".to_owned()));
        }
        self.store().vm().write_elements(self.reference(), from, bytes);
        Ok(())
    }

    /// Where in the elements' bytes the range of an array of numbers begins that starts at an index
    /// and is `len` bytes long.
    fn range(&self, start: u32, len: usize) -> Result<usize, Error> {
        let size = self.number_size()?;
        let from = start as usize * size;
        if !len.is_multiple_of(size) || from + len > self.len() as usize * size {
            let count = self.len();
            return Err(Error::Limit(format!("the array has only {count} elements")));
        }
        Ok(from)
    }

    fn write(&self, place: Place, value: &Val) -> Result<(), Error> {
        let store = self.store();
        let (bits, _keep) = value.to_bits(&store, place.field.storage.unpacked())?;
        store.vm().write(self.reference(), place, bits);
        Ok(())
    }

    fn place(&self, index: u32) -> Option<Place> {
        if self.as_i31().is_some() {
            return None;
        }
        self.store().vm().place(self.reference(), index)
    }

    fn reference(&self) -> u32 {
        self.handle().object_node().reference()
    }
}

/// Lets the store have objects of a type.
fn prepare(store: &Store, ty: &DefinedType) -> Result<(), Error> {
    let here = store.engine().types().get(ty.id()).is_ok_and(|known| known.is(&ty.0));
    if !here {
        return Err(Error::Type("the type belongs to another engine".to_owned()));
    }
    store.vm().admit_type(&ty.0).map_err(Error::Limit)
}

pub(super) fn made_or_trap(store: &Store, made: Option<u32>) -> Result<Object, Error> {
    let reference = made.ok_or(Trap::from(TrapCode::HeapExhausted))?;
    Ok(Object::from_handle(store.vm().new_object(reference)))
}

fn storage(ty: &DefinedType) -> Result<StorageType, Error> {
    match &ty.definition().composite {
        CompositeType::Array(ty) => Ok(ty.0.storage),
        _ => Err(no_array()),
    }
}

fn element_type(ty: &DefinedType) -> Result<ValType, Error> {
    Ok(storage(ty)?.unpacked())
}

/// Bytes of an element of arrays of this type, if those are numbers.
fn number_size(ty: &DefinedType) -> Result<usize, Error> {
    let storage = storage(ty)?;
    if storage.unpacked().is_ref() {
        return Err(Error::Type("the elements are no numbers".to_owned()));
    }
    Ok(storage_size(storage) as usize)
}

fn no_array() -> Error {
    Error::Type("it is not an array".to_owned())
}

impl Val {
    /// A reference, seen from inside, to a number, a struct or an array.
    pub fn object(object: &Object) -> Val {
        Val::AnyRef(Some(object.handle().clone()))
    }

    /// What it refers to, if that is a number, a struct, an array or an exception.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Val::AnyRef(Some(handle))
            | Val::ExternRef(Some(handle))
            | Val::ExnRef(Some(handle)) => Object::of(handle),
            _ => None,
        }
    }

    /// Fails unless it is a value of this type.
    pub(super) fn check(&self, store: &Store, ty: ValType) -> Result<(), Error> {
        self.to_bits(store, ty).map(drop)
    }
}
