//! Comparing vectors, and what is chosen by comparison.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

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
    choose(t, smaller, y, x);
}

/// Lane by lane `x < y ? y : x`.
pub(super) fn pseudo_max(t: &mut Translator, ty: Type) {
    let (x, y) = pop2(t, ty);
    let larger = t.b.ins().fcmp(FloatCC::LessThan, x, y);
    choose(t, larger, y, x);
}

/// Lane by lane `condition ? x : y`, for the result of a comparison.
pub(super) fn choose(t: &mut Translator, condition: Value, x: Value, y: Value) {
    let mask = t.cast(condition, t.type_of(x));
    let value = t.b.ins().bitselect(mask, x, y);
    t.push(value);
}
