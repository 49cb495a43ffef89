//! The C API: `wasm.h`, `wasi.h` and `tenon.h`. May use: engine, wasi.
//!
//! Pointers, ownership and panics are this room's business; it has no semantics of its own. Every
//! exported function goes through [`boundary::guard`], so that no panic reaches C, and sets the
//! thread's last error when it returns null or false. `cbindgen` makes the headers of this room:
//! the functions that C's macro families declare are made by the Rust macros of the same names in
//! [`families`], which cbindgen does not see; `cbindgen.toml` has the C side.

#![allow(non_camel_case_types, reason = "C names its types so")]

mod boundary;
mod engine;
mod extern_;
mod families;
mod foreign;
mod frame;
mod func;
mod global;
mod instance;
mod limits;
mod memory;
mod module;
mod native;
mod object;
mod objects;
mod porttypes;
mod raw;
mod reftypes;
mod shared;
mod store;
mod table;
mod tag;
mod tenon;
mod trap;
mod types;
mod val;
mod wasi;
mod wasi_net;
mod wasi_streams;
mod wide;
