//! What WebAssembly is: types, indices, features, trap codes. May use: nothing.

#![forbid(unsafe_code)]

mod features;
mod index;
mod reference;
mod trap;
mod types;

pub use features::{Feature, Features};
pub use index::{
    DefinedFuncIndex, FuncIndex, GlobalIndex, MemoryIndex, TableIndex, TagIndex, TypeIndex,
};
pub use reference::{Family, HeapType, RefType, TypeId};
pub use trap::TrapCode;
pub use types::{
    AddressType, ArrayType, CompositeType, ExternType, FieldType, FuncType, GlobalType, Limits,
    MemoryType, StorageType, StructType, SubType, TableType, ValType,
};

/// Bytes in one page of an ordinary linear memory (core spec, section 4.2.8).
pub const PAGE_SIZE: u64 = 1 << 16;
