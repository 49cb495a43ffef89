//! Traps.

use super::boundary::{Argument, guard, shared};
use super::frame::{wasm_frame_t, wasm_frame_vec_t};
use super::object::wasm_trap_t;
use super::store::wasm_store_t;
use super::val::{wasm_byte_vec_t, wasm_message_t};
use crate::engine::{Error, Exception, ExternRef, Frame, Store, Trap, TrapCode};

/// What is in the host object that stands for a trap.
pub(super) struct StoredTrap {
    /// The message with its terminating zero byte.
    message: Vec<u8>,
    /// The engine's trap, if that is where it comes from.
    trap: Option<Trap>,
}

impl StoredTrap {
    /// The trap that WebAssembly defines, if it is one.
    pub(super) fn code(&self) -> Option<TrapCode> {
        self.trap.as_ref()?.code()
    }

    /// Data of the engine's trap.
    pub(super) fn data<T: 'static>(&self) -> Option<&T> {
        self.trap.as_ref()?.data()
    }
}

impl wasm_trap_t {
    fn host_object(&self) -> &ExternRef {
        let object = ExternRef::of(self.object().handle());
        object.expect("traps are host objects")
    }

    /// The functions that were running; those of a host's trap are known when it comes back from
    /// where it was raised.
    fn frames(&self) -> Vec<Frame> {
        self.host_object().frames()
    }

    /// The exception that it carries.
    pub(super) fn exception(&self) -> Option<Exception> {
        self.host_object().exception()
    }

    fn stored(&self) -> &StoredTrap {
        self.object().data().expect("the type of a reference is that of its object")
    }

    /// The trap that execution in `store` has ended by. One that a host function has made comes
    /// back as it is.
    pub(super) fn from_trap(store: &Store, trap: Trap) -> Box<wasm_trap_t> {
        let mut trap = match trap.into_data::<HostTrap>() {
            Ok((host_trap, frames)) => {
                let trap = host_trap.0;
                if !trap.host_object().has_frames() {
                    trap.host_object().keep_frames(frames);
                }
                return trap;
            }
            Err(trap) => trap,
        };
        let (frames, exception) = (trap.take_frames(), trap.take_exception());
        let message = terminated(trap.to_string().as_bytes());
        let object = ExternRef::new(store, StoredTrap { message, trap: Some(trap) });
        object.keep_frames(frames);
        if let Some(exception) = exception {
            object.keep_exception(&exception);
        }
        wasm_trap_t::boxed(object.handle())
    }

    /// A trap that says why something was refused.
    pub(super) fn from_error(store: &Store, error: Error) -> Box<wasm_trap_t> {
        match error {
            Error::Trap(trap) => wasm_trap_t::from_trap(store, trap),
            error => wasm_trap_t::from_trap(store, Trap::new(error.to_string())),
        }
    }

    /// The trap as the engine takes it from a host function.
    pub(super) fn into_trap(self: Box<wasm_trap_t>) -> Trap {
        let message = &self.stored().message;
        let text = String::from_utf8_lossy(&message[..message.len() - 1]).into_owned();
        let (traced, exception) = (self.host_object().has_frames(), self.exception());
        let mut trap = Trap::with_data(text, HostTrap(self));
        if let Some(exception) = exception {
            trap = trap.carrying(exception);
        }
        if traced { trap.already_traced() } else { trap }
    }
}

/// A trap of the host on its way through wasm.
struct HostTrap(Box<wasm_trap_t>);

/// A message with one zero byte at its end.
fn terminated(message: &[u8]) -> Vec<u8> {
    let mut message = message.strip_suffix(&[0]).unwrap_or(message).to_vec();
    message.push(0);
    message
}

/// Makes a trap for a host function to return. The message may or may not be terminated by a zero
/// byte. Returns null when an argument is.
///
/// Ownership: borrows both; the caller owns the result and returns it from a callback or releases
/// it with `wasm_trap_delete`.
///
/// # Safety
///
/// The store is live or null, the message is whole or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_new(
    store: *mut wasm_store_t,
    message: Option<&wasm_message_t>,
) -> Option<Box<wasm_trap_t>> {
    guard(None, || {
        // SAFETY: the contract of this function.
        let store = unsafe { shared(store, "the store") }?;
        let message = message.or_null_error("the message")?;
        // SAFETY: the contract of this function.
        let message = terminated(unsafe { message.as_bytes() });
        let stored = StoredTrap { message, trap: None };
        Some(wasm_trap_t::boxed(ExternRef::new(&store.0, stored).handle()))
    })
}

/// Returns a trap's message, terminated by a zero byte that its size counts. For a trap of
/// WebAssembly it is in the words of the specification's test suite.
///
/// Ownership: borrows the trap; the caller owns the message.
///
/// # Safety
///
/// The trap is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_message(trap: Option<&wasm_trap_t>, out: *mut wasm_message_t) {
    guard((), || {
        if out.is_null() {
            return;
        }
        let trap = trap.or_null_error("the trap");
        let message = trap.map_or(&[][..], |trap| &trap.stored().message);
        // SAFETY: the contract of this function.
        unsafe { out.write(wasm_byte_vec_t::of_bytes(message)) };
    });
}

/// Returns the innermost function that was running; null when none was.
///
/// Ownership: borrows the trap; the caller owns the frame and releases it with
/// `wasm_frame_delete`.
///
/// # Safety
///
/// The pointer is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_origin(trap: Option<&wasm_trap_t>) -> Option<Box<wasm_frame_t>> {
    guard(None, || {
        let trap = trap.or_null_error("the trap")?;
        Some(wasm_frame_t::boxed(trap.frames().first()?))
    })
}

/// Returns the functions that were running, innermost first.
///
/// Ownership: borrows the trap; the caller owns the frames, which outlive the trap.
///
/// # Safety
///
/// The trap is live or null, `out` can be written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_trace(trap: Option<&wasm_trap_t>, out: *mut wasm_frame_vec_t) {
    guard((), || {
        if out.is_null() {
            return;
        }
        let frames = trap.or_null_error("the trap").map(wasm_trap_t::frames).unwrap_or_default();
        let frames = frames.iter().map(|frame| Box::into_raw(wasm_frame_t::boxed(frame))).collect();
        // SAFETY: the contract of this function.
        unsafe { out.write(wasm_frame_vec_t::of(frames)) };
    });
}
