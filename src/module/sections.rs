//! One function for each section: validated by wasmparser, then collected.

use std::ops::Range;

use wasmparser::{
    AbstractHeapType, BinaryReader, CompositeInnerType, ConstExpr as RawConstExpr, DataKind,
    ElementItems as RawItems, ElementKind, ExternalKind, Parser, Payload, TableInit, TypeRef,
    ValidPayload, Validator, WasmFeatures,
};

use super::hints::{self, BranchHints};
use super::{
    Body, ConstExpr, ConstOp, DataSegment, ElementItems, ElementSegment, Entity, EntityType,
    Export, Import, ModuleInfo, ParseError, SegmentMode,
};
use crate::wasm::{
    AddressType, ArrayType, CompositeType, Feature, Features, FieldType, FuncIndex, FuncType,
    GlobalIndex, GlobalType, HeapType, Limits, MemoryIndex, MemoryType, RefType, StorageType,
    StructType, SubType, TableIndex, TableType, TagIndex, TypeId, TypeIndex, ValType,
};

/// wasmparser's flag for each feature.
const FLAGS: &[(Feature, WasmFeatures)] = &[
    (Feature::MutableGlobal, WasmFeatures::MUTABLE_GLOBAL),
    (Feature::SaturatingFloatToInt, WasmFeatures::SATURATING_FLOAT_TO_INT),
    (Feature::SignExtension, WasmFeatures::SIGN_EXTENSION),
    (Feature::MultiValue, WasmFeatures::MULTI_VALUE),
    (
        Feature::ReferenceTypes,
        // Index immediates of any length came with reference types (core spec, appendix A.1).
        WasmFeatures::REFERENCE_TYPES.union(WasmFeatures::CALL_INDIRECT_OVERLONG),
    ),
    (Feature::BulkMemory, WasmFeatures::BULK_MEMORY.union(WasmFeatures::BULK_MEMORY_OPT)),
    (Feature::Simd, WasmFeatures::SIMD),
    (Feature::ExtendedConst, WasmFeatures::EXTENDED_CONST),
    (Feature::MultiMemory, WasmFeatures::MULTI_MEMORY),
    (Feature::TailCall, WasmFeatures::TAIL_CALL),
    (Feature::FunctionReferences, WasmFeatures::FUNCTION_REFERENCES),
    (Feature::Gc, WasmFeatures::GC),
    (Feature::Exceptions, WasmFeatures::EXCEPTIONS),
    (Feature::LegacyExceptions, WasmFeatures::LEGACY_EXCEPTIONS),
    (Feature::Memory64, WasmFeatures::MEMORY64),
    (Feature::RelaxedSimd, WasmFeatures::RELAXED_SIMD),
    (Feature::Threads, WasmFeatures::THREADS),
    (Feature::WideArithmetic, WasmFeatures::WIDE_ARITHMETIC),
    (Feature::CustomPageSizes, WasmFeatures::CUSTOM_PAGE_SIZES),
];

pub(super) fn flags(features: Features) -> WasmFeatures {
    // `gc_types` only lets wasmparser represent reference types at all.
    let always = WasmFeatures::FLOATS | WasmFeatures::GC_TYPES;
    FLAGS
        .iter()
        .filter(|(feature, _)| features.has(*feature))
        .fold(always, |all, (_, flags)| all | *flags)
}

/// The feature to switch on so that `missing` is there.
pub(super) fn missing_feature(missing: WasmFeatures) -> Option<Feature> {
    FLAGS.iter().find(|(_, flags)| flags.intersects(missing)).map(|(feature, _)| *feature)
}

/// Decodes everything but the bodies, which are returned for validation.
pub(super) fn parse(
    bytes: &[u8],
    features: Features,
) -> Result<(ModuleInfo, Vec<Body<'_>>), ParseError> {
    let flags = flags(features);
    let mut validator = Validator::new_with_features(flags);
    let mut parser = Parser::new(0);
    parser.set_features(flags);
    let mut info = ModuleInfo { features, ..ModuleInfo::default() };
    let mut bodies = Vec::new();
    for payload in parser.parse_all(bytes) {
        let payload = payload?;
        if let ValidPayload::Func(func, body) = validator.payload(&payload)? {
            info.bodies.push(range(body.range())?);
            bodies.push((func, body));
            continue;
        }
        collect(&mut info, payload)?;
    }
    info.number_func_refs();
    Ok((info, bodies))
}

fn range(range: Range<u64>) -> Result<Range<u32>, ParseError> {
    let place = |offset: u64| {
        let too_far = || ParseError::new("the module is larger than 4 GiB", offset as usize);
        u32::try_from(offset).map_err(|_| too_far())
    };
    Ok(place(range.start)?..place(range.end)?)
}

/// Takes one section over.
pub(super) fn collect(info: &mut ModuleInfo, payload: Payload) -> Result<(), ParseError> {
    match payload {
        Payload::TypeSection(section) => {
            for group in section {
                let group = group?;
                // Types of a group may name later ones.
                info.sorts.extend(group.types().map(|ty| sort(&ty.composite_type.inner)));
                for ty in group.into_types() {
                    let ty = info.sub_type(&ty)?;
                    info.types.push(ty);
                }
                info.group_ends.push(info.types.len() as u32);
            }
        }
        Payload::ImportSection(section) => {
            for import in section.into_imports() {
                collect_import(info, import?)?;
            }
        }
        Payload::FunctionSection(section) => {
            info.funcs.reserve(section.count() as usize);
            for ty in section {
                info.funcs.push(TypeIndex::from_u32(ty?));
            }
        }
        Payload::TableSection(section) => {
            for table in section {
                let table = table?;
                let init = match &table.init {
                    TableInit::Expr(expr) => Some(const_expr(info, expr)?),
                    TableInit::RefNull => None,
                };
                info.table_inits.push(init);
                info.tables.push(table_type(info, table.ty)?);
            }
        }
        Payload::MemorySection(section) => {
            for ty in section {
                info.memories.push(memory_type(ty?));
            }
        }
        Payload::TagSection(section) => {
            for tag in section {
                info.tags.push(TypeIndex::from_u32(tag?.func_type_idx));
            }
        }
        Payload::GlobalSection(section) => {
            for global in section {
                let global = global?;
                info.globals.push(global_type(info, global.ty)?);
                let init = const_expr(info, &global.init_expr)?;
                info.global_inits.push(init);
            }
        }
        Payload::ExportSection(section) => {
            for export in section {
                let export = export?;
                let item = match export.kind {
                    ExternalKind::Func => {
                        let func = FuncIndex::from_u32(export.index);
                        info.declare_func_ref(func);
                        Entity::Func(func)
                    }
                    ExternalKind::Table => Entity::Table(TableIndex::from_u32(export.index)),
                    ExternalKind::Memory => Entity::Memory(MemoryIndex::from_u32(export.index)),
                    ExternalKind::Global => Entity::Global(GlobalIndex::from_u32(export.index)),
                    ExternalKind::Tag => Entity::Tag(TagIndex::from_u32(export.index)),
                    ExternalKind::FuncExact => return Err(unsupported(0)),
                };
                info.exports.push(Export { name: export.name.to_owned(), item });
            }
        }
        Payload::StartSection { func, .. } => {
            let func = FuncIndex::from_u32(func);
            info.declare_func_ref(func);
            info.start = Some(func);
        }
        Payload::ElementSection(section) => {
            for element in section {
                let element = element?;
                let mode = match element.kind {
                    ElementKind::Passive => SegmentMode::Passive,
                    ElementKind::Declared => SegmentMode::Declared,
                    ElementKind::Active { table_index, offset_expr } => SegmentMode::Active {
                        target: TableIndex::from_u32(table_index.unwrap_or(0)),
                        offset: const_expr(info, &offset_expr)?,
                    },
                };
                let (ty, items) = match element.items {
                    RawItems::Functions(section) => {
                        let mut funcs = Vec::with_capacity(section.count() as usize);
                        for func in section {
                            let func = FuncIndex::from_u32(func?);
                            info.declare_func_ref(func);
                            funcs.push(func);
                        }
                        (RefType::FUNC, ElementItems::Funcs(funcs.into_boxed_slice()))
                    }
                    RawItems::Expressions(ty, section) => {
                        let exprs: Result<Box<[_]>, ParseError> =
                            section.into_iter().map(|e| const_expr(info, &e?)).collect();
                        (info.ref_type(ty)?, ElementItems::Exprs(exprs?))
                    }
                };
                info.elements.push(ElementSegment { mode, ty, items });
            }
        }
        Payload::DataSection(section) => {
            for data in section {
                let data = data?;
                let mode = match data.kind {
                    DataKind::Passive => SegmentMode::Passive,
                    DataKind::Active { memory_index, offset_expr } => SegmentMode::Active {
                        target: MemoryIndex::from_u32(memory_index),
                        offset: const_expr(info, &offset_expr)?,
                    },
                };
                let end = data.range.end as usize;
                info.data.push(DataSegment { mode, range: end - data.data.len()..end });
            }
        }
        Payload::CustomSection(section) => {
            if section.name() == hints::SECTION && info.features.has(Feature::BranchHinting) {
                info.branch_hints = BranchHints::parse(section.data());
            }
        }
        Payload::Version { .. }
        | Payload::DataCountSection { .. }
        | Payload::CodeSectionStart { .. }
        | Payload::End(_) => {}
        _ => return Err(unsupported(0)),
    }
    Ok(())
}

/// What validation refuses already, because its feature is not one of ours.
fn unsupported(offset: usize) -> ParseError {
    ParseError::new("this part of WebAssembly is not supported", offset)
}

fn collect_import(info: &mut ModuleInfo, import: wasmparser::Import) -> Result<(), ParseError> {
    let ty = match import.ty {
        TypeRef::Func(ty) => {
            let ty = TypeIndex::from_u32(ty);
            info.funcs.push(ty);
            info.imported.funcs += 1;
            EntityType::Func(ty)
        }
        TypeRef::Table(ty) => {
            let ty = table_type(info, ty)?;
            info.tables.push(ty);
            info.imported.tables += 1;
            EntityType::Table(ty)
        }
        TypeRef::Memory(ty) => {
            let ty = memory_type(ty);
            info.memories.push(ty);
            info.imported.memories += 1;
            EntityType::Memory(ty)
        }
        TypeRef::Global(ty) => {
            let ty = global_type(info, ty)?;
            info.globals.push(ty);
            info.imported.globals += 1;
            EntityType::Global(ty)
        }
        TypeRef::Tag(tag) => {
            let ty = TypeIndex::from_u32(tag.func_type_idx);
            info.tags.push(ty);
            info.imported.tags += 1;
            EntityType::Tag(ty)
        }
        TypeRef::FuncExact(_) => return Err(unsupported(0)),
    };
    let (module, name) = (import.module.to_owned(), import.name.to_owned());
    info.imports.push(Import { module, name, ty });
    Ok(())
}

/// A type that belongs to a proposal the engine does not implement.
#[derive(Debug)]
pub struct UnsupportedType;

impl From<UnsupportedType> for ParseError {
    fn from(_: UnsupportedType) -> ParseError {
        unsupported(0)
    }
}

/// What the values of a defined type are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sort {
    Func,
    Struct,
    Array,
    Unsupported,
}

fn sort(ty: &CompositeInnerType) -> Sort {
    match ty {
        CompositeInnerType::Func(_) => Sort::Func,
        CompositeInnerType::Struct(_) => Sort::Struct,
        CompositeInnerType::Array(_) => Sort::Array,
        CompositeInnerType::Cont(_) => Sort::Unsupported,
    }
}

impl ModuleInfo {
    fn sub_type(&self, ty: &wasmparser::SubType) -> Result<SubType, UnsupportedType> {
        let supertype =
            ty.supertype_idxs.first().map(|index| module_index(index.unpack())).transpose()?;
        let composite = match &ty.composite_type.inner {
            CompositeInnerType::Func(ty) => {
                let types = |types: &[wasmparser::ValType]| -> Result<Vec<ValType>, _> {
                    types.iter().map(|ty| self.value_type(*ty)).collect()
                };
                CompositeType::Func(FuncType::new(types(ty.params())?, types(ty.results())?))
            }
            CompositeInnerType::Struct(ty) => {
                let fields: Result<Vec<_>, _> = ty.fields.iter().map(|f| self.field(f)).collect();
                CompositeType::Struct(StructType::new(fields?))
            }
            CompositeInnerType::Array(ty) => CompositeType::Array(ArrayType(self.field(&ty.0)?)),
            CompositeInnerType::Cont(_) => return Err(UnsupportedType),
        };
        let supertype = supertype.map(TypeId::in_module);
        Ok(SubType { is_final: ty.is_final, supertype, composite })
    }

    fn field(&self, field: &wasmparser::FieldType) -> Result<FieldType, UnsupportedType> {
        let storage = match field.element_type {
            wasmparser::StorageType::I8 => StorageType::I8,
            wasmparser::StorageType::I16 => StorageType::I16,
            wasmparser::StorageType::Val(ty) => StorageType::Val(self.value_type(ty)?),
        };
        Ok(FieldType { storage, mutable: field.mutable })
    }

    /// Our form of wasmparser's value type.
    ///
    /// # Errors
    ///
    /// When it is one that the engine does not implement.
    pub fn value_type(&self, ty: wasmparser::ValType) -> Result<ValType, UnsupportedType> {
        Ok(match ty {
            wasmparser::ValType::I32 => ValType::I32,
            wasmparser::ValType::I64 => ValType::I64,
            wasmparser::ValType::F32 => ValType::F32,
            wasmparser::ValType::F64 => ValType::F64,
            wasmparser::ValType::V128 => ValType::V128,
            wasmparser::ValType::Ref(ty) => ValType::Ref(self.ref_type(ty)?),
        })
    }

    /// Our form of wasmparser's reference type.
    ///
    /// # Errors
    ///
    /// As [`ModuleInfo::value_type`].
    pub fn ref_type(&self, ty: wasmparser::RefType) -> Result<RefType, UnsupportedType> {
        Ok(RefType { nullable: ty.is_nullable(), heap: self.heap_type(ty.heap_type())? })
    }

    /// Our form of wasmparser's heap type.
    ///
    /// # Errors
    ///
    /// As [`ModuleInfo::value_type`].
    pub fn heap_type(&self, ty: wasmparser::HeapType) -> Result<HeapType, UnsupportedType> {
        use AbstractHeapType as A;
        let ty = match ty {
            wasmparser::HeapType::Abstract { shared: false, ty } => ty,
            wasmparser::HeapType::Concrete(index) => {
                let index = module_index(index)?;
                let id = TypeId::in_module(index);
                return match self.sorts.get(index as usize) {
                    Some(Sort::Func) => Ok(HeapType::ConcreteFunc(id)),
                    Some(Sort::Struct) => Ok(HeapType::ConcreteStruct(id)),
                    Some(Sort::Array) => Ok(HeapType::ConcreteArray(id)),
                    Some(Sort::Unsupported) | None => Err(UnsupportedType),
                };
            }
            _ => return Err(UnsupportedType),
        };
        Ok(match ty {
            A::Func => HeapType::Func,
            A::NoFunc => HeapType::NoFunc,
            A::Extern => HeapType::Extern,
            A::NoExtern => HeapType::NoExtern,
            A::Any => HeapType::Any,
            A::None => HeapType::None,
            A::Eq => HeapType::Eq,
            A::I31 => HeapType::I31,
            A::Struct => HeapType::Struct,
            A::Array => HeapType::Array,
            A::Exn => HeapType::Exn,
            A::NoExn => HeapType::NoExn,
            A::Cont | A::NoCont => return Err(UnsupportedType),
        })
    }
}

fn module_index(index: wasmparser::UnpackedIndex) -> Result<u32, UnsupportedType> {
    match index {
        wasmparser::UnpackedIndex::Module(index) => Ok(index),
        _ => Err(UnsupportedType),
    }
}

fn table_type(info: &ModuleInfo, ty: wasmparser::TableType) -> Result<TableType, UnsupportedType> {
    let limits = Limits { min: ty.initial, max: ty.maximum };
    Ok(TableType {
        element: info.ref_type(ty.element_type)?,
        limits,
        address: address_type(ty.table64),
    })
}

fn memory_type(ty: wasmparser::MemoryType) -> MemoryType {
    let plain = MemoryType::new(Limits { min: ty.initial, max: ty.maximum });
    MemoryType {
        address: address_type(ty.memory64),
        // Validation admits no others than 0 and 16.
        page_size_log2: ty.page_size_log2.map_or(plain.page_size_log2, |log2| log2 as u8),
        shared: ty.shared,
        ..plain
    }
}

fn address_type(wide: bool) -> AddressType {
    if wide { AddressType::I64 } else { AddressType::I32 }
}

fn global_type(
    info: &ModuleInfo,
    ty: wasmparser::GlobalType,
) -> Result<GlobalType, UnsupportedType> {
    Ok(GlobalType { content: info.value_type(ty.content_type)?, mutable: ty.mutable })
}

fn const_expr(info: &mut ModuleInfo, expr: &RawConstExpr) -> Result<ConstExpr, ParseError> {
    let expr = ConstExpr::parse(expr)?;
    for op in expr.ops() {
        if let ConstOp::RefFunc(func) = op {
            info.declare_func_ref(*func);
        }
    }
    Ok(expr)
}

/// A reader over a custom section's contents, for the name section.
pub(super) fn reader(bytes: &[u8]) -> BinaryReader<'_> {
    BinaryReader::new(bytes, 0)
}
