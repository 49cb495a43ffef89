//! References (core spec, section 4.4.2).

use cranelift_codegen::ir::{InstBuilder, condcodes::IntCC};
use wasmparser::{HeapType, RefType};

use super::numeric::push_bit;
use crate::abi::layout::offset;
use crate::compile::CompileError;
use crate::compile::env::{POINTER, clif_type, constant_flags};
use crate::compile::function::Translator;
use crate::wasm::FuncIndex;

pub(super) fn null(t: &mut Translator, ty: HeapType) -> Result<(), CompileError> {
    let ty = RefType::new(true, ty).ok_or_else(|| CompileError("too large a type".to_owned()))?;
    let ty = t.value_type(wasmparser::ValType::Ref(ty))?;
    let null = t.zero(clif_type(ty));
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
