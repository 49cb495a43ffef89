//! Calls of C functions that compiled code makes by itself, with no function of the runtime in between.
//!
//! They do what `vm::leave` does, and leave to it what comes after the call where that is more than to
//! take the results. Entries of this sort are made by `vm::arch`.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AbiParam, Block, GlobalValueData, InstBuilder, MemFlagsData, Signature, StackSlotData,
    StackSlotKind, Value, types,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::FunctionBuilder;

use super::env::{self, clif_type, signature};
use super::trampoline::{
    POINTER, array, array_slot, build, store_kind, store_payload, with_frame_check,
};
use super::{CompileError, Compiler, isa};
use crate::abi::code::{Hole, Template};
use crate::abi::layout::{WITNESS, offset};
use crate::abi::libcalls::Libcall;
use crate::abi::signature::{KIND, PAYLOAD, SLOT, kind};
use crate::wasm::{FuncType, RefType, ValType};

/// Fails for types that code made here cannot call.
fn require(fits: bool) -> Result<(), CompileError> {
    if fits { Ok(()) } else { Err(CompileError::new("the type cannot be called directly")) }
}

/// The code of host functions of type `ty` that are C functions of `wasm.h`: lays arguments out,
/// calls the function with vectors of them and of room for the results, and takes those.
pub(super) fn callback(
    compiler: &Compiler,
    ty: &FuncType,
    with_env: bool,
) -> Result<Template, CompileError> {
    require(!ty.has_refs() && !ty.has_vectors())?;
    let isa = &*compiler.isa;
    let (takes, returns) = (ty.params().len(), ty.results().len());
    let template = build(isa, signature(ty), |b, params| {
        let vmctx = params[0];
        let trusted = MemFlagsData::trusted();
        let args = array(b, takes);
        for (i, (value, ty)) in params[1..].iter().zip(ty.params()).enumerate() {
            store_payload(b, *value, args, i);
            store_kind(b, *ty, args, i);
        }
        let room = Room::new(b, ty, PAYLOAD);
        let results = room.address(b);
        for i in 0..returns {
            // What the callback does not set shows as a wrong kind.
            let zero = b.ins().iconst(types::I64, 0);
            store_payload(b, zero, results, i);
            store_kind(b, ValType::Ref(RefType::EXTERN), results, i);
        }
        let vecs = StackSlotData::new(StackSlotKind::ExplicitSlot, 32, 3);
        let vecs = b.create_sized_stack_slot(vecs);
        for (at, count, array) in [(0, takes, args), (16, returns, results)] {
            let count = b.ins().iconst(POINTER, count as i64);
            b.ins().stack_store(POINTER, count, vecs, at);
            b.ins().stack_store(POINTER, array, vecs, at + 8);
        }
        let arg_vec = b.ins().stack_addr(POINTER, vecs, 0);
        let result_vec = b.ins().stack_addr(POINTER, vecs, 16);

        let mut sig = Signature::new(isa::host_call_conv(isa));
        sig.params.extend(vec![AbiParam::new(POINTER); 2 + usize::from(with_env)]);
        sig.returns.push(AbiParam::new(POINTER));
        let exit = Exit::begin(b, vmctx);
        let trap = exit.call(b, sig, with_env, &[arg_vec, result_vec])[0];
        let newest = exit.newest(b);
        let mut special = trap;
        let results = room.address_after(b);
        for (i, ty) in ty.results().iter().enumerate() {
            let got = b.ins().uload8(POINTER, trusted, results, (i * SLOT + KIND) as i32);
            let other = b.ins().bxor_imm_u(got, i64::from(kind(*ty)));
            special = b.ins().bor(special, other);
        }
        exit.end(b, isa, (newest, special), trap, &room);
    })?;
    with_frame_check(isa, ty, template)
}

/// The code of host functions of type `ty` that are C functions of `tenon.h`: calls the function with
/// an environment, an array of arguments without kinds, and one of as many zeros as it has results.
pub(super) fn raw_callback(compiler: &Compiler, ty: &FuncType) -> Result<Template, CompileError> {
    require(!ty.has_refs())?;
    let isa = &*compiler.isa;
    let template = build(isa, signature(ty), |b, params| {
        let flags = MemFlagsData::new().with_notrap();
        let args = array(b, ty.params().len());
        for (i, value) in params[1..].iter().enumerate() {
            b.ins().store(flags, *value, args, (i * SLOT) as i32);
        }
        let room = Room::new(b, ty, 0);
        let results = room.address(b);
        for i in 0..ty.results().len() {
            for half in [0, SLOT / 2] {
                let zero = b.ins().iconst(types::I64, 0);
                b.ins().store(flags, zero, results, (i * SLOT + half) as i32);
            }
        }
        let mut sig = Signature::new(isa::host_call_conv(isa));
        sig.params.extend([AbiParam::new(POINTER); 3]);
        sig.returns.push(AbiParam::new(POINTER));
        let exit = Exit::begin(b, params[0]);
        let trap = exit.call(b, sig, true, &[args, results])[0];
        let newest = exit.newest(b);
        exit.end(b, isa, (newest, trap), trap, &room);
    })?;
    with_frame_check(isa, ty, template)
}

/// The code of host functions of type `ty` that are C functions with plain values. Such a function
/// ends execution by a trap that it leaves in the store.
pub(super) fn import(
    compiler: &Compiler,
    ty: &FuncType,
    with_env: bool,
) -> Result<Template, CompileError> {
    require(!ty.has_refs() && !ty.has_vectors() && ty.results().len() <= 1)?;
    let isa = &*compiler.isa;
    let template = build(isa, signature(ty), |b, params| {
        let exit = Exit::begin(b, params[0]);
        let results = exit.call(b, native(isa, ty, with_env), with_env, &params[1..]);
        let mut room = Room::new(b, ty, 0);
        room.values = Some(results);
        let null = b.ins().iconst(POINTER, 0);
        let newest = exit.newest(b);
        let trusted = MemFlagsData::trusted();
        // The newest entry is that which has been left, so its store is the function's.
        let store = b.ins().load(POINTER, trusted, newest, offset::ACTIVATION_STORE);
        let waiting = b.ins().load(types::I32, trusted, store, offset::STORE_TRAP_WAITING);
        let waiting = b.ins().icmp_imm_u(IntCC::NotEqual, waiting, 0);
        exit.end(b, isa, (newest, waiting), null, &room);
    })?;
    with_frame_check(isa, ty, template)
}

/// A call out of wasm.
struct Exit {
    /// The context that the trampoline was called with, before the call.
    vmctx: Value,
    /// The witness, and the context for what may come after the call.
    witness: ir::StackSlot,
    /// Where the runtime gets what was returned first.
    finish: Block,
}

impl Exit {
    /// Where the context is kept.
    const CONTEXT: i32 = 8;

    /// Notes where wasm is left: in the activation, by this frame.
    fn begin(b: &mut FunctionBuilder, vmctx: Value) -> Exit {
        let trusted = MemFlagsData::trusted();
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, 16, 3);
        let witness = b.create_sized_stack_slot(slot);
        // In a register it would take more: what was there would have to be kept.
        b.ins().stack_store(POINTER, vmctx, witness, Exit::CONTEXT);
        let fp = b.ins().get_frame_pointer(POINTER);
        set_witness(b, witness, fp);
        let activation = hole(b, Hole::Activation);
        let outside = b.ins().stack_addr(POINTER, witness, 1);
        b.ins().store(trusted, outside, activation, offset::ACTIVATION_OUTSIDE);
        Exit { vmctx, witness, finish: cold_block(b) }
    }

    /// What [`Exit::begin`] has put into the activation, computed in another way: the same value would
    /// be kept over the call.
    fn outside(&self, b: &mut FunctionBuilder) -> Value {
        let next = b.ins().stack_addr(POINTER, self.witness, 2);
        b.ins().iadd_imm_s(next, -1)
    }

    /// Calls the C function of the context; its results.
    fn call(
        &self,
        b: &mut FunctionBuilder,
        sig: Signature,
        with_env: bool,
        args: &[Value],
    ) -> Vec<Value> {
        let trusted = MemFlagsData::trusted();
        let sig = b.import_signature(sig);
        let callee = b.ins().load(POINTER, trusted, self.vmctx, offset::HOST_FUNCTION);
        let mut all = Vec::with_capacity(args.len() + 1);
        if with_env {
            all.push(b.ins().load(POINTER, trusted, self.vmctx, offset::HOST_ENV));
        }
        all.extend(args);
        let call = b.ins().call_indirect(sig, callee, &all);
        b.inst_results(call).to_vec()
    }

    /// The newest activation after the call. Goes on in `finish` if it is not the one that has been
    /// left: then the host has jumped out of newer ones.
    fn newest(&self, b: &mut FunctionBuilder) -> Value {
        let newest = hole(b, Hole::Activation);
        let trusted = MemFlagsData::trusted();
        let outside = b.ins().load(POINTER, trusted, newest, offset::ACTIVATION_OUTSIDE);
        let ours = self.outside(b);
        let jumped = b.ins().icmp(IntCC::NotEqual, outside, ours);
        leave_if(b, jumped, self.finish);
        newest
    }

    /// Goes on in wasm with the results. If `special` is not 0 the runtime gets what was returned
    /// first, and may end execution.
    fn end(
        &self,
        b: &mut FunctionBuilder,
        isa: &dyn TargetIsa,
        (newest, special): (Value, Value),
        returned: Value,
        room: &Room,
    ) {
        let trusted = MemFlagsData::trusted();
        let (failed, done) = (cold_block(b), cold_block(b));
        leave_if(b, special, self.finish);
        let null = b.ins().iconst(POINTER, 0);
        b.ins().store(trusted, null, newest, offset::ACTIVATION_OUTSIDE);
        let values = room.values.clone().unwrap_or_else(|| room.load(b));
        b.ins().return_(&values);

        b.switch_to_block(self.finish);
        let results = room.keep(b);
        let outside = self.outside(b);
        let vmctx = b.ins().stack_load(POINTER, POINTER, self.witness, Exit::CONTEXT);
        let mut sig = Signature::new(isa::host_call_conv(isa));
        sig.params.extend([AbiParam::new(POINTER); 4]);
        sig.returns.push(AbiParam::new(types::I32));
        let sig = b.import_signature(sig);
        let callee = b.ins().load(POINTER, trusted, vmctx, offset::HOST_CALL);
        let call = b.ins().call_indirect(sig, callee, &[vmctx, returned, results, outside]);
        let status = b.inst_results(call)[0];
        b.ins().brif(status, failed, &[], done, &[]);

        b.switch_to_block(failed);
        let vmctx = b.ins().stack_load(POINTER, POINTER, self.witness, Exit::CONTEXT);
        env::call_libcall(b, isa, vmctx, Libcall::raise_host_error, &[]);
        b.ins().trap(env::UNREACHED);

        b.switch_to_block(done);
        let values = room.load(b);
        b.ins().return_(&values);
    }
}

/// Where the results of a call out of wasm are.
struct Room<'a> {
    types: &'a [ValType],
    slot: Option<ir::StackSlot>,
    /// Where in a slot of the array a result is.
    at: usize,
    /// The results, if the call has returned them. The array is used only if they have to be kept.
    values: Option<Vec<Value>>,
}

impl Room<'_> {
    fn new<'a>(b: &mut FunctionBuilder, ty: &'a FuncType, at: usize) -> Room<'a> {
        Room { types: ty.results(), slot: array_slot(b, ty.results().len()), at, values: None }
    }

    fn address(&self, b: &mut FunctionBuilder) -> Value {
        match self.slot {
            Some(slot) => b.ins().stack_addr(POINTER, slot, 0),
            None => b.ins().iconst(POINTER, 0),
        }
    }

    /// The same after the call, computed in another way, as in [`Exit::outside`].
    fn address_after(&self, b: &mut FunctionBuilder) -> Value {
        let Some(slot) = self.slot else { return self.address(b) };
        let next = b.ins().stack_addr(POINTER, slot, SLOT as i32);
        b.ins().iadd_imm_s(next, -(SLOT as i64))
    }

    /// Keeps what the call has returned over another one; the address of the array.
    fn keep(&self, b: &mut FunctionBuilder) -> Value {
        for (i, value) in self.values.iter().flatten().enumerate() {
            let Some(slot) = self.slot else { break };
            b.ins().stack_store(POINTER, *value, slot, self.offset(i));
        }
        self.address_after(b)
    }

    fn load(&self, b: &mut FunctionBuilder) -> Vec<Value> {
        let Some(slot) = self.slot else { return Vec::new() };
        let types = self.types.iter().enumerate();
        types
            .map(|(i, ty)| b.ins().stack_load(POINTER, clif_type(*ty), slot, self.offset(i)))
            .collect()
    }

    fn offset(&self, index: usize) -> i32 {
        (index * SLOT + self.at) as i32
    }
}

/// Makes a witness say `address`, disguised.
fn set_witness(b: &mut FunctionBuilder, witness: ir::StackSlot, address: Value) {
    let disguise = b.ins().iconst(POINTER, WITNESS as i64);
    let word = b.ins().bxor(address, disguise);
    b.ins().stack_store(POINTER, word, witness, 0);
}

/// The signature of a C function with the plain values of `ty`.
fn native(isa: &dyn TargetIsa, ty: &FuncType, with_env: bool) -> Signature {
    let mut sig = Signature::new(isa::host_call_conv(isa));
    sig.params.extend(with_env.then_some(AbiParam::new(POINTER)));
    sig.params.extend(ty.params().iter().map(|ty| AbiParam::new(clif_type(*ty))));
    sig.returns.extend(ty.results().iter().map(|ty| AbiParam::new(clif_type(*ty))));
    sig
}

/// What is filled in before the code runs.
fn hole(b: &mut FunctionBuilder, hole: Hole) -> Value {
    let name = ir::UserExternalName::new(0, hole as u32);
    let name = b.func.declare_imported_user_function(name);
    let symbol = b.create_global_value(GlobalValueData::Symbol {
        name: ir::ExternalName::user(name),
        offset: ir::immediates::Imm64::new(0),
        colocated: false,
        tls: false,
    });
    b.ins().symbol_value(POINTER, symbol)
}

fn cold_block(b: &mut FunctionBuilder) -> Block {
    let block = b.create_block();
    b.set_cold_block(block);
    block
}

/// Goes to `block` if the condition is not 0, and on otherwise.
fn leave_if(b: &mut FunctionBuilder, condition: Value, block: Block) {
    let next = b.create_block();
    b.ins().brif(condition, block, &[], next, &[]);
    b.switch_to_block(next);
}

const _: () = assert!(PAYLOAD == 8 && KIND == 0);
