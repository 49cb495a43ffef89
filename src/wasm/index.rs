//! Typed indices: an index of one index space never serves as one of another.

use cranelift_entity::entity_impl;

macro_rules! index_types {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);
        entity_impl!($name, $prefix);
    )*};
}

index_types! {
    /// Index into the types of a module.
    TypeIndex "type";
    /// Index into the functions of a module, imported ones first.
    FuncIndex "func";
    /// Index into the functions that a module defines (those with a body).
    DefinedFuncIndex "body";
    /// Index into the tables of a module, imported ones first.
    TableIndex "table";
    /// Index into the memories of a module, imported ones first.
    MemoryIndex "memory";
    /// Index into the globals of a module, imported ones first.
    GlobalIndex "global";
    /// Index into the tags of a module, imported ones first.
    TagIndex "tag";
}
