//! C++ exceptions of modules that are built without those of WebAssembly.
//!
//! The guest decides what catches an exception, and the host what is thrown and handled. That is
//! so for modules that let the host allocate exceptions: then each has a header in front whose form
//! is the host's business. The functions that newer modules import besides are refused by name.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::State;
use super::call::Call;
use super::invoke::unwind;
use crate::engine::{Error, Func, FuncType, Module, Store, Trap, Val};
use crate::wasi::errno::Errno;

/// The exceptions of a guest.
pub(super) struct Exceptions {
    /// Whether the host allocates them.
    allocated_here: bool,
    /// The exception in flight, or 0.
    last: Cell<u32>,
    /// The number of those that are thrown and not caught yet.
    uncaught: Cell<u32>,
    /// What is being handled, innermost last: the [`Catch`] of each.
    handled: RefCell<Vec<Catch>>,
}

impl Exceptions {
    /// No exceptions yet.
    pub(super) fn of(module: &Module) -> Exceptions {
        let allocates = |name| name == "__cxa_allocate_exception";
        Exceptions {
            allocated_here: module.imports().any(|import| allocates(import.name)),
            last: Cell::new(0),
            uncaught: Cell::new(0),
            handled: RefCell::default(),
        }
    }

    /// Whether what handles exceptions can be given to the module.
    pub(super) fn are_handled(&self) -> bool {
        self.allocated_here
    }
}

/// The address of an exception; the header is in front of it.
#[derive(Clone, Copy)]
struct Exception(u32);

/// Bytes of the header.
const HEADER: u32 = 16;

/// A field of the header, by its distance from the exception.
#[derive(Clone, Copy)]
enum Field {
    /// How many refer to the exception.
    Count = 16,
    /// The address of its type.
    Type = 12,
    /// Its destructor in the function table, or 0.
    Destructor = 8,
    /// Flags: [`CAUGHT`], [`RETHROWN`].
    Flags = 4,
}

const CAUGHT: u32 = 1;
const RETHROWN: u32 = 2;

/// What the guest has for an exception that is caught: the address of a record of two addresses,
/// the exception's and that of the part that what catches it sees.
#[derive(Clone, Copy)]
struct Catch(u32);

/// Bytes of the record.
const RECORD: u32 = 8;

fn fault(_: Errno) -> Trap {
    Trap::new("an exception outside of the module's memory")
}

impl Call<'_> {
    fn word(&self, address: u32) -> Result<u32, Trap> {
        self.guest()?.get(address).map(u32::from_le_bytes).map_err(fault)
    }

    fn set_word(&self, address: u32, value: u32) -> Result<(), Trap> {
        self.guest()?.put_u32(address, value).map_err(fault)
    }

    fn malloc(&self, size: u32) -> Result<u32, Trap> {
        match self.call(&["malloc"], &[size])? {
            0 => Err(Trap::new("no memory for an exception")),
            address => Ok(address),
        }
    }

    fn field(&self, exception: Exception, field: Field) -> Result<u32, Trap> {
        self.word(exception.0.wrapping_sub(field as u32))
    }

    fn set_field(&self, exception: Exception, field: Field, value: u32) -> Result<(), Trap> {
        self.set_word(exception.0.wrapping_sub(field as u32), value)
    }

    /// Sets a flag of an exception; whether it was set before.
    fn set_flag(&self, exception: Exception, flag: u32, value: bool) -> Result<bool, Trap> {
        let flags = self.field(exception, Field::Flags)?;
        let new = if value { flags | flag } else { flags & !flag };
        self.set_field(exception, Field::Flags, new)?;
        Ok(flags & flag != 0)
    }

    fn refer(&self, exception: Exception) -> Result<(), Trap> {
        let count = self.field(exception, Field::Count)?;
        self.set_field(exception, Field::Count, count.wrapping_add(1))
    }

    /// Refers to an exception no more: destroys it if nothing else does.
    fn release(&self, exception: Exception) -> Result<(), Trap> {
        let count = self.field(exception, Field::Count)?;
        self.set_field(exception, Field::Count, count.wrapping_sub(1))?;
        // What is thrown again is referred to by what catches it next.
        if count != 1 || self.field(exception, Field::Flags)? & RETHROWN != 0 {
            return Ok(());
        }
        let destructor = self.field(exception, Field::Destructor)?;
        if destructor != 0 {
            self.call_element(destructor, &[Val::I32(exception.0.cast_signed())])?;
        }
        __cxa_free_exception(self, exception.0)
    }

    fn caught(&self, catch: Catch) -> Result<Exception, Trap> {
        self.word(catch.0).map(Exception)
    }

    fn new_catch(&self, exception: Exception) -> Result<Catch, Trap> {
        let catch = self.malloc(RECORD)?;
        self.set_word(catch, exception.0)?;
        self.set_word(catch.wrapping_add(4), exception.0)?;
        Ok(Catch(catch))
    }

    fn free(&self, address: u32) -> Result<(), Trap> {
        self.call(&["free"], &[address]).map(drop)
    }

    /// The trap that throws an exception.
    fn throw(&self, exception: Exception) -> Trap {
        self.state.exceptions.last.set(exception.0);
        unwind("a C++ exception that nothing catches")
    }

    fn count_uncaught(&self, change: i32) {
        let uncaught = &self.state.exceptions.uncaught;
        uncaught.set(uncaught.get().saturating_add_signed(change));
    }
}

pub(super) fn __cxa_allocate_exception(call: &Call, size: u32) -> Result<u32, Trap> {
    let size = size.checked_add(HEADER).ok_or_else(|| Trap::new("no memory for an exception"))?;
    Ok(call.malloc(size)?.wrapping_add(HEADER))
}

pub(super) fn __cxa_free_exception(call: &Call, exception: u32) -> Result<(), Trap> {
    call.free(exception.wrapping_sub(HEADER))
}

pub(super) fn __cxa_throw(
    call: &Call,
    exception: u32,
    ty: u32,
    destructor: u32,
) -> Result<(), Trap> {
    let exception = Exception(exception);
    // The header of what the guest has allocated is its own; nothing catches that.
    if call.state.exceptions.allocated_here {
        call.set_field(exception, Field::Count, 0)?;
        call.set_field(exception, Field::Type, ty)?;
        call.set_field(exception, Field::Destructor, destructor)?;
        call.set_field(exception, Field::Flags, 0)?;
    }
    call.count_uncaught(1);
    Err(call.throw(exception))
}

pub(super) fn __cxa_rethrow(call: &Call) -> Result<(), Trap> {
    let last = call.state.exceptions.handled.borrow().last().copied();
    let Some(catch) = last else { return Err(Trap::new("no exception to throw again")) };
    let exception = call.caught(catch)?;
    // The handler still ends what it has begun.
    if !call.set_flag(exception, RETHROWN, true)? {
        call.set_flag(exception, CAUGHT, false)?;
        call.count_uncaught(1);
    }
    Err(call.throw(exception))
}

pub(super) fn __cxa_begin_catch(call: &Call, catch: u32) -> Result<u32, Trap> {
    let catch = Catch(catch);
    let exception = call.caught(catch)?;
    if !call.set_flag(exception, CAUGHT, true)? {
        call.count_uncaught(-1);
    }
    call.set_flag(exception, RETHROWN, false)?;
    call.state.exceptions.handled.borrow_mut().push(catch);
    call.refer(exception)?;
    __cxa_get_exception_ptr(call, catch.0)
}

pub(super) fn __cxa_end_catch(call: &Call) -> Result<(), Trap> {
    call.call(&["setThrew"], &[0, 0])?;
    let ended = call.state.exceptions.handled.borrow_mut().pop();
    let Some(catch) = ended else { return Err(Trap::new("no exception is being handled")) };
    call.release(call.caught(catch)?)?;
    call.free(catch.0)?;
    call.state.exceptions.last.set(0);
    Ok(())
}

/// What a handler sees of an exception: a pointer that is thrown, or an address.
pub(super) fn __cxa_get_exception_ptr(call: &Call, catch: u32) -> Result<u32, Trap> {
    let exception = call.caught(Catch(catch))?;
    let ty = call.field(exception, Field::Type)?;
    if call.call(&["__cxa_is_pointer_type"], &[ty])? != 0 {
        return call.word(exception.0);
    }
    call.word(catch.wrapping_add(4))
}

pub(super) fn __cxa_uncaught_exceptions(call: &Call) -> u32 {
    call.state.exceptions.uncaught.get()
}

pub(super) fn __cxa_call_unexpected(_: &Call, _exception: u32) -> Result<(), Trap> {
    Err(Trap::new("an exception that its function has said not to throw"))
}

pub(super) fn __cxa_increment_exception_refcount(call: &Call, exception: u32) -> Result<(), Trap> {
    if exception == 0 { Ok(()) } else { call.refer(Exception(exception)) }
}

pub(super) fn __cxa_decrement_exception_refcount(call: &Call, exception: u32) -> Result<(), Trap> {
    if exception == 0 { Ok(()) } else { call.release(Exception(exception)) }
}

pub(super) fn __cxa_current_primary_exception(call: &Call) -> Result<u32, Trap> {
    let last = call.state.exceptions.handled.borrow().last().copied();
    let Some(catch) = last else { return Ok(0) };
    let exception = call.caught(catch)?;
    call.refer(exception)?;
    Ok(exception.0)
}

pub(super) fn __cxa_rethrow_primary_exception(call: &Call, exception: u32) -> Result<(), Trap> {
    if exception == 0 {
        return Ok(());
    }
    // Nothing handles the exception here: it is thrown as if it were new.
    let exception = Exception(exception);
    call.set_flag(exception, CAUGHT, false)?;
    call.count_uncaught(1);
    Err(call.throw(exception))
}

/// Unwinds further, past a function that has only cleaned up.
#[allow(non_snake_case, reason = "the name is Emscripten's")]
pub(super) fn __resumeException(call: &Call, catch: u32) -> Result<(), Trap> {
    let exception = call.caught(Catch(catch))?;
    call.free(catch)?;
    Err(call.throw(exception))
}

/// A type is its own number.
pub(super) fn llvm_eh_typeid_for(_: &Call, ty: u32) -> u32 {
    ty
}

/// The function `__cxa_find_matching_catch_…`, whose arguments are the types that are caught.
pub(super) fn find_matching_catch(
    store: &Store,
    state: &Rc<State>,
    name: &str,
    ty: &FuncType,
) -> Option<Result<Func, Error>> {
    if !name.starts_with("__cxa_find_matching_catch_") || !state.exceptions.are_handled() {
        return None;
    }
    let state = state.clone();
    Some(Func::new(store, ty.clone(), move |caller, args, results| {
        let call = Call { caller, state: &state };
        let types: Vec<u32> = args
            .iter()
            .filter_map(|arg| match arg {
                Val::I32(ty) => Some(ty.cast_unsigned()),
                _ => None,
            })
            .collect();
        let (catch, ty) = matching_catch(&call, &types)?;
        call.set_temp_ret(ty)?;
        if let Some(result) = results.first_mut() {
            *result = Val::I32(catch.cast_signed());
        }
        Ok(())
    }))
}

/// The record of the exception in flight, and the first of the types that catches it, or its own.
fn matching_catch(call: &Call, types: &[u32]) -> Result<(u32, u32), Trap> {
    let last = call.state.exceptions.last.get();
    if last == 0 {
        return Ok((0, 0));
    }
    let exception = Exception(last);
    let thrown = call.field(exception, Field::Type)?;
    let catch = call.new_catch(exception)?;
    if thrown == 0 {
        return Ok((catch.0, 0));
    }
    for ty in types {
        // A type of 0 catches everything.
        if *ty == 0 || *ty == thrown {
            break;
        }
        if call.call(&["__cxa_can_catch"], &[*ty, thrown, catch.0.wrapping_add(4)])? != 0 {
            return Ok((catch.0, *ty));
        }
    }
    Ok((catch.0, thrown))
}
