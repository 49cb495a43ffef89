//! Code that changes the calling convention: into wasm, out to the host.
//!
//! One of each per signature. Both pass values in the arrays of [`crate::abi::signature`].

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::{
    self, AbiParam, Block, BlockArg, ExceptionTableData, ExceptionTableItem, Function, InstBuilder,
    MemFlagsData, Signature, StackSlot, StackSlotData, StackSlotKind, UserFuncName, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_codegen::{Context, FinalizedMachReloc, FinalizedRelocTarget};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use super::env::{self, clif_type, signature};
use super::{CompileError, Compiler, isa};
use crate::abi::code::{Hole, Template};
use crate::abi::layout::offset;
use crate::abi::libcalls::Libcall;
use crate::abi::signature::{KIND, PAYLOAD, SLOT, array_size, has_kinds, kind};
use crate::wasm::{FuncType, ValType};

pub(super) const POINTER: ir::Type = types::I64;

/// Values that a frame can hold without asking whether the stack has room: the reserve below the
/// stack limit takes them.
const SMALL_FRAME_VALUES: usize = 32;

/// `extern "C" fn(code, vmctx, arguments, results, activation) -> u32`: calls `code` with the tail
/// calling convention; 0 when it returns, 1 when a trap has resumed here.
pub(super) fn entry(compiler: &Compiler, ty: &FuncType) -> Result<Template, CompileError> {
    let isa = &*compiler.isa;
    let mut sig = Signature::new(isa::host_call_conv(isa));
    sig.params.extend([AbiParam::new(POINTER); 5]);
    sig.returns.push(AbiParam::new(types::I32));
    build(isa, sig, |b, params| {
        let &[code, vmctx, args, results, activation] = params else {
            unreachable!("the signature above has five parameters")
        };
        let mut call_args = vec![vmctx];
        for (i, ty) in ty.params().iter().enumerate() {
            call_args.push(load_payload(b, *ty, args, i));
        }
        let trusted = MemFlagsData::trusted();
        let store = b.ins().load(POINTER, trusted, activation, offset::ACTIVATION_STORE);
        let floor = b.ins().load(POINTER, trusted, activation, offset::ACTIVATION_FLOOR);
        set_stack_limit(b, store, floor);
        let (values, trapped) = call_in(b, ty, code, &call_args, activation);
        for (i, value) in values.into_iter().enumerate() {
            store_payload(b, value, results, i);
        }
        let zero = b.ins().iconst(types::I32, 0);
        b.ins().return_(&[zero]);

        b.switch_to_block(trapped);
        let one = b.ins().iconst(types::I32, 1);
        b.ins().return_(&[one]);
    })
}

/// Lets the functions that are called from here use as much stack as the store may, above `floor`:
/// counted from this frame, so that it is the same whichever way wasm is entered.
pub(super) fn set_stack_limit(b: &mut FunctionBuilder, store: Value, floor: Value) {
    let trusted = MemFlagsData::trusted();
    let sp = b.ins().get_stack_pointer(POINTER);
    let max = b.ins().load(POINTER, trusted, store, offset::STORE_MAX_STACK);
    let limit = b.ins().isub(sp, max);
    let limit = b.ins().smax(limit, floor);
    b.ins().store(trusted, limit, store, offset::STORE_STACK_LIMIT);
}

/// Calls `code`, a function of type `ty`, from the host, after noting in the activation how to get
/// back. Goes on where the function has returned, with its results; a trap resumes in the block
/// that is returned, which is still empty.
pub(super) fn call_in(
    b: &mut FunctionBuilder,
    ty: &FuncType,
    code: Value,
    args: &[Value],
    activation: Value,
) -> (Vec<Value>, Block) {
    let trusted = MemFlagsData::trusted();
    let callee = b.import_signature(signature(ty));
    let call_block = b.create_block();
    let returned = b.create_block();
    let trapped = b.create_block();
    b.set_cold_block(trapped);
    b.ins().jump(call_block, &[]);
    b.switch_to_block(call_block);
    let resume_pc = b.ins().get_exception_handler_address(POINTER, call_block, 0);
    let resume_sp = b.ins().get_stack_pointer(POINTER);
    let resume_fp = b.ins().get_frame_pointer(POINTER);
    b.ins().store(trusted, resume_pc, activation, offset::ACTIVATION_PC);
    b.ins().store(trusted, resume_sp, activation, offset::ACTIVATION_SP);
    b.ins().store(trusted, resume_fp, activation, offset::ACTIVATION_FP);
    let values: Vec<Value> =
        ty.results().iter().map(|ty| b.append_block_param(returned, clif_type(*ty))).collect();
    let result_args: Vec<BlockArg> =
        (0..values.len()).map(|i| BlockArg::TryCallRet(i as u32)).collect();
    let pool = &mut b.func.dfg.value_lists;
    let on_return = ir::BlockCall::new(returned, result_args, pool);
    let on_trap = ir::BlockCall::new(trapped, [], pool);
    let table = ExceptionTableData::new(callee, on_return, [ExceptionTableItem::Default(on_trap)]);
    let table = b.func.dfg.exception_tables.push(table);
    b.ins().try_call_indirect(code, args, table);
    b.switch_to_block(returned);
    (values, trapped)
}

/// The code of every host function of type `ty`: lays the arguments out, notes where wasm was
/// left, makes the call that the context names, and takes the results.
pub(super) fn host(compiler: &Compiler, ty: &FuncType) -> Result<Template, CompileError> {
    let isa = &*compiler.isa;
    let template = build(isa, signature(ty), |b, params| {
        let vmctx = params[0];
        let trusted = MemFlagsData::trusted();
        let args = array(b, ty.params().len());
        for (i, (value, param)) in params[1..].iter().zip(ty.params()).enumerate() {
            store_payload(b, *value, args, i);
            if has_kinds(ty) {
                store_kind(b, *param, args, i);
            }
        }
        let results = array(b, ty.results().len());

        note_exit(b, vmctx);
        let mut sig = Signature::new(isa::host_call_conv(isa));
        sig.params.extend([AbiParam::new(POINTER); 4]);
        sig.returns.push(AbiParam::new(types::I32));
        let sig = b.import_signature(sig);
        let callee = b.ins().load(POINTER, trusted, vmctx, offset::HOST_CALL);
        let null = b.ins().iconst(POINTER, 0);
        let call = b.ins().call_indirect(sig, callee, &[vmctx, args, results, null]);
        let status = b.inst_results(call)[0];
        let failed = b.create_block();
        let succeeded = b.create_block();
        b.ins().brif(status, failed, &[], succeeded, &[]);

        b.switch_to_block(succeeded);
        let results: Vec<Value> = ty
            .results()
            .iter()
            .enumerate()
            .map(|(i, ty)| load_payload(b, *ty, results, i))
            .collect();
        b.ins().return_(&results);

        b.switch_to_block(failed);
        b.set_cold_block(failed);
        env::call_libcall(b, isa, vmctx, Libcall::raise_host_error, &[]);
        b.ins().trap(env::UNREACHED);
    })?;
    with_frame_check(isa, ty, template)
}

/// Notes in the store where wasm has been left by calling the function that is being built.
fn note_exit(b: &mut FunctionBuilder, vmctx: Value) {
    let trusted = MemFlagsData::trusted();
    let store = b.ins().load(POINTER, trusted, vmctx, offset::CONTEXT_STORE);
    let fp = b.ins().get_frame_pointer(POINTER);
    let caller_fp = b.ins().load(POINTER, trusted, fp, 0);
    let caller_pc = b.ins().get_return_address(POINTER);
    b.ins().store(trusted, caller_fp, store, offset::STORE_EXIT_FP);
    b.ins().store(trusted, caller_pc, store, offset::STORE_EXIT_PC);
}

/// The trampoline out of wasm in `template`, with a stack check before it if its frame holds too many
/// values to do without.
pub(super) fn with_frame_check(
    isa: &dyn TargetIsa,
    ty: &FuncType,
    template: Template,
) -> Result<Template, CompileError> {
    if ty.params().len() + ty.results().len() <= SMALL_FRAME_VALUES {
        return Ok(template);
    }
    let needed = array_size(ty.params().len()) + array_size(ty.results().len());
    let (bytes, start) = with_stack_check(isa, signature(ty), needed, &template.bytes)?;
    let holes = template.holes.into_iter().map(|(at, hole)| (at + start as u32, hole)).collect();
    Ok(Template { bytes, holes })
}

/// Puts a stack check before `code`, a function of signature `sig` whose frame takes `needed`
/// bytes: the whole frame has to fit before any of it is touched. Returns the code and where in
/// it the old code starts.
pub(super) fn with_stack_check(
    isa: &dyn TargetIsa,
    sig: Signature,
    needed: usize,
    code: &[u8],
) -> Result<(Vec<u8>, usize), CompileError> {
    let (check, jump) = build_with_jump(isa, sig, |b, params, rest| {
        let vmctx = params[0];
        let trusted = MemFlagsData::trusted();
        let store = b.ins().load(POINTER, trusted, vmctx, offset::CONTEXT_STORE);
        let limit = b.ins().load(POINTER, trusted, store, offset::STORE_STACK_LIMIT);
        let sp = b.ins().get_stack_pointer(POINTER);
        let room = b.ins().isub(sp, limit);
        // The stack pointer may already be below the limit, then the difference is negative.
        let cc = ir::condcodes::IntCC::SignedLessThan;
        let too_little = b.ins().icmp_imm_s(cc, room, needed as i64);
        let overflow = b.create_block();
        let enough = b.create_block();
        b.ins().brif(too_little, overflow, &[], enough, &[]);
        b.switch_to_block(enough);
        b.ins().return_call(rest, params);
        b.switch_to_block(overflow);
        b.set_cold_block(overflow);
        env::call_libcall(b, isa, vmctx, Libcall::raise_stack_overflow, &[]);
        b.ins().trap(env::UNREACHED);
    })?;
    let start = check.len().next_multiple_of(16);
    let mut all = check;
    all.resize(start, 0xcc);
    let displacement = start as i64 - jump as i64 - 4;
    all[jump..jump + 4].copy_from_slice(&(displacement as i32).to_le_bytes());
    all.extend_from_slice(code);
    Ok((all, start))
}

fn payload_offset(index: usize) -> i32 {
    (index * SLOT + PAYLOAD) as i32
}

/// Payloads of vectors are not aligned.
fn payload_flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// Writes a value to an array.
pub(super) fn store_payload(b: &mut FunctionBuilder, value: Value, array: Value, index: usize) {
    b.ins().store(payload_flags(), value, array, payload_offset(index));
}

/// Writes the kind of a value of type `ty` to an array.
pub(super) fn store_kind(b: &mut FunctionBuilder, ty: ValType, array: Value, index: usize) {
    let kind = b.ins().iconst(types::I8, i64::from(kind(ty)));
    b.ins().store(MemFlagsData::trusted(), kind, array, (index * SLOT + KIND) as i32);
}

/// Reads a value of type `ty` from an array.
pub(super) fn load_payload(
    b: &mut FunctionBuilder,
    ty: ValType,
    array: Value,
    index: usize,
) -> Value {
    b.ins().load(clif_type(ty), payload_flags(), array, payload_offset(index))
}

/// The address of room on the stack for `count` values.
pub(super) fn array(b: &mut FunctionBuilder, count: usize) -> Value {
    match array_slot(b, count) {
        Some(slot) => b.ins().stack_addr(POINTER, slot, 0),
        None => b.ins().iconst(POINTER, 0),
    }
}

/// Room on the stack for `count` values, if there are any.
pub(super) fn array_slot(b: &mut FunctionBuilder, count: usize) -> Option<StackSlot> {
    let size = array_size(count) as u32;
    let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4);
    (count > 0).then(|| b.create_sized_stack_slot(slot))
}

/// Builds and compiles a function that refers to nothing outside but holes.
pub(super) fn build(
    isa: &dyn TargetIsa,
    sig: Signature,
    body: impl FnOnce(&mut FunctionBuilder, &[Value]),
) -> Result<Template, CompileError> {
    let mut context = Context::new();
    context.func = Function::with_name_signature(UserFuncName::default(), sig);
    emit(isa, &mut context, body)?;
    let code = context.compiled_code().expect("it has just been compiled");
    let names = context.func.params.user_named_funcs();
    let hole = |reloc: &FinalizedMachReloc| match &reloc.target {
        FinalizedRelocTarget::ExternalName(ir::ExternalName::User(name))
            if reloc.kind == Reloc::Abs8 =>
        {
            Some((reloc.offset, *Hole::ALL.get(names[*name].index as usize)?))
        }
        _ => None,
    };
    let holes: Option<Vec<_>> = code.buffer.relocs().iter().map(hole).collect();
    let holes = holes.ok_or_else(|| CompileError::new("code refers to what it should not"))?;
    Ok(Template { bytes: code.buffer.data().to_vec(), holes })
}

/// Builds a function that ends in a jump to other code; returns where the jump's displacement is.
fn build_with_jump(
    isa: &dyn TargetIsa,
    sig: Signature,
    body: impl FnOnce(&mut FunctionBuilder, &[Value], ir::FuncRef),
) -> Result<(Vec<u8>, usize), CompileError> {
    let mut context = Context::new();
    context.func = Function::with_name_signature(UserFuncName::default(), sig.clone());
    emit(isa, &mut context, |b, params| {
        let name = b.func.declare_imported_user_function(ir::UserExternalName::new(0, 0));
        let signature = b.import_signature(sig);
        let rest = b.import_function(ir::ExtFuncData {
            name: ir::ExternalName::user(name),
            signature,
            colocated: true,
            patchable: false,
        });
        body(b, params, rest);
    })?;
    let code = context.take_compiled_code().expect("it has just been compiled");
    let [jump] = code.buffer.relocs() else { unreachable!("the body makes one tail call") };
    debug_assert_eq!(jump.kind, env::CALL_RELOC);
    Ok((code.buffer.data().to_vec(), jump.offset as usize))
}

fn emit(
    isa: &dyn TargetIsa,
    context: &mut Context,
    body: impl FnOnce(&mut FunctionBuilder, &[Value]),
) -> Result<(), CompileError> {
    let mut builder_context = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut context.func, &mut builder_context);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let params = b.block_params(entry).to_vec();
    body(&mut b, &params);
    b.seal_all_blocks();
    b.finalize(isa.frontend_config());
    match context.compile(isa, &mut Default::default()) {
        Ok(_) => Ok(()),
        Err(error) => Err(CompileError::codegen(&error.inner)),
    }
}

/// Trampolines into wasm call, and those out of it are called, with this convention.
pub(super) const WASM_CALL_CONV: CallConv = CallConv::Tail;
