//! Bytes to a validated [`ModuleInfo`]. May use: wasm.
//!
//! [`parse`] is the only way in: what it returns has passed validation, function bodies included,
//! so the rooms behind it need not doubt what they read. [`decode`] reads again what has.

#![forbid(unsafe_code)]

mod const_expr;
mod hints;
mod names;
mod sections;
mod skeleton;

use std::iter;
use std::ops::Range;
use std::sync::Mutex;

use cranelift_entity::{PrimaryMap, SecondaryMap};
use wasmparser::{FuncToValidate, FuncValidatorAllocations, FunctionBody, ValidatorResources};

use crate::wasm::{
    DefinedFuncIndex, ExternType, Feature, Features, FuncIndex, FuncType, GlobalIndex, GlobalType,
    MemoryIndex, MemoryType, RefType, SubType, TableIndex, TableType, TagIndex, TypeId, TypeIndex,
};

pub use const_expr::{ConstExpr, ConstOp};
pub use hints::{BranchHint, BranchHints};
pub use names::Names;
use sections::Sort;
pub use skeleton::{custom_sections, decode, strip};

/// What a module is made of, without the bodies of its functions: those stay in the bytes.
#[derive(Debug, Default)]
pub struct ModuleInfo {
    /// The types that it defines. They name each other by [`TypeId::in_module`].
    pub types: PrimaryMap<TypeIndex, SubType>,
    /// The end of each recursive group among the types.
    pub group_ends: Vec<u32>,
    /// The sort of each type; while types are decoded, there are more of these.
    sorts: Vec<Sort>,
    /// The imports, in order.
    pub imports: Vec<Import>,
    /// The type of each function, imported ones first.
    pub funcs: PrimaryMap<FuncIndex, TypeIndex>,
    /// The tables, imported ones first.
    pub tables: PrimaryMap<TableIndex, TableType>,
    /// What the elements of each defined table start with; none for null.
    pub table_inits: Vec<Option<ConstExpr>>,
    /// The memories, imported ones first.
    pub memories: PrimaryMap<MemoryIndex, MemoryType>,
    /// The globals, imported ones first.
    pub globals: PrimaryMap<GlobalIndex, GlobalType>,
    /// The type of each tag, imported ones first.
    pub tags: PrimaryMap<TagIndex, TypeIndex>,
    /// How many of the functions, tables, memories, globals and tags are imported.
    pub imported: ImportCounts,
    /// The values that defined globals start with.
    pub global_inits: Vec<ConstExpr>,
    /// The exports, in order.
    pub exports: Vec<Export>,
    /// The function to run at the end of instantiation.
    pub start: Option<FuncIndex>,
    /// The element segments.
    pub elements: Vec<ElementSegment>,
    /// The data segments.
    pub data: Vec<DataSegment>,
    /// Where in the module's bytes each function's body is.
    pub bodies: PrimaryMap<DefinedFuncIndex, Range<u32>>,
    /// Which way branches are likely to go, unless the feature is off.
    pub branch_hints: BranchHints,
    /// For each defined function that can be referred to (it is exported, named by an element
    /// segment or a constant expression, or the start function): its number among those, in their
    /// order.
    pub func_refs: SecondaryMap<FuncIndex, Option<u32>>,
    /// How many functions have a number in `func_refs`.
    pub func_ref_count: u32,
    /// The features that validation was asked to allow.
    pub features: Features,
}

/// How many entities of each kind a module imports.
#[derive(Debug, Default, Clone, Copy)]
pub struct ImportCounts {
    /// Imported functions.
    pub funcs: u32,
    /// Imported tables.
    pub tables: u32,
    /// Imported memories.
    pub memories: u32,
    /// Imported globals.
    pub globals: u32,
    /// Imported tags.
    pub tags: u32,
}

/// Something that a module wants from outside.
#[derive(Debug)]
pub struct Import {
    /// The first part of its name.
    pub module: String,
    /// The second part of its name.
    pub name: String,
    /// What it has to be.
    pub ty: EntityType,
}

/// The type of an import, functions and tags by their index into the types.
#[derive(Debug, Clone, Copy)]
pub enum EntityType {
    /// A function of this type.
    Func(TypeIndex),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A global.
    Global(GlobalType),
    /// A tag of exceptions that carry what a function of this type takes.
    Tag(TypeIndex),
}

/// Something that a module shows to the outside.
#[derive(Debug)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// What it is.
    pub item: Entity,
}

/// One entity of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// A function.
    Func(FuncIndex),
    /// A table.
    Table(TableIndex),
    /// A memory.
    Memory(MemoryIndex),
    /// A global.
    Global(GlobalIndex),
    /// A tag.
    Tag(TagIndex),
}

/// An element segment (core spec, section 2.5.7).
#[derive(Debug)]
pub struct ElementSegment {
    /// What becomes of it at instantiation.
    pub mode: SegmentMode<TableIndex>,
    /// The type of its references.
    pub ty: RefType,
    /// Its references.
    pub items: ElementItems,
}

/// The references of an element segment.
#[derive(Debug)]
pub enum ElementItems {
    /// Functions by index.
    Funcs(Box<[FuncIndex]>),
    /// Expressions.
    Exprs(Box<[ConstExpr]>),
}

/// A data segment (core spec, section 2.5.8).
#[derive(Debug)]
pub struct DataSegment {
    /// What becomes of it at instantiation.
    pub mode: SegmentMode<MemoryIndex>,
    /// Where in the module's bytes its data is.
    pub range: Range<usize>,
}

/// What becomes of a segment at instantiation.
#[derive(Debug)]
pub enum SegmentMode<Index> {
    /// Nothing: instructions may use it.
    Passive,
    /// It is written to `target` at `offset`.
    Active {
        /// The table or memory.
        target: Index,
        /// Where in the table or memory.
        offset: ConstExpr,
    },
    /// Nothing, ever: it only declares that functions are referred to.
    Declared,
}

impl ModuleInfo {
    /// Bytes of all functions' bodies.
    pub fn code_size(&self) -> usize {
        self.bodies.values().map(|body| body.len()).sum()
    }

    /// The function that the body `index` belongs to.
    pub fn func_index(&self, index: DefinedFuncIndex) -> FuncIndex {
        FuncIndex::from_u32(index.as_u32() + self.imported.funcs)
    }

    /// The body of the function `index`, if it is defined here.
    pub fn defined_func(&self, index: FuncIndex) -> Option<DefinedFuncIndex> {
        index.as_u32().checked_sub(self.imported.funcs).map(DefinedFuncIndex::from_u32)
    }

    /// The type of the function `index`.
    pub fn func_type(&self, index: FuncIndex) -> &FuncType {
        self.signature(self.funcs[index])
    }

    /// The function type with this index.
    pub fn signature(&self, index: TypeIndex) -> &FuncType {
        self.types[index].func().expect("validation wants a function type here")
    }

    /// The type that this one is declared to be below.
    fn supertype(&self, index: TypeIndex) -> Option<TypeIndex> {
        self.types[index].supertype.and_then(TypeId::module_index).map(TypeIndex::from_u32)
    }

    /// How many types this type is below.
    pub fn depth(&self, index: TypeIndex) -> u32 {
        iter::successors(self.supertype(index), |above| self.supertype(*above)).count() as u32
    }

    /// Whether the type is `other` or below it, as far as that can be told from its declaration.
    pub fn is_below(&self, index: TypeIndex, other: TypeIndex) -> bool {
        iter::successors(Some(index), |above| self.supertype(*above)).any(|index| index == other)
    }

    /// The type of the tag `index`: what its exceptions carry are the parameters.
    pub fn tag_type(&self, index: TagIndex) -> &FuncType {
        self.signature(self.tags[index])
    }

    /// The type of an entity, as the outside sees it.
    pub fn extern_type(&self, entity: Entity) -> ExternType {
        match entity {
            Entity::Func(index) => ExternType::Func(self.func_type(index).clone()),
            Entity::Table(index) => ExternType::Table(self.tables[index]),
            Entity::Memory(index) => ExternType::Memory(self.memories[index]),
            Entity::Global(index) => ExternType::Global(self.globals[index]),
            Entity::Tag(index) => ExternType::Tag(self.tag_type(index).clone()),
        }
    }

    /// The type of an import, as the outside sees it.
    pub fn import_type(&self, import: &Import) -> ExternType {
        match import.ty {
            EntityType::Func(ty) => ExternType::Func(self.signature(ty).clone()),
            EntityType::Table(ty) => ExternType::Table(ty),
            EntityType::Memory(ty) => ExternType::Memory(ty),
            EntityType::Global(ty) => ExternType::Global(ty),
            EntityType::Tag(ty) => ExternType::Tag(self.signature(ty).clone()),
        }
    }

    /// Notes that a reference to `func` can come into being.
    fn declare_func_ref(&mut self, func: FuncIndex) {
        if self.defined_func(func).is_some() {
            self.func_refs[func] = Some(0);
        }
    }

    /// Gives the functions that references can come into being to their numbers, in their order.
    fn number_func_refs(&mut self) {
        for number in self.func_refs.values_mut().flatten() {
            *number = self.func_ref_count;
            self.func_ref_count += 1;
        }
    }
}

/// Why bytes are not a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// Where in the bytes.
    pub offset: usize,
    /// The feature that would have to be switched on, if that is known to be the reason.
    pub missing: Option<Feature>,
}

impl ParseError {
    fn new(message: impl Into<String>, offset: usize) -> ParseError {
        ParseError { message: message.into(), offset, missing: None }
    }
}

impl From<wasmparser::Error> for ParseError {
    fn from(error: wasmparser::Error) -> ParseError {
        let missing = error.missing_wasm_feature().and_then(sections::missing_feature);
        ParseError {
            message: error.message().to_owned(),
            offset: usize::try_from(error.offset()).unwrap_or(usize::MAX),
            missing,
        }
    }
}

/// Runs `job(0)`, …, `job(n - 1)`, in any order and on any threads, and returns when all are done.
pub type Spread<'a> = &'a dyn Fn(usize, &(dyn Fn(usize) + Sync));

/// Decodes and validates a module, its bodies as independent jobs of `spread`.
///
/// # Errors
///
/// The first thing in the bytes that is wrong.
pub fn parse(bytes: &[u8], features: Features, spread: Spread) -> Result<ModuleInfo, ParseError> {
    parse_with(bytes, features, spread).map_err(|mut error| {
        error.missing = error.missing.or_else(|| missing(bytes, features, spread, error.offset));
        error
    })
}

fn parse_with(bytes: &[u8], features: Features, spread: Spread) -> Result<ModuleInfo, ParseError> {
    let (info, bodies) = sections::parse(bytes, features)?;
    validate_bodies(bodies, spread)?;
    Ok(info)
}

/// The feature with which there would be no error up to `offset`, if that is one feature alone.
fn missing(bytes: &[u8], features: Features, spread: Spread, offset: usize) -> Option<Feature> {
    let mut off = Feature::ALL.iter().copied().filter(|feature| !features.has(*feature));
    off.find(|feature| {
        let mut with = features;
        with.set(*feature, true);
        parse_with(bytes, with, spread).map_or_else(|error| error.offset > offset, |_| true)
    })
}

type Body<'a> = (FuncToValidate<ValidatorResources>, FunctionBody<'a>);

/// Bytes of function bodies that make one job: some tenths of a millisecond.
const BODY_BYTES_PER_JOB: u64 = 64 * 1024;

fn validate_bodies(bodies: Vec<Body>, spread: Spread) -> Result<(), ParseError> {
    let mut jobs = Vec::new();
    let mut job = Vec::new();
    let mut size = 0;
    for body in bodies {
        let range = body.1.range();
        size += range.end - range.start;
        job.push(body);
        if size >= BODY_BYTES_PER_JOB {
            jobs.push(Mutex::new(std::mem::take(&mut job)));
            size = 0;
        }
    }
    if !job.is_empty() {
        jobs.push(Mutex::new(job));
    }

    let first_error: Mutex<Option<ParseError>> = Mutex::new(None);
    spread(jobs.len(), &|index| {
        let bodies = std::mem::take(&mut *lock(&jobs[index]));
        if let Err(error) = validate_in_turn(bodies) {
            let mut first = lock(&first_error);
            // Which job fails first must not decide which error is reported.
            if first.as_ref().is_none_or(|other| error.offset < other.offset) {
                *first = Some(error);
            }
        }
    });
    match lock(&first_error).take() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn validate_in_turn(bodies: Vec<Body>) -> Result<(), ParseError> {
    let mut allocations = FuncValidatorAllocations::default();
    for (func, body) in bodies {
        let mut validator = func.into_validator(allocations);
        validator.validate(&body)?;
        allocations = validator.into_allocations();
    }
    Ok(())
}
