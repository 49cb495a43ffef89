//! 128-bit integers as pairs of `i64`, low half first (wide-arithmetic proposal).

use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use cranelift_frontend::FuncInstBuilder;

use crate::compile::function::Translator;

/// An operation on two 128-bit integers.
pub(super) fn binary(
    t: &mut Translator,
    op: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
) {
    let y = pop(t);
    let x = pop(t);
    let result = op(t.b.ins(), x, y);
    push(t, result);
}

/// The whole product of two 64-bit integers. The code generator makes one instruction of it.
pub(super) fn multiply(
    t: &mut Translator,
    extend: impl Fn(FuncInstBuilder<'_, '_>, Type, Value) -> Value,
) {
    let (x, y) = t.pop2();
    let x = extend(t.b.ins(), types::I128, x);
    let y = extend(t.b.ins(), types::I128, y);
    let product = t.b.ins().imul(x, y);
    push(t, product);
}

fn pop(t: &mut Translator) -> Value {
    let (low, high) = t.pop2();
    t.b.ins().iconcat(low, high)
}

fn push(t: &mut Translator, value: Value) {
    let (low, high) = t.b.ins().isplit(value);
    t.push(low);
    t.push(high);
}
