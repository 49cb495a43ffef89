//! The part of `tenon.h` about types of references and types that are defined: of functions, structs
//! and arrays.

use std::ptr;

use super::boundary::{Argument, OrError, guard, outcome, refuse, shared};
use super::engine::wasm_engine_t;
use super::families::Copied;
use super::object::wasm_func_t;
use super::tenon::tenon_error_code_t;
use super::types::{wasm_functype_t, wasm_mutability_t, wasm_valtype_t};
use super::val::owned;
use crate::engine::{
    ArrayType, CompositeType, DefinedType, FieldType, HeapType, RefType, StorageType, StructType,
    SubType, TypeId, ValType,
};

/// What references of a type refer to (`tenon_heap_kind_enum`).
pub type tenon_heap_kind_t = u8;

const NUMBER: tenon_heap_kind_t = 0;
const DEFINED: tenon_heap_kind_t = 13;

/// The heap types that are not defined by anybody, from kind 1 on.
const ABSTRACT: [HeapType; 12] = [
    HeapType::Func,
    HeapType::NoFunc,
    HeapType::Extern,
    HeapType::NoExtern,
    HeapType::Any,
    HeapType::Eq,
    HeapType::I31,
    HeapType::Struct,
    HeapType::Array,
    HeapType::None,
    HeapType::Exn,
    HeapType::NoExn,
];

/// What a defined type is one of (`tenon_type_kind_enum`).
pub type tenon_type_kind_t = u8;

const FUNC: tenon_type_kind_t = 1;
const STRUCT: tenon_type_kind_t = 2;
const ARRAY: tenon_type_kind_t = 3;

/// How a field is stored (`tenon_storage_enum`).
pub type tenon_storage_t = u8;

const VALUE: tenon_storage_t = 0;
const I8: tenon_storage_t = 1;
const I16: tenon_storage_t = 2;

/// A field of a struct, or the elements of an array.
#[repr(C)]
pub struct tenon_field_t {
    /// How it is stored.
    pub storage: tenon_storage_t,
    /// Whether it can be set.
    pub mutability: wasm_mutability_t,
    /// The type of its values; not looked at if it is packed.
    pub ty: *mut wasm_valtype_t,
}

/// How a type is defined.
#[repr(C)]
pub struct tenon_definition_t {
    /// What it is one of.
    pub kind: tenon_type_kind_t,
    /// Whether nothing can be declared below it.
    pub is_final: bool,
    /// What it is declared below, or null.
    pub supertype: *const tenon_deftype_t,
    /// For functions: what they take and return.
    pub func: *const wasm_functype_t,
    /// For structs the number of fields, for arrays 1.
    pub field_count: usize,
    /// The fields, or the elements.
    pub fields: *const tenon_field_t,
}

/// A defined type, or a place in a group of types that are defined together.
#[derive(Clone)]
pub struct tenon_deftype_t(Named);

#[derive(Clone)]
enum Named {
    Known(DefinedType),
    Place(HeapType),
}

impl tenon_deftype_t {
    /// The C form of a defined type.
    pub(super) fn boxed(ty: DefinedType) -> Box<tenon_deftype_t> {
        Box::new(tenon_deftype_t(Named::Known(ty)))
    }

    /// The engine's form; none, and the last error, if it only is a place in a group.
    pub(super) fn defined(&self) -> Option<&DefinedType> {
        match &self.0 {
            Named::Known(ty) => Some(ty),
            Named::Place(_) => refuse("the type is a place in a group, not yet a type"),
        }
    }

    fn heap_type(&self) -> HeapType {
        match &self.0 {
            Named::Known(ty) => ty.heap_type(),
            Named::Place(heap) => *heap,
        }
    }

    fn composite(&self) -> Option<&CompositeType> {
        Some(&self.defined()?.definition().composite)
    }

    /// The fields of a struct, or the elements of an array; none, and the last error, for functions.
    fn fields(&self) -> Option<&[FieldType]> {
        match self.composite()? {
            CompositeType::Func(_) => refuse("functions have no fields"),
            CompositeType::Struct(ty) => Some(ty.fields()),
            CompositeType::Array(ty) => Some(std::slice::from_ref(&ty.0)),
        }
    }
}

impl tenon_field_t {
    /// The engine's form.
    ///
    /// # Safety
    ///
    /// The type is live or null.
    unsafe fn field_type(&self) -> Option<FieldType> {
        let storage = match self.storage {
            VALUE => {
                // SAFETY: the caller's contract.
                let ty = unsafe { shared(self.ty, "the type of a field") }?;
                StorageType::Val(ty.val_type())
            }
            I8 => StorageType::I8,
            I16 => StorageType::I16,
            other => return refuse(&format!("there is no storage {other}")),
        };
        Some(FieldType { storage, mutable: self.mutability != 0 })
    }

    fn of(field: &FieldType) -> tenon_field_t {
        let (storage, ty) = match field.storage {
            StorageType::Val(ty) => (VALUE, ty),
            StorageType::I8 => (I8, ValType::I32),
            StorageType::I16 => (I16, ValType::I32),
        };
        let ty = owned(Some(wasm_valtype_t::boxed(ty)));
        tenon_field_t { storage, mutability: field.mutable.into(), ty }
    }
}

impl tenon_definition_t {
    /// The engine's form.
    ///
    /// # Safety
    ///
    /// What it points to is live or null; there are as many fields as it says.
    unsafe fn sub_type(&self) -> Option<SubType> {
        // SAFETY: the caller's contract.
        let (supertype, func) = unsafe { (self.supertype.as_ref(), self.func.as_ref()) };
        let fields = || -> Option<Vec<FieldType>> {
            if self.fields.is_null() && self.field_count > 0 {
                return refuse("the fields are null");
            }
            // SAFETY: the caller's contract.
            let fields =
                (0..self.field_count).map(|i| unsafe { (*self.fields.add(i)).field_type() });
            fields.collect()
        };
        let composite = match self.kind {
            FUNC => CompositeType::Func(func.or_null_error("the function type")?.func_type()?),
            STRUCT => CompositeType::Struct(StructType::new(fields()?)),
            ARRAY => match fields()?[..] {
                [element] => CompositeType::Array(ArrayType(element)),
                _ => return refuse("an array has one type of elements"),
            },
            other => return refuse(&format!("there is no kind {other} of types")),
        };
        let supertype = supertype.and_then(|ty| ty.heap_type().concrete());
        Some(SubType { is_final: self.is_final, supertype, composite })
    }
}

/// Makes a type of references: to what `heap` says, or, if that is `TENON_HEAP_DEFINED`, to what is
/// of the defined type `type`, which is not looked at otherwise. Returns null when there is no such
/// kind, or it is one of numbers, or the defined type is needed and null.
///
/// The result names the defined type, but does not keep it: that lasts as long as a
/// `tenon_deftype_t`, a module, an instance or an object with it.
///
/// Ownership: borrows the defined type; the caller owns the result and releases it with
/// `wasm_valtype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_valtype_ref_new(
    heap: tenon_heap_kind_t,
    ty: Option<&tenon_deftype_t>,
    nullable: bool,
) -> Option<Box<wasm_valtype_t>> {
    guard(None, || {
        let heap = if heap == DEFINED {
            ty.or_null_error("the defined type")?.heap_type()
        } else {
            match usize::from(heap).checked_sub(1).and_then(|index| ABSTRACT.get(index)) {
                Some(heap) => *heap,
                None => return refuse(&format!("there is no kind {heap} of references")),
            }
        };
        Some(wasm_valtype_t::boxed(ValType::Ref(RefType { nullable, heap })))
    })
}

/// Returns what references of a type refer to; `TENON_HEAP_NUMBER` if its values are no references,
/// and for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_valtype_heap_kind(ty: Option<&wasm_valtype_t>) -> tenon_heap_kind_t {
    guard(NUMBER, || match ty.map(wasm_valtype_t::val_type) {
        Some(ValType::Ref(RefType { heap, .. })) => {
            let known = ABSTRACT.iter().position(|known| *known == heap);
            known.map_or(DEFINED, |index| index as u8 + 1)
        }
        _ => NUMBER,
    })
}

/// Returns whether null is a value of a type. No numbers and no null pointers are.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_valtype_is_nullable(ty: Option<&wasm_valtype_t>) -> bool {
    let ty = ty.map(wasm_valtype_t::val_type);
    matches!(ty, Some(ValType::Ref(RefType { nullable: true, .. })))
}

/// Returns the defined type that a type of references names. Returns null when it names none, or one
/// that the engine does not have any more.
///
/// Ownership: borrows both; the caller owns the result and releases it with `tenon_deftype_delete`.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_valtype_deftype(
    engine: *mut wasm_engine_t,
    ty: Option<&wasm_valtype_t>,
) -> Option<Box<tenon_deftype_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let engine = &unsafe { shared(engine, "the engine") }?.0;
        let named = match ty.or_null_error("the type")?.val_type() {
            ValType::Ref(ty) => ty.heap.concrete(),
            _ => None,
        };
        let id = named.or_else(|| refuse("the type names no defined type"))?;
        Some(tenon_deftype_t::boxed(DefinedType::get(engine, id).or_error()?))
    })
}

/// Returns whether two value types are the same.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_valtype_same(
    a: Option<&wasm_valtype_t>,
    b: Option<&wasm_valtype_t>,
) -> bool {
    guard(false, || match (a.or_null_error("the first"), b.or_null_error("the second")) {
        (Some(a), Some(b)) => a.val_type() == b.val_type(),
        _ => false,
    })
}

/// Returns whether every value of a type is one of the type `wanted` (core spec, section 3.3.4).
/// What the engine does not know any more only matches itself.
///
/// Ownership: borrows all.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_valtype_matches(
    engine: *mut wasm_engine_t,
    ty: Option<&wasm_valtype_t>,
    wanted: Option<&wasm_valtype_t>,
) -> bool {
    let matches = || {
        // SAFETY: the contract of this function.
        let engine = &unsafe { shared(engine, "the engine") }?.0;
        let (ty, wanted) = (ty.or_null_error("the type")?, wanted.or_null_error("the other")?);
        Some(engine.matches(ty.val_type(), wanted.val_type()))
    };
    guard(false, || matches().unwrap_or(false))
}

/// Defines a type. One that is defined alike already is the same. Returns null when an argument is,
/// the definition makes no sense, or it does not match the type that it is declared below.
///
/// Ownership: borrows both; the caller owns the result and releases it with `tenon_deftype_delete`.
///
/// # Safety
///
/// The pointers, and those in the definition, are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_new(
    engine: *mut wasm_engine_t,
    definition: Option<&tenon_definition_t>,
) -> Option<Box<tenon_deftype_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let engine = &unsafe { shared(engine, "the engine") }?.0;
        // SAFETY: the contract of this function.
        let definition = unsafe { definition.or_null_error("the definition")?.sub_type() }?;
        Some(tenon_deftype_t::boxed(DefinedType::new(engine, definition).or_error()?))
    })
}

/// Makes what stands for one of the types of a group until that is defined by `tenon_deftype_group`:
/// the type of this kind at this index. Definitions of the group name it as supertype, and by
/// `tenon_valtype_ref_new`. Returns null when there is no such kind.
///
/// Ownership: the caller owns the result and releases it with `tenon_deftype_delete`.
#[unsafe(no_mangle)]
pub extern "C" fn tenon_deftype_place(
    kind: tenon_type_kind_t,
    index: u32,
) -> Option<Box<tenon_deftype_t>> {
    let id = TypeId::in_group(index);
    guard(None, || {
        let heap = match kind {
            FUNC => HeapType::ConcreteFunc(id),
            STRUCT => HeapType::ConcreteStruct(id),
            ARRAY => HeapType::ConcreteArray(id),
            other => return refuse(&format!("there is no kind {other} of types")),
        };
        Some(Box::new(tenon_deftype_t(Named::Place(heap))))
    })
}

/// Defines `count` types that may name each other (core spec, section 2.3.9: a recursive group) and
/// writes them to `out`, null for all when it fails.
///
/// Ownership: borrows engine and definitions; the caller owns the types and releases them with
/// `tenon_deftype_delete`.
///
/// # Safety
///
/// The engine is live or null; there are as many definitions, whose pointers are live or null, and
/// places for types, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_group(
    engine: *mut wasm_engine_t,
    count: usize,
    definitions: *const tenon_definition_t,
    out: *mut *mut tenon_deftype_t,
) -> tenon_error_code_t {
    let define = || -> Option<Vec<DefinedType>> {
        // SAFETY: the contract of this function.
        let engine = &unsafe { shared(engine, "the engine") }?.0;
        if count > 0 && definitions.is_null() {
            return refuse("the definitions are null");
        }
        // SAFETY: the contract of this function.
        let group = (0..count).map(|i| unsafe { (*definitions.add(i)).sub_type() });
        DefinedType::group(engine, &group.collect::<Option<Vec<_>>>()?).or_error()
    };
    outcome(|| {
        if out.is_null() {
            return refuse("the types have no place");
        }
        let types = define();
        for i in 0..count {
            let ty = types.as_ref().map(|types| tenon_deftype_t::boxed(types[i].clone()));
            // SAFETY: the contract of this function.
            unsafe { out.add(i).write(owned(ty)) };
        }
        types.map(drop)
    })
}

/// Gives a defined type back.
///
/// Ownership: takes it over.
///
/// # Safety
///
/// The pointer is owned or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_delete(ty: Option<Box<tenon_deftype_t>>) {
    guard((), || drop(ty));
}

impl Copied for tenon_deftype_t {
    fn copied(&self) -> Box<tenon_deftype_t> {
        Box::new(self.clone())
    }
}

/// Returns another owner of a defined type.
///
/// Ownership: borrows it; the caller owns the result and releases it with `tenon_deftype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_copy(
    ty: Option<&tenon_deftype_t>,
) -> Option<Box<tenon_deftype_t>> {
    guard(None, || Some(ty.or_null_error("the type")?.copied()))
}

/// Returns whether two defined types are the same. Equal types of different modules of an engine are.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_same(
    a: Option<&tenon_deftype_t>,
    b: Option<&tenon_deftype_t>,
) -> bool {
    // SAFETY: the contract is the same.
    unsafe { compare(a, b, DefinedType::is) }
}

/// Returns whether a defined type is `other` or declared below it.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_matches(
    ty: Option<&tenon_deftype_t>,
    other: Option<&tenon_deftype_t>,
) -> bool {
    // SAFETY: the contract is the same.
    unsafe { compare(ty, other, DefinedType::is_below) }
}

/// # Safety
///
/// The pointers are live or null.
unsafe fn compare(
    a: Option<&tenon_deftype_t>,
    b: Option<&tenon_deftype_t>,
    holds: fn(&DefinedType, &DefinedType) -> bool,
) -> bool {
    let answer = || {
        let (a, b) = (a.or_null_error("the first")?, b.or_null_error("the second")?);
        Some(holds(a.defined()?, b.defined()?))
    };
    guard(false, || answer().unwrap_or(false))
}

/// Returns what a defined type is one of; 0 for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_kind(ty: Option<&tenon_deftype_t>) -> tenon_type_kind_t {
    ty.map_or(0, |ty| match ty.heap_type() {
        HeapType::ConcreteFunc(_) => FUNC,
        HeapType::ConcreteStruct(_) => STRUCT,
        _ => ARRAY,
    })
}

/// Returns whether nothing can be declared below a defined type; false for null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_is_final(ty: Option<&tenon_deftype_t>) -> bool {
    guard(false, || {
        ty.and_then(tenon_deftype_t::defined).is_some_and(|ty| ty.definition().is_final)
    })
}

/// Returns the type that a defined type is declared below. Returns null when there is none: the last
/// error stays as it is.
///
/// Ownership: borrows both; the caller owns the result and releases it with `tenon_deftype_delete`.
///
/// # Safety
///
/// The pointers are live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_supertype(
    engine: *mut wasm_engine_t,
    ty: Option<&tenon_deftype_t>,
) -> Option<Box<tenon_deftype_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let engine = &unsafe { shared(engine, "the engine") }?.0;
        let above = ty.or_null_error("the type")?.defined()?.definition().supertype?;
        Some(tenon_deftype_t::boxed(DefinedType::get(engine, above).or_error()?))
    })
}

/// Returns what functions of a defined type take and return. Returns null when it is not one of
/// functions.
///
/// Ownership: borrows it; the caller owns the result and releases it with `wasm_functype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_functype(
    ty: Option<&tenon_deftype_t>,
) -> Option<Box<wasm_functype_t>> {
    guard(None, || match ty.or_null_error("the type")?.composite()? {
        CompositeType::Func(ty) => Some(wasm_functype_t::boxed(ty)),
        _ => refuse("the type is not one of functions"),
    })
}

/// Returns the number of fields of structs of a defined type, 1 for arrays, 0 for functions and null.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_field_count(ty: Option<&tenon_deftype_t>) -> usize {
    guard(0, || match ty.map(|ty| &ty.0) {
        Some(Named::Known(ty)) => match &ty.definition().composite {
            CompositeType::Func(_) => 0,
            CompositeType::Struct(ty) => ty.fields().len(),
            CompositeType::Array(_) => 1,
        },
        _ => 0,
    })
}

/// Writes to `out` what the field of a struct with this index is, or, for index 0, the elements of an
/// array. The type of a packed field's values is `i32`. When there is no such field, the type is
/// null.
///
/// Ownership: borrows the defined type; the caller owns the value type in the field and releases it
/// with `wasm_valtype_delete`.
///
/// # Safety
///
/// The type is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_deftype_field(
    ty: Option<&tenon_deftype_t>,
    index: usize,
    out: *mut tenon_field_t,
) -> tenon_error_code_t {
    outcome(|| {
        if out.is_null() {
            return refuse("the field has no place");
        }
        let none = tenon_field_t { storage: VALUE, mutability: 0, ty: ptr::null_mut() };
        let field = ty.or_null_error("the type").and_then(tenon_deftype_t::fields);
        let field = field.and_then(|fields| match fields.get(index) {
            Some(field) => Some(tenon_field_t::of(field)),
            None => refuse("the type has not so many fields"),
        });
        let found = field.is_some();
        // SAFETY: the contract of this function.
        unsafe { out.write(field.unwrap_or(none)) };
        found.then_some(())
    })
}

/// Returns the defined type of a function.
///
/// Ownership: borrows it; the caller owns the result and releases it with `tenon_deftype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_func_deftype(
    func: Option<&wasm_func_t>,
) -> Option<Box<tenon_deftype_t>> {
    guard(None, || {
        let func = func.or_null_error("the function")?.func();
        let ty = DefinedType::get(func.store().engine(), func.type_id()).or_error()?;
        Some(tenon_deftype_t::boxed(ty))
    })
}
