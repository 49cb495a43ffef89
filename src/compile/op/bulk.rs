//! Instructions on ranges of memories and tables. Most are libcalls, which check everything first.
//! Copying and filling memory is done by code that checks and calls the function of C.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

use crate::abi::libcalls::{Libcall, Routine};
use crate::compile::function::Translator;
use crate::compile::heap::{self, wide, wide_index};
use crate::compile::known;
use crate::wasm::{AddressType, MemoryIndex, TrapCode};

/// Up to how many bytes are copied or filled without a call, if their number is a constant.
const MOST_BYTES: u64 = 128;

/// Calls a libcall whose row is: immediates, then destination, source and length from the stack.
pub(super) fn copy(t: &mut Translator, libcall: Libcall, to: u32, from: u32) {
    let (dst, src, len) = t.pop3();
    let args = [index(t, to), index(t, from), wide(t, dst), wide(t, src), wide(t, len)];
    t.env.libcall(t.b, libcall, &args);
}

/// Copies within a memory or between two.
pub(super) fn memory_copy(t: &mut Translator, to: u32, from: u32) {
    if !is_direct(t) {
        return copy(t, Libcall::memory_copy, to, from);
    }
    let (to, from) = (MemoryIndex::from_u32(to), MemoryIndex::from_u32(from));
    let (dst, src, len) = t.pop3();
    if let Some(pieces) = pieces(t, len, &[to, from]) {
        let load = |&(offset, ty): &(u64, Type)| {
            let at = heap::address(t, from, src, offset, ty.bytes().into());
            t.b.ins().load(ty, at.flags, at.base, at.offset)
        };
        // Where the ranges overlap, everything is read before anything is written.
        let values: Vec<Value> = pieces.iter().map(load).collect();
        return store_pieces(t, to, dst, &pieces, |_, i| values[i]);
    }
    let len = wide_index(t, len);
    let dst = range(t, to, dst, len);
    let src = range(t, from, src, len);
    t.env.routine(t.b, Routine::Move, &[dst, src, len]);
}

pub(super) fn memory_fill(t: &mut Translator, memory: u32) {
    let (dst, value, len) = t.pop3();
    if !is_direct(t) {
        let args = [index(t, memory), wide(t, dst), value, wide(t, len)];
        t.env.libcall(t.b, Libcall::memory_fill, &args);
        return;
    }
    let memory = MemoryIndex::from_u32(memory);
    if let Some(pieces) = pieces(t, len, &[memory]) {
        let low = t.b.ins().ireduce(types::I8, value);
        let low = t.b.ins().uextend(types::I64, low);
        let eight = t.b.ins().imul_imm_u(low, 0x0101_0101_0101_0101);
        return store_pieces(t, memory, dst, &pieces, |t, i| match pieces[i].1 {
            types::I64 => eight,
            types::I64X2 => t.b.ins().splat(types::I64X2, eight),
            narrow => t.b.ins().ireduce(narrow, eight),
        });
    }
    let len = wide_index(t, len);
    let dst = range(t, memory, dst, len);
    t.env.routine(t.b, Routine::Fill, &[dst, value, len]);
}

/// Whether bytes are copied and filled without a libcall: nothing has to be counted or asked for
/// on the way.
fn is_direct(t: &Translator) -> bool {
    let settings = t.env.compiler.settings;
    !settings.interruptible && !settings.fuel
}

/// The address of `len` bytes at `start`, checked to be in the memory.
fn range(t: &mut Translator, memory: MemoryIndex, start: Value, len: Value) -> Value {
    let start = wide_index(t, start);
    let end = t.b.ins().iadd(start, len);
    let size = heap::memory_len(t, memory);
    let mut outside = t.b.ins().icmp(IntCC::UnsignedGreaterThan, end, size);
    if heap::memory_type(t, memory).address == AddressType::I64 {
        let overflow = t.b.ins().icmp(IntCC::UnsignedLessThan, end, start);
        outside = t.b.ins().bor(outside, overflow);
    }
    t.env.trap_if(t.b, outside, TrapCode::MemoryOutOfBounds);
    let base = heap::memory_base(t, memory);
    t.b.ins().iadd(base, start)
}

/// How a few bytes, whose number is known, are loaded and stored: offsets and types, which may
/// overlap. Only where accesses outside the memories fault.
fn pieces(t: &Translator, len: Value, memories: &[MemoryIndex]) -> Option<Vec<(u64, Type)>> {
    let len = known::constant(t, len).filter(|len| (1..=MOST_BYTES).contains(len))?;
    if !memories.iter().all(|memory| heap::is_guarded(t, *memory)) {
        return None;
    }
    let sizes = [types::I64X2, types::I64, types::I32, types::I16, types::I8];
    let ty = sizes.into_iter().find(|ty| u64::from(ty.bytes()) <= len).unwrap_or(types::I8);
    let size = u64::from(ty.bytes());
    let mut pieces: Vec<_> = (0..len / size).map(|i| (i * size, ty)).collect();
    if len % size != 0 {
        pieces.push((len - size, ty));
    }
    Some(pieces)
}

/// Stores pieces, the last one first: if they are not all in the memory, that one is not, and
/// nothing has been written when it traps.
fn store_pieces(
    t: &mut Translator,
    memory: MemoryIndex,
    dst: Value,
    pieces: &[(u64, Type)],
    mut value: impl FnMut(&mut Translator, usize) -> Value,
) {
    for (i, (offset, ty)) in pieces.iter().enumerate().rev() {
        let value = value(t, i);
        let at = heap::address(t, memory, dst, *offset, ty.bytes().into());
        t.b.ins().store(at.flags, value, at.base, at.offset);
    }
}

pub(super) fn drop_segment(t: &mut Translator, libcall: Libcall, segment: u32) {
    let args = [index(t, segment)];
    t.env.libcall(t.b, libcall, &args);
}

/// An immediate as an argument.
pub(super) fn index(t: &mut Translator, index: u32) -> Value {
    t.b.ins().iconst(types::I32, i64::from(index))
}
