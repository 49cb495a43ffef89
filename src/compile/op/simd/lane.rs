//! Making vectors, and moving single lanes in and out of them.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::MemArg;

use super::{pop, pop2};
use crate::compile::function::Translator;
use crate::compile::op::memory;

pub(super) fn constant(t: &mut Translator, bytes: &[u8; 16]) {
    let constant = t.b.func.dfg.constants.insert(bytes.to_vec().into());
    let value = t.b.ins().vconst(types::I8X16, constant);
    t.push(value);
}

/// Loads half a vector and extends its lanes to twice their width.
pub(super) fn load_extended(
    t: &mut Translator,
    memarg: &MemArg,
    load: impl FnOnce(FuncInstBuilder<'_, '_>, MemFlagsData, Value, i32) -> Value,
) {
    memory::load_extended(t, memarg, 8, load);
}

pub(super) fn load_splat(t: &mut Translator, memarg: &MemArg, ty: Type) {
    memory::load(t, memarg, ty.lane_type());
    let scalar = t.pop();
    let value = t.b.ins().splat(ty, scalar);
    t.push(value);
}

/// Loads lane 0; the others are zero.
pub(super) fn load_zero(t: &mut Translator, memarg: &MemArg, ty: Type) {
    memory::load(t, memarg, ty.lane_type());
    let scalar = t.pop();
    let value = t.b.ins().scalar_to_vector(ty, scalar);
    t.push(value);
}

pub(super) fn load_lane(t: &mut Translator, memarg: &MemArg, ty: Type, lane: u8) {
    let vector = pop(t, ty);
    memory::load(t, memarg, ty.lane_type());
    let scalar = t.pop();
    let value = t.b.ins().insertlane(vector, scalar, lane);
    t.push(value);
}

pub(super) fn store_lane(t: &mut Translator, memarg: &MemArg, ty: Type, lane: u8) {
    let vector = pop(t, ty);
    let scalar = t.b.ins().extractlane(vector, lane);
    t.push(scalar);
    memory::store(t, memarg);
}

pub(super) fn shuffle(t: &mut Translator, lanes: &[u8; 16]) {
    let (x, y) = pop2(t, types::I8X16);
    let mask = t.b.func.dfg.immediates.push(lanes.to_vec().into());
    let value = t.b.ins().shuffle(x, y, mask);
    t.push(value);
}

/// Takes out a lane that is narrower than an `i32`.
pub(super) fn extract_extended(t: &mut Translator, ty: Type, lane: u8, signed: bool) {
    let vector = pop(t, ty);
    let scalar = t.b.ins().extractlane(vector, lane);
    let value = if signed {
        t.b.ins().sextend(types::I32, scalar)
    } else {
        t.b.ins().uextend(types::I32, scalar)
    };
    t.push(value);
}

/// A scalar of the stack as a lane of type `ty`.
fn pop_lane(t: &mut Translator, ty: Type) -> Value {
    let scalar = t.pop();
    let lane = ty.lane_type();
    if lane == t.type_of(scalar) { scalar } else { t.b.ins().ireduce(lane, scalar) }
}

pub(super) fn replace(t: &mut Translator, ty: Type, lane: u8) {
    let scalar = pop_lane(t, ty);
    let vector = pop(t, ty);
    let value = t.b.ins().insertlane(vector, scalar, lane);
    t.push(value);
}

pub(super) fn splat(t: &mut Translator, ty: Type) {
    let scalar = pop_lane(t, ty);
    let value = t.b.ins().splat(ty, scalar);
    t.push(value);
}
