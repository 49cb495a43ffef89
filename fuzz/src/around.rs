//! The modules around a generated one: a provider of its imports, and an observer of its exports.
//!
//! They copy its types, so that engines see the same types everywhere; and as everything but
//! numbers is made and looked at by them, an engine's host has to pass nothing else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ElementSection, Elements, Encode, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, HeapType, ImportSection, Instruction,
    InstructionSink, MemorySection, Module, RawSection, TableSection, TagSection, ValType as Enc,
};
use wasmparser::{FuncType, RefType, TypeRef, ValType};

use crate::rng::Rng;
use crate::shape::{Shape, SomeRef, is_number};

/// A module, and the exports of another that it imports, in order.
pub struct Observer {
    pub wasm: Vec<u8>,
    pub imports: Vec<String>,
    /// Its functions, each with the export it is about.
    pub functions: Vec<Wrapper>,
}

pub struct Wrapper {
    pub name: String,
    pub params: Vec<ValType>,
    pub results: Vec<ValType>,
    pub about: About,
}

/// What a function of an observer shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    Function,
    Table,
    Global,
}

/// How many elements of a table are looked at.
const TABLE_ELEMENTS: i32 = 64;

/// The type section of a shape, with more function types of numbers at the end.
fn types(shape: &Shape, more: &[(Vec<Enc>, Vec<Enc>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    (shape.type_count + more.len() as u32).encode(&mut bytes);
    bytes.extend(shape.type_bytes);
    for (params, results) in more {
        bytes.push(0x60);
        for types in [params, results] {
            types.len().encode(&mut bytes);
            types.iter().for_each(|ty| ty.encode(&mut bytes));
        }
    }
    bytes
}

fn value_type(ty: ValType) -> Option<Enc> {
    RoundtripReencoder.val_type(ty).ok()
}

/// Makes references; functions for them are declared on the way.
struct Refs<'a> {
    shape: &'a Shape<'a>,
    /// The function of each type that is referred to.
    funcs: BTreeMap<u32, u32>,
    next_func: u32,
}

impl Refs<'_> {
    /// Instructions that make a reference, null where it may be.
    fn make(&mut self, ty: RefType, null: bool) -> Option<Vec<Instruction<'static>>> {
        if null && ty.is_nullable() {
            let heap = RoundtripReencoder.heap_type(ty.heap_type()).ok()?;
            return Some(vec![Instruction::RefNull(heap)]);
        }
        let some = self.shape.some_ref(ty);
        Some(match some {
            None if ty.is_nullable() => return self.make(ty, true),
            None => return None,
            Some(SomeRef::I31) => vec![Instruction::I32Const(0x1234), Instruction::RefI31],
            Some(SomeRef::ExternI31) => {
                vec![
                    Instruction::I32Const(0x1234),
                    Instruction::RefI31,
                    Instruction::ExternConvertAny,
                ]
            }
            Some(SomeRef::Func(ty)) => {
                let next = &mut self.next_func;
                let func = *self.funcs.entry(ty).or_insert_with(|| {
                    *next += 1;
                    *next - 1
                });
                vec![Instruction::RefFunc(func)]
            }
            Some(SomeRef::Struct(ty)) => vec![Instruction::StructNewDefault(ty)],
            Some(SomeRef::Array(ty)) => {
                vec![Instruction::I32Const(3), Instruction::ArrayNewDefault(ty)]
            }
        })
    }

    /// The types of the functions that have come up, in the order of their indices.
    fn func_types(&self) -> Vec<u32> {
        let mut types: Vec<_> = self.funcs.iter().map(|(ty, func)| (*func, *ty)).collect();
        types.sort_unstable();
        types.into_iter().map(|(_, ty)| ty).collect()
    }
}

/// An expression of a number, or of a reference.
fn constant(refs: &mut Refs, ty: ValType, rng: &mut Rng) -> Option<Vec<Instruction<'static>>> {
    Some(vec![match ty {
        ValType::I32 => Instruction::I32Const(rng.within(0, 100) as i32),
        ValType::I64 => Instruction::I64Const(rng.within(0, 100) as i64),
        ValType::F32 => Instruction::F32Const((rng.within(0, 100) as f32 / 8.0).into()),
        ValType::F64 => Instruction::F64Const((rng.within(0, 100) as f64 / 8.0).into()),
        ValType::V128 => Instruction::V128Const(i128::from(rng.next())),
        ValType::Ref(ty) => return refs.make(ty, rng.one_in(2)),
    }])
}

/// The body of a function that returns its parameters where it can, and constants elsewhere.
fn body(refs: &mut Refs, ty: &FuncType, rng: &mut Rng) -> Function {
    let mut body = Function::new([]);
    for result in ty.results() {
        let same = ty.params().iter().position(|param| param == result);
        match (same, is_number(*result) || *result == ValType::V128) {
            (Some(param), _) => body.instruction(&Instruction::LocalGet(param as u32)),
            (None, true) => {
                for instruction in constant(refs, *result, rng).unwrap_or_default() {
                    body.instruction(&instruction);
                }
                &mut body
            }
            // Only parameters may be functions here: what a body refers to has to be declared.
            (None, false) => match *result {
                ValType::Ref(ty) if ty.is_nullable() => {
                    for instruction in refs.make(ty, true).unwrap_or_default() {
                        body.instruction(&instruction);
                    }
                    &mut body
                }
                _ => body.instruction(&Instruction::Unreachable),
            },
        };
    }
    body.instruction(&Instruction::End);
    body
}

/// A module whose exports `0`, `1`, … are what `shape` imports, in order; none if one of them
/// cannot be made.
pub fn provider(shape: &Shape) -> Option<Vec<u8>> {
    let funcs = shape.imports.iter().filter(|ty| matches!(ty, TypeRef::Func(_))).count() as u32;
    let mut refs = Refs { shape, funcs: BTreeMap::new(), next_func: funcs };
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    let (mut tables, mut memories) = (TableSection::new(), MemorySection::new());
    let (mut tags, mut globals) = (TagSection::new(), GlobalSection::new());
    let mut exports = ExportSection::new();
    let mut encoder = RoundtripReencoder;
    for (i, ty) in shape.imports.iter().enumerate() {
        let mut rng = Rng::of("import", i as u64);
        let (kind, index) = match *ty {
            TypeRef::Func(ty) => {
                functions.function(ty);
                code.function(&body(&mut refs, shape.func_type(ty)?, &mut rng));
                (ExportKind::Func, functions.len() - 1)
            }
            TypeRef::Table(ty) => {
                let init = refs.make(ty.element_type, rng.one_in(2))?;
                let ty = encoder.table_type(ty).ok()?;
                if matches!(init[..], [Instruction::RefNull(_)]) {
                    tables.table(ty);
                } else {
                    tables.table_with_init(ty, &ConstExpr::extended(init));
                }
                (ExportKind::Table, tables.len() - 1)
            }
            TypeRef::Memory(ty) => {
                memories.memory(encoder.memory_type(ty).ok()?);
                (ExportKind::Memory, memories.len() - 1)
            }
            TypeRef::Global(ty) => {
                let init = constant(&mut refs, ty.content_type, &mut rng)?;
                globals.global(encoder.global_type(ty).ok()?, &ConstExpr::extended(init));
                (ExportKind::Global, globals.len() - 1)
            }
            TypeRef::Tag(ty) => {
                tags.tag(encoder.tag_type(ty).ok()?);
                (ExportKind::Tag, tags.len() - 1)
            }
            TypeRef::FuncExact(_) => return None,
        };
        exports.export(&i.to_string(), kind, index);
    }
    unreachable_functions(&refs, &mut functions, &mut code);

    let mut module = Module::new();
    let bytes = types(shape, &[]);
    module.section(&RawSection { id: 1, data: &bytes });
    module.section(&functions).section(&tables).section(&memories);
    if !tags.is_empty() {
        module.section(&tags);
    }
    module.section(&globals).section(&exports).section(&code);
    Some(module.finish())
}

fn unreachable_functions(refs: &Refs, functions: &mut FunctionSection, code: &mut CodeSection) {
    for ty in refs.func_types() {
        functions.function(ty);
        let mut body = Function::new([]);
        body.instructions().unreachable().end();
        code.function(&body);
    }
}

/// A module whose functions show what of a shape's exports is no number; none if everything is.
pub fn observer(shape: &Shape) -> Option<Observer> {
    let mut building = Building {
        refs: Refs { shape, funcs: BTreeMap::new(), next_func: 0 },
        imports: ImportSection::new(),
        imported: Vec::new(),
        counts: [0; 3],
        functions: Vec::new(),
        bodies: Vec::new(),
    };
    // Functions come first: their number says where those of the observer begin.
    for export in &shape.exports {
        if let TypeRef::Func(ty) = export.ty {
            building.import_func(export.name, ty);
        }
    }
    let defined = shape.exports.iter().filter(|export| building.wraps(export.ty)).count() as u32;
    building.refs.next_func = building.counts[0] + defined;
    let mut func = 0;
    for export in &shape.exports {
        match export.ty {
            TypeRef::Func(ty) if building.wraps(export.ty) => {
                building.func(func, shape.func_type(ty)?);
                func += 1;
            }
            TypeRef::Table(ty) => building.table(export.name, ty)?,
            TypeRef::Global(ty) => building.global(export.name, ty)?,
            _ => {}
        }
    }
    (!building.functions.is_empty()).then(|| building.finish(shape))
}

struct Building<'a> {
    refs: Refs<'a>,
    imports: ImportSection,
    imported: Vec<String>,
    /// How many functions, tables and globals are imported.
    counts: [u32; 3],
    functions: Vec<Wrapper>,
    bodies: Vec<Function>,
}

impl Building<'_> {
    /// Whether a function of the observer is about exports of this type.
    fn wraps(&self, ty: TypeRef) -> bool {
        match ty {
            TypeRef::Func(ty) => self.refs.shape.func_type(ty).is_some_and(|ty| {
                let mut all = ty.params().iter().chain(ty.results());
                let passable = ty.params().iter().all(|ty| match ty {
                    ValType::Ref(ty) => ty.is_nullable() || self.refs.shape.some_ref(*ty).is_some(),
                    _ => true,
                });
                passable && !all.all(|ty| is_number(*ty))
            }),
            TypeRef::Table(_) | TypeRef::Global(_) => true,
            _ => false,
        }
    }

    fn import(&mut self, name: &str, ty: EntityType, space: usize) {
        self.imports.import("", &self.imported.len().to_string(), ty);
        self.imported.push(name.to_owned());
        self.counts[space] += 1;
    }

    fn import_func(&mut self, name: &str, ty: u32) {
        if self.wraps(TypeRef::Func(ty)) {
            self.import(name, EntityType::Function(ty), 0);
        }
    }

    fn add(
        &mut self,
        about: About,
        name: &str,
        params: Vec<ValType>,
        results: Vec<ValType>,
        body: Function,
    ) {
        let name = name.to_owned();
        self.functions.push(Wrapper { name, params, results, about });
        self.bodies.push(body);
    }

    /// A function that passes numbers to an imported one, and numbers back.
    fn func(&mut self, func: u32, ty: &FuncType) {
        let mut params = Vec::new();
        for param in ty.params() {
            match param {
                ValType::V128 => params.extend([ValType::I64; 2]),
                ValType::Ref(_) => params.push(ValType::I32),
                number => params.push(*number),
            }
        }
        let locals = ty.results().iter().filter_map(|ty| value_type(*ty));
        let mut body = Function::new_with_locals_types(locals);
        let mut next = 0;
        for param in ty.params() {
            match param {
                ValType::V128 => {
                    let mut sink = body.instructions();
                    sink.local_get(next).i64x2_splat().local_get(next + 1).i64x2_replace_lane(1);
                    next += 1;
                }
                ValType::Ref(ty) => self.argument(&mut body, next, *ty),
                _ => _ = body.instructions().local_get(next),
            }
            next += 1;
        }
        let mut sink = body.instructions();
        sink.call(func);
        let first = params.len() as u32;
        for i in (0..ty.results().len() as u32).rev() {
            sink.local_set(first + i);
        }
        let mut results = Vec::new();
        for (i, result) in ty.results().iter().enumerate() {
            results.extend(self.show(&mut sink, *result, &|sink| {
                sink.local_get(first + i as u32);
            }));
        }
        sink.end();
        let name = self.imported[func as usize].clone();
        self.add(About::Function, &name, params, results, body);
    }

    /// Pushes a reference: null if the parameter is even and the type allows it.
    fn argument(&mut self, body: &mut Function, param: u32, ty: RefType) {
        let (null, some) = (self.refs.make(ty, true), self.refs.make(ty, false));
        let (Some(null), Some(some), Some(block)) = (null, some, value_type(ValType::Ref(ty)))
        else {
            body.instruction(&Instruction::Unreachable);
            return;
        };
        body.instruction(&Instruction::LocalGet(param));
        body.instruction(&Instruction::I32Const(1));
        body.instruction(&Instruction::I32And);
        body.instruction(&Instruction::If(BlockType::Result(block)));
        some.iter().for_each(|instruction| _ = body.instruction(instruction));
        body.instruction(&Instruction::Else);
        null.iter().for_each(|instruction| _ = body.instruction(instruction));
        body.instruction(&Instruction::End);
    }

    /// Turns a value into numbers; says which.
    fn show(
        &self,
        sink: &mut InstructionSink,
        ty: ValType,
        push: &dyn Fn(&mut InstructionSink),
    ) -> Vec<ValType> {
        push(sink);
        match ty {
            ValType::V128 => {
                sink.i64x2_extract_lane(0);
                push(sink);
                sink.i64x2_extract_lane(1);
                vec![ValType::I64; 2]
            }
            ValType::Ref(ty) => {
                let number = BlockType::Result(Enc::I32);
                sink.ref_is_null().if_(number).i32_const(0).else_();
                if self.refs.shape.may_be_i31(ty) {
                    push(sink);
                    sink.ref_test_non_null(HeapType::I31).if_(number);
                    push(sink);
                    sink.ref_cast_non_null(HeapType::I31).i31_get_u().i32_const(2).i32_add();
                    sink.else_().i32_const(1).end();
                } else {
                    sink.i32_const(1);
                }
                sink.end();
                vec![ValType::I32]
            }
            number => vec![number],
        }
    }

    fn global(&mut self, name: &str, ty: wasmparser::GlobalType) -> Option<()> {
        let index = self.counts[2];
        self.import(name, EntityType::Global(RoundtripReencoder.global_type(ty).ok()?), 2);
        let mut body = Function::new([]);
        let mut sink = body.instructions();
        let results = self.show(&mut sink, ty.content_type, &|sink| _ = sink.global_get(index));
        sink.end();
        self.add(About::Global, name, Vec::new(), results, body);
        Some(())
    }

    /// A function that returns a table's size, and a hash of its first elements.
    fn table(&mut self, name: &str, ty: wasmparser::TableType) -> Option<()> {
        let table = self.counts[1];
        self.import(name, EntityType::Table(RoundtripReencoder.table_type(ty).ok()?), 1);
        let mut body = Function::new([(1, Enc::I32), (1, Enc::I64)]);
        let (i, hash) = (0, 1);
        let index = |sink: &mut InstructionSink| {
            sink.local_get(i);
            if ty.table64 {
                sink.i64_extend_i32_u();
            }
        };
        let mut sink = body.instructions();
        sink.block(BlockType::Empty).loop_(BlockType::Empty);
        sink.local_get(i).i32_const(TABLE_ELEMENTS).i32_ge_u().br_if(1);
        index(&mut sink);
        sink.table_size(table);
        _ = if ty.table64 { sink.i64_ge_u() } else { sink.i32_ge_u() };
        sink.br_if(1);
        sink.local_get(hash).i64_const(31).i64_mul();
        self.show(&mut sink, ValType::Ref(ty.element_type), &|sink| {
            index(sink);
            sink.table_get(table);
        });
        sink.i64_extend_i32_u().i64_add().local_set(hash);
        sink.local_get(i).i32_const(1).i32_add().local_set(i).br(0).end().end();
        sink.table_size(table);
        if !ty.table64 {
            sink.i64_extend_i32_u();
        }
        sink.local_get(hash).end();
        self.add(About::Table, name, Vec::new(), vec![ValType::I64; 2], body);
        Some(())
    }

    fn finish(self, shape: &Shape) -> Observer {
        let encoded = |types: &[ValType]| types.iter().filter_map(|ty| value_type(*ty)).collect();
        let signatures: Vec<(Vec<Enc>, Vec<Enc>)> =
            self.functions.iter().map(|f| (encoded(&f.params), encoded(&f.results))).collect();
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        let mut exports = ExportSection::new();
        for (i, body) in self.bodies.iter().enumerate() {
            functions.function(shape.types.len() as u32 + i as u32);
            code.function(body);
            exports.export(&i.to_string(), ExportKind::Func, self.counts[0] + i as u32);
        }
        unreachable_functions(&self.refs, &mut functions, &mut code);
        let declared: Vec<u32> = self.refs.funcs.values().copied().collect();
        let mut elements = ElementSection::new();
        if !declared.is_empty() {
            elements.declared(Elements::Functions(Cow::Owned(declared)));
        }
        let mut module = Module::new();
        let bytes = types(shape, &signatures);
        module.section(&RawSection { id: 1, data: &bytes });
        module.section(&self.imports).section(&functions).section(&exports);
        if !elements.is_empty() {
            module.section(&elements);
        }
        module.section(&code);
        Observer { wasm: module.finish(), imports: self.imported, functions: self.functions }
    }
}
