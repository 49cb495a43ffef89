//! The process.

use super::Context;
use super::errno::Errno;
use super::guest::Guest;

pub(super) fn proc_raise(_: &mut Context, _: &Guest, _signal: u32) -> Result<(), Errno> {
    // A guest has no signal handlers, and must not signal the host.
    Err(Errno::NotSupported)
}

pub(super) fn sched_yield(_: &mut Context, _: &Guest) -> Result<(), Errno> {
    std::thread::yield_now();
    Ok(())
}
