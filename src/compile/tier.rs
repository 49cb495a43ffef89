//! From baseline code to optimized code: where the one counts, and where the other takes over.
//!
//! What takes over in a loop is called in place of the rest of the function, which leaves its frame. It
//! gets the locals, and what is on the operand stack. The function is translated from its beginning all
//! the same, though nothing leads there, so that what surrounds the loop is known; then the way in is
//! added. What is on the operand stack around a block is, in such code, not always what it was where
//! the block began: variables keep it.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, ExternalName, GlobalValue, GlobalValueData, InstBuilder,
    MemFlagsData, SigRef, Signature, Type, UserExternalName, Value, types,
};
use cranelift_frontend::{FunctionBuilder, Variable};

use super::counted::Begun;
use super::env::{POINTER, signature};
use super::function::Translator;
use crate::abi::layout::{MOST_CARRIED, offset};
use crate::abi::libcalls::Libcall;
use crate::wasm::{DefinedFuncIndex, FuncType};

/// Locals that code can take over; functions with more are optimized at once.
pub(super) const MOST_LOCALS: usize = MOST_CARRIED / LARGEST;

/// Bytes of the largest local.
const LARGEST: usize = 16;

/// The namespace of functions' counters, among the names of what code refers to.
pub(super) const COUNTERS: u32 = 1;

/// What baseline code asks for better code with.
#[derive(Clone, Copy)]
pub(super) struct Counting {
    counter: GlobalValue,
    func: DefinedFuncIndex,
    params: usize,
    call: SigRef,
    take_over: SigRef,
}

/// Where optimized code takes over from baseline code.
#[derive(Clone, Copy)]
pub(super) struct TakeOver {
    /// The position of the loop.
    pub(super) at: usize,
    /// The function's first block.
    entry: Block,
    /// The block that gets to the loop; it is to be filled.
    way: Block,
}

/// The part of the operand stack that surrounds the open blocks, where something takes over.
#[derive(Default)]
pub(super) struct Around {
    /// The values, and the variables that keep them.
    kept: Vec<(Value, Variable)>,
    /// How many of the open blocks surround the loop in which the code takes over, once that is known.
    blocks: Option<usize>,
}

/// The signature of code that takes over in a loop from functions of type `ty`. There are more
/// parameters: the locals that are not in memory, and what is on the operand stack.
pub(super) fn take_over_signature(ty: &FuncType) -> Signature {
    signature(&FuncType::new([], ty.results().to_vec()))
}

impl Counting {
    pub(super) fn new(b: &mut FunctionBuilder, func: DefinedFuncIndex, ty: &FuncType) -> Counting {
        let name = b.func.declare_imported_user_function(UserExternalName::new(COUNTERS, 0));
        let counter = b.create_global_value(GlobalValueData::Symbol {
            name: ExternalName::user(name),
            offset: 0.into(),
            colocated: true,
            tls: false,
        });
        let call = b.import_signature(signature(ty));
        let take_over = b.import_signature(take_over_signature(ty));
        Counting { counter, func, params: ty.params().len(), call, take_over }
    }
}

/// Counts, if this is baseline code: a turn of the loop at the current position, or a call. When
/// there have been many, asks for better code, and leaves to it.
pub(super) fn count(t: &mut Translator, in_loop: bool) {
    let Some(Counting { counter, func, params, call, take_over }) = t.counting else { return };
    let address = t.b.ins().symbol_value(POINTER, counter);
    // Threads may count at the same time; what they lose does not matter.
    let flags = MemFlagsData::trusted();
    let before = t.b.ins().load(types::I32, flags, address, 0);
    let count = t.b.ins().iadd_imm_s(before, 1);
    t.b.ins().store(flags, count, address, 0);
    let many = t.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, count, 0);
    let [ask, leave, go_on] = [(); 3].map(|()| t.b.create_block());
    t.b.ins().brif(many, ask, &[], go_on, &[]);

    t.b.set_cold_block(ask);
    t.switch_to_sealed(ask);
    let place = if in_loop { i64::from(t.place()) } else { -1 };
    let (slot, size) = t.memory;
    let [func, place, size] =
        [func.as_u32().into(), place, size.into()].map(|arg| t.b.ins().iconst(types::I32, arg));
    let locals = match slot {
        Some(slot) => t.b.ins().stack_addr(POINTER, slot, 0),
        None => t.b.ins().iconst(POINTER, 0),
    };
    let args = [func, place, locals, size];
    let better = t.env.libcall(t.b, Libcall::tier_up, &args).expect("it returns an address");
    t.b.ins().brif(better, leave, &[], go_on, &[]);

    t.b.set_cold_block(leave);
    t.switch_to_sealed(leave);
    let mut args = vec![t.env.vmctx];
    let mut signature = call;
    if in_loop {
        let others = (0..t.locals.len() as u32).filter(|local| t.is_variable(*local));
        args.extend(others.collect::<Vec<_>>().into_iter().map(|local| t.local(local)));
        args.extend(&t.stack);
        let mut sig = t.b.func.dfg.signatures[take_over].clone();
        sig.params.extend(args[1..].iter().map(|arg| AbiParam::new(t.type_of(*arg))));
        signature = t.b.import_signature(sig);
    } else {
        args.extend((0..params as u32).map(|local| t.local(local)));
    }
    t.b.ins().return_call_indirect(signature, better, &args);
    t.switch_to_sealed(go_on);
}

impl TakeOver {
    /// Lets the function's entry, which is the current block, lead to the loop at the position, and
    /// goes on in a block that nothing leads to, where the function, of type `ty`, is translated from its
    /// beginning. Returns that block, which has values in place of the parameters.
    pub(super) fn new(
        b: &mut FunctionBuilder,
        at: usize,
        entry: Block,
        ty: &FuncType,
    ) -> (TakeOver, Block) {
        let [way, beginning] = [(); 2].map(|()| b.create_block());
        b.ins().jump(way, &[]);
        b.seal_block(way);
        for param in signature(ty).params {
            b.append_block_param(beginning, param.value_type);
        }
        b.switch_to_block(beginning);
        b.seal_block(beginning);
        (TakeOver { at, entry, way }, beginning)
    }
}

/// Leads from the entry to the loop at the current position, if it is the one to take over in, where
/// the loop's parameters are on the operand stack above `height` others. `target` is where its turns
/// begin; goes on there.
pub(super) fn take_over(t: &mut Translator, target: Block, height: usize, begun: &Begun) {
    let Some(TakeOver { at, entry, way }) = t.take_over else { return };
    if at != t.position {
        return restore(t, height);
    }
    t.take_over = None;
    t.around.blocks = Some(t.control.len());
    // What the code gets is only known now.
    let param = |t: &mut Translator, ty| {
        t.b.func.signature.params.push(AbiParam::new(ty));
        t.b.func.dfg.append_block_param(entry, ty)
    };
    t.b.switch_to_block(way);
    let store = t.env.store(t.b);
    let flags = MemFlagsData::trusted();
    let carried = t.b.ins().load(POINTER, flags, store, offset::STORE_CARRIED);
    for (local, (place, ty)) in std::mem::take(&mut t.places).into_iter().enumerate() {
        let value = match place {
            Some(place) => t.b.ins().load(ty, flags, carried, place),
            None => param(t, ty),
        };
        t.set_local(local as u32, value);
    }
    let types: Vec<Type> = t.stack.iter().map(|value| t.type_of(*value)).collect();
    let stack: Vec<Value> = types.into_iter().map(|ty| param(t, ty)).collect();
    for ((_, variable), value) in t.around.kept.iter().zip(&stack[..height]) {
        t.b.def_var(*variable, *value);
    }
    begun.take_over(t);
    let args: Vec<BlockArg> = stack[height..].iter().map(|value| BlockArg::Value(*value)).collect();
    t.b.ins().jump(target, &args);
    t.b.switch_to_block(target);
    restore(t, height);
}

/// Keeps what is on the operand stack below `height`, where a block begins.
pub(super) fn keep(t: &mut Translator, height: usize) {
    if t.take_over.is_none() {
        return;
    }
    for (index, value) in t.stack[..height].iter().enumerate() {
        let kept = &mut t.around.kept;
        if kept.get(index).is_none_or(|(kept, _)| kept != value) {
            kept.truncate(index);
            let variable = t.b.declare_var(t.b.func.dfg.value_type(*value));
            t.b.def_var(variable, *value);
            kept.push((*value, variable));
        }
    }
}

/// Notes that the block ends that has just been taken from `t.control`. Whether variables keep what
/// surrounds it.
pub(super) fn end(t: &mut Translator) -> bool {
    let around = t.around.blocks;
    let is_kept = t.take_over.is_some() || around.is_some_and(|blocks| t.control.len() < blocks);
    if let Some(blocks) = &mut t.around.blocks {
        *blocks = t.control.len().min(*blocks);
    }
    is_kept
}

/// Takes what variables keep of the operand stack below `height` from them.
pub(super) fn restore(t: &mut Translator, height: usize) {
    let Around { kept, .. } = &mut t.around;
    kept.truncate(height);
    for (value, kept) in t.stack.iter_mut().zip(kept) {
        *value = t.b.use_var(kept.1);
        kept.0 = *value;
    }
}
