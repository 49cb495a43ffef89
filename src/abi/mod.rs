//! The wall between compiled code and the runtime: layouts, calls, and code as inert data.
//! May use: wasm.
//!
//! `compile` and `vm` meet here and nowhere else. Nothing in this room runs anything.

#![forbid(unsafe_code)]

pub mod blob;
pub mod code;
pub mod image;
pub mod layout;
pub mod libcalls;
pub mod object;
pub mod signature;
pub mod sites;
