//! Instructions on ranges of memories and tables: all are libcalls, which check everything first.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use crate::abi::libcalls::Libcall;
use crate::compile::function::Translator;
use crate::compile::heap::wide;

/// Calls a libcall whose row is: immediates, then destination, source and length from the stack.
pub(super) fn copy(t: &mut Translator, libcall: Libcall, to: u32, from: u32) {
    let (dst, src, len) = t.pop3();
    let args = [index(t, to), index(t, from), wide(t, dst), wide(t, src), wide(t, len)];
    t.env.libcall(t.b, libcall, &args);
}

pub(super) fn memory_fill(t: &mut Translator, memory: u32) {
    let (dst, value, len) = t.pop3();
    let args = [index(t, memory), wide(t, dst), value, wide(t, len)];
    t.env.libcall(t.b, Libcall::memory_fill, &args);
}

pub(super) fn drop_segment(t: &mut Translator, libcall: Libcall, segment: u32) {
    let args = [index(t, segment)];
    t.env.libcall(t.b, libcall, &args);
}

/// An immediate as an argument.
pub(super) fn index(t: &mut Translator, index: u32) -> Value {
    t.b.ins().iconst(types::I32, i64::from(index))
}
