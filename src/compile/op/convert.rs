//! Conversions between number types (core spec, section 4.3.4).

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value, types};

use crate::compile::function::Translator;
use crate::wasm::TrapCode;

/// Converts between types without change of meaning.
pub(super) fn to(
    t: &mut Translator,
    ty: Type,
    op: impl FnOnce(cranelift_frontend::FuncInstBuilder<'_, '_>, Type, Value) -> Value,
) {
    let x = t.pop();
    let result = op(t.b.ins(), ty, x);
    t.push(result);
}

/// Takes the bits of a value as a value of another type.
pub(super) fn reinterpret(t: &mut Translator, ty: Type) {
    let x = t.pop();
    let flags = MemFlagsData::new().with_endianness(Endianness::Little);
    let result = t.b.ins().bitcast(ty, flags, x);
    t.push(result);
}

/// Converts a float to an integer; traps on NaN and on what the integer cannot hold.
pub(super) fn truncate(t: &mut Translator, ty: Type, signed: bool) {
    let x = t.pop();
    t.env.traps = true;
    let result = if t.env.compiler.signals() {
        if signed { t.b.ins().fcvt_to_sint(ty, x) } else { t.b.ins().fcvt_to_uint(ty, x) }
    } else {
        check_range(t, x, ty, signed);
        if signed { t.b.ins().fcvt_to_sint_sat(ty, x) } else { t.b.ins().fcvt_to_uint_sat(ty, x) }
    };
    t.push(result);
}

/// Traps unless `x`, rounded towards zero, is a value of the integer type.
fn check_range(t: &mut Translator, x: Value, ty: Type, signed: bool) {
    let nan = t.b.ins().fcmp(FloatCC::Unordered, x, x);
    t.env.trap_if(t.b, nan, TrapCode::InvalidConversionToInteger);
    // The bounds are powers of two and so exact in both float types. Below: -2^31 - 1 is no f32,
    // the next f32 below -2^31 is already out of range; for f64 the bound itself is excluded.
    let bits = ty.bits() as i32;
    let from_f64 = t.type_of(x) == types::F64;
    let above = if signed { 2f64.powi(bits - 1) } else { 2f64.powi(bits) };
    let (below, below_cc) = match (signed, from_f64 && bits == 32) {
        (false, _) => (-1.0, FloatCC::LessThanOrEqual),
        (true, true) => (-above - 1.0, FloatCC::LessThanOrEqual),
        (true, false) => (-above, FloatCC::LessThan),
    };
    let above = float(t, from_f64, above);
    let below = float(t, from_f64, below);
    let too_large = t.b.ins().fcmp(FloatCC::GreaterThanOrEqual, x, above);
    t.env.trap_if(t.b, too_large, TrapCode::IntegerOverflow);
    let too_small = t.b.ins().fcmp(below_cc, x, below);
    t.env.trap_if(t.b, too_small, TrapCode::IntegerOverflow);
}

fn float(t: &mut Translator, double: bool, value: f64) -> Value {
    if double { t.b.ins().f64const(value) } else { t.b.ins().f32const(value as f32) }
}
