//! What the runtime asks of the operating system. One file a system.

#[cfg(unix)]
mod pages;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use {pages::populated, unix::*};
