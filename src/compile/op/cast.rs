//! Tests of what a reference is to, and casts (core spec, sections 4.4.2 and 4.4.8).

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};

use super::control;
use super::numeric::push_bit;
use super::object;
use crate::abi::layout::{TypeSort, offset};
use crate::abi::object::TYPE;
use crate::compile::CompileError;
use crate::compile::env::{POINTER, constant_flags};
use crate::compile::function::Translator;
use crate::wasm::{HeapType, RefType, TrapCode, TypeId, TypeIndex};

/// The address of the engine's type for the module's type `ty`.
pub(super) fn engine_type(t: &mut Translator, ty: TypeIndex) -> Value {
    let flags = constant_flags();
    let types = t.b.ins().load(POINTER, flags, t.env.vmctx, offset::CONTEXT_TYPES);
    let at = (ty.as_u32() * POINTER.bytes()) as i32;
    t.b.ins().load(POINTER, flags, types, at)
}

/// Whether the engine's type `actual` is `expected`, which is the module's type `ty`, or below it:
/// 0 if not.
pub(super) fn is_type(t: &mut Translator, actual: Value, expected: Value, ty: TypeIndex) -> Value {
    let same = t.b.ins().icmp(IntCC::Equal, actual, expected);
    let module = t.env.source.module;
    if module.types[ty].is_final {
        return same;
    }
    let deeper = t.b.create_block();
    let compare = t.b.create_block();
    let done = t.b.create_block();
    let answer = t.b.append_block_param(done, types::I8);
    t.b.ins().brif(same, done, &[same.into()], deeper, &[]);
    t.switch_to_sealed(deeper);
    // A type never changes.
    let flags = MemFlagsData::trusted().with_readonly();
    let depth = i64::from(module.depth(ty));
    let actual_depth = t.b.ins().load(types::I32, flags, actual, offset::TYPE_DEPTH);
    let below = t.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, actual_depth, depth);
    t.b.ins().brif(below, compare, &[], done, &[below.into()]);
    t.switch_to_sealed(compare);
    let supers = t.b.ins().load(POINTER, flags, actual, offset::TYPE_SUPERS);
    let at = depth as i32 * POINTER.bytes() as i32;
    let above = t.b.ins().load(POINTER, flags, supers, at);
    let same = t.b.ins().icmp(IntCC::Equal, above, expected);
    t.b.ins().jump(done, &[same.into()]);
    t.switch_to_sealed(done);
    answer
}

/// What the low bits of a reference say that is to an object; null is none.
const OBJECT_MASK: i64 = 0b111;
/// What they say of a host object.
const HOST_MASK: i64 = 0b11;
const HOST_TAG: i64 = 0b10;

/// Whether a reference is one of type `ty`, which is of the same family: 0 if not.
fn test(t: &mut Translator, reference: Value, ty: RefType) -> Value {
    let null = t.b.ins().icmp_imm_u(IntCC::Equal, reference, 0);
    let [something, done] = [(); 2].map(|()| t.b.create_block());
    let answer = t.b.append_block_param(done, types::I8);
    let nullable = t.b.ins().iconst(types::I8, i64::from(ty.nullable));
    t.b.ins().brif(null, done, &[nullable.into()], something, &[]);
    t.switch_to_sealed(something);
    let fits = test_not_null(t, reference, ty.heap);
    t.b.ins().jump(done, &[fits.into()]);
    t.switch_to_sealed(done);
    answer
}

/// As [`test`] of a reference that is not null.
fn test_not_null(t: &mut Translator, reference: Value, heap: HeapType) -> Value {
    match heap {
        HeapType::Func | HeapType::Extern | HeapType::Any | HeapType::Exn => {
            t.b.ins().iconst(types::I8, 1)
        }
        HeapType::NoFunc | HeapType::NoExtern | HeapType::None | HeapType::NoExn => {
            t.b.ins().iconst(types::I8, 0)
        }
        HeapType::I31 => {
            let bit = t.b.ins().band_imm_u(reference, 1);
            t.b.ins().icmp_imm_u(IntCC::NotEqual, bit, 0)
        }
        HeapType::Eq => {
            let tag = t.b.ins().band_imm_u(reference, HOST_MASK);
            t.b.ins().icmp_imm_u(IntCC::NotEqual, tag, HOST_TAG)
        }
        HeapType::ConcreteFunc(id) => {
            let ty = module_type(id);
            let expected = engine_type(t, ty);
            let flags = MemFlagsData::trusted().with_readonly();
            let actual = t.b.ins().load(POINTER, flags, reference, offset::FUNC_REF_TYPE);
            is_type(t, actual, expected, ty)
        }
        HeapType::Struct | HeapType::Array => test_object(t, reference, |t, slot| {
            let actual = type_at(t, slot);
            let flags = MemFlagsData::trusted().with_readonly();
            let sort = t.b.ins().load(types::I32, flags, actual, offset::TYPE_SORT);
            let wanted = if heap == HeapType::Array { TypeSort::Array } else { TypeSort::Struct };
            t.b.ins().icmp_imm_u(IntCC::Equal, sort, wanted as i64)
        }),
        HeapType::ConcreteStruct(id) | HeapType::ConcreteArray(id) => {
            let ty = module_type(id);
            test_object(t, reference, |t, slot| is_slot(t, slot, ty))
        }
    }
}

fn module_type(id: TypeId) -> TypeIndex {
    TypeIndex::from_u32(id.module_index().expect("the module's own types are meant"))
}

/// 0 if the reference, which is not null, is not to an object; otherwise what `check` says of the
/// object's type, of which it gets the slot.
fn test_object(
    t: &mut Translator,
    reference: Value,
    check: impl FnOnce(&mut Translator, Value) -> Value,
) -> Value {
    let tag = t.b.ins().band_imm_u(reference, OBJECT_MASK);
    let other = t.b.ins().icmp_imm_u(IntCC::NotEqual, tag, 0);
    let [object, done] = [(); 2].map(|()| t.b.create_block());
    let answer = t.b.append_block_param(done, types::I8);
    let no = t.b.ins().iconst(types::I8, 0);
    t.b.ins().brif(other, done, &[no.into()], object, &[]);
    t.switch_to_sealed(object);
    let at = object::address(t, reference);
    // An object never changes its type.
    let flags = MemFlagsData::trusted().with_readonly();
    let slot = t.b.ins().load(types::I32, flags, at, TYPE);
    let fits = check(t, slot);
    t.b.ins().jump(done, &[fits.into()]);
    t.switch_to_sealed(done);
    answer
}

/// The engine's type in a slot.
fn type_at(t: &mut Translator, slot: Value) -> Value {
    let store = t.env.store(t.b);
    let table = t.b.ins().load(POINTER, constant_flags(), store, offset::STORE_TYPES);
    // The table is replaced when it grows.
    let table = t.b.ins().load(POINTER, MemFlagsData::trusted(), table, 0);
    let slot = t.b.ins().uextend(POINTER, slot);
    let slot = t.b.ins().imul_imm_u(slot, i64::from(POINTER.bytes()));
    let at = t.b.ins().iadd(table, slot);
    t.b.ins().load(POINTER, MemFlagsData::trusted(), at, 0)
}

/// Whether the type in this slot is the module's type `ty` or below it: 0 if not.
fn is_slot(t: &mut Translator, slot: Value, ty: TypeIndex) -> Value {
    let expected = engine_type(t, ty);
    let wanted = t.b.ins().load(types::I32, constant_flags(), expected, offset::TYPE_SLOT);
    let same = t.b.ins().icmp(IntCC::Equal, slot, wanted);
    if t.env.source.module.types[ty].is_final {
        return same;
    }
    let [other, done] = [(); 2].map(|()| t.b.create_block());
    let answer = t.b.append_block_param(done, types::I8);
    t.b.ins().brif(same, done, &[same.into()], other, &[]);
    t.switch_to_sealed(other);
    let actual = type_at(t, slot);
    let below = is_type(t, actual, expected, ty);
    t.b.ins().jump(done, &[below.into()]);
    t.switch_to_sealed(done);
    answer
}

fn target(
    t: &Translator,
    nullable: bool,
    heap: wasmparser::HeapType,
) -> Result<RefType, CompileError> {
    Ok(RefType { nullable, heap: t.heap_type(heap)? })
}

pub(super) fn ref_test(
    t: &mut Translator,
    nullable: bool,
    heap: wasmparser::HeapType,
) -> Result<(), CompileError> {
    let ty = target(t, nullable, heap)?;
    let reference = t.pop();
    let fits = test(t, reference, ty);
    push_bit(t, fits);
    Ok(())
}

pub(super) fn ref_cast(
    t: &mut Translator,
    nullable: bool,
    heap: wasmparser::HeapType,
) -> Result<(), CompileError> {
    let ty = target(t, nullable, heap)?;
    let reference = t.pop();
    let fits = test(t, reference, ty);
    let fails = t.b.ins().icmp_imm_u(IntCC::Equal, fits, 0);
    t.env.trap_if(t.b, fails, TrapCode::CastFailure);
    t.push(reference);
    Ok(())
}

/// `br_on_cast`, or `br_on_cast_fail` if it branches when the cast `fails`.
pub(super) fn br_on_cast(
    t: &mut Translator,
    depth: u32,
    to: wasmparser::RefType,
    fails: bool,
) -> Result<(), CompileError> {
    let ty = target(t, to.is_nullable(), to.heap_type())?;
    // The reference goes along either way.
    let reference = *t.stack.last().expect("validation has checked the operand stack");
    let mut condition = test(t, reference, ty);
    if fails {
        condition = t.b.ins().icmp_imm_u(IntCC::Equal, condition, 0);
    }
    control::branch_if(t, condition, depth);
    Ok(())
}
