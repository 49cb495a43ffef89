//! Modules.

use std::sync::{Arc, OnceLock};

use super::tiers::{self, Tiers};
use super::{Engine, Error, preset, workers};
use crate::abi::blob::Blob;
use crate::abi::layout::{ContextLayout, ContextShape, MemoryStyle};
use crate::compile::unpack;
use crate::module::{self, Entity, EntityType, ModuleInfo, Names};
use crate::vm::code::CodeSpace;
use crate::vm::image::{Image, ImageParts};
use crate::vm::striped::Striped;
use crate::wasm::{
    DefinedFuncIndex, ExternType, Feature, FuncIndex, HeapType, MemoryIndex, TypeId, TypeIndex,
    ValType,
};

/// A valid module, compiled or ready to be. Cloning it gives another handle to the same; what threads
/// do with theirs costs least as long as the first handle, or one of [`Module::anchor`], is there.
#[derive(Clone)]
pub struct Module(pub(super) Striped<Arc<Inner>>);

pub(super) struct Inner {
    pub(super) engine: Engine,
    pub(super) info: ModuleInfo,
    pub(super) kept: Kept,
    pub(super) image: Image,
    pub(super) tiers: Tiers,
    custom: OnceLock<Vec<u8>>,
    names: OnceLock<Names>,
    main_memory: OnceLock<Option<MemoryIndex>>,
}

/// What is kept of the bytes that a module was made of.
pub(super) enum Kept {
    /// All.
    Source(Blob),
    /// What [`module::strip`] leaves: the code is there, so that bodies need not be.
    Stripped {
        /// All but the custom sections.
        module: Blob,
        /// The custom sections, compressed.
        custom: Blob,
    },
}

impl Kept {
    /// The bytes that the module's data segments are in.
    pub(super) fn module(&self) -> &Blob {
        match self {
            Kept::Source(module) | Kept::Stripped { module, .. } => module,
        }
    }
}

/// Something that a module imports.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportType<'a> {
    /// The first part of its name.
    pub module: &'a str,
    /// The second part of its name.
    pub name: &'a str,
    /// What it has to be.
    pub ty: ExternType,
}

/// Something that a module exports.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportType<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub ty: ExternType,
}

/// Modules up to this size are validated without starting threads.
const SMALL_MODULE: usize = 256 << 10;

impl Module {
    /// Makes a module of bytes in the binary format.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the bytes are no valid module, [`Error::Compile`] when a function
    /// exceeds what can be compiled, [`Error::Limit`] when there is no memory.
    pub fn new(engine: &Engine, bytes: &[u8]) -> Result<Module, Error> {
        let info = parse(engine, bytes)?;
        let kept = Kept::Source(Blob::new(bytes.to_vec()));
        let module = Module::with(engine, info, kept, Tiers::default());
        if tiers::is_eager(&module.0) {
            module.code(engine.store_config().memory.style())?;
        }
        Ok(module)
    }

    /// Makes a module of text in the text format, or of bytes in the binary format.
    ///
    /// # Errors
    ///
    /// As [`Module::new`]; [`Error::Invalid`] also for text that is no module.
    pub fn from_text(engine: &Engine, text: &[u8]) -> Result<Module, Error> {
        Module::new(engine, &wat::parse_bytes(text).map_err(text_error)?)
    }

    /// The binary form of text in the text format. Bytes in the binary format stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], whose message says where in the text something is wrong.
    pub fn text_to_binary(text: &[u8]) -> Result<Vec<u8>, Error> {
        wat::parse_bytes(text).map(std::borrow::Cow::into_owned).map_err(text_error)
    }

    /// Whether the bytes are a valid module.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when they are not.
    pub fn validate(engine: &Engine, bytes: &[u8]) -> Result<(), Error> {
        parse(engine, bytes).map(drop)
    }

    pub(super) fn with(engine: &Engine, info: ModuleInfo, kept: Kept, tiers: Tiers) -> Module {
        let image = image(engine, &info, kept.module());
        let engine = engine.clone();
        let inner = Inner {
            engine,
            info,
            kept,
            image,
            tiers,
            custom: OnceLock::new(),
            names: OnceLock::new(),
            main_memory: OnceLock::new(),
        };
        Module(Striped::new(Arc::new(inner)))
    }

    /// The engine that it was made with.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Whether both are the same module.
    pub fn is(&self, other: &Module) -> bool {
        self.0.is(&other.0)
    }

    /// Another handle, by which threads can share the module for as long as it is there without
    /// slowing each other down.
    pub fn anchor(&self) -> Module {
        Module(self.0.anchor())
    }

    /// What tells it from other modules.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// The imports, in order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        let info = self.info();
        info.imports.iter().map(|import| {
            let ty = self.canonical(&info.import_type(import));
            ImportType { module: &import.module, name: &import.name, ty }
        })
    }

    /// The exports, in order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        let info = self.info();
        let exports = info.exports.iter();
        exports.map(|e| ExportType { name: &e.name, ty: self.canonical(&info.extern_type(e.item)) })
    }

    /// A type of the module's, with the engine's types in the place of the module's.
    pub(super) fn canonical(&self, ty: &ExternType) -> ExternType {
        ty.map_concrete(&|id| self.0.image.canonical(id))
    }

    /// The module's name, if its name section has one.
    pub fn name(&self) -> Option<&str> {
        self.names().module()
    }

    /// The name of a function, if the module's name section has one.
    pub fn func_name(&self, index: FuncIndex) -> Option<&str> {
        self.names().func(index)
    }

    fn names(&self) -> &Names {
        self.0.names.get_or_init(|| Names::parse(self.custom_sections("name")))
    }

    /// The contents of the custom sections called `name`, in order.
    pub fn custom_sections<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let module = match &self.0.kept {
            Kept::Source(module) => module,
            Kept::Stripped { custom, .. } => {
                &self.0.custom.get_or_init(|| unpack(custom).unwrap_or_default())[..]
            }
        };
        module::custom_sections(module, name)
    }

    /// The bytes that it was made of. None if it has been deserialized, and its source was left
    /// out: see [`super::Config::serialize_source`].
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.0.kept {
            Kept::Source(module) => Some(module),
            Kept::Stripped { .. } => None,
        }
    }

    /// Bytes of machine code that there are by now.
    pub fn code_size(&self) -> usize {
        let style = self.engine().store_config().memory.style();
        self.code(style).map_or(0, CodeSpace::code_size)
    }

    /// The number of functions that the module defines.
    pub fn func_count(&self) -> usize {
        self.info().bodies.len()
    }

    /// The features that the module cannot do without. None if its source is not there, as with
    /// [`Module::bytes`].
    pub fn needed_features(&self) -> Option<Vec<Feature>> {
        let bytes = self.bytes()?;
        let all = self.info().features;
        let needs = |feature: &Feature| {
            let mut without = all;
            without.set(*feature, false);
            module::parse(bytes, without, &spread(bytes.len())).is_err()
        };
        Some(all.iter().filter(needs).collect())
    }

    /// The memory that host functions mean by the caller's: that exported as `memory`, or the
    /// first one.
    pub(super) fn main_memory(&self) -> Option<MemoryIndex> {
        *self.0.main_memory.get_or_init(|| {
            let exports = self.info().exports.iter().filter(|export| export.name == "memory");
            let exported = exports.filter_map(|export| match export.item {
                Entity::Memory(index) => Some(index),
                _ => None,
            });
            exported.chain(self.info().memories.keys()).next()
        })
    }

    pub(super) fn info(&self) -> &ModuleInfo {
        &self.0.info
    }

    /// Its code for memories of this style.
    pub(super) fn code(&self, style: MemoryStyle) -> Result<&CodeSpace, Error> {
        self.0.tiers.code(&self.0, style)
    }
}

fn text_error(error: wat::Error) -> Error {
    Error::Invalid { message: error.to_string(), offset: None, missing: None }
}

fn parse(engine: &Engine, bytes: &[u8]) -> Result<ModuleInfo, Error> {
    let features = engine.config().features();
    module::parse(bytes, features, &spread(bytes.len())).map_err(Error::from)
}

/// How the bodies of a module of this size are validated.
fn spread(size: usize) -> impl Fn(usize, &(dyn Fn(usize) + Sync)) {
    move |count, job| workers::spread(count, size <= SMALL_MODULE, job)
}

fn image(engine: &Engine, info: &ModuleInfo, bytes: &Blob) -> Image {
    let imported = info.imported;
    let layout = ContextLayout::new(ContextShape {
        memories: info.memories.len() as u32 - imported.memories,
        globals: info.globals.len() as u32 - imported.globals,
        tables: info.tables.len() as u32 - imported.tables,
        imported_memories: imported.memories,
        imported_globals: imported.globals,
        imported_tables: imported.tables,
        imported_funcs: imported.funcs,
        func_refs: info.func_ref_count,
    });
    let types = engine.types().of_module(info.types.as_values_slice(), &info.group_ends);
    let types = types.expect("a module's types only name each other");
    let canonical = |id: TypeId| match id.module_index() {
        Some(index) => types[index as usize].id(),
        None => id,
    };
    let defined_tables = info.tables.values().skip(imported.tables as usize);
    let tables = preset::table_images(info);
    let parts = ImageParts {
        memories: info.memories.values().skip(imported.memories as usize).copied().collect(),
        tables: defined_tables.map(|ty| ty.map_concrete(canonical)).collect(),
        globals: info.globals.values().map(|ty| ty.map_concrete(canonical)).collect(),
        func_refs: func_refs(info),
        tags: info.tags.values().skip(imported.tags as usize).copied().collect(),
        imported_tags: imported.tags,
        data: info.data.iter().map(|segment| segment.range.clone()).collect(),
        bytes: bytes.clone(),
        element_types: element_types(info),
        data_image: tables.is_some().then(|| preset::data_image(info, bytes)).flatten(),
        table_images: tables,
        shares_refs: shares_refs(info),
        uses_heap: !info.tags.is_empty() || info.types.values().any(|ty| ty.func().is_none()),
    };
    Image::new(layout, types, parts)
}

/// The defined functions that can be referred to, in the order of their numbers: see
/// [`ModuleInfo::func_refs`].
fn func_refs(info: &ModuleInfo) -> Box<[(DefinedFuncIndex, TypeIndex)]> {
    let numbered = |defined: DefinedFuncIndex| {
        let func = info.func_index(defined);
        info.func_refs[func].map(|_| (defined, info.funcs[func]))
    };
    info.bodies.keys().filter_map(numbered).collect()
}

/// What the references of each element segment refer to.
fn element_types(info: &ModuleInfo) -> Box<[HeapType]> {
    info.elements.iter().map(|segment| segment.ty.heap).collect()
}

/// See [`ImageParts::shares_refs`].
fn shares_refs(info: &ModuleInfo) -> bool {
    // Exceptions refer to their tag, and get anywhere.
    !info.tags.is_empty()
        || info.imports.iter().any(|import| match import.ty {
            EntityType::Func(ty) => info.signature(ty).has_refs(),
            EntityType::Table(_) | EntityType::Tag(_) => true,
            EntityType::Global(ty) => matches!(ty.content, ValType::Ref(_)),
            EntityType::Memory(_) => false,
        })
}
