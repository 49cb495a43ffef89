//! Types of values and of what modules import and export (core spec, section 2.3).

use std::fmt;

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
    /// The nullable reference to any exception.
    pub const EXNREF: ValType = ValType::Ref(RefType::EXN);

    /// Whether values of this type are references.
    pub fn is_ref(self) -> bool {
        matches!(self, ValType::Ref(_))
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

/// The type of a reference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RefType {
    /// Whether null is a value of the type.
    pub nullable: bool,
    /// What a reference that is not null refers to.
    pub heap: HeapType,
}

impl RefType {
    /// `funcref`.
    pub const FUNC: RefType = RefType { nullable: true, heap: HeapType::Func };
    /// `externref`.
    pub const EXTERN: RefType = RefType { nullable: true, heap: HeapType::Extern };
    /// `exnref`.
    pub const EXN: RefType = RefType { nullable: true, heap: HeapType::Exn };
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.nullable, self.heap) {
            (true, HeapType::Func) => f.write_str("funcref"),
            (true, HeapType::Extern) => f.write_str("externref"),
            (true, HeapType::Exn) => f.write_str("exnref"),
            (false, HeapType::Exn) => f.write_str("(ref exn)"),
            (false, HeapType::Func) => f.write_str("(ref func)"),
            (false, HeapType::Extern) => f.write_str("(ref extern)"),
        }
    }
}

/// What a reference refers to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HeapType {
    /// A function.
    Func,
    /// An object of the host.
    Extern,
    /// An exception.
    Exn,
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

/// The type of a linear memory; limits in pages of 64 KiB.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MemoryType {
    /// Bounds of its size, in pages.
    pub limits: Limits,
}

/// The type of a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TableType {
    /// The type of its elements.
    pub element: RefType,
    /// Bounds of its size, in elements.
    pub limits: Limits,
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

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExternType::Func(ty) => write!(f, "func {ty}"),
            ExternType::Global(ty) if ty.mutable => write!(f, "global (mut {})", ty.content),
            ExternType::Global(ty) => write!(f, "global {}", ty.content),
            ExternType::Table(ty) => write!(f, "table {} {}", ty.limits, ty.element),
            ExternType::Memory(ty) => write!(f, "memory {}", ty.limits),
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
        assert_eq!(ExternType::Memory(MemoryType { limits }).to_string(), "memory 1 2");
    }
}
