//! Loads, stores and sizes of linear memories (core spec, section 4.4.7).

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::{MemArg, MemArgTarget};

use super::bulk;
use crate::abi::libcalls::Libcall;
use crate::compile::function::Translator;
use crate::compile::heap::{self, Address};
use crate::wasm::MemoryIndex;

/// The address that an instruction with `memarg` accesses at the index on the stack.
pub(super) fn address(t: &mut Translator, memarg: &MemArg, size: u32) -> Address {
    let at = t.pop();
    heap::address(t, index(memarg), at, memarg.offset, u64::from(size))
}

/// The memory that an instruction with `memarg` accesses.
pub(super) fn index(memarg: &MemArg) -> MemoryIndex {
    let MemArgTarget::Memory(memory) = memarg.target else {
        unreachable!("validation refuses accesses to arrays")
    };
    MemoryIndex::from_u32(memory)
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
    let memory = MemoryIndex::from_u32(memory);
    let ty = heap::memory_type(t, memory);
    let len = heap::memory_len(t, memory);
    let pages = t.b.ins().ushr_imm_u(len, i64::from(ty.page_size_log2));
    let pages = heap::narrow(t, pages, ty.address);
    t.push(pages);
}

pub(super) fn grow(t: &mut Translator, memory: u32) {
    let delta = t.pop();
    let ty = heap::memory_type(t, MemoryIndex::from_u32(memory));
    let args = [bulk::index(t, memory), heap::wide(t, delta)];
    let before = t.env.libcall(t.b, Libcall::memory_grow, &args);
    let before = before.expect("memory_grow returns a value");
    let before = heap::narrow(t, before, ty.address);
    t.push(before);
}
