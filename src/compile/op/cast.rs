//! Tests of what a reference is to, and casts (core spec, sections 4.4.2 and 4.4.8).

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};

use crate::abi::layout::offset;
use crate::compile::env::{POINTER, constant_flags};
use crate::compile::function::Translator;
use crate::wasm::TypeIndex;

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
