//! Memory that runs: code, instances, memories, tables, traps, entering and leaving.
//! May use: wasm, abi.
//!
//! This is the room of `unsafe`. What it offers to `engine` is safe where it can be and says what
//! it relies on where it cannot. Nothing here knows how a module is parsed or compiled; code that
//! is missing is asked for through hooks that `engine` supplies.

mod arch;
mod block;
pub mod budget;
pub mod code;
mod code_memory;
pub mod context;
pub mod enter;
pub mod exception;
pub mod file;
pub mod fork;
pub mod global;
pub mod heap;
pub mod image;
pub mod interrupt;
pub mod leave;
mod libcalls;
pub mod memory;
pub mod parking;
pub mod place;
pub mod pointer;
pub mod refs;
mod registry;
pub mod shared;
pub mod signature;
pub mod slots;
pub mod stack;
pub mod store;
pub mod striped;
mod sys;
pub mod table;
pub mod trap;
pub mod types;

pub(crate) use arch::{features, with_return_address};
pub use sys::{give_back_memory, without_signals, without_sigpipe};
