//! The bodies of libcalls, by family. Their names and types are rows of [`crate::abi::libcalls`].

mod atomic;
mod exception;
mod memory;
mod object;
mod raise;
mod table;
mod tier;

use std::sync::OnceLock;

use super::arch;
use super::context::Instance;
use super::enter::Cause;
use super::leave;
use super::store::Store;
use crate::abi::layout::VMContext;
use crate::abi::libcalls::{ENTRIES, Libcall, Routine, for_each_libcall};
use crate::wasm::TrapCode;

/// The addresses of all libcalls and routines, for contexts to point to.
pub(super) fn table() -> *const usize {
    static TABLE: OnceLock<[usize; ENTRIES]> = OnceLock::new();
    TABLE
        .get_or_init(|| {
            let mut table = [0; ENTRIES];
            let (libcalls, routines) = table.split_at_mut(Libcall::ALL.len());
            libcalls.copy_from_slice(&arch::libcall_table());
            for (entry, routine) in routines.iter_mut().zip(Routine::ALL) {
                *entry = match routine {
                    Routine::Move => libc::memmove as *const () as usize,
                    Routine::Fill => libc::memset as *const () as usize,
                };
            }
            table
        })
        .as_ptr()
}

macro_rules! machine {
    (I32) => {
        u32
    };
    (I64) => {
        u64
    };
}

/// What the stubs of `arch` go on to: one function a row, which a missing or wrong body keeps from
/// compiling.
macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ident),*) $(-> $result:ident)?;)*) => {
        pub(super) mod raw {
            use super::*;

            $($(#[$doc])*
            pub(crate) unsafe extern "C" fn $name(
                context: *mut VMContext,
                $($arg: machine!($ty)),*
            ) $(-> machine!($result))? {
                // SAFETY: only stubs get here, and they pass what compiled code has passed: its
                // own context.
                unsafe { leave::libcall(context, || body::$name(context, $($arg),*)) }
            }
            )*
        }
    };
}
for_each_libcall!(bodies);

/// One function for each row.
mod body {
    pub(super) use super::atomic::{memory_notify, memory_wait32, memory_wait64};
    pub(super) use super::exception::{throw, throw_ref};
    pub(super) use super::memory::{data_drop, memory_copy, memory_fill, memory_grow, memory_init};
    pub(super) use super::object::{
        array_copy, array_fill, array_init_data, array_init_elem, array_new, array_new_data,
        array_new_elem, heap_allocate,
    };
    pub(super) use super::raise::{raise, raise_host_error, raise_stack_overflow};
    pub(super) use super::table::{elem_drop, table_copy, table_fill, table_grow, table_init};
    pub(super) use super::tier::tier_up;
}

/// The instance whose code calls.
///
/// # Safety
///
/// The context is that of the running instance.
unsafe fn instance<'a>(context: *mut VMContext) -> &'a Instance {
    // SAFETY: the caller's contract.
    unsafe { Instance::of_context(context) }
}

/// Bytes that are written between two looks at the store's interrupt: a multiple of the size of every
/// element.
const STRETCH: usize = 8 << 20;

/// Does `len` bytes of work in stretches: `part(start, len)` for each, the last one first if
/// `backwards`. Nothing but `part` happens meanwhile, so objects stay where they are. If this is
/// interrupted, the work is done in part.
///
/// # Errors
///
/// The trap when the store's code has to end.
fn in_stretches(
    store: &Store,
    len: usize,
    backwards: bool,
    part: impl Fn(usize, usize),
) -> Result<(), Cause> {
    let mut done = 0;
    while done < len {
        let next = STRETCH.min(len - done);
        part(if backwards { len - done - next } else { done }, next);
        done += next;
        if done < len
            && store.config().interruptible
            && let Some(code) = store.take_interrupt()
        {
            return Err(code.into());
        }
    }
    Ok(())
}

/// Success, or the trap that `code` says.
fn check(success: bool, code: TrapCode) -> Result<(), Cause> {
    if success { Ok(()) } else { Err(code.into()) }
}
