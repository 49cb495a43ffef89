//! Addresses in linear memory, checked in the cheapest way that is safe.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};

use super::env::{POINTER, constant_flags};
use super::function::Translator;
use crate::abi::layout::{GUARD_SIZE, MemoryStyle, offset};
use crate::wasm::{MemoryIndex, TrapCode};

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
    // Both are below 2^33, so nothing overflows 64 bits.
    let end_offset = static_offset + size;
    let index = t.b.ins().uextend(types::I64, index);
    if t.env.source.memories == MemoryStyle::Guarded && end_offset <= GUARD_SIZE {
        let base = memory_base(t, memory);
        let base = t.b.ins().iadd(base, index);
        return Address { flags, base, offset: static_offset as i32 };
    }

    let end = t.b.ins().iadd_imm_s(index, end_offset as i64);
    let len = memory_len(t, memory);
    let outside = t.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
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

fn memory_base(t: &mut Translator, memory: MemoryIndex) -> Value {
    let (place, at) = t.env.memory(t.b, memory);
    let flags = match t.env.source.memories {
        MemoryStyle::Guarded => constant_flags(),
        MemoryStyle::Checked => t.env.context_flags(t.b),
    };
    t.b.ins().load(POINTER, flags, place, at + offset::MEMORY_BASE)
}

/// A memory's size in bytes, 64 bits wide.
pub(super) fn memory_len(t: &mut Translator, memory: MemoryIndex) -> Value {
    let (place, at) = t.env.memory(t.b, memory);
    let flags = t.env.context_flags(t.b);
    t.b.ins().load(POINTER, flags, place, at + offset::MEMORY_LEN)
}
