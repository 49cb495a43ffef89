//! Calls (core spec, section 4.4.8).

use cranelift_codegen::ir::{InstBuilder, Value, condcodes::IntCC};

use super::control;
use super::exception::{self, Callee};
use super::{reference, table};
use crate::abi::layout::offset;
use crate::compile::CompileError;
use crate::compile::env::{POINTER, constant_flags};
use crate::compile::function::Translator;
use crate::wasm::{FuncIndex, FuncType, TableIndex, TrapCode, TypeId, TypeIndex};

pub(super) fn call(t: &mut Translator, index: u32) -> Result<(), CompileError> {
    let index = FuncIndex::from_u32(index);
    let module = t.env.source.module;
    let (callee, vmctx) = function(t, index);
    call_with(t, callee, vmctx, module.func_type(index))
}

pub(super) fn call_indirect(t: &mut Translator, ty: u32, table: u32) -> Result<(), CompileError> {
    let ty = TypeIndex::from_u32(ty);
    let module = t.env.source.module;
    let (callee, vmctx) = element(t, ty, TableIndex::from_u32(table));
    call_with(t, callee, vmctx, module.signature(ty))
}

pub(super) fn return_call(t: &mut Translator, index: u32) {
    let index = FuncIndex::from_u32(index);
    let module = t.env.source.module;
    let (callee, vmctx) = function(t, index);
    return_call_with(t, callee, vmctx, module.func_type(index));
}

pub(super) fn return_call_indirect(t: &mut Translator, ty: u32, table: u32) {
    let ty = TypeIndex::from_u32(ty);
    let module = t.env.source.module;
    let (callee, vmctx) = element(t, ty, TableIndex::from_u32(table));
    return_call_with(t, callee, vmctx, module.signature(ty));
}

pub(super) fn call_ref(t: &mut Translator, ty: u32) -> Result<(), CompileError> {
    let ty = TypeIndex::from_u32(ty);
    let module = t.env.source.module;
    let (callee, vmctx) = checked_referent(t, ty);
    call_with(t, callee, vmctx, module.signature(ty))
}

pub(super) fn return_call_ref(t: &mut Translator, ty: u32) {
    let ty = TypeIndex::from_u32(ty);
    let module = t.env.source.module;
    let (callee, vmctx) = checked_referent(t, ty);
    return_call_with(t, callee, vmctx, module.signature(ty));
}

fn function(t: &mut Translator, index: FuncIndex) -> (Callee, Value) {
    if let Some(defined) = t.env.source.module.defined_func(index) {
        return (Callee::Direct(t.env.function(t.b, defined)), t.env.vmctx);
    }
    let sig = t.env.signature(t.b, t.env.source.module.funcs[index]);
    let import = t.env.source.layout.imported_func(index.as_u32());
    let flags = constant_flags();
    let code = t.b.ins().load(POINTER, flags, t.env.vmctx, import + offset::IMPORT_CODE);
    let vmctx = t.b.ins().load(POINTER, flags, t.env.vmctx, import + offset::IMPORT_VMCTX);
    (Callee::Indirect { sig, code }, vmctx)
}

/// The function in the table at the index on the stack, checked to be there and of type `ty`.
fn element(t: &mut Translator, ty: TypeIndex, table: TableIndex) -> (Callee, Value) {
    let index = t.pop();
    let func_ref = table::load_checked(t, table, index, TrapCode::UndefinedElement);
    let module = t.env.source.module;
    let element = module.tables[table].element;
    if element.nullable {
        let null = t.b.ins().icmp_imm_u(IntCC::Equal, func_ref, 0);
        t.env.trap_if(t.b, null, TrapCode::UninitializedElement);
    }
    let known = element.heap.concrete().and_then(TypeId::module_index);
    if !known.is_some_and(|known| module.is_below(TypeIndex::from_u32(known), ty)) {
        check_type(t, func_ref, ty);
    }
    referent(t, ty, func_ref)
}

/// Traps unless the function, which is not null, is of type `ty` or below.
fn check_type(t: &mut Translator, func_ref: Value, ty: TypeIndex) {
    let expected = super::cast::engine_type(t, ty);
    let actual = t.b.ins().load(POINTER, flags_after_check(), func_ref, offset::FUNC_REF_TYPE);
    let fits = super::cast::is_type(t, actual, expected, ty);
    let mismatch = t.b.ins().icmp_imm_u(IntCC::Equal, fits, 0);
    t.env.trap_if(t.b, mismatch, TrapCode::IndirectCallTypeMismatch);
}

/// The function that a reference, which is not null, is to.
fn referent(t: &mut Translator, ty: TypeIndex, func_ref: Value) -> (Callee, Value) {
    let flags = flags_after_check();
    let code = t.b.ins().load(POINTER, flags, func_ref, offset::FUNC_REF_CODE);
    let vmctx = t.b.ins().load(POINTER, flags, func_ref, offset::FUNC_REF_VMCTX);
    (Callee::Indirect { sig: t.env.signature(t.b, ty), code }, vmctx)
}

/// The function that the reference on the stack is to, checked not to be null.
fn checked_referent(t: &mut Translator, ty: TypeIndex) -> (Callee, Value) {
    let func_ref = t.pop();
    reference::check_not_null(t, func_ref);
    referent(t, ty, func_ref)
}

/// Not to be moved above the test for null.
fn flags_after_check() -> cranelift_codegen::ir::MemFlagsData {
    cranelift_codegen::ir::MemFlagsData::trusted().with_readonly()
}

fn arguments(t: &mut Translator, vmctx: Value, ty: &FuncType) -> Vec<Value> {
    let mut args = vec![vmctx];
    args.extend(t.pop_many(ty.params().len()));
    args
}

fn call_with(
    t: &mut Translator,
    callee: Callee,
    vmctx: Value,
    ty: &FuncType,
) -> Result<(), CompileError> {
    let args = arguments(t, vmctx, ty);
    let results = exception::call(t, callee, &args)?;
    for (value, ty) in results.into_iter().zip(ty.results()) {
        t.push_tracked(value, *ty);
    }
    Ok(())
}

fn return_call_with(t: &mut Translator, callee: Callee, vmctx: Value, ty: &FuncType) {
    t.env.calls = true;
    let args = arguments(t, vmctx, ty);
    match callee {
        Callee::Direct(func) => t.b.ins().return_call(func, &args),
        Callee::Indirect { sig, code } => t.b.ins().return_call_indirect(sig, code, &args),
    };
    control::left(t);
}
