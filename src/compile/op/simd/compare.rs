//! Comparing vectors, and what is chosen by comparison.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Type, types};

use super::{binary, pop, pop2};
use crate::compile::function::Translator;
use crate::compile::op::numeric::push_bit;

pub(super) fn integers(t: &mut Translator, ty: Type, condition: IntCC) {
    binary(t, ty, |b, x, y| b.icmp(condition, x, y));
}

pub(super) fn floats(t: &mut Translator, ty: Type, condition: FloatCC) {
    binary(t, ty, |b, x, y| b.fcmp(condition, x, y));
}

pub(super) fn any_true(t: &mut Translator) {
    let x = pop(t, types::I8X16);
    let bit = t.b.ins().vany_true(x);
    push_bit(t, bit);
}

pub(super) fn all_true(t: &mut Translator, ty: Type) {
    let x = pop(t, ty);
    let bit = t.b.ins().vall_true(x);
    push_bit(t, bit);
}

/// Lane by lane `y < x ? y : x`.
pub(super) fn pseudo_min(t: &mut Translator, ty: Type) {
    let (x, y) = pop2(t, ty);
    let smaller = t.b.ins().fcmp(FloatCC::LessThan, y, x);
    let smaller = t.cast(smaller, ty);
    let value = t.b.ins().bitselect(smaller, y, x);
    t.push(value);
}

/// Lane by lane `x < y ? y : x`.
pub(super) fn pseudo_max(t: &mut Translator, ty: Type) {
    let (x, y) = pop2(t, ty);
    let larger = t.b.ins().fcmp(FloatCC::LessThan, x, y);
    let larger = t.cast(larger, ty);
    let value = t.b.ins().bitselect(larger, y, x);
    t.push(value);
}
