//! Exceptions (core spec, section 4.4.8): what throws, what catches, and calls in between.
//!
//! A call inside a `try_table` or a legacy `try` ends its block: it has one successor for its
//! return and one for each handler that may catch what it throws. Which of them it is, the runtime
//! finds out from the call's return address; as long as nothing is thrown it costs nothing.

use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, BlockCall, ExceptionTableData, ExceptionTableItem, ExceptionTag,
    FuncRef, InstBuilder, SigRef, StackSlotData, StackSlotKind, Value, types,
};
use wasmparser::{Catch as RawCatch, TryTable};

use super::control::{self, block_types, stop};
use crate::abi::code::Catch;
use crate::abi::libcalls::Libcall;
use crate::abi::signature::array_size;
use crate::compile::env::{POINTER, UNREACHED, clif_type};
use crate::compile::function::{Frame, FrameKind, Translator};
use crate::compile::legacy::Clauses;
use crate::compile::trampoline::{load_payload, store_payload};
use crate::compile::{CompileError, tier};
use crate::wasm::{TagIndex, ValType};

/// What is called.
#[derive(Clone, Copy)]
pub(super) enum Callee {
    Direct(FuncRef),
    Indirect { sig: SigRef, code: Value },
}

/// A clause of an open `try_table`, and where it leads.
pub(in crate::compile) struct TableClause {
    catch: Catch,
    /// Where calls go on that have thrown what it catches; none before the first such call.
    landing: Option<Block>,
    /// Which of the open blocks it branches to.
    target: usize,
}

/// An open legacy `try`.
pub(in crate::compile) struct LegacyTry {
    clauses: Vec<LegacyClause>,
    /// Which part is being translated: 0 is the body, then one clause after the other.
    part: usize,
    /// Which of the open blocks it delegates to, if it does.
    delegate: Option<usize>,
}

struct LegacyClause {
    catch: Catch,
    /// As in a [`TableClause`].
    landing: Option<Block>,
    /// The exception while the clause is translated, if it is thrown again in there.
    exception: Option<Value>,
}

/// How many handlers all calls of a function may have together: so many, and as many for each byte
/// of its body. What compilers make has one or two for a call of several bytes; but a function can
/// have calls and clauses in blocks within blocks whose pairs are as many as the square of its size.
const MOST_HANDLERS: (usize, usize) = (512, 2);

/// How many blocks that are passed by count as a handler.
const BLOCKS_PER_HANDLER: usize = 8;

/// The handlers of a call at the current position, innermost first.
fn handlers(t: &mut Translator) -> Result<Vec<ExceptionTableItem>, CompileError> {
    let mut found = Vec::new();
    let mut below = usize::MAX;
    for place in (0..t.tries.len()).rev() {
        let index = t.tries[place];
        t.handlers += 1;
        if index > below {
            continue;
        }
        let mut kind = std::mem::replace(&mut t.control[index].kind, FrameKind::Dead);
        let complete = match &mut kind {
            FrameKind::TryTable(clauses) => {
                let clauses = clauses.iter_mut().map(|clause| (clause.catch, &mut clause.landing));
                add(t, &mut found, clauses)
            }
            FrameKind::Try(LegacyTry { part: 0, delegate: Some(outer), .. }) => {
                below = *outer;
                false
            }
            FrameKind::Try(LegacyTry { part: 0, clauses, .. }) => {
                let clauses = clauses.iter_mut().map(|clause| (clause.catch, &mut clause.landing));
                add(t, &mut found, clauses)
            }
            // What a clause throws, its own `try` does not catch.
            FrameKind::Try(_) => false,
            _ => unreachable!("only blocks that catch are noted"),
        };
        t.control[index].kind = kind;
        if complete {
            break;
        }
    }
    t.handlers += found.len() * BLOCKS_PER_HANDLER;
    let (least, per_byte) = MOST_HANDLERS;
    let most = least + per_byte * t.body_size();
    if t.handlers > most * BLOCKS_PER_HANDLER {
        let message = "implementation limit: too many calls in too many blocks that catch";
        return Err(CompileError::new(message));
    }
    Ok(found)
}

/// Adds clauses to the handlers of a call; whether that is all, because everything is caught.
fn add<'c>(
    t: &mut Translator,
    found: &mut Vec<ExceptionTableItem>,
    clauses: impl Iterator<Item = (Catch, &'c mut Option<Block>)>,
) -> bool {
    for (catch, landing) in clauses {
        let landing = *landing.get_or_insert_with(|| {
            let landing = t.b.create_block();
            t.b.set_cold_block(landing);
            t.b.append_block_param(landing, POINTER);
            t.b.append_block_param(landing, POINTER);
            landing
        });
        let args = [BlockArg::TryCallExn(0), BlockArg::TryCallExn(1)];
        let call = BlockCall::new(landing, args, &mut t.b.func.dfg.value_lists);
        found.push(ExceptionTableItem::Tag(ExceptionTag::from_u32(catch.bits()), call));
        if catch.tag().is_none() {
            return true;
        }
    }
    false
}

/// Calls what may throw; the results.
pub(super) fn call(
    t: &mut Translator,
    callee: Callee,
    args: &[Value],
) -> Result<Vec<Value>, CompileError> {
    t.env.calls = true;
    let handlers = handlers(t)?;
    if handlers.is_empty() {
        let call = match callee {
            Callee::Direct(func) => t.b.ins().call(func, args),
            Callee::Indirect { sig, code } => t.b.ins().call_indirect(sig, code, args),
        };
        return Ok(t.b.inst_results(call).to_vec());
    }
    let sig = match callee {
        Callee::Direct(func) => t.b.func.dfg.ext_funcs[func].signature,
        Callee::Indirect { sig, .. } => sig,
    };
    let next = t.b.create_block();
    let returns: Vec<AbiParam> = t.b.func.dfg.signatures[sig].returns.clone();
    let results: Vec<Value> =
        returns.iter().map(|ty| t.b.append_block_param(next, ty.value_type)).collect();
    let returned = (0..results.len()).map(|i| BlockArg::TryCallRet(i as u32));
    let on_return = BlockCall::new(next, returned, &mut t.b.func.dfg.value_lists);
    let table = ExceptionTableData::new(sig, on_return, handlers);
    let table = t.b.func.dfg.exception_tables.push(table);
    match callee {
        Callee::Direct(func) => t.b.ins().try_call(func, args, table),
        Callee::Indirect { sig: _, code } => t.b.ins().try_call_indirect(code, args, table),
    };
    t.switch_to_sealed(next);
    Ok(results)
}

/// Calls a libcall that throws; nothing follows.
fn call_thrower(t: &mut Translator, libcall: Libcall, args: &[Value]) -> Result<(), CompileError> {
    let (sig, code) = t.env.thrower(t.b, libcall);
    let args = [&[t.env.vmctx], args].concat();
    call(t, Callee::Indirect { sig, code }, &args)?;
    t.b.ins().trap(UNREACHED);
    stop(t);
    Ok(())
}

pub(super) fn throw(t: &mut Translator, tag: u32) -> Result<(), CompileError> {
    let ty = t.env.source.module.tag_type(TagIndex::from_u32(tag));
    let values = t.pop_many(ty.params().len());
    // All throws of a function use one place in its frame: none needs it for long.
    let slot = *t.thrown.get_or_insert_with(|| {
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, 0, 4);
        t.b.create_sized_stack_slot(slot)
    });
    let size = &mut t.b.func.sized_stack_slots[slot].size;
    *size = (*size).max(array_size(values.len()) as u32);
    let array = t.b.ins().stack_addr(POINTER, slot, 0);
    for (i, value) in values.into_iter().enumerate() {
        store_payload(t.b, value, array, i);
    }
    let tag = t.b.ins().iconst(types::I32, i64::from(tag));
    call_thrower(t, Libcall::throw, &[tag, array])
}

pub(super) fn throw_ref(t: &mut Translator) -> Result<(), CompileError> {
    let exception = t.pop();
    call_thrower(t, Libcall::throw_ref, &[exception])
}

pub(super) fn try_table(t: &mut Translator, table: &TryTable) -> Result<(), CompileError> {
    let (params, results) = block_types(t, table.ty)?;
    // Labels of clauses count from outside the block.
    let innermost = t.control.len() - 1;
    let clause = |(tag, by_ref, label): (Option<u32>, bool, u32)| TableClause {
        catch: Catch::new(tag.map(TagIndex::from_u32), by_ref),
        landing: None,
        target: innermost - label as usize,
    };
    let clauses = table.catches.iter().map(|catch| match *catch {
        RawCatch::One { tag, label } => clause((Some(tag), false, label)),
        RawCatch::OneRef { tag, label } => clause((Some(tag), true, label)),
        RawCatch::All { label } => clause((None, false, label)),
        RawCatch::AllRef { label } => clause((None, true, label)),
    });
    let kind = FrameKind::TryTable(clauses.collect());
    open(t, kind, params.len(), results);
    Ok(())
}

/// Opens a block that catches.
fn open(t: &mut Translator, kind: FrameKind, params: usize, results: Vec<ValType>) {
    let target = t.block_with_params(&results);
    let height = t.stack.len() - params;
    tier::keep(t, height);
    t.tries.push(t.control.len());
    t.control.push(Frame { kind, target, arity: results.len(), height, branched: false });
}

/// The values that a handler gets, in its first block: what the exception carries, and a reference
/// to it if the handler wants one.
fn land(t: &mut Translator, catch: Catch, landing: Block) -> (Vec<Value>, Option<Value>) {
    t.switch_to_sealed(landing);
    let &[array, number] = t.b.block_params(landing) else {
        unreachable!("landings are made with two parameters")
    };
    let params = catch.tag().map_or(&[][..], |tag| t.env.source.module.tag_type(tag).params());
    let values = params.iter().enumerate().map(|(i, ty)| {
        let value = load_payload(t.b, *ty, array, i);
        t.track(value, *ty);
        value
    });
    let values = values.collect();
    let exception = catch.by_ref().then(|| {
        let exception = t.b.ins().ireduce(clif_type(ValType::EXNREF), number);
        t.track(exception, ValType::EXNREF);
        exception
    });
    (values, exception)
}

/// At the end of a `try_table`: where its clauses lead.
pub(super) fn end_table(t: &mut Translator, clauses: Vec<TableClause>) {
    t.tries.pop();
    for TableClause { catch, landing, target } in clauses {
        let Some(landing) = landing else { continue };
        let (values, exception) = land(t, catch, landing);
        let args: Vec<BlockArg> =
            values.into_iter().chain(exception).map(BlockArg::Value).collect();
        let frame = &mut t.control[target];
        frame.branched = true;
        t.b.ins().jump(frame.target, &args);
    }
}

/// A legacy `try`, of which `clauses` are known.
pub(super) fn legacy_try(
    t: &mut Translator,
    ty: wasmparser::BlockType,
    clauses: Clauses,
) -> Result<(), CompileError> {
    let (params, results) = block_types(t, ty)?;
    let innermost = t.control.len() - 1;
    let delegate = clauses.delegate.map(|label| innermost - label as usize);
    let clause = |(tag, rethrown)| LegacyClause {
        catch: Catch::new(tag, rethrown),
        landing: None,
        exception: None,
    };
    let clauses = clauses.catches.into_iter().map(clause).collect();
    open(t, FrameKind::Try(LegacyTry { clauses, part: 0, delegate }), params.len(), results);
    Ok(())
}

/// The next clause of the innermost legacy `try`.
pub(super) fn legacy_catch(t: &mut Translator) {
    let mut frame = t.control.pop().expect("validation has matched clauses with `try`");
    if let FrameKind::Try(open) = &mut frame.kind {
        if t.reachable {
            control::jump(t, &mut frame.branched, frame.target, frame.arity);
        }
        t.stack.truncate(frame.height);
        let clause = &mut open.clauses[open.part];
        open.part += 1;
        t.reachable = clause.landing.is_some();
        if let Some(landing) = clause.landing {
            let (values, exception) = land(t, clause.catch, landing);
            clause.exception = exception;
            t.stack.extend(values);
        }
    }
    t.control.push(frame);
}

/// The end of a legacy `try`, of either form; the block ends as others do.
pub(super) fn end_legacy(t: &mut Translator) {
    t.tries.pop();
}

pub(super) fn rethrow(t: &mut Translator, depth: u32) -> Result<(), CompileError> {
    let index = t.control.len() - 1 - depth as usize;
    let FrameKind::Try(open) = &t.control[index].kind else {
        unreachable!("validation has seen a clause of a `try` there")
    };
    let clause = &open.clauses[open.part - 1];
    let exception = clause.exception.expect("the clause is known to throw again");
    call_thrower(t, Libcall::throw_ref, &[exception])
}
