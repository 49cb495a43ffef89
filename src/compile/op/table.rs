//! Tables (core spec, section 4.4.6).

use cranelift_codegen::ir::{InstBuilder, Type, Value, condcodes::IntCC, types};

use super::bulk::index;
use crate::abi::layout::{element_size, offset};
use crate::abi::libcalls::Libcall;
use crate::compile::env::{POINTER, clif_type, constant_flags};
use crate::compile::function::Translator;
use crate::compile::heap::{narrow, wide, wide_index};
use crate::wasm::{TableIndex, TrapCode, ValType};

fn element_type(t: &Translator, table: TableIndex) -> Type {
    clif_type(ValType::Ref(t.env.source.module.tables[table].element))
}

/// The number of elements, 64 bits wide.
fn len(t: &mut Translator, table: TableIndex) -> Value {
    let (base, at) = t.env.table(t.b, table);
    let flags = t.env.context_flags(t.b);
    t.b.ins().load(types::I64, flags, base, at + offset::TABLE_LEN)
}

/// The address of the element at `element`, which traps with `code` when there is none.
fn element(t: &mut Translator, table: TableIndex, element: Value, code: TrapCode) -> Value {
    let ty = t.env.source.module.tables[table];
    let element = wide_index(t, element);
    let fixed = ty.limits.max == Some(ty.limits.min);
    let outside = if fixed {
        let len = ty.limits.min as i64;
        t.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, element, len)
    } else {
        let len = len(t, table);
        t.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, element, len)
    };
    t.env.trap_if(t.b, outside, code);
    let (place, at) = t.env.table(t.b, table);
    // Only growing moves a table.
    let flags = if fixed { constant_flags() } else { t.env.context_flags(t.b) };
    let base = t.b.ins().load(POINTER, flags, place, at + offset::TABLE_BASE);
    let at = t.b.ins().imul_imm_u(element, element_size(ty.element) as i64);
    t.b.ins().iadd(base, at)
}

/// Loads an element; traps with `code` when there is none.
pub(super) fn load_checked(
    t: &mut Translator,
    table: TableIndex,
    index: Value,
    code: TrapCode,
) -> Value {
    let address = element(t, table, index, code);
    let flags = t.env.table_flags(t.b);
    let ty = element_type(t, table);
    t.b.ins().load(ty, flags, address, 0)
}

pub(super) fn get(t: &mut Translator, table: u32) {
    let index = t.pop();
    let table = TableIndex::from_u32(table);
    let value = load_checked(t, table, index, TrapCode::TableOutOfBounds);
    let ty = t.env.source.module.tables[table].element;
    t.push_tracked(value, ValType::Ref(ty));
}

pub(super) fn set(t: &mut Translator, table: u32) {
    let (index, value) = t.pop2();
    let table = TableIndex::from_u32(table);
    let address = element(t, table, index, TrapCode::TableOutOfBounds);
    let flags = t.env.table_flags(t.b);
    t.b.ins().store(flags, value, address, 0);
}

pub(super) fn size(t: &mut Translator, table: u32) {
    let table = TableIndex::from_u32(table);
    let len = len(t, table);
    let len = narrow(t, len, t.env.source.module.tables[table].address);
    t.push(len);
}

pub(super) fn grow(t: &mut Translator, table: u32) {
    let (value, delta) = t.pop2();
    let args = [index(t, table), wide(t, delta), wide(t, value)];
    let before = t.env.libcall(t.b, Libcall::table_grow, &args);
    let before = before.expect("table_grow returns a value");
    let ty = t.env.source.module.tables[TableIndex::from_u32(table)];
    let before = narrow(t, before, ty.address);
    t.push(before);
}

pub(super) fn fill(t: &mut Translator, table: u32) {
    let (dst, value, len) = t.pop3();
    let args = [index(t, table), wide(t, dst), wide(t, value), wide(t, len)];
    t.env.libcall(t.b, Libcall::table_fill, &args);
}
