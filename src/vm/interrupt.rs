//! The word by which other threads end what a store runs. Compiled code looks at it where it
//! enters functions and loops, long operations of the runtime look at it now and then.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::wasm::TrapCode;

/// Somebody wants the running code to end.
const REQUESTED: u32 = 1;
/// The deadline has passed.
const LATE: u32 = 2;

/// The word of a store. It may outlive the store.
#[derive(Default)]
pub struct Interrupt(AtomicU32);

impl Interrupt {
    /// Asks what runs, or runs next, to end.
    pub fn request(&self) {
        self.0.fetch_or(REQUESTED, Ordering::Relaxed);
    }

    /// Takes a request back that nothing has ended by.
    pub fn withdraw(&self) {
        self.0.fetch_and(!REQUESTED, Ordering::Relaxed);
    }

    /// Says whether the deadline has passed.
    pub fn set_late(&self, late: bool) {
        if late {
            self.0.fetch_or(LATE, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!LATE, Ordering::Relaxed);
        }
    }

    /// Why execution has to end, if it has to; a request is then fulfilled.
    pub fn take(&self) -> Option<TrapCode> {
        if self.0.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let before = self.0.fetch_and(!REQUESTED, Ordering::Relaxed);
        match before {
            0 => None,
            _ if before & REQUESTED != 0 => Some(TrapCode::Interrupt),
            _ => Some(TrapCode::DeadlineExceeded),
        }
    }

    /// Whether execution has to end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// The word itself, for compiled code.
    pub(super) fn word(&self) -> *const AtomicU32 {
        &raw const self.0
    }
}
