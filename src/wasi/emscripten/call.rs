//! Calls of these functions: access to the guest's memory, to what it exports and to its files.

use std::cell::Cell;

use super::{State, export};
use crate::engine::{Caller, Error, Func, Instance, Memory, Trap, Val};
use crate::wasi::errno::Errno;
use crate::wasi::guest::Guest;
use crate::wasi::{Context, Snapshot};

/// Names for what makes room on the guest's stack: those of older and of newer releases.
pub(super) const STACK_ALLOC: &[&str] = &["stackAlloc", "_emscripten_stack_alloc"];

/// The longest string of the guest's that is read.
const MAX_STRING: usize = 4096;

/// A call of a function that may call the guest back.
pub(super) struct Call<'a> {
    pub(super) caller: &'a Caller<'a>,
    pub(super) state: &'a State,
}

/// A call of a function that works on the guest's descriptors.
pub(super) struct Sys<'a> {
    pub(super) ctx: &'a mut Context,
    pub(super) guest: &'a Guest,
    pub(super) state: &'a State,
}

impl Call<'_> {
    /// The instance that calls.
    pub(super) fn instance(&self) -> Result<Instance, Trap> {
        self.caller.instance().ok_or_else(|| Trap::new("no module calls a function of its own"))
    }

    /// The memory of the instance that calls.
    pub(super) fn memory(&self) -> Result<Memory, Trap> {
        let memory = self.caller.memory();
        memory.ok_or_else(|| Trap::new("a module without memory has called Emscripten"))
    }

    pub(super) fn guest(&self) -> Result<Guest, Trap> {
        Ok(Guest::new(self.memory()?, Snapshot::Preview1))
    }

    /// A function that the guest exports under one of these names.
    pub(super) fn export(&self, names: &[&str]) -> Result<Func, Trap> {
        let found = export(&self.instance()?, names);
        found.ok_or_else(|| Trap::new(format!("the module exports no function `{}`", names[0])))
    }

    /// Calls what the guest exports under one of these names; its result, or 0 if it has none.
    pub(super) fn call(&self, names: &[&str], args: &[u32]) -> Result<u32, Trap> {
        let args: Vec<Val> = args.iter().map(|arg| Val::I32(arg.cast_signed())).collect();
        let results = call(&self.export(names)?, &args)?;
        Ok(match results.first() {
            Some(Val::I32(result)) => result.cast_unsigned(),
            _ => 0,
        })
    }

    /// Calls a function of the guest's table; its results.
    pub(super) fn call_element(&self, index: u32, args: &[Val]) -> Result<Vec<Val>, Trap> {
        call(&self.element(index)?, args)
    }

    /// Sets the upper half of a result of 64 bits where the guest looks for it.
    pub(super) fn set_temp_ret(&self, value: u32) -> Result<(), Trap> {
        match export(&self.instance()?, &["_emscripten_tempret_set"]) {
            Some(func) => call(&func, &[Val::I32(value.cast_signed())]).map(drop),
            None => {
                self.state.temp_ret.set(value);
                Ok(())
            }
        }
    }

    /// A string of the guest's, to be shown.
    pub(super) fn text(&self, address: u32) -> Result<String, Trap> {
        let bytes = string(&self.guest()?, address).unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Calls a function of the guest's.
pub(super) fn call(func: &Func, args: &[Val]) -> Result<Vec<Val>, Trap> {
    func.call(args).map_err(|error| match error {
        Error::Trap(trap) => trap,
        error => Trap::new(error.to_string()),
    })
}

impl Sys<'_> {
    /// A path of the guest's: UTF-8, with a zero byte at its end.
    pub(super) fn path(&self, address: u32) -> Result<String, Errno> {
        String::from_utf8(string(self.guest, address)?).map_err(|_| Errno::IllegalBytes)
    }

    /// The first of the variable arguments at this address; 0 if there are none.
    pub(super) fn vararg(&self, args: u32) -> Result<u32, Errno> {
        if args == 0 { Ok(0) } else { self.guest.get(args).map(u32::from_le_bytes) }
    }
}

/// The bytes up to the next zero byte.
pub(super) fn string(guest: &Guest, address: u32) -> Result<Vec<u8>, Errno> {
    // A memory ends between two chunks.
    const CHUNK: u32 = 64;
    let mut bytes = Vec::new();
    let mut at = address;
    while bytes.len() <= MAX_STRING {
        let len = CHUNK - at % CHUNK;
        let ended = Cell::new(false);
        guest.with(at, len, |chunk| {
            let end = chunk.iter().position(|byte| *byte == 0);
            ended.set(end.is_some());
            bytes.extend_from_slice(&chunk[..end.unwrap_or(chunk.len())]);
        })?;
        if ended.get() {
            return Ok(bytes);
        }
        at = at.checked_add(len).ok_or(Errno::Fault)?;
    }
    Err(Errno::NameTooLong)
}
