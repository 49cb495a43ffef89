//! Types of values, functions, globals, tables, memories and tags.

use std::ptr;

use super::boundary::{Argument, guard, refuse};
use super::families::{Copied, casts, copy, own, vec};
use super::wide::tenon_limits_t;
use crate::engine::{
    AddressType, ExternType, FuncType, GlobalType, Limits, MemoryType, RefType, Slot, TableType,
    ValType,
};

/// The type of a value.
pub struct wasm_valtype_t {
    ty: ValType,
}

/// Limits of a table (elements) or a memory (pages of 64 KiB); a maximum of `0xffffffff` is none.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct wasm_limits_t {
    /// The size at the start.
    pub min: u32,
    /// The size it may grow to.
    pub max: u32,
}

/// A kind of value (`wasm_valkind_enum`); kind 4 is a vector.
pub type wasm_valkind_t = u8;
/// Whether a global can be set (`wasm_mutability_enum`).
pub type wasm_mutability_t = u8;
/// A kind of import or export (`wasm_externkind_enum`).
pub type wasm_externkind_t = u8;

const EXTERN_FUNC: u8 = 0;
const EXTERN_GLOBAL: u8 = 1;
const EXTERN_TABLE: u8 = 2;
const EXTERN_MEMORY: u8 = 3;
const EXTERN_TAG: u8 = 4;

const CONST: u8 = 0;
const VAR: u8 = 1;

const NO_MAXIMUM: u32 = u32::MAX;

/// The type of an import or export: a `wasm_externtype_t` is one of any kind, the other types are
/// the same thing of one kind.
struct TypeObject {
    kind: u8,
    body: TypeBody,
}

enum TypeBody {
    Func { params: wasm_valtype_vec_t, results: wasm_valtype_vec_t },
    Global { content: Box<wasm_valtype_t>, mutability: u8 },
    Table { element: Box<wasm_valtype_t>, limits: Bounds, address: AddressType },
    Memory { limits: Bounds, ty: MemoryType },
    Tag { func: Box<wasm_functype_t> },
}

macro_rules! types {
    ($($(#[$doc:meta])* $name:ident: $delete:ident $copy:ident;)*) => {$(
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $name(TypeObject);

        impl Copied for $name {
            fn copied(&self) -> Box<$name> {
                Box::new($name(self.0.copied()))
            }
        }

        own! { $name $delete; }
        copy! { $name $copy; }
    )*};
}

types! {
    /// The type of an import or export.
    wasm_externtype_t: wasm_externtype_delete wasm_externtype_copy;
    /// The type of a function.
    wasm_functype_t: wasm_functype_delete wasm_functype_copy;
    /// The type of a global.
    wasm_globaltype_t: wasm_globaltype_delete wasm_globaltype_copy;
    /// The type of a table.
    wasm_tabletype_t: wasm_tabletype_delete wasm_tabletype_copy;
    /// The type of a memory.
    wasm_memorytype_t: wasm_memorytype_delete wasm_memorytype_copy;
    /// The type of a tag.
    wasm_tagtype_t: wasm_tagtype_delete wasm_tagtype_copy;
}

own! {
    wasm_valtype_t wasm_valtype_delete;
}

copy! {
    wasm_valtype_t wasm_valtype_copy;
}

vec! {
    /// A vector of value types.
    wasm_valtype_vec_t of *mut wasm_valtype_t: wasm_valtype_vec_new_empty
        wasm_valtype_vec_new_uninitialized wasm_valtype_vec_new wasm_valtype_vec_copy
        wasm_valtype_vec_delete;
    /// A vector of function types.
    wasm_functype_vec_t of *mut wasm_functype_t: wasm_functype_vec_new_empty
        wasm_functype_vec_new_uninitialized wasm_functype_vec_new wasm_functype_vec_copy
        wasm_functype_vec_delete;
    /// A vector of global types.
    wasm_globaltype_vec_t of *mut wasm_globaltype_t: wasm_globaltype_vec_new_empty
        wasm_globaltype_vec_new_uninitialized wasm_globaltype_vec_new wasm_globaltype_vec_copy
        wasm_globaltype_vec_delete;
    /// A vector of table types.
    wasm_tabletype_vec_t of *mut wasm_tabletype_t: wasm_tabletype_vec_new_empty
        wasm_tabletype_vec_new_uninitialized wasm_tabletype_vec_new wasm_tabletype_vec_copy
        wasm_tabletype_vec_delete;
    /// A vector of memory types.
    wasm_memorytype_vec_t of *mut wasm_memorytype_t: wasm_memorytype_vec_new_empty
        wasm_memorytype_vec_new_uninitialized wasm_memorytype_vec_new wasm_memorytype_vec_copy
        wasm_memorytype_vec_delete;
    /// A vector of tag types.
    wasm_tagtype_vec_t of *mut wasm_tagtype_t: wasm_tagtype_vec_new_empty
        wasm_tagtype_vec_new_uninitialized wasm_tagtype_vec_new wasm_tagtype_vec_copy
        wasm_tagtype_vec_delete;
    /// A vector of types of any kind.
    wasm_externtype_vec_t of *mut wasm_externtype_t: wasm_externtype_vec_new_empty
        wasm_externtype_vec_new_uninitialized wasm_externtype_vec_new wasm_externtype_vec_copy
        wasm_externtype_vec_delete;
}

casts! {
    wasm_functype_as_externtype wasm_functype_as_externtype_const
        wasm_externtype_as_functype wasm_externtype_as_functype_const:
        wasm_functype_t wasm_externtype_t |ty| ty.0.kind == EXTERN_FUNC;
    wasm_globaltype_as_externtype wasm_globaltype_as_externtype_const
        wasm_externtype_as_globaltype wasm_externtype_as_globaltype_const:
        wasm_globaltype_t wasm_externtype_t |ty| ty.0.kind == EXTERN_GLOBAL;
    wasm_tabletype_as_externtype wasm_tabletype_as_externtype_const
        wasm_externtype_as_tabletype wasm_externtype_as_tabletype_const:
        wasm_tabletype_t wasm_externtype_t |ty| ty.0.kind == EXTERN_TABLE;
    wasm_memorytype_as_externtype wasm_memorytype_as_externtype_const
        wasm_externtype_as_memorytype wasm_externtype_as_memorytype_const:
        wasm_memorytype_t wasm_externtype_t |ty| ty.0.kind == EXTERN_MEMORY;
    wasm_tagtype_as_externtype wasm_tagtype_as_externtype_const
        wasm_externtype_as_tagtype wasm_externtype_as_tagtype_const:
        wasm_tagtype_t wasm_externtype_t |ty| ty.0.kind == EXTERN_TAG;
}

impl Copied for wasm_valtype_t {
    fn copied(&self) -> Box<wasm_valtype_t> {
        Box::new(wasm_valtype_t { ty: self.ty })
    }
}

impl TypeObject {
    fn copied(&self) -> TypeObject {
        let body = match &self.body {
            TypeBody::Func { params, results } => {
                let [params, results] = [params, results].map(copy_valtypes);
                TypeBody::Func { params, results }
            }
            TypeBody::Global { content, mutability } => {
                TypeBody::Global { content: content.copied(), mutability: *mutability }
            }
            TypeBody::Table { element, limits, address } => {
                let element = element.copied();
                TypeBody::Table { element, limits: *limits, address: *address }
            }
            TypeBody::Memory { limits, ty } => TypeBody::Memory { limits: *limits, ty: *ty },
            TypeBody::Tag { func } => TypeBody::Tag { func: func.copied() },
        };
        TypeObject { kind: self.kind, body }
    }
}

fn copy_valtypes(types: &wasm_valtype_vec_t) -> wasm_valtype_vec_t {
    // SAFETY: vectors in types are whole.
    let types = unsafe { types.as_slice() };
    wasm_valtype_vec_t::of(types.iter().map(super::families::Element::copy).collect())
}

// From the engine's types and to them.

impl wasm_valtype_t {
    /// The C form of a value type.
    pub(super) fn boxed(ty: ValType) -> Box<wasm_valtype_t> {
        Box::new(wasm_valtype_t { ty })
    }

    /// The engine's form.
    pub(super) fn val_type(&self) -> ValType {
        self.ty
    }

    fn ref_type(&self) -> Option<RefType> {
        match self.ty {
            ValType::Ref(ty) => Some(ty),
            _ => refuse("the elements of a table are references"),
        }
    }
}

fn valtypes(types: &[ValType]) -> wasm_valtype_vec_t {
    wasm_valtype_vec_t::of(
        types.iter().map(|ty| Box::into_raw(wasm_valtype_t::boxed(*ty))).collect(),
    )
}

/// Limits in both of the forms that C sees them in.
#[derive(Clone, Copy)]
struct Bounds {
    narrow: wasm_limits_t,
    wide: tenon_limits_t,
}

impl From<Limits> for Bounds {
    fn from(limits: Limits) -> Bounds {
        let clamp = |size: u64| u32::try_from(size).unwrap_or(u32::MAX);
        let narrow =
            wasm_limits_t { min: clamp(limits.min), max: limits.max.map_or(NO_MAXIMUM, clamp) };
        Bounds { narrow, wide: limits.into() }
    }
}

impl wasm_limits_t {
    fn limits(&self) -> Limits {
        let max = (self.max != NO_MAXIMUM).then_some(u64::from(self.max));
        Limits { min: self.min.into(), max }
    }
}

impl wasm_functype_t {
    /// The C form of a function type.
    pub(super) fn boxed(ty: &FuncType) -> Box<wasm_functype_t> {
        let (params, results) = (valtypes(ty.params()), valtypes(ty.results()));
        let body = TypeBody::Func { params, results };
        Box::new(wasm_functype_t(TypeObject { kind: EXTERN_FUNC, body }))
    }

    /// The engine's form.
    pub(super) fn func_type(&self) -> Option<FuncType> {
        let TypeBody::Func { params, results } = &self.0.body else {
            unreachable!("the kind of a type is that of its body")
        };
        let types = |types: &wasm_valtype_vec_t| -> Option<Vec<ValType>> {
            // SAFETY: vectors in types are whole; their elements are null or live.
            let types = unsafe { types.as_slice() };
            types
                .iter()
                // SAFETY: as above.
                .map(|ty| Some(unsafe { ty.as_ref() }.or_null_error("a value type")?.ty))
                .collect()
        };
        Some(FuncType::new(types(params)?, types(results)?))
    }
}

impl wasm_globaltype_t {
    /// The C form of a global type.
    pub(super) fn boxed(ty: &GlobalType) -> Box<wasm_globaltype_t> {
        let mutability = if ty.mutable { VAR } else { CONST };
        let body = TypeBody::Global { content: wasm_valtype_t::boxed(ty.content), mutability };
        Box::new(wasm_globaltype_t(TypeObject { kind: EXTERN_GLOBAL, body }))
    }

    /// The engine's form.
    pub(super) fn global_type(&self) -> Option<GlobalType> {
        let TypeBody::Global { content, mutability } = &self.0.body else {
            unreachable!("the kind of a type is that of its body")
        };
        Some(GlobalType { content: content.ty, mutable: *mutability != CONST })
    }
}

impl wasm_tabletype_t {
    /// The C form of a table type.
    pub(super) fn boxed(ty: &TableType) -> Box<wasm_tabletype_t> {
        let element = wasm_valtype_t::boxed(ValType::Ref(ty.element));
        let body = TypeBody::Table { element, limits: ty.limits.into(), address: ty.address };
        Box::new(wasm_tabletype_t(TypeObject { kind: EXTERN_TABLE, body }))
    }

    /// The engine's form.
    pub(super) fn table_type(&self) -> Option<TableType> {
        let TypeBody::Table { element, limits, address } = &self.0.body else {
            unreachable!("the kind of a type is that of its body")
        };
        let (element, limits) = (element.ref_type()?, limits.wide.limits());
        Some(TableType { element, limits, address: *address })
    }

    /// A type of tables with elements of this type.
    pub(super) fn of(
        element: Box<wasm_valtype_t>,
        limits: Limits,
        address: AddressType,
    ) -> Box<wasm_tabletype_t> {
        let body = TypeBody::Table { element, limits: limits.into(), address };
        Box::new(wasm_tabletype_t(TypeObject { kind: EXTERN_TABLE, body }))
    }

    /// The limits, in full, and the type of indices.
    pub(super) fn wide(&self) -> (&tenon_limits_t, AddressType) {
        let TypeBody::Table { limits, address, .. } = &self.0.body else {
            unreachable!("the kind of a type is that of its body")
        };
        (&limits.wide, *address)
    }
}

impl wasm_memorytype_t {
    /// The C form of a memory type.
    pub(super) fn boxed(ty: &MemoryType) -> Box<wasm_memorytype_t> {
        let body = TypeBody::Memory { limits: ty.limits.into(), ty: *ty };
        Box::new(wasm_memorytype_t(TypeObject { kind: EXTERN_MEMORY, body }))
    }

    /// The engine's form.
    pub(super) fn memory_type(&self) -> MemoryType {
        let TypeBody::Memory { ty, .. } = &self.0.body else {
            unreachable!("the kind of a type is that of its body")
        };
        *ty
    }

    /// The limits, in full.
    pub(super) fn wide_limits(&self) -> &tenon_limits_t {
        let TypeBody::Memory { limits, .. } = &self.0.body else {
            unreachable!("the kind of a type is that of its body")
        };
        &limits.wide
    }
}

impl wasm_tagtype_t {
    /// The C form of a tag's type.
    pub(super) fn boxed(ty: &FuncType) -> Box<wasm_tagtype_t> {
        let body = TypeBody::Tag { func: wasm_functype_t::boxed(ty) };
        Box::new(wasm_tagtype_t(TypeObject { kind: EXTERN_TAG, body }))
    }

    /// The engine's form: the type whose parameters exceptions with such a tag carry.
    pub(super) fn func_type(&self) -> Option<FuncType> {
        let TypeBody::Tag { func } = &self.0.body else {
            unreachable!("the kind of a type is that of its body")
        };
        func.func_type()
    }
}

impl wasm_externtype_t {
    /// The C form of a type of any kind.
    pub(super) fn boxed(ty: &ExternType) -> Box<wasm_externtype_t> {
        let object = match ty {
            ExternType::Func(ty) => wasm_functype_t::boxed(ty).0,
            ExternType::Global(ty) => wasm_globaltype_t::boxed(ty).0,
            ExternType::Table(ty) => wasm_tabletype_t::boxed(ty).0,
            ExternType::Memory(ty) => wasm_memorytype_t::boxed(ty).0,
            ExternType::Tag(ty) => wasm_tagtype_t::boxed(ty).0,
        };
        Box::new(wasm_externtype_t(object))
    }
}

/// Makes a value type of a kind. Returns null when there is no such kind.
///
/// Ownership: the caller owns the result and releases it with `wasm_valtype_delete`.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_valtype_new(kind: wasm_valkind_t) -> Option<Box<wasm_valtype_t>> {
    guard(None, || Some(wasm_valtype_t::boxed(super::val::type_of_kind(kind)?)))
}

/// Returns the kind of a value type; vectors are of kind 4. Null is of kind `WASM_I32`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_kind(ty: Option<&wasm_valtype_t>) -> wasm_valkind_t {
    ty.map_or(0, |ty| Slot::kind_of(ty.ty))
}

/// Makes a function type. Returns null when a vector is null.
///
/// Ownership: takes both vectors over and leaves them empty; the caller owns the result and
/// releases it with `wasm_functype_delete`.
///
/// # Safety
///
/// The vectors are whole or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_new(
    params: *mut wasm_valtype_vec_t,
    results: *mut wasm_valtype_vec_t,
) -> Option<Box<wasm_functype_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let (params, results) =
            unsafe { (wasm_valtype_vec_t::take(params), wasm_valtype_vec_t::take(results)) };
        let (Some(params), Some(results)) = (params, results) else {
            return refuse("a vector is null");
        };
        let body = TypeBody::Func { params, results };
        Some(Box::new(wasm_functype_t(TypeObject { kind: EXTERN_FUNC, body })))
    })
}

/// Returns the types of a function's parameters.
///
/// Ownership: the result belongs to the function type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_params(
    ty: Option<&wasm_functype_t>,
) -> *const wasm_valtype_vec_t {
    guard(ptr::null(), || match ty.or_null_error("the type").map(|ty| &ty.0.body) {
        Some(TypeBody::Func { params, .. }) => params,
        _ => ptr::null(),
    })
}

/// Returns the types of a function's results.
///
/// Ownership: the result belongs to the function type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_results(
    ty: Option<&wasm_functype_t>,
) -> *const wasm_valtype_vec_t {
    guard(ptr::null(), || match ty.or_null_error("the type").map(|ty| &ty.0.body) {
        Some(TypeBody::Func { results, .. }) => results,
        _ => ptr::null(),
    })
}

/// Makes a global type. Returns null when the value type is.
///
/// Ownership: takes the value type over; the caller owns the result and releases it with
/// `wasm_globaltype_delete`.
///
/// # Safety
///
/// The pointer is owned or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_new(
    content: Option<Box<wasm_valtype_t>>,
    mutability: wasm_mutability_t,
) -> Option<Box<wasm_globaltype_t>> {
    guard(None, || {
        let Some(content) = content else { return refuse("the value type is null") };
        let body = TypeBody::Global { content, mutability };
        Some(Box::new(wasm_globaltype_t(TypeObject { kind: EXTERN_GLOBAL, body })))
    })
}

/// Returns the type of a global's value.
///
/// Ownership: the result belongs to the global type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_content(
    ty: Option<&wasm_globaltype_t>,
) -> *const wasm_valtype_t {
    guard(ptr::null(), || match ty.or_null_error("the type").map(|ty| &ty.0.body) {
        Some(TypeBody::Global { content, .. }) => &raw const **content,
        _ => ptr::null(),
    })
}

/// Returns whether a global can be set. Null counts as `WASM_CONST`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_mutability(
    ty: Option<&wasm_globaltype_t>,
) -> wasm_mutability_t {
    match ty.map(|ty| &ty.0.body) {
        Some(TypeBody::Global { mutability, .. }) => *mutability,
        _ => CONST,
    }
}

/// Makes a table type. Returns null when an argument is null. Whether there can be such a table is
/// not checked before it is used.
///
/// Ownership: takes the value type over, borrows the limits; the caller owns the result and
/// releases it with `wasm_tabletype_delete`.
///
/// # Safety
///
/// The pointers are owned, or live, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_new(
    element: Option<Box<wasm_valtype_t>>,
    limits: Option<&wasm_limits_t>,
) -> Option<Box<wasm_tabletype_t>> {
    guard(None, || {
        let Some(element) = element else { return refuse("the value type is null") };
        let limits = limits.or_null_error("the limits")?.limits();
        Some(wasm_tabletype_t::of(element, limits, AddressType::I32))
    })
}

/// Returns the type of a table's elements.
///
/// Ownership: the result belongs to the table type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_element(
    ty: Option<&wasm_tabletype_t>,
) -> *const wasm_valtype_t {
    guard(ptr::null(), || match ty.or_null_error("the type").map(|ty| &ty.0.body) {
        Some(TypeBody::Table { element, .. }) => &raw const **element,
        _ => ptr::null(),
    })
}

/// Returns the limits of a table. What is too large for them is `0xffffffff` (see
/// `tenon_tabletype_limits`).
///
/// Ownership: the result belongs to the table type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_limits(
    ty: Option<&wasm_tabletype_t>,
) -> *const wasm_limits_t {
    guard(ptr::null(), || match ty.or_null_error("the type").map(|ty| &ty.0.body) {
        Some(TypeBody::Table { limits, .. }) => &limits.narrow,
        _ => ptr::null(),
    })
}

/// Makes a memory type. Returns null when the limits are. Whether there can be such a memory is
/// not checked before it is used.
///
/// Ownership: borrows the limits; the caller owns the result and releases it with
/// `wasm_memorytype_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_new(
    limits: Option<&wasm_limits_t>,
) -> Option<Box<wasm_memorytype_t>> {
    guard(None, || {
        let limits = limits.or_null_error("the limits")?.limits();
        Some(wasm_memorytype_t::boxed(&MemoryType::new(limits)))
    })
}

/// Returns the limits of a memory. What is too large for them is `0xffffffff` (see
/// `tenon_memorytype_limits`).
///
/// Ownership: the result belongs to the memory type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_limits(
    ty: Option<&wasm_memorytype_t>,
) -> *const wasm_limits_t {
    guard(ptr::null(), || match ty.or_null_error("the type").map(|ty| &ty.0.body) {
        Some(TypeBody::Memory { limits, .. }) => &limits.narrow,
        _ => ptr::null(),
    })
}

/// Makes a tag type: that of exceptions that carry what the function type takes. Returns null when
/// the function type is.
///
/// Ownership: takes the function type over; the caller owns the result and releases it with
/// `wasm_tagtype_delete`.
///
/// # Safety
///
/// The pointer is owned or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_new(
    func: Option<Box<wasm_functype_t>>,
) -> Option<Box<wasm_tagtype_t>> {
    guard(None, || {
        let Some(func) = func else { return refuse("the function type is null") };
        let body = TypeBody::Tag { func };
        Some(Box::new(wasm_tagtype_t(TypeObject { kind: EXTERN_TAG, body })))
    })
}

/// Returns the function type of a tag.
///
/// Ownership: the result belongs to the tag type.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_functype(
    ty: Option<&wasm_tagtype_t>,
) -> *const wasm_functype_t {
    guard(ptr::null(), || match ty.or_null_error("the type").map(|ty| &ty.0.body) {
        Some(TypeBody::Tag { func }) => &raw const **func,
        _ => ptr::null(),
    })
}

/// Returns the kind of a type. Null is of kind `WASM_EXTERN_FUNC`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_kind(ty: Option<&wasm_externtype_t>) -> wasm_externkind_t {
    ty.map_or(EXTERN_FUNC, |ty| ty.0.kind)
}
