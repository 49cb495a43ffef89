//! Relaxed vector instructions (core spec, section 4.3.6). Where it leaves a choice, it is the
//! machine's, or, for deterministic results, the first one: that of the deterministic profile.
//! What is chosen is the same for all instructions that the specification has choose together.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, Type, types};

use super::arith::{self, HIGH_S, LOW_S};
use super::{binary, compare, convert, pop, pop2, unary};
use crate::compile::function::Translator;

/// Whether the machine may choose.
fn native(t: &Translator) -> bool {
    let settings = t.env.compiler.settings;
    // Of some choices, the result can be a NaN that is not canonical.
    !settings.relaxed_simd_deterministic && !settings.canonicalize_nans
}

/// Whether the machine may choose and is an x86.
fn native_x86(t: &Translator) -> bool {
    native(t) && t.env.compiler.is_x86()
}

/// Lanes by their numbers; what the numbers 16 to 127 mean is open.
pub(super) fn swizzle(t: &mut Translator) {
    let shuffles_bytes = native(t) && t.env.compiler.isa.has_x86_pshufb_lowering();
    binary(t, types::I8X16, |b, x, lanes| match shuffles_bytes {
        true => b.x86_pshufb(x, lanes),
        false => b.swizzle(x, lanes),
    });
}

/// Floats to signed integers; what is out of range becomes what is open.
pub(super) fn truncate_signed(t: &mut Translator) {
    let native = native_x86(t);
    unary(t, types::F32X4, |b, x| match native {
        true => b.x86_cvtt2dq(types::I32X4, x),
        false => b.fcvt_to_sint_sat(types::I32X4, x),
    });
}

/// Two doubles to signed integers in the low lanes.
pub(super) fn truncate_doubles_signed(t: &mut Translator) {
    if !native_x86(t) {
        return convert::truncate_doubles(t, true);
    }
    let x = pop(t, types::F64X2);
    let wide = t.b.ins().x86_cvtt2dq(types::I64X2, x);
    let zero = t.zero(types::I64X2);
    let value = t.b.ins().snarrow(wide, zero);
    t.push(value);
}

/// `x * y + z`, or `-x * y + z` if `negate`; whether the product is rounded is open.
pub(super) fn multiply_add(t: &mut Translator, ty: Type, negate: bool) {
    let z = pop(t, ty);
    let (x, y) = pop2(t, ty);
    let x = if negate { t.b.ins().fneg(x) } else { x };
    let value = if native(t) && t.env.compiler.isa.has_native_fma() {
        t.b.ins().fma(x, y, z)
    } else {
        let product = t.b.ins().fmul(x, y);
        t.b.ins().fadd(product, z)
    };
    t.push(value);
}

/// Chooses by the bits of a mask, or by the highest bit of its lanes, which is open.
pub(super) fn lane_select(t: &mut Translator, ty: Type) {
    if !native_x86(t) || !t.env.compiler.isa.has_blendv_lowering(types::I8X16) {
        return arith::bitselect(t);
    }
    let mask = pop(t, ty);
    // No instruction looks at 16-bit lanes; bytes do if both of a lane's agree.
    let (mask, ty) = if t.env.compiler.isa.has_blendv_lowering(ty) {
        (mask, ty)
    } else {
        let spread = t.b.ins().sshr_imm_u(mask, i64::from(ty.lane_bits()) - 1);
        (t.cast(spread, types::I8X16), types::I8X16)
    };
    let (x, y) = pop2(t, ty);
    let value = t.b.ins().blendv(mask, x, y);
    t.push(value);
}

/// The smaller of two; what becomes of NaNs and of zeros with different signs is open.
pub(super) fn min(t: &mut Translator, ty: Type) {
    if !native_x86(t) {
        return binary(t, ty, |b, x, y| b.fmin(x, y));
    }
    let (x, y) = pop2(t, ty);
    let smaller = t.b.ins().fcmp(FloatCC::LessThan, x, y);
    compare::choose(t, smaller, x, y);
}

/// The larger of two; what becomes of NaNs and of zeros with different signs is open.
pub(super) fn max(t: &mut Translator, ty: Type) {
    if !native_x86(t) {
        return binary(t, ty, |b, x, y| b.fmax(x, y));
    }
    let (x, y) = pop2(t, ty);
    let larger = t.b.ins().fcmp(FloatCC::LessThan, y, x);
    compare::choose(t, larger, x, y);
}

/// Q15 products; that of the two least numbers is open.
pub(super) fn q15_multiply(t: &mut Translator) {
    let rounds = native(t) && t.env.compiler.isa.has_x86_pmulhrsw_lowering();
    binary(t, types::I16X8, |b, x, y| match rounds {
        true => b.x86_pmulhrsw(x, y),
        false => b.sqmul_round_sat(x, y),
    });
}

/// Products of neighbouring bytes, added in pairs with saturation; whether the bytes of the second
/// operand have a sign is open.
pub(super) fn dot(t: &mut Translator) {
    let (x, y) = pop2(t, types::I8X16);
    let value = if native(t) && t.env.compiler.isa.has_x86_pmaddubsw_lowering() {
        t.b.ins().x86_pmaddubsw(x, y)
    } else {
        let [low, high] = [LOW_S, HIGH_S].map(|widen| {
            let x = widen(t.b, x);
            let y = widen(t.b, y);
            arith::dot_of(t, x, y)
        });
        t.b.ins().snarrow(low, high)
    };
    t.push(value);
}

/// As [`dot`]; its pairs are added to lanes of a third operand.
pub(super) fn dot_add(t: &mut Translator) {
    let sum = pop(t, types::I32X4);
    dot(t);
    arith::add_pairs(t, types::I16X8, LOW_S, HIGH_S);
    unary(t, types::I32X4, |b, x| b.iadd(x, sum));
}
