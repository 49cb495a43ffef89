//! Operators: one line each here, their meaning in the family's file.

mod atomic;
mod bulk;
mod call;
mod cast;
pub(super) mod control;
mod convert;
pub(super) mod exception;
mod fuel;
pub(super) mod hint;
mod memory;
mod numeric;
mod object;
mod reference;
mod simd;
mod table;
mod variable;
mod wide;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, types::*};
use wasmparser::Operator;

use self::object::Extend;
use super::CompileError;
use super::function::Translator;
use crate::abi::libcalls::Libcall;

/// Translates one operator.
pub(super) fn translate(t: &mut Translator, operator: &Operator) -> Result<(), CompileError> {
    use Operator as Op;
    if !t.reachable {
        // Only what opens and closes blocks matters here.
        match operator {
            Op::Block { .. } | Op::Loop { .. } | Op::If { .. } | Op::TryTable { .. } => {
                control::dead(t)
            }
            Op::Try { .. } => {
                t.next_try()?;
                control::dead(t);
            }
            Op::Else => control::else_(t),
            Op::Catch { .. } | Op::CatchAll => exception::legacy_catch(t),
            Op::End | Op::Delegate { .. } => control::end(t),
            _ => {}
        }
        return Ok(());
    }
    if t.env.compiler.settings.fuel {
        fuel::meter(t, operator);
    }
    match operator {
        Op::Unreachable => control::unreachable(t),
        Op::Nop => {}
        Op::Block { blockty } => control::block(t, *blockty)?,
        Op::Loop { blockty } => control::loop_(t, *blockty)?,
        Op::If { blockty } => control::if_(t, *blockty)?,
        Op::Else => control::else_(t),
        Op::End => control::end(t),
        Op::Br { relative_depth } => control::br(t, *relative_depth),
        Op::BrIf { relative_depth } => control::br_if(t, *relative_depth),
        Op::BrTable { targets } => control::br_table(t, targets)?,
        Op::Return => control::return_(t),

        Op::TryTable { try_table } => exception::try_table(t, try_table)?,
        Op::Throw { tag_index } => exception::throw(t, *tag_index)?,
        Op::ThrowRef => exception::throw_ref(t)?,
        Op::Try { blockty } => {
            let clauses = t.next_try()?;
            exception::legacy_try(t, *blockty, clauses)?;
        }
        Op::Catch { .. } | Op::CatchAll => exception::legacy_catch(t),
        Op::Delegate { .. } => control::end(t),
        Op::Rethrow { relative_depth } => exception::rethrow(t, *relative_depth)?,

        Op::Call { function_index } => call::call(t, *function_index)?,
        Op::CallIndirect { type_index, table_index } => {
            call::call_indirect(t, *type_index, *table_index)?
        }
        Op::ReturnCall { function_index } => call::return_call(t, *function_index),
        Op::ReturnCallIndirect { type_index, table_index } => {
            call::return_call_indirect(t, *type_index, *table_index)
        }
        Op::CallRef { type_index } => call::call_ref(t, *type_index)?,
        Op::ReturnCallRef { type_index } => call::return_call_ref(t, *type_index),

        Op::Drop => drop(t.pop()),
        Op::Select => variable::select(t),
        Op::TypedSelect { ty } => variable::typed_select(t, &[*ty])?,
        Op::TypedSelectMulti { tys } => variable::typed_select(t, tys)?,
        Op::LocalGet { local_index } => variable::local_get(t, *local_index),
        Op::LocalSet { local_index } => variable::local_set(t, *local_index),
        Op::LocalTee { local_index } => variable::local_tee(t, *local_index),
        Op::GlobalGet { global_index } => variable::global_get(t, *global_index),
        Op::GlobalSet { global_index } => variable::global_set(t, *global_index),

        Op::I32Load { memarg } => memory::load(t, memarg, I32),
        Op::I64Load { memarg } => memory::load(t, memarg, I64),
        Op::F32Load { memarg } => memory::load(t, memarg, F32),
        Op::F64Load { memarg } => memory::load(t, memarg, F64),
        Op::I32Load8S { memarg } => {
            memory::load_extended(t, memarg, 1, |b, f, p, o| b.sload8(I32, f, p, o))
        }
        Op::I32Load8U { memarg } => {
            memory::load_extended(t, memarg, 1, |b, f, p, o| b.uload8(I32, f, p, o))
        }
        Op::I32Load16S { memarg } => {
            memory::load_extended(t, memarg, 2, |b, f, p, o| b.sload16(I32, f, p, o))
        }
        Op::I32Load16U { memarg } => {
            memory::load_extended(t, memarg, 2, |b, f, p, o| b.uload16(I32, f, p, o))
        }
        Op::I64Load8S { memarg } => {
            memory::load_extended(t, memarg, 1, |b, f, p, o| b.sload8(I64, f, p, o))
        }
        Op::I64Load8U { memarg } => {
            memory::load_extended(t, memarg, 1, |b, f, p, o| b.uload8(I64, f, p, o))
        }
        Op::I64Load16S { memarg } => {
            memory::load_extended(t, memarg, 2, |b, f, p, o| b.sload16(I64, f, p, o))
        }
        Op::I64Load16U { memarg } => {
            memory::load_extended(t, memarg, 2, |b, f, p, o| b.uload16(I64, f, p, o))
        }
        Op::I64Load32S { memarg } => {
            memory::load_extended(t, memarg, 4, |b, f, p, o| b.sload32(f, p, o))
        }
        Op::I64Load32U { memarg } => {
            memory::load_extended(t, memarg, 4, |b, f, p, o| b.uload32(f, p, o))
        }
        Op::I32Store { memarg }
        | Op::I64Store { memarg }
        | Op::F32Store { memarg }
        | Op::F64Store { memarg } => memory::store(t, memarg),
        Op::I32Store8 { memarg } | Op::I64Store8 { memarg } => memory::store_low(t, memarg, I8),
        Op::I32Store16 { memarg } | Op::I64Store16 { memarg } => memory::store_low(t, memarg, I16),
        Op::I64Store32 { memarg } => memory::store_low(t, memarg, I32),
        Op::MemorySize { mem } => memory::size(t, *mem),
        Op::MemoryGrow { mem } => memory::grow(t, *mem),
        Op::MemoryInit { data_index, mem } => {
            bulk::copy(t, Libcall::memory_init, *mem, *data_index)
        }
        Op::MemoryCopy { dst_mem, src_mem } => bulk::memory_copy(t, *dst_mem, *src_mem),
        Op::MemoryFill { mem } => bulk::memory_fill(t, *mem),
        Op::DataDrop { data_index } => bulk::drop_segment(t, Libcall::data_drop, *data_index),

        Op::TableGet { table } => table::get(t, *table),
        Op::TableSet { table } => table::set(t, *table),
        Op::TableSize { table } => table::size(t, *table),
        Op::TableGrow { table } => table::grow(t, *table),
        Op::TableFill { table } => table::fill(t, *table),
        Op::TableInit { elem_index, table } => {
            bulk::copy(t, Libcall::table_init, *table, *elem_index)
        }
        Op::TableCopy { dst_table, src_table } => {
            bulk::copy(t, Libcall::table_copy, *dst_table, *src_table)
        }
        Op::ElemDrop { elem_index } => bulk::drop_segment(t, Libcall::elem_drop, *elem_index),

        Op::RefNull { hty } => reference::null(t, *hty)?,
        Op::RefIsNull => reference::is_null(t),
        Op::RefFunc { function_index } => reference::func(t, *function_index),
        Op::RefAsNonNull => reference::as_non_null(t),
        Op::BrOnNull { relative_depth } => reference::br_on_null(t, *relative_depth),
        Op::BrOnNonNull { relative_depth } => reference::br_on_non_null(t, *relative_depth),
        Op::RefEq => numeric::compare(t, IntCC::Equal),
        Op::RefTestNonNull { hty } => cast::ref_test(t, false, *hty)?,
        Op::RefTestNullable { hty } => cast::ref_test(t, true, *hty)?,
        Op::RefCastNonNull { hty } => cast::ref_cast(t, false, *hty)?,
        Op::RefCastNullable { hty } => cast::ref_cast(t, true, *hty)?,
        Op::BrOnCast { relative_depth, to_ref_type, .. } => {
            cast::br_on_cast(t, *relative_depth, *to_ref_type, false)?
        }
        Op::BrOnCastFail { relative_depth, to_ref_type, .. } => {
            cast::br_on_cast(t, *relative_depth, *to_ref_type, true)?
        }

        Op::StructNew { struct_type_index } => object::struct_new(t, *struct_type_index),
        Op::StructNewDefault { struct_type_index } => {
            object::struct_new_default(t, *struct_type_index)
        }
        Op::StructGet { struct_type_index, field_index }
        | Op::StructGetU { struct_type_index, field_index } => {
            object::struct_get(t, *struct_type_index, *field_index, Extend::Unsigned)
        }
        Op::StructGetS { struct_type_index, field_index } => {
            object::struct_get(t, *struct_type_index, *field_index, Extend::Signed)
        }
        Op::StructSet { struct_type_index, field_index } => {
            object::struct_set(t, *struct_type_index, *field_index)
        }
        Op::ArrayNew { array_type_index } => object::array_new(t, *array_type_index),
        Op::ArrayNewDefault { array_type_index } => object::array_new_default(t, *array_type_index),
        Op::ArrayNewFixed { array_type_index, array_size } => {
            object::array_new_fixed(t, *array_type_index, *array_size)?
        }
        Op::ArrayNewData { array_type_index: ty, array_data_index } => {
            object::array_new_segment(t, Libcall::array_new_data, *ty, *array_data_index)
        }
        Op::ArrayNewElem { array_type_index: ty, array_elem_index } => {
            object::array_new_segment(t, Libcall::array_new_elem, *ty, *array_elem_index)
        }
        Op::ArrayGet { array_type_index } | Op::ArrayGetU { array_type_index } => {
            object::array_get(t, *array_type_index, Extend::Unsigned)
        }
        Op::ArrayGetS { array_type_index } => {
            object::array_get(t, *array_type_index, Extend::Signed)
        }
        Op::ArraySet { array_type_index } => object::array_set(t, *array_type_index),
        Op::ArrayLen => object::array_len(t),
        Op::ArrayFill { .. } => object::array_fill(t),
        Op::ArrayCopy { .. } => object::array_copy(t),
        Op::ArrayInitData { array_data_index, .. } => {
            object::array_init(t, Libcall::array_init_data, *array_data_index)
        }
        Op::ArrayInitElem { array_elem_index, .. } => {
            object::array_init(t, Libcall::array_init_elem, *array_elem_index)
        }
        Op::RefI31 => object::i31_new(t),
        Op::I31GetS => object::i31_get(t, Extend::Signed),
        Op::I31GetU => object::i31_get(t, Extend::Unsigned),
        Op::AnyConvertExtern | Op::ExternConvertAny => object::convert(t),

        Op::I32Const { value } => numeric::i32_const(t, *value),
        Op::I64Const { value } => numeric::i64_const(t, *value),
        Op::F32Const { value } => numeric::f32_const(t, value.bits()),
        Op::F64Const { value } => numeric::f64_const(t, value.bits()),

        Op::I32Eqz | Op::I64Eqz => numeric::is_zero(t),
        Op::I32Eq | Op::I64Eq => numeric::compare(t, IntCC::Equal),
        Op::I32Ne | Op::I64Ne => numeric::compare(t, IntCC::NotEqual),
        Op::I32LtS | Op::I64LtS => numeric::compare(t, IntCC::SignedLessThan),
        Op::I32LtU | Op::I64LtU => numeric::compare(t, IntCC::UnsignedLessThan),
        Op::I32GtS | Op::I64GtS => numeric::compare(t, IntCC::SignedGreaterThan),
        Op::I32GtU | Op::I64GtU => numeric::compare(t, IntCC::UnsignedGreaterThan),
        Op::I32LeS | Op::I64LeS => numeric::compare(t, IntCC::SignedLessThanOrEqual),
        Op::I32LeU | Op::I64LeU => numeric::compare(t, IntCC::UnsignedLessThanOrEqual),
        Op::I32GeS | Op::I64GeS => numeric::compare(t, IntCC::SignedGreaterThanOrEqual),
        Op::I32GeU | Op::I64GeU => numeric::compare(t, IntCC::UnsignedGreaterThanOrEqual),
        Op::F32Eq | Op::F64Eq => numeric::compare_floats(t, FloatCC::Equal),
        Op::F32Ne | Op::F64Ne => numeric::compare_floats(t, FloatCC::NotEqual),
        Op::F32Lt | Op::F64Lt => numeric::compare_floats(t, FloatCC::LessThan),
        Op::F32Gt | Op::F64Gt => numeric::compare_floats(t, FloatCC::GreaterThan),
        Op::F32Le | Op::F64Le => numeric::compare_floats(t, FloatCC::LessThanOrEqual),
        Op::F32Ge | Op::F64Ge => numeric::compare_floats(t, FloatCC::GreaterThanOrEqual),

        Op::I32Clz | Op::I64Clz => numeric::unary(t, |b, x| b.clz(x)),
        Op::I32Ctz | Op::I64Ctz => numeric::unary(t, |b, x| b.ctz(x)),
        Op::I32Popcnt | Op::I64Popcnt => numeric::unary(t, |b, x| b.popcnt(x)),
        Op::I32Add | Op::I64Add => numeric::binary(t, |b, x, y| b.iadd(x, y)),
        Op::I32Sub | Op::I64Sub => numeric::subtract(t),
        Op::I32Mul | Op::I64Mul => numeric::binary(t, |b, x, y| b.imul(x, y)),
        Op::I32DivS | Op::I64DivS => numeric::divide(t, true, |b, x, y| b.sdiv(x, y)),
        Op::I32DivU | Op::I64DivU => numeric::divide(t, false, |b, x, y| b.udiv(x, y)),
        Op::I32RemS | Op::I64RemS => numeric::divide(t, false, |b, x, y| b.srem(x, y)),
        Op::I32RemU | Op::I64RemU => numeric::divide(t, false, |b, x, y| b.urem(x, y)),
        Op::I32And | Op::I64And => numeric::binary(t, |b, x, y| b.band(x, y)),
        Op::I32Or | Op::I64Or => numeric::binary(t, |b, x, y| b.bor(x, y)),
        Op::I32Xor | Op::I64Xor => numeric::exclusive_or(t),
        Op::I32Shl | Op::I64Shl => numeric::binary(t, |b, x, y| b.ishl(x, y)),
        Op::I32ShrS | Op::I64ShrS => numeric::binary(t, |b, x, y| b.sshr(x, y)),
        Op::I32ShrU | Op::I64ShrU => numeric::binary(t, |b, x, y| b.ushr(x, y)),
        Op::I32Rotl | Op::I64Rotl => numeric::binary(t, |b, x, y| b.rotl(x, y)),
        Op::I32Rotr | Op::I64Rotr => numeric::binary(t, |b, x, y| b.rotr(x, y)),
        Op::I32Extend8S | Op::I64Extend8S => numeric::extend_low(t, I8),
        Op::I32Extend16S | Op::I64Extend16S => numeric::extend_low(t, I16),
        Op::I64Extend32S => numeric::extend_low(t, I32),

        Op::I64Add128 => wide::binary(t, |b, x, y| b.iadd(x, y)),
        Op::I64Sub128 => wide::binary(t, |b, x, y| b.isub(x, y)),
        Op::I64MulWideS => wide::multiply(t, |b, ty, x| b.sextend(ty, x)),
        Op::I64MulWideU => wide::multiply(t, |b, ty, x| b.uextend(ty, x)),

        Op::F32Abs | Op::F64Abs => numeric::unary(t, |b, x| b.fabs(x)),
        Op::F32Neg | Op::F64Neg => numeric::unary(t, |b, x| b.fneg(x)),
        Op::F32Ceil | Op::F64Ceil => numeric::unary(t, |b, x| b.ceil(x)),
        Op::F32Floor | Op::F64Floor => numeric::unary(t, |b, x| b.floor(x)),
        Op::F32Trunc | Op::F64Trunc => numeric::unary(t, |b, x| b.trunc(x)),
        Op::F32Nearest | Op::F64Nearest => numeric::unary(t, |b, x| b.nearest(x)),
        Op::F32Sqrt | Op::F64Sqrt => numeric::unary(t, |b, x| b.sqrt(x)),
        Op::F32Add | Op::F64Add => numeric::binary(t, |b, x, y| b.fadd(x, y)),
        Op::F32Sub | Op::F64Sub => numeric::binary(t, |b, x, y| b.fsub(x, y)),
        Op::F32Mul | Op::F64Mul => numeric::binary(t, |b, x, y| b.fmul(x, y)),
        Op::F32Div | Op::F64Div => numeric::binary(t, |b, x, y| b.fdiv(x, y)),
        Op::F32Min | Op::F64Min => numeric::binary(t, |b, x, y| b.fmin(x, y)),
        Op::F32Max | Op::F64Max => numeric::binary(t, |b, x, y| b.fmax(x, y)),
        Op::F32Copysign | Op::F64Copysign => numeric::binary(t, |b, x, y| b.fcopysign(x, y)),

        Op::I32WrapI64 => convert::to(t, I32, |b, ty, x| b.ireduce(ty, x)),
        Op::I64ExtendI32S => convert::to(t, I64, |b, ty, x| b.sextend(ty, x)),
        Op::I64ExtendI32U => convert::to(t, I64, |b, ty, x| b.uextend(ty, x)),
        Op::I32TruncF32S | Op::I32TruncF64S => convert::truncate(t, I32, true),
        Op::I32TruncF32U | Op::I32TruncF64U => convert::truncate(t, I32, false),
        Op::I64TruncF32S | Op::I64TruncF64S => convert::truncate(t, I64, true),
        Op::I64TruncF32U | Op::I64TruncF64U => convert::truncate(t, I64, false),
        Op::I32TruncSatF32S | Op::I32TruncSatF64S => {
            convert::to(t, I32, |b, ty, x| b.fcvt_to_sint_sat(ty, x))
        }
        Op::I32TruncSatF32U | Op::I32TruncSatF64U => {
            convert::to(t, I32, |b, ty, x| b.fcvt_to_uint_sat(ty, x))
        }
        Op::I64TruncSatF32S | Op::I64TruncSatF64S => {
            convert::to(t, I64, |b, ty, x| b.fcvt_to_sint_sat(ty, x))
        }
        Op::I64TruncSatF32U | Op::I64TruncSatF64U => {
            convert::to(t, I64, |b, ty, x| b.fcvt_to_uint_sat(ty, x))
        }
        Op::F32ConvertI32S | Op::F32ConvertI64S => {
            convert::to(t, F32, |b, ty, x| b.fcvt_from_sint(ty, x))
        }
        Op::F32ConvertI32U | Op::F32ConvertI64U => {
            convert::to(t, F32, |b, ty, x| b.fcvt_from_uint(ty, x))
        }
        Op::F64ConvertI32S | Op::F64ConvertI64S => {
            convert::to(t, F64, |b, ty, x| b.fcvt_from_sint(ty, x))
        }
        Op::F64ConvertI32U | Op::F64ConvertI64U => {
            convert::to(t, F64, |b, ty, x| b.fcvt_from_uint(ty, x))
        }
        Op::F32DemoteF64 => convert::to(t, F32, |b, ty, x| b.fdemote(ty, x)),
        Op::F64PromoteF32 => convert::to(t, F64, |b, ty, x| b.fpromote(ty, x)),
        Op::I32ReinterpretF32 => convert::reinterpret(t, I32),
        Op::I64ReinterpretF64 => convert::reinterpret(t, I64),
        Op::F32ReinterpretI32 => convert::reinterpret(t, F32),
        Op::F64ReinterpretI64 => convert::reinterpret(t, F64),

        // What is left is vectors, or of a proposal that validation refuses.
        other => {
            if !atomic::translate(t, other) {
                simd::translate(t, other)?;
            }
        }
    }
    Ok(())
}
