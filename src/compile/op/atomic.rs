//! Atomic instructions (threads proposal). They work on memories of every kind, and trap where the
//! address is not a multiple of the access's size.

use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, MemFlagsData, Type, Value, types::*};
use wasmparser::{MemArg, Operator};

use super::{bulk, memory};
use crate::abi::libcalls::Libcall;
use crate::compile::function::Translator;
use crate::compile::heap;

/// Translates an operator if it is one of this family.
pub(super) fn translate(t: &mut Translator, operator: &Operator) -> bool {
    use AtomicRmwOp::{Add, And, Or, Sub, Xchg, Xor};
    use Operator as Op;
    match operator {
        Op::AtomicFence { .. } => drop(t.b.ins().fence()),
        Op::MemoryAtomicNotify { memarg } => notify(t, memarg),
        Op::MemoryAtomicWait32 { memarg } => wait(t, memarg, Libcall::memory_wait32, 4),
        Op::MemoryAtomicWait64 { memarg } => wait(t, memarg, Libcall::memory_wait64, 8),

        Op::I32AtomicLoad { memarg } => load(t, memarg, I32, I32),
        Op::I32AtomicLoad8U { memarg } => load(t, memarg, I32, I8),
        Op::I32AtomicLoad16U { memarg } => load(t, memarg, I32, I16),
        Op::I64AtomicLoad { memarg } => load(t, memarg, I64, I64),
        Op::I64AtomicLoad8U { memarg } => load(t, memarg, I64, I8),
        Op::I64AtomicLoad16U { memarg } => load(t, memarg, I64, I16),
        Op::I64AtomicLoad32U { memarg } => load(t, memarg, I64, I32),
        Op::I32AtomicStore { memarg } => store(t, memarg, I32),
        Op::I32AtomicStore8 { memarg } => store(t, memarg, I8),
        Op::I32AtomicStore16 { memarg } => store(t, memarg, I16),
        Op::I64AtomicStore { memarg } => store(t, memarg, I64),
        Op::I64AtomicStore8 { memarg } => store(t, memarg, I8),
        Op::I64AtomicStore16 { memarg } => store(t, memarg, I16),
        Op::I64AtomicStore32 { memarg } => store(t, memarg, I32),

        Op::I32AtomicRmwAdd { memarg } => rmw(t, memarg, Add, I32),
        Op::I32AtomicRmw8AddU { memarg } => rmw(t, memarg, Add, I8),
        Op::I32AtomicRmw16AddU { memarg } => rmw(t, memarg, Add, I16),
        Op::I64AtomicRmwAdd { memarg } => rmw(t, memarg, Add, I64),
        Op::I64AtomicRmw8AddU { memarg } => rmw(t, memarg, Add, I8),
        Op::I64AtomicRmw16AddU { memarg } => rmw(t, memarg, Add, I16),
        Op::I64AtomicRmw32AddU { memarg } => rmw(t, memarg, Add, I32),
        Op::I32AtomicRmwSub { memarg } => rmw(t, memarg, Sub, I32),
        Op::I32AtomicRmw8SubU { memarg } => rmw(t, memarg, Sub, I8),
        Op::I32AtomicRmw16SubU { memarg } => rmw(t, memarg, Sub, I16),
        Op::I64AtomicRmwSub { memarg } => rmw(t, memarg, Sub, I64),
        Op::I64AtomicRmw8SubU { memarg } => rmw(t, memarg, Sub, I8),
        Op::I64AtomicRmw16SubU { memarg } => rmw(t, memarg, Sub, I16),
        Op::I64AtomicRmw32SubU { memarg } => rmw(t, memarg, Sub, I32),
        Op::I32AtomicRmwAnd { memarg } => rmw(t, memarg, And, I32),
        Op::I32AtomicRmw8AndU { memarg } => rmw(t, memarg, And, I8),
        Op::I32AtomicRmw16AndU { memarg } => rmw(t, memarg, And, I16),
        Op::I64AtomicRmwAnd { memarg } => rmw(t, memarg, And, I64),
        Op::I64AtomicRmw8AndU { memarg } => rmw(t, memarg, And, I8),
        Op::I64AtomicRmw16AndU { memarg } => rmw(t, memarg, And, I16),
        Op::I64AtomicRmw32AndU { memarg } => rmw(t, memarg, And, I32),
        Op::I32AtomicRmwOr { memarg } => rmw(t, memarg, Or, I32),
        Op::I32AtomicRmw8OrU { memarg } => rmw(t, memarg, Or, I8),
        Op::I32AtomicRmw16OrU { memarg } => rmw(t, memarg, Or, I16),
        Op::I64AtomicRmwOr { memarg } => rmw(t, memarg, Or, I64),
        Op::I64AtomicRmw8OrU { memarg } => rmw(t, memarg, Or, I8),
        Op::I64AtomicRmw16OrU { memarg } => rmw(t, memarg, Or, I16),
        Op::I64AtomicRmw32OrU { memarg } => rmw(t, memarg, Or, I32),
        Op::I32AtomicRmwXor { memarg } => rmw(t, memarg, Xor, I32),
        Op::I32AtomicRmw8XorU { memarg } => rmw(t, memarg, Xor, I8),
        Op::I32AtomicRmw16XorU { memarg } => rmw(t, memarg, Xor, I16),
        Op::I64AtomicRmwXor { memarg } => rmw(t, memarg, Xor, I64),
        Op::I64AtomicRmw8XorU { memarg } => rmw(t, memarg, Xor, I8),
        Op::I64AtomicRmw16XorU { memarg } => rmw(t, memarg, Xor, I16),
        Op::I64AtomicRmw32XorU { memarg } => rmw(t, memarg, Xor, I32),
        Op::I32AtomicRmwXchg { memarg } => rmw(t, memarg, Xchg, I32),
        Op::I32AtomicRmw8XchgU { memarg } => rmw(t, memarg, Xchg, I8),
        Op::I32AtomicRmw16XchgU { memarg } => rmw(t, memarg, Xchg, I16),
        Op::I64AtomicRmwXchg { memarg } => rmw(t, memarg, Xchg, I64),
        Op::I64AtomicRmw8XchgU { memarg } => rmw(t, memarg, Xchg, I8),
        Op::I64AtomicRmw16XchgU { memarg } => rmw(t, memarg, Xchg, I16),
        Op::I64AtomicRmw32XchgU { memarg } => rmw(t, memarg, Xchg, I32),

        Op::I32AtomicRmwCmpxchg { memarg } => exchange(t, memarg, I32),
        Op::I32AtomicRmw8CmpxchgU { memarg } => exchange(t, memarg, I8),
        Op::I32AtomicRmw16CmpxchgU { memarg } => exchange(t, memarg, I16),
        Op::I64AtomicRmwCmpxchg { memarg } => exchange(t, memarg, I64),
        Op::I64AtomicRmw8CmpxchgU { memarg } => exchange(t, memarg, I8),
        Op::I64AtomicRmw16CmpxchgU { memarg } => exchange(t, memarg, I16),
        Op::I64AtomicRmw32CmpxchgU { memarg } => exchange(t, memarg, I32),
        _ => return false,
    }
    true
}

/// The address of an access to all of a value of type `access`, at the index on the stack.
fn address(t: &mut Translator, memarg: &MemArg, access: Type) -> (MemFlagsData, Value) {
    let index = t.pop();
    heap::require_aligned(t, index, memarg.offset, access.bytes());
    t.push(index);
    let at = memory::address(t, memarg, access.bytes());
    (at.flags, t.b.ins().iadd_imm_s(at.base, i64::from(at.offset)))
}

/// The low bits of a value.
fn low(t: &mut Translator, value: Value, access: Type) -> Value {
    if t.type_of(value) == access { value } else { t.b.ins().ireduce(access, value) }
}

/// Pushes what was in memory, extended with zeros.
fn push_extended(t: &mut Translator, value: Value, ty: Type) {
    let value = if t.type_of(value) == ty { value } else { t.b.ins().uextend(ty, value) };
    t.push(value);
}

fn load(t: &mut Translator, memarg: &MemArg, ty: Type, access: Type) {
    let (flags, address) = address(t, memarg, access);
    let value = t.b.ins().atomic_load(access, flags, address);
    push_extended(t, value, ty);
}

fn store(t: &mut Translator, memarg: &MemArg, access: Type) {
    let value = t.pop();
    let (flags, address) = address(t, memarg, access);
    let value = low(t, value, access);
    t.b.ins().atomic_store(flags, value, address);
}

/// Reads, computes and writes in one; the result is what was there before.
fn rmw(t: &mut Translator, memarg: &MemArg, op: AtomicRmwOp, access: Type) {
    let operand = t.pop();
    let ty = t.type_of(operand);
    let (flags, address) = address(t, memarg, access);
    let operand = low(t, operand, access);
    let before = t.b.ins().atomic_rmw(access, flags, op, address, operand);
    push_extended(t, before, ty);
}

/// Writes if what is there is as expected; the result is what was there before. Of operands that are
/// wider than the access, the low bits count.
fn exchange(t: &mut Translator, memarg: &MemArg, access: Type) {
    let (expected, replacement) = t.pop2();
    let ty = t.type_of(expected);
    let (flags, address) = address(t, memarg, access);
    let (narrow, replacement) = (low(t, expected, access), low(t, replacement, access));
    let before = t.b.ins().atomic_cas(flags, address, narrow, replacement);
    push_extended(t, before, ty);
}

fn notify(t: &mut Translator, memarg: &MemArg) {
    let count = t.pop();
    let (memory, address) = effective(t, memarg, 4);
    let woken = t.env.libcall(t.b, Libcall::memory_notify, &[memory, address, count]);
    t.push(woken.expect("memory_notify returns a value"));
}

fn wait(t: &mut Translator, memarg: &MemArg, libcall: Libcall, size: u32) {
    let (expected, timeout) = t.pop2();
    let (memory, address) = effective(t, memarg, size);
    let outcome = t.env.libcall(t.b, libcall, &[memory, address, expected, timeout]);
    t.push(outcome.expect("waiting returns a value"));
}

/// The memory and the address in it, as libcalls take them, at the index on the stack.
fn effective(t: &mut Translator, memarg: &MemArg, size: u32) -> (Value, Value) {
    let index = t.pop();
    heap::require_aligned(t, index, memarg.offset, size);
    let memory = memory::index(memarg);
    let address = heap::effective(t, memory, index, memarg.offset);
    (bulk::index(t, memory.as_u32()), address)
}
