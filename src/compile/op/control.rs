//! Blocks, branches and their kin (core spec, section 4.4.8).

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, BlockArg, BlockCall, InstBuilder, JumpTableData, Value, types};
use wasmparser::{BlockType, BrTable};

use super::{exception, fuel, hint};
use crate::abi::layout::offset;
use crate::compile::env::{POINTER, constant_flags};
use crate::compile::function::{Frame, FrameKind, Translator};
use crate::compile::{CompileError, counted, tier};
use crate::wasm::{TrapCode, TypeIndex, ValType};

/// Up to how many targets, besides the default, of a `br_table` are compared with one by one.
const FEW_TARGETS: usize = 3;

/// The types that a block takes and returns.
pub(super) fn block_types(
    t: &Translator,
    ty: BlockType,
) -> Result<(Vec<ValType>, Vec<ValType>), CompileError> {
    Ok(match ty {
        BlockType::Empty => (Vec::new(), Vec::new()),
        BlockType::Type(ty) => (Vec::new(), vec![t.value_type(ty)?]),
        BlockType::FuncType(index) => {
            let ty = t.env.source.module.signature(TypeIndex::from_u32(index));
            (ty.params().to_vec(), ty.results().to_vec())
        }
    })
}

/// Where every endless execution comes by again and again: functions begin with it, and loops. It
/// is where execution ends from outside.
pub(in crate::compile) fn checkpoint(t: &mut Translator) {
    let settings = t.env.compiler.settings;
    if settings.interruptible {
        let store = t.env.store(t.b);
        let word = t.b.ins().load(POINTER, constant_flags(), store, offset::STORE_INTERRUPT);
        // Other threads write it: it has to be read each time.
        let flags = ir::MemFlagsData::trusted();
        let word = t.b.ins().atomic_load(types::I32, flags, word);
        t.env.trap_if(t.b, word, TrapCode::Interrupt);
    }
    if settings.fuel {
        fuel::check(t);
    }
}

pub(super) fn unreachable(t: &mut Translator) {
    t.env.trap(t.b, TrapCode::Unreachable);
    stop(t);
}

/// What follows cannot be reached, up to the end of the innermost block.
pub(super) fn stop(t: &mut Translator) {
    t.reachable = false;
    let height = t.control.last().map_or(0, |frame| frame.height);
    t.stack.truncate(height);
}

/// Opens a block where nothing reaches.
pub(super) fn dead(t: &mut Translator) {
    let height = t.stack.len();
    // Nothing branches to it, so any target will do.
    let target = t.control[0].target;
    t.control.push(Frame { kind: FrameKind::Dead, target, arity: 0, height, branched: false });
}

pub(super) fn block(t: &mut Translator, ty: BlockType) -> Result<(), CompileError> {
    let (params, results) = block_types(t, ty)?;
    let target = t.block_with_params(&results);
    let height = t.stack.len() - params.len();
    tier::keep(t, height);
    let arity = results.len();
    t.control.push(Frame { kind: FrameKind::Block, target, arity, height, branched: false });
    Ok(())
}

pub(super) fn loop_(t: &mut Translator, ty: BlockType) -> Result<(), CompileError> {
    let (params, _) = block_types(t, ty)?;
    if t.counting.is_some() && !t.can_take_over() {
        t.is_unfit = true;
        return Ok(());
    }
    let target = t.block_with_params(&params);
    let args = t.branch_args(params.len());
    let height = t.stack.len() - params.len();
    tier::keep(t, height);
    let counted_locals = t.counted_locals.len();
    let counters = counted::begin(t);
    t.b.ins().jump(target, &args);
    t.b.switch_to_block(target);
    // Before variables add parameters of their own.
    t.stack.truncate(height);
    t.stack.extend_from_slice(t.b.block_params(target));
    tier::take_over(t, target, height, &counters);
    tier::count(t, true);
    counted::turn(t, counters);
    let arity = params.len();
    let kind = FrameKind::Loop { counted_locals };
    t.control.push(Frame { kind, target, arity, height, branched: true });
    checkpoint(t);
    Ok(())
}

pub(super) fn if_(t: &mut Translator, ty: BlockType) -> Result<(), CompileError> {
    let condition = t.pop();
    let (params, results) = block_types(t, ty)?;
    let target = t.block_with_params(&results);
    let height = t.stack.len() - params.len();
    tier::keep(t, height);
    let then = t.b.create_block();
    let otherwise = t.b.create_block();
    t.b.ins().brif(condition, then, &[], otherwise, &[]);
    t.b.seal_block(otherwise);
    t.switch_to_sealed(then);
    let params = t.stack[height..].to_vec();
    let kind = FrameKind::If { otherwise, params };
    t.control.push(Frame { kind, target, arity: results.len(), height, branched: false });
    match t.hints.here() {
        Some(true) => t.hints.unlikely(otherwise),
        Some(false) => hint::begin_cold(t, then),
        None => {}
    }
    Ok(())
}

pub(super) fn else_(t: &mut Translator) {
    let mut frame = t.control.pop().expect("validation has matched `else` with `if`");
    hint::end_cold(t);
    let mut cold = None;
    if let FrameKind::If { otherwise, params } = frame.kind {
        if t.reachable {
            jump(t, &mut frame.branched, frame.target, frame.arity);
        }
        t.stack.truncate(frame.height);
        t.b.switch_to_block(otherwise);
        t.stack.extend(params);
        t.reachable = true;
        frame.kind = FrameKind::Else;
        cold = t.hints.is_unlikely(otherwise).then_some(otherwise);
    }
    t.control.push(frame);
    if let Some(otherwise) = cold {
        hint::begin_cold(t, otherwise);
    }
}

pub(super) fn end(t: &mut Translator) {
    let mut frame = t.control.pop().expect("validation has matched `end` with a block");
    hint::end_cold(t);
    let is_kept = tier::end(t);
    match frame.kind {
        FrameKind::Dead => {
            t.stack.truncate(frame.height);
            return;
        }
        FrameKind::Loop { counted_locals } => {
            // Branches go to the loop's start; its end is only ever fallen into.
            t.b.seal_block(frame.target);
            counted::end(t, counted_locals);
            return;
        }
        FrameKind::If { otherwise, params } => {
            if t.reachable {
                jump(t, &mut frame.branched, frame.target, frame.arity);
            }
            // Without an `else`, the parameters are the results.
            t.stack.truncate(frame.height);
            t.stack.extend(params);
            t.b.switch_to_block(otherwise);
            if t.hints.is_unlikely(otherwise) {
                t.b.set_cold_block(otherwise);
            }
            jump(t, &mut frame.branched, frame.target, frame.arity);
        }
        FrameKind::Block | FrameKind::Else => {
            if t.reachable {
                jump(t, &mut frame.branched, frame.target, frame.arity);
            }
        }
        FrameKind::TryTable(clauses) => {
            if t.reachable {
                jump(t, &mut frame.branched, frame.target, frame.arity);
            }
            exception::end_table(t, clauses);
        }
        FrameKind::Try(_) => {
            if t.reachable {
                jump(t, &mut frame.branched, frame.target, frame.arity);
            }
            exception::end_legacy(t);
        }
    }
    t.stack.truncate(frame.height);
    t.b.seal_block(frame.target);
    let unlikely = !frame.branched && t.hints.is_unlikely(frame.target);
    t.reachable = frame.branched || unlikely;
    if t.reachable {
        t.b.switch_to_block(frame.target);
        t.stack.extend_from_slice(t.b.block_params(frame.target));
        if is_kept {
            tier::restore(t, frame.height);
        }
    }
    if unlikely {
        hint::begin_cold(t, frame.target);
    }
}

pub(super) fn jump(t: &mut Translator, branched: &mut bool, target: ir::Block, arity: usize) {
    let args = t.branch_args(arity);
    t.b.ins().jump(target, &args);
    *branched = true;
}

/// The block that `depth` blocks enclose around the innermost one.
fn frame_at<'t>(t: &'t mut Translator, depth: u32) -> &'t mut Frame {
    let index = t.control.len() - 1 - depth as usize;
    &mut t.control[index]
}

/// Notes a branch out of `depth` blocks; where it goes and how many values it takes along.
fn target(t: &mut Translator, depth: u32) -> (ir::Block, usize) {
    let frame = frame_at(t, depth);
    frame.branched = true;
    (frame.target, frame.arity)
}

pub(super) fn br(t: &mut Translator, depth: u32) {
    let (target, arity) = target(t, depth);
    let args = t.branch_args(arity);
    t.b.ins().jump(target, &args);
    stop(t);
}

pub(super) fn br_if(t: &mut Translator, depth: u32) {
    let condition = t.pop();
    branch_if(t, condition, depth);
}

/// Branches out of `depth` blocks when `condition` is not zero.
pub(super) fn branch_if(t: &mut Translator, condition: Value, depth: u32) {
    let (target, arity) = if t.hints.here() == Some(false) {
        let frame = frame_at(t, depth);
        let (target, arity) = (frame.target, frame.arity);
        t.hints.unlikely(target);
        (target, arity)
    } else {
        target(t, depth)
    };
    let args = t.branch_args(arity);
    let next = t.b.create_block();
    t.b.ins().brif(condition, target, &args, next, &[]);
    t.switch_to_sealed(next);
    if t.hints.here() == Some(true) {
        hint::begin_cold(t, next);
    }
}

pub(super) fn br_table(t: &mut Translator, targets: &BrTable) -> Result<(), CompileError> {
    let index = t.pop();
    let mut calls = Vec::with_capacity(targets.len() as usize + 1);
    for depth in targets.targets().chain([Ok(targets.default())]) {
        let depth = depth.map_err(|e| CompileError(format!("malformed br_table: {e}")))?;
        let (target, arity) = target(t, depth);
        let args = t.branch_args(arity);
        calls.push(BlockCall::new(target, args, &mut t.b.func.dfg.value_lists));
    }
    let default = calls.pop().expect("the default target is there");
    if calls.len() <= FEW_TARGETS {
        compare_each(t, index, &calls, default);
        stop(t);
        return Ok(());
    }
    let table = t.b.create_jump_table(JumpTableData::new(default, &calls));
    t.b.ins().br_table(index, table);
    stop(t);
    Ok(())
}

/// A `br_table` of a few targets as comparisons, of which a processor foresees each by itself.
fn compare_each(t: &mut Translator, index: Value, calls: &[BlockCall], default: BlockCall) {
    for (i, call) in calls.iter().enumerate() {
        let is_this = t.b.ins().icmp_imm_u(IntCC::Equal, index, i as i64);
        let next = t.b.create_block();
        let (target, args) = parts(t, *call);
        t.b.ins().brif(is_this, target, &args, next, &[]);
        t.switch_to_sealed(next);
    }
    let (target, args) = parts(t, default);
    t.b.ins().jump(target, &args);
}

fn parts(t: &Translator, call: BlockCall) -> (ir::Block, Vec<BlockArg>) {
    let lists = &t.b.func.dfg.value_lists;
    (call.block(lists), call.args(lists).collect())
}

pub(super) fn return_(t: &mut Translator) {
    let arity = t.control[0].arity;
    let values = t.pop_many(arity);
    t.b.ins().return_(&values);
    stop(t);
}

/// What ends the function other than by `return`: nothing follows it.
pub(super) fn left(t: &mut Translator) {
    stop(t);
}
