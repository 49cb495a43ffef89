//! Fuel: every instruction that does something costs one unit, consumed in one go before the code
//! gets to a place from which it may go on elsewhere.

use cranelift_codegen::ir::{InstBuilder, condcodes::IntCC, types};
use wasmparser::Operator;

use crate::abi::layout::offset;
use crate::compile::function::Translator;
use crate::wasm::TrapCode;

/// Counts an operator that can be reached, before it is translated.
pub(super) fn meter(t: &mut Translator, operator: &Operator) {
    use Operator as Op;
    t.consumed += match operator {
        Op::Nop | Op::Drop | Op::Block { .. } | Op::Loop { .. } | Op::Else | Op::End => 0,
        Op::TryTable { .. } | Op::Try { .. } | Op::Delegate { .. } => 0,
        Op::Catch { .. } | Op::CatchAll => 0,
        _ => 1,
    };
    let leads_elsewhere = matches!(
        operator,
        Op::Unreachable
            | Op::Loop { .. }
            | Op::If { .. }
            | Op::Else
            | Op::End
            | Op::Br { .. }
            | Op::BrIf { .. }
            | Op::BrTable { .. }
            | Op::BrOnNull { .. }
            | Op::BrOnNonNull { .. }
            | Op::BrOnCast { .. }
            | Op::BrOnCastFail { .. }
            | Op::Return
            | Op::Throw { .. }
            | Op::ThrowRef
            | Op::Rethrow { .. }
            | Op::Catch { .. }
            | Op::CatchAll
            | Op::Delegate { .. }
            | Op::Call { .. }
            | Op::CallIndirect { .. }
            | Op::ReturnCall { .. }
            | Op::ReturnCallIndirect { .. }
            | Op::CallRef { .. }
            | Op::ReturnCallRef { .. }
            | Op::MemoryCopy { .. }
            | Op::MemoryFill { .. }
            | Op::MemoryInit { .. }
            | Op::TableCopy { .. }
            | Op::TableFill { .. }
            | Op::TableInit { .. }
            | Op::TableGrow { .. }
            | Op::ArrayNew { .. }
            | Op::ArrayNewDefault { .. }
            | Op::ArrayNewData { .. }
            | Op::ArrayNewElem { .. }
            | Op::ArrayFill { .. }
            | Op::ArrayCopy { .. }
            | Op::ArrayInitData { .. }
            | Op::ArrayInitElem { .. }
    );
    if leads_elsewhere {
        consume(t);
    }
}

/// Consumes what has been counted.
fn consume(t: &mut Translator) {
    let amount = std::mem::take(&mut t.consumed);
    if amount == 0 {
        return;
    }
    let (store, flags) = (t.env.store(t.b), t.env.fuel_flags(t.b));
    let fuel = t.b.ins().load(types::I64, flags, store, offset::STORE_FUEL);
    let left = t.b.ins().iadd_imm_s(fuel, -amount);
    t.b.ins().store(flags, left, store, offset::STORE_FUEL);
}

/// Traps when no fuel is left.
pub(super) fn check(t: &mut Translator) {
    let (store, flags) = (t.env.store(t.b), t.env.fuel_flags(t.b));
    let fuel = t.b.ins().load(types::I64, flags, store, offset::STORE_FUEL);
    let empty = t.b.ins().icmp_imm_s(IntCC::SignedLessThanOrEqual, fuel, 0);
    t.env.trap_if(t.b, empty, TrapCode::OutOfFuel);
}
