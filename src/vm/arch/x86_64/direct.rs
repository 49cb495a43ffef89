//! Code that enters wasm by itself, with no function of the runtime in between.
//!
//! It does what `vm::enter` does, for the case that is by far the most frequent: no other entry on
//! the thread, none into the store, enough stack, and nothing that waits. Anything else is left to
//! the runtime before anything has been changed.
//!
//! It is put together here because a code generator would save and restore more than is needed: a
//! function of wasm preserves the registers that C wants back, so they are only read after a trap.
//! All these entries have the same frame, by whose address everything about it is found again:
//!
//! | bytes below the frame pointer | |
//! |---|---|
//! | 8 … 40 | the caller's `rbx`, `r12`, `r13`, `r14`, `r15` |
//! | [`WITNESS_AT`] | the frame pointer, disguised as a witness's, and [`ArrayEntry`] or [`Pointer`] |
//! | [`RESULTS_AT`] | the address of the array of results, if there are any |
//!
//! [`ArrayEntry`]: Entry::Array
//! [`Pointer`]: Entry::Pointer

use std::arch::asm;
use std::mem::offset_of;

use super::thread_offset;
use crate::abi::image::LINE;
use crate::abi::layout::{
    DIRECT_ENTRY_STACK, VMActivation, VMContext, VMExit, VMFuncRef, VMHostContext, VMStore,
    VMThread, VMVector, WITNESS, entered,
};
use crate::abi::signature::{KIND, MachineType, PAYLOAD, SLOT, array_size, kind, machine_type};
use crate::wasm::{FuncType, ValType};

/// Which entry a frame is that of. The number is part of the word that is the frame's witness, in
/// bits that addresses of frames do not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// [`array_entry`].
    Array = 0,
    /// [`pointer`].
    Pointer = 1,
}

/// Bytes from the witness of an entry up to what its frame pointer points to.
pub const WITNESS_AT: usize = 48;
const RESULTS_AT: i32 = 56;

/// The entry whose frame pointer this is.
///
/// # Safety
///
/// It is that of a live frame.
pub unsafe fn entry_at(fp: usize) -> Entry {
    // SAFETY: the caller's contract.
    let word = unsafe { ((fp - WITNESS_AT) as *const usize).read() };
    if word ^ WITNESS ^ fp == Entry::Pointer as usize { Entry::Pointer } else { Entry::Array }
}

/// Leaves the entry whose frame pointer is given: goes on in `end` as if that had been called in its
/// place, with three nulls and `how`.
///
/// # Safety
///
/// It is that of a live frame; no frame in between has anything left to do. The function at `end`
/// returns what the entry's caller expects.
pub unsafe fn leave(fp: usize, end: *const u8, how: u32) -> ! {
    // SAFETY: the caller's contract.
    unsafe {
        asm!(
            "mov rbp, rax",
            "mov rbx, [rbp - 8]",
            "mov r12, [rbp - 16]",
            "mov r13, [rbp - 24]",
            "mov r14, [rbp - 32]",
            "mov r15, [rbp - 40]",
            "mov rsp, rbp",
            "pop rbp",
            "jmp r11",
            in("rax") fp,
            in("r11") end,
            in("rdi") 0,
            in("rsi") 0,
            in("rdx") 0,
            in("ecx") how,
            options(noreturn),
        )
    }
}

const RAX: u8 = 0;
const RCX: u8 = 1;
const RDX: u8 = 2;
const RBX: u8 = 3;
const RSP: u8 = 4;
const RBP: u8 = 5;
const RSI: u8 = 6;
const RDI: u8 = 7;
const R8: u8 = 8;
const R9: u8 = 9;
const R10: u8 = 10;
const R11: u8 = 11;
const R12: u8 = 12;
const R13: u8 = 13;
const R14: u8 = 14;
const R15: u8 = 15;

/// Where C and wasm have their first integers; wasm's context is the first.
const INT_ARGS: [u8; 6] = [RDI, RSI, RDX, RCX, R8, R9];
/// How many floats are in registers, `xmm0` and following.
const FLOAT_ARGS: usize = 8;
/// Where wasm returns integers. Floats are in `xmm0` and following.
const INT_RESULTS: [u8; 8] = [RAX, RCX, RDX, RSI, RDI, R8, R9, R10];

/// Where a value is.
#[derive(Clone, Copy)]
enum Place {
    Int(u8),
    Float(u8),
    /// The number of a word.
    Stack(usize),
}

/// Where values are that are passed one after the other, after `before` integers; and how many of
/// them are on the stack.
fn places(types: &[ValType], before: usize) -> (Vec<Place>, usize) {
    let (mut ints, mut floats, mut stack) = (before, 0, 0);
    let place = |ty: &ValType| {
        let register = match machine_type(*ty) {
            MachineType::F32 | MachineType::F64 => {
                floats += 1;
                (floats <= FLOAT_ARGS).then(|| Place::Float(floats as u8 - 1))
            }
            _ => {
                ints += 1;
                INT_ARGS.get(ints - 1).map(|register| Place::Int(*register))
            }
        };
        register.unwrap_or_else(|| {
            stack += 1;
            Place::Stack(stack - 1)
        })
    };
    let places = types.iter().map(place).collect();
    (places, stack)
}

/// Where wasm returns values; none if some of them are in memory.
fn result_places(types: &[ValType]) -> Option<Vec<Place>> {
    let (mut ints, mut floats) = (0, 0);
    let place = |ty: &ValType| match machine_type(*ty) {
        MachineType::F32 | MachineType::F64 => {
            floats += 1;
            (floats <= FLOAT_ARGS).then(|| Place::Float(floats as u8 - 1))
        }
        _ => {
            ints += 1;
            INT_RESULTS.get(ints - 1).map(|register| Place::Int(*register))
        }
    };
    types.iter().map(place).collect()
}

/// Whether functions of this type can be called by code made here: numbers, and not too many.
fn fits(ty: &FuncType) -> bool {
    let values = ty.params().len() + ty.results().len();
    array_size(values) + 2048 <= DIRECT_ENTRY_STACK && !ty.has_refs() && !ty.has_vectors()
}

/// The code of `extern "C" fn(function, arguments, results, store, callee) -> result`: calls a
/// function with the vectors of `wasm.h`. Counts and kinds of the arguments are compared here. The
/// result is null if the function has returned. Otherwise execution goes on in the store's
/// [`EndArrayCall`](crate::abi::layout::EndArrayCall), which returns in place of this code: what it does
/// may free the code. None if there is no such code for functions of this type.
pub fn array_entry(ty: &FuncType) -> Option<Vec<u8>> {
    let results = result_places(ty.results()).filter(|_| fits(ty))?;
    let (args, on_stack) = places(ty.params(), 1);
    let frame = if results.is_empty() { 48 } else { 64 };
    let (func, args_vec, results_vec, store, callee) = (RDI, RSI, RDX, RCX, R8);
    let (args_at, results_at) = (R9, R10);
    let mut code = Code::default();

    code.begin_frame();
    if ty.params().is_empty() {
        // A vector that should be empty may be null.
        code.test(args_vec);
        let null = code.jump_short(EQUAL);
        code.compare_word(args_vec, offset_of!(VMVector, size), 0);
        code.jump(NOT_EQUAL, Label::Unusual);
        code.land(null);
    } else {
        code.vector(args_vec, ty.params().len(), NOT_EQUAL, args_at);
    }
    if !results.is_empty() {
        code.vector(results_vec, results.len(), BELOW, results_at);
    }
    for (i, ty) in ty.params().iter().enumerate() {
        // cmp byte ptr [args_at + …], kind
        code.memory(&[], false, &[0x80], 7, args_at, i * SLOT + KIND);
        code.bytes(&[kind(*ty)]);
        code.jump(NOT_EQUAL, Label::Unusual);
    }
    code.begin_entry(store, R11, frame);
    code.save(Entry::Array, R11);
    if !results.is_empty() {
        code.push(results_at);
        code.add_rsp(-8);
    }
    code.note_entry(store);

    code.reserve_stack(on_stack);
    code.move_register(RAX, func);
    let from = |i: usize| i * SLOT + PAYLOAD;
    for (i, (place, ty)) in args.iter().zip(ty.params()).enumerate() {
        if let Place::Stack(word) = *place {
            code.load(*ty, R10, args_at, from(i));
            code.store(true, R10, RSP, 8 * word);
        }
    }
    // Backwards: the last register is that which has the array's address.
    for (i, (place, ty)) in args.iter().zip(ty.params()).enumerate().rev() {
        match *place {
            Place::Int(register) if register != args_at => {
                code.load(*ty, register, args_at, from(i))
            }
            Place::Float(register) => code.load_float(*ty, register, args_at, from(i)),
            _ => {}
        }
    }
    if let Some(i) = args.iter().position(|place| matches!(place, Place::Int(R9))) {
        code.load(ty.params()[i], R9, args_at, from(i));
    }
    code.load_word(RDI, RAX, offset_of!(VMFuncRef, vmctx));
    code.call_memory(RAX, offset_of!(VMFuncRef, code));

    if !results.is_empty() {
        code.memory_at(&[], true, &[0x8b], R11, RBP, -RESULTS_AT);
    }
    for (i, (place, ty)) in results.iter().zip(ty.results()).enumerate() {
        match *place {
            Place::Int(register) => code.store(is_wide(*ty), register, R11, from(i)),
            Place::Float(register) => code.store_float(*ty, register, R11, from(i)),
            Place::Stack(_) => return None,
        }
        // mov byte ptr [r11 + …], kind
        code.memory(&[], false, &[0xc6], 0, R11, i * SLOT + KIND);
        code.bytes(&[kind(*ty)]);
    }
    code.thread(&[0x8b], RDX, offset_of!(VMThread, outermost));
    code.load_word(store, RDX, offset_of!(VMActivation, store));
    code.end_entry(store, RDX);
    code.clear(RAX);
    code.end_frame(frame);
    code.ret();

    code.bind(Label::Cleanup);
    code.end_frame(frame);
    for register in [RDI, RSI, RDX] {
        code.clear(register);
    }
    code.go_on_in_end(store, entered::CLEANUP);

    code.settle(store, R11, frame);

    code.bind(Label::Unusual);
    code.pop(RBP);
    code.move_register(RDI, callee);
    code.go_on_in_end(store, entered::UNUSUAL);
    Some(code.finish())
}

/// The code of a C function with the plain values of `ty` that calls `func`. If that traps, it
/// returns zero; the runtime keeps the trap. None if there is no such code for functions of this
/// type.
///
/// # Safety
///
/// The function is of this type; it is alive now and whenever the code runs.
pub unsafe fn pointer(func: *const VMFuncRef, ty: &FuncType) -> Option<Vec<u8>> {
    if !fits(ty) || ty.results().len() > 1 {
        return None;
    }
    let results = result_places(ty.results())?;
    // SAFETY: the caller's contract.
    let its_store = unsafe { (*(*func).vmctx).store } as usize;
    let (given, _) = places(ty.params(), 0);
    let (args, on_stack) = places(ty.params(), 1);
    let frame = WITNESS_AT;
    let store = R11;
    let mut code = Code::default();

    code.begin_frame();
    code.move_address(store, its_store);
    code.begin_entry(store, R10, frame);
    code.save(Entry::Pointer, R10);
    code.note_entry(store);
    code.reserve_stack(on_stack);
    // Backwards: each integer moves to the place of the next.
    for (given, place) in given.iter().zip(&args).rev() {
        match (*given, *place) {
            (Place::Int(from), Place::Int(to)) => code.move_register(to, from),
            (Place::Int(from), Place::Stack(word)) => code.store(true, from, RSP, 8 * word),
            (Place::Stack(from), Place::Stack(to)) => {
                code.load_word(RAX, RBP, 16 + 8 * from);
                code.store(true, RAX, RSP, 8 * to);
            }
            // Floats are where they should be.
            _ => {}
        }
    }
    code.move_address(R10, func as usize);
    code.load_word(RDI, R10, offset_of!(VMFuncRef, vmctx));
    code.call_memory(R10, offset_of!(VMFuncRef, code));
    code.move_address(store, its_store);
    code.thread(&[0x8b], RDX, offset_of!(VMThread, outermost));
    code.end_entry(store, RDX);
    code.end_frame(frame);
    code.ret();

    code.bind(Label::Cleanup);
    code.end_frame(frame);
    code.move_register(RDI, RAX);
    code.jump_memory(store, offset_of!(VMStore, call_ended));

    code.settle(store, R10, frame);

    code.bind(Label::Unusual);
    let args_size = array_size(given.len()).next_multiple_of(16);
    let results_size = array_size(results.len()).next_multiple_of(16);
    code.add_rsp(-((args_size + results_size) as i32));
    for (i, (place, ty)) in given.iter().zip(ty.params()).enumerate() {
        let to = i * SLOT + PAYLOAD;
        match *place {
            Place::Int(register) => code.store(true, register, RSP, to),
            Place::Float(register) => code.store_float(*ty, register, RSP, to),
            Place::Stack(word) => {
                code.load_word(RAX, RBP, 16 + 8 * word);
                code.store(true, RAX, RSP, to);
            }
        }
    }
    if !results.is_empty() {
        // mov qword ptr [rsp + …], 0
        code.memory(&[], true, &[0xc7], 0, RSP, args_size + PAYLOAD);
        code.bytes(&0_u32.to_le_bytes());
    }
    code.move_address(RDI, func as usize);
    code.move_register(RSI, RSP);
    // lea rdx, [rsp + …]
    code.memory(&[], true, &[0x8d], RDX, RSP, args_size);
    code.call_memory(store, offset_of!(VMStore, call_in_full));
    for (place, ty) in results.iter().zip(ty.results()) {
        match *place {
            Place::Float(register) => code.load_float(*ty, register, RSP, args_size + PAYLOAD),
            _ => code.load_word(RAX, RSP, args_size + PAYLOAD),
        }
    }
    code.move_register(RSP, RBP);
    code.pop(RBP);
    code.ret();
    Some(code.finish())
}

/// The code of host functions of type `ty` that are C functions with plain values: if no trap waits in
/// the store, notes where wasm was left, as a libcall's stub does, and goes on in the C function, which
/// returns to wasm. Goes on in the code `otherwise` if one waits, and for all types for which this is
/// not enough.
pub fn import(ty: &FuncType, with_env: bool, otherwise: Vec<u8>) -> Vec<u8> {
    let (given, on_stack) = places(ty.params(), 1);
    let (wanted, more) = places(ty.params(), usize::from(with_env));
    if !fits(ty) || ty.results().len() > 1 || on_stack + more > 0 {
        return otherwise;
    }
    let exit = |field: usize| offset_of!(VMStore, exit) + field;
    let mut code = Code::default();
    code.load_word(RAX, RDI, offset_of!(VMContext, store));
    // cmp dword ptr [rax + …], 0
    code.memory(&[], false, &[0x83], 7, RAX, offset_of!(VMStore, trap_waiting));
    code.bytes(&[0]);
    code.jump(NOT_EQUAL, Label::Unusual);
    code.load_word(R10, RSP, 0);
    code.store(true, RBP, RAX, exit(offset_of!(VMExit, fp)));
    code.store(true, R10, RAX, exit(offset_of!(VMExit, pc)));
    code.store(true, RSP, RAX, exit(offset_of!(VMExit, sp)));
    code.store(true, RDI, RAX, exit(offset_of!(VMExit, callee)));
    code.load_word(RAX, RDI, offset_of!(VMHostContext, function));
    if with_env {
        code.load_word(RDI, RDI, offset_of!(VMHostContext, env));
    }
    for (from, to) in given.iter().zip(&wanted) {
        if let (Place::Int(from), Place::Int(to)) = (*from, *to)
            && from != to
        {
            code.move_register(to, from);
        }
    }
    // jmp rax
    code.bytes(&[0xff, 0xe0]);
    code.align();
    code.bind(Label::Unusual);
    code.bytes(&otherwise);
    code.finish()
}

fn is_wide(ty: ValType) -> bool {
    !matches!(machine_type(ty), MachineType::I32)
}

/// Conditions, as jumps encode them.
const BELOW: u8 = 2;
const NOT_BELOW: u8 = 3;
const EQUAL: u8 = 4;
const NOT_EQUAL: u8 = 5;

/// Where code goes on that is not the usual.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    /// Nothing has been changed but that an entry has its frame.
    Unusual,
    /// The function has returned, and something is to be done.
    Cleanup,
    /// The stack limit is that of entries from elsewhere.
    Settle,
}

/// Code in the making.
#[derive(Default)]
struct Code {
    bytes: Vec<u8>,
    /// Displacements of jumps, and where these lead.
    jumps: Vec<(usize, Label)>,
    /// Where the stack limit is right.
    settled: usize,
}

impl Code {
    fn finish(self) -> Vec<u8> {
        debug_assert!(self.jumps.is_empty());
        self.bytes
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Makes what comes next begin a line of the cache, as the code as a whole does.
    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(LINE), 0xcc);
    }

    /// An instruction with a register, or what stands in its place, and a word in memory.
    fn memory(&mut self, prefix: &[u8], wide: bool, op: &[u8], reg: u8, base: u8, offset: usize) {
        self.memory_at(prefix, wide, op, reg, base, offset as i32);
    }

    fn memory_at(&mut self, prefix: &[u8], wide: bool, op: &[u8], reg: u8, base: u8, offset: i32) {
        self.bytes(prefix);
        self.rex(wide, reg, base);
        self.bytes(op);
        let short = i8::try_from(offset);
        let mode = if short.is_ok() { 0x40 } else { 0x80 };
        self.bytes(&[mode | (reg & 7) << 3 | base & 7]);
        if base & 7 == RSP {
            self.bytes(&[0x24]);
        }
        match short {
            Ok(offset) => self.bytes(&offset.to_le_bytes()),
            Err(_) => self.bytes(&offset.to_le_bytes()),
        }
    }

    /// An instruction with two registers.
    fn registers(&mut self, op: u8, reg: u8, other: u8) {
        self.rex(true, reg, other);
        self.bytes(&[op, 0xc0 | (reg & 7) << 3 | other & 7]);
    }

    fn rex(&mut self, wide: bool, reg: u8, base: u8) {
        let rex = 0x40 | u8::from(wide) << 3 | (reg >> 3) << 2 | base >> 3;
        if rex != 0x40 {
            self.bytes(&[rex]);
        }
    }

    fn push(&mut self, register: u8) {
        self.rex(false, 0, register);
        self.bytes(&[0x50 | register & 7]);
    }

    fn pop(&mut self, register: u8) {
        self.rex(false, 0, register);
        self.bytes(&[0x58 | register & 7]);
    }

    fn move_register(&mut self, to: u8, from: u8) {
        self.registers(0x89, from, to);
    }

    fn move_address(&mut self, to: u8, address: usize) {
        self.rex(true, 0, to);
        self.bytes(&[0xb8 | to & 7]);
        self.bytes(&address.to_le_bytes());
    }

    fn test(&mut self, register: u8) {
        self.registers(0x85, register, register);
    }

    fn clear(&mut self, register: u8) {
        self.registers(0x31, register, register);
    }

    fn load_word(&mut self, to: u8, base: u8, offset: usize) {
        self.memory(&[], true, &[0x8b], to, base, offset);
    }

    /// Loads an integer, or the bits of a float.
    fn load(&mut self, ty: ValType, to: u8, base: u8, offset: usize) {
        let wide = matches!(machine_type(ty), MachineType::I64 | MachineType::F64);
        self.memory(&[], wide, &[0x8b], to, base, offset);
    }

    fn store(&mut self, wide: bool, from: u8, base: u8, offset: usize) {
        self.memory(&[], wide, &[0x89], from, base, offset);
    }

    fn load_float(&mut self, ty: ValType, to: u8, base: u8, offset: usize) {
        self.memory(float_prefix(ty), false, &[0x0f, 0x10], to, base, offset);
    }

    fn store_float(&mut self, ty: ValType, from: u8, base: u8, offset: usize) {
        self.memory(float_prefix(ty), false, &[0x0f, 0x11], from, base, offset);
    }

    fn compare_word(&mut self, base: u8, offset: usize, value: u32) {
        self.memory(&[], true, &[0x81], 7, base, offset);
        self.bytes(&value.to_le_bytes());
    }

    fn clear_word(&mut self, base: u8, offset: usize) {
        self.memory(&[], true, &[0xc7], 0, base, offset);
        self.bytes(&0_u32.to_le_bytes());
    }

    fn call_memory(&mut self, base: u8, offset: usize) {
        self.memory(&[], false, &[0xff], 2, base, offset);
    }

    fn jump_memory(&mut self, base: u8, offset: usize) {
        self.memory(&[], false, &[0xff], 4, base, offset);
    }

    fn ret(&mut self) {
        self.bytes(&[0xc3]);
    }

    fn add_rsp(&mut self, bytes: i32) {
        self.bytes(&[0x48, 0x81, 0xc4]);
        self.bytes(&bytes.to_le_bytes());
    }

    fn jump(&mut self, condition: u8, label: Label) {
        self.bytes(&[0x0f, 0x80 | condition]);
        self.jumps.push((self.bytes.len(), label));
        self.bytes(&[0; 4]);
    }

    /// A jump over a few instructions, to where [`Code::land`] is called.
    fn jump_short(&mut self, condition: u8) -> usize {
        self.bytes(&[0x70 | condition, 0]);
        self.bytes.len()
    }

    fn land(&mut self, jump: usize) {
        self.bytes[jump - 1] = (self.bytes.len() - jump) as u8;
    }

    fn bind(&mut self, label: Label) {
        let here = self.bytes.len();
        for (at, _) in self.jumps.extract_if(.., |(_, to)| *to == label) {
            let displacement = (here - at - 4) as u32;
            self.bytes[at..at + 4].copy_from_slice(&displacement.to_le_bytes());
        }
    }

    fn begin_frame(&mut self) {
        self.push(RBP);
        self.move_register(RBP, RSP);
    }

    /// Takes a frame back from which a function of wasm was called. That has preserved what C wants
    /// back.
    fn end_frame(&mut self, frame: usize) {
        self.add_rsp(frame as i32);
        self.pop(RBP);
    }

    /// Saves what C wants back if the function traps, and writes the witness.
    fn save(&mut self, entry: Entry, scratch: u8) {
        for register in [RBX, R12, R13, R14, R15] {
            self.push(register);
        }
        self.move_address(scratch, WITNESS ^ entry as usize);
        self.registers(0x31, RBP, scratch);
        self.push(scratch);
    }

    /// The elements of a vector, in `to`; goes on elsewhere if its size is as `wrong` says, or there
    /// are none.
    fn vector(&mut self, vector: u8, size: usize, wrong: u8, to: u8) {
        self.test(vector);
        self.jump(EQUAL, Label::Unusual);
        self.compare_word(vector, offset_of!(VMVector, size), size as u32);
        self.jump(wrong, Label::Unusual);
        self.load_word(to, vector, offset_of!(VMVector, data));
        self.test(to);
        self.jump(EQUAL, Label::Unusual);
    }

    /// An instruction with a register, or what stands in its place, and a word of the thread's block.
    fn thread(&mut self, op: &[u8], reg: u8, field: usize) {
        let field = thread_offset() + field as i32;
        // fs:[…]
        self.bytes(&[0x64]);
        self.rex(true, reg, 0);
        self.bytes(op);
        self.bytes(&[0x04 | (reg & 7) << 3, 0x25]);
        self.bytes(&field.to_le_bytes());
    }

    /// Goes on elsewhere if the runtime has to look at something before wasm is entered, and sees to
    /// the stack limit: the entry will take `frame` bytes. The thread's activation for such entries is in `rax` then.
    fn begin_entry(&mut self, store: u8, scratch: u8, frame: usize) {
        self.stack_after(scratch, frame);
        self.thread(&[0x33], scratch, offset_of!(VMThread, mark));
        self.memory(&[], true, &[0x3b], scratch, store, offset_of!(VMStore, entered_from));
        self.jump(NOT_EQUAL, Label::Settle);
        self.settled = self.bytes.len();
        // Another entry on this thread or into this store, or anything else.
        self.thread(&[0x8b], RAX, offset_of!(VMThread, outermost));
        self.check_idle(store, scratch);
    }

    /// The stack pointer after `frame` more bytes.
    fn stack_after(&mut self, to: u8, frame: usize) {
        // lea to, [rsp - frame]
        self.memory_at(&[], true, &[0x8d], to, RSP, -(frame as i32));
    }

    fn check_idle(&mut self, store: u8, scratch: u8) {
        self.load_word(scratch, RAX, offset_of!(VMActivation, resume_fp));
        self.memory(&[], true, &[0x0b], scratch, store, offset_of!(VMStore, innermost));
        self.memory(&[], true, &[0x0b], scratch, store, offset_of!(VMStore, unusual));
        self.jump(NOT_EQUAL, Label::Unusual);
    }

    /// Sets the stack limit for entries with this stack pointer and frame, if the runtime need not look at
    /// anything; then goes on in the entry.
    fn settle(&mut self, store: u8, scratch: u8, frame: usize) {
        self.bind(Label::Settle);
        self.thread(&[0x8b], RAX, offset_of!(VMThread, outermost));
        self.test(RAX);
        self.jump(EQUAL, Label::Unusual);
        self.check_idle(store, scratch);
        // The stack has to be the thread's own, and to have room for this frame and the callee's
        // arguments; what the callee needs itself it compares with the limit.
        self.move_register(scratch, RSP);
        self.thread(&[0x2b], scratch, offset_of!(VMThread, direct_floor));
        self.thread(&[0x3b], scratch, offset_of!(VMThread, direct_span));
        self.jump(NOT_BELOW, Label::Unusual);
        // sub, cmp, cmovl: the larger of both limits
        self.stack_after(RAX, frame);
        self.memory(&[], true, &[0x2b], RAX, store, offset_of!(VMStore, max_stack));
        self.thread(&[0x3b], RAX, offset_of!(VMThread, floor));
        self.thread(&[0x0f, 0x4c], RAX, offset_of!(VMThread, floor));
        self.store(true, RAX, store, offset_of!(VMStore, stack_limit));
        // It may say where another thread has left wasm.
        self.clear_word(store, offset_of!(VMStore, exit) + offset_of!(VMExit, sp));
        self.stack_after(scratch, frame);
        self.thread(&[0x33], scratch, offset_of!(VMThread, mark));
        self.store(true, scratch, store, offset_of!(VMStore, entered_from));
        self.bytes(&[0xe9]);
        let displacement = self.settled.wrapping_sub(self.bytes.len() + 4) as u32;
        self.bytes(&displacement.to_le_bytes());
    }

    /// Notes that wasm is entered. The activation is in `rax`.
    fn note_entry(&mut self, store: u8) {
        // In this order: from a thread's newest entry a store can be told what it has lost, should a
        // signal handler jump out of here, but not the other way round.
        self.store(true, store, RAX, offset_of!(VMActivation, store));
        self.store(true, RBP, RAX, offset_of!(VMActivation, resume_fp));
        self.store(true, RAX, store, offset_of!(VMStore, innermost));
    }

    /// Notes that the entry is over; goes on elsewhere if there is something to be done then. The
    /// witness may go on saying what it does: nothing refers to it.
    fn end_entry(&mut self, store: u8, activation: u8) {
        self.clear_word(store, offset_of!(VMStore, innermost));
        self.clear_word(activation, offset_of!(VMActivation, resume_fp));
        self.compare_word(store, offset_of!(VMStore, unusual), 0);
        self.jump(NOT_EQUAL, Label::Cleanup);
    }

    /// Makes room for words that are passed on the stack. The function called takes it back.
    fn reserve_stack(&mut self, words: usize) {
        if words > 0 {
            self.add_rsp(-((8 * words).next_multiple_of(16) as i32));
        }
    }

    fn go_on_in_end(&mut self, store: u8, ended: u32) {
        self.load_word(RAX, store, offset_of!(VMStore, end_array_call));
        // mov ecx, ended; jmp rax
        self.bytes(&[0xb9]);
        self.bytes(&ended.to_le_bytes());
        self.bytes(&[0xff, 0xe0]);
    }
}

fn float_prefix(ty: ValType) -> &'static [u8] {
    if machine_type(ty) == MachineType::F32 { &[0xf3] } else { &[0xf2] }
}

// What is compared as one word, and what is called as the first word of a function.
const _: () = assert!(
    offset_of!(VMStore, trap_waiting) == offset_of!(VMStore, unusual) + 4
        && offset_of!(VMStore, unusual).is_multiple_of(8)
        && offset_of!(VMContext, store) == 8
);
