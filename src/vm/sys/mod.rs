//! What the runtime asks of the operating system. One file a system.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;
