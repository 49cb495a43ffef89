//! What the runtime needs of the CPU: registers, jumps, thread-local storage that a signal
//! handler may read. One file a CPU, with the same outline.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;
