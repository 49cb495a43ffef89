//! Addresses in linear memory, checked in the cheapest way that is safe.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};

use super::env::{POINTER, constant_flags};
use super::function::Translator;
use super::known;
use crate::abi::layout::{GUARD_SIZE, MemoryStyle, offset};
use crate::wasm::{AddressType, MemoryIndex, MemoryType, TrapCode};

/// An address to load from or store to.
pub(super) struct Address {
    /// Flags of the access: whether it traps by itself.
    pub(super) flags: MemFlagsData,
    /// The address without the static offset.
    pub(super) base: Value,
    /// The static offset.
    pub(super) offset: i32,
}

/// The address of `size` bytes at `index + static_offset`.
///
/// In a guarded memory an access outside faults by itself, as long as its static offset stays
/// within the guard. Everything else is compared with the memory's size.
pub(super) fn address(
    t: &mut Translator,
    memory: MemoryIndex,
    index: Value,
    static_offset: u64,
    size: u64,
) -> Address {
    let flags = t.env.memory_flags(t.b);
    let ty = memory_type(t, memory);
    // Where indices have 32 bits, neither this nor its sum with an index overflows 64.
    let Some(end_offset) = static_offset.checked_add(size) else {
        return outside(t, memory, flags);
    };
    if is_guarded(t, memory) && end_offset <= GUARD_SIZE {
        let sum = known::sum(t, index);
        let base = memory_base(t, memory);
        let offset = static_offset as i64 + sum.offset;
        let base = sum.added_to(t, base);
        return match i32::try_from(offset) {
            Ok(offset) => Address { flags, base, offset },
            Err(_) => Address { flags, base: t.b.ins().iadd_imm_s(base, offset), offset: 0 },
        };
    }

    let index = wide(t, index);
    let len = memory_len(t, memory);
    let outside = match ty.address {
        AddressType::I32 => {
            let end = t.b.ins().iadd_imm_s(index, end_offset as i64);
            t.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len)
        }
        // A memory never shrinks, so there is no underflow.
        AddressType::I64 if ty.bytes(ty.limits.min).is_some_and(|least| end_offset <= least) => {
            let last = t.b.ins().iadd_imm_s(len, (end_offset as i64).wrapping_neg());
            t.b.ins().icmp(IntCC::UnsignedGreaterThan, index, last)
        }
        AddressType::I64 => {
            let end_offset = t.b.ins().iconst(types::I64, end_offset as i64);
            let end = t.b.ins().iadd(index, end_offset);
            let overflow = t.b.ins().icmp(IntCC::UnsignedLessThan, end, end_offset);
            let beyond = t.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
            t.b.ins().bor(overflow, beyond)
        }
    };
    t.env.trap_if(t.b, outside, TrapCode::MemoryOutOfBounds);
    let base = memory_base(t, memory);
    let base = t.b.ins().iadd(base, index);
    let flags = flags.with_notrap();
    match i32::try_from(static_offset) {
        Ok(offset) => Address { flags, base, offset },
        Err(_) => {
            let base = t.b.ins().iadd_imm_s(base, static_offset as i64);
            Address { flags, base, offset: 0 }
        }
    }
}

/// An access that is outside whatever the index is: it traps, and code after it is never reached.
fn outside(t: &mut Translator, memory: MemoryIndex, flags: MemFlagsData) -> Address {
    let always = t.b.ins().iconst(types::I8, 1);
    t.env.trap_if(t.b, always, TrapCode::MemoryOutOfBounds);
    let base = memory_base(t, memory);
    Address { flags: flags.with_notrap(), base, offset: 0 }
}

/// `index + static_offset` as libcalls take it: 64 bits wide; traps when it has more.
pub(super) fn effective(
    t: &mut Translator,
    memory: MemoryIndex,
    index: Value,
    static_offset: u64,
) -> Value {
    let index = wide(t, index);
    let sum = t.b.ins().iadd_imm_s(index, static_offset as i64);
    if memory_type(t, memory).address == AddressType::I64 && static_offset != 0 {
        let overflow = t.b.ins().icmp(IntCC::UnsignedLessThan, sum, index);
        t.env.trap_if(t.b, overflow, TrapCode::MemoryOutOfBounds);
    }
    sum
}

/// Traps unless `index + static_offset` is a multiple of `size`, a power of 2.
pub(super) fn require_aligned(t: &mut Translator, index: Value, static_offset: u64, size: u32) {
    if size == 1 {
        return;
    }
    // The low bits of a sum depend on nothing but those of what is added.
    let index = wide(t, index);
    let low = t.b.ins().iadd_imm_s(index, static_offset as i64);
    let low = t.b.ins().band_imm_u(low, i64::from(size - 1));
    t.env.trap_if(t.b, low, TrapCode::UnalignedAtomic);
}

/// An index or a length of either type, 64 bits wide.
pub(super) fn wide(t: &mut Translator, value: Value) -> Value {
    match t.type_of(value) {
        types::I64 => value,
        _ => t.b.ins().uextend(types::I64, value),
    }
}

/// The same for an index, or a length, that is a number of the program's, where it is to be a part
/// of an address.
pub(super) fn wide_index(t: &mut Translator, value: Value) -> Value {
    match t.type_of(value) {
        types::I64 => value,
        _ => known::zero_extended(t, value),
    }
}

/// A 64-bit number of pages or elements as one of the type `ty`.
pub(super) fn narrow(t: &mut Translator, value: Value, ty: AddressType) -> Value {
    match ty {
        AddressType::I32 => t.b.ins().ireduce(types::I32, value),
        AddressType::I64 => value,
    }
}

/// The type of a memory.
pub(super) fn memory_type(t: &Translator, memory: MemoryIndex) -> MemoryType {
    t.env.source.module.memories[memory]
}

/// Whether an access outside the memory, at an offset within the guard, faults by itself.
pub(super) fn is_guarded(t: &Translator, memory: MemoryIndex) -> bool {
    t.env.source.memories.of(&memory_type(t, memory)) == MemoryStyle::Guarded
}

/// The address of a memory's first byte.
pub(super) fn memory_base(t: &mut Translator, memory: MemoryIndex) -> Value {
    let (place, at) = t.env.memory(t.b, memory);
    let stays = memory_type(t, memory).shared || is_guarded(t, memory);
    let flags = if stays { constant_flags() } else { t.env.context_flags(t.b) };
    t.b.ins().load(POINTER, flags, place, at + offset::MEMORY_BASE)
}

/// A memory's size in bytes, 64 bits wide.
pub(super) fn memory_len(t: &mut Translator, memory: MemoryIndex) -> Value {
    let (place, at) = t.env.memory(t.b, memory);
    let flags = t.env.context_flags(t.b);
    let at = at + offset::MEMORY_LEN;
    if memory_type(t, memory).shared {
        // Another thread may have it grow at any time, so this never uses what was loaded before.
        let address = t.b.ins().iadd_imm_s(place, i64::from(at));
        return t.b.ins().atomic_load(POINTER, flags, address);
    }
    t.b.ins().load(POINTER, flags, place, at)
}
