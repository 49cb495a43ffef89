//! One function body to machine code: the state of translation and the steps around it.

use std::collections::{HashMap, VecDeque};

use cranelift_codegen::CompiledCode;
use cranelift_codegen::FinalizedMachExceptionHandler;
use cranelift_codegen::ir::{
    self, Block, BlockArg, ExternalName, GlobalValueData, InstBuilder, SourceLoc, StackSlot,
    StackSlotData, StackSlotKind, Type, Value, condcodes::IntCC, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use wasmparser::{BinaryReader, FunctionBody, Operator};

use super::counted::{self, Counted, Loops};
use super::env::{self, Env, POINTER, clif_type, constant_flags, from_trap_code, signature};
use super::known::Counter;
use super::local::{Local, declare_locals, locals};
use super::op::hint::Hints;
use super::op::{control, exception};
use super::tier::{self, Around, Counting, TakeOver};
use super::trampoline::with_stack_check;
use super::weight::{Effort, MOST_VALUES, weigh};
use super::{CompileError, Compiler, Scratch, Source, legacy, lines, op};
use crate::abi::code::{Catch, CompiledFunction, DirectCall, Handler, Sites, Tier, TrapSite};
use crate::abi::layout::offset;
use crate::abi::libcalls::Libcall;
use crate::wasm::{DefinedFuncIndex, Family, FuncType, HeapType, ValType};

/// Frames up to this size may be laid out before the stack is checked: the reserve below the
/// stack limit takes them.
const SMALL_FRAME: u32 = 4096;

/// Frames of baseline code up to this size are good enough until there is optimized code, which needs
/// much less.
const LARGEST_BASELINE_FRAME: u32 = 16 << 10;

/// Locals that a function without calls can have while its frame stays small for sure.
const FEW_LOCALS: usize = 64;

pub(super) fn compile(
    compiler: &Compiler,
    scratch: &mut Scratch,
    source: &Source,
    index: DefinedFuncIndex,
    tier: Tier,
) -> Result<CompiledFunction, CompileError> {
    if let Some(compiled) = generate(compiler, scratch, source, index, (tier, false))? {
        return Ok(compiled);
    }
    let tier = if tier == Tier::Baseline { Tier::Optimized } else { tier };
    for checks_stack in [false, true] {
        let how = (tier, checks_stack);
        if let Some(compiled) = generate(compiler, scratch, source, index, how)? {
            return Ok(compiled);
        }
    }
    unreachable!("a function that checks the stack can have any frame")
}

/// Compiles the function; none if it has a large frame and does not check the stack, or is not one
/// for baseline code. It checks the stack when it calls, has many locals, or is told to.
fn generate(
    compiler: &Compiler,
    scratch: &mut Scratch,
    source: &Source,
    index: DefinedFuncIndex,
    (tier, checks_stack): (Tier, bool),
) -> Result<Option<CompiledFunction>, CompileError> {
    let context = &mut scratch.context;
    context.clear();
    let func_index = source.module.func_index(index);
    let ty = source.module.func_type(func_index);
    let (start, body) = source.body(index);
    let body = FunctionBody::new(BinaryReader::new(body, u64::from(start)));

    let mut effort = weigh(&body, ty.params().len()).map_err(malformed)?;
    if effort.too_much {
        return Err(CompileError("implementation limit: too many far branches".to_owned()));
    }
    let locals = locals(source, ty, &body)?;
    if tier == Tier::Baseline {
        if effort.plain || locals.len() > tier::MOST_LOCALS {
            return Ok(None);
        }
        (effort.plain, effort.locals_in_memory) = (true, true);
    }
    context.func.signature = match tier {
        Tier::Loop(_) => tier::take_over_signature(ty),
        Tier::Baseline | Tier::Optimized => signature(ty),
    };
    let mut builder = FunctionBuilder::new(&mut context.func, &mut scratch.builder);
    let hints = Hints::new(source.module.branch_hints.of(func_index));
    let how = How { index, tier, effort, checks_stack, hints };
    let translated = translate(&mut builder, compiler, source, (ty, &locals), &body, how);
    let (context_slot, most_values) = match translated {
        Ok(Some(translated)) => translated,
        unfinished => {
            // A builder with an unfinished function cannot be used again.
            scratch.builder = FunctionBuilderContext::new();
            return unfinished.map(|_| None);
        }
    };
    let plain = effort.plain || most_values > MOST_VALUES;
    let isa = if plain { &*compiler.plain } else { &*compiler.isa };
    builder.finalize(isa.frontend_config());

    if let Err(error) = context.compile(isa, &mut Default::default()) {
        return Err(CompileError::codegen(&error.inner));
    }
    let code = context.take_compiled_code().expect("it has just been compiled");
    let is_large = frame_size(&code) > SMALL_FRAME;
    let checks_late = compiler.signals() && context.func.stack_limit.is_none();
    let is_too_large = tier == Tier::Baseline && frame_size(&code) > LARGEST_BASELINE_FRAME;
    if is_too_large || is_large && checks_late {
        return Ok(None);
    }
    let callees = |name| match &context.func.params.user_named_funcs()[name] {
        ir::UserExternalName { namespace: 0, index } => Some(DefinedFuncIndex::from_u32(*index)),
        ir::UserExternalName { namespace: tier::COUNTERS, .. } => None,
        other => unreachable!("no function is called {other}"),
    };
    let mut compiled = collect(&code, tier, context_slot, start, callees)?;
    if is_large && !compiler.signals() {
        let needed = frame_size(&code) as usize;
        let signature = context.func.signature.clone();
        let (bytes, shift) = with_stack_check(isa, signature, needed, &compiled.bytes)?;
        compiled.bytes = bytes;
        shift_offsets(&mut compiled, shift as u32);
    }
    Ok(Some(compiled))
}

/// Our form of a type in the code section.
pub(super) fn value_type(
    source: &Source,
    ty: wasmparser::ValType,
) -> Result<ValType, CompileError> {
    source.module.value_type(ty).map_err(|_| CompileError("unsupported type".to_owned()))
}

fn frame_size(code: &CompiledCode) -> u32 {
    code.buffer.frame_layout().expect("the code generator reports frames").frame_to_fp_offset
}

/// Takes what is to be kept out of the code generator's result. `callee` knows the function that has
/// a name; none is the function's own counter.
fn collect(
    code: &CompiledCode,
    tier: Tier,
    context_slot: StackSlot,
    body_start: u32,
    callee: impl Fn(ir::UserExternalNameRef) -> Option<DefinedFuncIndex>,
) -> Result<CompiledFunction, CompileError> {
    let buffer = &code.buffer;
    let mut calls = Vec::new();
    let mut counts = Vec::new();
    for reloc in buffer.relocs() {
        let cranelift_codegen::FinalizedRelocTarget::ExternalName(ExternalName::User(name)) =
            reloc.target
        else {
            unreachable!("no other relocations are possible: {reloc:?}")
        };
        debug_assert_eq!((reloc.kind, reloc.addend), (env::CALL_RELOC, -4));
        match callee(name) {
            Some(callee) => calls.push(DirectCall { offset: reloc.offset, callee }),
            None => counts.push(reloc.offset),
        }
    }

    let frame = buffer.frame_layout().expect("the code generator reports frames");
    let context_slot = frame.frame_to_fp_offset - frame.stackslots[context_slot].offset;
    let frame_size = frame.frame_to_fp_offset;
    let mut sites = Sites { context_slot, frame_size, ..Sites::default() };
    let srclocs = buffer.get_srclocs_sorted();
    let position = |offset: u32| {
        let next = srclocs.partition_point(|loc| loc.start <= offset);
        let loc = next.checked_sub(1).map(|i| &srclocs[i]);
        match loc {
            Some(loc) if offset < loc.end && !loc.loc.is_default() => loc.loc.bits() - body_start,
            _ => 0,
        }
    };
    for trap in buffer.traps() {
        let Some(code) = from_trap_code(trap.code) else {
            return Err(CompileError(format!("unknown trap {}", trap.code)));
        };
        sites.traps.push(TrapSite { offset: trap.offset, code });
        sites.positions.push((trap.offset, position(trap.offset)));
    }
    for call in buffer.call_sites() {
        sites.positions.push((call.ret_addr, position(call.ret_addr - 1)));
        for handler in call.exception_handlers {
            let &FinalizedMachExceptionHandler::Tag(tag, landing) = handler else {
                unreachable!("handlers are made with tags")
            };
            debug_assert_eq!(call.frame_offset, Some(frame_size));
            let catch = Catch::from_bits(tag.as_u32()).expect("tags of handlers are such bits");
            sites.handlers.push(Handler { return_offset: call.ret_addr, catch, landing });
        }
    }
    // Stable: the handlers of a call stay in their order.
    sites.handlers.sort_by_key(|handler| handler.return_offset);
    for (return_offset, size, map) in buffer.user_stack_maps() {
        let places = map.entries().map(|(_, from_sp)| (*return_offset, size - from_sp));
        sites.roots.extend(places);
    }
    sites.roots.sort();
    sites.traps.sort_by_key(|trap| trap.offset);
    sites.positions.sort();
    sites.positions.dedup_by_key(|position| position.0);
    let (bytes, place) = (buffer.data().to_vec(), lines::place(code));
    Ok(CompiledFunction { tier, bytes, place, calls, counts, sites })
}

fn shift_offsets(code: &mut CompiledFunction, by: u32) {
    code.calls.iter_mut().for_each(|call| call.offset += by);
    code.counts.iter_mut().for_each(|count| *count += by);
    code.sites.traps.iter_mut().for_each(|trap| trap.offset += by);
    code.sites.positions.iter_mut().for_each(|position| position.0 += by);
    for handler in &mut code.sites.handlers {
        handler.return_offset += by;
        handler.landing += by;
    }
    code.sites.roots.iter_mut().for_each(|root| root.0 += by);
}

/// How a function is translated.
struct How<'a> {
    index: DefinedFuncIndex,
    tier: Tier,
    effort: Effort,
    /// Whether the function compares the stack with its limit in any case.
    checks_stack: bool,
    hints: Hints<'a>,
}

/// Fills the builder with the function; the slot in which its frames keep their context, and the
/// most values that its operand stack has. None if it is not one for baseline code.
fn translate<'a>(
    b: &mut FunctionBuilder<'a>,
    compiler: &Compiler,
    source: &Source,
    (ty, locals): (&FuncType, &[ValType]),
    body: &FunctionBody,
    how: How,
) -> Result<Option<(StackSlot, usize)>, CompileError> {
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.seal_block(entry);
    let vmctx = b.block_params(entry)[0];

    let slot = b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3));
    let keep_context = b.ins().stack_store(POINTER, vmctx, slot, 0);

    let counting = (how.tier == Tier::Baseline).then(|| Counting::new(b, how.index, ty));
    let mut t = Translator {
        env: Env::new(compiler, source, vmctx),
        b,
        stack: Vec::new(),
        control: Vec::new(),
        locals: Vec::new(),
        reachable: true,
        consumed: 0,
        body,
        tries: Vec::new(),
        handlers: 0,
        thrown: None,
        legacy: None,
        hints: how.hints,
        position: 0,
        counting,
        take_over: None,
        around: Around::default(),
        places: Vec::new(),
        memory: (None, 0),
        has_tracked: false,
        is_unfit: false,
        loops: if how.effort.plain {
            Loops::new()
        } else {
            counted::find(body).map_err(malformed)?
        },
        counted: HashMap::new(),
        counted_locals: Vec::new(),
        counters: HashMap::new(),
    };
    if !compiler.signals() {
        check_stack(&mut t);
    }
    let mut beginning = entry;
    if let Tier::Loop(place) = how.tier {
        let at = (body.range().start + u64::from(place)) as usize;
        let (take_over, block) = TakeOver::new(t.b, at, entry, ty);
        (t.take_over, beginning) = (Some(take_over), block);
    }
    declare_locals(&mut t, locals, beginning, how.effort.locals_in_memory);
    let mut reader = body.get_operators_reader().map_err(malformed)?;
    let exit = t.begin_function(ty);
    tier::count(&mut t, false);
    control::checkpoint(&mut t);
    let mut most_values = 0;
    while !reader.eof() {
        let (operator, position) = reader.read_with_offset().map_err(malformed)?;
        t.b.set_srcloc(SourceLoc::new(position as u32));
        t.position = position as usize;
        t.hints.advance((position - body.range().start) as u32);
        op::translate(&mut t, &operator)?;
        most_values = most_values.max(t.stack.len());
        if t.is_unfit {
            return Ok(None);
        }
    }
    t.end_function(exit);
    if t.take_over.is_some() {
        return Err(CompileError::new("there is no loop to take over in"));
    }

    let (locals, calls, traps) = (t.locals.len(), t.env.calls, t.env.traps);
    if compiler.signals() && (calls || locals > FEW_LOCALS || how.checks_stack) {
        set_stack_limit(b);
    }
    if !calls && !traps {
        // No walk over frames ever sees this one.
        b.func.layout.remove_inst(keep_context);
        b.func.sized_stack_slots[slot].size = 0;
    }
    Ok(Some((slot, most_values)))
}

/// What validation has accepted decodes, but decoding returns a result all the same.
pub(super) fn malformed(error: wasmparser::Error) -> CompileError {
    CompileError(format!("malformed function body: {error}"))
}

/// Lets the prologue compare the stack pointer with the store's limit.
fn set_stack_limit(b: &mut FunctionBuilder) {
    let flags = b.func.dfg.mem_flags.insert_unchecked(constant_flags());
    let vmctx = b.create_global_value(GlobalValueData::VMContext);
    let load = |base, offset: i32| GlobalValueData::Load {
        base,
        offset: offset.into(),
        global_type: POINTER,
        flags,
    };
    let store = b.create_global_value(load(vmctx, offset::CONTEXT_STORE));
    let limit = b.create_global_value(load(store, offset::STORE_STACK_LIMIT));
    b.func.stack_limit = Some(limit);
}

/// Compares the stack pointer with the store's limit without trap instructions. The frame exists
/// already; a large one has been checked before (see [`compile`]).
fn check_stack(t: &mut Translator) {
    let store = t.env.store(t.b);
    let flags = t.env.context_flags(t.b);
    let limit = t.b.ins().load(POINTER, flags, store, offset::STORE_STACK_LIMIT);
    let sp = t.b.ins().get_stack_pointer(POINTER);
    let below = t.b.ins().icmp(IntCC::UnsignedLessThan, sp, limit);
    let overflow = t.b.create_block();
    let enough = t.b.create_block();
    t.b.ins().brif(below, overflow, &[], enough, &[]);
    t.b.seal_block(overflow);
    t.b.seal_block(enough);
    t.b.switch_to_block(overflow);
    t.b.set_cold_block(overflow);
    t.env.libcall(t.b, Libcall::raise_stack_overflow, &[]);
    t.b.ins().trap(env::UNREACHED);
    t.b.switch_to_block(enough);
}

/// The state of translating one function.
pub(super) struct Translator<'b, 'a> {
    pub(super) b: &'b mut FunctionBuilder<'a>,
    pub(super) env: Env<'b>,
    /// The operand stack.
    pub(super) stack: Vec<Value>,
    /// The blocks that are open, outermost first.
    pub(super) control: Vec<Frame>,
    pub(super) locals: Vec<Local>,
    /// Whether the current position can be reached. Where it cannot, nothing is emitted and the
    /// stack holds nothing that is used.
    pub(super) reachable: bool,
    /// Fuel for what has been translated since the last that was consumed.
    pub(super) consumed: i64,
    body: &'b FunctionBody<'b>,
    /// Which of the open blocks catch exceptions, outermost first.
    pub(super) tries: Vec<usize>,
    /// How many handlers calls have been given, and blocks been passed by on the way to them.
    pub(super) handlers: usize,
    /// Where what is thrown lies in the frame.
    pub(super) thrown: Option<StackSlot>,
    /// The clauses of the legacy `try`s to come, once there has been one.
    legacy: Option<VecDeque<legacy::Clauses>>,
    pub(super) hints: Hints<'b>,
    /// Where the operator that is translated is.
    pub(super) position: usize,
    /// How baseline code counts; nothing in other code.
    pub(super) counting: Option<Counting>,
    /// Where this code takes over from baseline code; nothing once it is past there.
    pub(super) take_over: Option<TakeOver>,
    /// What surrounds the open blocks in such code.
    pub(super) around: Around,
    /// Where such code finds the locals, and their types.
    pub(super) places: Vec<(Option<i32>, Type)>,
    /// The frame's memory for locals, if it has any, and its size.
    pub(super) memory: (Option<StackSlot>, u32),
    /// Whether there has been a reference that the collector has to find.
    pub(super) has_tracked: bool,
    /// Whether the function has shown not to be one for baseline code.
    pub(super) is_unfit: bool,
    /// The loops to come that may count.
    pub(super) loops: Loops,
    /// How locals are counted, by the position where they are.
    pub(super) counted: HashMap<usize, Counted>,
    /// The locals that the open loops count.
    pub(super) counted_locals: Vec<u32>,
    /// What is counted.
    pub(super) counters: HashMap<Value, Counter>,
}

/// A block that is open.
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    /// Where a branch to this block goes.
    pub(super) target: Block,
    /// How many values such a branch takes along.
    pub(super) arity: usize,
    /// The height of the operand stack below the block's parameters.
    pub(super) height: usize,
    /// Whether a branch to `target` has been emitted.
    pub(super) branched: bool,
}

/// What an open block is.
pub(super) enum FrameKind {
    /// A `block`, or the function's body.
    Block,
    /// A `loop`, and how many locals the loops around it count.
    Loop { counted_locals: usize },
    /// The first part of an `if`: where the condition's failure goes, and the `if`'s parameters.
    If { otherwise: Block, params: Vec<Value> },
    /// The second part of an `if`.
    Else,
    /// A `try_table`.
    TryTable(Vec<exception::TableClause>),
    /// A legacy `try`.
    Try(exception::LegacyTry),
    /// A block that begins where nothing reaches.
    Dead,
}

impl Translator<'_, '_> {
    fn begin_function(&mut self, ty: &FuncType) -> Block {
        let exit = self.block_with_params(ty.results());
        self.control.push(Frame {
            kind: FrameKind::Block,
            target: exit,
            arity: ty.results().len(),
            height: 0,
            branched: false,
        });
        exit
    }

    fn end_function(&mut self, exit: Block) {
        debug_assert!(self.control.is_empty(), "the last `end` closes the function's body");
        if self.reachable {
            debug_assert_eq!(self.b.current_block(), Some(exit));
            let values = std::mem::take(&mut self.stack);
            self.b.ins().return_(&values);
        }
    }

    /// Bytes of the function's body.
    pub(super) fn body_size(&self) -> usize {
        let range = self.body.range();
        (range.end - range.start) as usize
    }

    /// Where in the function's body the operator is that is translated.
    pub(super) fn place(&self) -> u32 {
        (self.position as u64 - self.body.range().start) as u32
    }

    /// Whether baseline code can be left, and taken over from, in a loop at the current position.
    /// What legacy `try`s keep is not carried over, nor are references on the operand stack.
    pub(super) fn can_take_over(&self) -> bool {
        self.legacy.is_none() && (self.stack.is_empty() || !self.has_tracked)
    }

    /// The clauses of the next legacy `try`.
    pub(super) fn next_try(&mut self) -> Result<legacy::Clauses, CompileError> {
        if self.legacy.is_none() {
            self.legacy = Some(legacy::clauses(self.body)?);
        }
        let next = self.legacy.as_mut().and_then(VecDeque::pop_front);
        next.ok_or_else(|| CompileError::new("a `try` without clauses"))
    }

    /// A new block that takes values of these types.
    pub(super) fn block_with_params(&mut self, types: &[ValType]) -> Block {
        let block = self.b.create_block();
        for ty in types {
            let value = self.b.append_block_param(block, clif_type(*ty));
            self.track(value, *ty);
        }
        block
    }

    /// Whether the collector has to find values of this type on the stack.
    pub(super) fn is_tracked(&self, ty: ValType) -> bool {
        matches!(ty, ValType::Ref(ty) if ty.heap.family() != Family::Func)
    }

    /// Lets the collector find `value`, if it is of a type of which it moves or frees what is
    /// referred to. To be called with whatever comes from memory, from a call or into a block.
    pub(super) fn track(&mut self, value: Value, ty: ValType) {
        if self.is_tracked(ty) {
            self.has_tracked = true;
            self.b.declare_value_needs_stack_map(value);
        }
    }

    /// Pushes a value of this type, see [`Translator::track`].
    pub(super) fn push_tracked(&mut self, value: Value, ty: ValType) {
        self.track(value, ty);
        self.push(value);
    }

    /// Our form of a type in the code section.
    pub(super) fn value_type(&self, ty: wasmparser::ValType) -> Result<ValType, CompileError> {
        value_type(self.env.source, ty)
    }

    /// Our form of a heap type in the code section.
    pub(super) fn heap_type(&self, ty: wasmparser::HeapType) -> Result<HeapType, CompileError> {
        let ty = self.env.source.module.heap_type(ty);
        ty.map_err(|_| CompileError("unsupported type".to_owned()))
    }

    /// Zero, null for references.
    pub(super) fn zero(&mut self, ty: Type) -> Value {
        match ty {
            types::F32 => self.b.ins().f32const(0.0),
            types::F64 => self.b.ins().f64const(0.0),
            vector if vector.is_vector() => {
                let bytes = self.b.func.dfg.constants.insert(vec![0; 16].into());
                self.b.ins().vconst(vector, bytes)
            }
            integer => self.b.ins().iconst(integer, 0),
        }
    }

    pub(super) fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    pub(super) fn pop(&mut self) -> Value {
        self.stack.pop().expect("validation has checked the operand stack")
    }

    pub(super) fn pop2(&mut self) -> (Value, Value) {
        let second = self.pop();
        (self.pop(), second)
    }

    pub(super) fn pop3(&mut self) -> (Value, Value, Value) {
        let third = self.pop();
        let (first, second) = self.pop2();
        (first, second, third)
    }

    /// Takes `count` values from the stack, in order, in the form that other blocks and
    /// functions expect.
    pub(super) fn pop_many(&mut self, count: usize) -> Vec<Value> {
        let values = self.stack.split_off(self.stack.len() - count);
        values.into_iter().map(|value| self.canonical(value)).collect()
    }

    /// The topmost `count` values, which stay, as arguments of a branch.
    pub(super) fn branch_args(&mut self, count: usize) -> Vec<BlockArg> {
        let start = self.stack.len() - count;
        for i in start..self.stack.len() {
            self.stack[i] = self.canonical(self.stack[i]);
        }
        self.stack[start..].iter().map(|value| BlockArg::Value(*value)).collect()
    }

    /// A vector as bytes, anything else as it is.
    pub(super) fn canonical(&mut self, value: Value) -> Value {
        if self.type_of(value).is_vector() { self.cast(value, types::I8X16) } else { value }
    }

    /// A vector with lanes of another type.
    pub(super) fn cast(&mut self, value: Value, ty: Type) -> Value {
        if self.type_of(value) == ty {
            return value;
        }
        let flags = ir::MemFlagsData::new().with_endianness(ir::Endianness::Little);
        self.b.ins().bitcast(ty, flags, value)
    }

    pub(super) fn type_of(&self, value: Value) -> Type {
        self.b.func.dfg.value_type(value)
    }

    /// Goes on in a new block that nothing reaches yet but the instruction just emitted.
    pub(super) fn switch_to_sealed(&mut self, block: Block) {
        self.b.switch_to_block(block);
        self.b.seal_block(block);
    }

    /// An operator of a proposal that is not implemented; validation has refused it already.
    pub(super) fn unsupported(&self, operator: &Operator) -> CompileError {
        CompileError(format!("unsupported instruction {operator:?}"))
    }
}
