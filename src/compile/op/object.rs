//! Structs, arrays and numbers of 31 bits (core spec, sections 4.4.3 and 4.4.4).

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};

use super::cast::engine_type;
use super::reference::check_not_null;
use crate::abi::layout::offset;
use crate::abi::libcalls::Libcall;
use crate::abi::object::{self, StructLayout, array_size, storage_size};
use crate::compile::CompileError;
use crate::compile::env::{POINTER, clif_type, constant_flags};
use crate::compile::function::Translator;
use crate::wasm::{
    ArrayType, CompositeType, Feature, FieldType, HeapType, RefType, StorageType, StructType,
    TrapCode, TypeIndex, ValType,
};

/// How a packed field's bits become an `i32`.
#[derive(Clone, Copy)]
pub(super) enum Extend {
    Signed,
    Unsigned,
}

fn struct_type<'m>(t: &Translator<'_, 'm>, ty: TypeIndex) -> StructType {
    match &t.env.source.module.types[ty].composite {
        CompositeType::Struct(ty) => ty.clone(),
        _ => unreachable!("validation wants a struct type here"),
    }
}

fn element_type(t: &Translator, ty: TypeIndex) -> FieldType {
    match &t.env.source.module.types[ty].composite {
        CompositeType::Array(ArrayType(field)) => *field,
        _ => unreachable!("validation wants an array type here"),
    }
}

/// The type of references to objects that are made as ones of this type.
fn reference_to(heap: HeapType) -> ValType {
    ValType::Ref(RefType { nullable: false, heap })
}

/// The address of the object that a reference is to, which is not null.
pub(super) fn address(t: &mut Translator, reference: Value) -> Value {
    let store = t.env.store(t.b);
    let base = t.b.ins().load(POINTER, constant_flags(), store, offset::STORE_HEAP_BASE);
    let reference = t.b.ins().uextend(POINTER, reference);
    t.b.ins().iadd(base, reference)
}

/// Room for an object of `size` bytes. Whatever is on the stack may have been moved after it.
pub(super) fn allocate(t: &mut Translator, size: u32) -> Value {
    let store = t.env.store(t.b);
    let flags = t.env.allocation_flags(t.b);
    let next = t.b.ins().load(types::I32, flags, store, offset::STORE_HEAP_NEXT);
    let end = t.b.ins().load(types::I32, flags, store, offset::STORE_HEAP_END);
    // Spaces end so far below 4 GiB that this does not wrap.
    let after = t.b.ins().iadd_imm_s(next, i64::from(size));
    let full = t.b.ins().icmp(IntCC::UnsignedGreaterThan, after, end);
    let [slow, fast, done] = [(); 3].map(|()| t.b.create_block());
    let place = t.b.append_block_param(done, types::I32);
    t.track(place, reference_to(HeapType::Struct));
    t.b.ins().brif(full, slow, &[], fast, &[]);
    t.switch_to_sealed(fast);
    t.b.ins().store(flags, after, store, offset::STORE_HEAP_NEXT);
    t.b.ins().jump(done, &[next.into()]);
    t.switch_to_sealed(slow);
    t.b.set_cold_block(slow);
    let size = t.b.ins().iconst(types::I32, i64::from(size));
    let asked = t.env.libcall(t.b, Libcall::heap_allocate, &[size]);
    let asked = asked.expect("heap_allocate returns a value");
    t.b.ins().jump(done, &[asked.into()]);
    t.switch_to_sealed(done);
    place
}

/// Writes the header of a new object; its address.
pub(super) fn begin(t: &mut Translator, object: Value, ty: TypeIndex, len: u32) -> Value {
    let at = address(t, object);
    let ty = engine_type(t, ty);
    let slot = t.b.ins().load(types::I32, constant_flags(), ty, offset::TYPE_SLOT);
    let flags = t.env.heap_flags(t.b);
    t.b.ins().store(flags, slot, at, object::TYPE);
    let len = t.b.ins().iconst(types::I32, i64::from(len));
    t.b.ins().store(flags, len, at, object::LENGTH);
    at
}

/// Writes a field or an element.
pub(super) fn store(
    t: &mut Translator,
    storage: StorageType,
    value: Value,
    at: Value,
    offset: i32,
) {
    let flags = t.env.heap_flags(t.b);
    match storage {
        StorageType::I8 => t.b.ins().istore8(flags, value, at, offset),
        StorageType::I16 => t.b.ins().istore16(flags, value, at, offset),
        StorageType::Val(_) => t.b.ins().store(flags, value, at, offset),
    };
}

/// Reads a field or an element and pushes it.
fn load(t: &mut Translator, storage: StorageType, extend: Extend, at: Value, offset: i32) {
    let flags = t.env.heap_flags(t.b);
    let b = t.b.ins();
    let value = match (storage, extend) {
        (StorageType::I8, Extend::Signed) => b.sload8(types::I32, flags, at, offset),
        (StorageType::I8, Extend::Unsigned) => b.uload8(types::I32, flags, at, offset),
        (StorageType::I16, Extend::Signed) => b.sload16(types::I32, flags, at, offset),
        (StorageType::I16, Extend::Unsigned) => b.uload16(types::I32, flags, at, offset),
        (StorageType::Val(ty), _) => b.load(clif_type(ty), flags, at, offset),
    };
    t.push_tracked(value, storage.unpacked());
}

pub(super) fn struct_new(t: &mut Translator, ty: u32) {
    let ty = TypeIndex::from_u32(ty);
    let fields = struct_type(t, ty);
    let values = t.pop_many(fields.fields().len());
    make_struct(t, ty, &fields, &values);
}

pub(super) fn struct_new_default(t: &mut Translator, ty: u32) {
    let ty = TypeIndex::from_u32(ty);
    let fields = struct_type(t, ty);
    let zero = |field: &FieldType| t.zero(clif_type(field.storage.unpacked()));
    let values: Vec<_> = fields.fields().iter().map(zero).collect();
    make_struct(t, ty, &fields, &values);
}

fn make_struct(t: &mut Translator, ty: TypeIndex, fields: &StructType, values: &[Value]) {
    let layout = StructLayout::new(fields.fields());
    let object = allocate(t, layout.size);
    let at = begin(t, object, ty, 0);
    for ((field, offset), value) in fields.fields().iter().zip(&layout.offsets).zip(values) {
        store(t, field.storage, *value, at, *offset as i32);
    }
    t.push(object);
}

/// The field of the struct type: what it holds, and its offset.
fn field(t: &Translator, ty: u32, field: u32) -> (StorageType, i32) {
    let fields = struct_type(t, TypeIndex::from_u32(ty));
    let layout = StructLayout::new(fields.fields());
    let field = field as usize;
    (fields.fields()[field].storage, layout.offsets[field] as i32)
}

pub(super) fn struct_get(t: &mut Translator, ty: u32, index: u32, extend: Extend) {
    let object = t.pop();
    check_not_null(t, object);
    let at = address(t, object);
    let (storage, offset) = field(t, ty, index);
    load(t, storage, extend, at, offset);
}

pub(super) fn struct_set(t: &mut Translator, ty: u32, index: u32) {
    let (object, value) = t.pop2();
    let value = t.canonical(value);
    check_not_null(t, object);
    let at = address(t, object);
    let (storage, offset) = field(t, ty, index);
    store(t, storage, value, at, offset);
}

fn constant(t: &mut Translator, value: u32) -> Value {
    t.b.ins().iconst(types::I32, i64::from(value))
}

/// Calls a libcall that returns a new array, and pushes that.
fn push_made(t: &mut Translator, libcall: Libcall, args: &[Value]) -> Value {
    let array = t.env.libcall(t.b, libcall, args).expect("it returns the array");
    t.push_tracked(array, reference_to(HeapType::Array));
    array
}

pub(super) fn array_new(t: &mut Translator, ty: u32) {
    let (value, len) = t.pop2();
    let value = t.canonical(value);
    let ty = constant(t, ty);
    let array = push_made(t, Libcall::array_new, &[ty, len]);
    let start = constant(t, 0);
    fill(t, array, start, value, len);
}

pub(super) fn array_new_default(t: &mut Translator, ty: u32) {
    let len = t.pop();
    let ty = constant(t, ty);
    push_made(t, Libcall::array_new, &[ty, len]);
}

pub(super) fn array_new_fixed(t: &mut Translator, ty: u32, len: u32) -> Result<(), CompileError> {
    let ty = TypeIndex::from_u32(ty);
    let storage = element_type(t, ty).storage;
    let size = storage_size(storage);
    let values = t.pop_many(len as usize);
    let Some(whole) = array_size(size, len) else {
        return Err(CompileError("too large an array".to_owned()));
    };
    let array = allocate(t, whole);
    let at = begin(t, array, ty, len);
    for (i, value) in values.into_iter().enumerate() {
        store(t, storage, value, at, (object::HEADER + i as u32 * size) as i32);
    }
    t.push(array);
    Ok(())
}

/// `array.new_data` and `array.new_elem`.
pub(super) fn array_new_segment(t: &mut Translator, libcall: Libcall, ty: u32, segment: u32) {
    let (start, len) = t.pop2();
    let args = [constant(t, ty), constant(t, segment), start, len];
    push_made(t, libcall, &args);
}

/// `array.init_data` and `array.init_elem`.
pub(super) fn array_init(t: &mut Translator, libcall: Libcall, segment: u32) {
    let (start, from, len) = t.pop3();
    let array = t.pop();
    check_not_null(t, array);
    let segment = constant(t, segment);
    t.env.libcall(t.b, libcall, &[array, segment, start, from, len]);
}

/// The number of elements of an array, which is not null.
fn length(t: &mut Translator, at: Value) -> Value {
    // Arrays never change their length.
    let flags = MemFlagsData::trusted().with_readonly();
    t.b.ins().load(types::I32, flags, at, object::LENGTH)
}

pub(super) fn array_len(t: &mut Translator) {
    let array = t.pop();
    check_not_null(t, array);
    let at = address(t, array);
    let len = length(t, at);
    t.push(len);
}

/// The address of an element, checked to be there, of an array of this type.
fn element(t: &mut Translator, array: Value, index: Value, size: u32) -> Value {
    check_not_null(t, array);
    let at = address(t, array);
    let len = length(t, at);
    let outside = t.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
    t.env.trap_if(t.b, outside, TrapCode::ArrayOutOfBounds);
    // In 32 bits, so that whatever the array's length were it would stay in the heap.
    let index = t.b.ins().imul_imm_u(index, i64::from(size));
    let place = t.b.ins().iadd(array, index);
    let place = t.b.ins().iadd_imm_s(place, i64::from(object::HEADER));
    address(t, place)
}

pub(super) fn array_get(t: &mut Translator, ty: u32, extend: Extend) {
    let (array, index) = t.pop2();
    let storage = element_type(t, TypeIndex::from_u32(ty)).storage;
    let at = element(t, array, index, storage_size(storage));
    load(t, storage, extend, at, 0);
}

pub(super) fn array_set(t: &mut Translator, ty: u32) {
    let (array, index, value) = t.pop3();
    let value = t.canonical(value);
    let storage = element_type(t, TypeIndex::from_u32(ty)).storage;
    let at = element(t, array, index, storage_size(storage));
    store(t, storage, value, at, 0);
}

pub(super) fn array_fill(t: &mut Translator) {
    let (start, value, len) = t.pop3();
    let array = t.pop();
    let value = t.canonical(value);
    check_not_null(t, array);
    fill(t, array, start, value, len);
}

fn fill(t: &mut Translator, array: Value, start: Value, value: Value, len: Value) {
    let (low, high) = bits(t, value);
    t.env.libcall(t.b, Libcall::array_fill, &[array, start, low, high, len]);
}

/// A value's bits as two of 64, extended with zeros.
fn bits(t: &mut Translator, value: Value) -> (Value, Value) {
    let zero = t.b.ins().iconst(types::I64, 0);
    let flags = MemFlagsData::new();
    let low = match t.type_of(value) {
        types::I32 => t.b.ins().uextend(types::I64, value),
        types::F32 => {
            let value = t.b.ins().bitcast(types::I32, flags, value);
            t.b.ins().uextend(types::I64, value)
        }
        types::F64 => t.b.ins().bitcast(types::I64, flags, value),
        ty if ty.is_vector() => {
            let lanes = t.cast(value, types::I64X2);
            let low = t.b.ins().extractlane(lanes, 0);
            return (low, t.b.ins().extractlane(lanes, 1));
        }
        _ => value,
    };
    (low, zero)
}

pub(super) fn array_copy(t: &mut Translator) {
    let (from, from_start, len) = t.pop3();
    let (to, start) = t.pop2();
    check_not_null(t, to);
    check_not_null(t, from);
    t.env.libcall(t.b, Libcall::array_copy, &[to, start, from, from_start, len]);
}

pub(super) fn i31_new(t: &mut Translator) {
    let value = t.pop();
    let value = t.b.ins().ishl_imm_u(value, 1);
    let value = t.b.ins().bor_imm_u(value, 1);
    t.push(value);
}

pub(super) fn i31_get(t: &mut Translator, extend: Extend) {
    let reference = t.pop();
    check_not_null(t, reference);
    let value = match extend {
        Extend::Signed => t.b.ins().sshr_imm_u(reference, 1),
        Extend::Unsigned => t.b.ins().ushr_imm_u(reference, 1),
    };
    t.push(value);
}

/// `any.convert_extern` and `extern.convert_any`: the reference stays as it is.
pub(super) fn convert(t: &mut Translator) {
    debug_assert!(t.env.source.module.features.has(Feature::Gc));
}
