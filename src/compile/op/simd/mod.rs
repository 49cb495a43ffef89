//! 128-bit vectors (core spec, section 4.4.3), dispatched by family.

mod arith;
mod compare;
mod convert;
mod lane;
mod relaxed;

use cranelift_codegen::ir::{
    InstBuilder, Type, Value, condcodes::FloatCC, condcodes::IntCC, types::*,
};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::Operator;

use crate::compile::CompileError;
use crate::compile::function::Translator;

/// Takes a vector from the stack, with lanes of type `ty`.
fn pop(t: &mut Translator, ty: Type) -> Value {
    let value = t.pop();
    t.cast(value, ty)
}

/// Takes two vectors from the stack, with lanes of type `ty`.
fn pop2(t: &mut Translator, ty: Type) -> (Value, Value) {
    let second = pop(t, ty);
    (pop(t, ty), second)
}

/// An operation on one vector.
fn unary(t: &mut Translator, ty: Type, op: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) {
    let x = pop(t, ty);
    let result = op(t.b.ins(), x);
    t.push(result);
}

/// An operation on two vectors.
fn binary(
    t: &mut Translator,
    ty: Type,
    op: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
) {
    let (x, y) = pop2(t, ty);
    let result = op(t.b.ins(), x, y);
    t.push(result);
}

pub(super) fn translate(t: &mut Translator, operator: &Operator) -> Result<(), CompileError> {
    use Operator as Op;
    match operator {
        Op::V128Const { value } => lane::constant(t, value.bytes()),

        Op::V128Load { memarg } => super::memory::load(t, memarg, I8X16),
        Op::V128Store { memarg } => super::memory::store(t, memarg),
        Op::V128Load8x8S { memarg } => {
            lane::load_extended(t, memarg, |b, f, p, o| b.sload8x8(f, p, o))
        }
        Op::V128Load8x8U { memarg } => {
            lane::load_extended(t, memarg, |b, f, p, o| b.uload8x8(f, p, o))
        }
        Op::V128Load16x4S { memarg } => {
            lane::load_extended(t, memarg, |b, f, p, o| b.sload16x4(f, p, o))
        }
        Op::V128Load16x4U { memarg } => {
            lane::load_extended(t, memarg, |b, f, p, o| b.uload16x4(f, p, o))
        }
        Op::V128Load32x2S { memarg } => {
            lane::load_extended(t, memarg, |b, f, p, o| b.sload32x2(f, p, o))
        }
        Op::V128Load32x2U { memarg } => {
            lane::load_extended(t, memarg, |b, f, p, o| b.uload32x2(f, p, o))
        }
        Op::V128Load8Splat { memarg } => lane::load_splat(t, memarg, I8X16),
        Op::V128Load16Splat { memarg } => lane::load_splat(t, memarg, I16X8),
        Op::V128Load32Splat { memarg } => lane::load_splat(t, memarg, I32X4),
        Op::V128Load64Splat { memarg } => lane::load_splat(t, memarg, I64X2),
        Op::V128Load32Zero { memarg } => lane::load_zero(t, memarg, I32X4),
        Op::V128Load64Zero { memarg } => lane::load_zero(t, memarg, I64X2),
        Op::V128Load8Lane { memarg, lane } => lane::load_lane(t, memarg, I8X16, *lane),
        Op::V128Load16Lane { memarg, lane } => lane::load_lane(t, memarg, I16X8, *lane),
        Op::V128Load32Lane { memarg, lane } => lane::load_lane(t, memarg, I32X4, *lane),
        Op::V128Load64Lane { memarg, lane } => lane::load_lane(t, memarg, I64X2, *lane),
        Op::V128Store8Lane { memarg, lane } => lane::store_lane(t, memarg, I8X16, *lane),
        Op::V128Store16Lane { memarg, lane } => lane::store_lane(t, memarg, I16X8, *lane),
        Op::V128Store32Lane { memarg, lane } => lane::store_lane(t, memarg, I32X4, *lane),
        Op::V128Store64Lane { memarg, lane } => lane::store_lane(t, memarg, I64X2, *lane),

        Op::I8x16Shuffle { lanes } => lane::shuffle(t, lanes),
        Op::I8x16Swizzle => binary(t, I8X16, |b, x, y| b.swizzle(x, y)),
        Op::I8x16ExtractLaneS { lane } => lane::extract_extended(t, I8X16, *lane, true),
        Op::I8x16ExtractLaneU { lane } => lane::extract_extended(t, I8X16, *lane, false),
        Op::I16x8ExtractLaneS { lane } => lane::extract_extended(t, I16X8, *lane, true),
        Op::I16x8ExtractLaneU { lane } => lane::extract_extended(t, I16X8, *lane, false),
        Op::I32x4ExtractLane { lane } => unary(t, I32X4, |b, x| b.extractlane(x, *lane)),
        Op::I64x2ExtractLane { lane } => unary(t, I64X2, |b, x| b.extractlane(x, *lane)),
        Op::F32x4ExtractLane { lane } => unary(t, F32X4, |b, x| b.extractlane(x, *lane)),
        Op::F64x2ExtractLane { lane } => unary(t, F64X2, |b, x| b.extractlane(x, *lane)),
        Op::I8x16ReplaceLane { lane } => lane::replace(t, I8X16, *lane),
        Op::I16x8ReplaceLane { lane } => lane::replace(t, I16X8, *lane),
        Op::I32x4ReplaceLane { lane } => lane::replace(t, I32X4, *lane),
        Op::I64x2ReplaceLane { lane } => lane::replace(t, I64X2, *lane),
        Op::F32x4ReplaceLane { lane } => lane::replace(t, F32X4, *lane),
        Op::F64x2ReplaceLane { lane } => lane::replace(t, F64X2, *lane),
        Op::I8x16Splat => lane::splat(t, I8X16),
        Op::I16x8Splat => lane::splat(t, I16X8),
        Op::I32x4Splat => lane::splat(t, I32X4),
        Op::I64x2Splat => lane::splat(t, I64X2),
        Op::F32x4Splat => lane::splat(t, F32X4),
        Op::F64x2Splat => lane::splat(t, F64X2),

        Op::I8x16Eq => compare::integers(t, I8X16, IntCC::Equal),
        Op::I8x16Ne => compare::integers(t, I8X16, IntCC::NotEqual),
        Op::I8x16LtS => compare::integers(t, I8X16, IntCC::SignedLessThan),
        Op::I8x16LtU => compare::integers(t, I8X16, IntCC::UnsignedLessThan),
        Op::I8x16GtS => compare::integers(t, I8X16, IntCC::SignedGreaterThan),
        Op::I8x16GtU => compare::integers(t, I8X16, IntCC::UnsignedGreaterThan),
        Op::I8x16LeS => compare::integers(t, I8X16, IntCC::SignedLessThanOrEqual),
        Op::I8x16LeU => compare::integers(t, I8X16, IntCC::UnsignedLessThanOrEqual),
        Op::I8x16GeS => compare::integers(t, I8X16, IntCC::SignedGreaterThanOrEqual),
        Op::I8x16GeU => compare::integers(t, I8X16, IntCC::UnsignedGreaterThanOrEqual),
        Op::I16x8Eq => compare::integers(t, I16X8, IntCC::Equal),
        Op::I16x8Ne => compare::integers(t, I16X8, IntCC::NotEqual),
        Op::I16x8LtS => compare::integers(t, I16X8, IntCC::SignedLessThan),
        Op::I16x8LtU => compare::integers(t, I16X8, IntCC::UnsignedLessThan),
        Op::I16x8GtS => compare::integers(t, I16X8, IntCC::SignedGreaterThan),
        Op::I16x8GtU => compare::integers(t, I16X8, IntCC::UnsignedGreaterThan),
        Op::I16x8LeS => compare::integers(t, I16X8, IntCC::SignedLessThanOrEqual),
        Op::I16x8LeU => compare::integers(t, I16X8, IntCC::UnsignedLessThanOrEqual),
        Op::I16x8GeS => compare::integers(t, I16X8, IntCC::SignedGreaterThanOrEqual),
        Op::I16x8GeU => compare::integers(t, I16X8, IntCC::UnsignedGreaterThanOrEqual),
        Op::I32x4Eq => compare::integers(t, I32X4, IntCC::Equal),
        Op::I32x4Ne => compare::integers(t, I32X4, IntCC::NotEqual),
        Op::I32x4LtS => compare::integers(t, I32X4, IntCC::SignedLessThan),
        Op::I32x4LtU => compare::integers(t, I32X4, IntCC::UnsignedLessThan),
        Op::I32x4GtS => compare::integers(t, I32X4, IntCC::SignedGreaterThan),
        Op::I32x4GtU => compare::integers(t, I32X4, IntCC::UnsignedGreaterThan),
        Op::I32x4LeS => compare::integers(t, I32X4, IntCC::SignedLessThanOrEqual),
        Op::I32x4LeU => compare::integers(t, I32X4, IntCC::UnsignedLessThanOrEqual),
        Op::I32x4GeS => compare::integers(t, I32X4, IntCC::SignedGreaterThanOrEqual),
        Op::I32x4GeU => compare::integers(t, I32X4, IntCC::UnsignedGreaterThanOrEqual),
        Op::I64x2Eq => compare::integers(t, I64X2, IntCC::Equal),
        Op::I64x2Ne => compare::integers(t, I64X2, IntCC::NotEqual),
        Op::I64x2LtS => compare::integers(t, I64X2, IntCC::SignedLessThan),
        Op::I64x2GtS => compare::integers(t, I64X2, IntCC::SignedGreaterThan),
        Op::I64x2LeS => compare::integers(t, I64X2, IntCC::SignedLessThanOrEqual),
        Op::I64x2GeS => compare::integers(t, I64X2, IntCC::SignedGreaterThanOrEqual),
        Op::F32x4Eq => compare::floats(t, F32X4, FloatCC::Equal),
        Op::F32x4Ne => compare::floats(t, F32X4, FloatCC::NotEqual),
        Op::F32x4Lt => compare::floats(t, F32X4, FloatCC::LessThan),
        Op::F32x4Gt => compare::floats(t, F32X4, FloatCC::GreaterThan),
        Op::F32x4Le => compare::floats(t, F32X4, FloatCC::LessThanOrEqual),
        Op::F32x4Ge => compare::floats(t, F32X4, FloatCC::GreaterThanOrEqual),
        Op::F64x2Eq => compare::floats(t, F64X2, FloatCC::Equal),
        Op::F64x2Ne => compare::floats(t, F64X2, FloatCC::NotEqual),
        Op::F64x2Lt => compare::floats(t, F64X2, FloatCC::LessThan),
        Op::F64x2Gt => compare::floats(t, F64X2, FloatCC::GreaterThan),
        Op::F64x2Le => compare::floats(t, F64X2, FloatCC::LessThanOrEqual),
        Op::F64x2Ge => compare::floats(t, F64X2, FloatCC::GreaterThanOrEqual),

        Op::V128Not => unary(t, I8X16, |b, x| b.bnot(x)),
        Op::V128And => binary(t, I8X16, |b, x, y| b.band(x, y)),
        Op::V128AndNot => binary(t, I8X16, |b, x, y| b.band_not(x, y)),
        Op::V128Or => binary(t, I8X16, |b, x, y| b.bor(x, y)),
        Op::V128Xor => binary(t, I8X16, |b, x, y| b.bxor(x, y)),
        Op::V128Bitselect => arith::bitselect(t),
        Op::V128AnyTrue => compare::any_true(t),
        Op::I8x16AllTrue => compare::all_true(t, I8X16),
        Op::I16x8AllTrue => compare::all_true(t, I16X8),
        Op::I32x4AllTrue => compare::all_true(t, I32X4),
        Op::I64x2AllTrue => compare::all_true(t, I64X2),
        Op::I8x16Bitmask => unary(t, I8X16, |b, x| b.vhigh_bits(I32, x)),
        Op::I16x8Bitmask => unary(t, I16X8, |b, x| b.vhigh_bits(I32, x)),
        Op::I32x4Bitmask => unary(t, I32X4, |b, x| b.vhigh_bits(I32, x)),
        Op::I64x2Bitmask => unary(t, I64X2, |b, x| b.vhigh_bits(I32, x)),

        Op::I8x16Shl => arith::shift(t, I8X16, |b, x, y| b.ishl(x, y)),
        Op::I8x16ShrS => arith::shift(t, I8X16, |b, x, y| b.sshr(x, y)),
        Op::I8x16ShrU => arith::shift(t, I8X16, |b, x, y| b.ushr(x, y)),
        Op::I16x8Shl => arith::shift(t, I16X8, |b, x, y| b.ishl(x, y)),
        Op::I16x8ShrS => arith::shift(t, I16X8, |b, x, y| b.sshr(x, y)),
        Op::I16x8ShrU => arith::shift(t, I16X8, |b, x, y| b.ushr(x, y)),
        Op::I32x4Shl => arith::shift(t, I32X4, |b, x, y| b.ishl(x, y)),
        Op::I32x4ShrS => arith::shift(t, I32X4, |b, x, y| b.sshr(x, y)),
        Op::I32x4ShrU => arith::shift(t, I32X4, |b, x, y| b.ushr(x, y)),
        Op::I64x2Shl => arith::shift(t, I64X2, |b, x, y| b.ishl(x, y)),
        Op::I64x2ShrS => arith::shift(t, I64X2, |b, x, y| b.sshr(x, y)),
        Op::I64x2ShrU => arith::shift(t, I64X2, |b, x, y| b.ushr(x, y)),

        Op::I8x16Abs => unary(t, I8X16, |b, x| b.iabs(x)),
        Op::I16x8Abs => unary(t, I16X8, |b, x| b.iabs(x)),
        Op::I32x4Abs => unary(t, I32X4, |b, x| b.iabs(x)),
        Op::I64x2Abs => unary(t, I64X2, |b, x| b.iabs(x)),
        Op::I8x16Neg => unary(t, I8X16, |b, x| b.ineg(x)),
        Op::I16x8Neg => unary(t, I16X8, |b, x| b.ineg(x)),
        Op::I32x4Neg => unary(t, I32X4, |b, x| b.ineg(x)),
        Op::I64x2Neg => unary(t, I64X2, |b, x| b.ineg(x)),
        Op::I8x16Popcnt => unary(t, I8X16, |b, x| b.popcnt(x)),
        Op::I8x16Add => binary(t, I8X16, |b, x, y| b.iadd(x, y)),
        Op::I16x8Add => binary(t, I16X8, |b, x, y| b.iadd(x, y)),
        Op::I32x4Add => binary(t, I32X4, |b, x, y| b.iadd(x, y)),
        Op::I64x2Add => binary(t, I64X2, |b, x, y| b.iadd(x, y)),
        Op::I8x16AddSatS => binary(t, I8X16, |b, x, y| b.sadd_sat(x, y)),
        Op::I8x16AddSatU => binary(t, I8X16, |b, x, y| b.uadd_sat(x, y)),
        Op::I16x8AddSatS => binary(t, I16X8, |b, x, y| b.sadd_sat(x, y)),
        Op::I16x8AddSatU => binary(t, I16X8, |b, x, y| b.uadd_sat(x, y)),
        Op::I8x16Sub => binary(t, I8X16, |b, x, y| b.isub(x, y)),
        Op::I16x8Sub => binary(t, I16X8, |b, x, y| b.isub(x, y)),
        Op::I32x4Sub => binary(t, I32X4, |b, x, y| b.isub(x, y)),
        Op::I64x2Sub => binary(t, I64X2, |b, x, y| b.isub(x, y)),
        Op::I8x16SubSatS => binary(t, I8X16, |b, x, y| b.ssub_sat(x, y)),
        Op::I8x16SubSatU => binary(t, I8X16, |b, x, y| b.usub_sat(x, y)),
        Op::I16x8SubSatS => binary(t, I16X8, |b, x, y| b.ssub_sat(x, y)),
        Op::I16x8SubSatU => binary(t, I16X8, |b, x, y| b.usub_sat(x, y)),
        Op::I16x8Mul => binary(t, I16X8, |b, x, y| b.imul(x, y)),
        Op::I32x4Mul => binary(t, I32X4, |b, x, y| b.imul(x, y)),
        Op::I64x2Mul => binary(t, I64X2, |b, x, y| b.imul(x, y)),
        Op::I8x16MinS => binary(t, I8X16, |b, x, y| b.smin(x, y)),
        Op::I8x16MinU => binary(t, I8X16, |b, x, y| b.umin(x, y)),
        Op::I8x16MaxS => binary(t, I8X16, |b, x, y| b.smax(x, y)),
        Op::I8x16MaxU => binary(t, I8X16, |b, x, y| b.umax(x, y)),
        Op::I16x8MinS => binary(t, I16X8, |b, x, y| b.smin(x, y)),
        Op::I16x8MinU => binary(t, I16X8, |b, x, y| b.umin(x, y)),
        Op::I16x8MaxS => binary(t, I16X8, |b, x, y| b.smax(x, y)),
        Op::I16x8MaxU => binary(t, I16X8, |b, x, y| b.umax(x, y)),
        Op::I32x4MinS => binary(t, I32X4, |b, x, y| b.smin(x, y)),
        Op::I32x4MinU => binary(t, I32X4, |b, x, y| b.umin(x, y)),
        Op::I32x4MaxS => binary(t, I32X4, |b, x, y| b.smax(x, y)),
        Op::I32x4MaxU => binary(t, I32X4, |b, x, y| b.umax(x, y)),
        Op::I8x16AvgrU => binary(t, I8X16, |b, x, y| b.avg_round(x, y)),
        Op::I16x8AvgrU => binary(t, I16X8, |b, x, y| b.avg_round(x, y)),
        Op::I16x8Q15MulrSatS => binary(t, I16X8, |b, x, y| b.sqmul_round_sat(x, y)),
        Op::I32x4DotI16x8S => arith::dot(t),
        Op::I16x8ExtMulLowI8x16S => arith::multiply_extended(t, I8X16, arith::LOW_S),
        Op::I16x8ExtMulHighI8x16S => arith::multiply_extended(t, I8X16, arith::HIGH_S),
        Op::I16x8ExtMulLowI8x16U => arith::multiply_extended(t, I8X16, arith::LOW_U),
        Op::I16x8ExtMulHighI8x16U => arith::multiply_extended(t, I8X16, arith::HIGH_U),
        Op::I32x4ExtMulLowI16x8S => arith::multiply_extended(t, I16X8, arith::LOW_S),
        Op::I32x4ExtMulHighI16x8S => arith::multiply_extended(t, I16X8, arith::HIGH_S),
        Op::I32x4ExtMulLowI16x8U => arith::multiply_extended(t, I16X8, arith::LOW_U),
        Op::I32x4ExtMulHighI16x8U => arith::multiply_extended(t, I16X8, arith::HIGH_U),
        Op::I64x2ExtMulLowI32x4S => arith::multiply_extended(t, I32X4, arith::LOW_S),
        Op::I64x2ExtMulHighI32x4S => arith::multiply_extended(t, I32X4, arith::HIGH_S),
        Op::I64x2ExtMulLowI32x4U => arith::multiply_extended(t, I32X4, arith::LOW_U),
        Op::I64x2ExtMulHighI32x4U => arith::multiply_extended(t, I32X4, arith::HIGH_U),
        Op::I16x8ExtAddPairwiseI8x16S => arith::add_pairs(t, I8X16, arith::LOW_S, arith::HIGH_S),
        Op::I16x8ExtAddPairwiseI8x16U => arith::add_pairs(t, I8X16, arith::LOW_U, arith::HIGH_U),
        Op::I32x4ExtAddPairwiseI16x8S => arith::add_pairs(t, I16X8, arith::LOW_S, arith::HIGH_S),
        Op::I32x4ExtAddPairwiseI16x8U => arith::add_pairs(t, I16X8, arith::LOW_U, arith::HIGH_U),

        Op::F32x4Ceil => unary(t, F32X4, |b, x| b.ceil(x)),
        Op::F32x4Floor => unary(t, F32X4, |b, x| b.floor(x)),
        Op::F32x4Trunc => unary(t, F32X4, |b, x| b.trunc(x)),
        Op::F32x4Nearest => unary(t, F32X4, |b, x| b.nearest(x)),
        Op::F32x4Abs => unary(t, F32X4, |b, x| b.fabs(x)),
        Op::F32x4Neg => unary(t, F32X4, |b, x| b.fneg(x)),
        Op::F32x4Sqrt => unary(t, F32X4, |b, x| b.sqrt(x)),
        Op::F32x4Add => binary(t, F32X4, |b, x, y| b.fadd(x, y)),
        Op::F32x4Sub => binary(t, F32X4, |b, x, y| b.fsub(x, y)),
        Op::F32x4Mul => binary(t, F32X4, |b, x, y| b.fmul(x, y)),
        Op::F32x4Div => binary(t, F32X4, |b, x, y| b.fdiv(x, y)),
        Op::F32x4Min => binary(t, F32X4, |b, x, y| b.fmin(x, y)),
        Op::F32x4Max => binary(t, F32X4, |b, x, y| b.fmax(x, y)),
        Op::F32x4PMin => compare::pseudo_min(t, F32X4),
        Op::F32x4PMax => compare::pseudo_max(t, F32X4),
        Op::F64x2Ceil => unary(t, F64X2, |b, x| b.ceil(x)),
        Op::F64x2Floor => unary(t, F64X2, |b, x| b.floor(x)),
        Op::F64x2Trunc => unary(t, F64X2, |b, x| b.trunc(x)),
        Op::F64x2Nearest => unary(t, F64X2, |b, x| b.nearest(x)),
        Op::F64x2Abs => unary(t, F64X2, |b, x| b.fabs(x)),
        Op::F64x2Neg => unary(t, F64X2, |b, x| b.fneg(x)),
        Op::F64x2Sqrt => unary(t, F64X2, |b, x| b.sqrt(x)),
        Op::F64x2Add => binary(t, F64X2, |b, x, y| b.fadd(x, y)),
        Op::F64x2Sub => binary(t, F64X2, |b, x, y| b.fsub(x, y)),
        Op::F64x2Mul => binary(t, F64X2, |b, x, y| b.fmul(x, y)),
        Op::F64x2Div => binary(t, F64X2, |b, x, y| b.fdiv(x, y)),
        Op::F64x2Min => binary(t, F64X2, |b, x, y| b.fmin(x, y)),
        Op::F64x2Max => binary(t, F64X2, |b, x, y| b.fmax(x, y)),
        Op::F64x2PMin => compare::pseudo_min(t, F64X2),
        Op::F64x2PMax => compare::pseudo_max(t, F64X2),

        Op::I8x16NarrowI16x8S => binary(t, I16X8, |b, x, y| b.snarrow(x, y)),
        Op::I8x16NarrowI16x8U => binary(t, I16X8, |b, x, y| b.unarrow(x, y)),
        Op::I16x8NarrowI32x4S => binary(t, I32X4, |b, x, y| b.snarrow(x, y)),
        Op::I16x8NarrowI32x4U => binary(t, I32X4, |b, x, y| b.unarrow(x, y)),
        Op::I16x8ExtendLowI8x16S => unary(t, I8X16, |b, x| b.swiden_low(x)),
        Op::I16x8ExtendHighI8x16S => unary(t, I8X16, |b, x| b.swiden_high(x)),
        Op::I16x8ExtendLowI8x16U => unary(t, I8X16, |b, x| b.uwiden_low(x)),
        Op::I16x8ExtendHighI8x16U => unary(t, I8X16, |b, x| b.uwiden_high(x)),
        Op::I32x4ExtendLowI16x8S => unary(t, I16X8, |b, x| b.swiden_low(x)),
        Op::I32x4ExtendHighI16x8S => unary(t, I16X8, |b, x| b.swiden_high(x)),
        Op::I32x4ExtendLowI16x8U => unary(t, I16X8, |b, x| b.uwiden_low(x)),
        Op::I32x4ExtendHighI16x8U => unary(t, I16X8, |b, x| b.uwiden_high(x)),
        Op::I64x2ExtendLowI32x4S => unary(t, I32X4, |b, x| b.swiden_low(x)),
        Op::I64x2ExtendHighI32x4S => unary(t, I32X4, |b, x| b.swiden_high(x)),
        Op::I64x2ExtendLowI32x4U => unary(t, I32X4, |b, x| b.uwiden_low(x)),
        Op::I64x2ExtendHighI32x4U => unary(t, I32X4, |b, x| b.uwiden_high(x)),
        Op::I32x4TruncSatF32x4S => unary(t, F32X4, |b, x| b.fcvt_to_sint_sat(I32X4, x)),
        Op::I32x4TruncSatF32x4U => unary(t, F32X4, |b, x| b.fcvt_to_uint_sat(I32X4, x)),
        Op::I32x4TruncSatF64x2SZero => convert::truncate_doubles(t, true),
        Op::I32x4TruncSatF64x2UZero => convert::truncate_doubles(t, false),
        Op::F32x4ConvertI32x4S => unary(t, I32X4, |b, x| b.fcvt_from_sint(F32X4, x)),
        Op::F32x4ConvertI32x4U => unary(t, I32X4, |b, x| b.fcvt_from_uint(F32X4, x)),
        Op::F64x2ConvertLowI32x4S => convert::low_to_doubles(t, true),
        Op::F64x2ConvertLowI32x4U => convert::low_to_doubles(t, false),
        Op::F32x4DemoteF64x2Zero => unary(t, F64X2, |b, x| b.fvdemote(x)),
        Op::F64x2PromoteLowF32x4 => unary(t, F32X4, |b, x| b.fvpromote_low(x)),

        Op::I8x16RelaxedSwizzle => relaxed::swizzle(t),
        Op::I32x4RelaxedTruncF32x4S => relaxed::truncate_signed(t),
        Op::I32x4RelaxedTruncF32x4U => unary(t, F32X4, |b, x| b.fcvt_to_uint_sat(I32X4, x)),
        Op::I32x4RelaxedTruncF64x2SZero => relaxed::truncate_doubles_signed(t),
        Op::I32x4RelaxedTruncF64x2UZero => convert::truncate_doubles(t, false),
        Op::F32x4RelaxedMadd => relaxed::multiply_add(t, F32X4, false),
        Op::F32x4RelaxedNmadd => relaxed::multiply_add(t, F32X4, true),
        Op::F64x2RelaxedMadd => relaxed::multiply_add(t, F64X2, false),
        Op::F64x2RelaxedNmadd => relaxed::multiply_add(t, F64X2, true),
        Op::I8x16RelaxedLaneselect => relaxed::lane_select(t, I8X16),
        Op::I16x8RelaxedLaneselect => relaxed::lane_select(t, I16X8),
        Op::I32x4RelaxedLaneselect => relaxed::lane_select(t, I32X4),
        Op::I64x2RelaxedLaneselect => relaxed::lane_select(t, I64X2),
        Op::F32x4RelaxedMin => relaxed::min(t, F32X4),
        Op::F32x4RelaxedMax => relaxed::max(t, F32X4),
        Op::F64x2RelaxedMin => relaxed::min(t, F64X2),
        Op::F64x2RelaxedMax => relaxed::max(t, F64X2),
        Op::I16x8RelaxedQ15mulrS => relaxed::q15_multiply(t),
        Op::I16x8RelaxedDotI8x16I7x16S => relaxed::dot(t),
        Op::I32x4RelaxedDotI8x16I7x16AddS => relaxed::dot_add(t),

        other => return Err(t.unsupported(other)),
    }
    Ok(())
}
