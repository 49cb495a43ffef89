//! Integer and float arithmetic and comparison (core spec, section 4.4.1).

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use cranelift_frontend::FuncInstBuilder;

use crate::compile::function::Translator;
use crate::compile::known;
use crate::wasm::TrapCode;

/// An operation on one value.
pub(super) fn unary(t: &mut Translator, op: impl FnOnce(FuncInstBuilder<'_, '_>, Value) -> Value) {
    let x = t.pop();
    let result = op(t.b.ins(), x);
    t.push(result);
}

/// An operation on two values.
pub(super) fn binary(
    t: &mut Translator,
    op: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
) {
    let (x, y) = t.pop2();
    let result = op(t.b.ins(), x, y);
    t.push(result);
}

/// A difference, as a sum where what is taken away is a constant: addresses have room for a sum.
pub(super) fn subtract(t: &mut Translator) {
    let (x, y) = t.pop2();
    let result = match known::constant(t, y) {
        Some(constant) if t.type_of(x) == types::I32 => {
            t.b.ins().iadd_imm_s(x, i64::from((constant as i32).wrapping_neg()))
        }
        Some(constant) => t.b.ins().iadd_imm_s(x, (constant as i64).wrapping_neg()),
        None => t.b.ins().isub(x, y),
    };
    t.push(result);
}

/// An exclusive or. That of a number and its lowest bit is the number without that bit, for which
/// there is an instruction.
pub(super) fn exclusive_or(t: &mut Translator) {
    let (x, y) = t.pop2();
    let bits = [(x, y), (y, x)].into_iter().find(|(x, y)| known::is_lowest_bit(t, *y, *x));
    let result = match bits {
        Some((x, _)) => {
            let less = t.b.ins().iadd_imm_s(x, -1);
            t.b.ins().band(x, less)
        }
        None => t.b.ins().bxor(x, y),
    };
    t.push(result);
}

pub(super) fn i32_const(t: &mut Translator, value: i32) {
    // Integer constants are zero-extended bits of their type.
    let value = t.b.ins().iconst(types::I32, i64::from(value as u32));
    t.push(value);
}

pub(super) fn i64_const(t: &mut Translator, value: i64) {
    let value = t.b.ins().iconst(types::I64, value);
    t.push(value);
}

pub(super) fn compare(t: &mut Translator, condition: IntCC) {
    let (x, y) = t.pop2();
    let bit = t.b.ins().icmp(condition, x, y);
    push_bit(t, bit);
}

pub(super) fn compare_floats(t: &mut Translator, condition: FloatCC) {
    let (x, y) = t.pop2();
    let bit = t.b.ins().fcmp(condition, x, y);
    push_bit(t, bit);
}

pub(super) fn is_zero(t: &mut Translator) {
    let x = t.pop();
    let bit = t.b.ins().icmp_imm_u(IntCC::Equal, x, 0);
    push_bit(t, bit);
}

/// Pushes the result of a comparison, which is eight bits wide, as an `i32`.
pub(super) fn push_bit(t: &mut Translator, bit: Value) {
    let wide = t.b.ins().uextend(types::I32, bit);
    t.push(wide);
}

/// A division or remainder; where hardware may not fault, its conditions are checked first.
pub(super) fn divide(
    t: &mut Translator,
    signed_quotient: bool,
    op: impl FnOnce(FuncInstBuilder<'_, '_>, Value, Value) -> Value,
) {
    let (x, y) = t.pop2();
    t.env.traps = true;
    if !t.env.compiler.signals() {
        let zero = t.b.ins().icmp_imm_u(IntCC::Equal, y, 0);
        t.env.trap_if(t.b, zero, TrapCode::IntegerDivideByZero);
        if signed_quotient {
            let minus_one = t.b.ins().icmp_imm_s(IntCC::Equal, y, -1);
            let least = least_integer(t.type_of(x));
            let least = t.b.ins().icmp_imm_s(IntCC::Equal, x, least);
            let overflow = t.b.ins().band(minus_one, least);
            t.env.trap_if(t.b, overflow, TrapCode::IntegerOverflow);
        }
    }
    let result = op(t.b.ins(), x, y);
    t.push(result);
}

fn least_integer(ty: Type) -> i64 {
    if ty == types::I32 { i64::from(i32::MIN) } else { i64::MIN }
}

/// Sign-extends the low bits, `from` wide, of the value on the stack.
pub(super) fn extend_low(t: &mut Translator, from: Type) {
    let x = t.pop();
    let ty = t.type_of(x);
    let low = t.b.ins().ireduce(from, x);
    let result = t.b.ins().sextend(ty, low);
    t.push(result);
}

pub(super) fn f32_const(t: &mut Translator, bits: u32) {
    let value = t.b.ins().f32const(Ieee32::with_bits(bits));
    t.push(value);
}

pub(super) fn f64_const(t: &mut Translator, bits: u64) {
    let value = t.b.ins().f64const(Ieee64::with_bits(bits));
    t.push(value);
}
