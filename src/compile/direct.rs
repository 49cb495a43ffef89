//! Crossings that compiled code makes by itself, with no function of the runtime in between.
//!
//! Entries do what `vm::enter` does, for the case that is by far the most frequent: no
//! other entry on the thread, none into the store, enough stack, and nothing that waits. Anything
//! else is left to the runtime before anything has been changed. Exits do what `vm::leave` does,
//! and leave to it what comes after the call where that is more than to take the results.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AbiParam, Block, GlobalValueData, InstBuilder, MemFlagsData, Signature, StackSlotData,
    StackSlotKind, Value, types,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::FunctionBuilder;

use super::env::{self, clif_type, signature};
use super::trampoline::{
    POINTER, WASM_CALL_CONV, array, array_slot, build, call_in, load_payload, set_stack_limit,
    store_kind, store_payload, with_frame_check,
};
use super::{CompileError, Compiler, isa};
use crate::abi::code::{Hole, Template};
use crate::abi::layout::{DIRECT_ENTRY_STACK, WITNESS, entered, offset};
use crate::abi::libcalls::Libcall;
use crate::abi::signature::{KIND, PAYLOAD, SLOT, array_size, kind};
use crate::wasm::{FuncType, RefType, ValType};

/// Whether functions of this type can be called by code made here: numbers, not too many of them,
/// and vectors only where there are no arrays.
pub(super) fn fits(ty: &FuncType) -> bool {
    let values = ty.params().len() + ty.results().len();
    array_size(values) + 2048 <= DIRECT_ENTRY_STACK && !ty.has_refs() && !ty.has_vectors()
}

/// Fails for types that code made here cannot call.
fn require(fits: bool) -> Result<(), CompileError> {
    if fits { Ok(()) } else { Err(CompileError::new("the type cannot be called directly")) }
}

/// `extern "C" fn(function, arguments, results, store, callee) -> result`: calls a function with the
/// vectors of `wasm.h`. Counts and kinds of the arguments are compared here. The result is null if
/// the function has returned. Otherwise execution goes on in the store's
/// [`EndArrayCall`](crate::abi::layout::EndArrayCall), which returns to the caller of this code: what
/// it does may free the code.
///
/// With so few parameters, the convention that has such tail calls is the same as C's.
pub(super) fn array_entry(compiler: &Compiler, ty: &FuncType) -> Result<Template, CompileError> {
    require(fits(ty))?;
    let isa = &*compiler.isa;
    let mut sig = Signature::new(WASM_CALL_CONV);
    sig.params.extend([AbiParam::new(POINTER); 5]);
    sig.returns.push(AbiParam::new(POINTER));
    build(isa, sig, |b, params| {
        let &[func, args_vec, results_vec, store, callee] = params else {
            unreachable!("the signature above has five parameters")
        };
        let trusted = MemFlagsData::trusted();
        let unusual = cold_block(b);
        let (takes, returns) = (ty.params().len() as i64, ty.results().len() as i64);
        let args = vector(b, args_vec, (IntCC::NotEqual, takes), unusual);
        let results = if returns > 0 {
            vector(b, results_vec, (IntCC::UnsignedLessThan, returns), unusual)
        } else {
            results_vec
        };
        let mut others = None;
        for (i, param) in ty.params().iter().enumerate() {
            let got = b.ins().uload8(types::I32, trusted, args, (i * SLOT + KIND) as i32);
            let other = b.ins().bxor_imm_u(got, i64::from(kind(*param)));
            others = Some(others.map_or(other, |others| b.ins().bor(others, other)));
        }
        if let Some(others) = others {
            leave_if(b, others, unusual);
        }
        let activation = begin_entry(b, store, unusual);
        let vmctx = b.ins().load(POINTER, trusted, func, offset::FUNC_REF_VMCTX);
        let code = b.ins().load(POINTER, trusted, func, offset::FUNC_REF_CODE);
        let mut call_args = vec![vmctx];
        for (i, ty) in ty.params().iter().enumerate() {
            call_args.push(load_payload(b, *ty, args, i));
        }
        let (values, trapped) = call_in(b, ty, code, &call_args, activation);
        let entered = end_array_entry(b);
        for (i, (value, ty)) in values.into_iter().zip(ty.results()).enumerate() {
            store_payload(b, value, results, i);
            store_kind(b, *ty, results, i);
        }
        let waiting = b.ins().load(types::I64, trusted, entered, offset::STORE_UNUSUAL);
        let cleanup = cold_block(b);
        leave_if(b, waiting, cleanup);
        let null = b.ins().iconst(POINTER, 0);
        b.ins().return_(&[null]);

        b.switch_to_block(cleanup);
        let null = b.ins().iconst(POINTER, 0);
        go_on_in_end(b, entered, [null; 3], entered::CLEANUP);

        b.switch_to_block(trapped);
        let entered = end_array_entry(b);
        let null = b.ins().iconst(POINTER, 0);
        go_on_in_end(b, entered, [null; 3], entered::TRAPPED);

        b.switch_to_block(unusual);
        go_on_in_end(b, store, [callee, args_vec, results_vec], entered::UNUSUAL);
    })
}

/// Ends a call with arrays in the store's function for that, in place of this one.
fn go_on_in_end(b: &mut FunctionBuilder, store: Value, call: [Value; 3], ended: u32) {
    let mut sig = Signature::new(WASM_CALL_CONV);
    sig.params.extend([POINTER, POINTER, POINTER, types::I32].map(AbiParam::new));
    sig.returns.push(AbiParam::new(POINTER));
    let sig = b.import_signature(sig);
    let trusted = MemFlagsData::trusted();
    let end = b.ins().load(POINTER, trusted, store, offset::STORE_END_ARRAY_CALL);
    let ended = b.ins().iconst(types::I32, i64::from(ended));
    let [callee, args, results] = call;
    b.ins().return_call_indirect(sig, end, &[callee, args, results, ended]);
}

/// The elements of a vector; goes to `unusual` if its size is as `wrong` says, or there are none. A
/// vector that should be empty may be null.
fn vector(
    b: &mut FunctionBuilder,
    vector: Value,
    (wrong, size): (IntCC, i64),
    unusual: Block,
) -> Value {
    let trusted = MemFlagsData::trusted();
    let (some, done) = (b.create_block(), b.create_block());
    let none = if size == 0 { done } else { unusual };
    b.ins().brif(vector, some, &[], none, &[]);
    b.switch_to_block(some);
    let has = b.ins().load(types::I64, trusted, vector, offset::VECTOR_SIZE);
    let wrong = b.ins().icmp_imm_u(wrong, has, size);
    b.ins().brif(wrong, unusual, &[], done, &[]);
    b.switch_to_block(done);
    if size == 0 {
        return vector;
    }
    let data = b.ins().load(POINTER, trusted, vector, offset::VECTOR_DATA);
    let none = b.ins().icmp_imm_u(IntCC::Equal, data, 0);
    leave_if(b, none, unusual);
    data
}

/// Ends the entry that has begun here, and returns the store that was entered: nothing that is known
/// before a call in has to be kept for what comes after it.
fn end_array_entry(b: &mut FunctionBuilder) -> Value {
    let trusted = MemFlagsData::trusted();
    let thread = hole(b, Hole::Thread);
    let activation = b.ins().load(POINTER, trusted, thread, offset::THREAD_OUTERMOST);
    let store = b.ins().load(POINTER, trusted, activation, offset::ACTIVATION_STORE);
    end_entry(b, thread, store);
    store
}

/// A C function with the plain values of `ty`: calls the function that is to be filled in. If that
/// traps, it returns zero; the runtime keeps the trap.
pub(super) fn pointer(compiler: &Compiler, ty: &FuncType) -> Result<Template, CompileError> {
    require(fits(ty) && ty.results().len() <= 1)?;
    let isa = &*compiler.isa;
    build(isa, native(isa, ty, false), |b, params| {
        let trusted = MemFlagsData::trusted();
        let unusual = cold_block(b);
        let func = hole(b, Hole::Func);
        let vmctx = b.ins().load(POINTER, trusted, func, offset::FUNC_REF_VMCTX);
        let code = b.ins().load(POINTER, trusted, func, offset::FUNC_REF_CODE);
        let store = b.ins().load(POINTER, trusted, vmctx, offset::CONTEXT_STORE);
        let activation = begin_entry(b, store, unusual);
        let call_args: Vec<Value> = [&[vmctx], params].concat();
        let (values, trapped) = call_in(b, ty, code, &call_args, activation);
        let store = end_pointer_entry(b);
        let waiting = b.ins().load(types::I64, trusted, store, offset::STORE_UNUSUAL);
        let cleanup = cold_block(b);
        leave_if(b, waiting, cleanup);
        b.ins().return_(&values);

        let mut ended = Signature::new(isa::host_call_conv(isa));
        ended.params.extend([AbiParam::new(POINTER), AbiParam::new(types::I32)]);
        let ended = b.import_signature(ended);
        let end = |b: &mut FunctionBuilder, trapped: i64| {
            let (func, store) = func_and_store(b);
            let callee = b.ins().load(POINTER, trusted, store, offset::STORE_CALL_ENDED);
            let trapped = b.ins().iconst(types::I32, trapped);
            b.ins().call_indirect(ended, callee, &[func, trapped]);
        };
        b.switch_to_block(cleanup);
        end(b, 0);
        b.ins().return_(&values);

        b.switch_to_block(trapped);
        end_pointer_entry(b);
        end(b, 1);
        let zeros: Vec<Value> = ty.results().iter().map(|ty| zero(b, *ty)).collect();
        b.ins().return_(&zeros);

        b.switch_to_block(unusual);
        let args = array(b, ty.params().len());
        for (i, value) in params.iter().enumerate() {
            store_payload(b, *value, args, i);
        }
        let results = array(b, ty.results().len());
        for i in 0..ty.results().len() {
            let zero = b.ins().iconst(types::I64, 0);
            store_payload(b, zero, results, i);
        }
        let mut full = Signature::new(isa::host_call_conv(isa));
        full.params.extend([AbiParam::new(POINTER); 3]);
        let full = b.import_signature(full);
        let (func, store) = func_and_store(b);
        let callee = b.ins().load(POINTER, trusted, store, offset::STORE_CALL_IN_FULL);
        b.ins().call_indirect(full, callee, &[func, args, results]);
        let values: Vec<Value> = (ty.results().iter().enumerate())
            .map(|(i, ty)| load_payload(b, *ty, results, i))
            .collect();
        b.ins().return_(&values);
    })
}

/// The function that is to be filled in, and its store.
fn func_and_store(b: &mut FunctionBuilder) -> (Value, Value) {
    let trusted = MemFlagsData::trusted();
    let func = hole(b, Hole::Func);
    let vmctx = b.ins().load(POINTER, trusted, func, offset::FUNC_REF_VMCTX);
    (func, b.ins().load(POINTER, trusted, vmctx, offset::CONTEXT_STORE))
}

/// As [`end_array_entry`], by what has been filled in.
fn end_pointer_entry(b: &mut FunctionBuilder) -> Value {
    let thread = hole(b, Hole::Thread);
    let (_, store) = func_and_store(b);
    end_entry(b, thread, store);
    store
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
        let (newest, mut special) = exit.newest(b, trap);
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
        let after = exit.newest(b, trap);
        exit.end(b, isa, after, trap, &room);
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
        let (newest, jumped) = exit.newest(b, None);
        let trusted = MemFlagsData::trusted();
        let store = b.ins().load(POINTER, trusted, params[0], offset::CONTEXT_STORE);
        let waiting = b.ins().uload32(trusted, store, offset::STORE_TRAP_WAITING);
        let special = b.ins().bor(waiting, jumped);
        let null = b.ins().iconst(POINTER, 0);
        exit.end(b, isa, (newest, special), null, &room);
    })?;
    with_frame_check(isa, ty, template)
}

/// Notes that wasm is entered, with no other entry around on the thread; goes to `unusual`, with
/// nothing changed, if the runtime has to look at something first. Returns the activation.
fn begin_entry(b: &mut FunctionBuilder, store: Value, unusual: Block) -> Value {
    let trusted = MemFlagsData::trusted();
    let thread = hole(b, Hole::Thread);
    let unprepared = b.ins().icmp_imm_u(IntCC::Equal, thread, 0);
    leave_if(b, unprepared, unusual);
    // Another entry on this thread or into this store, or anything else.
    let running = b.ins().load(POINTER, trusted, thread, offset::THREAD_ACTIVATION);
    let innermost = b.ins().load(POINTER, trusted, store, offset::STORE_INNERMOST);
    let waiting = b.ins().load(types::I64, trusted, store, offset::STORE_UNUSUAL);
    let any = b.ins().bor(running, innermost);
    let any = b.ins().bor(any, waiting);
    leave_if(b, any, unusual);

    // The stack has to be the thread's own, and to have room for this frame and the callee's
    // arguments; what the callee needs itself it compares with the limit.
    let sp = b.ins().get_stack_pointer(POINTER);
    let lowest = b.ins().load(POINTER, trusted, thread, offset::THREAD_DIRECT_FLOOR);
    let span = b.ins().load(POINTER, trusted, thread, offset::THREAD_DIRECT_SPAN);
    let above = b.ins().isub(sp, lowest);
    let elsewhere = b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, above, span);
    leave_if(b, elsewhere, unusual);
    let floor = b.ins().load(POINTER, trusted, thread, offset::THREAD_FLOOR);
    set_stack_limit(b, store, floor);

    let activation = b.ins().load(POINTER, trusted, thread, offset::THREAD_OUTERMOST);
    let witness = witness_slot(b);
    let address = b.ins().stack_addr(POINTER, witness, 0);
    set_witness(b, witness, address);
    b.ins().store(trusted, address, activation, offset::ACTIVATION_WITNESS);
    b.ins().store(trusted, store, activation, offset::ACTIVATION_STORE);
    b.ins().store(trusted, activation, thread, offset::THREAD_ACTIVATION);
    b.ins().store(trusted, activation, store, offset::STORE_INNERMOST);
    activation
}

/// Notes that the entry is over. Its witness may go on saying what it does: nothing refers to it.
fn end_entry(b: &mut FunctionBuilder, thread: Value, store: Value) {
    let trusted = MemFlagsData::trusted();
    let null = b.ins().iconst(POINTER, 0);
    // In this order: from a thread's newest entry a store can be told what it has lost, should a
    // signal handler jump out of here, but not the other way round.
    b.ins().store(trusted, null, store, offset::STORE_INNERMOST);
    b.ins().store(trusted, null, thread, offset::THREAD_ACTIVATION);
}

/// A call out of wasm.
struct Exit {
    vmctx: Value,
    witness: ir::StackSlot,
}

impl Exit {
    /// Notes where wasm is left: in the activation, by this frame.
    fn begin(b: &mut FunctionBuilder, vmctx: Value) -> Exit {
        let trusted = MemFlagsData::trusted();
        let witness = witness_slot(b);
        let fp = b.ins().get_frame_pointer(POINTER);
        set_witness(b, witness, fp);
        let thread = hole(b, Hole::Thread);
        let activation = b.ins().load(POINTER, trusted, thread, offset::THREAD_ACTIVATION);
        let outside = b.ins().stack_addr(POINTER, witness, 1);
        b.ins().store(trusted, outside, activation, offset::ACTIVATION_OUTSIDE);
        Exit { vmctx, witness }
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

    /// The newest activation after the call; and a value that is 0 if `trap` is and that activation
    /// is the one which has been left: otherwise the host has jumped out of newer ones.
    fn newest(&self, b: &mut FunctionBuilder, trap: impl Into<Option<Value>>) -> (Value, Value) {
        let trusted = MemFlagsData::trusted();
        let thread = hole(b, Hole::Thread);
        let newest = b.ins().load(POINTER, trusted, thread, offset::THREAD_ACTIVATION);
        let outside = b.ins().load(POINTER, trusted, newest, offset::ACTIVATION_OUTSIDE);
        let ours = self.outside(b);
        let jumped = b.ins().bxor(outside, ours);
        (newest, trap.into().map_or(jumped, |trap| b.ins().bor(trap, jumped)))
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
        let (finish, failed, done) = (cold_block(b), cold_block(b), cold_block(b));
        leave_if(b, special, finish);
        let null = b.ins().iconst(POINTER, 0);
        b.ins().store(trusted, null, newest, offset::ACTIVATION_OUTSIDE);
        let values = room.values.clone().unwrap_or_else(|| room.load(b));
        b.ins().return_(&values);

        b.switch_to_block(finish);
        let results = room.keep(b);
        let outside = self.outside(b);
        let mut sig = Signature::new(isa::host_call_conv(isa));
        sig.params.extend([AbiParam::new(POINTER); 4]);
        sig.returns.push(AbiParam::new(types::I32));
        let sig = b.import_signature(sig);
        let callee = b.ins().load(POINTER, trusted, self.vmctx, offset::HOST_CALL);
        let call = b.ins().call_indirect(sig, callee, &[self.vmctx, returned, results, outside]);
        let status = b.inst_results(call)[0];
        b.ins().brif(status, failed, &[], done, &[]);

        b.switch_to_block(failed);
        env::call_libcall(b, isa, self.vmctx, Libcall::raise_host_error, &[]);
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

/// Room for a witness in this frame.
fn witness_slot(b: &mut FunctionBuilder) -> ir::StackSlot {
    b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3))
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

fn zero(b: &mut FunctionBuilder, ty: ValType) -> Value {
    match clif_type(ty) {
        types::F32 => b.ins().f32const(0.0),
        types::F64 => b.ins().f64const(0.0),
        integer => b.ins().iconst(integer, 0),
    }
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
