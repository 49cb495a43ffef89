//! Vector arithmetic that takes more than one instruction.

use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use cranelift_frontend::{FuncInstBuilder, FunctionBuilder};

use super::{pop, pop2};
use crate::compile::function::Translator;

/// Extends one half of a vector's lanes to twice their width.
type Widen = fn(&mut FunctionBuilder, Value) -> Value;

pub(super) const LOW_S: Widen = |b, x| b.ins().swiden_low(x);
pub(super) const HIGH_S: Widen = |b, x| b.ins().swiden_high(x);
pub(super) const LOW_U: Widen = |b, x| b.ins().uwiden_low(x);
pub(super) const HIGH_U: Widen = |b, x| b.ins().uwiden_high(x);

pub(super) fn bitselect(t: &mut Translator) {
    let mask = pop(t, types::I8X16);
    let (x, y) = pop2(t, types::I8X16);
    let value = t.b.ins().bitselect(mask, x, y);
    t.push(value);
}

/// Shifts every lane by the same amount, modulo the lanes' width.
pub(super) fn shift(
    t: &mut Translator,
    ty: Type,
    op: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
) {
    let amount = t.pop();
    let x = pop(t, ty);
    let value = op(t.b.ins(), x, amount);
    t.push(value);
}

pub(super) fn multiply_extended(t: &mut Translator, ty: Type, widen: Widen) {
    let (x, y) = pop2(t, ty);
    let x = widen(t.b, x);
    let y = widen(t.b, y);
    let value = t.b.ins().imul(x, y);
    t.push(value);
}

pub(super) fn add_pairs(t: &mut Translator, ty: Type, low: Widen, high: Widen) {
    let x = pop(t, ty);
    let low = low(t.b, x);
    let high = high(t.b, x);
    let value = t.b.ins().iadd_pairwise(low, high);
    t.push(value);
}

/// Products of neighbouring lanes, added in pairs.
pub(super) fn dot(t: &mut Translator) {
    let (x, y) = pop2(t, types::I16X8);
    let value = dot_of(t, x, y);
    t.push(value);
}

/// Products of neighbouring 16-bit lanes, added in pairs.
pub(super) fn dot_of(t: &mut Translator, x: Value, y: Value) -> Value {
    let [low, high] = [LOW_S, HIGH_S].map(|widen| {
        let x = widen(t.b, x);
        let y = widen(t.b, y);
        t.b.ins().imul(x, y)
    });
    t.b.ins().iadd_pairwise(low, high)
}
