//! Conversions between vectors of doubles and of integers half as wide.

use cranelift_codegen::ir::{InstBuilder, types};

use super::pop;
use crate::compile::function::Translator;

/// Two doubles to the two low lanes, saturating; the high lanes are zero.
pub(super) fn truncate_doubles(t: &mut Translator, signed: bool) {
    let x = pop(t, types::F64X2);
    let zero = t.zero(types::I64X2);
    let value = if signed {
        let wide = t.b.ins().fcvt_to_sint_sat(types::I64X2, x);
        t.b.ins().snarrow(wide, zero)
    } else {
        let wide = t.b.ins().fcvt_to_uint_sat(types::I64X2, x);
        t.b.ins().uunarrow(wide, zero)
    };
    t.push(value);
}

/// The two low lanes to doubles.
pub(super) fn low_to_doubles(t: &mut Translator, signed: bool) {
    let x = pop(t, types::I32X4);
    let value = if signed {
        let wide = t.b.ins().swiden_low(x);
        t.b.ins().fcvt_from_sint(types::F64X2, wide)
    } else {
        let wide = t.b.ins().uwiden_low(x);
        t.b.ins().fcvt_from_uint(types::F64X2, wide)
    };
    t.push(value);
}
