//! Instantiation (core spec, section 4.5.4), step by step.

use std::rc::Rc;

use super::func::run;
use super::instance::{Extern, Instance};
use super::module::Module;
use super::store::Store;
use super::{Error, Trap};
use crate::abi::layout::MemoryStyle;
use crate::module::{
    ConstExpr, ConstOp, ElementItems, EntityType, Import, ModuleInfo, SegmentMode,
};
use crate::vm;
use crate::vm::code::CodeSpace;
use crate::vm::context::Owner;
use crate::vm::image::Image;
use crate::wasm::{CompositeType, FuncIndex, GlobalIndex, TableIndex, TrapCode, TypeIndex};

pub(super) fn instantiate(
    store: &Store,
    module: Rc<Module>,
    imports: &[Extern],
) -> Result<Instance, Error> {
    if !store.engine().is(module.engine()) {
        return Err(Error::Type("the module belongs to another engine".to_owned()));
    }
    check_imports(store, &module, imports)?;
    let instance = allocate(store, module, imports)?;
    let info = instance.module().info();
    initialize(&instance, info)?;
    if let Some(start) = info.start {
        run_start(&instance, info, start)?;
    }
    Ok(instance)
}

fn check_imports(store: &Store, module: &Module, imports: &[Extern]) -> Result<(), Error> {
    let info = module.info();
    for (i, import) in info.imports.iter().enumerate() {
        let error = |message: String| {
            let (module, name) = (import.module.clone(), import.name.clone());
            Err(Error::Link { module, name, message })
        };
        let Some(given) = imports.get(i) else {
            let wanted = module.canonical(&info.import_type(import));
            return error(format!("missing; expected {wanted}"));
        };
        store.check(given.handle())?;
        if !fits(module, import, given) {
            let (wanted, got) = (module.canonical(&info.import_type(import)), given.ty());
            return error(format!("incompatible import type: expected {wanted}, got {got}"));
        }
    }
    if imports.len() > info.imports.len() {
        let (got, wanted) = (imports.len(), info.imports.len());
        return Err(Error::Type(format!("{got} imports are given, {wanted} are wanted")));
    }
    Ok(())
}

/// Whether `given` is of the import's type (core spec, section 3.3.4).
fn fits(module: &Module, import: &Import, given: &Extern) -> bool {
    let types = module.engine().types();
    let image = &module.0.image;
    match (import.ty, given) {
        (EntityType::Func(ty), Extern::Func(func)) => func.has_type(image.type_ref(ty)),
        (EntityType::Global(ty), Extern::Global(global)) => {
            let (wanted, given) = (ty.map_concrete(|id| image.canonical(id)), global.ty());
            // What both sides can write has to be of the same type for both.
            wanted.mutable == given.mutable
                && if wanted.mutable {
                    wanted.content == given.content
                } else {
                    types.matches(given.content, wanted.content)
                }
        }
        // What is thrown and caught has to be of the same type for both.
        (EntityType::Tag(ty), Extern::Tag(tag)) => image.type_ref(ty).id() == tag.type_id(),
        (EntityType::Table(ty), Extern::Table(table)) => {
            let (wanted, given) = (ty.map_concrete(|id| image.canonical(id)), table.ty());
            (wanted.element, wanted.address) == (given.element, given.address)
                && wanted.limits.admits(given.limits.min, given.limits.max)
        }
        (EntityType::Memory(ty), Extern::Memory(memory)) => ty.admits(&memory.ty()),
        _ => false,
    }
}

/// Makes the instance with everything that the module defines, all of it zero but for what is preset.
fn allocate(store: &Store, module: Rc<Module>, imports: &[Extern]) -> Result<Instance, Error> {
    let mut handles = Vec::new();
    handles.extend(imports.iter().map(|import| import.handle().clone()));
    // SAFETY: the imports have been checked.
    let instance = unsafe { vm::context::Instance::create(store.vm(), module, &handles) };
    instance.map(Instance::from_handle)
}

// SAFETY: the module's insides, where both are, do not move, and never change once they are there.
unsafe impl Owner for Module {
    type Error = Error;

    fn image(&self) -> &Image {
        &self.0.image
    }

    fn code(&self, style: MemoryStyle) -> Result<&CodeSpace, Error> {
        self.code(style)
    }

    fn limit(message: String) -> Error {
        Error::Limit(message)
    }
}

fn vm(instance: &Instance) -> &vm::context::Instance {
    instance.handle().instance().expect("the handle is to an instance")
}

fn initialize(instance: &Instance, info: &ModuleInfo) -> Result<(), Error> {
    // References are in nobody's hands on their way to where they belong.
    let _hold = instance.handle().store().hold();
    if !info.global_inits.is_empty() {
        initialize_globals(instance)?;
    }
    if !info.table_inits.is_empty() {
        initialize_tables(instance)?;
    }
    if !info.elements.is_empty() && !vm(instance).preset_tables() {
        initialize_elements(instance)?;
    }
    if !info.data.is_empty() {
        initialize_data(instance)?;
    }
    Ok(())
}

fn initialize_globals(instance: &Instance) -> Result<(), Error> {
    let info = instance.module().info();
    for (i, init) in info.global_inits.iter().enumerate() {
        let value = evaluate(instance, init)?;
        let index = GlobalIndex::from_u32(info.imported.globals + i as u32);
        vm(instance).set_global(index, value);
    }
    Ok(())
}

fn initialize_tables(instance: &Instance) -> Result<(), Error> {
    let info = instance.module().info();
    for (i, init) in info.table_inits.iter().enumerate() {
        let Some(init) = init else { continue };
        let value = evaluate(instance, init)? as u64;
        let table = vm(instance).table(TableIndex::from_u32(info.imported.tables + i as u32));
        let whole = table.fill(0, value, table.len() as u64);
        debug_assert!(whole, "the whole table is in bounds");
    }
    Ok(())
}

fn initialize_elements(instance: &Instance) -> Result<(), Error> {
    for (i, segment) in instance.module().info().elements.iter().enumerate() {
        let values = || -> Result<Box<[u64]>, Error> {
            match &segment.items {
                ElementItems::Funcs(funcs) => {
                    Ok(funcs.iter().map(|func| func_ref(instance, *func)).collect())
                }
                ElementItems::Exprs(exprs) => {
                    exprs.iter().map(|expr| Ok(evaluate(instance, expr)? as u64)).collect()
                }
            }
        };
        match &segment.mode {
            SegmentMode::Active { target, offset } => {
                let offset = evaluate(instance, offset)? as u64;
                if !vm(instance).table(*target).init(offset, &values()?) {
                    return Err(Trap::from(TrapCode::TableOutOfBounds).into());
                }
            }
            SegmentMode::Passive => vm(instance).set_element(i, values()?),
            SegmentMode::Declared => {}
        }
    }
    Ok(())
}

fn initialize_data(instance: &Instance) -> Result<(), Error> {
    let module = instance.module();
    let is_there = module.0.image.presets_data();
    for (i, segment) in module.info().data.iter().enumerate() {
        if let SegmentMode::Active { target, offset } = &segment.mode {
            if !is_there {
                let offset = evaluate(instance, offset)? as u64;
                if !vm(instance).memory(*target).write(offset, vm(instance).data(i)) {
                    return Err(Trap::from(TrapCode::MemoryOutOfBounds).into());
                }
            }
            vm(instance).drop_data(i);
        }
    }
    Ok(())
}

fn run_start(instance: &Instance, info: &ModuleInfo, start: FuncIndex) -> Result<(), Error> {
    let handle = vm(instance).func_handle(start, info.func_refs[start]);
    // SAFETY: a start function has neither parameters nor results.
    let outcome = unsafe { run(&handle, std::ptr::null_mut(), std::ptr::null_mut()) };
    // SAFETY: the handle owns the store.
    unsafe { handle.store().left() };
    outcome.map_err(Error::Trap)
}

fn func_ref(instance: &Instance, func: FuncIndex) -> u64 {
    let number = instance.module().info().func_refs[func];
    vm(instance).func_ref(func, number).as_ptr().expose_provenance() as u64
}

/// The value of a constant expression, in little-endian form, extended with zeros. Nothing moves on
/// the heap meanwhile.
fn evaluate(instance: &Instance, expr: &ConstExpr) -> Result<u128, Error> {
    let mut stack: Vec<u128> = Vec::new();
    for op in expr.ops() {
        let value = step(instance, *op, &mut stack)?;
        stack.push(value);
    }
    Ok(pop(&mut stack))
}

fn pop(stack: &mut Vec<u128>) -> u128 {
    stack.pop().expect("validation has checked the operands")
}

/// What an instruction of a constant expression pushes, after it has taken its operands.
fn step(instance: &Instance, op: ConstOp, stack: &mut Vec<u128>) -> Result<u128, Error> {
    let mut binary = |op: fn(u64, u64) -> u64| {
        let (y, x) = (pop(stack), pop(stack));
        u128::from(op(x as u64, y as u64))
    };
    Ok(match op {
        ConstOp::I32(value) => u128::from(value as u32),
        ConstOp::I64(value) => u128::from(value as u64),
        ConstOp::F32(bits) => bits.into(),
        ConstOp::F64(bits) => bits.into(),
        ConstOp::V128(bits) => bits,
        ConstOp::GlobalGet(index) => vm(instance).get_global(index),
        ConstOp::RefNull => 0,
        ConstOp::RefFunc(func) => func_ref(instance, func).into(),
        ConstOp::I32Add => binary(|x, y| u64::from((x as u32).wrapping_add(y as u32))),
        ConstOp::I32Sub => binary(|x, y| u64::from((x as u32).wrapping_sub(y as u32))),
        ConstOp::I32Mul => binary(|x, y| u64::from((x as u32).wrapping_mul(y as u32))),
        ConstOp::I64Add => binary(u64::wrapping_add),
        ConstOp::I64Sub => binary(u64::wrapping_sub),
        ConstOp::I64Mul => binary(u64::wrapping_mul),
        ConstOp::RefI31 => u128::from((pop(stack) as u32) << 1 | 1),
        ConstOp::StructNew(ty) => {
            let count = field_count(instance, ty);
            let values = stack.split_off(stack.len() - count);
            new_struct(instance, ty, &values)?
        }
        ConstOp::StructNewDefault(ty) => {
            new_struct(instance, ty, &vec![0; field_count(instance, ty)])?
        }
        ConstOp::ArrayNew(ty) => {
            let (len, value) = (pop(stack) as u32, pop(stack));
            new_array(instance, ty, len, |_| value)?
        }
        ConstOp::ArrayNewDefault(ty) => new_array(instance, ty, pop(stack) as u32, |_| 0)?,
        ConstOp::ArrayNewFixed(ty, len) => {
            let values = stack.split_off(stack.len() - len as usize);
            new_array(instance, ty, len, |index| values[index as usize])?
        }
    })
}

fn field_count(instance: &Instance, ty: TypeIndex) -> usize {
    match &instance.module().info().types[ty].composite {
        CompositeType::Struct(ty) => ty.fields().len(),
        _ => unreachable!("validation wants a struct type here"),
    }
}

fn new_struct(instance: &Instance, ty: TypeIndex, values: &[u128]) -> Result<u128, Error> {
    let ty = instance.module().0.image.type_ref(ty);
    let made = instance.handle().store().new_struct(ty, values, false);
    Ok(made.ok_or(Trap::from(TrapCode::HeapExhausted))?.into())
}

fn new_array(
    instance: &Instance,
    ty: TypeIndex,
    len: u32,
    value: impl Fn(u32) -> u128,
) -> Result<u128, Error> {
    let ty = instance.module().0.image.type_ref(ty);
    let made = instance.handle().store().new_array(ty, len, value, false);
    Ok(made.ok_or(Trap::from(TrapCode::HeapExhausted))?.into())
}
