//! Traps: from a signal or a call to the exit of the newest entry, and the walk over frames.

mod backtrace;
#[cfg(unix)]
mod signals_unix;

pub use backtrace::Frame;
pub(super) use backtrace::{Landing, Start, caller, frames, handler, roots};
#[cfg(unix)]
pub use signals_unix::install as install_signal_handlers;
#[cfg(unix)]
pub(super) use signals_unix::landing;
