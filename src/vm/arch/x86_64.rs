//! x86-64.

use std::arch::{asm, global_asm, naked_asm};
use std::mem::offset_of;
use std::ops::Range;

use crate::abi::code::{Hole, Template};
use crate::abi::layout::{VMActivation, VMContext, VMStore, VMThread};
use crate::abi::libcalls::{Libcall, for_each_libcall};
use crate::abi::signature::{MachineType, PAYLOAD, SLOT, machine_type};
use crate::vm::code::CodeSpace;
use crate::vm::enter::Thread;
use crate::vm::signature::EntryTrampoline;
use crate::wasm::FuncType;

pub mod direct;
mod features;

pub use features::features;

// The thread block. It is declared here because Rust has no stable way to ask for the initial-exec
// model, in which reading a thread-local variable calls nothing and allocates nothing: a signal
// handler may do it anywhere.
global_asm!(
    ".pushsection .tbss.tenon_thread, \"awT\", @nobits",
    ".balign 16",
    ".hidden tenon_thread",
    ".globl tenon_thread",
    ".type tenon_thread, @object",
    ".size tenon_thread, {size}",
    "tenon_thread:",
    ".zero {size}",
    ".popsection",
    size = const size_of::<Thread>(),
);

/// The current thread's block; zeroed when the thread starts.
#[inline]
pub fn thread() -> *mut Thread {
    let thread: *mut Thread;
    // SAFETY: reads the variable's offset and the thread pointer; nothing else.
    unsafe {
        asm!(
            "mov {thread}, qword ptr [rip + tenon_thread@gottpoff]",
            "add {thread}, qword ptr fs:[0]",
            thread = out(reg) thread,
            options(pure, nomem, nostack),
        );
    }
    thread
}

/// Where the thread's block is, counted from what the thread pointer points to.
fn thread_offset() -> i32 {
    let offset: isize;
    // SAFETY: reads the variable's offset; nothing else.
    unsafe {
        asm!(
            "mov {offset}, qword ptr [rip + tenon_thread@gottpoff]",
            offset = out(reg) offset,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    i32::try_from(offset).expect("thread-local variables are near the thread pointer")
}

/// The code of a template. The operand of each of its holes belongs to a `movabs`.
pub fn fill(template: &Template) -> Vec<u8> {
    const MOVABS: usize = 2;
    let mut code = template.bytes.clone();
    for (offset, hole) in &template.holes {
        let operand = *offset as usize;
        let place = &mut code[operand - MOVABS..operand + 8];
        let (rex, register) = (place[0], place[1] & 7);
        assert!(rex & 0xfe == 0x48 && place[1] & 0xf8 == 0xb8, "a hole is an operand of movabs");
        match hole {
            Hole::Activation => {
                let field = thread_offset() + offset_of!(VMThread, activation) as i32;
                // mov register, fs:[field], with a prefix that changes nothing but its length
                place[..6].copy_from_slice(&[
                    0x66,
                    0x64,
                    0x48 | (rex & 1) << 2,
                    0x8b,
                    0x04 | register << 3,
                    0x25,
                ]);
                place[6..].copy_from_slice(&field.to_le_bytes());
            }
        }
    }
    code
}

/// The body of a naked C function of at most one parameter: goes on in `$function`, which gets that
/// parameter and the address to which it returns.
macro_rules! with_return_address {
    ($function:path) => {
        std::arch::naked_asm!("mov rsi, [rsp]", "jmp {}", sym $function)
    };
}
pub(crate) use with_return_address;

/// The stack pointer, about.
#[inline]
pub fn stack_pointer() -> usize {
    let sp: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// Goes on at `pc` with the given stack and frame pointers. The frames in between are gone.
///
/// # Safety
///
/// The three belong together, as an entry trampoline has noted them, and its frame is live; no
/// frame in between has anything left to do.
pub unsafe fn resume(pc: usize, sp: usize, fp: usize) -> ! {
    // SAFETY: the caller's contract.
    unsafe {
        asm!(
            "mov rsp, {sp}",
            "mov rbp, {fp}",
            "jmp {pc}",
            pc = in(reg) pc,
            sp = in(reg) sp,
            fp = in(reg) fp,
            options(noreturn),
        )
    }
}

/// Goes on at the handler of a call that has thrown, at `pc` with the given stack and frame
/// pointers, and with `payload` where the calling convention has what is thrown.
///
/// # Safety
///
/// The frame is live and its function expects to go on there; no frame in between has anything
/// left to do.
pub unsafe fn resume_with(pc: usize, sp: usize, fp: usize, payload: [usize; 2]) -> ! {
    // SAFETY: the caller's contract.
    unsafe {
        asm!(
            "mov rsp, {sp}",
            "mov rbp, {fp}",
            "jmp {pc}",
            pc = in(reg) pc,
            sp = in(reg) sp,
            fp = in(reg) fp,
            in("rax") payload[0],
            in("rdx") payload[1],
            options(noreturn),
        )
    }
}

/// Where a C function is made to return that wasm's own call has gone on in, if something has to be
/// looked at then.
pub fn return_place() -> usize {
    returned as *const () as usize
}

/// Goes on in wasm with what the C function has returned, which leads here in place of its caller.
#[unsafe(naked)]
unsafe extern "C" fn returned() {
    naked_asm!(
        "sub rsp, 8",
        "push rax",
        "sub rsp, 16",
        "movsd [rsp], xmm0",
        "lea rdi, [rsp + 24]",
        "call {returned}",
        "mov [rsp + 24], rax",
        "movsd xmm0, [rsp]",
        "add rsp, 16",
        "pop rax",
        "ret",
        returned = sym crate::vm::leave::returned,
    )
}

/// Calls `function(argument)` on the stack that ends at `top`.
///
/// Walks over frames, like those that panics print, get from that stack to this one.
///
/// # Safety
///
/// The stack is large enough and used by nobody else; the function does not unwind.
#[unsafe(naked)]
pub unsafe extern "C" fn call_on(
    top: *mut u8,
    function: unsafe extern "C" fn(*mut std::ffi::c_void),
    argument: *mut std::ffi::c_void,
) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdi",
        "mov rdi, rdx",
        "call rsi",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// An entry trampoline: saves what C wants back, sets the stack limit, notes how to get back, loads the
/// parameters, calls, and stores the result. The same as `compile` makes.
macro_rules! entry {
    ([$($load:literal)*] [$($store:literal)*]) => {{
        #[unsafe(naked)]
        unsafe extern "C" fn entry(
            _code: *const u8,
            _context: *mut VMContext,
            _args: *mut u8,
            _results: *mut u8,
            _activation: *mut VMActivation,
        ) -> u32 {
            naked_asm!(
                ".cfi_startproc",
                "push rbp",
                ".cfi_def_cfa_offset 16",
                ".cfi_offset rbp, -16",
                "mov rbp, rsp",
                ".cfi_def_cfa_register rbp",
                "push rbx",
                "push r12",
                "push r13",
                "push r14",
                "push r15",
                "push rcx",
                "mov rax, [r8 + {store}]",
                "mov r10, rsp",
                "sub r10, [rax + {max_stack}]",
                "mov r11, [r8 + {floor}]",
                "cmp r10, r11",
                "cmovl r10, r11",
                "mov [rax + {stack_limit}], r10",
                "lea rax, [rip + 2f]",
                "mov [r8 + {resume_pc}], rax",
                "mov [r8 + {resume_sp}], rsp",
                "mov [r8 + {resume_fp}], rbp",
                "mov r10, rdi",
                "mov r11, rdx",
                "mov rdi, rsi",
                $($load,)*
                "call r10",
                "mov rcx, [rbp - 48]",
                $($store,)*
                "xor eax, eax",
                "3:",
                "mov rbx, [rbp - 8]",
                "mov r12, [rbp - 16]",
                "mov r13, [rbp - 24]",
                "mov r14, [rbp - 32]",
                "mov r15, [rbp - 40]",
                "leave",
                ".cfi_remember_state",
                ".cfi_def_cfa rsp, 8",
                "ret",
                ".cfi_restore_state",
                "2:",
                "mov eax, 1",
                "jmp 3b",
                ".cfi_endproc",
                store = const offset_of!(VMActivation, store),
                floor = const offset_of!(VMActivation, floor),
                resume_pc = const offset_of!(VMActivation, resume_pc),
                resume_sp = const offset_of!(VMActivation, resume_sp),
                resume_fp = const offset_of!(VMActivation, resume_fp),
                max_stack = const offset_of!(VMStore, max_stack),
                stack_limit = const offset_of!(VMStore, stack_limit),
            )
        }
        entry as EntryTrampoline
    }};
}

/// Entry trampolines by the number of integers that the function takes, for each way to store a result.
macro_rules! entries {
    ($($store:tt)*) => {
        [$([
            entry!([] $store),
            entry!(["mov rsi, [r11 + 8]"] $store),
            entry!(["mov rsi, [r11 + 8]" "mov rdx, [r11 + 24]"] $store),
            entry!(["mov rsi, [r11 + 8]" "mov rdx, [r11 + 24]" "mov rcx, [r11 + 40]"] $store),
            entry!([
                "mov rsi, [r11 + 8]" "mov rdx, [r11 + 24]" "mov rcx, [r11 + 40]"
                "mov r8, [r11 + 56]"
            ] $store),
            entry!([
                "mov rsi, [r11 + 8]" "mov rdx, [r11 + 24]" "mov rcx, [r11 + 40]"
                "mov r8, [r11 + 56]" "mov r9, [r11 + 72]"
            ] $store),
        ]),*]
    };
}

static ENTRIES: [[EntryTrampoline; 6]; 5] = entries! {
    []
    ["mov [rcx + 8], eax"]
    ["mov [rcx + 8], rax"]
    ["movss [rcx + 8], xmm0"]
    ["movsd [rcx + 8], xmm0"]
};
const _: () = assert!(SLOT == 16 && PAYLOAD == 8);

/// The entry trampoline of a type that takes a few integers or references, and returns one value at
/// most: these need not be compiled.
pub fn entry(ty: &FuncType) -> Option<EntryTrampoline> {
    use MachineType::{F32, F64, I32, I64, Pointer};
    let result = match ty.results() {
        [] => 0,
        [result] => match machine_type(*result) {
            I32 => 1,
            I64 | Pointer => 2,
            F32 => 3,
            F64 => 4,
            MachineType::V128 => return None,
        },
        _ => return None,
    };
    let integers = ty.params().iter().all(|ty| matches!(machine_type(*ty), I32 | I64 | Pointer));
    ENTRIES[result].get(ty.params().len()).filter(|_| integers).copied()
}

/// The caller's frame pointer and return address, as a frame has them at its frame pointer.
///
/// # Safety
///
/// `fp` is the frame pointer of a live frame of compiled code.
pub unsafe fn caller(fp: usize) -> (usize, usize) {
    let frame = fp as *const [usize; 2];
    // SAFETY: compiled code keeps frame pointers: the saved one, then the return address.
    let [caller_fp, return_pc] = unsafe { *frame };
    (caller_fp, return_pc)
}

macro_rules! stubs {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ident),*) $(-> $result:ident)?;)*) => {
        /// What compiled code calls: each notes where wasm was left and goes on to the body.
        mod stub {
            use super::*;

            $(#[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name() {
                naked_asm!(
                    "mov rax, [rdi + {store}]",
                    "mov r10, [rsp]",
                    "mov [rax + {exit_fp}], rbp",
                    "mov [rax + {exit_pc}], r10",
                    "jmp {body}",
                    store = const offset_of!(VMContext, store),
                    exit_fp = const offset_of!(VMStore, exit.fp),
                    exit_pc = const offset_of!(VMStore, exit.pc),
                    body = sym crate::vm::libcalls::raw::$name,
                )
            })*
        }

        /// The address of each libcall.
        pub fn libcall_table() -> [usize; Libcall::ALL.len()] {
            [$(stub::$name as *const () as usize),*]
        }
    };
}
for_each_libcall!(stubs);

/// Bytes of a function's stub.
pub const STUB_SIZE: usize = 24;

/// Where in its stub the part begins that asks for code.
pub const STUB_SECOND_HALF: usize = 8;

/// Bytes of the code at which all stubs of a code space end.
pub const DEMAND_STUB_SIZE: usize = 24;

/// The stub of function `func`: a jump through the slot, then a jump to `demand_stub` with the
/// function's number. All are addresses.
pub fn stub(stub: usize, slot: usize, demand_stub: usize, func: u32) -> [u8; STUB_SIZE] {
    let mut code = [0xcc; STUB_SIZE];
    let relative = |target: usize, from: usize| (target.wrapping_sub(from) as i32).to_le_bytes();
    // jmp [rip + slot]
    code[..2].copy_from_slice(&[0xff, 0x25]);
    code[2..6].copy_from_slice(&relative(slot, stub + 6));
    // mov r11d, func
    code[8..10].copy_from_slice(&[0x41, 0xbb]);
    code[10..14].copy_from_slice(&func.to_le_bytes());
    // jmp demand_stub
    code[14] = 0xe9;
    code[15..19].copy_from_slice(&relative(demand_stub, stub + 19));
    code
}

/// The code at which all stubs of `space` end.
pub fn demand_stub(space: *const CodeSpace) -> [u8; DEMAND_STUB_SIZE] {
    let mut code = [0xcc; DEMAND_STUB_SIZE];
    // mov r10, space
    code[..2].copy_from_slice(&[0x49, 0xba]);
    code[2..10].copy_from_slice(&(space as usize).to_le_bytes());
    // mov rax, demand; jmp rax
    code[10..12].copy_from_slice(&[0x48, 0xb8]);
    code[12..20].copy_from_slice(&(demand as *const () as usize).to_le_bytes());
    code[20..22].copy_from_slice(&[0xff, 0xe0]);
    code
}

/// Bytes that baseline code has before it, and how many of them end with the displacement of a jump.
pub const JUMP_SIZE: usize = 16;
pub const JUMP_END: usize = 8;

/// What baseline code has before it: a jump to it, which can be made to lead elsewhere.
pub fn jump() -> [u8; JUMP_SIZE] {
    let mut code = [0xcc; JUMP_SIZE];
    // A `nop`, so that the displacement is aligned; jmp to the end.
    code[..4].copy_from_slice(&[0x0f, 0x1f, 0x00, 0xe9]);
    code[4..JUMP_END].copy_from_slice(&((JUMP_SIZE - JUMP_END) as u32).to_le_bytes());
    code
}

/// The context that a function of compiled code was called with, by the first two of the registers
/// in which it gets what it is called with. It comes first, or second after the address of the
/// results if they lie in the caller's frame: in `frames`, where contexts never are.
pub fn context_argument(registers: [usize; 2], frames: Range<usize>) -> usize {
    if frames.contains(&registers[0]) { registers[1] } else { registers[0] }
}

/// Called in place of a function that has no code yet: number in `r11d`, code space in `r10`, the
/// function's arguments where it expects them. Asks for the code and goes on there as if nothing
/// had been.
#[unsafe(naked)]
unsafe extern "C" fn demand() {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, 176",
        "mov [rsp], rdi",
        "mov [rsp + 8], rsi",
        "mov [rsp + 16], rdx",
        "mov [rsp + 24], rcx",
        "mov [rsp + 32], r8",
        "mov [rsp + 40], r9",
        "movups [rsp + 48], xmm0",
        "movups [rsp + 64], xmm1",
        "movups [rsp + 80], xmm2",
        "movups [rsp + 96], xmm3",
        "movups [rsp + 112], xmm4",
        "movups [rsp + 128], xmm5",
        "movups [rsp + 144], xmm6",
        "movups [rsp + 160], xmm7",
        "mov rdi, r10",
        "mov esi, r11d",
        "mov rdx, [rbp]",
        "mov rcx, [rbp + 8]",
        "mov r8, rsp",
        "call {body}",
        "mov rdi, [rsp]",
        "mov rsi, [rsp + 8]",
        "mov rdx, [rsp + 16]",
        "mov rcx, [rsp + 24]",
        "mov r8, [rsp + 32]",
        "mov r9, [rsp + 40]",
        "movups xmm0, [rsp + 48]",
        "movups xmm1, [rsp + 64]",
        "movups xmm2, [rsp + 80]",
        "movups xmm3, [rsp + 96]",
        "movups xmm4, [rsp + 112]",
        "movups xmm5, [rsp + 128]",
        "movups xmm6, [rsp + 144]",
        "movups xmm7, [rsp + 160]",
        "leave",
        "jmp rax",
        body = sym crate::vm::leave::demand,
    )
}

/// Where [`Registers::redirect`] leads: makes room below whatever the interrupted code has on its
/// stack, and calls the landing with a stack pointer as the C convention wants it.
#[unsafe(naked)]
unsafe extern "C" fn land() {
    naked_asm!(
        "sub rsp, 256",
        "and rsp, -16",
        "call {landing}",
        "ud2",
        landing = sym crate::vm::trap::landing,
    )
}

/// The registers of interrupted code.
pub struct Registers<'a>(&'a mut libc::ucontext_t);

impl Registers<'_> {
    /// The registers that a signal handler was given.
    ///
    /// # Safety
    ///
    /// `context` is the third argument of the running handler.
    pub unsafe fn of_handler<'a>(context: *mut std::ffi::c_void) -> Registers<'a> {
        // SAFETY: the caller's contract.
        Registers(unsafe { &mut *context.cast() })
    }

    fn get(&self, register: i32) -> usize {
        self.0.uc_mcontext.gregs[register as usize] as usize
    }

    fn set(&mut self, register: i32, value: usize) {
        self.0.uc_mcontext.gregs[register as usize] = value as i64;
    }

    /// The address of the interrupted instruction.
    pub fn pc(&self) -> usize {
        self.get(libc::REG_RIP)
    }

    /// The frame pointer.
    pub fn fp(&self) -> usize {
        self.get(libc::REG_RBP)
    }

    /// See [`context_argument`]: before the prologue of the function has changed any register.
    /// The frames of compiled code end at `frames_end`.
    pub fn context_argument(&self, frames_end: usize) -> usize {
        let registers = [self.get(libc::REG_RDI), self.get(libc::REG_RSI)];
        context_argument(registers, self.get(libc::REG_RSP)..frames_end)
    }

    /// Makes the interrupted code go on in the runtime's landing, called with `args` and never to
    /// return, on the same stack.
    pub fn redirect(&mut self, args: [usize; 4]) {
        self.set(libc::REG_RIP, land as *const () as usize);
        self.set(libc::REG_RDI, args[0]);
        self.set(libc::REG_RSI, args[1]);
        self.set(libc::REG_RDX, args[2]);
        self.set(libc::REG_RCX, args[3]);
        let direction_flag = 1 << 10;
        self.set(libc::REG_EFL, self.get(libc::REG_EFL) & !direction_flag);
    }
}

/// Fills the pages among these words that have been written with zeros, and writes to no others. If
/// that takes long, nothing is done, and false returned.
pub fn wipe(words: &mut [u64]) -> bool {
    let is_fast = features::has_avx2();
    if is_fast {
        // SAFETY: the processor has what the function wants.
        unsafe { wipe_by_vectors(words) };
    }
    is_fast
}

#[target_feature(enable = "avx2")]
fn wipe_by_vectors(words: &mut [u64]) {
    const PAGE: usize = 4096 / size_of::<u64>();
    for page in words.chunks_mut(PAGE) {
        // Without an early end, so that it is a loop over vectors.
        if page.iter().fold(0, |any, word| any | word) != 0 {
            page.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wiping_finds_every_byte() {
        let mut words = vec![0; 3 * 512 + 5];
        for place in [0, 1, 511, 512, 1024, words.len() - 1] {
            words[place] = 1 << (place % 64);
            if !wipe(&mut words) {
                eprintln!("skipped: this processor has no wide vectors");
                return;
            }
            assert!(words.iter().all(|word| *word == 0));
        }
    }
}
