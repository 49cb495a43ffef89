//! Locals and globals (core spec, section 4.4.5).

use cranelift_codegen::ir::InstBuilder;

use crate::compile::CompileError;
use crate::compile::counted;
use crate::compile::env::{clif_type, constant_flags};
use crate::compile::function::Translator;
use crate::wasm::GlobalIndex;

pub(super) fn local_get(t: &mut Translator, index: u32) {
    let value = t.local(index);
    t.push(value);
}

pub(super) fn local_set(t: &mut Translator, index: u32) {
    let value = t.pop();
    let value = t.canonical(value);
    if !counted::step(t, index) {
        t.set_local(index, value);
    }
}

pub(super) fn local_tee(t: &mut Translator, index: u32) {
    let value = t.pop();
    let value = t.canonical(value);
    if counted::step(t, index) {
        return local_get(t, index);
    }
    t.set_local(index, value);
    t.push(value);
}

pub(super) fn global_get(t: &mut Translator, index: u32) {
    let index = GlobalIndex::from_u32(index);
    let ty = t.env.source.module.globals[index];
    let (base, offset) = t.env.global(t.b, index);
    // What the collector moves does change, as bits.
    let changes = ty.mutable || t.is_tracked(ty.content);
    let flags = if changes { t.env.global_flags(t.b) } else { constant_flags() };
    let value = t.b.ins().load(clif_type(ty.content), flags, base, offset);
    t.push_tracked(value, ty.content);
}

pub(super) fn global_set(t: &mut Translator, index: u32) {
    let index = GlobalIndex::from_u32(index);
    let value = t.pop();
    let value = t.canonical(value);
    let (base, offset) = t.env.global(t.b, index);
    let flags = t.env.global_flags(t.b);
    t.b.ins().store(flags, value, base, offset);
}

pub(super) fn select(t: &mut Translator) {
    let (x, y, condition) = t.pop3();
    let (x, y) = (t.canonical(x), t.canonical(y));
    let value = t.b.ins().select(condition, x, y);
    t.push(value);
}

/// A `select` that says the type of its values, as it has to for references.
pub(super) fn typed_select(
    t: &mut Translator,
    types: &[wasmparser::ValType],
) -> Result<(), CompileError> {
    select(t);
    if let [ty] = types {
        let ty = t.value_type(*ty)?;
        let value = t.pop();
        t.push_tracked(value, ty);
    }
    Ok(())
}
