//! Types of values and of what modules import and export (core spec, section 2.3).

use std::fmt;

use super::{PAGE_SIZE, RefType, TypeId};

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit IEEE 754 float.
    F32,
    /// 64-bit IEEE 754 float.
    F64,
    /// 128-bit vector.
    V128,
    /// A reference.
    Ref(RefType),
}

impl ValType {
    /// The nullable reference to any function.
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNC);
    /// The nullable reference to any host object.
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERN);
    /// The nullable reference to anything that is no function and no exception.
    pub const ANYREF: ValType = ValType::Ref(RefType::ANY);
    /// The nullable reference to any exception.
    pub const EXNREF: ValType = ValType::Ref(RefType::EXN);

    /// Whether values of this type are references.
    pub fn is_ref(self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// The same with another type definition in the place of that which it names.
    pub fn map_concrete(self, map: impl FnOnce(TypeId) -> TypeId) -> ValType {
        match self {
            ValType::Ref(RefType { nullable, heap }) => {
                ValType::Ref(RefType { nullable, heap: heap.map_concrete(map) })
            }
            number => number,
        }
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValType::I32 => f.write_str("i32"),
            ValType::I64 => f.write_str("i64"),
            ValType::F32 => f.write_str("f32"),
            ValType::F64 => f.write_str("f64"),
            ValType::V128 => f.write_str("v128"),
            ValType::Ref(r) => r.fmt(f),
        }
    }
}

/// A type that a module defines (core spec, section 2.3.10).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SubType {
    /// Whether no type can be declared below it.
    pub is_final: bool,
    /// The type that it is declared to be below.
    pub supertype: Option<TypeId>,
    /// What its values look like.
    pub composite: CompositeType,
}

/// What the values of a defined type look like.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CompositeType {
    /// Functions.
    Func(FuncType),
    /// Structs.
    Struct(StructType),
    /// Arrays.
    Array(ArrayType),
}

impl SubType {
    /// A type with nothing above and below it.
    pub fn plain(composite: CompositeType) -> SubType {
        SubType { is_final: true, supertype: None, composite }
    }

    /// The function type that it is, if it is one.
    pub fn func(&self) -> Option<&FuncType> {
        match &self.composite {
            CompositeType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// The same with other definitions in the place of those that it names.
    pub fn map_concrete(&self, map: &dyn Fn(TypeId) -> TypeId) -> SubType {
        let field = |field: &FieldType| FieldType {
            storage: match field.storage {
                StorageType::Val(ty) => StorageType::Val(ty.map_concrete(map)),
                packed => packed,
            },
            mutable: field.mutable,
        };
        let composite = match &self.composite {
            CompositeType::Func(ty) => CompositeType::Func(ty.map_concrete(map)),
            CompositeType::Struct(ty) => {
                CompositeType::Struct(StructType::new(ty.fields().iter().map(field)))
            }
            CompositeType::Array(ty) => CompositeType::Array(ArrayType(field(&ty.0))),
        };
        SubType { is_final: self.is_final, supertype: self.supertype.map(map), composite }
    }
}

/// The type of a struct: its fields.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StructType(Box<[FieldType]>);

impl StructType {
    /// The type of structs with these fields.
    pub fn new(fields: impl IntoIterator<Item = FieldType>) -> StructType {
        StructType(fields.into_iter().collect())
    }

    /// The fields, in order.
    pub fn fields(&self) -> &[FieldType] {
        &self.0
    }
}

/// The type of an array: that of its elements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ArrayType(pub FieldType);

/// The type of a field of a struct, or of the elements of an array.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FieldType {
    /// What it holds.
    pub storage: StorageType,
    /// Whether it can be set.
    pub mutable: bool,
}

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StorageType {
    /// The low 8 bits of an `i32`.
    I8,
    /// The low 16 bits of an `i32`.
    I16,
    /// A value.
    Val(ValType),
}

impl StorageType {
    /// The type of the values that are read from it and written to it.
    pub const fn unpacked(self) -> ValType {
        match self {
            StorageType::I8 | StorageType::I16 => ValType::I32,
            StorageType::Val(ty) => ty,
        }
    }
}

/// The type of a function: what it takes and what it returns.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FuncType {
    params: Box<[ValType]>,
    results: Box<[ValType]>,
}

impl FuncType {
    /// The type of a function from `params` to `results`.
    pub fn new(
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        FuncType { params: params.into_iter().collect(), results: results.into_iter().collect() }
    }

    /// The types of the parameters, in order.
    pub fn params(&self) -> &[ValType] {
        &self.params
    }

    /// The types of the results, in order.
    pub fn results(&self) -> &[ValType] {
        &self.results
    }

    /// The same with other type definitions in the place of those that it names.
    pub fn map_concrete(&self, map: &dyn Fn(TypeId) -> TypeId) -> FuncType {
        let types = |types: &[ValType]| -> Box<[ValType]> {
            types.iter().map(|ty| ty.map_concrete(map)).collect()
        };
        FuncType { params: types(&self.params), results: types(&self.results) }
    }

    /// Whether a reference goes in or out.
    pub fn has_refs(&self) -> bool {
        self.params.iter().chain(&self.results).any(|t| t.is_ref())
    }

    /// Whether a vector goes in or out.
    pub fn has_vectors(&self) -> bool {
        self.params.iter().chain(&self.results).any(|t| *t == ValType::V128)
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.params)?;
        f.write_str(" -> ")?;
        write_list(f, &self.results)
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, types: &[ValType]) -> fmt::Result {
    f.write_str("(")?;
    for (i, ty) in types.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        fmt::Display::fmt(ty, f)?;
    }
    f.write_str(")")
}

/// Bounds of a memory (in pages) or a table (in elements).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Limits {
    /// The size at the start, and the least an import may have.
    pub min: u64,
    /// The size it may grow to; none: as far as the index type allows.
    pub max: Option<u64>,
}

impl Limits {
    /// Whether something that has `min` now and may grow to `max` fits these limits when it is
    /// imported (core spec, section 3.3.3, limits matching).
    pub fn admits(&self, min: u64, max: Option<u64>) -> bool {
        min >= self.min
            && match (self.max, max) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(wanted), Some(got)) => got <= wanted,
            }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max {
            Some(max) => write!(f, "{} {max}", self.min),
            None => write!(f, "{}", self.min),
        }
    }
}

/// The type of addresses in a memory, and of indices into a table (core spec, section 2.3.11).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum AddressType {
    /// 32 bits.
    #[default]
    I32,
    /// 64 bits.
    I64,
}

impl From<AddressType> for ValType {
    fn from(ty: AddressType) -> ValType {
        match ty {
            AddressType::I32 => ValType::I32,
            AddressType::I64 => ValType::I64,
        }
    }
}

/// What stands before limits: nothing for 32 bits, as in the text format.
fn write_address(f: &mut fmt::Formatter<'_>, ty: AddressType) -> fmt::Result {
    match ty {
        AddressType::I32 => Ok(()),
        AddressType::I64 => f.write_str("i64 "),
    }
}

/// The type of a linear memory (core spec, section 2.3.12).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MemoryType {
    /// Bounds of its size, in pages.
    pub limits: Limits,
    /// The type of addresses in it.
    pub address: AddressType,
    /// The binary logarithm of the size of its pages in bytes: 16, or 0 (custom page sizes).
    pub page_size_log2: u8,
    /// Whether several threads may use it (threads proposal).
    pub shared: bool,
}

impl MemoryType {
    /// An ordinary memory: 32-bit addresses, pages of 64 KiB, not shared.
    pub fn new(limits: Limits) -> MemoryType {
        let page_size_log2 = PAGE_SIZE.trailing_zeros() as u8;
        MemoryType { limits, address: AddressType::I32, page_size_log2, shared: false }
    }

    /// Bytes in one of its pages.
    pub fn page_size(&self) -> u64 {
        1 << self.page_size_log2
    }

    /// The most pages that a memory with such addresses and pages can have: it ends where its
    /// addresses do, and its size is a number of their type.
    pub fn most_pages(&self) -> u64 {
        let bits = match self.address {
            AddressType::I32 => 32,
            AddressType::I64 => 64,
        };
        match self.page_size_log2 {
            0 => u64::MAX >> (64 - bits),
            log2 => 1 << (bits - u32::from(log2)),
        }
    }

    /// The pages that it may grow to.
    pub fn max_pages(&self) -> u64 {
        self.limits.max.map_or(self.most_pages(), |max| max.min(self.most_pages()))
    }

    /// The size of so many of its pages in bytes; none beyond what 64 bits can say.
    pub fn bytes(&self, pages: u64) -> Option<u64> {
        pages.checked_mul(self.page_size())
    }

    /// Whether a memory of type `given` can be imported as one of this type (core spec, section
    /// 3.3.5).
    pub fn admits(&self, given: &MemoryType) -> bool {
        self.limits.admits(given.limits.min, given.limits.max)
            && (self.address, self.page_size_log2, self.shared)
                == (given.address, given.page_size_log2, given.shared)
    }
}

/// The type of a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TableType {
    /// The type of its elements.
    pub element: RefType,
    /// Bounds of its size, in elements.
    pub limits: Limits,
    /// The type of indices into it.
    pub address: AddressType,
}

impl TableType {
    /// An ordinary table: one with 32-bit indices.
    pub fn new(element: RefType, limits: Limits) -> TableType {
        TableType { element, limits, address: AddressType::I32 }
    }
}

/// The type of a global.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GlobalType {
    /// The type of its value.
    pub content: ValType,
    /// Whether it can be set.
    pub mutable: bool,
}

/// The type of something that a module imports or exports.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A global.
    Global(GlobalType),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A tag: exceptions that carry what a function of this type takes. It has no results.
    Tag(FuncType),
}

impl ExternType {
    /// The same with other type definitions in the place of those that it names.
    pub fn map_concrete(&self, map: &dyn Fn(TypeId) -> TypeId) -> ExternType {
        match self {
            ExternType::Func(ty) => ExternType::Func(ty.map_concrete(map)),
            ExternType::Global(ty) => ExternType::Global(ty.map_concrete(map)),
            ExternType::Table(ty) => ExternType::Table(ty.map_concrete(map)),
            ExternType::Memory(ty) => ExternType::Memory(*ty),
            ExternType::Tag(ty) => ExternType::Tag(ty.map_concrete(map)),
        }
    }
}

impl TableType {
    /// The same with another type definition in the place of that which it names.
    pub fn map_concrete(self, map: impl FnOnce(TypeId) -> TypeId) -> TableType {
        let RefType { nullable, heap } = self.element;
        TableType { element: RefType { nullable, heap: heap.map_concrete(map) }, ..self }
    }
}

impl GlobalType {
    /// The same with another type definition in the place of that which it names.
    pub fn map_concrete(self, map: impl FnOnce(TypeId) -> TypeId) -> GlobalType {
        GlobalType { content: self.content.map_concrete(map), ..self }
    }
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExternType::Func(ty) => write!(f, "func {ty}"),
            ExternType::Global(ty) if ty.mutable => write!(f, "global (mut {})", ty.content),
            ExternType::Global(ty) => write!(f, "global {}", ty.content),
            ExternType::Table(ty) => {
                f.write_str("table ")?;
                write_address(f, ty.address)?;
                write!(f, "{} {}", ty.limits, ty.element)
            }
            ExternType::Memory(ty) => {
                f.write_str("memory ")?;
                write_address(f, ty.address)?;
                ty.limits.fmt(f)?;
                f.write_str(if ty.shared { " shared" } else { "" })?;
                match ty.page_size() {
                    PAGE_SIZE => Ok(()),
                    size => write!(f, " (pagesize {size})"),
                }
            }
            ExternType::Tag(ty) => write!(f, "tag {ty}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_admit_what_the_spec_says() {
        let wanted = Limits { min: 2, max: Some(5) };
        assert!(wanted.admits(2, Some(5)));
        assert!(wanted.admits(3, Some(4)));
        assert!(!wanted.admits(1, Some(5)), "too small");
        assert!(!wanted.admits(2, Some(6)), "may grow too far");
        assert!(!wanted.admits(2, None), "may grow without bound");
        assert!(Limits { min: 0, max: None }.admits(7, None));
    }

    #[test]
    fn types_read_as_in_the_text_format() {
        let ty = FuncType::new([ValType::I32, ValType::EXTERNREF], [ValType::F64]);
        assert_eq!(ty.to_string(), "(i32, externref) -> (f64)");
        assert!(ty.has_refs() && !ty.has_vectors());
        let limits = Limits { min: 1, max: Some(2) };
        let mut memory = MemoryType::new(limits);
        assert_eq!(ExternType::Memory(memory).to_string(), "memory 1 2");
        memory.address = AddressType::I64;
        memory.shared = true;
        memory.page_size_log2 = 0;
        assert_eq!(ExternType::Memory(memory).to_string(), "memory i64 1 2 shared (pagesize 1)");
        let table = TableType::new(RefType::FUNC, limits);
        assert_eq!(ExternType::Table(table).to_string(), "table 1 2 funcref");
        let table = TableType { address: AddressType::I64, ..table };
        assert_eq!(ExternType::Table(table).to_string(), "table i64 1 2 funcref");
    }

    #[test]
    fn memories_end_where_their_addresses_do() {
        let ordinary = MemoryType::new(Limits { min: 0, max: None });
        let bytewise = MemoryType { page_size_log2: 0, ..ordinary };
        let wide = MemoryType { address: AddressType::I64, ..ordinary };
        let wide_bytewise = MemoryType { page_size_log2: 0, ..wide };
        assert_eq!(ordinary.max_pages(), 1 << 16);
        assert_eq!(bytewise.max_pages(), u64::from(u32::MAX));
        assert_eq!(wide.max_pages(), 1 << 48);
        assert_eq!(wide_bytewise.max_pages(), u64::MAX);
        assert_eq!(wide.bytes(1 << 48), None, "one byte more than can be counted");
        for other in [bytewise, wide, MemoryType { shared: true, ..ordinary }] {
            assert!(!ordinary.admits(&other) && !other.admits(&ordinary) && other.admits(&other));
        }
    }
}
