//! References (core spec, section 4.4.2).

use cranelift_codegen::ir::{InstBuilder, Value, condcodes::IntCC};
use wasmparser::HeapType;

use super::control;
use super::numeric::push_bit;
use crate::abi::layout::offset;
use crate::compile::CompileError;
use crate::compile::env::{POINTER, clif_type, constant_flags};
use crate::compile::function::Translator;
use crate::wasm::{FuncIndex, RefType, TrapCode, ValType};

pub(super) fn null(t: &mut Translator, ty: HeapType) -> Result<(), CompileError> {
    let heap = t.heap_type(ty)?;
    let null = t.zero(clif_type(ValType::Ref(RefType { nullable: true, heap })));
    t.push(null);
    Ok(())
}

pub(super) fn is_null(t: &mut Translator) {
    let x = t.pop();
    let bit = t.b.ins().icmp_imm_u(IntCC::Equal, x, 0);
    push_bit(t, bit);
}

pub(super) fn func(t: &mut Translator, index: u32) {
    let index = FuncIndex::from_u32(index);
    let value = match t.env.source.module.func_refs[index] {
        Some(number) => {
            let at = t.env.source.layout.func_ref(number);
            t.b.ins().iadd_imm_s(t.env.vmctx, i64::from(at))
        }
        None => {
            let import = t.env.source.layout.imported_func(index.as_u32());
            let at = import + offset::IMPORT_FUNC_REF;
            t.b.ins().load(POINTER, constant_flags(), t.env.vmctx, at)
        }
    };
    t.push(value);
}

/// Traps when the reference is null.
pub(super) fn check_not_null(t: &mut Translator, reference: Value) {
    let null = t.b.ins().icmp_imm_u(IntCC::Equal, reference, 0);
    t.env.trap_if(t.b, null, TrapCode::NullReference);
}

pub(super) fn as_non_null(t: &mut Translator) {
    let reference = t.pop();
    check_not_null(t, reference);
    t.push(reference);
}

pub(super) fn br_on_null(t: &mut Translator, depth: u32) {
    let reference = t.pop();
    let null = t.b.ins().icmp_imm_u(IntCC::Equal, reference, 0);
    control::branch_if(t, null, depth);
    t.push(reference);
}

pub(super) fn br_on_non_null(t: &mut Translator, depth: u32) {
    // The reference goes along.
    let reference = *t.stack.last().expect("validation has checked the operand stack");
    let something = t.b.ins().icmp_imm_u(IntCC::NotEqual, reference, 0);
    control::branch_if(t, something, depth);
    t.pop();
}
