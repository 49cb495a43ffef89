//! Types of references, and what they refer to (core spec, sections 2.3.3 and 2.3.4).

use std::fmt;

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
    /// `anyref`.
    pub const ANY: RefType = RefType { nullable: true, heap: HeapType::Any };
    /// `exnref`.
    pub const EXN: RefType = RefType { nullable: true, heap: HeapType::Exn };
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = match self.heap {
            HeapType::Func => "funcref",
            HeapType::NoFunc => "nullfuncref",
            HeapType::Extern => "externref",
            HeapType::NoExtern => "nullexternref",
            HeapType::Any => "anyref",
            HeapType::Eq => "eqref",
            HeapType::I31 => "i31ref",
            HeapType::Struct => "structref",
            HeapType::Array => "arrayref",
            HeapType::None => "nullref",
            HeapType::Exn => "exnref",
            HeapType::NoExn => "nullexnref",
            _ => "",
        };
        match self.nullable {
            true if !short.is_empty() => f.write_str(short),
            true => write!(f, "(ref null {})", self.heap),
            false => write!(f, "(ref {})", self.heap),
        }
    }
}

/// What a reference refers to (core spec, section 2.3.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HeapType {
    /// Any function.
    Func,
    /// Nothing: the type of null among the references to functions.
    NoFunc,
    /// A function of this type.
    ConcreteFunc(TypeId),
    /// Anything, seen from outside of WebAssembly.
    Extern,
    /// Nothing: the type of null among the external references.
    NoExtern,
    /// Anything that is no function and no exception.
    Any,
    /// Anything that can be compared: numbers, structs, arrays.
    Eq,
    /// A number of 31 bits.
    I31,
    /// Any struct.
    Struct,
    /// Any array.
    Array,
    /// A struct of this type.
    ConcreteStruct(TypeId),
    /// An array of this type.
    ConcreteArray(TypeId),
    /// Nothing: the type of null among the internal references.
    None,
    /// An exception.
    Exn,
    /// Nothing: the type of null among the references to exceptions.
    NoExn,
}

/// The families of references: a value of one never is a value of another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    /// Functions.
    Func,
    /// What is seen from outside.
    Extern,
    /// What is seen from inside.
    Any,
    /// Exceptions.
    Exn,
}

impl HeapType {
    /// The family that it belongs to.
    pub const fn family(self) -> Family {
        match self {
            HeapType::Func | HeapType::NoFunc | HeapType::ConcreteFunc(_) => Family::Func,
            HeapType::Extern | HeapType::NoExtern => Family::Extern,
            HeapType::Exn | HeapType::NoExn => Family::Exn,
            _ => Family::Any,
        }
    }

    /// The type definition that it names, if it names one.
    pub const fn concrete(self) -> Option<TypeId> {
        match self {
            HeapType::ConcreteFunc(id)
            | HeapType::ConcreteStruct(id)
            | HeapType::ConcreteArray(id) => Some(id),
            _ => None,
        }
    }

    /// The same with another type definition in the place of that which it names.
    pub fn map_concrete(self, map: impl FnOnce(TypeId) -> TypeId) -> HeapType {
        match self {
            HeapType::ConcreteFunc(id) => HeapType::ConcreteFunc(map(id)),
            HeapType::ConcreteStruct(id) => HeapType::ConcreteStruct(map(id)),
            HeapType::ConcreteArray(id) => HeapType::ConcreteArray(map(id)),
            other => other,
        }
    }

    /// Whether every value of this type is one of `wanted`, when that can be told without knowing
    /// the type definitions (core spec, section 3.3.3). `is_below` is asked whether one
    /// definition is another's subtype.
    pub fn matches(self, wanted: HeapType, is_below: impl FnOnce(TypeId, TypeId) -> bool) -> bool {
        use HeapType as H;
        if self == wanted {
            return true;
        }
        match (self, wanted) {
            (H::NoFunc, _) => wanted.family() == Family::Func,
            (H::NoExtern, _) => wanted.family() == Family::Extern,
            (H::None, _) => wanted.family() == Family::Any,
            (H::NoExn, _) => wanted.family() == Family::Exn,
            (H::ConcreteFunc(_), H::Func) => true,
            (_, H::Any) => self.family() == Family::Any,
            (H::I31 | H::Struct | H::Array | H::ConcreteStruct(_) | H::ConcreteArray(_), H::Eq) => {
                true
            }
            (H::ConcreteStruct(_), H::Struct) | (H::ConcreteArray(_), H::Array) => true,
            (H::ConcreteFunc(a), H::ConcreteFunc(b))
            | (H::ConcreteStruct(a), H::ConcreteStruct(b))
            | (H::ConcreteArray(a), H::ConcreteArray(b)) => is_below(a, b),
            _ => false,
        }
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeapType::Func => "func",
            HeapType::NoFunc => "nofunc",
            HeapType::Extern => "extern",
            HeapType::NoExtern => "noextern",
            HeapType::Any => "any",
            HeapType::Eq => "eq",
            HeapType::I31 => "i31",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::None => "none",
            HeapType::Exn => "exn",
            HeapType::NoExn => "noexn",
            HeapType::ConcreteFunc(id) => return write!(f, "func#{id}"),
            HeapType::ConcreteStruct(id) => return write!(f, "struct#{id}"),
            HeapType::ConcreteArray(id) => return write!(f, "array#{id}"),
        })
    }
}

/// Which of the types that are defined somewhere. In what a module's bytes are decoded to: the
/// module's type with this index. Everywhere else: a type of an engine, where equal types of
/// different modules have one id, which is never given to another type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TypeId(u64);

/// What distinguishes the three sorts of ids.
const CANONICAL: u64 = 1 << 32;
const IN_GROUP: u64 = 1 << 63;

impl TypeId {
    /// The type with this index in the module at hand.
    pub const fn in_module(index: u32) -> TypeId {
        TypeId(index as u64)
    }

    /// The type at this place of its own recursive group, see [`SubType::map_concrete`].
    pub const fn in_group(index: u32) -> TypeId {
        TypeId(IN_GROUP | index as u64)
    }

    /// The engine type with this number; numbers are given by the engine.
    pub const fn canonical(number: u64) -> TypeId {
        TypeId(CANONICAL + number)
    }

    /// The index into the module's types, if it is one.
    pub const fn module_index(self) -> Option<u32> {
        if self.0 < CANONICAL { Some(self.0 as u32) } else { None }
    }

    /// The number that the engine has given it, if it is the id of an engine's type.
    pub const fn number(self) -> Option<u64> {
        match self.0 {
            CANONICAL..IN_GROUP => Some(self.0 - CANONICAL),
            _ => None,
        }
    }

    /// The place in its own recursive group, if it is one.
    pub const fn group_index(self) -> Option<u32> {
        if self.0 & IN_GROUP != 0 { Some(self.0 as u32) } else { None }
    }
}

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.number().unwrap_or(self.0 & u64::from(u32::MAX)), f)
    }
}
