//! Starting and ending programs.

use super::call::{Call, STACK_ALLOC, call};
use super::export;
use crate::engine::{Error, Func, Instance, Trap, Val};
use crate::wasi::{Exit, Wasi};

/// Names of a program's function `main`.
pub(super) const MAIN: &[&str] = &["main", "__main_argc_argv", "__original_main", "__main_void"];

/// What runs before `main`, in order, as far as the module exports it.
const BEFORE_MAIN: [&str; 2] = ["emscripten_stack_init", "__wasm_call_ctors"];

/// What runs when the program ends, in order, as far as the module exports it: what it has said
/// to call then, and the writing of what its streams have kept.
const AT_EXIT: [&[&str]; 2] = [&["__funcs_on_exit"], &["__stdio_exit"]];

/// Runs a program that exports `main`: its constructors, `main` with the arguments that `wasi` has,
/// and what it runs when it ends.
///
/// # Errors
///
/// [`Error::Trap`] when the program traps, or ends with a status that is not 0: then the trap's data
/// is [`Exit`]. [`Error::Type`] when it exports no `main`, or it is of another type.
pub fn start(wasi: &Wasi, instance: &Instance) -> Result<(), Error> {
    let Some(main) = export(instance, MAIN) else {
        return Err(Error::Type("the module exports no function named `main`".to_owned()));
    };
    for name in BEFORE_MAIN {
        if let Some(func) = instance.func(name) {
            func.call(&[])?;
        }
    }
    let args = match main.ty().params() {
        [] => Vec::new(),
        _ => arguments(wasi, instance)?.to_vec(),
    };
    let status = match main.call(&args)?.first() {
        Some(Val::I32(status)) => status.cast_unsigned(),
        _ => 0,
    };
    at_exit(instance)?;
    if status == 0 { Ok(()) } else { Err(Error::Trap(exit_with(status))) }
}

fn exit_with(status: u32) -> Trap {
    Trap::with_data(format!("exit with status {status}"), Exit(status))
}

fn at_exit(instance: &Instance) -> Result<(), Trap> {
    for names in AT_EXIT {
        if let Some(func) = export(instance, names) {
            call(&func, &[])?;
        }
    }
    Ok(())
}

/// Writes the arguments to the guest's stack; `argc` and `argv`.
fn arguments(wasi: &Wasi, instance: &Instance) -> Result<[Val; 2], Error> {
    let missing = || Error::Type("the module has no stack for arguments".to_owned());
    let alloc = export(instance, STACK_ALLOC).ok_or_else(missing)?;
    let memory = instance.memory("memory").ok_or_else(missing)?;
    let args = wasi.context.borrow().args.clone();
    let argv = |len: usize| stack_alloc(&alloc, len);
    let mut pointers = Vec::with_capacity(args.len() + 1);
    for mut arg in args {
        arg.push(0);
        let address = argv(arg.len())?;
        memory.write(address.into(), &arg)?;
        pointers.push(address);
    }
    let count = pointers.len() as i32;
    pointers.push(0);
    let bytes: Vec<u8> = pointers.iter().flat_map(|pointer| pointer.to_le_bytes()).collect();
    let address = argv(bytes.len())?;
    memory.write(address.into(), &bytes)?;
    Ok([Val::I32(count), Val::I32(address.cast_signed())])
}

fn stack_alloc(alloc: &Func, len: usize) -> Result<u32, Error> {
    // The stack pointer stays a multiple of 16.
    let len = i32::try_from(len.next_multiple_of(16));
    let len = len.map_err(|_| Error::Limit("the arguments do not fit".to_owned()))?;
    match alloc.call(&[Val::I32(len)])?.first() {
        Some(Val::I32(address)) => Ok(address.cast_unsigned()),
        _ => Err(Error::Type("the module's stack is of another kind".to_owned())),
    }
}

/// Ends the program as `exit` does: what it has said to call then is called.
pub(super) fn exit(call: &Call, status: u32) -> Result<(), Trap> {
    at_exit(&call.instance()?)?;
    Err(exit_with(status))
}

/// Ends the program at once.
pub(super) fn exit_now(_: &Call, status: u32) -> Result<(), Trap> {
    Err(exit_with(status))
}

pub(super) fn abort(_: &Call) -> Result<(), Trap> {
    Err(Trap::new("the program has called abort"))
}

pub(super) fn __assert_fail(
    call: &Call,
    condition: u32,
    file: u32,
    line: u32,
    func: u32,
) -> Result<(), Trap> {
    let (condition, file) = (call.text(condition)?, call.text(file)?);
    let func = if func == 0 { String::new() } else { format!(", {}", call.text(func)?) };
    Err(Trap::new(format!("assertion failed: {condition} ({file}:{line}{func})")))
}

/// What a check that the compiler has put in finds.
pub(super) fn __handle_stack_overflow(_: &Call, _pointer: u32) -> Result<(), Trap> {
    Err(Trap::new("the program's own stack is full"))
}

/// Whether there is a command processor, and its result: there is none.
pub(super) fn system(_: &Call, command: u32) -> i32 {
    if command == 0 { 0 } else { -1 }
}

/// The number of a user or of a group: a guest is as good as the only one.
pub(super) fn nobody(_: &Call) -> u32 {
    0
}
