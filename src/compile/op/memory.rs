//! Loads, stores and sizes of linear memories (core spec, section 4.4.7).

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::{MemArg, MemArgTarget};

use crate::abi::libcalls::Libcall;
use crate::compile::function::Translator;
use crate::compile::heap::{self, Address};
use crate::wasm::{MemoryIndex, PAGE_SIZE};

/// The address that an instruction with `memarg` accesses at the index on the stack.
pub(super) fn address(t: &mut Translator, memarg: &MemArg, size: u32) -> Address {
    let index = t.pop();
    let MemArgTarget::Memory(memory) = memarg.target else {
        unreachable!("validation refuses accesses to arrays")
    };
    let memory = MemoryIndex::from_u32(memory);
    heap::address(t, memory, index, memarg.offset, u64::from(size))
}

/// Loads a whole value.
pub(super) fn load(t: &mut Translator, memarg: &MemArg, ty: Type) {
    let at = address(t, memarg, ty.bytes());
    let value = t.b.ins().load(ty, at.flags, at.base, at.offset);
    t.push(value);
}

/// Loads `size` bytes and extends them.
pub(super) fn load_extended(
    t: &mut Translator,
    memarg: &MemArg,
    size: u32,
    load: impl FnOnce(FuncInstBuilder<'_, '_>, MemFlagsData, Value, i32) -> Value,
) {
    let at = address(t, memarg, size);
    let value = load(t.b.ins(), at.flags, at.base, at.offset);
    t.push(value);
}

/// Stores a whole value.
pub(super) fn store(t: &mut Translator, memarg: &MemArg) {
    let value = t.pop();
    let at = address(t, memarg, t.type_of(value).bytes());
    t.b.ins().store(at.flags, value, at.base, at.offset);
}

/// Stores the low bits of a value.
pub(super) fn store_low(t: &mut Translator, memarg: &MemArg, ty: Type) {
    let value = t.pop();
    let at = address(t, memarg, ty.bytes());
    let low = t.b.ins().ireduce(ty, value);
    t.b.ins().store(at.flags, low, at.base, at.offset);
}

pub(super) fn size(t: &mut Translator, memory: u32) {
    let len = heap::memory_len(t, MemoryIndex::from_u32(memory));
    let shift = i64::from(PAGE_SIZE.trailing_zeros());
    let pages = t.b.ins().ushr_imm_u(len, shift);
    let pages = t.b.ins().ireduce(types::I32, pages);
    t.push(pages);
}

pub(super) fn grow(t: &mut Translator, memory: u32) {
    let delta = t.pop();
    let delta = t.b.ins().uextend(types::I64, delta);
    let memory = t.b.ins().iconst(types::I32, i64::from(memory));
    let before = t.env.libcall(t.b, Libcall::memory_grow, &[memory, delta]);
    let before = before.expect("memory_grow returns a value");
    let before = t.b.ins().ireduce(types::I32, before);
    t.push(before);
}
