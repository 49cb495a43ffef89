//! What of a module matters to those who link it: its types, imports and exports.

use wasmparser::{
    AbstractHeapType, CompositeInnerType, ExternalKind, FieldType, FuncType, GlobalType, HeapType,
    MemoryType, Parser, Payload, RefType, StorageType, SubType, TableType, TypeRef, UnpackedIndex,
    ValType,
};

/// A module from outside.
#[derive(Default)]
pub struct Shape<'a> {
    /// All types, and their section as it is, without its count.
    pub types: Vec<SubType>,
    pub type_bytes: &'a [u8],
    /// How many entries the section has: recursive groups are one each.
    pub type_count: u32,
    pub imports: Vec<TypeRef>,
    pub exports: Vec<Export<'a>>,
    funcs: Vec<u32>,
    tables: Vec<TableType>,
    memories: Vec<MemoryType>,
    globals: Vec<GlobalType>,
    tags: Vec<u32>,
}

pub struct Export<'a> {
    pub name: &'a str,
    pub ty: TypeRef,
}

impl<'a> Shape<'a> {
    /// The shape of a module, if it can be read.
    pub fn of(wasm: &'a [u8]) -> wasmparser::Result<Shape<'a>> {
        let mut shape = Shape::default();
        for payload in Parser::new(0).parse_all(wasm) {
            shape.section(wasm, payload?)?;
        }
        Ok(shape)
    }

    fn section(&mut self, wasm: &'a [u8], payload: Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                let bytes = &wasm[section.range().start as usize..section.range().end as usize];
                let count =
                    bytes.iter().position(|byte| byte & 0x80 == 0).map_or(0, |last| last + 1);
                (self.type_bytes, self.type_count) = (&bytes[count..], section.count());
                for group in section {
                    self.types.extend(group?.into_types());
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let ty = import?.ty;
                    self.imports.push(ty);
                    match ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => self.funcs.push(ty),
                        TypeRef::Table(ty) => self.tables.push(ty),
                        TypeRef::Memory(ty) => self.memories.push(ty),
                        TypeRef::Global(ty) => self.globals.push(ty),
                        TypeRef::Tag(ty) => self.tags.push(ty.func_type_idx),
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.funcs.push(ty?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.tables.push(table?.ty);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories.push(memory?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    self.globals.push(global?.ty);
                }
            }
            Payload::TagSection(section) => {
                for tag in section {
                    self.tags.push(tag?.func_type_idx);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if let Some(ty) = self.item(export.kind, export.index as usize) {
                        self.exports.push(Export { name: export.name, ty });
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn item(&self, kind: ExternalKind, index: usize) -> Option<TypeRef> {
        Some(match kind {
            ExternalKind::Func | ExternalKind::FuncExact => TypeRef::Func(*self.funcs.get(index)?),
            ExternalKind::Table => TypeRef::Table(*self.tables.get(index)?),
            ExternalKind::Memory => TypeRef::Memory(*self.memories.get(index)?),
            ExternalKind::Global => TypeRef::Global(*self.globals.get(index)?),
            ExternalKind::Tag => TypeRef::Tag(wasmparser::TagType {
                kind: wasmparser::TagKind::Exception,
                func_type_idx: *self.tags.get(index)?,
            }),
        })
    }

    /// The function type of this number.
    pub fn func_type(&self, index: u32) -> Option<&FuncType> {
        match &self.types.get(index as usize)?.composite_type.inner {
            CompositeInnerType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// How to make a reference that is not null.
    pub fn some_ref(&self, ty: RefType) -> Option<SomeRef> {
        match ty.heap_type() {
            HeapType::Abstract { ty, .. } => Some(match ty {
                AbstractHeapType::Any | AbstractHeapType::Eq | AbstractHeapType::I31 => {
                    SomeRef::I31
                }
                AbstractHeapType::Extern if self.has_gc_types() => SomeRef::ExternI31,
                _ => return None,
            }),
            HeapType::Concrete(UnpackedIndex::Module(index)) => {
                let inner = &self.types.get(index as usize)?.composite_type.inner;
                match inner {
                    CompositeInnerType::Func(_) => Some(SomeRef::Func(index)),
                    CompositeInnerType::Struct(ty) => {
                        let defaultable = ty.fields.iter().all(has_default);
                        defaultable.then_some(SomeRef::Struct(index))
                    }
                    CompositeInnerType::Array(ty) => {
                        has_default(&ty.0).then_some(SomeRef::Array(index))
                    }
                    CompositeInnerType::Cont(_) => None,
                }
            }
            _ => None,
        }
    }

    /// Whether the module shows that it may use structs and arrays.
    fn has_gc_types(&self) -> bool {
        let is_func = |ty: &SubType| matches!(ty.composite_type.inner, CompositeInnerType::Func(_));
        !self.types.iter().all(is_func)
    }

    /// Whether references of this type may be numbers.
    pub fn may_be_i31(&self, ty: RefType) -> bool {
        match ty.heap_type() {
            HeapType::Abstract { ty, .. } => {
                matches!(ty, AbstractHeapType::Any | AbstractHeapType::Eq | AbstractHeapType::I31)
            }
            _ => false,
        }
    }
}

/// A reference that is not null, as an expression makes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SomeRef {
    I31,
    /// The same, as an object of the host.
    ExternI31,
    /// A function of the type with this number.
    Func(u32),
    Struct(u32),
    Array(u32),
}

fn has_default(field: &FieldType) -> bool {
    match field.element_type {
        StorageType::Val(ty) => ty.is_defaultable(),
        StorageType::I8 | StorageType::I16 => true,
    }
}

/// Whether the type is one that every host can pass.
pub fn is_number(ty: ValType) -> bool {
    matches!(ty, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64)
}

/// The names of a module's exports, in order.
pub fn export_names(wasm: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        if let Payload::ExportSection(section) = payload {
            names.extend(section.into_iter().flatten().map(|export| export.name.to_owned()));
        }
    }
    names
}
