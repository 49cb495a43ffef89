//! One function body to machine code: the state of translation and the steps around it.

use std::collections::{HashMap, VecDeque};

use cranelift_codegen::CompiledCode;
use cranelift_codegen::FinalizedMachExceptionHandler;
use cranelift_codegen::ir::{
    self, Block, BlockArg, ExternalName, GlobalValueData, InstBuilder, SourceLoc, StackSlot,
    StackSlotData, StackSlotKind, Type, Value, condcodes::IntCC, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use wasmparser::{BinaryReader, FunctionBody, Operator};

use super::counted::{self, Counted, Loops};
use super::env::{self, Env, POINTER, clif_type, constant_flags, from_trap_code, signature};
use super::known::Counter;
use super::op::hint::Hints;
use super::op::{control, exception};
use super::trampoline::with_stack_check;
use super::weight::{Effort, MOST_VALUES, weigh};
use super::{CompileError, Compiler, Scratch, Source, legacy, op};
use crate::abi::code::{Catch, CompiledFunction, DirectCall, Handler, Sites, TrapSite};
use crate::abi::layout::offset;
use crate::abi::libcalls::Libcall;
use crate::wasm::{DefinedFuncIndex, Family, FuncType, HeapType, ValType};

/// Frames up to this size may be laid out before the stack is checked: the reserve below the
/// stack limit takes them.
const SMALL_FRAME: u32 = 4096;

/// Locals that a function without calls can have while its frame stays small for sure.
const FEW_LOCALS: usize = 64;

pub(super) fn compile(
    compiler: &Compiler,
    scratch: &mut Scratch,
    source: &Source,
    index: DefinedFuncIndex,
) -> Result<CompiledFunction, CompileError> {
    match generate(compiler, scratch, source, index, false)? {
        Some(compiled) => Ok(compiled),
        None => {
            let compiled = generate(compiler, scratch, source, index, true)?;
            Ok(compiled.expect("a function that checks the stack can have any frame"))
        }
    }
}

/// Compiles the function; none if it has a large frame and does not check the stack. It does when
/// it calls, has many locals, or `checks_stack`.
fn generate(
    compiler: &Compiler,
    scratch: &mut Scratch,
    source: &Source,
    index: DefinedFuncIndex,
    checks_stack: bool,
) -> Result<Option<CompiledFunction>, CompileError> {
    let context = &mut scratch.context;
    context.clear();
    let func_index = source.module.func_index(index);
    let ty = source.module.func_type(func_index);
    context.func.signature = signature(ty);
    let (start, body) = source.body(index);
    let body = FunctionBody::new(BinaryReader::new(body, u64::from(start)));

    let effort = weigh(&body, ty.params().len()).map_err(malformed)?;
    if effort.too_much {
        return Err(CompileError("implementation limit: too many far branches".to_owned()));
    }
    let mut builder = FunctionBuilder::new(&mut context.func, &mut scratch.builder);
    let hints = Hints::new(source.module.branch_hints.of(func_index));
    let how = How { effort, checks_stack, hints };
    let translated = translate(&mut builder, compiler, source, ty, &body, how);
    let (context_slot, most_values) = match translated {
        Ok(translated) => translated,
        Err(error) => {
            // A builder with an unfinished function cannot be used again.
            scratch.builder = FunctionBuilderContext::new();
            return Err(error);
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
    if is_large && compiler.signals() && context.func.stack_limit.is_none() {
        return Ok(None);
    }
    let callees = |name| match &context.func.params.user_named_funcs()[name] {
        ir::UserExternalName { namespace: 0, index } => DefinedFuncIndex::from_u32(*index),
        other => unreachable!("no function is called {other}"),
    };
    let mut compiled = collect(&code, context_slot, start, callees)?;
    if is_large && !compiler.signals() {
        let needed = frame_size(&code) as usize;
        let (bytes, shift) = with_stack_check(isa, signature(ty), needed, &compiled.bytes)?;
        compiled.bytes = bytes;
        shift_offsets(&mut compiled, shift as u32);
    }
    Ok(Some(compiled))
}

fn frame_size(code: &CompiledCode) -> u32 {
    code.buffer.frame_layout().expect("the code generator reports frames").frame_to_fp_offset
}

/// Takes what is to be kept out of the code generator's result.
fn collect(
    code: &CompiledCode,
    context_slot: StackSlot,
    body_start: u32,
    callee: impl Fn(ir::UserExternalNameRef) -> DefinedFuncIndex,
) -> Result<CompiledFunction, CompileError> {
    let buffer = &code.buffer;
    let mut calls = Vec::new();
    for reloc in buffer.relocs() {
        let cranelift_codegen::FinalizedRelocTarget::ExternalName(ExternalName::User(name)) =
            reloc.target
        else {
            unreachable!("no other relocations are possible: {reloc:?}")
        };
        debug_assert_eq!((reloc.kind, reloc.addend), (env::CALL_RELOC, -4));
        calls.push(DirectCall { offset: reloc.offset, callee: callee(name) });
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
    Ok(CompiledFunction { bytes: buffer.data().to_vec(), calls, sites })
}

fn shift_offsets(code: &mut CompiledFunction, by: u32) {
    code.calls.iter_mut().for_each(|call| call.offset += by);
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
    effort: Effort,
    /// Whether the function compares the stack with its limit in any case.
    checks_stack: bool,
    hints: Hints<'a>,
}

/// Fills the builder with the function; the slot in which its frames keep their context, and the
/// most values that its operand stack has.
fn translate<'a>(
    b: &mut FunctionBuilder<'a>,
    compiler: &Compiler,
    source: &Source,
    ty: &FuncType,
    body: &FunctionBody,
    how: How,
) -> Result<(StackSlot, usize), CompileError> {
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.seal_block(entry);
    let vmctx = b.block_params(entry)[0];

    let slot = b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3));
    let keep_context = b.ins().stack_store(POINTER, vmctx, slot, 0);

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
    declare_locals(&mut t, ty, body, entry, how.effort.locals_in_memory)?;
    let mut reader = body.get_operators_reader().map_err(malformed)?;
    let exit = t.begin_function(ty);
    control::checkpoint(&mut t);
    let mut most_values = 0;
    while !reader.eof() {
        let (operator, position) = reader.read_with_offset().map_err(malformed)?;
        t.b.set_srcloc(SourceLoc::new(position as u32));
        t.position = position as usize;
        t.hints.advance((position - body.range().start) as u32);
        op::translate(&mut t, &operator)?;
        most_values = most_values.max(t.stack.len());
    }
    t.end_function(exit);

    let (locals, calls, traps) = (t.locals.len(), t.env.calls, t.env.traps);
    if compiler.signals() && (calls || locals > FEW_LOCALS || how.checks_stack) {
        set_stack_limit(b);
    }
    if !calls && !traps {
        // No walk over frames ever sees this one.
        b.func.layout.remove_inst(keep_context);
        b.func.sized_stack_slots[slot].size = 0;
    }
    Ok((slot, most_values))
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

fn declare_locals(
    t: &mut Translator,
    ty: &FuncType,
    body: &FunctionBody,
    entry: Block,
    in_memory: bool,
) -> Result<(), CompileError> {
    for (i, ty) in ty.params().iter().enumerate() {
        let value = t.b.block_params(entry)[i + 1];
        t.declare_local(*ty, value, in_memory);
    }
    for group in body.get_locals_reader().map_err(malformed)? {
        let (count, ty) = group.map_err(malformed)?;
        let ty = t.value_type(ty)?;
        let zero = t.zero(clif_type(ty));
        for _ in 0..count {
            t.declare_local(ty, zero, in_memory);
        }
    }
    Ok(())
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
    /// The loops to come that may count.
    pub(super) loops: Loops,
    /// How locals are counted, by the position where they are.
    pub(super) counted: HashMap<usize, Counted>,
    /// The locals that the open loops count.
    pub(super) counted_locals: Vec<u32>,
    /// What is counted.
    pub(super) counters: HashMap<Value, Counter>,
}

/// Where a local lives.
#[derive(Clone, Copy)]
pub(super) enum Local {
    Variable(Variable),
    /// A place in the frame that has values of this type.
    Slot(StackSlot, Type),
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

    /// Adds a local that has this value. References that the collector has to find stay in
    /// variables.
    fn declare_local(&mut self, ty: ValType, value: Value, in_memory: bool) {
        let tracked = self.is_tracked(ty);
        let ty = clif_type(ty);
        let local = if in_memory && !tracked {
            let data = StackSlotData::new(StackSlotKind::ExplicitSlot, ty.bytes(), 4);
            Local::Slot(self.b.create_sized_stack_slot(data), ty)
        } else {
            let variable = self.b.declare_var(ty);
            if tracked {
                self.b.declare_var_needs_stack_map(variable);
            }
            Local::Variable(variable)
        };
        self.locals.push(local);
        self.set_local(self.locals.len() as u32 - 1, value);
    }

    /// The value of a local.
    pub(super) fn local(&mut self, index: u32) -> Value {
        match self.locals[index as usize] {
            Local::Variable(variable) => self.b.use_var(variable),
            Local::Slot(slot, ty) => self.b.ins().stack_load(POINTER, ty, slot, 0),
        }
    }

    /// Gives a local a value; a vector has its canonical type.
    pub(super) fn set_local(&mut self, index: u32, value: Value) {
        match self.locals[index as usize] {
            Local::Variable(variable) => self.b.def_var(variable, value),
            Local::Slot(slot, _) => _ = self.b.ins().stack_store(POINTER, value, slot, 0),
        }
    }

    /// Whether the collector has to find values of this type on the stack.
    pub(super) fn is_tracked(&self, ty: ValType) -> bool {
        matches!(ty, ValType::Ref(ty) if ty.heap.family() != Family::Func)
    }

    /// Lets the collector find `value`, if it is of a type of which it moves or frees what is
    /// referred to. To be called with whatever comes from memory, from a call or into a block.
    pub(super) fn track(&mut self, value: Value, ty: ValType) {
        if self.is_tracked(ty) {
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
        let ty = self.env.source.module.value_type(ty);
        ty.map_err(|_| CompileError("unsupported type".to_owned()))
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
